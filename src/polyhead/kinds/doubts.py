"""Finds labels that a model disagrees with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FAR = 3.0
"""A value is an outlier from this many deviations above the median. The deviation is 1.4826 times the median distance
from the median, which estimates the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Doubts:
    """Items whose label may be wrong.

    Attributes:
        item: the indices of the items, int ``(n,)``.
        disagreement: how far apart label and prediction are, float64 ``(n,)``.
        label: the label of each, in the form of the data; None for no label, or one without a short form.
        predicted: the prediction for each, in the same form.
        part: the part of the row, such as the number of a box or the name of a column; None for the whole row.
    """

    item: np.ndarray
    disagreement: np.ndarray
    label: Sequence[Any] = ()
    predicted: Sequence[Any] = ()
    part: Sequence[Any] = field(default=())

    def __post_init__(self) -> None:
        for name in ("label", "predicted", "part"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, [None] * len(self.item))


def outlying(values: np.ndarray) -> np.ndarray:
    """The indices of values that are outliers above the others; NaN never is.

    >>> outlying(np.array([1.0, 2.0, 1.5, 2.5, 9.0])).tolist()
    [4]
    """
    numbers = values[~np.isnan(values)]
    if not len(numbers):
        return np.zeros(0, int)
    middle = np.median(numbers)
    limit = middle + FAR * 1.4826 * np.median(np.abs(numbers - middle))
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(values > limit)


def confident(
    label: np.ndarray, predicted: np.ndarray, label_probability: np.ndarray, predicted_probability: np.ndarray
) -> np.ndarray:
    """The indices of labels that are probably wrong, as many as are estimated for each pair of classes.

    This is confident learning (Northcutt, Jiang, Chuang 2021, "prune by noise rate"). A row confidently belongs to a
    class if its probability is at least the mean over the rows labeled as that class, so classes that the model is
    seldom sure of need less. The share of rows labeled as one class that confidently belong to another estimates the
    number of wrong labels; these are the rows with the lowest probability for their label.

    Args:
        label: class ids, int ``(n,)``.
        predicted: the most probable classes, int ``(n,)``.
        label_probability: the probability of each label, ``(n,)``.
        predicted_probability: the probability of each class in ``predicted``, ``(n,)``.

    >>> of_label, of_predicted = np.array([0.9, 0.1, 0.8, 0.4, 0.9]), np.array([0.9, 0.9, 0.8, 0.6, 0.9])
    >>> confident(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 0, 1]), of_label, of_predicted).tolist()
    [1, 3]
    """
    if not len(label):
        return np.zeros(0, int)
    count = int(max(label.max(), predicted.max())) + 1
    rows = np.bincount(label, minlength=count)
    sums = np.bincount(label, label_probability, minlength=count)
    threshold = np.where(rows > 0, sums / np.maximum(rows, 1), sums.sum() / len(label))
    sure = predicted_probability >= threshold[predicted]
    sure_rows = np.bincount(label[sure], minlength=count)
    wrong_rows = [np.zeros(0, int)]
    pair = label * count + predicted
    for confused in np.unique(pair[sure & (predicted != label)]):
        rows_of_pair = np.flatnonzero(pair == confused)
        label_class = confused // count
        wrong = sure[rows_of_pair].sum() / sure_rows[label_class] * rows[label_class]
        wrong_rows.append(
            rows_of_pair[np.argsort(label_probability[rows_of_pair], kind="stable")[: round(wrong)]]
        )
    return np.sort(np.concatenate(wrong_rows))
