"""A store gives back what was put in: values, types, rows in any order, of one file or of many."""

import ctypes
import datetime
import decimal
import mmap
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import polyhead as ph
from polyhead.columns.mask_values import Panoptic, Polygons, Rle, Segment
from polyhead.columns.values import Coded
from polyhead.errors import DataError, StoreError
from polyhead.store.reader import Store
from polyhead.store.value_types import array_of, common, is_same, list_of, settled, type_of, type_words

SQUARE = Polygons((3, 4), [[[1, 0], [3, 0], [3, 2], [1, 2]]])
RUNS = Rle((2, 3), [1, 2, 3])
PANOPTIC = Panoptic(b"\x89PNG", (2, 2), {257: 7, 2: 3})
COLUMNS = {
    "whole": np.arange(7),
    "small": np.arange(7, dtype=np.int8),
    "number": np.array([0.5, np.nan, 1, 2, 3, 4, 5], np.float32),
    "truth": np.arange(7) % 3 == 0,
    "half": np.arange(7, dtype=np.float16),
    "big-endian": np.arange(7, dtype=">i4"),
    "images": np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8),
    "matrix": np.arange(42.0).reshape(7, 2, 3),
    "bits": np.arange(28).reshape(7, 2, 2) % 2 == 0,
    "day": np.array(["2024-02-29", "NaT", *["1969-12-31"] * 5], "datetime64[D]"),
    "moment": np.arange(7).astype("datetime64[us]"),
    "span": np.arange(7).astype("timedelta64[ms]"),
    "text": ["a", None, "ö", "", "b", "a", "c"],
    "words": np.array(list("abcdefg")),
    "raw": [b"", b"\x00\xff", None, b"a", b"b", b"c", b"d"],
    "labels": [["cat"], [], None, ["dog", None], ["x"], ["y"], ["z"]],
    "ids": [[1, 2], [], None, [3], [4], [5], [2**62]],
    "boxes": [np.full((k % 3, 4), k, np.float32) if k != 2 else None for k in range(7)],
    "points": [np.full((k % 3, 2, 3), k, np.float64) for k in range(7)],
    "odd": [np.full((k % 2 + 1, k % 3 + 1), k, np.int16) for k in range(7)],
    "flags": [np.array([True, False])[: k % 3] for k in range(7)],
    "mask": [SQUARE, RUNS, None, SQUARE, RUNS, SQUARE, RUNS],
    "masks": [[SQUARE, None], [], None, [RUNS], [RUNS, SQUARE], [SQUARE], [None]],
    "panoptic": [PANOPTIC, None, PANOPTIC, PANOPTIC, PANOPTIC, PANOPTIC, PANOPTIC],
    "segment": [Segment(PANOPTIC, 2), None, *[Segment(PANOPTIC, 257)] * 5],
    "segments": [
        [Segment(PANOPTIC, 2), None, Segment(PANOPTIC, 257)],
        [],
        None,
        *[[Segment(PANOPTIC, 2)]] * 4,
    ],
    "fields like those of masks": [
        {"mask:size": [2, 3], "mask:counts": [6], "mask:rings": None},
        None,
        {"mask:rings": [[0.5]], "mask:size": [1], "mask:counts": None},
        *[{"mask:size": [k], "mask:counts": None, "mask:rings": None} for k in range(4)],
    ],
    "fields like those of arrays": [
        {"array:shape": [k], "array:values": [0.5], "fields:x": "a"} for k in range(7)
    ],
    "fields": [
        {"bytes": b"x", "path": None},
        {"bytes": None, "path": "a"},
        None,
        *[{"bytes": b"", "path": ""}] * 4,
    ],
    "dates": [datetime.date(1, 1, 1), None, *[datetime.date(2024, 2, day) for day in range(25, 30)]],
    "times": [
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999),
        None,
        *[datetime.datetime(2024, 2, 25)] * 5,
    ],
    "time spans": [datetime.timedelta(-1, 3, 5), None, *[datetime.timedelta(day) for day in range(5)]],
    "lists of dates": [
        [datetime.date(2024, 2, 25)],
        [],
        None,
        [None],
        *[[datetime.date(1969, 1, 1)] * 2] * 3,
    ],
    "nothing": [None] * 7,
    "nested": [[[1], [2, 3]], [], None, [[]], [None], [[4]], [[5]]],
}


class Rows(ph.Source):
    """Columns as they are, whatever they are."""

    def __init__(self, columns):
        self._columns = columns

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def read(self, ids):
        return {
            name: values[ids] if isinstance(values, np.ndarray) else [values[i] for i in ids.tolist()]
            for name, values in self._columns.items()
        }


def same(actual, expected):
    if isinstance(expected, (Polygons, Rle, Panoptic, Segment)):
        assert type(actual) is type(expected)
        assert actual.size == expected.size
        if isinstance(expected, Panoptic):
            assert (actual.path, actual.classes) == (expected.path, expected.classes)
        elif isinstance(expected, Segment):
            assert actual.number == expected.number
            same(actual.of, expected.of)
        else:
            np.testing.assert_array_equal(actual.to_mask(), expected.to_mask())
    elif isinstance(expected, np.ndarray):
        assert isinstance(actual, np.ndarray)
        assert actual.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(actual, expected)
    elif isinstance(expected, list):
        assert type(actual) is list
        for one, other in zip(actual, expected, strict=True):
            same(one, other)
    else:
        assert type(actual) is type(expected)
        assert actual == expected


@pytest.mark.parametrize("shard_bytes", [1 << 20, 500], ids=["one file", "many files"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_as_it_was(tmp_path, name, shard_bytes):
    values = COLUMNS[name]
    store = ph.pack(Rows({"row": np.zeros((7, 20)), name: values}), tmp_path / "s", shard_bytes=shard_bytes)
    assert (len(store.manifest["shards"]) > 1) == (shard_bytes == 500)
    expected = values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind == "U" else values
    same(store.read(np.arange(7))[name], expected)
    ids = np.array([6, 0, 0, 3])
    same(
        ph.open_store(tmp_path / "s").read(ids)[name],
        expected[ids] if isinstance(expected, np.ndarray) else [expected[i] for i in ids.tolist()],
    )
    whole = store.column(name)
    if whole is not None:
        same(whole, expected)
    assert len(store.read(np.zeros(0, np.int64))[name]) == 0


def test_codes_keep_their_categories(tmp_path):
    frame = pd.DataFrame({"kind": pd.Categorical(["b", "a", None, "b"], categories=["b", "a", "z"])})
    store = ph.pack(frame, tmp_path / "s", shard_bytes=8)
    assert len(store.manifest["shards"]) > 1
    kinds = store.column("kind")
    assert isinstance(kinds, Coded)
    assert kinds.values().tolist() == ["b", "a", None, "b"]
    assert (list(kinds.categories), kinds.ordered) == (["b", "a", "z"], True)
    assert store.read(np.array([3, 2]))["kind"] == ["b", None]


def test_decimals_are_floats_as_in_other_tables(tmp_path):
    half, two = decimal.Decimal("0.5"), decimal.Decimal(2)
    rows = {"one": [half, None, 1], "list": [[half, two], None, []], "dict": [{"a": two}, {"a": None}, None]}
    found = ph.pack(rows, tmp_path / "s").read([0, 1, 2])
    same(found["one"], [0.5, None, 1.0])
    same(found["list"], [[0.5, 2.0], None, []])
    same(found["dict"], [{"a": 2.0}, {"a": None}, None])


def test_many_names_are_text_and_not_categories(tmp_path):
    names = [f"{i}.jpg" for i in range(2000)]
    store = ph.pack(pa.table({"file": names}), tmp_path / "s")
    assert store.column("file") == names


def test_mixed_values_have_one_type():
    def of(*values):
        return settled(common([type_of(value) for value in values]))

    double = np.dtype(float)
    assert is_same(of([], [1], np.array([0.5], np.float32)), array_of(double, ()))
    assert is_same(of([], np.zeros((2, 4))), array_of(double, (4,)))
    assert is_same(of([0.5], [float("nan"), True]), list_of(pa.float64()))
    assert is_same(of(1, 0.5, True), pa.float64())
    assert is_same(of(np.zeros((0, 4, 0))), array_of(double, None))
    assert not is_same(of([0.5]), of(np.array([0.5])))
    assert type_words(of([["a"]])) == "lists of lists of text"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [1, "a"],
            "column `x`, row 1: expected whole numbers, as in the rows before, got text. Convert the column.",
        ),
        (
            [[1], [2 + 1j]],
            "column `x`, row 1: expected a value that a store can hold: numbers, text, bytes, dates, arrays, masks, "
            "lists, dicts, got (2+1j).",
        ),
        (
            [["a"], ["b"], {1}],
            "column `x`, row 2: expected a value that a store can hold: numbers, text, bytes, dates, arrays, masks, "
            "lists, dicts, got {1}. Give lists: [None if one is None else sorted(one) for one in column].",
        ),
        (
            [0.5, 2**60 + 1],
            "column `x`, row 1: expected numbers that float64 holds exactly, as some are fractions, got "
            "1152921504606846977. Give ids as text: np.asarray(column).astype(str).",
        ),
        (
            [[datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)]],
            "column `x`, row 0: expected a value that a store can hold: numbers, text, bytes, dates, arrays, masks, "
            "lists, dicts, got datetime.datetime(2024, 1, 1, 0, 0, tzinfo=datetime.timezone.utc). Give them in UTC, "
            "without a zone: one.astimezone(datetime.timezone.utc).replace(tzinfo=None).",
        ),
        (
            [[np.datetime64("2024-01-01")]],
            "column `x`, row 0: expected a value that a store can hold: numbers, text, bytes, dates, arrays, masks, "
            'lists, dicts, got datetime.date(2024, 1, 1). Give an array: np.array(column, "datetime64[D]").',
        ),
        (
            [datetime.datetime(2024, 1, 1), datetime.date(2024, 1, 1)],
            "column `x`, row 1: expected times, as in the rows before, got dates. Convert the column.",
        ),
        (
            [[pd.Timestamp("2024-01-01"), pd.Timestamp(1)]],
            "column `x`, row 0: expected whole microseconds, got Timestamp('1970-01-01 00:00:00.000000001'). "
            'Give an array: np.array(column, "datetime64[ns]").',
        ),
        (
            [datetime.timedelta.max],
            f"column `x`, row 0: expected microseconds of 64 bits, got {datetime.timedelta.max!r}. "
            "Convert the column.",
        ),
        ([[2**70], [1]], "column `x`, row 0: expected integers of 64 bits, got 1180591620717411303424."),
        (
            ["a", b"a"],
            "column `x`, row 1: expected text, as in the rows before, got bytes. Convert the column.",
        ),
        (
            [np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3, 3), np.float32)],
            "column `x`, row 1: expected arrays of uint8 of shape (n, 3, 3), as in the rows before, got arrays of "
            "float32 of shape (n, 3, 3). Convert the column.",
        ),
        (["a"] * 40 + [b"a"], "column `x`, row 40: expected text, got b'a'. Convert the column."),
    ],
)
def test_what_a_store_cannot_hold(tmp_path, values, message):
    with pytest.raises(DataError) as caught:
        ph.pack(Rows({"x": values}), tmp_path / "s")
    assert str(caught.value).startswith(message)


def test_complex_numbers_are_refused(tmp_path):
    with pytest.raises(DataError, match="column `x`: expected numbers, text, bytes or dates, got complex128"):
        ph.pack({"x": np.zeros(3, complex)}, tmp_path / "s")


def test_no_pickle_is_in_the_files(tmp_path):
    ph.pack(Rows(COLUMNS), tmp_path / "s")
    for path in (tmp_path / "s").iterdir():
        content = path.read_bytes()
        assert content[:6] == b"ARROW1" if path.suffix == ".arrow" else content[:1] == b"{"
        assert b"numpy" not in content  # a pickled array names its module


# Reading ---------------------------------------------------------------------------------------------------


def test_numbers_are_a_view_of_the_file(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    column = ph.pack({"image": images}, tmp_path / "s").column("image")
    assert isinstance(column, np.ndarray)
    base = column
    while getattr(base, "base", None) is not None:
        base = base.base
    assert not column.flags.owndata
    assert not column.flags.writeable
    assert isinstance(base, (pa.Buffer, memoryview))
    np.testing.assert_array_equal(column, images)


def test_a_feed_takes_the_path(tmp_path):
    ph.pack({"x": np.arange(6.0), "y": [0, 1, 0, 1, 1, None]}, tmp_path / "s")
    feed = ph.Feed(tmp_path / "s", inputs="x", heads={"y": ph.Binary()}, batch_size=6)
    assert isinstance(feed.source, Store)
    x, y, w = feed.peek()
    assert x["x"][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert (y["y"][:, 0].tolist(), w["y"].tolist()) == ([0, 1, 0, 1, 1, 0], [1, 1, 1, 1, 1, 0])


def test_views_of_a_store(tmp_path):
    store = ph.pack({"x": np.arange(10), "y": [["a"]] * 10}, tmp_path / "s", shard_bytes=40)
    assert store.select(store.read(np.arange(10))["x"] > 6).read(np.arange(3))["x"].tolist() == [7, 8, 9]
    train, val = store.split((0.8, 0.2), seed=1)
    assert sorted(np.concatenate([part.read(np.arange(len(part)))["x"] for part in (train, val)])) == list(
        range(10)
    )
    assert store.concat(store).read(np.array([13, 2]))["x"].tolist() == [3, 2]
    assert len(store.mix(store, weights=(1, 1))) == 20
    assert store.only(["y"]).columns == ("y",)
    with pytest.raises(DataError, match="Did you mean `y`"):
        store.only(["yy"])


def test_a_hundred_thousand_rows_open_in_milliseconds(tmp_path):
    rows = 100_000
    ph.pack({"x": np.zeros((rows, 8), np.float32), "t": np.arange(rows)}, tmp_path / "s", shard_bytes=1 << 20)
    took = []
    for _ in range(3):
        start = time.process_time()
        store = ph.open_store(tmp_path / "s")
        assert store.read(np.array([99_999]))["t"].tolist() == [99_999]
        took.append(time.process_time() - start)
    assert len(store.manifest["shards"]) == 4
    assert min(took) < 0.05


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="pages are dropped and counted as Linux has it")
def test_random_rows_cost_a_page_each(tmp_path):
    """Counted by mincore: the pages of the file that the kernel holds, after it was told to drop all."""
    values = np.random.default_rng(1).random((100_000, 64), np.float32)  # 256 bytes a row, 6,250 pages
    ph.pack({"x": values}, tmp_path / "s")
    path = tmp_path / "s" / "part-00000.arrow"
    offset = path.read_bytes().index(values[0].tobytes())
    _drop(path)
    before = _resident(path)
    if before > 100:
        pytest.skip("this file system does not let go of its pages")
    store = ph.open_store(tmp_path / "s")
    store.read(np.array([0]))
    opened = _resident(path)
    rows = np.random.default_rng(0).integers(0, 100_000, 200)
    store.read(rows)
    ends = np.concatenate([offset + rows * 256, offset + rows * 256 + 255])
    pages = len(np.unique(ends // mmap.PAGESIZE))
    assert pages < 220  # a row in 16 lies on two
    assert _resident(path) - opened <= pages
    assert opened < 100


def _drop(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.mark.skipif(
    not Path("/proc/self/smaps").exists(), reason="the advice on a map is seen as Linux has it"
)
@pytest.mark.parametrize("values", [np.zeros((40, 40_000), np.uint8), [bytes(40_000)] * 40])
def test_large_rows_are_read_ahead_and_small_ones_by_the_page(values, tmp_path):
    for name, column in (("large", values), ("small", [row[:400] for row in values])):
        ph.pack({"x": column}, tmp_path / name)
        rows = ph.open_store(tmp_path / name)
        rows.read(np.arange(2))
        assert _advised(tmp_path / name / "part-00000.arrow") == (name == "small")


def _advised(path):
    """Whether the kernel was told that a mapped file is read here and there."""
    mapped = Path("/proc/self/smaps").read_text().split(str(path.resolve()), 1)[1]
    flags = next(line for line in mapped.splitlines() if line.startswith("VmFlags"))
    return "rr" in flags.split()


def _resident(path):
    """Pages of a file in memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    size = path.stat().st_size
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        pages = -(-size // mmap.PAGESIZE)
        seen = (ctypes.c_ubyte * pages)()
        start = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        assert libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(size), seen) == 0
        return sum(one & 1 for one in seen)


# What is no store ------------------------------------------------------------------------------------------


def test_what_is_no_store(tmp_path):
    with pytest.raises(StoreError) as caught:
        ph.open_store(tmp_path / "none")
    assert str(caught.value) == (
        f"store {tmp_path}/none: expected a store, got no such folder. ph.pack(data, path) writes one."
    )
    with pytest.raises(StoreError, match="got a folder without a manifest"):
        ph.open_store(tmp_path)


def test_a_store_of_another_version(tmp_path):
    ph.pack({"x": [1]}, tmp_path / "s")
    path = tmp_path / "s" / "manifest.json"
    path.write_text(path.read_text().replace('"polyhead_store": 3', '"polyhead_store": 9'))
    with pytest.raises(StoreError) as caught:
        ph.open_store(tmp_path / "s")
    assert str(caught.value) == (
        f"file {path}: expected a store of version 3, got version 9. Pack it again, or use the version of polyhead "
        "that wrote it."
    )
    path.write_text("{")
    with pytest.raises(StoreError, match="expected the manifest of a store, got JSONDecodeError"):
        ph.open_store(tmp_path / "s")


def test_a_file_that_is_cut_off_or_gone(tmp_path):
    store = ph.pack({"x": np.arange(100)}, tmp_path / "s", shard_bytes=400)
    first, second = (tmp_path / "s" / shard["file"] for shard in store.manifest["shards"])
    size = first.stat().st_size
    with open(first, "r+b") as file:
        file.truncate(size - 10)
    second.unlink()
    with pytest.raises(StoreError) as caught:
        ph.open_store(tmp_path / "s")
    assert [str(problem) for problem in caught.value.problems] == [
        f"file {first}: expected {size:,} bytes, got {size - 10:,}. Pack the store again.",
        f"file {second}: expected {size:,} bytes, got no such file. Pack the store again.",
    ]
