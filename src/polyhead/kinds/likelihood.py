"""Converts outputs to probabilities, and finds the best temperature and threshold for labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, is_number, shown
from polyhead.kinds.judging_ranks import Ranking, log_loss
from polyhead.kinds.keras_names import SIGMOID

OBJECTIVES = ("f1", "accuracy", "youden")
"""The objectives of a threshold; Youden's index is recall minus the false positive rate."""

COLDEST, HOTTEST = 1 / 20, 20.0
"""The lowest and the highest temperature that are tried."""

_TINY = 1e-30
"""Probabilities are clipped to at least this before taking logarithms."""


def require_tuning(kind: str, threshold: Any, temperature: Any) -> None:
    """Raise a `ContractError` for an invalid threshold or temperature."""
    if not is_number(threshold) or not 0 <= threshold <= 1:
        raise ContractError(Problem(f"{kind}(threshold=)", "a number in [0, 1]", shown(threshold)))
    if not is_number(temperature) or not temperature > 0:
        raise ContractError(Problem(f"{kind}(temperature=)", "a number above 0", shown(temperature)))


def likelihoods(
    outputs: np.ndarray, logits: bool, activations: Sequence[str], temperature: float = 1.0
) -> np.ndarray:
    """Convert outputs to probabilities.

    Args:
        outputs: logits or probabilities, floats ``(..., n)``.
        activations: the activations that compute a head's probabilities; empty if its outputs are not probabilities.
        temperature: the divisor of logits.

    >>> likelihoods(np.array([[0.0, 2.0]]), True, ("softmax",), 2.0).round(3).tolist()
    [[0.269, 0.731]]
    >>> likelihoods(np.array([[0.9]]), False, ("sigmoid",)).tolist()
    [[0.9]]
    """
    if not activations or (not logits and temperature == 1):
        return outputs
    sigmoid = tuple(activations) == SIGMOID
    found: Any = outputs
    if not logits:
        found = np.log(np.clip(outputs, _TINY, 1))
        found = found - np.log(np.clip(1 - outputs, _TINY, 1)) if sigmoid else found
    found = found / temperature
    if sigmoid:
        return np.exp(-np.logaddexp(0, -found))
    shares = np.exp(found - found.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def best_temperature(
    shares: np.ndarray, labels: np.ndarray, weights: np.ndarray, activations: Sequence[str]
) -> float:
    """Return the temperature with the least log loss, by golden section.

    It is `COLDEST` or `HOTTEST` if no temperature between them has a lower loss.

    Args:
        shares: probabilities ``(n, k)``.
        labels: class ids ``(n,)`` if the classes exclude each other, else 0 and 1 ``(n, k)``.
        weights: of the shape of ``labels``.
        activations: as for `likelihoods`.
    """

    def loss(heat: float) -> float:
        found = likelihoods(shares, False, activations, float(np.exp(heat)))
        if labels.ndim == found.ndim:
            return float((log_loss(labels, found) * weights).sum())
        of_label = found[np.arange(len(labels)), labels]
        return float((-np.log(np.clip(of_label, _TINY, 1)) * weights).sum())

    low, high, ratio = np.log(COLDEST), np.log(HOTTEST), (np.sqrt(5) - 1) / 2
    ends = {COLDEST: loss(low), HOTTEST: loss(high)}
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = loss(a), loss(b)
    while high - low > 1e-4:
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - ratio * (high - low)
            at_a = loss(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + ratio * (high - low)
            at_b = loss(b)
    best = (low + high) / 2
    lowest = min(ends, key=ends.__getitem__)
    return lowest if ends[lowest] <= loss(best) else float(np.exp(best))


def best_threshold(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, objective: str) -> float:
    """Return the threshold on scores that is best for an objective.

    It is about halfway between two scores, so that it also separates slightly different scores; above the highest one
    if it is best to predict no positives.

    Args:
        scores: ``(n,)``.
        labels: bool ``(n,)``.
        weights: ``(n,)``.
        objective: one of `OBJECTIVES`.

    >>> best_threshold(np.array([0.2, 0.3, 0.5]), np.array([0, 1, 1]) > 0, np.ones(3), "f1")
    0.25
    """
    found = Ranking(scores, labels, weights[None])
    true, false = found.true[0], found.false[0]
    positives, negatives = found.positives[0], found.negatives[0]
    if objective == "f1":
        goodness = 2 * true / np.maximum(true + false + positives, 1e-300)
    elif objective == "accuracy":
        goodness = true - false
    else:
        goodness = true / max(positives, 1e-300) - false / max(negatives, 1e-300)
    at, ends = int(goodness.argmax()), np.r_[found.thresholds, 0.0]
    if goodness[at] < 0 and ends[0] < 1:
        return _short_between(ends[0], 1.0)
    return _short_between(ends[at + 1], ends[at])


def _short_between(low: float, high: float) -> float:
    """A number about halfway between two scores, with few digits; above ``low``, also as float32."""
    middle = (low + high) / 2
    rounded = (round(float(middle), digits) for digits in range(6, 17))
    return next((one for one in rounded if low < np.float32(one) <= high), float(high))
