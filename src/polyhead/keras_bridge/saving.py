"""Restores loaded models that `polyhead.compile` compiled. Imports keras: import this lazily."""

from __future__ import annotations

from typing import Any

import polyhead.kinds.accuracy
import polyhead.kinds.iou  # noqa: F401  they register their metrics
from polyhead.keras_bridge.losses import LabeledMean
from polyhead.keras_bridge.metrics import HeadMetrics
from polyhead.keras_bridge.model_losses import HeadLosses, install
from polyhead.keras_bridge.structure import at, leaves


def restore(model: Any) -> None:
    """Give a loaded model the losses and metrics that it was saved with, in place.

    Keras compiles a loaded model with the same losses and metrics, but logs them as means over batches, by the names of
    outputs. A model that `polyhead.compile` did not compile stays unchanged.
    """
    compiled: Any = getattr(model, "_compile_loss", None)
    given = getattr(compiled, "_user_loss", None)
    found = list(leaves(given))
    if not found or not all(isinstance(loss, LabeledMean) and loss.head for _, loss in found):
        return
    paths = {loss.head: path for path, loss in found}
    shares = compiled._user_loss_weights
    metrics = getattr(model._compile_metrics, "_user_weighted_metrics", None)
    losses = HeadLosses(
        paths,
        {loss.head: loss for _, loss in found},
        {head: 1.0 if shares is None else float(at(shares, path)) for head, path in paths.items()},
    )
    kept = {head: list(at(metrics, path) or ()) if metrics else [] for head, path in paths.items()}
    install(model, losses, HeadMetrics(paths, kept, losses))
