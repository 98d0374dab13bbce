"""Columns that only some of several sources have, filled with missing values in the others."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np

from polyhead.columns.coded import Coded, coded_flags, joinable
from polyhead.columns.values import EXACT, LIMIT_BYTES, Values, one_scale
from polyhead.kinds.source_column import About
from polyhead.sources.column_merge import NUMBERS
from polyhead.sources.source import DerivedSource, Source, checked_rows


class Gap:
    """How a column represents values that are missing in some sources.

    Numbers become floats with NaN, categories get the code -1, and so do booleans; dates become NaT, and everything
    else None. Images and masks of uint8 stay uint8, row by row in a list, because as floats they would have another
    scale.

    >>> gap = Gap([np.array([3])])
    >>> gap.filled(np.array([3, 4])).tolist(), gap.missing(2).tolist()
    ([3.0, 4.0], [nan, nan])
    """

    def __init__(self, firsts: Sequence[Values]) -> None:
        self._empty: Values = [None]
        self._floats = self._flags = False
        firsts = joinable([coded_flags(np.asarray(f)) if _is_flags(f) else f for f in firsts])
        arrays = [first for first in firsts if isinstance(first, np.ndarray)]
        coded = [first for first in firsts if isinstance(first, Coded)]
        if firsts and len(coded) == len(firsts):
            self._empty = Coded(np.array([-1], np.int32), coded[0].categories, coded[0].ordered)
            self._flags = self._empty.boolean
        elif arrays and len(arrays) == len(firsts):
            shape, kinds = arrays[0].shape[1:], {array.dtype.kind for array in arrays}
            if kinds <= set(NUMBERS):
                dtype = np.result_type(*arrays)
                image = len(shape) >= 2
                self._floats = not image or (
                    dtype not in (np.uint8, np.bool_) and one_scale(a.dtype for a in arrays)
                )
                if self._floats:
                    self._empty = np.full((1, *shape), np.nan, dtype if dtype.kind in "fc" else np.float64)
            elif kinds == {"M"} or kinds == {"m"}:
                self._empty = np.full((1, *shape), "NaT", np.result_type(*arrays))

    def missing(self, count: int) -> Values:
        """Return a column of ``count`` missing values."""
        empty = self._empty
        if isinstance(empty, Coded):
            return Coded(np.broadcast_to(empty.codes, (count,)), empty.categories, empty.ordered)
        if isinstance(empty, np.ndarray):
            return np.broadcast_to(empty[0], (count, *empty.shape[1:]))
        return [None] * count

    def filled(self, values: Values) -> Values:
        """Convert values of a source that has the column to a form that can hold missing ones."""
        if self._flags and _is_flags(values):
            return coded_flags(np.asarray(values))
        if self._floats and isinstance(values, Coded) and values.boolean:
            return values.floats()
        if not isinstance(values, np.ndarray) or values.dtype.kind not in NUMBERS:
            return values
        if not self._floats:  # an array of integers would mean that none is missing
            return list(values)
        if values.dtype.kind in "fc":
            return values
        if values.dtype.itemsize == 8 and values.size and max(-int(values.min()), int(values.max())) > EXACT:
            return list(values)  # float64 would change some ids
        return values.astype(np.float64)


def _is_flags(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "b" and values.ndim == 1


class Filled(DerivedSource):
    """The rows of a source, with further columns of missing values.

    Args:
        gaps: the form of missing values, for each column that some source lacks.
        columns: the columns of this view, in order.
    """

    def __init__(self, source: Source, gaps: Mapping[str, Gap], columns: Sequence[str]) -> None:
        super().__init__(source)
        self._gaps, self._names = dict(gaps), tuple(columns)
        available = set(source.columns)
        self._available = tuple(name for name in columns if name in available)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    def column(self, name: str) -> Values | None:
        if name in self._available:
            whole = self._source.column(name)
            if whole is None or name not in self._gaps:
                return whole
            small = not isinstance(whole, np.ndarray) or 8 * whole.size <= LIMIT_BYTES
            return self._gaps[name].filled(whole) if small else None
        self._require([name])
        return self._gaps[name].missing(len(self))

    def about(self, name: str) -> About:
        return self._source.about(name) if name in self._available else About()

    def only(self, columns: Sequence[str]) -> Source:
        self._require(columns)
        view = copy.copy(self)
        view._names = tuple(columns)
        view._available = tuple(name for name in columns if name in self._available)
        view._source = self._source.only(view._available) if view._available else self._source
        return view

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Values] = {}
        if self._available:
            rows = checked_rows(self._source, ids)
            rows = {
                name: self._gaps[name].filled(values) if name in self._gaps else values
                for name, values in rows.items()
                if name in self._available
            }
        return rows | {
            name: self._gaps[name].missing(len(ids)) for name in self._names if name not in self._available
        }


def filled(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Give all sources all columns, in the order of their first appearance."""
    names = tuple(dict.fromkeys(name for source in sources for name in source.columns))
    column_sets = [set(source.columns) for source in sources]
    partly = [name for name in names if any(name not in columns for columns in column_sets)]
    if not partly:
        return tuple(sources)
    first = np.zeros(1, np.int64)
    rows = [source.coded(first) if len(source) else {} for source in sources]
    gaps = {name: Gap([row[name] for row in rows if name in row]) for name in partly}
    return tuple(Filled(source, gaps, names) for source in sources)
