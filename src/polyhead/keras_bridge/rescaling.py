"""Finds a Rescaling layer in a model."""

from __future__ import annotations

from typing import Any


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
