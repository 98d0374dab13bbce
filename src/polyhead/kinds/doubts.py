"""Labels that a model disagrees with: which, how much, and what it says instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FAR = 3.0
"""What lies so many deviations above the median stands out. The deviation is 1.4826 times the median distance from the
median, which is the standard deviation of normal numbers."""


@dataclass(frozen=True)
class Doubts:
    """Items whose label may be wrong.

    Attributes:
        item: their places, int ``(n,)``.
        disagreement: how far label and model are apart, float64 ``(n,)``.
        label: for each what is labeled, in the words of the data; None for nothing, or what has no short form.
        predicted: for each what the model says instead, likewise.
        part: for each which part of the row it is, as the number of a box or the name of a column; None for all of it.
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
    """The places of values that stand out above the others; NaN does not.

    >>> outlying(np.array([1.0, 2.0, 1.5, 2.5, 9.0])).tolist()
    [4]
    """
    there = values[~np.isnan(values)]
    if not len(there):
        return np.zeros(0, int)
    middle = np.median(there)
    limit = middle + FAR * 1.4826 * np.median(np.abs(there - middle))
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(values > limit)


def confident(label: np.ndarray, said: np.ndarray, own: np.ndarray, of_said: np.ndarray) -> np.ndarray:
    """The places of labels that a model replaces by another class, as many as are estimated to be wrong.

    This is confident learning (Northcutt, Jiang, Chuang 2021, "prune by noise rate"). A row is confidently of a class
    if its probability is at least the mean of those of the rows labeled as it, so that classes that the model is seldom
    sure of need less. The share of the rows labeled as one class that are confidently of another estimates how many
    are wrong; these are the ones with the least probability for their label.

    Args:
        label: class ids, int ``(n,)``.
        said: the most probable classes, int ``(n,)``.
        own: the probability of each label, ``(n,)``.
        of_said: the probability of each class in ``said``, ``(n,)``.

    >>> own, of_said = np.array([0.9, 0.1, 0.8, 0.4, 0.9]), np.array([0.9, 0.9, 0.8, 0.6, 0.9])
    >>> confident(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 0, 1]), own, of_said).tolist()
    [1, 3]
    """
    if not len(label):
        return np.zeros(0, int)
    count = int(max(label.max(), said.max())) + 1
    rows = np.bincount(label, minlength=count)
    sums = np.bincount(label, own, minlength=count)
    least = np.where(rows > 0, sums / np.maximum(rows, 1), sums.sum() / len(label))
    sure = of_said >= least[said]
    sure_rows = np.bincount(label[sure], minlength=count)
    found = [np.zeros(0, int)]
    pair = label * count + said
    for one in np.unique(pair[sure & (said != label)]):
        rows_of_pair = np.flatnonzero(pair == one)
        is_label = one // count
        wrong = sure[rows_of_pair].sum() / sure_rows[is_label] * rows[is_label]
        found.append(rows_of_pair[np.argsort(own[rows_of_pair], kind="stable")[: round(wrong)]])
    return np.sort(np.concatenate(found))
