"""Missing labels and class weights: diluted losses, refused arguments."""

import keras
import numpy as np
import pytest
from traps import ONES, Batches, X, column, dense, fitted, no_step, plain, still, told, trap

import polyhead as ph

OUTPUTS = {"rare": 1, "other": 1}
CLASS_WEIGHT = {0: 1.0, 1: 5.0}


@trap(
    12,
    "missing labels, masked by hand with a weight of 0",
    keras="the loss is divided by the batch size, the logged loss averages steps alike, plain metrics count the "
    "fillers; with `mean_with_sample_weight` class weights cancel in small batches, and the log still averages steps",
    polyhead="`ph.compile`: loss, logged loss and metrics are means over what is labeled; for a model that was "
    "compiled otherwise it warns",
)
def test_missing_labels_masked_by_hand():
    # two batches: labels 2 and 4, then a single label 4; the mean of their squares is 12, of their sizes 10 / 3
    labels, weights = column(2, 4, 0, 4), np.array([1, 1, 0, 1], "float32")
    arrays = {"sample_weight": (weights, np.ones(4)), "batch_size": 2, "shuffle": False}
    # plain Keras: (4 + 16 + 16) / 4, and an error of 0 for the filler
    model = plain(dense(OUTPUTS), metrics=[["mae"], []], weighted_metrics=[["mse"], []])
    logs = fitted(model, X, (labels, ONES), **arrays)
    assert (logs["rare_loss"], logs["rare_mae"], logs["rare_mse"]) == (9.0, 2.5, 12.0)
    mended = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert mended(labels[2:], np.zeros((2, 1)), sample_weight=weights[2:]) == 16.0
    logs = fitted(plain(dense(OUTPUTS), loss=[mended, "mse"]), X, (labels, ONES), **arrays)
    assert logs["rare_loss"] == (10 + 16) / 2
    # polyhead
    heads = {"rare": ph.Regression(), "other": ph.Regression()}
    data = {"x": X, "rare": [2.0, 4.0, None, 4.0], "other": ONES}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=2)
    model = ph.compile(dense(OUTPUTS), feed, optimizer=still())
    logs = fitted(model, feed)
    assert (logs["rare_loss"], logs["rare_mae"], logs["loss"]) == (12.0, 10 / 3, 13.0)
    with pytest.warns(ph.PolyheadWarning) as found:
        feed.bind(plain(dense(OUTPUTS), metrics=[["mae"], []]))
    assert [str(w.message).split(",")[0] for w in found] == [
        "head `rare`: expected a loss that is the mean over labeled rows",
        "model.compile(metrics=): expected weighted_metrics=",
    ]
    # the second batch: one label, its whole error
    model.reset_metrics()
    loss = model.train_on_batch(*list(feed)[1], return_dict=True)
    assert (loss["rare_mae"], loss["other_mae"]) == (4.0, 1.0)
    model = ph.compile(dense(OUTPUTS), feed, optimizer=keras.optimizers.SGD(1.0))
    model.train_on_batch(*list(feed)[1])
    # the gradient of (4 - bias)² is -8, in a batch of two rows of which 3 in 4 are labeled; diluted it would be -4
    assert np.ravel(model.get_weights()[1]) == pytest.approx(8 / (2 * 3 / 4))


@trap(
    14,
    "`class_weight` for a model with several heads",
    keras="refused for arrays and generators; from a PyDataset a conversion error, or weights by row for "
    "all heads if the batch has as many rows as there are heads",
    polyhead="each head has its own class weights; the argument of `fit` is refused",
)
def test_class_weights_with_several_heads():
    labels = column(0, 1, 0, 1)
    # plain Keras
    model = plain(dense(OUTPUTS))
    with pytest.raises(ValueError, match="`class_weight` is only supported for Models with a single output"):
        fitted(model, X, (labels, ONES), class_weight=CLASS_WEIGHT)
    with pytest.raises(ValueError, match="`class_weight` is not supported for Python generator inputs"):
        fitted(model, (batch for batch in [(X, (labels, ONES))]), class_weight=CLASS_WEIGHT)
    with pytest.raises((TypeError, ValueError), match=r"only 0-dimensional arrays|only length-1 arrays"):
        fitted(model, Batches([(X, (labels, ONES))] * 2), class_weight=CLASS_WEIGHT)
    # two rows, two heads: the loss of `other`, which has no classes, comes out weighted too
    two = Batches([(X[:2], (labels[:2, 0], np.array([1, 0], "float32")))] * 2)
    assert fitted(plain(dense(OUTPUTS)), two)["other_loss"] == 0.5
    assert fitted(plain(dense(OUTPUTS)), two, class_weight=CLASS_WEIGHT)["other_loss"] == 2.5
    # polyhead: logits of 0 and 1 by class; the other head is left alone
    heads = {"rare": ph.Binary(class_weight=CLASS_WEIGHT), "other": ph.Regression()}
    x = labels @ np.array([[1, 0]], "float32")
    feed = ph.Feed({"x": x, "rare": labels, "other": ONES}, inputs="x", heads=heads, batch_size=4)
    model = ph.compile(dense(OUTPUTS, kernel=1.0), feed, optimizer=still())
    logs = fitted(model, feed)
    zero, one = np.log(2), np.log1p(np.exp(-1))
    assert logs["rare_loss"] == (2 * 1 * zero + 2 * 5 * one) / 12
    assert logs["other_loss"] == 0.5
    balanced = ph.Binary(class_weight="balanced")
    feed = ph.Feed({"x": x, "rare": [0, 0, 0, 1]}, inputs="x", heads={"rare": balanced}, batch_size=4)
    assert feed.peek()[2]["rare"].tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])
    feed = ph.Feed({"x": x, "rare": labels, "other": ONES}, inputs="x", heads=heads, batch_size=4)
    with no_step() as steps, pytest.raises(ph.ContractError) as error:
        model.fit(feed, class_weight=CLASS_WEIGHT, verbose=0, callbacks=[steps])
    assert told(error) == (
        "fit(class_weight=): expected no class_weight= together with a Feed, got {0: 1.0, 1: 5.0}. Set it on a head: "
        "ph.Binary(class_weight=...)."
    )
