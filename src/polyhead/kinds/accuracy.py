"""Metrics of labels between 0 and 1, as Keras metrics. Imports keras: import this lazily."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from polyhead.kinds.iou import broadcast_weight


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
