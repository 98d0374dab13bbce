"""Statistics of one array of the batches, and a description of leaves that are no arrays of numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polyhead.hashing import mixed
from polyhead.kinds.array_statistics import ArrayStatistics

Spot = tuple[int, int]
"""A batch and a row in it, both counted from 0."""

NONE = "None"
SINGLE = "a single number"
NUMBERS_AS = "numbers as"
MASKED = "a masked array, of which Keras also trains on what is masked"
_MOST_COLUMNS = 4096


@dataclass(frozen=True)
class Odd:
    """A description of a leaf that is no array of numbers.

    Attributes:
        shape: the shape of a list, possibly nested, of numbers; None for other leaves, and for lists of unequal length.
    """

    words: str
    shape: tuple[int, ...] | None = None


def is_none(leaf: Any) -> bool:
    """Return whether a leaf was None."""
    return isinstance(leaf, Odd) and leaf.words == NONE


@dataclass
class LeafStatistics(ArrayStatistics):
    """The statistics of one leaf of the batches: an input, the labels of an output, or its weights. Places are spots.

    Attributes:
        shapes: the shapes of a row, each with the first batch that has it.
        dtypes: the dtypes, each with the first batch that has it.
        odd: the first batch in which the leaf was no array of numbers, and what it was.
        listed: the shape of the list that it was there; None if it was no list.
        none: the first batch in which it was an input that is None.
        columns: a hash of each column, uint64 ``(columns,)``; None if there are many, or if their number varies.
    """

    most_distinct: int = 64
    shapes: dict[tuple[int, ...], int] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)
    odd: tuple[int, str] | None = None
    listed: tuple[int, ...] | None = None
    none: int | None = None
    columns: np.ndarray | None = None

    @property
    def usable(self) -> bool:
        """Whether there are numbers to check."""
        return self.odd is None and self.numbers > 0

    def add_batch(self, step: int, array: np.ndarray) -> None:
        """Add the array of batch ``step``."""
        if array.dtype.kind not in "iufb" and "bfloat16" not in str(array.dtype):
            self.odd = self.odd or (step, f"an array of {_dtype_words(array)}")
        elif array.ndim == 0:
            self.odd = self.odd or (step, f"{SINGLE}, {array.item()!r}")
        else:
            self.shapes.setdefault(array.shape[1:], step)
            self.dtypes.setdefault(str(array.dtype), step)
            if array[:1].size in range(1, _MOST_COLUMNS + 1) and (self.columns is not None or not self.rows):
                self._hash_columns(array.reshape(len(array), -1))
            self.add(array, lambda row: (step, row))

    def _hash_columns(self, rows: np.ndarray) -> None:
        """Add rows ``(B, columns)`` to the hashes, which do not depend on the dtype."""
        with np.errstate(over="ignore"):
            bits = (rows.astype(np.float32) + 0).view(np.uint32).astype(np.uint64)  # no -0
        hashes = mixed(np.arange(self.rows + 1, self.rows + 1 + len(rows), dtype=np.uint64)) @ bits
        before = np.zeros_like(hashes) if self.columns is None else self.columns
        self.columns = before + hashes if before.shape == hashes.shape else None


def unpadded_bytes(row: np.ndarray) -> bytes:
    """Return the bytes of a row without the padding at its end, of which another batch may have more or less."""
    if row.ndim == 1 and row.dtype.kind == "i":
        kept = np.flatnonzero((row != 0) & (row != -100))
        row = row[: kept[-1] + 1 if len(kept) else 0]
    return np.ascontiguousarray(row).tobytes().rstrip(b"\0")


def _are_numbers(array: np.ndarray) -> bool:
    """Return whether text or objects can be converted to numbers, by the first ones of a large array."""
    sample = array.reshape(-1)[:1000]
    try:
        sample.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return all(value is not None for value in sample)


def _dtype_words(array: np.ndarray) -> str:
    if array.dtype.kind in "USO" and array.size:
        first = array.reshape(-1)[0]
        kind = "objects" if array.dtype.kind == "O" else "text"
        if _are_numbers(array):
            return f"{NUMBERS_AS} {kind} ({str(first)[:30]!r}, ...)"
        return f"{'text' if isinstance(first, str) else 'objects'} ({str(first)[:30]!r}, ...)"
    return str(array.dtype)
