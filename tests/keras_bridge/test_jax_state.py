"""An error of a feed, or an interrupt in it, leaves the model with its weights on every backend."""

import itertools

import keras
import numpy as np
import pytest

import polyhead as ph

ROWS, BATCH = 32, 8


@pytest.fixture(autouse=True)
def blocks_of_one_batch(monkeypatch):
    """Else the first batch would wait for the rows of all, as they are small."""
    monkeypatch.setattr("polyhead.pipeline.assembler.BLOCK_BYTES", 1)


class Rows(ph.Source):
    """Rows of which those of one batch can be broken."""

    columns = ("x", "y")

    def __init__(self):
        self.broken, self.error = None, OSError("the network drive went away")

    def __len__(self):
        return ROWS

    def read(self, ids):
        if self.broken is not None and self.broken in ids:
            raise self.error
        return {"x": ids.astype("float32") / ROWS, "y": ids % 2}


def build(feed, **arguments):
    x = keras.Input((1,), name="x")
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(4)(x))
    model = keras.Model(x, ph.outputs(keras.layers.Dropout(0.1)(hidden), feed.heads))
    ph.compile(model, feed, optimizer="adam", **arguments)
    return model


def feed_of(rows, **options):
    return ph.Feed(
        rows, inputs="x", heads={"y": ph.Binary()}, **{"batch_size": BATCH, "workers": 0, **options}
    )


def values(model):
    """Weights, what BatchNormalization keeps, and the optimizer's."""
    return [np.array(w) for w in model.get_weights()] + [
        keras.ops.convert_to_numpy(v.value) for v in model.optimizer.variables
    ]


class After(keras.callbacks.Callback):
    """The values after each step, as a callback that saves them sees them."""

    def __init__(self):
        super().__init__()
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        self.values.append(values(self.model))


def equal(found, expected):
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


def raises(error):
    return pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else ph.DataError)


def finished(batch):
    """How many steps are finished where a batch is broken: one less where Keras draws one ahead, as old ones on JAX."""
    return {batch, max(0, batch - 1)} if keras.version() < "3.14" else {batch}


def works(model, rows, feed):
    """The model goes on as if nothing had been."""
    rows.broken = None
    assert np.isfinite(model.evaluate(feed, verbose=0, return_dict=True)["loss"])
    assert np.isfinite(model.predict(feed, verbose=0)["y"]).all()
    assert np.isfinite(model.fit(feed, epochs=2, verbose=0).history["loss"]).all()


ERRORS = [
    OSError("the network drive went away"),
    KeyboardInterrupt(),
    ph.DataError(ph.Problem("x", "y", "z")),
]
if keras.backend.backend() == "tensorflow":
    del ERRORS[1]  # its runtime makes an error of an interrupt, or ends


@pytest.mark.parametrize("use", ["evaluate", "predict"])
def test_evaluate_and_predict_leave_the_weights_from_before(use):
    rows = Rows()
    feed = feed_of(rows)
    model = build(feed)
    model.fit(feed, verbose=0)
    before = values(model)
    for rows.error in ERRORS:
        for batch in (0, 2):
            rows.broken = batch * BATCH
            with raises(rows.error):
                getattr(model, use)(feed, verbose=0)
            assert equal(values(model), before)
    works(model, rows, feed)
    assert not equal(values(model), before)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="its compiled step runs in part")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_fit_leaves_the_weights_of_the_last_finished_step(error):
    rows = Rows()
    feed = feed_of(rows)
    model = build(feed)
    feed.bind(model)
    for batch in (0, 1, 3):  # in a model that was never trained, and in one that was
        before = values(model)
        after = After()
        feed.epoch = 0
        rows.broken, rows.error = batch * BATCH, error
        with raises(error):
            model.fit(feed, verbose=0, callbacks=[after])
        assert len(after.values) in finished(batch)
        expected = after.values[-1] if after.values else before
        # where nothing was trained, Keras may have built the optimizer meanwhile
        assert equal(values(model)[: len(expected)], expected)
        works(model, rows, feed)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="its compiled step runs in part")
def test_an_error_in_a_later_epoch():
    rows = Rows()
    feed = feed_of(rows, shuffle=True)
    model = build(feed)

    class Breaks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            feed.epoch = 1
            rows.broken = next(itertools.islice(feed.batches(), broken, None)).ids[0]
            self.model.optimizer.learning_rate = 0.125  # what a callback sets is not undone

    for broken in (0, 2):
        feed.epoch, rows.broken = 0, None
        taken = int(model.optimizer.iterations)
        with pytest.raises(ph.DataError, match="network"):
            model.fit(feed, epochs=2, verbose=0, validation_data=feed_of(Rows()), callbacks=[Breaks()])
        assert float(model.optimizer.learning_rate) == 0.125
        assert int(model.optimizer.iterations) - taken - 4 in finished(broken)
        assert (feed.state()["epoch"], feed.state()["step"]) == (1, broken)
    works(model, rows, feed)


def test_validation_within_fit():
    rows = Rows()
    train, validation = feed_of(Rows()), feed_of(rows)
    model = build(train)
    train.bind(model)
    validation.bind(model)  # otherwise `fit` reads its first rows before it trains
    for batch in (0, 2):
        after = After()
        rows.broken = batch * BATCH
        with raises(OSError()):
            model.fit(train, validation_data=validation, verbose=0, callbacks=[after])
        assert equal(values(model), after.values[-1])
        works(model, rows, train)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX")
@pytest.mark.parametrize("use", ["fit", "evaluate", "predict"])
def test_several_steps_in_one_execution(use):
    rows = Rows()
    feed = feed_of(rows, batch_size=4)
    model = build(feed, steps_per_execution=3)
    model.fit(feed, verbose=0)
    for broken in (0, 3, 5):
        before = values(model)
        feed.epoch, rows.broken = 0, broken * 4
        taken = int(model.optimizer.iterations)
        with pytest.raises(ph.DataError, match="network"):
            getattr(model, use)(feed, verbose=0)
        if use == "fit":
            assert int(model.optimizer.iterations) - taken in finished(broken)
        else:
            assert equal(values(model), before)
    works(model, rows, feed)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX")
def test_an_error_in_the_first_step_after_one_elsewhere_takes_no_older_weights():
    rows = Rows()
    feed = feed_of(rows)
    model = build(feed)
    model.fit(feed, verbose=0)
    rows.broken = 2 * BATCH
    with pytest.raises(ph.DataError, match="network"):
        model.predict(feed, verbose=0)
    model.set_weights([w + 1.0 for w in model.get_weights()])
    before = values(model)
    rows.broken = 0

    class Halts(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise KeyboardInterrupt

    for callbacks in ([Halts()], []):
        with pytest.raises((ph.DataError, KeyboardInterrupt)):
            model.fit(feed, verbose=0, callbacks=callbacks)
        assert equal(values(model), before)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="of JAX")
@pytest.mark.parametrize("use", ["fit", "evaluate", "predict"])
def test_what_the_devices_cannot_share_costs_no_weights(use, monkeypatch):
    rows = Rows()
    feed = feed_of(rows)
    model = build(feed)
    model.fit(feed, verbose=0)
    before = values(model)

    def refuses(*arguments):
        raise ph.ContractError(ph.Problem("batch_size", "a number of rows that 3 devices divide", "8"))

    with monkeypatch.context() as patched:
        patched.setattr("polyhead.keras_bridge.adapter.require_shares", refuses)
        with pytest.raises(ph.ContractError, match="3 devices"):
            getattr(model, use)(feed, verbose=0)
    assert equal(values(model), before)
    works(model, rows, feed)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="elsewhere weights stay in the model")
@pytest.mark.parametrize("use", ["fit", "evaluate", "predict"])
def test_arrays_that_a_step_refuses_leave_the_weights_from_before(use):
    rows = Rows()
    feed = feed_of(rows)
    model = build(feed)
    before = [np.array(w) for w in model.get_weights()]
    x, y = np.zeros((ROWS, 1)), np.zeros((ROWS, 1))
    wrong = {"fit": (x, y[:, 0]), "evaluate": (x, y[:, 0]), "predict": (np.zeros((ROWS, 3)),)}
    with pytest.raises((ph.ContractError, ValueError)):
        getattr(model, use)(*wrong[use], verbose=0)
    assert equal(model.get_weights(), before)
    works(model, rows, feed)
