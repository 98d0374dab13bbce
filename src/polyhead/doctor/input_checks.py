"""Checks inputs: single rows instead of batches, shapes, the scale of images, ids of embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from polyhead.checks.input_rules import fractions_cut, rescaled_twice, unknown_ids, unscaled_images
from polyhead.checks.model_match import fits
from polyhead.doctor.exchanges import cycles, exchanged, one_further
from polyhead.doctor.leaf_statistics import LeafStatistics
from polyhead.doctor.model_signature import CHANNELS_LAST, ExaminedTensor, Matches, Model, batch_of, in_row
from polyhead.doctor.reading import ReadBatch, Reading
from polyhead.doctor.subjects import Subject
from polyhead.errors import Problem, counted
from polyhead.keras_bridge.structure import Path

_GROUPS = {
    "tf.data dataset": "Say dataset.batch(32).",
    "grain dataset": "Say dataset.batch(32).",
    "torch DataLoader": "Say DataLoader(dataset, batch_size=32).",
    "PyDataset": "Return many rows from __getitem__: x[rows], with rows = slice(32 * i, 32 * (i + 1)).",
}
_APART = {
    "tf.data dataset": "Leave out one of the batch(): its elements are batches already.",
    "grain dataset": "Leave out one of the batch(): its elements are batches already.",
    "torch DataLoader": "Say DataLoader(dataset, batch_size=None), as its items are batches already.",
}
_BRIGHT = 64
"""Images in 0–255 have brighter pixels than this; smaller integers may be counts."""
_DIVIDED_ONCE = 1.001
"""Pixels of 0–1, rounded."""
_SIDE = 8
_WRONG = ("input-shape", "input-dtype", "token-range")


def no_batch(reading: Reading, matches: Matches, subject: Subject, side: Model | None) -> Problem | None:
    """Return the problem of single rows, rows in a list, or batches of batches; None for batches."""
    listed = rows_in_a_list(reading.first, side)
    if listed is not None:
        return listed
    arrays = dict(reading.first.arrays())
    shapes = {path: getattr(arrays[("x", path)], "shape", None) or () for path in matches.inputs}
    wanted = {path: slot.shape for path, slot in matches.inputs.items()}
    if not wanted:
        return None
    path = next(iter(wanted))
    if all(
        len(shapes[p]) > 2 and fits(shapes[p][2:], wanted[p]) and not fits(shapes[p][1:], wanted[p])
        for p in wanted
    ):
        fix = _APART.get(subject.kind, "Leave out the additional axis: x[0], or np.concatenate(x).")
        expected, found = f"rows of shape {wanted[path]}", f"rows of shape {shapes[path][1:]}, each a batch"
        return Problem(matches.name(("x", path)), expected, found, fix, "input-shape")
    if not all(shapes[p] and fits(shapes[p], wanted[p]) for p in wanted):
        return None
    found = f"single rows, {shapes[path]}"
    fix = _GROUPS.get(subject.kind, "Yield many rows at once: x[rows], or np.stack(rows).")
    expected = f"batches of rows, {batch_of(shapes[path])}"
    return Problem(matches.name(("x", path)), expected, found, fix, "single-rows")


def rows_in_a_list(batch: ReadBatch, side: Model | None) -> Problem | None:
    """Return the problem of an input or output whose rows are in a list: Keras takes each array for one of its own."""
    if side is None:
        return None
    for part, word, slots in (("x", "input", side.inputs), ("y", "output", side.outputs)):
        for slot, rows in _given(batch.parts.get(part), slots):
            if not isinstance(rows, (list, tuple)) or not all(isinstance(row, np.ndarray) for row in rows):
                continue
            shapes = sorted({row.shape for row in rows}, key=str)
            if len(rows) < 2 or any(len(shape) != len(slot.shape) for shape in shapes):
                continue
            sizes = " and ".join(map(str, shapes[:2]))
            found = f"a {type(rows).__name__} of its rows, {counted(len(rows), 'array')} of shape {sizes}"
            fix = "Stack them" if len(shapes) == 1 else "Bring them to one shape and stack them"
            fix += f": np.stack(rows), for each input and output. To Keras, each array of a list is another {word}."
            where = f"{word} `{slot.name}`"
            return Problem(where, f"one array, {batch_of(slot.shape)}", found, fix, "single-rows")
    return None


def _given(nested: Any, slots: Sequence[ExaminedTensor]) -> Iterator[tuple[ExaminedTensor, Any]]:
    """Yield what a batch has for each tensor of a model that are not nested."""
    if isinstance(nested, dict):
        alone = next(iter(nested.values())) if len(slots) == len(nested) == 1 else None
        yield from ((slot, nested.get(slot.name, alone)) for slot in slots if len(slot.path) < 2)
    elif len(slots) == 1:
        yield slots[0], nested
    elif isinstance(nested, (list, tuple)) and len(nested) == len(slots):
        yield from zip(slots, nested, strict=True)


def check_inputs(reading: Reading, matches: Matches, model: Any) -> list[Problem]:
    """Compare the inputs with those of the model; inputs that fit each other's place are reported as exchanged."""
    read = {path: reading.stats["x", path] for path in matches.inputs}
    stats = {path: leaf for path, leaf in read.items() if leaf.odd is None and leaf.rows}
    slots = {path: matches.inputs[path] for path in stats}

    def mismatches(path: Path, slot: ExaminedTensor, name: str) -> list[Problem]:
        if not fits(stats[path].shape, slot.shape):
            return _check_shape(name, slot, stats[path], matches)
        return _check_input_values(name, slot, stats[path], model) if stats[path].numbers else []

    problems_of = {path: mismatches(path, slot, matches.name(("x", path))) for path, slot in slots.items()}
    problems: list[Problem] = []
    for group in sorted(cycles(list(slots)), key=len):
        meant = one_further(group, slots)
        reasons = [
            p
            for path in group
            for p in problems_of[path]
            if p.code == "input-shape" or (p.code == "input-dtype" and isinstance(path[-1], int))
        ]
        if reasons and not any(
            p.code in _WRONG for path, slot in meant.items() for p in mismatches(path, slot, "")
        ):
            problems.append(exchanged("x", slots, meant, reasons[0]))
            problems_of |= {path: [] for path in group}
    return problems + [p for path in problems_of for p in problems_of[path]]


def _check_shape(name: str, slot: ExaminedTensor, stats: LeafStatistics, matches: Matches) -> list[Problem]:
    fix = ""
    if len(stats.shape) == 3 and fits((*stats.shape[1:], stats.shape[0]), slot.shape):
        fix = f"These are channels first: give {CHANNELS_LAST.format('images')}."
    elif stats.shape == () and slot.shape == (1,):
        return []  # Keras adds an axis
    others = [o for o in matches.inputs.values() if o is not slot and fits(stats.shape, o.shape)]
    if others:
        fix = f"It has the shape of input `{others[0].name}`: is the order of the inputs right?"
    expected = f"rows of shape {slot.shape}"
    return [Problem(name, expected, f"rows of shape {stats.shape}", fix, "input-shape")]


def _check_input_values(name: str, slot: ExaminedTensor, stats: LeafStatistics, model: Any) -> list[Problem]:
    cut = None
    if stats.fraction is not None:
        value, spot = stats.fraction
        cut = fractions_cut(in_row(name, spot), slot.dtype, f"{value:g}", "Give whole numbers")
    problem = cut or unknown_ids(slot.takers, stats, lambda spot: in_row(name, spot))
    return [p for p in (problem, _check_pixels(name, slot, stats, model)) if p is not None]


def _check_pixels(name: str, slot: ExaminedTensor, stats: LeafStatistics, model: Any) -> Problem | None:
    """Return the problem of pixels in another scale than the model reads."""
    shape, high = stats.shape, stats.high[0]
    if len(shape) != 3 or shape[2] not in (1, 3, 4) or min(shape[:2]) < _SIDE or stats.low[0] < 0:
        return None
    if _BRIGHT < high <= 255:
        fix = "Divide by 255, or begin the model with keras.layers.Rescaling(1 / 255)."
        return unscaled_images(name, slot.takers, fix)
    if 0 < high <= _DIVIDED_ONCE / 255:
        fix = "They were divided by 255 twice: do it once."
        return Problem(
            name, "pixels near 0–1", f"pixels of 0–{high:.2g}", fix, "rescaled-twice", warning=True
        )
    return rescaled_twice(name, model, slot.takers, "pixels of 0–1", "Give the bytes") if high <= 1 else None
