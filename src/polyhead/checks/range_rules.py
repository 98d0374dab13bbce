"""Rules on activations for `Feed.check` and `examine`: whether they reach the labels, one-unit softmax, and logits."""

from __future__ import annotations

import math
from typing import Any

from polyhead.errors import Problem
from polyhead.kinds.array_statistics import ArrayStatistics
from polyhead.kinds.keras_names import OVERLAP_LOSSES, POSITIVE_LOSSES, SIGMOID, SOFTMAX, SPARSE_LOSSES

RANGES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "sparse_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "sparsemax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, math.inf),
    "squareplus": (0.0, math.inf),
    "sparse_plus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
    "elu": (-1.0, math.inf),
}
"""The range of each activation."""

BOUNDED = tuple(name for name, (_, high) in RANGES.items() if high < math.inf)

ONE_CLASS = ("softmax", "sparsemax")
"""Activations that choose one class of several."""

UNIT_LOSSES = frozenset(
    {
        "binary_crossentropy",
        "binary_focal_crossentropy",
        "categorical_crossentropy",
        "categorical_focal_crossentropy",
        "dice",
        "tversky",
    }
)
"""Losses that expect labels in 0–1."""

PROBABILITIES_OF = {
    **dict.fromkeys(("binary_crossentropy", "binary_focal_crossentropy"), SIGMOID),
    **dict.fromkeys(("categorical_crossentropy", "categorical_focal_crossentropy"), SOFTMAX),
    **dict.fromkeys(SPARSE_LOSSES, SOFTMAX),
    **dict.fromkeys(OVERLAP_LOSSES, (*SIGMOID, *SOFTMAX)),
}
"""The activations that produce the probabilities that a loss reads."""

SLACK = 1e-4
"""The tolerance at the ends of a range, for rounding in scaled numbers."""


def first_outside(labels: ArrayStatistics, bounds: tuple[float, float]) -> tuple[float, Any] | None:
    """Return the smallest label and its row if it is below the bounds, else the largest if it is above; else None."""
    if labels.low[0] < bounds[0] - SLACK:
        return labels.low
    return labels.high if labels.high[0] > bounds[1] + SLACK else None


def suits(applied: str | None, labels: ArrayStatistics) -> bool:
    """Return whether all of these labels are in the range of an activation."""
    return first_outside(labels, RANGES.get(applied or "", (-math.inf, math.inf))) is None


def bounds_of(applied: str | None, loss: str | None) -> tuple[float, float, str] | None:
    """Return the range of labels and its reason, by the loss or else by the activation; None if any number is valid."""
    if loss in UNIT_LOSSES:
        return 0.0, 1.0, f"its loss is {loss}"
    if applied in RANGES:
        return *RANGES[applied], f"its activation is {applied}"
    if loss in ("hinge", "squared_hinge"):
        return -1.0, 1.0, f"its loss is {loss}"
    return None


def span(low: float, high: float) -> str:
    """Describe bounds in words.

    >>> span(0, 1), span(0, math.inf)
    ('in 0–1', 'of at least 0')
    """
    if high == math.inf:
        return f"of at least {low:g}"
    return f"in {low:g}–{high:g}" if low >= 0 else f"from {low:g} to {high:g}"


def one_unit_softmax(where: str, applied: str | None, units: int | None, better: str) -> Problem | None:
    """Return the problem of a softmax over a single unit; None otherwise.

    Args:
        where: the place, for the message.
        applied: the output's last activation.
        units: the size of its last axis.
        better: the activation to use instead.
    """
    if applied != "softmax" or units != 1:
        return None
    expected = f'activation="{better}" for an output of one unit'
    found = "softmax, which is 1 whatever the model learns"
    return Problem(
        where, expected, found, f'Say activation="{better}" in the output layer.', "one-unit-softmax"
    )


def no_probabilities(where: str, applied: str | None, wanted: tuple[str, ...], reader: str) -> Problem | None:
    """Return the problem of an activation that does not produce the probabilities that a head or loss needs, or None.

    Args:
        applied: the output's last activation.
        wanted: the activations that do; empty if no probabilities are needed.
    """
    if applied in (None, "linear") or not wanted or applied in wanted:
        return None
    many = f"{applied} gives no probabilities"
    if applied == "softmax":
        many = "all classes share one probability"
    elif applied in SIGMOID:
        many = f"{applied} gives each class a probability of its own"
    expected = f'activation="{wanted[0]}", or none for logits, as {reader} needs'
    fix = f'Say activation="{wanted[0]}" in the output layer.'
    return Problem(where, expected, f"{applied}: {many}", fix, "activation", warning=applied in SIGMOID)


def negative_outputs(where: str, applied: str | None, loss: str) -> Problem | None:
    """Return the problem of a loss that takes the logarithm of outputs that can be negative; None otherwise.

    Args:
        applied: the output's last activation, if it is known.
    """
    better = POSITIVE_LOSSES.get(loss)
    if better is None or applied is None or RANGES.get(applied, (-1,))[0] >= 0:
        return None
    expected = f'activation="{better}", as {loss} takes the logarithm of the outputs'
    found = "no activation" if applied == "linear" else applied
    fix = f'Say activation="{better}" in the output layer: negative outputs make the loss meaningless or NaN.'
    return Problem(where, expected, found, fix, "negative-outputs", warning=True)


def logits_problem(where: str, applied: str | None, loss: str, from_logits: bool | None) -> Problem | None:
    """Return the problem of a loss that reads probabilities as logits, or logits as probabilities; None otherwise.

    Args:
        applied: the output's last activation, ``"linear"`` for none.
        from_logits: its argument of that name; None if it has none.
    """
    if from_logits is None:
        return None
    if applied == "linear" and not from_logits:
        expected = f"{loss}(from_logits=True), as the output has no activation"
        fix = "Say from_logits=True in the loss, or give the layer its activation."
        return Problem(where, expected, "from_logits=False", fix, "logits")
    if applied in BOUNDED and from_logits:
        expected = f"{loss}(from_logits=False), as the output is a {applied}"
        fix = "Leave from_logits out, or give the layer no activation."
        return Problem(where, expected, "from_logits=True", fix, "logits")
    return None
