"""Fingerprints of all rows of a source, from which caches and stores tell that their rows are others."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.columns.values import Values, size
from polyhead.errors import BadValue
from polyhead.kinds.missing import plain
from polyhead.sources.row_fingerprints import json_form
from polyhead.sources.scanning import SCAN_ROWS, first_rows
from polyhead.sources.source import Source
from polyhead.store.column_codec import Spec, arrow_of, like, spec_of, to_arrow

HASHED_BYTES = 64 << 20
HASHED_ROWS = 1024


def of_source(source: Source, files: Sequence[str] = (), more: Any = None) -> str:
    """Return a fingerprint of all rows.

    It depends on the columns, the number of rows and the values: all values of a column of up to 64 MB, 1,024 rows of a
    larger one; of sequential sources the first 8,192 rows, or 64 MB, which are read once for all columns. For files
    named by paths, it depends on their sizes and modification times.

    Raises:
        DataError: for rows that can't be read.
    """
    digest = hashlib.blake2b(json.dumps([len(source), source.columns, more]).encode(), digest_size=16)
    for name, spec, ids, values in _leading(source) if source.sequential else _spread_out(source):
        for part in _parts(spec, values, source.ids_of(ids)):
            digest.update(part)
        if name in files:
            digest.update(json.dumps(_stats(values)).encode())
    return digest.hexdigest()


def _leading(source: Source) -> Iterator[tuple[str, Spec | None, np.ndarray, Values]]:
    row = sum(size(first_rows(source, name, 1)) for name in source.columns)
    ids = np.arange(min(len(source), SCAN_ROWS, max(1, HASHED_BYTES // max(1, row))), dtype=np.int64)
    for name, values in source.coded(ids).items():  # the type of lists would need all rows
        numbers = isinstance(values, np.ndarray) and values.dtype != object
        yield name, _spec_or_none(source, name) if numbers else None, ids, values


def _spread_out(source: Source) -> Iterator[tuple[str, Spec | None, np.ndarray, Values]]:
    for name in source.columns:
        spec, only = _spec_or_none(source, name), source.only([name])
        for ids in _hashed(source, name):
            yield name, spec, ids, only.coded(ids)[name]


def _spec_or_none(rows: Source, name: str) -> Spec | None:
    """Describe a column; None if a store can't hold it, as its rows have several types."""
    try:
        return {"name": name, **spec_of(rows, name)}
    except BadValue:
        return None


def _parts(spec: Spec | None, values: Values, ids: np.ndarray) -> Iterator[bytes]:
    """Yield rows as bytes: all at once if they have one type, otherwise one by one."""
    if spec is not None:
        yield _bytes(arrow_of(spec, values, ids))
        return
    for value in plain(values):
        try:
            yield _bytes(to_arrow(like(value), [value]))
        except BadValue:  # a store can't hold it
            yield json.dumps(json_form(value)).encode()


def _hashed(rows: Source, name: str) -> Any:
    count = len(rows)
    total = size(first_rows(rows, name)) * max(1, count // max(1, min(32, count)))
    if total <= HASHED_BYTES:
        for start in range(0, count, SCAN_ROWS):
            yield np.arange(start, min(start + SCAN_ROWS, count), dtype=np.int64)
    else:
        sampled = np.unique(np.linspace(0, count - 1, min(HASHED_ROWS, count)).astype(np.int64))
        for start in range(0, len(sampled), 64):
            yield sampled[start : start + 64]


def _bytes(array: Any) -> bytes:
    return bytes(memoryview(pa.record_batch([array], names=["x"]).serialize()))


def _stats(values: Values) -> list[Any]:
    stats: list[Any] = []
    for value in plain(values):
        if isinstance(value, (str, os.PathLike)):
            try:
                stat = os.stat(value)
                stats.append([stat.st_size, stat.st_mtime_ns])
            except OSError:
                stats.append(None)
    return stats
