import datetime
import decimal
import gzip
import io
import json
import subprocess
import sys
import uuid
from functools import partial
from threading import Event, Lock, Thread

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import polyhead as ph
from outcomes import message
from polyhead import DataError
from polyhead.columns import lazy
from polyhead.columns.arrow import from_arrow
from polyhead.columns.frames import from_series
from polyhead.columns.values import Coded
from polyhead.sources import table_files, text_files
from polyhead.sources.arrays import Arrays
from polyhead.sources.tables import Table, is_table, read_table

TABLE = pa.table(
    {"age": [31, None, 7], "kind": ["cat", "dog", None], "size": pa.array([1, 2, 3], pa.int16())}
)


def plain(values):
    """Values as a list of Python objects, NaN as None."""
    if isinstance(values, Coded):
        return values.values().tolist()
    found = values.tolist() if isinstance(values, np.ndarray) else values
    return [None if isinstance(v, float) and v != v else v for v in found]


def rows(source):
    return {name: plain(values) for name, values in source.read(np.arange(len(source))).items()}


WANT = {"age": [31.0, None, 7.0], "kind": ["cat", "dog", None], "size": [1, 2, 3]}


def write(path, form):
    if form == "parquet":
        pq.write_table(TABLE, path, row_group_size=2)
    elif form == "stream":
        with pa.ipc.new_stream(path, TABLE.schema) as sink:
            sink.write_table(TABLE, max_chunksize=2)
    elif form == "file":
        with pa.ipc.new_file(path, TABLE.schema) as sink:
            sink.write_table(TABLE, max_chunksize=2)
    elif form in ("lz4", "zstd"):
        pyarrow.feather.write_feather(TABLE, path, compression=form)
    else:
        text = "age,kind,size\n31,cat,1\n,dog,2\n7,,3\n".replace(",", "\t" if form == "tsv" else ",")
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("t.parquet", "parquet"),
        ("T.PQ", "parquet"),
        ("t.csv", "csv"),
        ("t.csv.gz", "csv"),
        ("t.tsv", "tsv"),
        ("t.tsv.gz", "tsv"),
        ("t.arrow", "file"),
        ("t.ipc", "stream"),
        ("t.arrows", "stream"),
        ("t.feather", "lz4"),
        ("u.feather", "zstd"),
    ],
)
def test_files_give_the_same_rows(tmp_path, name, form):
    path = tmp_path / name
    write(path, form)
    table = read_table(path)
    assert len(table) == 3
    assert table.columns == ("age", "kind", "size")
    assert rows(table) == WANT
    assert rows(read_table(str(path), columns=["size", "age"])) == {"size": WANT["size"], "age": WANT["age"]}
    assert read_table(path, columns="kind").columns == ("kind",)


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        TABLE.combine_chunks().to_batches()[0],
        TABLE.to_reader(),
        TABLE.to_pandas(),
        TABLE.to_pandas(types_mapper=pd.ArrowDtype),
        TABLE.to_pandas().astype({"age": "Int64", "kind": "string"}),
        pl.from_arrow(TABLE),
        pl.from_arrow(TABLE).lazy(),
    ],
    ids=["table", "batch", "reader", "pandas", "pandas-arrow", "pandas-nullable", "polars", "lazy"],
)
def test_frames_give_the_same_rows(data):
    assert rows(read_table(data)) == WANT


@pytest.mark.parametrize(
    "data", [TABLE.to_pandas(), pl.from_arrow(TABLE), pl.from_arrow(TABLE).lazy(), TABLE]
)
def test_frames_give_the_columns_asked(data):
    assert rows(read_table(data, columns=["size", "age"])) == {"size": WANT["size"], "age": WANT["age"]}


def test_read_in_any_order_with_repeats():
    found = read_table(TABLE).read(np.array([2, 0, 0]))
    assert {name: plain(values) for name, values in found.items()} == {
        "age": [7.0, 31.0, 31.0],
        "kind": [None, "cat", "cat"],
        "size": [3, 1, 1],
    }


def test_a_folder_of_parquet_files(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    pq.write_table(TABLE.slice(0, 1), tmp_path / "b.parquet")
    (tmp_path / "README.txt").write_text("not a table")
    (tmp_path / "_metadata.parquet").write_text("not a table")
    assert rows(read_table(tmp_path))["age"] == [31.0, None, 7.0, 31.0]


def test_a_folder_partitioned_by_a_column(tmp_path):
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(TABLE.select(["size"]), tmp_path / f"year={year}" / "a.parquet")
    assert rows(read_table(tmp_path)) == {"size": [1, 2, 3, 1, 2, 3], "year": [2023] * 3 + [2024] * 3}


@pytest.mark.parametrize("key", ["size", "kind"])
def test_a_folder_partitioned_by_polars_whose_files_have_the_column_too(tmp_path, key):
    frame = pl.DataFrame({"size": [2, 1, 2], "kind": ["cat", "dog", "cat"]}).sort(key)
    for part in frame.partition_by(key):
        folder = tmp_path / f"{key}={part[key][0]}" / "part"
        folder.mkdir(parents=True)
        part.write_parquet(folder / "0.parquet")
    assert rows(read_table(tmp_path)) == frame.to_dict(as_series=False)


def test_a_column_without_values_in_some_files_of_a_folder(tmp_path):
    none, there = [None, None], {"kind": ["cat", None], "n": [1, 2], "tags": [["a"], None]}
    for name, columns in (("1", dict.fromkeys(there, none)), ("2", there), ("3", dict.fromkeys(there, none))):
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    found = rows(read_table(tmp_path))
    assert found == {name: none + values + none for name, values in there.items()}
    for name, lists in (
        ("1", [[], []]),
        ("2", [["a"], []]),
        ("3", [[], None]),
    ):  # of which some have no entry
        pq.write_table(pa.table({"tags": lists}), tmp_path / f"{name}.parquet")
    assert rows(read_table(tmp_path)) == {"tags": [[], [], ["a"], [], [], None]}


def test_lists_of_categories_in_several_row_groups(tmp_path):
    tags = pa.array([["a"], ["b", "a"], None, ["c"]], pa.list_(pa.dictionary(pa.int32(), pa.string())))
    pq.write_table(pa.table({"a.tags": tags}), tmp_path / "a.parquet", row_group_size=2)
    assert rows(read_table(tmp_path / "a.parquet")) == {"a.tags": [["a"], ["b", "a"], None, ["c"]]}


def test_the_index_of_pandas_is_no_column(tmp_path):
    frame = pd.DataFrame({"x": [1, 2]}, index=[10, 20])
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").columns == ("x",)
    asked = read_table(tmp_path / "t.parquet", columns=["__index_level_0__"])
    assert rows(asked) == {"__index_level_0__": [10, 20]}


def test_csv_whose_later_rows_widen_the_type(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,\n" * 400_000 + "1.5,late\n")
    table = read_table(path)
    assert table.first_rows("a").dtype == np.float64
    assert table.column("a")[-1] == 1.5
    assert plain(table.read(np.array([400_000, 0]))["b"]) == ["late", None]


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ("10000000000000000001,10000000000000000002,", [10**19 + 1, 10**19 + 2, None]),
        ("123456789012345678901,-1,", ["123456789012345678901", "-1", None]),
        ("1e19,0.5,", [1e19, 0.5, None]),
    ],
)
def test_integers_in_csv_that_int64_cannot_hold_are_not_rounded(tmp_path, ids, found):
    path = tmp_path / "t.csv"
    path.write_text("x,id\n" + "".join(f"1,{one}\n" for one in ids.split(",")))
    assert rows(read_table(path))["id"] == found


def test_integers_with_zeros_in_front_are_text(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        'id,y,share,day,"code"\n007,0,0.5,2024-01-02,"01"\n,1,0.05,2024-01-02,10\n7,10,00.5,2024-01-02,\n'
    )
    found = rows(read_table(path))
    assert found["id"] == ["007", None, "7"]
    assert found["code"] == ["01", "10", None]
    assert found["y"] == [0, 1, 10]
    assert found["share"] == [0.5, 0.05, 0.5]
    with pytest.raises(
        DataError, match=r"got '007'\. Turn text into numbers: .*pandas\.read_csv\(path\) reads"
    ):
        ph.Feed(read_table(path), inputs="share", heads={"id": ph.Regression()})


@pytest.mark.parametrize("at", [0, 64, 1 << 17, 1 << 20])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_integers_with_zeros_in_front_are_found_in_any_row(tmp_path, name, at):
    first = b"day,id\n" + b"01/02/2024 05:30,10\n" * (at // 20)
    for number in range(3):
        text = first + b" " * number + b"2/02/2024,10\n3/02/2024,0010"
        (tmp_path / name).write_bytes(gzip.compress(text, 1) if name.endswith("gz") else text)
        table = read_table(tmp_path / name)
        assert table.read([0, len(table) - 1])["id"] == ["10", "0010"]


def test_csv_is_read_again_at_most_once(tmp_path, monkeypatch):
    calls = []
    real = text_files.csv.read_csv
    monkeypatch.setattr(
        text_files.csv, "read_csv", lambda *given, **how: (calls.append(given), real(*given, **how))[1]
    )
    path = tmp_path / "t.csv"
    path.write_text("a,b\ninf,1e300\n1,0.5\n")  # no integers
    assert rows(read_table(path)) == {"a": [float("inf"), 1.0], "b": [1e300, 0.5]}
    assert len(calls) == 1
    path.write_text(f"a,b\n{2**63 + 1},{2**64 + 1}\n")
    assert rows(read_table(path)) == {"a": [2**63 + 1], "b": [str(2**64 + 1)]}
    assert len(calls) == 3
    path.write_text(f"a,b\n{2**63 + 1},x\n1,{'y' * 5_000_000}\n")  # an entry of more than two blocks
    assert rows(read_table(path))["a"] == [2**63 + 1, 1]


def test_a_name_with_a_dot_beside_a_struct(tmp_path):
    table = pa.table({"a": [{"b": 1}], "a.b": [2]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert rows(read_table(tmp_path / "t.parquet")) == {"a": [{"b": 1}], "a.b": [2]}


def test_columns_are_converted_once_and_only_when_used(tmp_path, monkeypatch):
    calls = []
    real = table_files.column_of
    monkeypatch.setattr(table_files, "column_of", lambda data: (calls.append(data.type), real(data))[1])
    path = tmp_path / "t.parquet"
    write(path, "parquet")
    table = read_table(path)
    assert calls == []
    view = table.only(["size"])
    threads = [Thread(target=view.read, args=(np.array([0]),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert table.column("size") is view.column("size")
    assert calls == [pa.int16()]


def test_numbers_are_not_copied():
    values = np.arange(5)
    assert np.shares_memory(read_table(pa.table({"x": values})).column("x"), values)
    assert np.shares_memory(read_table(pd.DataFrame({"x": values}, copy=False)).column("x"), values)


def test_tensors_of_a_mapped_file_are_not_copied(tmp_path):
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(24.0).reshape(2, 3, 4))
    pa.feather.write_feather(pa.table({"x": tensors}), tmp_path / "t.arrow", compression="uncompressed")
    before = pa.total_allocated_bytes()
    found = read_table(tmp_path / "t.arrow").column("x")
    assert pa.total_allocated_bytes() == before
    assert np.array_equal(found, np.arange(24.0).reshape(2, 3, 4))


def test_large_tensors_stay_in_their_pieces(monkeypatch):
    monkeypatch.setattr("polyhead.columns.arrow.LIMIT_BYTES", 10)
    monkeypatch.setattr(lazy, "LIMIT_BYTES", 10)
    values = np.arange(24).reshape(6, 4)
    pieces = [
        pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(v)) for v in np.split(values, 3)
    ]
    table = read_table(pa.table({"x": pa.chunked_array(pieces)}))
    ids = np.array([5, 0, 3, 3])
    assert table.column("x") is None
    assert np.array_equal(table.read(ids)["x"], values[ids])


# Arrow types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype", "want"),
    [
        (pa.array([1, 2], pa.int8()), np.int8, [1, 2]),
        (pa.array([1, None], pa.int8()), np.float64, [1.0, None]),
        (pa.array([None, None], pa.int64()), np.float64, [None, None]),
        (pa.array([True, False]), np.bool_, [True, False]),
        (pa.array([1.5, None], pa.float32()), np.float32, [1.5, None]),
        (pa.array([np.float16(1.5), None], pa.float16()), np.float16, [1.5, None]),
        (pa.array([decimal.Decimal("1.5"), None]), np.float64, [1.5, None]),
        (pa.array([2**60 + 1], pa.decimal128(38, 0)), np.int64, [2**60 + 1]),
        (pa.array([10**30], pa.decimal128(38, 0)), np.float64, [1e30]),
        (pa.array([datetime.date(2020, 1, 2), None]), "M8[D]", [datetime.date(2020, 1, 2), None]),
        (pa.array([datetime.time(0, 1)], pa.time32("s")), "m8[s]", [datetime.timedelta(seconds=60)]),
        (
            pa.array([datetime.date(2020, 1, 2), None], pa.date64()),
            "M8[D]",
            [datetime.date(2020, 1, 2), None],
        ),
        (pa.array([datetime.timedelta(1), None]), "m8[us]", [datetime.timedelta(1), None]),
        (
            pa.array([datetime.datetime(2020, 1, 2)], pa.timestamp("us", "Europe/Berlin")),
            "M8[us]",
            [datetime.datetime(2020, 1, 2)],
        ),
        (pa.chunked_array([], pa.int32()), np.int32, []),
        (pa.array([[1, 2], [3, 4]], pa.list_(pa.int8(), 2)), np.int8, [[1, 2], [3, 4]]),
        (pa.array([[0, 0], [1, 2], [3, 4]], pa.list_(pa.int8(), 2))[1:], np.int8, [[1, 2], [3, 4]]),
        (pa.array([[[1], [2]]], pa.list_(pa.list_(pa.int8(), 1), 2)), np.int8, [[[1], [2]]]),
        (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8())), np.bool_, [True, False]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, (pa.Array, pa.ChunkedArray)) else "",
)
def test_arrow_to_arrays(data, dtype, want):
    found = from_arrow(data)
    assert found.dtype == np.dtype(dtype)
    assert plain(found) == want


BOOL8 = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([2, None], pa.int8()))


@pytest.mark.parametrize(
    ("data", "codes", "categories", "ordered"),
    [
        (pa.array(["b", None, "a", "b"]), [0, -1, 1, 0], ["b", "a"], False),
        (pa.array(["b", None], pa.large_string()), [0, -1], ["b"], False),
        (pa.array(["b", None], pa.string_view()), [0, -1], ["b"], False),
        (pa.chunked_array([["a", "b"], ["c", "a", None]]), [0, 1, 2, 0, -1], ["a", "b", "c"], False),
        (pa.chunked_array([], pa.string()), [], [], False),
        (pa.chunked_array([], pa.dictionary(pa.int8(), pa.string())), [], [], False),
        (
            pa.chunked_array(
                [pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]
            ),
            [0, 1, 2, 0],
            ["a", "b", "c"],
            False,
        ),
        (
            pa.DictionaryArray.from_arrays(
                pa.array([0, None, 1], pa.uint32()), pa.array([10, 20]), ordered=True
            ),
            [0, -1, 1],
            [10, 20],
            True,
        ),
        (
            pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int8()), pa.array(["x", None, "y"])),
            [0, -1, 1],
            ["x", "y"],
            False,
        ),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), [0, 0, 1], ["a", "b"], False),
        (pa.array([True, None]), [1, -1], (False, True), False),
        (BOOL8, [1, -1], (False, True), False),
    ],
)
def test_arrow_to_codes(data, codes, categories, ordered):
    found = from_arrow(data)
    assert found.codes.dtype == np.int32
    assert (found.codes.tolist(), found.categories, found.ordered) == (codes, categories, ordered)


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (pa.nulls(2), [None, None]),
        (pa.chunked_array([pa.nulls(2).dictionary_encode()]), [None, None]),
        (pa.array([2**60 + 1, None]), [2**60 + 1, None]),
        (pa.array([b"a", None]), [b"a", None]),
        (pa.array([b"ab", None], pa.binary(2)), [b"ab", None]),
        (pa.array([{"a": 1}, None]), [{"a": 1}, None]),
        (pa.array([["a", "b"], None]), [["a", "b"], None]),
        (pa.array([["a", "b"]], pa.list_(pa.string(), 2)), [["a", "b"]]),
        (pa.array([[[1.0, 2.0], [3.0]], []]), [[[1.0, 2.0], [3.0]], []]),
    ],
)
def test_arrow_to_lists(data, want):
    assert from_arrow(data) == want


LISTED = [[1], None, [2, 3], [], [4, 5]]


@pytest.mark.parametrize("kind", [pa.list_view, pa.large_list_view], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("item", [pa.int64(), pa.string()], ids=str)
def test_list_views_have_all_their_lists(kind, item):
    """pyarrow's cast to lists empties the last one."""
    rows = [row if row is None or item == pa.int64() else list(map(str, row)) for row in LISTED]
    array = pa.array(rows, kind(item))
    for data, want in (
        (array, rows),
        (array[2:], rows[2:]),
        (pa.chunked_array([array[:3], array[1:]]), rows[:3] + rows[1:]),
        (pa.chunked_array([], array.type), []),
    ):
        assert [None if row is None else list(row) for row in from_arrow(data)] == want


def test_list_views_may_overlap_in_any_order():
    views = pa.ListViewArray.from_arrays([1, 0, 1], [2, 2, 1], pa.array([7, 8, 9]))
    assert [row.tolist() for row in from_arrow(views)] == [[8, 9], [7, 8], [8]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_categories_that_are_floats_are_numbers(dtype):
    """pyarrow joins dictionaries of float16 to others than they had."""
    parts = [
        pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(np.array(some, dtype)))
        for codes, some in (([0, 1, 0], [0.5, 1.5]), ([1, None], [0.5, 2.5]))
    ]
    np.testing.assert_array_equal(from_arrow(pa.chunked_array(parts)), [0.5, 1.5, 0.5, 2.5, np.nan])


BOXES = [[[1.0, 2.0, 3.0, 4.0]], None, [], [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]]


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.list_(pa.float64())),
        pa.list_(pa.list_(pa.float64(), 4)),
        pa.large_list(pa.list_(pa.float64())),
    ],
)
@pytest.mark.parametrize("start", [0, 1, 3])
def test_boxes_become_matrices(kind, start):
    found = from_arrow(pa.array(BOXES, kind)[start:])
    assert [None if v is None else v.shape for v in found] == [(1, 4), None, (0, 4), (2, 4)][start:]
    assert [None if v is None else v.tolist() for v in found] == BOXES[start:]


@pytest.mark.skipif(not hasattr(pa, "uuid"), reason="this version of pyarrow has no UUID")
def test_uuids_are_text():
    ids = [uuid.UUID(int=2**127 + 5), None]
    assert from_arrow(pa.array([one and one.bytes for one in ids], pa.uuid())) == [str(ids[0]), None]


DAY, NOON = datetime.date(2024, 3, 1), datetime.datetime(2024, 3, 1, 12)


@pytest.mark.parametrize(
    ("items", "kind", "want"),
    [
        ([DAY, None], pa.date32(), [DAY, None]),
        ([NOON, None], pa.timestamp("ns"), [NOON, None]),
        ([NOON, None], pa.timestamp("us", "Asia/Tokyo"), [NOON, None]),
        ([datetime.time(1), None], pa.time64("us"), [datetime.timedelta(hours=1), None]),
        ([datetime.timedelta(1), None], pa.duration("ns"), [datetime.timedelta(1), None]),
    ],
    ids=lambda value: str(value) if isinstance(value, pa.DataType) else "",
)
def test_times_in_lists_are_those_of_python(items, kind, want, tmp_path):
    """Rows of one length too: a store takes Python's times in lists, and classes are found by their hash."""
    for rows in ([items, [], None, items[:1]], [items, items]):
        expected = [None if row is None else want[: len(row)] for row in rows]
        assert from_arrow(pa.array(rows, pa.list_(kind))) == expected
        if [] not in rows:
            assert from_arrow(pa.array([*rows, None], pa.list_(kind, 2))) == [*expected, None]
        store = ph.pack(
            {"x": pa.array(rows, pa.list_(kind))}, tmp_path / f"{len(rows)}.store", progress=False
        )
        assert store.read(range(len(rows)))["x"] == expected


def test_lists_in_pieces():
    found = from_arrow(pa.chunked_array([[[1]], [[2, 3], None, []]]))
    assert [None if v is None else v.tolist() for v in found] == [[1], [2, 3], None, []]


def test_null_rows_of_fixed_lists():
    small = from_arrow(pa.array([[1, 2], None], pa.list_(pa.int32(), 2)))
    assert small[0].tolist() == [1, 2]
    assert np.isnan(small[1]).all()
    large = from_arrow(pa.array([None, [7] * 1024], pa.list_(pa.uint8(), 1024)))
    assert large[0] is None
    assert (large[1].dtype, large[1].tolist()) == (np.uint8, [7] * 1024)
    holes = from_arrow(pa.array([[1, None], None], pa.list_(pa.float32(), 2)))
    assert (holes.dtype, np.isnan(holes).tolist()) == (np.float32, [[False, True], [True, True]])


def test_tensors_keep_their_shape_and_order_of_axes():
    values = np.arange(12).reshape(2, 2, 3)
    assert np.array_equal(from_arrow(pa.FixedShapeTensorArray.from_numpy_ndarray(values)), values)
    turned = pa.FixedShapeTensorArray.from_numpy_ndarray(values.transpose(0, 2, 1))
    assert turned.type.permutation == [1, 0]
    assert np.array_equal(from_arrow(turned), values.transpose(0, 2, 1))


# pandas and polars ---------------------------------------------------------------------------------


def test_categories_of_pandas_keep_their_order():
    series = pd.Series(pd.Categorical(["mid", None, "low"], categories=["low", "mid", "high"]))
    for values in (series, series.array, pd.CategoricalIndex(series)):
        found = from_series(values)
        assert (found.codes.tolist(), found.categories, found.ordered) == (
            [1, -1, 0],
            ["low", "mid", "high"],
            True,
        )


@pytest.mark.parametrize(
    ("series", "want"),
    [
        (pd.Series([1, 2], index=[0.5, 1.5]), [1, 2]),
        (pd.Series([1, None], dtype="Int64"), [1.0, None]),
        (pd.Series([True, None], dtype="boolean"), [1.0, None]),
        (pd.array([1, None], dtype="Int8"), [1.0, None]),
        (pd.Series([1, None, "a"], dtype=object), [1, None, "a"]),
        (pd.Series([1, pd.NA], dtype=object), [1.0, None]),
        (pd.Series([2**70, 1], dtype=object), [2**70, 1]),
        (pd.Series(["a", np.nan], index=[0.5, 1.5], dtype=object), ["a", None]),
        (pd.Series([{1}, None], dtype=object), [{1}, None]),
        (pd.Series([0.0, 1.0], dtype="Sparse[float]"), [0.0, 1.0]),
        (pd.Index([3, 4]), [3, 4]),
        (pd.Series(pd.to_datetime(["2020-01-01", None]).as_unit("s")), [datetime.datetime(2020, 1, 1), None]),
        (
            pd.Series(pd.to_datetime(["2020-01-01"]).as_unit("us").tz_localize("UTC")),
            [datetime.datetime(2020, 1, 1)],
        ),
        # bins have names
        (pd.Series(pd.cut([1, 5, np.nan], [0, 2, 9])), ["(0, 2]", "(2, 9]", None]),
        (pd.Series(pd.cut([5, np.nan], [0, 2, 9])).astype(object), ["(2, 9]", None]),
        (pd.arrays.IntervalArray.from_tuples([(0, 2), None]), ["(0.0, 2.0]", None]),
        (pl.Series([1, None]), [1.0, None]),
        (pl.Series(["a", None]), ["a", None]),
        (pl.Series([b"a"]), [b"a"]),
        (pl.Series([{1}], dtype=pl.Object), [{1}]),
        (pl.Series([[1.0, 2.0]], dtype=pl.Array(pl.Float32, 2)), [[1.0, 2.0]]),
        (pa.array([1, 2]), [1, 2]),
    ],
)
def test_series(series, want):
    assert plain(from_series(series)) == want


def test_a_period_is_the_time_at_which_it_begins():
    for column in (
        pd.Series(pd.PeriodIndex(["2020-02", None], freq="M")),
        pd.PeriodIndex(["2020-02", None], freq="M"),
    ):
        found = np.asarray(from_series(column)).astype("M8[D]")
        assert found.tolist() == [datetime.date(2020, 2, 1), None]


def test_arrays_in_objects_stay_arrays():
    found = from_series(pd.Series([np.zeros((2, 4)), None, np.zeros((0, 4))]))
    assert [None if v is None else v.shape for v in found] == [(2, 4), None, (0, 4)]
    assert from_series(pd.Series([np.zeros((2, 3)), np.ones((2, 3))])).shape == (2, 2, 3)


def test_polars_categories():
    enum = from_series(pl.Series(["b", None, "a"], dtype=pl.Enum(["b", "a"])))
    assert (enum.codes.tolist(), enum.categories, enum.ordered) == ([0, -1, 1], ["b", "a"], True)
    found = from_series(pl.Series(["b", None, "a"], dtype=pl.Categorical))
    assert (found.values().tolist(), found.ordered) == (["b", None, "a"], False)


def test_a_frame_as_one_column_is_a_matrix():
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    assert from_series(frame).tolist() == [[1, 3], [2, 4]]
    assert from_series(pl.from_pandas(frame)).tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize("values", [[1], np.arange(2), "a", None, {"a": 1}, pa.scalar(1), TABLE])
def test_from_series_leaves_the_rest_alone(values):
    assert from_series(values) is None


def test_is_table():
    class Mine(pd.DataFrame):
        pass

    assert [is_table(t) for t in (TABLE, TABLE.to_batches()[0], pl.DataFrame(), pl.LazyFrame(), Mine())] == [
        True
    ] * 5
    assert [is_table(t) for t in (pd.Series([1]), pl.Series([1]), pa.array([1]), {}, [1], "a", None)] == [
        False
    ] * 7


def test_columns_named_by_numbers_become_strings():
    assert read_table(pd.DataFrame(np.zeros((2, 2)))).columns == ("0", "1")


def test_no_library_is_imported_that_is_not_used():
    code = (
        "import sys; from polyhead.sources.tables import is_table; from polyhead.columns.frames import from_series; "
        "assert not is_table([1]) and from_series([1]) is None; "
        "bad = {'pandas', 'polars', 'pyarrow', 'h5py', 'zarr'} & set(sys.modules); assert not bad, bad"
    )
    isolated = (
        "import sys, types, pathlib; import importlib.util as u; "
        "package = types.ModuleType('polyhead'); "
        "package.__path__ = [str(pathlib.Path(u.find_spec('polyhead').origin).parent)]; "
        "sys.modules['polyhead'] = package; "
    )
    subprocess.run([sys.executable, "-c", isolated + code], check=True)


# errors --------------------------------------------------------------------------------------------


def test_paths_that_name_no_file_directly(tmp_path, monkeypatch):
    monkeypatch.setenv("TABLES", str(tmp_path))
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone.csv")
    for path, fix in {
        "$TABLES/a.csv": "Give the whole path: os.path.expandvars(path).",
        tmp_path / "link.csv": f"It is a link to {tmp_path / 'gone.csv'}, which is not there.",
        "s3://tables/a.csv": "Files are read from disk: give a plain path, or the frame from "
        "pandas.read_csv(address).",
    }.items():
        with pytest.raises(DataError) as error:
            ph.read_table(path)
        assert str(error.value).endswith(f"got nothing at this path. {fix}")


def test_no_such_file(tmp_path):
    (tmp_path / "train.parquet").touch()
    path = tmp_path / "trian.parquet"
    assert message(lambda: read_table(path)) == (
        f"file {path}: expected a file or a folder of Parquet files, got nothing at this path. "
        "Did you mean `train.parquet`?"
    )
    path = tmp_path / "none" / "a.csv"
    assert message(lambda: read_table(path)) == (
        f"file {path}: expected a file or a folder of Parquet files, got nothing at this path. "
        f"There is no folder {tmp_path / 'none'} either."
    )


@pytest.mark.parametrize(
    ("name", "ending", "fix"),
    [
        ("a.xlsx", ".xlsx", "Pass the frame from pandas.read_excel(path)."),
        ("a.jsonl", ".jsonl", "Pass the frame from pandas.read_json(path, lines=True)."),
        ("a.H5", ".H5", "Give its arrays as columns: h5py.File(path), or a dict of them."),
        ("a.tar", ".tar", "Unpack it: ph.read_folder(folder) reads images, and ph.read_table(file) a table."),
        (
            "a.tfrecord",
            ".tfrecord",
            "Read it with tf.data: dataset = tf.data.TFRecordDataset(path).map(parse).batch(32), then "
            "ph.from_generator(dataset.as_numpy_iterator, length=rows).",
        ),
        ("a", "no extension", "Read it with pandas or polars and pass the frame."),
    ],
)
def test_unknown_ending(tmp_path, name, ending, fix):
    (tmp_path / name).touch()
    assert message(lambda: read_table(tmp_path / name)) == (
        f"file {tmp_path / name}: expected a name that ends in .parquet, .pq, .csv, .tsv, .arrow, "
        f".feather or .ipc, got {ending}. {fix}"
    )


def test_several_tables(tmp_path):
    pattern = tmp_path / "*.parquet"
    assert message(lambda: read_table(pattern)).endswith(
        "got nothing at this path. Give the folder of the Parquet files, or join tables: "
        "ph.read_table(a).concat(ph.read_table(b))."
    )
    assert message(lambda: read_table(["a.parquet", "b.parquet"])).endswith(
        "got a list. Join tables: read_table(a).concat(read_table(b))."
    )


def test_text_in_utf_16(tmp_path):
    (tmp_path / "a.csv").write_bytes("x,y\n1,2\n".encode("utf-16"))
    assert message(lambda: read_table(tmp_path / "a.csv")) == (
        f"file {tmp_path / 'a.csv'}: expected text in UTF-8, got UTF-16. "
        'Pass the frame from pandas.read_csv(path, encoding="utf-16").'
    )


def test_names_of_several_levels():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", "x"), ("b", "y")]))
    assert message(lambda: read_table(frame)) == (
        "pandas DataFrame: expected one name for each column, got names of 2 levels, as [('a', 'x')]. "
        'Join them: frame.columns = ["_".join(map(str, name)) for name in frame.columns].'
    )
    frame.columns = ["_".join(map(str, name)) for name in frame.columns]
    assert read_table(frame).columns == ("a_x", "b_y")


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.arrow"])
def test_empty_file(tmp_path, name):
    (tmp_path / name).touch()
    assert message(lambda: read_table(tmp_path / name)) == (
        f"file {tmp_path / name}: expected a table, got an empty file."
    )


def test_unreadable_file(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"this is not a table at all")
    assert message(lambda: read_table(path)) == (
        f"file {path}: expected a readable table, got ArrowInvalid: Parquet magic bytes not found in footer. "
        "Either the file is corrupted or this is not a parquet file."
    )
    for name in ("b.arrow", "b.csv.gz", "b.feather"):
        (tmp_path / name).write_bytes(b"this is not a table at all")
        assert message(lambda: read_table(tmp_path / name)).startswith(  # noqa: B023
            f"file {tmp_path / name}: expected a readable table, got "
        )


def test_a_column_that_cannot_be_read_raises_the_same_error_each_time():
    dates = pa.Array.from_buffers(pa.date64(), 1, [None, pa.py_buffer(np.array([1]))])  # no whole day
    source = read_table(pa.table({"day": dates}))
    for _ in range(2):
        with pytest.raises(pa.ArrowInvalid, match="Casting from date64"):
            source.read([0])


class WatchedLock:
    """A lock that says when a thread has to wait for it."""

    def __init__(self, waits):
        self._lock, self._waits = Lock(), waits

    def __enter__(self):
        if not self._lock.acquire(blocking=False):
            self._waits.set()
            self._lock.acquire()

    def __exit__(self, *error):
        self._lock.release()


def test_threads_read_a_file_with_many_columns_once(tmp_path, monkeypatch):
    names = [f"c{i}" for i in range(table_files.MANY + 1)]
    pq.write_table(pa.table({name: [1, 2] for name in names}), tmp_path / "t.parquet")
    second, reads, read = Event(), [], pq.ParquetFile.read
    monkeypatch.setattr(table_files, "Lock", lambda: WatchedLock(second))
    source = read_table(tmp_path / "t.parquet")
    other = Thread(target=lambda: source.only(["c1"]).read([0]))

    def watched(file, **how):
        reads.append(file)
        if len(reads) == 1:
            other.start()
            assert second.wait(240)  # it waits for this reading, or reads as well
        second.set()
        return read(file, **how)

    monkeypatch.setattr(pq.ParquetFile, "read", watched)
    assert source.only(["c0"]).read([1])["c0"].tolist() == [2]
    other.join()
    assert len(reads) == 1


def test_a_pointer_of_git_lfs_is_no_table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n")
    assert message(lambda: read_table(path)) == (
        f"file {path}: expected a table, got a pointer of Git LFS. Run git lfs pull."
    )


def test_csv_with_an_entry_larger_than_a_block(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,x\n" + "z" * 3_000_000 + ",1\nb,2\n")
    assert [len(one) for one in rows(read_table(path))["text"]] == [3_000_000, 1]


def test_csv_with_a_row_too_long(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n1,2,3\n")
    assert message(lambda: read_table(path)) == (
        f"file {path}: expected a readable table, got ArrowInvalid: CSV parse error: Row #3: Expected "
        "2 columns, got 3: 1,2,3."
    )
    path.write_text("# made by hand\na,b\n1,2\n")
    assert message(lambda: read_table(path)).endswith("Leave out the lines above the names of the columns.")


def test_a_file_that_changes_after_it_was_opened(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path)
    table = read_table(path)
    pq.write_table(TABLE.slice(1), path)
    assert message(lambda: table.column("age")) == (
        f"file {path}, column `age`: expected 3 rows, as when the file was opened, got 2."
    )
    path.unlink()
    found = message(lambda: table.column("kind"))
    assert found.startswith(f"file {path}: expected a readable table, got FileNotFoundError")


def test_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n")
    assert message(lambda: read_table(tmp_path / "a.csv")) == (
        f"file {tmp_path / 'a.csv'}: expected at least one row, got none."
    )
    assert (
        message(lambda: read_table(TABLE.slice(0, 0))) == "Arrow table: expected at least one row, got none."
    )
    assert message(lambda: read_table(pd.DataFrame({"a": []}))) == (
        "pandas DataFrame: expected at least one row, got none."
    )


def test_no_columns():
    assert message(lambda: read_table(pd.DataFrame(index=range(3)))) == (
        "pandas DataFrame: expected at least one column, got none."
    )
    assert message(lambda: read_table(pl.DataFrame(), columns=[])) == (
        "polars DataFrame: expected at least one column, got none."
    )


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow"])
def test_a_missing_column(tmp_path, name):
    write(tmp_path / name, {"t.csv": "csv", "t.parquet": "parquet", "t.arrow": "file"}[name])
    assert message(lambda: read_table(tmp_path / name, columns=["size", "knid"])) == (
        f"file {tmp_path / name}, column `knid`: expected one of the columns age, kind, size, got no such "
        "column. Did you mean `kind`?"
    )


def test_missing_columns_of_a_lazy_frame_are_named_at_once():
    known = "expected one of the columns age, kind, size, got no such column."
    assert message(lambda: read_table(pl.from_arrow(TABLE).lazy(), columns=["agge", "zzz"])) == (
        "2 problems:\n"
        f"  1. polars DataFrame, column `agge`: {known} Did you mean `age`?\n"
        f"  2. polars DataFrame, column `zzz`: {known}"
    )


def test_columns_of_one_name(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,a\n1,2,3\n")
    assert message(lambda: read_table(tmp_path / "a.csv")) == (
        f"file {tmp_path / 'a.csv'}: expected columns with different names, got `a` 2 times. "
        "Rename the columns."
    )
    (tmp_path / "a.csv").write_text("5,0,0\n4,0,1\n")
    assert message(lambda: read_table(tmp_path / "a.csv")).endswith(
        "got `0` 2 times. If the first line has values, not names, pass the frame from "
        "pandas.read_csv(path, header=None)."
    )
    assert len(read_table(pd.read_csv(tmp_path / "a.csv", header=None))) == 2
    frame = pd.DataFrame([[1, 2, 3]], columns=[1, "1", "x"])
    assert message(lambda: read_table(frame)) == (
        "pandas DataFrame: expected columns with different names, got `1` 2 times. Rename the columns."
    )


def test_a_folder_without_tables(tmp_path):
    assert message(lambda: read_table(tmp_path)) == (
        f"file {tmp_path}: expected a folder of Parquet files, got an empty folder."
    )
    (tmp_path / "cats").mkdir()
    assert message(lambda: read_table(tmp_path)) == (
        f"file {tmp_path}: expected a folder of Parquet files, got no file that ends in .parquet or .pq."
    )
    (tmp_path / "cats" / "b.csv.gz").write_bytes(b"")
    (tmp_path / "cats" / "a.CSV").write_bytes(b"")
    assert message(lambda: read_table(tmp_path)).endswith(
        "got no file that ends in .parquet or .pq. "
        "Name a file of it, as a.CSV; join several: ph.read_table(a).concat(ph.read_table(b))."
    )
    (tmp_path / "cats" / "1.JPG").write_bytes(b"")
    assert message(lambda: read_table(tmp_path)).endswith(f'Images are read by ph.read_folder("{tmp_path}").')


def test_a_folder_whose_files_differ_is_refused_by_file_and_column(tmp_path):
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [1.5], "c": [2]}), tmp_path / "2.parquet")
    second, first = tmp_path / "2.parquet", tmp_path / "1.parquet"
    fix = "Write the files with one schema, or read them one by one and concat them."
    assert message(lambda: read_table(tmp_path)).splitlines() == [
        "3 problems:",
        f"  1. file {second}, column `a`: expected int64, as in {first}, got double. {fix}",
        f"  2. file {second}, column `b`: expected string, as in {first}, got no such column. {fix}",
        f"  3. file {second}, column `c`: expected no such column, as in {first}, got int64. {fix}",
    ]


def test_another_type():
    assert message(lambda: read_table([1, 2])) == (
        "read_table(data): expected a path, a pyarrow table, a pandas or polars frame, or a mapping of arrays, "
        "got a list."
    )
    for column in (pa.array([1, 2]), pa.chunked_array([[1], [2]])):
        fix = f"got '{type(column).__name__}'. Name each column: {{\"label\": data}}."
        assert message(partial(read_table, column)) == f"Arrow table: expected columns with names, {fix}"
    assert message(lambda: read_table(pa.dataset.dataset(TABLE))).endswith("Give data.to_table().")
    assert message(lambda: read_table(io.StringIO("a\n1\n"))).endswith(
        "Give its path, or pandas.read_csv(file)."
    )


def test_a_mapping_of_arrays():
    source = read_table({"a": np.arange(6), "b": np.zeros((6, 2))}, columns=["b", "a"])
    assert source.columns == ("b", "a")
    assert [len(part) for part in source.split((0.5, 0.5))] == [3, 3]


def test_series_are_columns_of_arrays():
    source = Arrays(
        {"a": pd.Series([1, None], dtype="Int64"), "b": pl.Series(["x", None]), "c": TABLE["size"][:2]}
    )
    assert rows(source) == {"a": [1.0, None], "b": ["x", None], "c": [1, 2]}
    assert isinstance(read_table(TABLE), Table)


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_table_of_many_columns_opens_in_time_with_them(tmp_path, ending):
    """The work of each column does not grow with their number: counted in comparisons of names, not in seconds."""

    class Name(str):
        __slots__ = ()
        compared = 0

        def __eq__(self, other):
            Name.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    from polyhead.sources.table_files import Opened
    from polyhead.sources.tables import _table

    names = [Name(f"c{i}") for i in range(3000)]
    found = _table(Opened("table", names, 1, lambda at: np.zeros(1)), None)
    found.only([Name(f"c{i}") for i in range(3000)])
    assert len(found.columns) == 3000
    assert Name.compared < 10 * len(names)
    sep = {"csv": ",", "tsv": "\t"}[ending]
    path = tmp_path / f"wide.{ending}"
    path.write_text("\n".join(sep.join(row) for row in (names, ["1"] * 3000)))
    assert len(read_table(path).columns) == 3000
    with pytest.raises(DataError) as caught:
        read_table(path, columns=["c1", "no"])
    assert "c38, c39, … (3,000 in all), got no such column." in str(caught.value)


def test_text_that_is_not_utf_8_is_no_column_of_bytes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("kind,n\ncafé,1\n".encode("latin-1"))
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert str(caught.value) == (
        f"file {path}: expected text in UTF-8, got other bytes in `kind`. Save it as UTF-8, or pass the frame "
        "from pandas.read_csv(path, encoding=...)."
    )
    path.write_bytes("\ufeffkind,n\ncafé,1\n".encode())
    assert read_table(path).read([0])["kind"] == ["café"]


def test_a_parquet_file_of_many_columns_is_read_at_once(tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    names = [f"c{i}" for i in range(100)]
    table = pa.table({name: [i, None] for i, name in enumerate(names)})
    pq.write_table(table, tmp_path / "a.parquet")
    opened = []
    real = pq.ParquetFile
    monkeypatch.setattr(pq, "ParquetFile", lambda *args, **more: opened.append(args) or real(*args, **more))
    rows = read_table(tmp_path / "a.parquet")
    found = rows.read([0])
    assert [found[name][0] for name in names] == list(range(100))
    assert len(opened) == 2  # its description, and all of it
    assert rows.only(["c7"]).read([0])["c7"].tolist() == [7]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float64())),
        ([[1, 2], [3, 4], [5, 6]], pa.large_list(pa.uint8())),
        ([[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]], pa.list_(pa.list_(pa.float32()))),
    ],
)
@pytest.mark.parametrize("begin", [0, 1])
def test_lists_of_one_length_lie_in_one_array(rows, kind, begin):
    found = from_arrow(pa.array(rows, kind)[begin:])
    assert found.array.tolist() == rows[begin:]
    assert [row.tolist() for row in found] == rows[begin:]


@pytest.mark.parametrize("rows", [[[1, 2], None], [[1], [2, 3]], [[], []], [[1, None], [2, 3]]])
def test_other_lists_are_lists_of_arrays(rows):
    found = from_arrow(pa.array(rows, pa.list_(pa.float32())))
    assert [None if row is None else np.nan_to_num(row, nan=-1).tolist() for row in found] == [
        None if row is None else [-1 if v is None else v for v in row] for row in rows
    ]
    assert (getattr(found, "array", None) is None) == (rows not in ([[1, None], [2, 3]],))


def test_lists_in_a_file_are_as_arrays_in_memory(tmp_path):
    """Lists of one length become the arrays that a user would give; labels by number stay lists of numbers."""
    rng = np.random.default_rng(0)
    vectors, targets = rng.random((40, 6), dtype=np.float32), rng.normal(size=(40, 128))
    labels = [sorted(rng.choice(5, 2, replace=False).tolist()) for _ in range(40)]
    lists = {"x": vectors.tolist(), "y": targets.tolist(), "labels": labels}
    types = {"x": pa.float32(), "y": pa.float64(), "labels": pa.int64()}
    table = pa.table({name: pa.array(lists[name], pa.list_(kind)) for name, kind in types.items()})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=16)
    heads = {"y": ph.Embedding(128), "labels": ph.MultiLabel(5)}
    arrays = {"x": vectors, "y": targets, "labels": labels}
    feeds = [
        ph.Feed(data, inputs={"x": ph.Array()}, heads=heads, batch_size=7, shuffle=True)
        for data in (tmp_path / "rows.parquet", arrays)
    ]
    for one, other in zip(*(feed.batches() for feed in feeds), strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        np.testing.assert_array_equal(one.inputs["x"], other.inputs["x"])
        for name in heads:
            np.testing.assert_array_equal(one.labels[name], other.labels[name])
            assert (one.weights[name] == 1).all()
        multi_hot = [[k in labels[i] for k in range(5)] for i in one.ids]
        np.testing.assert_array_equal(one.labels["labels"], multi_hot)


def test_a_wrong_number_in_a_list_of_a_file_has_its_row(tmp_path):
    rows = [[1.0, 2.0], [3.0, float("inf")], [5.0, 6.0]]
    pq.write_table(pa.table({"x": pa.array(rows, pa.list_(pa.float64()))}), tmp_path / "rows.parquet")
    feed = ph.Feed(tmp_path / "rows.parquet", inputs={"x": ph.Array()}, heads={})
    with pytest.raises(ph.DataError, match=r"input `x`, row 1: expected finite numbers"):
        list(feed)


def test_a_list_of_rows_is_a_table():
    rows = [{"age": 31, "kind": "cat"}, {"age": None, "kind": "dog"}, {"kind": "cat", "more": 1}]
    table = read_table(rows)
    assert table.columns == ("age", "kind", "more")
    assert table.read([2, 0])["kind"] == ["cat", "cat"]
    assert read_table(rows, columns=["kind"]).columns == ("kind",)
    feed = ph.Feed(rows, inputs={"kind": ph.Array(column="more", fill=0.0)}, heads={"age": ph.Regression()})
    assert (len(feed.source), feed.describe().heads[0].labeled) == (3, 1)
    for odd, at in (("Age ", 0), ("AGE", 2)):
        named = [{odd if i == at else "age": i} for i in range(3)]
        expected = f"data, row {at}: expected a value 'age', as in other rows, got '{odd}'. Name it alike in all rows."
        assert message(lambda named=named: read_table(named)) == expected
    assert read_table([{"t": 1, "T": 2}, {"T": 3}]).columns == ("t", "T")
    assert message(lambda: read_table(({"x": [1, 2]}, {"y": [0, 1]}))) == (
        "data: expected a dict of columns, or a list of rows with the same names, got 2 dicts that share no name. "
        "If they are columns, join them: {**inputs, **labels}."
    )
    assert len(read_table([{"t": 1}, {}])) == 2


@pytest.mark.parametrize(
    ("name", "content", "fix"),
    [
        ("a.csv", b"x;y\n1,5;0\n", 'pandas.read_csv(path, sep=";").'),
        ("a.csv", b"x\ty\n1,5\t0\n", r'pandas.read_csv(path, sep="\t").'),
        ("a.csv", "größe,y\n1,0\n".encode("latin-1"), "pandas.read_csv(path, encoding=...)."),
        ("a.npz", b"", "Give its arrays as columns: np.load(path), or a dict of them."),
    ],
)
def test_files_that_another_library_reads(tmp_path, name, content, fix):
    (tmp_path / name).write_bytes(content)
    assert message(lambda: read_table(tmp_path / name).read([0])).endswith(fix)


@pytest.mark.parametrize("columns", [None, ["kind"]])
@pytest.mark.parametrize(("name", "mark"), [("a.csv", ";"), ("a.csv", "\t"), ("a.csv", "|"), ("a.tsv", ",")])
def test_another_separator_is_told_by_the_only_column(tmp_path, name, mark, columns):
    (tmp_path / name).write_text(f"kind{mark}price\nflat{mark}1.5\n")
    delimiter = '","' if name == "a.csv" else r'"\t"'
    sep = {"\t": r'"\t"'}.get(mark, f'"{mark}"')
    assert message(lambda: read_table(tmp_path / name, columns=columns)) == (
        f"file {tmp_path / name}: expected columns separated by {delimiter}, as its extension says, got a single one, "
        f"{f'kind{mark}price'!r}. Pass the frame from pandas.read_csv(path, sep={sep})."
    )


@pytest.mark.parametrize("text", ["a; b\none\ntwo\n", "a; b\n", "a; b\n\n", "a|b\n1\n2\n"])
def test_a_mark_in_the_name_of_the_only_column_is_no_separator(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    try:
        found = read_table(tmp_path / "a.csv").columns
    except ph.DataError as error:
        assert "expected at least one row" in str(error)  # noqa: PT017
    else:
        assert found == (text.partition("\n")[0],)


@pytest.mark.parametrize(
    ("name", "text", "row", "entry"),
    [
        ("a.csv", 'n,text\n1,a\n2,"b\n3,c\n', 1, "b\n3,c\n"),
        ("a.tsv", 'n\ttext\n1\t"a\n2\tb\n3\tc"\n4\td\n', 0, "a\n2\tb\n3\tc"),
        ("b.csv", 'n,text\n1,5"\n2,"a, b\nc"\n', -1, ""),
        ("c.csv", 'n,text\n1,5"\n2,"a\n"\n', -1, ""),
        ("b.tsv", 'n\ttext\n1\t5"\n2\t"a\nb"\n', -1, ""),
        ("c.tsv", 'n\ttext\n1\ta\n2\t"b\n3\tc\n', 1, "b\n3\tc\n"),
        ("d.csv", 'n,text\n1,a\n2,"Dear all,\nthis\nis text\n"\n', -1, ""),
        ("d.tsv", 'n\ttext\n1\ta\n2\t"if x:\n\ty\nz\n"\n', -1, ""),
    ],
)
def test_rows_that_a_quote_joins_are_told(tmp_path, recwarn, name, text, row, entry):
    (tmp_path / name).write_text(text)
    assert len(read_table(tmp_path / name)) == 2
    sep = json.dumps("," if name.endswith("csv") else "\t")
    assert [str(told.message) for told in recwarn] == [
        f"file {tmp_path / name}, column `text`, row {row}: expected an entry of one row, got several, joined by a "
        f"quote: {entry!r}. If quotes belong to the text, pass the frame from pandas.read_csv(path, sep={sep}, "
        "quoting=3)."
    ] * (row >= 0)
    frame = pd.read_csv(tmp_path / name, sep=json.loads(sep), quoting=3) if row >= 0 else None
    assert frame is None or len(read_table(frame)) == text.count("\n") - 1


@pytest.mark.parametrize("line", ["5.1,0.2,setosa\n", "a.png,cat\n", "7\tcat\n", "cat,Bern\n"])
def test_values_in_place_of_names_are_told(tmp_path, line):
    path = tmp_path / ("a.tsv" if "\t" in line else "a.csv")
    path.write_text(line + line.replace("a.png", "b.png"))
    with pytest.warns(
        ph.PolyheadWarning, match="expected names of columns in the first line, got values,"
    ) as caught:
        assert len(read_table(path)) == 1
    code = str(caught[0].message).split("pass the frame from ")[1].removesuffix(".")
    assert len(read_table(eval(code, {"pandas": pd, "path": path}))) == 2


@pytest.mark.parametrize(
    "text",
    [
        "400.5,401\n1,2\n",
        "word\nword\na\n",
        "word,kind\nword,noun\n",
        "n,cat\n1,cat\n",
        "1,cat\n2,dog\n",
        "cat,dog\n1,0\n",
    ],
)
def test_names_that_may_be_values_are_not(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    read_table(tmp_path / "a.csv")


def test_the_text_that_keeps_a_column_from_being_numbers_comes_first(tmp_path):
    (tmp_path / "a.csv").write_text("x,price\n1,1.5\n2,2.5\n3,?\n4,3.5\n")
    assert message(
        lambda: ph.Feed(tmp_path / "a.csv", inputs="x", heads={"price": ph.Regression()})
    ).splitlines() == [
        "2 problems:",
        "  1. head `price`, row 2: expected a number, got '?'. If it means that there is none, give "
        'pandas.to_numeric(column, errors="coerce").',
        "  2. head `price`, row 0: expected a number, got '1.5'. Turn text into numbers: np.asarray(column, float). "
        "Likewise row 1; row 3.",
    ]


def test_a_mask_whose_index_has_another_order():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [3.0, 1.0, 2.0]}, index=[10, 11, 12])
    rows, mask = read_table(frame), frame["x"].sort_values() > 1
    assert message(lambda: rows.select(mask)) == (
        "rows: expected the index of the frame, in its order, got the same in another order. "
        "Align them, rows.loc[frame.index], or give values without index: rows.to_numpy()."
    )
    for fitting in (mask.loc[frame.index], frame["x"] > 1, (frame["x"] > 1).reset_index(drop=True)):
        assert rows.select(fitting).read([0, 1])["x"].tolist() == [3.0, 2.0]
    other = pandas.Series([True, False, True], index=[12, 13, 14])
    words = (
        "rows: expected the index of the frame, got one with only 1 of its 3 labels; rows are matched by position. "
        "To match them by label: rows.reindex(frame.index, fill_value=False). "
        "If positions are right, give rows.to_numpy()."
    )
    with pytest.warns(ph.PolyheadWarning) as warned:
        assert rows.select(other).read([0, 1])["x"].tolist() == [3.0, 2.0]
    assert [str(one.message) for one in warned] == [words]
    assert rows.select(other.reindex(frame.index, fill_value=False)).read([0])["x"].tolist() == [2.0]


def test_labels_of_a_shuffled_frame_are_no_row_numbers():
    frame = pd.DataFrame({"x": [0.0, 1, 2, 3]}).iloc[[2, 0, 3, 1]]
    table = read_table(frame)
    assert message(lambda: table.select(frame.index[:2])) == (
        "rows: expected row numbers of the frame, got labels of its index: 2 is row 0. Give row numbers, "
        "frame.index.get_indexer(rows); if they are, rows.to_numpy()."
    )
    assert table.select(frame.index.get_indexer([2])).read([0])["x"].tolist() == [2]
    assert read_table(frame.reset_index()).select(frame.index[:2]).read([0])["x"].tolist() == [3]
