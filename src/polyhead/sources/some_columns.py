"""Some of the columns of a source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polyhead.columns.values import Values
from polyhead.sources.derived import DerivedSource
from polyhead.sources.source import OwnSource, Source, checked_rows, columns_of


class SomeColumns(DerivedSource):
    """A source with some of its columns."""

    def __init__(self, source: Source, columns: tuple[str, ...]) -> None:
        super().__init__(source)
        self._names = columns

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    def column(self, name: str) -> Values | None:
        self._require([name])
        return self._source.column(name)

    def only(self, columns: Sequence[str]) -> Source:
        self._require(columns)
        return self._source.only(columns)

    def first_rows(self, name: str, rows: int = 32) -> Values:
        self._require([name])
        if isinstance(self._source, OwnSource):  # which may leave out rows that cannot be read
            return self._source.first_rows(name, rows)
        return super().first_rows(name, rows)

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        return columns_of(self._source, checked_rows(self._source, ids), self._names)
