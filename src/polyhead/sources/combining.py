"""Views of sources: selected rows, concatenated sources, and sources mixed in fixed proportions."""

from __future__ import annotations

import copy
import itertools
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from polyhead.columns.values import LIMIT_BYTES, Coded, Values, take
from polyhead.errors import DataError, Problem, as_list, is_number, is_size, shown
from polyhead.kinds.source_column import About, Origins
from polyhead.sources.column_merge import forms, merged_facts, same_columns
from polyhead.sources.derived import DerivedSource
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


class _Reordered(_CachingView, DerivedSource):
    """Rows of another source, in an order of their own."""

    def _whole(self, name: str) -> Values | None:
        whole = self._source.column(name)
        if whole is None or _copied_row_bytes(whole) * len(self) > LIMIT_BYTES:
            return None
        return take(whole, self._rows(np.arange(len(self))))

    def only(self, columns: Sequence[str]) -> Self:
        view = self._only(columns)
        view._source = self._source.only(columns)
        return view

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        return checked_rows(self._source, self._rows(ids))


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
        super().__init__(source._source if isinstance(source, Rows) else source)
        ids = np.asarray(ids, np.int64)
        self.ids: np.ndarray = source.ids[ids] if isinstance(source, Rows) else ids
        self._cache: dict[str, Values] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def _rows(self, ids: np.ndarray) -> np.ndarray:
        return self.ids[ids]

    def _whole(self, name: str) -> Values | None:
        whole, run = self._source.column(name), _run(self.ids)
        return whole[run] if run is not None and isinstance(whole, np.ndarray) else super()._whole(name)


class Concat(_CachingView):
    """The rows of several sources, end to end.

    A column has the same form in every row: one dtype that holds the numbers of all sources, or one list of all
    categories. `column` follows the rule of `Rows`.

    Args:
        sources: a source without rows and columns adds nothing.
        join: see `Source.concat`.
        how: the call that joins them, up to its last argument, for errors.

    Raises:
        DataError: if there is no source, columns differ, or a column differs in shape or kind.

    >>> from polyhead.sources.arrays import Arrays
    >>> both = Concat([Arrays({"x": np.arange(3)}), Arrays({"x": np.array([0.5])})])
    >>> both.read(np.array([3, 2]))["x"].tolist()
    [0.5, 2.0]
    """

    def __init__(self, sources: Sequence[Source], join: str = "exact", how: str = "concat(other") -> None:
        self.sources = same_columns(sources, join, how)
        self.sequential = any(source.sequential for source in self.sources)
        self.starts = np.cumsum([0, *(len(source) for source in self.sources)], dtype=np.int64)
        self._available = [set(source.columns) for source in self.sources]
        self._names = tuple(dict.fromkeys(name for source in self.sources for name in source.columns))
        self._forms = forms(self.sources, self._available, self._names)
        self._cache: dict[str, Values] = {}

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    def _whole(self, name: str) -> Values | None:
        parts: list[Values | None] = []
        for source, available in zip(self.sources, self._available, strict=True):
            part = source.column(name) if name in available else None
            if name in available and (part is None or _copied_row_bytes(part) * len(self) > LIMIT_BYTES):
                return None
            parts.append(part)
        positions = [np.arange(a, b) for a, b in itertools.pairwise(self.starts)]
        return self._forms[name].join(len(self), positions, parts)

    def about(self, name: str) -> About:
        sources = zip(self.sources, self._available, strict=True)
        return merged_facts(name, [source.about(name) if name in has else About() for source, has in sources])

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        origins, any_known = Origins.unknown(len(ids)), False
        for number, at, rows in self.by_source(ids) or [(s, ids, ids) for s in range(len(self.sources))]:
            part = self.sources[number].origins(name, rows)
            if part is None:
                continue
            any_known = True
            origins.places[at] = part.places
            for i, file in zip(at.tolist(), part.files, strict=True):
                origins.files[i] = file
            origins = origins._replace(lost=origins.lost or part.lost, kept=origins.kept or part.kept)
        return origins if any_known else None

    @cached_property
    def _index(self) -> Any:
        """The index of all rows if each source has one of pandas, and no label is in two of them; else None."""
        parts = [source.pandas_index(np.arange(len(source))) for source in self.sources]
        if any(part is None for part in parts):
            return None
        index = parts[0].append(parts[1:])
        return index if index.is_unique else None

    def pandas_index(self, ids: np.ndarray) -> Any:
        return None if self._index is None else self._index[ids]

    def only(self, columns: Sequence[str]) -> Concat:
        self._require(columns)
        view = self._only(columns)
        view._available = [available.intersection(columns) for available in self._available]
        view.sources = tuple(
            source.only([name for name in columns if name in available]) if available else source
            for source, available in zip(self.sources, view._available, strict=True)
        )
        view._names = tuple(columns)
        return view

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        by_source = self.by_source(ids) or [(0, ids, ids)]
        positions = [at for _, at, _ in by_source]
        parts = [self._part(number, rows) for number, _, rows in by_source]
        return {
            name: self._forms[name].join(len(ids), positions, [part.get(name) for part in parts])
            for name in self._names
        }

    def by_source(self, ids: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Return the number of each source that has some of the rows, their positions, and their rows in the source."""
        numbers = np.searchsorted(self.starts, ids, side="right") - 1
        positions = [(number, np.flatnonzero(numbers == number)) for number in np.unique(numbers).tolist()]
        return [(number, at, ids[at] - self.starts[number]) for number, at in positions]

    def _part(self, number: int, ids: np.ndarray) -> dict[str, Values]:
        source, available = self.sources[number], self._available[number]
        if not available:
            return {}
        try:
            rows = checked_rows(source, ids)
        except DataError as error:  # its row numbers are those of this source, so name it
            problems = [replace(p, place=f"source {number}, {p.place}") for p in error.problems]
            raise DataError(*problems) from error
        return columns_of(source, rows, [name for name in self._names if name in available])


class Mix(_Reordered):
    """Rows of several sources in fixed proportions, evenly interleaved.

    The source of a row depends only on the row number. Among the first n rows, each source has its share to within two
    rows; with two sources, to within half a row. The k-th row from a source is its row ``k`` modulo its length.
    `column` follows the rule of `Rows`.

    The arguments are those of `Source.mix`.

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
        super().__init__(joined)
        self._starts = joined.starts
        self._lengths = np.array([len(source) for source in sources])
        self._order = Interleaving(self.weights)
        if length is not None and not is_size(length):
            raise DataError(Problem("length", "a positive number of rows", shown(length)))
        self._length = self._order.fewest(self._lengths.tolist()) if length is None else int(length)
        self._cache: dict[str, Values] = {}

    def __len__(self) -> int:
        return self._length

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        return rows

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        return self._source.coded(self._rows(ids))

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


class Interleaving:
    """Computes which sequence is at a position, and how often it occurred before.

    Sequences are joined in pairs, the two lightest first. A pair divides its positions evenly, so the position in each
    member is a formula. The rounding of a pair reaches its members in proportion to their share. As the lightest are
    joined first, a pair has at most two thirds of the weight of the next, so all roundings add up to less than two
    positions.

    Args:
        weights: one positive number per sequence; only their ratio counts.

    >>> which, before = Interleaving([2, 1]).at(np.arange(6))
    >>> which.tolist(), before.tolist()
    ([0, 1, 0, 0, 1, 0], [0, 0, 1, 2, 1, 3])
    """

    def __init__(self, weights: Sequence[float]) -> None:
        nodes: list[tuple[float, int, Any]] = [(w, -number, number) for number, w in enumerate(weights)]
        while len(nodes) > 1:
            nodes.sort(key=lambda node: node[:2])  # ties keep the given order
            (light, _, right), (heavy, first, left) = nodes[:2]
            nodes[:2] = [(light + heavy, first, (heavy / (light + heavy), left, right))]
        self._count = len(weights)
        self._tree = nodes[0][2]

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sequence at each of the positions ``(n,)``, and how often it occurs before: two int64 arrays."""
        which, before = np.empty((2, len(places)), np.int64)
        todo: list[tuple[Any, np.ndarray, np.ndarray]] = [
            (self._tree, np.arange(len(places)), np.asarray(places, np.int64))
        ]
        while todo:
            node, where, at = todo.pop()
            if isinstance(node, int):
                which[where], before[where] = node, at
                continue
            share, left, right = node
            lefts = _appearances(at, share)
            here = _appearances(at + 1, share) > lefts
            todo.append((left, where[here], lefts[here]))
            todo.append((right, where[~here], (at - lefts)[~here]))
        return which, before

    def counts(self, length: int) -> list[int]:
        """Return how often each sequence occurs in the first positions."""
        counts = [0] * self._count
        todo: list[tuple[Any, int]] = [(self._tree, length)]
        while todo:
            node, count = todo.pop()
            if isinstance(node, int):
                counts[node] = count
                continue
            share, left, right = node
            lefts = int(_appearances(np.array(count), share))
            todo += [(left, lefts), (right, count - lefts)]
        return counts

    def fewest(self, counts: Sequence[int]) -> int:
        """Return the fewest positions in which each sequence occurs as often as given."""
        low, high = 0, max(counts)
        while not self._reached(high, counts):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._reached(middle, counts) else (middle, high)
        return high

    def _reached(self, length: int, counts: Sequence[int]) -> bool:
        return all(n >= count for n, count in zip(self.counts(length), counts, strict=True))


def _appearances(places: np.ndarray, share: float) -> np.ndarray:
    """Return how often a sequence with this share occurs in the first ``places``, off by at most a half."""
    return np.floor(places * share + 0.5).astype(np.int64)
