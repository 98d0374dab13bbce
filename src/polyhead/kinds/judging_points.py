"""Judges keypoints by their distance, relative to the size of the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyhead.kinds.doubts import Doubts, outlying
from polyhead.kinds.judging import Items, Judge, Judged, Metrics, mean_of, ratio, row_items, weights_of_rows
from polyhead.kinds.judging_boxes import average_at_recalls

REACH = 0.1
"""A point is correct within this fraction of the longer side of the object."""

AREA = 0.53
"""The fraction of the box around its points that an object fills, if no area is known."""

LEVELS = np.linspace(0.5, 0.95, 10)
"""The thresholds of similarity at which an object counts as found."""

_PERSON = (
    0.26,
    0.25,
    0.25,
    0.35,
    0.35,
    0.79,
    0.79,
    0.72,
    0.72,
    0.62,
    0.62,
    1.07,
    1.07,
    0.87,
    0.87,
    0.89,
    0.89,
)
_SIGMAS = np.array(_PERSON) / 10


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

    def look(self, judged: Mapping[str, Judged]) -> Items:
        found = judged[self.name]
        labels, outputs = found.labels * self.scale, found.outputs * self.scale
        weights = found.weights
        there = np.asarray(weights > 0)
        distance = np.linalg.norm(outputs - labels, axis=-1)
        low = np.where(there[..., None], labels, np.inf).min(1)
        high = np.where(there[..., None], labels, -np.inf).max(1)
        sides = np.where(np.any(there, axis=1, keepdims=True), high - low, 0)
        alone = (sides == 0).all(1)
        longer = np.where(alone, self.extent, sides.max(1))
        area = AREA * np.where((sides > 0).all(1), sides.prod(1), longer**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            alike = np.exp(-(distance**2) / (8 * area[:, None] * self.sigmas**2))
        score, absent = np.ones(len(labels)), np.zeros(len(labels), bool)
        if self.given is not None:
            given = judged[self.given]
            score, asked, known = (
                a.reshape(len(labels), -1)[:, 0] for a in (given.outputs, given.labels, given.weights)
            )
            absent = (known > 0) & (asked < 0.5)
        of_row = weights_of_rows(judged, self.name, len(labels))
        counting = np.where(absent[:, None], of_row[:, None], weights)
        mean = np.maximum(counting.mean(1), 1e-12)
        return row_items(
            counting,
            np.where(absent[:, None], np.nan, distance),
            distance=distance,
            near=distance <= REACH * longer[:, None],
            known=np.isfinite(longer) | absent,
            alike=np.where(absent, 0, ratio((alike * weights).sum(1), weights.sum(1))),
            points=weights / mean[:, None],
            # an object counts as much with few labeled points as with many
            object=np.where(absent, of_row, ratio(weights.sum(1), there.sum(1))) / mean,
            absent=absent,
            score=score,
            label=labels,
            predicted=outputs,
            longer=longer,
        )

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        points = weights @ items["points"]
        found = {"distance": ratio((weights @ (items["points"] * items["distance"])).sum(1), points.sum(1))}
        if not items["known"].all():
            return found
        near = ratio(weights @ (items["points"] * items["near"]), points)
        found["pck"] = ratio((weights @ (items["points"] * items["near"])).sum(1), points.sum(1))
        counts = weights * items["object"]
        labeled = counts * ~items["absent"]
        found["oks"] = mean_of(items["alike"], labeled)
        order = np.argsort(-items["score"], kind="stable")  # equal scores are ordered by row
        ranked, alike = counts[:, order], np.where(items["absent"], -1, items["alike"])[order]
        at_level = [average_at_recalls(ranked, alike >= level, labeled.sum(1)) for level in LEVELS]
        found["oks_ap"], found["oks_ap_50"] = np.mean(at_level, axis=0), at_level[0]
        if near.shape[1] > 1:
            found |= {f"pck[{i}]": near[:, i] for i in range(near.shape[1])}
        return found

    def doubts(self, items: Items) -> Doubts:
        far = np.where(items["points"] > 0, items["distance"], -1)
        point = far.argmax(1)
        size = np.where(items["known"], items["longer"], 1)
        apart = np.where(items["absent"], np.nan, far.max(1) / np.maximum(size, 1e-12))
        found = outlying(apart)
        # back to the coordinates of the model's outputs
        label, predicted = (
            (items[name][found, point[found]] / self.scale).tolist() for name in ("label", "predicted")
        )
        return Doubts(found, apart[found], label, predicted, point[found].tolist())

    def details(self, items: Items) -> dict[str, Any]:
        return {"errors": np.where(items["points"] > 0, items["distance"], np.nan)}
