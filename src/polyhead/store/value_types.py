"""The Arrow type of a column whose rows are text, lists, arrays, masks or dicts.

Names inside an Arrow type record which Python object a list or struct was made from. The items of a list made from an
array are called `ROW`. The fields of a struct made from an object start with the name of its form; keys of a user's
dict that look like this get the prefix `DICT`.
"""

from __future__ import annotations

import base64
import datetime
import os
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from polyhead.columns.image_values import is_pillow
from polyhead.columns.mask_values import Panoptic, Polygons, Rle, Segment
from polyhead.columns.values import one_scale
from polyhead.errors import BadValue, shown
from polyhead.kinds.missing import is_missing

ROW = "row"
DICT = "fields:"
NAN = pa.float16()
"""Represents the type of NaN while types are merged: a number among numbers, otherwise a missing value."""


def _microseconds(value: Any) -> Any:
    """Return a time or time span unchanged; raise if Arrow would cut off nanoseconds, or it is too long."""
    if getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0):
        fix = 'Give an array: np.array(column, "datetime64[ns]").'
        raise BadValue(0, "whole microseconds", shown(value), fix)
    if abs(getattr(value, "days", 0)) > 2**63 // 86_400_000_000 - 1:
        raise BadValue(0, "microseconds of 64 bits", shown(value), "Convert the column.")
    return value


def _utf8_text(value: Any) -> str:
    """Return text or a path as text; raise for half of a surrogate pair, which UTF-8 can't hold."""
    text = str(os.fspath(value))
    try:
        text.encode()
    except UnicodeEncodeError:
        fix = 'Replace it: text.encode(errors="replace").decode().'
        raise BadValue(0, "text that UTF-8 can hold", shown(text), fix) from None
    return text


class Scalar(NamedTuple):
    """The values that are stored as a simple Arrow type: their Python types, their name, and their conversion."""

    types: tuple[type, ...]
    words: str
    convert: Callable[[Any], Any]


SCALARS: dict[Any, Scalar] = {
    pa.bool_(): Scalar((bool, np.bool_), "booleans", bool),
    pa.int64(): Scalar((int, np.integer), "whole numbers", int),
    pa.float64(): Scalar((float, np.floating, Decimal), "numbers", float),
    pa.large_string(): Scalar((str, os.PathLike), "text", _utf8_text),
    pa.large_binary(): Scalar((bytes, bytearray, memoryview), "bytes", bytes),
    pa.timestamp("us"): Scalar((datetime.datetime,), "times", _microseconds),
    # after times, which are dates, too
    pa.date32(): Scalar((datetime.date,), "dates", lambda date: date),
    pa.duration("us"): Scalar((datetime.timedelta,), "time spans", _microseconds),
    pa.null(): Scalar((), "nothing", lambda value: value),
}


def list_of(item: Any) -> Any:
    """Return the type of a list of items of one type."""
    return pa.large_list(pa.field("item", item))


def array_of(dtype: np.dtype, row: Sequence[int] | None) -> Any:
    """Return the type of arrays ``(n, *row)``, or of any shape if ``row`` is None."""
    inner = pa.from_numpy_dtype(dtype)
    if row is None:
        return object_of("array", shape=list_of(pa.int64()), values=array_of(dtype, ()))
    for size in reversed(row):
        inner = pa.list_(inner, size)
    return pa.large_list(pa.field(ROW, inner))


def object_of(form: str, **fields: Any) -> Any:
    """Return the type of objects that are stored as fields."""
    return pa.struct({f"{form}:{name}": kind for name, kind in fields.items()})


_INTS = array_of(np.dtype(np.int64), ())
_PANOPTIC = object_of("panoptic", png=pa.large_binary(), size=_INTS, ids=_INTS, classes=_INTS)
OBJECTS = {
    "mask": object_of("mask", size=_INTS, counts=_INTS, rings=list_of(array_of(np.dtype(np.float64), (2,)))),
    "panoptic": _PANOPTIC,
    "segment": object_of("segment", of=_PANOPTIC, number=pa.int64()),
    "segments": object_of("segments", of=_PANOPTIC, numbers=list_of(pa.int64())),
}
_FORMS = {tuple(field.name for field in kind): form for form, kind in OBJECTS.items()}
_FORMS["array:shape", "array:values"] = "array"
_RESERVED = (DICT, *(f"{form}:" for form in _FORMS.values()))


def form_of(kind: Any) -> str:
    """Return the form of values of a type: "rows" of an array, "list", "fields" of a dict, "scalar", or an object."""
    if pa.types.is_large_list(kind):
        return "rows" if kind.value_field.name == ROW else "list"
    if pa.types.is_struct(kind):
        return _FORMS.get(tuple(field.name for field in kind), "fields")
    return "scalar"


def array_layout(kind: Any) -> tuple[np.dtype, tuple[int, ...] | None]:
    """Return the dtype of an array type, and the shape of its rows if it is fixed."""
    if form_of(kind) == "array":
        return array_layout(kind.field(1).type)[0], None
    row, inner = [], kind.value_type
    while pa.types.is_fixed_size_list(inner):
        row.append(inner.list_size)
        inner = inner.value_type
    return np.dtype(inner.to_pandas_dtype()), tuple(row)


def type_to_text(kind: Any) -> str:
    """Convert a type to text for the manifest, as Arrow serializes a schema.

    >>> type_from_text(type_to_text(list_of(pa.int64())))
    LargeListType(large_list<item: int64>)
    """
    schema = pa.schema([pa.field("", kind)]).serialize()
    return base64.b64encode(schema).decode()


@lru_cache(256)
def type_from_text(text: str) -> Any:
    """Convert text from `type_to_text` back to the type; raise a ValueError for other text."""
    try:
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text, validate=True))).field("").type
    except Exception as error:  # Arrow raises many types of errors
        raise ValueError(str(error)) from error


def type_of(value: Any) -> Any:
    """Return the Arrow type of one value.

    Raises:
        BadValue: for a value that a store can't hold.

    >>> type_of([["a"], None])
    LargeListType(large_list<item: large_list<item: large_string>>)
    """
    if is_missing(value):
        return NAN if isinstance(value, (float, np.floating)) else pa.null()
    for kind, scalar in SCALARS.items():
        # np.timedelta64 is an np.integer, too
        if isinstance(value, scalar.types) and not _is_zoned(value) and not isinstance(value, np.timedelta64):
            return kind
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.ndim:
        row = value.shape[1:]
        return array_of(value.dtype.newbyteorder("="), None if 0 in row else row)
    for classes, form in (((Polygons, Rle), "mask"), (Panoptic, "panoptic"), (Segment, "segment")):
        if isinstance(value, classes):
            return OBJECTS[form]
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        if shared_panoptic(value) is not None:
            return OBJECTS["segments"]
        return list_of(common([type_of(part) for part in value]))
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        names = {key: DICT + key if key.startswith(_RESERVED) else key for key in value}
        return pa.struct({names[key]: type_of(part) for key, part in value.items()})
    fix = "Pack a Feed with a ph.Image for them, or give paths." if is_pillow(value) else ""
    if isinstance(value, (set, frozenset)):
        fix = "Give lists: [None if one is None else sorted(one) for one in column]."
    elif isinstance(value, (np.datetime64, np.timedelta64)):
        fix = f'Give an array: np.array(column, "{value.dtype}").'
    elif _is_zoned(value):
        fix = "Give them in UTC, without a zone: one.astimezone(datetime.timezone.utc).replace(tzinfo=None)."
    expected = "a value that a store can hold: numbers, text, bytes, dates, arrays, masks, lists, dicts"
    raise BadValue(0, expected, shown(value), fix)


def _is_zoned(value: Any) -> bool:
    return isinstance(value, datetime.datetime) and value.tzinfo is not None


def shared_panoptic(values: Any) -> Panoptic | None:
    """Return the annotation that all segments of a list belong to; None for any other list."""
    parts = [part for part in values if part is not None]
    alike = bool(parts) and all(isinstance(part, Segment) and part.of is parts[0].of for part in parts)
    return parts[0].of if alike else None


def common(types: Sequence[Any]) -> Any:
    """Return the type that holds values of all these types.

    Raises:
        BadValue: if there is none, with the position of the first type that does not fit.
    """
    merged, seen = pa.null(), set()
    for i, kind in enumerate(types):
        if str(kind) not in seen:
            seen.add(str(kind))
            both = _both(merged, kind)
            if both is None:
                expected = f"{type_words(merged)}, as in the rows before"
                raise BadValue(i, expected, type_words(kind), "Convert the column.")
            merged = both
    return merged


def is_same(a: Any, b: Any) -> bool:
    """Return whether two types are the same, including the names in them."""
    return bool(a.equals(b, check_metadata=True))


def settled(kind: Any) -> Any:
    """Replace `NAN`, which is left where all values are NaN or missing, by float64."""
    form = form_of(kind)
    if form == "list":
        return list_of(settled(kind.value_type))
    if form == "fields":
        return pa.struct({field.name: settled(field.type) for field in kind})
    return pa.float64() if kind == NAN else kind


def _both(a: Any, b: Any) -> Any:
    """Return the type that holds values of both types; None if there is none."""
    if is_same(a, b) or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if _is_number_type(a) and _is_number_type(b):
        return pa.float64() if pa.types.is_floating(a) or pa.types.is_floating(b) else pa.int64()
    if NAN in (a, b):
        return b if a == NAN else a
    first, second = sorted((a, b), key=lambda kind: form_of(kind) == "list")
    forms = form_of(first), form_of(second)
    if forms == ("segments", "list"):
        return first if pa.types.is_null(second.value_type) else None
    if forms in (("rows", "list"), ("array", "list")):
        return _array_or_list(first, second.value_type)
    if set(forms) <= {"rows", "array"}:
        (dtype, row), (other_dtype, other_row) = array_layout(a), array_layout(b)
        # boxes and points are not images
        image = row != () and (row != other_row or row is None or len(row) > 1 or row[0] > 4)
        if image and not one_scale((dtype, other_dtype)):
            return None
        return array_of(np.result_type(dtype, other_dtype), row if row == other_row else None)
    if forms == ("list", "list"):
        item = _both(a.value_type, b.value_type)
        return None if item is None else list_of(item)
    if forms == ("fields", "fields"):
        have, more = ({field.name: field.type for field in kind} for kind in (a, b))
        merged = {key: _both(have.get(key, pa.null()), more.get(key, pa.null())) for key in {**have, **more}}
        return None if None in merged.values() else pa.struct(merged)
    return None


def _array_or_list(array: Any, item: Any) -> Any:
    """Return the type that holds arrays and lists of numbers; empty lists fit any array."""
    dtype, row = array_layout(array)
    if pa.types.is_null(item):
        return array
    if not _is_number_type(item) or pa.types.is_boolean(item) or row:
        return None
    return array_of(np.result_type(dtype, np.int64 if pa.types.is_integer(item) else np.float64), row)


def _is_number_type(kind: Any) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def type_words(kind: Any) -> str:
    """Describe a type for messages.

    >>> type_words(list_of(pa.large_string()))
    'lists of text'
    """
    form = form_of(kind)
    if form == "list":
        return f"lists of {type_words(kind.value_type)}"
    if form in ("rows", "array"):
        dtype, row = array_layout(kind)
        shape = "any shape" if row is None else f"shape {('n', *row)}".replace("'", "")
        return f"arrays of {dtype} of {shape}"
    names = {"mask": "masks", "panoptic": "panoptic PNGs", "segment": "segments of panoptic PNGs"}
    names |= {"segments": "lists of segments", "fields": "dicts"}
    return names.get(form) or (SCALARS[kind].words if kind in SCALARS else str(kind))
