"""Rows in arrays: NumPy, memory maps, h5py, zarr, lists, columns of frames."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Self

import numpy as np

from polyhead.columns.as_column import as_column
from polyhead.columns.frames import family_of, in_other_order, index_of, partly_shared
from polyhead.columns.lazy import KEEP_OPEN, Chunked, OnDisk, Stored, entries, is_closed, whole
from polyhead.columns.values import Values
from polyhead.errors import DataError, Problem, place, shown, warn
from polyhead.sources.source import OwnSource, Source


def are_rows(data: Any) -> bool:
    """Return whether data is a list of rows, ``{column: value}``.

    >>> are_rows([{"x": 1}]), are_rows([1]), are_rows([])
    (True, False, False)
    """
    return isinstance(data, (list, tuple)) and bool(data) and all(isinstance(row, Mapping) for row in data)


def columns_from_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Convert rows to columns, with None for what a row lacks.

    Raises:
        DataError: if a name is spelled in two ways, as ``y`` and ``Y``, and no row has both; or if no two rows share a
            name.

    >>> columns_from_rows([{"x": 1, "y": 2}, {"x": 3}])
    {'x': [1, 3], 'y': [2, None]}
    """
    names = dict.fromkeys(name for row in rows for name in row)
    usual: dict[Any, Any] = {}
    for name in names:
        like = usual.setdefault(name.strip().lower() if isinstance(name, str) else name, name)
        if like != name and not any(like in row and name in row for row in rows):
            name, like = sorted((name, like), key=lambda one: sum(one in row for row in rows))
            where = f"data, row {next(at for at, row in enumerate(rows) if name in row)}"
            fix = "Name it alike in all rows."
            raise DataError(Problem(where, f"a value {like!r}, as in other rows", f"{name!r}", fix))
    if len(rows) > 1 and all(rows) and len(names) == sum(map(len, rows)):  # as ({inputs}, {labels})
        found = f"{len(rows)} dicts that share no name"
        fix = "If they are columns, join them: {**inputs, **labels}."
        raise DataError(
            Problem("data", "a dict of columns, or a list of rows with the same names", found, fix)
        )
    return {name: [row.get(name) for row in rows] for name in names}


class Arrays(OwnSource):
    """A mapping of names to columns of one length.

    A column is anything with a length and batch indexing: ``np.ndarray``, ``np.memmap``, an h5py dataset, a
    zarr array, a tensor, a list, a pandas or polars series, an Arrow array. Columns on disk are read in ascending
    order, each row once. Arrays are not copied. Masked entries of a masked array are missing values: NaN, or None.

    Args:
        columns: ``{name: column}``; also an open HDF5 file or zarr group.
        asked: the columns that will be read; None for all. Other entries, such as the description in a scikit-learn
            `Bunch`, are left out unless they are columns of the same length.

    Raises:
        DataError: if there is no column, or columns differ in length, have no length or cannot be indexed.

    >>> rows = Arrays({"x": np.arange(6), "y": ["a", "b", "c", "d", "e", None]})
    >>> rows
    Arrays(6 rows: x, y)
    >>> rows.read(np.array([5, 0]))["y"]
    [None, 'a']
    """

    _columns: Mapping[str, Values | Stored]
    _index: Any = None

    def __init__(self, columns: Mapping[str, Any], asked: Iterable[str] | None = None) -> None:
        if not hasattr(columns, "keys"):
            fix = 'Give names: {"image": images, "label": labels}.'
            raise DataError(Problem("data", "a mapping of names to columns", shown(columns), fix))
        if is_closed(columns):
            raise DataError(Problem("data", "an open file", "a closed HDF5 file", KEEP_OPEN))
        data = {name: columns[name] for name in columns.keys()}  # noqa: SIM118 (a zarr group iterates otherwise)
        if not data:
            raise DataError(Problem("data", "at least one column", "an empty mapping"))
        asked = None if asked is None else frozenset(asked)
        self._index = require_one_order({n: data[n] for n in data if asked is None or n in asked})
        if asked is not None and not data.keys().isdisjoint(asked):
            self._set(_fitting_entries(data, asked))
            return
        for name in data:
            if not isinstance(name, str):
                raise DataError(Problem("data", "columns named by strings", f"the name {shown(name)}"))
        self._set({name: as_column(name, values) for name, values in data.items()})

    def _set(self, columns: Mapping[str, Values | Stored]) -> None:
        self._columns = columns
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"`{name}` {n:,}" for name, n in lengths.items())
            fix = "Every column needs one entry per row; None or NaN stands for a missing label."
            raise DataError(Problem("data", "columns of one length", found, fix))
        self._length = next(iter(lengths.values()))

    def __len__(self) -> int:
        return self._length

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def column(self, name: str) -> Values | None:
        if name not in self._columns:
            self._require([name])
        return whole(self._columns[name])

    def mapped(self, name: str) -> np.ndarray | None:
        column = self._columns.get(name)
        return column.mapped if isinstance(column, OnDisk) else None

    def pandas_index(self, ids: np.ndarray) -> Any:
        return None if self._index is None else self._index[ids]

    def only(self, columns: Sequence[str]) -> Self:
        listed = isinstance(columns, (list, tuple)) and all(isinstance(name, str) for name in columns)
        if not listed or not all(name in self._columns for name in columns):
            self._require(columns)  # lists all names, which is slow if there are many
        view = copy.copy(self)
        view._columns = {name: self._columns[name] for name in columns}
        return view

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        return {name: entries(column, ids) for name, column in self._columns.items()}


def in_chunks(source: Source) -> tuple[Source, int | None]:
    """Add a cache for the columns that are stored in chunks; return the source, and the rows of the largest chunk."""
    columns = source._columns if isinstance(source, Arrays) else {}
    rows = max((c.chunk_rows for c in columns.values() if isinstance(c, (OnDisk, Chunked))), default=0)
    if not rows:
        return source, None
    view = source.only(source.columns)
    assert isinstance(view, Arrays)
    view._columns = {
        name: Chunked(column, rows) if isinstance(column, OnDisk) and column.chunk_rows else column
        for name, column in columns.items()
    }
    return view, rows


def require_one_order(columns: Mapping[str, Any], within: str = "", warns: bool = True) -> Any:
    """Return the index of the first pandas column; if it ``warns``, of columns whose indexes share only some labels.

    Raises:
        DataError: another column holds the same index in another order: their rows would be mixed up.
    """
    indexes = {name: index for name, values in columns.items() if (index := index_of(values)) is not None}
    first = next(iter(indexes), "")
    for name, index in indexes.items():
        where, first_index, plain = within + place(column=name), indexes[first], f"{name}.to_numpy()"
        labels = [_labels_of(n, columns[n]) for n in (first, name)]
        if in_other_order(first_index, index):
            fix = f"Give values without index: {plain}."
            if first_index.is_unique:
                fix = f"Align them, {name}.loc[{labels[0]}], or give values without index: {plain}."
            expected = f"the index of `{first}`, in its order"
            raise DataError(Problem(where, expected, "the same index in another order", fix))
        if warns and (found := partly_shared(first_index, index)):
            both = f"{labels[0]}.intersection({labels[1]})"
            fix = f"To match them by label: both = {both}, then {first}.loc[both] and {name}.loc[both]. "
            fix += f"If positions are right, give {plain}."
            warn(Problem(where, f"the index of `{first}`", found, fix))
    return next((indexes[name] for name in indexes if family_of(columns[name])[0] == "pandas"), None)


def _labels_of(name: str, values: Any) -> str:
    """Return the code for the index of a column."""
    return f"{name}.index" if family_of(values)[0] else f'{name}.indexes["{values.dims[0]}"]'


def _fitting_entries(data: Mapping[Any, Any], asked: Set[str]) -> dict[str, Values | Stored]:
    """Return the columns that will be read, and the other entries of the same length, in the order given."""
    read = {name: as_column(name, data[name]) for name in data if name in asked}
    length = len(next(iter(read.values())))
    columns = {}
    for name, values in data.items():
        if name in read:
            columns[name] = read[name]
        elif isinstance(name, str):
            with contextlib.suppress(DataError):
                column = as_column(name, values)
                if len(column) == length or name == "id":  # predictions are named by it
                    columns[name] = column
    return columns
