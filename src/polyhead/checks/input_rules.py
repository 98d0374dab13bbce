"""Checks the scale, dtype and ids of inputs against the layers that read them, for `Feed.check` and `examine`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from polyhead.errors import Problem, counted, place
from polyhead.keras_bridge.model_layers import rescaling
from polyhead.kinds import Image, Input
from polyhead.kinds.array_statistics import ArrayStatistics

_MOVES = {
    "CenterCrop", "Cropping2D", "ExpandDims", "Flatten", "Flip", "GetItem", "Identity", "Permute", "RandomCrop",
    "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "Reshape", "Resizing", "Squeeze", "Stack",
    "ZeroPadding1D", "ZeroPadding2D",
}  # fmt: skip
"""Layers that do not change numbers."""

_SUMS = ("Conv1D", "Conv2D", "Conv3D", "Dense", "DepthwiseConv2D", "EinsumDense", "SeparableConv2D")
"""Layers whose output grows with their input."""

_FLOATS = (*_SUMS, "BatchNormalization", "Concatenate", "LayerNormalization", "Normalization", "Rescaling")
"""Layers that convert integers to float32."""


_ARITHMETIC = ("Add", "Divide", "Multiply", "Subtract", "TrueDivide")

_LEAST_OF_BYTES = 100
"""The smallest number that certainly scales or centers pixels of 0–255, as nothing else is divided by it."""


def first_layers(model: Any, tensor: Any) -> list[Any]:
    """Return the layers that read an input of a model, behind layers that only rearrange its numbers.

    >>> import keras
    >>> x = keras.Input((8, 8, 3))
    >>> h = keras.layers.Conv2D(2, 3, name="first")(keras.layers.ZeroPadding2D()(x))
    >>> [layer.name for layer in first_layers(keras.Model(x, h), x)]
    ['first']
    """
    layers: list[Any] = []
    todo = [(model, tensor)]
    while todo:
        owner, read_tensor = todo.pop()
        owner = getattr(owner, "_functional", None) or owner
        for layer in getattr(owner, "operations", ()):
            for node in layer._inbound_nodes:
                positions = [
                    i for i, input_tensor in enumerate(node.input_tensors) if input_tensor is read_tensor
                ]
                inner = getattr(layer, "inputs", None) if hasattr(layer, "layers") else None
                if positions and isinstance(inner, list) and positions[0] < len(inner):
                    todo.append((layer, inner[positions[0]]))
                elif positions and type(layer).__name__ in _MOVES:
                    todo += [(owner, output) for output in node.outputs]
                elif positions and layer not in layers:
                    layers.append(layer)
    return layers


def unscaled_images(where: str, layers: Iterable[Any], fix: str) -> Problem | None:
    """Return the problem of pixels in 0–255 that a layer reads unscaled; None if no layer does."""
    first = next(iter(layers), None)
    if first is None or any(
        type(layer).__name__ not in _SUMS and not 0 < _mean(layer) <= 1 for layer in layers
    ):
        return None
    reads = "reads them unscaled" if type(first).__name__ in _SUMS else f"has a mean of {_mean(first):.3g}"
    expected = f"pixels near 0–1, as layer `{first.name}` {reads}"
    return Problem(where, expected, "pixels of 0–255", fix, "unscaled-images", warning=True)


def rescaled_twice(where: str, model: Any, layers: Iterable[Any], found: str, fix: str) -> Problem | None:
    """Return the problem of pixels in 0–1 for a model that divides them by 255; None if it does not.

    Args:
        layers: the first layers that read the pixels.
    """
    scale = rescaling(model)
    rescales = scale is not None and scale < 0.01
    has = "Rescaling(1 / 255)" if rescales else next(filter(None, map(_scaling_of_bytes, layers)), "")
    if not has:
        return None
    expected = f"pixels of 0–255, as the model has {has}"
    fix = f"{fix}, or leave {'Rescaling' if rescales else 'it'} out of the model."
    return Problem(where, expected, found, fix, "rescaled-twice", warning=True)


def _mean(layer: Any) -> float:
    """Return what a Normalization layer was told to subtract, averaged over the channels; NaN for other layers."""
    mean = getattr(layer, "input_mean", None) if type(layer).__name__ == "Normalization" else None
    return math.nan if mean is None else float(np.mean(mean))


def _scaling_of_bytes(operation: Any) -> str:
    """Describe an operation that brings bytes near 0–1 or 0, as ``preprocess_input`` of an application; else empty."""
    from keras import KerasTensor, ops

    if (mean := _mean(operation)) >= _LEAST_OF_BYTES:
        return f"a Normalization with a mean of {mean:.4g}"
    name = type(operation).__name__
    for node in operation._inbound_nodes if name in _ARITHMETIC else ():
        arguments = node.arguments.args
        if len(arguments) != 2 or isinstance(arguments[1], KerasTensor):
            continue
        numbers = np.ravel(ops.convert_to_numpy(arguments[1]))  # one for each channel, or one for all
        written, mean = ", ".join(f"{abs(number):.4g}" for number in numbers[:4]), numbers.mean()
        if name in ("TrueDivide", "Divide") and mean >= _LEAST_OF_BYTES:
            return f"a division by {written}"
        if name == "Multiply" and 0 < mean <= 1 / _LEAST_OF_BYTES:
            return f"a multiplication by {written}"
        if (name == "Subtract" and mean >= _LEAST_OF_BYTES) or (name == "Add" and mean <= -_LEAST_OF_BYTES):
            return f"a subtraction of {written}"
    return ""


def fractions_cut(where: str, dtype: str, found: str, fix: str) -> Problem | None:
    """Return the problem of floats for an input of integers; None for an input of floats."""
    if not ("int" in dtype or dtype == "bool"):
        return None
    expected = f"whole numbers, as the model's input is {dtype}"
    fix = f'{fix}, or keras.Input(..., dtype="float32").'
    return Problem(where, expected, f"{found}, which Keras would truncate", fix, "input-dtype")


def _rows_of_embedding(layers: Iterable[Any]) -> tuple[int, str] | None:
    """Return the smallest number of ids of an embedding among these layers, and its name; None without one."""
    sizes = [(int(layer.input_dim), layer.name) for layer in layers if type(layer).__name__ == "Embedding"]
    return min(sizes, default=None)


def unknown_ids(layers: Iterable[Any], ids: ArrayStatistics, where: Callable[[Any], str]) -> Problem | None:
    """Return the problem of ids for which an embedding among these layers has no row; None if it has all.

    Args:
        where: names the place of an id.
    """
    known = _rows_of_embedding(layers)
    (low, _), (high, _) = ids.low, ids.high
    if known is not None and ids.fraction is not None:
        value, spot = ids.fraction
        expected = f"ids, as the embedding `{known[1]}` reads them"
        found, fix = f"{value:g}, which it truncates", "Give whole numbers, without scaling them."
        return Problem(where(spot), expected, found, fix, "token-range", warning=True)
    if known is None or (-known[0] <= low and max(high, high - low) < known[0]):
        return None
    expected = f"ids in [0, {known[0] - 1}], as the embedding `{known[1]}` has {counted(known[0], 'row')}"
    if high < known[0]:
        fix = "Keras counts negative ids from the last row, which other ids have as well: give -1 an id of its own."
    else:
        fix = "PyTorch and TensorFlow stop there, JAX goes on with NaN: give the embedding more rows, or map rare ids "
        fix += "to one of its own."
    number, spot = ids.low if high < known[0] else ids.high
    return Problem(where(spot), expected, f"{number:g}", fix, "token-range")


def check_model_inputs(
    model: Any,
    inputs: Mapping[str, Input],
    tensors: Mapping[str, Any],
    collapsing: Mapping[str, Problem],
    numbers: Mapping[str, Callable[[], ArrayStatistics]],
) -> Iterator[Problem]:
    """Find inputs whose scale, dtype or ids do not suit the model.

    Args:
        collapsing: the warnings of inputs of integers that layers such as Dense would make equal.
        numbers: functions that return the statistics of inputs of numbers.
    """
    for name, kind in inputs.items():
        where = place(input=name)
        layers = first_layers(model, tensors.get(name))
        cut = None
        if kind.dtype == "float32":
            dtype = str(getattr(tensors.get(name), "dtype", "float32"))
            cut = fractions_cut(where, dtype, "float32", 'Say ph.Array(dtype="int32")')
            if cut is not None:
                yield cut
        if name in collapsing and any(type(layer).__name__ in _FLOATS for layer in layers):
            yield collapsing[name]
        known = _rows_of_embedding(layers)
        if known is not None and name in numbers and not kind.names and cut is None:
            problem = unknown_ids(layers, numbers[name](), partial(_place_of_row, name))
            if problem is not None:
                yield problem
        if known is not None and len(kind.names) > known[0]:
            expected = f"an embedding of {len(kind.names):,} rows, one for each word of the vocabulary"
            fix = f"Say keras.layers.Embedding(len(feed.inputs[{name!r}].names), ...)."
            yield Problem(where, expected, f"{known[0]:,} in `{known[1]}`", fix, "token-range")
        if not isinstance(kind, Image):
            continue
        fix = 'Say ph.Image(dtype="uint8")'
        if kind.dtype == "uint8":
            fix = "Leave dtype= out of ph.Image, or begin the model with keras.layers.Rescaling(1 / 255)."
            problem = unscaled_images(where, layers, fix)
        else:
            problem = rescaled_twice(where, model, layers, "pixels of 0–1, scaled by the feed", fix)
        if problem is not None:
            yield problem


def _place_of_row(name: str, row: int) -> str:
    return place(input=name, row=row)
