"""Single values of a store as Arrow, and back: each kind of type in `_TYPES`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.columns.mask_values import Panoptic, Polygons, Rle, Segment
from polyhead.errors import BadValue, shown
from polyhead.kinds.missing import is_missing
from polyhead.store.value_types import SCALARS, Type, words


def write(kind: Type, values: Sequence[Any]) -> Any:
    """Values of a type as a pyarrow array, null where they are None.

    Raises:
        BadValue: for a value of another type, with its place.
    """
    if kind["is"] not in _SCALARS:
        values = [None if is_missing(value) else value for value in values]
    return _TYPES[kind["is"]].write(kind, values)


def read(kind: Type, array: Any) -> list[Any]:
    """The values of a pyarrow array that `write` made."""
    return _TYPES[kind["is"]].read(kind, array)


def arrow(kind: Type) -> Any:
    """The Arrow type of a type."""
    return _TYPES[kind["is"]].arrow(kind)


@dataclass(frozen=True)
class _Node:
    """How a kind of type stands in Arrow."""

    arrow: Callable[[Type], Any]
    write: Callable[[Type, Sequence[Any]], Any]
    read: Callable[[Type, Any], list[Any]]


# Single values -----------------------------------------------------------------------------------------


def _scalar(kind: Type) -> Any:
    import pyarrow as pa

    names = {
        "truth": "bool_",
        "whole": "int64",
        "number": "float64",
        "text": "large_string",
        "bytes": "large_binary",
    }
    return getattr(pa, names.get(kind["is"], "null"))()


def _write_scalars(kind: Type, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    as_it_is: dict[str, Callable[[Any], Any]] = {
        "truth": bool,
        "whole": int,
        "number": float,
        "text": os.fspath,
        "bytes": bytes,
    }
    fits = next((types for types, name in SCALARS if name == kind["is"]), ())
    if kind["is"] in ("whole", "number"):
        fits = (*fits, int, np.integer, bool, np.bool_)
    plain: list[Any] = []
    for i, value in enumerate(values):
        if value is None or (is_missing(value) and kind["is"] != "number"):
            plain.append(None)
        elif isinstance(value, fits):
            plain.append(as_it_is[kind["is"]](value))
        else:
            raise BadValue(i, words(kind), shown(value), "Convert the column.")
    try:
        return pa.array(plain, _scalar(kind))
    except (OverflowError, pa.ArrowException):
        wide = next(i for i, v in enumerate(plain) if v is not None and not -(2**63) <= v < 2**63)
        raise BadValue(wide, "whole numbers of 64 bits", shown(plain[wide])) from None


def _read_scalars(kind: Type, array: Any) -> list[Any]:
    values: list[Any] = array.to_pylist()
    return values


# Lists and arrays --------------------------------------------------------------------------------------


def _lists(values: Sequence[Any], items: Any, lengths: Sequence[int]) -> Any:
    """Lists of what stands in ``items`` one after the other; null where a value is None."""
    import pyarrow as pa

    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    gone = np.array([value is None for value in values], bool)
    return pa.LargeListArray.from_arrays(
        pa.array(offsets), items, mask=pa.array(gone) if gone.any() else None
    )


def _bounds(array: Any) -> tuple[list[int], list[bool], Any]:
    """Where each list of an array begins and ends, which are there, and the items of them all."""
    ends = np.asarray(array.offsets)
    items = (
        array.values.slice(int(ends[0]), int(ends[-1] - ends[0])) if len(array) else array.values.slice(0, 0)
    )
    return (ends - ends[0]).tolist(), np.asarray(array.is_valid()).tolist(), items


def _write_lists(kind: Type, values: Sequence[Any]) -> Any:
    flat: list[Any] = []
    lengths, owner = [], []
    for i, value in enumerate(values):
        if value is not None and not isinstance(value, (list, tuple, np.ndarray)):
            raise BadValue(i, words(kind), shown(value), "Convert the column.")
        lengths.append(0 if value is None else len(value))
        owner += [i] * lengths[-1]
        flat.extend(() if value is None else value)
    try:
        items = write(kind["of"], flat)
    except BadValue as bad:
        bad.index = owner[bad.index or 0]
        raise
    return _lists(values, items, lengths)


def _read_lists(kind: Type, array: Any) -> list[Any]:
    ends, there, inner = _bounds(array)
    items = read(kind["of"], inner)
    return [items[ends[i] : ends[i + 1]] if there[i] else None for i in range(len(array))]


def _array(kind: Type) -> Any:
    import pyarrow as pa

    inner = number_type(np.dtype(kind["dtype"]))
    if kind["row"] is None:
        return pa.struct({"shape": pa.large_list(pa.int64()), "values": pa.large_list(inner)})
    for size in reversed(kind["row"]):
        inner = pa.list_(inner, size)
    return pa.large_list(inner)


def number_type(dtype: np.dtype) -> Any:
    """The Arrow type of numbers; truth values stand as bytes, so that they can be mapped."""
    import pyarrow as pa

    return pa.uint8() if dtype.kind == "b" else pa.from_numpy_dtype(dtype)


def fitted(array: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, str | None]:
    """Numbers as another type; and the first that it does not hold, as an error shows it.

    >>> fitted(np.array([1.0, 0.5]), np.dtype("uint8"))[1]
    '0.5'
    """
    if np.can_cast(array.dtype, dtype):
        return array.astype(dtype, copy=False), None
    with np.errstate(invalid="ignore", over="ignore"):
        found = array.astype(dtype)
    wrong = found != array
    if dtype.kind == array.dtype.kind and dtype.kind in "fmM":
        wrong &= ~np.isnan(array)
    return found, shown(array[wrong].flat[0]) if wrong.any() else None


def _write_arrays(kind: Type, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    dtype, row = np.dtype(kind["dtype"]), kind["row"]
    parts: list[np.ndarray] = []
    for i, value in enumerate(values):
        try:
            part = np.zeros((0, *(row or ())), dtype) if value is None else np.asarray(value)
        except ValueError:
            part = np.array(None)
        empty = not part.size and row is not None
        fits = (
            part.dtype.kind in "biuf"
            and part.ndim > 0
            and (empty or row is None or part.shape[1:] == tuple(row))
        )
        if not fits:
            raise BadValue(i, words(kind), shown(value), "Convert the column.")
        part, lost = fitted(part, dtype)
        if lost is not None:
            raise BadValue(i, f"numbers that fit {dtype}", lost, "Convert the column.")
        parts.append(part.reshape(0, *row) if empty else part)
    flat = np.concatenate([np.zeros(0, dtype), *(part.reshape(-1) for part in parts)])
    items = pa.array(flat.view(np.uint8) if dtype.kind == "b" else flat)
    if row is not None:
        for size in reversed(row):
            items = pa.FixedSizeListArray.from_arrays(items, size)
        return _lists(values, items, [len(part) for part in parts])
    gone = pa.array([value is None for value in values], pa.bool_())
    shapes = _lists(parts, pa.array([n for p in parts for n in p.shape], pa.int64()), [p.ndim for p in parts])
    return pa.StructArray.from_arrays(
        [shapes, _lists(parts, items, [part.size for part in parts])], ["shape", "values"], mask=gone
    )


def _read_arrays(kind: Type, array: Any) -> list[Any]:
    dtype, row = np.dtype(kind["dtype"]), kind["row"]
    there = np.asarray(array.is_valid()).tolist()
    if row is None:
        shapes = array.field("shape").to_pylist()
        ends, _, items = _bounds(array.field("values"))
        flat = numbers(items, dtype)
        return [
            flat[ends[i] : ends[i + 1]].reshape(shapes[i]) if there[i] else None for i in range(len(array))
        ]
    ends, _, items = _bounds(array)
    for _ in row:
        items = items.flatten()
    rows = numbers(items, dtype).reshape(-1, *row)
    return [rows[ends[i] : ends[i + 1]] if there[i] else None for i in range(len(array))]


def numbers(array: Any, dtype: np.dtype) -> np.ndarray:
    """An Arrow array of numbers without nulls as it stands in memory, ``(n,)`` of ``dtype``."""
    found = np.frombuffer(array.buffers()[1] or b"", dtype)[array.offset : array.offset + len(array)]
    if len(found) != len(array):
        raise ValueError(f"{len(found)} numbers of {len(array)}")
    return found


# Fields and masks --------------------------------------------------------------------------------------


def _struct(columns: Mapping[str, tuple[Type, Sequence[Any]]], gone: Sequence[bool]) -> Any:
    import pyarrow as pa

    arrays = [write(kind, values) for kind, values in columns.values()]
    return pa.StructArray.from_arrays(arrays, list(columns), mask=pa.array(list(gone), pa.bool_()))


def _write_fields(kind: Type, values: Sequence[Any]) -> Any:
    for i, value in enumerate(values):
        if value is not None and not (isinstance(value, Mapping) and set(value) <= set(kind["of"])):
            raise BadValue(i, f"a dict of {', '.join(kind['of'])}", shown(value), "Convert the column.")
    columns = {
        name: (inner, [None if v is None else v.get(name) for v in values])
        for name, inner in kind["of"].items()
    }
    return _struct(columns, [value is None for value in values])


def _read_fields(kind: Type, array: Any) -> list[Any]:
    columns = [read(inner, array.field(name)) for name, inner in kind["of"].items()]
    there = np.asarray(array.is_valid()).tolist()
    rows = zip(*columns, strict=True) if columns else [() for _ in there]
    return [
        dict(zip(kind["of"], row, strict=True)) if ok else None for row, ok in zip(rows, there, strict=True)
    ]


_INTS: Type = {"is": "array", "dtype": "int64", "row": []}
_SIZE: Type = {"is": "array", "dtype": "int64", "row": []}
_RINGS: Type = {"is": "list", "of": {"is": "array", "dtype": "float64", "row": [2]}}
_PANOPTIC: dict[str, Type] = {"png": {"is": "bytes"}, "size": _SIZE, "ids": _INTS, "classes": _INTS}
_FORMS: dict[str, dict[str, Type]] = {
    "mask": {"size": _SIZE, "counts": _INTS, "rings": _RINGS},
    "panoptic": _PANOPTIC,
    "segment": {"of": {"is": "panoptic"}, "number": {"is": "whole"}},
    "segments": {"of": {"is": "panoptic"}, "numbers": {"is": "list", "of": {"is": "whole"}}},
}


def _take_apart(name: str, value: Any) -> dict[str, Any]:
    """An object as the fields that it is stored by."""
    if name == "mask" and isinstance(value, Polygons):
        return {"size": list(value.size), "rings": value.rings}
    if name == "mask" and isinstance(value, Rle):
        return {"size": list(value.size), "counts": value.counts}
    if name == "panoptic" and isinstance(value, Panoptic):
        try:
            png = value.path if isinstance(value.path, bytes) else Path(value.path).read_bytes()
        except OSError as error:
            found = f"{error.strerror or type(error).__name__}: {value.path!r}"
            raise BadValue(0, "a file that can be read", found) from error
        return {
            "png": png,
            "size": list(value.size),
            "ids": np.array(list(value.classes), np.int64),
            "classes": np.array(list(value.classes.values()), np.int64),
        }
    if name == "segment" and isinstance(value, Segment):
        return {"of": value.of, "number": value.number}
    if name == "segments" and isinstance(value, (list, tuple)):
        parts = [part for part in value if part is not None]
        if all(isinstance(p, Segment) and p.of is parts[0].of for p in parts):
            return {
                "of": parts[0].of if parts else None,
                "numbers": [p if p is None else p.number for p in value],
            }
    raise BadValue(0, words({"is": name}), shown(value), "Convert the column.")


def _put_together(name: str, fields: dict[str, Any]) -> Any:
    if name == "mask":
        size = tuple(fields["size"].tolist())
        return (
            Polygons(size, tuple(fields["rings"]))
            if fields["counts"] is None
            else Rle(size, fields["counts"])
        )
    if name == "panoptic":
        classes = dict(zip(fields["ids"].tolist(), fields["classes"].tolist(), strict=True))
        return Panoptic(fields["png"], tuple(fields["size"].tolist()), classes)
    if name == "segment":
        return Segment(fields["of"], fields["number"])
    return [None if number is None else Segment(fields["of"], number) for number in fields["numbers"]]


def _write_objects(kind: Type, values: Sequence[Any]) -> Any:
    apart: list[Any] = []
    for i, value in enumerate(values):
        try:
            apart.append(None if value is None else _take_apart(kind["is"], value))
        except BadValue as bad:
            bad.index = i
            raise
    return _write_fields({"is": "fields", "of": _FORMS[kind["is"]]}, apart)


def _read_objects(kind: Type, array: Any) -> list[Any]:
    found = _read_fields({"is": "fields", "of": _FORMS[kind["is"]]}, array)
    return [None if fields is None else _put_together(kind["is"], fields) for fields in found]


def _fields(kind: Type) -> Any:
    import pyarrow as pa

    return pa.struct({name: arrow(inner) for name, inner in kind["of"].items()})


def _list(kind: Type) -> Any:
    import pyarrow as pa

    return pa.large_list(arrow(kind["of"]))


_SCALARS = ("nothing", "truth", "whole", "number", "text", "bytes")
_ONE = _Node(_scalar, _write_scalars, _read_scalars)
_OBJECT = _Node(lambda kind: _fields({"of": _FORMS[kind["is"]]}), _write_objects, _read_objects)
_TYPES = {
    **dict.fromkeys(_SCALARS, _ONE),
    "list": _Node(_list, _write_lists, _read_lists),
    "array": _Node(_array, _write_arrays, _read_arrays),
    "fields": _Node(_fields, _write_fields, _read_fields),
    **dict.fromkeys(_FORMS, _OBJECT),
}
