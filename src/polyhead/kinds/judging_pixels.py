"""Judges masks by the classes of their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.kinds.doubts import Doubts, outlying
from polyhead.kinds.judging import Items, Judge, Judged, Metrics, by_axes, nan_mean, ratio, row_items


class MaskJudge(Judge):
    """Judges masks over all labeled pixels, by class.

    Args:
        classes: the names of the classes, in the order of their ids.
        binary: whether each channel is 0 or 1, rather than a class id per pixel; a probability of 0.5 is 1.
    """

    def __init__(self, name: str, classes: Sequence[Any], binary: bool) -> None:
        self.name, self.classes, self.binary = name, tuple(classes), binary

    def look(self, judged: Mapping[str, Judged]) -> Items:
        found = judged[self.name]
        weights = found.weights
        if self.binary:
            true, predicted = found.labels > 0.5, found.outputs >= 0.5
            weights = np.broadcast_to(by_axes(weights, true), true.shape)
            right = true == predicted
            true_sums, predicted_sums, both = (
                np.einsum("bhwc,bhwc->bc", part, weights) for part in (true, predicted, true & predicted)
            )
        else:
            true, predicted = found.labels.astype(np.int64), found.outputs.argmax(-1)
            weights = np.broadcast_to(by_axes(weights, true), true.shape)
            right = true == predicted
            true_sums, predicted_sums, both = (
                self._counted(ids, part)
                for ids, part in ((true, weights), (predicted, weights), (true, weights * right))
            )
        items = row_items(
            weights,
            1.0 - right,
            true=true_sums,
            predicted=predicted_sums,
            both=both,
            right=(weights * right).reshape(len(true), -1).sum(1),
            pixels=weights.reshape(len(true), -1).sum(1),
        )
        return {**items, "weight": np.ones(len(items["row"]))}

    def _counted(self, ids: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The sums of weights by row and class."""
        count, rows = len(self.classes), len(ids)
        cells = ids + count * np.arange(rows).reshape(-1, 1, 1)
        return np.bincount(cells.ravel(), weights.ravel(), rows * count).reshape(rows, count)

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        both = weights @ items["both"]
        sides = weights @ items["true"] + weights @ items["predicted"]
        iou, dice = ratio(both, sides - both), ratio(2 * both, sides)
        found = {
            "iou": nan_mean(iou.T),
            "dice": nan_mean(dice.T),
            "pixel_accuracy": ratio(weights @ items["right"], weights @ items["pixels"]),
        }
        if len(self.classes) > 1:
            for name, one in (("iou", iou), ("dice", dice)):
                found |= {f"{name}[{label}]": one[:, i] for i, label in enumerate(self.classes)}
        return found

    def doubts(self, items: Items) -> Doubts:
        true, predicted, both = items["true"], items["predicted"], items["both"]
        apart = 1 - nan_mean(ratio(both, true + predicted - both).T)
        found = outlying(apart)
        words = [
            [
                self.classes[k] if most > 0 else None
                for k, most in zip(rest.argmax(1), rest.max(1), strict=True)
            ]
            for rest in ((true - both)[found], (predicted - both)[found])
        ]
        return Doubts(found, apart[found], *words)

    def predicted_labels(self, judged: Mapping[str, Judged]) -> tuple[np.ndarray, np.ndarray]:
        outputs, valid = super().predicted_labels(judged)
        return (outputs >= 0.5).astype(np.float32) if self.binary else outputs.argmax(-1), valid

    def details(self, items: Items) -> dict[str, Any]:
        return {"classes": self.classes}
