"""Metrics by name are those of `model.compile`; metrics that do not suit a head are refused, or warned of."""

import keras
import numpy as np
import pytest
from keras import layers

import polyhead as ph
from polyhead.keras_bridge.metrics import resolve

RNG = np.random.default_rng(2)
ROWS = 64
X = RNG.normal(size=(ROWS, 3)).astype("float32")
DATA = {
    "x": X,
    "yes": (X[:, 0] > 0) * 1,
    "kind": X.argmax(1),
    "tags": (X > 0) * 1,
    "price": X[:, 0] * 2,
    "sizes": X * 2,
    "other": X[:, 1],
}
BEST = np.eye(3)[DATA["kind"]]
# for each head what it is, its output, its labels as Keras takes them, and names of metrics that suit it
HEADS = {
    "yes": (ph.Binary(), (1, "sigmoid"), DATA["yes"][:, None], ["accuracy", "acc", "binary_accuracy", "auc", "mse"]),
    "kind": (ph.Categorical(3), (3, "softmax"), DATA["kind"], ["accuracy", "sparse_categorical_crossentropy"]),
    "hot": (
        ph.Categorical(3, one_hot=True, column="kind"), (3, "softmax"), BEST, ["acc", "categorical_crossentropy"],
    ),
    "tags": (ph.MultiLabel(3), (3, "sigmoid"), DATA["tags"], ["binary_accuracy", "mae", "auc"]),
    "price": (ph.Regression(), (1, None), DATA["price"][:, None], ["mae", "mse", "mean_absolute_error"]),
    "sizes": (ph.Regression(3), (3, None), DATA["sizes"], ["mae", "cosine_similarity", "root_mean_squared_error"]),
}  # fmt: skip


def build(name, units, activation):
    keras.utils.set_random_seed(4)
    x = keras.Input((3,), name="x")
    made = {
        name: layers.Dense(units, activation=activation, name=name)(x),
        "other": layers.Dense(1, name="other")(x),
    }
    return keras.Model(x, made)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", HEADS)
def test_metrics_by_name_have_the_value_and_the_name_that_keras_gives_them(name):
    head, output, labels, names = HEADS[name]
    model = build(name, *output)
    model.compile(
        "sgd",
        loss={name: "mse" if name != "kind" else "sparse_categorical_crossentropy"},
        metrics={name: names},
    )
    given = {name: labels.astype("float32" if labels.ndim > 1 else "int32"), "other": DATA["other"][:, None]}
    wanted = model.evaluate(X, given, batch_size=16, verbose=0, return_dict=True)
    head = head.fixed(metrics=names)
    feed = ph.Feed(DATA, inputs="x", heads={name: head, "other": ph.Regression(metrics=[])}, batch_size=16)
    model = build(name, *output)
    ph.compile(model, feed, optimizer="sgd")
    found = model.evaluate(feed, verbose=0, return_dict=True)
    metrics = {log: value for log, value in wanted.items() if "loss" not in log}
    assert {f"{name}_{metric}" for metric in names} == set(metrics)
    assert {log: value for log, value in found.items() if "loss" not in log} == pytest.approx(
        metrics, rel=1e-5
    )


def test_a_function_that_keras_knows_as_an_attribute_alone_is_a_metric():
    head = ph.Regression(column="price", metrics=["log_cosh"])
    feed = ph.Feed(DATA, inputs="x", heads={"price": head}, batch_size=16)
    model = build("price", 1, None)
    model = ph.compile(keras.Model(model.input, [model.output["price"]]), feed, optimizer="sgd")
    off = np.asarray(model.predict(X, verbose=0)).reshape(-1) - DATA["price"]
    found = model.evaluate(feed, verbose=0, return_dict=True)["price_log_cosh"]
    assert found == pytest.approx(np.log(np.cosh(off)).mean(), rel=1e-3)


@pytest.mark.once
def test_default_metrics_have_names_too():
    pixels = np.arange(ROWS * 4).reshape(ROWS, 2, 2) % 3
    data = {"x": X, "organ": pixels, "vector": X}
    heads = {
        "organ": ph.Mask(3, metrics=["iou", "accuracy"]),
        "vector": ph.Embedding(3, metrics=["cosine", None]),
    }
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=16)
    x = keras.Input((3,), name="x")
    scores = layers.Reshape((2, 2, 3), name="organ")(layers.Dense(12)(x))
    model = keras.Model(x, {"organ": scores, "vector": layers.Dense(3, name="vector")(x)})
    assert feed.check(model).ok
    ph.compile(model, feed, optimizer="sgd")
    guess = model.predict(X, verbose=0)["organ"].argmax(-1)
    share = [((guess == c) & (pixels == c)).sum() / ((guess == c) | (pixels == c)).sum() for c in range(3)]
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    assert logs["organ_iou"] == pytest.approx(np.mean(share), rel=1e-5)
    assert logs["organ_accuracy"] == pytest.approx((guess == pixels).mean(), rel=1e-5)
    assert logs["vector_cosine"] == pytest.approx(-logs["vector_loss"], rel=1e-4)
    for wrong, message in (["ious"], "Did you mean `iou`"), ([["iou"]], "its name, or a function, got"):
        heads["organ"] = ph.Mask(3, metrics=wrong)
        with pytest.raises(ph.ContractError, match=message):
            ph.compile(model, ph.Feed(data, inputs="x", heads=heads), optimizer="sgd")


# Keras's BinaryIoU counts in int64, which JAX has only if told so
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")
def test_metrics_by_name_are_told_of_logits():
    names = ["accuracy", "acc", "binary_accuracy", "auc", "binary_crossentropy", "binary_focal_crossentropy"]
    names += ["precision", "recall", "BinaryIoU", "FalsePositives"]
    head = ph.Binary(metrics=names)
    feed = ph.Feed(DATA, inputs="x", heads={"yes": head, "other": ph.Regression()}, batch_size=ROWS)
    found = []
    for activation in (None, "sigmoid"):
        model = ph.compile(build("yes", 1, activation), feed, optimizer="sgd")
        model.set_weights([w + np.float32(0.3) for w in model.get_weights()])
        found.append(model.evaluate(feed, verbose=0, return_dict=True))
    for name in names:
        # AUC is summed over 200 thresholds
        assert found[0][f"yes_{name}"] == pytest.approx(found[1][f"yes_{name}"], abs=0.02), name


def test_logits_are_known_by_the_loss_as_well():
    loss = keras.losses.BinaryFocalCrossentropy(from_logits=True)
    feed = ph.Feed(
        DATA, inputs="x", heads={"yes": ph.Binary(loss=loss), "other": ph.Regression()}, batch_size=ROWS
    )
    model = ph.compile(build("yes", 1, None), feed, optimizer="sgd")
    model.set_weights([w + np.float32(0.3) for w in model.get_weights()])
    logits = model.predict(X, verbose=0)["yes"][:, 0]
    assert ((logits > 0) != (logits > 0.5)).any()
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    assert logs["yes_accuracy"] == pytest.approx(((logits > 0) == DATA["yes"]).mean())


def codes(head, output, metric, by_hand):
    """The codes and levels of what is said of a metric, by `check` of a feed and of a model compiled by hand."""
    name = head.column or {ph.Binary: "yes", ph.Categorical: "kind", ph.MultiLabel: "tags"}.get(
        type(head), "price"
    )
    heads = {name: head.fixed(metrics=None if by_hand else [metric]), "other": ph.Regression(metrics=[])}
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=16)
    model = build(name, *output)
    if by_hand:
        loss = head.loss or heads[name].default_loss(output[1] is None)
        model.compile("sgd", loss={name: loss, "other": "mse"}, weighted_metrics={name: [metric]})
    problems = [p for p in feed.check(model).problems if p.code.startswith("metric")]
    assert all(p.place == f"head `{name}`" for p in problems)
    return [(p.code, p.warning) for p in problems]


M = keras.metrics


def function(name):
    """Make a metric of a function of Keras, as it is given by name."""

    def made():
        return keras.metrics.MeanMetricWrapper(getattr(keras.losses, name), name=name)

    made.__name__ = name
    return made


ONE, LOGIT, MANY, LOGITS, EACH = (1, "sigmoid"), (1, None), (3, "softmax"), (3, None), (3, "sigmoid")
WRONG_FORM, MAYBE_FORM, SCALE = [("metric", False)], [("metric", True)], [("metric-scale", True)]
HOT = ph.Categorical(3, one_hot=True, column="kind")


class NamedPrecision(M.Precision):
    """Reads outputs as its parent does."""


class LogitPrecision(M.Precision):
    """Reads logits."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, keras.ops.sigmoid(y_pred), sample_weight)


JUDGED = [
    (ph.Binary(), LOGIT, M.BinaryAccuracy, {}, SCALE),
    (ph.Binary(), LOGIT, M.BinaryAccuracy, {"threshold": 0.0}, []),
    (ph.Binary(), ONE, M.BinaryAccuracy, {}, []),
    (ph.Binary(), ONE, M.BinaryAccuracy, {"threshold": 0.0}, SCALE),
    (ph.Binary(), LOGIT, M.Precision, {}, SCALE),
    (ph.Binary(), LOGIT, M.Recall, {"thresholds": [0.2, 0.4]}, SCALE),
    (ph.Binary(), ONE, M.Recall, {"thresholds": [0.2, 0.4]}, []),
    (ph.Binary(), LOGIT, M.AUC, {}, SCALE),
    (ph.Binary(), LOGIT, M.AUC, {"from_logits": True}, []),
    (ph.Binary(), ONE, M.AUC, {"from_logits": True}, SCALE),
    (ph.Binary(), LOGIT, M.PrecisionAtRecall, {"recall": 0.5}, SCALE),
    (ph.Binary(), LOGIT, M.BinaryCrossentropy, {}, SCALE),
    (ph.Binary(), ONE, M.F1Score, {}, WRONG_FORM),
    (ph.Binary(), ONE, M.F1Score, {"threshold": 0.5}, []),
    (ph.Binary(), ONE, M.CategoricalAccuracy, {}, WRONG_FORM),
    (ph.Binary(), ONE, M.SparseCategoricalAccuracy, {}, WRONG_FORM),
    (ph.Binary(), ONE, M.Accuracy, {}, WRONG_FORM),
    (ph.Binary(), ONE, M.MeanSquaredError, {}, []),
    (ph.Categorical(3), MANY, M.CategoricalAccuracy, {}, WRONG_FORM),
    (ph.Categorical(3), MANY, M.AUC, {}, WRONG_FORM),
    (ph.Categorical(3), MANY, M.Precision, {}, WRONG_FORM),
    (ph.Categorical(3), MANY, M.MeanAbsoluteError, {}, WRONG_FORM),
    (ph.Categorical(3), MANY, M.SparseTopKCategoricalAccuracy, {"k": 2}, []),
    (ph.Categorical(3), LOGITS, M.SparseCategoricalAccuracy, {}, []),
    (ph.Categorical(3), LOGITS, M.SparseCategoricalCrossentropy, {}, SCALE),
    (ph.Binary(), ONE, M.MeanIoU, {"num_classes": 2}, WRONG_FORM),
    (ph.Binary(), LOGIT, M.IoU, {"num_classes": 2, "target_class_ids": [1]}, WRONG_FORM),
    (ph.MultiLabel(3), EACH, M.MeanIoU, {"num_classes": 2, "sparse_y_pred": False}, WRONG_FORM),
    (ph.Categorical(3), MANY, M.MeanIoU, {"num_classes": 3}, WRONG_FORM),
    (ph.Categorical(3), MANY, M.MeanIoU, {"num_classes": 3, "sparse_y_pred": False}, []),
    (HOT, MANY, M.CategoricalAccuracy, {}, []),
    (HOT, MANY, M.SparseCategoricalAccuracy, {}, WRONG_FORM),
    (HOT, LOGITS, M.AUC, {}, SCALE),
    (HOT, LOGITS, M.AUC, {"from_logits": True}, SCALE),
    (HOT, LOGITS, M.BinaryAccuracy, {"threshold": 0.0}, SCALE),
    (HOT, LOGITS, M.CategoricalAccuracy, {}, []),
    (HOT, LOGITS, M.CategoricalCrossentropy, {"from_logits": True}, []),
    (HOT, MANY, M.TopKCategoricalAccuracy, {"k": 3}, []),
    (HOT, MANY, M.TopKCategoricalAccuracy, {}, WRONG_FORM),
    (ph.Categorical(3), MANY, M.SparseTopKCategoricalAccuracy, {}, WRONG_FORM),
    (ph.Categorical(3), MANY, function("huber"), {}, WRONG_FORM),
    (ph.Categorical(3), MANY, function("binary_focal_crossentropy"), {}, WRONG_FORM),
    (ph.Binary(), LOGIT, M.MeanAbsoluteError, {}, SCALE),
    (ph.Binary(), LOGIT, function("huber"), {}, SCALE),
    (ph.Binary(), LOGIT, M.Hinge, {}, []),
    (ph.MultiLabel(3), LOGITS, M.MeanSquaredError, {}, SCALE),
    (ph.MultiLabel(3), EACH, M.BinaryAccuracy, {}, []),
    (ph.MultiLabel(3), LOGITS, M.BinaryAccuracy, {}, SCALE),
    (ph.MultiLabel(3), EACH, M.CategoricalAccuracy, {}, MAYBE_FORM),
    (ph.MultiLabel(3), EACH, M.F1Score, {"threshold": 0.5}, []),
    (ph.Regression(), LOGIT, M.SparseCategoricalAccuracy, {}, WRONG_FORM),
    (ph.Regression(), LOGIT, M.RootMeanSquaredError, {}, []),
    (ph.Regression(), LOGIT, M.BinaryAccuracy, {}, MAYBE_FORM),
    (ph.Binary(loss="hinge"), (1, "tanh"), M.AUC, {"from_logits": True}, []),
    (ph.Binary(), LOGIT, NamedPrecision, {}, SCALE),
    (ph.Binary(), ONE, NamedPrecision, {}, []),
    (ph.Binary(), LOGIT, LogitPrecision, {}, []),
]


@pytest.mark.few(20)
@pytest.mark.parametrize("by_hand", [False, True], ids=["head", "by hand"])
@pytest.mark.parametrize(
    "case",
    JUDGED,
    ids=lambda case: f"{type(case[0]).__name__}-{case[1][1]}-{case[2].__name__}-{len(case[3])}",
)
def test_a_metric_and_its_head(case, by_hand):
    head, output, metric, arguments, wanted = case
    assert codes(head, output, metric(**arguments), by_hand) == wanted


@pytest.mark.once
def test_by_hand_a_metric_by_name_reads_probabilities():
    feed = ph.Feed(DATA, inputs="x", heads={"yes": ph.Binary()}, batch_size=16)
    x = keras.Input((3,), name="x")
    model = keras.Model(x, {"yes": keras.layers.Dense(1, name="yes")(x)})
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("sgd", loss=loss, weighted_metrics=["accuracy", "binary_crossentropy"])
    fixes = [problem.fix for problem in feed.check(model).problems if problem.code == "metric-scale"]
    assert fixes == ["Say BinaryAccuracy(threshold=0).", "Say BinaryCrossentropy(from_logits=True)."]


def test_accuracy_by_name_of_several_labels_is_keras_s_and_is_warned_of():
    heads = {"tags": ph.MultiLabel(3, metrics=["accuracy"]), "other": ph.Regression(metrics=[])}
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=16)
    model = build("tags", 3, "sigmoid")
    with pytest.warns(ph.PolyheadWarning) as found:
        ph.compile(model, feed, optimizer="sgd")
    assert [str(w.message) for w in found] == [
        "head `tags`: expected a metric for MultiLabel, whose labels are 0 and 1, got CategoricalAccuracy. It compares "
        "the largest output of a row: say metrics=[keras.metrics.BinaryAccuracy()]."
    ]


def test_what_cannot_be_right_is_refused_by_compile():
    heads = {
        "kind": ph.Categorical(3, metrics=[M.AUC()]),
        "yes": ph.Binary(metrics=["acc", M.Accuracy()]),
    }
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=16)
    x = keras.Input((3,), name="x")
    with pytest.raises(ph.ContractError) as error:
        ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    assert [str(p) for p in error.value.problems] == [
        "head `kind`: expected a metric for Categorical, whose labels are class ids, got AUC. Say "
        "metrics=[keras.metrics.SparseCategoricalAccuracy()], or ph.Categorical(one_hot=True).",
        "head `yes`: expected a metric for Binary, whose labels are compared with probabilities, got Accuracy. It "
        'tests whether two numbers are equal: say metrics=["accuracy"].',
    ]


def test_metrics_of_which_one_would_hide_the_other_are_refused():
    shared = M.AUC(name="auc")
    heads = {
        "yes": ph.Binary(metrics=["accuracy", M.BinaryAccuracy(name="accuracy", threshold=0.9), shared]),
        "other": ph.Binary(
            column="yes",
            metrics=[shared, M.BinaryCrossentropy(name="loss"), M.BinaryAccuracy(name="one_rate")],
        ),
        "other_one": ph.Binary(column="yes", metrics=[M.BinaryAccuracy(name="rate")]),
    }
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=16)
    x = keras.Input((3,), name="x")
    model = keras.Model(x, ph.outputs(x, feed))
    wanted = [
        'head `yes`: expected metrics with different names, other than "loss", got accuracy. Only one of them would '
        "be logged: say name= in the other.",
        "head `other`: expected a metric of its own, got auc, which is that of head `yes` as well. It would count the "
        "rows of both heads together: make one for each.",
        'head `other`: expected metrics with different names, other than "loss", got loss. Only one of them would '
        "be logged: say name= in the other.",
        'head `other_one`: expected metrics with different names, other than "loss", got rate, as head `other` logs '
        '"other_one_rate" as well. Only one of them would be logged: say name= in the other.',
    ]
    with pytest.raises(ph.ContractError) as error:
        ph.compile(model, feed, optimizer="sgd")
    assert [str(problem) for problem in error.value.problems] == wanted
    assert sorted(str(problem) for problem in feed.check(model).problems) == sorted(wanted)


class Share(keras.metrics.Mean):
    """A metric of a user, of which nothing is known."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(keras.ops.mean(y_pred, axis=-1), sample_weight)


def test_metrics_of_users_are_taken_as_they_are():
    def bias(t, p):
        return keras.ops.mean(p - t, axis=-1)

    heads = {
        "price": ph.Regression(metrics=[Share(name="share"), bias]),
        "other": ph.Regression(metrics=bias),
    }
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=16)
    model = ph.compile(build("price", 1, None), feed, optimizer="sgd")
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    pred = model.predict(X, verbose=0)["price"][:, 0]
    assert logs["price_share"] == pytest.approx(pred.mean(), rel=1e-4, abs=1e-6)
    assert logs["price_bias"] == pytest.approx((pred - DATA["price"]).mean(), rel=1e-4, abs=1e-6)
    assert "other_bias" in logs


@pytest.mark.once
def test_a_function_is_found_among_custom_objects_under_the_name_of_its_metric():
    def bias(t, p):
        return keras.ops.mean(p - t, axis=-1)

    saved = keras.saving.serialize_keras_object(resolve(bias, ph.Regression(), logits=False))
    loaded = keras.saving.deserialize_keras_object(saved, custom_objects={"bias": bias})
    assert (loaded.name, float(loaded(np.ones((1, 1)), np.full((1, 1), 3.0)))) == ("bias", 2.0)


def mean_error(t, p):
    return keras.ops.mean(keras.ops.abs(t - p))


def errors_of_columns(t, p):
    return keras.ops.mean(keras.ops.abs(t - p), axis=0)


@pytest.mark.parametrize(
    "metric", [mean_error, errors_of_columns, M.MeanMetricWrapper(mean_error, name="mean_error")]
)
def test_a_metric_of_a_whole_batch_is_refused_where_labels_are_missing(metric):
    def feed(price):
        heads = {"price": ph.Regression(metrics=[metric]), "other": ph.Regression(metrics=[])}
        return ph.Feed({**DATA, "price": price}, inputs="x", heads=heads, batch_size=16)

    complete, rare = feed(DATA["price"]), feed(np.where(X[:, 1] > 0, DATA["price"], np.nan))
    name = getattr(metric, "name", None) or metric.__name__
    words = (
        "head `price`: expected a metric with one value a row, as labels can be missing or are weighted, got "
        f"{name}, one number for the whole batch. Average over the axes of one row only, as axis=-1: polyhead averages "
        "over rows, by their weights."
    )
    with pytest.raises(ph.ContractError) as error:
        ph.compile(build("price", 1, None), rare, optimizer="sgd")
    assert str(error.value) == words
    model = ph.compile(build("price", 1, None), complete, optimizer="sgd")
    with pytest.raises(ph.ContractError) as error:
        model.fit(complete, validation_data=complete.on(rare.source), verbose=0)
    assert str(error.value) == f"fit(validation_data=), {words}"


def crossed(t, p):
    return keras.ops.abs(t[:, 0] - p)  # (B,) - (B, 1)


def test_a_metric_that_compares_each_label_with_all_rows_is_refused():
    heads = {"price": ph.Regression(metrics=[crossed]), "other": ph.Regression(metrics=[])}
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=16)
    with pytest.raises(
        ph.ContractError, match=r"got crossed, with values \(B, B\): each label with the outputs"
    ):
        ph.compile(build("price", 1, None), feed, optimizer="sgd")


class Highest(M.Metric):
    """A metric that takes no weights, and has two values."""

    def __init__(self, name="highest"):
        super().__init__(name=name)
        self.label, self.output = (self.add_weight(shape=(), initializer="zeros") for _ in range(2))

    def update_state(self, y_true, y_pred):
        for state, values in ((self.label, y_true), (self.output, y_pred)):
            state.assign(keras.ops.maximum(state, keras.ops.max(values)))

    def result(self):
        return {"label": self.label, "output": self.output}


class Labeled(M.Metric):
    """The sum of the weights, which are given by name."""

    def __init__(self):
        super().__init__(name="labeled")
        self.sum = self.add_weight(shape=(), initializer="zeros")

    def update_state(self, y_true, y_pred, *, sample_weight=None):
        self.sum.assign_add(keras.ops.sum(sample_weight))

    def result(self):
        return self.sum


class Scored(Highest):
    def update_state(self, y_true, y_pred, least=0.0):
        super().update_state(keras.ops.maximum(y_true, least), y_pred)


def test_weights_reach_a_metric_by_name():
    kept = X[:, 1] > 0
    data = {**DATA, "price": np.where(kept, DATA["price"], np.nan)}
    heads = {"price": ph.Regression(metrics=[Labeled()]), "other": ph.Regression(metrics=[])}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=16)
    model = ph.compile(build("price", 1, None), feed, optimizer="sgd")
    assert model.evaluate(feed, verbose=0, return_dict=True)["price_labeled"] == kept.sum()
    heads = {"price": ph.Regression(metrics=[Scored()]), "other": ph.Regression(metrics=[])}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=16)
    with pytest.raises(ph.ContractError, match="got Scored, whose update_state has no sample_weight"):
        ph.compile(build("price", 1, None), feed, optimizer="sgd")


def test_r2_counts_each_number_of_a_row_in_its_column():
    rng = np.random.default_rng(0)
    labels, weights = rng.normal(size=(20, 2)), rng.uniform(size=(20, 2)).astype("float32")
    outputs = (labels + rng.normal(size=(20, 2))).astype("float32")
    labels[::3, 0] = labels[1::4, 1] = np.nan
    head = ph.Regression(2, metrics=[keras.metrics.R2Score()], sample_weight="weight")
    feed = ph.Feed(
        {"x": outputs, "y": labels, "weight": weights}, inputs="x", heads={"y": head}, batch_size=8
    )
    inputs = keras.Input((2,), name="x")
    model = ph.compile(keras.Model(inputs, keras.layers.Identity(name="y")(inputs)), feed, optimizer="sgd")
    there = np.where(np.isnan(labels), 0, weights)
    known = np.nan_to_num(labels)
    mean = np.average(known, axis=0, weights=there)
    wrong, spread = ((there * (known - other) ** 2).sum(0) for other in (outputs, mean))
    logged = model.evaluate(feed, verbose=0, return_dict=True)["y_r2_score"]
    assert logged == pytest.approx(np.mean(1 - wrong / spread), rel=1e-4)


def test_a_metric_without_weights_and_of_several_values():
    def feed(price):
        heads = {name: ph.Regression(metrics=[Highest()]) for name in ("price", "other")}
        return ph.Feed({**DATA, "price": price}, inputs="x", heads=heads, batch_size=16)

    complete = feed(DATA["price"])
    model = ph.compile(build("price", 1, None), complete, optimizer="sgd")
    logs = model.evaluate(complete, verbose=0, return_dict=True)
    outputs = model.predict(X, verbose=0)
    for name in ("price", "other"):
        assert logs[f"{name}_highest_label"] == pytest.approx(max(DATA[name].max(), 0), rel=1e-5)
        assert logs[f"{name}_highest_output"] == pytest.approx(max(outputs[name].max(), 0), rel=1e-5)
    rare = feed(np.where(X[:, 1] > 0, DATA["price"], np.nan))
    for use in (
        lambda: ph.compile(build("price", 1, None), rare, optimizer="sgd"),
        lambda: model.fit(complete, validation_data=complete.on(rare.source), verbose=0),
    ):
        with pytest.raises(ph.ContractError) as error:
            use()
        for name in ("price", "other"):
            assert (
                f"head `{name}`: expected a metric that takes weights, as labels can be missing or are weighted in "
                "this feed, got Highest, whose update_state has no sample_weight. Write update_state(self, y_true, "
                "y_pred, sample_weight=None): rows of weight 0 do not count."
            ) in str(error.value)


PIXELS = RNG.integers(0, 3, (8, 4, 4))


def hit(t, p):
    """The share of a mask that is found, one value an image."""
    return keras.ops.sum(t * p, axis=(1, 2, 3)) / keras.ops.sum(t, axis=(1, 2, 3))


def over_pixels(head, column, **data):
    pixels = RNG.random((8, 4, 4, 3)).astype("float32")
    feed = ph.Feed({"x": pixels, "y": column, **data}, inputs="x", heads={"y": head}, batch_size=4)
    x = keras.Input((4, 4, 3), name="x")
    model = keras.Model(x, {"y": layers.Conv2D(1, 1, activation="sigmoid", name="y")(x)})
    return ph.compile(model, feed, optimizer="sgd"), feed, model.predict(pixels, verbose=0)["y"][..., 0]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_metric_of_each_image_counts_the_images_that_have_a_mask(weighted):
    drawn, weights = (PIXELS > 0) * 1, RNG.random(8) if weighted else np.ones(8)
    head = ph.Mask(size=(4, 4), metrics=[hit], sample_weight="w" if weighted else None)
    column = drawn if weighted else [None if row == 2 else mask for row, mask in enumerate(drawn)]
    model, feed, pred = over_pixels(head, column, w=weights)
    kept = weights * (weighted | (np.arange(8) != 2))
    wanted = ((drawn * pred).sum((1, 2)) / drawn.sum((1, 2)) * kept).sum() / kept.sum()
    assert model.evaluate(feed, verbose=0, return_dict=True)["y_hit"] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    ("head", "column", "fix"),
    [
        (
            ph.Mask(size=(4, 4), missing=2, metrics=[hit]),
            PIXELS,
            "or leave out missing=, class_weight= or sample_weight=, which weigh them one by one.",
        ),
        (
            ph.Map(metrics=[hit]),
            np.where(PIXELS == 2, np.nan, 0.5),
            "as a part of them can be missing in a row.",
        ),
    ],
)
def test_a_metric_of_each_image_is_refused_where_pixels_weigh_differently(head, column, fix):
    with pytest.raises(ph.ContractError) as error:
        over_pixels(head, column)
    assert str(error.value) == (
        "head `y`: expected a metric with a value for each weight of a row, (4, 4), got hit, with a single one. Use a "
        f"metric that has one value for each label or pixel, {fix}"
    )


MASKS = {
    "ids": (ph.Mask(3), PIXELS, 3, "softmax", lambda: M.MeanIoU(3, sparse_y_pred=False)),
    "one": (ph.Mask(), (PIXELS > 0) * 1, 1, "sigmoid", M.BinaryIoU),
    "two": (ph.Mask(2, multi=True), np.stack([PIXELS > 0, PIXELS > 1], -1) * 1, 2, "sigmoid", M.BinaryIoU),
}


@pytest.mark.filterwarnings(
    "ignore:Explicitly requested dtype int64"
)  # Keras counts pairs of ids in it, on JAX
@pytest.mark.parametrize(
    ("name", "weights"),
    [
        *(("ids", (8,)), ("one", (8, 4, 4)), ("two", "channels")),
        *(pytest.param(name, (8, 4, 4), marks=pytest.mark.full) for name in ("ids", "two")),
        *(pytest.param(name, (8,), marks=pytest.mark.full) for name in ("one", "two")),
    ],
)
def test_an_intersection_over_union_of_keras_counts_weights_by_their_value(name, weights):
    head, labels, channels, activation, metric = MASKS[name]
    share = RNG.choice([0.0, 0.5, 9.0], labels.shape if weights == "channels" else weights)
    images = RNG.integers(0, 255, (8, 4, 4, 3), dtype=np.uint8)
    data = {"image": images, "mask": labels.astype(np.uint8), "share": share}
    head = head.fixed(metrics=[metric()], sample_weight="share")
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"mask": head}, batch_size=4)
    keras.utils.set_random_seed(4)
    image = keras.Input((4, 4, 3), name="image")
    model = keras.Model(
        image, {"mask": layers.Conv2D(channels, 1, activation=activation, name="mask")(image)}
    )
    ph.compile(model, feed, optimizer="sgd")
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    pred = model.predict(images / np.float32(255), verbose=0)["mask"]
    guess = pred.argmax(-1) if name == "ids" else (pred > 0.5).reshape(labels.shape)
    weight = np.broadcast_to(share.reshape(share.shape + (1,) * (labels.ndim - share.ndim)), labels.shape)
    both = [((labels == k) & (guess == k)) * weight for k in range(int(labels.max()) + 1)]
    either = [((labels == k) | (guess == k)) * weight for k in range(int(labels.max()) + 1)]
    ratios = [b.sum() / e.sum() for b, e in zip(both, either, strict=True)]
    (found,) = [value for log, value in logs.items() if "io_u" in log]
    assert found == pytest.approx(np.mean(ratios), rel=1e-4)


def test_metrics_stay_right_when_keras_compiles_the_model_again():
    heads = {"price": ph.Regression(), "other": ph.Regression(metrics=[])}
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=16)
    unlabeled = {**DATA, "price": np.full(ROWS, np.nan)}
    model = ph.compile(build("price", 1, None), feed, optimizer="sgd")
    with pytest.warns(ph.PolyheadWarning, match="at least one label that counts"):
        assert np.isnan(model.evaluate(feed.on(unlabeled), verbose=0, return_dict=True)["price_mae"])
    model.compile("sgd", loss={"price": "mse", "other": "mse"})  # without metrics, Keras keeps those before
    for _ in range(2):
        found = model.evaluate(feed, verbose=0, return_dict=True)
        wanted = np.abs(model.predict(X, verbose=0)["price"][:, 0] - DATA["price"]).mean()
        assert found["price_mae"] == pytest.approx(wanted, rel=1e-4)
        with pytest.raises(ph.ContractError):
            model.fit(feed, batch_size=8)
