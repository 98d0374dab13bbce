"""Memory that is used again: only once nothing can see it."""

import gc

import keras
import numpy as np
import pytest
from keras import ops

import polyhead as ph
from polyhead.engine.memory import KEPT, LEAST, Pool
from polyhead.engine import gather as gathering

SHAPE = (64, 1024)


def place(array):
    return array.ctypes.data


def test_memory_comes_back_when_the_last_view_dies_and_not_before():
    pool = Pool()
    array = pool.empty(SHAPE, np.float32)
    here = place(array)
    assert here % 64 == 0
    view = array[3:9].reshape(-1)[::2]
    memory = memoryview(array)
    del array
    gc.collect()
    assert place(pool.empty(SHAPE, np.float32)) != here
    del view
    gc.collect()
    assert place(pool.empty(SHAPE, np.float32)) != here
    memory.release()
    del memory
    gc.collect()
    assert place(pool.empty(SHAPE, np.float32)) == here


def test_other_shapes_of_the_same_size_share_memory():
    pool = Pool()
    array = pool.empty(SHAPE, np.float32)
    here = place(array)
    del array
    other = pool.empty((1024, 64), np.int32)
    assert place(other) == here
    assert other.dtype == np.int32
    other[:] = 7
    assert (other == 7).all()


def test_small_arrays_are_left_to_numpy_and_too_much_is_not_kept():
    pool = Pool()
    assert pool.empty((LEAST // 4 - 1,), np.float32).base is None
    many = [pool.empty((KEPT // 4,), np.uint8) for _ in range(6)]
    del many
    gc.collect()
    assert pool._kept == KEPT
    assert sum(len(found) for found in pool._free.values()) == 4


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_that_are_kept_keep_what_they_hold(workers, monkeypatch):
    monkeypatch.setattr(gathering, "WORTH", 1)
    gathering.LOOP.wait()
    images = np.random.default_rng(0).integers(0, 256, (96, 32, 32, 3), dtype=np.uint8)
    masks = (images[..., 0] > 100).astype("uint8")
    feed = ph.Feed(
        {"image": images, "mask": masks},
        inputs="image",
        heads={"mask": ph.Mask()},
        batch_size=8,
        shuffle=True,
        workers=workers,
    )
    list(feed)  # every row was looked at: from now on the fused loops write into the pool
    kept = [list(feed.batches()) for _ in range(3)]
    for _ in range(3):  # others come and go meanwhile
        for _ in feed:
            pass
    for batches in kept:
        for batch in batches:
            np.testing.assert_array_equal(batch.inputs["image"], images[batch.ids] / np.float32(255))
            np.testing.assert_array_equal(batch.labels["mask"][..., 0], masks[batch.ids])


def test_a_tensor_that_shares_memory_keeps_it():
    pool = Pool()
    tensors, wanted = [], []
    for i in range(20):
        array = pool.empty(SHAPE, np.float32)
        array[:] = i
        tensors.append(ops.convert_to_tensor(array))  # JAX and PyTorch may take the memory as it is
        wanted.append(float(i))
        del array
        gc.collect()
    assert [float(ops.convert_to_numpy(t).min()) for t in tensors] == wanted
    assert [float(ops.convert_to_numpy(t).max()) for t in tensors] == wanted


def test_training_on_pooled_memory_is_training_on_the_same_numbers(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (128, 16, 16, 3), dtype=np.uint8)
    data = {"image": images, "mask": (images[..., 0] > 100).astype("uint8")}

    def history():
        keras.utils.set_random_seed(1)
        feed = ph.Feed(data, inputs="image", heads={"mask": ph.Mask()}, batch_size=32, shuffle=True)
        x = keras.Input((16, 16, 3), name="image")
        model = keras.Model(x, ph.outputs(keras.layers.Conv2D(4, 3, padding="same")(x), feed))
        ph.compile(model, feed, optimizer="sgd")
        return model.fit(feed, epochs=3, verbose=0).history["loss"]

    plain = history()
    monkeypatch.setattr(gathering, "WORTH", 1)
    gathering.LOOP.wait()
    assert history() == plain
