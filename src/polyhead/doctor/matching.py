"""Matches labels with outputs and arrays with inputs, as Keras does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from polyhead.doctor.batch_layout import nesting_of
from polyhead.doctor.model_signature import (
    ExaminedTensor,
    Model,
    batch_of,
    in_order,
    nested_code,
    nesting_form,
    quoted,
)
from polyhead.errors import Problem, counted
from polyhead.keras_bridge.structure import Path

Matched = dict[Path, ExaminedTensor]
"""The tensors of a model by the paths of the arrays of a batch."""


def match_outputs(y: Any, model: Model, third: bool = False) -> tuple[Matched, Problem | None]:
    """Match labels with outputs; also return the problem of their nesting, if there is one.

    Labels that Keras would assign to the wrong outputs are matched as intended, so that each mistake is reported once.
    ``third``: whether a batch has a third part.
    """
    outputs, alone = model.outputs, len(model.outputs) == 1
    listed = ", ".join(f"`{slot.name}` {slot.shape}" for slot in outputs)
    fix = f"Yield {example_yield(model)}."
    if y is None:
        fix = "Yield x, y." if alone else fix
        return {}, Problem("batch 0", f"labels for {listed}", "inputs alone", fix, "no-targets")
    if nesting_form(y) == "one":
        return ({(): outputs[0]}, None) if alone else ({}, _one_for_all(y, model, listed, third))
    if nesting_form(y) == "nested" or model.output_form == "nested":
        return _match_nested(y, model, listed)
    if isinstance(y, Mapping):
        return _match_alone(y, model) if alone and model.output_form != "dict" else _match_keys(y, model)
    if len(y) != len(outputs):
        expected = f"{counted(len(outputs), 'array')}, for {listed}"
        return {}, Problem("y", expected, counted(len(y), "array"), fix, "target-count")
    sorts = model.output_form == "dict" and not alone
    return {(i,): slot for i, slot in enumerate(outputs)}, _by_sorted_key(model) if sorts else None


def _one_for_all(y: Any, model: Model, listed: str, third: bool) -> Problem:
    """Return the problem of one array or list for several outputs."""
    words, shape = getattr(y, "words", ""), getattr(y, "shape", None) or ()
    split = _split_code(model, shape)
    if words and split:
        fix = f'Take the columns apart: y = np.asarray(y, "float32"), then yield {split}.'
    else:
        fix = "One array for all outputs would be taken apart along the batch, or given to each output. "
        fix += "The third part of a batch is weights, not labels. " * third
        fix += f"Take it apart: yield {split}." if split else f"Yield {example_yield(model)}."
    found = words or (f"one array of shape {batch_of(shape[1:])}" if shape else "one array")
    return Problem("y", f"an array for each of {listed}", found, fix, "stacked-targets")


def _split_code(model: Model, shape: tuple[int, ...]) -> str:
    """Return code that yields the part of each output from one array; empty if its second axis is not the outputs."""
    count = len(model.outputs)
    if shape[1:2] != (count,):
        return ""
    parts = [f"y[:, {i}]" if len(shape) > 2 else f"y[:, {i}:{i + 1}]" for i in range(count)]
    return example_yield(model, parts)


def example_yield(model: Model, codes: Sequence[str] = ()) -> str:
    """Return code for what to yield for this model; ``codes`` for the labels of each output, if they are known."""
    names = [slot.name for slot in model.outputs]
    dicts = model.output_form == "dict"
    if not codes:
        words = [name.rpartition("/")[2] for name in names]
        codes = [word if word.isidentifier() and not dicts else "..." for word in words]
    return f"x, {nested_code([(slot.path, code) for slot, code in zip(model.outputs, codes, strict=True)])}"


def _match_alone(y: Mapping[str, Any], model: Model) -> tuple[Matched, Problem]:
    """Match a dict of labels with a model of one output, for which Keras takes an array or a tuple with one."""
    slot = model.outputs[0]
    key = slot.name if slot.name in y else next(iter(y)) if len(y) == 1 else None
    keys = "key" if len(y) == 1 else "keys"
    fix = "Yield x, y with one array as y." if key is None else f"Yield x, y[{key!r}]."
    expected = f"an array, as `{slot.name}` is the model's only output"
    found = f"a dict with the {keys} {quoted(y)}, which Keras takes only where the model returns a dict"
    return {} if key is None else {(key,): slot}, Problem("y", expected, found, fix, "target-keys")


def _match_keys(y: Mapping[str, Any], model: Model) -> tuple[Matched, Problem | None]:
    names = [slot.name for slot in model.outputs]
    matched: Matched = {(slot.name,): slot for slot in model.outputs if slot.name in y}
    missing = [slot.name for slot in model.outputs if slot.name not in y and not slot.untrained]
    extra = [name for name in y if name not in names]
    if not missing and not extra:
        return matched, None
    fix = "Yield one array for each output, under its name."
    if len(extra) == len(missing) == 1:
        fix = f"Rename {quoted(extra)} to {quoted(missing)}."
    found = key_difference(missing, extra)
    return matched, Problem("y", f"the keys {quoted(names)}", found, fix, "target-keys")


def key_difference(missing: Sequence[str], extra: Sequence[str]) -> str:
    """Describe the keys that a dict lacks, and those that it has besides."""
    words = [f"no {quoted(missing)}"] * bool(missing) + [f"{quoted(extra)} too many"] * bool(extra)
    return " and ".join(words)


def _by_sorted_key(model: Model) -> Problem:
    """Return the problem of a tuple for a dict of outputs, which Keras assigns by sorted keys."""
    names = [slot.name for slot in model.outputs]
    if sorted(names) == names:
        return sorted_by_luck(model)
    moves = "; ".join(
        f"the labels of `{intended}` would train `{trained}`"
        for intended, trained in zip(names, sorted(names), strict=True)
        if intended != trained
    )
    expected = f"a dict with the keys {quoted(names)}"
    found = f"a tuple, which Keras assigns in the order of the sorted keys: {moves}"
    return Problem("y", expected, found, f"Yield {example_yield(model)}.", "swapped-targets")


def sorted_by_luck(model: Model) -> Problem:
    """Return the problem of a tuple that happens to be in the order of the sorted keys."""
    expected = f"a dict with the keys {quoted(slot.name for slot in model.outputs)}"
    found = "a tuple, which Keras assigns in the order of the sorted keys; here the labels have it"
    fix = f"Yield {example_yield(model)}: another name could change the order."
    return Problem("y", expected, found, fix, "tuple-for-dict", warning=True)


def _match_nested(y: Any, model: Model, listed: str) -> tuple[Matched, Problem | None]:
    paths = {path for path, _ in in_order(y)}
    by_path = {slot.path: slot for slot in model.outputs}
    if paths == set(by_path):
        return by_path, None
    if model.output_form == "list" and paths == {(0, *path) for path in by_path}:
        expected = f"an array for each of {listed}"
        found = "these in another tuple, which Keras takes apart, but only for a list of outputs"
        fix = f"Yield {example_yield(model)}."
        matched = {(0, *path): slot for path, slot in by_path.items()}
        return matched, Problem("y", expected, found, fix, "structure", warning=True)
    expected = f"the nesting of the model's outputs, {listed}"
    found, fix = nesting_of(y), "Yield the labels nested as the model nests its outputs."
    matched = {path: slot for path, slot in by_path.items() if path in paths}
    return matched, Problem("y", expected, found, fix, "structure")


def match_inputs(x: Any, model: Model) -> tuple[Matched, Problem | None]:
    """Match arrays with inputs; also return the problem of their nesting, if there is one."""
    inputs, names = model.inputs, [slot.name for slot in model.inputs]
    by_path = {slot.path: slot for slot in inputs}
    if not inputs or (model.input_form == "nested" and {path for path, _ in in_order(x)} == set(by_path)):
        return by_path, None
    if isinstance(x, Mapping):
        return _match_input_keys(x, inputs, names)
    arrays, code = in_order(x), "input-keys"
    if model.input_form == "dict" and len(inputs) > 1:
        expected, found = f"a dict with the keys {quoted(names)}", f"a {type(x).__name__}"
        fix = "Yield the inputs as a dict: Keras accepts nothing else, as the model was built with one."
    elif len(arrays) != len(inputs):
        expected = f"inputs for {', '.join(f'`{i.name}` {i.shape}' for i in inputs)}"
        found = counted(len(arrays), "array")
        fix, code = "Yield a tuple or a dict of inputs, one for each keras.Input.", "input-count"
        if nesting_form(x) == "one" and len(names) > 1:
            fix = f"{fix} All are in the first part of a batch: x = {', '.join(names)}."
    else:
        return {path: slot for (path, _), slot in zip(arrays, inputs, strict=True)}, None
    return {}, Problem("x", expected, found, fix, code)


def _match_input_keys(
    x: Mapping[str, Any], inputs: Sequence[ExaminedTensor], names: Sequence[str]
) -> tuple[Matched, Problem | None]:
    matched: Matched = {(slot.name,): slot for slot in inputs if slot.name in x}
    keys = x if len(names) == len(x) == 1 else names
    nested = [key for key in keys if isinstance(x.get(key), (Mapping, list, tuple))]
    extra = [name for name in x if name not in names]
    if nested:
        found, fix = f"a {type(x[nested[0]]).__name__}", "Yield one array for each keras.Input."
        return {}, Problem(f"input `{nested[0]}`", "an array", found, fix, "input-keys")
    if len(matched) < len(names):
        fix = "Yield each input under the name of its keras.Input."
        if len(names) == len(x) == 1:
            matched = {(next(iter(x)),): inputs[0]}
            fix = f"Rename {quoted(x)} to {quoted(names)}, or yield the array alone."
        return matched, Problem("x", f"the keys {quoted(names)}", quoted(x), fix, "input-keys")
    if extra:
        expected, fix = f"the keys {quoted(names)} alone", "Keras drops it: leave it out, or add an input."
        return matched, Problem("x", expected, f"{quoted(extra)} too", fix, "extra-input", warning=True)
    return matched, None
