"""As many threads as pay, found out while results are used."""

from __future__ import annotations

import math
import statistics

LOOK = 8
"""Results that are made in line, to see what threads could save; and then by each thread, to see whether they do."""

AGAIN = 1024
"""Results after which this is found out anew: who uses them may have changed."""

KEPT = 0.95
"""The share of the time in line below which threads have to be: they take a core that others could use."""

HANDOVER = 200e-6
"""Seconds that a hand-over between threads may take on a busy machine, with all around it."""


class Phase:
    """Results that are made in one way, after which another may follow.

    Args:
        workers: threads; 0 for none.
        left: results until it ends; None where it does not.
        line: seconds that a result takes in line, where threads are on trial.
        chosen: nothing more is to be found out.
    """

    def __init__(
        self, workers: int = 0, left: int | None = LOOK, line: float = 0.0, *, chosen: bool = False
    ) -> None:
        self.workers, self.left, self.line, self.chosen = workers, left, line, chosen
        self.making: list[float] = []
        self.using: list[float] = []

    def note(self, making: float, using: float) -> None:
        """A result took so many seconds to come, and was used for so many."""
        if self.left is not None:
            self.left -= 1
            self.making.append(making)
            self.using.append(using)

    def takes(self) -> float:
        """Seconds that a result takes, all in all.

        The largest is left out, in which a program may have done something else. Threads that work side by side are
        done at once, so there it is the largest of as many results as there are threads.
        """
        n = max(1, self.workers)
        each = [sum(both) for both in zip(self.making, self.using, strict=True)]
        rounds = sorted(sum(each[i : i + n]) / n for i in range(0, len(each) - n + 1, n))
        return statistics.mean(rounds[:-1]) if len(rounds) > 1 else math.inf


class Threads:
    """Decides whether `prefetch` makes results in line or by threads, whichever takes less time.

    `LOOK` results are made in line, and timed. Where threads may pay by that, they make as many each, and are kept if
    results then come sooner: threads that write to one memory may hinder each other. The results are the same,
    whatever is chosen. What was found out serves later iterations.

    Args:
        most: threads.
    """

    def __init__(self, most: int) -> None:
        self._most, self._trial = most, Phase()

    @property
    def workers(self) -> int:
        """Threads that are in use; 0 for none."""
        return self._trial.workers

    def trial(self) -> Phase:
        """How the next results are made."""
        trial = self._trial
        if trial.left is not None and trial.left < 1:
            self._trial = self._next(trial)
        return self._trial

    def _next(self, trial: Phase) -> Phase:
        if trial.chosen:
            return Phase()
        if trial.workers:  # on trial
            return Phase(trial.workers if trial.takes() < KEPT * trial.line else 0, AGAIN, chosen=True)
        making, using = statistics.median(trial.making), statistics.median(trial.using)
        workers = worthwhile(making, using, self._most)
        if workers:
            return Phase(workers, LOOK * workers, trial.takes())
        return Phase(0, AGAIN, chosen=True)


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
