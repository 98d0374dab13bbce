"""Memory that is used again: only once nothing can see it."""

import gc

import keras
import numpy as np
import pytest
from keras import ops

import polyhead as ph
from polyhead.jit import Loop
from polyhead.pipeline import gather as gathering
from polyhead.pipeline.buffer_pool import HUGE, KEPT, LEAST, Pool, is_pooled

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
    gc.collect(1)  # what was made of late: the whole heap takes a second
    assert place(pool.empty(SHAPE, np.float32)) != here
    del view
    gc.collect(1)
    assert place(pool.empty(SHAPE, np.float32)) != here
    memory.release()
    del memory
    gc.collect(1)
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


def test_large_arrays_begin_with_a_huge_page():
    pool = Pool()
    arrays = [pool.empty((size,), np.uint8) for size in (HUGE, HUGE + 100, 3 * HUGE)]
    assert [place(array) % HUGE for array in arrays] == [0, 0, 0]
    for number, array in enumerate(arrays):
        array[:] = number
    assert [(int(array[0]), int(array[-1])) for array in arrays] == [(0, 0), (1, 1), (2, 2)]
    here = place(arrays[1])
    del array, arrays
    assert place(pool.empty((HUGE + 100,), np.uint8)) == here


def test_small_arrays_are_left_to_numpy_and_too_much_is_not_kept():
    pool = Pool()
    assert pool.empty((LEAST // 4 - 1,), np.float32).base is None
    many = [pool.empty((KEPT // 4,), np.uint8) for _ in range(6)]
    del many
    gc.collect(1)
    assert pool._kept == KEPT
    assert sum(len(found) for found in pool._free.values()) == 4


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_that_are_kept_keep_what_they_hold(workers, monkeypatch):
    monkeypatch.setattr(gathering, "WORTH", 1)
    monkeypatch.setattr(Loop, "ready", property(Loop.wait))
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
        gc.collect(1)
    assert [float(ops.convert_to_numpy(t).min()) for t in tensors] == wanted
    assert [float(ops.convert_to_numpy(t).max()) for t in tensors] == wanted


def as_the_backend_gets_them(feed):
    """An epoch's batches as Keras asks for them on the backend that is active."""
    backend = keras.backend.backend()
    if backend == "torch":
        yield from feed.get_torch_dataloader()
    elif backend == "tensorflow":
        yield from feed.get_tf_dataset()
    else:  # JAX takes the memory as it is where it can
        for batch in feed.get_jax_iterator():
            yield keras.tree.map_structure(ops.convert_to_tensor, batch)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_that_a_backend_keeps_keep_what_they_hold(workers, monkeypatch):
    monkeypatch.setattr(gathering, "WORTH", 1)
    monkeypatch.setattr(Loop, "ready", property(Loop.wait))
    images = np.random.default_rng(0).integers(0, 256, (96, 32, 32, 3), dtype=np.uint8)
    data = {"image": images, "row": np.arange(96.0), "mask": (images[..., 0] > 100).astype("uint8")}
    heads = {"row": ph.Regression(), "mask": ph.Mask()}
    feed = ph.Feed(data, inputs="image", heads=heads, batch_size=32, shuffle=True, workers=workers)
    kept = [batch for _ in range(3) for batch in as_the_backend_gets_them(feed)]
    for _ in range(3):  # others come and go meanwhile
        for _ in feed:
            pass
        gc.collect(1)
    assert len(kept) == 9
    for x, y in kept:
        rows = ops.convert_to_numpy(y["row"])[:, 0].astype(int)
        np.testing.assert_array_equal(ops.convert_to_numpy(x["image"]), images[rows] / np.float32(255))
        np.testing.assert_array_equal(ops.convert_to_numpy(y["mask"])[..., 0], data["mask"][rows])


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="a tensor of PyTorch can be written to")
def test_a_tensor_shares_the_memory_of_the_pool_and_of_nobody_else():
    class Own(ph.Source):
        x = np.ones((8, 64, 64, 3), np.float32)

        def __len__(self):
            return 8

        def read(self, ids):
            return {"x": self.x[ids[0] : ids[-1] + 1], "y": np.zeros(len(ids))}

    feed = ph.Feed(Own(), inputs="x", heads={"y": ph.Regression()}, batch_size=4)
    for x, *_ in feed.get_torch_dataloader():
        x["x"].zero_()
    assert (Own.x == 1).all()
    feed = ph.Feed({"x": Own.x, "y": np.zeros(8)}, inputs="x", heads={"y": ph.Regression()}, batch_size=4)
    batch = next(iter(feed))
    other = ph.Feed({"x": Own.x, "y": np.zeros(8)}, inputs="x", heads={"y": ph.Regression()}, batch_size=4)
    other._batches = lambda call, convert: iter([keras.tree.map_structure(convert, batch)])
    x, _ = next(iter(other.get_torch_dataloader()))
    assert x["x"].data_ptr() == place(batch[0]["x"])


def test_what_is_of_a_pool():
    array = Pool().empty(SHAPE, np.float32)
    assert is_pooled(array)
    assert is_pooled(array[3:9].reshape(-1)[::2])
    assert not is_pooled(np.empty(SHAPE))
    assert not is_pooled(np.empty(SHAPE)[3:9])


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
    monkeypatch.setattr(Loop, "ready", property(Loop.wait))
    assert history() == plain
