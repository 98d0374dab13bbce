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
    scores: Any = outputs
    if not logits:
        scores = np.log(np.clip(outputs, _TINY, 1))
        scores = scores - np.log(np.clip(1 - outputs, _TINY, 1)) if sigmoid else scores
    scores = scores / temperature
    if sigmoid:
        return np.exp(-np.logaddexp(0, -scores))
    shares = np.exp(scores - scores.max(-1, keepdims=True))
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
        scaled = likelihoods(shares, False, activations, float(np.exp(heat)))
        if labels.ndim == scaled.ndim:
            return float((log_loss(labels, scaled) * weights).sum())
        of_label = scaled[np.arange(len(labels)), labels]
        return float((-np.log(np.clip(of_label, _TINY, 1)) * weights).sum())

    low, high, ratio = np.log(COLDEST), np.log(HOTTEST), (np.sqrt(5) - 1) / 2
    losses = {COLDEST: loss(low), HOTTEST: loss(high)}
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    loss_a, loss_b = loss(a), loss(b)
    while high - low > 1e-4:
        if loss_a < loss_b:
            high, b, loss_b = b, a, loss_a
            a = high - ratio * (high - low)
            loss_a = loss(a)
        else:
            low, a, loss_a = a, b, loss_b
            b = low + ratio * (high - low)
            loss_b = loss(b)
    middle = (low + high) / 2
    losses[float(np.exp(middle))] = loss(middle)
    return min(losses, key=losses.__getitem__)


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
    ranking = Ranking(scores, labels, weights[None])
    true, false = ranking.true[0], ranking.false[0]
    positives, negatives = ranking.positives[0], ranking.negatives[0]
    if objective == "f1":
        goodness = 2 * true / np.maximum(true + false + positives, 1e-300)
    elif objective == "accuracy":
        goodness = true - false
    else:
        goodness = true / max(positives, 1e-300) - false / max(negatives, 1e-300)
    best, thresholds = int(goodness.argmax()), np.r_[ranking.thresholds, 0.0]
    if goodness[best] < 0 and thresholds[0] < 1:
        return _short_between(thresholds[0], 1.0)
    return _short_between(thresholds[best + 1], thresholds[best])


def _short_between(low: float, high: float) -> float:
    """A number about halfway between two scores, with few digits; above ``low``, also as float32."""
    middle = (low + high) / 2
    rounded = (round(float(middle), digits) for digits in range(6, 17))
    return next((number for number in rounded if low < np.float32(number) <= high), float(high))
