"""Losses, and logged losses, that are right where labels are missing."""

import keras
import numpy as np
import pytest
from keras import ops

import polyhead as ph
from polyhead.keras_bridge.by_head import by_head
from polyhead.keras_bridge.losses import LabeledMean

RNG = np.random.default_rng(4)


def scalar(value):
    return float(ops.convert_to_numpy(value))


def test_the_mean_is_over_what_is_labeled():
    true, pred = RNG.random((6, 3), dtype=np.float32), RNG.random((6, 3), dtype=np.float32)
    weight = np.array([1, 0, 2, 0, 0, 1], np.float32)
    values = ((true - pred) ** 2).mean(1)
    found = LabeledMean("mse")(true, pred, weight)
    assert np.isclose(scalar(found), (values * weight).sum() / weight.sum(), rtol=1e-5)


def test_weights_of_masks_are_spread_over_their_pixels():
    true = RNG.integers(0, 2, (4, 5, 5, 1)).astype("float32")
    pred = RNG.random((4, 5, 5, 1), dtype=np.float32)
    weight = np.array([1, 0, 1, 0], np.float32).reshape(4, 1, 1)
    pixels = -(true * np.log(pred) + (1 - true) * np.log(1 - pred))
    found = LabeledMean("binary_crossentropy")(true, pred, weight)
    assert np.isclose(scalar(found), pixels[[0, 2]].mean(), rtol=1e-3)


def test_elementwise_weights_count_each_number():
    true, pred = RNG.random((6, 3), dtype=np.float32), RNG.random((6, 3), dtype=np.float32)
    weight = RNG.integers(0, 2, (6, 3)).astype("float32")
    found = LabeledMean(keras.losses.MeanAbsoluteError(), elementwise=True)(true, pred, weight)
    assert np.isclose(scalar(found), (np.abs(true - pred) * weight).sum() / weight.sum(), rtol=1e-5)


def test_a_batch_without_labels_has_a_loss_of_zero():
    zero = LabeledMean("mse")(np.ones((3, 2), "float32"), np.zeros((3, 2), "float32"), np.zeros(3, "float32"))
    assert scalar(zero) == 0


def test_class_ids_stay_whole_in_half_precision():
    ids = np.array([2999, 0], "int32")
    logits = np.zeros((2, 3000), "float16")
    logits[0, 2999] = 50
    found = LabeledMean(keras.losses.SparseCategoricalCrossentropy(from_logits=True))(ids[:1], logits[:1])
    assert scalar(found) < 1e-3


def test_a_loss_is_made_again_from_its_config():
    loss = LabeledMean(keras.losses.Huber(delta=0.5), elementwise=True, logits=True)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.elementwise
    assert again.logits
    assert again.loss.get_config() == loss.loss.get_config()
    plain = LabeledMean("mse")
    assert (
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(plain)).loss is plain.loss
    )


def problem(batch_size=8, missing=0.6, rows=40):
    x = RNG.random((rows, 3), dtype=np.float32)
    value = RNG.random((rows, 2))
    value[RNG.random(rows) < missing] = np.nan
    value[: rows // 2 if batch_size < rows else 0] = np.nan  # whole batches without a label
    odd = RNG.integers(0, 2, rows)
    inputs = keras.Input((3,), name="x")
    hidden = keras.layers.Dense(5, activation="tanh")(inputs)
    heads = {
        "value": ph.Regression(2, weight=0.3),
        "odd": ph.Binary(class_weight={0: 1.0, 1: 3.0}),
    }
    feed = ph.Feed({"x": x, "value": value, "odd": odd}, inputs="x", heads=heads, batch_size=batch_size)
    model = keras.Model(inputs, ph.outputs(hidden, feed))
    return feed, model, x, value, odd


def expected(model, x, value, odd):
    pred = model.predict(x, verbose=0)
    there = ~np.isnan(value[:, 0])
    regression = ((pred["value"] - value)[there] ** 2).mean()
    p = np.clip(pred["odd"][:, 0].astype("float64"), 1e-7, 1 - 1e-7)
    weight = np.where(odd == 1, 3.0, 1.0)
    binary = (weight * -np.log(np.where(odd == 1, p, 1 - p))).sum() / weight.sum()
    return {
        "value_loss": regression,
        "odd_loss": binary,
        "loss": 0.3 * regression + binary,
        "value_mae": np.abs((pred["value"] - value)[there]).mean(),
        "odd_accuracy": (weight * ((p > 0.5) == odd)).sum() / weight.sum(),
    }


def test_logged_losses_are_means_over_what_was_labeled_in_the_epoch():
    feed, model, x, value, odd = problem()
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    wanted = expected(model, x, value, odd)
    found = model.fit(feed, epochs=1, verbose=0, validation_data=feed).history
    for name, number in wanted.items():
        assert np.isclose(found[name][0], number, rtol=1e-3), name
        assert np.isclose(found[f"val_{name}"][0], number, rtol=1e-3), name


def test_a_model_s_own_losses_stay_in_the_total():
    feed, _, x, value, odd = problem()
    inputs = keras.Input((3,), name="x")
    hidden = keras.layers.Dense(5, kernel_regularizer=keras.regularizers.L2(0.1))(inputs)
    model = keras.Model(inputs, ph.outputs(hidden, feed))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    kernel = ops.convert_to_numpy(model.layers[1].kernel)
    found = model.evaluate(feed, verbose=0, return_dict=True)
    wanted = expected(model, x, value, odd)
    assert np.isclose(found["loss"], wanted["loss"] + 0.1 * (kernel**2).sum(), rtol=1e-3)


def test_a_step_s_gradient_is_that_of_the_labeled_rows_alone():
    feed, model, x, value, odd = problem(batch_size=40, missing=0.5)
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.5))
    start = model.get_weights()
    there = ~np.isnan(value[:, 0])
    model.fit(feed, epochs=1, verbose=0)
    after = model.get_layer("value").get_weights()
    model.set_weights(start)
    model.compile(
        optimizer=keras.optimizers.SGD(0.5),
        loss={"value": "mse", "odd": "mse"},
        loss_weights={"value": 0.3, "odd": 0.0},
    )
    labeled = {"value": value[there], "odd": odd[there][:, None].astype("float32")}
    model.fit(x[there], labeled, batch_size=40, epochs=1, verbose=0, shuffle=False)
    for mine, plain in zip(after, model.get_layer("value").get_weights(), strict=True):
        assert np.allclose(mine, plain, atol=1e-5)


@pytest.fixture
def double_precision():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has double precision only if told so before it starts")
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(policy)


def test_training_in_double_precision(double_precision):
    x, y = RNG.random((9, 3)), RNG.random((9, 2))
    y[4, 1] = np.nan
    data = {"x": x, "y": y, "sick": [1, 0, None] * 3}
    heads = {"y": ph.Regression(2), "sick": ph.Binary(weight=0)}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=3)
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, ph.outputs(inputs, feed))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    outputs = model.predict(x, verbose=0)
    wanted = np.nanmean((outputs["y"] - y) ** 2)
    assert model.fit(feed, verbose=0).history["y_loss"][0] == pytest.approx(wanted, rel=1e-5)
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(wanted, rel=1e-5)
    bins = np.ceil(outputs["sick"] * 199)
    assert logs["sick_auc"] == pytest.approx((1 + np.sign(bins[::3] - bins[1::3].T).mean()) / 2)


def test_training_with_a_user_s_loss_and_metrics():
    feed, model, *_ = problem()
    own = feed.on(
        {"x": np.ones((8, 3), "float32"), "value": np.ones((8, 2)), "odd": np.ones(8)},
        heads={
            "value": ph.Regression(2, loss=lambda t, p: ops.mean(ops.abs(t - p), axis=-1), metrics=["mse"]),
            "odd": ph.Binary(loss="binary_focal_crossentropy", metrics=[]),
        },
    )
    ph.compile(model, own, optimizer="adam")
    logs = model.fit(own, epochs=1, verbose=0).history
    assert set(logs) == {"loss", "value_loss", "odd_loss", "value_mean_squared_error"} or set(logs) == {
        "loss",
        "value_loss",
        "odd_loss",
        "value_mse",
    }


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_logits_and_probabilities_are_told_apart(activation):
    x = RNG.random((16, 3), dtype=np.float32)
    odd = RNG.integers(0, 2, 16)

    class Sub(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(
                1, activation=activation, kernel_initializer=keras.initializers.RandomNormal(stddev=5, seed=1)
            )

        def call(self, x):
            return {"odd": self.dense(x - 0.5)}

    inputs = keras.Input((3,), name="x")
    functional = keras.Model(inputs, keras.layers.Dense(1, activation=activation, name="odd")(inputs))
    for model in (Sub(), functional):
        feed = ph.Feed({"x": x, "odd": odd}, inputs="x", heads={"odd": ph.Binary()}, batch_size=16)
        ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
        found = model.evaluate(feed, verbose=0, return_dict=True)
        raw = model.predict(x, verbose=0)
        raw = (raw["odd"] if isinstance(raw, dict) else raw)[:, 0].astype("float64")
        p = raw if activation else 1 / (1 + np.exp(-raw))
        p = np.clip(p, 1e-7, 1 - 1e-7)
        assert np.isclose(found["odd_loss"], -np.log(np.where(odd == 1, p, 1 - p)).mean(), rtol=1e-2)
        assert np.isclose(found["odd_accuracy"], ((p > 0.5) == odd).mean())


def by_hand(labels, form):
    """The mean cross-entropy of labels and probabilities in NumPy."""

    def mean(p):
        p = np.clip(p.astype("float64"), 1e-7, 1 - 1e-7)
        if form == "classes":
            return -np.log(p[np.arange(len(p)), labels]).mean()
        return -np.log(np.where(labels.reshape(p.shape) == 1, p, 1 - p)).mean()

    return mean


YES, KIND, TAGS = RNG.integers(0, 2, 16), RNG.integers(0, 3, 16), RNG.integers(0, 2, (16, 3))
CROSSENTROPIES = {
    "binary": (ph.Binary(loss="crossentropy"), YES, by_hand(YES, "binary")),
    "ids": (ph.Categorical(3, loss="ce"), KIND, by_hand(KIND, "classes")),
    "one-hot": (ph.Categorical(3, one_hot=True, loss="CE"), KIND, by_hand(KIND, "classes")),
    "tags": (ph.MultiLabel(3, loss="Crossentropy"), TAGS, by_hand(TAGS, "binary")),
    "numbers": (ph.Regression(loss="ce"), YES, by_hand(YES, "binary")),
}


@pytest.mark.few(3)
@pytest.mark.parametrize("case", CROSSENTROPIES)
def test_crossentropy_is_the_one_that_suits_the_labels(case):
    head, labels, mean = CROSSENTROPIES[case]
    x = RNG.random((16, 3), dtype=np.float32)
    feed = ph.Feed({"x": x, "y": labels}, inputs="x", heads={"y": head}, batch_size=5)
    inputs = keras.Input((3,), name="x")
    activation = "softmax" if case in ("ids", "one-hot") else "sigmoid"
    output = keras.layers.Dense(head.output_shape[-1], activation=activation, name="y")(inputs)
    model = ph.compile(keras.Model(inputs, {"y": output}), feed, optimizer="sgd")
    found = model.evaluate(feed, verbose=0, return_dict=True)["loss"]
    assert found == pytest.approx(mean(model.predict(x, verbose=0)["y"]), rel=1e-4)
    if case in ("ids", "binary"):  # as Keras takes it
        model.compile("sgd", loss={"y": "crossentropy"})
        assert feed.check(model).ok
        assert model.evaluate(feed, verbose=0, return_dict=True)["loss"] == pytest.approx(found, rel=1e-4)


def test_arguments_that_belong_to_a_head_are_refused():
    feed, model, *_ = problem()
    with pytest.raises(ph.ContractError) as error:
        ph.compile(model, feed, optimizer="adam", loss="mse")
    assert str(error.value) == (
        "compile(loss=): expected no loss= together with a Feed, whose heads have it, got 'mse'. Set it on a head: "
        "ph.Regression(loss=...)."
    )


# Given by hand ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The structure of `inputs`")  # a loaded model of Keras 3.10
def test_labels_without_weights_are_divided_by_their_number_alone(tmp_path):
    x = RNG.random((20, 3), dtype=np.float32)
    rare = np.where(np.arange(20) % 4, np.nan, 3.0)  # the mean weight is 0.25
    feed = ph.Feed({"x": x, "y": rare}, inputs="x", heads={"y": ph.Regression()}, batch_size=5)
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, {"y": keras.layers.Dense(1, kernel_initializer="zeros", name="y")(inputs)})
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.1))
    model.save(tmp_path / "model.keras")
    labels = {"y": np.full((20, 1), 2.0, "float32")}
    for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
        assert one.evaluate(x, labels, batch_size=8, verbose=0, return_dict=True)["loss"] == pytest.approx(
            4.0
        )
        one.train_on_batch(x, labels)
        assert one.get_weights()[1] == pytest.approx([0.1 * 2 * 2.0], rel=1e-5)


def three_heads(wrap):
    """A compiled model with a number, a class and a mask, and labels and weights for it by head."""
    data = {
        "x": np.zeros((4, 2, 2, 1), "float32"),
        "number": np.ones(4, "float32"),
        "kind": np.array([0, 1, 2, 0]),
        "mask": np.zeros((4, 2, 2), "uint8"),
    }
    heads = {"number": ph.Regression(), "kind": ph.Categorical(3), "mask": ph.Mask(2)}
    feed = ph.Feed(data, inputs={"x": ph.Array()}, heads=heads, batch_size=4)
    x = keras.Input((2, 2, 1), name="x")
    made = ph.outputs(x, feed.heads)
    model = keras.Model(x, wrap(made))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    labels = {
        "number": np.ones((4, 1), "float32"),
        "kind": np.array([0, 1, 2, 0], "int32"),
        "mask": np.zeros((4, 2, 2), "int32"),
    }
    return model, data["x"], labels


STRUCTURES = {
    "dict": dict,
    "list": lambda made: list(made.values()),
    "nested": lambda made: {"all": [made["number"], made["kind"]], "more": {"mask": made["mask"]}},
    "under names of heads": lambda made: {
        "number": (made["number"],),
        "kind": {"out": made["kind"]},
        "mask": made["mask"],
    },
}


@pytest.mark.few(2)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_labels_by_hand_in_the_models_structure_or_by_head(structure):
    model, x, labels = three_heads(STRUCTURES[structure])

    def logs(*given):
        model.reset_metrics()  # older versions of Keras go on counting
        return model.test_on_batch(x, *given, return_dict=True)

    placed = STRUCTURES[structure](labels)
    assert logs(placed) == logs(labels)
    weights = np.array([1, 0, 0, 0], "float32")
    one = logs(labels, weights)
    each = logs(placed, STRUCTURES[structure](dict.fromkeys(labels, weights)))
    assert one == each
    assert one["kind_accuracy"] in (0.0, 1.0)


@pytest.mark.parametrize(
    ("head", "label", "message"),
    [
        (
            "number",
            np.ones(4, "float32"),
            "head `number`: expected labels of shape (B, 1), like the output, got float32 (B,). Give "
            "labels[:, None].",
        ),
        (
            "number",
            np.ones(4, "int32"),
            "head `number`: expected labels of shape (B, 1), like the output, got int32 (B,). Give "
            "labels[:, None].",
        ),
        (
            "number",
            np.ones((3, 1), "float32"),
            "head `number`: expected labels of shape (4, 1), like the output, got float32 (3, 1).",
        ),
        (
            "kind",
            np.zeros(4, "float32"),
            "head `kind`: expected labels of shape (B, 3), like the output, or class ids of shape (B,), got "
            "float32 (B,).",
        ),
        (
            "mask",
            np.zeros((4, 2), "int32"),
            "head `mask`: expected labels of shape (B, 2, 2, 2), like the output, or class ids of shape (B, 2, "
            "2), got int32 (B, 2).",
        ),
    ],
)
def test_labels_by_hand_of_another_shape_are_refused(head, label, message):
    model, x, labels = three_heads(dict)
    with pytest.raises(ph.ContractError) as error:
        model.train_on_batch(x, {**labels, head: label})
    assert str(error.value) == message


def test_no_labels_for_one_head_are_refused():
    with pytest.raises(ph.ContractError, match=r"got nothing\. A feed does that: model\.fit\(feed, "):
        by_head(None, {"y": ("y",)})


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        (np.ones((4, 1), "float32"), "one array of shape (4, 1)"),
        ({"number": np.ones(4, "float32")}, "dict with ['number']"),
    ],
)
def test_weights_by_hand_for_some_heads_are_refused(weights, found):
    model, x, labels = three_heads(dict)
    with pytest.raises(ph.ContractError) as error:
        model.train_on_batch(x, labels, weights)
    assert str(error.value) == (
        "weights: expected weights for each head, in the model's structure (`number` at ['number'], `kind` at "
        f"['kind'], `mask` at ['mask']), got {found}. A feed does that: "
        "model.fit(feed, validation_data=feed.on(rows))."
    )


def test_labels_of_a_single_output_need_no_container():
    feed = ph.Feed({"x": np.zeros((4, 2)), "y": np.ones(4)}, inputs="x", heads={"y": ph.Regression()})
    x = keras.Input((2,), name="x")
    y = keras.layers.Dense(1, name="y", kernel_initializer="zeros")(x)
    labels = np.ones((4, 1), "float32")
    for outputs in (y, [y], {"y": y}):
        model = ph.compile(keras.Model(x, outputs), feed, optimizer=keras.optimizers.SGD(0.0))
        for given in (labels, [labels], {"y": labels}):
            assert model.train_on_batch(np.zeros((4, 2), "float32"), given, return_dict=True)["loss"] == 1.0


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow leaves shapes open")
def test_a_shape_that_the_trace_leaves_open_is_asked_for_in_the_step():
    model, x, labels = three_heads(dict)
    for rows in (4, 3, 2):
        model.train_on_batch(x[:rows], {name: label[:rows] for name, label in labels.items()})
    with pytest.raises(Exception, match=r"Shape of tensor \S+ \[4,3\] is not compatible with expected shape"):
        model.train_on_batch(x, {**labels, "number": np.ones((4, 3), "float32")})


def test_weights_of_several_ranks_go_with_their_rows():
    model, x, labels = three_heads(dict)
    rows = np.array([1, 0, 0, 1], "float32")
    pixels = rows[:, None, None] * np.ones((1, 2, 2), "float32")

    def loss(mask):
        model.reset_metrics()
        found = model.test_on_batch(x, labels, {"number": rows, "kind": rows, "mask": mask}, return_dict=True)
        return found["mask_loss"], found["mask_iou"]

    several = [loss(rows), loss(rows[:, None, None]), loss(pixels), loss(rows), loss(pixels)]
    assert several == [several[0]] * 5


def test_class_ids_in_maps_train_on_every_backend():
    rng = np.random.default_rng(0)
    image = rng.random((24, 8, 8, 3), dtype=np.float32)
    data = {"image": image, "mask": (image[..., 0] * 3).astype("int64")}
    feed = ph.Feed(data, inputs="image", heads={"mask": ph.Mask(3)}, batch_size=8)
    x = keras.Input((8, 8, 3), name="image")
    features = keras.layers.Conv2D(16, 1, activation="relu")(x)
    model = keras.Model(x, ph.outputs(features, feed.heads))
    ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.02))
    losses = model.fit(feed, epochs=8, verbose=0).history["mask_loss"]
    assert losses[-1] < 0.8 * losses[0]
    found = model.predict(feed, verbose=0)["mask"]
    by_hand = -np.log(np.take_along_axis(found, data["mask"][..., None], axis=-1)).mean()
    assert model.evaluate(feed, return_dict=True, verbose=0)["mask_loss"] == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow leaves shapes open")
def test_weights_of_rows_are_spread_over_an_axis_of_open_length():
    import tensorflow as tf

    spec, weight = tf.TensorSpec((None, None, 1)), np.array([[1.0], [3.0]], "float32")
    measure = tf.function(LabeledMean("mse").measure, [spec, spec, tf.TensorSpec((None, None))])
    found = measure(np.zeros((2, 4, 1)), np.ones((2, 4, 1)), weight)
    assert [scalar(value) for value in found] == [1, 16, 16]
