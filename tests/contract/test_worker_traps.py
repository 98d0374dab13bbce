"""Workers and generators: repeated batches, repeated chance, pairs that part, batches that vanish."""

import os
import threading
import time

import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from traps import (
    BACKEND,
    Batches,
    Count,
    Epochs,
    X,
    dense,
    epochs_seen,
    in_process,
    numbered,
    plain,
    still,
    told,
    trap,
)

import polyhead as ph

OUTPUTS = {"which": 1, "other": 1}
HEADS = {"which": ph.Regression(), "other": ph.Regression()}


class Slow(ph.Source):
    """Rows that take their time, so that threads overlap; `read` may be given a fault."""

    def __init__(self, rows, fault=None):
        self.rows, self.fault = rows, fault
        self.threads = set()

    def __len__(self):
        return self.rows

    def read(self, ids):
        time.sleep(0.002)
        self.threads.add((os.getpid(), threading.current_thread().name))
        if self.fault is not None and 41 in ids:
            return self.fault()
        which = (ids // 4).astype("float32")
        # large rows, so that a block is one batch and several threads have something to do
        wide = np.zeros((len(ids), 1 << 16), "float32")
        return {"x": np.stack([which, which], 1), "wide": wide, "which": which, "other": which}


def rows_seen(source, workers, epochs=1, **fit):
    """For each epoch with polyhead how many rows of each batch of four were trained on."""
    count = Count(len(source) // 4)
    heads = {**HEADS, "which": ph.Regression(metrics=[count])}
    feed = ph.Feed(source, inputs="x", heads=heads, batch_size=4, shuffle=True, workers=workers)
    model = ph.compile(dense(OUTPUTS), feed, optimizer=still())
    log = Epochs(count)
    model.fit(feed, epochs=epochs, verbose=0, callbacks=[log], **fit)
    return log.seen


class Sleeping(Batches):
    """Batches that take their time."""

    def __getitem__(self, index):
        time.sleep(0.002)
        return super().__getitem__(index)


@trap(
    21,
    "a `PyDataset` with several workers, in the first `fit`",
    keras="JAX and PyTorch draw batches to build the model and train on them again: the first epoch has some "
    "batches twice and others never, at times the later ones too; TensorFlow has each once",
    polyhead="each row once in every epoch, for any number of workers",
)
def test_workers_in_the_first_fit():
    # plain Keras
    first, second = epochs_seen(Sleeping(numbered(16), workers=2), 16, epochs=2, shuffle=False)
    assert sum(first) == sum(second) == 16
    if BACKEND == "tensorflow":
        assert first == second == [1] * 16
    else:
        assert max(first) >= 2
        assert min(first) == 0
    # polyhead
    for workers in (0, 3):
        assert rows_seen(Slow(64), workers, epochs=2) == [[4] * 16] * 2


FORKED = """
import multiprocessing, os

multiprocessing.set_start_method("fork", force=True)
both, begun, here = multiprocessing.Barrier(2), [], os.getpid()

class Chance(keras.utils.PyDataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        if os.getpid() != here and not begun:
            begun.append(both.wait(240))  # each of the two workers has a batch to make
        return np.full((4, 2), np.random.randint(1 << 20), "float32"), (ONES, ONES)

quiet().__enter__()  # Python warns of forks beside threads
drawn = dense({"a": 1, "b": 1}, kernel=0.5).predict(Chance(workers=2, use_multiprocessing=True), verbose=0)
print(len(drawn[0]) // 4, len(set(drawn[0][::4, 0].tolist())))
"""


@trap(
    22,
    "forked workers that draw from NumPy's global state",
    keras="every worker draws the same numbers: of 8 batches by two workers about 4 are distinct",
    polyhead="workers are threads of one process, and what polyhead draws depends only on seed and epoch",
)
def test_forked_workers_share_their_chance():
    # plain Keras: the same on all backends
    if BACKEND == "jax":
        batches, distinct = map(int, in_process(FORKED).split())
        assert batches == 8
        assert distinct < 8  # each of two workers takes about half, and both draw the same

    # polyhead
    class Chance(Slow):
        def read(self, ids):
            drawn = np.random.randint(1 << 30, size=(len(ids), 1)).astype("float64")  # noqa: NPY002
            return {**super().read(ids), "drawn": drawn}

    source = Chance(32)
    feed = ph.Feed(
        source,
        inputs={"drawn": ph.Array(), "wide": ph.Array()},
        heads=HEADS,
        batch_size=4,
        shuffle=True,
        seed=5,
        workers=2,
    )
    batches = list(feed.batches())
    assert len({batch.inputs["drawn"].tobytes() for batch in batches}) == 8
    assert {process for process, _ in source.threads} == {os.getpid()}
    orders = []
    for workers in (0, 2, 4):
        feed = ph.Feed(
            Slow(32), inputs=["x", "wide"], heads=HEADS, batch_size=4, shuffle=True, seed=5, workers=workers
        )
        np.random.seed(workers)  # noqa: NPY002
        orders.append([batch.ids.tolist() for batch in feed.batches()])
    assert orders[0] == orders[1] == orders[2] == [batch.ids.tolist() for batch in batches]


@trap(
    24,
    "`zip` of two image generators with one seed, for images and their masks",
    keras="`fit` refuses a `zip`; drawn in a generator, the pairs get out of step as soon as one draws more",
    polyhead="an image and its mask are one row",
)
def test_images_and_masks_from_two_generators():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2, (8, 4, 4, 1)).astype("float32")
    masks = images.copy()

    def pairs(**more):
        image = ImageDataGenerator(horizontal_flip=True, **more).flow(images, batch_size=4, seed=1)
        mask = ImageDataGenerator(horizontal_flip=True).flow(masks, batch_size=4, seed=1)
        return zip(image, mask, strict=False)

    # plain Keras
    with pytest.raises(ValueError, match="Unrecognized data type: x=<zip object"):
        plain(dense(OUTPUTS)).fit(pairs(), verbose=0)
    alike = [np.allclose(image, mask) for _, (image, mask) in zip(range(6), pairs(), strict=False)]
    assert alike == [True] * 6
    more = pairs(channel_shift_range=1e-6)  # of no account, but it draws a number
    parted = [
        not np.allclose(image, mask, atol=1e-3) for _, (image, mask) in zip(range(6), more, strict=False)
    ]
    assert sum(parted) >= 3
    # polyhead
    data = {"image": (images * 255).astype("uint8"), "mask": masks[..., 0].astype("uint8")}
    for workers in (0, 2):
        feed = ph.Feed(
            data, inputs="image", heads={"mask": ph.Mask()}, batch_size=4, shuffle=True, workers=workers
        )
        for _ in range(3):
            for batch in feed:
                assert np.array_equal(batch[0]["image"], batch[1]["mask"])


HANGS = """
import os, threading

def hung():
    print("hung", flush=True)
    os._exit(0)

class Gap(Batches):
    def __getitem__(self, index):
        if index != 3:
            return super().__getitem__(index)
        # what is left of the epoch takes no time
        threading.Timer(5 if BACKEND == "tensorflow" else 200, hung).start()
        return None

print(epochs_seen(Gap(numbered(6), workers=2), 6, shuffle=False)[0], flush=True)
os._exit(0)
"""


class Faulty(Batches):
    """Batches of which the fourth cannot be read."""

    def __getitem__(self, index):
        if index == 3:
            raise OSError("file 3 is broken")
        return super().__getitem__(index)


@trap(
    25,
    "a worker that returns None, or raises",
    keras="None: TensorFlow hangs; JAX and PyTorch leave the batch out silently and train on another one "
    "twice. An exception is passed on",
    polyhead="both end `fit` with an error that says what was wrong",
)
def test_a_worker_that_returns_none_or_raises():
    # plain Keras
    printed = in_process(HANGS).strip()
    if BACKEND == "tensorflow":
        assert printed == "hung"
    else:
        seen = [int(n) for n in printed.strip("[]").split(",")]
        assert seen[3] == 0
        assert sum(seen) == 6
    with pytest.raises(Exception, match="file 3 is broken"):
        epochs_seen(Faulty(numbered(6), workers=2), 6, shuffle=False)

    # polyhead
    def broken():
        raise OSError("file 3 is broken")

    def short():
        return {"x": X, "wide": X, "which": X[:3, 0], "other": X[:, 0]}

    for fault, words in (
        (lambda: None, r"^Slow\.read: expected a dict of columns, got 'NoneType'\.$"),
        (short, r"^Slow\.read, column `which`: expected 4 entries for 4 ids, got 3\.$"),
        (
            broken,
            r"^Slow\.read, row \d+: expected its columns, got OSError: file 3 is broken \(.*test_worker_traps",
        ),
    ):
        feed = ph.Feed(Slow(48, fault), inputs=["x", "wide"], heads=HEADS, batch_size=4, workers=2)
        batches = feed.batches()
        assert [next(batches).ids[0] for _ in range(10)] == list(range(0, 40, 4))
        with pytest.raises((ph.DataError, OSError), match=words):
            next(batches)
        # without the large rows all is one block, which is read before the first step
        feed = ph.Feed(Slow(48, fault), inputs="x", heads=HEADS, batch_size=4, workers=2)
        if fault is short:
            continue
        with pytest.raises((ph.DataError, OSError), match=words):
            ph.compile(dense(OUTPUTS), feed, optimizer=still())


class Drawn(Batches):
    """A `PyDataset` round a generator, which works until a second thread has asked for more meanwhile."""

    def __init__(self, **arguments):
        super().__init__(numbered(6), **arguments)
        self.refused = threading.Event()
        self.generator = self.made()

    def made(self):
        for batch in numbered(6):
            if threading.current_thread() is not threading.main_thread():
                assert self.refused.wait(240)
            yield batch

    def __getitem__(self, index):
        try:
            return next(self.generator)
        except ValueError:
            self.refused.set()
            raise


class Together(Slow):
    """Rows of which the first thread of a feed waits until a second one reads."""

    def __init__(self, rows):
        super().__init__(rows)
        self.second = threading.Event()

    def read(self, ids):
        found = super().read(ids)
        own = {name for _, name in self.threads if name.startswith("polyhead")}
        if len(own) > 1:
            self.second.set()
        elif own:
            assert self.second.wait(240)
        return found


@trap(
    27,
    "a generator that several workers draw from",
    keras='"generator already executing", from within a thread',
    polyhead="workers read rows by number; `from_generator` takes the function, and one thread at a time runs it",
)
def test_a_generator_for_several_workers():
    # plain Keras
    with pytest.raises(Exception, match="generator already executing"):
        epochs_seen(Drawn(workers=2), 6, shuffle=False)
    # polyhead
    with pytest.raises(ph.DataError) as error:
        ph.Feed(numbered(6), inputs="x", heads=HEADS)
    assert told(error) == (
        "data: expected a mapping of arrays, a Source, a table or a path, got 'generator'. A generator runs only "
        "once; give ph.from_generator(function, length=rows) the function that creates it."
    )
    function = ph.from_generator(lambda: numbered(6), length=24, names=("x", ("which", "other")))
    feed = ph.Feed(function, inputs="x", heads=HEADS, batch_size=4, workers=3)
    assert [i for batch in feed.batches() for i in batch.ids.tolist()] == list(range(24))
    source = Together(32)
    feed = ph.Feed(source, inputs=["x", "wide"], heads=HEADS, batch_size=4, shuffle=True, workers=3)
    rows = [i for batch in feed.batches() for i in batch.ids.tolist()]
    assert sorted(rows) == list(range(32))
    assert len({name for _, name in source.threads if name.startswith("polyhead")}) > 1
