"""The columns that a kind reads while it is resolved and while it encodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from polyhead.columns.values import Values, take
from polyhead.errors import BadValue, DataError, Problem, hints, listed, place, shown, similar
from polyhead.kinds import Head, Input
from polyhead.kinds.kind import Kind
from polyhead.kinds.missing import is_dense, is_missing, plain
from polyhead.kinds.source_column import About
from polyhead.kinds.value_advice import conversion_fix, leaving_gaps
from polyhead.pipeline.faults import NAMED, every_wrong_row, file_at
from polyhead.progress import shown_while
from polyhead.sources.scanning import first_of_several, first_rows, pieces, scan
from polyhead.sources.source import Source, row_of


class KindColumns:
    """The values of one or several columns of a source; several are joined along the last axis.

    Args:
        counts: returns which rows of some ids count, bool ``(B,)``; None if all do.
    """

    def __init__(
        self, source: Source, names: tuple[str, ...], counts: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        self._source, self._names, self._counts = source, names, counts
        self._probe: Any = None

    def probe(self) -> Any:
        """The first rows, read once."""
        if self._probe is None:
            self._probe = as_one_column(first_of_several(self._source, self._names))
        return self._probe

    def scan(self) -> Iterator[Any]:
        """All rows, in pieces."""
        if len(self._names) == 1:
            yield from (values for _, values in scan(self._source, self._names[0]))
        else:
            yield from (values for _, values in self._pieces())

    def counting(self) -> Iterator[Any]:
        """All rows that count, in pieces."""
        if self._counts is None:
            yield from self.scan()
            return
        for ids, values in self._pieces():
            yield take(values, np.flatnonzero(self._counts(ids)))

    def _pieces(self) -> Iterator[tuple[np.ndarray, Any]]:
        only = self._source.only(self._names)

        def read() -> Iterator[tuple[np.ndarray, Any]]:
            for ids in pieces(only, self._names):
                rows = only.coded(ids)
                yield ids, as_one_column({name: rows[name] for name in self._names})

        return shown_while(f"reading {', '.join(self._names)[:40]}", read(), len(only))

    def about(self) -> About:
        """The facts that the source knows of the column; none for several columns."""
        return self._source.about(self._names[0]) if len(self._names) == 1 else About()


class BatchRows(dict[str, Any]):
    """The columns of some rows. Those in memory are gathered at each access and not kept, as each is used only once.

    Args:
        read: the columns that were read.
        whole: the columns in memory.
        ids: the rows, int64 ``(B,)``.
    """

    __slots__ = ("_ids", "_whole")

    def __init__(self, read: Mapping[str, Values], whole: Mapping[str, Values], ids: np.ndarray) -> None:
        super().__init__(read)
        self._whole, self._ids = whole, ids

    def __missing__(self, name: str) -> Values:
        return take(self._whole[name], self._ids)

    def some(self, positions: np.ndarray) -> BatchRows:
        """Return the rows at some positions."""
        read = {name: take(values, positions) for name, values in self.items()}
        return BatchRows(read, self._whole, self._ids[positions])


class Some:
    """Some entries of a column, with the interface of `KindColumns`."""

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
        """Nothing, as the kind already knows it."""
        return About()


def resolve_error(
    source: Source, kind: Input | Head, name: str, bad: BadValue, column: Any = None
) -> DataError:
    """Return the error of a column that a kind rejects, naming all wrong rows.

    Args:
        column: the first rows as given, which may be paths of files.
    """
    word, columns = "head" if isinstance(kind, Head) else "input", kind.columns(name)
    if bad.index is None or len(columns) > 1:
        return bad.located(**{word: name}, row=row_of(source, bad.index))
    whole = source.column(columns[0])
    values = first_rows(source, columns[0]) if whole is None else whole

    gaps = not is_dense(values) and any(map(is_missing, plain(values)))

    def located(bad: BadValue, index: int | None) -> DataError:
        bad.fix = leaving_gaps(bad.fix) if gaps else bad.fix
        return bad.located(**{word: name}, row=row_of(source, index), file=file_at(column, index))

    ids = source.ids_of(np.arange(len(values), dtype=np.int64))
    error = every_wrong_row(lambda at: kind.resolve(Some(take(values, at))), ids, located)
    # single rows may be rejected for another reason than the whole column
    same = [p for p in error.problems if p.expected == bad.expected and p.rows]
    if not any(row_of(source, bad.index) in p.rows for p in same):
        same = list(located(bad, bad.index).problems)
    # a few rows of text turn a numeric column into text: list them first
    same.sort(key=lambda p: len(p.rows))
    listed_rows = {row for p in same for row in p.rows}
    refused = listed_rows.union(*(p.rows for p in error.problems))
    valid = np.flatnonzero([row not in refused for row in ids.tolist()])
    resolved = _resolved_by_valid_rows(kind, values, valid)
    if resolved is None:
        return DataError(*same)
    others = every_wrong_row(lambda at: resolved.encode(take(values, at)), ids, located)
    return DataError(*same, *(p for p in others.problems if p.rows and not listed_rows.intersection(p.rows)))


def _resolved_by_valid_rows(kind: Input | Head, values: Any, at: np.ndarray) -> Input | Head | None:
    """Resolve a kind with only the valid rows of a column; None if there are no valid or too many invalid ones.

    Args:
        at: the positions of rows that may be valid.
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
    """Return a single column unchanged; join several numeric ones along the last axis, ``(B, n)``.

    >>> as_one_column({"a": np.array([1, 2]), "b": np.array([0.5, 1.5])}).tolist()
    [[1.0, 0.5], [2.0, 1.5]]
    """
    if len(columns) == 1:
        return next(iter(columns.values()))
    arrays = []
    for name, values in columns.items():
        array = raw = values.values() if hasattr(values, "codes") else values
        if not isinstance(array, np.ndarray) or array.dtype == object:
            array = np.asarray([_unmarked(value) for value in array])
        if array.dtype.kind not in "iufb":
            kinds = (np.asarray(_unmarked(value)).dtype.kind for value in raw)
            row = next((i for i, kind in enumerate(kinds) if kind not in "iufb"), 0)
            fix = conversion_fix(raw[row]) or _WORDS
            raise BadValue(row, f"numbers in column `{name}`", shown(raw[row]), fix)
        arrays.append(array.reshape(len(array), -1))
    dtype = np.result_type(*(array.dtype for array in arrays))
    return np.concatenate(arrays, axis=1, dtype=np.int32 if dtype.kind == "b" else dtype)


_WORDS = (
    'For words, give each column an input, ph.Array(vocabulary="auto"), or a head of its own; for ph.MultiLabel, put '
    "the labels of a row into one list."
)


def _unmarked(value: Any) -> Any:
    return np.nan if is_missing(value) else float(value) if isinstance(value, Decimal) else value


def absent_columns(
    source: Source, inputs: Mapping[str, Input], heads: Mapping[str, Head], trained: bool = False
) -> list[Problem]:
    """Return a problem for each declared column that the source does not have.

    Args:
        trained: whether the names are those of a trained model, so that only the data can change.
    """
    columns = source.columns
    available = set(columns)
    problems = []
    is_labeled = any(column in available for name, head in heads.items() for column in head.inner.reads(name))
    for word, kinds in (("input", inputs), ("head", heads)):
        for name, used in kinds.items():
            kind = used.inner  # the head of the boxes itself reports a missing column of boxes
            for column in kind.reads(name):
                if column in available:
                    continue
                fix = f'Say {type(kind).__name__}({_argument(kind, name, column)}="...") for a column of another name.'
                if trained:
                    fix = (
                        f"The model was trained with this name: rename the column of the data to `{column}`."
                    )
                near = similar(column, columns)
                if word == "head" and not near and not is_labeled:
                    fix += " Rows without labels can only be predicted: ph.predict(model, data)."
                if column in getattr(source.pandas_index(np.zeros(0, np.int64)), "names", ()):
                    near, fix = "", "It is the index: give frame.reset_index()."
                expected = f"a column `{column}` among {listed(columns) or 'none'}"
                where = place(input=name) if word == "input" else place(head=name)
                problems.append(Problem(where, expected, "no such column", hints(near, fix)))
    return problems


def _argument(kind: Kind, name: str, column: str) -> str:
    return "column" if column in kind.columns(name) or not isinstance(kind, Head) else "sample_weight"
