"""Checks sample weights: their nesting against the outputs, and each array against its labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, ValuesView
from dataclasses import replace
from typing import Any

from polyhead.checks.output_rules import FEW
from polyhead.doctor.batch_layout import nesting_of
from polyhead.doctor.leaf_statistics import LeafStatistics
from polyhead.doctor.matching import example_yield, key_difference
from polyhead.doctor.model_signature import ExaminedTensor, Matches, Model, in_order, nesting_form, quoted
from polyhead.doctor.reading import Reading
from polyhead.errors import Problem, counted


def check_weights(reading: Reading, model: Model | None, matches: Matches) -> Iterator[Problem]:
    """Check the nesting, the shapes and the numbers of weights."""
    yield from _check_structure(reading, model, matches)
    yield from _check_weight_values(reading, matches)


def zero_weight_notes(reading: Reading, matches: Matches) -> list[str]:
    """Return a note on weights of 0, and how Keras counts them."""
    return [
        f"{matches.name(leaf_path)} are 0 in some rows: Keras's default loss still divides by all rows, and plain "
        "metrics count them; say weighted_metrics="
        for leaf_path, stats in reading.stats.items()
        if leaf_path[0] == "w" and stats.low[0] == 0 and not stats.constant
    ]


def _check_structure(reading: Reading, model: Model | None, matches: Matches) -> Iterator[Problem]:
    """Compare the nesting of weights with the outputs, and each array with its labels."""
    w = reading.first.parts.get("w")
    if w is None:
        return
    if reading.weighs_outputs:
        yield _single_numbers(w, matches)
        return
    problem = _nesting_problem(w, model) if model is not None else None
    alone = reading.stats.get(("w", ()))
    if problem is not None and not problem.warning and model is not None and model.output_form == "list":
        yield problem  # places in it are not those of the outputs
    elif alone is not None and ("y", ()) not in reading.stats:
        yield from filter(None, [_for_every_output(reading, model, matches, alone) or problem])
    else:
        shapes = (
            _weight_shape_problem(matches.name(("w", path)), stats, labels, matches.outputs.get(path))
            for (part, path), stats in reading.stats.items()
            if part == "w" and (labels := reading.stats.get(("y", path))) is not None
        )
        yield from filter(None, [problem, *shapes])


def _check_weight_values(reading: Reading, matches: Matches) -> Iterator[Problem]:
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
) -> Problem | None:
    """Return the problem of one array of weights for several outputs, which Keras uses for each of them."""
    for (part, path), labels in reading.stats.items():
        problem = None
        if part == "y":
            problem = _weight_shape_problem(
                matches.name(("w", path)), weights, labels, matches.outputs.get(path)
            )
        if problem is not None and model is not None and len(model.outputs) > 1:
            found = f"{problem.found}, one array for every output"
            fix = f"Give each output weights of its own: yield x, y, {example_yield(model)[3:]}."
            return replace(problem, found=found, fix=fix)
        if problem is not None:
            return problem
    return None


def _nesting_problem(w: Any, model: Model) -> Problem | None:
    """Return the problem of weights that are nested in another way than the outputs."""
    names, form = [slot.name for slot in model.outputs], model.output_form
    fix = f"Yield x, y, {example_yield(model)[3:]}; an array of ones where all rows count."
    expected, found, warning = "", counted(len(w), "array") if isinstance(w, (list, tuple)) else "", False
    if nesting_form(w) == "one":
        if len(names) > 1:
            expected = f"weights for each of {quoted(names)}"
            found = "one array, which counts for every output"
            warning = True
    elif form == "one":
        fix = "Yield x, y, weights."
        if isinstance(w, Mapping) or len(w) != 1:
            expected = "one array, as the model has one output"
            found = found or f"a dict with the {'key' if len(w) == 1 else 'keys'} {quoted(w)}"
    elif form == "list":
        if isinstance(w, Mapping) or len(w) != len(names):
            expected = f"a tuple of {len(names)} arrays, for {quoted(names)}"
            found = found or "a dict (KeyError: 0 in Keras)"
    elif form == "dict":
        if not isinstance(w, Mapping) or set(w) != set(names):
            expected = f"a dict with the keys {quoted(names)}"
            found = f"a {type(w).__name__}"
        if isinstance(w, Mapping):
            found = key_difference([n for n in names if n not in w], [n for n in w if n not in names])
    elif {path for path, _ in in_order(w)} != {slot.path for slot in model.outputs}:
        expected, found = f"the nesting of the outputs, {quoted(names)}", nesting_of(w)
    return Problem("weights", expected, found, fix, "weights-structure", warning) if expected else None


def _weight_shape_problem(
    name: str, weights: LeafStatistics, labels: LeafStatistics, slot: ExaminedTensor | None
) -> Problem | None:
    """Return the problem of weights that are no weight for each value of the loss."""
    if weights.odd is not None or labels.odd is not None:
        return None
    shape, ids = weights.shape, slot is not None and len(labels.shape) < len(slot.shape)
    # a loss has a value for each label, or for each vector of labels
    values = labels.shape if ids else labels.shape[:-1]
    if shape == () and values:
        ones = ", ".join("1" for _ in values)
        expected = f"rows of shape {values} or ({ones}{',' * (len(values) == 1)})"
        fix = f"It would be spread along the last axis, or refused: give weights.reshape(-1, {ones})."
        return Problem(name, expected, "one number a row, (B,)", fix, "weights-shape")
    axes = shape[:-1] if len(shape) == len(values) + 1 and shape[-1] == 1 else shape
    if axes == () or (
        len(axes) == len(values) and all(a in (1, n) for a, n in zip(axes, values, strict=True))
    ):
        return None
    expected, each = (
        (f"rows of shape {values}", "place") if values else ("one number a row, (B,) or (B, 1)", "row")
    )
    fix = f"A loss has one value for each {each}."
    return Problem(name, expected, f"rows of shape {shape}", fix, "weights-shape")
