"""What is kept of an array, over several batches."""

import numpy as np
import pytest

from polyhead.doctor.leaf_statistics import LeafStatistics


def facts(*arrays):
    found = LeafStatistics()
    for step, array in enumerate(arrays):
        found.add_batch(step, np.asarray(array))
    return found


def test_the_range_and_where():
    found = facts([1.5, 2.0], [0.5, 7.0, 3.0])
    assert (found.low, found.high) == ((0.5, (1, 0)), (7.0, (1, 1)))
    assert (found.rows, found.whole, found.fraction) == (5, False, (1.5, (0, 0)))


def test_rows_that_are_not_finite_keep_the_places_of_the_others():
    found = facts([[0.0, 1.0]], [[np.nan, 1.0], [np.inf, 2.0], [3.0, -4.0]])
    assert (found.nan, found.infinite, found.not_finite) == ((1, 0), (1, 1), 2)
    assert (found.low, found.high) == ((-4.0, (1, 2)), (3.0, (1, 2)))


@pytest.mark.parametrize(
    ("arrays", "zero_one", "one_hot", "constant"),
    [
        ([[[0, 1], [1, 0]]], True, True, False),
        ([[[0, 1]], [[1, 1]]], True, False, False),
        ([[True, False]], True, False, False),
        ([[0.0, 2.0]], False, False, False),
        ([[3, 3], [3]], False, False, True),
        ([[0.5, 0.5]], False, False, True),
    ],
)
def test_what_the_numbers_are(arrays, zero_one, one_hot, constant):
    found = facts(*arrays)
    assert (found.zero_one, found.one_hot, found.constant) == (zero_one, one_hot, constant)


def test_the_values_are_kept_while_they_are_few():
    assert facts(np.arange(5)).distinct.keys() == {0, 1, 2, 3, 4}
    assert facts(np.arange(500)).distinct is None


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array(["a", "b"]), "an array of text ('a', ...)"),
        (np.array([None, 1], object), "an array of numbers and None"),
        (np.float32(2), "a single number, 2.0"),
    ],
)
def test_what_is_no_array_of_numbers(array, words):
    found = facts([1.0], array)
    step, odd = found.odd
    assert (step, odd.words) == (1, words)
    assert not found.usable


def test_shapes_and_dtypes_in_the_order_they_came():
    found = facts(np.zeros((2, 3), "int32"), np.zeros((2, 4)))
    assert (found.shapes, found.dtypes) == ({(3,): 0, (4,): 1}, {"int32": 0, "float64": 1})
    assert (found.shape, found.dtype) == ((3,), "int32")


def test_equal_columns_have_equal_hashes_whatever_their_dtype():
    found, other = facts([[1, 2], [3, 0]], [[5, 6]]), facts([2.0, -0.0], [6.0])
    assert found.columns[1] == other.columns[0] != found.columns[0]
    assert facts([2.0, 6.0], [-0.0]).columns[0] != other.columns[0]
    assert facts([[1, 2]], [[3], [4]], [[5, 6]]).columns is None
