"""What Keras makes of a feed, on the backend that is active: fit, evaluate, predict, train_on_batch."""

import gc
import weakref

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from keras import ops

import polyhead as ph

ROWS = 32  # batches of one size, which JAX compiles once; where a short last one matters, 30


class Seen(keras.metrics.Metric):
    """Counts how often each row's label came by: what the model really got, inside the compiled step."""

    def __init__(self, name="seen"):
        super().__init__(name=name)
        self.counts = self.add_weight(shape=(ROWS,), initializer="zeros", name="counts")
        self.steps = self.add_weight(shape=(), initializer="zeros", name="steps")

    def update_state(self, y_true, y_pred, sample_weight=None):
        ids = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        self.counts.assign_add(ops.sum(ops.one_hot(ids, ROWS, dtype="float32"), axis=0))
        self.steps.assign_add(1.0)

    def result(self):
        return self.steps + 0.0


class Epochs(keras.callbacks.Callback):
    def __init__(self, metric):
        super().__init__()
        self.metric, self.counts, self.steps = metric, [], []

    def on_epoch_end(self, epoch, logs=None):
        self.counts.append(ops.convert_to_numpy(self.metric.counts.value).tolist())
        self.steps.append(int(logs["row_seen"]))


def data(rows=ROWS):
    ids = np.arange(rows)
    return {
        "x": np.stack([ids, ids % 2], 1).astype("float32") / rows,
        "row": ids.astype("float32"),
        "odd": ids % 2,
    }


def make(metric=None, rows=ROWS, **changes):
    arguments = {"batch_size": 4, "shuffle": True, "seed": 3, **changes}
    heads = {"row": ph.Regression(metrics=[metric] if metric else None), "odd": ph.Binary()}
    return ph.Feed(data(rows), inputs="x", heads=heads, **arguments)


def build(kind="list"):
    inputs = keras.Input((2,), name="x")
    hidden = keras.layers.Dense(4)(inputs)
    row = keras.layers.Dense(1, name="row")(hidden)
    odd = keras.layers.Dense(1, activation="sigmoid", name="odd")(hidden)
    outputs = {
        "list": [row, odd],
        "tuple": (odd, row),
        "dict": {"row": row, "odd": odd},
        "nested": {"all": [row], "more": {"odd": odd}},
    }
    return keras.Model(inputs, outputs[kind])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(4)
        self.row = keras.layers.Dense(1)
        self.odd = keras.layers.Dense(1, activation="sigmoid")

    def call(self, x):
        hidden = self.hidden(x)
        return {"row": self.row(hidden), "odd": self.odd(hidden)}


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("kind", "workers"),
    [
        *((kind, 0) for kind in ("list", "tuple", "dict", "nested", "subclassed")),
        *((kind, 2) for kind in ("list", "subclassed")),
        *(pytest.param(kind, 2, marks=pytest.mark.full) for kind in ("tuple", "dict", "nested")),
    ],
)
def test_thirty_rows_in_batches_of_four_come_exactly_once_an_epoch_from_the_first_fit_on(kind, workers):
    metric = Seen()
    feed = make(metric, rows=30, workers=workers)
    model = Subclassed() if kind == "subclassed" else build(kind)
    ph.compile(model, feed, optimizer="sgd")
    log = Epochs(metric)
    model.fit(feed, epochs=3, verbose=0, callbacks=[log])
    assert log.counts == [[1.0] * 30 + [0.0] * (ROWS - 30)] * 3
    assert log.steps == [8, 8, 8]
    assert feed.epoch == 3


def test_an_order_follows_the_epoch_and_several_fits_go_on():
    model = build()
    feed = make()
    ph.compile(model, feed, optimizer="sgd")
    model.fit(feed, epochs=2, verbose=0)
    model.fit(feed, epochs=1, verbose=0)
    assert feed.state()["epoch"] == 3
    fresh = make()
    model.fit(fresh, initial_epoch=3, epochs=4, verbose=0)
    assert fresh.epoch == 4


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_validation_is_complete_never_moves_and_leaves_the_feed_alone(kind):
    metric = Seen()
    train, val = make(metric), make(shuffle=True)
    model = build(kind)
    ph.compile(model, train, optimizer=keras.optimizers.SGD(0.0))
    seen = []

    class Val(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            self.before = ops.convert_to_numpy(metric.counts.value).tolist()

        def on_test_end(self, logs=None):
            seen.append((self.before, ops.convert_to_numpy(metric.counts.value).tolist(), logs["row_loss"]))

    history = model.fit(train, validation_data=val, epochs=3, verbose=0, callbacks=[Val()]).history
    assert len(seen) == 3
    assert len(set(history["val_loss"])) == 1
    assert history["val_row_seen"] == [8.0] * 3
    assert val.epoch == 0
    assert train.epoch == 3


def test_one_feed_serves_for_training_and_validation():
    metric = Seen()
    feed = make(metric)
    model = build()
    ph.compile(model, feed, optimizer="sgd")
    history = model.fit(feed, validation_data=feed, epochs=2, verbose=0).history
    assert history["val_row_seen"] == [8.0, 8.0]
    assert feed.epoch == 2


def test_steps_per_epoch_ends_epochs_and_rows_go_on():
    metric = Seen()
    feed = make(metric)
    model = build()
    ph.compile(model, feed, optimizer="adam")
    log = Epochs(metric)
    model.fit(feed, epochs=4, steps_per_epoch=6, verbose=0, callbacks=[log])
    assert log.steps == [6, 6, 6, 6]
    # 24 steps are 3 whole epochs of the feed
    assert np.sum(log.counts, axis=0).tolist() == [3.0] * ROWS
    assert feed.epoch == 3


def test_a_shard_that_keeps_one_row_back_has_all_its_batches():
    rows = {"x": np.zeros((13, 2), "float32"), "y": np.arange(13) % 2}
    feed = ph.Feed(rows, inputs="x", heads={"y": ph.Binary()}, batch_size=2, shard=(1, 2))
    assert [len(batch.ids) for batch in feed.batches()] == [2, 2, 1, 1]
    assert [len(x["x"]) for x, _ in feed] == [2, 2, 1, 1]
    x = keras.Input((2,), name="x")
    model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    assert len(model.fit(feed, epochs=2, verbose=0).history["loss"]) == 2
    assert int(model.optimizer.iterations) == 8


def test_more_steps_per_epoch_than_batches():
    metric = Seen()
    feed = make(metric)
    model = build()
    ph.compile(model, feed, optimizer="sgd")
    log = Epochs(metric)
    model.fit(feed, epochs=2, steps_per_epoch=12, verbose=0, callbacks=[log])
    assert log.steps == [12, 12]
    assert np.sum(log.counts, axis=0).tolist() == [3.0] * ROWS


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses steps_per_execution on PyTorch")
@pytest.mark.parametrize("steps", [2, pytest.param(4, marks=pytest.mark.full), 8])
def test_steps_per_execution(steps):
    metric = Seen()
    feed = make(metric)
    model = build()
    ph.compile(model, feed, optimizer="sgd", steps_per_execution=steps)
    log = Epochs(metric)
    model.fit(feed, epochs=2, verbose=0, callbacks=[log], validation_data=make())
    assert log.counts == [[1.0] * ROWS] * 2
    assert model.predict(feed, verbose=0)[0].shape == (ROWS, 1)


def test_progress_knows_the_length_of_the_first_epoch(capsys):
    model = build()
    feed = make()
    ph.compile(model, feed, optimizer="sgd")
    model.fit(feed, epochs=1, verbose=1)
    printed = capsys.readouterr().out
    assert "8/8" in printed
    assert "Unknown" not in printed


def test_predict_keeps_the_order_of_the_rows_and_reads_no_label():
    feed = make(rows=30, drop_remainder=True)
    model = build("dict")
    feed.bind(model)
    found = model.predict(feed, verbose=0)
    wanted = model.predict(data(30)["x"], verbose=0)
    assert found["row"].shape == (30, 1)
    assert np.allclose(found["row"], wanted["row"], atol=1e-5)
    assert feed.state()["epoch"] == 0


def test_a_feed_without_heads_predicts():
    feed = ph.Feed({"x": data()["x"]}, inputs="x", heads={}, batch_size=7)
    model = build()
    assert [part.shape for part in model.predict(feed, verbose=0)] == [(ROWS, 1), (ROWS, 1)]


def test_evaluate_is_the_same_before_and_after_and_equals_the_arrays():
    feed = make(rows=30)
    model = build()
    ph.compile(model, feed, optimizer="sgd")
    first = model.evaluate(feed, verbose=0, return_dict=True)
    assert first == model.evaluate(feed, verbose=0, return_dict=True)
    arrays = data(30)
    x, y = arrays["x"], (arrays["row"][:, None], arrays["odd"][:, None].astype("float32"))
    plain = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    assert first.keys() == plain.keys()
    assert all(np.isclose(first[name], plain[name], rtol=1e-4) for name in first)
    assert feed.epoch == 0


def test_train_on_batch_and_test_on_batch_take_a_peeked_batch():
    feed = make()
    model = build()
    ph.compile(model, feed, optimizer="sgd")
    for batch in feed:
        logs = model.train_on_batch(*batch, return_dict=True)
    assert np.isfinite(logs["loss"])
    assert np.isfinite(model.test_on_batch(*feed.peek(), return_dict=True)["loss"])


def test_an_unbound_feed_is_checked_by_the_model_that_it_meets():
    model = build()
    model.compile(optimizer="sgd", loss=["mse", "binary_crossentropy"])
    model.fit(make(), epochs=1, verbose=0)
    wrong = ph.Feed({"x": np.zeros((8, 3)), "row": np.zeros(8)}, inputs="x", heads={"row": ph.Regression()})
    with pytest.raises(ph.ContractError) as error:
        model.fit(wrong, epochs=1, verbose=0)
    said = "input `x`: expected an input of shape (3,), got `x` of shape (2,). Say keras.Input((3,))."
    assert said in str(error.value)
    assert "model, output `odd` (1,): expected a head for it, got heads `row`." in str(error.value)


def test_one_feed_for_two_models_of_different_structure():
    feed = make()
    for kind in ("dict", "list", "nested"):
        model = build(kind)
        ph.compile(model, feed, optimizer="sgd")
        model.fit(feed, epochs=1, verbose=0)
    assert feed.epoch == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_the_data_ends_fit_with_its_place(workers):
    class Broken(ph.Source):
        broken = False

        def __len__(self):
            return ROWS

        def read(self, ids):
            x = data()["x"][ids]
            if self.broken:
                x[ids == 17] = np.nan
            return {"x": x, "row": ids.astype("float32"), "odd": ids % 2}

    source = Broken()
    feed = ph.Feed(
        source,
        inputs="x",
        heads={"row": ph.Regression(), "odd": ph.Binary()},
        batch_size=4,
        workers=workers,
    )
    model = build()
    ph.compile(model, feed, optimizer="sgd")
    source.broken = True  # after the first rows were looked at
    with pytest.raises(Exception, match="input `x`, row 17: expected finite numbers, got nan"):
        model.fit(feed, epochs=1, verbose=0)
    with pytest.raises(ph.DataError, match="input `x`, row 17: expected finite numbers, got nan"):
        feed.on(source).bind(model)  # and before the first step otherwise


def test_a_saved_model_trains_on_where_it_was(tmp_path):
    feed = make()
    model = build("dict")
    ph.compile(model, feed, optimizer="adam")
    model.fit(feed, epochs=1, verbose=0)
    wanted = model.evaluate(feed, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = loaded.evaluate(feed, verbose=0, return_dict=True)
    assert np.isclose(found["loss"], wanted["loss"], rtol=1e-4)
    loaded.fit(feed, epochs=1, verbose=0)
    assert feed.epoch == 2


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        (
            "class_weight",
            {0: 1.0},
            "fit(class_weight=): expected no class_weight= together with a Feed, got {0: 1.0}. "
            "Set it on a head: ph.Binary(class_weight=...).",
        ),
        (
            "batch_size",
            8,
            "fit(batch_size=): expected no batch_size= together with a Feed, got 8. Say Feed(batch_size=...).",
        ),
        ("y", [1], "fit(y=): expected no y= together with a Feed, got [1]. The labels are in the feed."),
        (
            "validation_split",
            0.2,
            "fit(validation_split=): expected no validation_split= together with a Feed, got 0.2. "
            "Split the rows first: train, val = "
            "ph.read_table(data).split((0.8, 0.2)); make the feed of train, and give "
            "fit(validation_data=feed.on(val)).",
        ),
        (
            "validation_batch_size",
            4,
            "fit(validation_batch_size=): expected no validation_batch_size= together with a Feed, got 4. "
            "Say feed.on(val, batch_size=...).",
        ),
        (
            "sample_weight",
            [1.0],
            "fit(sample_weight=): expected no sample_weight= together with a Feed, got [1.0]. "
            'Name a column of weights on a head: ph.Binary(sample_weight="...").',
        ),
        (
            "shuffle",
            False,
            "fit(shuffle=): expected no shuffle= together with a Feed, which orders its rows, got False. "
            "Say Feed(shuffle=False).",
        ),
        (
            "shuffle",
            "batch",
            "fit(shuffle=): expected no shuffle= together with a Feed, which orders its rows, got 'batch'. Say "
            'Feed(shuffle="blocks").',
        ),
    ],
)
def test_arguments_that_keras_would_drop_are_refused(argument, value, message):
    model, feed = build(), make(shuffle=True)
    ph.compile(model, feed, optimizer="sgd")
    with pytest.raises(ph.ContractError) as error:
        model.fit(feed, **{argument: value}, verbose=0)
    assert str(error.value) == message


@pytest.mark.once
@pytest.mark.parametrize("form", [dict, pd.DataFrame, pa.table, ph.read_table])
def test_validation_rows_that_are_no_feed_are_refused_before_the_first_step(form):
    model, feed = build(), make()
    ph.compile(model, feed, optimizer="sgd")
    rows = form({"row": [0.0, 1.0], "odd": [0, 1]})
    with pytest.raises(ph.ContractError) as error:
        model.fit(feed, validation_data=rows, verbose=0)
    found = "a DataFrame of pandas." if form is pd.DataFrame else ""
    assert str(error.value).startswith(
        f"fit(validation_data=): expected a feed of the validation rows, got {found}"
    )
    assert str(error.value).endswith(" Say validation_data=feed.on(rows).")
    assert int(model.optimizer.iterations) == 0


NO_FEED = "fit(validation_data=): expected a feed of the validation rows, got {}. Say validation_data=feed.on(rows)."
SPLIT = "Split the rows first: train, val = ph.read_table(data).split((0.8, 0.2)); make the feed of train, and give"
X, Y = np.zeros((1, 2), np.float32), np.zeros((1, 1), np.float32)


@pytest.mark.once
def test_arrays_in_the_units_of_the_column_give_a_warning():
    x, price = np.zeros((8, 2), np.float32), np.linspace(2e5, 3e5, 8)[:, None]
    feed = ph.Feed({"x": x, "price": price}, inputs="x", heads={"price": ph.Regression(scale="standard")})
    inputs = keras.Input((2,), name="x")
    model = ph.compile(keras.Model(inputs, ph.outputs(inputs, feed)), feed, optimizer="sgd")
    words = r"\(%s=\), head `price`: expected labels on the scale that the model predicts, got numbers in the units"
    with pytest.raises(ph.PolyheadWarning, match="fit" + words % "validation_data"):
        model.fit(feed, validation_data=(x, {"price": price}), verbose=0)
    with pytest.raises(ph.PolyheadWarning, match="fit" + words % "y"):
        model.fit(x, price, verbose=0)
    with pytest.raises(ph.PolyheadWarning, match="evaluate" + words % "y"):
        model.evaluate(x, {"price": price}, verbose=0)
    _, scaled = feed.peek()
    for labels in (scaled["price"], 0 * price, np.full_like(price, 0.01)):  # also of rows near the mean
        model.evaluate(x, labels, verbose=0)  # gives none


@pytest.mark.once
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"x": X}, NO_FEED.format("{'x': array([[0., 0.]], dtype=float32)}")),
        (X, NO_FEED.format("array([[0., 0.]], dtype=float32)")),
        ((X,), NO_FEED.format("(array([[0., 0.]], dtype=float32),)")),
        ((X, None), NO_FEED.format("(array([[0., 0.]], dtype=float32), None)")),
        ("val/", NO_FEED.format("'val/'")),
        (5, NO_FEED.format("5")),
        (False, NO_FEED.format("False")),
        (ph.Feed, NO_FEED.format("<class 'polyhead.feed.Feed'>")),
        (
            0.2,
            f"fit(validation_data=): expected a feed of the validation rows, got 0.2. {SPLIT} "
            "fit(validation_data=feed.on(val)).",
        ),
        (
            (X, (Y, Y[:, 0])),
            "fit(validation_data=), head `odd`: expected labels of shape (B, 1), like the output, got float32 (B,). "
            "Give labels[:, None].",
        ),
        (
            ({"x": X}, [Y]),
            "fit(validation_data=), labels: expected labels for each head, in the model's structure (`row` at [0], "
            "`odd` at [1]), got list with [0]. A feed does that: model.fit(feed, validation_data=feed.on(rows)).",
        ),
        (
            ph.Feed({"x": X, "odd": [0]}, inputs="x", heads={"odd": ph.Binary()}),
            "fit(validation_data=), model, output `row` (1,): expected a head for it, got heads `odd`. Declare a head "
            "for it, or leave the output out of the model.",
        ),
    ],
)
def test_validation_data_that_does_not_fit_is_told_before_the_first_step(given, words):
    model, feed = build(), make()
    ph.compile(model, feed, optimizer="sgd")
    with pytest.raises(ph.ContractError) as error:
        model.fit(feed, validation_data=given, verbose=0)
    assert str(error.value) == words
    assert int(model.optimizer.iterations) == 0


def test_validation_data_may_be_what_keras_takes_with_labels():
    model, feed = build(), make()
    ph.compile(model, feed, optimizer="sgd")
    rows = feed.on(feed.source, batch_size=ROWS).bind(model)
    x, y = rows.peek()
    for given in (rows, (x, y), [x, list(y)]):
        logs = model.fit(feed, validation_data=given, verbose=0).history
        assert logs["val_loss"][0] == pytest.approx(
            model.evaluate(rows, return_dict=True, verbose=0)["loss"], rel=1e-4
        )


class Batches(keras.utils.PyDataset):
    def __init__(self, *batch):
        super().__init__()
        self.batch, self.shape, self.columns = batch, (2,), ["a", "b"]

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


@pytest.mark.once
def test_a_dataset_of_keras_may_have_a_shape_and_columns():
    model, feed = build(), make()
    ph.compile(model, feed, optimizer="sgd")
    given = Batches(np.zeros((2, 2), "float32"), tuple(np.zeros((2, 1), "float32") for _ in range(2)))
    assert "val_loss" in model.fit(feed, validation_data=given, verbose=0).history


class Encoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(y_pred - x))


@pytest.mark.once
@pytest.mark.parametrize("heads", [{}, {"yes": ph.Binary()}])
@pytest.mark.parametrize("form", [lambda x: x, lambda x: (x,), lambda x: (x, None)])
def test_validation_data_of_a_model_without_labels_may_be_inputs_alone(heads, form):
    feed = ph.Feed({"x": np.ones((8, 2)), "yes": np.arange(8) % 2}, inputs="x", heads=heads)
    model = Encoder()
    model.compile(optimizer="sgd")
    assert "val_loss" in model.fit(feed, validation_data=form(np.ones((4, 2))), verbose=0).history


def test_a_sequential_model_may_end_in_a_layer_of_several_heads():
    class Both(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="both")
            self.row, self.odd = keras.layers.Dense(1), keras.layers.Dense(1, activation="sigmoid")

        def call(self, x):
            return {"row": self.row(x), "odd": self.odd(x)}

    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(4), Both()])
    feed = make()
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    logs = model.fit(feed, verbose=0).history
    found, rows = model.predict(feed, verbose=0), data()
    error = found["row"][:, 0] - rows["row"]
    assert logs["row_loss"] == pytest.approx([np.mean(error**2)], rel=1e-4)
    assert logs["odd_accuracy"] == pytest.approx([np.mean((found["odd"][:, 0] > 0.5) == rows["odd"])])


def test_a_model_that_keras_compiled_without_a_loss_is_warned_of():
    """On JAX, Keras trains it without an error: its loss is 0 and nothing changes."""
    model, feed = build(), make()
    model.compile("sgd")
    said = [str(problem) for problem in feed.check(model).warnings if problem.code == "loss-missing"]
    assert said == [
        "model.compile(): expected a loss for each head, got none. Without one the heads learn nothing: say "
        "ph.compile(model, feed, optimizer=...)."
    ]
    ph.compile(model, feed, optimizer="sgd")
    assert not [problem for problem in feed.check(model).problems if problem.code == "loss-missing"]


def test_fit_of_arrays_with_a_batch_size_may_validate_on_a_feed():
    """Keras passes on the batch size of the arrays to the evaluation of the feed, which has its own."""
    model, feed = build(), make(shuffle=False)
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    x, labels = feed.on(data(), batch_size=ROWS).peek()
    logs = model.fit(x["x"], labels, batch_size=16, validation_data=feed, epochs=2, verbose=0).history
    wanted = model.evaluate(feed, verbose=0, return_dict=True)["loss"]
    assert logs["val_loss"] == pytest.approx([wanted, wanted], rel=1e-4)
    with pytest.raises(ph.ContractError, match=r"evaluate\(batch_size=\): expected no batch_size="):
        model.evaluate(feed, batch_size=8, verbose=0)


def test_an_order_that_agrees_with_the_feed_is_taken():
    model, feed = build(), make(shuffle=False)
    ph.compile(model, feed, optimizer="sgd")
    model.fit(feed, shuffle=False, validation_split=0.0, verbose=0)
    assert feed.epoch == 1


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a step of TensorFlow that draws by itself"
)
def test_a_compiled_step_draws_batches_of_any_length_and_is_traced_once():
    from polyhead.keras_bridge.on_tensorflow import _DRAWING, StepDataset

    traced = []

    class Counted(keras.Model):
        def train_step(self, data):
            traced.append([tuple(part.shape) for part in keras.tree.flatten(data)])
            return super().train_step(data)

    feed = ph.Feed(
        {"x": np.arange(20.0).reshape(10, 2), "y": np.arange(10) % 2, "z": np.arange(10.0)},
        inputs="x",
        heads={"y": ph.Binary(), "z": ph.Regression()},
        batch_size=4,
        shuffle=True,
    )
    x = keras.Input((2,), name="x")
    model = Counted(x, ph.outputs(keras.layers.Dense(3)(x), feed.heads))
    ph.compile(model, feed, optimizer="sgd")
    history = model.fit(feed, epochs=3, verbose=0)
    model.fit(feed, epochs=4, initial_epoch=3, verbose=0)
    assert traced == [[(None, 2), (None, 1), (None, 1)]]
    assert len(history.history["loss"]) == 3
    assert feed.epoch == 4
    assert isinstance(model.evaluate(feed, verbose=0), list)
    iterator = iter(StepDataset(lambda: iter([({"x": np.ones((1, 2))}, np.ones(1))]), _specs()))
    assert [batch[0]["x"].shape for batch in iterator] == [(1, 2)]
    alive, key = weakref.ref(feed), int(iterator.key)
    assert key in _DRAWING
    del iterator, model, feed, history, x
    gc.collect()
    assert alive() is None
    assert key not in _DRAWING


def _specs():
    import tensorflow as tf

    return {"x": tf.TensorSpec((None, 2), "float64")}, tf.TensorSpec((None,), "float64")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="strategies of TensorFlow")
def test_a_step_over_several_devices_or_of_several_batches_gets_a_dataset(monkeypatch):
    import tensorflow as tf

    from polyhead.keras_bridge import on_tensorflow

    answers = []
    draws = on_tensorflow._draws_in_step
    monkeypatch.setattr(
        on_tensorflow, "_draws_in_step", lambda call: answers.append(draws(call)) or answers[-1]
    )
    rows = {"x": np.arange(16.0).reshape(8, 2), "y": np.arange(8) % 2}

    def trained(**options):
        feed = ph.Feed(rows, inputs="x", heads={"y": ph.Binary()}, batch_size=4)
        x = keras.Input((2,), name="x")
        model = keras.Model(x, ph.outputs(keras.layers.Dense(3)(x), feed.heads))
        ph.compile(model, feed, optimizer="sgd", **options)
        model.fit(feed, epochs=2, verbose=0)
        return answers[-1]

    assert trained()
    assert not trained(steps_per_execution=2)
    with tf.distribute.OneDeviceStrategy("cpu:0").scope():
        assert not trained()


@pytest.mark.parametrize("form", [dict, list])
def test_heads_may_have_names_that_no_layer_may_have(form, tmp_path):
    odd = ["Sale Price", "a/b", "y.z", "é", "a_b"]
    rows = {"x": np.arange(8, dtype="float32"), **{name: np.arange(8.0) + i for i, name in enumerate(odd)}}
    heads = {name: ph.Regression(metrics=[]) for name in odd}
    feed = ph.Feed(rows, inputs="x", heads=heads, batch_size=8)
    x = keras.Input((1,), name="x")
    outputs = ph.outputs(x, feed)
    model = keras.Model(x, outputs if form is dict else list(outputs.values()))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    found = ph.predict(model, {"x": rows["x"]})
    logs = model.fit(feed, verbose=0).history
    for name in odd:
        assert logs[f"{name}_loss"][0] == pytest.approx(((found[name] - rows[name]) ** 2).mean(), rel=1e-4)
    model.save(tmp_path / "odd.keras")
    loaded = keras.saving.load_model(tmp_path / "odd.keras")
    assert np.allclose(ph.predict(loaded, {"x": rows["x"]})["Sale Price"], found["Sale Price"])
