"""Prefetching: ahead, in order, bounded, and gone with its iterator."""

import gc
import itertools
import subprocess
import sys
import textwrap
import threading

import pytest

from polyhead.pipeline import prefetch as prefetch_module
from polyhead.pipeline.prefetch import prefetch
from running import threads, until


@pytest.mark.parametrize("workers", [0, 1, 2, 8])
def test_results_come_in_order_however_long_each_takes(workers):
    done = [threading.Event() for _ in range(41)]

    def work(n):
        if workers > 1 and n % 3 == 0 and n < 39:
            assert done[n + 1].wait(240)  # the next one, made by another thread, is there first
        done[n].set()
        return n * n

    assert list(prefetch(work, range(40), workers=workers)) == [n * n for n in range(40)]
    assert until(lambda: not threads())


def test_no_more_is_done_ahead_than_the_bound():
    asked = []  # what threads may begin; they are given nothing else
    taken = prefetch(lambda n: n, (asked.append(n) or n for n in range(100)), workers=2)
    for n in range(20):
        assert next(taken) == n
        assert asked == list(range(n + 4))
    taken.close()


def test_endless_tasks_are_drawn_as_they_are_needed():

    taken = prefetch(lambda n: n, itertools.count(), workers=2)
    assert [next(taken) for _ in range(50)] == list(range(50))
    taken.close()
    assert until(lambda: not threads())


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_an_exception_arrives_at_its_place(workers):
    def work(n):
        if n == 5:
            raise ValueError("row 5 is bad")
        return n

    results = prefetch(work, range(100), workers=workers)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="row 5 is bad"):
        next(results)
    assert until(lambda: not threads())


def test_threads_end_when_the_iterator_is_dropped():
    taken = prefetch(lambda n: n, range(1000), workers=3)
    next(taken)
    assert len(threads()) == 3
    del taken
    gc.collect()
    assert until(lambda: not threads())


def test_an_interrupt_ends_the_program_at_once_even_while_a_source_hangs():
    program = textwrap.dedent(
        """
        import signal, sys, threading
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
        from polyhead.pipeline.prefetch import prefetch
        def work(n):
            if n == 1:
                print("hangs", flush=True)
                threading.Event().wait()
            return n
        try:
            for _ in prefetch(work, range(9), workers=2):
                pass
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            sys.exit(3)
        """
    )
    import signal

    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=240)  # it hangs for ever where it does not end
        assert out == "interrupted\n"
        assert process.returncode == 3
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_program_does_not_end_before_a_thread_that_still_frees_memory(monkeypatch):
    monkeypatch.setattr("polyhead.pipeline.prefetch.FINISH", 60)
    freeing, go_on, working, goes = (threading.Event() for _ in range(4))

    class Work:
        def __call__(self, number):
            if number == 1:
                working.set()
                goes.wait(240)

        def __del__(self):
            freeing.set()
            go_on.wait(240)

    results = prefetch(Work(), range(3), workers=1)
    next(results)
    assert working.wait(240)
    results.close()
    del results  # the thread alone holds the work now, and drops it as it ends
    gc.collect()
    goes.set()
    assert freeing.wait(240)
    end = threading.Thread(target=prefetch_module._finish_threads)
    end.start()
    end.join(0.3)
    assert end.is_alive()
    go_on.set()
    end.join(240)
    assert not end.is_alive()
