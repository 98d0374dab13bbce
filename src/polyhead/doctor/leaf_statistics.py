"""Statistics of one array of the batches, and a description of leaves that are no arrays of numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polyhead.errors import counted
from polyhead.hashing import mixed
from polyhead.kinds.array_statistics import ArrayStatistics
from polyhead.kinds.value_advice import times_fix

Spot = tuple[int, int]
"""A batch and a row in it, both counted from 0."""

_MOST_COLUMNS = 4096


@dataclass(frozen=True)
class Odd:
    """A description of a leaf that is no array of numbers.

    Attributes:
        words: what it is.
        fix: what to do, if that does not depend on the part of the batch.
        is_list: whether it is a list, possibly nested, of numbers.
        shape: the shape of such a list; None if its lists have unequal lengths.
        is_missing: whether it is None, or an array of numbers and None.
    """

    words: str
    fix: str = ""
    is_list: bool = False
    shape: tuple[int, ...] | None = None
    is_missing: bool = False


NONE = Odd("None", is_missing=True)
MASKED = Odd("a masked array, of which Keras also trains on what is masked", "Give array.filled(0).")
_SINGLE = "a single number"
_WORDS_FIX = "Turn words into ids first, and mixed lists into one array of numbers."


def single_number(value: Any) -> Odd:
    """Describe a number in place of an array."""
    fix = "An array of a batch has one entry for each row: collect rows and yield np.stack(rows)."
    return Odd(f"{_SINGLE}, {value!r}", fix)


def odd_list(values: Any) -> Odd:
    """Describe a list of numbers or words, or of such lists.

    >>> odd_list([0, 1]).words, odd_list([[0, 1], [1, 0], [1, 1]]).words, odd_list([[1, 2], [3]]).words
    ('a list of 2 numbers', 'a list of 3 lists of 2 numbers', 'a list of 2 lists of unequal length')
    """
    start = f"a {type(values).__name__} of {len(values)}"
    try:
        array = np.asarray(values)
    except ValueError:
        fix = (
            "Pad the rows to one length: Keras takes arrays only. A ph.Feed takes lists of labels and boxes."
        )
        return Odd(f"{start} lists of unequal length", fix, is_list=True)
    if array.dtype.kind not in "iufb":
        return Odd(f"{start} {'texts' if array.ndim == 1 else 'lists of texts'}", _WORDS_FIX)
    entries = "numbers"
    if array.ndim > 1:
        inner = counted(array.shape[1], "number") if array.ndim == 2 else f"shape {array.shape[1:]}"
        entries = f"lists of {inner}"
    return Odd(f"{start} {entries}", is_list=True, shape=array.shape)


def _odd_array(array: np.ndarray) -> Odd:
    """Describe an array that does not hold numbers."""
    kind, fix = str(array.dtype), times_fix(array)
    if array.dtype.kind in "USO" and array.size:
        first = array.reshape(-1)[0]
        kind, fix = "text" if isinstance(first, str) else "objects", _WORDS_FIX
        sample = array.reshape(-1)[:1000].tolist()
        known = [value for value in sample if value is not None]
        if known and _are_numbers(known):
            if len(known) < len(sample):
                fix = "Fill in for None, or leave these rows out."
                return Odd("an array of numbers and None", fix, is_missing=True)
            kind = f"numbers as {'objects' if array.dtype.kind == 'O' else 'text'}"
            fix = 'Say values.astype("float32").'
        kind = f"{kind} ({str(first)[:30]!r}, ...)"
    return Odd(f"an array of {kind}", fix)


def _are_numbers(values: list[Any]) -> bool:
    """Return whether text or objects can be converted to numbers."""
    try:
        np.array(values, object).astype(np.float64)
    except (TypeError, ValueError):
        return False
    return True


@dataclass
class LeafStatistics(ArrayStatistics):
    """The statistics of one leaf of the batches: an input, the labels of an output, or its weights. Places are spots.

    Attributes:
        shapes: the shapes of a row, each with the first batch that has it.
        dtypes: the dtypes, each with the first batch that has it.
        odd: the first batch in which the leaf was no array of numbers, and what it was.
        none: the first batch in which it was an input that is None.
        columns: a hash of each column, uint64 ``(columns,)``; None if there are many, or if their number varies.
    """

    most_distinct: int = 64
    shapes: dict[tuple[int, ...], int] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)
    odd: tuple[int, Odd] | None = None
    none: int | None = None
    columns: np.ndarray | None = None

    @property
    def usable(self) -> bool:
        """Whether there are numbers to check."""
        return self.odd is None and self.numbers > 0

    @property
    def single(self) -> bool:
        """True for a single number in place of an array."""
        return self.odd is not None and self.odd[1].words.startswith(_SINGLE)

    @property
    def list_shape(self) -> tuple[int, ...] | None:
        """The shape of the list of numbers that it was in place of an array; None if it was none."""
        return None if self.odd is None else self.odd[1].shape

    def add_batch(self, step: int, array: np.ndarray) -> None:
        """Add the array of batch ``step``."""
        if array.dtype.kind not in "iufb" and "bfloat16" not in str(array.dtype):
            self.odd = self.odd or (step, _odd_array(array))
        elif array.ndim == 0:
            self.odd = self.odd or (step, single_number(array.item()))
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
        values = np.flatnonzero((row != 0) & (row != -100))
        row = row[: values[-1] + 1 if len(values) else 0]
    return np.ascontiguousarray(row).tobytes().rstrip(b"\0")
