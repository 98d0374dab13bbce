"""Models that make their loss themselves: labels come as a dict of the heads."""

import keras
import numpy as np
import pytest
from keras import ops

import polyhead as ph

DATA = {
    "x": np.linspace(0, 1, 24, dtype="float32").reshape(12, 2),
    "value": np.arange(12.0),
    "kind": ["a", None, "b"] * 4,
}
HEADS = {"value": ph.Regression(), "kind": ph.Categorical()}


class Own(keras.Model):
    """One output, and a loss of both labels."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        assert set(y) == set(sample_weight) == {"value", "kind"}
        kinds = ops.cast(y["kind"], "float32") * sample_weight["kind"]
        return ops.mean((y_pred[:, 0] - y["value"][:, 0]) ** 2) + ops.mean((y_pred[:, 1] - kinds) ** 2)


def feed():
    return ph.Feed(DATA, inputs="x", heads=HEADS, batch_size=4)


def model(kind=Own):
    x = keras.Input((2,), name="x")
    return kind(x, keras.layers.Dense(2, name="both")(x))


def test_it_trains_on_labels_and_weights_by_name():
    keras.utils.set_random_seed(0)
    one = model()
    one.compile(optimizer=keras.optimizers.Adam(0.1))
    history = one.fit(feed(), validation_data=feed(), epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert one.predict(feed(), verbose=0).shape == (12, 2)


def test_the_report_says_that_outputs_were_not_compared():
    assert str(feed().check(model())) == (
        "ok\n"
        "  input `x` -> input `x` (2,)\n"
        "  Own makes its loss itself: it gets the labels as a dict of value, kind; "
        "its outputs are not compared with them"
    )


def test_its_inputs_are_compared_all_the_same():
    x = keras.Input((3,), name="x")
    report = feed().check(Own(x, keras.layers.Dense(2, name="both")(x)))
    assert str(report.problems[0]).startswith("input `x`: expected an input of shape (2,)")


def test_where_its_outputs_are_the_heads_they_are_compared():
    x = keras.Input((2,), name="x")
    outputs = {
        "value": keras.layers.Dense(1, name="value")(x),
        "kind": keras.layers.Dense(2, activation="softmax", name="kind")(x),
    }
    report = feed().check(Own(x, outputs))
    assert "  head `kind` -> output `kind` (2,)" in str(report).splitlines()


def test_compile_leaves_the_loss_to_it():
    with pytest.raises(ph.ContractError) as caught:
        ph.compile(model(), feed(), optimizer="sgd")
    assert str(caught.value) == (
        "compile(): expected a model with an output for each head, "
        "got Own, whose outputs are not the heads, with a loss of its own. "
        "Say model.compile(optimizer=...): the model gets the labels, and makes its loss of them."
    )


def test_other_models_are_told_as_before():
    report = feed().check(model(keras.Model))
    assert not report.ok
    assert str(report.problems[0]).startswith("head `value`: expected a model with an output `value` (1,)")


class Squares(keras.Model):
    """A loss of its own for one head."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean((y["value"] - y_pred["value"]) ** 2)


def test_compiled_by_polyhead_its_logs_are_its_own_loss_and_the_metrics_of_heads():
    x = keras.Input((2,), name="x")
    one = Squares(x, {"value": keras.layers.Dense(1, name="value")(x)})
    data = ph.Feed(DATA, inputs="x", heads={"value": ph.Regression()}, batch_size=4)
    ph.compile(one, data, optimizer=keras.optimizers.SGD(0.0))
    logs = one.fit(data, validation_data=data.on(DATA), verbose=0).history
    apart = DATA["value"][:, None] - one.predict(DATA["x"], verbose=0)["value"]
    expected = {"loss": np.mean(apart**2), "value_mae": np.mean(abs(apart))}
    expected |= {f"val_{name}": value for name, value in expected.items()}
    assert logs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], [value], rtol=1e-5)
