"""Converts the argument of `Source.select` to row numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView, Mapping, ValuesView
from typing import Any

import numpy as np

from polyhead.columns.frames import family_of, in_other_order, index_of, moved_label, partly_shared
from polyhead.columns.lazy import shape_of
from polyhead.columns.values import join, objects
from polyhead.errors import DataError, Problem, is_integer, is_size, shown, warn
from polyhead.kinds.missing import plain
from polyhead.sources.scanning import scan
from polyhead.sources.source import Source

_FLAGS = 10
"""If at least so many rows are selected from as many, by 0 and 1, these are flags rather than row numbers."""

_COMPARE = 'Give booleans without gaps; for a column of 0 and 1: lambda columns: columns["name"] == 1.'


def selected_rows(source: Source, rows: Any) -> np.ndarray:
    """Convert the argument of `Source.select` to row numbers, as `row_numbers` does, but refuse flags as integers."""
    numbers = row_numbers(source, rows)
    if len(numbers) == len(source) >= _FLAGS and numbers.min() == 0 < numbers.max() == 1:
        raise DataError(Problem("rows", "row numbers or booleans", "0 or 1 for each row", _COMPARE))
    return numbers


def row_numbers(source: Source, rows: Any, where: str = "rows") -> np.ndarray:
    """Convert the argument of `Source.select` to row numbers, int64 ``(n,)``, each in ``[0, len(source))``.

    Raises:
        DataError: for anything else, a row number out of range, or a boolean array of another length.
    """
    count = len(source)
    bounds = [rows.start, rows.stop, rows.step] if isinstance(rows, slice) else [None]
    if isinstance(rows, slice) and rows.step != 0 and all(n is None or is_integer(n) for n in bounds):
        return np.arange(*rows.indices(count), dtype=np.int64)
    if callable(rows):
        rows = values_of_columns(source, rows)
        if callable(rows):
            expected = "a function that returns row numbers or booleans"
            raise DataError(Problem(where, expected, "another function"))
        return row_numbers(source, rows, where)
    array = _as_array(rows)
    if array is None:
        expected = "row numbers, a boolean array, a slice, or a function of the columns"
        fix = f"For one row, use [{int(rows)}]." if is_integer(rows) else ""
        listed = isinstance(rows, (list, tuple))
        if ((len(rows),) if listed else shape_of(rows)) == (count,):
            fix = _COMPARE
        raise DataError(Problem(where, expected, shown(rows), fix))
    if array.dtype == bool:
        if len(array) != count:
            expected = f"one boolean for each of {count:,} rows"
            raise DataError(Problem(where, expected, f"{len(array):,} booleans"))
        by_label = "rows.reindex(frame.index, fill_value=False)"
        require_index(where, source.pandas_index(np.arange(count)), index_of(rows), by_label)
        return np.flatnonzero(array)
    frame_index = source.pandas_index(np.arange(count)) if "Index" in family_of(rows)[1] else None
    if moved := moved_label(frame_index, rows, array):
        words = f"labels of its index: {moved[0]} is row {moved[1]}"
        fix = "Give row numbers, frame.index.get_indexer(rows); if they are, rows.to_numpy()."
        raise DataError(Problem(where, "row numbers of the frame", words, fix))
    outside = (array < 0) | (array >= count)
    if outside.any():
        at = int(outside.argmax())
        expected = f"row numbers from 0 to {count - 1:,}" if count else "no row numbers, as there are no rows"
        fix = ""
        if np.isin(array, source.ids_of(np.arange(count))).all():
            fix = "These are ids, which count the rows of the whole source: select them there, not in a part of it."
        raise DataError(Problem(where, expected, f"{int(array[at])} at position {at:,}", fix))
    return array.astype(np.int64)


def require_index(where: str, frame_index: Any, index: Any, by_label: str) -> None:
    """Raise if the index of a pandas object is that of the frame in another order; warn if they share some labels.

    Args:
        by_label: the code that matches the object to the frame by label; it begins with the object's name.

    Raises:
        DataError: by position, its entries would belong to other rows.
    """
    if frame_index is None or index is None:
        return
    expected, name = "the index of the frame", by_label.split(".")[0]
    if in_other_order(frame_index, index):
        fix = f"Align them, {name}.loc[frame.index], or give values without index: {name}.to_numpy()."
        raise DataError(Problem(where, f"{expected}, in its order", "the same in another order", fix))
    if found := partly_shared(frame_index, index):
        fix = f"To match them by label: {by_label}. If positions are right, give {name}.to_numpy()."
        warn(Problem(where, expected, found, fix))


def values_of_columns(source: Source, function: Callable[[Mapping[str, Any]], Any]) -> Any:
    """Return what a function of all columns returns; a pandas object with the default index has that of the rows.

    Columns are arrays without an index, so the labels 0, 1, ... are not those of a frame.
    """
    values, every = function(WholeColumns(source)), np.arange(len(source))
    if family_of(values)[0] == "pandas" and np.array_equal(index_of(values), every):
        index = source.pandas_index(every)
        return values if index is None else values.set_axis(index)
    return values


def _as_array(rows: Any) -> np.ndarray | None:
    """Return a flat array of integers or booleans; None for anything else."""
    if isinstance(rows, (str, bytes, Mapping, set, frozenset)) or not hasattr(rows, "__len__"):
        return None
    try:
        if isinstance(rows, tuple) and len(rows) == 1 and np.ndim(rows[0]):  # from np.where
            rows = rows[0]
        array = np.asarray(list(rows) if isinstance(rows, (KeysView, ValuesView)) else rows)
    except (TypeError, ValueError):
        return None
    if array.ndim != 1:
        return None
    if not len(array):
        return array.astype(bool if array.dtype == bool else np.int64)
    if array.dtype == object:  # the extension types of frames
        if all(isinstance(v, (bool, np.bool_)) for v in array):
            return array.astype(bool)
        if all(is_size(v, -(2**63)) for v in array):
            return array.astype(np.int64)
    return array if array.dtype.kind in "iub" else None


class WholeColumns(Mapping[str, Any]):
    """All columns as whole arrays, each read when it is first used."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._values: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._values:
            self._source._require([name])
            values = join([values for _, values in scan(self._source, name)] or [[]])
            values = plain(values)
            if isinstance(values, list):  # so that == compares each row
                values = objects(values)
            self._values[name] = values
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._source.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._source.columns)

    def __len__(self) -> int:
        return len(self._source.columns)
