"""Decides which predicted boxes of a row to keep: those that are present, without duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from polyhead.kinds import Head
from polyhead.kinds.judging_boxes import overlaps
from polyhead.kinds.predicted_columns import PredictedColumn

Predicted = Mapping[str, Mapping[str, PredictedColumn]]
"""The columns of each head, by the suffix added to its name."""


@dataclass(frozen=True)
class KeptBoxes:
    """The boxes of some rows.

    Attributes:
        mask: which boxes are kept, bool ``(B, max_boxes)``.
        scores: the confidence of each box, ``(B, max_boxes)``; None if no head predicts it.
    """

    mask: np.ndarray
    scores: np.ndarray | None


def absent_rows(heads: Mapping[str, Head], predicted: Predicted) -> dict[str, np.ndarray]:
    """The rows in which a head has no prediction because its ``given`` head predicts False: bool ``(B,)`` by head."""
    absent: dict[str, np.ndarray] = {}
    for name in predicted:
        given = heads[name].given if name in heads else None
        while given is not None and given in predicted:
            excluded = ~np.asarray(predicted[given][""].values, bool)
            absent[name] = absent[name] | excluded if name in absent else excluded
            given = heads[given].given if given in heads else None
    return absent


def kept_boxes(name: str, heads: Mapping[str, Head], predicted: Predicted) -> KeptBoxes:
    """Decide which boxes of a head to keep."""
    corners = heads[name].corners_of(predicted[name][""].values)  # (B, max_boxes, 4)
    presence = next((n for n, h in heads.items() if h.each == name and h.presence and n in predicted), None)
    category = classes_of_boxes(name, heads)
    mask, scores, given = np.ones(corners.shape[:2], bool), None, heads[name].given
    if presence is not None:
        mask = np.asarray(predicted[presence][""].values, bool).copy()
        scores = np.asarray(predicted[presence]["probability"].values)
    if given is not None and given in predicted:
        row_scores = np.asarray(predicted[given]["probability"].values)[:, None]
        scores = np.broadcast_to(row_scores, mask.shape) if scores is None else scores * row_scores
    if scores is None and category is not None:
        scores = np.asarray(predicted[category]["probability"].values)
    limit = heads[name].nms
    if limit is not None:
        ranks = np.ones(mask.shape) if scores is None else scores  # equal ones are ordered by place
        class_ids = np.zeros(mask.shape, np.int64)
        if category is not None:
            class_ids = np.asarray(predicted[category]["probabilities"].values).argmax(-1)
        candidates = np.where(mask, ranks, -1)
        for row in range(len(mask)):
            mask[row] &= non_maximum_suppression(corners[row], candidates[row], limit, class_ids[row])
    return KeptBoxes(mask, scores)


def classes_of_boxes(name: str, heads: Mapping[str, Head]) -> str | None:
    """The head that predicts the class of each box; None if there is none."""
    entries = (n for n, h in heads.items() if h.each == name and h.layer == "entry")
    return next((n for n in entries if "softmax" in heads[n].probabilities), None)


def non_maximum_suppression(
    boxes: np.ndarray, scores: np.ndarray, limit: float, class_ids: np.ndarray
) -> np.ndarray:
    """Non-maximum suppression: keep boxes that overlap no higher-scoring box of their class by more than ``limit``.

    Args:
        boxes: the boxes as ``xyxy``, ``(k, 4)``.
        scores: ``(k,)``; a box with a score below 0 is dropped and suppresses nothing.
        limit: the largest allowed intersection over union with a higher-scoring box, in [0, 1].
        class_ids: the class of each box, ``(k,)``.

    Returns:
        Which boxes are kept, bool ``(k,)``.

    >>> boxes = np.array([[0.0, 0, 4, 4], [0, 0, 4, 3], [9, 9, 12, 12]])
    >>> non_maximum_suppression(boxes, np.array([0.6, 0.9, 0.5]), 0.5, np.zeros(3)).tolist()
    [False, True, True]
    """
    overlap = np.where(class_ids[:, None] == class_ids, overlaps(boxes[:, None], boxes, np.array(False)), 0)
    kept = np.zeros(len(boxes), bool)
    for i in np.argsort(-scores, kind="stable").tolist():
        kept[i] = not (overlap[i, kept] > limit).any() and scores[i] >= 0
    return kept
