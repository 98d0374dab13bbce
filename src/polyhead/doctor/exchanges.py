"""Finds arrays that were exchanged, labels that are a column of the inputs, and outputs that get the same labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from polyhead.checks.output_rules import FEW
from polyhead.doctor.leaf_statistics import LeafStatistics
from polyhead.doctor.model_signature import ExaminedTensor, Matches
from polyhead.doctor.reading import Reading
from polyhead.errors import Problem, counted
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


_FEWEST_OTHERS = 5
"""The fewest rows without the most frequent label; with fewer, a column may be equal by chance."""


def labels_in_inputs(reading: Reading, matches: Matches, problems: list[Problem]) -> Iterator[Problem]:
    """Find labels that are columns of the inputs, except where a model reconstructs all of an input.

    Labels with one of the ``problems`` are left out.
    """
    inputs = {leaf_path: stats for leaf_path, stats in reading.stats.items() if leaf_path[0] == "x"}
    labels = {leaf_path: stats for leaf_path, stats in reading.stats.items() if leaf_path[0] == "y"}
    columns = {
        value: (leaf_path, column)
        for leaf_path, stats in inputs.items()
        for column, value in enumerate(_column_hashes(stats))
    }
    learned = {value for stats in labels.values() for value in _column_hashes(stats)}
    if reading.uneven is not None or all(
        learned.issuperset(_column_hashes(stats) or [-1]) for stats in inputs.values()
    ):
        return
    for leaf_path, stats in labels.items():
        hashes = _column_hashes(stats)
        whole = len(hashes) > 1 and any(hashes == _column_hashes(other) for other in inputs.values())
        name = matches.name(leaf_path)
        reported = any(problem.place.startswith(name) and not problem.warning for problem in problems)
        if whole or reported or not _are_telling(stats) or not columns.keys() >= set(hashes):
            continue
        input_path, column = columns[hashes[0]]
        which = f", column {column}" if len(hashes) == 1 < len(_column_hashes(inputs[input_path])) else ""
        got = f"those of {matches.name(input_path)}{which}, in all {counted(stats.rows, 'row')} read"
        fix = "Leave them out of the inputs: the model would only copy them."
        expected, code = "labels that no input has", "label-in-input"
        yield Problem(name, expected, got, fix, code, warning=True)


def _column_hashes(stats: LeafStatistics) -> list[int]:
    return [] if stats.columns is None else stats.columns.tolist()


def _are_telling(stats: LeafStatistics) -> bool:
    """Return whether labels are too varied to equal columns by chance; a sequence of ids may be the inputs shifted."""
    if stats.columns is None or stats.alike or not stats.usable or stats.rows < FEW:
        return False
    if len(stats.columns) > 1:
        return stats.one_hot or not stats.whole
    return stats.rows - max((stats.distinct or {}).values(), default=0) >= _FEWEST_OTHERS


def equal_label_notes(reading: Reading, matches: Matches) -> list[str]:
    """Note outputs that get the same labels, as outputs at several depths do."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for leaf_path, stats in reading.stats.items():
        if leaf_path[0] == "y" and _are_telling(stats):
            groups.setdefault(tuple(_column_hashes(stats)), []).append(matches.name(leaf_path))
    return [
        f"{' and '.join(names)} have the same labels in every row" for names in groups.values() if names[1:]
    ]
