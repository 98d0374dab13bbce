"""Gathers rows of columns in memory and converts their numbers in the same pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, TypeGuard

import numpy as np

from polyhead import jit, profiling
from polyhead.jit import Loop, do_later
from polyhead.kinds.conversion import Conversion
from polyhead.order.permutation import NETWORK
from polyhead.pipeline.buffer_pool import Pool, address
from polyhead.pipeline.recoding import SCALE, Recoding, by_numpy, recoding_of, valid_numbers

WORTH = 1 << 22
"""The bytes of all columns together from which the compiled loops are used."""

STREAMED = 1 << 23
"""The bytes of scaled images in a block from which they are written past the cache, which could not hold them."""

SMALL_FILE = 1 << 24
"""The bytes up to which a column in a file counts as in memory, as it is read from the disk only once."""

PROVEN = 4096
"""The number of rows that the background check validates in one call."""

_LOOPS = "polyhead.pipeline.gather_loop"
_NO_IDS = np.zeros(0, np.int64)


@lru_cache
def copy_loop(column: np.dtype) -> Loop:
    """The loop that copies integers of a dtype."""
    a = np.zeros((1, 1), column)
    return Loop(f"{_LOOPS}:copy_rows", a, _NO_IDS, _NO_IDS, a)


@lru_cache
def convert_loop(way: str, column: np.dtype, result: np.dtype) -> Loop:
    """The loop that converts numbers of one dtype to another, in a way of `recoding`."""
    a, b = np.zeros((1, 1), column), np.zeros((1, 1), result)
    return Loop(f"{_LOOPS}:{way}_rows", a, _NO_IDS, _NO_IDS, b, False, 0, a[0], b[0])


@lru_cache
def valid_loop(column: np.dtype) -> Loop:
    """The loop that checks whether numbers of a dtype are valid."""
    a = np.zeros((1, 1), column)
    return Loop(f"{_LOOPS}:all_valid", a, _NO_IDS, a[0], a[0])


@dataclass(eq=False)
class MemoryColumn:
    """A column in memory and the conversion of its rows.

    Attributes:
        array: numbers ``(N, ...)``, C-contiguous; may be read-only, such as a memory map.
        conversion: the conversion of its numbers.
        shape: the shape of a converted row.
        always: whether rows with invalid numbers are always left to ``encode``, as NaN may mean a missing label.
        mapped: whether it is a memory map, whose rows are read in sorted order while it may be on disk.
        stage: the stage of a profile that the time of its conversion counts as.
    """

    array: np.ndarray
    conversion: Conversion
    shape: tuple[int, ...]
    always: bool = False
    mapped: bool = False
    stage: str = "inputs"

    @cached_property
    def dtype(self) -> np.dtype:
        """The dtype of the result."""
        return np.dtype(self.conversion.dtype)

    @cached_property
    def numbers(self) -> np.ndarray:
        """The column as ``(N, n)``, with booleans as bytes."""
        flat = self.array.reshape(len(self.array), -1)
        return _as_writable(flat.view(np.uint8) if flat.dtype.kind == "b" else flat)

    @cached_property
    def words(self) -> np.ndarray:
        """The column as ``(N, n)`` of the widest integers that its rows can be divided into."""
        width = self.numbers.shape[1] * self.array.itemsize
        start = address(self.array)
        word = next(w for w in _WORDS if width % w.itemsize == 0 and start % w.itemsize == 0)
        return self.numbers.view(word)

    @cached_property
    def copied(self) -> bool:
        """True if rows are copied without a conversion."""
        same = self.conversion.values is None and not self.conversion.scale
        return same and self.dtype == self.array.dtype

    @cached_property
    def recoding(self) -> Recoding:
        """The conversion of a number."""
        return recoding_of(self.conversion, self.numbers.dtype)

    @cached_property
    def valid(self) -> tuple[np.ndarray, np.ndarray] | None:
        """``(least, greatest)`` valid number, and the other valid ones; None if all numbers are valid."""
        return valid_numbers(self.conversion, self.numbers.dtype)

    @cached_property
    def loop(self) -> Loop:
        """The loop that copies or converts its rows."""
        if self.copied:
            return copy_loop(self.words.dtype)
        return convert_loop(self.recoding.way, self.numbers.dtype, self.dtype)

    @property
    def loops(self) -> list[Loop]:
        """The loops that the column needs."""
        return [self.loop, *([] if self.valid is None else [valid_loop(self.numbers.dtype)])]

    @cached_property
    def check_key(self) -> tuple[Any, ...]:
        """The key of the check whether all numbers of the column are valid: its memory and the valid numbers."""
        assert self.valid is not None
        return *self.memory_key, *(numbers.tobytes() for numbers in self.valid)

    @cached_property
    def memory_key(self) -> tuple[Any, ...]:
        """The key of the column's memory: address, dtype and shape."""
        return address(self.array), self.array.dtype, self.array.shape

    def all_valid(self) -> bool:
        """Return whether all numbers of all rows are valid, without a compiled loop."""
        return self.valid is None or _all_between(self.numbers, *self.valid)

    @cached_property
    def owned(self) -> bool:
        """True if the column is certain to be in memory rather than in a mapped file."""
        array: Any = self.array
        while isinstance(array.base, np.ndarray):
            array = array.base
        return array.base is None and not isinstance(array, np.memmap)


def _all_between(rows: np.ndarray, edges: np.ndarray, marks: np.ndarray) -> bool:
    """Return whether all numbers are between the two ``edges`` or among ``marks``; NaN never is."""
    if not len(marks):
        return not rows.size or bool(rows.min() >= edges[0] and rows.max() <= edges[1])
    valid = (rows >= edges[0]) & (rows <= edges[1])
    for mark in marks:
        valid |= rows == mark
    return bool(valid.all())


def can_gather(column: Any) -> TypeGuard[np.ndarray]:
    """Return whether `Gather` can gather the rows of a column."""
    return (
        isinstance(column, np.ndarray)
        and column.dtype.kind in "iufb"
        and column.dtype.isnative
        and column.flags.c_contiguous
        and column.flags.aligned
        and column.size > 0
    )


def soon_in_memory(column: Any) -> TypeGuard[np.ndarray]:
    """Return whether a column that may be in a file can be gathered like one in memory."""
    return can_gather(column) and column.nbytes <= SMALL_FILE


class Gather:
    """Gathers rows of several columns.

    >>> x = np.array([[0, 51], [102, 255]], np.uint8)
    >>> scaled = Conversion("float32", scale=True)
    >>> Gather({"x": MemoryColumn(x, scaled, (2,))}, Pool())(np.array([1]))["x"].tolist()
    [[0.4000000059604645, 1.0]]
    """

    def __init__(self, columns: Mapping[Any, MemoryColumn], pool: Pool) -> None:
        self._columns, self._pool = columns, pool
        self._worth = self._waits = sum(column.array.nbytes for column in columns.values()) >= WORTH
        if self._worth:  # ask for all loops now, so that they are compiled together
            for loop in (*(loop for column in columns.values() for loop in column.loops), NETWORK):
                _ = loop.ready  # that of the order costs little once the compiler is loaded
        # whether all numbers of a column are valid; False while that is being checked
        self._proven: dict[tuple[Any, ...], bool] = {}

    def __call__(
        self, ids: np.ndarray, check: bool = False, laps: profiling.Laps = profiling.NO_LAPS
    ) -> dict[Any, np.ndarray]:
        """Gather and convert rows.

        Args:
            ids: int64 ``(B,)``, each a row of the columns.
            check: whether to leave out columns with an invalid number in these rows, so that ``encode`` reports it.
            laps: measures the time of each stage.

        Returns:
            For each column its rows, ``(B, *shape)``.
        """
        rows = _SomeRows(ids, self._worth, first=check)
        if self._waits:
            self._waits = any(column.loop.compiled is None for column in self._columns.values())
        begun = profiling.clock() if self._waits else None
        gathered = {}
        for name, column in self._columns.items():
            if check and column.conversion.checked_by_encode:
                continue
            if (check or column.always) and column.valid is not None:
                valid = self._valid(column, rows)
                laps("check")
                if not valid:
                    continue
            gathered[name] = self._pool.empty((len(ids), *column.shape), column.dtype)
            rows.convert(column, gathered[name])
            laps(column.stage)
        if begun is not None:
            jit.spent(profiling.clock() - begun)
        return gathered

    def _valid(self, column: MemoryColumn, rows: _SomeRows) -> bool:
        """Return whether some rows are valid; a whole column is checked once, in the background of the first steps."""
        proven = self._proven.get(column.check_key)
        if proven is None and (column.owned or soon_in_memory(column.array)):
            loop = valid_loop(column.numbers.dtype).ready if self._worth else None
            if not self._worth:
                proven = self._proven[column.check_key] = column.all_valid()
            elif loop is not None:
                self._proven[column.check_key] = False
                do_later(partial(self._prove, column, loop))
        return proven or rows.valid(column)

    def _prove(self, column: MemoryColumn, loop: Callable[..., Any]) -> None:
        assert column.valid is not None
        count = len(column.numbers)
        pieces = (np.arange(k, min(k + PROVEN, count)) for k in range(0, count, PROVEN))
        self._proven[column.check_key] = all(loop(column.numbers, ids, *column.valid) for ids in pieces)


class _SomeRows:
    """The same rows of several columns; NumPy converts them unless the compiled loops are worthwhile and ready."""

    def __init__(self, ids: np.ndarray, worth: bool, first: bool) -> None:
        # contiguous, as the loops were compiled for
        self._ids = ids if ids.flags.carray else ids.copy()
        self._worth, self._first = worth, first
        self._taken: dict[tuple[Any, ...], np.ndarray] = {}
        self._valid: dict[tuple[Any, ...], bool] = {}

    def valid(self, column: MemoryColumn) -> bool:
        """Return whether all numbers of these rows are valid."""
        if column.check_key not in self._valid:
            self._valid[column.check_key] = self._all_valid(column)
        return self._valid[column.check_key]

    def _all_valid(self, column: MemoryColumn) -> bool:
        assert column.valid is not None
        edges, marks = column.valid
        loop = valid_loop(column.numbers.dtype).ready if self._worth else None
        if loop is not None:
            return bool(loop(column.numbers, self._reading_order(column)[0], edges, marks))
        return _all_between(self._rows(column), edges, marks)

    def convert(self, column: MemoryColumn, out: np.ndarray) -> None:
        """Convert these rows of a column into ``out``, ``(B, *shape)``."""
        loop = column.loop.ready if self._worth else None
        ids, places = self._reading_order(column)
        if column.copied:
            out = out.reshape(len(out), column.numbers.shape[1]).view(column.words.dtype)
            if loop is not None:
                loop(column.words, ids, places, out)
            elif len(places):
                out[places] = np.take(column.words, ids, axis=0)
            else:
                # all ids are valid: `clip` only avoids a check, which would need a copy
                np.take(column.words, ids, axis=0, out=out, mode="clip")
            return
        recoding, out = column.recoding, out.reshape(len(out), column.numbers.shape[1])
        if loop is not None:
            # writing past the cache takes whole, aligned cache lines
            past = (
                recoding.way == SCALE
                and out.nbytes >= STREAMED
                and out.shape[1] % 16 == address(out) % 64 == 0
            )
            loop(column.numbers, ids, places, out, past, recoding.low, recoding.keys, recoding.numbers)
        else:
            by_numpy(self._rows(column), recoding, out)

    def _rows(self, column: MemoryColumn) -> np.ndarray:
        """Gather these rows of a column with NumPy, unconverted."""
        if column.memory_key not in self._taken:
            ids, places = self._reading_order(column)
            rows = np.take(column.numbers, ids, axis=0)
            if len(places):
                rows[places] = rows.copy()
            self._taken[column.memory_key] = rows
        return self._taken[column.memory_key]

    def _reading_order(self, column: MemoryColumn) -> tuple[np.ndarray, np.ndarray]:
        """The ids in reading order, and the position of each in the result; empty if the order is the same."""
        cold = column.mapped and (self._first or column.array.nbytes > _MEMORY // 2)
        return self._sorted if cold else (self._ids, _NO_IDS)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        places = np.argsort(self._ids, kind="stable")
        return self._ids[places], places


_KNOWN = "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {})
_MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if _KNOWN else 1 << 33
"""The bytes of memory of this machine."""

_WORDS = tuple(np.dtype(one) for one in ("u8", "u4", "u2", "u1"))


class _Writable:
    """Presents a read-only array as writable: loops only read it, but numba compiles read-only arrays separately."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        known = array.__array_interface__
        self.__array_interface__ = {**known, "data": (known["data"][0], False)}


def _as_writable(array: np.ndarray) -> np.ndarray:
    return array if array.flags.writeable else np.asarray(_Writable(array))
