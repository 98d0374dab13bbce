"""Which rows are trained on, and in which order, however training is cut into runs of fit."""

import copy
import itertools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import ops

import polyhead as ph

ROWS, BATCH, MOST = 30, 4, 40
WIDTH = 3
"""Numbers by which a batch is recognized: its rows, and the sums of their numbers and squares."""


class Trained(keras.metrics.Metric):
    """Notes each batch of an epoch within the compiled step."""

    def __init__(self, name="trained"):
        super().__init__(name=name)
        self.batches = self.add_weight(shape=(MOST, WIDTH), initializer="zeros", name="batches")
        self.steps = self.add_weight(shape=(), initializer="zeros", name="steps")

    def update_state(self, y_true, y_pred, sample_weight=None):
        ids = ops.cast(ops.reshape(y_true, (-1,)), "float32")
        told = ops.stack([ops.sum(ops.ones_like(ids)), ops.sum(ids), ops.sum(ids * ids)])
        here = ops.one_hot(ops.cast(self.steps, "int32"), MOST, dtype="float32")
        self.batches.assign_add(here[:, None] * told[None, :])
        self.steps.assign_add(1.0)

    def result(self):
        return self.steps + 0.0

    def noted(self):
        steps = int(ops.convert_to_numpy(self.steps.value))
        return [tuple(batch) for batch in ops.convert_to_numpy(self.batches.value)[:steps].tolist()]


class Note(keras.callbacks.Callback):
    """All batches of a run; training can be stopped, interrupted or looked at after one of them."""

    def __init__(self, metric, after=None, then=None):
        super().__init__()
        self.metric, self.after, self.then = metric, after, then
        self.batches, self.steps, self.count = [], [], 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
        if self.count == self.after:
            self.then(self)

    def on_epoch_end(self, epoch, logs=None):
        noted = self.metric.noted()
        self.batches += noted
        self.steps.append(len(noted))


class Halt(Exception):
    """What stands for a killed process."""


def stop(note):
    note.model.stop_training = True


def halt(note):
    raise Halt


METRIC = Trained()
ARGUMENTS = {"batch_size": BATCH, "seed": 3, "workers": 0}


def rows():
    ids = np.arange(ROWS)
    return {"x": (ids % 7).astype("float32")[:, None], "row": ids.astype("float32")}


def make(**changes):
    heads = {"row": ph.Regression(metrics=[METRIC])}
    return ph.Feed(rows(), inputs="x", heads=heads, **{**ARGUMENTS, **changes})


def build(feed, **arguments):
    x = keras.Input((1,), name="x")
    model = keras.Model(x, ph.outputs(keras.layers.Dense(2)(x), feed.heads))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(1e-6), **arguments)
    return model


@pytest.fixture(scope="module")
def model():
    return build(make())


def told(ids):
    ids = np.asarray(ids, "float64")
    return float(len(ids)), float(ids.sum()), float((ids * ids).sum())


def uninterrupted(**changes):
    """The batches of all epochs, one after the other."""
    feed = make(**changes)
    for epoch in itertools.count():
        feed.epoch = epoch
        yield from (told(batch.ids) for batch in feed.batches())


def wanted(first, count, **changes):
    return list(itertools.islice(uninterrupted(**changes), first, first + count))


def run(model, feed, *, after=None, then=None, **fit):
    """Trains; the batches of whole epochs of Keras, as the compiled step got them."""
    note = Note(METRIC, after, then)
    try:
        model.fit(feed, verbose=0, callbacks=[note], **fit)
    except Halt:
        note.batches += METRIC.noted() if keras.backend.backend() != "jax" else []
    return note


def again(state, **changes):
    return make(**changes).restore(json.loads(json.dumps(state)))


FEEDS = [
    {"shuffle": shuffle, "drop_remainder": drop, **more}
    for shuffle in (True, False)
    for drop in (True, False)
    for more in ({}, {"workers": 2})
    if not more or shuffle
]
STEPS = [None, 3, 11]
# all of them once, and each feed with one length of epoch on the backends that compile
COMPILED = {(0, 2), *((i, i % 3) for i in range(len(FEEDS)))}
EPOCHS = pytest.mark.parametrize(
    ("changes", "steps"),
    [
        pytest.param(
            feed,
            steps,
            id=f"{feed}-{steps}",
            marks=[] if (i, j) in COMPILED else [pytest.mark.full if "workers" in feed else pytest.mark.once],
        )
        for i, feed in enumerate(FEEDS)
        for j, steps in enumerate(STEPS)
    ],
)


@pytest.mark.few(2)
@EPOCHS
def test_runs_together_train_the_rows_of_one(model, changes, steps):
    batches = steps or len(make(**changes))
    whole = wanted(0, 4 * batches, **changes)
    assert run(model, make(**changes), epochs=4, steps_per_epoch=steps).batches == whole
    for first in (1, 2):
        count = first * batches
        feed = make(**changes)
        before = run(model, feed, epochs=first, steps_per_epoch=steps).batches
        assert before == whole[:count]
        assert feed.state()["epoch"] * len(feed) + feed.state()["step"] == count
        resumed = again(feed.state(), **changes)
        for later in (feed, resumed, make(**changes)):  # continued, restored and fresh
            found = run(model, later, initial_epoch=first, epochs=4, steps_per_epoch=steps).batches
            assert found == whole[count:]
            assert later.state()["epoch"] * len(later) + later.state()["step"] == 4 * batches


@EPOCHS
def test_a_second_fit_without_initial_epoch_goes_on(model, changes, steps):
    batches = steps or len(make(**changes))
    feed = make(**changes)
    found = [run(model, feed, epochs=1, steps_per_epoch=steps).batches for _ in range(3)]
    assert list(itertools.chain(*found)) == wanted(0, 3 * batches, **changes)
    rest = run(model, feed, epochs=1).batches  # what is left of the epoch
    assert rest == wanted(3 * batches, len(feed) - 3 * batches % len(feed), **changes)


@pytest.mark.few(6)
@pytest.mark.parametrize("then", [stop, halt])
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("after", [1, 5, 8, 9])
def test_a_run_that_ends_within_an_epoch_is_gone_on_with(model, steps, after, then):
    changes = {"shuffle": True, "workers": 2}
    feed = make(**changes)
    states = []

    def noted(note):
        states.append(feed.state())
        then(note)

    run(model, feed, after=after, then=noted, epochs=3, steps_per_epoch=steps)
    assert states == [feed.state()]
    assert (states[0]["epoch"], states[0]["step"]) == divmod(after, len(feed))
    left = steps or len(feed) - after % len(feed)
    for later in (again(states[0], **changes), feed):
        found = run(model, later, initial_epoch=2, epochs=4, steps_per_epoch=steps)
        assert found.batches == wanted(after, left + (steps or len(feed)), **changes)
        assert found.steps == [left, steps or len(feed)]


@pytest.mark.parametrize("start", [0, 3, 7])
def test_the_optimizer_counts_the_batches_of_a_resumed_epoch(model, start):
    feed = make()
    feed.restore({**feed.state(), "step": start})
    before = int(model.optimizer.iterations)
    note = run(model, feed, epochs=2)
    assert int(model.optimizer.iterations) - before == 16 - start
    assert note.steps == [8 - start, 8]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses steps_per_execution on PyTorch")
@pytest.mark.parametrize("several", [2, 3, 5])
def test_several_steps_in_one_execution(several):
    feed = make()
    model = build(feed, steps_per_execution=several)
    feed.restore({**feed.state(), "step": 3})
    note = run(model, feed, epochs=2)
    assert note.steps == [5, 8]
    assert note.batches == wanted(3, 13)
    assert int(model.optimizer.iterations) == 13
    assert feed.epoch == 2


def test_the_progress_bar_has_the_length_of_the_resumed_epoch(model, capsys):
    feed = make()
    feed.restore({**feed.state(), "step": 3})
    model.fit(feed, epochs=2, verbose=1)
    printed = capsys.readouterr().out
    first, second = printed.split("Epoch 2/2")
    assert "5/5" in first
    assert "/8" not in first
    assert "8/8" in second


def test_a_feed_restored_between_two_epochs_of_a_run_goes_on_from_there(model):
    for steps in (None, 3):
        feed = make()

        class Back(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 0:
                    feed.restore({**feed.state(), "epoch": 5, "step": 6})  # noqa: B023

        note = Note(METRIC)
        model.fit(feed, epochs=3, steps_per_epoch=steps, verbose=0, callbacks=[Back(), note])
        first = steps or 8
        assert note.batches[:first] == wanted(0, first)
        assert note.batches[first:] == wanted(46, len(note.batches) - first)
        assert note.steps == ([8, 2, 8] if steps is None else [3, 3, 3])


def test_a_look_at_some_batches_by_hand_uses_none_of_them(model):
    feed = make(shuffle=True)
    next(iter(feed))
    assert feed.state()["step"] == 1
    assert run(model, feed, epochs=2).batches == wanted(0, 16, shuffle=True)
    next(iter(feed))
    assert run(model, feed, epochs=1).batches == wanted(16, 8, shuffle=True)


def test_a_step_that_fails_uses_no_batch(model):
    def fails(*arguments):
        raise ZeroDivisionError("out of memory, say")

    feed = make()
    for first in (0, 8):
        broken = build(feed)
        broken.compile("sgd", loss=fails)  # without the metric: on JAX it would be lost with the weights
        with pytest.raises(ZeroDivisionError):
            broken.fit(feed, verbose=0)
        if first:
            del broken  # somebody makes the model anew
        assert run(model, feed, epochs=1).batches == wanted(first, 8)


# The epoch may be set --------------------------------------------------------------------------------


def test_a_feed_goes_on_from_model_to_model_and_begins_again_where_its_epoch_is_set(model):
    feed = make(shuffle=True)
    first = run(model, feed, epochs=2).batches
    second = run(build(feed), feed, epochs=2).batches
    assert first + second == wanted(0, 32, shuffle=True)
    feed.epoch = 0
    assert feed.state()["epoch"] == 0
    assert run(model, feed, epochs=2).batches == first
    feed.epoch = np.int64(7)
    assert run(model, feed, initial_epoch=3, epochs=4).batches == wanted(56, 8, shuffle=True)


@pytest.mark.parametrize("epoch", [-1, 1.0, True, "0", None])
def test_an_epoch_is_an_integer_of_at_least_0(epoch):
    feed = make()
    with pytest.raises(ph.ContractError, match=r"feed.epoch: expected an integer of at least 0, got "):
        feed.epoch = epoch
    assert feed.epoch == 0


# BackupAndRestore --------------------------------------------------------------------------------------


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("steps", "freq", "after"),
    [
        (None, 5, 13),
        (None, "epoch", 13),
        (3, 1, 7),
        (11, 2, 14),
        pytest.param(None, 1, 1, marks=pytest.mark.once),
        pytest.param(None, 2, 5, marks=pytest.mark.once),
        pytest.param(3, 2, 5, marks=pytest.mark.once),
        pytest.param(11, "epoch", 13, marks=pytest.mark.once),
    ],
)
def test_keras_backups_are_gone_on_with(tmp_path, steps, freq, after):
    feed = make(shuffle=True)
    batches, epochs = steps or len(feed), 5
    saved = after - after % (batches if freq == "epoch" else freq)

    def fitted(feed, folder, *callbacks):
        model = build(feed)
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / folder), save_freq=freq)
        model.fit(feed, epochs=epochs, steps_per_epoch=steps, verbose=0, callbacks=[backup, *callbacks])
        return model

    with pytest.raises(Halt):
        fitted(feed, "first", Note(METRIC, after, halt))
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    for later, folder in ((make(shuffle=True), "first"), (feed, "second")):
        note = Note(METRIC)
        model = fitted(later, folder, note)
        assert note.batches == wanted(saved, epochs * batches - saved, shuffle=True)
        assert int(model.optimizer.iterations) == epochs * batches


@pytest.mark.once
def test_a_backup_of_the_first_epoch_of_a_run_is_of_its_initial_epoch(tmp_path):
    def fit(*callbacks):
        feed = make(shuffle=True)
        backup = keras.callbacks.BackupAndRestore(str(tmp_path), save_freq=2)
        build(feed).fit(feed, initial_epoch=1, epochs=3, verbose=0, callbacks=[backup, *callbacks])

    with pytest.raises(Halt):
        fit(Note(METRIC, 3, halt))
    note = Note(METRIC)
    fit(note)
    assert note.batches == wanted(10, 14, shuffle=True)


def test_a_backup_after_the_last_batch_of_an_epoch_is_one_that_keras_counts_anew(tmp_path):
    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path), save_freq=4)

    feed = make()
    with pytest.raises(Halt):
        build(feed).fit(feed, epochs=2, verbose=0, callbacks=[backup(), Note(METRIC, 8, halt)])
    feed = make()
    note = Note(METRIC)
    with pytest.warns(ph.PolyheadWarning, match=r"fit trains one epoch more than epochs= says"):
        build(feed).fit(feed, epochs=2, verbose=0, callbacks=[backup(), note])
    assert note.batches == wanted(8, 16)


def test_a_backup_of_an_epoch_that_was_resumed_is_warned_of(tmp_path):
    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path), save_freq=2)

    for _ in range(2):
        feed = make()
        with pytest.raises(Halt):
            build(feed).fit(feed, epochs=2, verbose=0, callbacks=[backup(), Note(METRIC, 2, halt)])
    feed = make()
    with pytest.warns(ph.PolyheadWarning, match="Some rows are repeated"):
        build(feed).fit(feed, epochs=2, verbose=0, callbacks=[backup()])


def test_a_restored_feed_knows_better_than_a_backup(tmp_path):
    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path), save_freq=2)

    feed = make()
    with pytest.raises(Halt):
        build(feed).fit(feed, epochs=2, verbose=0, callbacks=[backup(), Note(METRIC, 3, halt)])
    later, note = again(feed.state()), Note(METRIC)
    build(later).fit(later, epochs=1, verbose=0, callbacks=[backup(), note])
    assert note.batches == wanted(3, 5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="strategies of TensorFlow")
def test_the_batch_that_a_strategy_looks_at_is_not_used():
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        feed = make(shuffle=True)
        x = keras.Input((1,), name="x")
        model = keras.Model(x, ph.outputs(keras.layers.Dense(2)(x), feed.heads))
        model.compile("sgd", loss="mse")
    feed.restore({**feed.state(), "step": 3})
    model.fit(feed, epochs=2, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 13
    assert feed.state()["epoch"] == 2


@pytest.mark.once
def test_a_feed_that_trains_in_another_thread_is_refused():
    """Both would move its position, and leave out batches."""
    feed, found = make(), []
    second = build(feed)

    def in_thread(note):
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(second.fit, feed, verbose=0).exception())
            found.append(pool.submit(second.fit, copy.copy(feed), verbose=0).exception())

    run(build(feed), feed, after=2, then=in_thread)
    assert [str(error) for error in found] == [
        "fit(feed): expected a feed that trains one model at a time, got one in use by fit() in another thread. "
        "Give each thread a feed of its own, of the same rows: copy.copy(feed).",
        "None",
    ]
    assert feed.epoch == 1
