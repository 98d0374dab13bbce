"""The parts of a batch that a generator yields, and their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polyhead.columns.frames import from_series
from polyhead.columns.image_values import is_pillow
from polyhead.columns.lazy import Stored, entries, shape_of
from polyhead.columns.values import Coded, from_tensor, is_tensor, objects, plain_entries, unmasked, widened
from polyhead.sources.arrays import are_rows


def batch_parts(
    nested: Any, path: tuple[Any, ...] = (), like: Any = None, rows: int | None = None
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the parts of a batch: entries of tuples, dicts and lists of arrays; a list of values is one part.

    None is no part. If names say how the batch is nested (``like``), a list at the place of a list or tuple of names
    has parts too. A list of as many arrays as the batch has rows, not all of that length, such as the boxes of each
    image, is one part.
    """
    if isinstance(nested, Mapping):
        named = like if isinstance(like, Mapping) else {}
        for key, part in nested.items():
            yield from batch_parts(part, (*path, key), named.get(key), rows)
    elif isinstance(nested, tuple) or (isinstance(nested, list) and nested and _of_parts(nested, like, rows)):
        in_order = like if isinstance(like, (list, tuple)) else ()
        for i, part in enumerate(nested):
            yield from batch_parts(part, (*path, i), in_order[i] if i < len(in_order) else None, rows)
    elif nested is not None:
        yield path, nested


def rows_of_batch(nested: Any) -> int | None:
    """Return the number of rows of a batch, from its first array that is not in a list; None if all are."""
    if isinstance(nested, (Mapping, tuple)):
        parts = nested.values() if isinstance(nested, Mapping) else nested
        return next((rows for part in parts if (rows := rows_of_batch(part)) is not None), None)
    shape = shape_of(nested)
    return int(shape[0]) if shape else None


def _of_parts(values: list[Any], like: Any, rows: int | None) -> bool:
    """Return whether a list holds the parts of a batch rather than the values of one part."""
    if isinstance(like, (list, tuple)):
        return len(like) == len(values)
    if all(isinstance(part, Mapping) for part in values):  # [x, y] of a DataLoader; rows share their keys
        keys = [key for part in values for key in part]
        return len(values) > 1 and len(set(keys)) == len(keys)
    shapes = [shape_of(part) for part in values]
    if rows == len(values) and any(shape is not None and shape[:1] != (rows,) for shape in shapes):
        return False
    arrays = [bool(shape) for shape in shapes]
    nested = [
        isinstance(part, (Mapping, tuple)) or (isinstance(part, list) and _of_parts(part, None, rows))
        for part in values
    ]
    return like is None and any(arrays) and all(a or n for a, n in zip(arrays, nested, strict=True))


def read_by_number(data: Any) -> bool:
    """Return whether something is a Keras ``PyDataset``, which also the flows of ``ImageDataGenerator`` are."""
    return hasattr(type(data), "num_batches") and hasattr(data, "__len__")


def columns_of_rows(batch: list[Any], names: Any) -> str:
    """Return how to make columns of a batch that is a list of rows, dicts or tuples; empty for other lists."""
    if are_rows(batch):
        rows = names is None and not _of_parts(batch, None, None)
        return _DICTS if rows else ""
    if not batch or not all(isinstance(row, tuple) and len(row) > 1 for row in batch):
        return ""
    sides = [(shape_of(part) or ())[:1] for _, part in batch_parts(batch[0])]
    return _TUPLES if any(sides) and (len(batch) > 3 or len(set(sides)) > 1) else ""


_TUPLES = "Yield columns: np.stack([x for x, y in rows]), np.array([y for x, y in rows])."
_DICTS = "Yield columns, {name: [row[name] for row in rows] for name in rows[0]}, or a tuple (x, y)."


def default_name(path: tuple[Any, ...], paths: list[tuple[Any, ...]]) -> str:
    """Return the name of a part whose names were not given."""
    if isinstance(path[-1], str):
        return path[-1]
    part = "xyw"[path[0]] if isinstance(path[0], int) and path[0] < 3 else "x"
    alike = [p for p in paths if p[:1] == path[:1]]
    return part if len(alike) == 1 else f"{part}{alike.index(path)}"


def default_names(nested: Any, paths: list[tuple[Any, ...]], path: tuple[Any, ...] = ()) -> Any:
    """Return names for the parts of a batch, nested like it.

    >>> default_names(({"a": 1, "b": 2}, (3, 4)), [(0, "a"), (0, "b"), (1, 0), (1, 1)])
    ({'a': 'a', 'b': 'b'}, ('y0', 'y1'))
    """
    if path in paths:
        return default_name(path or (0,), paths)
    if isinstance(nested, Mapping):
        return {key: default_names(part, paths, (*path, key)) for key, part in nested.items()}
    if isinstance(nested, (list, tuple)):
        return tuple(default_names(part, paths, (*path, i)) for i, part in enumerate(nested))
    return None


def outline(paths: list[tuple[Any, ...]]) -> str:
    """Describe the places of a batch's parts, for messages."""
    words = ["".join(f"[{key!r}]" for key in path) or "one array" for path in paths]
    return ", ".join(words) or "nothing"


def part_array(where: str, leaf: Any) -> np.ndarray:
    """Convert a part of a batch to an array of its own: the generator may fill the same array with the next batch."""
    if is_tensor(type(leaf)):
        leaf = from_tensor(where, leaf)
    if hasattr(leaf, "tocsr"):  # of SciPy
        leaf = leaf.toarray()
    series = from_series(leaf)
    if isinstance(series, Stored):
        series = entries(series, np.arange(len(series)))
    if series is not None:
        leaf = series.values() if isinstance(series, Coded) else series
    if isinstance(leaf, list):
        leaf = plain_entries(leaf, where)
        if any(map(is_pillow, leaf)):
            return objects(leaf)
        try:
            array = np.asarray(leaf)
        except ValueError:  # rows of unequal length
            return objects([np.array(row) if isinstance(row, np.ndarray) else row for row in leaf])
        nothing = 0 in array.shape[1:]  # lists of no labels or boxes, which no array of one shape holds
        return objects(leaf) if array.dtype.kind in "USO" or nothing else array
    if isinstance(leaf, np.ma.MaskedArray):
        leaf = unmasked(leaf.astype(object) if leaf.dtype.kind in "USb" else leaf)
    return widened(np.array(leaf))
