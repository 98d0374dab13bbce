"""Losses that are not the default ones: of whole vectors, of a batch, sums, with masks, infinite at a filler."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import polyhead as ph
from polyhead.keras_bridge.losses import LabeledMean

RNG = np.random.default_rng(11)
X = RNG.normal(size=(20, 4)).astype("float32")


def problem(column, head, output, batch_size=5, x=X, start=None, **compiled):
    """A compiled model with one head `y`, its feed, and what it predicts. JAX compiles batches of one size once."""
    keras.utils.set_random_seed(0)
    feed = ph.Feed({"x": x, "y": column}, inputs={"x": ph.Array()}, heads={"y": head}, batch_size=batch_size)
    tensor = keras.Input(x.shape[1:], name="x")
    model = keras.Model(tensor, {"y": output(start(tensor) if start else tensor)})
    pred = ops.convert_to_numpy(model(x)["y"]).astype("float64")
    ph.compile(model, feed, **{"optimizer": keras.optimizers.SGD(0.0), **compiled})
    return model, feed, pred


def logged(model, feed, name="y_loss"):
    """A log of fit without learning and of evaluate, which are the same."""
    fitted = model.fit(feed, verbose=0).history[name][0]
    evaluated = model.evaluate(feed, verbose=0, return_dict=True)[name]
    assert fitted == pytest.approx(evaluated, rel=1e-4)
    return fitted


# What stands where a label is missing ------------------------------------------------------------------


def log_error(t, p):
    return ops.mean(ops.square(ops.log(t) - ops.log(p)), axis=-1)


def gamma_deviance(t, p):
    return ops.mean(2 * (t / p - ops.log(t / p) - 1), axis=-1)


def overlap(t, p):
    return -ops.log(ops.sum(t * p, axis=-1))


LOGARITHMS = {
    "a number": (log_error, 1, lambda t, p: ((np.log(t) - np.log(p)) ** 2).mean(-1), None),
    "numbers, one missing": (log_error, 3, lambda t, p: (np.log(t) - np.log(p)) ** 2, (0, 1)),
    "a ratio": (gamma_deviance, 2, lambda t, p: (2 * (t / p - np.log(t / p) - 1)).mean(-1), None),
    "a logarithm of a sum": (overlap, 3, lambda t, p: -np.log((t * p).sum(-1)), None),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("case", LOGARITHMS)
def test_a_loss_may_be_infinite_where_a_label_is_missing(case):
    loss, width, formula, single = LOGARITHMS[case]
    column = np.exp(RNG.normal(size=(20, width)))
    column[::5] = np.nan
    column[5:10] = np.nan  # a whole batch without a label
    if single:
        column[single] = np.nan
    output = layers.Dense(width, activation="softplus", name="y")
    model, feed, pred = problem(
        column, ph.Regression(width, loss=loss, metrics=[loss]), output, optimizer=keras.optimizers.SGD(1e-3)
    )
    wanted = np.nanmean(formula(column, pred))
    found = model.evaluate(feed, verbose=0, return_dict=True)
    assert found["y_loss"] == pytest.approx(wanted, rel=1e-3)
    assert found[f"y_{loss.__name__}"] == pytest.approx(wanted, rel=1e-3)  # which Keras makes NaN
    before = model.get_weights()
    model.fit(feed, epochs=2, verbose=0)
    assert all(np.isfinite(array).all() for array in model.get_weights())
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


def test_an_output_that_a_loss_cannot_take_does_no_harm_where_a_label_is_missing():
    column = np.where(np.arange(20) % 2, np.exp(RNG.normal(size=20)), np.nan)
    start = layers.Lambda(lambda x: ops.relu(x[:, :1]) * 0 + ops.cast(x[:, 1:2] > 0, "float32"))
    x = X.copy()
    x[:, 1] = np.where(np.arange(20) % 2, 1, -1)  # the output is 0 where no label is
    head = ph.Regression(loss=log_error, metrics=[])
    output = layers.Dense(1, use_bias=False, kernel_initializer="ones", name="y")
    model, feed, _ = problem(column, head, output, x=x, start=start, optimizer=keras.optimizers.SGD(1e-3))
    model.fit(feed, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()


# Whole vectors -----------------------------------------------------------------------------------------


def summed(t, p):
    return ops.sum(ops.square(t - p), axis=-1)


def cosine(t, p):
    return -(t * p).sum(-1) / np.linalg.norm(t, axis=-1) / np.linalg.norm(p, axis=-1)


VECTORS = {
    "cosine_similarity": cosine,
    "kl_divergence": lambda t, p: (t * np.log(t / p)).sum(-1),
    "categorical_crossentropy": lambda t, p: -(t * np.log(p)).sum(-1),
    "sum of squares": lambda t, p: ((t - p) ** 2).sum(-1),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("initializer", ["zeros", "ones"])
@pytest.mark.parametrize(
    "head",
    [
        ph.Embedding(3),
        ph.Regression(3, loss="cosine_similarity"),
        ph.Regression(3, loss=keras.losses.CosineSimilarity()),
    ],
    ids=["default", "name", "object"],
)
def test_cosine_similarity_learns_from_outputs_of_zeros(head, initializer):
    """Keras's own gradient of them is NaN, and so is the whole model after the first step."""
    labels, x = RNG.normal(size=(20, 3)), X.copy()
    x[:7] = 0  # of a layer without bias this gives zeros, as a ReLU does that cuts off all
    labels[3] = np.nan
    dense = layers.Dense(3, use_bias=False, kernel_initializer=initializer, name="y")
    model, feed, pred = problem(labels, head, dense, batch_size=20, x=x, optimizer=keras.optimizers.SGD(0.1))
    before = ops.convert_to_numpy(dense.kernel).copy()
    with np.errstate(invalid="ignore"):
        losses = -(labels * pred).sum(-1) / np.linalg.norm(labels, axis=-1) / np.linalg.norm(pred, axis=-1)
    there = ~np.isnan(labels).any(1)
    zero = ~pred.any(1)
    wanted = np.where(zero, 0, losses)[there].mean()
    assert model.fit(feed, verbose=0).history["loss"][0] == pytest.approx(wanted, abs=1e-5)
    to = labels / np.linalg.norm(labels, axis=-1, keepdims=True)
    length = np.where(zero, 1, np.linalg.norm(pred, axis=-1))[:, None]
    along = np.where(zero[:, None], 0, pred / length)
    gradient = -(to - (to * along).sum(-1, keepdims=True) * along) / length
    step = 0.1 * x[there].T @ gradient[there] / there.sum()
    np.testing.assert_allclose(ops.convert_to_numpy(dense.kernel), before - step, atol=1e-5)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("loss", "sample_weight"),
    [
        *((loss, True) for loss in VECTORS),
        ("kl_divergence", False),
        *(pytest.param(loss, False, marks=pytest.mark.full) for loss in VECTORS if loss != "kl_divergence"),
    ],
)
def test_a_loss_of_whole_vectors_counts_the_rows_that_are_whole(loss, sample_weight):
    shares = RNG.dirichlet(np.ones(4), 20)
    shares[5, 2] = shares[7, 0] = np.nan
    shares[9] = np.nan
    given = loss if loss in dir(keras.losses) else summed
    weight = RNG.uniform(0.5, 2, 20) if sample_weight else np.ones(20)
    feed = ph.Feed(
        {"x": X, "y": shares, "w": weight},
        inputs="x",
        heads={"y": ph.Regression(4, loss=given, metrics=["cosine_similarity", "mae"], sample_weight="w")},
        batch_size=5,
    )
    x = keras.Input((4,), name="x")
    model = keras.Model(x, {"y": layers.Dense(4, activation="softmax", name="y")(x)})
    pred = ops.convert_to_numpy(model(X)["y"]).astype("float64")
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    whole = ~np.isnan(shares).any(1)
    wanted = np.average(VECTORS[loss](shares, pred)[whole], weights=weight[whole])
    assert logged(model, feed) == pytest.approx(wanted, rel=1e-3)
    wanted = np.average(-cosine(shares, pred)[whole], weights=weight[whole])
    assert logged(model, feed, "y_cosine_similarity") == pytest.approx(wanted, rel=1e-3)
    there = ~np.isnan(shares)
    wanted = np.average(
        np.abs(shares - pred)[there], weights=np.broadcast_to(weight[:, None], (20, 4))[there]
    )
    assert logged(model, feed, "y_mae") == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (ph.MultiLabel(3, class_weight={0: 2.0}, loss=summed), "class_weight"),
        (ph.Regression(3, sample_weight="w", loss=summed), "sample_weight"),
    ],
)
def test_weights_of_each_label_do_not_go_with_a_loss_of_whole_vectors(head, word):
    data = {"x": X, "y": RNG.integers(0, 2, (20, 3)), "w": np.ones((20, 3))}
    feed = ph.Feed(data, inputs="x", heads={"y": head})
    x = keras.Input((4,), name="x")
    model = keras.Model(x, {"y": layers.Dense(3, activation="sigmoid", name="y")(x)})
    with pytest.raises(ph.ContractError) as error:
        ph.compile(model, feed, optimizer="sgd")
    assert (
        f"head `y`: expected a loss that has a value for each label, as {word}= weighs each label, got "
        "summed, which reads all labels of a row at once."
    ) in str(error.value)


# One number for a batch, and sums ------------------------------------------------------------------------


def of_batch(t, p):
    return ops.mean(ops.abs(t - p))


def of_batch_with_axes(t, p):
    return ops.mean(ops.abs(t - p), keepdims=True)


def of_columns(t, p):
    return ops.mean(ops.abs(t - p), axis=0)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "loss", [of_batch, of_batch_with_axes, of_columns, keras.losses.MeanSquaredError(reduction="sum")]
)
def test_a_loss_of_one_number_and_a_sum_are_logged_as_keras_logs_them(loss):
    column = RNG.normal(size=20)  # 20 rows in batches of 8: the last one is short
    head = ph.Regression(loss=loss, metrics=[])
    output, optimizer = layers.Dense(1, name="y"), keras.optimizers.SGD(0.01)
    model, feed, _ = problem(column, head, output, batch_size=8, optimizer=optimizer)
    plain = keras.Model.from_config(model.get_config())
    plain.set_weights(model.get_weights())
    plain.compile(optimizer=keras.optimizers.SGD(0.01), loss={"y": loss})
    given = (X, {"y": column[:, None]})
    wanted = plain.evaluate(*given, batch_size=8, verbose=0, return_dict=True)["loss"]
    found = model.evaluate(feed, verbose=0, return_dict=True)
    assert found["y_loss"] == found["loss"] == pytest.approx(wanted, rel=1e-4)
    wanted = plain.fit(*given, batch_size=8, shuffle=False, verbose=0).history["loss"]
    assert model.fit(feed, verbose=0).history["loss"] == pytest.approx(wanted, rel=1e-4)
    assert model.get_weights()[0] == pytest.approx(plain.get_weights()[0], rel=1e-4)


@pytest.mark.parametrize(("loss", "width"), [(of_batch, 1), (of_batch_with_axes, 1), (of_columns, 2)])
def test_a_loss_that_joins_rows_is_refused_where_labels_are_missing(loss, width):
    column = RNG.normal(size=(20, width))
    column[3] = np.nan
    with pytest.raises(ph.ContractError) as error:
        problem(column, ph.Regression(width, loss=loss), layers.Dense(width, name="y"))
    assert str(error.value).startswith(
        "head `y`: expected a loss with one value a row, as labels can be missing or are weighted, got one number for "
        "the whole batch."
    )


def test_a_sum_leaves_out_what_is_not_labeled():
    column = RNG.normal(size=20)
    column[::3] = np.nan
    head = ph.Regression(loss=keras.losses.MeanSquaredError(reduction="sum"), metrics=[])
    model, feed, pred = problem(column, head, layers.Dense(1, name="y"), batch_size=20)
    assert logged(model, feed) == pytest.approx(np.nansum((pred[:, 0] - column) ** 2), rel=1e-4)


@pytest.mark.parametrize("by", ["normalize", "reduction"])
def test_a_batch_may_be_divided_by_its_own_weights(by):
    column = RNG.normal(size=8)
    column[1:5] = np.nan
    loss = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight" if by == "reduction" else "mean")
    more = {"normalize": "batch"} if by == "normalize" else {}
    head = ph.Regression(loss=loss, metrics=[])
    model, feed, pred = problem(
        column,
        head,
        layers.Dense(1, name="y"),
        batch_size=4,
        x=X[:8],
        optimizer=keras.optimizers.SGD(1.0),
        **more,
    )
    bias = model.get_weights()[1]
    model.train_on_batch(*feed.peek())  # one label of four
    assert bias - model.get_weights()[1] == pytest.approx(2 * (pred[0] - column[0]), rel=1e-4)


def test_normalize_is_one_of_two():
    feed = ph.Feed({"x": X, "y": X[:, 0]}, inputs="x", heads={"y": ph.Regression()})
    x = keras.Input((4,), name="x")
    with pytest.raises(ph.ContractError, match=r'compile\(normalize=\): expected "data" or "batch"'):
        ph.compile(keras.Model(x, layers.Dense(1, name="y")(x)), feed, optimizer="sgd", normalize="rows")


def test_a_feed_whose_heads_all_weigh_nothing_is_refused():
    heads = {"y": ph.Regression(weight=0), "z": ph.Regression(weight=0, column="y")}
    feed = ph.Feed({"x": X, "y": X[:, 0]}, inputs="x", heads=heads)
    x = keras.Input((4,), name="x")
    model = keras.Model(x, ph.outputs(x, feed))
    with pytest.raises(ph.ContractError, match="heads: expected a head whose weight is above 0"):
        ph.compile(model, feed, optimizer="sgd")


# Masks of Keras ------------------------------------------------------------------------------------------

STEPS = np.arange(5) < RNG.integers(1, 6, 20)[:, None]
SERIES = np.where(STEPS[..., None], RNG.normal(size=(20, 5, 3)), 0).astype("float32")


@pytest.mark.parametrize(
    ("width", "missing"),
    [
        *((1, False), (2, True)),
        *(pytest.param(*case, marks=pytest.mark.full) for case in ((1, True), (2, False))),
    ],
)
def test_steps_that_a_layer_masks_count_for_nothing(width, missing):
    column = np.where(STEPS[..., None], RNG.normal(size=(20, 5, width)), 50)
    if missing:
        column[::4] = np.nan
    column[1, 0, 0] = np.nan if missing and width > 1 else column[1, 0, 0]
    head = ph.Regression((5, width), metrics=["mae", keras.metrics.RootMeanSquaredError(name="rmse")])
    model, feed, pred = problem(
        column, head, layers.Dense(width, name="y"), x=SERIES,
        start=lambda x: layers.LSTM(4, return_sequences=True)(layers.Masking()(x)),
    )  # fmt: skip
    counts = STEPS[..., None] & ~np.isnan(column)
    apart = (pred - column)[counts]
    assert logged(model, feed) == pytest.approx((apart**2).mean(), rel=1e-4)
    assert logged(model, feed, "y_mae") == pytest.approx(np.abs(apart).mean(), rel=1e-4)
    assert logged(model, feed, "y_rmse") == pytest.approx(np.sqrt((apart**2).mean()), rel=1e-4)


def test_a_step_divides_by_the_values_that_a_mask_leaves():
    column = np.where(STEPS[..., None], RNG.normal(size=(20, 5, 1)), 50)
    start = lambda x: layers.Masking()(x)  # noqa: E731
    output = layers.TimeDistributed(layers.Dense(1, kernel_initializer="zeros"), name="y")
    head = ph.Regression((5, 1), metrics=[])
    model, feed, _ = problem(
        column, head, output, x=SERIES, start=start, batch_size=20, optimizer=keras.optimizers.SGD(1.0)
    )
    model.fit(feed, verbose=0)
    assert model.get_weights()[1] == pytest.approx([2 * column[STEPS].mean()], rel=1e-4)


@pytest.mark.parametrize("of_pixels", [False, True])
def test_ignored_classes_count_for_nothing(of_pixels):
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=0)
    if of_pixels:
        x = RNG.random((8, 6, 6, 3)).astype("float32")
        column = RNG.integers(0, 3, (8, 6, 6))
        head, output = ph.Mask(3, loss=loss, metrics=[]), layers.Conv2D(3, 1, activation="softmax", name="y")
    else:
        x, column = X, RNG.integers(0, 3, 20)
        head = ph.Categorical(3, loss=loss, metrics=[])
        output = layers.Dense(3, activation="softmax", name="y")
    model, feed, pred = problem(column, head, output, x=x, batch_size=4)
    each = -np.log(np.take_along_axis(pred, column[..., None], -1)[..., 0])
    assert logged(model, feed) == pytest.approx(each[column != 0].mean(), rel=1e-4)


def test_pixels_take_the_cross_entropy_of_class_ids_by_name():
    column = (X > 0).reshape(-1, 2, 2) * 1
    head = ph.Mask(2, loss="sparse_categorical_crossentropy", metrics=[])
    layer = layers.Dense(8, kernel_initializer="zeros", name="pixels")

    def output(tensor):
        return layers.Softmax(name="y")(layers.Reshape((2, 2, 2))(layer(tensor)))

    model, feed, _ = problem(column, head, output, batch_size=20, optimizer=keras.optimizers.SGD(1.0))
    model.fit(feed, verbose=0)
    away = np.eye(2)[column] - 0.5  # minus the gradient of the logits
    assert ops.convert_to_numpy(layer.bias) == pytest.approx(away.mean(0).ravel() / 4, abs=1e-5)


def test_a_step_divides_by_the_weights_of_labels_that_are_not_ignored():
    column = np.tile([0, 1, 2, -1, -1], 4)  # a missing label is encoded as 0, which is ignored
    column[[0, 5]] = 1, 2
    weights = np.array([50.0, 1.0, 3.0, 0.0])[column]  # that of -1 is 0
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=0, from_logits=True)
    head = ph.Categorical(3, missing=-1, class_weight=[50, 1, 3], loss=loss, metrics=[])
    output = layers.Dense(3, kernel_initializer="zeros", name="y")
    model, feed, _ = problem(column, head, output, batch_size=20, optimizer=keras.optimizers.SGD(1.0))
    model.fit(feed, verbose=0)
    kept = np.flatnonzero(column > 0)
    away = np.eye(3)[column[kept]] - 1 / 3  # minus the gradient of the logits
    expected = (weights[kept, None] * away).sum(0) / weights[kept].sum()
    assert model.get_weights()[1] == pytest.approx(expected, rel=1e-4)


# Losses that compare rows, or that polyhead would not call --------------------------------------------------


def crossed(t, p):
    return ops.abs(ops.squeeze(t, -1) - p)  # (B,) - (B, 1)


class Crossed(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return crossed(y_true, y_pred)


class Doubled(keras.losses.Loss):
    def __call__(self, y_true, y_pred, sample_weight=None):
        return 2 * super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def similar_rows(t, p):
    """Compares all rows with one another on purpose, with a value for each."""
    return ops.mean(ops.square(p - ops.transpose(p)), axis=-1) + ops.mean(ops.square(t - p), axis=-1)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("loss", [crossed, Crossed(name="crossed")])
def test_a_loss_that_compares_each_label_with_all_rows_is_refused(loss, missing):
    column = np.where(np.arange(20) % 4 == 0, np.nan, X[:, 0]) if missing else X[:, 0]
    with pytest.raises(ph.ContractError) as error:
        problem(column, ph.Regression(loss=loss), layers.Dense(1, name="y"))
    assert str(error.value) == (
        "head `y`: expected a loss that compares each label with its own output, got crossed, with values (B, B): each "
        "label with the outputs of all rows. Give labels and outputs the same number of axes, as in "
        "y_true[:, 0] - y_pred[:, 0]. To compare all rows on purpose, take the mean over the last axis."
    )


def test_such_a_loss_of_model_compile_is_reported():
    feed = ph.Feed({"x": X, "y": X[:, 0]}, inputs="x", heads={"y": ph.Regression()}, batch_size=5)
    tensor = keras.Input((4,), name="x")
    model = keras.Model(tensor, {"y": layers.Dense(1, name="y")(tensor)})
    model.compile("sgd", loss={"y": crossed})
    with pytest.warns(ph.PolyheadWarning, match=r"with values \(B, B\)"):  # Keras takes the mean of all pairs
        assert np.isfinite(model.fit(feed, verbose=0).history["loss"][0])
    model.compile("sgd", loss={"y": similar_rows})
    assert "(B, B)" not in str(feed.check(model))


def pairs_of_vectors(t, p):
    """A contrastive loss as of SigLIP, with a value for each pair of rows."""
    signs = 2 * ops.eye(ops.shape(p)[0]) - 1
    return ops.softplus(-signs * ops.matmul(p, ops.transpose(t)))


def test_a_contrastive_loss_has_a_value_for_each_pair_of_vectors():
    head = ph.Embedding(4, loss=pairs_of_vectors, metrics=[])
    model, feed, pred = problem(X, head, layers.Dense(4, name="y"))
    signs = 2 * np.eye(5) - 1
    each = [
        np.logaddexp(0, -signs * (p @ t.T)) for p, t in zip(np.split(pred, 4), np.split(X, 4), strict=True)
    ]
    assert logged(model, feed) == pytest.approx(np.mean(each), rel=1e-4)
    model.compile(keras.optimizers.SGD(0.0), loss={"y": pairs_of_vectors})
    assert logged(model, feed, "loss") == pytest.approx(np.mean(each), rel=1e-4)


class OfLogits(keras.losses.BinaryCrossentropy):
    def call(self, y_true, y_pred):
        return super().call(y_true, ops.sigmoid(y_pred))


class OfIds(keras.losses.CategoricalCrossentropy):
    def call(self, y_true, y_pred):
        return super().call(ops.one_hot(ops.cast(y_true, "int32"), 3), y_pred)


def test_a_call_of_its_own_decides_what_a_loss_reads():
    yes = (X[:, 0] > 0) * 1.0
    model, feed, pred = problem(yes, ph.Binary(loss=OfLogits(), metrics=[]), layers.Dense(1, name="y"))
    each = np.logaddexp(0, pred[:, 0]) - yes * pred[:, 0]
    assert logged(model, feed) == pytest.approx(each.mean(), rel=1e-4)
    head = ph.Categorical(3, loss=OfIds(), metrics=[])
    model, feed, pred = problem(np.arange(20) % 3, head, layers.Dense(3, "softmax", name="y"))
    assert logged(model, feed) == pytest.approx(
        -np.log(pred[np.arange(20), np.arange(20) % 3]).mean(), rel=1e-4
    )


class Smoothed(keras.losses.Loss):
    """A loss with a running mean, which the checks before the first step must not change."""

    def __init__(self):
        super().__init__(name="smoothed")
        self.mean = keras.Variable(1.0, trainable=False)

    def call(self, y_true, y_pred):
        self.mean.assign(0.5 * self.mean)
        return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def test_checks_keep_the_variables_of_a_loss():
    loss = Smoothed()
    problem(np.where(X[:, 0] > 0, X[:, 0], np.nan), ph.Regression(loss=loss), layers.Dense(1, name="y"))
    assert float(loss.mean) == 1.0


def test_a_loss_of_a_user_may_compare_rows():
    model, feed, pred = problem(
        X[:, 0], ph.Regression(loss=similar_rows, metrics=[]), layers.Dense(1, name="y")
    )
    each = [((part - part.T) ** 2).mean(-1) for part in pred.reshape(4, 5, 1)]
    expected = np.mean(each) + ((pred[:, 0] - X[:, 0]) ** 2).mean()
    assert logged(model, feed) == pytest.approx(expected, rel=1e-4)


def test_a_loss_with_a_call_of_its_own_is_refused():
    with pytest.raises(ph.ContractError) as error:
        problem(X[:, 0], ph.Regression(loss=Doubled()), layers.Dense(1, name="y"))
    assert str(error.value) == (
        "head `y`: expected a loss that computes its values in call, got Doubled, which has its own __call__. Define "
        "call(self, y_true, y_pred), with a value for each row, and leave out __call__: polyhead applies the weights "
        "and takes the mean."
    )


# Masks of images -----------------------------------------------------------------------------------------

IMAGES = RNG.random((8, 6, 6, 3)).astype("float32")
DRAWN = RNG.integers(0, 2, (8, 6, 6, 2)).astype("uint8")


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("name", "missing", "axes"),
    [
        *(("Dice", True, (1, 2)), ("Dice", False, (1, 2, 3))),
        *(("Tversky", True, (1, 2, 3)), ("Tversky", False, (1, 2))),
        *(
            pytest.param(*case, marks=pytest.mark.full)
            for case in (
                *(("Dice", False, (1, 2)), ("Dice", True, (1, 2, 3))),
                *(("Tversky", False, (1, 2, 3)), ("Tversky", True, (1, 2))),
            )
        ),
    ],
)
def test_a_loss_for_each_image(name, axes, missing):
    kept = np.arange(8) % 3 != 0 if missing else np.ones(8, bool)
    column = [mask if here else None for mask, here in zip(DRAWN, kept, strict=True)]
    head = ph.Mask(2, multi=True, size=(6, 6), loss=getattr(keras.losses, name)(axis=axes), metrics=[])
    output = layers.Conv2D(2, 1, activation="sigmoid", name="y")
    model, feed, pred = problem(column, head, output, x=IMAGES, batch_size=4)
    both, sizes = (pred * DRAWN).sum(axes), pred.sum(axes) + DRAWN.sum(axes)
    assert logged(model, feed) == pytest.approx((1 - 2 * both / sizes)[kept].mean(), rel=1e-3)


@pytest.mark.parametrize("said", [{"missing": 255}, {"class_weight": {1: 2.0}}])
def test_a_loss_for_each_image_does_not_take_weights_of_pixels(said):
    head = ph.Mask(loss=keras.losses.Dice(axis=(1, 2, 3)), **said)
    void = np.where(np.eye(6) == 1, 255 if "missing" in said else 0, DRAWN[..., 0])
    with pytest.raises(ph.ContractError) as error:
        problem(void, head, layers.Conv2D(1, 1, activation="sigmoid", name="y"), x=IMAGES)
    assert str(error.value) == (
        "head `y`: expected a loss with a value for each weight of a row, (6, 6), got a single one. Use a loss that "
        "has one value for each label or pixel, or leave out missing=, class_weight= or sample_weight=, which weigh "
        "them one by one."
    )


def test_dice_of_a_whole_batch_is_refused_with_the_axes_that_help():
    column = [None if row % 3 == 0 else mask for row, mask in enumerate(DRAWN[..., 0])]
    output = layers.Conv2D(1, 1, activation="sigmoid", name="y")
    for loss, said in ((keras.losses.Dice(), "Dice"), ("dice", "Dice"), ("tversky", "Tversky")):
        head = ph.Mask(size=(6, 6), loss=loss, metrics=[])
        with pytest.raises(ph.ContractError) as error:
            problem(column, head, output, x=IMAGES)
        assert str(error.value).startswith("head `y`: ")
        fix = f" Say loss=keras.losses.{said}(axis=(1, 2, 3)), which gives one value for each image."
        assert str(error.value).endswith(fix)


def test_dice_of_class_ids_is_refused_with_a_function_that_trains():
    ids, output = DRAWN.sum(-1), layers.Conv2D(3, 1, activation="softmax", name="y")
    refused = ph.Mask(3, loss=keras.losses.Dice(axis=(1, 2, 3)), metrics=[])
    with pytest.raises(ph.ContractError, match="one-hot labels, these are class ids") as error:
        problem(ids, refused, output, x=IMAGES)
    call = str(error.value).partition("returns ")[2].partition(". Say")[0]
    loss = eval(f"lambda y_true, y_pred: {call}", {"keras": keras})
    model, feed, pred = problem(ids, ph.Mask(3, loss=loss, metrics=[]), output, x=IMAGES, batch_size=4)
    drawn, axes = np.eye(3)[ids], (1, 2, 3)
    sizes = pred.sum(axes) + drawn.sum(axes)
    assert logged(model, feed) == pytest.approx((1 - 2 * (pred * drawn).sum(axes) / sizes).mean(), rel=1e-3)


# Without a label -----------------------------------------------------------------------------------------


def test_a_head_without_a_label_logs_nan_and_takes_no_part_in_the_total():
    data = {"x": X, "price": X[:, 0] * 2, "sold": (X[:, 1] > 0) * 1.0}
    heads = {"price": ph.Regression(), "sold": ph.Binary()}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=5)
    x = keras.Input((4,), name="x")
    model = keras.Model(x, ph.outputs(x, feed))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    validation = feed.on({**data, "sold": np.full(20, np.nan)})
    with pytest.warns(ph.PolyheadWarning, match="head `sold`: expected at least one label that counts"):
        logs = model.fit(feed, validation_data=validation, verbose=0).history
    assert np.isfinite([logs["sold_loss"][0], logs["val_price_loss"][0], logs["val_loss"][0]]).all()
    assert np.isnan([logs["val_sold_loss"][0], logs["val_sold_accuracy"][0], logs["val_sold_auc"][0]]).all()
    assert logs["val_loss"][0] == pytest.approx(logs["val_price_loss"][0])
    found = model.evaluate(validation, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(logs["price_loss"][0], rel=1e-4)


def test_an_evaluation_without_any_label_has_no_loss_and_training_goes_on():
    late = np.where(np.arange(20) < 10, np.nan, X[:, 0])  # the first batches have no label
    model, feed, pred = problem(late, ph.Regression(), layers.Dense(1, name="y"), batch_size=5)
    nothing = feed.on({"x": X, "y": np.full(20, np.nan)})
    stop = keras.callbacks.TerminateOnNaN()
    with pytest.warns(ph.PolyheadWarning, match="head `y`: expected at least one label that counts"):
        logs = model.fit(feed, validation_data=nothing, epochs=2, callbacks=[stop], verbose=0).history
    wanted = np.nanmean((pred[:, 0] - late) ** 2)
    assert logs["loss"] == pytest.approx([wanted] * 2, rel=1e-4)
    assert np.isnan(logs["val_loss"]).all()
    assert np.isnan(model.evaluate(nothing, verbose=0, return_dict=True)["loss"])
    for way in ("data", "batch"):  # divided by the weights of a batch, the steps have another mean
        ph.compile(model, feed, optimizer="sgd", normalize=way)
        assert model.evaluate(feed, verbose=0, return_dict=True)["loss"] == pytest.approx(wanted, rel=1e-4)


# Other rows than those it was compiled with ----------------------------------------------------------------


def test_fit_divides_by_the_weights_of_its_own_rows():
    column = X[:, 0] * 2
    rare = np.where(np.arange(20) % 4, np.nan, column)
    head = ph.Regression(metrics=[])
    model, feed, pred = problem(
        column, head, layers.Dense(1, name="y"), batch_size=20, optimizer=keras.optimizers.SGD(0.5)
    )
    bias = model.get_weights()[1]
    model.fit(feed.on({"x": X, "y": rare}), verbose=0)
    wanted = 2 * np.nanmean(pred[:, 0] - rare)
    assert bias - model.get_weights()[1] == pytest.approx([0.5 * wanted], rel=1e-4)


@pytest.mark.once
def test_a_loss_or_weight_that_the_model_was_not_compiled_with_is_warned_of():
    def said(**changes):
        return [
            str(one)
            for one in feed.on(feed.source, heads={"y": ph.Regression(**changes)}).check(model).problems
        ]

    model, feed, _ = problem(X[:, 0], ph.Regression(loss="huber", weight=2), layers.Dense(1, name="y"))
    assert said() == said(loss=keras.losses.Huber(), weight=2) == []
    start, fix = (
        "head `y`: expected ",
        ". The model keeps that: say ph.compile(model, feed, optimizer=model.optimizer).",
    )
    assert said(loss=keras.losses.Huber(0.5), weight=3) == [
        f"{start}weight=2.0, which the model was compiled with, got weight=3{fix}",
        f"{start}loss=huber, which the model was compiled with, got loss=huber(delta=0.5){fix}",
    ]


def test_a_sum_adds_up_the_means_of_rows_also_with_a_weight_for_each_number():
    loss = LabeledMean(keras.losses.MeanSquaredError(reduction="sum"), elementwise=None)
    true, pred, ones = np.zeros((2, 3), "float32"), np.full((2, 3), 2, "float32"), np.ones((2, 3), "float32")
    assert [float(loss(true, pred, weight)) for weight in (ones[:, 0], ones)] == [8, 8]
