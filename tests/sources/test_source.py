import numpy as np
import pandas as pd
import pytest

import polyhead as ph
from outcomes import message
from polyhead import Source
from polyhead.errors import similar
from polyhead.sources.arrays import Arrays
from polyhead.sources.scanning import first_rows, scan
from polyhead.sources.source import checked_rows


class Squares(Source):
    def __len__(self):
        return 100

    def read(self, ids):
        return {"x": ids, "y": ids**2, "word": [str(i) for i in ids.tolist()]}


class Reads(Source):
    """A source whose ``read`` returns what it is told to."""

    def __init__(self, read, length=3):
        self.answer, self.length = read, length

    def __len__(self):
        return self.length

    def read(self, ids):
        return self.answer(ids)


def test_five_lines_make_a_source():
    source = Squares()
    assert source.columns == ("x", "y", "word")
    assert repr(source) == "Squares(100 rows: x, y, word)"
    assert source.column("x") is None
    assert first_rows(source, "y", 3).tolist() == [0, 1, 4]


def test_a_read_may_change_the_ids_it_gets():
    def counted_from_1(ids):
        ids += 1
        return {"x": ids.astype(float), "y": ids % 2}

    feed = ph.Feed(Reads(counted_from_1, 4), inputs="x", heads={"y": ph.Binary()}, batch_size=4)
    (batch,) = feed.batches()
    assert (batch.ids.tolist(), batch.inputs["x"].ravel().tolist()) == ([0, 1, 2, 3], [1, 2, 3, 4])


def test_an_empty_source_has_no_columns():
    assert Reads(lambda ids: {"x": ids}, 0).columns == ()


def test_lists_of_masked_arrays_keep_what_is_missing():
    rows = [np.ma.array([1.0, 2.0], mask=[0, 1]), np.ma.array([3.0, 4.0])]
    source = Reads(lambda ids: {"x": [rows[i] for i in ids], "y": [np.ma.masked for _ in ids]}, 2)
    found = checked_rows(source, np.array([1, 0]))
    np.testing.assert_array_equal(found["x"], [[3, 4], [1, np.nan]])
    assert found["y"] == [None, None]


def test_only():
    view = Squares().only(["y", "x"])
    assert view.columns == ("y", "x")
    assert {k: v.tolist() for k, v in view.read(np.array([3, 1])).items()} == {"y": [9, 1], "x": [3, 1]}
    assert view.only(["x"]).columns == ("x",)
    assert view.only(["x"])._source is view._source
    assert len(view) == 100
    assert view.column("x") is None


def test_only_of_a_column_that_is_not_there():
    known = "expected a column of the data (x, y, word), got no such column."
    assert message(lambda: Squares().only(["yy", "zebra"])) == (
        f"2 problems:\n  1. column `yy`: {known} Did you mean `y`?\n  2. column `zebra`: {known}"
    )
    assert message(lambda: Squares().only(["x"]).only(["y"])) == (
        "column `y`: expected a column of the data (x), got no such column."
    )
    assert message(lambda: Reads(lambda ids: {}, 0).only(["x"])) == (
        "column `x`: expected a column of the data (it has none), got no such column."
    )


def test_scan_reads_in_pieces():
    pieces = list(scan(Squares(), "y", rows=40))
    assert [(start, len(values)) for start, values in pieces] == [(0, 40), (40, 40), (80, 20)]
    assert np.concatenate([values for _, values in pieces]).tolist() == [i * i for i in range(100)]


def test_scan_gives_a_column_in_memory_at_once():
    values = np.arange(5)
    ((start, whole),) = scan(Arrays({"x": values}), "x", rows=2)
    assert start == 0
    assert whole is values


def test_scan_and_first_rows_read_one_column_alone():
    asked = []

    class Wide(Squares):
        def only(self, columns):
            asked.append(tuple(columns))
            return super().only(columns)

    next(scan(Wide(), "y"))
    first_rows(Wide(), "x")
    assert set(asked) == {("x",), ("y",)}


def test_views_of_a_users_source():
    assert Squares().select([5, 2]).read(np.array([1, 0]))["y"].tolist() == [4, 25]
    assert [len(p) for p in Squares().split((0.7, 0.3))] == [70, 30]
    assert Squares().concat(Squares()).read(np.array([103]))["y"].tolist() == [9]
    assert len(Squares().mix(Squares(), weights=[1, 1])) == 200


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda ids: [ids], "Reads.read: expected a dict of columns, got 'list'."),
        (lambda ids: {"x": (1, 2)}, "Reads.read, column `x`: expected an array or a list, got 'tuple'."),
        (
            lambda ids: pd.DataFrame({"x": ids}),
            "Reads.read: expected a dict of columns, got 'DataFrame'. "
            "Return {name: frame[name].to_list() for name in frame.columns}.",
        ),
        (
            lambda ids: {"x": pd.Series(ids)},
            "Reads.read, column `x`: expected an array or a list, got 'Series'. Return series.to_list().",
        ),
        (lambda ids: {"x": ids[:-1]}, "Reads.read, column `x`: expected 2 entries for 2 ids, got 1."),
        (
            lambda ids: {"x": np.array(1)},
            "Reads.read, column `x`: expected 2 entries for 2 ids, got a single value.",
        ),
    ],
)
def test_what_read_must_return(answer, text):
    source = Reads(answer)
    ids = np.array([0, 1])
    assert message(lambda: checked_rows(source, ids)) == text


def test_columns_are_checked():
    assert message(lambda: Reads(lambda ids: None).columns) == (
        "Reads.read: expected a dict of columns, got 'NoneType'."
    )


def test_a_column_that_comes_and_goes():
    source = Reads(lambda ids: {"x": ids, "y": ids} if len(ids) == 1 else {"x": ids})
    assert message(lambda: source.only(["y"]).read(np.array([0, 1]))) == (
        "Reads.read, column `y`: expected the same columns in every call, got no such column this time."
    )


def test_similar():
    assert similar("imgae", ["image", "label"]) == "Did you mean `image`?"
    assert similar("zebra", ["image", "label"]) == ""
