"""Steps of TensorFlow's MirroredStrategy are those of one device."""

import json

import keras
import pytest

import programs

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="strategies of TensorFlow")

# in a process of its own, as devices are set up before anything else
PROGRAM = """
import json, sys, contextlib
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
import polyhead as ph

rng = np.random.default_rng(0)
x = rng.normal(size=(22, 2)).astype("float32")
y = x @ [[1.0], [2.0]] + 3
y[[0, 1, 2, 9, 13, 14]] = np.nan
data = {"x": x, "y": y, "yes": (x[:, 0] > 0.8) * 1, "w": rng.uniform(0, 3, 22)}
heads = {
    "y": ph.Regression(sample_weight="w", metrics=["mae", "r2_score"]),
    "yes": ph.Binary(class_weight="balanced", metrics=["accuracy"]),
    "total": ph.Regression(column="y", loss=keras.losses.MeanSquaredError(reduction="sum"), weight=0.01),
}


class Bias(keras.layers.Layer):
    def build(self, shape):
        self.bias = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        self.add_loss(keras.ops.mean(keras.ops.square(x * self.bias)))
        return x + self.bias


found = []
for strategy in (None, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    for normalize in ("data", "batch"):
        with strategy.scope() if strategy else contextlib.nullcontext():
            feed = ph.Feed(data, inputs="x", heads=heads, batch_size=8)  # 8, 8, 6 rows
            inputs = keras.Input((2,), name="x")
            new = lambda name: keras.layers.Dense(1, "linear", True, "zeros", activity_regularizer="l2", name=name)
            dense = {name: new(name)(Bias()(inputs)) for name in heads}
            model = keras.Model(inputs, dense)
            ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.1), normalize=normalize)
        logs = model.fit(feed, epochs=2, verbose=0).history
        weights = [float(number) for array in model.get_weights() for number in array.ravel()]
        logs |= model.evaluate(feed, verbose=0, return_dict=True)
        found.append([weights, {name: np.ravel(value).tolist() for name, value in logs.items()}])

UNEVEN = {
    "batch_size": lambda feed: feed.on(data, batch_size=7),
    "last batch": lambda feed: feed.on({name: column[:3] for name, column in data.items()}),
}
refused = []
for place, uneven in UNEVEN.items():
    for use in (
        lambda rows: model.fit(rows, verbose=0),
        lambda rows: model.evaluate(rows, verbose=0),
        lambda rows: model.fit(feed, validation_data=rows, verbose=0),
    ):
        before = model.get_weights()
        try:
            use(uneven(feed))
        except ph.ContractError as error:
            same = all(map(np.array_equal, before, model.get_weights()))
            refused.append([place in str(error), same])
    refused.append(len(model.predict(uneven(feed), verbose=0)["yes"]))
print("found", json.dumps([found, refused]))
"""


@pytest.fixture(scope="module")
def found():
    return json.loads(programs.run(PROGRAM).strip().splitlines()[-1].removeprefix("found "))


def test_two_replicas_train_as_one_device_does(found):
    one, one_batch, two, two_batch = found[0]
    for alone, mirrored in ((one, two), (one_batch, two_batch)):
        assert mirrored[0] == pytest.approx(alone[0], rel=1e-4, abs=1e-6)
        assert set(mirrored[1]) == set(alone[1])
        for name, values in alone[1].items():
            assert mirrored[1][name] == pytest.approx(values, rel=1e-4), name
    assert one[0] != pytest.approx(one_batch[0], rel=1e-3)


def test_a_first_batch_that_the_replicas_cannot_share_is_refused_before_the_first_step(found):
    refused = [[True, True]] * 3  # fit, evaluate, validation
    assert found[1] == [*refused, 22, *refused, 3]
