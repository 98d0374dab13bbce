"""Accuracy of labels between 0 and 1 as a Keras metric. Imports keras: import this lazily."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("polyhead")
class BinaryAccuracy(keras.metrics.BinaryAccuracy):
    """Keras's BinaryAccuracy, with labels above 0.5 counted as 1.

    Keras compares labels as they are, so that none between 0 and 1, as rows that are mixed have them, is ever met.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add one batch."""
        true = ops.cast(ops.convert_to_tensor(y_true) > 0.5, "float32")
        return super().update_state(true, y_pred, sample_weight)
