"""Rows that are added to a store, and a store that is looked through."""

import numpy as np
import pandas as pd
import pytest

import polyhead as ph
from polyhead.errors import StoreError
from polyhead.packing import verify


def test_ids_go_on(tmp_path):
    path = tmp_path / "s"
    ph.pack({"x": np.arange(4.0), "y": [["a"], [], None, ["b"]]}, path, append=True)
    store = ph.pack({"y": [["c"], None], "x": np.arange(2, dtype=np.float32)}, path, append=True)
    assert len(store) == 6
    assert [part["rows"] for part in store.manifest["parts"]] == [4, 2]
    assert [shard["file"] for shard in store.manifest["shards"]] == ["part-00000.arrow", "part-00001.arrow"]
    assert store.column("x").tolist() == [0, 1, 2, 3, 0, 1]
    assert store.read(np.array([4, 3, 5]))["y"] == [["c"], ["b"], None]
    assert verify(path).ok


def test_the_same_rows_may_be_added_twice(tmp_path):
    for _ in range(3):
        store = ph.pack({"x": [1, 2]}, tmp_path / "s", append=True)
    assert store.column("x").tolist() == [1, 2] * 3


def test_new_categories_join_the_old(tmp_path):
    for words in (["b", "a", None], ["c", "b"]):
        store = ph.pack({"k": pd.Series(words, dtype=object).astype("string")}, tmp_path / "s", append=True)
    assert store.column("k").values().tolist() == ["b", "a", None, "c", "b"]


def test_other_columns_are_refused_by_name(tmp_path):
    path = tmp_path / "s"
    old = {"x": np.zeros((2, 3), np.float32), "y": ["a", "b"], "z": [1, 2], "t": [1, 2], "k": [[1], [2]]}
    ph.pack(old, path)
    new = {"x": np.zeros((2, 4), np.float32), "y": [1, 2], "t": [0.5, 1], "k": [["a"], []], "more": [1, 2]}
    with pytest.raises(StoreError) as caught:
        ph.pack(new, path, append=True)
    convert, alike = "Convert the column, or write another store.", "Append rows with the same columns."
    assert [str(problem) for problem in caught.value.problems] == [
        f"store {path}, column `z`: the new rows don't have this column. {alike}",
        f"store {path}, column `more`: the store doesn't have this column. {alike}",
        f"store {path}, column `x`: expected float32 of shape (3,), as in the store, got float32 of shape (4,). "
        f"{convert}",
        f"store {path}, column `y`: expected text, as in the store, got int64 of shape (). {convert}",
        f"store {path}, column `t`: expected int64 of shape (), as in the store, got float64 of shape (). {convert}",
        f"store {path}, column `k`: expected lists of whole numbers, as in the store, got lists of text. {convert}",
    ]
    assert len(ph.open_store(path)) == 2
    assert not (path / "journal.jsonl").exists()


def test_masks_of_which_some_are_missing_join_those_that_are_all_there(tmp_path):
    pytest.importorskip("cv2")
    image, mask = np.zeros((2, 8, 8, 3), np.uint8), np.ones((2, 8, 8), np.uint8)

    def feed(masks):
        rows = {"image": [*image], "mask": masks}
        return ph.Feed(
            rows, inputs={"image": ph.Image(4, 4)}, heads={"mask": ph.Mask(size=(4, 4))}, batch_size=4
        )

    ph.pack(feed([*mask]), tmp_path / "s")
    store = ph.pack(feed([mask[0], None]), tmp_path / "s", append=True)
    rows = store.read(np.arange(4))["mask"]
    assert [None if row is None else int(row.sum()) for row in rows] == [16, 16, 16, None]
    weights = feed([*mask]).on(store).peek()[2]["mask"]
    assert weights.reshape(-1).tolist() == [1, 1, 1, 0]


# Verify ----------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    rows = {"x": np.arange(100.0), "image": np.zeros((100, 4, 4, 3), np.uint8), "words": [["a"]] * 100}
    return ph.pack(rows, tmp_path / "s", shard_bytes=4000)


def test_a_whole_store(store):
    report = verify(store.path)
    files = len(store.manifest["shards"])
    total = sum(path.stat().st_size for path in store.path.glob("*.arrow"))
    assert report.ok
    assert files > 1
    assert report.notes == ("100 rows", f"{files} files of {total:,} bytes")


def test_a_byte_that_was_changed_names_file_and_column(store):
    path = store.path / store.manifest["shards"][1]["file"]
    content = bytearray(path.read_bytes())
    at = content.index(np.float64(store.manifest["shards"][0]["rows"] + 1).tobytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))
    assert len(ph.open_store(store.path)) == 100  # its size is right: only its bytes say so
    (problem,) = verify(store.path).problems
    assert problem.place == f"file {path}, column `x`"
    (recorded,) = (shard["columns"]["x"] for shard in store.manifest["shards"] if shard["file"] == path.name)
    assert problem.finding == f"its bytes have changed; their checksum is no longer {recorded:08x}"
    assert problem.code == "damaged"


def test_a_file_whose_frame_is_damaged(store):
    path = store.path / store.manifest["shards"][0]["file"]
    content = bytearray(path.read_bytes())
    content[-12:] = b"\xff" * 12
    path.write_bytes(bytes(content))
    (problem,) = verify(store.path).problems
    assert problem.place == f"file {path}"
    with pytest.raises(StoreError, match=f"file {path}: expected a shard of a store, got ArrowInvalid"):
        ph.open_store(store.path).column("x")


def test_files_that_are_gone_or_cut_off_are_all_named(store):
    first, second = (store.path / shard["file"] for shard in store.manifest["shards"][:2])
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    assert [problem.place for problem in verify(store.path).problems] == [f"file {first}", f"file {second}"]


def test_an_unfinished_store_is_not_verified(tmp_path):
    with pytest.raises(StoreError, match="expected a store, got no such folder"):
        verify(tmp_path / "none")


@pytest.mark.parametrize("numbers", [[0.5, 1, 0], [1.0, None, 2.0]])
def test_booleans_with_gaps_are_added_to_floats_as_floats(tmp_path, numbers):
    ph.pack({"x": numbers}, tmp_path / "s")
    store = ph.pack({"x": [True, None, False]}, tmp_path / "s", append=True)
    np.testing.assert_array_equal(store.column("x"), [*np.array(numbers, float), 1, np.nan, 0])


def test_booleans_with_gaps_cannot_be_added_to_integers(tmp_path):
    ph.pack({"x": [5, 1]}, tmp_path / "s")
    with pytest.raises(StoreError, match=r"column `x`: expected int64 of shape \(\), as in the store"):
        ph.pack({"x": [True, None]}, tmp_path / "s", append=True)
