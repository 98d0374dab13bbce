"""`except ph.DataError` catches a bad row on every backend, whatever Keras was doing."""

import functools

import keras
import numpy as np
import pytest

import polyhead as ph

WORDS = "input `x`, row 40: expected finite numbers, got nan. "


class Rows(ph.Source):
    """Row 40 is good until the rows are spoilt, as after all checks."""

    def __init__(self):
        self.spoilt = False

    def __len__(self):
        return 48

    def read(self, ids):
        x = np.ones((len(ids), 3), "float32")
        x[(ids == 40) & self.spoilt] = np.nan
        return {"x": x, "y": ids % 2}


def feed_of(rows):
    return ph.Feed(rows, inputs="x", heads={"y": ph.Binary(metrics=[])}, batch_size=8)


def model_of(feed, **compiled):
    x = keras.Input((3,), name="x")
    model = keras.Model(x, {"y": keras.layers.Dense(1, activation="sigmoid", name="y")(x)})
    ph.compile(model, feed, optimizer="sgd", **compiled)
    return model


@functools.cache
def good(compiled):
    """A model that is compiled once, to be trained after an error."""
    return model_of(feed_of(Rows()), **dict(compiled))


def validate(model, feed):
    model.fit(feed_of(Rows()), validation_data=feed, verbose=0)


WAYS = {
    "fit": lambda model, feed: model.fit(feed, verbose=0),
    "steps": lambda model, feed: model.fit(feed, steps_per_epoch=4, epochs=2, verbose=0),
    "evaluate": lambda model, feed: model.evaluate(feed, verbose=0),
    "predict": lambda model, feed: model.predict(feed, verbose=0),
    "validation": validate,
    "by hand": lambda model, feed: [model.train_on_batch(x["x"], y) for x, y in feed],
}


@pytest.mark.parametrize("compiled", [{}, {"run_eagerly": True}, {"steps_per_execution": 2}], ids=str)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
def test_a_bad_row_is_a_data_error(way, compiled):
    if "steps_per_execution" in compiled and keras.backend.backend() == "torch":
        pytest.skip("Keras takes one step at a time on PyTorch")
    rows = Rows()
    feed = feed_of(rows)
    model = model_of(feed, **compiled)
    feed.bind(model)
    if way == "by hand":
        feed._bound = None
    rows.spoilt = True
    with pytest.raises(ph.DataError) as error:
        WAYS[way](model, feed)
    assert str(error.value).startswith(WORDS)
    rows.spoilt = False
    good(tuple(compiled.items())).fit(feed, verbose=0)  # what was kept of the error is gone


def test_an_error_of_a_users_own_is_what_it_was():
    class Gone(Exception):
        pass

    rows = Rows()
    feed = feed_of(rows)
    model = model_of(feed)
    cause = Gone("the disk")

    def read(ids):
        raise cause

    rows.read = read  # past the class, so that nothing explains it
    with pytest.raises(Gone, match="the disk"):
        model.fit(feed, verbose=0)


def test_the_end_of_the_data_is_no_error():
    feed = feed_of(Rows())
    model = model_of(feed)
    assert len(model.fit(feed, epochs=2, verbose=0).history["loss"]) == 2
    assert model.predict(feed, verbose=0)["y"].shape == (48, 1)
