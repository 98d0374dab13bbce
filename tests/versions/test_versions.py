"""What polyhead asks of Keras and of its backends: `make test-keras` runs this file on each version of them.

Every right number here is computed in NumPy. The weights of the models stand still where losses are compared. On the
version that is installed the tests of `tests/keras_bridge` show the same and more, so `make test` leaves these out.
"""

import keras
import numpy as np
import pytest
from keras import ops

import polyhead as ph

pytestmark = pytest.mark.full
BACKEND = keras.backend.backend()
VERSION = tuple(int(part) for part in keras.__version__.split(".")[:2])
ROWS, BATCH = 30, 4  # 7 whole batches and one of 2 rows
STEPS = 8

RNG = np.random.default_rng(11)
X = RNG.random((ROWS, 3), dtype=np.float32)
ROW = np.arange(ROWS)
VALUE = RNG.random((ROWS, 2)).astype("float32")
LABELED = np.where((ROW % 3 == 0)[:, None], np.nan, VALUE)
ODD = ROW % 2
KIND = ROW % 3


class Seen(keras.metrics.Metric):
    """Counts how often each row came by, inside the compiled step; its result is the first row of the last batch."""

    def __init__(self, name="seen"):
        super().__init__(name=name)
        self.counts = self.add_weight(shape=(ROWS,), initializer="zeros", name="counts")
        self.first = self.add_weight(shape=(), initializer="zeros", name="first")

    def update_state(self, y_true, y_pred, sample_weight=None):
        ids = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        self.counts.assign_add(ops.sum(ops.one_hot(ids, ROWS, dtype="float32"), axis=0))
        self.first.assign(ops.cast(ids[0], self.first.dtype))

    def result(self):
        return self.first + 0.0


class Log(keras.callbacks.Callback):
    """Notes the rows of each epoch, the first row of each batch, and where the feed stands after it.

    Args:
        feed: that trains.
        seen: a metric of its head `row`.
        stop: ends training after so many batches.
    """

    def __init__(self, feed, seen=None, stop=None):
        super().__init__()
        self.feed, self.seen, self.stop = feed, seen, stop
        self.rows, self.first, self.after_batch, self.after_epoch = [], [], [], []

    def _place(self):
        state = self.feed.state()
        return state["epoch"], state["step"]

    def on_train_batch_end(self, batch, logs=None):
        self.after_batch.append(self._place())
        self.first.append(int(logs.get("row_seen", -1)))
        self.model.stop_training = len(self.after_batch) == self.stop

    def on_epoch_end(self, epoch, logs=None):
        self.after_epoch.append(self._place())
        if self.seen is not None:
            self.rows.append(ops.convert_to_numpy(self.seen.counts.value).astype(int).tolist())


class Kill(keras.callbacks.Callback):
    """Breaks off training after so many batches."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_train_batch_end(self, batch, logs=None):
        self.batches -= 1
        if not self.batches:
            raise KeyboardInterrupt


def by_row(seen=None, **arguments):
    """A feed whose label `row` is the number of the row."""
    heads = {"row": ph.Regression(metrics=[seen] if seen else None), "odd": ph.Binary(metrics=[])}
    data = {"x": X, "row": ROW.astype("float32"), "odd": ODD}
    return ph.Feed(
        data, inputs="x", heads=heads, **{"batch_size": BATCH, "shuffle": True, "seed": 3, **arguments}
    )


def shaped(kind="dict"):
    """A model for `by_row`."""
    x = keras.Input((3,), name="x")
    row = keras.layers.Dense(1, name="row")(x)
    odd = keras.layers.Dense(1, activation="sigmoid", name="odd")(x)
    outputs = {
        "list": [row, odd],
        "tuple": (odd, row),  # another order than that of the heads
        "dict": {"row": row, "odd": odd},
        "nested": {"first": [row], "second": {"odd": odd}},
    }
    return keras.Model(x, outputs[kind])


def compiled(feed, kind="dict", optimizer="sgd", **arguments):
    return ph.compile(shaped(kind), feed, optimizer=optimizer, **arguments)


@pytest.fixture(scope="module")
def trained():
    """A model that any feed of `by_row` trains on, and its metric; compiled once, as that takes most of the time."""
    seen = Seen()
    return compiled(by_row(seen)), seen


# Epochs, and the structure of the outputs -------------------------------------------------------------


@pytest.mark.parametrize("kind", ["list", "tuple", "dict", "nested"])
def test_fit_takes_each_row_once_an_epoch_and_predictions_go_by_row_and_by_name(kind):
    seen = Seen()
    feed = by_row(seen)
    log, model = Log(feed, seen), compiled(feed, kind)
    model.fit(feed, epochs=3, verbose=0, callbacks=[log])
    assert log.rows == [[1] * ROWS] * 3
    assert log.after_epoch == [(1, 0), (2, 0), (3, 0)]
    layers = {name: [ops.convert_to_numpy(v) for v in model.get_layer(name).weights] for name in feed.heads}
    row, odd = (X @ kernel + bias for kernel, bias in layers.values())
    found = model.predict(feed, verbose=0)
    found = {
        "list": lambda: (found[0], found[1]),
        "tuple": lambda: (found[1], found[0]),
        "dict": lambda: (found["row"], found["odd"]),
        "nested": lambda: (found["first"][0], found["second"]["odd"]),
    }[kind]()
    assert np.allclose(found[0], row, atol=1e-4)
    assert np.allclose(found[1], 1 / (1 + np.exp(-odd)), atol=1e-4)
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    assert logs["row_loss"] == pytest.approx(((row[:, 0] - ROW) ** 2).mean(), rel=1e-3)
    assert feed.state()["epoch"] == 3


def test_steps_per_epoch_and_rows_go_on_from_epoch_to_epoch(trained):
    model, seen = trained
    feed = by_row()
    log = Log(feed, seen)
    model.fit(feed, epochs=4, steps_per_epoch=6, verbose=0, callbacks=[log])
    assert np.sum(log.rows, axis=0).tolist() == [3] * ROWS
    assert log.after_epoch == [(0, 6), (1, 4), (2, 2), (3, 0)]


def test_initial_epoch_and_later_fits_go_on_with_the_order(trained):
    def order(*runs):
        feed = by_row()
        log = Log(feed)
        for first, last in runs:
            trained[0].fit(feed, initial_epoch=first, epochs=last, verbose=0, callbacks=[log])
        return log.first

    straight = order((0, 3))
    assert straight[:STEPS] != straight[STEPS : 2 * STEPS]
    assert order((0, 1), (1, 3)) == straight
    assert order((1, 3)) == straight[STEPS:]


@pytest.mark.skipif(
    BACKEND == "torch" and VERSION < (3, 16), reason="Keras refuses steps_per_execution there"
)
def test_several_steps_in_one_execution():
    seen = Seen()
    feed = by_row(seen)
    log, model = Log(feed, seen), compiled(feed, steps_per_execution=2)
    model.fit(feed, epochs=2, verbose=0, callbacks=[log])
    assert log.rows == [[1] * ROWS] * 2
    assert log.after_batch == places(2)[1::2]
    assert model.predict(feed, verbose=0)["row"].shape == (ROWS, 1)


def test_one_batch_trains_and_tests(trained):
    model, feed = trained[0], by_row()
    batches = list(feed.bind(model))
    assert len(batches) == STEPS
    assert np.isfinite([model.train_on_batch(*batch, return_dict=True)["loss"] for batch in batches]).all()
    assert np.isfinite(model.test_on_batch(*feed.peek(), return_dict=True)["loss"])


# Where training stands ----------------------------------------------------------------------------------


def places(epochs):
    """Where a feed stands after each batch."""
    return [divmod(step + 1, STEPS) for step in range(epochs * STEPS)]


def test_the_state_is_exact_after_each_batch(trained):
    feed = by_row()
    log = Log(feed)
    trained[0].fit(feed, epochs=2, verbose=0, callbacks=[log], validation_data=by_row())
    steps = {"initial_epoch": 2, "epochs": 4, "steps_per_epoch": 5}
    trained[0].fit(feed, **steps, verbose=0, callbacks=[log], validation_data=feed)
    assert log.after_batch == places(4)[:26]


@pytest.mark.filterwarnings(
    "ignore:Your input ran out of data"
)  # of an epoch that is gone on with, up to Keras 3.15
@pytest.mark.parametrize("stop", [7, 8, 13])
def test_training_that_ended_early_goes_on_with_the_next_row(stop, trained):
    model, seen = trained
    feed = by_row()
    begun = Log(feed, seen, stop)
    model.fit(feed, epochs=2, verbose=0, callbacks=[begun])
    state = feed.state()
    assert (state["epoch"], state["step"]) == places(2)[stop - 1]
    feed = by_row().restore(state)
    rest = Log(feed, seen)
    model.fit(feed, initial_epoch=feed.epoch, epochs=2, verbose=0, callbacks=[rest])
    # what was trained before and after is each row once an epoch
    assert begun.after_batch + rest.after_batch == places(2)
    assert np.sum(begun.rows + rest.rows, axis=0).tolist() == [2] * ROWS


def test_training_that_was_killed_goes_on_with_the_next_row():
    feed = by_row()
    with pytest.raises(KeyboardInterrupt):
        compiled(feed).fit(feed, epochs=2, verbose=0, callbacks=[Kill(11)])
    assert (feed.state()["epoch"], feed.state()["step"]) == (1, 3)


@pytest.mark.skipif(BACKEND != "jax", reason="Keras reads a batch ahead on JAX alone")
def test_the_state_is_exact_where_keras_sends_batches_to_an_accelerator_ahead(monkeypatch):
    import jax

    feed = by_row()
    assert feed.builtin_prefetch  # Keras 3.11 to 3.13 ask for it, and read ahead without
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")  # where Keras 3.15 and later read ahead
    assert not feed.builtin_prefetch
    log = Log(feed)
    with pytest.raises(KeyboardInterrupt):
        compiled(feed).fit(feed, epochs=2, verbose=0, callbacks=[log, Kill(11)])
    assert log.after_batch == places(2)[:11]
    assert (feed.state()["epoch"], feed.state()["step"]) == (1, 3)


# Losses and metrics -------------------------------------------------------------------------------------


def weighted(kind="dict"):
    """A feed with missing labels and class weights, its model, and what is right to log."""
    feed = ph.Feed(
        {"x": X, "value": LABELED, "odd": ODD, "kind": KIND},
        inputs="x",
        heads={
            "value": ph.Regression(2, weight=0.5),
            "odd": ph.Binary(class_weight={0: 1.0, 1: 3.0}),
            "kind": ph.Categorical(given="odd"),
        },
        batch_size=BATCH,
    )
    x = keras.Input((3,), name="x")
    made = ph.outputs(keras.layers.Dense(4, activation="tanh")(x), feed.heads)
    model = keras.Model(x, made if kind == "dict" else list(made.values()))
    return feed, ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))


def mean(values, weights):
    return float((values * weights).sum() / weights.sum())


def right(model, kind="dict"):
    found = model.predict(X, verbose=0)
    value, odd, kinds = (found[name] for name in ("value", "odd", "kind")) if kind == "dict" else found
    there, heavy, given = (ROW % 3 != 0).astype(float), np.where(ODD == 1, 3.0, 1.0), ODD.astype(float)
    p = np.where(ODD == 1, odd[:, 0], 1 - odd[:, 0])
    losses = {
        "value_loss": mean(((value - VALUE) ** 2).mean(1), there),
        "odd_loss": mean(-np.log(p), heavy),
        "kind_loss": mean(-np.log(kinds[ROW, KIND]), given),
    }
    return {
        **losses,
        "loss": 0.5 * losses["value_loss"] + losses["odd_loss"] + losses["kind_loss"],
        "value_mae": mean(np.abs(value - VALUE).mean(1), there),
        "odd_accuracy": mean(p > 0.5, heavy),
        "kind_accuracy": mean(kinds.argmax(1) == KIND, given),
    }


@pytest.mark.parametrize("kind", ["dict", "list"])
def test_logs_are_means_over_what_is_labeled(kind):
    feed, model = weighted(kind)
    wanted = {name: pytest.approx(value, rel=1e-3) for name, value in right(model, kind).items()}
    history = model.fit(feed, epochs=2, verbose=0, validation_data=feed.on(feed.source)).history
    logged = model.evaluate(feed, verbose=0, return_dict=True)
    for name, value in wanted.items():
        assert history[name] == [value, value], name
        assert history[f"val_{name}"] == [value, value], name
        assert logged[name] == value, name


def test_every_kind_of_head_learns():
    boxes = np.concatenate([X[:, :2], X[:, :2] + 1], 1) * 4
    mask = (RNG.random((ROWS, 8, 8)) > 0.5).astype("uint8")
    heads = {
        "odd": ph.Binary(),
        "kind": ph.Categorical(),
        "tags": ph.MultiLabel(),
        "value": ph.Regression(2),
        "mask": ph.Mask(2),
        "box": ph.Boxes(1),
        "point": ph.Keypoints(2),
    }
    data = {
        "image": RNG.integers(0, 255, (ROWS, 8, 8, 3)).astype("uint8"),
        "odd": ODD,
        "kind": KIND,
        "tags": np.stack([ODD, KIND == 0], 1).astype(int),
        "value": LABELED,
        "mask": [None if row % 5 == 0 else mask[row] for row in ROW],
        "box": boxes,
        "point": boxes.reshape(ROWS, 2, 2),
    }
    feed = ph.Feed(data, inputs={"image": ph.Image(8, 8)}, heads=heads, batch_size=BATCH, shuffle=True)
    x = keras.Input((8, 8, 3), name="image")
    features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    model = keras.Model(x, ph.outputs(features, feed.heads))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.01))
    history = model.fit(feed, epochs=4, verbose=0).history
    for name in heads:
        assert np.isfinite(history[f"{name}_loss"]).all(), name
    assert history["loss"][-1] < history["loss"][0]


def test_a_mask_counts_where_it_is_labeled():
    mask = RNG.integers(0, 2, (ROWS, 4, 4)).astype("uint8")
    feed = ph.Feed(
        {"x": X, "mask": [None if row % 3 == 0 else mask[row] for row in ROW], "value": VALUE},
        inputs="x",
        heads={"mask": ph.Mask(2, size=(4, 4)), "value": ph.Regression(2)},
        batch_size=BATCH,
    )
    x = keras.Input((3,), name="x")
    pixels = keras.layers.Reshape((4, 4, 2))(keras.layers.Dense(32)(x))
    outputs = [
        keras.layers.Softmax(name="mask")(pixels),
        keras.layers.Dense(2, name="value")(x),
    ]
    model = ph.compile(keras.Model(x, outputs), feed, optimizer=keras.optimizers.SGD(0.0))
    found = model.predict(X, verbose=0)[0]
    of_class = np.take_along_axis(found, mask[..., None], -1)[..., 0]
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    assert logs["mask_loss"] == pytest.approx(-np.log(of_class)[ROW % 3 != 0].mean(), rel=1e-3)


# Saving -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_a_saved_model_predicts_and_logs_the_same_and_trains_on(kind, tmp_path):
    feed = by_row()
    model = compiled(feed, kind, "adam")
    model.fit(feed, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    wanted, found = (keras.tree.flatten(one.predict(feed, verbose=0)) for one in (model, loaded))
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(wanted, found, strict=True))
    wanted, found = (one.evaluate(feed, verbose=0, return_dict=True) for one in (model, loaded))
    assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-4)
    loaded.fit(feed, epochs=1, verbose=0)
    assert feed.epoch == 2


# What is wrong ------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_refused_before_the_first_step():
    feed = by_row()
    with pytest.raises(ph.ContractError, match=r"fit\(class_weight=\)"):
        compiled(feed).fit(feed, class_weight={0: 1.0, 1: 2.0}, verbose=0)
    x = keras.Input((2,), name="x")
    narrow = keras.Model(x, {name: keras.layers.Dense(1, name=name)(x) for name in feed.heads})
    narrow.compile(loss="mse")
    for method in (narrow.fit, narrow.evaluate, narrow.predict):
        with pytest.raises(ph.ContractError, match="input `x`"):
            method(feed, verbose=0)
    assert feed.state()["step"] == 0


class Spoilt(ph.Source):
    """Row 17 is good until the rows are spoilt, as after all checks."""

    spoilt = False

    def __len__(self):
        return ROWS

    def read(self, ids):
        x = X[ids]
        x[(ids == 17) & self.spoilt] = np.nan
        return {"x": x, "value": VALUE[ids]}


@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_a_bad_row_is_a_data_error(call):
    rows = Spoilt()
    feed = ph.Feed(rows, inputs="x", heads={"value": ph.Regression(2)}, batch_size=BATCH)
    x = keras.Input((3,), name="x")
    model = keras.Model(x, {"value": keras.layers.Dense(2, name="value")(x)})
    ph.compile(model, feed, optimizer="sgd")
    feed.bind(model)
    rows.spoilt = True
    with pytest.raises(ph.DataError, match="input `x`, row 17: expected finite numbers, got nan"):
        getattr(model, call)(feed, verbose=0)
