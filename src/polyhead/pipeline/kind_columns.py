"""The columns of one input or head, as its kind sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from polyhead.columns.values import Values, take
from polyhead.errors import BadValue, DataError, Problem, hints, listed, place, shown, similar
from polyhead.kinds import Head, Input
from polyhead.kinds.kind import Kind
from polyhead.kinds.missing import conversion_fix
from polyhead.kinds.source_column import About
from polyhead.pipeline.faults import NAMED, every_wrong_row, file_at
from polyhead.progress import shown_while
from polyhead.sources.scanning import first_rows, pieces, scan
from polyhead.sources.source import Source, row_of


class KindColumns:
    """One or several columns of a source; several are read side by side.

    Args:
        source: where they are.
        names: the columns.
        asked: gives for ids of rows which of them count, bool ``(B,)``; None where all do.
    """

    def __init__(
        self,
        source: Source,
        names: tuple[str, ...],
        asked: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self._source, self._names, self._asked = source, names, asked

    def probe(self) -> Any:
        """The first rows."""
        return as_one_column({name: first_rows(self._source, name) for name in self._names})

    def scan(self) -> Iterator[Any]:
        """All rows, in pieces."""
        if len(self._names) == 1:
            yield from (values for _, values in scan(self._source, self._names[0]))
        else:
            yield from (values for _, values in self._pieces())

    def counting(self) -> Iterator[Any]:
        """All rows that count, in pieces."""
        if self._asked is None:
            yield from self.scan()
            return
        for ids, values in self._pieces():
            yield take(values, np.flatnonzero(self._asked(ids)))

    def _pieces(self) -> Iterator[tuple[np.ndarray, Any]]:
        only = self._source.only(self._names)

        def read() -> Iterator[tuple[Any, np.ndarray]]:
            for ids in pieces(only, self._names):
                rows = only.coded(ids)
                yield as_one_column({name: rows[name] for name in self._names}), ids

        word = f"reading {', '.join(self._names)[:40]}"
        for values, ids in shown_while(word, read(), len(only)):
            yield ids, values

    def about(self) -> About:
        """What the source says of a single column."""
        return self._source.about(self._names[0]) if len(self._names) == 1 else About()


class BatchRows(dict[str, Any]):
    """Columns as read. A column in memory is gathered when it is asked for and not kept, as it is used at once."""

    __slots__ = ("ids", "whole")
    whole: Mapping[str, Values]
    ids: np.ndarray

    def __missing__(self, name: str) -> Values:
        return take(self.whole[name], self.ids)

    def some(self, places: np.ndarray) -> BatchRows:
        """Some of these rows."""
        found = BatchRows({name: take(values, places) for name, values in self.items()})
        found.whole, found.ids = self.whole, self.ids[places]
        return found


class Some:
    """Some entries of a column, as `KindColumns` has all of them."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def probe(self) -> Any:
        """All of them."""
        return self._values

    def scan(self) -> Iterator[Any]:
        """All of them."""
        yield self._values

    counting = scan

    def about(self) -> About:
        """Nothing: a kind was told before."""
        return About()


def unresolved(source: Source, kind: Input | Head, name: str, bad: BadValue, column: Any = None) -> DataError:
    """The error of a column that a kind cannot be resolved by, with every row in which it is wrong.

    Args:
        source: where the column is.
        kind: as it was declared.
        name: of the input or head.
        bad: what it raised.
        column: the same rows as they were given, which may be files.
    """
    word, columns = "head" if isinstance(kind, Head) else "input", kind.columns(name)
    if bad.index is None or len(columns) > 1:
        return bad.located(**{word: name}, row=row_of(source, bad.index))
    whole = source.column(columns[0])
    values = first_rows(source, columns[0]) if whole is None else whole

    def located(bad: BadValue, index: int | None) -> DataError:
        return bad.located(**{word: name}, row=row_of(source, index), file=file_at(column, index))

    ids = source.ids_of(np.arange(len(values), dtype=np.int64))
    found = every_wrong_row(lambda at: kind.resolve(Some(take(values, at))), ids, located)
    # a few rows alone may be refused for another reason
    same = [p for p in found.problems if p.expected == bad.expected and p.rows]
    if not any(row_of(source, bad.index) in p.rows for p in same):
        same = list(located(bad, bad.index).problems)
    same.sort(key=lambda one: len(one.rows))  # a column is text because of the few that are no numbers
    known = {row for p in same for row in p.rows}
    refused = known.union(*(p.rows for p in found.problems))
    like = _resolved_by_right_rows(kind, values, np.flatnonzero([row not in refused for row in ids.tolist()]))
    if like is None:
        return DataError(*same)
    others = every_wrong_row(lambda at: like.encode(take(values, at)), ids, located)
    return DataError(*same, *(p for p in others.problems if p.rows and not known.intersection(p.rows)))


def _resolved_by_right_rows(kind: Input | Head, values: Any, at: np.ndarray) -> Input | Head | None:
    """A kind as the rows of a column that are right resolve it, None where none or too many others are left.

    Args:
        kind: as it was declared.
        values: the column.
        at: the places of the rows that may be right.
    """
    for _ in range(NAMED):
        if not len(at):
            return None
        try:
            return kind.resolve(Some(take(values, at)))
        except BadValue as bad:
            if bad.index is None:
                return None
            at = np.delete(at, bad.index)
    return None


def as_one_column(columns: Mapping[str, Any]) -> Any:
    """One column as it is; several of numbers side by side, ``(B, n)``.

    >>> as_one_column({"a": np.array([1, 2]), "b": np.array([0.5, 1.5])}).tolist()
    [[1.0, 0.5], [2.0, 1.5]]
    """
    if len(columns) == 1:
        return next(iter(columns.values()))
    parts = []
    for name, values in columns.items():
        array = given = values.values() if hasattr(values, "codes") else values
        if not isinstance(array, np.ndarray) or array.dtype == object:
            array = np.asarray([np.nan if v is None else v for v in array])
        if array.dtype.kind not in "iufb":
            row = next((i for i, value in enumerate(given) if not _may_be_number(value)), 0)
            words = (
                'Turn words into numbers, or give them an input of their own, ph.Array(vocabulary="auto").'
            )
            fix = conversion_fix(given[row]) or words
            raise BadValue(row, f"numbers in column `{name}`", shown(given[row]), fix)
        parts.append(array.reshape(len(array), -1))
    kind = np.result_type(*(p.dtype for p in parts))
    return np.concatenate(parts, axis=1, dtype=np.int32 if kind.kind == "b" else kind)


def _may_be_number(value: Any) -> bool:
    return value is None or np.asarray(value).dtype.kind in "iufb"


def absent_columns(source: Source, inputs: Mapping[str, Input], heads: Mapping[str, Head]) -> list[Problem]:
    """A problem for each column that is declared and does not exist."""
    columns = source.columns
    there = set(columns)
    index = getattr(source.pandas_index(np.zeros(0, np.int64)), "names", ())
    problems = []
    for word, kinds in (("input", inputs), ("head", heads)):
        for name, used in kinds.items():
            kind = used.inner  # the column of boxes is told by the head of the boxes
            for column in kind.reads(name) if isinstance(kind, Head) else kind.columns(name):
                if column in there:
                    continue
                fix = f'Say {type(kind).__name__}({_argument(kind, name, column)}="...") for a column of another name.'
                near = similar(column, columns)
                if column in index:
                    near, fix = "", "It is the index: give frame.reset_index()."
                expected = f"a column `{column}` among {listed(columns) or 'none'}"
                where = place(input=name) if word == "input" else place(head=name)
                problems.append(Problem(where, expected, "no such column", hints(near, fix)))
    return problems


def _argument(kind: Kind, name: str, column: str) -> str:
    return "column" if column in kind.columns(name) or not isinstance(kind, Head) else "sample_weight"
