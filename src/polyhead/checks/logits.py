"""Tells logits from probabilities, by the last activation of an output, by losses, or by values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from polyhead.checks.compiled_model import head_losses
from polyhead.checks.model_tensors import symbolic
from polyhead.checks.output_rules import as_loss, check_head
from polyhead.checks.range_rules import RANGES, SLACK
from polyhead.errors import ContractError, Problem, place, shown
from polyhead.keras_bridge.identifiers import snake_name, takes_default_loss
from polyhead.keras_bridge.structure import Path, at, output
from polyhead.kinds import Head

_ACTIVATIONS = {"linear": True, "tanh": True, "sigmoid": False, "hard_sigmoid": False, "softmax": False}
"""True for activations whose outputs count as logits. Tanh is one, because a hinge loss uses both signs."""


def logits_of(applied: str | None) -> bool | None:
    """Tell from the last activation of an output if it is logits; None if that is unknown."""
    return _ACTIVATIONS.get(applied or "")


def _declared_logits(head: Head) -> bool | None:
    """Tell from a head's kind and loss if its output is logits; None if that is unknown.

    It is unknown for a hinge loss, which reads scores of both signs, but learns with a sigmoid or softmax as well.
    """
    if not head.probabilities:
        return False
    loss = None if takes_default_loss(head) else as_loss(head.loss)
    if loss is None or not loss.name or "hinge" in loss.name:
        return None
    return bool(loss.from_logits)


class LogitsSeen:
    """Tells for all batches of a model if the output of a head is logits rather than probabilities.

    `polyhead.compile` has decided it. For other models it is decided by the loss of the head, by the activation of the
    output's layer, or else by the first outputs.

    Args:
        model: the model.
        where: what the outputs are for, such as ``predict()``, for errors.
    """

    def __init__(self, model: Any, where: str) -> None:
        self._model, self._where = model, where
        self._known: dict[str, bool] = {}
        self._guessed: set[str] = set()

    def of(self, name: str, head: Head, path: Path | None, outputs: np.ndarray) -> bool:
        """Return whether outputs ``(B, *output_shape)`` of a head are logits.

        Args:
            path: the path of the output in the model's structure; None if it is unknown.

        Raises:
            ContractError: if later outputs cannot be the probabilities that the first ones seemed to be.
        """
        if name not in self._known:
            known = _known_logits(self._model, name, head, path)
            if known is None:
                self._guessed.add(name)
            self._known[name] = not _probable(outputs, head) if known is None else known
        elif name in self._guessed and not self._known[name]:
            outside = outputs[(outputs < -SLACK) | (outputs > 1 + SLACK)]
            if len(outside):
                loss = "SparseCategorical" if "softmax" in head.probabilities else "Binary"
                expected = "probabilities, as the first outputs seem to be"
                fix = f"loss=keras.losses.{loss}Crossentropy(from_logits=True)"
                fix = f"If they are logits, declare the head with {fix}."
                where = f"{self._where}, {place(head=name)}"
                raise ContractError(Problem(where, expected, shown(float(outside[0])), fix))
        return self._known[name]


def _known_logits(model: Any, name: str, head: Head, path: Path | None) -> bool | None:
    """Tell if a head's output is logits; None if only its values can tell."""
    compiled = head_losses(model)
    loss = None if compiled is None else compiled.losses.get(name)
    known = None if loss is None else loss.logits
    if known is None:  # of a model that `polyhead.compile` has not seen, or not in this version
        known = _declared_logits(head if loss is None else head.fixed(loss=loss.loss))
    return _layer_logits(model, path) if known is None and path is not None else known


def logits_by_head(model: Any, feed: Any, paths: Mapping[str, Path]) -> tuple[dict[str, bool], list[Problem]]:
    """Tell whether the output of each head is logits, from its loss, the activation of its layer, or its values.

    Args:
        paths: the path of the output of each head in the model's structure.

    Returns:
        This for each head, and the problems of outputs whose values contradict their loss, where no layer tells.
    """
    by_layer = {name: _layer_logits(model, path) for name, path in paths.items()}
    declared = {name: _declared_logits(head) for name, head in feed.heads.items()}
    logits = {name: by_layer[name] if declared[name] is None else declared[name] for name in feed.heads}
    unseen = [name for name, head in feed.heads.items() if by_layer[name] is None and head.probabilities]
    trials = _trial_outputs(model, feed) if unseen else []
    problems: list[Problem] = []
    for name in unseen:
        usual, *extreme = [_output_values(outputs, paths[name]) for outputs in trials]
        values = np.concatenate([usual, *extreme])
        overflow = np.isnan(values).reshape(len(values), -1).any(1)  # exp(z) / (1 + exp(z)) of a large z
        values = values[~overflow]
        zeros = bool(extreme) and not extreme[0].any()  # a sigmoid of 0 is 0.5
        seems_logits = not _probable(values, feed.heads[name]) or (zeros and bool((values < 1 - SLACK).all()))
        if extreme and not overflow[len(usual) :].all():
            problems += _contradicted(name, feed.heads[name], values, seems_logits)
        if declared[name] is None:
            logits[name] = seems_logits
    return {name: bool(value) for name, value in logits.items()}, problems


def _trial_outputs(model: Any, feed: Any) -> list[Any]:
    """Return the outputs for a batch, for zeros, and for its inputs times 1000 or -1000.

    Logits grow and change sign, probabilities stay in 0-1, and are the same only if the model has a single class. Where
    no inputs may be multiplied, or the model does not take them, there is only the first.
    """
    import keras

    x = feed.peek()[0]
    embeds = any(type(layer).__name__ == "Embedding" for layer in model._flatten_layers())
    rng = np.random.default_rng(0)

    def times(factor: float, array: Any) -> Any:
        # a model takes pixels as floats, too
        pixels = getattr(array, "dtype", None) == np.uint8 and array.ndim == 4
        if not pixels and getattr(array, "dtype", None) != np.float32:
            return array
        whole = array == np.floor(array)
        ids = not pixels and (embeds or not whole.all())  # whole numbers may be those of words or classes
        if ids and whole.all():
            return array
        signs = rng.choice(np.array([-1, 1], np.float32), array.shape)
        product = array * (np.float32(factor) * signs)
        return np.where(whole, array, product) if ids else product

    extreme = [keras.tree.map_structure(partial(times, factor), x) for factor in (0, 1000)]
    outputs = [model(x, training=False)]
    if any(a is not b for a, b in zip(keras.tree.flatten(x), keras.tree.flatten(extreme[0]), strict=True)):
        with contextlib.suppress(Exception):  # a model may read the numbers as ids
            outputs += [model(changed, training=False) for changed in extreme]
    return outputs


def _output_values(values: Any, path: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(output(values, path)), np.float64)


def _layer_logits(model: Any, path: Path) -> bool | None:
    """Tell from the activation of an output's layer if it is logits; None if that is unknown."""
    known = symbolic(model)
    try:
        applied = None if known is None else activation(at(known[1], path))
    except (KeyError, IndexError, TypeError):  # a model that computes its own loss has other outputs
        return None
    return logits_of(applied)


def _contradicted(name: str, head: Head, outputs: np.ndarray, logits: bool) -> Iterator[Problem]:
    """Find a loss that reads outputs as what their values show that they are not, where no layer tells.

    Args:
        outputs: the outputs for usual inputs, zeros, and very large inputs, ``(B, *output_shape)``.
        logits: whether they seem to be logits.
    """
    if head.output_shape[-1] == 1 and np.allclose(outputs, 1, rtol=0, atol=1e-6):  # some processors round
        applied = "softmax"
    elif bool((outputs < -SLACK).any() or (outputs > 1 + SLACK).any()):
        applied = "linear"
    elif not logits:
        applied = head.probabilities[0]
    else:
        return
    loss = None if takes_default_loss(head) else as_loss(head.loss)
    for problem in check_head(name, head, applied, loss, None):
        if problem.code in ("logits", "activation", "one-unit-softmax"):  # the check has found the others
            yield replace(problem, warning=problem.warning or applied == head.probabilities[0])


def _probable(array: np.ndarray, head: Head) -> bool:
    """Tell if outputs can be probabilities; all zeros count as logits, of a layer initialized with zeros."""
    shared = "softmax" in head.probabilities  # the classes share one probability
    inside = bool((array >= -SLACK).all() and (array <= 1 + SLACK).all() and array.any())
    return inside and (not shared or bool(np.allclose(array.sum(-1), 1, atol=1e-2)))


_UNCHANGED = {
    "Activation",  # passed through only if linear
    "Cropping1D",
    "Cropping2D",
    "ExpandDims",
    "Flatten",
    "GetItem",
    "Identity",
    "Permute",
    "Reshape",
    "Squeeze",
    "Transpose",
    "UpSampling1D",
    "UpSampling2D",
}
"""Layers and operations that do not change values."""

_STEPS = 100


def activation(tensor: Any) -> str | None:
    """Return the name of the last activation of a symbolic output.

    It looks through layers that only rearrange values, linear activations on top (the usual way to float32 in mixed
    precision), and models used as layers.

    Returns:
        ``"linear"`` for a dense or convolutional layer without one; ``"sigmoid"``, ``"softmax"``, ``"relu"`` and so
        on; None if it is unknown, as behind a `Lambda`, in a subclassed model, or a layer with its own ``call``.

    >>> import keras
    >>> logits = keras.layers.Dense(3)(keras.Input((2,)))
    >>> activation(logits), activation(keras.layers.Softmax()(logits))
    ('linear', 'softmax')
    """
    import keras

    for _ in range(_STEPS):
        history = getattr(tensor, "_keras_history", None)
        if history is None:
            return None
        operation = history.operation
        inner = _inner(operation, history.tensor_index)
        if inner is not None:
            tensor = inner
            continue
        name = type(operation).__name__
        function = getattr(operation, "activation", None)
        applied = getattr(function, "__name__", None)
        if function is not None and applied != "linear":
            # a user's own function is unknown
            known = applied is not None and hasattr(keras.activations, applied)
            return None if not known or hasattr(operation, "cell") else str(applied)
        if function is not None and hasattr(operation, "kernel"):
            return "linear" if type(operation).call.__module__.startswith("keras.") else None
        if name == "ReLU":
            return _relu(operation)
        if name not in _UNCHANGED:
            return _activation_alone(operation)
        parents = operation._inbound_nodes[history.node_index].input_tensors
        if len(parents) != 1:
            return None
        tensor = parents[0]
    return None


def _activation_alone(operation: Any) -> str | None:
    """Return the activation that an operation or layer of Keras is by itself, as ``ops.tanh(x)``; None for others."""
    kind = type(operation)
    name = {"Exp": "exponential"}.get(kind.__name__, snake_name(kind.__name__))
    of_user = not str(kind.__module__).startswith("keras.")
    return None if of_user or name not in RANGES or getattr(operation, "alpha", 1) != 1 else name


def _relu(operation: Any) -> str | None:
    """Return the activation of a ReLU layer; None with a negative slope, a threshold or another maximum than 6."""
    most = getattr(operation, "max_value", None)
    if getattr(operation, "negative_slope", 0) or getattr(operation, "threshold", 0):
        return None
    return "relu" if most is None else "relu6" if most == 6 else None


def _inner(operation: Any, index: int) -> Any:
    """Return the tensor inside a model that is used as a layer."""
    outputs = getattr(operation, "outputs", None)
    if not hasattr(operation, "layers") or not isinstance(outputs, list) or index >= len(outputs):
        return None
    return outputs[index]
