"""Gathering in one pass gives what NumPy gives, to the last bit, whichever way it goes."""

import subprocess
import sys

import numpy as np
import pytest

import polyhead as ph
from polyhead.columns.lazy import OnDisk
from polyhead.jit import Loop, wait_until_compiled
from polyhead.kinds import Array, Image, Mask
from polyhead.kinds.conversion import FINITE, FLOAT32_MAX, Conversion
from polyhead.pipeline import gather as gathering
from polyhead.pipeline.buffer_pool import Pool
from polyhead.pipeline.gather import Gather, MemoryColumn, can_gather

COPIED, BYTES, FLOATS = Conversion("uint8"), Conversion("float32", scale=True), Conversion("float32")


@pytest.fixture(params=["numpy", "compiled", "past the cache"])
def how(request, monkeypatch):
    monkeypatch.setattr(gathering, "WORTH", 1 if request.param != "numpy" else 1 << 60)
    monkeypatch.setattr(gathering, "STREAMED", 1 if request.param == "past the cache" else 1 << 60)
    if request.param != "numpy":  # no block is made before its loops are there
        monkeypatch.setattr(Loop, "ready", property(Loop.wait))
    return request.param


@pytest.mark.parametrize("width", [1, 3, 4, 7, 8, 33, 64, 4096])
@pytest.mark.parametrize("conversion", [COPIED, FLOATS, BYTES])
def test_bytes_equal_numpy(how, width, conversion):
    column = np.random.default_rng(0).integers(0, 256, (300, width), dtype=np.uint8)
    column[:256, 0] = np.arange(256)
    ids = np.random.default_rng(1).permutation(300)
    rows = column[ids].astype(conversion.dtype)
    wanted = rows / np.float32(255) if conversion.scale else rows
    found = Gather({"x": MemoryColumn(column, conversion, (width,))}, Pool())(ids)["x"]
    assert found.dtype == wanted.dtype
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("width", [8, 16, 64])
def test_every_byte_is_scaled_as_a_division_does_it(how, width):
    every = np.arange(256, dtype=np.uint8).reshape(-1, 1).repeat(width, 1)
    found = Gather({0: MemoryColumn(every, BYTES, (width,))}, Pool())(np.arange(256))[0]
    assert np.array_equal(found, every / np.float32(255))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int16", "bool", "uint8"])
@pytest.mark.parametrize("shape", [(), (1,), (10,), (16, 4), (1000,)])
def test_numbers_of_any_type_are_copied(how, dtype, shape):
    column = (np.random.default_rng(2).random((50, *shape)) * 9).astype(dtype)
    ids = np.array([49, 0, 7, 7, 3])
    same = Conversion(dtype)
    found = Gather({"a": MemoryColumn(column, same, shape), "b": MemoryColumn(column, same, shape)}, Pool())(
        ids
    )
    assert found["a"].dtype == column.dtype
    assert np.array_equal(found["a"], column[ids])
    assert np.array_equal(found["b"], column[ids])


def test_columns_that_may_not_be_written_to(how, tmp_path):
    np.save(tmp_path / "x.npy", np.arange(40, dtype=np.float32).reshape(10, 4))
    column = np.asarray(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert not column.flags.writeable
    found = Gather({"x": MemoryColumn(column, FLOATS, (4,))}, Pool())(np.array([9, 2]))["x"]
    assert found.tolist() == [[36, 37, 38, 39], [8, 9, 10, 11]]
    assert found.flags.writeable


def test_no_rows_and_no_columns(how):
    assert Gather({}, Pool())(np.arange(3)) == {}
    none = Gather({"x": MemoryColumn(np.ones((4, 2), np.float32), FLOATS, (2,))}, Pool())(
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
    assert not can_gather(column)


NUMBERS = [
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float32",
    "float64",
]


RESULTS = ["float32", "int32"]
ODD = {"int8", "uint16", "int16", "uint32", "uint64"}
# every type to one of the two, and all to both where there is time: a loop is compiled for each, on the oldest versions
# for the types that are common
CASTS = [
    pytest.param(
        dtype,
        result,
        marks=[
            *([] if (i + j) % 2 else [pytest.mark.full]),
            *([pytest.mark.once("jax")] if dtype in ODD else []),
        ],
    )
    for i, dtype in enumerate(NUMBERS)
    for j, result in enumerate(RESULTS)
]


@pytest.mark.parametrize(("dtype", "result"), CASTS)
def test_numbers_of_any_type_are_cast(how, dtype, result):
    column = (np.random.default_rng(3).random((40, 9)) * 100).astype(dtype)
    ids = np.array([39, 0, 7, 7])
    found = Gather({"x": MemoryColumn(column, Conversion(result), (9,))}, Pool())(ids)["x"]
    assert found.dtype == result
    assert np.array_equal(found, column[ids].astype(result))


WEIGHED = {number: 0.5 + number / 3 for number in range(12)}
FEW = {0: 0, 255: 1}
VOID = {**{number: number for number in range(10)}, 255: 0}
SCATTERED = {7 * number: number for number in range(12)}


@pytest.mark.parametrize(
    "dtype",
    [
        "uint8",
        *(pytest.param(dtype, marks=pytest.mark.once("jax")) for dtype in ("int16", "int64", "float32")),
    ],
)
@pytest.mark.parametrize("result", ["float32", "int32"])
@pytest.mark.parametrize(
    "values", [WEIGHED, FEW, VOID, SCATTERED], ids=["weighed", "few", "void", "scattered"]
)
def test_numbers_become_others(how, dtype, result, values):
    ends = np.iinfo(dtype) if dtype != "float32" else np.iinfo("int16")
    held = [number for number in values if ends.min <= number <= ends.max]
    column = np.random.default_rng(4).choice(held, (50, 2100)).astype(dtype)
    wanted = np.vectorize(values.get, otypes=[result])(column)
    whole = MemoryColumn(column, Conversion(result, values=values), (2100,))
    ids = np.random.default_rng(5).permutation(50)
    found = Gather({"x": whole}, Pool())(ids, check=True)["x"]
    assert found.dtype == result
    assert np.array_equal(found, wanted[ids])


@pytest.mark.parametrize(
    ("conversion", "right", "wrong"),
    [
        (Conversion("int32", values=VOID), [0, 9, 255], [10, 254]),
        (Conversion("float32", values=FEW), [0, 255], [1, 254]),
        (Conversion("float32", low=0, high=1), [0, 1], [2]),
        (Conversion("float32"), [0, 255], []),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_columns_with_a_number_that_is_not_valid_are_left_out_of_the_rows(
    how, dtype, conversion, right, wrong
):
    for numbers, there in ((right, True), (wrong, False)):
        for number in numbers:
            column = np.full((3, 2000), right[0], dtype)
            column[1, 1999] = number
            gather = Gather({"x": MemoryColumn(column, conversion, (2000,))}, Pool())
            assert ("x" in gather(np.array([0, 1]), check=True)) is there
            assert "x" in gather(np.array([0, 2]), check=True)
            assert "x" in gather(np.array([0, 1]), check=False)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e39, 0.5])
def test_fractions_and_what_is_not_finite(how, number):
    column = np.zeros((2, 3))
    column[1, 2] = number
    ids = Conversion("int32", values={0: 0, 1: 1})
    finite = Conversion("float32", low=-FLOAT32_MAX, high=FLOAT32_MAX)
    gather = Gather(
        {"ids": MemoryColumn(column, ids, (3,), always=True), "x": MemoryColumn(column, finite, (3,))}, Pool()
    )
    assert gather(np.array([1]), check=True).keys() == ({"x"} if number == 0.5 else set())
    assert "ids" not in gather(np.array([1]))
    assert gather(np.array([0]), check=True).keys() == {"ids", "x"}


def test_a_column_in_memory_is_looked_at_once(how, monkeypatch):
    asked = []
    looked = gathering._SomeRows.valid
    monkeypatch.setattr(
        gathering._SomeRows, "valid", lambda rows, whole: asked.append(0) or looked(rows, whole)
    )
    masks = np.zeros((5000, 300), np.uint8)
    ids = Conversion("int32", values={0: 0, 1: 1})
    gather = Gather({"y": MemoryColumn(masks, ids, (300,))}, Pool())
    assert "y" in gather(np.array([7]), check=True)
    wait_until_compiled()
    assert "y" in gather(np.array([8]), check=True)
    assert len(asked) == (0 if how == "numpy" else 1)  # NumPy looks at a small column as a whole, at once
    masks[4999, 299] = 2
    other = Gather({"y": MemoryColumn(masks, ids, (300,))}, Pool())
    for row, there in ((7, True), (7, True), (4999, False), (7, True)):
        assert ("y" in other(np.array([row]), check=True)) is there
        wait_until_compiled()


@pytest.mark.parametrize("small", [True, False])
def test_a_column_in_a_file_is_looked_at_once_if_it_is_small(how, small, tmp_path, monkeypatch):
    asked = []
    looked = gathering._SomeRows.valid
    monkeypatch.setattr(
        gathering._SomeRows, "valid", lambda rows, whole: asked.append(0) or looked(rows, whole)
    )
    monkeypatch.setattr(gathering, "SMALL_FILE", 5 * 6 * 4 if small else 5 * 6 * 4 - 1)
    np.save(tmp_path / "y.npy", np.zeros((5, 6), np.float32))
    mapped = np.asarray(np.load(tmp_path / "y.npy", mmap_mode="r"))
    gather = Gather({"y": MemoryColumn(mapped, FINITE, (6,), always=True)}, Pool())
    for _ in range(4):
        assert "y" in gather(np.array([3, 1]))
        wait_until_compiled()
    assert len(asked) == (4 if not small else 0 if how == "numpy" else 1)


@pytest.mark.parametrize(("small", "reads"), [(400, 0), (399, 7)])
def test_labels_in_a_small_file_are_read_as_those_in_memory(small, reads, tmp_path, monkeypatch):
    np.save(tmp_path / "y.npy", np.arange(50) % 2)
    data = {"x": np.zeros(50), "y": np.load(tmp_path / "y.npy", mmap_mode="r")}
    monkeypatch.setattr(gathering, "SMALL_FILE", small)
    feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}, batch_size=8, shuffle=True)
    feed._iterator._blocks._steps = 1
    read, take = [], OnDisk.take
    monkeypatch.setattr(OnDisk, "take", lambda column, ids: read.append(0) or take(column, ids))
    for batch in feed.batches():
        assert batch.labels["y"].ravel().tolist() == (batch.ids % 2).tolist()
    assert len(read) == reads


def test_what_may_lie_in_a_file_is_not_read_beside_the_steps(how, tmp_path):
    np.save(tmp_path / "y.npy", np.zeros((5, 6), np.uint8))
    mapped = np.load(tmp_path / "y.npy", mmap_mode="r")
    assert not MemoryColumn(np.asarray(mapped), COPIED, (6,)).owned
    assert not MemoryColumn(np.asarray(mapped)[1:], COPIED, (6,)).owned
    assert MemoryColumn(np.zeros((5, 6))[1:], COPIED, (6,)).owned


def zeros(*shape, dtype="uint8"):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("kind", "column", "conversion"),
    [
        (
            Array((2,), dtype="float32"),
            zeros(3, 2, dtype="f4"),
            Conversion("float32", low=-FLOAT32_MAX, high=FLOAT32_MAX),
        ),
        (
            Array((1,), dtype="float32"),
            zeros(3, dtype="f8"),
            Conversion("float32", low=-FLOAT32_MAX, high=FLOAT32_MAX),
        ),
        (Array((2,), dtype="float32"), zeros(3, 2), Conversion("float32")),
        (Array((2,), dtype="float32", fill=0.0), zeros(3, 2, dtype="f4"), None),
        (Array((2,), dtype="float32"), zeros(3, 4, dtype="f4"), None),
        (
            Array((2,), dtype="int32"),
            zeros(3, 2, dtype="i8"),
            Conversion("int32", low=-(2**31), high=2**31 - 1),
        ),
        (Array((2,), dtype="int32"), zeros(3, 2, dtype="f4"), None),
        (Image(4, 4, 3), zeros(3, 4, 4, 3), BYTES),
        (
            Image(4, 4, 3),
            zeros(3, 4, 4, 3, dtype="f8"),
            Conversion("float32", low=-1e-5, high=1 + 1e-5),
        ),
        (Image(4, 4, 1), zeros(3, 4, 4), BYTES),
        (Image(4, 4, 3, dtype="uint8"), zeros(3, 4, 4, 3), COPIED),
        (Image(4, 4, 3, dtype="uint8"), zeros(3, 4, 4, 3, dtype="f4"), None),
        (Mask(size=(4, 4)), zeros(3, 4, 4), Conversion("float32", values={0: 0, 1: 1})),
        (Mask(size=(4, 4)), zeros(3, 4, 4, 1, dtype="f8"), Conversion("float32", values={0: 0, 1: 1})),
        (Mask(size=(4, 4)), zeros(3, 4, 4, 2), None),
        (Mask(2, multi=True, size=(4, 4)), zeros(3, 4, 4, 2), Conversion("float32", values={0: 0, 1: 1})),
        (Mask(2, multi=True, size=(4, 4), class_weight=(1, 2)), zeros(3, 4, 4, 2), None),
        (Mask(values=(9, 5), size=(4, 4)), zeros(3, 4, 4), Conversion("float32", values={9: 0, 5: 1})),
        (
            Mask(size=(4, 4), missing=255),
            zeros(3, 4, 4),
            Conversion("float32", values={0: 0, 1: 1, 255: 0}, weights={0: 1, 1: 1, 255: 0}),
        ),
        (Mask(size=(4, 4), missing=float("nan")), zeros(3, 4, 4, dtype="f4"), None),
        (
            Mask(3, size=(4, 4), class_weight={1: 4}),
            zeros(3, 4, 4, dtype="i8"),
            Conversion("int32", values={0: 0, 1: 1, 2: 2}, weights={0: 1, 1: 4, 2: 1}),
        ),
        (Mask(values=[(0, 0, 0), (1, 1, 1)], size=(4, 4)), zeros(3, 4, 4, 3), None),
    ],
)
def test_the_conversion_of_each_kind(kind, column, conversion):
    assert kind.conversion(column) == conversion


MASKS = {
    "black and white": (ph.Mask(values=(0, 255)), 255 * np.eye(16)),
    "channel": (ph.Mask(), np.eye(16)[..., None]),
    "ids": (ph.Mask(10), np.arange(256).reshape(16, 16) % 10),
    "many ids": (ph.Mask(256, class_weight=[1 + n / 7 for n in range(256)]), np.arange(256).reshape(16, 16)),
    "void": (ph.Mask(3, missing=255), np.arange(256).reshape(16, 16) % 3 + 255 * (np.eye(16) > 0)),
    "void and weighed": (ph.Mask(3, missing=7, class_weight={2: 3}), np.arange(256).reshape(16, 16) % 2 * 7),
    "hidden": (ph.Mask(2, missing=255, given="there"), 255 * np.eye(16)),
    "weighed by row": (ph.Mask(2, missing=1, sample_weight="w"), np.eye(16)),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_masks_are_what_encoding_makes_of_them(how, name, dtype):
    head, one = MASKS[name]
    masks = np.stack([np.roll(one, i, axis=0) for i in range(20)]).clip(0, 255).astype(dtype)
    if name == "hidden":
        masks[masks == 254] = 1
    data = {"x": np.zeros((20, 1)), "y": masks, "there": np.arange(20) % 2, "w": np.arange(20) / 4}
    heads = {"y": head, "there": ph.Binary()}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=20)
    resolved = feed.heads["y"]
    batch = next(feed.batches())
    labels, there = resolved.encode(masks)
    assert batch.labels["y"].dtype == labels.dtype
    assert np.array_equal(batch.labels["y"], labels)
    weights = np.ones((20, *resolved.weight_shape), np.float32)
    weights = weights if there is None else weights * there
    if resolved.class_weight is not None:
        weights = weights * resolved.class_factor(labels)
    if name == "hidden":
        weights = weights * data["there"].reshape(-1, 1, 1)
    if name == "weighed by row":
        weights = weights * data["w"].reshape(-1, 1, 1).astype("float32")
    if batch.weights is not None:
        assert np.array_equal(batch.weights["y"], weights)
    else:
        assert np.all(weights == 1)


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


def test_loops_are_asked_for_before_the_first_batch(monkeypatch):
    monkeypatch.setattr(gathering, "WORTH", 1)
    whole = MemoryColumn(np.zeros((3, 2), np.int16), Conversion("int32", values={0: 0}), (2,))
    Gather({"y": whole}, Pool())
    wait_until_compiled()
    assert whole.loop.ready is not None
    assert gathering.valid_loop(np.dtype("int16")).ready is not None


@pytest.mark.parametrize(
    ("small", "memory"),
    [(1 << 24, 1 << 40), (0, 1 << 40), (0, 1)],
    ids=["small", "fits into memory", "large"],
)
def test_memory_maps_give_what_arrays_give(how, small, memory, tmp_path, monkeypatch):
    monkeypatch.setattr(gathering, "SMALL_FILE", small)
    monkeypatch.setattr(gathering, "_MEMORY", memory)
    rng = np.random.default_rng(7)
    data = {
        "image": rng.integers(0, 256, (50, 8, 8, 3), dtype=np.uint8),
        "x": rng.random((50, 5)),
        "one": rng.random(50, dtype=np.float32),
        "mask": rng.choice([0, 255], (50, 8, 8)).astype(np.uint8),
        "void": rng.choice([0, 1, 2, 9], (50, 8, 8)).astype(np.int64),
        "yes": rng.integers(0, 2, 50),
    }
    maps = {}
    for name, values in data.items():
        np.save(tmp_path / f"{name}.npy", values)
        maps[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    inputs = {"image": ph.Image(dtype="uint8"), "x": ph.Array(), "one": ph.Array()}
    heads = {"void": ph.Mask(3, missing=9), "yes": ph.Binary(), "mask": ph.Mask(values=(0, 255))}
    feeds = [ph.Feed(d, inputs=inputs, heads=heads, batch_size=8, shuffle=True, seed=2) for d in (data, maps)]
    for _ in range(2):  # looked at, and not
        for one, other in zip(*(feed.batches() for feed in feeds), strict=True):
            for part in ("inputs", "labels", "weights"):
                for name, values in getattr(one, part).items():
                    np.testing.assert_array_equal(getattr(other, part)[name], values)
                    assert getattr(other, part)[name].dtype == values.dtype
        for feed in feeds:
            assert len(list(feed)) == 7


def test_a_wrong_value_in_a_memory_map_names_its_row(how, tmp_path):
    masks = np.zeros((40, 16, 16), np.uint8)
    masks[33, 3, 3] = 7
    np.save(tmp_path / "mask.npy", masks)
    mapped = np.load(tmp_path / "mask.npy", mmap_mode="r")
    heads = {"mask": ph.Mask(values=(0, 255))}
    feed = ph.Feed({"x": np.zeros(40), "mask": mapped}, inputs="x", heads=heads, batch_size=16, shuffle=True)
    wrong = r"head `mask`, row 33: expected one of the values \[0, 255\] in each pixel, got 7"
    with pytest.raises(ph.DataError, match=wrong):
        list(feed)


def test_ids_of_another_layout_are_gathered_alike(how):
    column = np.arange(20, dtype=np.float32).reshape(10, 2)
    gather = Gather({"x": MemoryColumn(column, FLOATS, (2,))}, Pool())
    ids = np.arange(10)[::-3]
    ids.flags.writeable = False
    assert np.array_equal(gather(ids)["x"], column[ids])


def test_checking_is_measured_apart(how):
    seen = []
    columns = {
        "x": MemoryColumn(np.zeros((9, 4), np.float32), FINITE, (4,)),
        "y": MemoryColumn(
            np.zeros((9, 3), np.uint8), Conversion("int32", values={0: 0}), (3,), stage="labels"
        ),
    }
    Gather(columns, Pool())(np.array([3, 1]), check=True, laps=seen.append)
    assert seen == ["check", "inputs", "check", "labels"]
    seen.clear()
    Gather(columns, Pool())(np.array([3, 1]), laps=seen.append)
    assert seen == ["inputs", "labels"]


def test_float16_columns():
    labels = {"y": np.arange(4) % 2}
    feed = ph.Feed(
        {"x": np.float16([[1], [2], [-65504], [65504]]), **labels}, inputs="x", heads={"y": ph.Binary()}
    )
    assert feed.peek()[0]["x"].ravel().tolist() == [1, 2, -65504, 65504]
    feed = ph.Feed(
        {"x": np.float16([[1], [np.inf], [0], [0]]), **labels}, inputs="x", heads={"y": ph.Binary()}
    )
    with pytest.raises(ph.DataError, match="input `x`, row 1: expected finite numbers, got inf"):
        feed.peek()
