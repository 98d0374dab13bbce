"""As many threads as pay, found out while results are used."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from polyhead import profiling
from polyhead.pipeline.prefetch import prefetch

LOOK = 8
"""Results that are made in line, to see what threads could save; and then by each thread, to see whether they do."""

AGAIN = 1024
"""Results after which this is found out anew: who uses them may have changed."""

KEPT = 0.95
"""The share of the time in line below which threads have to be: they take a core that others could use."""

HANDOVER = 200e-6
"""Seconds that a hand-over between threads may take on a busy machine, with all around it."""

Task = TypeVar("Task")
Result = TypeVar("Result")


class _Phase:
    """Results that are made in one way, after which another may follow.

    Args:
        workers: threads; 0 for none.
        left: results until it ends.
        line: seconds that a result takes in line, where threads are on trial.
        chosen: nothing more is to be found out.
    """

    def __init__(
        self, workers: int = 0, left: int = LOOK, line: float = 0.0, *, chosen: bool = False
    ) -> None:
        self.workers, self.left, self.line, self.chosen = workers, left, line, chosen
        self.making: list[float] = []
        self.using: list[float] = []
        self.gaps: list[float] = []

    def results(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """``work`` on each task, timed."""
        return self._by_threads(work, tasks) if self.workers else self._in_line(work, tasks)

    def _in_line(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        for task in tasks:
            begun = profiling.clock()
            result = work(task)
            made = profiling.clock()
            yield result
            del result
            self.left -= 1
            self.making.append(made - begun)
            self.using.append(profiling.clock() - made)

    def _by_threads(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        last = profiling.clock()
        for result in prefetch(work, tasks, workers=self.workers):
            now = profiling.clock()
            self.gaps.append(now - last)
            last = now
            self.left -= 1
            yield result
            del result

    def takes(self) -> float:
        """Seconds that a result takes, all in all.

        The largest is left out, in which a program may have done something else. Threads that work side by side are
        done at once, so there it is the largest of as many results as there are threads.
        """
        n = max(1, self.workers)
        each = self.gaps or [sum(both) for both in zip(self.making, self.using, strict=True)]
        rounds = sorted(sum(each[i : i + n]) / n for i in range(0, len(each) - n + 1, n))
        return statistics.mean(rounds[:-1]) if len(rounds) > 1 else math.inf


class Threads:
    """Makes results in line or by threads, whichever takes less time, from one iteration to the next.

    `LOOK` results are made in line, and timed. Where threads may pay by that, they make as many each, and are kept if
    results then come sooner: threads that write to one memory may hinder each other. The results are the same,
    whatever is chosen.

    Args:
        most: threads.

    >>> list(Threads(most=2).results(lambda n: n * n, range(4)))
    [0, 1, 4, 9]
    """

    def __init__(self, most: int) -> None:
        self._most, self._phase = most, _Phase()

    @property
    def workers(self) -> int:
        """Threads that are in use; 0 for none."""
        return self._phase.workers

    def results(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """``work`` on each task, in order; see `prefetch`."""
        source = iter(tasks)
        for task in source:
            phase = self._phase
            rest = itertools.islice(source, max(0, phase.left - 1))
            yield from phase.results(work, itertools.chain((task,), rest))
            if phase.left < 1 and phase is self._phase:  # not where a second iteration has gone on already
                self._phase = self._next(phase)

    def _next(self, phase: _Phase) -> _Phase:
        if phase.chosen:
            return _Phase()
        if phase.workers:  # on trial
            return _Phase(phase.workers if phase.takes() < KEPT * phase.line else 0, AGAIN, chosen=True)
        making, using = statistics.median(phase.making), statistics.median(phase.using)
        workers = worthwhile(making, using, self._most)
        if workers:
            return _Phase(workers, LOOK * workers, phase.takes())
        return _Phase(0, AGAIN, chosen=True)


def worthwhile(making: float, using: float, most: int) -> int:
    """How many threads may pay; 0 for none.

    There are as many threads as keep up with the use. Results then take as long as the slower side, and a hand-over
    more: what that saves has to be more than a fiftieth of the whole.

    Args:
        making: seconds that a result takes to be made.
        using: seconds that it is used for.
        most: threads.

    >>> worthwhile(0.001, 0.030, most=4), worthwhile(0.030, 0.012, most=4), worthwhile(0.0001, 0.00001, most=4)
    (1, 3, 0)
    """
    workers = min(most, math.ceil(making / max(using, 1e-9)))
    saved = making + using - max(making / max(1, workers), using) - HANDOVER
    return workers if saved > (making + using) / 50 else 0
