import keras
import numpy as np
import pytest

import polyhead as ph

RNG = np.random.default_rng(6)
X = RNG.normal(size=(40, 2)).astype("float32")
DATA = {"x": X, "kind": (X[:, 0] > 0).astype(int) + (X[:, 1] > 0), "hot": X[:, 1] > 0.3}
HEADS = {"kind": ph.Categorical(3), "hot": ph.Binary()}


def compiled(dropout=0.0):
    keras.utils.set_random_seed(3)
    feed = ph.Feed(DATA, inputs="x", heads=HEADS, batch_size=16, shuffle=True)
    x = keras.Input((2,), name="x")
    features = keras.layers.Dropout(dropout, seed=5)(x)
    return feed, ph.compile(keras.Model(x, ph.outputs(features, feed)), feed, optimizer="adam")


@pytest.mark.once
def test_epochs_log_the_metrics_of_evaluate(tmp_path):
    feed, model = compiled()
    callback = ph.Evaluate(feed.on(DATA))
    log = model.fit(feed, epochs=3, verbose=0, callbacks=[callback]).history
    found = ph.evaluate(model, feed, intervals=None)
    names = {f"val_{head}_{name}" for head, one in found.items() for name in one if "[" not in name}
    assert names <= set(log)
    assert not any("[" in name for name in log)
    assert log["val_kind_f1_macro"][-1] == pytest.approx(found["kind"]["f1_macro"].value)
    assert log["val_hot_roc_auc"][-1] == pytest.approx(found["hot"]["roc_auc"].value)
    assert callback.evaluation["kind"]["log_loss"].value == pytest.approx(found["kind"]["log_loss"].value)
    assert callback.evaluation.suspects("kind").ids == found.suspects("kind").ids
    assert "Largest losses of kind" in callback.evaluation.save(tmp_path / "page.html").read_text("utf-8")
    threshold = callback.evaluation.tune("hot")
    assert ph.declaration_of(model).heads["hot"].threshold == threshold


def test_training_goes_on_as_without_it():
    weights = []
    for callbacks in ([], [ph.Evaluate(DATA, every=2)]):
        feed, model = compiled(dropout=0.5)
        model.fit(feed, epochs=3, verbose=0, callbacks=callbacks)
        weights.append(model.get_weights())
        assert feed.epoch == 3
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.once
def test_every_and_what_keras_logs():
    feed, model = compiled()
    callbacks = [ph.Evaluate(feed.on(DATA), every=3, prefix="test_"), ph.Evaluate(feed.on(DATA))]
    log = model.fit(feed, epochs=5, verbose=0, callbacks=callbacks, validation_data=feed.on(DATA)).history
    each, some = log["val_kind_log_loss"], log["test_kind_log_loss"]
    assert some == [each[0], each[0], each[2], each[2], each[2]]
    assert each[1] != each[2]
    assert log["val_kind_accuracy"] == pytest.approx(log["test_kind_accuracy"], abs=0.2)


def test_early_stopping_monitors_it():
    feed, model = compiled()
    stopping = keras.callbacks.EarlyStopping("val_hot_roc_auc", mode="max", patience=1, min_delta=1)
    log = model.fit(feed, epochs=9, verbose=0, callbacks=[ph.Evaluate(feed.on(DATA)), stopping]).history
    assert len(log["loss"]) == 2


def test_rows_without_labels_are_refused_before_the_first_step():
    feed, model = compiled()
    with pytest.raises(ph.DataError, match="evaluate\\(\\), head `kind`"):
        model.fit(feed, verbose=0, callbacks=[ph.Evaluate({"x": X, "hot": DATA["hot"]})])
    assert int(model.optimizer.iterations) == 0


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "Evaluate(every=): expected an integer of at least 1, got 0."),
        ({"prefix": None}, "Evaluate(prefix=): expected text, got None."),
        ({"batch_size": 0.5}, "Evaluate(batch_size=): expected an integer of at least 1, got 0.5."),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ph.ContractError) as error:
        ph.Evaluate(DATA, **arguments)
    assert str(error.value) == message
