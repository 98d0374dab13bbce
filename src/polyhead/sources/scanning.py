"""Reads whole columns of any source: the first rows, a memory map, or all rows in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from polyhead.columns.values import LIMIT_BYTES, Values, size
from polyhead.errors import DataError
from polyhead.sources.source import OwnSource, Source, checked_rows, columns_of, leading_rows

SCAN_ROWS = 8192


def first_rows(source: Source, name: str, rows: int = 32) -> Values:
    """Return the first rows of one column."""
    if isinstance(source, OwnSource):
        return source.first_rows(name, rows)
    return leading_rows(source, name, rows)


def first_of_several(source: Source, names: Sequence[str], rows: int = 32) -> dict[str, Values]:
    """Return the first rows of some columns; those of a source that is not in memory are read together."""
    if len(names) > 1 and not source.sequential and source.column(names[0]) is None:
        ids = np.arange(min(rows, len(source)), dtype=np.int64)
        with suppress(DataError):  # some sources can leave out unreadable rows of a single column
            return columns_of(source, checked_rows(source.only(names), ids), names)
    return {name: first_rows(source, name, rows) for name in names}


def mapped_column(source: Source, name: str) -> np.ndarray | None:
    """Return a whole column that is a memory map, which reads the file when it is indexed; else None."""
    return source.mapped(name) if isinstance(source, OwnSource) else None


def pieces(source: Source, names: Sequence[str], rows: int = SCAN_ROWS) -> Iterator[np.ndarray]:
    """Yield the ids of all rows in pieces of ``rows``, or fewer if these columns are large."""
    row = sum(map(size, first_of_several(source, names, 1).values()))
    step = max(1, min(rows, LIMIT_BYTES // max(1, row)))
    for start in range(0, len(source), step):
        yield np.arange(start, min(start + step, len(source)), dtype=np.int64)


def scan(source: Source, name: str, rows: int = SCAN_ROWS) -> Iterator[tuple[int, Values]]:
    """Yield one column in pieces, ``(first row, values)``; a column in memory is one piece."""
    whole = source.column(name)
    if whole is not None:
        yield 0, whole
        return
    only = source.only([name])
    for ids in pieces(source, [name], rows):
        yield int(ids[0]), only.coded(ids)[name]
