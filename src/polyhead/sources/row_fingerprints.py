"""Fingerprints of some rows of a source, the same in every process, whatever holds the rows."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.columns.image_values import identity, is_pillow
from polyhead.columns.values import size, take, widened
from polyhead.kinds.missing import even_rows, is_missing, plain
from polyhead.sources.source import Source

SOME_BYTES = 1 << 20
"""The most bytes of a column that `of_some_rows` uses, but two rows at least."""

SOME_ROWS = (2, 8, 64, 1024)
"""The numbers of rows of which `of_some_rows` makes fingerprints."""

SOME_READ = 8
"""The number of rows that `of_some_rows` reads of columns that are not in memory."""

LONGEST_PATH = 1024


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
