"""`Feed.check` and `examine` check an output and its labels by one rule."""

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.doctor.model_signature import signature_of

pytestmark = pytest.mark.once

rng = np.random.default_rng(0)
X = rng.random((64, 3)).astype("float32")
ACTIVATIONS = (
    *("sigmoid", "hard_sigmoid", "tanh", "softsign", "relu6", "relu", "softplus", "exponential", "elu"),
    *("linear", "gelu", "silu"),
)


RANGES = [(-1, 1), (-4, 5), (0, 1), (0, 6), (0, 90), (-1.00005, 1.00005)]


def weights(labels, layer, loss="mse", head=None):
    """How `Feed.check` and `examine` check labels for one output: the codes of the mistakes in it."""
    x = keras.Input((3,), name="x")
    model = keras.Model(x, {"y": layer(x)})
    model.compile("sgd", loss)
    data, given = (
        {"x": X, "y": labels},
        labels[:, None] if labels.dtype.kind == "f" and labels.ndim == 1 else labels,
    )
    feed = ph.Feed(data, inputs="x", heads={"y": head or ph.Regression()}, batch_size=16)

    def generator():
        while True:
            for start in range(0, 64, 16):
                part = slice(start, start + 16)
                yield {"x": X[part]}, {"y": given[part]}

    reports = feed.check(model), ph.examine(generator, model, 8, steps_per_epoch=4)
    return tuple([(p.code, p.warning) for p in report.problems if "`y`" in p.place] for report in reports)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_what_an_activation_cannot_reach(activation, low, high):
    labels = np.linspace(low, high, 64).astype("float32")
    check, doctor = weights(labels, keras.layers.Dense(1, activation=activation, name="y"))
    assert check == doctor
    low_end, high_end = {
        "sigmoid": (0, 1), "hard_sigmoid": (0, 1), "tanh": (-1, 1), "softsign": (-1, 1), "relu6": (0, 6),
        "relu": (0, 99), "softplus": (0, 99), "exponential": (0, 99), "elu": (-1, 99),
    }.get(activation, (-99, 99))  # fmt: skip
    reached = low >= low_end - 1e-4 and high <= high_end + 1e-4
    assert check == ([] if reached else [("label-range", False)])


@pytest.mark.parametrize(
    ("given", "reached"), [({}, False), ({"max_value": 6}, False), ({"negative_slope": 0.1}, True)]
)
def test_a_layer_of_its_own_for_relu(given, reached):
    layers = keras.Sequential([keras.layers.Dense(1), keras.layers.ReLU(**given, name="y")])
    check, doctor = weights(np.linspace(-4, 5, 64).astype("float32"), layers)
    assert check == doctor == ([] if reached else [("label-range", False)])


YES = (X[:, 0] > 0.5).astype("float32")


@pytest.mark.parametrize(
    ("activation", "loss", "code"),
    [
        ("softmax", "binary_crossentropy", "one-unit-softmax"),
        (None, "binary_crossentropy", "logits"),
        ("sigmoid", keras.losses.BinaryCrossentropy(from_logits=True), "logits"),
        ("sigmoid", "binary_crossentropy", None),
        (None, keras.losses.BinaryCrossentropy(from_logits=True), None),
    ],
)
def test_an_activation_and_a_loss_against_each_other(activation, loss, code):
    check, doctor = weights(YES, keras.layers.Dense(1, activation=activation, name="y"), loss, ph.Binary())
    assert check == doctor == ([] if code is None else [(code, False)])


@keras.saving.register_keras_serializable("test_one_rule")
def own(z):
    """An activation that somebody wrote, of which nothing is known."""
    return keras.ops.sigmoid(z)


CLASSES = {
    "binary": (ph.Binary(), YES, 1, "binary_crossentropy", "sigmoid"),
    "ids": (ph.Categorical(3), (X * 2.99).astype(int)[:, 0], 3, "sparse_categorical_crossentropy", "softmax"),
    "several": (ph.MultiLabel(3), (X > 0.5).astype("float32"), 3, "binary_crossentropy", "sigmoid"),
}


@pytest.mark.parametrize(
    "activation", ["sigmoid", "hard_sigmoid", "softmax", "tanh", "relu", "softplus", "elu", "gelu", own]
)
@pytest.mark.parametrize("kind", CLASSES)
def test_each_activation_of_each_kind_of_head(kind, activation):
    head, labels, units, loss, proper = CLASSES[kind]
    labels = labels if kind == "ids" else labels.reshape(64, units)
    layer = keras.layers.Dense(units, activation=activation, name="y")
    check, doctor = weights(labels, layer, loss, head)
    if activation in (proper, own) or (proper == "sigmoid" and activation == "hard_sigmoid"):
        assert check == doctor == []
    elif proper == "softmax" and "sigmoid" in activation:
        assert check == doctor == [("activation", True)]
    elif activation == "softmax":
        assert check == doctor == [("activation" if units > 1 else "one-unit-softmax", False)]
    else:
        assert check == doctor == [("activation", False)]


KIND = np.arange(64) % 3


@pytest.mark.parametrize(
    "activation", ["tanh", "hard_tanh", "softsign", "relu", "relu6", "softplus", "elu", "gelu"]
)
@pytest.mark.parametrize(
    ("head", "units", "labels", "losses"),
    [
        (
            ph.Binary(),
            1,
            YES,
            [
                "binary_crossentropy",
                keras.losses.BinaryCrossentropy(from_logits=True),
                "binary_focal_crossentropy",
                "dice",
            ],
        ),
        (
            ph.Categorical(3),
            3,
            KIND,
            [
                "sparse_categorical_crossentropy",
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            ],
        ),
    ],
    ids=["binary", "classes"],
)
def test_an_activation_that_gives_no_probabilities(activation, head, units, labels, losses):
    for loss in losses:
        check, doctor = weights(labels, keras.layers.Dense(units, activation, name="y"), loss, head)
        assert check == doctor
        assert ("activation", False) in check


@pytest.mark.parametrize(
    ("labels", "activation", "loss", "head", "found"),
    [
        (YES, "sigmoid", "dice", ph.Binary(), []),
        (YES, "hard_sigmoid", "binary_crossentropy", ph.Binary(), []),
        (KIND, "sigmoid", "sparse_categorical_crossentropy", ph.Categorical(3), [("activation", True)]),
        (KIND, "softmax", "sparse_categorical_crossentropy", ph.Categorical(3), []),
    ],
)
def test_an_activation_that_gives_probabilities(labels, activation, loss, head, found):
    units = 3 if labels is KIND else 1
    check, doctor = weights(labels, keras.layers.Dense(units, activation, name="y"), loss, head)
    assert check == doctor == found


@pytest.mark.parametrize("loss", ["binary_crossentropy", "dice", keras.losses.BinaryFocalCrossentropy()])
def test_labels_that_a_loss_does_not_read(loss):
    check, doctor = weights(
        np.linspace(0, 9, 64).astype("float32"), keras.layers.Dense(1, "sigmoid", name="y"), loss
    )
    assert ("loss", False) in check
    assert doctor == [("label-range", False)]


@pytest.mark.parametrize(("rows", "codes"), [(64, [("constant", True)]), (29, [])])
def test_labels_that_are_the_same_in_every_row(rows, codes):
    """Few rows may be alike by chance; a row of several numbers counts as one label."""
    one_hot = np.tile(np.array([0, 1, 0], "float32"), (rows, 1))
    columns = {"x": X[:rows], "y": one_hot.argmax(1)}
    feed = ph.Feed(columns, inputs="x", heads={"y": ph.Categorical(3, one_hot=True)})
    x = keras.Input((3,), name="x")
    model = keras.Model(x, {"y": keras.layers.Dense(3, "softmax", name="y")(x)})
    reports = feed.check(model), ph.examine(({"x": X[:rows]}, {"y": one_hot}), model)
    for report in reports:
        assert [(p.code, p.warning) for p in report.problems if "`y`" in p.place] == codes


def test_losses_that_the_heads_chose_are_known_to_examine():
    """`ph.compile` wraps each loss; what it reads is that of the loss inside."""
    kind = np.arange(64, dtype="int32") % 3
    feed = ph.Feed({"x": X, "y": kind}, inputs="x", heads={"y": ph.Categorical(3)}, batch_size=16)
    x = keras.Input((3,), name="x")
    model = keras.Model(x, {"y": keras.layers.Dense(3, "softmax", name="y")(x)})
    ph.compile(model, feed, optimizer="sgd")
    assert ph.examine(({"x": X}, {"y": kind}), model).problems == ()
    wrong = ph.examine(({"x": X}, {"y": kind + 1}), model)
    assert [(p.code, p.found) for p in wrong.problems] == [("id-out-of-range", "3")]


def losses(x, outputs, given):
    """For each output the loss that `examine` takes it to have."""
    model = keras.Model(x, outputs)
    model.compile("sgd", given)
    side, _ = signature_of(model, X)
    return {slot.name: slot.loss for slot in side.outputs}


def test_a_list_of_losses_goes_to_a_dict_of_outputs_by_sorted_key():
    x = keras.Input((3,), name="x")
    yes, kind = keras.layers.Dense(1, activation="sigmoid")(x), keras.layers.Dense(3, activation="softmax")(x)
    given = ["sparse_categorical_crossentropy", "binary_crossentropy"]
    outputs = {"yes": yes, "kind": kind}
    assert losses(x, outputs, given) == {"yes": given[1], "kind": given[0]}
    labels = {"yes": np.ones((64, 1)), "kind": np.arange(64) % 3}
    model = keras.Model(x, outputs)
    model.compile("sgd", given)
    assert np.isfinite(model.train_on_batch(X, labels)).all()  # Keras takes them so


def test_losses_in_the_nesting_of_the_outputs():
    x = keras.Input((3,), name="x")
    outputs = {"a": {"p": keras.layers.Dense(1)(x)}, "b": keras.layers.Dense(1)(x)}
    assert losses(x, outputs, {"a": {"p": "mse"}, "b": "mae"}) == {
        "a/p": "mean_squared_error",
        "b": "mean_absolute_error",
    }
