"""Views of sources: selected rows, concatenated sources, and sources mixed in fixed proportions."""

from __future__ import annotations

import copy
import itertools
import math
from abc import abstractmethod
from collections.abc import Iterator, KeysView, Mapping, Sequence, ValuesView
from dataclasses import replace
from typing import Any, Self

import numpy as np

from polyhead.columns.frames import family_of, in_other_order, index_of, moved_label, partly_shared
from polyhead.columns.values import LIMIT_BYTES, Coded, Values, join, objects, take
from polyhead.errors import DataError, Problem, as_list, is_integer, is_number, is_size, shown, warn
from polyhead.kinds.missing import plain
from polyhead.kinds.source_column import About, Origins
from polyhead.sources.column_merge import forms, merged_facts, same_columns
from polyhead.sources.interleave import Interleaving
from polyhead.sources.scanning import scan
from polyhead.sources.source import OwnSource, Source, checked_rows, columns_of


class _CachingView(OwnSource):
    """A view that keeps the whole columns that it had to copy."""

    _cache: dict[str, Values]

    @abstractmethod
    def _whole(self, name: str) -> Values | None: ...

    def column(self, name: str) -> Values | None:
        if name not in self._cache:
            values = self._whole(name)
            if values is None:
                return None
            self._cache[name] = values
        return self._cache[name]

    def _only(self, columns: Sequence[str]) -> Self:
        view = copy.copy(self)
        view._cache = {name: self._cache[name] for name in columns if name in self._cache}
        return view


class _Reordered(_CachingView):
    """Rows of another source, in an order of their own."""

    source: Source

    @abstractmethod
    def _rows(self, ids: np.ndarray) -> np.ndarray:
        """Return the rows of the source for rows of this view."""

    @property
    def columns(self) -> tuple[str, ...]:
        return self.source.columns

    def _whole(self, name: str) -> Values | None:
        whole = self.source.column(name)
        if whole is None or _copied_row_bytes(whole) * len(self) > LIMIT_BYTES:
            return None
        return take(whole, self._rows(np.arange(len(self))))

    def about(self, name: str) -> About:
        return self.source.about(name)

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        return self.source.origins(name, self._rows(ids))

    def only(self, columns: Sequence[str]) -> Self:
        view = self._only(columns)
        view.source = self.source.only(columns)
        return view

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        return checked_rows(self.source, self._rows(ids))


class Rows(_Reordered):
    """Some rows of a source, in any order.

    A view of a view looks up its row numbers once, when it is created. `column` returns a view of a column in memory
    if the rows are consecutive, else a copy, which is kept; None if the copy would be larger than 64 MB.

    Args:
        ids: int64 ``(n,)``, each in ``[0, len(source))``.

    >>> from polyhead.sources.arrays import Arrays
    >>> rows = Rows(Arrays({"x": np.arange(10) * 10}), np.array([7, 7, 2]))
    >>> rows.read(np.array([2, 0]))["x"].tolist()
    [20, 70]
    """

    def __init__(self, source: Source, ids: np.ndarray) -> None:
        ids = np.asarray(ids, np.int64)
        self.source: Source = source.source if isinstance(source, Rows) else source
        self.ids: np.ndarray = source.ids[ids] if isinstance(source, Rows) else ids
        self.sequential = self.source.sequential
        self._cache: dict[str, Values] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def _rows(self, ids: np.ndarray) -> np.ndarray:
        return self.ids[ids]

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        return self.source.ids_of(self.ids[rows])

    def _whole(self, name: str) -> Values | None:
        whole, run = self.source.column(name), _run(self.ids)
        return whole[run] if run is not None and isinstance(whole, np.ndarray) else super()._whole(name)

    def pandas_index(self, ids: np.ndarray) -> Any:
        return self.source.pandas_index(self.ids[ids])


class Concat(_CachingView):
    """The rows of several sources, end to end.

    A column has the same form in every row: one dtype that holds the numbers of all sources, or one list of all
    categories. `column` follows the rule of `Rows`.

    Args:
        sources: sources with the same columns. A source without rows and columns adds nothing.
        join: for sources with different columns: ``"exact"`` refuses them, ``"outer"`` fills columns that a source
            lacks with missing values, ``"inner"`` takes the columns that all sources have.

    Raises:
        DataError: if there is no source, columns differ, or a column differs in shape or kind.
        ContractError: for another ``join``.

    >>> from polyhead.sources.arrays import Arrays
    >>> both = Concat([Arrays({"x": np.arange(3)}), Arrays({"x": np.array([0.5])})])
    >>> both.read(np.array([3, 2]))["x"].tolist()
    [0.5, 2.0]
    """

    def __init__(self, sources: Sequence[Source], join: str = "exact", how: str = "concat(other") -> None:
        self.sources = same_columns(sources, join, how)
        self.sequential = any(source.sequential for source in self.sources)
        self.starts = np.cumsum([0, *(len(source) for source in self.sources)], dtype=np.int64)
        self._names = self.sources[0].columns
        self._forms = forms(self.sources, self._names)
        self._cache: dict[str, Values] = {}

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    def _whole(self, name: str) -> Values | None:
        parts: list[Values] = []
        for source in self.sources:
            part = source.column(name)
            if part is None or _copied_row_bytes(part) * len(self) > LIMIT_BYTES:
                return None
            parts.append(part)
        places = [np.arange(a, b) for a, b in itertools.pairwise(self.starts)]
        return self._forms[name].join(len(self), places, parts)

    def about(self, name: str) -> About:
        return merged_facts(name, [source.about(name) for source in self.sources])

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        which = np.searchsorted(self.starts, ids, side="right") - 1
        origins, any_known = Origins.unknown(len(ids)), False
        for s in np.unique(which).tolist() if len(ids) else range(len(self.sources)):
            at = np.flatnonzero(which == s)
            part = self.sources[s].origins(name, ids[at] - self.starts[s])
            if part is None:
                continue
            any_known = True
            origins.places[at] = part.places
            for i, file in zip(at.tolist(), part.files, strict=True):
                origins.files[i] = file
            origins = origins._replace(lost=origins.lost or part.lost, kept=origins.kept or part.kept)
        return origins if any_known else None

    def only(self, columns: Sequence[str]) -> Concat:
        self._require(columns)
        view = self._only(columns)
        view.sources = tuple(source.only(columns) for source in self.sources)
        view._names = tuple(columns)
        return view

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        which = np.searchsorted(self.starts, ids, side="right") - 1
        positions, parts = [], []
        for s in np.unique(which).tolist() or [0]:
            at = np.flatnonzero(which == s)
            source = self.sources[s]
            try:
                rows = checked_rows(source, ids[at] - self.starts[s])
            except DataError as error:  # its row numbers are those of this source, so name it
                problems = [replace(p, place=f"source {s}, {p.place}") for p in error.problems]
                raise DataError(*problems) from error
            positions.append(at)
            parts.append(columns_of(source, rows, self._names))
        return {
            name: self._forms[name].join(len(ids), positions, [part[name] for part in parts])
            for name in self._names
        }


class Mix(_Reordered):
    """Rows of several sources in fixed proportions, evenly interleaved.

    The source of a row depends only on the row number. Among the first n rows, each source has its share to within two
    rows; with two sources, to within half a row. The k-th row from a source is its row ``k`` modulo its length.
    `column` follows the rule of `Rows`.

    Args:
        sources: sources with the same columns, each with at least one row.
        weights: one positive number per source; only their ratio counts.
        length: rows in the mixture; by default the fewest that include every row of every source.
        join: as for `Concat`.

    Raises:
        DataError: if a source is empty, weights or length are not positive, there is not one weight per source, or
            `Concat` would refuse the sources.

    >>> from polyhead.sources.arrays import Arrays
    >>> a, b = Arrays({"x": np.arange(6)}), Arrays({"x": np.array([100, 101])})
    >>> Mix([a, b], [2, 1]).read(np.arange(9))["x"].tolist()
    [0, 100, 1, 2, 101, 3, 4, 100, 5]
    """

    def __init__(
        self,
        sources: Sequence[Source],
        weights: Sequence[float],
        length: int | None = None,
        join: str = "exact",
    ) -> None:
        self.weights = _checked_weights(weights, len(sources))
        for number, source in enumerate(sources):
            if isinstance(source, Source) and len(source) == 0:
                found = "an empty source"
                expected = "at least one row to mix in"
                raise DataError(Problem(f"source {number}", expected, found, "Leave it out."))
        joined = Concat(sources, join, "mix(other, weights=...")
        self.source, self._starts, self.sequential = joined, joined.starts, joined.sequential
        self._lengths = np.array([len(source) for source in sources])
        self._order = Interleaving(self.weights)
        if length is not None and not is_size(length):
            raise DataError(Problem("length", "a positive number of rows", shown(length)))
        self._length = self._order.fewest(self._lengths.tolist()) if length is None else int(length)
        self._cache: dict[str, Values] = {}

    def __len__(self) -> int:
        return self._length

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        return self.source.coded(self._rows(ids))

    def _rows(self, ids: np.ndarray) -> np.ndarray:
        which, before = self._order.at(ids)
        return self._starts[which] + before % self._lengths[which]


def _checked_weights(weights: Sequence[float], count: int) -> tuple[float, ...]:
    numbers = as_list(weights) or []
    if len(numbers) != count or not all(is_number(weight) and weight > 0 for weight in numbers):
        fix = "Their ratio counts: (3, 1) takes three rows of the first source for each row of the second."
        raise DataError(Problem("weights", f"{count} positive numbers, one per source", shown(weights), fix))
    return tuple(map(float, numbers))


def _copied_row_bytes(values: Values) -> int:
    """Return the bytes that a copy of one row takes; for a list, those of a reference."""
    if isinstance(values, Coded):
        return int(values.codes.itemsize)
    if isinstance(values, np.ndarray):
        return int(values.itemsize * math.prod(values.shape[1:]))
    return 8


def _run(ids: np.ndarray) -> slice | None:
    """Return consecutive row numbers as a slice, others as None."""
    if not len(ids) or int(ids[-1]) - int(ids[0]) + 1 != len(ids) or not (np.diff(ids) == 1).all():
        return None
    return slice(int(ids[0]), int(ids[-1]) + 1)


def row_numbers(source: Source, rows: Any, where: str = "rows") -> np.ndarray:
    """Convert the argument of `Source.select` to row numbers, int64 ``(n,)``, each in ``[0, len(source))``.

    Raises:
        DataError: for anything else, a row number out of range, or a boolean array of another length.
    """
    count = len(source)
    if isinstance(rows, slice) and _is_whole(rows):
        return np.arange(*rows.indices(count), dtype=np.int64)
    if callable(rows):
        rows = rows(_Loaded(source))
        if callable(rows):
            expected = "a function that returns row numbers or booleans"
            raise DataError(Problem(where, expected, "another function"))
        return row_numbers(source, rows, where)
    array = _as_array(rows)
    if array is None:
        expected = "row numbers, a boolean array, a slice, or a function of the columns"
        fix = f"For one row, use [{int(rows)}]." if isinstance(rows, (int, np.integer)) else ""
        raise DataError(Problem(where, expected, shown(rows), fix))
    if array.dtype == bool:
        if len(array) != count:
            expected = f"one boolean for each of {count:,} rows"
            raise DataError(Problem(where, expected, f"{len(array):,} booleans"))
        _require_index(where, source.pandas_index(np.arange(count)), index_of(rows))
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


def _require_index(where: str, frame_index: Any, index: Any) -> None:
    expected, plain = "the index of the frame", "rows.to_numpy()"
    if frame_index is not None and index is not None and in_other_order(frame_index, index):
        fix = f"Align them, rows.loc[frame.index], or give values without index: {plain}."
        raise DataError(Problem(where, f"{expected}, in its order", "the same in another order", fix))
    if frame_index is not None and index is not None and (found := partly_shared(frame_index, index)):
        fix = "To match them by label: rows.reindex(frame.index, fill_value=False)."
        warn(Problem(where, expected, found, f"{fix} If positions are right, give {plain}."))


def _is_whole(rows: slice) -> bool:
    return rows.step != 0 and all(n is None or is_integer(n) for n in (rows.start, rows.stop, rows.step))


def _as_array(rows: Any) -> np.ndarray | None:
    """Return a flat array of integers or booleans; None for anything else."""
    if isinstance(rows, (str, bytes, Mapping, set, frozenset)) or not hasattr(rows, "__len__"):
        return None
    try:
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


class _Loaded(Mapping[str, Any]):
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
