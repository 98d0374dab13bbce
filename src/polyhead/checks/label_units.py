"""Warns of labels that are passed to Keras as arrays in the units of their column, though the head has a scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyhead.checks.compiled_declaration import declaration_of
from polyhead.checks.compiled_model import head_losses
from polyhead.errors import PolyheadError, Problem, place, warn

_MARGIN = np.log(10)
"""By how much the mean square of labels has to be nearer to 1 with the scale than without."""

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
    """Return whether labels are near unit scale only once they are scaled."""
    kind = getattr(getattr(labels, "dtype", None), "kind", "")
    if kind not in set("fiu"):  # a tensor, too
        return False
    values = np.asarray(labels[:_ROWS], np.float64)
    with np.errstate(all="ignore"):
        try:
            scaled = scaling.transform(values)
        except Exception:  # labels of another shape, or a user's own scale
            return False
        distance, distance_scaled = (np.abs(np.log(np.mean(v**2))) for v in (values, scaled))
    return bool(np.isfinite(distance) and distance > distance_scaled + _MARGIN)  # zeros are no hint
