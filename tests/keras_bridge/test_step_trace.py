"""TensorFlow traces a training step once, and not a second time for the variables of the optimizer."""

import keras
import numpy as np
import pytest

import polyhead as ph

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others trace once")

ROWS = {"x": np.arange(24, dtype="float32").reshape(12, 2) / 24, "y": np.arange(12) % 2, "z": np.arange(12.0)}


def made_feed():
    return ph.Feed(
        ROWS, inputs="x", heads={"y": ph.Binary(), "z": ph.Regression(scale="standard")}, batch_size=4
    )


class Counted(keras.Model):
    """Counts how often its loss is traced."""

    traced = 0

    def compute_loss(self, *arguments, **options):
        self.traced += 1
        return super().compute_loss(*arguments, **options)


class OwnStep(Counted):
    """The same step, of which nobody knows what it trains."""

    def train_step(self, data):
        return super().train_step(data)


def trained(kind, feed):
    keras.utils.set_random_seed(0)
    x = keras.Input((2,), name="x")
    model = kind(x, ph.outputs(keras.layers.Dense(3, activation="relu")(x), feed))
    ph.compile(model, feed, optimizer="adam")
    return model, model.fit(feed, epochs=2, verbose=0).history


def test_a_step_is_traced_once_and_gives_the_same_numbers():
    feed = made_feed()
    (once, found), (twice, expected) = trained(Counted, feed), trained(OwnStep, feed.on(ROWS))
    assert (once.traced, twice.traced) == (1, 2)
    assert found == expected
    for one, other in zip(once.get_weights(), twice.get_weights(), strict=True):
        assert np.array_equal(one, other)
    shapes = [[tuple(variable.shape) for variable in model.optimizer.variables] for model in (once, twice)]
    assert shapes[0] == shapes[1]


def test_layers_that_a_callback_freezes_have_no_variables_in_the_optimizer():
    class Freeze(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.layers[1].trainable = False

    feed = made_feed()
    x = keras.Input((2,), name="x")
    model = keras.Model(x, ph.outputs(keras.layers.Dense(3)(x), feed))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
    before = model.get_weights()[0]
    model.fit(feed, callbacks=[Freeze()], verbose=0)
    assert np.array_equal(model.get_weights()[0], before)
    # iterations, learning rate; weights and biases of two heads
    assert len(model.optimizer.variables) == 2 + 4


class Late(keras.Model):
    """A layer of it is only used in training, so that a prediction does not build it."""

    def __init__(self):
        super().__init__()
        self.y, self.z = keras.layers.Dense(1, activation="sigmoid"), keras.layers.Dense(1)
        self.late = keras.layers.Dense(2)

    def build(self, shape):
        """Layers are built when they are first called."""

    def call(self, x, training=False):
        x = x["x"] if isinstance(x, dict) else x
        return {"y": self.y(x), "z": self.z(self.late(x) if training else x)}


def test_a_layer_that_only_training_builds_is_trained():
    feed, model = made_feed(), Late()
    model(ROWS["x"])
    ph.compile(model, feed, optimizer="adam")
    assert not model.late.built
    model.fit(feed, epochs=2, verbose=0)
    assert model.late.built
    assert len(model.optimizer.variables) == 2 + 2 * 6
