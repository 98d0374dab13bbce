"""Columns that are read when needed: on disk, from objects without batch indexing, masked, or in chunks."""

from __future__ import annotations

import math
import os
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np

from polyhead.columns.values import (
    LIMIT_BYTES,
    Coded,
    Values,
    from_list,
    join,
    scatter,
    size,
    take,
    unmasked,
    widened,
)
from polyhead.errors import DataError, Problem, place
from polyhead.foreign_errors import quoted_error

GAP_BYTES = 8192
"""A slice is read instead of single rows if that costs at most this many bytes per requested row."""


KEEP_OPEN = "Keep it open while its rows are read."


class Stored(ABC):
    """A column whose rows are read or converted on request, possibly from several threads at once."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, ids: np.ndarray) -> Values:
        """Return the entries at ``ids``, in that order."""

    def whole(self) -> Values | None:
        """Return all entries if they are in memory and take at most `LIMIT_BYTES`, else None."""
        return None


class OnDisk(Stored):
    """An h5py dataset, zarr array, memory map or similar, indexed by an array of row numbers.

    Rows are read in ascending order, each once, and returned in the order requested.
    """

    def __init__(self, name: str, values: Any) -> None:
        self._name, self._length = name, rows_in(name, values)
        self._origin = values
        # the plain array of a memory map, so that batches are plain arrays too
        self._values = np.asarray(values) if isinstance(values, np.ndarray) else _decoded(values)
        self._slices = hasattr(values, "shape")
        self._row_bytes = _file_row_bytes(values)
        chunks = getattr(values, "chunks", None)
        self.chunk_rows = int(chunks[0]) if isinstance(chunks, tuple) and chunks else 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a memory map or HDF5 dataset as its location; unpickling opens it again."""
        values = self._origin
        if isinstance(values, np.memmap) and values.filename is not None and values.flags.c_contiguous:
            path = os.path.abspath(values.filename)
            return _memory_map, (self._name, path, values.dtype, "r", _offset(values), values.shape)
        if type(values).__module__.startswith("h5py") and hasattr(values, "file"):
            return _hdf5_dataset, (self._name, os.path.abspath(values.file.filename), values.name)
        return OnDisk, (self._name, values)

    def __len__(self) -> int:
        return self._length

    @property
    def mapped(self) -> np.ndarray | None:
        """The array under a memory map."""
        return self._values if isinstance(self._values, np.ndarray) else None

    def take(self, ids: np.ndarray) -> Values:
        rows, back = np.unique(ids, return_inverse=True)
        values = self._read(rows)
        in_order = len(rows) == len(ids) and np.array_equal(rows, ids)
        return values if in_order else take(values, back)

    def _read(self, rows: np.ndarray) -> Values:
        first, last = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
        # a slice is much faster than row numbers, even if most of it is dropped
        span = last - first
        near = span <= 2 * len(rows) or span * self._row_bytes <= GAP_BYTES * len(rows)
        dense = self._slices and near
        try:
            raw = self._values[first:last] if dense else self._index(rows)
            values = raw if isinstance(raw, Coded) else self._as_values(raw)
        except Exception as error:  # a file or a user's object may raise anything
            raise self._unreadable(error, first) from error
        expected = last - first if dense else len(rows)
        if len(values) != expected:
            where = place(column=self._name, row=first)
            raise DataError(Problem(where, f"{expected} entries for {expected} rows", str(len(values))))
        return values if expected == len(rows) else take(values, rows - first)

    def _index(self, rows: np.ndarray) -> Any:
        selection = getattr(self._values, "oindex", None)  # zarr's orthogonal indexing takes row numbers
        return self._values[rows] if selection is None else selection[rows]

    def _as_values(self, raw: Any) -> Values:
        if isinstance(raw, (list, tuple)):
            return _from_items(list(raw), place(column=self._name))
        if isinstance(raw, np.ma.MaskedArray):
            return unmasked(raw)
        if hasattr(raw, "toarray"):  # a sparse matrix of SciPy
            raw = raw.toarray()
        # a slice of a memory map is a view of the file, but a batch must be writable
        array = np.array(raw) if isinstance(self._values, np.ndarray) else np.asarray(raw)
        if not array.ndim:
            raise TypeError(f"a single {type(raw).__name__} instead of rows")
        return widened(array)

    def _unreadable(self, error: Exception, row: int) -> DataError:
        where = place(column=self._name, row=row)
        if is_closed(self._origin):
            return DataError(Problem(where, "an open file", "a closed HDF5 file", KEEP_OPEN))
        return DataError(Problem(where, "readable rows", quoted_error(error)))


class Items(Stored):
    """An object that returns one entry at a time, such as a user's dataset class."""

    def __init__(self, name: str, values: Any) -> None:
        self._name, self._values, self._length = name, values, rows_in(name, values)

    def __len__(self) -> int:
        return self._length

    def take(self, ids: np.ndarray) -> Values:
        rows = []
        for i in ids.tolist():
            try:
                rows.append(self._values[i])
            except Exception as error:  # a user's object may raise anything
                where = place(column=self._name, row=i)
                raise DataError(Problem(where, "a readable row", quoted_error(error))) from error
        return _from_items(rows, place(column=self._name))


def _from_items(rows: list[Any], where: str) -> Values:
    """Convert rows of a user's object; integers stay a list, as an array of them would say that none is missing."""
    values = from_list(rows, where)
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iub":
        return values.tolist()
    return values


class Masked(Stored):
    """A masked array too large to copy; masked entries become NaN or None batch by batch."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def take(self, ids: np.ndarray) -> Values:
        values = unmasked(self._values[ids])
        if isinstance(values, np.ndarray) and values.dtype.kind in "biu":
            return values.astype(np.float64)  # the dtype of batches in which an entry is masked
        return values


class Pieces(Stored):
    """A column of several pieces end to end, read without joining them."""

    def __init__(self, parts: Sequence[Values | Stored]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        self._whole: Values | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def take(self, ids: np.ndarray) -> Values:
        return gather(self._ends, ids, lambda part, rows: entries(self._parts[part], rows))

    def whole(self) -> Values | None:
        if self._whole is None:
            parts = [part for part in map(whole, self._parts) if part is not None]
            if len(parts) == len(self._parts) and sum(map(size, parts)) <= LIMIT_BYTES:
                self._whole = join(parts)
        return self._whole


class Late(Stored):
    """A column that is loaded when it is first used, once."""

    def __init__(self, rows: int, load: Callable[[], Values | Stored]) -> None:
        self._rows, self._load, self._lock = rows, load, Lock()
        self._loaded: Values | Stored | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self._column(),)

    def __len__(self) -> int:
        return self._rows

    def take(self, ids: np.ndarray) -> Values:
        return entries(self._column(), ids)

    def whole(self) -> Values | None:
        return whole(self._column())

    def _column(self) -> Values | Stored:
        if self._loaded is None:
            with self._lock:
                if self._loaded is None:
                    self._loaded = self._load()
                    del self._load  # releases the file or table that it reads
        return self._loaded


def _same(values: Values | Stored) -> Values | Stored:
    return values


def gather(ends: np.ndarray, ids: np.ndarray, read: Callable[[int, np.ndarray], Values]) -> Values:
    """Return rows of several pieces end to end, calling ``read(piece, rows)`` for each piece that is needed."""
    which = np.searchsorted(ends, ids, side="right")
    parts = []
    for part in np.unique(which).tolist():
        at = np.flatnonzero(which == part)
        parts.append((at, read(part, ids[at] - (ends[part - 1] if part else 0))))
    if not parts:
        return read(0, ids)
    return scatter(parts, len(ids))


def entries(column: Values | Stored, ids: np.ndarray) -> Values:
    """Return the entries at ``ids`` of any column."""
    return column.take(ids) if isinstance(column, Stored) else take(column, ids)


def whole(column: Values | Stored) -> Values | None:
    """Return all of a column if it is in memory, else None."""
    return column.whole() if isinstance(column, Stored) else column


def rows_in(name: str, values: Any) -> int:
    """Return the length of a column; raise a `DataError` if it has none."""
    try:
        shape = getattr(values, "shape", None)  # zarr's arrays have a shape, and since zarr 3 no len()
        return len(values) if shape is None else int(shape[0])
    except Exception as error:  # closed files, scalar datasets and sparse matrices each raise another error
        if is_closed(values):
            where = place(column=name)
            raise DataError(Problem(where, "an open file", "a closed HDF5 file", KEEP_OPEN)) from None
        found = f"a scalar of type {type(values).__name__}" if shape_of(values) == () else repr(error)
        raise DataError(Problem(place(column=name), "one entry per row", found)) from error


def shape_of(values: Any) -> tuple[int, ...] | None:
    """Return the shape of a column, or None if it has none."""
    try:
        return tuple(values.shape)
    except Exception:  # no shape, or a closed file
        return None


def _file_row_bytes(values: Any) -> float:
    """Return the bytes of a row in a file; infinite where slices are no faster than rows, as in memory maps."""
    shape, dtype = shape_of(values), getattr(values, "dtype", None)
    if isinstance(values, np.ndarray) or not shape or not isinstance(dtype, np.dtype) or dtype.kind == "O":
        return math.inf
    return math.prod(shape[1:]) * dtype.itemsize


def is_closed(values: Any) -> bool:
    """Return whether these are a file, group or dataset of h5py whose file is closed."""
    return type(values).__module__.startswith("h5py") and not values


def _decoded(values: Any) -> Any:
    """Make an HDF5 dataset of text return strings; leave anything else as it is."""
    if type(values).__module__.startswith("h5py") and hasattr(values, "asstr"):
        import h5py

        text = h5py.check_string_dtype(values.dtype)
        # h5py stores bytes, such as encoded images, as ASCII of variable length
        if text is not None and (text.encoding == "utf-8" or text.length is not None):
            return values.asstr()
    return values


def _memory_map(name: str, *arguments: Any) -> OnDisk:
    return OnDisk(name, np.memmap(*arguments))


def _hdf5_dataset(name: str, path: str, inside: str) -> OnDisk:
    import h5py

    return OnDisk(name, h5py.File(path, "r")[inside])


def _offset(values: np.memmap) -> int:
    """Compute where a memory map begins in its file; a slice of a memory map reports the offset of the whole map."""
    base: Any = values
    while isinstance(base.base, np.memmap):
        base = base.base
    return int(base.offset) + values.ctypes.data - base.ctypes.data


CACHED_BYTES = 1 << 28
MOST, LEAST = 128, 16


class Chunked(Stored):
    """Reads whole chunks and caches the most recent, so that block shuffling reads each chunk once per epoch.

    It caches as many chunks as fit in 256 MiB, at least 16 and at most 128. Threads that need the same chunk at the
    same time read it once.
    """

    def __init__(self, column: OnDisk, rows: int) -> None:
        self._column, self.chunk_rows = column, rows
        self._ends = np.arange(rows, len(column) + rows, rows)
        self._cached: OrderedDict[int, Values] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[int, threading.Lock] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the cached chunks."""
        return Chunked, (self._column, self.chunk_rows)

    def __len__(self) -> int:
        return len(self._column)

    def take(self, ids: np.ndarray) -> Values:
        return gather(self._ends, ids, lambda number, rows: take(self._chunk(number), rows))

    def _chunk(self, number: int) -> Values:
        with self._lock:
            if number in self._cached:
                self._cached.move_to_end(number)
                return self._cached[number]
            lock = self._reading.setdefault(number, threading.Lock())
        with lock:
            with self._lock:
                if number in self._cached:
                    return self._cached[number]
            first = number * self.chunk_rows
            chunk = self._column.take(np.arange(first, min(first + self.chunk_rows, len(self._column))))
            with self._lock:
                self._cached[number] = chunk
                self._reading.pop(number, None)
                most = min(MOST, max(LEAST, CACHED_BYTES // max(1, size(chunk))))
                while len(self._cached) > most:
                    self._cached.popitem(last=False)
        return chunk
