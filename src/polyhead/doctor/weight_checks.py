"""Checks sample weights: their nesting against the outputs, and each array against its labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, ValuesView
from dataclasses import replace
from typing import Any

from polyhead.checks.output_rules import FEW
from polyhead.doctor.batch_layout import nesting_of
from polyhead.doctor.leaf_names import Matches, quoted
from polyhead.doctor.leaf_statistics import LeafStatistics
from polyhead.doctor.matching import example_yield, key_difference
from polyhead.doctor.model_signature import ExaminedTensor, Model, in_order, nesting_form
from polyhead.doctor.reading import Reading
from polyhead.errors import Problem, counted


def check_weights(reading: Reading, model: Model | None, matches: Matches) -> list[Problem]:
    """Check the nesting, the shapes and the numbers of weights."""
    return [*_check_structure(reading, model, matches), *_check_numbers(reading, matches)]


def zero_weight_notes(reading: Reading, matches: Matches) -> list[str]:
    """Return a note on weights of 0, and how Keras counts them."""
    return [
        f"{matches.name(leaf_path)} are 0 in some rows: Keras's default loss still divides by all rows, and plain "
        "metrics count them; say weighted_metrics="
        for leaf_path, stats in reading.stats.items()
        if leaf_path[0] == "w" and stats.low[0] == 0 and not stats.constant
    ]


def _check_structure(reading: Reading, model: Model | None, matches: Matches) -> list[Problem]:
    """Compare the nesting of weights with the outputs, and each array with its labels."""
    w = reading.first.parts.get("w")
    if w is None:
        return []
    if reading.weighs_outputs:
        return [_single_numbers(w, matches)]
    problems = _weights_nesting(w, model) if model is not None else []
    if model is not None and model.output_form == "list" and any(not p.warning for p in problems):
        return problems  # places in it are not those of the outputs
    alone = reading.stats.get(("w", ()))
    if alone is not None and ("y", ()) not in reading.stats:
        return _for_every_output(reading, model, matches, alone) or problems
    for leaf_path, stats in reading.stats.items():
        part, path = leaf_path
        labels = reading.stats.get(("y", path))
        if part == "w" and stats.odd is None and labels is not None and labels.odd is None:
            slot = matches.outputs.get(path)
            problems += _check_weights_shape(matches.name(leaf_path), stats.shape, labels.shape, slot)
    return problems


def _check_numbers(reading: Reading, matches: Matches) -> Iterator[Problem]:
    """Find weights that are negative, 0 everywhere, or the ids of the rows."""
    for leaf_path, stats in reading.stats.items():
        if leaf_path[0] != "w" or not stats.usable:
            continue
        name, (low, spot), high = matches.name(leaf_path), stats.low, stats.high[0]
        if _are_row_numbers(stats):
            found = f"whole numbers from 0 to {high:g}, as row ids are"
            fix = "The third part of a batch is weights: leave the ids out."
            yield Problem(name, "weights", found, fix, "weights-structure", warning=True)
        if low < 0:
            fix = "A negative weight trains away from the label."
            if not leaf_path[1]:
                fix = f"{fix} The third part of a batch is weights: nest the labels of several outputs, x, (y0, y1)."
            where = matches.name(leaf_path, spot)
            yield Problem(where, "a weight of at least 0", f"{low:g}", fix, "negative-weight")
        if low == high == 0:
            fix, found = "Nothing would be learned from it.", f"0 in all {counted(stats.rows, 'row')}"
            yield Problem(name, "weights above 0", found, fix, "constant", warning=True)


def _are_row_numbers(stats: LeafStatistics) -> bool:
    """Return whether weights may be the ids of the rows, from 0 on."""
    whole = stats.whole and stats.low[0] == 0 and stats.high[0] >= FEW
    many = stats.distinct is None or len(stats.distinct) > stats.high[0]
    return bool(whole and many and stats.rows % (stats.high[0] + 1) == 0)


def _single_numbers(w: Any, matches: Matches) -> Problem:
    """Return the problem of weights per class or output instead of weights per row."""
    classes = [group for group in _dicts_in(w) if group and all(isinstance(key, int) for key in group)]
    expected = "arrays with one number for each row"
    if classes:
        table = "{" + ", ".join(f"{key}: ..." for key in list(classes[0])[:3]) + "}"
        fix = f"Give each row the weight of its class: np.vectorize({table}.get)(labels); or declare the data as a "
        fix += "ph.Feed, whose heads take class_weight=."
        return Problem("weights", expected, "one number for each class", fix, "weights-structure")
    names = ", ".join(f'"{slot.name}": ...' for slot in matches.outputs.values()) or "..."
    fix = f"To weigh whole outputs say model.compile(loss_weights={{{names}}})."
    found = "one number for each output (JAX and torch take it for loss weights, TensorFlow refuses it)"
    return Problem("weights", expected, found, fix, "weights-structure")


def _dicts_in(nested: Any) -> Iterator[Mapping[Any, Any]]:
    """Yield the dicts in a nesting."""
    if isinstance(nested, Mapping):
        yield nested
    parts = nested.values() if isinstance(nested, Mapping) else nested
    for part in parts if isinstance(parts, (list, tuple, ValuesView)) else ():
        yield from _dicts_in(part)


def _for_every_output(
    reading: Reading, model: Model | None, matches: Matches, weights: LeafStatistics
) -> list[Problem]:
    """Check one array of weights for several outputs, which Keras uses for each of them."""
    several = model is not None and len(model.outputs) > 1
    for leaf_path, labels in reading.stats.items():
        if leaf_path[0] != "y" or labels.odd is not None or weights.odd is not None:
            continue
        name = matches.name(("w", leaf_path[1]))
        problems = _check_weights_shape(name, weights.shape, labels.shape, matches.outputs.get(leaf_path[1]))
        if problems and several and model is not None:
            where = f"{problems[0].found}, one array for every output"
            fix = f"Give each output weights of its own: yield x, y, {example_yield(model)[3:]}."
            problems = [replace(problems[0], found=where, fix=fix)]
        if problems:
            return problems
    return []


def _weights_nesting(w: Any, model: Model) -> list[Problem]:
    names = [slot.name for slot in model.outputs]
    fix = f"Yield x, y, {example_yield(model)[3:]}; an array of ones where all rows count."

    def problem(expected: str, found: str, warning: bool = False) -> list[Problem]:
        return [Problem("weights", expected, found, fix, "weights-structure", warning)]

    if nesting_form(w) == "one":
        found = "one array, which counts for every output"
        return problem(f"weights for each of {quoted(names)}", found, True) if len(names) > 1 else []
    if model.output_form == "one":
        fix = "Yield x, y, weights."
        if isinstance(w, Mapping):
            found = f"a dict with the {'key' if len(w) == 1 else 'keys'} {quoted(w)}"
            return problem("one array, as the model has one output", found)
        return (
            problem("one array, as the model has one output", counted(len(w), "array")) if len(w) != 1 else []
        )
    if model.output_form == "list":
        expected = f"a tuple of {len(names)} arrays, for {quoted(names)}"
        if isinstance(w, Mapping):
            return problem(expected, "a dict (KeyError: 0 in Keras)")
        return problem(expected, counted(len(w), "array")) if len(w) != len(names) else []
    if model.output_form == "dict":
        expected = f"a dict with the keys {quoted(names)}"
        if not isinstance(w, Mapping):
            return problem(expected, f"a {type(w).__name__}")
        if set(w) != set(names):
            missing, extra = [n for n in names if n not in w], [n for n in w if n not in names]
            return problem(expected, key_difference(missing, extra))
    if model.output_form == "nested" and {path for path, _ in in_order(w)} != {s.path for s in model.outputs}:
        return problem(f"the nesting of the outputs, {quoted(names)}", nesting_of(w))
    return []


def _check_weights_shape(
    name: str, shape: tuple[int, ...], labels: tuple[int, ...], slot: ExaminedTensor | None
) -> list[Problem]:
    ids = slot is not None and len(labels) < len(slot.shape)
    loss = labels if ids else labels[:-1]  # a loss has a value for each label, or for each vector of labels
    spatial = len(loss) > 0
    if shape == () and spatial:
        ones = ", ".join("1" for _ in loss)
        return [
            Problem(
                name,
                f"rows of shape {loss} or ({ones}{',' * (len(loss) == 1)})",
                "one number a row, (B,)",
                f"It would be spread along the last axis, or refused: give weights.reshape(-1, {ones}).",
                "weights-shape",
            )
        ]
    rest = shape[:-1] if len(shape) == len(loss) + 1 and shape[-1] == 1 else shape
    if rest == () or (len(rest) == len(loss) and all(r in (1, n) for r, n in zip(rest, loss, strict=True))):
        return []
    expected = f"rows of shape {loss}" if spatial else "one number a row, (B,) or (B, 1)"
    fix = "A loss has one value for each row." if not spatial else "A loss has one value for each place."
    return [Problem(name, expected, f"rows of shape {shape}", fix, "weights-shape")]
