"""Threads are taken where they pay, and only there; results are the same."""

import itertools
import threading

import pytest

from polyhead.pipeline.prefetch import prefetch
from polyhead.pipeline.thread_tuning import AGAIN, LOOK, SELDOM, Threads, worthwhile


def results(threads, work, tasks):
    return prefetch(work, tasks, workers=threads)


def name():
    return threading.current_thread().name


@pytest.mark.parametrize("most", [1, 4])
def test_threads_are_taken_where_they_pay(most, clock):
    names = []

    def work(n):
        names.append(name())
        clock.sleep(0.004)
        return n

    found = []
    for n in results(Threads(most), work, range(LOOK + 20)):
        found.append(n)
        clock.sleep(0.004)
    assert found == list(range(LOOK + 20))
    assert set(names[:LOOK]) == {"MainThread"}
    assert all(name.startswith("polyhead-") for name in names[LOOK:])


def test_what_costs_less_than_a_hand_over_stays_in_line(clock):
    names = set()

    def work(n):
        names.add(name())
        clock.sleep(0.00001)
        return n

    assert list(results(Threads(4), work, range(50))) == list(range(50))
    assert names == {"MainThread"}


def test_measuring_takes_tasks_as_they_are_needed_and_raises_in_place():
    taken = results(Threads(2), lambda n: 1 // (n - 3), itertools.count())
    assert [next(taken) for _ in range(3)] == [-1, -1, -1]
    with pytest.raises(ZeroDivisionError):
        next(taken)
    assert list(results(Threads(2), lambda n: n, [])) == []


@pytest.mark.parametrize(
    ("making", "using", "threads"),
    [
        (0.0001, 0.1, 0),  # a hand-over costs more
        (0.1, 0.0001, 4),  # all that can be made is used at once
        (0.001, 0.1, 0),  # one in a hundred
        (0.003, 0.1, 1),
        (0.01, 0.011, 1),
        (0.02, 0.011, 2),
        (0.1, 0.01, 4),
    ],
)
def test_threads_that_pay(making, using, threads):
    assert worthwhile(making, using, most=4) == threads


def chosen(line, threads, using, tried):
    """The threads that are taken where it takes some seconds to make results in line, and others by threads."""
    tuning, taken = Threads(most=2), []
    for seconds in (line, threads):
        trial = tuning.trial()
        taken.append(trial.workers)
        for number in range(trial.left):
            trial.note(seconds[number % len(seconds)], using)
    assert taken == [0, tried]
    return tuning.trial().workers


@pytest.mark.parametrize(
    ("line", "threads", "workers"),
    [
        ([0.00112], [0.00096], 2),  # images and two masks, 256 in a batch: a seventh less
        ([0.00538], [0.00422], 2),  # masks of int64, 2,048 in a batch: a fifth less
        ([0.00209], [0.00206], 0),  # masks of bytes, 2,048 in a batch
        ([0.00100], [0.00092], 0),
        ([0.00100], [0.00140], 0),  # they hinder each other
        ([0.001] * 5 + [0.003] * 3, [0.0012], 0),  # another program slowed down what was made in line
        ([0.001], [0.0016, 0.0], 2),  # two finish together
        ([0.001], [0.0004] * 15 + [0.009], 2),  # one of them had to wait
        ([0.001], [0.0004, 0.0004, 0.0036, 0.0004], 0),  # they wait for each other again and again
    ],
)
def test_threads_that_are_kept_save_a_tenth(line, threads, workers):
    assert chosen(line, threads, using=1e-5, tried=2) == workers


@pytest.mark.parametrize(("waits", "workers"), [(0.0001, 1), (0.0004, 1), (0.0006, 0), (0.002, 0)])
def test_a_thread_beside_a_training_step_saves_a_twentieth(waits, workers):
    assert chosen([0.001], [waits], using=0.009, tried=1) == workers


def test_threads_that_hinder_each_other_are_given_up_and_tried_again_later(clock):
    where = []

    def work(n):
        where.append(name())
        clock.sleep(0.002)
        return n, name()

    def used(count):
        """The results; each takes longer to be used while threads write to the same memory."""
        for n, by in results(threads, work, range(count)):
            clock.sleep(0.001 if by == "MainThread" else 0.004)
            yield n

    threads = Threads(2)
    asked = LOOK + 2 * LOOK + AGAIN
    assert list(used(asked)) == list(range(asked))
    assert set(where[:LOOK]) == {"MainThread"}
    assert not {"MainThread"} & set(where[LOOK : 3 * LOOK])
    assert set(where[3 * LOOK :]) == {"MainThread"}
    where.clear()
    list(used(LOOK + 1))
    assert where[LOOK].startswith("polyhead-")


def test_what_was_found_out_serves_the_next_iteration(clock):
    threads, where = Threads(1), []

    def work(n):
        where.append(name())
        clock.sleep(0.003)
        return n

    for _ in range(8):
        for _ in results(threads, work, range(4)):
            clock.sleep(0.003)
    assert set(where[:LOOK]) == {"MainThread"}
    assert not {"MainThread"} & set(where[LOOK:])
    assert threads.workers == 1


def test_iterations_side_by_side(clock):
    threads = Threads(2)
    pairs = [results(threads, lambda n: clock.sleep(0.001) or n, range(LOOK * 6)) for _ in range(3)]
    assert list(zip(*pairs, strict=True)) == [(n, n, n) for n in range(LOOK * 6)]


def test_an_iteration_that_is_left_counts_for_what_it_made(clock):
    threads, made = Threads(2), []
    for _ in range(LOOK * 3):
        taken = results(threads, lambda n: made.append(name()) or clock.sleep(0.002) or n, itertools.count())
        assert next(taken) == 0
        taken.close()
    assert set(made) == {"MainThread"}  # a result that was not used up says nothing


def test_a_decision_holds_longer_each_time():
    threads, lengths = Threads(1), []
    for _ in range(12):
        trial = threads.trial()
        lengths.append(trial.left)
        while trial.left:
            trial.note(making=1e-5, using=1e-6)
    assert lengths[0::2] == [LOOK] * 6
    assert lengths[1::2] == [AGAIN, 2 * AGAIN, 4 * AGAIN, 8 * AGAIN, SELDOM, SELDOM]
