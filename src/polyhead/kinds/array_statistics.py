"""Statistics of the numbers in an array, gathered batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from polyhead.kinds.missing import first_row, spread_over


class Stray(NamedTuple):
    """Boxes or points whose center is outside of their image.

    Attributes:
        first: the coordinates of the first, in pixels of the image.
        row: its place.
        size: height and width of its image.
        outside: how many there are.
        entries: how many boxes or points there are in all.
    """

    first: list[float]
    row: Any
    size: tuple[int, int]
    outside: int
    entries: int


@dataclass
class ArrayStatistics:
    """Statistics of the rows of one array, updated by ``add`` batch by batch.

    Only finite numbers that count enter the statistics. A place is the name that ``add`` got for a row.

    Attributes:
        most_distinct: the most distinct numbers to keep; 0 leaves ``distinct``, ``fraction`` and ``ones`` unchanged.
        labeled: the number of rows in which a number counts.
        low: the smallest number and its place; infinity and None without numbers.
        high: the largest number and its place; minus infinity and None without numbers.
        alike: whether every row that counts equals the first one.
        complete: whether these were all rows of the data.
        numbers: how many numbers count.
        total: the sum of the numbers.
        squares: the sum of their squares.
        nan: the place of the first NaN.
        infinite: the place of the first infinity.
        not_finite: the number of rows with NaN or infinity.
        fraction: the first number that is not whole, and its place.
        distinct: how often each whole number occurs; None if there are too many, or fractions.
        ones: whether each row, or each position of it, sums to 1 along the last axis.
        entries: how many boxes or points count.
        fillers: how many of these look like fillers of unused places.
        filler: the first filler, and its place.
        stray: boxes or points outside of their image, as they are before it is resized.

    >>> statistics = ArrayStatistics()
    >>> statistics.add(np.array([[0.5], [2.0]]), lambda row: (7, 3)[row])
    >>> statistics.low, statistics.high, statistics.mean, statistics.alike
    ((0.5, 7), (2.0, 3), 1.25, False)
    """

    most_distinct: int = 0
    shape: tuple[int, ...] = ()
    dtype: str = ""
    rows: int = 0
    labeled: int = 0
    low: tuple[float, Any] = (math.inf, None)
    high: tuple[float, Any] = (-math.inf, None)
    alike: bool = True
    complete: bool = False
    numbers: int = 0
    total: float = 0.0
    squares: float = 0.0
    nan: Any = None
    infinite: Any = None
    not_finite: int = 0
    fraction: tuple[float, Any] | None = None
    distinct: dict[Any, int] | None = field(default_factory=dict)
    ones: bool = True
    entries: int = 0
    fillers: int = 0
    filler: tuple[list[float], Any] | None = None
    stray: Stray | None = None
    _first: np.ndarray | None = field(default=None, repr=False)

    @property
    def mean(self) -> float:
        """The mean of the numbers."""
        return self.total / self.numbers if self.numbers else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation of the numbers."""
        variance = self.squares / self.numbers - self.mean**2 if self.numbers else 0.0
        return math.sqrt(max(0.0, variance))

    @property
    def constant(self) -> bool:
        """True if all numbers are equal."""
        return self.low[0] == self.high[0]

    @property
    def whole(self) -> bool:
        """True if no number has a fraction."""
        return self.fraction is None

    @property
    def zero_one(self) -> bool:
        """True if all numbers are 0 or 1."""
        return self.distinct is not None and self.distinct.keys() <= {0, 1}

    @property
    def zero_255(self) -> bool:
        """True if all numbers are 0 or 255, as in masks in files, and some are 255."""
        return self.distinct is not None and 255 in self.distinct and self.distinct.keys() <= {0, 255}

    @property
    def one_hot(self) -> bool:
        """True if each row, or each position of it, is 0 except for a single 1."""
        return self.zero_one and self.ones and len(self.shape) > 0 and self.shape[-1] > 1

    def add(self, array: np.ndarray, place_of: Callable[[int], Any], valid: np.ndarray | None = None) -> None:
        """Add a batch of rows.

        Args:
            array: numbers ``(B, *shape)``.
            place_of: returns the place of row ``i`` of the batch.
            valid: which numbers to count, bool ``(B, *leading axes of shape)``; None for all.
        """
        if not self.dtype:
            self.shape, self.dtype = array.shape[1:], str(array.dtype)
        self.rows += len(array)
        if valid is None or valid.all():
            valid, rows = None, np.arange(len(array))
        else:
            rows = np.flatnonzero(valid.reshape(len(valid), -1).any(1))
        self.labeled += len(rows)
        if not rows.size or not array.size:
            return
        if array.dtype.kind not in "iufb":  # bfloat16
            array = array.astype(np.float32)
        flat = (array if valid is None else array[rows]).reshape(len(rows), -1)
        counting = None  # which numbers of these rows count
        if valid is not None and valid.ndim > 1:
            counting = spread_over(valid, array).reshape(len(array), -1)[rows]
            flat = np.where(counting, flat, flat.dtype.type(0))
        self._add_rows(
            flat, counting, lambda i: place_of(int(rows[i])), array.shape[-1] if array.ndim > 1 else 1
        )

    def _add_rows(
        self, flat: np.ndarray, valid: np.ndarray | None, place_of: Callable[[int], Any], last: int
    ) -> None:
        if self._first is None:
            self._first = flat[0].copy()
        if self.alike:
            self.alike = flat.shape[1] == self._first.size and bool((flat == self._first).all())
        with np.errstate(invalid="ignore", over="ignore"):
            total = float(flat.sum(dtype=np.float64))
        if not math.isfinite(total):
            finite = self._finite(flat, place_of)
            valid = finite if valid is None else valid & finite
            flat = np.where(finite, flat, 0)
            total = float(flat.sum(dtype=np.float64))
        self.numbers += flat.size if valid is None else int(valid.sum())
        self.total += total
        self.squares += float(np.einsum("ij,ij->", flat, flat, dtype=np.float64))
        if valid is None or valid.any():
            self._range(flat, valid, place_of)
            if self.most_distinct:
                self._values(flat, valid, place_of, last)

    def _finite(self, flat: np.ndarray, place_of: Callable[[int], Any]) -> np.ndarray:
        finite, nan = np.isfinite(flat), np.isnan(flat)
        for affected, name in ((nan.any(1), "nan"), ((~finite & ~nan).any(1), "infinite")):
            if affected.any() and getattr(self, name) is None:
                setattr(self, name, place_of(int(affected.argmax())))
        self.not_finite += int((~finite).any(1).sum())
        return finite

    def _range(self, flat: np.ndarray, valid: np.ndarray | None, place_of: Callable[[int], Any]) -> None:
        width = flat.shape[1]
        lows = flat if valid is None else np.where(valid, flat, np.inf)
        highs = flat if valid is None else np.where(valid, flat, -np.inf)
        lowest, highest = int(lows.argmin()), int(highs.argmax())
        if lows.flat[lowest] < self.low[0]:
            self.low = (float(lows.flat[lowest]), place_of(lowest // width))
        if highs.flat[highest] > self.high[0]:
            self.high = (float(highs.flat[highest]), place_of(highest // width))

    def _values(
        self, flat: np.ndarray, valid: np.ndarray | None, place_of: Callable[[int], Any], last: int
    ) -> None:
        """Record fractions, distinct values, and whether rows sum to 1."""
        if self.ones:
            sums = flat.reshape(-1, last).sum(1)
            sums = sums if valid is None else sums[valid.reshape(-1, last).all(1)]
            self.ones = bool(np.allclose(sums, 1, atol=1e-3))
        if flat.dtype.kind == "f" and self.fraction is None:
            fractions = flat != np.rint(flat)
            row = first_row(fractions)
            if row is not None:
                self.fraction = (float(flat[row][fractions[row]][0]), place_of(row))
                self.distinct = None
        if self.distinct is not None:
            for value, count in _distinct(flat if valid is None else flat[valid], self.most_distinct + 1):
                self.distinct[value] = self.distinct.get(value, 0) + count
            if len(self.distinct) > self.most_distinct:
                self.distinct = None


def _distinct(numbers: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Return the smallest ``most`` distinct whole numbers, each with its count."""
    if numbers.dtype in (np.bool_, np.uint8):  # ten times as fast as sorting them
        counts = np.bincount(numbers.reshape(-1))
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(numbers, return_counts=True)
    return [(int(v), n) for v, n in zip(values[:most].tolist(), counts[:most].tolist(), strict=True)]
