"""What a source of rows is, and the views that every source has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, overload

import numpy as np

from polyhead.columns.values import Coded, Values, take, unmasked
from polyhead.errors import DataError, Problem, as_list, listed, place, shown, similar
from polyhead.kinds.source_column import About
from polyhead.sources.read_errors import explained

_INNER = {"about", "coded", "first_rows", "sequential"}
"""The attributes by which the library alone reads a source."""


class Source(ABC):
    """Rows of named columns. Subclass it with ``__len__`` and ``read``; the rest follows.

    ``read`` must be a pure function of its ids and safe to call from several threads at once.

    >>> class Squares(Source):
    ...     def __len__(self):
    ...         return 100
    ...     def read(self, ids):
    ...         return {"x": ids, "y": ids**2}
    >>> squares = Squares()
    >>> squares.read(np.array([3, 1]))["y"].tolist()
    [9, 1]
    >>> squares.columns
    ('x', 'y')
    """

    sequential: bool = False
    """Rows come in one order alone, as from a generator: no feed shuffles them, and one thread reads them."""

    def __init_subclass__(cls, **options: Any) -> None:
        """What ``read`` of a user's class raises is told with its row."""
        super().__init_subclass__(**options)
        own = cls.__dict__.get("read")
        if own is not None and not cls.__module__.startswith("polyhead."):
            cls.read = explained(own)  # type: ignore[method-assign]

    @abstractmethod
    def __len__(self) -> int:
        """The number of rows."""

    @abstractmethod
    def read(self, ids: np.ndarray) -> dict[str, Values]:
        """The rows at ``ids``.

        Args:
            ids: int64 ``(n,)``, each in ``[0, len(self))``, in any order, repeats allowed. Sources of polyhead's own
                take a list, a range, a slice or booleans as well, as `select` does.

        Returns:
            For each column its values, one entry a row, in the order asked: an array ``(n, ...)`` or a list.

        Raises:
            DataError: a source of polyhead's own, for an id that is no row.
        """

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        """As `read`, for ids that are known to be right; a source of polyhead's own leaves repeated words as codes."""
        return self.read(ids)

    # What a source may know better than the default does -----------------------------------------

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; by default those of the first row."""
        if len(self) == 0:
            return ()
        return tuple(checked_rows(self, self.coded(np.zeros(1, np.int64)), 1))

    def column(self, name: str) -> Values | None:
        """The whole column if it is in memory already, else None. Never reads from a disk."""
        return None

    def about(self, name: str) -> About:
        """What is known of a column beside its values, such as the order of its classes; by default nothing.

        Raises:
            DataError: where the rows come from sources that contradict each other.
        """
        return About()

    def only(self, columns: Sequence[str]) -> Source:
        """The same rows with these columns alone, so that the others need not be read."""
        self._require(columns)
        return _Columns(self, tuple(columns))

    # Views ---------------------------------------------------------------------------------------

    def select(self, rows: Any) -> Source:
        """Some of the rows.

        Args:
            rows: row numbers (any order, repeats allowed), a boolean array of ``len(self)``, a slice, or a
                function that gets all columns (``{name: values}``) and returns either.

        Raises:
            DataError: for a row number outside, or a boolean array of another length.

        >>> Squares = type("Squares", (Source,), {"__len__": lambda s: 9, "read": lambda s, ids: {"x": ids}})
        >>> Squares().select(slice(0, 9, 4)).read(np.array([2, 1]))["x"].tolist()
        [8, 4]
        """
        from polyhead.sources.combining import Rows, row_numbers

        return Rows(self, row_numbers(self, rows))

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        """The ids by which rows are told: those in the source that they were selected from.

        Args:
            rows: row numbers of this source, int64 ``(n,)``.

        >>> Squares = type("Squares", (Source,), {"__len__": lambda s: 9, "read": lambda s, ids: {"x": ids}})
        >>> Squares().select([5, 7]).ids_of(np.array([1, 0])).tolist()
        [7, 5]
        """
        return rows

    @overload
    def split(
        self, fractions: Mapping[str, float], *, stratify: Any = ..., group: Any = ..., seed: int = ...
    ) -> dict[str, Source]: ...
    @overload
    def split(
        self, fractions: Sequence[float], *, stratify: Any = ..., group: Any = ..., seed: int = ...
    ) -> tuple[Source, ...]: ...
    def split(
        self,
        fractions: Mapping[str, float] | Sequence[float],
        *,
        stratify: str | Sequence[str] | None = None,
        group: str | None = None,
        seed: int = 0,
    ) -> dict[str, Source] | tuple[Source, ...]:
        """Cut the rows into disjoint parts, at random but always alike for one seed.

        Args:
            fractions: shares that sum to 1, as ``(0.8, 0.2)`` or ``{"train": 0.8, "val": 0.2}``. Where they
                sum to less, the rest of the rows is left out.
            stratify: a column or several; each part gets the same mix of their values, of all columns at
                once. A missing label counts as a value of its own; numbers with many distinct values are
                cut at their quantiles first.
            group: a column; rows of one value (one patient) never stand in two parts.
            seed: another seed, another cut.

        Returns:
            Sources in the order of the fractions, or a dict where a dict was given.

        Raises:
            DataError: a fraction that is not in (0, 1], a sum above 1, or a part that would be empty.

        >>> Squares = type("Squares", (Source,), {"__len__": lambda s: 9, "read": lambda s, ids: {"x": ids}})
        >>> [len(part) for part in Squares().split((2 / 3, 1 / 3), seed=1)]
        [6, 3]
        """
        from polyhead.sources.splitting import split

        return split(self, fractions, stratify=stratify, group=group, seed=seed)

    def concat(self, *others: Source, join: str = "exact") -> Source:
        """The rows of this source, then those of the others.

        Args:
            others: the other sources.
            join: of sources with different columns. ``"exact"`` refuses them. ``"outer"`` takes all columns, and a
                label that a source lacks is missing in its rows: NaN where the column holds numbers, else None.
                ``"inner"`` takes the columns that all sources have.

        Raises:
            DataError: where the sources do not have the same columns, and ``join`` is ``"exact"``.
            ContractError: for another ``join``.

        >>> import polyhead as ph
        >>> one, two = ph.read_table({"x": [1, 2], "sold": [1, 0]}), ph.read_table({"x": [3]})
        >>> one.concat(two, join="outer").read(np.arange(3))["sold"].tolist()
        [1.0, 0.0, nan]
        """
        from polyhead.sources.combining import Concat

        return Concat((self, *others), join)

    def mix(
        self,
        *others: Source,
        weights: Sequence[float],
        length: int | None = None,
        join: str = "exact",
    ) -> Source:
        """Rows of several sources in fixed proportions, evenly interleaved.

        A source that is too short for its share starts again from its first row.

        Args:
            others: the other sources.
            weights: one positive number a source, this one first; only their ratio counts.
            length: rows in the mixture; by default as many as give every row of every source at least once.
            join: as for `concat`.

        Raises:
            DataError: for weights that are not positive or not one a source, or other columns.
            ContractError: for another ``join``.
        """
        from polyhead.sources.combining import Mix

        return Mix((self, *others), weights, length, join)

    def _require(self, columns: Sequence[str]) -> None:
        names_in(columns, "only(columns)")
        known = self.columns  # may cost a read
        there = set(known)
        missing = [c for c in columns if c not in there]
        if missing:
            raise DataError(
                *(
                    Problem(
                        place(column=name),
                        f"a column of the data ({listed(known) or 'it has none'})",
                        "no such column",
                        similar(name, known),
                    )
                    for name in missing
                )
            )

    def __dir__(self) -> list[str]:
        """The names for users."""
        return [name for name in super().__dir__() if name not in _INNER]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} rows: {', '.join(self.columns)})"


def leading_rows(source: Source, name: str, rows: int) -> Values:
    """The first rows of one column, from memory or else read."""
    ids = np.arange(min(rows, len(source)), dtype=np.int64)
    whole = source.column(name)
    return take(whole, ids) if whole is not None else source.only([name]).coded(ids)[name]


def row_of(source: Source, index: int | None, ids: np.ndarray | None = None) -> int | None:
    """The id by which a row is told.

    Args:
        source: where it is.
        index: its place, None for no row.
        ids: the rows among which it has this place, int64 ``(B,)``; None for all.
    """
    if index is None:
        return None
    return int(source.ids_of(np.array([index if ids is None else ids[index]], np.int64))[0])


def names_in(given: Any, what: str) -> list[str]:
    """The names that a user gives: one, or several in anything that holds them.

    Raises:
        DataError: for what is none.
    """
    if isinstance(given, str):
        return [given]
    found = list(given) if isinstance(given, (dict, Set, Iterator)) else as_list(given)
    if found is None:
        raise DataError(Problem(what, "a name, or a list of names", shown(given)))
    return found


class OwnSource(Source):
    """A source of polyhead's own: `coded` gives its rows to the library, `read` gives them to users.

    >>> import polyhead as ph
    >>> rows = ph.read_table({"x": np.arange(4) * 10})
    >>> rows.read([3, 0])["x"].tolist(), rows.read(range(2))["x"].tolist()
    ([30, 0], [0, 10])
    """

    @abstractmethod
    def coded(self, ids: np.ndarray) -> dict[str, Values]: ...

    def first_rows(self, name: str, rows: int = 32) -> Values:
        """The first rows of one column."""
        return leading_rows(self, name, rows)

    def mapped(self, name: str) -> np.ndarray | None:
        """The whole column where it is a memory map."""
        return None

    def read(self, ids: Any) -> dict[str, Values]:
        from polyhead.sources.combining import row_numbers

        rows = self.coded(row_numbers(self, ids, "read(ids)"))
        return {name: v.values().tolist() if isinstance(v, Coded) else v for name, v in rows.items()}


def mapped_column(source: Source, name: str) -> np.ndarray | None:
    """A whole column where it is a memory map, as an array that reads the file where it is indexed; else None."""
    return source.mapped(name) if isinstance(source, OwnSource) else None


class DerivedSource(OwnSource):
    """The rows of another source, in its order, with other columns."""

    _source: Source

    def __len__(self) -> int:
        return len(self._source)

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        return self._source.ids_of(rows)


class _Columns(DerivedSource):
    """A source with some of its columns."""

    def __init__(self, source: Source, columns: tuple[str, ...]) -> None:
        self._source, self._names = source, columns
        self.sequential = source.sequential

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    def column(self, name: str) -> Values | None:
        self._require([name])
        return self._source.column(name)

    def about(self, name: str) -> About:
        return self._source.about(name)

    def only(self, columns: Sequence[str]) -> Source:
        self._require(columns)
        return self._source.only(columns)

    def first_rows(self, name: str, rows: int = 32) -> Values:
        self._require([name])
        if isinstance(self._source, OwnSource):
            return self._source.first_rows(name, rows)
        return super().first_rows(name, rows)

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows = checked_rows(self._source, self._source.coded(ids), len(ids))
        for name in self._names:
            if name not in rows:
                where = f"{type(self._source).__name__}.read, column `{name}`"
                raise DataError(Problem(where, "the same columns for every ids", "no such column this time"))
        return {name: rows[name] for name in self._names}


def checked_rows(source: Source, rows: Any, count: int) -> dict[str, Values]:
    """What a user's ``read`` returned, if it is one entry a row for each column."""
    where = f"{type(source).__name__}.read"
    if not isinstance(rows, Mapping):
        raise DataError(Problem(where, "a dict of columns", shown(type(rows).__name__)))
    for name, values in rows.items():
        if not isinstance(name, str):
            raise DataError(Problem(where, "names of columns that are text", shown(name)))
        if not isinstance(values, (np.ndarray, list, Coded)):
            raise DataError(
                Problem(f"{where}, column `{name}`", "an array or a list", shown(type(values).__name__))
            )
        if isinstance(values, np.ndarray) and not values.ndim:
            raise DataError(
                Problem(f"{where}, column `{name}`", f"{count} entries for {count} ids", "a single value")
            )
        if len(values) != count:
            raise DataError(
                Problem(f"{where}, column `{name}`", f"{count} entries for {count} ids", str(len(values)))
            )
    return {n: unmasked(v) if isinstance(v, np.ma.MaskedArray) else v for n, v in rows.items()}
