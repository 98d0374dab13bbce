"""What some rows of a head were seen to hold."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Seen:
    """The labels of one head over some rows, in a few numbers.

    Attributes:
        rows: rows that were looked at.
        labelled: rows with a label, in part at least, that counts.
        low: the smallest number among the labels that count, and its row.
        high: the largest, and its row.
        constant: every row with a label has the same one.
        complete: whether these were all rows.
        first: a row with a label, to compare others with.
        numbers: numbers in the labels that count.
        total: their sum.
        squares: the sum of their squares.

    >>> one = see(np.array([[0.5], [2.0]]), np.array([True, True]), np.array([7, 3]))
    >>> one.low, one.high, one.constant
    ((0.5, 7), (2.0, 3), False)
    """

    rows: int = 0
    labelled: int = 0
    low: tuple[float, int] = (np.inf, -1)
    high: tuple[float, int] = (-np.inf, -1)
    constant: bool = True
    complete: bool = False
    first: np.ndarray | None = None
    numbers: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        """The mean of the labels that count."""
        return self.total / self.numbers if self.numbers else 0.0

    @property
    def deviation(self) -> float:
        """Their standard deviation."""
        variance = self.squares / self.numbers - self.mean**2 if self.numbers else 0.0
        return math.sqrt(max(0.0, variance))

    def and_then(self, other: Seen) -> Seen:
        """Of these rows and those."""
        if self.first is None or other.first is None:
            return replace(other if self.first is None else self, rows=self.rows + other.rows)
        return Seen(
            self.rows + other.rows,
            self.labelled + other.labelled,
            min(self.low, other.low),
            max(self.high, other.high),
            self.constant and other.constant and bool(np.array_equal(self.first, other.first)),
            False,
            self.first,
            self.numbers + other.numbers,
            self.total + other.total,
            self.squares + other.squares,
        )


def see(labels: np.ndarray, counts: np.ndarray, ids: np.ndarray) -> Seen:
    """What labels ``(B, *shape)`` hold.

    Args:
        labels: encoded.
        counts: which of them count, bool ``(B, *weight_shape)``.
        ids: their rows.
    """
    whole = bool(counts.all())
    there = np.arange(len(labels)) if whole else np.flatnonzero(counts.reshape(len(counts), -1).any(1))
    if not there.size:
        return Seen(rows=len(ids))
    kept = labels if whole else labels[there]
    flat = kept.reshape(len(kept), -1)
    low, high, here = flat, flat, None
    if not whole and counts.ndim > 1:  # in part: what is missing is a filler
        spread = counts.reshape(*counts.shape, *([1] * (labels.ndim - counts.ndim)))
        here = np.broadcast_to(spread, labels.shape)[there].reshape(flat.shape)
        here = None if here.all() else here
        if here is not None:
            low, high = np.where(here, flat, np.inf), np.where(here, flat, -np.inf)
    at_low, at_high = int(low.argmin()), int(high.argmax())
    width = flat.shape[1]
    return Seen(
        len(ids),
        len(there),
        (float(low.flat[at_low]), int(ids[there[at_low // width]])),
        (float(high.flat[at_high]), int(ids[there[at_high // width]])),
        bool((flat == flat[0]).all()),
        False,
        kept[0],
        flat.size if here is None else int(here.sum()),
        float(flat.sum(dtype=np.float64)),  # what is missing is a filler of 0
        float(np.square(flat, dtype=np.float64).sum()),
    )
