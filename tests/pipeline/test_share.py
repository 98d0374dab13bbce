"""Sharing: threads without a task of their own take part in what another does, and nothing is kept for them."""

import gc
import threading
import time
import weakref

import pytest

from polyhead.pipeline.prefetch import prefetch, share_work
from running import threads, until


def shared(do, count, workers=2):
    """``share`` as one task among the threads of a prefetch."""
    return list(prefetch(lambda _: share_work(do, count), range(1), workers=workers))


def test_elsewhere_it_is_a_loop():
    done = []
    share_work(done.append, 5)
    assert done == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("workers", [0, 1, 2, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_each_number_comes_once(workers, count):
    done = []
    shared(done.append, count, workers)
    assert sorted(done) == list(range(count))
    assert until(lambda: not threads())


def test_a_thread_without_a_task_takes_part():
    met = threading.Barrier(2)  # each waits for the other: one thread alone would fail here
    who = {}

    def do(number):
        met.wait(timeout=240)
        who[number] = threading.current_thread().name

    shared(do, 2)
    assert len(set(who.values())) == 2


def test_a_task_of_its_own_comes_first():
    begun = threading.Event()

    def work(task):
        if task == 0:
            assert begun.wait(240)  # the other thread has begun the second task, and not a part of this one
            share_work(lambda number: None, 4)
        else:
            begun.set()
        return task

    assert list(prefetch(work, range(2), workers=2)) == [0, 1]


@pytest.mark.parametrize("workers", [0, 2, 4])
def test_the_error_of_the_lowest_number_arrives_however_late_it_comes(workers):
    late = threading.Event()

    def do(number):
        if number == 1:
            if workers:
                assert late.wait(240)
            raise ValueError("row 1")
        if number > 1:
            late.set()
            raise ValueError(f"row {number}")

    for _ in range(10):
        late.clear()
        with pytest.raises(ValueError, match="row 1"):
            shared(do, 8, workers)


def test_the_loop_ends_only_once_every_part_has():
    parts, inside = [], threading.Event()

    def do(number):
        if number == 1:  # taken by the thread that helps, or by the loop's own
            inside.set()
            time.sleep(
                0.05
            )  # for a loop that would not wait; how long it is, and for whom, decides nothing else
        elif number == 0:
            assert inside.wait(240)
        parts.append(number)

    def work(_):
        share_work(do, 2)
        return list(parts)

    assert sorted(next(prefetch(work, range(1), workers=2))) == [0, 1]


def test_nothing_is_kept_for_a_thread_that_comes_late():
    class Held:
        def __call__(self, number):
            pass

    busy, done, gone = threading.Event(), threading.Event(), []

    def work(task):
        if task == 0:
            assert busy.wait(240)
            held = Held()
            gone.append(weakref.ref(held))
            share_work(held, 4)  # the other thread is busy, and finds this in its queue later
        else:
            busy.set()
            assert done.wait(240)
        return task

    results = prefetch(work, range(2), workers=2)
    assert next(results) == 0
    gc.collect()
    assert gone[0]() is None
    done.set()
    assert next(results) == 1
    results.close()
    assert until(lambda: not threads())
