"""Finds the last activation of an output by following its layers backwards."""

from __future__ import annotations

from typing import Any

from polyhead.checks.range_rules import RANGES
from polyhead.keras_bridge.identifiers import snake_name

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
        on; None if it is unknown, as behind a `Lambda` or in a subclassed model.

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
            return "linear"
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
