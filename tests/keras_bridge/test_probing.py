"""Calls of losses and metrics on made-up rows."""

import keras
import numpy as np
import pytest

from polyhead.keras_bridge.probing import result, result_of_metric, shape_of_result

TRUE, PRED = np.array([[1.0], [3.0]], "float32"), np.array([[2.0], [5.0]], "float32")


def test_a_function_that_needs_numbers_runs_too():
    def loss(true, pred):
        return (pred - true) * float(keras.ops.convert_to_numpy(pred).max())

    assert result(loss, TRUE, PRED).tolist() == [[5.0], [10.0]]


def test_a_metric_may_make_its_variables_in_its_first_update():
    class Late(keras.metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total = self.add_weight(name="total", initializer="zeros")
            self.total.assign_add(keras.ops.sum(y_pred - y_true))

        def result(self):
            return self.total

    assert result_of_metric(Late(), TRUE, PRED) == pytest.approx(3.0)
    assert result_of_metric(keras.metrics.MeanAbsoluteError(), TRUE, PRED) == pytest.approx(1.5)


def test_a_running_mean_of_a_loss_stays():
    mean = keras.Variable(1.0)

    def loss(true, pred):
        mean.assign(mean * 0.5)
        return keras.ops.mean(pred - true, axis=-1) / mean

    assert shape_of_result(loss, TRUE, PRED) == (2,)
    assert float(keras.ops.convert_to_numpy(mean)) == 1.0
