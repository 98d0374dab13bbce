"""Fingerprints of the rows of a source."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.columns.image_values import identity, is_pillow
from polyhead.columns.values import Values, size, take, widened
from polyhead.errors import BadValue
from polyhead.kinds.missing import even_rows, is_missing, plain
from polyhead.sources.scanning import SCAN_ROWS, first_rows
from polyhead.sources.source import Source
from polyhead.store.column_codec import Spec, fitting_rows, like, spec_of, to_arrow

HASHED_BYTES = 64 << 20
HASHED_ROWS = 1024

SOME_BYTES = 1 << 20
"""The most bytes of a column that `of_some_rows` uses, but two rows at least."""

SOME_ROWS = (2, 8, 64, 1024)
"""The numbers of rows of which `of_some_rows` makes fingerprints."""

SOME_READ = 8
"""The number of rows that `of_some_rows` reads of columns that are not in memory."""

LONGEST_PATH = 1024


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


def of_some_rows(source: Source, columns: Sequence[str]) -> dict[str, list[str]] | None:
    """Return fingerprints of each column: of two rows, of eight, and of more, up to a megabyte of a column in memory.

    The same rows have the same ones in every process, whatever holds them: arrays, lists, a data frame, a file, a
    store. For files named by paths, they depend on their names without the folder and on their sizes.

    Returns:
        None for sequential sources, as reading would consume their rows, and for rows that can't be read.
    """
    if source.sequential:
        return None
    try:
        return dict(_of_columns(source, sorted(columns)))
    except Exception:  # the position of training is useful without a fingerprint
        return None


def other_columns(saved: Mapping[str, list[str]], now: Mapping[str, list[str]]) -> list[str]:
    """Return the columns whose fingerprints of as many rows as both have differ.

    >>> other_columns({"x": ["a", "b"], "y": ["c"]}, {"x": ["a", "b", "d"], "y": ["e", "f"]})
    ['y']
    """
    return [name for name in now if any(a != b for a, b in zip(saved.get(name, ()), now[name], strict=False))]


def _of_columns(source: Source, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    columns_read = {name: source.column(name) for name in columns}
    on_disk = [name for name, values in columns_read.items() if values is None]
    if on_disk:
        rows = source.only(on_disk)
        ids = _rows_to_hash(
            len(source), sum(map(size, rows.coded(np.zeros(1, np.int64)).values())), SOME_READ
        )
        columns_read |= rows.coded(ids[-1])
        samples = [np.searchsorted(ids[-1], sample) for sample in ids]
    for name, values in columns_read.items():
        assert values is not None
        if name not in on_disk:
            samples = _rows_to_hash(len(source), size(take(values, np.zeros(1, np.int64))), SOME_ROWS[-1])
        yield name, [_of_values(plain(take(values, sample))) for sample in samples]


def _rows_to_hash(rows: int, row_bytes: int, most: int) -> list[np.ndarray]:
    """Return the indices of two rows, of eight, and so on, all spread out evenly."""
    most = min(most, max(SOME_ROWS[0], SOME_BYTES // max(1, row_bytes)))
    counts = dict.fromkeys(min(count, rows) for count in SOME_ROWS if count <= most)
    return [np.unique(np.linspace(0, rows - 1, count).astype(np.int64)) for count in counts]


def _of_values(values: Any) -> str:
    form = _numbers_form(values) or [
        (not np.isscalar(value) and _numbers_form(value)) or json_form(None if is_missing(value) else value)
        for value in values
    ]
    return hashlib.blake2b(json.dumps(form).encode(), digest_size=4).hexdigest()


def _numbers_form(values: Any) -> list[Any] | None:
    """Describe numbers or times, regardless of their type and of axes of length 1; None for anything else."""
    array = _number_array(values)
    if array is None or not array.size:
        return None if array is None else [[], ""]
    finite = array[np.isfinite(array)]
    array = array if (finite == np.rint(finite)).all() else array.astype(np.float32)
    array = np.where(np.isnan(array), array.dtype.type("nan"), array + 0)  # -0.0 equals 0.0
    content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return [[side for side in array.shape if side != 1], hashlib.blake2b(content, digest_size=8).hexdigest()]


def _number_array(values: Any) -> np.ndarray | None:
    values = even_rows(values)
    if not isinstance(values, (np.ndarray, list, tuple)):
        return None
    try:
        array = widened(np.asarray(values))
        if array.dtype == object:
            array = np.array([None if is_missing(value) else value for value in values])
            times = any(isinstance(value, datetime.date) for value in values)
            array = array.astype("M8[us]" if times else np.float64)
    except (ValueError, TypeError, OverflowError):  # text, or rows of unequal lengths
        return None
    if array.dtype.kind in "mM":
        unit = f"{array.dtype.kind}8[us]"
        return np.where(np.isnat(array), np.nan, array.astype(unit).astype(np.int64))
    return array.astype(np.float64) if array.dtype.kind in "biuf" else None


def json_form(value: Any) -> Any:
    """Convert a value to JSON that is the same in every process; an unknown object becomes the name of its type.

    >>> json_form((1, np.float32(0.5), None, {"b": "x"}))
    [1, '0x1.0000000000000p-1', None, {'b': 'x'}]
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        content = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()
        return [value.dtype.kind, list(value.shape), hashlib.blake2b(content, digest_size=8).hexdigest()]
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
        return [json_form(item) for item in value]
    if is_pillow(value):
        return identity(value)
    if isinstance(value, (set, frozenset)):
        return sorted((json_form(item) for item in value), key=str)
    return type(value).__name__


def _movable_name(text: str | bytes) -> Any:
    """Replace the path of a file by its name and size, so that the folder may be moved; keep other text."""
    text = os.fsdecode(text)
    if os.path.basename(text) != text and len(text) < LONGEST_PATH and os.path.isfile(text):
        return [os.path.basename(text), os.path.getsize(text)]
    return text


def arrow_of(spec: Spec, values: Values, ids: np.ndarray) -> Any:
    """Convert rows of a column to an Arrow array; a `DataError` names rows by ``ids``, int64 ``(B,)``."""
    try:
        return to_arrow(spec, fitting_rows(spec, values))
    except BadValue as bad:
        raise bad.located(column=spec["name"], row=int(ids[bad.index or 0])) from None


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
