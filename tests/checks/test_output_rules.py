"""The check of outputs, losses and labels against each other: each mistake, in words."""

import re
import tracemalloc
import warnings

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

import polyhead as ph

ROWS = 200
RNG = np.random.default_rng(0)
ROW = np.arange(ROWS)
DATA = {
    "x": RNG.normal(size=(ROWS, 4)).astype("float32"),
    "image": RNG.integers(0, 256, (ROWS, 8, 8, 3), dtype="uint8"),
    "yes": ROW % 2,
    "kind": ROW % 3,
    "tags": RNG.integers(0, 2, (ROWS, 3)),
    "share": RNG.random(ROWS),
    "price": np.where(ROW == 17, 250.0, ROW / ROWS),
    "signed": np.where(ROW == 5, -3.5, ROW / ROWS),
    "gap": np.where(ROW % 3, ROW / ROWS, np.nan),
    "same": np.ones(ROWS),
    "dogs": ["dog"] * ROWS,
    "none": np.full(ROWS, np.nan),
    "box01": np.sort(RNG.random((ROWS, 4)), axis=1) * 0.9,
    "box": np.where((ROW == 9)[:, None], [1, 1, 85.5, 2], [1, 1, 2, 2.5]) + (ROW % 2)[:, None] * 0.25,
}


def dense(units, activation=None):
    return lambda h: layers.Dense(units, activation=activation)(h)


def boxes(h):
    return layers.Reshape((1, 4))(layers.Dense(4)(h))


def build(feed, outputs, compiled=None, start=None, dtype=None, as_list=False):
    tensors = [keras.Input(kind.shape, name=name, dtype=dtype) for name, kind in feed.inputs.items()]
    h = start(tensors[0]) if start else tensors[0]
    h = layers.Flatten()(h) if len(h.shape) > 2 else h
    made = {name: layers.Identity(name=name)(output(h)) for name, output in outputs.items()}
    model = keras.Model(tensors[0], list(made.values()) if as_list else made)
    if compiled:
        model.compile(optimizer="sgd", **compiled)
    return model


def check(heads, outputs, compiled=None, inputs="x", rows=None, **how):
    feed = ph.Feed(DATA, inputs=inputs, heads=heads, batch_size=20, shuffle=True)
    return feed.check(build(feed, outputs, compiled, **how), rows=rows)


YES, KIND, PRICE = {"yes": ph.Binary()}, {"kind": ph.Categorical(3)}, {"price": ph.Regression()}
TWO = {"yes": ph.Binary(), "share": ph.Regression()}
TWO_OUTPUTS = {"yes": dense(1, "sigmoid"), "share": dense(1)}
IMAGE = {"image": ph.Image()}

MISTAKES = {
    "softmax over one unit": (
        (YES, {"yes": dense(1, "softmax")}),
        'head `yes`: expected activation="sigmoid" for an output of one unit, got softmax, which is 1 whatever '
        'the model learns. Say activation="sigmoid" in the output layer.',
    ),
    "softmax over one number": (
        (PRICE, {"price": dense(1, "softmax")}),
        'head `price`: expected activation="linear" for an output of one unit, got softmax, which is 1 whatever '
        'the model learns. Say activation="linear" in the output layer.',
    ),
    "relu for a probability": (
        (YES, {"yes": dense(1, "relu")}),
        'head `yes`: expected activation="sigmoid", or none for logits, as Binary needs, got relu: relu gives no '
        'probabilities. Say activation="sigmoid" in the output layer.',
    ),
    "softmax over labels that stand alone": (
        ({"tags": ph.MultiLabel()}, {"tags": dense(3, "softmax")}),
        'head `tags`: expected activation="sigmoid", or none for logits, as MultiLabel needs, got softmax: all '
        'classes share one probability. Say activation="sigmoid" in the output layer.',
    ),
    "a label that a sigmoid never reaches": (
        (PRICE, {"price": dense(1, "sigmoid")}),
        "head `price`, row 17: expected labels in 0–1, as its activation is sigmoid, got 250. Give the output "
        "layer no activation, or scale the labels.",
    ),
    "pixels that a sigmoid never reaches": (
        (
            {"box": ph.Boxes(1)},
            {"box": lambda h: layers.Reshape((1, 4))(dense(4, "sigmoid")(h))},
            None,
            {"image": ph.Image()},
        ),
        "head `box`, row 9: expected labels in 0–1, as its activation is sigmoid, got 85.75. Give the output layer no "
        "activation, or say normalized=True, column_normalized=False for coordinates in 0–1.",
    ),
    "a label that relu never reaches": (
        ({"signed": ph.Regression()}, {"signed": dense(1, "relu")}),
        "head `signed`, row 5: expected labels of at least 0, as its activation is relu, got -3.5. Give the output "
        "layer no activation, or scale the labels.",
    ),
    "probabilities taken for logits": (
        (KIND, {"kind": dense(3, "softmax")}, {"loss": keras.losses.SparseCategoricalCrossentropy(True)}),
        "head `kind`: expected sparse_categorical_crossentropy(from_logits=False), as the output is a softmax, "
        "got from_logits=True. Leave from_logits out, or give the layer no activation.",
    ),
    "logits taken for probabilities": (
        (YES, {"yes": dense(1)}, {"loss": {"yes": "binary_crossentropy"}}),
        "head `yes`: expected binary_crossentropy(from_logits=True), as the output has no activation, got "
        "from_logits=False. Say from_logits=True in the loss, or give the layer its activation.",
    ),
    "a head's own loss for logits": (
        (
            {"yes": ph.Binary(loss=keras.losses.BinaryCrossentropy(from_logits=True))},
            {"yes": dense(1, "sigmoid")},
        ),
        "head `yes`: expected binary_crossentropy(from_logits=False), as the output is a sigmoid, got "
        "from_logits=True. Leave from_logits out, or give the layer no activation.",
    ),
    "a loss for one-hot labels": (
        (KIND, {"kind": dense(3, "softmax")}, {"loss": ["categorical_crossentropy"]}),
        "head `kind`: expected a loss that reads labels of int32 (B,), as SparseCategoricalCrossentropy, got "
        "categorical_crossentropy. That one reads one-hot labels, these are class ids. ph.Categorical(one_hot=True) "
        "gives one-hot labels. Say loss=SparseCategoricalCrossentropy(), or let ph.compile choose.",
    ),
    "a loss for embeddings": (
        (KIND, {"kind": dense(3)}, {"loss": "circle"}),
        "head `kind`: expected a loss that reads labels of int32 (B,), as SparseCategoricalCrossentropy, got circle. "
        "That one reads embeddings: use it in a model's own compute_loss. "
        "Say loss=SparseCategoricalCrossentropy(), or let ph.compile choose.",
    ),
    "a distance between class ids": (
        (KIND, {"kind": dense(3, "softmax")}, {"loss": "mse"}),
        "head `kind`: expected a loss that reads labels of int32 (B,), as SparseCategoricalCrossentropy, got "
        "mean_squared_error. Class ids are no quantities. Say loss=SparseCategoricalCrossentropy(), or let "
        "ph.compile choose.",
    ),
    "a loss over several classes for one unit": (
        (YES, {"yes": dense(1, "sigmoid")}, {"loss": "categorical_crossentropy"}),
        "head `yes`: expected a loss that reads labels of float32 (B, 1), as BinaryCrossentropy, got "
        "categorical_crossentropy. That one is always 0 over a single unit. Say loss=BinaryCrossentropy(), or "
        "let ph.compile choose.",
    ),
    "a sparse loss for a binary head": (
        (YES, {"yes": dense(1, "sigmoid")}, {"loss": "sparse_categorical_crossentropy"}),
        "head `yes`: expected a loss that reads labels of float32 (B, 1), as BinaryCrossentropy, got "
        "sparse_categorical_crossentropy. That one reads class ids. Say loss=BinaryCrossentropy(), or let "
        "ph.compile choose.",
    ),
    "a sparse loss for numbers": (
        (PRICE, {"price": dense(1)}, {"loss": "sparse_categorical_crossentropy"}),
        "head `price`: expected a loss for numbers, as Regression has them: mean_squared_error, got "
        "sparse_categorical_crossentropy. It takes labels for class ids. Use ph.Categorical if that is what "
        "they are.",
    ),
    "a crossentropy for prices": (
        (PRICE, {"price": dense(1)}, {"loss": "binary_crossentropy"}),
        "head `price`, row 17: expected labels in 0–1, as binary_crossentropy expects, got 250. Say "
        'loss="mean_squared_error" for numbers.',
    ),
    "a head without a loss": (
        (TWO, TWO_OUTPUTS, {"loss": {"share": "mse"}}),
        "head `yes`: expected a loss for it in model.compile, got loss={'share': 'mse'}. Without one it learns "
        "nothing: give it one, or leave the head out.",
    ),
    "weights by other keys than losses": (
        (TWO, TWO_OUTPUTS, {"loss": {"yes": "mse", "share": "mse"}, "loss_weights": {"yes": 1, "sharp": 2}}),
        "model.compile(loss_weights=): expected the keys of loss (yes, share), got yes, sharp. "
        "Did you mean `share`? Keras would match them with the losses by sorted key. Use the same keys, or "
        "say Head(weight=...) and use ph.compile.",
    ),
    "weights by position, losses by key": (
        (TWO, TWO_OUTPUTS, {"loss": {"yes": "mse", "share": "mse"}, "loss_weights": [1, 2]}),
        "model.compile(loss_weights=): expected a dict with the keys of loss (yes, share), got a list, [1, 2]. "
        "Keras would match them with the losses by sorted key. Give a dict, or say Head(weight=...) and use "
        "ph.compile.",
    ),
    "weights by key, losses by position": (
        (TWO, TWO_OUTPUTS, {"loss": ["mse", "mse"], "loss_weights": {"yes": 1, "share": 2}}),
        "model.compile(loss_weights=): expected a list, as loss is a list, got a dict of yes, share. Keras would "
        "match them with the losses by sorted key. Give both as dicts with the same keys, or say "
        "Head(weight=...) and use ph.compile.",
    ),
    "a loss too many": (
        (TWO, TWO_OUTPUTS, {"loss": ["mse", "mse", "mae"]}),
        "model.compile(loss=): expected one for each of 2 outputs (share, yes), got 3. Name them: "
        "loss={'share': ..., 'yes': ...}.",
    ),
    "a loss too few, which trains on JAX": (
        (TWO, TWO_OUTPUTS, {"loss": ["mse"]}),
        "model.compile(loss=): expected one for each of 2 outputs (share, yes), got 1. Name them: "
        "loss={'share': ..., 'yes': ...}.",
    ),
}

DOUBTS = {
    "sigmoid over classes": (
        (KIND, {"kind": dense(3, "sigmoid")}),
        'head `kind`: expected activation="softmax", or none for logits, as Categorical needs, got sigmoid: '
        'sigmoid gives each class a probability of its own. Say activation="softmax" in the output layer.',
    ),
    "a loss left out on purpose": (
        (TWO, TWO_OUTPUTS, {"loss": {"yes": None, "share": "mse"}}),
        "head `yes`: expected a loss for it in model.compile, got loss={'yes': None, 'share': 'mse'}. Without "
        "one it learns nothing: give it one, or leave the head out.",
    ),
    "a loss that rows without a label dilute": (
        ({"gap": ph.Regression()}, {"gap": dense(1)}, {"loss": "mse"}),
        "head `gap`: expected a loss that is the mean over labeled rows, got the mean over the whole batch, "
        "which rows without a label make smaller. Say ph.compile(model, feed, optimizer=...).",
    ),
    "a logarithm of numbers that can be negative": (
        ({"share": ph.Regression(loss="poisson")}, {"share": dense(1)}),
        'head `share`: expected activation="exponential", as poisson takes the logarithm of the outputs, got no '
        'activation. Say activation="exponential" in the output layer: negative outputs make the loss meaningless or '
        "NaN.",
    ),
    "labels that are all alike": (
        ({"same": ph.Regression()}, {"same": dense(1)}),
        "head `same`: expected labels that differ, got 1 in all 200 labeled rows. There is nothing to learn "
        "from it: check its column.",
    ),
    "labels that are all of one class": (
        ({"dogs": ph.Categorical(["cat", "dog"])}, {"dogs": dense(2, "softmax")}),
        "head `dogs`: expected labels that differ, got 'dog' in all 200 labeled rows. There is nothing to "
        "learn from it: check its column.",
    ),
    "no label at all": (
        ({"none": ph.Regression(missing=-1)}, {"none": dense(1)}),
        "head `none`: expected at least one label that counts, got none in 200 rows. Look at its column and at "
        "missing=-1, or leave the head out.",
    ),
    "boxes of 0-1 in place of pixels": (
        ({"box01": ph.Boxes(1)}, {"box01": boxes}),
        "head `box01`: expected boxes in pixels, got coordinates from {low:.4g} to {high:.4g}. These look like "
        "0–1: say normalized=True, or only column_normalized=True to predict pixels.",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name):
    given, words = MISTAKES[name]
    report = check(*given)
    assert [str(p) for p in report.errors] == [words]
    assert not report.ok


@pytest.mark.parametrize("name", DOUBTS)
def test_what_may_be_meant_is_a_warning(name):
    given, words = DOUBTS[name]
    report = check(*given)
    low, high = DATA["box01"].min(), DATA["box01"].max()
    assert [str(p) for p in report.problems] == [
        words.replace("{low:.4g}", f"{low:.4g}").replace("{high:.4g}", f"{high:.4g}")
    ]
    assert report.ok


class OfLogarithms(keras.losses.Poisson):
    def call(self, y_true, y_pred):
        return super().call(y_true, keras.ops.exp(y_pred))


@pytest.mark.parametrize(
    ("loss", "column", "wanted"),
    [
        ("poisson", "share", "exponential"),
        (keras.losses.Poisson(), "share", "exponential"),
        (keras.losses.kl_divergence, "tags", "softmax"),
        ("KLD", "tags", "softmax"),
        (OfLogarithms(), "share", "linear"),
        (lambda y, p: keras.ops.mean(keras.ops.exp(p) - y * p, axis=-1), "share", "linear"),
    ],
)
def test_outputs_are_positive_for_losses_that_take_their_logarithm(loss, column, wanted):
    size = 3 if column == "tags" else 1
    feed = ph.Feed(DATA, inputs="x", heads={column: ph.Regression(size, loss=loss)}, batch_size=20)
    x = keras.Input((4,), name="x")
    model = keras.Model(x, ph.outputs(x, feed))
    assert model.get_layer(column).activation.__name__ == wanted
    assert feed.check(model).problems == ()


def test_class_ids_are_not_compared_with_the_range_of_a_softmax():
    data = {"x": np.zeros((9, 4)), "kind": np.arange(9) % 3, "one_hot": np.arange(9) % 3}
    heads = {"kind": ph.Categorical(3), "one_hot": ph.Categorical(3, one_hot=True)}
    x = keras.Input((4,), name="x")
    outputs = {"kind": layers.Dense(3, activation="softmax")(x), "one_hot": layers.Dense(3)(x)}
    assert ph.Feed(data, inputs="x", heads=heads).check(keras.Model(x, outputs)).problems == ()


def test_losses_of_keras_cannot_apply_a_weight_for_each_label():
    """With as many rows in a batch as labels, Keras would weigh each row by the weights of another."""
    tags = np.where(np.eye(6, 3) > 0, np.nan, 1.0)
    feed = ph.Feed(
        {"x": np.zeros((6, 4)), "tags": tags}, inputs="x", heads={"tags": ph.MultiLabel(3)}, batch_size=3
    )
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(3, activation="sigmoid", name="tags")(x))
    model.compile("sgd", loss="binary_crossentropy")
    with pytest.raises(ph.ContractError) as error:
        model.fit(feed, verbose=0)
    assert str(error.value) == (
        "head `tags`: expected a loss with a value for each weight of a row, (3), got a single one. "
        "Keras can't apply them: say ph.compile(model, feed, optimizer=...), whose losses can."
    )
    ph.compile(model, feed, optimizer="sgd").fit(feed, verbose=0)


def test_two_heads_whose_labels_fit_each_other_s_outputs_look_exchanged():
    report = check(
        {"price": ph.Regression(), "share": ph.Regression()},
        {"price": dense(1, "sigmoid"), "share": dense(1)},
    )
    assert [str(p) for p in report.problems] == [
        MISTAKES["a label that a sigmoid never reaches"][1],
        "head `price` and head `share`: expected the labels of each head at its own output, got labels of `price` that "
        "fit the output of `share`, and the reverse. They look exchanged: check the columns of the two heads, "
        "and the names of the two layers.",
    ]


def test_a_misspelled_loss_is_named_with_its_neighbor():
    report = check(TWO, TWO_OUTPUTS, {"loss": {"yess": "binary_crossentropy", "share": "mse"}})
    assert [p.code for p in report.errors] == ["loss-keys", "loss-missing"]
    assert str(report.errors[0]) == (
        "model.compile(loss=), `yess`: expected the name of an output (share, yes), got no such output. Did you "
        "mean `yes`?"
    )


def test_losses_and_weights_by_position_are_right_for_outputs_in_a_list():
    compiled = {"loss": {"yes": "binary_crossentropy", "share": "mse"}, "loss_weights": [1.0, 2.0]}
    assert not check(TWO, TWO_OUTPUTS, compiled, as_list=True).problems
    compiled = {"loss": ["binary_crossentropy", "mse"], "loss_weights": [1.0, 2.0]}
    assert not check(TWO, TWO_OUTPUTS, compiled, as_list=True).problems
    swapped = {"loss": ["mse", "binary_crossentropy"]}
    assert [p.code for p in check(TWO, TWO_OUTPUTS, swapped, as_list=True).errors] == ["logits"]


def test_plain_metrics_beside_missing_labels():
    mean = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    report = check({"gap": ph.Regression()}, {"gap": dense(1)}, {"loss": mean, "metrics": ["mae"]})
    assert [str(p) for p in report.problems] == [
        "model.compile(metrics=): expected weighted_metrics=, as `gap` have sample weights, got ['mae']. Plain "
        "metrics count rows without a label as well: say weighted_metrics=, or use ph.compile."
    ]


def test_boxes_beyond_the_image():
    report = check({"box": ph.Boxes(1)}, {"box": boxes}, inputs=IMAGE)
    assert [str(p) for p in report.problems] == [
        "head `box`, row 9: expected boxes in pixels of the image, 8 x 8, got 85.75. Scale them as the image was "
        'scaled, or say Boxes(format="xywh") if that is what they are.'
    ]


def places_filled(pad, kind, fit="stretch", given=None, missing=None):
    """The words on boxes or points of 40 rows, of which 60 of 120 are there and ``pad`` fills the others."""
    width = 4 if kind is ph.Boxes else 2
    column = np.full((40, 3, width), pad, float)
    for row in range(40):
        there = [[2.0, 2, 8 + row % 3, 9], [4, 1, 7, 10 + row % 2], [3, 5, 9, 11]][: row % 4]
        column[row, : row % 4] = np.reshape(there, (-1, 4))[:, :width]
    data = {"image": np.zeros((40, 12, 16, 3), "uint8"), "at": column, "seen": np.zeros(40)}
    heads = {"at": kind(3, given=given, missing=missing), "seen": ph.Binary()}
    feed = ph.Feed(data, inputs={"image": ph.Image(16, 16, fit=fit)}, heads=heads, batch_size=20)
    outputs = {
        "at": lambda h: layers.Reshape((3, width))(layers.Dense(3 * width)(h)),
        "seen": dense(1, "sigmoid"),
    }
    return [str(problem) for problem in feed.check(build(feed, outputs)).problems if problem.code == "filler"]


@pytest.mark.once
@pytest.mark.parametrize(
    ("pad", "kind", "fit", "expected", "found", "say"),
    [
        (
            0,
            ph.Boxes,
            "stretch",
            "boxes with a size",
            "[0.0, 0.0, 0.0, 0.0], and 60 of 120 boxes",
            "missing=0)",
        ),
        (
            *(0, ph.Boxes, "contain", "boxes with a size", "[0.0, 2.0, 0.0, 2.0], and 60 of 120 boxes"),
            "missing=...) with the number that fills them",
        ),
        (0, ph.Keypoints, "stretch", "points in the image", "[0.0, 0.0], and 60 of 120 points", "missing=0)"),
    ],
)
def test_boxes_and_points_that_fill_places(pad, kind, fit, expected, found, say):
    assert places_filled(pad, kind, fit) == [
        f"head `at`, row 0: expected {expected}, got {found} like it. They count as labels. "
        f"If they stand for missing ones, say ph.{kind.__name__}(3, {say}."
    ]


@pytest.mark.once
def test_boxes_and_points_that_are_marked_or_do_not_count_are_no_fillers():
    for kind in (ph.Boxes, ph.Keypoints):
        assert places_filled(0, kind, missing=0) == []
        assert places_filled(0, kind, given="seen") == []
        assert places_filled(np.nan, kind) == []


def strays(kind, column, given=None, size=(32, 32), **kind_arguments):
    """The words on boxes or points outside of images of 20 x 24."""
    rows = len(column)
    data = {"image": np.zeros((rows, 20, 24, 3), "uint8"), "at": column, "seen": np.arange(rows) < 2}
    heads = {"at": kind(1, given=given, **kind_arguments), "seen": ph.Binary()}
    feed = ph.Feed(data, inputs={"image": ph.Image(*size)}, heads=heads)
    width = 4 if kind is ph.Boxes else 2
    outputs = {
        "at": lambda h: layers.Reshape((1, width))(layers.Dense(width)(h)),
        "seen": dense(1, "sigmoid"),
    }
    return [str(p) for p in feed.check(build(feed, outputs), rows="all").problems if p.warning]


@pytest.mark.once
def test_boxes_and_points_outside_of_images_that_are_resized():
    boxes = [[1.0, 2, 9, 9], [20, 20, 38, 38], [2, 4, 20, 19], None]  # one of 3
    assert strays(ph.Boxes, boxes) == [
        "head `at`, row 1: expected boxes in their image, 20 x 24 before it is resized, got [20.0, 20.0, 38.0, 38.0], "
        "and 1 of 3 boxes like it. If the image was resized after annotation, scale them the same way; if they "
        "have another format, say Boxes(format=...)."
    ]
    assert strays(ph.Keypoints, [[[-1.0, -1]], [[23, 19]], [[4, 4]]]) == [
        "head `at`, row 0: expected points in their image, 20 x 24 before it is resized, got [-1.0, -1.0], and 1 of 3 "
        "points like it. If they stand for missing ones, say ph.Keypoints(1, missing=-1)."
    ]
    (every,) = strays(ph.Boxes, [[100.0, 100, 500, 500]] * 2)  # one warning says why no label counts
    assert "2 of 2 boxes like it" in every


@pytest.mark.once
def test_boxes_and_points_outside_of_images_that_keep_their_size():
    swapped = [[2.0, 21, 9, 23], [1, 2, 9, 9], None]  # (y, x) of a box at the right
    assert strays(ph.Boxes, swapped, size=(20, 24)) == [
        "head `at`, row 0: expected boxes in their image, 20 x 24, got [2.0, 21.0, 9.0, 23.0], and 1 of 2 boxes like "
        "it. If the image was resized after annotation, scale them the same way; if they have another format, say "
        "Boxes(format=...)."
    ]
    (words,) = strays(ph.Keypoints, [[[2.0, 21]], [[3, 22]], [[4, 4]]], size=(20, 24))
    assert "got [2.0, 21.0], and 2 of 3 points like it" in words
    assert (
        strays(ph.Boxes, [[1.0, 2, 9, 9], [10, 5, 30, 19], [30.0, 4, 40, 9]], size=(20, 24), given="seen")
        == []
    )


@pytest.mark.once
def test_boxes_that_do_not_count_or_reach_into_the_image_are_no_strays():
    within = [[1.0, 2, 9, 9], [10, 5, 30, 19]]
    assert strays(ph.Boxes, [*within, [-1.0] * 4], given="seen") == []
    assert strays(ph.Boxes, [*within, [-1.0] * 4], missing=-1) == []
    assert strays(ph.Boxes, [*([within[0], within[1]] * 20), [30.0, 4, 40, 9]]) == []  # one of 41


def words_on(head, column):
    feed = ph.Feed({"x": np.zeros((len(column), 2)), "y": column}, inputs="x", heads={"y": head})
    units = len(feed.heads["y"].names) or 1
    activation = {ph.Categorical: "softmax", ph.MultiLabel: "sigmoid"}.get(type(head))
    return [str(p) for p in feed.check(build(feed, {"y": dense(units, activation)})).problems]


@pytest.mark.once
@pytest.mark.parametrize("dtype", [int, float, object])
def test_a_negative_number_among_learned_ids(dtype):
    ids = np.array([0, 1, -1, 2, -1, 1] * 3).astype(dtype)
    assert words_on(ph.Categorical(), ids) == [
        'head `y`: expected ids of classes of at least 0, got -1 in 6 rows. If it means "no label", say '
        "Categorical(missing=-1); if it is a class, list the classes: Categorical([-1, 0, 1, 2])."
    ]
    assert words_on(ph.Categorical(missing=-1), ids) == []
    assert words_on(ph.Categorical([-1, 0, 1, 2]), ids) == []
    assert words_on(ph.Categorical(), np.sign(ids[ids != 0].astype(int))) == []  # -1 and 1


@pytest.mark.once
def test_a_negative_number_that_fills_up_lists_of_ids():
    ids = np.array([[0, 1], [2, -1], [1, -1]] * 3)
    for column in (ids, ids.tolist()):
        assert words_on(ph.MultiLabel(), column) == [
            "head `y`: expected ids of classes of at least 0, got -1 in 6 rows. If -1 is no label, leave it out: [[one "
            "for one in row if one != -1] for row in column]; if it is a class, list the classes: MultiLabel([-1, 0, "
            "1, 2])."
        ]
    assert words_on(ph.MultiLabel(), [[one for one in row if one != -1] for row in ids.tolist()]) == []


@pytest.mark.once
@pytest.mark.parametrize("scale", [None, "standard"])
def test_numbers_that_likely_mean_no_label(scale):
    column = np.array([[1.5], [-999], [3], [40], [-999], [7]])
    assert words_on(ph.Regression(scale=scale), column) == [
        'head `y`, row 1: expected numbers, got -999, and 2 of 6 numbers like it. If it means "no label", say '
        "missing=-999."
    ]
    assert words_on(ph.Regression(scale=scale, missing=-999), column) == []
    rare = np.arange(-1000.0, -900)  # one of 100
    assert words_on(ph.Regression(scale="standard"), rare) == []


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("rescale", "has"),
    [
        (layers.Rescaling(1 / 255), "Rescaling(1 / 255)"),
        (keras.applications.mobilenet_v2.preprocess_input, "a division by 127.5"),
        (lambda x: x * (1 / 255), "a multiplication by 0.003922"),
        (lambda x: (x - 127.5) / 127.5, "a subtraction of 127.5"),
        (keras.applications.resnet.preprocess_input, "a subtraction of 103.9, 116.8, 123.7"),
        (
            layers.Normalization(mean=[123.7, 116.3, 103.5], variance=[3409.0, 3263, 3291]),
            "a Normalization with a mean of 114.5",
        ),
    ],
)
def test_pixels_that_are_scaled_twice(rescale, has):
    report = check(YES, {"yes": dense(1)}, inputs=IMAGE, start=rescale)
    assert [str(p) for p in report.problems] == [
        f"input `image`: expected pixels of 0–255, as the model has {has}, got pixels of 0–1, scaled "
        f'by the feed. Say ph.Image(dtype="uint8"), or leave {"Rescaling" if "Resc" in has else "it"} out of the model.'
    ]
    assert not check(
        YES, {"yes": dense(1)}, inputs={"image": ph.Image(dtype="uint8")}, start=rescale
    ).problems


@pytest.mark.few(5)
@pytest.mark.parametrize(
    ("start", "warned"),
    [
        (layers.Conv2D(2, 3, name="first"), True),
        (lambda h: layers.Conv2D(2, 3, name="first")(layers.RandomFlip()(layers.ZeroPadding2D()(h))), True),
        (keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3, name="first")]), True),
        (layers.BatchNormalization(), False),
        (
            keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 127.5, -1), layers.Conv2D(2, 3)]),
            False,
        ),
        (lambda h: layers.Conv2D(2, 3, name="first")(h[..., ::-1]), True),
        (layers.Normalization(mean=[123.7, 116.3, 103.5], variance=[3409.0, 3263, 3291]), False),
    ],
    ids=[
        "convolution", "after layers that move", "in a model within", "normalized", "rescaled within",
        "in reversed order", "normalized from bytes",
    ],
)  # fmt: skip
def test_bytes_that_the_first_layer_takes_as_they_are(start, warned):
    report = check(YES, {"yes": dense(1)}, inputs={"image": ph.Image(dtype="uint8")}, start=start)
    told = (
        "input `image`: expected pixels near 0–1, as layer `first` reads them unscaled, got pixels of 0–255. Leave "
        "dtype= out of ph.Image, or begin the model with keras.layers.Rescaling(1 / 255)."
    )
    assert [(str(p), p.warning) for p in report.problems] == [(told, True)] * warned


@pytest.mark.once
def test_bytes_that_are_normalized_by_the_mean_of_fractions():
    start = layers.Normalization(mean=[0.485, 0.456, 0.406], variance=[0.05, 0.05, 0.05], name="of_imagenet")
    report = check(YES, {"yes": dense(1)}, inputs={"image": ph.Image(dtype="uint8")}, start=start)
    assert [str(p) for p in report.problems] == [
        "input `image`: expected pixels near 0–1, as layer `of_imagenet` has a mean of 0.449, got pixels of 0–255. "
        "Leave dtype= out of ph.Image, or begin the model with keras.layers.Rescaling(1 / 255)."
    ]
    assert not check(YES, {"yes": dense(1)}, inputs=IMAGE, start=start).problems


def test_an_embedding_that_is_smaller_than_the_vocabulary():
    data = {"words": [["a", "b"], ["c", "d"]] * 20, "yes": [0, 1] * 20}
    feed = ph.Feed(data, inputs={"words": ph.Array(vocabulary="auto")}, heads=YES)
    size = len(feed.inputs["words"].names)
    for rows, problems in ((size, 0), (size - 1, 1)):
        model = build(feed, {"yes": dense(1)}, start=layers.Embedding(rows, 3, name="of_words"))
        found = feed.check(model).errors
        assert [p.code for p in found] == ["token-range"] * problems
    assert str(found[0]) == (
        f"input `words`: expected an embedding of {size} rows, one for each word of the vocabulary, got {size - 1} in "
        "`of_words`. Say keras.layers.Embedding(len(feed.inputs['words'].names), ...)."
    )


def test_ids_for_which_an_embedding_has_no_row():
    data = {"words": np.arange(40).reshape(20, 2), "yes": [0, 1] * 10}
    feed = ph.Feed(data, inputs="words", heads=YES)
    for rows, problems in ((40, 0), (39, 1)):
        model = build(feed, {"yes": dense(1)}, start=layers.Embedding(rows, 3, name="of_words"))
        found = feed.check(model).errors
        assert [p.code for p in found] == ["token-range"] * problems
    assert str(found[0]).startswith(
        "input `words`, row 19: expected ids in [0, 38], as the embedding `of_words` has 39 rows, got 39."
    )


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_an_id_in_a_late_row_is_found(dtype):
    words = np.arange(3000)[:, None] % 20
    words[2900] = 40
    ids, inputs = words.astype(dtype), {"words": ph.Array()}
    if dtype == np.float32:
        ids[2800], inputs = np.nan, {"words": ph.Array(fill=0.0)}
    feed = ph.Feed({"words": ids, "yes": words[:, 0] % 2}, inputs=inputs, heads=YES)
    for rows, problems in ((41, 0), (40, 1)):
        model = build(feed, {"yes": dense(1)}, start=layers.Embedding(rows, 3, name="of_words"))
        found = feed.check(model).errors
        assert [p.code for p in found] == ["token-range"] * problems
    assert str(found[0]).startswith(
        "input `words`, row 2900: expected ids in [0, 39], as the embedding `of_words` has 40 rows, got 40."
    )


@pytest.mark.parametrize("missing", [False, True])
def test_a_large_column_is_not_copied_to_find_its_extremes(missing):
    numbers = np.arange(1 << 20, dtype=np.float32).reshape(1024, 1024)
    numbers[7] = np.nan if missing else 0
    data = {"x": numbers, "yes": np.arange(1024) % 2}
    assembler = ph.Feed(data, inputs={"x": ph.Array(fill=0.0)}, heads=YES)._assembler
    tracemalloc.start()
    ids, _ = assembler.extremes("x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ids.tolist() == [0, 1023]
    assert peak < numbers.nbytes / 4


def test_only_ids_in_memory_are_all_read(tmp_path, monkeypatch):
    """A file may be large, and is read for an hour."""
    monkeypatch.setattr("polyhead.pipeline.gather.SMALL_FILE", 0)
    monkeypatch.setattr("polyhead.pipeline.assembler.SCANNED_BYTES", 10_000)
    words = np.arange(3000, dtype="int32")[:, None] % 20
    words[2900] = 40
    np.save(tmp_path / "words.npy", words)
    mapped = np.load(tmp_path / "words.npy", mmap_mode="r")
    feed = ph.Feed({"words": mapped, "yes": words[:, 0] % 2}, inputs="words", heads=YES)
    model = build(feed, {"yes": dense(1)}, start=layers.Embedding(40, 3))
    assert not feed.check(model).errors
    monkeypatch.setattr("polyhead.pipeline.assembler.SCANNED_BYTES", 12_000)
    assert "row 2900: expected ids in [0, 39]" in str(feed.check(model).errors[0])
    feed = ph.Feed({"words": words, "yes": words[:, 0] % 2}, inputs="words", heads=YES)
    monkeypatch.delattr("polyhead.pipeline.assembler.Assembler.extremes")
    assert not feed.check(build(feed, {"yes": dense(1)}, start=layers.Dense(3))).errors


def test_ids_with_a_fraction_for_an_embedding():
    data = {"words": np.arange(40).reshape(20, 2) / 40, "yes": [0, 1] * 10}
    feed = ph.Feed(data, inputs="words", heads=YES)
    model = build(feed, {"yes": dense(1)}, start=layers.Embedding(40, 3, name="of_words"))
    assert [(str(p), p.warning) for p in feed.check(model).problems] == [
        (
            "input `words`, row 0: expected ids, as the embedding `of_words` reads them, got 0.025, which it "
            "truncates. Give whole numbers, without scaling them.",
            True,
        )
    ]


def test_negative_ids_read_the_last_rows_of_an_embedding():
    data = {"words": np.arange(40).reshape(20, 2) - 1, "yes": [0, 1] * 10}
    feed = ph.Feed(data, inputs="words", heads=YES)
    assert not feed.check(build(feed, {"yes": dense(1)}, start=layers.Embedding(40, 3))).errors
    model = build(feed, {"yes": dense(1)}, start=layers.Embedding(39, 3, name="of_words"))
    assert [str(p) for p in feed.check(model).errors] == [
        "input `words`, row 0: expected ids in [0, 38], as the embedding `of_words` has 39 rows, got -1. Keras counts "
        "negative ids from the last row, which other ids have as well: give -1 an id of its own."
    ]


def test_ids_that_a_layer_cuts_off_need_no_row_of_the_embedding():
    data = {"words": np.array([[[3], [900]]] * 20), "yes": [0, 1] * 10}
    feed = ph.Feed(data, inputs="words", heads=YES)

    def first(h):
        return layers.Embedding(4, 3)(layers.Flatten()(layers.Cropping1D((0, 1))(h)))

    assert not feed.check(build(feed, {"yes": dense(1)}, start=first)).errors


@pytest.mark.parametrize("head", [ph.Binary(), ph.Binary(loss="hinge"), ph.Binary(loss=keras.losses.Hinge())])
def test_tanh_and_hinge(head):
    compiled = {"loss": {"yes": keras.losses.SquaredHinge()}} if head.loss is None else None
    assert not check({"yes": head}, {"yes": dense(1, "tanh")}, compiled).problems
    assert [p.code for p in check(YES, {"yes": dense(1, "tanh")}).problems] == ["activation"]


def test_a_loss_that_compares_outputs_with_0_and_1_needs_probabilities():
    head = {"yes": ph.Binary(loss="mse")}
    assert [str(p) for p in check(head, {"yes": dense(1)}).warnings] == [
        'head `yes`: expected activation="sigmoid", as mean_squared_error compares the outputs themselves with the '
        'labels, got no activation. Say activation="sigmoid" in the output layer: predictions are taken for '
        "probabilities."
    ]
    assert not check(head, {"yes": dense(1, "sigmoid")}).problems
    for loss in ("hinge", keras.losses.BinaryCrossentropy(from_logits=True), lambda t, p: (t - p) ** 2):
        assert not check({"yes": ph.Binary(loss=loss)}, {"yes": dense(1)}).problems


def test_numbers_that_an_integer_input_would_cut_off():
    report = check(YES, {"yes": dense(1)}, dtype="int32")
    assert [str(p) for p in report.problems] == [
        "input `x`: expected whole numbers, as the model's input is int32, got float32, which Keras would "
        'truncate. Say ph.Array(dtype="int32"), or keras.Input(..., dtype="float32").'
    ]


def test_everything_right_has_nothing_to_say():
    heads = {**TWO, **KIND, "tags": ph.MultiLabel(), "gap": ph.Regression(), "signed": ph.Regression()}
    outputs = {
        **TWO_OUTPUTS,
        "kind": dense(3),
        "tags": dense(3, "sigmoid"),
        "gap": dense(1, "relu"),
        "signed": dense(1),
    }
    assert not check(heads, outputs, rows="all").problems


class Late(ph.Source):
    """Bad values far from the first rows."""

    def __len__(self):
        return 5000

    def read(self, ids):
        x = np.where(ids == 4321, np.nan, ids)
        return {"x": x.astype("float32"), "kind": np.where(ids == 4000, 7, ids % 3), "share": ids / 5000}


@pytest.mark.parametrize(("rows", "found"), [(None, 0), (100, 0), ("all", 2)])
def test_all_rows_are_looked_at_when_asked(rows, found, capsys):
    heads = {**KIND, "share": ph.Regression()}
    feed = ph.Feed(Late(), inputs="x", heads=heads, batch_size=50)
    report = feed.check(build(feed, {"kind": dense(3), "share": dense(1)}), rows=rows)
    assert [p.place for p in report.errors] == ["input `x`, row 4321", "head `kind`, row 4000"][:found]
    assert capsys.readouterr().out == ""


def test_how_many_rows_is_a_number():
    feed = ph.Feed(DATA, inputs="x", heads=YES)
    with pytest.raises(
        ph.ContractError, match=re.escape('check(rows=): expected "all" or an integer of at least 1')
    ):
        feed.check(build(feed, {"yes": dense(1)}), rows="some")


def test_mistakes_of_the_compiled_model_come_before_the_first_step():
    feed = ph.Feed(DATA, inputs="x", heads=KIND)
    model = build(feed, {"kind": dense(3, "softmax")}, {"loss": "mse"})
    with pytest.raises(ph.ContractError, match="Class ids are no quantities"):
        model.fit(feed, verbose=0)
    with pytest.raises(ph.ContractError, match="Class ids are no quantities"):
        feed.bind(model)
    ph.compile(model, feed, optimizer="sgd")  # what it was compiled with before is no matter
    model.fit(feed, verbose=0)


def test_a_model_compiled_anew_is_looked_at_again_and_warned_of_once():
    feed = ph.Feed(DATA, inputs="x", heads={"gap": ph.Regression()})
    model = build(feed, {"gap": dense(1)}, {"loss": keras.losses.MeanSquaredError("mean_with_sample_weight")})
    model.fit(feed, verbose=0)
    model.compile(optimizer="sgd", loss="mse")
    with pytest.warns(ph.PolyheadWarning, match="the mean over labeled rows") as found:
        model.fit(feed, verbose=0)
    assert {w.filename for w in found if w.category is ph.PolyheadWarning} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(feed, verbose=0)


def test_a_model_that_only_predicts_may_have_any_loss():
    feed = ph.Feed(DATA, inputs="x", heads=KIND)
    model = build(feed, {"kind": dense(3, "softmax")}, {"loss": "mse"})
    assert model.predict(feed, verbose=0)["kind"].shape == (ROWS, 3)


@pytest.mark.parametrize("loss", [lambda t, p: keras.ops.mean(keras.ops.square(t - p)), keras.losses.Dice()])
def test_a_loss_of_one_number_cannot_leave_out_what_is_missing(loss):
    heads = {"gap": ph.Regression(loss=loss)}
    feed = ph.Feed(DATA, inputs="x", heads=heads)
    with pytest.raises(ph.ContractError) as error:
        ph.compile(build(feed, {"gap": dense(1)}), feed, optimizer="sgd")
    assert str(error.value) == (
        "head `gap`: expected a loss with one value a row, as labels can be missing or are weighted, got one number "
        "for the whole batch. Average over the axes of one row only, as axis=-1: polyhead averages over rows, by their "
        "weights."
    )
    whole = ph.Feed(DATA, inputs="x", heads={"share": ph.Regression(loss=loss)})
    ph.compile(build(whole, {"share": dense(1)}), whole, optimizer="sgd")  # where all are labeled it may
    a_row = keras.losses.Dice(axis=1)
    rows = ph.Feed(DATA, inputs="x", heads={"gap": ph.Regression(loss=a_row)})
    ph.compile(build(rows, {"gap": dense(1)}), rows, optimizer="sgd")


def test_the_first_feed_after_a_second_one_compiled_the_model():
    def made(names, scale):
        data = {"x": DATA["x"] * scale, "kind": np.array(names)[ROW % 3]}
        inputs = {"x": ph.Array(scale="standard")}
        return ph.Feed(data, inputs=inputs, heads={"kind": ph.Categorical()})

    first, second = made(["a", "b", "c"], 1), made(["b", "c", "d"], 9)
    model = build(first, {"kind": dense(3, "softmax")})
    for feed, other in ((first, second), (second, first), (first, second)):
        ph.compile(model, feed, optimizer="sgd")
        model.evaluate(feed, verbose=0)
        model.predict(feed, verbose=0)
        with pytest.raises(ph.ContractError, match="head `kind`: expected the classes"):
            model.evaluate(other, verbose=0)
        with pytest.raises(ph.ContractError, match="input `x`: expected scale="):
            model.predict(other, verbose=0)


def test_validation_with_other_classes_than_training():
    def rows(names):
        return {"x": DATA["x"], "kind": np.array(names)[ROW % 3]}

    feed = ph.Feed(rows(["a", "b", "c"]), inputs="x", heads={"kind": ph.Categorical()})
    model = build(feed, {"kind": dense(3, "softmax")})
    ph.compile(model, feed, optimizer="sgd")
    for names in (["a", "a", "c"], ["a", "c", "d"]):
        other = ph.Feed(rows(names), inputs="x", heads={"kind": ph.Categorical()})
        with pytest.raises(ph.ContractError) as error:
            model.evaluate(other, verbose=0)
        assert str(error.value) == (
            "head `kind`: expected the classes that the model was compiled for, ['a', 'b', 'c'], got "
            f"{sorted(set(names))}. "
            "Ids would mean other classes: say train.on(rows), or give the heads of the other feed, train.heads."
        )
    numbers = ph.Feed({"x": DATA["x"], "kind": ROW * 1.0}, inputs="x", heads={"kind": ph.Regression()})
    assert [problem.code for problem in numbers.check(model).errors if "compiled" in problem.expected] == [
        "other-meaning"
    ]
    model.evaluate(feed.on(rows(["c", "b", "a"])), verbose=0)
    ph.compile(model, other, optimizer="sgd")  # for other classes from now on
    model.evaluate(other, verbose=0)


def test_channels_first_and_a_sequential_model():
    data = {"x": np.zeros((40, 3, 8, 8), "float32"), "yes": np.arange(40) % 2}
    feed = ph.Feed(data, inputs="x", heads=YES)
    model = keras.Sequential(
        [keras.Input((8, 8, 3), name="pixels"), layers.Flatten(), layers.Dense(1, activation="softmax")]
    )
    first, other = feed.check(model).errors
    assert str(first) == (
        "input `x`: expected an input of shape (3, 8, 8), got `pixels` of shape (8, 8, 3). These are channels "
        "first: give array.transpose(0, 2, 3, 1)."
    )
    assert other.code == "one-unit-softmax"
    last = ph.Feed({**data, "x": data["x"].transpose(0, 2, 3, 1)}, inputs="x", heads=YES)
    assert [p.code for p in last.check(model).errors] == ["one-unit-softmax"]


# Class names ---------------------------------------------------------------------------------------------

SPELLED = {
    "x": np.zeros((6, 2)),
    "kind": ["cat", "dog", " cat", "cat", "dog", "cat"],
    "other": np.array(["Cat", "dog", "cat", "a", "A", "cat"]),
    "tags": [["red"], ["red "], ["red", "round"], [], ["red"], ["round"]],
    "frame": pd.Categorical(["sea", "sky", "Sea", "sky", "sea", "sky"]),
    "letter": list("aAbBcC"),
    "boxes": [[[0, 0, 1, 1]]] * 6,
    "names": [["cat"], ["dog"], ["Cat"], ["dog"], ["dog"], [None]],
}


def spelled(heads, data=SPELLED):
    feed = ph.Feed(data, inputs={"x": ph.Array()}, heads=heads, batch_size=6)
    x = keras.Input((2,), name="x")
    return [
        str(p) for p in feed.check(keras.Model(x, ph.outputs(x, feed))).problems if p.code == "class-spelling"
    ]


@pytest.mark.parametrize(
    ("heads", "place", "found", "clean"),
    [
        ({"kind": ph.Categorical()}, "head `kind`", "' cat' once and 'cat' 3 times", "strip"),
        (
            {"k": ph.Categorical(column="other")},
            "head `k`, column `other`",
            "'Cat' once and 'cat' 2 times",
            "strip().str.lower",
        ),
        ({"tags": ph.MultiLabel()}, "head `tags`", "'red' 3 times and 'red ' once", "strip"),
        ({"frame": ph.Categorical()}, "head `frame`", "'Sea' and 'sea'", "strip().str.lower"),
        (
            {"boxes": ph.Boxes(), "names": ph.Categorical(each="boxes")},
            "head `names`",
            "'Cat' once and 'cat' once",
            "strip().str.lower",
        ),
    ],
)
def test_classes_that_are_spelled_in_two_ways(heads, place, found, clean):
    kind = "MultiLabel" if "tags" in heads else "Categorical"
    assert spelled(heads) == [
        f"{place}: expected classes that differ in more than spaces and case, got {found}. If they mean the same, "
        f"spell them alike in the data, for example with .str.{clean}(); if not, list the classes: {kind}([...])."
    ]


def test_many_classes_in_two_spellings_are_one_problem():
    names = [f"{word}{end}" for word in ("cat", "dog", "cow", "pig") for end in ("", " ")]
    (problem,) = spelled({"kind": ph.Categorical()}, {"x": np.zeros((8, 2)), "kind": names})
    named = (
        "'cat' once and 'cat ' once; 'cow' once and 'cow ' once; 'dog' once and 'dog ' once; … (4 in all)."
    )
    assert f"got {named}" in problem


def test_accents_encoded_in_two_ways():
    (problem,) = spelled(
        {"kind": ph.Categorical()}, {"x": np.zeros((4, 2)), "kind": ["\xe9", "e\u0301", "a", "b"]}
    )
    assert "differ in more than how accents are encoded" in problem
    assert '.str.normalize("NFC");' in problem


def test_values_beside_the_positive_one_that_are_spelled_alike():
    assert spelled({"kind": ph.Binary(positive="cat")}) == [
        "head `kind`: expected values that differ in more than spaces and case, got ' cat' and 'cat'. If they mean the "
        "same, spell them alike in the data, for example with .str.strip(); if not, turn the column into 0 and 1."
    ]
    assert spelled({"kind": ph.Binary(positive="dog")}) == []


def test_other_rows_with_the_positive_value_in_another_spelling():
    feed = ph.Feed(
        {"x": np.zeros((4, 2)), "y": ["yes", "no"] * 2}, inputs="x", heads={"y": ph.Binary(positive="yes")}
    )
    x = keras.Input((2,), name="x")
    model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    others = feed.on({"x": np.zeros((2, 2)), "y": ["Yes", "no"]})
    words = "got 'Yes' and 'yes'. If they mean the same"
    (problem,) = [p for p in others.check(model).problems if p.code == "class-spelling"]
    assert words in str(problem)
    with pytest.warns(ph.PolyheadWarning, match=words):
        model.fit(feed, validation_data=others, verbose=0)
    assert [p for p in feed.check(model).problems if p.code == "class-spelling"] == []


def test_classes_that_somebody_listed_may_be_alike_and_so_may_single_letters():
    assert spelled({"kind": ph.Categorical([" cat", "cat", "dog"])}) == []
    assert spelled({"letter": ph.Categorical()}) == []


def test_classes_of_a_source_that_are_spelled_in_two_ways(tmp_path):
    for name in ("cat", "cat ", "dog"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "one.png"), np.zeros((4, 4, 3), np.uint8))
    source = ph.read_folder(tmp_path)
    feed = ph.Feed(source, inputs={"image": ph.Image(4, 4)}, heads={"label": ph.Categorical()})
    x = keras.Input((4, 4, 3), name="image")
    model = keras.Model(x, ph.outputs(x, feed))
    (problem,) = [p for p in feed.check(model).problems if p.code == "class-spelling"]
    assert problem.found == "'cat' and 'cat '"
    assert problem.warning
    with pytest.warns(ph.PolyheadWarning, match="differ in more than spaces and case"):
        feed.bind(model)
    assert "class-spelling" not in [
        p.code for p in feed.on(source).check(model).problems
    ]  # said once, in training


def test_classes_that_nearly_each_row_has_for_itself():
    def doubts(labels, head):
        rows = {"x": np.zeros((len(labels), 2), np.float32), "y": labels}
        feed = ph.Feed(rows, inputs="x", heads={"y": head})
        x = keras.Input((2,), name="x")
        return [str(p) for p in feed.check(keras.Model(x, ph.outputs(x, feed))).problems]

    names = [f"K{i}" for i in range(40)]
    assert doubts(names + names[:10], ph.Categorical()) == [
        "head `y`: expected classes that several rows share, got 40 different ones in 50 rows. Look at its column: ids "
        "and free text are no classes, and numbers are ph.Regression()."
    ]
    assert doubts(names * 2, ph.Categorical()) == []
    assert doubts(names, ph.Categorical([*names, "K40"])) == []  # listed: not all of them occur
    assert doubts(names[:20], ph.Categorical()) == []
