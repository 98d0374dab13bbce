"""A short text that says which rows a source has."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.columns.image_values import identity, is_pillow
from polyhead.columns.values import Values, size, take
from polyhead.errors import BadValue
from polyhead.kinds.missing import plain
from polyhead.sources.scanning import SCAN_ROWS, first_rows
from polyhead.sources.source import Source
from polyhead.store.column_codec import Spec, fitting_rows, like, spec_of, to_arrow

HASHED_BYTES = 64 << 20
HASHED_ROWS = 1024

SOME_BYTES = 1 << 20
"""Of a column as `of_some_rows` looks at it; but never fewer than two rows."""

SOME_READ = 8
"""Rows that it reads where they are not in memory."""

LONGEST_PATH = 1024


def of_source(source: Source, files: Sequence[str] = (), more: Any = None) -> str:
    """A text that is another one where the rows are others.

    It is made of the columns, the number of rows, and the values: of a column of up to 64 MB all of them, of a larger
    one 1,024 rows from first to last. Of a file that a path names, its size and the time of its last change.

    Args:
        source: where the rows are.
        files: the columns whose paths name files that count.
        more: what else counts, as JSON takes it.

    Raises:
        DataError: for rows that cannot be read.
    """
    digest = hashlib.blake2b(json.dumps([len(source), source.columns, more]).encode(), digest_size=16)
    for name in source.columns:
        spec, only = _spec_or_none(source, name), source.only([name])
        for ids in _hashed(source, name):
            values = only.coded(ids)[name]
            for part in _parts(spec, values, source.ids_of(ids)):
                digest.update(part)
            if name in files:
                digest.update(json.dumps(_stats(values)).encode())
    return digest.hexdigest()


def of_some_rows(source: Source, columns: Sequence[str]) -> str | None:
    """A text that is another one where the rows are others, as far as a few of them show.

    It is made of a megabyte of each column in memory, of eight rows at most of the others, from first to last. Of a
    file that a path names, its name without the folder, and its size. It is the same in every process.

    Returns:
        None for rows that come in one order alone, which looking would use up, and for rows that cannot be read.
    """
    if source.sequential:
        return None
    digest = hashlib.blake2b(digest_size=8)
    try:
        for name, values in _hashed_columns(source, sorted(columns)):
            for value in [values] if isinstance(values, np.ndarray) else values:
                digest.update(json.dumps([name, json_form(value)]).encode())
    except Exception:  # where training stands can still be said
        return None
    return digest.hexdigest()


def _hashed_columns(source: Source, columns: Sequence[str]) -> Iterator[tuple[str, np.ndarray | list[Any]]]:
    wholes = {name: source.column(name) for name in columns}
    for name, whole in wholes.items():
        if whole is not None:
            row = size(take(whole, np.zeros(1, np.int64)))
            yield name, plain(take(whole, _spread(len(source), row, HASHED_ROWS)))
    rest = [name for name, whole in wholes.items() if whole is None]
    if rest:
        rows = source.only(rest)
        row = sum(map(size, rows.coded(np.zeros(1, np.int64)).values()))
        for name, values in sorted(rows.coded(_spread(len(source), row, SOME_READ)).items()):
            yield name, plain(values)


def _spread(rows: int, row_bytes: int, most: int) -> np.ndarray:
    count = min(most, rows, max(2, SOME_BYTES // max(1, row_bytes)))
    return np.unique(np.linspace(0, rows - 1, count).astype(np.int64))


def json_form(value: Any) -> Any:
    """A value as JSON takes it, the same in every process; of an object that is none of the usual, its type.

    >>> json_form((1, np.float32(0.5), None, {"b": "x"}))
    [1, '0x1.0000000000000p-1', None, {'b': 'x'}]
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        array = np.ascontiguousarray(value.astype(value.dtype.newbyteorder("<"), copy=False))
        return [
            value.dtype.kind,
            list(value.shape),
            hashlib.blake2b(array.tobytes(), digest_size=8).hexdigest(),
        ]
    if isinstance(value, (np.ndarray, np.generic)):
        return json_form(value.tolist())
    if isinstance(value, float):
        return value.hex()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (str, os.PathLike)):
        return _movable_name(os.fspath(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return hashlib.blake2b(value, digest_size=8).hexdigest()
    if isinstance(value, Mapping):
        return {str(key): json_form(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [json_form(one) for one in value]
    if is_pillow(value):
        return identity(value)
    if isinstance(value, (set, frozenset)):
        return sorted((json_form(one) for one in value), key=str)
    return type(value).__name__


def _movable_name(text: str | bytes) -> Any:
    """A text; of the path of a file its name and the file's size, so that a folder may be moved."""
    text = os.fsdecode(text)
    if os.path.basename(text) != text and len(text) < LONGEST_PATH and os.path.isfile(text):
        return [os.path.basename(text), os.path.getsize(text)]
    return text


def arrow_of(spec: Spec, values: Values, ids: np.ndarray, gone: np.ndarray | None = None) -> Any:
    """Some rows of a column as an Arrow array; ``ids`` are those by which they are told, int64 ``(B,)``.

    Raises:
        DataError: for a value that does not fit, with its row.
    """
    try:
        return to_arrow(spec, fitting_rows(spec, values), gone)
    except BadValue as bad:
        raise bad.located(column=spec["name"], row=int(ids[bad.index or 0])) from None


def _spec_or_none(rows: Source, name: str) -> Spec | None:
    """What a column holds, None where its rows are of several types."""
    try:
        return {"name": name, **spec_of(rows, name)}
    except BadValue:
        return None


def _parts(spec: Spec | None, values: Values, ids: np.ndarray) -> Iterator[bytes]:
    """Some rows as bytes: all at once where they are of one type, else each for itself."""
    if spec is not None:
        yield _bytes(arrow_of(spec, values, ids))
        return
    for value in plain(values):
        try:
            yield _bytes(to_arrow(like(value), [value]))
        except BadValue:  # what no store holds
            yield json.dumps(json_form(value)).encode()


def _hashed(rows: Source, name: str) -> Any:
    count = len(rows)
    held = size(first_rows(rows, name)) * max(1, count // max(1, min(32, count)))
    if held <= HASHED_BYTES or rows.sequential:
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
