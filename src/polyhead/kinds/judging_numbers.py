"""Judges heads with numbers: columns of numbers, vectors, and numbers for each pixel."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polyhead.kinds.doubts import FAR, Doubts
from polyhead.kinds.judging import Items, Judge, Judged, Metrics, by_axes, mean_of, nan_mean, ratio, row_items

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

    def look(self, judged: Mapping[str, Judged]) -> Items:
        found = judged[self.name]
        rows = len(found.labels)
        labels = np.asarray(self.head.unscaled(found.labels), np.float64)
        outputs = np.asarray(self.head.unscaled(found.outputs), np.float64)
        weights = np.broadcast_to(by_axes(found.weights, labels), labels.shape).reshape(rows, -1)
        off = (outputs - labels).reshape(rows, -1)
        # in logarithms, a price of half its value is as far off as one of twice its value
        scaled = {} if self.head.scaling is None else {"scaled": _flat(found.outputs) - _flat(found.labels)}
        items = row_items(weights, np.abs(off), off=off, label=labels.reshape(rows, -1), **scaled)
        return {**items, "weight": np.ones(len(items["row"])), "weights": weights[items["row"]]}

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        off, finer = items["off"], items["weights"]
        total = weights @ finer
        # relative to the mean of all rows, as squares of numbers far from zero would lose all digits
        around = items["label"] - ratio((items["label"] * finer).sum(0), finer.sum(0))
        apart = weights @ (finer * around**2)
        spread = apart - ratio((weights @ (finer * around)) ** 2, total)
        squares = weights @ (finer * off**2)
        mae = ratio(weights @ (finer * np.abs(off)), total)
        rmse = np.sqrt(ratio(squares, total))
        # labels that differ by rounding alone do not differ, whatever their unit
        largest = np.max(np.where(finer > 0, items["label"], 0) ** 2, axis=0, initial=0)
        least = 1e-12 * apart + 1e-24 * largest * total
        r2 = 1 - ratio(squares, np.where(spread > least, spread, 0))
        found = {name: nan_mean(one.T) for name, one in (("mae", mae), ("rmse", rmse), ("r2", r2))}
        if 1 < len(self.columns) <= _MOST_COLUMNS:
            for name, one in (("mae", mae), ("rmse", rmse), ("r2", r2)):
                found |= {f"{name}[{column}]": one[:, i] for i, column in enumerate(self.columns)}
        return found

    def doubts(self, items: Items) -> Doubts:
        off = np.where(items["weights"] > 0, items.get("scaled", items["off"]), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # for columns without a label
            middle = np.nanmedian(off, axis=0)
            usual = 1.4826 * np.nanmedian(np.abs(off - middle), axis=0)
            far = np.nan_to_num(np.abs(off - middle) / usual, nan=0, posinf=np.inf)
        found, column = np.flatnonzero((far > FAR).any(1)), far.argmax(1)
        at = found, column[found]
        label = items["label"][at]
        parts = [self.columns[k] for k in column[found]] if len(self.columns) > 1 else ()
        return Doubts(found, far[at], label.tolist(), (label + items["off"][at]).tolist(), parts)

    def details(self, items: Items) -> dict[str, Any]:
        there = items["weights"] > 0
        return {
            name: np.where(there, items[of], np.nan) for name, of in (("errors", "off"), ("labels", "label"))
        }


def _flat(array: np.ndarray) -> np.ndarray:
    """The numbers of each row, float64 ``(B, n)``."""
    return array.astype(np.float64).reshape(len(array), -1)


class EmbeddingJudge(Judge):
    """Judges vectors by their direction."""

    def __init__(self, name: str) -> None:
        self.name = name

    def look(self, judged: Mapping[str, Judged]) -> Items:
        found = judged[self.name]
        labels, outputs = found.labels.astype(np.float64), found.outputs
        lengths = np.linalg.norm(labels, axis=-1) * np.linalg.norm(outputs, axis=-1)
        cosine = np.nan_to_num(ratio((labels * outputs).sum(-1), lengths))
        weights = found.weights.reshape(len(labels), -1).mean(1)
        return row_items(weights, 1 - cosine, cosine=cosine)

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

    def look(self, judged: Mapping[str, Judged]) -> Items:
        found = judged[self.name]
        labels = np.asarray(self.head.unscaled(found.labels), np.float64)
        outputs = np.asarray(self.head.unscaled(found.outputs), np.float64)
        weights = np.broadcast_to(by_axes(found.weights, labels), labels.shape)
        off = np.abs(outputs - labels)
        with np.errstate(divide="ignore", invalid="ignore"):
            near = (np.maximum(outputs / labels, labels / outputs) < 1.25) & (outputs > 0)
        sums = {
            "pixels": weights,
            "absolute": weights * off,
            "squared": weights * off**2,
            "near": weights * near,
            "beyond": (weights > 0) & (labels <= 0),
        }
        items = row_items(weights, off, **{name: one.sum((1, 2, 3)) for name, one in sums.items()})
        return {**items, "weight": np.ones(len(items["row"]))}

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        total = weights @ items["pixels"]
        found = {
            "mae": ratio(weights @ items["absolute"], total),
            "rmse": np.sqrt(ratio(weights @ items["squared"], total)),
        }
        if not items["beyond"].any():
            found["delta_1"] = ratio(weights @ items["near"], total)
        return found
