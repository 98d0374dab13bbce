import array
import collections
import threading

import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyhead as ph
from outcomes import message
from polyhead.errors import PolyheadWarning
from polyhead.sources.arrays import Arrays

N = 60
VALUES = np.arange(N * 6, dtype=np.int32).reshape(N, 2, 3)
EXPECTED = "expected one entry per row: an array, a list, or anything with a length and batch indexing"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The same values in every kind of file."""
    folder = tmp_path_factory.mktemp("stored")
    mapped = np.memmap(folder / "a.bin", np.int32, "w+", shape=VALUES.shape)
    mapped[:] = VALUES
    chunks = zarr.create_array(store=folder / "a.zarr", shape=VALUES.shape, dtype="i4", chunks=(7, 2, 3))
    chunks[:] = VALUES
    with h5py.File(folder / "a.h5", "w") as file:
        file["plain"] = VALUES
        file.create_dataset("chunked", data=VALUES, chunks=(7, 2, 3), compression="gzip")
        file["wide"] = np.repeat(VALUES.reshape(N, 6), 2000, axis=1)
        file["text"] = ["é" * (i % 3) for i in range(N)]
        file["fixed"] = np.array([b"a", b"b"] * (N // 2))
        file.create_dataset("bytes", (N,), h5py.special_dtype(vlen=bytes))[:] = [b"\xff\xd8", b"b"] * (N // 2)
        file["scalar"] = 3
        file.create_group("group")["x"] = VALUES
        yield {
            "memmap": mapped,
            "zarr": chunks,
            "h5py": file["plain"],
            "h5py-gzip": file["chunked"],
            "file": file,
        }


ON_DISK = ["memmap", "zarr", "h5py", "h5py-gzip"]


@pytest.mark.parametrize("kind", ON_DISK)
@given(ids=st.lists(st.integers(0, N - 1), max_size=40))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stored_arrays_read_as_numpy_indexes(stored, kind, ids):
    ids = np.array(ids, np.int64)
    found = Arrays({"x": stored[kind]}).read(ids)["x"]
    assert type(found) is np.ndarray
    assert found.dtype == VALUES.dtype
    assert np.array_equal(found, VALUES[ids])


def test_rows_too_wide_to_be_read_past(stored):
    wide = stored["file"]["wide"]
    ids = np.array([50, 3, 3, 20])
    assert np.array_equal(Arrays({"x": wide}).read(ids)["x"], wide[:][ids])


@pytest.mark.parametrize("kind", ON_DISK)
def test_stored_arrays_are_read_in_sorted_order_each_row_once(kind, stored):
    class Spy:
        shape, dtype = (N, 10**6), VALUES.dtype

        def __len__(self):
            return N

        def __getitem__(self, rows):
            asked.append(rows)
            return (stored[kind].oindex if kind == "zarr" else stored[kind])[rows]

    asked = []
    found = Arrays({"x": Spy()}).read(np.array([40, 3, 40, 11]))["x"]
    assert [rows.tolist() for rows in asked] == [[3, 11, 40]]
    assert np.array_equal(found, VALUES[[40, 3, 40, 11]])


@pytest.mark.parametrize("kind", ON_DISK)
def test_stored_arrays_are_not_in_memory(stored, kind):
    source = Arrays({"x": stored[kind], "y": np.arange(N)})
    assert source.column("x") is None
    assert source.column("y") is not None
    assert source.only(["x"]).columns == ("x",)
    assert np.array_equal(source.first_rows("x", 3), VALUES[:3])


@pytest.mark.parametrize("kind", ON_DISK)
def test_stored_arrays_are_read_from_several_threads(stored, kind):
    source, wrong = Arrays({"x": stored[kind]}), []

    def work(seed):
        for _ in range(10):
            ids = np.random.default_rng(seed).integers(0, N, 16)
            if not np.array_equal(source.read(ids)["x"], VALUES[ids]):
                wrong.append(ids)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_batch_of_a_memory_map_is_the_readers_own(tmp_path):
    mapped = np.memmap(tmp_path / "a.bin", np.int32, "w+", shape=(4,))
    for ids in ([0, 1, 2], [2, 0]):
        Arrays({"x": mapped}).read(np.array(ids))["x"][:] = 9
    assert mapped.tolist() == [0, 0, 0, 0]


def test_a_memory_map_of_no_rows(tmp_path):
    mapped = np.memmap(tmp_path / "a.bin", np.int32, "w+", shape=(4, 2))[:0]
    source = Arrays({"x": mapped})
    assert len(source) == 0
    assert source.read(np.array([], np.int64))["x"].shape == (0, 2)


def test_hdf5_strings_are_strings(stored):
    ids = np.array([5, 0, 1, 5])
    found = Arrays({name: stored["file"][name] for name in ("text", "fixed", "bytes")}).read(ids)
    assert list(found["text"]) == ["éé", "", "é", "éé"]
    assert list(found["fixed"]) == ["b", "a", "b", "b"]
    assert list(found["bytes"]) == [b"b", b"\xff\xd8", b"b", b"b"]


def test_an_hdf5_file_and_a_zarr_group_are_mappings(stored, tmp_path):
    assert Arrays(stored["file"]["group"]).columns == ("x",)
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("x", shape=(3,), dtype="i4")[:] = [1, 2, 3]
    assert Arrays(group).read(np.array([2, 0]))["x"].tolist() == [3, 1]


def test_a_closed_file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = VALUES
        dataset = file["x"]
        source = Arrays({"x": dataset})
    fix = "Keep it open while its rows are read."
    assert message(lambda: source.read(np.array([7, 4]))) == (
        f"column `x`, row 4: expected an open file, got a closed HDF5 file. {fix}"
    )
    assert message(lambda: Arrays({"x": dataset})) == (
        f"column `x`: expected an open file, got a closed HDF5 file. {fix}"
    )
    assert message(lambda: Arrays(file)) == f"data: expected an open file, got a closed HDF5 file. {fix}"


# In memory -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        VALUES,
        VALUES[:, 0, 0],
        VALUES[::-1],
        np.array(["a", "bc"] * 30),
        np.zeros(N, [("a", "i4"), ("b", "f4")]),
    ],
)
def test_arrays_are_taken_as_they_are(values):
    source, ids = Arrays({"x": values}), np.array([7, 7, 0])
    assert np.shares_memory(source.column("x"), values)
    assert np.array_equal(source.read(ids)["x"], values[ids])
    assert source.read(ids)["x"].dtype == values.dtype


@pytest.mark.parametrize(
    "values", [[1, 2], (1, 2), range(1, 3), collections.deque([1, 2]), array.array("i", [1, 2])], ids=type
)
def test_sequences_of_numbers_become_arrays(values):
    assert Arrays({"x": values}).column("x").tolist() == [1, 2]


def test_a_list_with_gaps():
    source = Arrays({"x": [1, None], "y": ["a", None]})
    assert np.array_equal(source.column("x"), [1, np.nan], equal_nan=True)
    assert source.column("y") == ["a", None]


def test_masked_arrays():
    masked = np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])
    found = Arrays({"x": masked}).read(np.array([1, 0]))["x"]
    assert np.array_equal(found, [[3, 4], [1, np.nan]], equal_nan=True)


def test_large_masked_arrays_are_not_copied_whole(monkeypatch):
    monkeypatch.setattr("polyhead.columns.as_column.LIMIT_BYTES", 1)
    masked = np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])
    source = Arrays({"x": masked})
    assert source.column("x") is None
    assert np.array_equal(source.read(np.array([1, 0]))["x"], [[3, 4], [1, np.nan]], equal_nan=True)
    assert source.read(np.array([1]))["x"].dtype == np.float64


def test_tensors():
    torch = pytest.importorskip("torch")
    source = Arrays({"x": torch.arange(6).reshape(3, 2)})
    assert source.read(np.array([2, 0]))["x"].tolist() == [[4, 5], [0, 1]]


class Items:
    """A data set that gives one entry at a time."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        if not isinstance(i, int):
            raise TypeError("one at a time")
        return self.items[i]


class Batches(Items):
    def __getitem__(self, rows):
        return [self.items[i] for i in rows]


@pytest.mark.parametrize("kind", [Items, Batches])
def test_a_users_class(kind):
    source = Arrays({"x": kind([10, 20, 30]), "y": kind(["a", "b", "c"])})
    found = source.read(np.array([2, 0, 2]))
    assert list(found["x"]) == [30, 10, 30]
    assert list(found["y"]) == ["c", "a", "c"]


@pytest.mark.parametrize("kind", [Items, Batches])
def test_integers_of_a_users_class_may_be_missing_in_later_rows(kind):
    data = {"x": np.arange(5.0), "y": kind([0, 1, 1, None, 0])}
    feed = ph.Feed(data, inputs="x", heads={"y": ph.Categorical()}, batch_size=2)
    assert [batch.weights["y"].tolist() for batch in feed.batches()] == [[1, 1], [1, 0], [1]]


def test_only_shares_what_is_adapted():
    source = Arrays({"x": [1, 2], "y": ["a", "b"]})
    assert source.only(["y"]).column("y") is source.column("y")
    assert len(source.only(["y"])) == 2
    assert repr(source.only(["y"])) == "Arrays(2 rows: y)"


# Errors --------------------------------------------------------------------------------------------


def test_one_column_of_many_is_found_without_a_list_of_all(monkeypatch):
    source = Arrays({"x": [1, 2], "y": ["a", "b"]})
    monkeypatch.setattr(Arrays, "columns", property(lambda self: pytest.fail("all names were listed")))
    assert source.only(["y"]).read([1])["y"] == ["b"]


def test_columns_of_unequal_length():
    assert message(lambda: Arrays({"x": np.zeros(2000), "y": [1], "z": [1]})) == (
        "data: expected columns of one length, got `x` 2,000, `y` 1, `z` 1. "
        "Every column needs one entry per row; None or NaN stands for a missing label."
    )


def test_no_columns():
    assert message(lambda: Arrays({})) == "data: expected at least one column, got an empty mapping."
    assert message(lambda: Arrays([1])) == (
        "data: expected a mapping of names to columns, got [1]. "
        'Give names: {"image": images, "label": labels}.'
    )
    assert message(lambda: Arrays({1: [1]})) == "data: expected columns named by strings, got the name 1."


def test_a_missing_column():
    source = Arrays({"image": [1], "label": [2]})
    known = "expected a column of the data (image, label), got no such column"
    text = f"column `imgae`: {known}. Did you mean `image`?"
    assert message(lambda: source.column("imgae")) == text
    assert message(lambda: source.only(["imgae"])) == text
    assert (
        message(lambda: source.only([[1]]))
        == "only(columns): expected a name, or a list of names, got [[1]]."
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1, "1."),
        (None, "None."),
        ("word", "'word'."),
        (np.array(3), "a single number, 3."),
        ({1}, "{1}. A set has no order; give a list."),
        (
            np.ma.array([(1, 2.0)], dtype=[("a", int), ("b", float)], mask=[(True, False)]),
            "masked records. Give its fields as columns: {name: data[name] for name in data.dtype.names}.",
        ),
        ({"a": [1]}, "a mapping of a. Give each of its entries as a separate column."),
        (
            (i for i in range(3)),
            "a generator, which has no length. "
            "Convert it to an array or a list, or write a Source with __len__ and read.",
        ),
    ],
)
def test_what_is_no_column(value, found):
    assert message(lambda: Arrays({"x": value})) == f"column `x`: {EXPECTED}, got {found}"


def test_a_scalar_in_a_file(stored):
    assert message(lambda: Arrays({"x": stored["file"]["scalar"]})).startswith(
        f"column `x`: {EXPECTED}, got "
    )


def test_a_row_that_cannot_be_read():
    class Broken(Items):
        shape = (3,)

        def __getitem__(self, rows):
            raise OSError("disk on fire")

    source = Arrays({"x": Broken([1, 2, 3])})
    assert message(lambda: source.read(np.array([2, 1]))) == (
        "column `x`, row 1: expected readable rows, got OSError: disk on fire."
    )


def test_a_class_that_gives_too_few_rows():
    class Short(Items):
        shape = (9,)

        def __getitem__(self, rows):
            return np.zeros(1)

    assert message(lambda: Arrays({"x": Short([0] * 9)}).read(np.array([0, 8]))) == (
        "column `x`, row 0: expected 2 entries for 2 rows, got 1."
    )


def test_an_item_that_cannot_be_read():
    class Sometimes(Items):
        def __getitem__(self, i):
            if i == 1:
                raise ValueError("no")
            return super().__getitem__(i)

    source = Arrays({"x": Sometimes([1, 2, 3])})
    assert message(lambda: source.read(np.array([0, 1]))) == (
        "column `x`, row 1: expected a readable row, got ValueError: no."
    )


def test_a_frame_as_a_column():
    assert Arrays({"x": pd.DataFrame({"a": [1], "b": [2]})}).read(np.array([0]))["x"].tolist() == [[1, 2]]


def test_series_whose_indexes_are_in_another_order():
    frame = pd.DataFrame({"x": [1.0, 2, 3], "y": [0, 1, 0]}, index=[7, 8, 9])
    assert len(Arrays({"x": frame["x"], "y": frame["y"], "z": [1, 2, 3], "w": pd.Series([1, 2, 3])})) == 3
    other = frame["y"].sort_index(ascending=False)
    assert message(lambda: Arrays({"x": frame["x"], "y": other})) == (
        "column `y`: expected the index of `x`, in its order, got the same index in another order. "
        "Align them, y.loc[x.index], or give values without index: y.to_numpy()."
    )
    assert Arrays({"x": frame["x"], "y": other.to_numpy()}).read(np.array([0]))["y"].tolist() == [0]
    assert len(Arrays({"x": frame["x"], "y": other}, asked=["x"])) == 3
    twice = pd.Series([0, 1, 0], index=[9, 7, 7])  # not the same index, and so nothing to align
    assert len(Arrays({"x": frame["x"], "y": twice})) == 3
    groups = pd.Series([0, 1, 0], index=["a", "a", "b"])
    assert message(lambda: Arrays({"x": groups, "y": groups.iloc[[0, 2, 1]]})) == (
        "column `y`: expected the index of `x`, in its order, got the same index in another order. "
        "Give values without index: y.to_numpy()."
    )


def test_series_whose_indexes_share_only_some_labels():
    frame = pd.DataFrame({"x": [1.0, 2, np.nan, 4], "y": [np.nan, 1, 0, 1]}, index=[5, 6, 7, 8])
    x, y = frame["x"].dropna(), frame["y"].dropna()
    words = (
        "column `y`: expected the index of `x`, got one with only 2 of its 3 labels; rows are matched by position. "
        "To match them by label: both = x.index.intersection(y.index), then x.loc[both] and y.loc[both]. "
        "If positions are right, give y.to_numpy()."
    )
    with pytest.warns(PolyheadWarning) as warned:
        Arrays({"x": x, "y": y})
    assert [str(one.message) for one in warned] == [words]
    both = x.index.intersection(y.index)
    rows = Arrays({"x": x.loc[both], "y": y.loc[both]}).read(np.arange(2))
    assert [rows["x"].tolist(), rows["y"].tolist()] == [[2, 4], [1, 1]]
    assert Arrays({"x": x, "y": y.to_numpy()}).read(np.array([0]))["y"].tolist() == [1]


def test_labels_of_xarray():
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    x = xarray.DataArray(np.arange(6.0).reshape(3, 2), coords={"day": [1, 2, 3]}, dims=("day", "band"))
    y = xarray.DataArray([0, 1, 0], coords={"day": [1, 2, 3]}, dims="day")
    rows = Arrays({"x": x, "y": y, "z": xarray.DataArray([1, 2, 3])})
    assert rows.read(np.array([1]))["x"].tolist() == [[2, 3]]
    assert rows.pandas_index(np.arange(3)) is None
    assert message(lambda: Arrays({"x": x, "y": y[::-1]})) == (
        "column `y`: expected the index of `x`, in its order, got the same index in another order. "
        'Align them, y.loc[x.indexes["day"]], or give values without index: y.to_numpy().'
    )
    assert len(Arrays({"x": x, "y": y[::-1].loc[x.indexes["day"]]})) == 3
    later = y.assign_coords(day=[2, 3, 4])
    with pytest.warns(PolyheadWarning, match="only 2 of its 3 labels"):
        Arrays({"x": x, "y": later})
    both = x.indexes["day"].intersection(later.indexes["day"])
    assert len(Arrays({"x": x.loc[both], "y": later.loc[both]})) == 2


def test_a_tensor_of_bfloat16():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rows = Arrays({"x": torch.ones(3, requires_grad=True).bfloat16()})
    np.testing.assert_array_equal(rows.read(np.arange(3))["x"], np.ones(3, "float32"), strict=True)
    assert message(lambda: Arrays({"x": torch.ones(3).to_sparse()})).startswith(
        "column `x`: expected a tensor that NumPy can read, got"
    )


class Name(str):
    """A name that counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Name.compared += 1
        return str.__eq__(self, other)


def test_each_of_many_columns_is_looked_up_by_its_hash():
    names = [Name(f"gene {i}") for i in range(500)]
    data = {**{str(name): np.arange(4.0) for name in names}, "y": [0, 1, 0, 1]}
    feed = ph.Feed(data, inputs={"x": ph.Array(column=names)}, heads={"y": ph.Binary()})
    assert feed.peek()[0]["x"].shape == (4, 500)
    assert Name.compared < 30 * len(names)  # with each other they are 250,000
