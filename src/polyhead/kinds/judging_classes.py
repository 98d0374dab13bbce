"""Judges heads with classes: binary, one of several, any of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.kinds.judging import (
    Doubts,
    HeadBatch,
    Items,
    Judge,
    Metrics,
    confident,
    grouped,
    mean_of,
    nan_mean,
    ratio,
    row_items,
    weights_like,
)
from polyhead.kinds.keras_names import SIGMOID, SOFTMAX
from polyhead.kinds.likelihood import (
    LEAST,
    Ranking,
    best_temperature,
    best_threshold,
    calibration_error,
    curve_points,
    f1_of,
    log_loss,
    reliability,
)

_MOST_IN_CONFUSION = 5_000
"""The most classes for which details have a confusion matrix: its size is the square."""


class _SigmoidJudge(Judge):
    """Judges probabilities that do not exclude each other."""

    threshold: float
    """The least probability that counts as 1."""

    def best_threshold(self, items: Items, objective: str) -> float:
        """The best threshold for an objective."""
        weights = items.get("label_weights", items["weight"])
        return best_threshold(items["score"].ravel(), items["label"].ravel(), weights.ravel(), objective)

    def best_temperature(self, batch: Mapping[str, HeadBatch]) -> float:
        """The factor on the temperature that gives the lowest log loss."""
        arrays = batch[self.name]
        weights = weights_like(arrays.weights, arrays.labels)
        return best_temperature(arrays.outputs, arrays.labels, weights, SIGMOID)

    def predicted_labels(self, batch: Mapping[str, HeadBatch]) -> tuple[np.ndarray, np.ndarray]:
        outputs, valid = super().predicted_labels(batch)
        return (outputs >= self.threshold).astype(np.float32), valid


class BinaryJudge(_SigmoidJudge):
    """Judges a binary head by its probability."""

    less_is_better = ("calibration_error", "log_loss")

    def __init__(self, name: str, threshold: float = 0.5) -> None:
        self.name, self.threshold = name, threshold

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        arrays = batch[self.name]
        label, score = (a.reshape(len(a)).astype(np.float64) for a in (arrays.labels, arrays.outputs))
        return row_items(arrays.weights, log_loss(label, score), label=label > 0.5, score=score)

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        label, score = items["label"], items["score"]
        predicted = score >= self.threshold
        ranking = Ranking(score, label, weights)
        sums = [weights @ flags.astype(np.float64) for flags in (label & predicted, predicted, label)]
        return {
            "accuracy": mean_of((predicted == label).astype(np.float64), weights),
            "roc_auc": ranking.roc_auc(),
            "average_precision": ranking.average_precision(),
            "f1": f1_of(*sums),
            "f1_best": ranking.best_f1()[0],
            "log_loss": mean_of(items["loss"], weights),
            "calibration_error": calibration_error(score, label, weights),
        }

    def doubts(self, items: Items) -> Doubts:
        label, score = items["label"], items["score"]
        predicted = score > 0.5
        of_label = np.where(label, score, 1 - score)
        rows = confident(label.astype(int), predicted.astype(int), of_label, np.maximum(score, 1 - score))
        return Doubts(rows, 1 - of_label[rows], label[rows].tolist(), predicted[rows].tolist())

    def details(self, items: Items) -> dict[str, Any]:
        label, score, weights = items["label"], items["score"], items["weight"]
        ranking = Ranking(score, label, weights[None])
        cells = 2 * label + (score >= self.threshold)
        return {
            "classes": (0, 1),
            "confusion": grouped(weights[None], cells, 4).reshape(2, 2),
            "best_threshold": float(ranking.best_f1()[1][0]),
            "curves": curve_points(ranking),
            "reliability": reliability(score, label, weights),
        }


class CategoricalJudge(Judge):
    """Judges a head that predicts one of several classes.

    Args:
        classes: the names of the classes, in the order of their ids.
    """

    less_is_better = ("calibration_error", "log_loss")

    def __init__(self, name: str, classes: Sequence[Any]) -> None:
        self.name, self.classes = name, tuple(classes)

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        arrays = batch[self.name]
        label, scores = _ids_of_labels(arrays.labels), arrays.outputs
        of_label, total = scores[np.arange(len(label)), label], np.maximum(scores.sum(-1), LEAST)
        return row_items(
            arrays.weights,
            -np.log(np.clip(of_label / total, LEAST, 1)),
            label=label,
            predicted=scores.argmax(-1),
            confidence=scores.max(-1) / total,
            above=(scores > of_label[:, None]).sum(-1),
        )

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        label, predicted, count = items["label"], items["predicted"], len(self.classes)
        right = (label == predicted).astype(np.float64)
        f1 = f1_of(
            grouped(weights * right, label, count),
            grouped(weights, predicted, count),
            grouped(weights, label, count),
        )
        metrics = {"accuracy": mean_of(right, weights)}
        if count > 5:
            metrics["top_5"] = mean_of((items["above"] < 5).astype(np.float64), weights)
        metrics["f1_macro"] = nan_mean(f1.T)
        metrics["f1_micro"] = metrics["accuracy"]
        metrics["log_loss"] = mean_of(items["loss"], weights)
        metrics["calibration_error"] = calibration_error(items["confidence"], right, weights)
        return metrics | {f"f1[{name}]": f1[:, i] for i, name in enumerate(self.classes)}

    def best_temperature(self, batch: Mapping[str, HeadBatch]) -> float:
        """The factor on the temperature that gives the lowest log loss."""
        arrays = batch[self.name]
        label = _ids_of_labels(arrays.labels)
        return best_temperature(arrays.outputs, label, arrays.weights.reshape(len(label)), SOFTMAX)

    def predicted_labels(self, batch: Mapping[str, HeadBatch]) -> tuple[np.ndarray, np.ndarray]:
        outputs, valid = super().predicted_labels(batch)
        ids = outputs.argmax(-1)
        one_hot = batch[self.name].labels.ndim == outputs.ndim
        return (np.eye(len(self.classes), dtype=np.float32)[ids] if one_hot else ids), valid

    def doubts(self, items: Items) -> Doubts:
        label, predicted, of_label = items["label"], items["predicted"], np.exp(-items["loss"])
        rows = confident(label, predicted, of_label, items["confidence"])
        names = [[self.classes[k] for k in ids[rows]] for ids in (label, predicted)]
        return Doubts(rows, 1 - of_label[rows], *names)

    def details(self, items: Items) -> dict[str, Any]:
        right = items["label"] == items["predicted"]
        bins = reliability(items["confidence"], right, items["weight"])
        details: dict[str, Any] = {"classes": self.classes, "reliability": bins}
        if (count := len(self.classes)) <= _MOST_IN_CONFUSION:
            cells = items["label"] * count + items["predicted"]
            details["confusion"] = np.bincount(cells, items["weight"], count**2).reshape(count, count)
        return details


def _ids_of_labels(labels: np.ndarray) -> np.ndarray:
    """Class ids ``(B,)`` of labels that are ids or probabilities of classes."""
    return (labels.argmax(-1) if labels.ndim > 1 else labels).astype(np.int64)


class MultiLabelJudge(_SigmoidJudge):
    """Judges a head that predicts any of several classes.

    Args:
        classes: the names of the classes, in the order of their ids.
    """

    def __init__(self, name: str, classes: Sequence[Any], threshold: float = 0.5) -> None:
        self.name, self.classes, self.threshold = name, tuple(classes), threshold

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        arrays = batch[self.name]
        weights = weights_like(arrays.weights, arrays.labels)
        return row_items(
            weights,
            log_loss(arrays.labels, arrays.outputs),
            weight=np.ones(len(weights)),
            label_weights=weights,
            label=arrays.labels > 0.5,
            score=arrays.outputs,
        )

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        right, labeled, true, predicted, positive = np.zeros((5, len(self.classes), len(weights)))
        precision = []
        for i in range(len(self.classes)):
            label, score = items["label"][:, i], items["score"][:, i]
            above, class_weights = score >= self.threshold, weights * items["label_weights"][:, i]
            precision.append(Ranking(score, label, class_weights).average_precision())
            flags = (above == label, np.ones_like(label), above & label, above, label)
            for sums, flag in zip((right, labeled, true, predicted, positive), flags, strict=True):
                sums[i] = class_weights @ flag.astype(np.float64)
        f1 = f1_of(true, predicted, positive)
        metrics = {
            "map": nan_mean(precision),
            "f1_macro": nan_mean(f1),
            "f1_micro": f1_of(true.sum(0), predicted.sum(0), positive.sum(0)),
            "accuracy": ratio(right.sum(0), labeled.sum(0)),
        }
        for name, values in (("ap", precision), ("f1", f1)):
            metrics |= {f"{name}[{label}]": values[i] for i, label in enumerate(self.classes)}
        return metrics

    def doubts(self, items: Items) -> Doubts:
        label, predicted = items["label"], items["score"] > 0.5
        of_label = np.where(label, items["score"], 1 - items["score"])
        wrong = np.zeros(label.shape, bool)
        for k in range(label.shape[1]):
            rows = np.flatnonzero(items["label_weights"][:, k] > 0)
            share = of_label[rows, k]
            ids = label[rows, k].astype(int), predicted[rows, k].astype(int)
            wrong[rows[confident(*ids, share, np.maximum(share, 1 - share))], k] = True
        rows = np.flatnonzero(wrong.any(1))
        disagreement = np.where(wrong, 1 - of_label, 0).max(1)[rows]
        names = [
            [[self.classes[k] for k in np.flatnonzero(flags)] for flags in labels[rows]]
            for labels in (label, label ^ wrong)
        ]
        return Doubts(rows, disagreement, *names)
