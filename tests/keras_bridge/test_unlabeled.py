"""Rows without labels: they are predicted with the declaration of training; nothing trains or is measured on them."""

import json

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.errors import ContractError, DataError
from polyhead.pipeline import Batch

ROWS = 12
RNG = np.random.default_rng(2)
X = RNG.normal(size=(ROWS, 2)).astype("float32")
COLUMNS = {
    "x": X,
    "sold": [0, 1] * (ROWS // 2),
    "kind": list("abc") * (ROWS // 3),
    "price": RNG.normal(size=ROWS),
    "importance": RNG.uniform(0.5, 2, ROWS),
}
HEADS = {
    "sold": ph.Binary(),
    "kind": ph.Categorical(),
    "price": ph.Regression(given="sold", sample_weight="importance"),
}
NEW = {"x": X[:5] + 1}


@pytest.fixture(scope="module")
def feed():
    return ph.Feed(COLUMNS, inputs="x", heads=HEADS, batch_size=4, shuffle=True)


@pytest.fixture(scope="module", params=["dict", "list"])
def model(feed, request):
    x = keras.Input((2,), name="x")
    outputs = ph.outputs(x, feed.heads)
    model = keras.Model(x, outputs if request.param == "dict" else list(outputs.values()))
    return ph.compile(model, feed, optimizer="sgd")


def test_new_rows_are_predicted_as_arrays_are(feed, model):
    new = feed.on(NEW)
    assert new.check(model).ok
    got, want = (keras.tree.flatten(model.predict(data, verbose=0)) for data in (new, NEW["x"]))
    assert all(np.allclose(g, w, atol=1e-6) for g, w in zip(got, want, strict=True))
    assert new.bind(model).peek()[0].shape == (4, 2)


@pytest.mark.once
def test_a_model_of_features_predicts_a_feed(feed, model):
    features = keras.Model(model.input, 2 * model.input)
    assert np.allclose(features.predict(feed, verbose=0), 2 * X)


def test_batches_have_inputs_alone_and_heads_stay_as_learned(feed):
    new = feed.on(NEW, batch_size=2)
    assert new.heads == feed.heads
    assert [len(batch) for batch in new] == [1, 1, 1]
    assert new.peek()[0]["x"].tolist() == NEW["x"][:2].tolist()
    batches = list(new.batches())
    assert isinstance(batches[0], Batch)
    assert batches[0].labels == {}
    assert batches[0].weights is None
    assert [batch.ids.tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert not new.weighted_heads
    again = new.on(COLUMNS)
    assert again.heads == feed.heads
    assert len(next(iter(again))) == 3


def test_it_shows_itself(feed, tmp_path):
    new = feed.on(NEW)
    assert repr(new).splitlines()[-1] == (
        "  no labels, as the data has no column `sold`, `kind`, `price`, `importance`: for predict only"
    )
    told = new.describe()
    assert [(head.name, head.labeled) for head in told.heads] == [("sold", 0), ("kind", 0), ("price", 0)]
    assert "not read: for predict only" in str(told)
    page = new.preview(tmp_path / "page.html", n=2)
    assert len(page.samples) == 2
    assert "for predict only" in (tmp_path / "page.html").read_text()
    assert new.profile(steps=2).steps == 2
    assert json.loads(json.dumps(new.state()))["rows"] == 5


WHERE = (
    "{}(), head `sold`: expected a column `sold` among x, got no such column. Rows without labels can only be "
    "predicted"
)


def test_fit_and_evaluate_name_every_absent_column(feed, model):
    new = feed.on(NEW)
    for call, where in (
        (lambda: model.fit(new, verbose=0), "fit"),
        (lambda: model.evaluate(new, verbose=0), "evaluate"),
    ):
        with pytest.raises(DataError) as error:
            call()
        words = str(error.value)
        assert words.startswith("4 problems:")
        assert WHERE.format(where) in words
        assert all(f"a column `{name}` among x" in words for name in ("sold", "kind", "price", "importance"))
    with pytest.raises(DataError, match="Rows without labels can only be predicted"):
        ph.compile(model, new, optimizer="sgd")


def test_validation_rows_without_labels_are_refused_before_the_first_step(feed, model):
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
    with pytest.raises(
        ContractError, match=r"fit\(validation_data=\), head `sold`: expected a column `sold`"
    ):
        model.fit(feed, validation_data=feed.on(NEW), callbacks=[count], verbose=0)
    assert steps == []


@pytest.mark.parametrize("gone", ["kind", "importance", "sold"])
def test_some_columns_absent_is_for_prediction_too(feed, model, gone):
    rest = {name: column for name, column in COLUMNS.items() if name != gone} | {f"{gone}e": COLUMNS[gone]}
    new = feed.on(rest)
    got, want = (keras.tree.flatten(model.predict(data, verbose=0)) for data in (new, X))
    assert all(np.allclose(g, w, atol=1e-6) for g, w in zip(got, want, strict=True))
    with pytest.raises(DataError, match=rf"a column `{gone}` among .*Did you mean `{gone}e`\?") as error:
        model.evaluate(new, verbose=0)
    assert len(error.value.problems) == 1


def test_a_direct_declaration_needs_its_columns(feed):
    for heads in (HEADS, feed.heads):
        with pytest.raises(DataError, match=r'column `importance`.*Say Regression\(sample_weight="\.\.\."\)'):
            ph.Feed(NEW, inputs="x", heads=heads)
    with pytest.raises(DataError, match="head `kind`: expected a column `kind`"):
        feed.on(NEW, heads={"kind": ph.Categorical()})  # no classes: nothing could be decoded
    with pytest.raises(DataError, match="input `x`: expected a column `x`"):
        feed.on({"y": [1]})
    alone = feed.on(NEW, heads={"kind": feed.heads["kind"]})
    assert list(alone.heads) == ["kind"]
    assert len(alone.peek()) == 1


def images(rows):
    return RNG.integers(0, 256, (rows, 8, 8, 3), dtype=np.uint8)


def scene():
    data = {
        "image": images(6),
        "there": [1, 1, 0, 1, 1, 1],
        "box": [np.array([[1.0, 1, 5, 5], [2, 2, 6, 7]][: 1 + i % 2]) for i in range(6)],
        "kind": [["cat", "dog"][: 1 + i % 2] for i in range(6)],
        "eyes": RNG.uniform(1, 7, (6, 2, 2)),
        "mask": RNG.integers(0, 2, (6, 8, 8)),
    }
    heads = {
        "there": ph.Binary(),
        "box": ph.Boxes(2, given="there", overflow="largest"),
        "kind": ph.Categorical(each="box"),
        "eyes": ph.Keypoints(2, pairs=[(0, 1)]),
        "mask": ph.Mask(missing=255),
    }
    return ph.Feed(
        data, inputs={"image": ph.Image(8, 8)}, heads=heads, augment=[ph.Flip(), ph.Rotate(10)], batch_size=4
    )


@pytest.mark.parametrize("form", ["arrays", "other sizes", "augmented", "mixed"])
def test_images_with_all_that_lies_in_them(form, tmp_path):
    feed = scene()
    x = keras.Input((8, 8, 3), name="image")
    features = keras.layers.Rescaling(1.0)(x)
    masks = {"mask": features, None: keras.layers.Flatten()(features)}
    model = ph.compile(keras.Model(x, ph.outputs(masks, feed.heads)), feed, optimizer="sgd")
    pixels = images(3)
    column = (
        [np.repeat(image, 1 + i, 0) for i, image in enumerate(pixels)] if form == "other sizes" else pixels
    )
    more = {"augmented": [ph.Flip(), ph.Rotate(20)], "mixed": [ph.Mosaic()]}.get(form, ())
    new = feed.on({"image": column}, augment=more)
    assert new.check(model).ok
    got = model.predict(new, verbose=0)
    assert {name: len(values) for name, values in got.items()} == dict.fromkeys(feed.heads, 3)
    if form != "other sizes":
        want = model.predict(pixels.astype("float32") / 255, verbose=0)
        assert all(np.allclose(got[name], want[name], atol=1e-5) for name in want)
    with pytest.raises(DataError, match="5 problems"):  # one for each column
        model.evaluate(new, verbose=0)
    assert new.peek()[0]["image"].shape == (3, 8, 8, 3)
    pytest.importorskip("PIL.Image")
    new.preview(tmp_path / "sheet.png")
    packed = ph.pack(feed.on({"image": column}), tmp_path / "store")
    assert packed.columns == ("image",)
    stored = model.predict(feed.on(packed), verbose=0)
    assert all(np.allclose(stored[name], got[name], atol=1e-2) for name in got)


class Subclassed(keras.Model):
    """Its outputs have names only when it is called."""

    def __init__(self):
        super().__init__()
        self.score = keras.layers.Dense(1, activation="sigmoid")

    def call(self, x):
        return {"sold": self.score(x)}


def test_a_subclassed_model_that_was_trained_predicts_rows_of_another_feed():
    train = ph.Feed(COLUMNS, inputs="x", heads={"sold": ph.Binary()}, batch_size=4)
    model = ph.compile(Subclassed(), train, optimizer="sgd")
    model.fit(train, verbose=0)
    got = model.predict(train.on(NEW), verbose=0)["sold"]
    assert np.allclose(got, model.predict(NEW["x"], verbose=0)["sold"], atol=1e-6)


@pytest.mark.once
def test_callbacks_go_on_after_a_first_epoch_without_labels(tmp_path):
    """With the arguments that docs/questions.md names; Keras would keep NaN as the best value."""
    data = {"x": X, "price": np.where(np.arange(ROWS) < 4, np.nan, 1.0)}
    feed = ph.Feed(data, inputs="x", heads={"price": ph.Regression()}, batch_size=4)
    x = keras.Input((2,), name="x")
    model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer=keras.optimizers.SGD(0.01))
    stop = keras.callbacks.EarlyStopping("price_loss", mode="min", patience=1, start_from_epoch=1)
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", "price_loss", mode="min", save_best_only=True, initial_value_threshold=np.inf
    )
    # epochs of one step: the first has no label
    losses = model.fit(feed, steps_per_epoch=1, epochs=3, verbose=0, callbacks=[stop, best]).history[
        "price_loss"
    ]
    assert np.isnan(losses[0])
    assert len(losses) == 3
    assert stop.best == best.best == min(losses[1:])
    assert (tmp_path / "best.keras").exists()
