"""Makes the output layers of heads. Keras is imported when a layer is made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem


def layer_names(names: Iterable[str]) -> list[str]:
    """A layer name for each head: Keras allows no slash, PyTorch no dot, TensorFlow only ASCII letters.

    >>> layer_names(["age", "Sale Price", "a/b"])
    ['age', 'Sale_Price', 'a_b']
    """
    layers: list[str] = []
    taken = set(names)
    for name in names:
        layer = re.sub(r"[^A-Za-z0-9_>-]", "_", name)
        while layer != name and layer in taken:
            layer += "_"
        taken.add(layer)
        layers.append(layer)
    return layers


def output_dtype() -> str | None:
    """Return the dtype of output layers: float32 under mixed precision, else None for Keras's default.

    float16 ends at 65,504, with steps of 32 just below that, which is too coarse for numbers and losses.
    Source: Keras's guide on mixed precision.
    """
    import keras

    return "float32" if "float16" in keras.config.dtype_policy().compute_dtype else None


def pooled_features(features: Any) -> Any:
    """Return features as vectors, with maps averaged over space."""
    import keras

    rank = len(features.shape)
    if rank == 2:
        return features
    if not 2 < rank < 6:
        expected = "features of rank 2 to 5, (B, ..., channels)"
        raise ContractError(Problem("outputs()", expected, f"shape {features.shape}"))
    return getattr(keras.layers, f"GlobalAveragePooling{rank - 2}D")()(features)


def flat_features(features: Any) -> Any:
    """Return features as vectors, with maps flattened, so that positions in the image stay distinct."""
    import keras

    return features if len(features.shape) == 2 else keras.layers.Flatten()(features)


def dense_output(vectors: Any, name: str, shape: tuple[int, ...], activation: str | None = None) -> Any:
    """Apply a dense layer to vectors ``(B, d)``; returns ``(B, *shape)``, the output of a layer called ``name``."""
    import keras

    layers, dtype, size = keras.layers, output_dtype(), int(np.prod(shape))
    if len(shape) == 1:
        return layers.Dense(size, activation=activation, name=name, dtype=dtype)(vectors)
    dense = layers.Dense(size, dtype=dtype)(vectors)
    if activation is None:
        return layers.Reshape(shape, name=name, dtype=dtype)(dense)
    shaped = layers.Reshape(shape, dtype=dtype)(dense)
    return layers.Activation(activation, name=name, dtype=dtype)(shaped)
