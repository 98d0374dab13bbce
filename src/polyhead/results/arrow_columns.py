"""Converts predictions to Arrow columns, and Arrow columns back to arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.columns.values import would_round
from polyhead.kinds.predicted_columns import Item, PredictedColumn

KIND = b"polyhead"
"""The key in a field's metadata that tells the kind of its values."""


def arrow_column(
    predicted: PredictedColumn, names: Sequence[Any], absent: np.ndarray | None, depth: int
) -> Any:
    """A column of predictions as a pyarrow ``Array``.

    Args:
        predicted: the values, one entry per row.
        names: the names of the head's classes.
        absent: the rows without a prediction, bool ``(B,)``; None if every row has one.
        depth: how deeply lists are nested in a row.
    """
    values, item = predicted.values, predicted.item
    lacks = [False] * len(values) if absent is None else absent.tolist()
    if item == "map":
        return _maps(values, lacks)
    if item != "mask" and isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return _of_array(values, absent)
    base = pa.binary() if item == "mask" else _value_type(predicted, names)
    convert: Callable[[Any], Any] = _pngs if item == "mask" else _as_lists
    rows = [None if lack else convert(value) for value, lack in zip(values, lacks, strict=True)]
    return pa.array(rows, lists_of(base, depth))


def field_of(name: str, column: Any, item: Item) -> Any:
    """The field of a column, with the kind of its values in its metadata."""
    return pa.field(name, column.type, metadata={KIND: item.encode()})


def lists_of(base: Any, depth: int) -> Any:
    """The type of lists of ``base``, nested ``depth`` times."""
    for _ in range(depth):
        base = pa.list_(base)
    return base


def _value_type(predicted: PredictedColumn, names: Sequence[Any]) -> Any:
    if predicted.item == "flag":
        return pa.bool_()
    if predicted.item == "number":
        return pa.float64() if _holds_doubles(predicted.values) else pa.float32()
    return pa.array(list(names)).type


def _holds_doubles(values: Any) -> bool:
    if isinstance(values, (list, tuple)):
        return bool(values) and _holds_doubles(values[0])
    return getattr(values, "dtype", None) == np.float64


def _as_lists(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_as_lists(entry) for entry in value] if isinstance(value, list) else value


def _of_array(values: np.ndarray, absent: np.ndarray | None) -> Any:
    mask = None if absent is None else np.ascontiguousarray(absent)
    if values.ndim == 1:
        return pa.array(values, mask=mask)
    array = pa.array(np.ascontiguousarray(values).reshape(-1))
    for axis in range(values.ndim - 1, 0, -1):
        count, length = int(np.prod(values.shape[:axis])), values.shape[axis]
        offsets = np.arange(0, count * length + 1, max(length, 1), dtype=np.int32)
        row_mask = pa.array(mask) if axis == 1 and mask is not None else None
        array = pa.ListArray.from_arrays(pa.array(offsets), array, mask=row_mask)
    return array


def _maps(values: Sequence[np.ndarray], lacks: Sequence[bool]) -> Any:
    missing = pa.nulls(1, lists_of(pa.float32(), values[0].ndim))
    rows = zip(values, lacks, strict=True)
    return pa.concat_arrays(
        [missing if lack else _of_array(row.astype(np.float32)[None], None) for row, lack in rows]
    )


def _pngs(mask: Any) -> Any:
    """Encode a mask ``(H, W)`` as a PNG file, or several as a list of PNG files."""
    if isinstance(mask, list):
        return [_pngs(layer) for layer in mask]
    if mask.ndim == 3:
        return [png_of(np.ascontiguousarray(mask[..., k])) for k in range(mask.shape[2])]
    return png_of(mask)


def png_of(mask: np.ndarray) -> bytes:
    """Encode a mask of ids, uint8 or uint16, as a PNG file."""
    from polyhead.images.encode import encode

    return encode(mask[..., None], "png")


def values_of_column(column: Any, item: str, shape: tuple[int, ...] = ()) -> Any:
    """The values of a pyarrow column: an array where rows have one shape and none is missing, else a list.

    Args:
        item: the kind of single values, see `PredictedColumn`.
        shape: the shape of a row's label; lists without an entry are arrays with its last axes, such as ``(0, 4)``.
    """
    if item in ("mask", "masks"):
        return [_of_pngs(value, -1 if item == "mask" else 0) for value in column.to_pylist()]
    if item == "map":
        return [None if value is None else np.array(value, np.float32) for value in column.to_pylist()]
    if isinstance(column.type, pa.BaseExtensionType):  # its storage lacks the meaning, as the bytes of a UUID
        return column.to_pylist()
    arrow_type = str(column.type)
    if not arrow_type.startswith("list"):
        whole = not column.null_count or arrow_type in ("float", "double")
        return column.to_numpy(zero_copy_only=False) if whole else column.to_pylist()
    rows, depth = column.to_pylist(), arrow_type.count("list<")
    if item == "class":
        return rows
    entry = shape[len(shape) - depth + 1 :] if 1 < depth <= len(shape) else ()
    no_entries = np.zeros((0, *entry), bool if "bool" in arrow_type else np.float64)
    arrays = [None if row is None else np.array(row) if row else no_entries.copy() for row in rows]
    shapes = {None if array is None else array.shape for array in arrays}
    return arrays if None in shapes or len(shapes) != 1 else np.array(arrays)


def has_gaps_in_large(column: Any) -> bool:
    """Return whether pandas would round integers of a pyarrow column, which are floats there beside a missing one."""
    gaps = pa.types.is_integer(column.type) and column.null_count
    return bool(gaps) and would_round([column.drop_null().to_numpy()], np.float64)


def _of_pngs(value: Any, axis: int) -> Any:
    """Decode one mask, or several and stack them along ``axis``."""
    from polyhead.images.decode import decode_mask

    if value is None:
        return None
    if isinstance(value, bytes):
        return decode_mask(value)
    masks = [_of_pngs(png, -1) for png in value]
    return np.stack(masks, axis) if masks else masks
