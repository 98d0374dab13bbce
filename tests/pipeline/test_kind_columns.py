"""Several columns of numbers, side by side."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import polyhead as ph


@pytest.mark.parametrize(
    ("values", "row", "found"),
    [
        ([1.0, 2.0, "x", 4.0], 2, "'x'"),
        ([[1, 2], [3, "y"], [1, 2], [0, 0]], 1, "[3, 'y']"),
        (np.array(["1", "2", "3", "4"]), 0, "'1'"),
        ([1.0, None, "x", 4.0], 2, "'x'"),
    ],
)
def test_a_word_is_named_with_its_row_and_column(values, row, found):
    data = {"a": [1.0, 2, 3, 4], "b": values, "y": [0, 1, 0, 1]}
    for inputs, heads, word in (
        ({"v": ph.Array(column=["a", "b"])}, {"y": ph.Binary()}, "input `v`"),
        ("a", {"y": ph.Regression(2, column=["y", "b"])}, "head `y`"),
    ):
        with pytest.raises(ph.DataError) as error:
            ph.Feed(data, inputs=inputs, heads=heads)
        fix = (
            'For words, give each column an input, ph.Array(vocabulary="auto"), or a head of its own; for '
            "ph.MultiLabel, put the labels of a row into one list."
        )
        if found == "'1'":
            fix = "Turn text into numbers: np.asarray(column, float)."
        assert str(error.value) == f"{word}, row {row}: expected numbers in column `b`, got {found}. {fix}"


def test_decimals_and_missing_values_of_several_columns():
    data = {
        "a": [Decimal("1.5"), None, Decimal("NaN"), Decimal("-2")],
        "b": pd.Series([1, 2, pd.NA, 4], dtype=object),
        "x": [Decimal("0.25")] * 4,
        "z": np.arange(4),
    }
    feed = ph.Feed(
        data, inputs={"v": ph.Array(column=["x", "z"])}, heads={"y": ph.Regression(2, column=["a", "b"])}
    )
    x, y, weights = feed.peek()
    np.testing.assert_array_equal(x["v"], [[0.25, 0], [0.25, 1], [0.25, 2], [0.25, 3]])
    np.testing.assert_array_equal(y["y"], [[1.5, 1], [0, 2], [0, 0], [-2, 4]])
    np.testing.assert_array_equal(weights["y"], [[1, 1], [0, 1], [0, 0], [1, 1]])


def test_a_word_beyond_the_first_rows_has_its_row():
    data = {"a": np.zeros(5000), "b": [0.0] * 4321 + ["x"] + [0.0] * 678, "y": np.zeros(5000)}
    feed = ph.Feed(data, inputs={"v": ph.Array(column=["a", "b"])}, heads={"y": ph.Regression()})
    with pytest.raises(ph.DataError, match="input `v`, row 4321: expected numbers in column `b`, got 'x'"):
        list(feed)


def test_labels_in_columns_of_0_and_1_have_the_names_of_the_columns():
    data = {"x": np.arange(3.0), "red": [0, 1, None], "round": [1, 1, 0], "both": np.eye(3)[:, :2]}
    heads = {"tags": ph.MultiLabel(column=["red", "round"]), "ids": ph.MultiLabel(column=["both", "round"])}
    feed = ph.Feed(data, inputs="x", heads=heads)
    assert feed.heads["tags"].names == ("red", "round")
    assert feed.heads["ids"].names == (0, 1, 2)
    np.testing.assert_array_equal(feed.peek()[1]["tags"], [[0, 1], [1, 1], [0, 0]])
    np.testing.assert_array_equal(feed.peek()[2]["tags"], [[1, 1], [1, 1], [0, 1]])


def test_the_first_rows_of_many_columns_are_read_together():
    names = [f"sensor {i}" for i in range(50)]
    reads = []

    class Rows(ph.Source):
        columns = (*names, "y")

        def __len__(self):
            return 8

        def read(self, ids):
            reads.append(len(ids))
            return {name: ids % (2 + (name != "y")) for name in self.columns}

    for rows in (Rows(), Rows().select([5, 4, 3])):
        reads.clear()
        feed = ph.Feed(rows, inputs={"x": ph.Array(column=names)}, heads={"y": ph.Binary()}, workers=0)
        assert len(reads) < 10
        x = feed.peek()[0]["x"]
        assert x[:, 7].tolist() == [int(row) % 3 for row in (range(8) if len(rows) == 8 else (5, 4, 3))]
