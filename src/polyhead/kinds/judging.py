"""The base of judges, which compute the metrics of a head for any selection of rows.

A judge reads labels and outputs once, batch by batch, and keeps `Items`: a few numbers for each row, or for each box of
a row. From these it computes metrics for many selections of rows at a time, so resampling never runs the model again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from polyhead.kinds.head import Head

Items = dict[str, np.ndarray]
"""Arrays with one entry for each item: ``row``, ``weight``, ``loss``, and whatever else the judge keeps."""

Metrics = dict[str, np.ndarray]
"""The value of each metric in each selection, ``(R,)``; NaN if a selection has nothing to measure."""

WEIGHT = "{}: weight"
"""The name of the labels that hold a head's weight of each row, also of rows without a label."""


@dataclass(frozen=True)
class HeadBatch:
    """The labels and outputs of one head for the rows of a batch.

    Attributes:
        labels: ``(B, *shape)``, as the model gets them.
        outputs: ``(B, *output_shape)``; probabilities for heads with classes, even if the model outputs logits.
        weights: float64 ``(B, *weight_shape)``, or finer if outputs have a Keras mask; 0 without a label.
    """

    labels: np.ndarray
    outputs: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, head: Head, labels: Any, outputs: Any, weights: Any, logits: bool = False) -> HeadBatch:
        """Make it from arrays.

        Args:
            weights: may lack some of the last axes; None if all labels count.
            logits: whether the outputs are logits.
        """
        # float32 for the probabilities of whole images, which are large
        dtype = np.float64 if np.prod(head.output_shape) <= 4096 else np.float32
        outputs = head.likely(np.asarray(outputs, dtype).reshape(len(labels), *head.output_shape), logits)
        shape = (len(labels), *head.weight_shape)
        weights = np.ones(()) if weights is None else np.asarray(weights, np.float64)
        weights = weights.reshape(*weights.shape, *[1] * (len(shape) - weights.ndim))
        return cls(np.asarray(labels), outputs, np.broadcast_to(weights, shape))

    def flat(self) -> HeadBatch:
        """Join the first two axes, of rows and their boxes."""
        arrays = (self.labels, self.outputs, self.weights)
        return HeadBatch(*(array.reshape(-1, *array.shape[2:]) for array in arrays))

    def masked(self, mask: np.ndarray) -> HeadBatch:
        """Set the weights to 0 where a Keras mask, bool ``(B, ...)``, is False."""
        axes = max(mask.ndim, self.weights.ndim)
        mask, weights = (a.reshape(*a.shape, *[1] * (axes - a.ndim)) for a in (mask, self.weights))
        return replace(self, weights=weights * mask)


class Judge(ABC):
    """Computes the metrics of one head from a model's predictions.

    Attributes:
        name: the name of the head.
        less_is_better: the metrics for which lower values are better; for all others, higher values are.
    """

    name: str
    less_is_better: Sequence[str] = ()

    @property
    def inner(self) -> Judge:
        """The judge of a single label: that of one box for a head with a label for each box."""
        return self

    @abstractmethod
    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        """Return the items of a batch; ``row`` counts the rows of the batch.

        Rows without a label have no item.
        """

    @abstractmethod
    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        """Return the metrics of some selections of rows.

        Args:
            items: the items of all batches.
            weights: float64 ``(R, items)``: how often each item counts in each of ``R`` selections, times its weight.
        """

    def details(self, items: Items) -> dict[str, Any]:
        """Return results over all rows that are not single numbers, such as a confusion matrix."""
        return {}

    def doubts(self, items: Items) -> Doubts:
        """Return the items whose label may be wrong; by default, those whose loss is an outlier."""
        outliers = outlying(items["loss"])
        return Doubts(outliers, items["loss"][outliers])

    def predicted_labels(self, batch: Mapping[str, HeadBatch]) -> tuple[np.ndarray, np.ndarray]:
        """Return the predictions in the form of labels, and which of them count, bool ``(B, *weight_shape)``."""
        arrays = batch[self.name]
        return arrays.outputs, np.ones(arrays.weights.shape, bool)


class LossJudge(Judge):
    """Judges a head by its loss alone."""

    less_is_better = ("loss",)

    def __init__(self, name: str, head: Head) -> None:
        self.name, self.head = name, head

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        import keras

        arrays = batch[self.name]
        tensors = [keras.ops.convert_to_tensor(a.astype("float32")) for a in (arrays.labels, arrays.outputs)]
        loss = keras.ops.convert_to_numpy(self.head.default_loss(False).call(*tensors)).astype(np.float64)
        return row_items(weights_like(arrays.weights, loss), loss=loss)

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        return {"loss": mean_of(items["loss"], weights)}


class EachJudge(Judge):
    """Judges a head with a label for each box, each label separately."""

    def __init__(self, name: str, inner: Judge) -> None:
        self.name, self._inner, self.less_is_better = name, inner, inner.less_is_better

    @property
    def inner(self) -> Judge:
        return self._inner

    def _flat(self, batch: Mapping[str, HeadBatch]) -> dict[str, HeadBatch]:
        return {self.name: batch[self.name].flat()}

    def items_of(self, batch: Mapping[str, HeadBatch]) -> Items:
        items, places = self.inner.items_of(self._flat(batch)), batch[self.name].outputs.shape[1]
        return {**items, "row": items["row"] // places, "place": items["row"] % places}

    def metrics(self, items: Items, weights: np.ndarray) -> Metrics:
        return self.inner.metrics(items, weights)

    def details(self, items: Items) -> dict[str, Any]:
        return self.inner.details(items)

    def doubts(self, items: Items) -> Doubts:
        doubts = self.inner.doubts(items)
        places = items["place"][doubts.item].tolist()
        parts = [i if part is None else (i, part) for i, part in zip(places, doubts.part, strict=True)]
        return replace(doubts, part=parts)

    def best_temperature(self, batch: Mapping[str, HeadBatch]) -> float:
        """See the judge of a single label."""
        # only the judges of classes have a temperature, and only they are asked for it
        return self.inner.best_temperature(self._flat(batch))  # type: ignore[attr-defined]

    def predicted_labels(self, batch: Mapping[str, HeadBatch]) -> tuple[np.ndarray, np.ndarray]:
        rows = len(batch[self.name].labels)
        labels, valid = self.inner.predicted_labels(self._flat(batch))
        return tuple(a.reshape(rows, len(a) // rows, *a.shape[1:]) for a in (labels, valid))  # type: ignore[return-value]


def row_items(weights: np.ndarray, loss: np.ndarray, **arrays: np.ndarray) -> Items:
    """Make one item for each row that counts.

    Args:
        weights: ``(B, ...)``; a row's weight is their mean, unless ``arrays`` has a ``weight``.
        loss: ``(B, ...)``; a row's loss is the weighted mean.
        **arrays: further entries of the items, ``(B, ...)``.
    """
    flat = weights.reshape(len(weights), -1)
    sums = flat.sum(1)
    rows = np.flatnonzero(sums > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        losses = (np.asarray(loss, np.float64).reshape(len(weights), -1) * flat).sum(1) / sums
    items = {"row": rows, "weight": flat.mean(1)[rows], "loss": losses[rows]}
    return {**items, **{name: array[rows] for name, array in arrays.items()}}


def weights_of_rows(batch: Mapping[str, HeadBatch], name: str, rows: int) -> np.ndarray:
    """The weight of each row of a head, also of rows without a label, float64 ``(rows,)``; 1 where it has none."""
    arrays = batch.get(WEIGHT.format(name))
    if arrays is None:
        return np.ones(rows)
    return np.where(arrays.weights.reshape(rows) > 0, arrays.labels.reshape(rows), 1.0)


def weights_like(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give weights the shape of values: repeat them over missing last axes, or take the mean over surplus ones."""
    if weights.ndim > values.ndim:
        weights = weights.mean(axis=tuple(range(values.ndim, weights.ndim)))
    weights = weights.reshape(*weights.shape, *[1] * (values.ndim - weights.ndim))
    return np.broadcast_to(weights, values.shape)


def concatenated(parts: Sequence[Items]) -> Items:
    """The items of several batches."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


_FEW = 32
"""Up to this many groups, sums are faster as a matrix product."""


# Statistics of selections ----------------------------------------------------------------------------


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A quotient; NaN where the divisor is 0.

    >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, np.nan)


def mean_of(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean of values ``(n,)`` in each selection ``(R, n)``."""
    return ratio(weights @ values, weights.sum(1))


def grouped(weights: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """The sums of weights ``(R, n)`` by group, ``(R, count)``.

    >>> grouped(np.array([[1.0, 2, 4], [1, 0, 0]]), np.array([2, 0, 2]), 3).tolist()
    [[2.0, 0.0, 5.0], [0.0, 0.0, 1.0]]
    """
    if count <= _FEW:
        return weights @ (groups[:, None] == np.arange(count)).astype(np.float64)
    sums = np.zeros((len(weights), count))
    if not len(groups):
        return sums
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    sums[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums


def nan_mean(values: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """The mean over the first axis of the values that are not NaN; NaN if all are."""
    numbers = np.asarray(values, np.float64)
    valid = ~np.isnan(numbers)
    return ratio(np.where(valid, numbers, 0).sum(0), valid.sum(0))


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
