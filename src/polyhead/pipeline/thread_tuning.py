"""Decides how many threads to use, by timing how results are made and used."""

from __future__ import annotations

import math
import statistics

LOOK = 8
"""The number of results to time, first in the calling thread, then for each thread on trial."""

AGAIN, SELDOM = 64, 1024
"""The number of results after which to measure again, as the first ones may be slow and their use may change. It
doubles each time, up to the second number.
"""

ONE_KEPT, KEPT = 0.95, 0.9
"""The shares of the time without threads below which one thread, or several, are used.

One thread occupies a core that others could use. Several that write to the same memory take up to half as much
processor time again.
"""

HANDOVER = 200e-6
"""The seconds that passing a result between threads may take on a busy machine."""


class Phase:
    """A number of results that are made with the same number of threads.

    Args:
        workers: the number of threads; 0 for the calling thread.
        left: the number of results until it ends; None for no end.
        unthreaded: the seconds that a result takes without threads, if threads are on trial.
        chosen: whether the number of threads was chosen by measuring.
    """

    def __init__(
        self, workers: int = 0, left: int | None = LOOK, unthreaded: float = 0.0, *, chosen: bool = False
    ) -> None:
        self.workers, self.left, self.unthreaded, self.chosen = workers, left, unthreaded, chosen
        self.making: list[float] = []
        self.using: list[float] = []

    def note(self, making: float, using: float) -> None:
        """Record the seconds that it took to make a result, and to use it."""
        if self.left is not None:
            self.left -= 1
            self.making.append(making)
            self.using.append(using)

    def takes(self) -> float:
        """The seconds from one result to the next.

        Without threads it is the median, as other programs may slow down some results. With threads it is the mean, as
        they may wait for each other at times. They tend to finish together, so the mean is over rounds of one result
        for each thread, without the slowest round.
        """
        seconds = [making + using for making, using in zip(self.making, self.using, strict=True)]
        n = self.workers
        if not n:
            return statistics.median(seconds)
        rounds = sorted(sum(seconds[i : i + n]) / n for i in range(0, len(seconds) - n + 1, n))
        return statistics.mean(rounds[:-1]) if len(rounds) > 1 else math.inf


class Threads:
    """Decides how many threads `prefetch` uses, if any, by which takes less time.

    First, `LOOK` results are made without threads, and timed. If threads may then be worthwhile, each makes as many on
    trial, and they stay if results come sooner: threads that write to memory may slow each other down. The results do
    not depend on the decision. Later iterations use it too.
    """

    def __init__(self, most: int) -> None:
        self._most, self._trial, self._again = most, Phase(), AGAIN

    @property
    def workers(self) -> int:
        """The number of threads in use; 0 for none."""
        return self._trial.workers

    def trial(self) -> Phase:
        """The phase of the next results."""
        trial = self._trial
        if trial.left is not None and trial.left < 1:
            self._trial = self._next(trial)
        return self._trial

    def _next(self, trial: Phase) -> Phase:
        if trial.chosen:
            return Phase()
        if trial.workers:  # on trial
            share = ONE_KEPT if trial.workers == 1 else KEPT
            return self._chosen(trial.workers if trial.takes() < share * trial.unthreaded else 0)
        making, using = statistics.median(trial.making), statistics.median(trial.using)
        workers = worthwhile(making, using, self._most)
        if workers:
            return Phase(workers, LOOK * workers, trial.takes())
        return self._chosen(0)

    def _chosen(self, workers: int) -> Phase:
        left, self._again = self._again, min(2 * self._again, SELDOM)
        return Phase(workers, left, chosen=True)


def worthwhile(making: float, using: float, most: int) -> int:
    """Return the number of threads that may be worthwhile; 0 for none.

    It is the number that keeps up with the use of results. Each result then takes as long as the slower of making and
    using it, plus the time to pass it on. Threads have to save more than 2 % of the time.

    >>> worthwhile(0.001, 0.030, most=4), worthwhile(0.030, 0.012, most=4), worthwhile(0.0001, 0.00001, most=4)
    (1, 3, 0)
    """
    workers = min(most, math.ceil(making / max(using, 1e-9)))
    saved = making + using - max(making / max(1, workers), using) - HANDOVER
    return workers if saved > (making + using) / 50 else 0
