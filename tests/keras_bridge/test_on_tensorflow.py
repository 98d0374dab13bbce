"""Iterators whose batches a step of TensorFlow draws."""

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.keras_bridge.on_tensorflow import StepDataset

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a step of TensorFlow")


def test_batches_come_as_optionals_and_none_after_the_last():
    import tensorflow as tf

    specs = {"x": tf.TensorSpec((None, 2), "float32")}, tf.TensorSpec((None,), "int32")
    batches = [
        ({"x": np.full((rows, 2), rows, "float32")}, np.arange(rows, dtype="int32")) for rows in (3, 1)
    ]
    iterator = iter(StepDataset(lambda: iter(batches), specs))
    for x, y in batches:
        found = iterator.get_next_as_optional()
        assert found.has_value()
        inputs, labels = found.get_value()
        assert np.array_equal(inputs["x"], x["x"])
        assert np.array_equal(labels, y)
    for _ in range(2):
        assert not iterator.get_next_as_optional().has_value()


@pytest.mark.parametrize("steps", [1, 3])
def test_a_prediction_is_that_of_arrays(steps):
    x = np.random.default_rng(0).normal(size=(22, 3)).astype("float32")
    feed = ph.Feed({"x": x, "y": x[:, 0] > 0}, inputs="x", heads={"y": ph.Binary()}, batch_size=4)
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, ph.outputs(inputs, feed))
    ph.compile(model, feed, optimizer="sgd", steps_per_execution=steps)
    found = model.predict(feed, verbose=0)
    assert np.array_equal(found["y"], model.predict(x, verbose=0, batch_size=4)["y"])
