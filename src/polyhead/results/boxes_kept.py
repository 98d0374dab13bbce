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
class Kept:
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

    def of(name: str) -> np.ndarray | None:
        given = heads[name].given if name in heads else None
        if given is None or given not in predicted:
            return None
        if name not in absent:
            excluded = ~np.asarray(predicted[given][""].values, bool)
            before = of(given)
            absent[name] = excluded if before is None else excluded | before
        return absent[name]

    for name in predicted:
        of(name)
    return absent


def kept_boxes(name: str, heads: Mapping[str, Head], predicted: Predicted, corners: np.ndarray) -> Kept:
    """Decide which boxes of a head to keep.

    Args:
        corners: the boxes as ``xyxy``, ``(B, max_boxes, 4)``.
    """
    each = [n for n, head in heads.items() if head.each == name and n in predicted]
    presence = next((n for n in each if heads[n].presence), None)
    classes = classes_of_boxes(name, heads)
    kept, scores = np.ones(corners.shape[:2], bool), None
    given = heads[name].given
    if presence is not None:
        kept = np.asarray(predicted[presence][""].values, bool).copy()
        scores = np.asarray(predicted[presence]["probability"].values)
    if given in predicted:
        rows = np.repeat(
            np.asarray(predicted[str(given)]["probability"].values)[:, None], corners.shape[1], 1
        )
        scores = rows if scores is None else scores * rows
    if scores is None and classes is not None:
        scores = np.asarray(predicted[classes]["probability"].values)
    limit = heads[name].nms
    if limit is not None:
        ranks = np.ones(kept.shape) if scores is None else scores  # equal ones are ordered by place
        kinds = np.zeros(kept.shape, np.int64)
        if classes is not None:
            kinds = np.asarray(predicted[classes]["probabilities"].values).argmax(-1)
        for row in range(len(kept)):
            candidates = kept[row]
            kept[row] &= non_maximum_suppression(
                corners[row], np.where(candidates, ranks[row], -1), limit, kinds[row]
            )
    return Kept(kept, scores)


def classes_of_boxes(name: str, heads: Mapping[str, Head]) -> str | None:
    """The head that predicts the class of each box; None if there is none."""
    alike = (n for n, h in heads.items() if h.each == name and h.layer == "entry")
    return next((n for n in alike if "softmax" in heads[n].probabilities), None)


def non_maximum_suppression(
    boxes: np.ndarray, scores: np.ndarray, limit: float, kinds: np.ndarray
) -> np.ndarray:
    """Non-maximum suppression: keep boxes that overlap no higher-scoring box of their class by more than ``limit``.

    Args:
        boxes: the boxes as ``xyxy``, ``(k, 4)``.
        scores: ``(k,)``; a box with a score below 0 is dropped and suppresses nothing.
        limit: the largest allowed intersection over union with a higher-scoring box, in [0, 1].
        kinds: the class of each box, ``(k,)``.

    Returns:
        Which boxes are kept, bool ``(k,)``.

    >>> boxes = np.array([[0.0, 0, 4, 4], [0, 0, 4, 3], [9, 9, 12, 12]])
    >>> non_maximum_suppression(boxes, np.array([0.6, 0.9, 0.5]), 0.5, np.zeros(3)).tolist()
    [False, True, True]
    """
    overlap = np.where(kinds[:, None] == kinds, overlaps(boxes[:, None], boxes, np.array(False)), 0)
    kept = np.zeros(len(boxes), bool)
    for i in np.argsort(-scores, kind="stable").tolist():
        kept[i] = not (overlap[i, kept] > limit).any() and scores[i] >= 0
    return kept
