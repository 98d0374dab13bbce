"""Checks inputs: single rows instead of batches, shapes, the scale of images, ids of embeddings."""

from __future__ import annotations

from typing import Any

from polyhead.checks.input_rules import fractions_cut, rescaled_twice, rows_of_embedding, unscaled_images
from polyhead.checks.model_match import fits
from polyhead.checks.range_rules import first_outside
from polyhead.doctor.leaf_statistics import LeafStatistics
from polyhead.doctor.model_signature import ExaminedTensor
from polyhead.doctor.places import Matches, in_row
from polyhead.doctor.reading import Reading
from polyhead.doctor.subjects import Subject
from polyhead.errors import Problem, counted

_GROUPS = {
    "tf.data dataset": "Say dataset.batch(32).",
    "grain dataset": "Say dataset.batch(32).",
    "torch DataLoader": "Say DataLoader(dataset, batch_size=32).",
    "PyDataset": "Return many rows from __getitem__: x[rows], with rows = slice(32 * i, 32 * (i + 1)).",
}
_BRIGHT = 64
"""Images in 0–255 have brighter pixels than this; smaller integers may be counts."""
_SIDE = 8


def single_rows(reading: Reading, places: Matches, subject: Subject) -> Problem | None:
    """Return the problem of single rows instead of batches; None for batches."""
    assert reading.first is not None
    arrays = dict(reading.first.arrays())
    shapes = {path: getattr(arrays[("x", path)], "shape", None) for path in places.inputs}
    alone = [shape and fits(shape, places.inputs[path].shape) for path, shape in shapes.items()]
    if not alone or not all(alone):
        return None
    path = next(iter(places.inputs))
    found = f"single rows, {shapes[path]}"
    fix = _GROUPS.get(subject.kind, "Yield many rows at once: x[rows], or np.stack(rows).")
    batch = f"(B, {', '.join(map(str, shapes[path] or ()))})"
    return Problem(places.name(("x", path)), f"batches of rows, {batch}", found, fix, "single-rows")


def check_inputs(reading: Reading, places: Matches, model: Any) -> list[Problem]:
    """Compare the inputs with those of the model."""
    problems: list[Problem] = []
    for path, slot in places.inputs.items():
        stats = reading.stats.get(("x", path))
        if stats is None or stats.odd is not None or not stats.rows:
            continue
        name = places.name(("x", path))
        if not fits(stats.shape, slot.shape):
            problems += _check_shape(name, slot, stats, places)
        elif stats.numbers:
            problems += _check_numbers(name, slot, stats, model)
    return problems


def _check_shape(name: str, slot: ExaminedTensor, stats: LeafStatistics, places: Matches) -> list[Problem]:
    fix = ""
    if len(stats.shape) == 3 and fits((*stats.shape[1:], stats.shape[0]), slot.shape):
        fix = "These are channels first: give images.transpose(0, 2, 3, 1)."
    elif stats.shape == () and slot.shape == (1,):
        return []  # Keras adds an axis
    others = [one for one in places.inputs.values() if one is not slot and fits(stats.shape, one.shape)]
    if others:
        fix = f"It has the shape of input `{others[0].name}`: is the order of the inputs right?"
    expected = f"rows of shape {slot.shape}"
    return [Problem(name, expected, f"rows of shape {stats.shape}", fix, "input-shape")]


def _check_numbers(name: str, slot: ExaminedTensor, stats: LeafStatistics, model: Any) -> list[Problem]:
    found: list[Problem | None] = []
    if stats.fraction is not None:
        value, spot = stats.fraction
        fix = "Give whole numbers"
        found.append(fractions_cut(in_row(name, spot), slot.dtype, f"{value:g}", fix))
    known = rows_of_embedding(slot.takers)
    outside = None if known is None else first_outside(stats, (0, known[0] - 1))
    if known is not None and outside is not None and stats.whole:
        value, spot = outside
        expected = f"ids in [0, {known[0] - 1}], as the embedding `{known[1]}` has {counted(known[0], 'row')}"
        fix = "PyTorch and TensorFlow stop there, JAX goes on with NaN: give the embedding more rows, or map rare ids "
        fix += "to one of its own."
        found.append(Problem(in_row(name, spot), expected, f"{value:g}", fix, "token-range"))
    shape = stats.shape
    if len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) >= _SIDE and stats.low[0] >= 0:
        if _BRIGHT < stats.high[0] <= 255:
            fix = "Divide by 255, or begin the model with keras.layers.Rescaling(1 / 255)."
            found.append(unscaled_images(name, slot.takers, fix))
        elif stats.high[0] <= 1:
            found.append(rescaled_twice(name, model, "pixels of 0–1", "Give the bytes"))
    return [problem for problem in found if problem is not None]
