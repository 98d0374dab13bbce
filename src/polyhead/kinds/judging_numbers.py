"""Judges heads with numbers: columns of numbers, vectors, and numbers for each pixel."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polyhead.kinds.judging import (
    FAR,
    Doubts,
    HeadBatch,
    Items,
    Judge,
    Metrics,
    mean_of,
    nan_mean,
    ratio,
    row_items,
    weights_like,
)

if TYPE_CHECKING:
    from polyhead.kinds.head import Head

_MOST_COLUMNS = 100
"""With more columns than this, metrics of single columns are left out."""


class RegressionJudge(Judge):
    """Judges numbers in the units of the data, by column.

    Args:
        columns: a name for each number of a row; empty if there is only one.
    """

    less_is_better = ("mae", "rmse")

    def __init__(self, name: str, head: Head, columns: Sequence[Any] = ()) -> None:
        self.name, self.head, self.columns = name, head, tuple(columns)

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        arrays = batch[self.name]
        rows = len(arrays.labels)
        labels, outputs = (_flat(self.head.unscaled(array)) for array in (arrays.labels, arrays.outputs))
        weights = weights_like(arrays.weights, arrays.labels).reshape(rows, -1)
        error = outputs - labels
        # in logarithms, a price of half its value is as far off as one of twice its value
        scaled = {} if self.head.scaling is None else {"scaled": _flat(arrays.outputs) - _flat(arrays.labels)}
        return row_items(
            weights,
            np.abs(error),
            weight=np.ones(rows),
            label_weights=weights,
            error=error,
            label=labels,
            **scaled,
        )

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        error, label_weights = items["error"], items["label_weights"]
        total = weights @ label_weights
        # relative to the mean of all rows, as squares of numbers far from zero would lose all digits
        centered = items["label"] - ratio((items["label"] * label_weights).sum(0), label_weights.sum(0))
        label_squares = weights @ (label_weights * centered**2)
        variance = label_squares - ratio((weights @ (label_weights * centered)) ** 2, total)
        squares = weights @ (label_weights * error**2)
        # labels that differ by rounding alone do not differ, whatever their unit
        largest = np.max(np.where(label_weights > 0, items["label"], 0) ** 2, axis=0, initial=0)
        least = 1e-12 * label_squares + 1e-24 * largest * total
        by_column = {
            "mae": ratio(weights @ (label_weights * np.abs(error)), total),
            "rmse": np.sqrt(ratio(squares, total)),
            "r2": 1 - ratio(squares, np.where(variance > least, variance, 0)),
        }
        metrics = {name: nan_mean(values.T) for name, values in by_column.items()}
        if 1 < len(self.columns) <= _MOST_COLUMNS:
            for name, values in by_column.items():
                metrics |= {f"{name}[{column}]": values[:, i] for i, column in enumerate(self.columns)}
        return metrics

    def doubts(self, items: Items) -> Doubts:
        error = np.where(items["label_weights"] > 0, items.get("scaled", items["error"]), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # for columns without a label
            distance = np.abs(error - np.nanmedian(error, axis=0))
            deviations = np.nan_to_num(
                distance / (1.4826 * np.nanmedian(distance, axis=0)), nan=0, posinf=np.inf
            )
        rows = np.flatnonzero((deviations > FAR).any(1))
        columns = deviations.argmax(1)[rows]
        label, error = items["label"][rows, columns], items["error"][rows, columns]
        parts = [self.columns[k] for k in columns] if len(self.columns) > 1 else ()
        return Doubts(rows, deviations[rows, columns], label.tolist(), (label + error).tolist(), parts)

    def details(self, items: Items) -> dict[str, Any]:
        errors, labels = (
            np.where(items["label_weights"] > 0, items[name], np.nan) for name in ("error", "label")
        )
        return {"errors": errors, "labels": labels}


def _flat(array: np.ndarray) -> np.ndarray:
    """The numbers of each row, float64 ``(B, n)``."""
    return array.astype(np.float64).reshape(len(array), -1)


class EmbeddingJudge(Judge):
    """Judges vectors by their direction."""

    def __init__(self, name: str) -> None:
        self.name = name

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        arrays = batch[self.name]
        labels, outputs = arrays.labels.astype(np.float64), arrays.outputs
        lengths = np.linalg.norm(labels, axis=-1) * np.linalg.norm(outputs, axis=-1)
        cosine = np.nan_to_num(ratio((labels * outputs).sum(-1), lengths))
        return row_items(arrays.weights, 1 - cosine, cosine=cosine)

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        return {"cosine": mean_of(items["cosine"], weights)}


class MapJudge(Judge):
    """Judges a number per pixel, over all labeled pixels.

    If all labels are positive, as depths are, ``delta_1`` is the fraction of pixels whose prediction and label differ
    by a factor below 1.25.
    """

    less_is_better = ("mae", "rmse")

    def __init__(self, name: str, head: Head) -> None:
        self.name, self.head = name, head

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        arrays = batch[self.name]
        labels = np.asarray(self.head.unscaled(arrays.labels), np.float64)
        outputs = np.asarray(self.head.unscaled(arrays.outputs), np.float64)
        weights = weights_like(arrays.weights, labels)
        error = np.abs(outputs - labels)
        with np.errstate(divide="ignore", invalid="ignore"):
            near = (np.maximum(outputs / labels, labels / outputs) < 1.25) & (outputs > 0)
        sums = {
            "pixels": weights,
            "absolute": weights * error,
            "squared": weights * error**2,
            "near": weights * near,
            "not_positive": (weights > 0) & (labels <= 0),
        }
        sums = {name: values.sum((1, 2, 3)) for name, values in sums.items()}
        return row_items(weights, error, weight=np.ones(len(labels)), **sums)

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        total = weights @ items["pixels"]
        metrics = {
            "mae": ratio(weights @ items["absolute"], total),
            "rmse": np.sqrt(ratio(weights @ items["squared"], total)),
        }
        if not items["not_positive"].any():
            metrics["delta_1"] = ratio(weights @ items["near"], total)
        return metrics
