"""Metrics of scores that rank items, for many selections of items at a time."""

from __future__ import annotations

import numpy as np

from polyhead.kinds.judging import grouped, ratio

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
