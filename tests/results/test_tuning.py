"""Thresholds and temperatures become part of the declaration, in this process and in the saved model."""

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.kinds import Head

RNG = np.random.default_rng(12)
ROWS = 300
X = RNG.normal(size=(ROWS, 3)).astype("float32")
KIND = (X + RNG.normal(size=X.shape)).argmax(1)
DATA = {
    "x": X,
    "kind": KIND,
    "rare": X[:, 0] + RNG.normal(size=ROWS) > 1.2,
    "tags": (X + RNG.normal(size=X.shape) > 0.8).astype(int),
    "price": X[:, 0],
    "box": [[[0, 0, 1, 1 + i % 2]] if i % 3 else [] for i in range(ROWS)],
}
HEADS = {
    "kind": ph.Categorical(3),
    "rare": ph.Binary(),
    "tags": ph.MultiLabel(3),
    "price": ph.Regression(),
    "box": ph.Boxes(1),
    "there": ph.Binary(each="box", column="box"),
}


@pytest.fixture
def made():
    """A feed, and a model that is far too sure of its logits."""
    feed = ph.Feed(DATA, inputs="x", heads=HEADS, batch_size=64)
    x = keras.Input((3,), name="x")
    outputs = ph.outputs(x, feed)
    outputs["kind"] = keras.layers.Rescaling(6.0, name="kind")(x)
    outputs["tags"] = keras.layers.Activation("sigmoid", name="tags")(x - 2.0)
    return feed, ph.compile(keras.Model(x, outputs), feed, optimizer="sgd")


def test_calibrate(made, tmp_path):
    feed, model = made
    before = ph.evaluate(model, feed, intervals=None)
    temperature = before.calibrate("kind")
    assert temperature > 2
    after = ph.evaluate(model, feed, intervals=None)
    assert after["kind"]["accuracy"].value == before["kind"]["accuracy"].value
    assert after["kind"]["log_loss"].value < before["kind"]["log_loss"].value
    assert after["kind"]["calibration_error"].value < before["kind"]["calibration_error"].value
    assert after.calibrate("kind") == pytest.approx(
        temperature, rel=0.01
    )  # of the logits, not of what is left
    assert before.declaration.heads["kind"].temperature == temperature


@pytest.mark.parametrize(
    ("logits", "found"),
    [
        ([4.0, 5.0, 6.0], "lowest at 0.05. All labels are predicted correctly"),
        ([-4.0, -5.0, -6.0], "lowest at 20. The outputs say little"),
    ],
)
def test_labels_that_say_nothing_about_the_temperature_leave_it(logits, found):
    x = keras.Input((1,), name="x")
    model = keras.Model(x, {"yes": keras.layers.Identity(name="yes")(x)})
    data = {"x": np.array(logits, "float32")[:, None], "yes": [1, 1, 1]}
    head = ph.Binary(loss=keras.losses.BinaryCrossentropy(True), temperature=2)
    feed = ph.Feed(data, inputs="x", heads={"yes": head})
    ph.compile(model, feed, optimizer="sgd")
    with pytest.warns(ph.PolyheadWarning, match=f"{found}.* The temperature stays 2."):
        assert ph.evaluate(model, feed, intervals=None).calibrate("yes") == 2
    assert ph.declaration_of(model).heads["yes"].temperature == 2


@pytest.mark.parametrize("objective", ["f1", "youden"])
def test_rows_without_positives_leave_the_threshold(objective):
    x = keras.Input((1,), name="x")
    model = keras.Model(x, {"yes": keras.layers.Activation("sigmoid", name="yes")(x)})
    data = {"x": np.array([[-1.0], [0.0], [1.0]], "float32"), "yes": [0, 0, 0]}
    feed = ph.Feed(data, inputs="x", heads={"yes": ph.Binary(threshold=0.6)})
    ph.compile(model, feed, optimizer="sgd")
    found = ph.evaluate(model, feed, intervals=None)
    words = f"expected positive labels, which the objective {objective} needs, got none.* threshold stays 0.6"
    with pytest.warns(ph.PolyheadWarning, match=words):
        assert found.tune("yes", objective) == 0.6
    assert ph.declaration_of(model).heads["yes"].threshold == 0.6
    assert found.tune("yes", "accuracy") > 0.74  # of no row: the highest probability is 0.731


def test_tune(made, tmp_path):
    feed, model = made
    before = ph.evaluate(model, feed, intervals=None)
    threshold = before.tune("tags", "f1")
    assert threshold < 0.5
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert ph.declaration_of(loaded).heads["tags"].threshold == threshold
    for found in (ph.evaluate(model, feed, intervals=None), ph.evaluate(loaded, DATA, intervals=None)):
        assert found["tags"]["f1_micro"].value > before["tags"]["f1_micro"].value
        assert found["tags"]["map"].value == pytest.approx(before["tags"]["map"].value)
        assert found["rare"]["f1"].value == pytest.approx(before["rare"]["f1"].value)


@pytest.mark.filterwarnings("ignore:calibrate")  # the model was not trained
def test_binary_heads_and_heads_of_boxes(made):
    feed, model = made
    before = ph.evaluate(model, feed, intervals=None)
    for name in ("rare", "there"):
        before.tune(name)
        assert 0 <= ph.declaration_of(model).heads[name].inner.threshold <= 1
        after = ph.evaluate(model, feed, intervals=None)[name]
        assert after["f1"].value == pytest.approx(after["f1_best"].value)
        before.calibrate(name)
    assert model.evaluate(feed, verbose=0, return_dict=True)["loss"] > 0
    assert feed.check(model).ok


def test_a_model_without_declaration_leaves_it_to_the_evaluation(made):
    feed, model = made
    plain = keras.Model(model.input, model.output)
    found = ph.evaluate(plain, feed, intervals=None)
    threshold = found.tune("tags", "youden")
    assert found.declaration.heads["tags"].threshold == threshold
    again = ph.evaluate(plain, DATA, declaration=found.declaration, intervals=None)
    assert again.tune("tags", "youden") == pytest.approx(threshold)
    assert isinstance(found.declaration.heads["tags"], Head)


def test_what_cannot_be_tuned(made):
    feed, model = made
    found = ph.evaluate(model, feed, intervals=None)
    for call, message in (
        (
            lambda: found.tune("price"),
            "tune(), head `price`: expected a head with a threshold, got one without. "
            "Only Binary and MultiLabel heads have a threshold.",
        ),
        (
            lambda: found.tune("kind"),
            "tune(), head `kind`: expected a head with a threshold, got one without. "
            "Only Binary and MultiLabel heads have a threshold.",
        ),
        (
            lambda: found.calibrate("price"),
            "calibrate(), head `price`: expected a head with a temperature, got one without. "
            "Only Binary, Categorical and MultiLabel heads have a temperature.",
        ),
        (
            lambda: found.tune("rare", "recall"),
            "tune(objective=): expected one of f1, accuracy, youden, got 'recall'.",
        ),
    ):
        with pytest.raises(ph.ContractError) as error:
            call()
        assert str(error.value) == message
