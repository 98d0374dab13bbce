"""Matches inputs and heads with the tensors of a model by name, or by order if the shapes are unambiguous."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from polyhead.checks.model_tensors import ModelTensor, model_tensors, symbolic
from polyhead.errors import WARNINGS, Problem, Report, counted, hints, listed, place, similar
from polyhead.keras_bridge.structure import Path, Structure, leaves, makes_own_loss, rebuild
from polyhead.kinds import Head, Input
from polyhead.kinds.output_layers import layer_names

_KERAS_PREFACES = (
    "Exception encountered when calling",
    "Could not automatically infer",
    "Error encountered:",
)


_NAME_LAYER = 'Name the layer: name="{}"'
_NAME_KEY = 'Return it from call() in a dict, with the key "{}"'
"""The ways to name an output; the outputs of a subclassed model don't have the names of its layers."""


@dataclass(frozen=True)
class Fit(Report):
    """A report on a feed and a model.

    Attributes:
        structure: the places in the model of the inputs and heads that fit: of all of them, if the report is ok.
    """

    structure: Structure = field(default=Structure({}, {}), repr=False)


def match_model(
    model: Any, inputs: Mapping[str, Input], heads: Mapping[str, Head], batch_size: int, trains: bool = False
) -> Fit:
    """Match inputs and heads with the tensors of a model, and compare their shapes.

    Args:
        trains: whether the model is trained, which one without ``call`` may be, by its own ``train_step``.
    """
    if trains and _lacks_call(model) and makes_own_loss(model):
        taken = {name: name for name in inputs} if len(inputs) > 1 else next(iter(inputs))
        labels = f"; it gets the labels as a dict of {', '.join(heads)}" if heads else ""
        note = f"{type(model).__name__} has no call(), so nothing is compared with it{labels}"
        return _fit_of_own_loss(taken, heads, note)
    x, y, failure = _signature(model, inputs, batch_size)
    if failure is not None:
        return Fit((failure,))
    input_shapes = {name: kind.shape for name, kind in inputs.items()}
    tensors = model_tensors(leaves(x), model)
    input_names, problems, notes = _match_names("input", tensors, input_shapes)
    if problems and len(tensors) == 1 and (joined := _columns_joined(inputs, tensors[0])):
        found = f"one input {tensors[0]}"
        problems = [Problem("model", f"inputs {', '.join(f'`{name}`' for name in inputs)}", found, joined)]
    taken = rebuild(x, lambda path, _: input_names.get(path))
    if not heads:
        return Fit(tuple(problems), tuple(notes), Structure(taken, {}))
    outputs = model_tensors(leaves(y), model)
    shapes = {name: head.output_shape for name, head in heads.items()}
    naming = _NAME_LAYER if symbolic(model) is not None else _NAME_KEY
    head_names, unlike, head_notes = _match_names("head", outputs, shapes, naming)
    if unlike and (nameless := _nameless_outputs(heads, outputs, y)):
        unlike = [nameless]
    if unlike and not problems and makes_own_loss(model):
        note = (
            f"{type(model).__name__} makes its loss itself: it gets the labels as a dict of {', '.join(heads)}; "
            "its outputs are not compared with them"
        )
        return _fit_of_own_loss(taken, heads, *notes, note)
    problems += unlike
    structure = Structure(taken, rebuild(y, lambda path, _: head_names.get(path)))
    return Fit(tuple(problems), (*notes, *head_notes), structure)


def _fit_of_own_loss(taken: Any, heads: Mapping[str, Head], *notes: str) -> Fit:
    """Return the report on a model that makes its own loss, with the template of the inputs that it takes."""
    return Fit((), notes, Structure(taken, {name: name for name in heads}, own_loss=True))


def _lacks_call(model: Any) -> bool:
    """Return whether a model has no ``call``, as a GAN whose ``train_step`` calls the models that it holds."""
    import keras

    return getattr(type(model), "call", None) is keras.Model.call


def _signature(model: Any, inputs: Mapping[str, Input], batch_size: int) -> tuple[Any, Any, Problem | None]:
    """Return the nested symbolic inputs and outputs of a model, or the problem of finding them."""
    known = symbolic(model)
    if known is not None:
        return *known, None
    import keras

    tensors = {
        name: keras.KerasTensor((batch_size, *kind.shape), kind.dtype, name=name)
        for name, kind in inputs.items()
    }
    first = next(iter(tensors.values()))
    tries = [first, tensors] if len(tensors) == 1 else [tensors, tuple(tensors.values())]
    errors, works = [], []
    for x in tries:
        try:
            y, restructured = _called_with(model, x)
        except Exception as error:  # a user's call() may raise anything
            errors.append(f"{type(error).__name__}: {first_line(error)}")
            continue
        works.append((x, y, None))
        if not restructured:
            return works[-1]
    if works:
        return works[0]
    found = "; ".join(dict.fromkeys(errors))
    ways = " or ".join(
        "a dict" if isinstance(x, dict) else "a tuple" if isinstance(x, tuple) else "a tensor" for x in tries
    )
    expected = (
        f"one that takes {ways} of {', '.join(f'{name} {kind.shape}' for name, kind in inputs.items())}"
    )
    fix = hints("Build the model first, or fix its call().", _columns_joined(inputs))
    return None, None, Problem("model", expected, found, fix)


def _columns_joined(inputs: Mapping[str, Input], tensor: ModelTensor | None = None) -> str:
    """Say how to join the columns of several inputs for a model with one input; empty if it has another width."""
    shapes = [kind.shape for kind in inputs.values()]
    if len(shapes) < 2 or any(len(shape) != 1 for shape in shapes):
        return ""
    if tensor is not None and not fits((sum(size for (size,) in shapes),), tensor.shape):
        return ""
    name = tensor.names[0] if tensor is not None and tensor.names else "x"
    columns = listed([f'"{column}"' for key, kind in inputs.items() for column in kind.columns(key)])
    return f'For a model with one input, join the columns: inputs={{"{name}": ph.Array(column=[{columns}])}}.'


def _called_with(model: Any, x: Any) -> tuple[Any, bool]:
    """Return what a model gives, and whether a functional model in it warns that its inputs are nested otherwise."""
    with WARNINGS, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        y = model(x)
    nesting = [
        warning for warning in caught if "The structure of `inputs` doesn't match" in str(warning.message)
    ]
    for warning in caught:
        if warning not in nesting:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return y, bool(nesting)


def first_line(error: Exception) -> str:
    """Return the first line of an error, without Keras's prefaces and colors."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    lines = [line.strip() for line in re.sub(r"\x1b\[\d+m", "", text).splitlines()]
    lines = [line for line in lines if line and not line.startswith(_KERAS_PREFACES)]
    return lines[0].rstrip(".") if lines else ""


def _nameless_outputs(heads: Mapping[str, Head], tensors: list[ModelTensor], outputs: Any) -> Problem | None:
    """Return the problem of outputs that names cannot tell apart; None if they can.

    They have no names if a subclassed model returns a tuple, and the same name if one layer makes several.
    """
    named = ", ".join(f'"{name}": ...' for name in heads)
    if tensors and not any(tensor.names for tensor in tensors):
        several = isinstance(outputs, (tuple, list))
        found = f"a {type(outputs).__name__} of {len(tensors)}" if several else "one without a name"
        fix = f"Return a dict from call(): return {{{named}}}."
    else:
        layers = [tensor.layer for tensor in tensors if tensor.layer and not tensor.key]
        shared = [layer for layer in layers if layers.count(layer) > 1]
        if len(heads) == 1 or not shared:
            return None
        found, fix = f"several of the layer `{shared[0]}`", f"Name them: keras.Model(inputs, {{{named}}})."
    expected = f"outputs by the names of the heads, {', '.join(f'`{name}`' for name in heads)}"
    return Problem("model", expected, found, fix, "nameless-outputs")


def _match_names(
    word: str, tensors: list[ModelTensor], shapes: Mapping[str, tuple[int, ...]], naming: str = _NAME_LAYER
) -> tuple[dict[Path, str], list[Problem], list[str]]:
    """Assign declared names to the tensors of a model by name, else in order if the shapes are unambiguous.

    Args:
        word: ``"input"`` or ``"head"``.

    Returns:
        The names by the path of their tensor, where the shape fits; the problems; the notes.
    """
    side = "input" if word == "input" else "output"
    notes: list[str] = []
    matched: dict[Path, str] = {}
    missing = dict(shapes)
    layers = dict(zip(layer_names(shapes), shapes, strict=True))
    for tensor in tensors:
        names = [layers.get(name, name) for name in tensor.names]
        if found := [name for name in names if name in missing]:
            matched[tensor.path] = found[0]
            missing.pop(found[0])
    free = [tensor for tensor in tensors if tensor.path not in matched]
    required = [tensor for tensor in free if not tensor.optional]
    if not missing or len(required) == len(missing):
        left_out = ", ".join(str(tensor) for tensor in free if tensor.optional)
        notes += [f"{word} {left_out} is optional and left out: the model gets None"] if left_out else []
        free = required
    if not matched and len(free) == len(missing) and (len(free) == 1 or _is_unambiguous(free, missing)):
        for tensor, name in zip(free, missing, strict=True):
            matched[tensor.path] = name
            if len(tensors) > 1:
                notes.append(f"{word} `{name}` taken for {tensor}, by order and shape")
        free, missing = [], {}
    problems = _unmatched(word, tensors, free, shapes, missing, naming)
    fitting: dict[Path, str] = {}
    for tensor in tensors:
        name = matched.get(tensor.path, "")
        if name and fits(shapes[name], tensor.shape):
            notes.append(f"{word} `{name}` -> {side} {tensor}")
            fitting[tensor.path] = name
        elif name:
            problems.append(_shape_problem(word, name, tensor, shapes[name]))
    return fitting, problems, notes


def _unmatched(
    word: str,
    tensors: list[ModelTensor],
    free: list[ModelTensor],
    shapes: Mapping[str, tuple[int, ...]],
    missing: Iterable[str],
    naming: str,
) -> list[Problem]:
    """Return the problems of names without a tensor, and of tensors without a name."""
    side, problems = "input" if word == "input" else "output", []
    for name in missing:
        expected = f"a model with an {side} `{name}` {shapes[name]}"
        found = f"{side}s {', '.join(str(tensor) for tensor in tensors)}"
        near = similar(name, [known for tensor in free for known in tensor.names])
        fix = hints(near, f"{naming.format(name)}, or give the {word} the name that the model has.")
        if not free:
            fix = f"The model has no more {side}s: add one, or leave the {word} out of the declaration."
        problems.append(Problem(_declared_at(word, name), expected, found, fix))
    for tensor in free:
        fix = "Declare a head for it, or leave the output out of the model."
        fix = "Declare it, or name an input after it." if word == "input" else fix
        expected = f"{'an input' if word == 'input' else 'a head'} for it"
        declared = f"{word}s {', '.join(f'`{name}`' for name in shapes)}"
        problems.append(Problem(f"model, {side} {tensor}", expected, declared, fix))
    return problems


def _declared_at(word: str, name: str) -> str:
    return place(input=name) if word == "input" else place(head=name)


def fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Return whether a shape fits that of a tensor, in which None is any size.

    >>> fits((3, 4), (None, 4))
    True
    """
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted, strict=True))


def _is_unambiguous(tensors: list[ModelTensor], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Return whether the order fits every shape, and no other assignment does."""
    wanted = list(shapes.values())
    suited = [[fits(w, t.shape) for w in wanted] for t in tensors]
    return all(row[i] and sum(row) == 1 for i, row in enumerate(suited))


def _shape_problem(word: str, name: str, tensor: ModelTensor, wanted: tuple[int, ...]) -> Problem:
    side = "input" if word == "input" else "output"
    fix = _shape_fix(tensor.shape, wanted) if word == "head" else f"Say keras.Input({wanted})."
    if len(wanted) == 3 and fits((*wanted[1:], wanted[0]), tensor.shape):
        fix = "These are channels first: give array.transpose(0, 2, 3, 1)."
    found = f"`{tensor.names[0] if tensor.names else tensor.path}` of shape {tensor.shape}"
    return Problem(_declared_at(word, name), f"an {side} of shape {wanted}", found, fix, "shape")


def _shape_fix(shape: tuple[int | None, ...], wanted: tuple[int, ...]) -> str:
    """Say how the output of a layer gets another shape; empty if that takes another model.

    >>> _shape_fix((4,), (1, 4)), _shape_fix((2,), (1,)), _shape_fix((8, 8, 3), (4, 4, 5))
    ('Add keras.layers.Reshape((1, 4)) after the layer.', 'Give the layer 1 unit.', '')
    >>> _shape_fix((8, 8, 2), (8, 8, 1))
    'Give the layer 1 filter.'
    >>> _shape_fix((8, 8, 3), (4, 4, 3))
    'ph.Mask and ph.Map with size=(8, 8) have labels of that size.'
    """
    units = f"Give the layer {counted(math.prod(wanted), 'unit')}"
    if None not in shape and math.prod(shape) == math.prod(wanted):  # type: ignore[arg-type]
        return f"Add keras.layers.Reshape({wanted}) after the layer."
    if len(shape) == 1 and len(wanted) <= 2:
        return (
            f"{units}." if len(wanted) == 1 else f"{units}, and add keras.layers.Reshape({wanted}) after it."
        )
    if len(shape) == len(wanted) == 3 and shape[:2] == wanted[:2]:
        return f"Give the layer {counted(wanted[2], 'filter')}."
    if len(shape) == len(wanted) == 3 and shape[2] == wanted[2] and None not in shape:
        return f"ph.Mask and ph.Map with size={shape[:2]} have labels of that size."
    return ""
