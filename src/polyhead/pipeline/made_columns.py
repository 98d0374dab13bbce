"""Sources of which some columns are made of others: what is decoded, resized or cached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.kinds.source_column import About
from polyhead.pipeline.bit_depth import warn_of_less
from polyhead.sources.source import DerivedSource, Source, checked_rows


class MadeColumns(DerivedSource):
    """The rows of a source with some columns made anew."""

    _warned = False

    @property
    def placed(self) -> tuple[str, ...]:
        """The columns that are not as they are in the source."""
        raise NotImplementedError

    def column(self, name: str) -> Values | None:
        return None if name in self.placed else self._source.column(name)

    def about(self, name: str) -> About:
        return self._source.about(name)

    def only(self, columns: Sequence[str]) -> Source:
        return super().only(columns) if set(columns) & set(self.placed) else self._source.only(columns)

    def _warn_of_less(self, column: str, row: int, bits: int) -> None:
        """Warn once that rows have more bits than those that were looked at first."""
        if not self._warned:
            self._warned = True
            warn_of_less(column, row, bits)


def looked_at(source: Source, first: int = 8) -> np.ndarray:
    """The rows that say what a column holds: the first, and some of all others where rows come in any order."""
    ids = np.arange(min(first, len(source)), dtype=np.int64)
    if source.sequential:
        return ids
    return np.unique(
        np.concatenate([ids, np.linspace(0, max(0, len(source) - 1), 16, dtype=np.int64)[: len(source)]])
    )


def one_by_one(source: Source, ids: np.ndarray) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Some rows, read one by one: the id as ``(1,)``, and the columns."""
    for row in ids[:, None]:
        yield row, checked_rows(source, row)
