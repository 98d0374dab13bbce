"""Converts Arrow columns: numbers to arrays, text to category codes, ragged lists to lists of arrays."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polyhead.columns.coded import Coded, coded_flags
from polyhead.columns.lazy import Pieces, Stored
from polyhead.columns.values import LIMIT_BYTES, EvenRows, Values, with_gaps

LARGE_ROW = 1024  # with this many numbers in a row, a null becomes None in a list instead of a row of NaN


def column_of(data: Any) -> Values | Stored:
    """Convert a pyarrow column; a large one of arrays stays in chunks, because joining them would copy it."""
    kind = data.type.storage_type if isinstance(data.type, pa.BaseExtensionType) else data.type
    pieces = getattr(data, "num_chunks", 1) > 1 and pa.types.is_fixed_size_list(kind)
    if pieces and not data.null_count and data.nbytes > LIMIT_BYTES:
        return Pieces([from_arrow(chunk) for chunk in data.chunks])
    return from_arrow(data)


def from_arrow(data: Any) -> Values:
    """Convert a pyarrow ``Array`` or ``ChunkedArray``, without a copy where Arrow allows it.

    >>> import pyarrow as pa
    >>> from_arrow(pa.array([1, None])).tolist()
    [1.0, nan]
    >>> from_arrow(pa.array(["b", None, "b"])).values().tolist()
    ['b', None, 'b']
    """
    kind, is_a = data.type, pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _extension(data, kind)
    if is_a.is_null(kind):
        return [None] * len(data)
    if is_a.is_run_end_encoded(kind):
        return _by_chunk(pc.run_end_decode, data, kind.value_type)
    if is_a.is_dictionary(kind):
        # pyarrow 26 joins dictionaries of float16 to wrong numbers, and none of nulls
        if is_a.is_floating(kind.value_type) or is_a.is_null(kind.value_type):
            return _by_chunk(lambda part: part.dictionary_decode(), data, kind.value_type)
        return _coded(data)
    if is_a.is_string(kind) or is_a.is_large_string(kind) or is_a.is_string_view(kind):
        # 64-bit offsets, because all chunks together may exceed the 2 GiB that 32-bit offsets can address
        return _coded(data.cast(pa.large_string()).dictionary_encode())
    if is_a.is_decimal(kind):
        with contextlib.suppress(pa.ArrowInvalid):  # beyond int64
            return from_arrow(data.cast(pa.int64() if kind.scale == 0 else pa.float64()))
        return from_arrow(data.cast(pa.float64()))
    if is_a.is_time(kind):
        bits = pa.int32() if is_a.is_time32(kind) else pa.int64()
        return from_arrow(data.cast(bits).cast(pa.int64()).cast(pa.duration(kind.unit)))
    if (is_a.is_boolean(kind) or is_a.is_integer(kind)) and data.null_count:
        return with_gaps(_numpy(data.fill_null(pa.scalar(0).cast(kind))), _numpy(data.is_null()))
    if is_a.is_boolean(kind) or is_a.is_integer(kind) or is_a.is_floating(kind):
        return _numpy(data)  # a float's null is NaN
    if is_a.is_date(kind):
        return _numpy(data.cast(pa.date32()))  # date64 would become times
    if is_a.is_timestamp(kind) or is_a.is_duration(kind):
        return _numpy(data)
    if is_a.is_fixed_size_list(kind):
        return _fixed(_single(data))
    if is_a.is_list_view(kind) or is_a.is_large_list_view(kind):
        return _by_chunk(_lists_of_views, data, pa.large_list(kind.value_type))
    if is_a.is_list(kind) or is_a.is_large_list(kind):
        return _ragged(_single(data.cast(pa.large_list(kind.value_type))))
    values: list[Any] = data.to_pylist()
    return values


def _by_chunk(convert: Callable[[Any], Any], data: Any, kind: Any) -> Values:
    """Convert a column of which each chunk is first converted to an array of another type."""
    parts = data.chunks if isinstance(data, pa.ChunkedArray) else [data]
    return from_arrow(pa.chunked_array([convert(part) for part in parts], type=kind))


def _single(data: Any) -> Any:
    """Return a column as one Arrow array, copied only if it has several chunks."""
    if not isinstance(data, pa.ChunkedArray):
        return data
    return data.chunk(0) if data.num_chunks == 1 else data.combine_chunks()


def _numpy(data: Any) -> np.ndarray:
    data = _single(data)
    return np.asarray(data.to_numpy(zero_copy_only=False) if isinstance(data, pa.Array) else data)


def _coded(data: Any) -> Coded:
    chunks = [data]
    if isinstance(data, pa.ChunkedArray):
        none = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], data.type.value_type))
        chunks = data.unify_dictionaries().chunks or [none]
    codes = [np.asarray(chunk.indices.cast(pa.int32()).fill_null(-1)) for chunk in chunks]
    categories = chunks[0].dictionary.to_pylist()
    joined = codes[0] if len(codes) == 1 else np.concatenate(codes)
    gaps = [i for i, value in enumerate(categories) if value is None or value != value]
    if gaps:  # Arrow lets a category itself be null
        table = np.cumsum([i not in set(gaps) for i in range(len(categories))], dtype=np.int32) - 1
        table[gaps] = -1
        joined = np.append(table, np.int32(-1))[joined]
        categories = [value for i, value in enumerate(categories) if i not in set(gaps)]
    return Coded(joined, categories, bool(data.type.ordered))


def _extension(data: Any, kind: Any) -> Values:
    if getattr(kind, "extension_name", "") == "arrow.uuid":
        return [None if value is None else str(value) for value in data.to_pylist()]
    parts = data.chunks if isinstance(data, pa.ChunkedArray) else [data]
    values = from_arrow(pa.chunked_array([part.storage for part in parts], type=kind.storage_type))
    if getattr(kind, "extension_name", "") == "arrow.bool8" and isinstance(values, np.ndarray):
        return coded_flags(values != 0, np.isnan(values)) if values.dtype.kind == "f" else values != 0
    shape = getattr(kind, "shape", None)
    if shape is None or not isinstance(values, (np.ndarray, list)):
        return values
    axes = list(getattr(kind, "permutation", None) or range(len(shape)))
    if isinstance(values, list):
        return [None if row is None else np.asarray(row).reshape(shape).transpose(axes) for row in values]
    return values.reshape(len(values), *shape).transpose(0, *(axis + 1 for axis in axes))


def _fixed(array: Any) -> Values:
    """Convert fixed-size lists to an array ``(N, k, ...)``."""
    size = array.type.list_size
    present = np.asarray(array.is_valid())
    full = array.drop_null() if array.null_count else array  # the buffer under a null holds no data
    inner = _listed_numbers(full.values[full.offset * size : (full.offset + len(full)) * size])
    if isinstance(inner, np.ndarray) and inner.dtype.kind in "mM" and inner.ndim == 1:
        times = _listed_times(inner)
        lists = iter(times[at : at + size] for at in range(0, len(full) * size, size))
        return [next(lists) if valid else None for valid in present.tolist()]
    if not isinstance(inner, np.ndarray) or inner.dtype.kind not in "biuf":
        plain: list[Any] = array.to_pylist()
        return plain
    rows = inner.reshape(len(full), size, *inner.shape[1:])
    if len(full) == len(array):
        return rows
    if rows.dtype.kind != "f" and size * math.prod(inner.shape[1:]) >= LARGE_ROW:
        # as floats, the bytes of images would take eight times the memory
        remaining = iter(rows)
        return [next(remaining) if valid else None for valid in present.tolist()]
    out = np.full((len(array), *rows.shape[1:]), np.nan, rows.dtype if rows.dtype.kind == "f" else np.float64)
    out[present] = rows
    return out


def _lists_of_views(array: Any) -> Any:
    """Convert list views to lists, without pyarrow's cast: in version 26, it empties the last list or crashes."""
    present = np.asarray(array.is_valid())
    ends = np.concatenate([[0], np.cumsum(np.where(present, np.asarray(array.sizes), 0), dtype=np.int64)])
    return pa.LargeListArray.from_arrays(pa.array(ends, mask=np.append(~present, False)), array.flatten())


def _listed_numbers(data: Any) -> Values:
    """Convert the items of lists of one length: booleans with nulls become floats, as other numbers do."""
    return from_arrow(data.cast(pa.uint8()) if pa.types.is_boolean(data.type) and data.null_count else data)


def _ragged(array: Any) -> list[Any]:
    """Convert variable-size lists to a list of arrays, with None for null."""
    inner_kind = array.type.value_type
    inner = array.values
    nested = pa.types.is_list(inner_kind) or pa.types.is_large_list(inner_kind)
    values = _even(inner) if nested else from_arrow(inner)
    if not isinstance(values, np.ndarray) or values.dtype.kind == "O":
        plain: list[Any] = array.to_pylist()
        return plain
    offsets = np.asarray(array.offsets)
    ends, sizes = offsets.tolist(), np.diff(offsets)
    times = values.dtype.kind in "mM"
    if not times and not array.null_count and len(sizes) and sizes[0] and (sizes == sizes[0]).all():
        return EvenRows(values[ends[0] : ends[-1]].reshape(len(sizes), int(sizes[0]), *values.shape[1:]))
    rows: Any = _listed_times(values) if times else values
    present = np.asarray(array.is_valid()).tolist()
    return [rows[ends[i] : ends[i + 1]] if valid else None for i, valid in enumerate(present)]


def _listed_times(values: np.ndarray) -> list[Any]:
    """Convert dates, times or time spans ``(M,)`` to Python's, as they are in lists of other libraries."""
    unit = np.datetime_data(values.dtype)[0]
    times: list[Any] = (values if unit == "D" else values.astype(f"{values.dtype.kind}8[us]")).tolist()
    return times


def _even(inner: Any) -> np.ndarray | None:
    """Convert lists of equal length (the four numbers of every box) to ``(M, k)``; None if lengths differ."""
    if inner.null_count or not len(inner):
        return None
    ends = np.asarray(inner.offsets)
    sizes = np.diff(ends)
    if not (sizes == sizes[0]).all() or not sizes[0]:
        return None
    flat = inner.values[int(ends[0]) : int(ends[-1])]
    kind = flat.type
    deeper = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    values = _even(flat) if deeper else _listed_numbers(flat)
    if not isinstance(values, np.ndarray) or values.dtype.kind in "mM":
        return None
    return values.reshape(len(inner), int(sizes[0]), *values.shape[1:])
