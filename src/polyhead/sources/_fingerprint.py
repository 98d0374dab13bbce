"""A short text that says which rows a source has."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.errors import BadValue
from polyhead.kinds._missing import plain
from polyhead.sources._store_columns import Spec, checked, spec_of, to_arrow
from polyhead.sources._values import Values, size
from polyhead.sources.base import SCAN_ROWS, Source

HASHED_BYTES = 64 << 20
HASHED_ROWS = 1024


def of_source(source: Source, files: Sequence[str] = (), more: Any = None) -> str:
    """A text that is another one where the rows are others.

    It is made of the columns, the number of rows, and the values: of a column of up to 64 MB all of them, of a larger
    one 1,024 rows from first to last. Of a file that a path names, its size and the time of its last change.

    Args:
        source: where the rows are.
        files: the columns whose paths name files that count.
        more: what else counts, as JSON takes it.

    Raises:
        DataError: for a value that a store cannot hold.
    """
    digest = hashlib.blake2b(json.dumps([len(source), source.columns, more]).encode(), digest_size=16)
    for name in source.columns:
        spec = {"name": name, **_hashable(source, name)}
        only = source.only([name])
        for ids in _hashed(source, name):
            values = only.read(ids)[name]
            digest.update(_bytes(arrow_of(spec, values, int(ids[0]))))
            if name in files:
                digest.update(json.dumps(_stats(values)).encode())
    return digest.hexdigest()


def arrow_of(spec: Spec, values: Values, first: int, gone: np.ndarray | None = None) -> Any:
    """Some rows of a column, from row ``first`` on, as an Arrow array.

    Raises:
        DataError: for a value that does not fit, with its row.
    """
    try:
        return to_arrow(spec, checked(spec, values), gone)
    except BadValue as bad:
        raise bad.located(column=spec["name"], row=first + (bad.index or 0)) from None


def _hashable(rows: Source, name: str) -> Spec:
    try:
        return spec_of(rows, name)
    except BadValue as bad:
        raise bad.located(column=name, row=bad.index) from None


def _hashed(rows: Source, name: str) -> Any:
    count = len(rows)
    if size(rows.probe(name)) * max(1, count // max(1, min(32, count))) <= HASHED_BYTES or rows.sequential:
        for start in range(0, count, SCAN_ROWS):
            yield np.arange(start, min(start + SCAN_ROWS, count), dtype=np.int64)
            if rows.sequential:
                return
    else:
        some = np.unique(np.linspace(0, count - 1, min(HASHED_ROWS, count)).astype(np.int64))
        for start in range(0, len(some), 64):
            yield some[start : start + 64]


def _bytes(array: Any) -> bytes:
    import pyarrow as pa

    return bytes(memoryview(pa.record_batch([array], names=["x"]).serialize()))


def _stats(values: Values) -> list[Any]:
    found: list[Any] = []
    for value in plain(values):
        if isinstance(value, (str, os.PathLike)):
            try:
                stat = os.stat(value)
                found.append([stat.st_size, stat.st_mtime_ns])
            except OSError:
                found.append(None)
    return found
