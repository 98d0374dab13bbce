"""Validates manifests and journals before anything in them is used.

A file may be damaged or malicious, and its numbers are used as memory sizes, its names as paths.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polyhead.errors import counted, is_size, shown
from polyhead.store.origin_columns import wrong_origin
from polyhead.store.value_types import type_from_text

Mistakes = Iterator[tuple[str, str, str]]
"""For each mistake: the location, what was expected, what was found."""

_FILE = re.compile(r"part-[0-9]{5,9}\.arrow")
_CRC = 2**32


def wrong_manifest(found: Mapping[str, Any]) -> Mistakes:
    """Find the mistakes in a manifest."""
    rows, columns, shards = (found.get(name) for name in ("rows", "columns", "shards"))
    if not is_size(rows, 0):
        yield "rows", "an integer of at least 0", shown(rows)
    yield from wrong_columns(columns)
    listed = columns if isinstance(columns, list) else []
    yield from _wrong_shards(shards, [spec.get("name") for spec in listed if isinstance(spec, dict)], rows)
    parts = found.get("parts")
    listed = parts if isinstance(parts, list) else [None]
    rows_of: list[Any] = [part.get("rows") if isinstance(part, dict) else None for part in listed]
    if not all(is_size(count, 0) for count in rows_of):
        yield "parts", "a list of parts, each with its rows", shown(parts)
    elif is_size(rows, 0) and sum(rows_of) != rows:
        yield "parts", f"{counted(rows, 'row')} in all", f"{sum(rows_of):,}"


def wrong_columns(columns: Any) -> Mistakes:
    """Find the mistakes in the columns of a manifest or of a journal's header."""
    if not isinstance(columns, list) or not columns:
        yield "columns", "a list of columns", shown(columns)
        return
    names = []
    for i, spec in enumerate(columns):
        where = f"columns[{i}]"
        if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
            yield where, "a column with a name", shown(spec)
            continue
        names.append(spec["name"])
        yield from ((f"{where}.{at}", expected, found) for at, expected, found in _wrong_spec(spec))
    for i, spec in enumerate(columns):
        if isinstance(spec, dict) and "origin" in spec:
            wrong = wrong_origin(spec, names)
            yield from ((f"columns[{i}].{at}", expected, found) for at, expected, found in wrong)
    for name, count in sorted(Counter(names).items()):
        if count > 1:
            yield "columns", "columns with different names", f"{name!r} {count} times"


def _wrong_spec(spec: Mapping[str, Any]) -> Mistakes:
    kind = spec.get("is")
    if kind == "dense":
        dtype, shape = spec.get("dtype"), spec.get("shape")
        if _dtype(dtype) is None:
            yield "dtype", "a dtype of numbers or dates", shown(dtype)
        if not isinstance(shape, list) or not all(map(is_size, shape)) or math.prod(shape) >= 2**31:
            yield "shape", "a list of sizes", shown(shape)
        if not isinstance(spec.get("nullable"), bool):
            yield "nullable", "true or false", shown(spec.get("nullable"))
    elif kind in ("coded", "values"):
        if not _is_type(spec.get("of")):
            yield "of", "an Arrow type", shown(spec.get("of"))
        if kind == "coded" and not isinstance(spec.get("ordered"), bool):
            yield "ordered", "true or false", shown(spec.get("ordered"))
    else:
        yield "is", "dense, coded or values", shown(kind)


def _dtype(name: Any) -> np.dtype | None:
    try:
        dtype = np.dtype(name) if isinstance(name, str) else None
    except (TypeError, ValueError, SyntaxError):
        return None
    if dtype is None or dtype.kind not in "biufmM" or dtype.itemsize > 8:
        return None
    return dtype if dtype.name == name else None


def _is_type(text: Any) -> bool:
    try:
        return isinstance(text, str) and type_from_text(text) is not None
    except ValueError:
        return False


def _wrong_shards(shards: Any, names: list[Any], rows: Any) -> Mistakes:
    if not isinstance(shards, list):
        yield "shards", "a list of files", shown(shards)
        return
    good = True
    for i, shard in enumerate(shards):
        for at, expected, found in wrong_shard(shard, names):
            good = False
            yield f"shards[{i}]{at}", expected, found
    if not good:
        return
    files = [shard["file"] for shard in shards]
    if len(set(files)) < len(files):
        yield "shards", "files with different names", shown(files)
    total = sum(shard["rows"] for shard in shards)
    if is_size(rows, 0) and total != rows:
        yield "shards", f"{counted(rows, 'row')} in all", f"{total:,}"


def wrong_shard(shard: Any, names: list[Any]) -> Mistakes:
    """Find the mistakes in the entry of one file; ``names`` are the names of the columns."""
    if not isinstance(shard, dict):
        yield "", "a file", shown(shard)
        return
    file, sums = shard.get("file"), shard.get("columns")
    if not isinstance(file, str) or not _FILE.fullmatch(file):
        yield ".file", "a name like part-00000.arrow, without a folder", shown(file)
    for name in ("rows", "bytes"):
        if not is_size(shard.get(name), 0):
            yield f".{name}", "an integer of at least 0", shown(shard.get(name))
    if not is_size(shard.get("crc32"), 0) or shard["crc32"] >= _CRC:
        yield ".crc32", "a checksum of 32 bits", shown(shard.get("crc32"))
    if not isinstance(sums, dict) or set(sums) != set(names):
        yield ".columns", "a checksum for each column", shown(sums)
    elif not all(is_size(value, 0) and value < _CRC for value in sums.values()):
        yield ".columns", "checksums of 32 bits", shown(sums)


def wrong_header(header: Any) -> Mistakes:
    """Find the mistakes in the first line of a journal."""
    if not isinstance(header, dict):
        yield "", "a header", shown(header)
        return
    for name in ("after", "first"):
        if not is_size(header.get(name, 0), 0):
            yield name, "an integer of at least 0", shown(header[name])
    for name in ("rows", "shard_rows", "chunk_rows"):
        if not is_size(header.get(name, 1)):
            yield name, "an integer of at least 1", shown(header[name])
    if not isinstance(header.get("part", {}), dict):
        yield "part", "a dict", shown(header["part"])
    yield from wrong_columns(header.get("columns"))
