"""Judges boxes by COCO's mean average precision and by intersection over union."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.kinds.doubts import Doubts, outlying
from polyhead.kinds.judging import Items, Judge, Judged, Metrics, mean_of, nan_mean, ratio, weights_of_rows

LEVELS_OF_IOU = np.linspace(0.5, 0.95, 10)
"""The thresholds of overlap at which a box counts as found."""

_RECALLS = np.linspace(0, 1, 101)
_MOST_PREDICTED = 100
"""How many predicted boxes of one class in a row count, as in COCO: those with the highest scores."""

CROWD = "{}: crowd"
"""The name of the labels for which boxes of a head are crowds."""

_APART = 0.1
"""A predicted box that overlaps every label by less than this may be an unlabeled object."""

_PREDICTED, _LABELED, _PLACE = 0, 1, 2
"""The sort of an item: a predicted box, a labeled box, or the pair at one place."""


@dataclass(frozen=True)
class BoxHeads:
    """The heads with further information about the boxes of a head.

    Attributes:
        score: the head for the presence of each box.
        given: the head for the presence of any box in the row.
        kind: the head for the class of each box.
        crowd: the labels for which boxes are crowds.
        classes: the classes of ``kind``.
    """

    score: str | None = None
    given: str | None = None
    kind: str | None = None
    crowd: str | None = None
    classes: tuple[Any, ...] = ()


class BoxesJudge(Judge):
    """Judges boxes by COCO's mean average precision, and by the overlap of label and prediction in each place.

    The score of a box is the probability of its presence, times that of ``given``; without both, the probability of its
    class, or 1. Rows without boxes count as well: any box predicted there is wrong. A box around a crowd is not a
    label, and boxes predicted inside it are not wrong.

    Args:
        beside: the heads with further information about its boxes.
    """

    def __init__(self, name: str, beside: BoxHeads) -> None:
        self.name, self.beside = name, beside

    def look(self, judged: Mapping[str, Judged]) -> Items:
        found, beside = judged[self.name], self.beside
        labels, boxes = found.labels.astype(np.float64), found.outputs
        there = found.weights > 0
        known, empty = self._known(judged, there)
        counting = known[:, None] & ~empty[:, None]
        there = there & counting
        # a box of weight 0 is a label as well: what is predicted there is no false positive
        present = there | (counting & (labels != 0).any(2))
        rows, places = there.shape
        crowd = np.zeros(there.shape, bool)
        if beside.crowd is not None:
            crowd = judged[beside.crowd].labels.reshape(rows, places) > 0.5
        true_kind, kind = np.zeros(there.shape, int), np.zeros(there.shape, int)
        if beside.kind is not None:
            true_kind, kind, known_kind = _kinds(judged[beside.kind])
            known = known & (known_kind | ~present).all(1)
        score = self._scores(judged)
        of_rows = weights_of_rows(judged, self.name, rows)
        known = known & (of_rows > 0)
        row_weight = np.where(there.any(1), ratio(found.weights.sum(1, where=there), present.sum(1)), of_rows)
        order = np.argsort(-score, axis=1, kind="stable")
        overlap = overlaps(boxes[:, :, None], labels[:, None], crowd[:, None])
        hit, ignored, partner = matched(
            np.take_along_axis(overlap, order[..., None], 1),
            np.take_along_axis(kind, order, 1),
            np.where(present, true_kind, -1),
            crowd,
        )
        partner_weight = np.take_along_axis(found.weights[:, None], partner, 2)
        weight = np.where(hit, partner_weight, row_weight[:, None, None])
        predicted = known[:, None] & _few_enough(kind, order)
        own_overlap = np.einsum(
            "bpp->bp", overlaps(boxes[:, :, None], labels[:, None], np.zeros((rows, 1, places), bool))
        )
        scores = np.take_along_axis(score, order, 1)
        scored = beside.score is not None or beside.given is not None
        loss = np.where(empty[:, None] & scored, scores, np.nan)
        at = {
            _PREDICTED: (predicted, np.take_along_axis(kind, order, 1), scores, np.ones_like(score), loss),
            _LABELED: (
                known[:, None] & there & ~crowd,
                true_kind,
                score,
                found.weights,
                np.full_like(score, np.nan),
            ),
            _PLACE: (there & ~crowd, true_kind, own_overlap, found.weights, 1 - own_overlap * score),
        }
        nearest = _nearest(overlap, boxes, labels, score, there)
        own = np.take_along_axis(nearest[0], order, 1), np.take_along_axis(nearest[1], order[..., None], 1)
        near = {_PREDICTED: own, _LABELED: own, _PLACE: nearest[2:]}
        parts = [_items(what, *part, hit, ignored, weight, *near[what]) for what, part in at.items()]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _known(self, judged: Mapping[str, Judged], there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows whose boxes are known, and the rows known to have none, each bool ``(B,)``."""
        labels = judged[self.name].labels
        unknown = (labels == -1).all((1, 2)) | ((labels != 0).any((1, 2)) & ~there.any(1))
        if self.beside.given is None:
            return ~unknown, ~unknown & ~there.any(1)
        given = judged[self.beside.given]
        present = given.labels.reshape(len(labels), -1)[:, 0] > 0.5  # a missing label is 0
        empty = ~present & (given.weights.reshape(len(labels), -1)[:, 0] > 0)
        return empty | (present & ~unknown), empty

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        place = items["what"] == _PLACE
        precision = self._average_precision(items, weights)
        found = {
            "map": nan_mean(nan_mean(precision).T),
            "map_50": nan_mean(precision[0].T),
            "iou": mean_of(items["score"][place], weights[:, place]),
        }
        if len(self.beside.classes) > 1:
            found |= {
                f"ap[{name}]": nan_mean(precision[:, :, i]) for i, name in enumerate(self.beside.classes)
            }
        return found

    def _average_precision(self, items: Items, weights: np.ndarray) -> np.ndarray:
        """The average precision ``(levels, R, classes)``; NaN for a class without a label."""
        count = max(1, len(self.beside.classes))
        found = np.full((len(LEVELS_OF_IOU), len(weights), count), np.nan)
        what, kind = items["what"], items["kind"]
        predicted = np.flatnonzero(what == _PREDICTED)
        # ties in the score are ordered by row
        predicted = predicted[np.lexsort((items["rank"][predicted], items["row"][predicted]))]
        predicted = predicted[np.argsort(-items["score"][predicted], kind="stable")]
        for one in range(count):
            labeled = weights[:, (what == _LABELED) & (kind == one)].sum(1)
            some = predicted[kind[predicted] == one]
            for level in range(len(LEVELS_OF_IOU)):
                used = some[~items["ignored"][some, level]]
                counted = weights[:, used] * items["by_level"][used, level]
                found[level, :, one] = average_at_recalls(counted, items["hit"][used, level], labeled)
        return found

    def doubts(self, items: Items) -> Doubts:
        what, near, score = items["what"], items["near"], items["score"]
        places = np.flatnonzero(what == _PLACE)
        moved = places[outlying(1 - near[places])]
        extra = np.zeros(0, int)
        if self.beside.score is not None or self.beside.given is not None:
            found = (what == _PREDICTED) & (near >= 0.5) & (score >= 0.5)
            sure = score[found].mean() if found.any() else 0.5
            alone = (what == _PREDICTED) & (near < _APART) & (score >= sure) & ~items["ignored"].all(1)
            extra = np.flatnonzero(alone)
        item = np.concatenate([moved, extra])
        labels, boxes = np.split(items["corners"][item], 2, axis=-1)
        apart = (1 - near[item]) * np.where(what[item] == _PLACE, 1, score[item])
        several = items["rank"][places].any()
        parts = [
            int(k) if several and one == _PLACE else None
            for k, one in zip(items["rank"][item], what[item], strict=True)
        ]
        return Doubts(item, apart, _or_none(labels), _or_none(boxes), parts)

    def predicted_labels(self, judged: Mapping[str, Judged]) -> tuple[np.ndarray, np.ndarray]:
        boxes, valid = super().predicted_labels(judged)
        return boxes, valid & (self._scores(judged) >= 0.5)

    def _scores(self, judged: Mapping[str, Judged]) -> np.ndarray:
        """The score of each predicted box, ``(B, places)``."""
        rows, places = judged[self.name].weights.shape
        score = np.ones((rows, places))
        if self.beside.score is not None:
            score = score * judged[self.beside.score].outputs.reshape(rows, places)
        if self.beside.given is not None:
            score = score * judged[self.beside.given].outputs.reshape(rows, -1)[:, :1]
        if self.beside.score is None and self.beside.given is None and self.beside.kind is not None:
            score = judged[self.beside.kind].outputs.reshape(rows, places, -1).max(-1)
        return score

    def details(self, items: Items) -> dict[str, Any]:
        return {"classes": self.beside.classes}


def _or_none(boxes: np.ndarray) -> list[list[float] | None]:
    return [None if np.isnan(box).any() else box.tolist() for box in boxes]


def _nearest(
    overlap: np.ndarray, boxes: np.ndarray, labels: np.ndarray, score: np.ndarray, there: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find the nearest label of each predicted box, and the nearest predicted box of each label.

    Args:
        overlap: ``(B, predicted, labeled)``.
        boxes: the predicted boxes, ``(B, predicted, 4)``.
        labels: the labeled boxes, ``(B, labeled, 4)``.
        score: the scores of predicted boxes, ``(B, predicted)``.
        there: which labels are present, bool ``(B, labeled)``.

    Returns:
        For each predicted box, its largest overlap with a label, and NaN followed by its corners,
        ``(B, predicted, 8)``; for each label, its largest overlap with a box with a score of at least 0.5, and the
        corners of both, NaN without one.
    """
    of_box = np.where(there[:, None], overlap, 0).max(2, initial=0)
    known = np.where((score >= 0.5)[..., None], overlap, 0)
    at, of_label = known.argmax(1), known.max(1, initial=0)
    partner = np.where(of_label[..., None] > 0, np.take_along_axis(boxes, at[..., None], 1), np.nan)
    extra = np.concatenate([np.full_like(boxes, np.nan), boxes], -1)
    return of_box, extra, of_label, np.concatenate([labels, partner], -1)


def overlaps(boxes: np.ndarray, labels: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Intersection over union of ``xyxy`` boxes ``(..., 4)``; for a crowd, the intersection over the box's own area.

    >>> box, label = np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 4])
    >>> overlaps(box, label, np.array(False)).round(3).item(), overlaps(box, label, np.array(True)).item()
    (0.2, 0.5)
    """
    sides = np.minimum(boxes[..., 2:], labels[..., 2:]) - np.maximum(boxes[..., :2], labels[..., :2])
    inter = np.maximum(sides, 0).prod(-1)
    area, other = (np.maximum(one[..., 2:] - one[..., :2], 0).prod(-1) for one in (boxes, labels))
    return np.nan_to_num(ratio(inter, np.where(crowd, area, area + other - inter)))


def matched(
    overlap: np.ndarray, kind: np.ndarray, true_kind: np.ndarray, crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Assign to each predicted box, in the order of scores, the free label that it overlaps most, at each level.

    Args:
        overlap: ``(B, predicted, labeled)``.
        kind: classes of predicted boxes, ``(B, predicted)``.
        true_kind: classes of labeled boxes, ``(B, labeled)``; -1 without a label.
        crowd: bool ``(B, labeled)``: labels that match any number of boxes, none of which counts.

    Returns:
        Which boxes match a label, bool ``(B, predicted, levels)``; which do not count, of the same shape; and the index
        of their label.
    """
    rows, predicted, places = overlap.shape
    levels = np.minimum(LEVELS_OF_IOU, 1 - 1e-10)
    free = np.ones((rows, len(levels), places), bool)
    hit, ignored = np.zeros((2, rows, predicted, len(levels)), bool)
    partner = np.zeros(hit.shape, int)
    for i in range(predicted):
        alike = (kind[:, i, None] == true_kind)[:, None]
        near = alike & (overlap[:, i, None] >= levels[:, None]) & free
        one = np.where(near & ~crowd[:, None], overlap[:, i, None], -1)
        at = places - 1 - one[..., ::-1].argmax(-1)  # the last of equal ones, as in COCO
        hit[:, i] = np.take_along_axis(one, at[..., None], 2)[..., 0] >= 0
        ignored[:, i] = ~hit[:, i] & (near & crowd[:, None]).any(-1)
        partner[:, i] = at
        taken = hit[:, i, :, None] & (np.arange(places) == at[..., None])
        free &= ~taken
    return hit, ignored, partner


def average_at_recalls(weights: np.ndarray, hit: np.ndarray, labeled: np.ndarray) -> np.ndarray:
    """Average precision at 101 recalls, as in COCO, ``(R,)``; NaN without labels.

    Args:
        weights: the weights of predicted boxes in the order of their scores, ``(R, n)``.
        hit: which boxes match a label, bool ``(n,)``.
        labeled: the weight of all labels, ``(R,)``.
    """
    found = np.where(labeled > 0, 0.0, np.nan)
    if not len(hit):
        return found
    true, all_of_them = np.cumsum(weights * hit, axis=1), np.cumsum(weights, axis=1)
    precision = true / (all_of_them + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = np.nan_to_num(ratio(true, labeled[:, None]))
    for r in np.flatnonzero(labeled > 0):
        at = np.searchsorted(recall[r], _RECALLS, side="left")
        found[r] = precision[r][at[at < len(hit)]].sum() / len(_RECALLS)
    return found


def _kinds(classes: Judged) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labeled and predicted classes of boxes, and which labels are present, each ``(B, places)``."""
    labels, outputs = classes.labels, classes.outputs
    ids = labels.argmax(-1) if labels.ndim == outputs.ndim else labels
    return ids.astype(int), outputs.argmax(-1), classes.weights.reshape(ids.shape) > 0


def _few_enough(kind: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Which predicted boxes count, in the order of scores: as many of each class as COCO takes."""
    if kind.shape[1] <= _MOST_PREDICTED:
        return np.ones(kind.shape, bool)
    ranked = np.take_along_axis(kind, order, 1)
    earlier = np.tril(np.ones((kind.shape[1],) * 2, bool), -1)
    return ((ranked[:, :, None] == ranked[:, None]) & earlier).sum(-1) < _MOST_PREDICTED


def _items(
    what: int,
    chosen: np.ndarray,
    kind: np.ndarray,
    score: np.ndarray,
    weight: np.ndarray,
    loss: np.ndarray,
    hit: np.ndarray,
    ignored: np.ndarray,
    by_level: np.ndarray,
    near: np.ndarray,
    corners: np.ndarray,
) -> Items:
    """Make the items of one sort; levels apply to predicted boxes only."""
    rows, places = np.nonzero(chosen)
    return {
        "row": rows,
        "rank": places,
        "what": np.full(len(rows), what, np.int8),
        "kind": kind[rows, places],
        "score": score[rows, places],
        "weight": weight[rows, places],
        "loss": loss[rows, places],
        "hit": hit[rows, places],
        "ignored": ignored[rows, places],
        "by_level": by_level[rows, places],
        "near": near[rows, places],
        "corners": corners[rows, places],
    }


def beside_boxes(name: str, given: str | None, heads: Mapping[str, Any]) -> BoxHeads:
    """Find the heads with further information about the boxes of a head.

    Args:
        given: the value of its ``given=``.
    """
    crowd = CROWD.format(name) if CROWD.format(name) in heads else None
    each = {other: head for other, head in heads.items() if head.each == name and other != crowd}
    score = next((other for other, head in each.items() if head.presence), None)
    kind = next((other for other, head in each.items() if head.inner.view == "class"), None)
    return BoxHeads(score, given, kind, crowd, tuple(each[kind].names) if kind else ())
