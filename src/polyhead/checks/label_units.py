"""Warns of labels that are passed to Keras as arrays in the units of their column, though the head has a scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyhead.checks.compiled_declaration import declaration_of
from polyhead.checks.compiled_model import head_losses
from polyhead.errors import PolyheadError, Problem, place, warn

_MARGIN = np.log(10)
"""By how much a label has to be likelier in the units of the column, on average, as a logarithm."""

_ROWS = 1000
"""The most rows to judge labels by."""


def warn_of_units(model: Any, argument: str, labels: Any, fix: str) -> None:
    """Warn of heads whose labels are in the units of the column; Keras takes them for scaled numbers.

    Args:
        model: any Keras model.
        argument: what the labels were passed as, such as ``"evaluate(y=)"``.
        labels: arrays, in the structure of the model's outputs or by head; others are ignored.
        fix: what to pass instead.
    """
    losses = head_losses(model)
    if losses is None or labels is None:
        return
    from polyhead.keras_bridge.by_head import by_head

    try:
        heads, arrays = declaration_of(model).heads, by_head(labels, losses.paths)
    except PolyheadError:  # the step raises it, if it matters there
        return
    for name, array in arrays.items():
        scaling = heads[name].scaling if name in heads else None
        if scaling is not None and _in_units(array, scaling):
            where, found = f"{argument}, {place(head=name)}", "numbers in the units of the column"
            expected = "labels on the scale that the model predicts"
            warn(Problem(where, expected, found, f"Loss and metrics are wrong. {fix}"))


def _in_units(labels: Any, scaling: Any) -> bool:
    """Return whether labels are likelier to be numbers of the column than scaled ones, which are taken for normal."""
    if getattr(getattr(labels, "dtype", None), "kind", "") not in set("fiu"):  # of a tensor, it has none
        return False
    with np.errstate(all="ignore"):
        try:
            values = np.asarray(labels[:_ROWS], np.float64)
            scaled = scaling.transform(values)
            density = np.log(scaled.std() / values.std()) if np.ptp(values) else 0.0
        except Exception:  # no labels, or of another shape, or a user's own scale
            return False
        likelier = (np.mean(values**2) - np.mean(scaled**2)) / 2 + density
    return bool(likelier > _MARGIN)
