"""Columns that are not plain values: on a disk, item by item, masked, or in pieces."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.columns.values import LIMIT_BYTES, Coded, Values, from_list, join, scatter, size, take, unmasked
from polyhead.errors import DataError, Problem, place

GAP_BYTES = 8192
"""A slice is read in place of row numbers up to so many bytes for each row that is asked for."""


class Stored(ABC):
    """A column whose rows are read, or converted, when they are asked for; from several threads at once."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of rows."""

    @abstractmethod
    def take(self, ids: np.ndarray) -> Values:
        """The entries at ``ids``, in that order."""

    def whole(self) -> Values | None:
        """All entries if they are in memory and no larger than labels are, else None."""
        return None


class OnDisk(Stored):
    """An h5py dataset, a zarr array, a memory map or the like, which takes an array of row numbers.

    It is read in sorted order, each row once, and given back in the order asked.
    """

    def __init__(self, name: str, values: Any) -> None:
        self._name, self._length = name, rows_in(name, values)
        self._origin = values
        # the plain array under a memory map, so that batches are plain arrays too
        self._values = np.asarray(values) if isinstance(values, np.ndarray) else _decoded(values)
        self._slices = hasattr(values, "shape")
        self._row_bytes = _file_row_bytes(values)
        chunks = getattr(values, "chunks", None)
        self.chunk_rows = int(chunks[0]) if isinstance(chunks, tuple) and chunks else 0

    def __len__(self) -> int:
        return self._length

    @property
    def mapped(self) -> np.ndarray | None:
        """The array under a memory map."""
        return self._values if isinstance(self._values, np.ndarray) else None

    def take(self, ids: np.ndarray) -> Values:
        rows, back = np.unique(ids, return_inverse=True)
        found = self._read(rows)
        in_order = len(rows) == len(ids) and np.array_equal(rows, ids)
        return found if in_order else take(found, back)

    def _read(self, rows: np.ndarray) -> Values:
        first, last = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
        # a slice is far quicker than row numbers are, even where much of it is thrown away
        span = last - first
        near = span <= 2 * len(rows) or span * self._row_bytes <= GAP_BYTES * len(rows)
        dense = self._slices and near
        try:
            found = self._values[first:last] if dense else self._index(rows)
            values = found if isinstance(found, Coded) else self._as_values(found)
        except Exception as error:  # whatever a file, or a user's object, may say
            raise self._unreadable(error, first) from error
        asked = last - first if dense else len(rows)
        if len(values) != asked:
            where = place(column=self._name, row=first)
            raise DataError(Problem(where, f"{asked} entries for {asked} rows", str(len(values))))
        return values if asked == len(rows) else take(values, rows - first)

    def _index(self, rows: np.ndarray) -> Any:
        selection = getattr(self._values, "oindex", None)  # zarr's orthogonal indexing takes row numbers
        return self._values[rows] if selection is None else selection[rows]

    def _as_values(self, found: Any) -> Values:
        if isinstance(found, (list, tuple)):
            return from_list(list(found))
        if isinstance(found, np.ma.MaskedArray):
            return unmasked(found)
        if hasattr(found, "toarray"):  # SciPy's sparse matrices, which become dense batch by batch
            found = found.toarray()
        # a slice of a memory map is a window on the file: a batch must be the reader's own
        array = np.array(found) if isinstance(self._values, np.ndarray) else np.asarray(found)
        if not array.ndim:
            raise TypeError(f"no rows, but one {type(found).__name__}")
        return array

    def _unreadable(self, error: Exception, row: int) -> DataError:
        where = place(column=self._name, row=row)
        if _closed(self._origin):
            fix = "Keep it open for as long as its rows are read."
            return DataError(Problem(where, "an open file", "a closed HDF5 file", fix))
        return DataError(Problem(where, "readable rows", quoted_error(error)))


def quoted_error(error: Exception) -> str:
    """An error of another library as ours quote it."""
    return f"{type(error).__name__}: {error}".rstrip(".")


class Items(Stored):
    """An object that gives one entry at a time, such as a dataset class of one's own."""

    def __init__(self, name: str, values: Any) -> None:
        self._name, self._values, self._length = name, values, rows_in(name, values)

    def __len__(self) -> int:
        return self._length

    def take(self, ids: np.ndarray) -> Values:
        found = []
        for i in ids.tolist():
            try:
                found.append(self._values[i])
            except Exception as error:  # whatever a user's object may say
                where = place(column=self._name, row=i)
                raise DataError(Problem(where, "a readable row", quoted_error(error))) from error
        return from_list(found)


class Masked(Stored):
    """A masked array too large to be copied; what is masked becomes NaN or None, batch by batch."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def take(self, ids: np.ndarray) -> Values:
        found = unmasked(self._values[ids])
        if isinstance(found, np.ndarray) and found.dtype.kind in "biu":
            return found.astype(np.float64)  # as it is in a batch where something is missing
        return found


class Pieces(Stored):
    """A column in pieces end to end, which are not copied into one."""

    def __init__(self, parts: Sequence[Values | Stored]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def take(self, ids: np.ndarray) -> Values:
        return gather(self._ends, ids, lambda part, rows: entries(self._parts[part], rows))

    def whole(self) -> Values | None:
        parts = [whole(part) for part in self._parts]
        found = [part for part in parts if part is not None]
        return join(found) if len(found) == len(parts) and sum(map(size, found)) <= LIMIT_BYTES else None


def gather(ends: np.ndarray, ids: np.ndarray, read: Any) -> Any:
    """Rows of several pieces that stand end to end: ``read(piece, rows)`` for each piece that is asked."""
    which = np.searchsorted(ends, ids, side="right")
    parts = []
    for part in np.unique(which).tolist():
        at = np.flatnonzero(which == part)
        parts.append((at, read(part, ids[at] - (ends[part - 1] if part else 0))))
    if not parts:
        return read(0, ids)
    return scatter(parts, len(ids))


def entries(column: Values | Stored, ids: np.ndarray) -> Values:
    """The entries at ``ids`` of whatever a column is."""
    return column.take(ids) if isinstance(column, Stored) else take(column, ids)


def whole(column: Values | Stored) -> Values | None:
    """All of a column if it is in memory, else None."""
    return column.whole() if isinstance(column, Stored) else column


def rows_in(name: str, values: Any) -> int:
    """The length of a column, as its shape or itself says.

    Raises:
        DataError: for what has none.
    """
    try:
        shape = getattr(values, "shape", None)  # zarr's arrays have a shape, and since zarr 3 no len()
        return len(values) if shape is None else int(shape[0])
    except Exception as error:  # a closed file, a scalar dataset, a sparse matrix: each has its own
        if _closed(values):
            fix = "Keep it open for as long as its rows are read."
            raise DataError(Problem(place(column=name), "an open file", "a closed HDF5 file", fix)) from None
        found = f"a scalar of type {type(values).__name__}" if shape_of(values) == () else repr(error)
        raise DataError(Problem(place(column=name), "one entry a row", found)) from error


def shape_of(values: Any) -> tuple[int, ...] | None:
    """The shape of a column if it says one."""
    try:
        return tuple(values.shape)
    except Exception:  # no shape, or none that can be had
        return None


def _file_row_bytes(values: Any) -> float:
    """The bytes of a row that a file holds; infinite where a slice would be no gain, as in memory maps."""
    shape, dtype = shape_of(values), getattr(values, "dtype", None)
    if isinstance(values, np.ndarray) or not shape or not isinstance(dtype, np.dtype) or dtype.kind == "O":
        return math.inf
    return math.prod(shape[1:]) * dtype.itemsize


def _closed(values: Any) -> bool:
    return type(values).__module__.startswith("h5py") and not values


def _decoded(values: Any) -> Any:
    """An HDF5 dataset of strings as one that gives strings; else the values as they are."""
    if type(values).__module__.startswith("h5py") and hasattr(values, "asstr"):
        import h5py

        text = h5py.check_string_dtype(values.dtype)
        # ASCII of variable length is how h5py stores bytes, which may be encoded images
        if text is not None and (text.encoding == "utf-8" or text.length is not None):
            return values.asstr()
    return values
