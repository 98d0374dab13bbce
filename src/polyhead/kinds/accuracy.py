"""Accuracy of labels between 0 and 1 as a Keras metric. Imports keras: import this lazily."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("polyhead")
class BinaryAccuracy(keras.metrics.BinaryAccuracy):
    """Keras's BinaryAccuracy, counting labels above 0.5 as 1.

    Keras compares labels unchanged, so a prediction can never equal a label between 0 and 1, as mixed rows have.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add one batch."""
        true = ops.cast(ops.convert_to_tensor(y_true) > 0.5, "float32")
        return super().update_state(true, y_pred, sample_weight)
