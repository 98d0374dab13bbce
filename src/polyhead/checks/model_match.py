"""Matches inputs and heads with the tensors of a model by name, or by order if the shapes are unambiguous."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from polyhead.checks.model_tensors import ModelTensor, model_tensors, symbolic
from polyhead.errors import WARNINGS, Problem, Report, counted, hints, place, similar
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
"""How an output of a model gets its name; the outputs of a subclassed model don't have those of its layers."""


@dataclass(frozen=True)
class Fit(Report):
    """A report on a feed and a model.

    Attributes:
        structure: the places of inputs and heads in the model, if all were found.
        matched: the places of those that fit; None for the others.
    """

    structure: Structure | None = field(default=None, repr=False)
    matched: Structure = field(default=Structure({}, {}), repr=False)


def match_model(
    model: Any, inputs: Mapping[str, Input], heads: Mapping[str, Head], batch_size: int, trains: bool = False
) -> Fit:
    """Match inputs and heads with the tensors of a model, and compare their shapes.

    Args:
        trains: whether the model is trained, which one without ``call`` may be, by its own ``train_step``.
    """
    if trains and _lacks_call(model) and makes_own_loss(model):
        taken = {name: name for name in inputs} if len(inputs) > 1 else next(iter(inputs))
        structure = Structure(taken, {name: name for name in heads}, own_loss=True)
        labels = f"; it gets the labels as a dict of {', '.join(heads)}" if heads else ""
        note = f"{type(model).__name__} has no call(), so nothing is compared with it{labels}"
        return Fit((), (note,), structure, structure)
    x, y, failure = _signature(model, inputs, batch_size)
    if failure is not None:
        return Fit((failure,))
    problems: list[Problem] = []
    notes: list[str] = []
    matched_inputs = _match_names(
        "input", model_tensors(leaves(x), model), {n: k.shape for n, k in inputs.items()}, problems, notes
    )
    shapes = {n: h.output_shape for n, h in heads.items()}
    unlike: list[Problem] = []
    head_notes: list[str] = []
    outputs = model_tensors(leaves(y), model)
    naming = _NAME_LAYER if symbolic(model) is not None else _NAME_KEY
    matched_heads = _match_names("head", outputs, shapes, unlike, head_notes, naming) if heads else {}
    if unlike and outputs and not any(leaf.names for leaf in outputs):
        unlike = [_unnamed_outputs(heads, y)]
    elif unlike and len(heads) > 1 and (shared := _shared_layer(outputs)):
        unlike = [_outputs_of_one_layer(heads, shared)]
    if unlike and not problems and makes_own_loss(model):
        notes.append(
            f"{type(model).__name__} makes its loss itself: it gets the labels as a dict of {', '.join(heads)}; "
            "its outputs are not compared with them"
        )
        taken = rebuild(x, lambda path, _: matched_inputs.get(path))
        structure = Structure(taken, {name: name for name in heads}, own_loss=True)
        return Fit((), tuple(notes), structure, structure)
    problems += unlike
    notes += head_notes
    structure = Structure(
        rebuild(x, lambda path, _: matched_inputs.get(path)),
        rebuild(y, lambda path, _: matched_heads.get(path)) if heads else {},
    )
    return Fit(tuple(problems), tuple(notes), None if problems else structure, structure)


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
    return None, None, Problem("model", expected, found, "Build the model first, or fix its call().")


def _called_with(model: Any, x: Any) -> tuple[Any, bool]:
    """Return what a model gives, and whether a functional model in it warns that its inputs are nested otherwise."""
    with WARNINGS, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        y = model(x)
    nesting = [one for one in told if "The structure of `inputs` doesn't match" in str(one.message)]
    for one in told:
        if one not in nesting:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return y, bool(nesting)


def first_line(error: Exception) -> str:
    """Return the first line of an error, without Keras's prefaces and colors."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    lines = [line.strip() for line in re.sub(r"\x1b\[\d+m", "", text).splitlines()]
    lines = [line for line in lines if line and not line.startswith(_KERAS_PREFACES)]
    return lines[0].rstrip(".") if lines else ""


def _unnamed_outputs(heads: Mapping[str, Head], outputs: Any) -> Problem:
    """Return the problem of a model whose outputs have no names, as a subclassed model that returns a tuple."""
    returned = ", ".join(f'"{name}": ...' for name in heads)
    count = sum(1 for _ in leaves(outputs))
    found = (
        f"a {type(outputs).__name__} of {count}"
        if isinstance(outputs, (tuple, list))
        else "one without a name"
    )
    expected = f"outputs by the names of the heads, {', '.join(f'`{name}`' for name in heads)}"
    fix = f"Return a dict from call(): return {{{returned}}}."
    return Problem("model", expected, found, fix, "nameless-outputs")


def _shared_layer(outputs: list[ModelTensor]) -> str:
    """Return the layer of several outputs that have no other name; empty without one."""
    made = [tensor.layer or "" for tensor in outputs if not tensor.key]
    return next((layer for layer in made if made.count(layer) > 1), "")


def _outputs_of_one_layer(heads: Mapping[str, Head], layer: str) -> Problem:
    returned = ", ".join(f'"{name}": ...' for name in heads)
    expected = f"outputs by the names of the heads, {', '.join(f'`{name}`' for name in heads)}"
    fix = f"Name them: keras.Model(inputs, {{{returned}}})."
    return Problem("model", expected, f"several of the layer `{layer}`", fix, "nameless-outputs")


def _match_names(
    word: str,
    tensors: list[ModelTensor],
    shapes: Mapping[str, tuple[int, ...]],
    problems: list[Problem],
    notes: list[str],
    naming: str = _NAME_LAYER,
) -> dict[Path, str]:
    """Assign declared names to the tensors of a model by name, else in order if the shapes are unambiguous."""
    matched: dict[Path, str] = {}
    left = dict(shapes)
    layers = dict(zip(layer_names(shapes), shapes, strict=True))
    for tensor in tensors:
        for name in (layers.get(name, name) for name in tensor.names):
            if name in left:
                matched[tensor.path] = name
                left.pop(name)
                break
    rest = [t for t in tensors if t.path not in matched]
    required = [t for t in rest if not t.optional]
    if not left or len(required) == len(left):
        left_out = ", ".join(str(t) for t in rest if t.optional)
        notes += [f"{word} {left_out} is optional and left out: the model gets None"] if left_out else []
        rest = required
    if len(rest) == len(left) and rest:
        sure = len(rest) == 1 or (not matched and _is_unambiguous(rest, left))
        if sure and (len(tensors) == 1 or not matched):
            for tensor, name in zip(rest, list(left), strict=True):
                matched[tensor.path] = name
                if len(tensors) > 1:
                    notes.append(f"{word} `{name}` taken for {tensor}, by order and shape")
            rest, left = [], {}
    other = "input" if word == "input" else "output"
    for name in left:
        expected = f"a model with an {other} `{name}` {shapes[name]}"
        found = f"{other}s {', '.join(str(t) for t in tensors)}"
        near = similar(name, [names for t in rest for names in t.names])
        fix = hints(near, f"{naming.format(name)}, or give the {word} the name that the model has.")
        if not rest:
            fix = f"The model has no more {other}s: add one, or leave the {word} out of the declaration."
        where = place(input=name) if word == "input" else place(head=name)
        problems.append(Problem(where, expected, found, fix))
    for tensor in rest:
        fix = "Declare a head for it, or leave the output out of the model."
        fix = "Declare it, or name an input after it." if word == "input" else fix
        article = "an input" if word == "input" else "a head"
        declared = f"{word}s {', '.join(f'`{n}`' for n in shapes)}"
        problems.append(Problem(f"model, {other} {tensor}", f"{article} for it", declared, fix))
    by_path = {t.path: t for t in tensors}
    fitting: dict[Path, str] = {}
    for path, name in matched.items():
        tensor, wanted = by_path[path], shapes[name]
        if fits(wanted, tensor.shape):
            notes.append(f"{word} `{name}` -> {other} {tensor}")
            fitting[path] = name
        else:
            problems.append(_shape_problem(word, name, tensor, wanted))
    return fitting


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
    other = "input" if word == "input" else "output"
    fix = _shape_fix(tensor.shape, wanted) if word == "head" else f"Say keras.Input({wanted})."
    if len(wanted) == 3 and fits((*wanted[1:], wanted[0]), tensor.shape):
        fix = "These are channels first: give array.transpose(0, 2, 3, 1)."
    where = place(input=name) if word == "input" else place(head=name)
    found = f"`{tensor.names[0] if tensor.names else tensor.path}` of shape {tensor.shape}"
    return Problem(where, f"an {other} of shape {wanted}", found, fix)


def _shape_fix(shape: tuple[int | None, ...], wanted: tuple[int, ...]) -> str:
    """Say how the output of a layer gets another shape; empty if that takes another model.

    >>> _shape_fix((4,), (1, 4)), _shape_fix((2,), (1,)), _shape_fix((8, 8, 3), (4, 4, 5))
    ('Add keras.layers.Reshape((1, 4)) after the layer.', 'Give the layer 1 unit.', '')
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
    if len(shape) == len(wanted) == 3 and shape[2] == wanted[2] and None not in shape:
        return f"ph.Mask and ph.Map with size={shape[:2]} have labels of that size."
    return ""
