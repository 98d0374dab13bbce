"""Gathering in one pass gives what NumPy gives, to the last bit, whichever way it goes."""

import subprocess
import sys

import numpy as np
import pytest

import polyhead as ph
from polyhead.kinds import Array, Image, Mask
from polyhead.pipeline import gather as gathering
from polyhead.pipeline.buffer_pool import Pool
from polyhead.pipeline.gather import LOOP, Gather, MemoryColumn, gathers


@pytest.fixture(params=["numpy", "compiled", "past the cache"])
def how(request, monkeypatch):
    monkeypatch.setattr(gathering, "WORTH", 1 if request.param != "numpy" else 1 << 60)
    monkeypatch.setattr(gathering, "STREAMED", 1 if request.param == "past the cache" else 1 << 60)
    LOOP.wait()
    return request.param


@pytest.mark.parametrize("width", [1, 3, 4, 7, 8, 33, 64, 4096])
@pytest.mark.parametrize("way", ["copy", "cast", "scale"])
def test_bytes_equal_numpy(how, width, way):
    column = np.random.default_rng(0).integers(0, 256, (300, width), dtype=np.uint8)
    column[:256, 0] = np.arange(256)
    ids = np.random.default_rng(1).permutation(300)
    wanted = {
        "copy": column[ids],
        "cast": column[ids].astype(np.float32),
        "scale": column[ids] / np.float32(255),
    }[way]
    found = Gather({"x": MemoryColumn(column, way, (width,))}, Pool())(ids)["x"]
    assert found.dtype == wanted.dtype
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("width", [8, 16, 64])
def test_every_byte_is_scaled_as_a_division_does_it(how, width):
    every = np.arange(256, dtype=np.uint8).reshape(-1, 1).repeat(width, 1)
    found = Gather({0: MemoryColumn(every, "scale", (width,))}, Pool())(np.arange(256))[0]
    assert np.array_equal(found, every / np.float32(255))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int16", "bool", "uint8"])
@pytest.mark.parametrize("shape", [(), (1,), (10,), (16, 4), (1000,)])
def test_numbers_of_any_type_are_copied(how, dtype, shape):
    column = (np.random.default_rng(2).random((50, *shape)) * 9).astype(dtype)
    ids = np.array([49, 0, 7, 7, 3])
    found = Gather(
        {"a": MemoryColumn(column, "copy", shape), "b": MemoryColumn(column, "copy", shape)}, Pool()
    )(ids)
    assert found["a"].dtype == column.dtype
    assert np.array_equal(found["a"], column[ids])
    assert np.array_equal(found["b"], column[ids])


def test_columns_that_may_not_be_written_to(how, tmp_path):
    np.save(tmp_path / "x.npy", np.arange(40, dtype=np.float32).reshape(10, 4))
    column = np.asarray(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert not column.flags.writeable
    found = Gather({"x": MemoryColumn(column, "copy", (4,))}, Pool())(np.array([9, 2]))["x"]
    assert found.tolist() == [[36, 37, 38, 39], [8, 9, 10, 11]]
    assert found.flags.writeable


def test_no_rows_and_no_columns(how):
    assert Gather({}, Pool())(np.arange(3)) == {}
    none = Gather({"x": MemoryColumn(np.ones((4, 2), np.float32), "copy", (2,))}, Pool())(
        np.zeros(0, np.int64)
    )
    assert none["x"].shape == (0, 2)


@pytest.mark.parametrize(
    "column",
    [
        np.zeros((4, 6))[:, ::2],
        np.array(["a", "b"]),
        np.array([1, None], object),
        np.zeros((3, 0)),
        np.zeros(2, "datetime64[s]"),
        [1, 2],
        None,
    ],
)
def test_what_is_gathered_otherwise(column):
    assert not gathers(column)


@pytest.mark.parametrize(
    ("kind", "column", "way"),
    [
        (Array((2,), dtype="float32"), np.zeros((3, 2), np.float32), "copy"),
        (Array((1,), dtype="float32"), np.zeros(3, np.float32), "copy"),
        (Array((2,), dtype="float32"), np.zeros((3, 2), np.uint8), "cast"),
        (Array((2,), dtype="float32"), np.zeros((3, 2)), None),
        (Array((2,), dtype="float32", fill=0.0), np.zeros((3, 2), np.float32), None),
        (Array((2,), dtype="float32"), np.zeros((3, 4), np.float32), None),
        (Array((2,), dtype="int32"), np.zeros((3, 2), np.int32), "copy"),
        (Image(4, 4, 3), np.zeros((3, 4, 4, 3), np.uint8), "scale"),
        (Image(4, 4, 3), np.zeros((3, 4, 4, 3), np.float32), "copy"),
        (Image(4, 4, 3), np.zeros((3, 4, 4, 3)), None),
        (Image(4, 4, 1), np.zeros((3, 4, 4), np.uint8), "scale"),
        (Image(4, 4, 3, dtype="uint8"), np.zeros((3, 4, 4, 3), np.uint8), "copy"),
        (Image(4, 4, 3, dtype="uint8"), np.zeros((3, 4, 4, 3), np.float32), None),
        (Mask(size=(4, 4)), np.zeros((3, 4, 4), np.uint8), "cast"),
        (Mask(size=(4, 4), missing=255), np.zeros((3, 4, 4), np.uint8), None),
        (Mask(3, size=(4, 4)), np.zeros((3, 4, 4), np.uint8), None),
    ],
)
def test_the_way_of_each_kind(kind, column, way):
    assert kind.way(column) == way


def test_a_feed_gives_the_same_whichever_way(how):
    rng = np.random.default_rng(2)
    data = {
        "image": rng.integers(0, 256, (70, 8, 8, 3), dtype=np.uint8),
        "gray": rng.integers(0, 256, (70, 8, 8), dtype=np.uint8),
        "x": rng.random((70, 5), dtype=np.float32),
        "n": rng.integers(0, 9, 70, dtype=np.uint8),
        "mask": rng.integers(0, 2, (70, 16, 16), dtype=np.uint8),
        "y": [1, 0, None, 1, 0, 1, 0] * 10,
    }
    inputs = {"image": ph.Image(), "gray": ph.Image(), "x": ph.Array(), "n": ph.Array(dtype="float32")}
    heads = {"mask": ph.Mask(), "y": ph.Binary(class_weight="balanced")}
    feed = ph.Feed(data, inputs=inputs, heads=heads, shuffle=True)
    for _ in range(2):
        for batch in feed.batches():
            ids = batch.ids
            for name in ("image", "gray"):
                wanted = (data[name][ids] / np.float32(255)).reshape(batch.inputs[name].shape)
                assert np.array_equal(batch.inputs[name], wanted)
            assert np.array_equal(batch.inputs["x"], data["x"][ids])
            assert np.array_equal(batch.inputs["n"][:, 0], data["n"][ids].astype(np.float32))
            assert np.array_equal(batch.labels["mask"][..., 0], data["mask"][ids])
            there = np.array([data["y"][i] is not None for i in ids])
            assert np.array_equal(batch.weights["y"].reshape(-1) > 0, there)
        assert len(list(feed)) == 3


def test_wrong_values_are_found_though_the_loop_does_not_look(how):
    masks = np.zeros((70, 16, 16), np.uint8)
    masks[66, 3, 3] = 255
    feed = ph.Feed({"x": np.zeros(70), "mask": masks}, inputs="x", heads={"mask": ph.Mask()})
    with pytest.raises(ph.DataError, match="head `mask`, row 66: expected 0 or 1 in each pixel, got 255"):
        list(feed)
    x = np.zeros((70, 3), np.float32)
    x[41, 1] = np.inf
    with pytest.raises(ph.DataError, match="input `x`, row 41: expected finite numbers, got inf"):
        list(ph.Feed({"x": x}, inputs="x", heads={}))


def test_a_source_whose_column_is_too_short_is_not_read_beyond_its_end(how):
    class Short(ph.Source):
        def __len__(self):
            return 9

        def read(self, ids):
            return {"x": np.ones((9, 2), np.float32)[ids]}

        def column(self, name):
            return np.ones((5, 2), np.float32)

    with pytest.raises(IndexError):
        list(ph.Feed(Short(), inputs="x", heads={}))


def test_small_data_does_without_numba():
    program = (
        "import sys, numpy as np, polyhead as ph; "
        "list(ph.Feed({'x': np.zeros((9, 4, 4, 3), 'uint8')}, inputs='x', heads={})); "
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
