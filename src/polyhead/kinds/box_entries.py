"""Flattens a column with one entry per box into a column of entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from polyhead.errors import BadValue, shown
from polyhead.kinds.missing import is_dense, is_missing, plain
from polyhead.kinds.source_column import About, Column
from polyhead.kinds.value_advice import listed_fix


class Entries:
    """The entries of all rows as one column, for resolving the inner head."""

    def __init__(self, column: Column, places: int) -> None:
        self._column, self._places = column, places
        self._rows: list[int] = []

    def probe(self) -> Any:
        """The entries of the first rows."""
        self._rows = []
        return self._spread(self._column.probe(), 0)

    def scan(self) -> Iterator[Any]:
        """Yield the entries of all rows, in pieces."""
        self._rows, start = [], 0
        for piece in self._column.scan():
            yield self._spread(piece, start)
            start += len(piece)

    def counting(self) -> Iterator[Any]:
        """Yield the entries of the rows that count, in pieces."""
        for piece in self._column.counting():
            yield self._spread(piece, 0)

    def about(self) -> About:
        return self._column.about()

    def row(self, index: int) -> int:
        """The row of the entry at an index."""
        return self._rows[index] if index < len(self._rows) else 0

    def _spread(self, values: Any, start: int) -> Any:
        values = plain(values)
        if is_dense(values):
            flat = values.reshape(-1, *values.shape[2:]) if values.ndim > 1 else values
            self._rows += (start + np.arange(len(flat)) * len(values) // max(1, len(flat))).tolist()
            return flat
        labeled = []
        for i, value in enumerate(values):
            entries = () if is_missing(value) else as_entries(value, i, self._places)
            of_row = [entry for entry in entries if not is_missing(entry)]
            self._rows += [start + i] * len(of_row)
            labeled += of_row
        return labeled


def as_entries(value: Any, index: int, places: int) -> Any:
    """Return a row's entries; if there is one box, the entry need not be in a list."""
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        return value
    if places == 1:
        return [value]
    fix = listed_fix(value) if isinstance(value, str) else ""
    raise BadValue(index, "a list with an entry for each box", shown(value), fix)
