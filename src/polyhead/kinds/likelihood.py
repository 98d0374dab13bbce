"""Converts outputs to probabilities, ranks them, and finds the best temperature and threshold for labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, is_number, shown
from polyhead.kinds.judging import grouped, ratio
from polyhead.kinds.keras_names import SIGMOID

BINS = 15
"""The number of bins of equal width between 0 and 1 that calibration uses."""

LEAST = 1e-7
"""Probabilities are clipped to at least this distance from 0 and 1 before taking logarithms, as in Keras."""


class Ranking:
    """Items ranked by their scores, with the sums of positives and negatives at each threshold.

    Args:
        scores: ``(n,)``.
        positive: bool ``(n,)``.
        weights: ``(R, n)``.

    >>> ranking = Ranking(np.array([0.9, 0.4, 0.6, 0.1]), np.array([1, 0, 0, 1]) > 0, np.ones((1, 4)))
    >>> ranking.roc_auc().tolist(), ranking.average_precision().tolist(), ranking.best_f1()[0].round(3).tolist()
    ([0.5], [0.75], [0.667])
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> None:
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True]) if len(scores) else np.zeros(0, int)
        self.thresholds = ranked[last]
        sorted_weights = weights[:, order]
        above = np.cumsum(sorted_weights, axis=1)[:, last]
        self.true = np.cumsum(sorted_weights * positive[order], axis=1)[:, last]
        self.false = above - self.true
        self._gained = np.diff(self.true, axis=1, prepend=0)
        self.positives = (weights * positive).sum(1)
        self.negatives = weights.sum(1) - self.positives

    def roc_auc(self) -> np.ndarray:
        """The area under the ROC curve, ``(R,)``; NaN if one class is absent."""
        gained = np.diff(self.false, axis=1, prepend=0)
        area = np.einsum("rn,rn->r", gained, self.true) - np.einsum("rn,rn->r", gained, self._gained) / 2
        return ratio(area, self.positives * self.negatives)

    def average_precision(self) -> np.ndarray:
        """The sum over thresholds of precision times the gain in recall, ``(R,)``; NaN without positives."""
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(self._gained > 0, self.true / (self.true + self.false), 0)
        return ratio(np.einsum("rn,rn->r", precision, self._gained), self.positives)

    def best_f1(self) -> tuple[np.ndarray, np.ndarray]:
        """The best F1 over all thresholds, and its threshold, each ``(R,)``."""
        if not len(self.thresholds):
            return np.full(len(self.true), np.nan), np.full(len(self.true), np.nan)
        f1 = f1_of(self.true, self.true + self.false, self.positives[:, None])
        f1 = np.nan_to_num(f1, nan=-1.0)
        best = f1.argmax(1)
        return np.where(self.positives > 0, f1.max(1), np.nan), self.thresholds[best]


def f1_of(true: np.ndarray, predicted: np.ndarray, labeled: np.ndarray) -> np.ndarray:
    """F1 from the sums of true positives, predictions and labels; NaN for a class that occurs in neither."""
    return ratio(2 * true, predicted + labeled)


def bins_of(confidence: np.ndarray) -> np.ndarray:
    """The bin of each confidence; an edge belongs to the bin below it."""
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def calibration_error(confidence: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The expected calibration error, ``(R,)``: the mean distance between confidence and accuracy over bins."""
    distance = grouped(weights * (confidence - right), bins_of(confidence), BINS)
    return ratio(np.abs(distance).sum(1), weights.sum(1))


def reliability(confidence: np.ndarray, right: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The weight, mean confidence and accuracy of each bin, for weights ``(n,)``."""
    bins = bins_of(confidence)
    weight, confident, correct = (
        grouped(values[None], bins, BINS)[0] for values in (weights, weights * confidence, weights * right)
    )
    return {"weight": weight, "confidence": ratio(confident, weight), "frequency": ratio(correct, weight)}


def curve_points(ranking: Ranking) -> dict[str, np.ndarray]:
    """The points of the ROC and precision-recall curves of the first selection, at most 200."""
    count = len(ranking.thresholds)
    shown = np.unique(np.linspace(0, count - 1, min(200, count)).astype(int))
    true, false = ranking.true[0][shown], ranking.false[0][shown]
    return {
        "threshold": ranking.thresholds[shown],
        "recall": ratio(true, ranking.positives[0]),
        "false_positive_rate": ratio(false, ranking.negatives[0]),
        "precision": ratio(true, true + false),
    }


def log_loss(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The binary cross entropy of each label."""
    scores = np.clip(scores, LEAST, 1 - LEAST)
    return -(labels * np.log(scores) + (1 - labels) * np.log(1 - scores))


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
