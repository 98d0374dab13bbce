"""Judges masks by the classes of their pixels."""

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
    nan_mean,
    outlying,
    ratio,
    row_items,
    weights_like,
)


class MaskJudge(Judge):
    """Judges masks over all labeled pixels, by class.

    Args:
        classes: the names of the classes, in the order of their ids.
        binary: whether each channel is 0 or 1, rather than a class id per pixel; a probability of 0.5 is 1.
    """

    def __init__(self, name: str, classes: Sequence[Any], binary: bool) -> None:
        self.name, self.classes, self.binary = name, tuple(classes), binary

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        arrays = batch[self.name]
        if self.binary:
            true, predicted = arrays.labels > 0.5, arrays.outputs >= 0.5
        else:
            true, predicted = arrays.labels.astype(np.int64), arrays.outputs.argmax(-1)
        weights, right = weights_like(arrays.weights, true), true == predicted
        if self.binary:
            sums = [np.einsum("bhwc,bhwc->bc", x, weights) for x in (true, predicted, true & predicted)]
        else:
            pairs = ((true, weights), (predicted, weights), (true, weights * right))
            sums = [self._class_sums(ids, pixel_weights) for ids, pixel_weights in pairs]
        return row_items(
            weights,
            1.0 - right,
            weight=np.ones(len(true)),
            true=sums[0],
            predicted=sums[1],
            both=sums[2],
            right=(weights * right).reshape(len(true), -1).sum(1),
            pixels=weights.reshape(len(true), -1).sum(1),
        )

    def _class_sums(self, ids: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The sums of weights by row and class."""
        count, rows = len(self.classes), len(ids)
        cells = ids + count * np.arange(rows).reshape(-1, 1, 1)
        return np.bincount(cells.ravel(), weights.ravel(), rows * count).reshape(rows, count)

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        both = weights @ items["both"]
        sizes = weights @ items["true"] + weights @ items["predicted"]
        by_class = {"iou": ratio(both, sizes - both), "dice": ratio(2 * both, sizes)}
        metrics = {name: nan_mean(values.T) for name, values in by_class.items()}
        metrics["pixel_accuracy"] = ratio(weights @ items["right"], weights @ items["pixels"])
        if len(self.classes) > 1:
            for name, values in by_class.items():
                metrics |= {f"{name}[{label}]": values[:, i] for i, label in enumerate(self.classes)}
        return metrics

    def doubts(self, items: Items) -> Doubts:
        true, predicted, both = items["true"], items["predicted"], items["both"]
        disagreement = 1 - nan_mean(ratio(both, true + predicted - both).T)
        rows = outlying(disagreement)
        # the class with the most pixels that only the label, or only the prediction, has
        largest = [
            [self.classes[k] if counts[k] > 0 else None for counts in pixels for k in [counts.argmax()]]
            for pixels in ((true - both)[rows], (predicted - both)[rows])
        ]
        return Doubts(rows, disagreement[rows], *largest)

    def predicted_labels(self, batch: Mapping[str, HeadBatch]) -> tuple[np.ndarray, np.ndarray]:
        outputs, valid = super().predicted_labels(batch)
        return (outputs >= 0.5).astype(np.float32) if self.binary else outputs.argmax(-1), valid
