"""Feeds that are pickled go on with the same batches wherever their rows can be opened again."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import polyhead as ph

ROWS = 20
X = np.random.default_rng(0).normal(size=(ROWS, 3)).astype("float32")
Y = np.arange(ROWS) % 2
KIND = ["cat", "dog"] * (ROWS // 2)
DATA = {"x": X, "y": Y, "kind": KIND}
HEADS = {"y": ph.Binary(), "kind": ph.Categorical()}


class OwnRows(ph.Source):
    def __len__(self):
        return ROWS

    def read(self, ids):
        return {"x": X[ids], "y": Y[ids], "kind": [KIND[i] for i in ids]}


def batches_of_rows():
    for start in range(0, ROWS, 4):
        some = slice(start, start + 4)
        yield {"x": X[some], "y": Y[some], "kind": KIND[some]}


def frame(name):
    return pytest.importorskip(name).DataFrame({"x": X[:, 0], "y": Y, "kind": KIND})


def parquet(folder):
    pq.write_table(pa.table({"x": list(X), "y": Y, "kind": KIND}), folder / "a.parquet", row_group_size=5)
    return str(folder / "a.parquet")


def memory_map(folder):
    np.save(folder / "x.npy", X)
    return {**DATA, "x": np.load(folder / "x.npy", mmap_mode="r")}


def part_of_a_memory_map(folder):
    np.save(folder / "x.npy", np.concatenate([np.zeros((7, 3), "float32"), X]))
    return {**DATA, "x": np.load(folder / "x.npy", mmap_mode="r")[7:]}


def hdf5(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "a.h5", "w") as file:
        file["group/x"] = X
    return {**DATA, "x": h5py.File(folder / "a.h5")["group/x"]}


def store(folder):
    ph.pack(DATA, folder / "store", progress=False)
    return folder / "store"


SOURCES = {
    "arrays": lambda _: DATA,
    "memory map": memory_map,
    "part of a memory map": part_of_a_memory_map,
    "hdf5": hdf5,
    "pandas": lambda _: frame("pandas"),
    "polars": lambda _: frame("polars"),
    "arrow": lambda _: pa.table({"x": list(X), "y": Y, "kind": KIND}),
    "parquet": parquet,
    "split": lambda folder: ph.read_table(parquet(folder)).split((0.5, 0.5))[0],
    "concat": lambda folder: ph.read_table(DATA).concat(ph.open_store(store(folder))),
    "store": store,
    "own": lambda _: OwnRows(),
    "generator": lambda _: ph.from_generator(batches_of_rows, length=ROWS),
}


def same_batches(some, others):
    for one, other in zip(some, others, strict=True):
        assert np.array_equal(one.ids, other.ids)
        assert np.array_equal(one.inputs["x"], other.inputs["x"])
        assert np.array_equal(one.labels["kind"], other.labels["kind"])


@pytest.mark.parametrize("name", SOURCES)
def test_a_feed_goes_on_where_it_was(name, tmp_path):
    source = SOURCES[name](tmp_path)
    feed = ph.Feed(source, inputs="x", heads=HEADS, batch_size=4, shuffle=name != "generator", seed=3)
    feed.epoch = 2
    again = pickle.loads(pickle.dumps(feed))
    assert again.state() == feed.state()
    assert again.heads == feed.heads
    assert (again.epoch, len(again), again.shuffle) == (2, len(feed), feed.shuffle)
    same_batches([*feed.batches()], [*again.batches()])


def test_files_are_not_copied_into_the_pickle(tmp_path):
    np.save(tmp_path / "large.npy", np.zeros((ROWS, 50_000), "float32"))
    x = np.load(tmp_path / "large.npy", mmap_mode="r")
    feed = ph.Feed({**DATA, "x": x}, inputs="x", heads=HEADS)
    assert len(pickle.dumps(feed)) < 10_000


def test_blocks_augmentation_and_rows_without_labels_come_along():
    images = np.random.default_rng(1).integers(0, 255, (ROWS, 8, 8, 3), dtype=np.uint8)
    feed = ph.Feed(
        {"x": images, "y": Y}, inputs="x", heads={"y": ph.Binary()}, augment=[ph.Flip()], shuffle="blocks"
    )
    again = pickle.loads(pickle.dumps(feed))
    assert again.augment == feed.augment
    for one, other in zip(feed.batches(), again.batches(), strict=True):
        assert np.array_equal(one.inputs["x"], other.inputs["x"])
    new = pickle.loads(pickle.dumps(feed.on({"x": images[:3]})))
    assert [batch.labels for batch in new.batches()] == [{}]


ELSEWHERE = """
import pickle, sys
feed = pickle.load(open(sys.argv[1], "rb"))
print([batch.ids.tolist() for batch in feed.batches()])
"""


def test_another_process_goes_on(tmp_path):
    feed = ph.Feed(parquet(tmp_path), inputs="x", heads=HEADS, batch_size=8, shuffle=True, seed=5)
    (tmp_path / "feed.pickle").write_bytes(pickle.dumps(feed))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path / "feed.pickle")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == str([batch.ids.tolist() for batch in feed.batches()])
