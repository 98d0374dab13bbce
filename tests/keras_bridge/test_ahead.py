"""A run of training begins its next epoch while the last batches of one are used, and leaves nothing behind."""

import keras
import numpy as np
import pytest

import polyhead as ph
from running import threads, until

ROWS, WIDTH = 12, 40_000


class Noted(ph.Source):
    """Notes which rows are read; they are so wide that a block is one batch."""

    columns = ("x", "y")

    def __init__(self):
        self.read_rows = []

    def __len__(self):
        return ROWS

    def only(self, columns):
        return self

    def read(self, ids):
        self.read_rows += ids.tolist()
        return {"x": np.ones((len(ids), WIDTH), np.float32), "y": ids.astype(np.float32)}


def feed_of(source, **options):
    arguments = {"batch_size": 4, "shuffle": True, "seed": 5, "workers": 2, **options}
    return ph.Feed(source, inputs="x", heads={"y": ph.Regression()}, **arguments)


def model_of(feed):
    x = keras.Input(feed.inputs["x"].shape, name="x")
    model = keras.Model(x, ph.outputs(keras.layers.Dense(1)(x), feed.heads))
    ph.compile(model, feed, optimizer="sgd")
    return model


class Ends(keras.callbacks.Callback):
    """What was read when an epoch ended, once threads that read ahead have begun the next one."""

    def __init__(self, source, ahead, stop_after=None):
        super().__init__()
        self.source, self.ahead, self.stop_after, self.seen = source, ahead, stop_after, []

    def on_epoch_end(self, epoch, logs=None):
        if self.ahead and epoch + 1 < self.params["epochs"]:
            assert until(lambda: len(self.source.read_rows) > (epoch + 1) * ROWS)
        self.seen.append(len(self.source.read_rows))
        if epoch == self.stop_after:
            self.model.stop_training = True


def trained(epochs, stop_after=None, **options):
    source = Noted()
    feed = feed_of(source, **options)
    model = model_of(feed)
    feed.bind(model)
    source.read_rows.clear()
    ends = Ends(source, feed.workers > 0, stop_after)
    model.fit(feed, epochs=epochs, verbose=0, callbacks=[ends])
    return feed, source, ends


def test_the_next_epoch_is_under_way_when_one_ends_and_the_last_ends_there():
    feed, source, ends = trained(3)
    assert feed.epoch == 3
    before, middle, end = ends.seen
    assert ROWS < before <= 2 * ROWS
    assert 2 * ROWS < middle <= 3 * ROWS
    assert end == 3 * ROWS
    assert sorted(source.read_rows) == sorted(3 * list(range(ROWS)))


def test_in_line_nothing_is_made_before_it_is_asked_for():
    _, _, ends = trained(2, workers=0)
    assert ends.seen == [ROWS, 2 * ROWS]


def test_a_run_that_stops_early_leaves_no_threads_and_the_feed_where_it_stood():
    feed, source, _ = trained(9, stop_after=1)
    assert until(lambda: not threads())
    assert feed.state()["epoch"] == 2
    source.read_rows.clear()
    ids = [batch.ids for batch in feed.batches()]
    assert sorted(np.concatenate(ids).tolist()) == list(range(ROWS))
    again = feed_of(Noted(), workers=0).restore(feed.state())
    assert all(map(np.array_equal, ids, [batch.ids for batch in again.batches()]))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_feed_restored_within_a_run_goes_on_from_there(workers):
    source = Noted()
    feed = feed_of(source, workers=workers)
    model = model_of(feed)
    labels = []

    class Back(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                feed.restore({**feed.state(), "epoch": 7, "step": 0})

    kept = feed._iterator.cut

    def noted(*arguments, **options):
        for batch in kept(*arguments, **options):
            labels.extend(
                keras.ops.convert_to_numpy(batch[1][0] if isinstance(batch[1], tuple) else batch[1]["y"])
            )
            yield batch

    feed._iterator.cut = noted
    model.fit(feed, epochs=2, verbose=0, callbacks=[Back()])
    assert feed.epoch == 8
    expected = [feed._iterator.order.ids(epoch, step) for epoch in (0, 7) for step in range(3)]
    assert np.ravel(labels).astype(int).tolist()[-2 * ROWS :] == np.concatenate(expected).tolist()


def test_blocks_of_several_epochs_are_those_of_each():
    feed = feed_of({"x": np.arange(10.0), "y": np.arange(10.0)}, batch_size=4)

    def ids(*arguments, **options):
        return [block.ids.tolist() for block in feed._iterator.blocks(*arguments, most=2, **options)]

    assert ids(3, 2, epochs=3) == ids(3, 2) + ids(4) + ids(5)
    assert len(ids(3, 2)) == 1
    assert len(ids(4)) == 2


def test_rows_of_one_order_are_not_begun_anew_before_they_end():
    begun = []

    def batches():
        begun.append(len(ends.seen))
        for n in range(0, ROWS, 4):
            yield np.ones((4, 2), np.float32), np.arange(n, n + 4, dtype=np.float32)

    source = ph.from_generator(batches, length=ROWS)
    ends = Ends(Noted(), ahead=False)
    feed = ph.Feed(source, inputs="x", heads={"y": ph.Regression()}, batch_size=4)
    model = model_of(feed)
    model.fit(feed, epochs=3, verbose=0, callbacks=[ends])
    assert begun[-2:] == [1, 2]
