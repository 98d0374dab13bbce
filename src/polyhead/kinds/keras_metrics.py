"""The metrics of heads that Keras lacks, as Keras metrics. Imports keras: import this lazily."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("polyhead")
class BoxIoU(keras.metrics.Mean):
    """The mean intersection over union of predicted and labeled boxes, weighted.

    Takes boxes as ``xyxy``, ``(B, n, 4)``, in any unit, and weights ``(B, n)``.
    """

    def __init__(self, name: str = "iou", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add one batch."""
        true, pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        low = ops.maximum(true[..., :2], pred[..., :2])
        high = ops.minimum(true[..., 2:], pred[..., 2:])
        inter = ops.prod(ops.maximum(high - low, 0.0), axis=-1)
        areas = [ops.prod(ops.maximum(b[..., 2:] - b[..., :2], 0.0), axis=-1) for b in (true, pred)]
        iou = ops.divide_no_nan(inter, areas[0] + areas[1] - inter)
        if sample_weight is not None:
            sample_weight = ops.reshape(broadcast_weight(sample_weight, iou), (-1,))
        super().update_state(ops.reshape(iou, (-1,)), sample_weight)


@keras.saving.register_keras_serializable("polyhead")
class MaskIoU(keras.metrics.Metric):
    """Intersection over union of masks over all pixels seen, averaged over the classes that occur.

    A pixel with weight 9 counts like nine pixels in both intersection and union; one with weight 0 does not count.
    Weights are per row, ``(B,)``, per pixel, ``(B, H, W)``, or per channel of a pixel, ``(B, H, W, C)``.

    Args:
        classes: the number of classes; with ``multi``, each channel counts as a class.
        multi: whether channels are binary masks; otherwise the last axis of a prediction scores the classes of a pixel.
        from_logits: whether predictions of binary masks are logits, with a threshold of 0 rather than 0.5.
    """

    def __init__(
        self,
        classes: int = 1,
        multi: bool = True,
        from_logits: bool = False,
        name: str = "iou",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.classes, self.multi, self.from_logits = classes, multi, from_logits
        self.inter = self.add_weight(shape=(classes,), initializer="zeros", name="inter")
        self.union = self.add_weight(shape=(classes,), initializer="zeros", name="union")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add one batch."""
        if self.multi:
            true = ops.cast(y_true, "float32") > 0.5
            pred = ops.cast(y_pred, "float32") > (0.0 if self.from_logits else 0.5)
        else:
            ids = ops.arange(self.classes, dtype="int32")
            true = ops.cast(y_true, "int32")[..., None] == ids
            pred = ops.cast(ops.argmax(y_pred, axis=-1), "int32")[..., None] == ids
        both = ops.cast(ops.logical_and(true, pred), "float32")
        either = ops.cast(ops.logical_or(true, pred), "float32")
        if sample_weight is not None:
            weight = broadcast_weight(sample_weight, either)
            both, either = both * weight, either * weight
        axes = tuple(range(len(either.shape) - 1))
        self.inter.assign_add(ops.cast(ops.sum(both, axis=axes), self.dtype))
        self.union.assign_add(ops.cast(ops.sum(either, axis=axes), self.dtype))

    def result(self) -> Any:
        """The mean over the classes that occur; 0 before the first pixel."""
        seen = ops.cast(self.union > 0, self.dtype)
        return ops.divide_no_nan(ops.sum(ops.divide_no_nan(self.inter, self.union)), ops.sum(seen))

    def get_config(self) -> dict[str, Any]:
        """The configuration of the metric."""
        arguments = {name: getattr(self, name) for name in ("classes", "multi", "from_logits")}
        return {**super().get_config(), **arguments}


def broadcast_weight(weight: Any, values: Any) -> Any:
    """Broadcast weights over the last axes of the values."""
    weight = ops.cast(weight, values.dtype)
    for _ in range(len(values.shape) - len(weight.shape)):
        weight = ops.expand_dims(weight, -1)
    return weight * ops.ones_like(values)


@keras.saving.register_keras_serializable("polyhead")
class BinaryAccuracy(keras.metrics.BinaryAccuracy):
    """Keras's BinaryAccuracy, counting labels above 0.5 as 1.

    Keras compares labels unchanged, so a prediction can never equal a label between 0 and 1, as mixed rows have.
    """

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name=name, dtype=dtype, threshold=threshold)
        self._fn = _accuracy


def _accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Return the share of the last axis where labels and predictions lie on the same side."""
    same = ops.equal(ops.convert_to_tensor(y_true) > 0.5, ops.convert_to_tensor(y_pred) > threshold)
    return ops.mean(ops.cast(same, keras.backend.floatx()), axis=-1)


@keras.saving.register_keras_serializable("polyhead")
class AUC(keras.metrics.Metric):
    """The area under the ROC curve as Keras's AUC computes it, counting labels above 0.5 as 1.

    Keras counts every label above 0 as 1, as those of mixed rows. Its many operations take a third of the time to
    trace or compile a small step.

    Args:
        from_logits: whether predictions are logits rather than probabilities.
    """

    bins = 199
    """Keras compares predictions with 200 thresholds from 0 to 1: these are the intervals between them."""

    def __init__(self, from_logits: bool = False, name: str = "auc", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits
        self.counts = self.add_weight(shape=(2 * self.bins,), initializer="zeros", name="counts")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add one batch of labels and predictions of one shape, with weights that have the same or fewer axes."""
        pred = ops.cast(y_pred, self.dtype)
        if self.from_logits:
            pred = ops.sigmoid(pred)
        weight = ops.ones_like(pred) if sample_weight is None else broadcast_weight(sample_weight, pred)
        interval = ops.ceil(ops.minimum(pred, 1.0) * self.bins) - 1
        interval = ops.cast(ops.where(pred > 0, interval, 0.0), "int32")  # NaN is in the first
        place = ops.where(ops.cast(y_true, self.dtype) > 0.5, interval + self.bins, interval)
        self.counts.assign_add(
            ops.segment_sum(ops.reshape(weight, (-1,)), ops.reshape(place, (-1,)), 2 * self.bins)
        )

    def result(self) -> Any:
        """Return the share of pairs of a 0 and a 1 in which the 1 has the larger prediction; equal ones count half."""
        zeros, ones = ops.unstack(ops.reshape(self.counts, (2, self.bins)), 2)
        smaller = ops.cumsum(zeros) - zeros / 2
        return ops.divide_no_nan(ops.sum(ones * smaller), ops.sum(ones) * ops.sum(zeros))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this metric again."""
        return {**super().get_config(), "from_logits": self.from_logits}
