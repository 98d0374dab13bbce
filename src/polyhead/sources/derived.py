"""The base of sources whose rows are those of another source."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyhead.kinds.source_column import About, Origins
from polyhead.sources.source import OwnSource, Source


class DerivedSource(OwnSource):
    """Rows of another source: by default all of them, in its order, with other columns."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.sequential = source.sequential

    def __len__(self) -> int:
        return len(self._source)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._source.columns

    def _rows(self, ids: np.ndarray) -> np.ndarray:
        """Return the rows of the source for rows of this view."""
        return ids

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        return self._source.ids_of(self._rows(rows))

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        return self._source.origins(name, self._rows(ids))

    def pandas_index(self, ids: np.ndarray) -> Any:
        return self._source.pandas_index(self._rows(ids))

    def about(self, name: str) -> About:
        return self._source.about(name)
