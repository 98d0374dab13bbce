"""Epochs that are not what they seem: too short, too long, repeated, in an order of chance."""

import random

import keras
import numpy as np
import pytest
from keras import ops
from traps import (
    VERSION,
    Batches,
    Count,
    Epochs,
    Steps,
    dense,
    epochs_seen,
    for_ever,
    numbered,
    plain,
    ran_out_of_data,
    still,
    trap,
)

import polyhead as ph

OUTPUTS = {"which": 1, "other": 1}


def feed(batches, count=None, **arguments):
    """The numbered batches as a feed of rows."""
    which = np.repeat(np.arange(batches, dtype="float32"), 4)
    heads = {"which": ph.Regression(metrics=[count] if count else None), "other": ph.Regression()}
    data = {"x": np.stack([which, which], 1), "which": which, "other": np.ones(len(which))}
    return ph.Feed(data, inputs="x", heads=heads, batch_size=4, **arguments)


def rows_seen(batches, fit=None, **arguments):
    """For each epoch with polyhead how many rows of each numbered batch were trained on."""
    count = Count(batches)
    rows = feed(batches, count, **arguments)
    model = ph.compile(dense(OUTPUTS), rows, optimizer=still())
    log = Epochs(count)
    model.fit(rows, verbose=0, callbacks=[log], **(fit or {}))
    return log.seen


@trap(
    17,
    "a generator that ends, and several epochs",
    keras="later epochs train on the two batches that Keras read in advance, with a warning",
    polyhead="an epoch is all rows, each once; the next starts again. One epoch alone, `iter(feed)`, is refused",
    versions="all; from 3.16 without a warning",
)
def test_a_generator_that_ends():
    # plain Keras
    with ran_out_of_data(VERSION < (3, 16)):
        seen = epochs_seen(numbered(5), 5, epochs=3)
    assert seen == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0]]
    # polyhead
    assert rows_seen(5, {"epochs": 3}, shuffle=True) == [[4] * 5] * 3
    rows = feed(5)
    model = ph.compile(dense(OUTPUTS), rows, optimizer=still())
    with pytest.raises(
        ValueError, match=r"x=one epoch of a feed \(fit takes the feed itself: model\.fit\(feed\)\)"
    ):
        model.fit(iter(rows), epochs=3, verbose=0)


@trap(
    18,
    "a generator without end, and no `steps_per_epoch`",
    keras="the first epoch never ends",
    polyhead="a feed has a length, and an epoch ends after it",
)
def test_a_generator_without_end():
    # plain Keras: broken off after ten times the three batches that there are
    steps = Steps(limit=30)
    with pytest.raises(KeyboardInterrupt):
        plain(dense(OUTPUTS)).fit(for_ever(3), verbose=0, callbacks=[steps])
    assert (steps.steps, steps.epochs) == (30, 0)
    # polyhead
    rows, steps = feed(3), Steps(limit=30)
    assert len(rows) == 3
    ph.compile(dense(OUTPUTS), rows, optimizer=still()).fit(rows, verbose=0, callbacks=[steps])
    assert (steps.steps, steps.epochs) == (3, 1)


@trap(
    19,
    "a validation generator without end",
    keras="starts each time with the same two batches and continues where it was: each epoch validates on other rows",
    polyhead="validation goes from the first row to the last, each time",
)
def test_a_validation_generator_without_end():
    # plain Keras: the loss of batch i is i²; nothing is learned, yet the loss moves
    batch = next(numbered(1))
    arguments = {"validation_data": for_ever(1000), "validation_steps": 3, "epochs": 3, "verbose": 0}
    history = plain(dense(OUTPUTS)).fit(*batch, **arguments).history["val_loss"]
    # batches 0 1 2, then 0 1 3, then 0 1 4, or later ones where TensorFlow draws ahead; the other head adds 1
    assert history[0] == pytest.approx(1 + 5 / 3)
    assert history[1] >= 1 + 10 / 3 - 1e-5
    assert history[2] >= history[1] + 7 / 3 - 1e-5
    # polyhead
    rows, val = feed(5, shuffle=True), feed(5, shuffle=True)
    model = ph.compile(dense(OUTPUTS), rows, optimizer=still())
    history = model.fit(rows, epochs=3, verbose=0, validation_data=val).history
    assert history["val_which_loss"] == pytest.approx([30 / 5] * 3)
    first = model.fit(rows, epochs=2, verbose=0, validation_data=val, validation_steps=3).history
    assert first["val_which_loss"] == pytest.approx([5 / 3] * 2)


@trap(
    20,
    "`steps_per_epoch` that does not divide the number of batches",
    keras="epochs of uneven length, with a warning; with fewer epochs there are batches that are never seen",
    polyhead="each epoch has as many steps as asked; rows go on from epoch to epoch",
)
def test_steps_per_epoch_below_the_number_of_batches():
    # plain Keras
    with ran_out_of_data():
        seen = epochs_seen(Batches(numbered(5)), 5, epochs=4, steps_per_epoch=2, shuffle=False)
    assert seen == [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1], [1, 1, 0, 0, 0]]
    # polyhead
    seen = rows_seen(5, {"epochs": 5, "steps_per_epoch": 2})
    assert seen == [[4, 4, 0, 0, 0], [0, 0, 4, 4, 0], [4, 0, 0, 0, 4], [0, 4, 4, 0, 0], [0, 0, 0, 4, 4]]
    shuffled = rows_seen(5, {"epochs": 5, "steps_per_epoch": 2}, shuffle=True)
    assert np.sum(shuffled, axis=1).tolist() == [8] * 5
    assert np.sum(shuffled, axis=0).tolist() == [8] * 5


class Noted(Batches):
    """Notes which batches are asked for."""

    def __init__(self, count):
        super().__init__(numbered(count))
        self.order = []

    def __getitem__(self, index):
        self.order.append(index)
        return super().__getitem__(index)


def order_of_keras(model, between=lambda: None, **arguments):
    """The order in which plain Keras asks a `PyDataset` for its batches, what it asks for beforehand left out."""
    keras.utils.set_random_seed(7)
    between()
    batches = Noted(12)
    model.fit(batches, verbose=0, **arguments)
    return batches.order[-12:]


class Last(keras.metrics.Metric):
    """The first label of the batch that came last."""

    def __init__(self, name="last"):
        super().__init__(name=name)
        self.last = self.add_weight(shape=(), initializer="zeros", name="last")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.last.assign(ops.cast(ops.reshape(y_true, (-1,))[0], self.last.dtype))

    def result(self):
        return self.last + 0.0


class Order(keras.callbacks.Callback):
    """The order of the batches, as the model got them."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(int(logs["which_last"]))


@trap(
    23,
    "the order of the batches is drawn from a global seed",
    keras="`set_random_seed` fixes it until anything else draws a number; `initial_epoch` starts again with the "
    "order of the first epoch. From 3.16 no seed changes it, and every `fit` begins with the same order",
    polyhead="the order depends only on the feed's seed and the epoch, and a later `fit` continues",
    versions="up to 3.15; from 3.16 the other way round",
)
def test_an_order_drawn_from_a_global_seed():
    # plain Keras: 3.16 counts the epochs of one `fit`, and asks for no seed
    fixed = VERSION >= (3, 16)
    model = plain(dense(OUTPUTS), run_eagerly=False)
    order_of_keras(model)  # the first `fit` draws a batch to build the model
    first = order_of_keras(model)
    assert order_of_keras(model) == first
    assert (order_of_keras(model, between=random.random) == first) is fixed
    assert (order_of_keras(model, between=lambda: keras.utils.set_random_seed(8)) == first) is fixed
    assert order_of_keras(model, initial_epoch=1, epochs=2) == first
    assert order_of_keras(model, epochs=2) != first

    # polyhead
    which = np.arange(12, dtype="float32")
    heads = {"which": ph.Regression(metrics=[Last()]), "other": ph.Regression()}
    data = {"x": np.zeros((12, 2), "float32"), "which": which, "other": which}

    def shuffled(seed):
        return ph.Feed(data, inputs="x", heads=heads, batch_size=1, shuffle=True, seed=seed)

    model = ph.compile(dense(OUTPUTS), shuffled(3), optimizer=still())

    def order(before=lambda: None, seed=3, fits=1, **fit):
        keras.utils.set_random_seed(7)
        before()
        log, rows = Order(), shuffled(seed)
        for _ in range(fits):
            model.fit(rows, verbose=0, callbacks=[log], **fit)
        return log.batches

    both = order(epochs=2)
    first, second = both[:12], both[12:]
    assert first != second
    assert sorted(first) == sorted(second) == list(range(12))
    assert order(before=lambda: (random.random(), np.random.random())) == first  # noqa: NPY002
    assert order(initial_epoch=1, epochs=2) == second
    assert order(fits=2) == both
    assert order(seed=4) != first
