"""Several columns of numbers, side by side."""

import numpy as np
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
        fix = 'Turn words into numbers, or give them an input of their own, ph.Array(vocabulary="auto").'
        if found == "'1'":
            fix = "Turn text into numbers: np.asarray(column, float)."
        assert str(error.value) == f"{word}, row {row}: expected numbers in column `b`, got {found}. {fix}"


def test_a_word_beyond_the_first_rows_has_its_row():
    data = {"a": np.zeros(5000), "b": [0.0] * 4321 + ["x"] + [0.0] * 678, "y": np.zeros(5000)}
    feed = ph.Feed(data, inputs={"v": ph.Array(column=["a", "b"])}, heads={"y": ph.Regression()})
    with pytest.raises(ph.DataError, match="input `v`, row 4321: expected numbers in column `b`, got 'x'"):
        list(feed)
