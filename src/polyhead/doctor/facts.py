"""What one array of a batch held, batch after batch: gathered once, judged elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Spot = tuple[int, int]
"""A batch and a row in it, both from 0."""

MOST_VALUES = 64
NONE = "None"


@dataclass(frozen=True)
class Odd:
    """A leaf that is no array, in words."""

    words: str


def is_none(leaf: Any) -> bool:
    """Return whether an array was given as None."""
    return isinstance(leaf, Odd) and leaf.words == NONE


@dataclass
class Facts:
    """One array of the batches: one input, the labels of one output, or its weights.

    Attributes:
        shapes: shapes of a row, each with the batch where it was met first.
        dtypes: dtypes, likewise.
        rows: how many in all.
        low: the least finite number, and where.
        high: the greatest.
        nan: where the first NaN is.
        infinite: where the first infinity is.
        bad: rows with either.
        whole: no number has a fraction.
        values: the distinct numbers, None where they are too many.
        ones: each row sums to 1, or each place of it along the last axis.
        odd: the first batch where it was no array of numbers, and what it was.
        none: the first batch where it was an input that is None.
        fraction: the first number that has one, and where.
    """

    shapes: dict[tuple[int, ...], int] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    low: tuple[float, Spot] | None = None
    high: tuple[float, Spot] | None = None
    nan: Spot | None = None
    infinite: Spot | None = None
    bad: int = 0
    whole: bool = True
    values: set[float] | None = field(default_factory=set)
    ones: bool = True
    odd: tuple[int, str] | None = None
    none: int | None = None
    fraction: tuple[float, Spot] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a row of the first batch."""
        return next(iter(self.shapes), ())

    @property
    def dtype(self) -> str:
        """Of the first batch."""
        return next(iter(self.dtypes), "float32")

    @property
    def usable(self) -> bool:
        """Whether there are numbers to judge."""
        return self.odd is None and self.low is not None

    @property
    def zero_one(self) -> bool:
        """Whether all numbers are 0 or 1."""
        return self.values is not None and self.values <= {0.0, 1.0}

    @property
    def constant(self) -> bool:
        """Whether there is one number only."""
        return self.low is not None and self.high is not None and self.low[0] == self.high[0]

    @property
    def one_hot(self) -> bool:
        """Whether each row, or each place of it, is 0 but for one 1."""
        return self.zero_one and self.ones and len(self.shape) > 0 and self.shape[-1] > 1

    def add(self, step: int, array: np.ndarray) -> None:
        """Count the array of batch ``step`` in."""
        if array.dtype.kind not in "iufb" and "bfloat16" not in str(array.dtype):
            self.odd = self.odd or (step, f"an array of {_dtype_words(array)}")
            return
        if array.ndim == 0:
            self.odd = self.odd or (step, f"a single number, {array.item()!r}")
            return
        self.shapes.setdefault(array.shape[1:], step)
        self.dtypes.setdefault(str(array.dtype), step)
        self.rows += len(array)
        if not array.size:
            return
        flat = array.reshape(len(array), -1)
        rows = np.arange(len(flat))
        if array.dtype.kind not in "iub":
            flat, rows = self._finite(step, flat, rows)
        if flat.size:
            self._range(step, flat, rows)
            self._kind(step, flat, rows, array.shape[-1] if array.ndim > 1 else 1)

    def _finite(self, step: int, flat: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = flat if flat.dtype.kind == "f" else flat.astype(np.float32)
        if np.isfinite(flat.sum(dtype=np.float64)):
            return flat, rows
        finite = np.isfinite(flat)
        nan = np.isnan(flat)
        for hit, name in ((nan.any(1), "nan"), ((~finite & ~nan).any(1), "infinite")):
            if hit.any() and getattr(self, name) is None:
                setattr(self, name, (step, int(hit.argmax())))
        self.bad += int((~finite).any(1).sum())
        kept = finite.all(1)
        return flat[kept], rows[kept]

    def _range(self, step: int, flat: np.ndarray, rows: np.ndarray) -> None:
        low, high = flat.min(1), flat.max(1)
        at, top = int(low.argmin()), int(high.argmax())
        if self.low is None or low[at] < self.low[0]:
            self.low = (float(low[at]), (step, int(rows[at])))
        if self.high is None or high[top] > self.high[0]:
            self.high = (float(high[top]), (step, int(rows[top])))

    def _kind(self, step: int, flat: np.ndarray, rows: np.ndarray, last: int) -> None:
        if self.ones and not np.allclose(flat.reshape(-1, last).sum(1), 1, atol=1e-3):
            self.ones = False
        if flat.dtype.kind == "f" and self.fraction is None:
            parted = flat != np.rint(flat)
            if parted.any():
                row = int(parted.any(1).argmax())
                self.fraction = (float(flat[row][parted[row]][0]), (step, int(rows[row])))
                self.whole = False
        if self.values is not None:
            if not self.whole:
                self.values = None
            elif flat.dtype.kind == "b":
                self.values |= {float(v) for v in (flat.min(), flat.max())}
            else:
                self.values |= set(np.unique(flat)[: MOST_VALUES + 1].astype(float).tolist())
                self.values = self.values if len(self.values) <= MOST_VALUES else None


def _dtype_words(array: np.ndarray) -> str:
    if array.dtype.kind in "USO" and array.size:
        first = array.reshape(-1)[0]
        return f"{'text' if isinstance(first, str) else 'objects'} ({str(first)[:30]!r}, ...)"
    return str(array.dtype)
