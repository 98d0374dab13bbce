"""Converts values other than plain numbers to Arrow and back; their types are in `value_types`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.columns.mask_values import Panoptic, Polygons, Rle, Segment
from polyhead.errors import BadValue, shown
from polyhead.kinds.class_encoding import AS_TEXT
from polyhead.kinds.missing import is_missing
from polyhead.store.value_types import DICT, SCALARS, array_layout, form_of, shared_panoptic, type_words


def write(kind: Any, values: Sequence[Any]) -> Any:
    """Convert values of a type to a pyarrow array, with null for missing ones.

    Raises:
        BadValue: for a value of a different type, with its position.
    """
    plain, converted = _plainer(kind), []
    for i, value in enumerate(values):
        try:
            converted.append(plain(value))
        except BadValue as bad:
            bad.index = i
            raise
    return _built(kind, converted)


def _built(kind: Any, values: Sequence[Any]) -> Any:
    """Convert results of `_plainer` to Arrow; arrays are joined first, as Arrow would convert number by number."""
    if _reads_as_written(kind):
        return pa.array(values, kind)
    mask = pa.array([value is None for value in values], pa.bool_())
    if pa.types.is_struct(kind):
        parts = [_built(f.type, [value and value[f.name] for value in values]) for f in kind]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=mask)
    present = [value for value in values if value is not None]
    offsets = pa.array(np.cumsum([0, *(0 if value is None else len(value) for value in values)]), pa.int64())
    if form_of(kind) == "rows":
        dtype, row = array_layout(kind)
        items = pa.array(np.concatenate([np.zeros(0, dtype), *(value.reshape(-1) for value in present)]))
        for size in reversed(row or ()):
            items = pa.FixedSizeListArray.from_arrays(items, size)
    else:
        items = _built(kind.value_type, [part for value in present for part in value])
    return pa.LargeListArray.from_arrays(offsets, items, type=kind, mask=mask)


def _plainer(kind: Any) -> Callable[[Any], Any]:
    """Return the function that converts a value of a type to scalars, arrays, lists and dicts."""
    form = form_of(kind)
    if form == "scalar":
        plain = _scalar_plainer(kind)
    elif form == "rows":
        plain = _array_plainer(kind)
    elif form == "list":
        item = _plainer(kind.value_type)

        def plain(value: Any) -> Any:
            if not isinstance(value, (list, tuple, np.ndarray)):
                raise _wrong_value(kind, value)
            return [item(part) for part in value]
    else:
        parts = {field.name.removeprefix(f"{form}:"): (field.name, _plainer(field.type)) for field in kind}

        def plain(value: Any) -> Any:
            fields = value if form == "fields" else _apart(form, value)
            if not isinstance(fields, Mapping) or not parts.keys() >= fields.keys():
                raise _wrong_value(kind, value)
            return {name: part(fields.get(key)) for key, (name, part) in parts.items()}

    kept = (float, np.floating) if kind == pa.float64() else ()  # NaN, but not a frame's NA
    return lambda value: None if is_missing(value) and not isinstance(value, kept) else plain(value)


def _scalar_plainer(kind: Any) -> Callable[[Any], Any]:
    types, _, convert = SCALARS[kind]
    if kind in (pa.int64(), pa.float64()):
        types = (*types, int, np.integer, bool, np.bool_)

    def plain(value: Any) -> Any:
        if not isinstance(value, types):
            raise _wrong_value(kind, value)
        converted = convert(value)
        if kind == pa.int64() and not -(2**63) <= converted < 2**63:
            raise BadValue(0, "integers of 64 bits", shown(converted))
        if kind == pa.float64() and isinstance(value, (int, np.integer)) and converted != value:
            expected = "numbers that float64 holds exactly, as some are fractions"
            raise BadValue(0, expected, shown(value), AS_TEXT)
        return converted

    return plain


def _array_plainer(kind: Any) -> Callable[[Any], Any]:
    dtype, row = array_layout(kind)

    def plain(value: Any) -> Any:
        try:
            array = np.asarray(value)
        except ValueError:  # lists of unequal length
            raise _wrong_value(kind, value) from None
        fits = not array.size or array.shape[1:] == row
        if array.dtype.kind not in "biuf" or not array.ndim or not fits:
            raise _wrong_value(kind, value)
        array, lost = fitted(array, dtype)
        if lost is not None:
            raise BadValue(0, f"numbers that fit {dtype}", lost, "Convert the column.")
        return array if array.size else array.reshape(0, *(row or ()))

    return plain


def _wrong_value(kind: Any, value: Any) -> BadValue:
    return BadValue(0, type_words(kind), shown(value), "Convert the column.")


def read(kind: Any, array: Any) -> list[Any]:
    """Return the values of a pyarrow array written by `write`."""
    form = form_of(kind)
    if _reads_as_written(kind):
        values: list[Any] = array.to_pylist()
        return values
    present = np.asarray(array.is_valid()).tolist()
    if form in ("list", "rows"):
        ends = np.asarray(array.offsets)
        inner = array.values.slice(int(ends[0]), int(ends[-1] - ends[0]))
        items = _read_rows(kind, inner) if form == "rows" else read(kind.value_type, inner)
        at = (ends - ends[0]).tolist()
        return [items[at[i] : at[i + 1]] if ok else None for i, ok in enumerate(present)]
    columns = [read(field.type, part) for field, part in zip(kind, array.flatten(), strict=True)]
    names = [field.name.removeprefix(f"{form}:") for field in kind]
    rows: list[Any] = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if form != "fields":
        rows = [_put_together(form, row) if ok else None for row, ok in zip(rows, present, strict=True)]
    return [row if ok else None for row, ok in zip(rows, present, strict=True)]


def _reads_as_written(kind: Any) -> bool:
    """Return whether Arrow's own conversion returns the values that were written."""
    form = form_of(kind)
    if form == "list":
        return _reads_as_written(kind.value_type)
    if form == "fields":
        return all(_reads_as_written(field.type) and not field.name.startswith(DICT) for field in kind)
    return form == "scalar"


def _read_rows(kind: Any, array: Any) -> np.ndarray:
    dtype, row = array_layout(kind)
    assert row is not None
    for _ in row:
        array = array.flatten()
    return numbers_in_place(array, dtype).reshape(-1, *row)


def _apart(form: str, value: Any) -> dict[str, Any] | None:
    """Convert an object to the fields that are stored; None if it does not have this form."""
    if form == "array":
        array = np.asarray(value)
        return {"shape": list(array.shape), "values": array.reshape(-1)} if array.ndim else None
    if form == "mask" and isinstance(value, Polygons):
        return {"size": list(value.size), "rings": value.rings}
    if form == "mask" and isinstance(value, Rle):
        return {"size": list(value.size), "counts": value.counts}
    if form == "panoptic" and isinstance(value, Panoptic):
        ids, classes = (np.array(list(part), np.int64) for part in (value.classes, value.classes.values()))
        return {"png": _png_bytes(value), "size": list(value.size), "ids": ids, "classes": classes}
    if form == "segment" and isinstance(value, Segment):
        return {"of": value.of, "number": value.number}
    if form == "segments" and isinstance(value, (list, tuple)):
        of = shared_panoptic(value)
        if of is not None or not any(part is not None for part in value):
            return {"of": of, "numbers": [part if part is None else part.number for part in value]}
    return None


def _png_bytes(value: Panoptic) -> bytes:
    try:
        return value.path if isinstance(value.path, bytes) else Path(value.path).read_bytes()
    except OSError as error:
        found = f"{error.strerror or type(error).__name__}: {value.path!r}"
        raise BadValue(0, "a file that can be read", found) from error


def _put_together(form: str, fields: dict[str, Any]) -> Any:
    """Undo `_apart`."""
    if form == "array":
        return fields["values"].reshape(fields["shape"])
    if form == "segment":
        return Segment(fields["of"], fields["number"])
    if form == "segments":
        return [None if number is None else Segment(fields["of"], number) for number in fields["numbers"]]
    size = tuple(fields["size"].tolist())
    if form == "panoptic":
        classes = dict(zip(fields["ids"].tolist(), fields["classes"].tolist(), strict=True))
        return Panoptic(fields["png"], size, classes)
    if fields["counts"] is None:
        return Polygons(size, tuple(fields["rings"]))
    return Rle(size, fields["counts"])


def fitted(array: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, str | None]:
    """Convert numbers to a dtype; also return the first number that it can't represent, as text for an error.

    >>> fitted(np.array([1.0, 0.5]), np.dtype("uint8"))[1]
    '0.5'
    """
    if np.can_cast(array.dtype, dtype):
        return array.astype(dtype, copy=False), None
    with np.errstate(invalid="ignore", over="ignore"):
        converted = array.astype(dtype)
    wrong = converted != array
    if dtype.kind == array.dtype.kind and dtype.kind in "fmM":
        wrong &= ~np.isnan(array)
    return converted, shown(array[wrong].flat[0]) if wrong.any() else None


def numbers_in_place(array: Any, dtype: np.dtype) -> np.ndarray:
    """View the memory of an Arrow array of numbers without nulls as an array ``(n,)`` of ``dtype``."""
    if pa.types.is_boolean(array.type):
        return np.asarray(array.to_numpy(zero_copy_only=False), bool)
    numbers = np.frombuffer(array.buffers()[1] or b"", dtype)[array.offset : array.offset + len(array)]
    if len(numbers) != len(array):
        raise ValueError(f"{len(numbers)} numbers of {len(array)}")
    return numbers
