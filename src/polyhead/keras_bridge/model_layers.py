"""Finds what the layers of a model do: masks, which ``predict`` does not return, and rescaling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyhead.keras_bridge.structure import Path, output


def makes_masks(model: Any) -> bool:
    """Return whether a layer of the model makes a Keras mask, such as ``Masking`` or ``Embedding(mask_zero=True)``."""
    return any(map(_makes_mask, model._flatten_layers()))


def _makes_mask(layer: Any) -> bool:
    import keras

    of_user = not type(layer).compute_mask.__module__.startswith("keras.")
    masks_zero = bool(getattr(layer, "mask_zero", False))  # an Embedding
    return of_user or masks_zero or isinstance(layer, keras.layers.Masking)


def output_masks(model: Any, x: Any, paths: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Run the model once more, and return the masks of the outputs that have one, bool ``(B, ...)`` by head.

    Args:
        x: a batch of inputs in the model's structure.
        paths: ``{head: path in the model's output}``.
    """
    import keras

    from polyhead.keras_bridge.losses import keras_mask

    values = model(x, training=False)
    masks = {name: keras_mask(output(values, path)) for name, path in paths.items()}
    return {
        name: np.asarray(keras.ops.convert_to_numpy(mask), bool)
        for name, mask in masks.items()
        if mask is not None
    }


def rescaling(model: Any, depth: int = 3) -> float | None:
    """Return the scale of a Rescaling layer in the model or in a model inside of it; None without one."""
    for layer in getattr(model, "layers", ()):
        scale = getattr(layer, "scale", None)
        if type(layer).__name__ == "Rescaling" and isinstance(scale, (int, float)):
            return float(scale)
        inner = rescaling(layer, depth - 1) if depth and hasattr(layer, "layers") else None
        if inner is not None:
            return inner
    return None
