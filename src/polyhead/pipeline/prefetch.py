"""Computes results ahead in threads, and returns them in order."""

from __future__ import annotations

import atexit
import itertools
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Generic, TypeVar

from polyhead import profiling
from polyhead.pipeline.thread_tuning import Phase, Threads

FINISH = 1.0
"""The seconds that an ending program waits for threads to finish."""

WAKE = 0.2
"""The seconds after which a waiting thread checks for an interrupt."""

Task = TypeVar("Task")
Result = TypeVar("Result")


_CURRENT = threading.local()
"""In a thread of `prefetch`: the queue of all its threads, and their number."""


class _Slot(Generic[Task, Result]):
    """One task in progress, locked until it is done.

    A `threading.Event` waits in Python code, where an interrupt can release its lock twice.
    """

    __slots__ = ("error", "pending", "result", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.pending = threading.Lock()
        self.pending.acquire()
        self.result: Result | None = None
        self.error: BaseException | None = None


class _Shared:
    """A loop over numbers that idle threads share."""

    def __init__(self, do: Callable[[int], None], count: int) -> None:
        self._do: Callable[[int], None] | None = do
        self._numbers, self._others = iter(range(count)), 0
        self._errors: dict[int, BaseException] = {}
        self._changed = threading.Condition()

    def help(self) -> None:
        """Process numbers until none is left; do nothing if the loop has ended."""
        with self._changed:
            do = self._do
            if do is None:
                return
            self._others += 1
        self._process(do)
        del do
        with self._changed:
            self._others -= 1
            self._changed.notify()

    def run(self) -> None:
        """Process numbers, then wait for the other threads."""
        assert self._do is not None
        self._process(self._do)
        with self._changed:
            self._do = None  # late threads then do nothing, and keep nothing alive
            self._changed.wait_for(lambda: not self._others)
        if self._errors:
            raise self._errors[min(self._errors)]

    def _process(self, do: Callable[[int], None]) -> None:
        while not self._errors:
            with self._changed:
                number = next(self._numbers, None)
            if number is None:
                return
            try:
                do(number)
            except BaseException as error:  # raised again by the thread that runs the loop
                self._errors[number] = error


def share_work(do: Callable[[int], None], count: int) -> None:
    """Call ``do`` for each number below ``count``, sharing the work with idle threads of `prefetch`.

    A thread of `prefetch` shares with the others, which would idle during the last tasks of an epoch. Any other thread
    makes all calls itself.

    Args:
        do: called from several threads at once; must not depend on the order of the calls.

    Raises:
        Whatever ``do`` raised for the lowest number: the same for any number of threads.

    >>> found = [0] * 4
    >>> share_work(lambda n: found.__setitem__(n, n * n), 4)
    >>> found
    [0, 1, 4, 9]
    """
    pool: tuple[queue.SimpleQueue[Any], int] | None = getattr(_CURRENT, "pool", None)
    if pool is None or min(pool[1], count) < 2:
        for number in range(count):
            do(number)
        return
    todo, workers = pool
    shared = _Shared(do, count)
    for _ in range(min(workers, count) - 1):
        todo.put(shared)
    shared.run()


def prefetch(
    work: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int | Threads
) -> Iterator[Result]:
    """Yield the result of ``work`` for each task, in order, computing up to ``workers + 1`` of them in advance.

    Threads are daemons, so that an interrupt ends the program whatever a source is waiting for. They end when the
    iterator is exhausted, closed, garbage-collected, or raises. At the end of a program they get a second to finish: a
    thread that dies inside a library such as HDF5 can leave a lock that the library then waits for forever.

    Args:
        work: called from several threads at once; must not depend on the order of the calls.
        tasks: the tasks, consumed as needed; may be endless.
        workers: the number of threads, 0 for the calling thread; or a `Threads`, which decides by measuring.

    Raises:
        Whatever ``work`` raised, in place of the result of its task.

    >>> list(prefetch(lambda n: n * n, range(4), workers=2))
    [0, 1, 4, 9]
    >>> list(prefetch(lambda n: n * n, range(4), workers=Threads(most=2)))
    [0, 1, 4, 9]
    """
    source = iter(tasks)
    for task in source:
        trial = workers.trial() if isinstance(workers, Threads) else Phase(workers, left=None)
        following = itertools.islice(source, None if trial.left is None else trial.left - 1)
        tasks_of_trial = itertools.chain((task,), following)
        crew = _Crew(work, tasks_of_trial, trial.workers) if trial.workers > 0 else None
        try:
            requested = profiling.clock()
            for result in map(work, tasks_of_trial) if crew is None else crew:
                made = profiling.clock()
                yield result
                del result  # frees its memory for the next result
                used = profiling.clock()
                trial.note(made - requested, used - made)
                requested = used
        finally:
            if crew is not None:
                crew.stop()


class _Crew(Generic[Task, Result]):
    """Threads that compute results ahead; an iterator over the results in order."""

    def __init__(self, work: Callable[[Task], Result], tasks: Iterator[Task], workers: int) -> None:
        self._tasks, self._waiting, self._ahead = tasks, deque[_Slot[Task, Result]](), workers + 1
        # the threads hold no reference to the crew, so that it can be collected while they run
        self._todo: queue.SimpleQueue[_Slot[Task, Result] | _Shared | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        arguments = work, self._todo, self._stop, workers
        self._threads = [
            threading.Thread(target=_work_on_tasks, args=arguments, name=f"polyhead-{i}", daemon=True)
            for i in range(workers)
        ]
        _at_exit()
        _RUNNING[self._stop] = self._todo, self._threads
        _ALIVE.update(self._threads)

    def __iter__(self) -> _Crew[Task, Result]:
        self._fill()
        for thread in self._threads:
            thread.start()
        return self

    def __next__(self) -> Result:
        if not self._waiting:
            raise StopIteration
        slot = self._waiting.popleft()
        # with a timeout, as an interrupt just before a wait does not end it
        while not slot.pending.acquire(timeout=WAKE):
            pass
        if slot.error is not None:
            raise slot.error
        self._fill()
        result, slot.result = slot.result, None
        return result  # type: ignore[return-value]

    def _fill(self) -> None:
        while len(self._waiting) < self._ahead:
            try:
                slot: _Slot[Task, Result] = _Slot(next(self._tasks))
            except StopIteration:
                return
            self._waiting.append(slot)
            self._todo.put(slot)

    def stop(self) -> None:
        """End the threads, each after its current task."""
        _end(self._stop, self._todo, self._threads)


_RUNNING: weakref.WeakKeyDictionary[threading.Event, tuple[Any, list[threading.Thread]]] = (
    weakref.WeakKeyDictionary()
)

_ALIVE: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
"""All threads, also those of deleted crews: they may still be freeing the last result."""


def reads_rows() -> bool:
    """Return whether the calling thread computes results ahead."""
    return threading.current_thread() in _ALIVE


def _end(stop: threading.Event, todo: Any, threads: list[threading.Thread]) -> None:
    stop.set()
    for _ in threads:
        todo.put(None)


@cache
def _at_exit() -> None:
    """Register `_finish_threads` to run at exit, before the handlers of libraries loaded until now."""
    atexit.register(_finish_threads)


def _finish_threads() -> None:
    """Wait for all threads before the interpreter ends: freeing Arrow's memory later would abort the process."""
    for stop, (todo, threads) in list(_RUNNING.items()):
        _end(stop, todo, threads)
    end = time.monotonic() + FINISH
    for thread in list(_ALIVE):
        if thread.is_alive():
            thread.join(max(0.0, end - time.monotonic()))


def _work_on_tasks(
    work: Callable[[Task], Result],
    todo: queue.SimpleQueue[_Slot[Task, Result] | _Shared | None],
    stop: threading.Event,
    workers: int,
) -> None:
    _CURRENT.pool = todo, workers
    while (slot := todo.get()) is not None and not stop.is_set():
        if isinstance(slot, _Shared):
            slot.help()
        else:
            try:
                slot.result = work(slot.task)
            except BaseException as error:  # raised again where the result is used
                slot.error = error
            slot.pending.release()
        del slot
