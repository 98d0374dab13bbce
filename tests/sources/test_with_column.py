"""`Source.with_column`: one column more, or another one in its place; everything else as it was."""

import pickle

import numpy as np
import pandas as pd
import pytest

import polyhead as ph


def rows():
    return ph.read_table(
        {"x": np.arange(6.0), "y": [0, 1, 0, 1, 0, 1], "boxes": [[[0, 0, 2, 2]], [], None] * 2}
    )


def test_a_function_gets_whole_columns_and_each_row_gets_its_value():
    seen = []

    def twice(columns):
        seen.extend(columns)
        return columns["x"] * 2

    with_z = rows().with_column("z", twice)
    assert seen == ["x", "y", "boxes"]
    assert with_z.columns == ("x", "y", "boxes", "z")
    assert with_z.read([5, 0])["z"].tolist() == [10, 0]
    assert with_z.read([5, 0])["x"].tolist() == [5, 0]
    assert repr(with_z) == "WithColumn(6 rows: x, y, boxes, z)"


def test_views_of_it_keep_rows_ids_and_columns_together():
    with_z = rows().with_column("z", np.arange(6) * 10)
    chosen = with_z.select([4, 1])
    assert chosen.read([0, 1])["z"].tolist() == [40, 10]
    assert chosen.ids_of(np.array([0, 1])).tolist() == [4, 1]
    assert with_z.only(["z"]).read([3]) == {"z": [30]}
    assert list(with_z.only(["z", "x"]).read([3])) == ["z", "x"]
    assert with_z.only(["x"]).columns == ("x",)
    joined = with_z.concat(rows().with_column("z", [7] * 6))
    assert joined.read([1, 11])["z"].tolist() == [10, 7]
    for part in with_z.split((0.5, 0.5), stratify="z", seed=3):
        found = part.read(np.arange(len(part)))
        assert np.array_equal(found["z"], found["x"] * 10)
    assert pickle.loads(pickle.dumps(with_z)).read([2])["z"].tolist() == [20]


def test_a_column_of_the_same_name_is_replaced():
    named = rows().with_column("y", lambda columns: np.where(columns["y"] == 1, "yes", "no"))
    assert named.columns == ("x", "y", "boxes")
    assert list(named.read([0, 1])["y"]) == ["no", "yes"]
    alone = ph.read_table({"x": [1, 2]}).with_column("x", [3, 4])
    assert alone.read([1])["x"].tolist() == [4]
    assert len(alone.only(["x"])) == 2


def test_what_a_reader_knows_of_its_columns_stays(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(2):
            (tmp_path / name / f"{i}.jpg").write_bytes(b"")
    pets = ph.read_folder(tmp_path)
    indoors = pets.with_column("indoors", [1, 0, 1, None])
    assert indoors.about("label") == pets.about("label")
    assert indoors.about("label").classes == ("cat", "dog")
    assert indoors.with_column("label", [3, 1, 2, 3]).about("label").classes is None


def test_a_feed_trains_on_it_and_tells_other_values_when_it_continues():
    def feed(factor):
        source = rows().with_column("z", lambda columns: columns["x"] * factor)
        return ph.Feed(source, inputs="x", heads={"z": ph.Regression()}, batch_size=4, shuffle=True)

    first = feed(2)
    x, y = next(iter(first))
    assert np.array_equal(y["z"], x["x"] * 2)
    feed(2).restore(first.state())
    with pytest.raises(ph.ContractError, match="other values in z"):
        feed(3).restore(first.state())


def test_missing_labels_are_those_of_the_column():
    labeled = rows().with_column(
        "cups", lambda columns: [b if b is None else len(b) for b in columns["boxes"]]
    )
    feed = ph.Feed(labeled, inputs="x", heads={"cups": ph.Regression()}, batch_size=6)
    _, y, w = feed.peek()
    assert y["cups"][:, 0].tolist() == [1, 0, 0] * 2
    assert w["cups"].reshape(6).tolist() == [1, 1, 0] * 2


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("z", [1, 2], "with_column(values): expected one entry for each of 6 rows, got 2."),
        (
            "z",
            "a",
            "got 'a'. Give an array or a list; for the same value in each row, [value] * len(source).",
        ),
        ("z", 5, "got 5. Give an array or a list; for the same"),
        (3, [1] * 6, "with_column(name): expected the name of a column, got 3."),
        ("z", lambda columns: columns["w"], "column `w`: expected a column of the data (x, y, boxes)"),
        ("z", lambda columns: columns["x"][:3], "expected one entry for each of 6 rows, got 3."),
    ],
)
def test_what_it_refuses(name, values, words):
    with pytest.raises(ph.DataError) as caught:
        rows().with_column(name, values)
    assert words in str(caught.value)


def test_series_have_to_be_in_the_order_of_the_frame():
    frame = pd.DataFrame({"x": np.arange(4.0)}, index=list("abcd"))
    source = ph.read_table(frame)
    assert source.with_column("y", frame["x"] * 3).to_pandas().loc["c", "y"] == 6
    with pytest.raises(ph.DataError, match=r"Align them, values\.loc\[frame\.index\]"):
        source.with_column("y", frame["x"][::-1])
    with pytest.warns(ph.PolyheadWarning, match=r"To match them by label: values\.reindex\(frame\.index\)"):
        source.with_column("y", pd.Series([1, 2, 3, 4], index=list("abxy")))


@pytest.mark.parametrize("index", [[3, 1, 0, 7], [3, 1, 0, 2]])
def test_a_series_that_a_function_makes_has_no_labels_of_the_frame(index):
    frame = pd.DataFrame({"x": ["a", "bb", "ccc", ""]}, index=index)
    rows = ph.read_table(frame)
    lengths = rows.with_column("n", lambda columns: pd.Series(columns["x"]).str.len())
    assert lengths.read([0, 1, 2, 3])["n"].tolist() == [1, 2, 3, 0]
    assert len(rows.select(lambda columns: pd.Series(columns["x"]).str.len() > 1)) == 2
    with pytest.raises(ph.DataError, match="the same in another order"):
        rows.with_column("n", lambda columns: frame["x"][::-1])
