"""Models that make their loss themselves: labels come as a dict of the heads."""

import keras
import numpy as np
import pytest
from keras import ops

import polyhead as ph
from polyhead.keras_bridge import by_head

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


class Gan(keras.Model):
    """A model without ``call``, whose step calls the models that it holds."""

    def train_step(self, *arguments):
        *state, (x, y, weights) = arguments
        self.got = f"{tuple(x.shape)[1:]} {sorted(y)} {sorted(weights)}"
        logs = {"rows": ops.sum(x[:, 0] * 0 + 1)}
        return (logs, *state) if state else logs


def test_a_model_without_call_trains_by_its_own_step():
    gan = Gan()
    gan.built = True
    assert str(feed().check(gan)) == (
        "ok\n  Gan has no call(), so nothing is compared with it; it gets the labels as a dict of value, kind"
    )
    gan.compile(optimizer="sgd")
    gan.fit(feed(), verbose=0)
    assert gan.got == "(2,) ['kind', 'value'] ['kind', 'value']"
    with pytest.raises(ph.ContractError, match="does not have a `call"):
        ph.predict(gan, feed())


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


def train_step_of_the_guide():
    """Return a model with the ``train_step`` of Keras's guide: it updates every metric with labels and outputs."""

    class Guide(keras.Model):
        def train_step(self, *arguments):
            if keras.backend.backend() == "jax":
                return self.jax_step(*arguments)
            x, y, weight = arguments[0]
            if keras.backend.backend() == "tensorflow":
                import tensorflow as tf

                with tf.GradientTape() as tape:
                    outputs = self(x, training=True)
                    loss = self.compute_loss(y=y, y_pred=outputs, sample_weight=weight)
                gradients = tape.gradient(loss, self.trainable_variables)
            else:
                self.zero_grad()
                outputs = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=outputs, sample_weight=weight)
                loss.backward()
                gradients = [variable.value.grad for variable in self.trainable_variables]
            self.optimizer.apply([gradient * 0 for gradient in gradients], self.trainable_variables)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, outputs, sample_weight=weight)
            return {metric.name: metric.result() for metric in self.metrics}

        def jax_step(self, state, batch):
            import jax

            def loss(trainable):
                outputs, _ = self.stateless_call(trainable, state[1], batch[0])
                return self.compute_loss(*batch[:2], outputs, batch[2])

            return {"loss": jax.value_and_grad(loss)(state[0])[0]}, state

    return Guide


def graded():
    """Return a model with a ``train_step`` of its own, its feed with a short last batch, and its logs by NumPy."""
    data = {"x": DATA["x"][:10], "value": DATA["value"][:10], "trust": np.arange(10) % 3 + 0.5}
    heads = {"value": ph.Regression(sample_weight="trust", metrics=["mae"])}
    rows = ph.Feed(data, inputs="x", heads=heads, batch_size=4)
    x = keras.Input((2,), name="x")
    one = train_step_of_the_guide()(x, {"value": keras.layers.Dense(1, name="value")(x)})
    ph.compile(one, rows, optimizer="sgd")
    apart = one.predict(data["x"], verbose=0)["value"][:, 0] - data["value"]
    mean = np.average(apart**2, weights=data["trust"])
    return (
        one,
        rows,
        {"loss": mean, "value_loss": mean, "value_mae": np.average(abs(apart), weights=data["trust"])},
    )


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="there, losses are counted in a scope of Keras")
def test_a_train_step_of_the_guide_logs_means_over_rows():
    one, rows, expected = graded()
    logs = one.fit(rows, epochs=2, verbose=0).history
    assert logs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], [value, value], rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="other backends count losses anywhere")
def test_a_train_step_on_jax_is_told_where_losses_are_counted():
    one, rows, _ = graded()
    with pytest.raises(ph.ContractError) as error:
        one.fit(rows, verbose=0)
    assert str(error.value) == (
        "compute_loss(): expected a call within keras.StatelessScope, as it counts the loss of each head, got one "
        "outside of it. In a train_step or test_step of your own, call self.compute_loss_and_updates, as those of "
        "keras.Model do on JAX."
    )


def without_weights(part):
    """Return a model whose own method loses the weights of a batch on the way to its losses or metrics."""

    class Lost(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return super().compute_loss(
                x, y, y_pred, None if part == "compute_loss" else sample_weight, training
            )

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return super().compute_metrics(x, y, y_pred, None if part == "update_state" else sample_weight)

    x = keras.Input((2,), name="x")
    return Lost(x, {"value": keras.layers.Dense(1, name="value")(x)})


@pytest.mark.parametrize("part", ["compute_loss", "update_state"])
def test_a_step_that_leaves_out_the_weights_of_its_feed_is_refused(part):
    value = DATA["value"] * np.where(np.arange(len(DATA["value"])) % 2, np.nan, 1)
    rows = ph.Feed(DATA | {"value": value}, inputs="x", heads={"value": ph.Regression()}, batch_size=4)
    one = ph.compile(without_weights(part), rows, optimizer="sgd")
    for use in (one.fit, one.evaluate):
        with pytest.raises(ph.ContractError) as error:
            use(rows, verbose=0)
        assert str(error.value) == (
            f"{part}(sample_weight=): expected the weights of the feed, where missing labels have weight 0, got None. "
            "In a train_step or test_step of your own, unpack x, y, sample_weight = data, and pass sample_weight= on "
            "to compute_loss and to the metrics; a compute_loss of your own passes it on to super()."
        )
    # arrays without weights, and feeds without, have none to pass on
    one.train_on_batch(DATA["x"][:4], {"value": DATA["value"][:4, None]})
    one.fit(DATA["x"][:4], {"value": DATA["value"][:4, None]}, validation_data=rows.on(DATA), verbose=0)


@pytest.mark.once
def test_a_step_without_weights_looks_once_for_those_of_its_feed(monkeypatch):
    rows = ph.Feed(DATA, inputs="x", heads={"value": ph.Regression()}, batch_size=4)
    one = ph.compile(without_weights(None), rows, optimizer="sgd")
    looks = []
    monkeypatch.setattr(by_head, "data_of_step", lambda: looks.append(1))
    one.train_on_batch(*rows.peek())
    one.test_on_batch(*rows.peek())
    assert len(looks) == 2
