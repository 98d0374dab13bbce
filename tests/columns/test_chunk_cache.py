"""HDF5 and zarr in chunks: each chunk is read once an epoch, and batches are those of arrays."""

import subprocess
import sys
import threading

import h5py
import numpy as np
import pytest
import zarr

import polyhead as ph
from polyhead.sources.arrays import Arrays, in_chunks

ROWS, CHUNK = 3000, 64
IMAGES = np.random.default_rng(0).integers(0, 256, (ROWS, 4, 4, 3), dtype=np.uint8)
LABELS = np.arange(ROWS) % 5


@pytest.fixture(params=["hdf5", "zarr"])
def columns(request, tmp_path):
    if request.param == "hdf5":
        with h5py.File(tmp_path / "rows.h5", "w") as file:
            file.create_dataset("image", data=IMAGES, chunks=(CHUNK, 4, 4, 3), compression="gzip")
            file.create_dataset("label", data=LABELS, chunks=(CHUNK,))
        with h5py.File(tmp_path / "rows.h5") as file:
            yield {name: file[name] for name in file}
    else:
        group = zarr.create_group(tmp_path / "rows.zarr")
        for name, values in (("image", IMAGES), ("label", LABELS)):
            array = group.create_array(
                name, shape=values.shape, dtype=values.dtype, chunks=(CHUNK, *values.shape[1:])
            )
            array[:] = values
        yield {name: group[name] for name in ("image", "label")}


def feed(data, shuffle="blocks", **more):
    return ph.Feed(
        data,
        inputs={"image": ph.Image()},
        heads={"label": ph.Categorical(5)},
        batch_size=32,
        shuffle=shuffle,
        **more,
    )


def test_no_rows_and_rows_of_the_last_chunk(columns):
    source, _ = in_chunks(Arrays(columns))
    assert source.read([])["label"].shape == (0,)
    ids = [ROWS - 1, 0, ROWS - 2, ROWS - 1]
    assert source.read(ids)["label"].tolist() == LABELS[ids].tolist()


def test_the_chunks_of_the_file_are_the_blocks(columns):
    one = feed(columns)
    assert in_chunks(one.source)[1] == CHUNK
    assert one.state()["shuffle"] == [CHUNK, 64]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_arrays(columns, workers):
    for batch in feed(columns, workers=workers).batches():
        np.testing.assert_array_equal(batch.inputs["image"], IMAGES[batch.ids] / np.float32(255))
        np.testing.assert_array_equal(batch.labels["label"], LABELS[batch.ids])


def test_each_chunk_is_read_once_an_epoch(columns):
    source = in_chunks(Arrays(columns))[0]
    column = source._columns["image"]
    reads = []
    read = column._column.take
    column._column.take = lambda ids: (reads.append(int(ids[0])), read(ids))[1]
    batches = sum(1 for _ in feed(source).batches())
    assert batches == -(-ROWS // 32)
    # those that the first look at the data read are kept too
    assert sorted(set(reads)) == sorted(reads)
    assert len(reads) == -(-ROWS // CHUNK)


def test_threads_that_want_one_chunk_read_it_once(columns):
    column = in_chunks(Arrays(columns))[0]._columns["image"]
    reads, read = [], column._column.take
    column._column.take = lambda ids: (reads.append(int(ids[0])), read(ids))[1]
    found = [None] * 8
    ids = np.arange(100, 120)

    def work(k):
        found[k] = column.take(ids)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1
    assert all(np.array_equal(one, IMAGES[ids]) for one in found)


def test_rows_come_in_the_order_asked(columns):
    column = in_chunks(Arrays(columns))[0]._columns["image"]
    ids = np.array([2999, 0, 64, 63, 0, 1500])
    np.testing.assert_array_equal(column.take(ids), IMAGES[ids])


PROGRAM = """
import sys
import h5py
import polyhead as ph
with h5py.File(sys.argv[1]) as file:
    feed = ph.Feed(file, inputs={"image": ph.Image()}, heads={"label": ph.Categorical(5)}, batch_size=8, workers=2)
    batches = feed.batches()
    next(batches)
    print("left")
"""


def test_a_program_that_leaves_an_epoch_ends(tmp_path):
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("image", data=IMAGES, chunks=(CHUNK, 4, 4, 3), compression="gzip")
        file.create_dataset("label", data=LABELS, chunks=(CHUNK,))
    for _ in range(3):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "rows.h5")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
        assert done.stdout.startswith("left")
