"""How long a real `fit` waits for its feed, on each backend, and what it says of it."""

import time

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.keras_bridge import waiting

WIDE = 40_000  # numbers in a row: 160 kB, so that no two batches are read in one call


class Rows(ph.Source):
    """Rows that take their time."""

    columns = ("x", "y")

    def __init__(self, seconds, rows=96, calls=None):
        self.seconds, self.rows, self.calls = seconds, rows, [] if calls is None else calls

    def __len__(self):
        return self.rows

    def only(self, columns):
        return self

    def read(self, ids):
        self.calls.append(len(ids))
        time.sleep(self.seconds * len(ids))
        return {"x": np.ones((len(ids), WIDE), np.float32), "y": ids % 2}


def feed_of(seconds, **arguments):
    return ph.Feed(Rows(seconds), inputs="x", heads={"y": ph.Binary()}, batch_size=8, **arguments)


def light(feed, **arguments):
    x = keras.Input((WIDE,), name="x")
    model = keras.Model(x, ph.outputs(x, feed.heads))
    slow, feed.source.seconds = feed.source.seconds, 0.0  # rows are looked at, which is not what is measured
    ph.compile(model, feed, optimizer="sgd", **arguments)
    feed.source.seconds = slow
    return model


def heavy(feed):
    """A model whose step takes long on every machine."""
    x = keras.Input((2,), name="x")
    hidden = x
    for _ in range(4):
        hidden = keras.layers.Dense(1024, activation="relu")(hidden)
    model = keras.Model(x, ph.outputs(hidden, feed.heads))
    return ph.compile(model, feed, optimizer="adam")


@pytest.fixture
def soon(monkeypatch):
    """Training that says what it has to say after half a second."""
    monkeypatch.setattr(waiting.Watch.__init__, "__defaults__", (5, 0.5, True, 1))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_slow_source_is_what_training_waits_for(workers, capsys):
    feed = feed_of(0.02, workers=workers)
    profile = ph.Profile()
    light(feed).fit(feed, verbose=0, callbacks=[profile])
    report = profile.report
    assert report.bottleneck == "read"
    assert report.waiting > 0.3
    assert "Pack the data into one store, ph.pack(source, path), or read with more threads" in report.remedy
    assert report.threads_busy > 0.5 * max(1, workers)
    assert (report.steps, report.rows) == (11, 88)
    out, err = capsys.readouterr()
    assert out.endswith(f"{report}\n")
    assert err == ""


def test_a_heavy_model_is_left_alone():
    data = {"x": np.ones((96, 2), np.float32), "y": np.arange(96) % 2}
    feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}, batch_size=8)
    profile = ph.Profile(verbose=0)
    heavy(feed).fit(feed, verbose=0, callbacks=[profile])
    assert profile.report.waiting < 0.2
    assert profile.report.bottleneck == "model"
    assert profile.report.remedy == "The model is the limit: leave the data as it is."


def test_threads_that_keep_up_with_a_heavy_model_are_not_waited_for():
    class Few(Rows):
        def read(self, ids):
            time.sleep(0.001)
            return {"x": np.ones((len(ids), 2), np.float32), "y": ids % 2}

    feed = ph.Feed(Few(0), inputs="x", heads={"y": ph.Binary()}, batch_size=8, workers=1)
    profile = ph.Profile(verbose=0)
    heavy(feed).fit(feed, epochs=2, verbose=0, callbacks=[profile])
    assert profile.report.bottleneck == "model"


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses it on PyTorch")
def test_steps_per_execution_and_epochs():
    feed = feed_of(0.01, workers=0)
    profile = ph.Profile(verbose=0)
    light(feed, steps_per_execution=3).fit(feed, epochs=2, verbose=0, callbacks=[profile])
    assert profile.report.steps == 24 - 3
    assert profile.report.waiting > 0.2
    assert 0.07 < profile.report.step < 5


def test_validation_is_kept_apart():
    feed, calls = feed_of(0.0, workers=0), []
    other = feed.on(Rows(0.05, rows=16, calls=calls))
    model = light(feed)
    calls.clear()
    profile = ph.Profile(verbose=0)
    model.fit(feed, epochs=2, validation_data=other, verbose=0, callbacks=[profile])
    assert calls
    assert profile.report.steps == 23
    assert profile.report.seconds["read"] < 0.02  # of a row: one of validation takes 0.05


def test_steps_per_epoch_with_validation_in_between():
    feed = feed_of(0.03, workers=1)
    other = feed.on(Rows(0.1, rows=8))
    profile = ph.Profile(verbose=0)
    model = light(feed)
    model.fit(feed, epochs=3, steps_per_epoch=6, validation_data=other, verbose=0, callbacks=[profile])
    assert profile.report.steps >= 17
    assert profile.report.seconds["read"] < 0.08
    assert profile.report.bottleneck == "read"


def test_no_more_steps_are_measured_than_asked_for():
    feed = feed_of(0.0, workers=0)
    profile = ph.Profile(steps=4, verbose=0)
    light(feed).fit(feed, epochs=2, verbose=0, callbacks=[profile])
    assert profile.report.steps == 4
    assert feed.epoch == 2


def test_floats_of_a_model_that_rescales_are_handed_over_as_bytes():
    data = {"image": np.full((32, 300, 300, 3), 9, np.uint8), "y": np.arange(32) % 2}
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"y": ph.Binary()}, batch_size=8)
    x = keras.Input((300, 300, 3), name="image")
    small = keras.layers.Rescaling(1 / 255)(x[:, :1, :1])
    model = keras.Model(x, ph.outputs(keras.layers.Flatten()(small), feed.heads))
    with pytest.warns(ph.PolyheadWarning, match="as the model has Rescaling"):
        ph.compile(model, feed, optimizer="sgd")
    for _ in range(8):  # on a busy machine any stage may have to wait for the processor
        profile = ph.Profile(verbose=0)
        model.fit(feed, epochs=3, verbose=0, callbacks=[profile])
        report = profile.report
        if max(report.seconds, key=report.seconds.get) == "inputs":
            break
    assert report.facts.rescales
    assert max(report.seconds, key=report.seconds.get) == "inputs"
    assert 'ph.Image(..., dtype="uint8")' in report.verdict


@pytest.mark.usefixtures("soon")
def test_fit_says_once_where_it_waits(capsys):
    feed = feed_of(0.02, workers=0)
    light(feed).fit(feed, epochs=2, verbose=2)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("polyhead")]
    assert len(said) == 1
    assert said[0].startswith("polyhead: training waits for data ")
    assert "% of its time, most of it for reading. Pack the data into one store, ph.pack" in said[0]


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("how", ["verbose", "watch", "profile", "evaluate"])
def test_fit_is_silent(how, capsys):
    feed = feed_of(0.02, workers=0, watch=how != "watch")
    model = light(feed)
    if how == "evaluate":
        model.evaluate(feed, verbose=0)
    else:
        callbacks = [ph.Profile()] if how == "profile" else []
        model.fit(feed, verbose=0 if how == "verbose" else 2, callbacks=callbacks)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("soon")
def test_fit_is_silent_where_the_model_is_the_limit(capsys):
    data = {"x": np.ones((160, 2), np.float32), "y": np.arange(160) % 2}
    feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}, batch_size=8)
    heavy(feed).fit(feed, epochs=2, verbose=2)
    assert capsys.readouterr().err == ""


def test_a_run_that_breaks_off_leaves_nothing_to_the_next():
    class Stop(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise RuntimeError("enough")

    feed = feed_of(0.0, workers=0)
    model, profile = light(feed), ph.Profile(verbose=0)
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(feed, verbose=0, callbacks=[profile, Stop()])
    model.fit(feed, verbose=0)
    assert (profile.report, profile.watch) == (None, None)


def test_data_that_is_no_feed_is_not_reported_on(capsys):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    profile = ph.Profile()
    model.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0, callbacks=[profile])
    assert profile.report is None
    assert capsys.readouterr().out == (
        "polyhead: nothing to report, as fewer than two steps of a feed were measured.\n"
    )


@pytest.mark.parametrize("steps", [1, 0, "all", True])
def test_steps_of_a_profile(steps):
    with pytest.raises(ph.ContractError, match=r"Profile\(steps=\): expected an integer of at least 2, got"):
        ph.Profile(steps=steps)


def test_a_profile_is_a_callback():
    assert isinstance(ph.Profile(), keras.callbacks.Callback)
