"""A source with one column more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.columns.frames import index_of
from polyhead.columns.values import Values
from polyhead.errors import DataError, Problem, shown
from polyhead.kinds.source_column import About, Origins
from polyhead.sources.arrays import Arrays
from polyhead.sources.derived import DerivedSource
from polyhead.sources.scanning import first_rows, mapped_column
from polyhead.sources.selection import require_index, values_of_columns
from polyhead.sources.source import Source, checked_rows


def with_column(source: Source, name: Any, values: Any) -> Source:
    """Add a column to a source, or replace one; see `Source.with_column`."""
    where, count = "with_column(values)", len(source)
    if not isinstance(name, str):
        raise DataError(Problem("with_column(name)", "the name of a column", shown(name)))
    if callable(values):
        values = values_of_columns(source, values)
    expected = f"one entry for each of {count:,} rows"
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        fix = "Give an array or a list; for the same value in each row, [value] * len(source)."
        raise DataError(Problem(where, expected, shown(values), fix))
    require_index(
        where, source.pandas_index(np.arange(count)), index_of(values), "values.reindex(frame.index)"
    )
    column = Arrays({name: values})
    if len(column) != count:
        raise DataError(Problem(where, expected, f"{len(column):,}"))
    return WithColumn(source, name, column, tuple(dict.fromkeys((*source.columns, name))))


class WithColumn(DerivedSource):
    """The rows of a source, with one column from elsewhere."""

    def __init__(self, source: Source, name: str, column: Arrays, columns: tuple[str, ...]) -> None:
        super().__init__(source)
        self._name, self._column, self._names = name, column, columns
        others = [other for other in columns if other != name]
        self._others = source.only(others) if others else None

    def _holder(self, name: str) -> Source:
        """The source that holds a column."""
        self._require([name])
        return self._column if name == self._name or self._others is None else self._others

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    def column(self, name: str) -> Values | None:
        return self._holder(name).column(name)

    def mapped(self, name: str) -> np.ndarray | None:
        return mapped_column(self._holder(name), name)

    def first_rows(self, name: str, rows: int = 32) -> Values:
        return first_rows(self._holder(name), name, rows)

    def about(self, name: str) -> About:
        return self._holder(name).about(name)

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        return self._holder(name).origins(name, ids)

    def only(self, columns: Sequence[str]) -> Source:
        self._require(columns)
        if self._name not in columns:
            return self._source.only(columns)
        return WithColumn(self._source, self._name, self._column, tuple(columns))

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows = {} if self._others is None else checked_rows(self._others, ids)
        rows = {**rows, **self._column.coded(ids)}
        return {name: rows[name] for name in self._names}
