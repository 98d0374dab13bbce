"""Judges keypoints by their distance, relative to the size of the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyhead.kinds.judging import (
    Doubts,
    HeadBatch,
    Items,
    Judge,
    Metrics,
    mean_of,
    outlying,
    ratio,
    row_items,
    weights_of_rows,
)
from polyhead.kinds.judging_boxes import LEVELS, average_at_recalls

REACH = 0.1
"""A point is correct within this fraction of the longer side of the object."""

AREA = 0.53
"""The fraction of the box around its points that an object fills, if no area is known."""

_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
"""COCO's constants for the 17 points of a person."""


class KeypointsJudge(Judge):
    """Judges keypoints, one object per row.

    An object is as large as the box around its labeled points; with a single point, as large as the image. Its
    similarity (OKS) is that of COCO, with COCO's constants for the 17 points of a person, and 0.05 for others. Rows in
    which ``given`` is 0 count for the average precision alone: any object predicted there is wrong.

    Args:
        size: (height, width) of the image, if known.
        normalized: whether coordinates are fractions of its sides.
        given: the name of the binary head for the presence of the object; its probability is the score.
    """

    less_is_better = ("distance",)

    def __init__(
        self, name: str, points: int, size: tuple[int, int] | None, normalized: bool, given: str | None = None
    ) -> None:
        self.name, self.size, self.given = name, size, given
        self.scale = np.array(size[::-1] if normalized and size is not None else (1, 1), np.float64)
        extent = size if size is not None else (1, 1) if normalized else (np.nan, np.nan)
        self.extent = float(max(extent))
        self.sigmas = _SIGMAS if points == len(_SIGMAS) else np.full(points, 0.05)

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        arrays = batch[self.name]
        labels, outputs, weights = arrays.labels * self.scale, arrays.outputs * self.scale, arrays.weights
        labeled = np.asarray(weights > 0)
        distance = np.linalg.norm(outputs - labels, axis=-1)
        low = np.where(labeled[..., None], labels, np.inf).min(1)
        high = np.where(labeled[..., None], labels, -np.inf).max(1)
        sides = np.where(np.any(labeled, axis=1, keepdims=True), high - low, 0)
        longer = np.where((sides == 0).all(1), self.extent, sides.max(1))
        area = AREA * np.where((sides > 0).all(1), sides.prod(1), longer**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            similarity = np.exp(-(distance**2) / (8 * area[:, None] * self.sigmas**2))
        score, absent = np.ones(len(labels)), np.zeros(len(labels), bool)
        if self.given is not None:
            given = batch[self.given]
            score, present, known = (
                a.reshape(len(labels), -1)[:, 0] for a in (given.outputs, given.labels, given.weights)
            )
            absent = (known > 0) & (present < 0.5)
        row_weight = weights_of_rows(batch, self.name, len(labels))
        counting = np.where(absent[:, None], row_weight[:, None], weights)
        mean = np.maximum(counting.mean(1), 1e-12)
        return row_items(
            counting,
            np.where(absent[:, None], np.nan, distance),
            distance=distance,
            near=distance <= REACH * longer[:, None],
            known=np.isfinite(longer) | absent,
            similarity=np.where(absent, 0, ratio((similarity * weights).sum(1), weights.sum(1))),
            points=weights / mean[:, None],
            # an object counts as much with few labeled points as with many
            object=np.where(absent, row_weight, ratio(weights.sum(1), labeled.sum(1))) / mean,
            absent=absent,
            score=score,
            label=labels,
            predicted=outputs,
            longer=longer,
        )

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        points = weights @ items["points"]
        metrics = {"distance": ratio((weights @ (items["points"] * items["distance"])).sum(1), points.sum(1))}
        if not items["known"].all():
            return metrics
        near = weights @ (items["points"] * items["near"])
        metrics["pck"] = ratio(near.sum(1), points.sum(1))
        objects = weights * items["object"]
        labeled = objects * ~items["absent"]
        metrics["oks"] = mean_of(items["similarity"], labeled)
        order = np.argsort(-items["score"], kind="stable")  # equal scores are ordered by row
        similarity = np.where(items["absent"], -1, items["similarity"])[order]
        at_level = [
            average_at_recalls(objects[:, order], similarity >= level, labeled.sum(1)) for level in LEVELS
        ]
        metrics["oks_ap"], metrics["oks_ap_50"] = np.mean(at_level, axis=0), at_level[0]
        if near.shape[1] > 1:
            metrics |= {f"pck[{i}]": values for i, values in enumerate(ratio(near, points).T)}
        return metrics

    def doubts(self, items: Items) -> Doubts:
        distance = np.where(items["points"] > 0, items["distance"], -1)
        size = np.where(items["known"], items["longer"], 1)
        disagreement = np.where(items["absent"], np.nan, distance.max(1) / np.maximum(size, 1e-12))
        rows = outlying(disagreement)
        point = distance[rows].argmax(1)
        # back to the coordinates of the model's outputs
        label, predicted = (
            (items[name][rows, point] / self.scale).tolist() for name in ("label", "predicted")
        )
        return Doubts(rows, disagreement[rows], label, predicted, point.tolist())

    def details(self, items: Items) -> dict[str, Any]:
        return {"errors": np.where(items["points"] > 0, items["distance"], np.nan)}
