"""Logits or probabilities: what `compile` reads from a model's layers, or else from its values."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import polyhead as ph
from polyhead.checks.logits import activation

RNG = np.random.default_rng(7)
DATA = {
    "x": RNG.normal(size=(40, 4)).astype("float32"),
    "yes": np.arange(40) % 2,
    "kind": np.arange(40) % 3,
}
YES, KIND = {"yes": ph.Binary()}, {"kind": ph.Categorical(3)}


def as_layer(activation):
    inputs = keras.Input((4,))
    return keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(1, activation=activation)(inputs)])


class SigmoidDense(layers.Dense):
    def call(self, inputs):
        return ops.sigmoid(super().call(inputs))


OUTPUTS = {
    "dense, linear": (YES, True, lambda h: layers.Dense(1)(h)),
    "dense, sigmoid": (YES, False, lambda h: layers.Dense(1, activation="sigmoid")(h)),
    "dense, softmax": (KIND, False, lambda h: layers.Dense(3, activation="softmax")(h)),
    "sigmoid as a layer": (
        YES,
        False,
        lambda h: layers.Activation("sigmoid")(layers.Dense(1)(h)),
    ),
    "softmax as a layer": (KIND, False, lambda h: layers.Softmax()(layers.Dense(3)(h))),
    "sigmoid as an operation": (YES, False, lambda h: ops.sigmoid(layers.Dense(1)(h))),
    "float32 on top of sigmoid": (
        YES,
        False,
        lambda h: layers.Activation("linear", dtype="float32")(layers.Dense(1, activation="sigmoid")(h)),
    ),
    "float32 on top of logits": (
        KIND,
        True,
        lambda h: layers.Activation("linear", dtype="float32")(layers.Dense(3)(h)),
    ),
    "logits, reshaped": (YES, True, lambda h: layers.Reshape((1,))(layers.Dense(1)(h))),
    "logits that start at zero, reshaped": (
        YES,
        True,
        lambda h: layers.Reshape((1,))(layers.Dense(1, kernel_initializer="zeros")(h)),
    ),
    "sigmoid in a call of its own": (YES, False, lambda h: SigmoidDense(1)(h)),
    "sigmoid, reshaped": (
        YES,
        False,
        lambda h: layers.Reshape((1,))(layers.Dense(1, activation="sigmoid")(h)),
    ),
    "second output of a model as a layer, sigmoid": (YES, False, lambda h: as_layer("sigmoid")(h)[1]),
    "second output of a model as a layer, linear": (YES, True, lambda h: as_layer(None)(h)[1]),
    "an activation of one's own": (
        YES,
        False,
        lambda h: layers.Dense(1, activation=lambda z: 1 / (1 + ops.exp(-z)))(h),
    ),
    "small logits behind a lambda": (
        YES,
        True,
        lambda h: layers.Lambda(lambda z: 0.5 + 0.01 * z, output_shape=(1,))(layers.Dense(1)(h)),
    ),
    "zeros behind a lambda": (
        YES,
        True,
        lambda h: layers.Lambda(lambda z: 0 * z, output_shape=(1,))(layers.Dense(1)(h)),
    ),
    "probabilities of each class behind a lambda": (
        KIND,
        False,
        lambda h: layers.Lambda(ops.softmax, output_shape=(3,))(layers.Dense(3)(h)),
    ),
}


@pytest.fixture(scope="module")
def judged():
    """All outputs in one model: the head of each, what they give, and what Keras logs of its loss."""
    columns = {name: DATA[head] for name, (heads, *_) in OUTPUTS.items() for head in heads}
    declared = {name: head for name, (heads, *_) in OUTPUTS.items() for head in heads.values()}
    inputs = keras.Input((4,), name="x")
    hidden = layers.Dense(4, activation="relu")(inputs)
    model = keras.Model(inputs, {name: output(hidden) for name, (_, _, output) in OUTPUTS.items()})
    feed = ph.Feed(columns | {"x": DATA["x"]}, inputs="x", heads=declared)
    ph.compile(model, feed, optimizer="sgd", run_eagerly=True)
    return feed.heads, model(DATA["x"]), model.evaluate(feed, verbose=0, return_dict=True)


@pytest.mark.once
def test_an_operation_is_known_as_a_layer_is():
    x = keras.Input((3,))
    found = [
        activation(f(layers.Dense(3)(x))) for f in (ops.tanh, ops.relu6, ops.hard_sigmoid, ops.exp, ops.elu)
    ]
    assert found == ["tanh", "relu6", "hard_sigmoid", "exponential", "elu"]
    assert (
        activation(ops.elu(x, alpha=2.0)) is activation(ops.log_softmax(x)) is activation(ops.sin(x)) is None
    )


@pytest.mark.few(6)
@pytest.mark.parametrize("name", OUTPUTS)
def test_logits_are_told_from_probabilities(name, judged):
    heads, predicted, logs = judged
    (column,), logits, _ = OUTPUTS[name]
    head = heads[name]
    labels = ops.convert_to_tensor(DATA[column].astype(head.dtype).reshape(-1, *head.shape))
    wanted = ops.mean(head.default_loss(logits)(labels, predicted[name]))
    assert np.isclose(logs[f"{name}_loss"], float(ops.convert_to_numpy(wanted)), rtol=1e-4)


@pytest.mark.parametrize("logits", [True, False])
def test_a_subclassed_model_is_asked_for_values(logits):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            value = 0.5 + 0.01 * self.dense(x)  # as logits, all in 0-1 on the rows as they are
            return {"yes": value if logits else ops.sigmoid(value)}

    model = Model()
    feed = ph.Feed(DATA, inputs="x", heads=YES)
    ph.compile(model, feed, optimizer="sgd")
    p = ops.convert_to_numpy(model(DATA["x"])["yes"])[:, 0].astype("float64")
    p = 1 / (1 + np.exp(-p)) if logits else p
    wanted = -np.log(np.where(DATA["yes"] == 1, p, 1 - p)).mean()
    found = model.evaluate(feed, verbose=0, return_dict=True)["loss"]
    assert np.isclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize(
    "own",
    [lambda z: 1 / (1 + ops.exp(z)), lambda z: ops.exp(z) / (1 + ops.exp(z))],
    ids=["0 for large inputs", "NaN for large inputs"],
)
def test_what_a_users_sigmoid_gives_for_large_inputs_makes_no_logits_of_it(own):
    """Inputs are multiplied, as logits grow with them and probabilities do not."""
    x = keras.Input((4,), name="x")
    p = layers.Dense(1, activation=own, kernel_initializer="ones")(x * x)
    model, feed = keras.Model(x, p), ph.Feed(DATA, inputs="x", heads=YES)
    ph.compile(model, feed, optimizer="sgd")
    found = model.evaluate(feed, verbose=0, return_dict=True)["loss"]
    p = ops.convert_to_numpy(model(DATA["x"]))[:, 0].astype("float64")
    assert np.isclose(found, -np.log(np.where(DATA["yes"] == 1, p, 1 - p)).mean(), rtol=1e-4)


class Subclassed(keras.Model):
    def __init__(self, activation):
        super().__init__()
        self.dense = layers.Dense(1, activation=activation)

    def call(self, x):
        return {"yes": self.dense(layers.Flatten()(keras.ops.cast(x, "float32")))}


LOGITS, PROBABILITIES = (keras.losses.BinaryCrossentropy(from_logits=value) for value in (True, False))


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("made", "loss", "found"),
    [
        (None, PROBABILITIES, "from_logits=False"),
        ("softmax", None, "softmax, which is 1 whatever the model learns"),
        ("sigmoid", LOGITS, "from_logits=True"),
        (None, "mse", "no activation"),
        (None, LOGITS, ""),
        ("sigmoid", "mse", ""),
    ],
)
def test_values_show_a_loss_that_misreads_an_output_whose_layer_is_unknown(made, loss, found):
    feed = ph.Feed(DATA, inputs="x", heads={"yes": ph.Binary(loss=loss)})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            ph.compile(Subclassed(made), feed, optimizer="sgd")
            refused = ""
        except ph.ContractError as error:
            refused = error.problems[0].found
    said = [str(one.message) for one in told if isinstance(one.message, ph.PolyheadWarning)]
    certain = loss is PROBABILITIES or made == "softmax"
    assert (refused, len(said)) == (found if certain else "", int(bool(found) and not certain))
    assert certain or not found or f"got {found}" in said[0]


@pytest.mark.once
def test_pixels_are_made_large_as_well_to_tell_logits_from_probabilities():
    """Logits of similar dark images are all alike, and may all be in 0-1."""
    data = {"image": np.full((8, 4, 4, 3), 3, "uint8"), "yes": np.arange(8) % 2}
    feed = ph.Feed(data, inputs={"image": ph.Image(dtype="uint8")}, heads=YES)
    model = Subclassed(None)
    model.dense.kernel_initializer = keras.initializers.Constant(0.004)
    ph.compile(model, feed, optimizer="sgd")
    value = 0.004 * 3 * 48
    wanted = np.log1p(np.exp(value)) - 0.5 * value
    assert np.isclose(model.evaluate(feed, verbose=0, return_dict=True)["loss"], wanted, rtol=1e-4)


class Own(keras.Model):
    """A model whose outputs are known to the checks only once it is called."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, list(parts)

    def call(self, x):
        return {"yes": self.function(x, *self.parts)}


SIMILAR = np.full((8, 4), 50_000.5, "float32")
CASES = {
    "a sigmoid that is 1 for all rows": (
        lambda x, total: ops.sigmoid(total(ops.abs(x))),
        [],
        SIMILAR,
        PROBABILITIES,
    ),
    "shares that add up to more than 1": (
        lambda x, total: ops.sigmoid(total(ops.abs(x))) + 1e-6,
        [],
        SIMILAR,
        PROBABILITIES,
    ),
    "logits of bounded features": (
        lambda x, total, gru: 0.02 * total(gru(ops.abs(x)[..., None])) ** 2,
        [lambda: layers.GRU(4)],
        SIMILAR,
        LOGITS,
    ),
    "ids as floats": (
        lambda x, total, words: ops.sigmoid(total(words(x[:, 0]))),
        [lambda: layers.Embedding(5, 2)],
        np.ones((8, 1), "float32"),
        PROBABILITIES,
    ),
    "ids beside numbers": (
        lambda x, total, words: ops.sigmoid(total(words(ops.cast(x[:, 0], "int32"))) + x[:, 1:]),
        [lambda: layers.Embedding(5, 2)],
        np.tile(np.float32([4, 0.5]), (8, 1)),
        PROBABILITIES,
    ),
    "one-hot ids": (
        lambda x, total: ops.sigmoid(total(ops.one_hot(ops.cast(x[:, 0], "int32"), 5))),
        [],
        np.ones((8, 1), "float32"),
        PROBABILITIES,
    ),
}


@pytest.mark.once
@pytest.mark.parametrize("default", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_values_do_not_contradict_a_loss_that_is_right(case, default):
    function, parts, x, loss = CASES[case]
    head = ph.Binary() if default else ph.Binary(loss=loss)
    feed = ph.Feed({"x": x, "yes": np.arange(8) % 2}, inputs="x", heads={"yes": head})
    model = Own(function, layers.Dense(1, kernel_initializer="ones"), *(make() for make in parts))
    ph.compile(model, feed, optimizer="sgd")  # a warning is an error here
    assert model.loss["yes"].logits == (loss is LOGITS)
