"""The base class of sources, and the views that every source has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from typing import Any, Self, overload

import numpy as np

from polyhead.columns.values import Coded, Values, plain_rows, take
from polyhead.errors import DataError, Problem, as_list, counted, listed, place, shown, similar
from polyhead.kinds.source_column import About, Origins
from polyhead.sources.read_errors import explain_errors

_INNER = {"about", "coded", "first_rows", "origins", "pandas_index", "sequential"}
"""Attributes for the library's own use, hidden from ``dir``."""


class Source(ABC):
    """Rows of named columns. A subclass needs only ``__len__`` and ``read``.

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
    """Whether rows can be read in one order only, as from a generator; a feed can't shuffle them then."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Make errors in a user's ``read`` name the row."""
        super().__init_subclass__(**options)
        read = cls.__dict__.get("read")
        if read is not None and not cls.__module__.startswith("polyhead."):
            cls.read = explain_errors(read)  # type: ignore[method-assign]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, ids: np.ndarray) -> dict[str, Values]:
        """Read the rows at ``ids``.

        Args:
            ids: int64 ``(n,)``, each in ``[0, len(self))``, in any order, repeats allowed. The library's own sources
                also take a list, a range, a slice or booleans, like `select`.

        Returns:
            The values of each column, one entry per row, in the order of ``ids``: an array ``(n, ...)`` or a list. If
            ``read`` returns the first row of a label column as an array of integers or booleans, no label of that
            column may be missing.

        Raises:
            DataError: from the library's own sources, if an id is out of range.
        """

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        """Like `read`, for ids known to be valid; the library's own sources return repeated text as codes."""
        return self.read(ids.copy())  # which a user's read may change, as by ids += 1

    # A source may override these ------------------------------------------------------------------

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; by default those of the first row."""
        if len(self) == 0:
            return ()
        return tuple(checked_rows(self, np.zeros(1, np.int64)))

    def column(self, name: str) -> Values | None:
        """Return the whole column if it is in memory already, else None. Never reads from disk."""
        return None

    def about(self, name: str) -> About:
        """Return what is known of a column besides its values, such as the order of its classes.

        Raises:
            DataError: if the rows come from sources that contradict each other.
        """
        return About()

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        """Return what the images of a column were before they were stored; None if no row comes from a store.

        For empty ``ids`` it describes all rows: whether any store keeps the originals, and whether any does not.
        """
        return None

    def pandas_index(self, ids: np.ndarray) -> Any:
        """Return the index that rows have in the pandas frame they come from; None if that only counts them."""
        return None

    def only(self, columns: Sequence[str]) -> Source:
        """Return the same rows with these columns only, so that the others need not be read."""
        from polyhead.sources.some_columns import SomeColumns

        self._require(columns)
        return SomeColumns(self, tuple(columns))

    # Views ---------------------------------------------------------------------------------------

    def select(self, rows: Any) -> Source:
        """Select some of the rows.

        Args:
            rows: row numbers (any order, repeats allowed), a boolean array of ``len(self)``, a slice, or a
                function that gets all columns (``{name: values}``) and returns one of these.

        Raises:
            DataError: if a row number is out of range, or a boolean array has another length.

        >>> Squares = type("Squares", (Source,), {"__len__": lambda s: 9, "read": lambda s, ids: {"x": ids}})
        >>> Squares().select(slice(0, 9, 4)).read(np.array([2, 1]))["x"].tolist()
        [8, 4]
        """
        from polyhead.sources.combining import Rows
        from polyhead.sources.selection import selected_rows

        return Rows(self, selected_rows(self, rows))

    def head(self, n: int = 5) -> Source:
        """Select the first ``n`` rows, or all but the last ``-n``.

        >>> import polyhead as ph
        >>> ph.read_table({"x": np.arange(9)}).head(2).read([1, 0])["x"].tolist()
        [1, 0]
        """
        return self.select(slice(0, n))

    def with_column(self, name: str, values: Any) -> Source:
        """Add a column, or replace the one of this name.

        Args:
            name: the name of the column.
            values: one entry per row, in any form of a column that `Feed` takes; or a function that gets all columns
                (``{name: values}``) and returns them. It is called once, here, so it can't compute more than fits into
                memory; a column is read when the function uses it.

        Raises:
            DataError: there is not one entry per row.

        >>> import polyhead as ph
        >>> rows = ph.read_table({"box": [[[0, 0, 2, 2]], []]})
        >>> rows = rows.with_column("any", lambda columns: [len(boxes) > 0 for boxes in columns["box"]])
        >>> rows.read([1, 0])["any"].tolist()
        [False, True]
        """
        from polyhead.sources.with_column import with_column

        return with_column(self, name, values)

    def to_pandas(self) -> Any:
        """Read all rows into a pandas ``DataFrame``, which a feed takes as well; `head` limits it to some.

        Columns are as in `read`: a column of arrays holds an array in each row, and images in files are paths. Its
        index is that of the frame which the rows come from, otherwise the ids of the rows.

        Raises:
            PolyheadError: without pandas.

        >>> import polyhead as ph
        >>> ph.read_table({"x": [3, 5, 4], "kind": ["a", "b", "c"]}).select([2, 0]).to_pandas()
           x kind
        2  4    c
        0  3    a
        """
        from polyhead.sources.pandas_frame import frame_of

        return frame_of(self)

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the ids that reports use for rows: the row numbers in the source that they were selected from.

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
        """Split the rows into disjoint parts at random; the same seed always gives the same parts.

        Args:
            fractions: shares that sum to 1, such as ``(0.8, 0.2)`` or ``{"train": 0.8, "val": 0.2}``. If they sum to
                less, the remaining rows are left out.
            stratify: one or several columns whose values get the same distribution in each part, individually and in
                combination. A missing label counts as a separate value; numbers and times with many distinct values
                are binned at their quantiles first. Of lists of names, and of 0 and 1 for each label, every label is
                balanced; of other arrays, such as boxes, only whether they are present.
            group: a column; rows with the same value (one patient) stay in one part.
            seed: an integer.

        Returns:
            Sources in the order of the fractions, or a dict if fractions is a dict.

        Raises:
            DataError: if a fraction is not in (0, 1], the sum is above 1, or a part would be empty.

        >>> Squares = type("Squares", (Source,), {"__len__": lambda s: 9, "read": lambda s, ids: {"x": ids}})
        >>> [len(part) for part in Squares().split((2 / 3, 1 / 3), seed=1)]
        [6, 3]
        """
        from polyhead.sources.splitting import split

        return split(self, fractions, stratify=stratify, group=group, seed=seed)

    def concat(self, *others: Source, join: str = "exact") -> Source:
        """Join the rows of this source and the others, end to end.

        Images keep their scale: uint8 and float images can be joined, and each is read as what it is.

        Args:
            others: the other sources.
            join: for sources with different columns: ``"exact"`` refuses them, ``"outer"`` takes all columns, with
                missing values (NaN for numbers, else None) in the rows of a source that lacks one, ``"inner"`` takes
                the columns that all sources have.

        Raises:
            DataError: if the sources have different columns and ``join`` is ``"exact"``.
            ContractError: for another ``join``.

        >>> import polyhead as ph
        >>> one, two = ph.read_table({"x": [1, 2], "sold": [1, 0]}), ph.read_table({"x": [3]})
        >>> one.concat(two, join="outer").read(np.arange(3))["sold"].tolist()
        [1.0, 0.0, nan]
        """
        from polyhead.sources.combining import Concat

        return Concat((self, *others), join)

    def mix(
        self, *others: Source, weights: Sequence[float], length: int | None = None, join: str = "exact"
    ) -> Source:
        """Interleave the rows of several sources evenly, in fixed proportions.

        A source that is too short for its share starts again at its first row.

        Args:
            others: the other sources.
            weights: one positive number per source, this one first; only their ratio counts.
            length: rows in the mixture; by default as many as include every row of every source.
            join: as for `concat`.

        Raises:
            DataError: if weights are not positive or not one per source, or columns differ.
            ContractError: for another ``join``.
        """
        from polyhead.sources.combining import Mix

        return Mix((self, *others), weights, length, join)

    def _require(self, columns: Sequence[str]) -> None:
        names_in(columns, "only(columns)")
        if isinstance(columns, str):
            fix = f"Say only([{columns!r}])."
            raise DataError(Problem("only(columns)", "a list of names", shown(columns), fix))
        names = self.columns  # may cost a read
        available = set(names)
        if missing := [c for c in columns if c not in available]:
            expected = f"a column of the data ({listed(names) or 'it has none'})"
            found = "no such column"
            raise DataError(*(Problem(place(column=n), expected, found, similar(n, names)) for n in missing))

    def __dir__(self) -> list[str]:
        """Hide the attributes for the library's own use."""
        return [name for name in super().__dir__() if name not in _INNER]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({counted(len(self), 'row')}: {', '.join(self.columns)})"


def leading_rows(source: Source, name: str, rows: int) -> Values:
    """Return the first rows of one column, from memory if possible."""
    ids = np.arange(min(rows, len(source)), dtype=np.int64)
    whole = source.column(name)
    return take(whole, ids) if whole is not None else source.only([name]).coded(ids)[name]


def row_of(source: Source, index: int | None, ids: np.ndarray | None = None) -> int | None:
    """Return the id that reports use for a row.

    Args:
        index: the position of the row, None for no row.
        ids: the row numbers that it indexes, int64 ``(B,)``; None for all.
    """
    if index is None:
        return None
    return int(source.ids_of(np.array([index if ids is None else ids[index]], np.int64))[0])


def names_in(value: Any, where: str) -> list[str]:
    """Return one name, or several in any collection, as a list; raise a `DataError` for anything else."""
    if isinstance(value, str):
        return [value]
    names = list(value) if isinstance(value, (dict, Set, Iterator)) else as_list(value)
    if names is None or not all(isinstance(name, Hashable) for name in names):
        raise DataError(Problem(where, "a name, or a list of names", shown(value)))
    return names


class OwnSource(Source):
    """Base of the library's own sources: the library calls `coded`, users call `read`.

    >>> import polyhead as ph
    >>> rows = ph.read_table({"x": np.arange(4) * 10})
    >>> rows.read([3, 0])["x"].tolist(), rows.read(range(2))["x"].tolist()
    ([30, 0], [0, 10])
    """

    def __copy__(self) -> Self:
        """Copy shallowly: a view shares everything, while pickle reopens files."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        return view

    @abstractmethod
    def coded(self, ids: np.ndarray) -> dict[str, Values]: ...

    def first_rows(self, name: str, rows: int = 32) -> Values:
        """Return the first rows of one column."""
        return leading_rows(self, name, rows)

    def mapped(self, name: str) -> np.ndarray | None:
        """Return the whole column if it is a memory map, else None."""
        return None

    def read(self, ids: Any) -> dict[str, Values]:
        from polyhead.sources.selection import row_numbers

        rows = self.coded(row_numbers(self, ids, "read(ids)"))
        return {name: v.values().tolist() if isinstance(v, Coded) else v for name, v in rows.items()}


def columns_of(source: Source, rows: dict[str, Values], names: Sequence[str]) -> dict[str, Values]:
    """Return some columns of rows; raise a `DataError` if this call of ``read`` did not return one."""
    for name in names:
        if name not in rows:
            where = f"{type(source).__name__}.read, column `{name}`"
            raise DataError(Problem(where, "the same columns in every call", "no such column this time"))
    return {name: rows[name] for name in names}


def checked_rows(source: Source, ids: np.ndarray) -> dict[str, Values]:
    """Read rows, as `Source.coded` does; raise a `DataError` unless each column has one entry per row."""
    rows: Any = source.coded(ids)
    where, count = f"{type(source).__name__}.read", len(ids)
    if not isinstance(rows, Mapping):
        fix = "Return {name: frame[name].to_list() for name in frame.columns}." * hasattr(rows, "columns")
        raise DataError(Problem(where, "a dict of columns", shown(type(rows).__name__), fix))
    for name, values in rows.items():
        if not isinstance(name, str):
            raise DataError(Problem(where, "strings as names of columns", shown(name)))
        at = f"{where}, column `{name}`"
        if not isinstance(values, (np.ndarray, list, Coded)):
            fix = "Return series.to_list()." * hasattr(values, "to_list")
            raise DataError(Problem(at, "an array or a list", shown(type(values).__name__), fix))
        single = isinstance(values, np.ndarray) and not values.ndim
        if single or len(values) != count:
            found = "a single value" if single else str(len(values))
            expected = f"{counted(count, 'entry', 'entries')} for {counted(count, 'id')}"
            raise DataError(Problem(at, expected, found))
    return {name: plain_rows(values, f"{where}, column `{name}`") for name, values in rows.items()}
