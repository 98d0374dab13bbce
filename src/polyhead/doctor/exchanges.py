"""Finds arrays of a batch that were exchanged, and says which."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from polyhead.doctor.model_signature import ExaminedTensor
from polyhead.errors import Problem
from polyhead.keras_bridge.structure import Path

_FEW_ARRAYS = 12
"""The most arrays for which exchanges of three are tried."""


def cycles(paths: list[Path]) -> Iterator[tuple[Path, ...]]:
    """Yield groups of three paths, in both directions, if there are few; then pairs."""
    for first, second, third in itertools.combinations(paths if len(paths) <= _FEW_ARRAYS else [], 3):
        yield first, second, third
        yield first, third, second
    yield from itertools.combinations(paths, 2)


def one_further(
    group: tuple[Path, ...], tensors: Mapping[Path, ExaminedTensor]
) -> dict[Path, ExaminedTensor]:
    """Return the tensor of the next path for each path, in the order of ``tensors``."""
    others = dict(zip(group, (*group[1:], group[0]), strict=True))
    return {path: tensors[others[path]] for path in tensors if path in others}


def exchanged(
    part: str, slots: Mapping[Path, ExaminedTensor], meant: Mapping[Path, ExaminedTensor], reason: Problem
) -> Problem:
    """Return the problem of arrays that are for each other's tensor, ``meant``; ``reason`` is one that they have."""
    word, things, fit, code = "output", "labels", "labels", "swapped-targets"
    if part == "x":
        word, things, fit, code = "input", "array", "arrays", "input-shape"
    order = "the other way round" if len(meant) == 2 else "in another order"
    where = f"{word}s {_and([f'`{slots[path].name}`' for path in meant])}"
    found = f"{fit} that fit only {order} ({reason.place} got {reason.found})"
    return Problem(where, f"each {word}'s own {things}", found, exchange_fix(part, meant), code)


def exchange_fix(part: str, meant: Mapping[Path, ExaminedTensor]) -> str:
    """Return the fix for arrays of ``x`` or ``y`` that are meant for each other's tensor."""
    codes = {path: f"{part}{''.join(f'[{key!r}]' for key in path)}" for path in meant}
    codes |= {path: f"`{path[-1]}`" for path in meant if isinstance(path[-1], str)}
    if len(codes) == 2:
        return f"Exchange {_and(list(codes.values()))}."
    verb = "has the labels of" if part == "y" else "is"
    return f"{_and([f'{codes[path]} {verb} `{slot.name}`' for path, slot in meant.items()])}."


def _and(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
