"""The types of single values in a store.

A type is a tree that JSON takes, ``{"is": "list", "of": {"is": "text"}}``. `_store_values` has the form in Arrow of
each kind of node.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.columns.image_values import is_pillow
from polyhead.columns.mask_values import Panoptic, Polygons, Rle, Segment
from polyhead.errors import BadValue, shown
from polyhead.kinds.missing import is_missing

Type = dict[str, Any]
NOTHING: Type = {"is": "nothing"}
NAN: Type = {"is": "nan"}
"""The type of a single NaN: a number among numbers, and a value that is missing among others."""


def type_of(value: Any) -> Type:
    """The type of one value.

    Raises:
        BadValue: for what a store cannot hold.

    >>> type_of([np.zeros((2, 4), np.float32), None])
    {'is': 'list', 'of': {'is': 'array', 'dtype': 'float32', 'row': [4]}}
    """
    if is_missing(value):
        return NAN if isinstance(value, (float, np.floating)) else NOTHING
    for types, name in SCALARS:
        if isinstance(value, types):
            return {"is": name}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.ndim:
        row = list(value.shape[1:])
        return {"is": "array", "dtype": value.dtype.name, "row": row if 0 not in row else None}
    if isinstance(value, (Polygons, Rle)):
        return {"is": "mask"}
    if isinstance(value, Panoptic):
        return {"is": "panoptic"}
    if isinstance(value, Segment):
        return {"is": "segment"}
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        parts = [part for part in value if part is not None]
        if parts and all(isinstance(p, Segment) and p.of is parts[0].of for p in parts):
            return {"is": "segments"}
        return {"is": "list", "of": common([type_of(part) for part in value])}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"is": "fields", "of": {key: type_of(part) for key, part in value.items()}}
    fix = "Pack a Feed with a ph.Image for them, or give paths." if is_pillow(value) else ""
    raise BadValue(
        0, "a value that a store holds: numbers, text, bytes, arrays, masks, lists", shown(value), fix
    )


SCALARS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool, np.bool_), "truth"),
    ((int, np.integer), "whole"),
    ((float, np.floating), "number"),
    ((str, os.PathLike), "text"),
    ((bytes, bytearray, memoryview), "bytes"),
)


def common(types: Sequence[Type]) -> Type:
    """The one type that values of several types have.

    Raises:
        BadValue: where there is none, with the place of the first that does not fit.
    """
    found, seen = NOTHING, []
    for i, one in enumerate(types):
        if one in seen:
            continue
        seen.append(one)
        both = _both(found, one)
        if both is None:
            raise BadValue(i, f"{words(found)}, as before it", words(one), "Convert the column.")
        found = both
    return found


def settled(kind: Type) -> Type:
    """A type as a store has it, which knows no NaN by itself."""
    of = kind.get("of")
    if kind == NAN:
        return {"is": "number"}
    if kind["is"] == "fields":
        return {**kind, "of": {key: settled(part) for key, part in kind["of"].items()}}
    return {**kind, "of": settled(of)} if isinstance(of, dict) else kind


def _both(a: Type, b: Type) -> Type | None:
    if a == b or b == NOTHING:
        return a
    if a == NOTHING:
        return b
    names = {a["is"], b["is"]}
    if names <= {"truth", "whole", "number", "nan"}:
        return {"is": "number" if names & {"number", "nan"} else "whole"}
    if "nan" in names:
        return a if b == NAN else b
    if names == {"list", "segments"} and NOTHING in (a.get("of"), b.get("of")):  # a list that is empty
        return {"is": "segments"}
    if names == {"list", "array"}:
        of, array = (a["of"], b) if a["is"] == "list" else (b["of"], a)
        if of["is"] in ("whole", "number", "nan") and array["row"] in ([], None):
            like = np.dtype(np.int64 if of["is"] == "whole" else np.float64)
            return {**array, "dtype": np.result_type(np.dtype(array["dtype"]), like).name}
        return array if of == NOTHING else None
    if a["is"] != b["is"]:
        return None
    if a["is"] == "array":
        dtype = np.result_type(np.dtype(a["dtype"]), np.dtype(b["dtype"])).name
        return {"is": "array", "dtype": dtype, "row": a["row"] if a["row"] == b["row"] else None}
    if a["is"] == "list":
        inner_type = _both(a["of"], b["of"])
        return None if inner_type is None else {"is": "list", "of": inner_type}
    if a["is"] == "fields":
        merged = {
            key: _both(a["of"].get(key, NOTHING), b["of"].get(key, NOTHING)) for key in {**a["of"], **b["of"]}
        }
        return None if None in merged.values() else {"is": "fields", "of": merged}
    return None


def words(kind: Type) -> str:
    """A type as an error names it.

    >>> words({"is": "list", "of": {"is": "text"}})
    'a list of text'
    """
    name: str = kind["is"]
    if name == "list":
        return f"a list of {words(kind['of'])}"
    if name == "array":
        row = (
            "" if kind["row"] == [] else f" of rows {tuple(kind['row'])}" if kind["row"] else " of any shape"
        )
        return f"an array of {kind['dtype']}{row}"
    return {"mask": "a mask", "panoptic": "a panoptic PNG", "segment": "a segment of a panoptic PNG"}.get(
        name, name
    )
