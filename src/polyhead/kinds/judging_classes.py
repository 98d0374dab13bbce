"""Judges heads with classes: binary, one of several, any of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.kinds.doubts import Doubts, confident
from polyhead.kinds.judging import Items, Judge, Judged, Metrics, grouped, mean_of, nan_mean, ratio, row_items
from polyhead.kinds.judging_ranks import (
    LEAST,
    Ranking,
    calibration_error,
    curve_points,
    f1_of,
    log_loss,
    reliability,
)
from polyhead.kinds.keras_names import SIGMOID, SOFTMAX
from polyhead.kinds.likelihood import best_temperature, best_threshold

_MOST_IN_CONFUSION = 5_000
"""The most classes for which details have a confusion matrix: its size is the square."""


class BinaryJudge(Judge):
    """Judges a binary head by its probability.

    Args:
        threshold: the least probability that counts as 1.
    """

    less_is_better = ("calibration_error", "log_loss")

    def __init__(self, name: str, threshold: float = 0.5) -> None:
        self.name, self.threshold = name, threshold

    def look(self, judged: Mapping[str, Judged]) -> Items:
        found = judged[self.name]
        labels, scores = (
            array.reshape(len(array)).astype(np.float64) for array in (found.labels, found.outputs)
        )
        weights = found.weights.reshape(len(labels), -1).mean(1)
        return row_items(weights, log_loss(labels, scores), label=labels > 0.5, score=scores)

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        label, score = items["label"], items["score"]
        predicted = score >= self.threshold
        ranking = Ranking(score, label, weights)
        sums = [weights @ part.astype(np.float64) for part in (label & predicted, predicted, label)]
        return {
            "accuracy": mean_of((predicted == label).astype(np.float64), weights),
            "roc_auc": ranking.roc_auc(),
            "average_precision": ranking.average_precision(),
            "f1": f1_of(*sums),
            "f1_best": ranking.best_f1()[0],
            "log_loss": mean_of(items["loss"], weights),
            "calibration_error": calibration_error(score, label, weights),
        }

    def best_threshold(self, items: Items, objective: str) -> float:
        """The best threshold for an objective."""
        return best_threshold(items["score"], items["label"], items["weight"], objective)

    def best_temperature(self, judged: Mapping[str, Judged]) -> float:
        """The factor on the temperature that gives the lowest log loss."""
        found = judged[self.name]
        weights = np.broadcast_to(found.weights.reshape(-1, 1), found.labels.shape)
        return best_temperature(found.outputs, found.labels, weights, SIGMOID)

    def predicted_labels(self, judged: Mapping[str, Judged]) -> tuple[np.ndarray, np.ndarray]:
        outputs, valid = super().predicted_labels(judged)
        return (outputs >= self.threshold).astype(np.float32), valid

    def doubts(self, items: Items) -> Doubts:
        label, score = items["label"], items["score"]
        predicted = score > 0.5
        own = np.where(label, score, 1 - score)
        found = confident(label.astype(int), predicted.astype(int), own, np.maximum(score, 1 - score))
        return Doubts(found, 1 - own[found], label[found].tolist(), predicted[found].tolist())

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

    def look(self, judged: Mapping[str, Judged]) -> Items:
        found = judged[self.name]
        labels, scores = found.labels, found.outputs
        labels = (labels.argmax(-1) if labels.ndim > 1 else labels).astype(np.int64)
        of_label, total = scores[np.arange(len(labels)), labels], np.maximum(scores.sum(-1), LEAST)
        weights = found.weights.reshape(len(labels), -1).mean(1)
        return row_items(
            weights,
            -np.log(np.clip(of_label / total, LEAST, 1)),
            label=labels,
            predicted=scores.argmax(-1),
            confidence=scores.max(-1) / total,
            above=(scores > of_label[:, None]).sum(-1),
        )

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        label, predicted, count = items["label"], items["predicted"], len(self.classes)
        right = (label == predicted).astype(np.float64)
        accuracy = mean_of(right, weights)
        of_class = f1_of(
            grouped(weights * right, label, count),
            grouped(weights, predicted, count),
            grouped(weights, label, count),
        )
        found = {"accuracy": accuracy}
        if count > 5:
            found["top_5"] = mean_of((items["above"] < 5).astype(np.float64), weights)
        found["f1_macro"] = nan_mean(of_class.T)
        found["f1_micro"] = accuracy
        found["log_loss"] = mean_of(items["loss"], weights)
        found["calibration_error"] = calibration_error(items["confidence"], right, weights)
        return found | {f"f1[{name}]": of_class[:, i] for i, name in enumerate(self.classes)}

    def best_temperature(self, judged: Mapping[str, Judged]) -> float:
        """The factor on the temperature that gives the lowest log loss."""
        found = judged[self.name]
        labels = found.labels.argmax(-1) if found.labels.ndim > 1 else found.labels
        return best_temperature(found.outputs, labels, found.weights.reshape(len(labels)), SOFTMAX)

    def predicted_labels(self, judged: Mapping[str, Judged]) -> tuple[np.ndarray, np.ndarray]:
        outputs, valid = super().predicted_labels(judged)
        ids = outputs.argmax(-1)
        one_hot = judged[self.name].labels.ndim == outputs.ndim
        return (np.eye(len(self.classes), dtype=np.float32)[ids] if one_hot else ids), valid

    def doubts(self, items: Items) -> Doubts:
        label, predicted, own = items["label"], items["predicted"], np.exp(-items["loss"])
        found = confident(label, predicted, own, items["confidence"])
        words = [[self.classes[k] for k in ids[found]] for ids in (label, predicted)]
        return Doubts(found, 1 - own[found], *words)

    def details(self, items: Items) -> dict[str, Any]:
        right = items["label"] == items["predicted"]
        found = {
            "classes": self.classes,
            "reliability": reliability(items["confidence"], right, items["weight"]),
        }
        if (count := len(self.classes)) > _MOST_IN_CONFUSION:
            return found
        cells = items["label"] * count + items["predicted"]
        matrix = np.bincount(cells, items["weight"], count * count).reshape(count, count)
        return {**found, "confusion": matrix}


class MultiLabelJudge(Judge):
    """Judges a head that predicts any of several classes.

    Args:
        classes: the names of the classes, in the order of their ids.
        threshold: the least probability at which a label is predicted.
    """

    def __init__(self, name: str, classes: Sequence[Any], threshold: float = 0.5) -> None:
        self.name, self.classes, self.threshold = name, tuple(classes), threshold

    def look(self, judged: Mapping[str, Judged]) -> Items:
        found = judged[self.name]
        weights = found.weights.reshape(len(found.labels), -1)
        weights = np.broadcast_to(weights, found.labels.shape)
        items = row_items(
            weights, log_loss(found.labels, found.outputs), label=found.labels > 0.5, score=found.outputs
        )
        return {**items, "weight": np.ones(len(items["row"])), "weights": weights[items["row"]]}

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        sums = np.zeros((5, len(self.classes), len(weights)))  # right, all, true, predicted, labeled
        precision = []
        for i in range(len(self.classes)):
            label, score = items["label"][:, i], items["score"][:, i]
            predicted, some = score >= self.threshold, weights * items["weights"][:, i]
            precision.append(Ranking(score, label, some).average_precision())
            for k, part in enumerate(
                (predicted == label, np.ones_like(label), predicted & label, predicted, label)
            ):
                sums[k, i] = some @ part.astype(np.float64)
        f1 = f1_of(*sums[2:])
        found = {
            "map": nan_mean(precision),
            "f1_macro": nan_mean(f1),
            "f1_micro": f1_of(*sums[2:].sum(1)),
            "accuracy": ratio(sums[0].sum(0), sums[1].sum(0)),
        }
        found |= {f"ap[{name}]": precision[i] for i, name in enumerate(self.classes)}
        return found | {f"f1[{name}]": f1[i] for i, name in enumerate(self.classes)}

    def best_threshold(self, items: Items, objective: str) -> float:
        """The best threshold for an objective."""
        return best_threshold(
            items["score"].ravel(), items["label"].ravel(), items["weights"].ravel(), objective
        )

    def best_temperature(self, judged: Mapping[str, Judged]) -> float:
        """The factor on the temperature that gives the lowest log loss."""
        found = judged[self.name]
        weights = found.weights.reshape(len(found.labels), -1)
        return best_temperature(
            found.outputs, found.labels, np.broadcast_to(weights, found.labels.shape), SIGMOID
        )

    def predicted_labels(self, judged: Mapping[str, Judged]) -> tuple[np.ndarray, np.ndarray]:
        outputs, valid = super().predicted_labels(judged)
        return (outputs >= self.threshold).astype(np.float32), valid

    def doubts(self, items: Items) -> Doubts:
        label, predicted = items["label"], items["score"] > 0.5
        own = np.where(label, items["score"], 1 - items["score"])
        wrong = np.zeros(label.shape, bool)
        for k in range(label.shape[1]):
            there = np.flatnonzero(items["weights"][:, k] > 0)
            parts = (label[there, k].astype(int), predicted[there, k].astype(int), own[there, k])
            wrong[there[confident(*parts, np.maximum(parts[2], 1 - parts[2]))], k] = True
        found = np.flatnonzero(wrong.any(1))
        far = np.where(wrong, 1 - own, 0).max(1)[found]
        words = [
            [[self.classes[k] for k in np.flatnonzero(row)] for row in sets[found]]
            for sets in (label, label ^ wrong)
        ]
        return Doubts(found, far, *words)

    def details(self, items: Items) -> dict[str, Any]:
        return {"classes": self.classes}
