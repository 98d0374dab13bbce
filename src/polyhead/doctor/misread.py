"""Recognizes objects given instead of batches: a list of arrays, single rows, frames, mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyhead.columns.frames import family_of
from polyhead.errors import Problem, listed
from polyhead.keras_bridge.structure import leaves, rebuild
from polyhead.sources.source import Source

_FIRST = 8
"""The number of entries of a list that are checked."""


def plain_frames(obj: Any) -> Any:
    """Convert frames and series in a tuple ``(x, y)`` to arrays, as Keras does; return anything else unchanged.

    >>> plain_frames((1, 2))
    (1, 2)
    """
    if not isinstance(obj, tuple) or not any(is_frame(leaf) for _, leaf in leaves(obj)):
        return obj
    return rebuild(obj, lambda _, leaf: np.asarray(leaf.to_numpy()) if is_frame(leaf) else leaf)


def misread(obj: Any) -> Problem | None:
    """Return the problem of an object that does not yield batches; None for one that may.

    >>> print(misread({"x": [1], "y": [2]}))
    examine(obj): expected what fit takes: batches, or arrays as a tuple (x, y), got a dict of x, y. Say
    examine((data["x"], data["y"])), inputs first.
    """
    found = _found_instead(obj)
    expected = "what fit takes: batches, or arrays as a tuple (x, y)"
    return None if found is None else Problem("examine(obj)", expected, *found)


def _found_instead(obj: Any) -> tuple[str, str] | None:
    if is_frame(obj):
        columns = [str(name) for name in getattr(obj, "columns", ())]
        suffix = f" of {listed(columns, 8)}" if columns else ""
        fix = "Say examine((frame[inputs].to_numpy(), frame[label].to_numpy()))."
        return f"a {type(obj).__name__}{suffix}", fix
    if isinstance(obj, Source):
        return "a Source", "Give a feed of it: examine(ph.Feed(source, inputs=..., heads=...))."
    if isinstance(obj, Mapping):
        names = [str(name) for name in obj]
        if not any(_is_array(value) or _is_numbers(value) or is_frame(value) for value in obj.values()):
            return f"a dict of {listed(names, 8)}", "Give one of its values; arrays as a tuple."
        example = ", ".join(f'data["{name}"]' for name in names[:2])
        return f"a dict of {listed(names, 8)}", f"Say examine(({example})), inputs first."
    single = (hasattr(leaf, "dtype") and getattr(leaf, "shape", None) == () for _, leaf in leaves(obj))
    if not isinstance(obj, list) and any(single):
        return "a single number in place of an array", "Give arrays with an entry for each row."
    if not isinstance(obj, list) or not obj:
        return None
    if all(map(_is_array, obj[:_FIRST])):
        fix = "Say examine((x, y)) for arrays; a function yields batches of inputs alone: for x in batches: yield (x,)."
        return f"a list of {len(obj)} array{'s' * (len(obj) > 1)}", fix
    if len(obj) in (2, 3) and _is_array(obj[0]) and all(_is_array(leaf) for _, leaf in leaves(obj)):
        return "a list of x and nested labels", "Say examine((x, (y0, y1)))."
    if all(_is_row(row) for row in obj[:_FIRST]):
        fix = "Say examine((np.stack([x for x, y in rows]), np.array([y for x, y in rows])))."
        return f"a list of {len(obj):,} single rows (x, y)", fix
    return None


def is_call(obj: Any) -> bool:
    """Return whether something is x and y in a tuple, whatever the labels and weights are.

    >>> is_call((np.zeros((2, 1)), [[0.5, 1.0], None])), is_call(([0.5, 1.0], [1, 0]))
    (True, True)
    """
    if not isinstance(obj, tuple) or len(obj) < 2:
        return False
    first = next(iter(obj[0].values()), None) if isinstance(obj[0], Mapping) else obj[0]
    return _is_array(first) or _is_numbers(first)


def _is_array(obj: Any) -> bool:
    return hasattr(obj, "dtype") and bool(getattr(obj, "shape", ()))


def is_frame(obj: Any) -> bool:
    """Return whether something is a frame, a series or an index of pandas or polars."""
    family, names = family_of(obj)
    return family in ("pandas", "polars") and bool(names & {"DataFrame", "Series", "Index"})


def _is_row(obj: Any) -> bool:
    """Return whether something is one row ``(x, y)``, whose label is a single value."""
    label = obj[1] if isinstance(obj, (list, tuple)) and len(obj) in (2, 3) else None
    return isinstance(label, (int, float, str, np.generic)) or getattr(label, "shape", None) == ()


def _is_numbers(obj: Any) -> bool:
    """Return whether something is a list of numbers, or of lists of them."""
    while isinstance(obj, list) and obj and isinstance(obj[0], list):
        obj = obj[0]
    return isinstance(obj, list) and bool(obj) and isinstance(obj[0], (int, float))
