"""Decides how many threads pay off, by timing results as they are made and used."""

from __future__ import annotations

import math
import statistics

LOOK = 8
"""Results that are timed in line, to see what threads could save; and then for each thread, to see whether they do."""

AGAIN, SELDOM = 64, 1024
"""Results after which this is measured again, as the first ones may be slow and their use may change; then after twice
as many each time, up to the second number.
"""

ONE_KEPT, KEPT = 0.95, 0.9
"""A thread must take less than the first share of the time in line, as it occupies a core that others could use.
Several must take less than the second: where they write to the same memory, they take up to half as much processor time
again.
"""

HANDOVER = 200e-6
"""Seconds that handing a result from thread to thread may take on a busy machine."""


class Phase:
    """A number of results that are all made in line, or all by threads.

    Args:
        workers: threads; 0 for none.
        left: results until it ends; None if it does not.
        line: seconds that a result takes in line, if threads are being tried.
        chosen: the decision is made.
    """

    def __init__(
        self, workers: int = 0, left: int | None = LOOK, line: float = 0.0, *, chosen: bool = False
    ) -> None:
        self.workers, self.left, self.line, self.chosen = workers, left, line, chosen
        self.making: list[float] = []
        self.using: list[float] = []

    def note(self, making: float, using: float) -> None:
        """Note the seconds that a result took to be made, and to be used."""
        if self.left is not None:
            self.left -= 1
            self.making.append(making)
            self.using.append(using)

    def takes(self) -> float:
        """Seconds from one result to the next.

        In line it is the median, as other programs may slow down some. Of threads it is the mean, as they may wait for
        each other now and then: those that work side by side finish together, so it is taken over rounds of one
        result for each thread, and the slowest round is left out.
        """
        each = [sum(both) for both in zip(self.making, self.using, strict=True)]
        n = self.workers
        if not n:
            return statistics.median(each)
        rounds = sorted(sum(each[i : i + n]) / n for i in range(0, len(each) - n + 1, n))
        return statistics.mean(rounds[:-1]) if len(rounds) > 1 else math.inf


class Threads:
    """Decides whether `prefetch` makes results in line or by threads, whichever takes less time.

    `LOOK` results are made in line, and timed. If threads may pay off by that, each makes as many, and they are kept
    if results then come sooner: threads that write to memory may slow each other down. The results are the same in
    any case. The decision holds for later iterations.

    Args:
        most: threads.
    """

    def __init__(self, most: int) -> None:
        self._most, self._trial, self._again = most, Phase(), AGAIN

    @property
    def workers(self) -> int:
        """Threads that are in use; 0 for none."""
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
            return self._chosen(trial.workers if trial.takes() < share * trial.line else 0)
        making, using = statistics.median(trial.making), statistics.median(trial.using)
        workers = worthwhile(making, using, self._most)
        if workers:
            return Phase(workers, LOOK * workers, trial.takes())
        return self._chosen(0)

    def _chosen(self, workers: int) -> Phase:
        left, self._again = self._again, min(2 * self._again, SELDOM)
        return Phase(workers, left, chosen=True)


def worthwhile(making: float, using: float, most: int) -> int:
    """The number of threads that may pay off; 0 for none.

    As many threads as keep up with the use of results. A result then takes as long as the slower side, plus a
    hand-over: the saving has to be more than a fiftieth of the whole.

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
