"""The base class of sources with converted columns: images decoded, resized, encoded or cached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import Problem, place, warn
from polyhead.kinds import Kind
from polyhead.sources.derived import DerivedSource
from polyhead.sources.source import Source, checked_rows
from polyhead.store.column_codec import Spec, spec_of
from polyhead.store.fingerprint import of_source


class ConvertedRows(DerivedSource):
    """The rows of a source, with some columns converted.

    Attributes:
        converted: the names of the converted columns.
        image_columns: the columns known to hold images, and whether images may have been resized.
    """

    converted: tuple[str, ...] = ()
    image_columns: Mapping[str, bool] = {}
    _warned = False

    @property
    def fingerprint(self) -> str:
        """A string that identifies the rows and how they are converted."""
        return of_source(self._source, self.converted)

    def column(self, name: str) -> Values | None:
        return None if name in self.converted else self._source.column(name)

    def only(self, columns: Sequence[str]) -> Source:
        return super().only(columns) if set(columns) & set(self.converted) else self._source.only(columns)

    def spec(self, name: str) -> Spec:
        """Describe a column for a store.

        Raises:
            BadValue, DataError: for an entry that a store cannot hold, with its row.
        """
        return spec_of(self, name)

    def adapt_to(self, stored: Sequence[Spec]) -> None:
        """Adapt the columns to those of a store to which the rows are appended."""

    def _warn_of_lost_bits(self, column: str, row: int, bits: int) -> None:
        """Warn once that a row loses bits because the rows that decided the dtype had fewer."""
        if self._warned:
            return
        self._warned = True
        fix = (
            "Put a row with all of its bits first, so that the column keeps them; or say "
            'ph.Image(dtype="uint8"), if 8 are enough.'
        )
        expected = f"{bits} bits a channel, as in the first rows"
        warn(Problem(place(column=column, row=row), expected, "more, which are rounded", fix, "depth"))


def readers_of(kinds: Mapping[str, Kind]) -> dict[str, list[str]]:
    """The names of the inputs and heads that read each column."""
    readers: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        for column in kind.columns(name):
            readers.setdefault(column, []).append(name)
    return readers


def sample_rows(source: Source, first: int = 8) -> np.ndarray:
    """The ids of the rows to inspect for the dtype of a column: the first ones and, unless sequential, some others."""
    ids = np.arange(min(first, len(source)), dtype=np.int64)
    if source.sequential or not len(ids):
        return ids
    return np.union1d(ids, np.linspace(0, len(source) - 1, 16, dtype=np.int64))


def one_by_one(source: Source, ids: np.ndarray) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Read rows one by one; yield the id, int64 ``(1,)``, and the columns of each."""
    for row in ids[:, None]:
        yield row, checked_rows(source, row)
