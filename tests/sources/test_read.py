"""What `read` of a source gives and takes: plain values, and ids in whatever form they are at hand."""

import numpy as np
import pytest

import polyhead as ph

pandas = pytest.importorskip("pandas", reason="pandas is not installed")

WORDS = ["cat", None, "dog", "cat"]


def tables(folder):
    frame = pandas.DataFrame({"n": range(4), "kind": WORDS})
    frame.to_parquet(folder / "a.parquet")
    frame.to_csv(folder / "a.csv", index=False)
    category = frame.assign(kind=frame["kind"].astype("category"))
    rows = ph.read_table(frame)
    store = ph.pack(rows, folder / "rows.store", progress=False)
    return {
        "a frame": rows,
        "a category": ph.read_table(category),
        "parquet": ph.read_table(folder / "a.parquet"),
        "csv": ph.read_table(folder / "a.csv"),
        "a dict": ph.read_table({"n": np.arange(4), "kind": WORDS}),
        "select": rows.select([0, 1, 2, 3]),
        "only": rows.only(["kind", "n"]),
        "concat": rows.select([0, 1]).concat(rows.select([2, 3])),
        "mix": rows.mix(rows, weights=(1, 1)),
        "outer": rows.concat(ph.read_table({"n": [9]}), join="outer"),
        "store": store,
    }


def test_words_are_plain_whatever_holds_them(tmp_path):
    for name, source in tables(tmp_path).items():
        found = source.read(np.array([1, 0]))["kind"]
        assert isinstance(found, list), name
        assert pandas.DataFrame({"kind": found})["kind"].isna().tolist()[-1] is False, name
        if name != "mix":
            assert found == [None, "cat"], name


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([2, 0], [2, 0]),
        ((3,), [3]),
        (range(1, 3), [1, 2]),
        ([np.int32(3), np.uint8(1)], [3, 1]),
        (np.array([0, 0], np.uint16), [0, 0]),
        (slice(None, None, 2), [0, 2]),
        ([True, False, False, True], [0, 3]),
        ([], []),
        (np.array([]), []),
        (pandas.Index([2]), [2]),
    ],
)
def test_ids_in_any_form(tmp_path, ids, expected):
    for name, source in tables(tmp_path).items():
        if (
            isinstance(ids, (slice, list))
            and (ids == slice(None, None, 2) or True in ids)
            and len(source) != 4
        ):
            continue
        if name != "mix":
            assert np.asarray(source.read(ids)["n"]).tolist() == expected, name


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([4], "expected row numbers from 0 to 3, got 4 at position 0."),
        ([0, -1], "expected row numbers from 0 to 3, got -1 at position 1."),
        (np.array([2**40]), "expected row numbers from 0 to 3, got 1099511627776 at position 0."),
        (
            [0.5],
            "expected row numbers, a boolean array, a slice, or a function of the columns, got [0.5].",
        ),
        (
            2,
            "expected row numbers, a boolean array, a slice, or a function of the columns, got 2. "
            "For one row, use [2].",
        ),
        ([True], "expected one boolean for each of 4 rows, got 1 booleans."),
        (
            ["a"],
            "expected row numbers, a boolean array, a slice, or a function of the columns, got ['a'].",
        ),
    ],
)
def test_ids_that_are_none(tmp_path, ids, words):
    found = tables(tmp_path)
    for name in ("a frame", "parquet", "a dict", "select", "only", "concat", "store"):
        with pytest.raises(ph.DataError) as caught:
            found[name].read(ids)
        assert str(caught.value) == f"read(ids): {words}", name


def test_a_source_of_one_s_own_is_read_through_views():
    class Squares(ph.Source):
        def __len__(self):
            return 9

        def read(self, ids):
            return {"x": np.asarray(ids) ** 2}

    assert Squares().select([3, 5]).read([1, 0])["x"].tolist() == [25, 9]
    assert Squares().only(["x"]).read(range(2))["x"].tolist() == [0, 1]
