"""Judges boxes by COCO's mean average precision and by intersection over union."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.kinds.judging import (
    Doubts,
    HeadBatch,
    Items,
    Judge,
    Metrics,
    concatenated,
    mean_of,
    nan_mean,
    outlying,
    ratio,
    weights_of_rows,
)

LEVELS = np.linspace(0.5, 0.95, 10)
"""The thresholds of overlap, or of the similarity of keypoints, at which an object counts as found."""

_RECALLS = np.linspace(0, 1, 101)
_MOST_PREDICTED = 100
"""The most predicted boxes of one class that count in a row, as in COCO: those with the highest scores."""

CROWD = "{}: crowd"
"""The name of the labels for which boxes of a head are crowds."""

_APART = 0.1
"""A predicted box that overlaps every label by less than this may be an unlabeled object."""

_PREDICTED, _LABELED, _PLACE = 0, 1, 2
"""The sort of an item: a predicted box, a labeled box, or the pair at one place."""


@dataclass(frozen=True)
class BoxHeads:
    """The names of the heads with further information about the boxes of a head.

    Attributes:
        presence: the head for the presence of each box.
        given: the head for the presence of any box in the row.
        category: the head for the class of each box.
        crowd: the labels for which boxes are crowds.
        classes: the classes of ``category``.
    """

    presence: str | None = None
    given: str | None = None
    category: str | None = None
    crowd: str | None = None
    classes: tuple[Any, ...] = ()

    @classmethod
    def of(cls, name: str, given: str | None, heads: Mapping[str, Any]) -> BoxHeads:
        """Find them among all heads; ``given`` is the ``given=`` of the head of boxes."""
        crowd = CROWD.format(name) if CROWD.format(name) in heads else None
        each = {n: head for n, head in heads.items() if head.each == name and n != crowd}
        presence = next((n for n, head in each.items() if head.presence), None)
        category = next((n for n, head in each.items() if head.inner.view == "class"), None)
        return cls(presence, given, category, crowd, tuple(each[category].names) if category else ())

    @property
    def scored(self) -> bool:
        """True if a head predicts that a box is present."""
        return self.presence is not None or self.given is not None


class BoxesJudge(Judge):
    """Judges boxes by COCO's mean average precision, and by the overlap of label and prediction in each place.

    The score of a box is the probability of its presence, times that of ``given``; without both, the probability of its
    class, or 1. Rows without boxes count as well: any box predicted there is wrong. A box around a crowd is not a
    label, and boxes predicted inside it are not wrong.
    """

    def __init__(self, name: str, heads: BoxHeads) -> None:
        self.name, self.heads = name, heads

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        arrays = batch[self.name]
        labels, boxes, weights = arrays.labels.astype(np.float64), arrays.outputs, arrays.weights
        known, empty = self._known_rows(batch)
        counting = known[:, None] & ~empty[:, None]
        labeled = (weights > 0) & counting
        # a box of weight 0 is a label as well: what is predicted there is no false positive
        present = labeled | (counting & (labels != 0).any(2))
        shape = labeled.shape
        crowd = np.zeros(shape, bool)
        if self.heads.crowd is not None:
            crowd = batch[self.heads.crowd].labels.reshape(shape) > 0.5
        true_class, box_class = np.zeros(shape, int), np.zeros(shape, int)
        if self.heads.category is not None:
            true_class, box_class, known_class = _classes_of_places(batch[self.heads.category])
            known = known & (known_class | ~present).all(1)
        score = self._scores(batch)
        row_weight = weights_of_rows(batch, self.name, len(labels))
        known = known & (row_weight > 0)
        mean_weight = ratio(weights.sum(1, where=labeled), present.sum(1))
        row_weight = np.where(labeled.any(1), mean_weight, row_weight)
        order = np.argsort(-score, axis=1, kind="stable")

        def ranked(array: np.ndarray) -> np.ndarray:
            return np.take_along_axis(array, order.reshape(*shape, *[1] * (array.ndim - 2)), 1)

        overlap = overlaps(boxes[:, :, None], labels[:, None], crowd[:, None])
        hit, ignored, partner = matched(
            ranked(overlap), ranked(box_class), np.where(present, true_class, -1), crowd
        )
        partner_weight = np.take_along_axis(weights[:, None], partner, 2)
        by_level = np.where(hit, partner_weight, row_weight[:, None, None])
        place_overlap = overlaps(boxes, labels, np.array(False))
        near_label, box_corners, near_box, pair_corners = _nearest(overlap, boxes, labels, score, labeled)
        levels = {"hit": hit, "ignored": ignored, "by_level": by_level}
        of_box = levels | {"class_id": ranked(box_class), "score": ranked(score), "weight": np.ones(shape)}
        of_box |= {"near": ranked(near_label), "corners": ranked(box_corners)}
        of_label = levels | {"class_id": true_class, "weight": weights, "near": near_box}
        of_label["corners"] = pair_corners
        none, wrong = np.full(shape, np.nan), empty[:, None] & self.heads.scored
        counted = known[:, None] & _few_enough(of_box["class_id"])
        labeled &= ~crowd
        parts = [
            _items(_PREDICTED, counted, of_box, loss=np.where(wrong, of_box["score"], np.nan)),
            _items(_LABELED, known[:, None] & labeled, of_label, score=score, loss=none),
            _items(_PLACE, labeled, of_label, score=place_overlap, loss=1 - place_overlap * score),
        ]
        return concatenated(parts)

    def _known_rows(self, batch: Mapping[str, HeadBatch]) -> tuple[np.ndarray, np.ndarray]:
        """The rows whose boxes are known, and the rows known to have none, each bool ``(B,)``."""
        labels, labeled = batch[self.name].labels, (batch[self.name].weights > 0).any(1)
        unknown = (labels == -1).all((1, 2)) | ((labels != 0).any((1, 2)) & ~labeled)
        if self.heads.given is None:
            return ~unknown, ~unknown & ~labeled
        given = batch[self.heads.given]
        present = given.labels.reshape(len(labels), -1)[:, 0] > 0.5  # a missing label is 0
        empty = ~present & (given.weights.reshape(len(labels), -1)[:, 0] > 0)
        return empty | (present & ~unknown), empty

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        place = items["sort"] == _PLACE
        precision = self._average_precision(items, weights)
        metrics = {
            "map": nan_mean(nan_mean(precision).T),
            "map_50": nan_mean(precision[0].T),
            "iou": mean_of(items["score"][place], weights[:, place]),
        }
        if len(self.heads.classes) > 1:
            for i, name in enumerate(self.heads.classes):
                metrics[f"ap[{name}]"] = nan_mean(precision[:, :, i])
        return metrics

    def _average_precision(self, items: Items, weights: np.ndarray) -> np.ndarray:
        """The average precision ``(levels, R, classes)``; NaN for a class without a label."""
        count = max(1, len(self.heads.classes))
        precision = np.full((len(LEVELS), len(weights), count), np.nan)
        predicted = np.flatnonzero(items["sort"] == _PREDICTED)
        # ties in the score are ordered by row
        predicted = predicted[np.lexsort((items["rank"][predicted], items["row"][predicted]))]
        predicted = predicted[np.argsort(-items["score"][predicted], kind="stable")]
        for class_id in range(count):
            of_class = items["class_id"] == class_id
            labeled = weights[:, (items["sort"] == _LABELED) & of_class].sum(1)
            boxes = predicted[of_class[predicted]]
            for level in range(len(LEVELS)):
                used = boxes[~items["ignored"][boxes, level]]
                box_weights = weights[:, used] * items["by_level"][used, level]
                hit = items["hit"][used, level]
                precision[level, :, class_id] = average_at_recalls(box_weights, hit, labeled)
        return precision

    def doubts(self, items: Items) -> Doubts:
        sort, near, score = items["sort"], items["near"], items["score"]
        places = np.flatnonzero(sort == _PLACE)
        moved = places[outlying(1 - near[places])]
        extra = np.zeros(0, int)
        if self.heads.scored:
            right = (sort == _PREDICTED) & (near >= 0.5) & (score >= 0.5)
            sure = score[right].mean() if right.any() else 0.5
            alone = (sort == _PREDICTED) & (near < _APART) & (score >= sure) & ~items["ignored"].all(1)
            extra = np.flatnonzero(alone)
        item = np.concatenate([moved, extra])
        labels, boxes = np.split(items["corners"][item], 2, axis=-1)
        disagreement = (1 - near[item]) * np.where(sort[item] == _PLACE, 1, score[item])
        several = items["rank"][places].any()
        numbers = items["rank"][item].tolist()
        parts = [numbers[i] if several and i < len(moved) else None for i in range(len(item))]
        return Doubts(item, disagreement, _or_none(labels), _or_none(boxes), parts)

    def predicted_labels(self, batch: Mapping[str, HeadBatch]) -> tuple[np.ndarray, np.ndarray]:
        boxes, valid = super().predicted_labels(batch)
        return boxes, valid & (self._scores(batch) >= 0.5)

    def _scores(self, batch: Mapping[str, HeadBatch]) -> np.ndarray:
        """The score of each predicted box, ``(B, places)``."""
        rows, places = batch[self.name].weights.shape
        score = np.ones((rows, places))
        if self.heads.presence is not None:
            score = score * batch[self.heads.presence].outputs.reshape(rows, places)
        if self.heads.given is not None:
            score = score * batch[self.heads.given].outputs.reshape(rows, -1)[:, :1]
        if not self.heads.scored and self.heads.category is not None:
            score = batch[self.heads.category].outputs.reshape(rows, places, -1).max(-1)
        return score


def _or_none(boxes: np.ndarray) -> list[list[float] | None]:
    return [None if np.isnan(box).any() else box.tolist() for box in boxes]


def _nearest(
    overlap: np.ndarray, boxes: np.ndarray, labels: np.ndarray, score: np.ndarray, labeled: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find the nearest label of each predicted box, and the nearest predicted box of each label.

    Args:
        overlap: ``(B, predicted, labeled)``.
        boxes: the predicted boxes, ``(B, predicted, 4)``.
        labels: the labeled boxes, ``(B, labeled, 4)``.
        score: the scores of predicted boxes, ``(B, predicted)``.
        labeled: which labels are present, bool ``(B, labeled)``.

    Returns:
        For each predicted box, its largest overlap with a label, and NaN followed by its corners,
        ``(B, predicted, 8)``; for each label, its largest overlap with a box with a score of at least 0.5, and the
        corners of both, NaN without one.
    """
    of_box = np.where(labeled[:, None], overlap, 0).max(2, initial=0)
    box_corners = np.concatenate([np.full_like(boxes, np.nan), boxes], -1)
    likely = np.where((score >= 0.5)[..., None], overlap, 0)
    of_label, best = likely.max(1, initial=0), likely.argmax(1)
    partner = np.where(of_label[..., None] > 0, np.take_along_axis(boxes, best[..., None], 1), np.nan)
    return of_box, box_corners, of_label, np.concatenate([labels, partner], -1)


def overlaps(boxes: np.ndarray, labels: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Intersection over union of ``xyxy`` boxes ``(..., 4)``; for a crowd, the intersection over the box's own area.

    >>> box, label = np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 4])
    >>> overlaps(box, label, np.array(False)).round(3).item(), overlaps(box, label, np.array(True)).item()
    (0.2, 0.5)
    """
    sides = np.minimum(boxes[..., 2:], labels[..., 2:]) - np.maximum(boxes[..., :2], labels[..., :2])
    inter = np.maximum(sides, 0).prod(-1)
    area, label_area = (np.maximum(b[..., 2:] - b[..., :2], 0).prod(-1) for b in (boxes, labels))
    return np.nan_to_num(ratio(inter, np.where(crowd, area, area + label_area - inter)))


def one_to_one(overlap: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield pairs of a row and a column, those that overlap most first, until all rows or all columns have one.

    >>> list(one_to_one(np.array([[0.5, 0.9], [0.4, 0.8]])))
    [(0, 1), (1, 0)]
    """
    remaining = overlap.copy()
    for _ in range(min(overlap.shape)):
        row, column = divmod(int(remaining.argmax()), overlap.shape[1])
        yield row, column
        remaining[row] = remaining[:, column] = -1


def matched(
    overlap: np.ndarray, box_class: np.ndarray, true_class: np.ndarray, crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Assign to each predicted box, in the order of scores, the free label that it overlaps most, at each level.

    Args:
        overlap: ``(B, predicted, labeled)``.
        box_class: classes of predicted boxes, ``(B, predicted)``.
        true_class: classes of labeled boxes, ``(B, labeled)``; -1 without a label.
        crowd: bool ``(B, labeled)``: labels that match any number of boxes, none of which counts.

    Returns:
        Which boxes match a label, bool ``(B, predicted, levels)``; which do not count, of the same shape; and the index
        of their label.
    """
    rows, predicted, places = overlap.shape
    levels = np.minimum(LEVELS, 1 - 1e-10)
    free = np.ones((rows, len(levels), places), bool)
    hit, ignored = np.zeros((2, rows, predicted, len(levels)), bool)
    partner = np.zeros(hit.shape, int)
    for i in range(predicted):
        same_class = (box_class[:, i, None] == true_class)[:, None]
        near = same_class & (overlap[:, i, None] >= levels[:, None]) & free
        candidates = np.where(near & ~crowd[:, None], overlap[:, i, None], -1)
        best = places - 1 - candidates[..., ::-1].argmax(-1)  # the last of equal ones, as in COCO
        hit[:, i] = np.take_along_axis(candidates, best[..., None], 2)[..., 0] >= 0
        ignored[:, i] = ~hit[:, i] & (near & crowd[:, None]).any(-1)
        partner[:, i] = best
        free &= ~(hit[:, i, :, None] & (np.arange(places) == best[..., None]))
    return hit, ignored, partner


def average_at_recalls(weights: np.ndarray, hit: np.ndarray, labeled: np.ndarray) -> np.ndarray:
    """Average precision at 101 recalls, as in COCO, ``(R,)``; NaN without labels.

    Args:
        weights: the weights of predicted boxes in the order of their scores, ``(R, n)``.
        hit: which boxes match a label, bool ``(n,)``.
        labeled: the weight of all labels, ``(R,)``.
    """
    average = np.where(labeled > 0, 0.0, np.nan)
    if not len(hit):
        return average
    true = np.cumsum(weights * hit, axis=1)
    precision = true / (np.cumsum(weights, axis=1) + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = np.nan_to_num(ratio(true, labeled[:, None]))
    for r in np.flatnonzero(labeled > 0):
        reached = np.searchsorted(recall[r], _RECALLS, side="left")
        average[r] = precision[r][reached[reached < len(hit)]].sum() / len(_RECALLS)
    return average


def _classes_of_places(category: HeadBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labeled and predicted classes of boxes, and which labels are present, each ``(B, places)``."""
    labels, outputs = category.labels, category.outputs
    ids = labels.argmax(-1) if labels.ndim == outputs.ndim else labels
    return ids.astype(int), outputs.argmax(-1), category.weights.reshape(ids.shape) > 0


def _few_enough(box_class: np.ndarray) -> np.ndarray:
    """The predicted boxes that count, bool: as many of each class as COCO takes, in the order of scores."""
    places = box_class.shape[1]
    if places <= _MOST_PREDICTED:
        return np.ones(box_class.shape, bool)
    earlier = np.tril(np.ones((places, places), bool), -1)
    return ((box_class[:, :, None] == box_class[:, None]) & earlier).sum(-1) < _MOST_PREDICTED


def _items(sort: int, chosen: np.ndarray, arrays: Items, **more: np.ndarray) -> Items:
    """Make the items of one sort from the ``chosen`` places of arrays ``(B, places, ...)``."""
    rows, places = np.nonzero(chosen)
    of_places = {name: array[rows, places] for name, array in {**arrays, **more}.items()}
    return {"row": rows, "rank": places, "sort": np.full(len(rows), sort, np.int8), **of_places}
