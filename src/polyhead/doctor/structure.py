"""The layout of x, y and weights: against itself from batch to batch, and against the model."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from polyhead.doctor.places import Places, counted, quoted
from polyhead.doctor.reading import Batch, Reading
from polyhead.doctor.sides import Model, Slot, form, in_order
from polyhead.doctor.subjects import Subject
from polyhead.errors import Problem
from polyhead.keras_bridge.structure import Path, rebuild


def check_batches(reading: Reading, subject: Subject, places: Places) -> list[Problem]:
    """What can be said without a model."""
    return [
        *_container(reading, subject),
        *_drift(reading, places),
        *_odd(reading, places),
        *_uneven(reading, places),
        *_reused(reading),
    ]


def _container(reading: Reading, subject: Subject) -> list[Problem]:
    first = reading.first
    assert first is not None
    if first.size > 3:
        fix = "Nest what belongs together: x, (y0, y1), (w0, w1)."
        found = f"a {first.container} of {first.size}"
        return [Problem("batch 0", "a tuple (x, y) or (x, y, weights)", found, fix, "not-a-tuple")]
    if subject.kind.startswith("generator") and first.container != "tuple":
        found = f"{'an' if first.container[0] in 'aeiou' else 'a'} {first.container}"
        return [
            Problem(
                "batch 0",
                "a tuple (x, y) or (x, y, weights)",
                found,
                "Keras refuses all else from a generator: yield x, y.",
                "not-a-tuple",
            )
        ]
    return []


def _drift(reading: Reading, places: Places) -> list[Problem]:
    problems = []
    if len(reading.layouts) > 1:
        step, layout, _ = reading.layouts[1]
        problems.append(
            Problem(
                f"batch {step}",
                f"the nesting of the batches before, {nesting(reading.layouts[0][1])}",
                nesting(layout),
                "Yield the same structure each time; Keras learns it from the first batches.",
                "structure-drift",
            )
        )
    for place, facts in reading.facts.items():
        if len(facts.dtypes) > 1:
            (first, _), (then, step), *_ = facts.dtypes.items()
            harm = "TensorFlow would cut the fractions off. " if first[0] in "iu" and then[0] == "f" else ""
            problems.append(
                Problem(
                    f"{places.name(place)}, batch {step}",
                    f"{first}, as in batch 0",
                    then,
                    f'{harm}Fix the dtype: values.astype("{_stable(first, then)}").',
                    "dtype-drift",
                )
            )
        if len(facts.shapes) > 1:
            (one, _), (other, step), *_ = facts.shapes.items()
            problems.append(
                Problem(
                    f"{places.name(place)}, batch {step}",
                    f"rows of shape {one}, as in batch 0",
                    f"rows of shape {other}",
                    "Pad or cut the rows to one shape.",
                    "shape-drift",
                    # inputs of many lengths are a habit, as long as the rank stays
                    warning=place[0] == "x" and len(one) == len(other),
                )
            )
    return problems


def _stable(first: str, then: str) -> str:
    return "float32" if "float" in first or "float" in then else "int32"


def _odd(reading: Reading, places: Places) -> list[Problem]:
    problems = []
    for place, facts in reading.facts.items():
        slot = places.inputs.get(place[1]) if place[0] == "x" else None
        if facts.odd is not None and not (slot is not None and slot.dtype == "string"):
            step, words = facts.odd
            fix = "Give NumPy arrays: np.asarray(values)."
            if "text" in words or "objects" in words:
                fix = "Turn words into ids first, and mixed lists into one array of numbers."
            # a layer in the model may take words in; nobody predicts them
            may = place[0] == "x" and slot is None and "text" in words
            if words == "None":
                fix = "Give an array of ones for outputs without weights."
            problems.append(
                Problem(
                    f"{places.name(place)}, batch {step}",
                    "an array of numbers",
                    words,
                    fix,
                    "not-an-array",
                    may,
                )
            )
    return problems


def _uneven(reading: Reading, places: Places) -> list[Problem]:
    if reading.uneven is None:
        return []
    step, counts = reading.uneven
    usual = max(counts.values(), key=list(counts.values()).count)
    found = ", ".join(f"{rows} in {places.name(place)}" for place, rows in counts.items() if rows != usual)
    return [
        Problem(
            f"batch {step}",
            f"{counted(usual, 'row')} in every array",
            found,
            "Cut inputs, labels and weights with the same ids.",
            "row-count",
        )
    ]


def _reused(reading: Reading) -> list[Problem]:
    if reading.reused is None:
        return []
    return [
        Problem(
            f"batch {reading.reused}",
            "an array that stays as it is once it was yielded",
            "one that was overwritten by the next batch",
            "Make a new array for each batch, or yield array.copy(): Keras keeps batches ahead of training.",
            "buffer-reused",
        )
    ]


def nesting(layout: Any) -> str:
    """A nesting in words.

    >>> nesting({"x": "*", "y": ("*", "*")})
    '(x, (array, array))'
    """
    if isinstance(layout, Mapping) and set(layout) <= {"x", "y", "w"} and "x" in layout:
        parts = [_shown(layout["x"]), *(_shown(layout[k]) for k in ("y", "w") if k in layout)]
        return f"({', '.join(['x' if parts[0] == 'array' else parts[0], *parts[1:]])})"
    return _shown(layout)


def _shown(layout: Any) -> str:
    if isinstance(layout, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(part)}" for key, part in layout.items()) + "}"
    if isinstance(layout, (list, tuple)):
        inner = ", ".join(_shown(part) for part in layout)
        inner += "," * (isinstance(layout, tuple) and len(layout) == 1)
        return f"[{inner}]" if isinstance(layout, list) else f"({inner})"
    return "array" if layout == "*" else "nothing"


# Labels against the outputs -----------------------------------------------------------------------------


def list_targets(first: Batch, subject: Subject) -> list[Problem]:
    """Labels in a list, which TensorFlow's pipeline does not take."""
    y = first.parts.get("y")
    x = first.parts.get("x")
    held = [name for name, part in (("x", x), ("y", y), ("weights", first.parts.get("w"))) if _lists(part)]
    loads = subject.kind == "torch DataLoader"
    if not held or not (subject.yields or loads):
        return []
    by_torch = (
        "The default collate_fn of a DataLoader makes lists: give dicts from the dataset, or a collate_fn"
    )
    fix = f"{by_torch} that gives tuples." if loads else "Yield a tuple: x, (y0, y1)."
    if "y" not in held and not loads:
        fix = "Yield tuples or dicts in its place."
    return [
        Problem(
            f"batch 0, {' and '.join(held)}",
            "a tuple or a dict of arrays",
            "a list (works on JAX and torch, TypeError on TensorFlow)",
            fix,
            "list-targets" if "y" in held else "list-structure",
            warning=loads and _backend() != "tensorflow",
        )
    ]


def _lists(nested: Any) -> bool:
    if isinstance(nested, Mapping):
        return any(_lists(part) for part in nested.values())
    return isinstance(nested, list) or (isinstance(nested, tuple) and any(_lists(part) for part in nested))


def _backend() -> str:
    keras = sys.modules.get("keras")
    return str(keras.config.backend()) if keras is not None else os.environ.get("KERAS_BACKEND", "")


def match_outputs(y: Any, model: Model, third: bool = False) -> tuple[dict[Path, Slot], list[Problem]]:
    """Which labels go with which output, and what is wrong with the nesting.

    Where labels would land in the wrong place, they are matched as they were meant, so that one mistake is told
    once. ``third``: a batch has a third part.
    """
    outputs, names = model.outputs, [slot.name for slot in model.outputs]
    listed = ", ".join(f"`{slot.name}` {slot.shape}" for slot in outputs)
    if y is None:
        fix = "Yield x, y." if len(outputs) == 1 else "Yield x, (y0, y1)."
        return {}, [Problem("batch 0", f"labels for {listed}", "inputs alone", fix, "no-targets")]
    if form(y) == "one":
        if len(outputs) == 1:
            return {(): outputs[0]}, []
        found = (
            f"one array of shape {('B', *y.shape[1:])}".replace("'", "")
            if hasattr(y, "shape")
            else "one array"
        )
        fix = "One array for all outputs would be taken apart along the batch, or given to each output. "
        fix += "The third part of a batch is weights, not labels. " * third + "Yield "
        return {}, [
            Problem(
                "y", f"an array for each of {listed}", found, f"{fix}{_example(model)}.", "stacked-targets"
            )
        ]
    if form(y) == "nested" or model.output_form == "nested":
        return _match_nested(y, model, listed)
    if isinstance(y, Mapping):
        return _match_keys(y, model, names)
    if len(y) != len(outputs):
        expected = f"{len(outputs)} arrays, for {listed}"
        return {}, [
            Problem("y", expected, counted(len(y), "array"), f"Yield {_example(model)}.", "target-count")
        ]
    problems = _by_sorted_key(model) if model.output_form == "dict" and len(outputs) > 1 else []
    return {(i,): slot for i, slot in enumerate(outputs)}, problems


def _example(model: Model) -> str:
    names = [slot.name for slot in model.outputs]
    if model.output_form == "dict":
        return "x, {" + ", ".join(f'"{name}": ...' for name in names) + "}"
    return f"x, ({', '.join(name if name.isidentifier() else '...' for name in names)})"


def _match_keys(
    y: Mapping[str, Any], model: Model, names: list[str]
) -> tuple[dict[Path, Slot], list[Problem]]:
    matched: dict[Path, Slot] = {(slot.name,): slot for slot in model.outputs if slot.name in y}
    missing = [name for name in names if name not in y]
    extra = [name for name in y if name not in names]
    if not missing and not extra:
        return matched, []
    if len(names) == len(y) == 1:
        return {(next(iter(y)),): model.outputs[0]}, []
    words = [f"no {quoted(missing)}"] * bool(missing) + [f"{quoted(extra)} too many"] * bool(extra)
    fix = (
        f"Rename {quoted(extra)} to {quoted(missing)}."
        if len(extra) == len(missing) == 1
        else "Yield one array for each output, under its name."
    )
    return matched, [Problem("y", f"the keys {quoted(names)}", " and ".join(words), fix, "target-keys")]


def _by_sorted_key(model: Model) -> list[Problem]:
    """A tuple for a model with a dict of outputs: Keras goes by the order of the sorted keys."""
    names = [slot.name for slot in model.outputs]
    landed = sorted(names)
    if landed == names:
        return [by_luck(model)]
    moves = "; ".join(
        f"the labels of `{mine}` would train `{theirs}`"
        for mine, theirs in zip(names, landed, strict=True)
        if mine != theirs
    )
    return [
        Problem(
            "y",
            f"a dict with the keys {quoted(names)}",
            f"a tuple, which Keras assigns in the order of the sorted keys: {moves}",
            f"Yield {_example(model)}.",
            "swapped-targets",
        )
    ]


def by_luck(model: Model) -> Problem:
    """A tuple whose order happens to be that of the sorted keys."""
    return Problem(
        "y",
        f"a dict with the keys {quoted(slot.name for slot in model.outputs)}",
        "a tuple, which Keras assigns in the order of the sorted keys; here the labels have it",
        f"Yield {_example(model)}: another name could change the order.",
        "tuple-for-dict",
        warning=True,
    )


def _match_nested(y: Any, model: Model, listed: str) -> tuple[dict[Path, Slot], list[Problem]]:
    paths = {path for path, _ in in_order(y)}
    by_path = {slot.path: slot for slot in model.outputs}
    if paths == set(by_path):
        return by_path, []
    return {path: slot for path, slot in by_path.items() if path in paths}, [
        Problem(
            "y",
            f"the nesting of the model's outputs, {listed}",
            _shown_nest(y),
            "Yield the labels nested as the model nests its outputs.",
            "structure",
        )
    ]


def _shown_nest(nested: Any) -> str:
    return _shown(rebuild(nested, lambda _, __: "*"))


# Inputs and weights --------------------------------------------------------------------------------------


def match_inputs(x: Any, model: Model) -> tuple[dict[Path, Slot], list[Problem]]:
    """Which arrays go into which input."""
    inputs, names = model.inputs, [slot.name for slot in model.inputs]
    if not inputs:
        return {}, []
    listed = ", ".join(f"`{slot.name}` {slot.shape}" for slot in inputs)
    if isinstance(x, Mapping):
        matched: dict[Path, Slot] = {(slot.name,): slot for slot in inputs if slot.name in x}
        missing, extra = [n for n in names if n not in x], [n for n in x if n not in names]
        if len(names) == len(x) == 1:
            return {(next(iter(x)),): inputs[0]}, []
        if missing:
            found = f"{quoted(x)}"
            fix = "Yield each input under the name of its keras.Input."
            return matched, [Problem("x", f"the keys {quoted(names)}", found, fix, "input-keys")]
        if extra:
            expected, fix = (
                f"the keys {quoted(names)} alone",
                "Keras drops it: leave it out, or add an input.",
            )
            return matched, [Problem("x", expected, f"{quoted(extra)} too", fix, "extra-input", warning=True)]
        return matched, []
    flat = in_order(x)
    if model.input_form == "dict" and len(inputs) > 1:
        expected, found = f"a dict with the keys {quoted(names)}", f"a {type(x).__name__}"
        fix = "Yield the inputs as a dict: Keras refuses all else, as the model was made with one."
        return {}, [Problem("x", expected, found, fix, "input-keys")]
    if len(flat) != len(inputs):
        fix = "Yield a tuple or a dict of inputs, one for each keras.Input."
        return {}, [Problem("x", f"inputs for {listed}", counted(len(flat), "array"), fix, "input-count")]
    return {path: slot for (path, _), slot in zip(flat, inputs, strict=True)}, []


def check_inputs(reading: Reading, places: Places) -> list[Problem]:
    """Shapes of inputs against the model's."""
    problems = []
    for path, slot in places.inputs.items():
        facts = reading.facts.get(("x", path))
        if facts is None or facts.odd is not None or fits(facts.shape, slot.shape):
            continue
        fix = ""
        if len(facts.shape) == 3 and fits((*facts.shape[1:], facts.shape[0]), slot.shape):
            fix = "These are channels first: give images.transpose(0, 2, 3, 1)."
        elif facts.shape == () and slot.shape == (1,):
            continue  # Keras gives it an axis
        others = [s for p, s in places.inputs.items() if p != path and fits(facts.shape, s.shape)]
        if others:
            fix = f"It has the shape of input `{others[0].name}`: is the order of the inputs right?"
        problems.append(
            Problem(
                places.name(("x", path)),
                f"rows of shape {slot.shape}",
                f"rows of shape {facts.shape}",
                fix,
                "input-shape",
            )
        )
    return problems


def fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape is one that is wanted; None takes any size.

    >>> fits((3, 4), (None, 4))
    True
    """
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted, strict=True))


def check_weights(reading: Reading, model: Model | None, places: Places) -> list[Problem]:
    """The nesting of weights against the outputs, and each array against its labels."""
    first = reading.first
    assert first is not None
    w = first.parts.get("w")
    if w is None:
        return []
    problems = _weights_nesting(w, model) if model is not None else []
    if model is not None and model.output_form == "list" and isinstance(w, Mapping):
        return problems
    for place, facts in reading.facts.items():
        part, path = place
        labels = reading.facts.get(("y", path))
        if part == "w" and facts.odd is None and labels is not None and labels.odd is None:
            slot = places.outputs.get(path)
            problems += _weights_shape(places.name(place), facts.shape, labels.shape, slot)
    return problems


def _weights_nesting(w: Any, model: Model) -> list[Problem]:
    names = [slot.name for slot in model.outputs]
    fix = f"Yield x, y, {_example(model)[3:]}; an array of ones where all rows count."

    def problem(expected: str, found: str, warning: bool = False) -> list[Problem]:
        return [Problem("weights", expected, found, fix, "weights-structure", warning)]

    if form(w) == "one":
        found = "one array, which counts for every output"
        return problem(f"weights for each of {quoted(names)}", found, True) if len(names) > 1 else []
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
            words = [f"no {quoted(missing)}"] * bool(missing) + [f"{quoted(extra)} too many"] * bool(extra)
            return problem(expected, " and ".join(words))
    return []


def _weights_shape(
    name: str, shape: tuple[int, ...], labels: tuple[int, ...], slot: Slot | None
) -> list[Problem]:
    ids = slot is not None and len(labels) < len(slot.shape)
    loss = labels if ids else labels[:-1]  # a loss has one value for each label, or each vector of them
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
