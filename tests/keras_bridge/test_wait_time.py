"""How long a real `fit` waits for its feed, on each backend, and what it says of it."""

import dataclasses

import keras
import numpy as np
import pytest

import polyhead as ph
import polyhead.profiling
from running import Clock

pytestmark = pytest.mark.usefixtures("clock")

WIDE = 40_000  # numbers in a row: 160 kB, so that no two batches are read in one call


class Rows(ph.Source):
    """Rows that take their time, by the clock of the measurement."""

    columns = ("x", "y")

    def __init__(self, seconds, rows=96, calls=None):
        self.seconds, self.rows, self.calls = seconds, rows, [] if calls is None else calls

    def __len__(self):
        return self.rows

    def only(self, columns):
        return self

    def read(self, ids):
        self.calls.append(len(ids))
        polyhead.profiling.clock.sleep(self.seconds * len(ids))
        return {"x": np.ones((len(ids), WIDE), np.float32), "y": ids % 2}


class Works(keras.callbacks.Callback):
    """A model whose step takes its time, by the same clock."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_train_batch_end(self, batch, logs=None):
        polyhead.profiling.clock.sleep(self.seconds)


def feed_of(seconds, **arguments):
    return ph.Feed(Rows(seconds), inputs="x", heads={"y": ph.Binary(metrics=[])}, batch_size=8, **arguments)


def model_of(feed, **arguments):
    x = keras.Input((WIDE,), name="x")
    model = keras.Model(x, ph.outputs(x, feed.heads))
    return ph.compile(model, feed, optimizer="sgd", **arguments)


@pytest.fixture(scope="module")
def model():
    """Compiled once: what is measured is how its feed comes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polyhead.profiling.clock", Clock())
        return model_of(feed_of(0.0))


@pytest.mark.parametrize(
    ("workers", "step", "waiting"),
    [
        (0, 0.04, 0.8),  # a batch takes 0.16 s, and then the step
        (2, 0.04, 0.5),  # two threads need 0.08 s for a batch
        (2, 0.02, 0.75),
    ],
)
def test_a_slow_source_is_what_training_waits_for(model, workers, step, waiting, capsys):
    feed = feed_of(0.02, workers=workers)
    profile = ph.Profile()
    capsys.readouterr()
    model.fit(feed, verbose=0, callbacks=[profile, Works(step)])
    report = profile.report
    assert report.bottleneck == "read"
    assert report.waiting == pytest.approx(waiting)
    assert "Pack the data into one store, ph.pack(source, path), or read with more threads" in report.remedy
    assert 0 < report.threads_busy <= max(1, workers)
    assert (report.steps, report.rows) == (11, 88)
    out, err = capsys.readouterr()
    assert out.endswith(f"{report}\n")
    assert err == ""


@pytest.mark.parametrize(("workers", "step"), [(0, 0.64), (1, 0.2), (2, 0.1)])
def test_a_heavy_model_is_left_alone(model, workers, step):
    feed = feed_of(0.02, workers=workers)
    profile = ph.Profile(verbose=0)
    model.fit(feed, verbose=0, callbacks=[profile, Works(step)])
    assert profile.report.waiting == pytest.approx(0.0 if workers else 0.2)
    assert profile.report.bottleneck == "model"
    assert profile.report.remedy == "The model is the limit: leave the data as it is."


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses it on PyTorch")
def test_steps_per_execution_and_epochs():
    feed = feed_of(0.01, workers=0)
    profile = ph.Profile(verbose=0)
    model = model_of(feed, steps_per_execution=3)
    model.fit(feed, epochs=2, verbose=0, callbacks=[profile, Works(0.12)])
    assert profile.report.steps == 24 - 3
    assert profile.report.waiting == pytest.approx(2 / 3)
    assert profile.report.step == pytest.approx(0.12)


def test_validation_is_kept_apart(model):
    feed, calls = feed_of(0.01, workers=0), []
    other = feed.on(Rows(0.05, rows=16, calls=calls))
    calls.clear()
    profile = ph.Profile(verbose=0)
    model.fit(feed, epochs=2, validation_data=other, verbose=0, callbacks=[profile, Works(0.02)])
    assert calls
    assert profile.report.steps == 23
    assert profile.report.seconds["read"] == pytest.approx(0.01)
    assert profile.report.waiting == pytest.approx(0.8)


def test_steps_per_epoch_with_validation_in_between(model):
    feed = feed_of(0.03, workers=1)
    other = feed.on(Rows(0.1, rows=8))
    profile = ph.Profile(verbose=0)
    model.fit(feed, epochs=3, steps_per_epoch=6, validation_data=other, verbose=0, callbacks=[profile])
    assert profile.report.steps >= 17
    assert profile.report.seconds["read"] == pytest.approx(0.03)
    assert profile.report.bottleneck == "read"


def test_no_more_steps_are_measured_than_asked_for(model):
    feed = feed_of(0.0, workers=0)
    profile = ph.Profile(steps=4, verbose=0)
    model.fit(feed, epochs=2, verbose=0, callbacks=[profile])
    assert profile.report.steps == 4
    assert feed.epoch == 2


def test_floats_of_a_model_that_rescales_are_handed_over_as_bytes():
    data = {"image": np.full((32, 30, 30, 3), 9, np.uint8), "y": np.arange(32) % 2}
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"y": ph.Binary(metrics=[])}, batch_size=8)
    x = keras.Input((30, 30, 3), name="image")
    small = keras.layers.Rescaling(1 / 255)(x[:, :1, :1])
    model = keras.Model(x, ph.outputs(keras.layers.Flatten()(small), feed.heads))
    with pytest.warns(ph.PolyheadWarning, match="as the model has Rescaling"):
        ph.compile(model, feed, optimizer="sgd")
    profile = ph.Profile(verbose=0)
    model.fit(feed, verbose=0, callbacks=[profile, Works(0.1)])
    report = profile.report
    assert (report.setup.rescales, report.setup.floats) == (True, ("image",))
    assert "Pixels are scaled by the feed, and by the model once more" in report.verdict
    slow = dataclasses.replace(report, seconds={**report.seconds, "inputs": 0.1}, waited=report.elapsed)
    assert slow.verdict == (
        "Training waits for data 100% of its time, most of it for encoding inputs. Hand over bytes, a quarter of the "
        'size: ph.Image(..., dtype="uint8"), as the model rescales by itself.'
    )


def test_fit_says_once_where_it_waits(model, capsys):
    feed = feed_of(0.02, workers=0)
    model.fit(feed, epochs=3, verbose=2, callbacks=[Works(0.04)])
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("polyhead")]
    assert said == [
        "polyhead: training waits for data 80% of its time, most of it for reading. Pack the data into one store, "
        "ph.pack(source, path), or read with more threads, Feed(workers=4)."
    ]


@pytest.mark.parametrize("how", ["verbose", "warn_if_slow", "profile", "evaluate", "soon over"])
def test_fit_is_silent(model, how, capsys):
    feed = feed_of(0.02, workers=0, warn_if_slow=how != "warn_if_slow")
    capsys.readouterr()
    if how == "evaluate":
        model.evaluate(feed, verbose=0)
    else:
        callbacks = [ph.Profile()] if how == "profile" else []
        epochs = 1 if how == "soon over" else 3
        model.fit(feed, epochs=epochs, verbose=0 if how == "verbose" else 2, callbacks=callbacks)
    assert capsys.readouterr().err == ""


def test_fit_is_silent_where_the_model_is_the_limit(model, capsys):
    feed = feed_of(0.02, workers=0)
    model.fit(feed, epochs=3, verbose=2, callbacks=[Works(0.64)])
    assert capsys.readouterr().err == ""


def test_a_run_that_breaks_off_leaves_nothing_to_the_next(model):
    class Stop(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise RuntimeError("enough")

    feed = feed_of(0.0, workers=0)
    profile = ph.Profile(verbose=0)
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(feed, verbose=0, callbacks=[profile, Stop()])
    model.fit(feed, verbose=0)
    assert (profile.report, profile.timer) == (None, None)


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
