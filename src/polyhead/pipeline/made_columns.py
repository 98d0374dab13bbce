"""The base class of sources with converted columns: decoded, resized or cached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import ContractError, Problem, place, shown, warn
from polyhead.kinds import Head
from polyhead.kinds.box_entries import as_entries
from polyhead.kinds.missing import is_dense, is_missing, plain
from polyhead.sources.scanning import scan
from polyhead.sources.source import DerivedSource, Source, checked_rows
from polyhead.store.column_codec import SharedType, Spec


class MadeColumns(DerivedSource):
    """The rows of a source, with some columns converted."""

    _warned = False

    @property
    def converted(self) -> tuple[str, ...]:
        """The names of the converted columns."""
        raise NotImplementedError

    def column(self, name: str) -> Values | None:
        return None if name in self.converted else self._source.column(name)

    def only(self, columns: Sequence[str]) -> Source:
        return super().only(columns) if set(columns) & set(self.converted) else self._source.only(columns)

    def _warn_of_less(self, column: str, row: int, bits: int) -> None:
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


def sample_rows(source: Source, first: int = 8) -> np.ndarray:
    """The ids of the rows to inspect for the dtype of a column: the first ones and, unless sequential, some others."""
    ids = np.arange(min(first, len(source)), dtype=np.int64)
    if source.sequential:
        return ids
    return np.unique(
        np.concatenate([ids, np.linspace(0, max(0, len(source) - 1), 16, dtype=np.int64)[: len(source)]])
    )


def one_by_one(source: Source, ids: np.ndarray) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Read rows one by one; yield the id, int64 ``(1,)``, and the columns of each."""
    for row in ids[:, None]:
        yield row, checked_rows(source, row)


def require_single_columns(heads: Mapping[str, Head]) -> None:
    """Raise for coordinates in several columns, as a store has one for the transformed coordinates of a head."""
    problems = []
    for name, head in heads.items():
        columns = list(head.columns(name))
        if len(columns) > 1:
            form = f"(-1, {head.inner.places}, {len(columns) // head.inner.places})"
            fix = f"Join them: frame[{name!r}] = list(frame[{columns!r}].to_numpy().reshape{form})."
            expected = "one column, as boxes and points are stored in pixels of the resized images"
            problems.append(Problem(place(head=name), expected, shown(columns), fix))
    if problems:
        raise ContractError(*problems)


def spec_of_entries(source: Source, name: str, places: int) -> Spec:
    """Describe, for a store, a column of one entry per box: lists, as boxes may be dropped, of at most ``places``.

    Raises:
        BadValue: for an entry that a store can't hold, with its row.
    """
    shared = SharedType()
    for start, values in scan(source, name):
        rows = plain(values)
        if is_dense(rows):  # the dtype tells it
            rows = [[np.zeros(rows.shape[2:], rows.dtype)[()]]]
        shared.add([None if is_missing(row) else list(as_entries(row, 0, places)) for row in rows], start)
    return shared.spec
