"""Statistics of an array, over several batches."""

import math

import numpy as np
import pytest

from polyhead.kinds.array_statistics import ArrayStatistics


def gathered(*batches, most_distinct=0):
    """Of batches ``(array, ids)`` or ``(array, ids, counts)``."""
    found = ArrayStatistics(most_distinct)
    for array, ids, *counts in batches:
        found.add(np.asarray(array), ids.__getitem__, *map(np.asarray, counts))
    return found


def test_batches_add_up_to_what_the_whole_array_has():
    array = np.random.default_rng(0).normal(3, 2, (60, 4)).astype("float32")
    ids = list(range(100, 160))
    found = gathered((array[:7], ids[:7]), (array[7:40], ids[7:40]), (array[40:], ids[40:]))
    flat = array.astype("float64")
    assert (found.rows, found.labeled, found.numbers) == (60, 60, 240)
    assert found.mean == pytest.approx(flat.mean(), rel=1e-12)
    assert found.deviation == pytest.approx(flat.std(), rel=1e-12)
    assert found.low == (float(array.min()), 100 + int(array.min(1).argmin()))
    assert found.high == (float(array.max()), 100 + int(array.max(1).argmax()))
    assert not found.alike


def test_rows_that_do_not_count_are_left_out():
    found = gathered(([[5.0], [0.0], [7.0]], [4, 2, 9], [True, False, True]))
    assert (found.rows, found.labeled, found.numbers) == (3, 2, 2)
    assert (found.low, found.high, found.mean) == ((5.0, 4), (7.0, 9), 6.0)


def test_the_fillers_of_rows_that_count_in_part_are_left_out():
    found = gathered(([[5.0, 0.0], [0.0, -7.0]], [4, 2], [[True, False], [False, True]]))
    assert (found.labeled, found.numbers, found.low, found.high) == (2, 2, (-7.0, 2), (5.0, 4))
    filled = gathered(([[5.0, np.nan], [1.5, -7.0]], [4, 2], [[True, False], [False, True]]), most_distinct=8)
    assert (filled.total, filled.nan, filled.whole, filled.distinct) == (-2.0, None, True, {5: 1, -7: 1})
    points = gathered((np.full((1, 2, 3), 8), [0], [[True, False]]))
    assert points.numbers == 3


def test_nothing_that_counts():
    found = gathered((np.zeros((2, 1)), [0, 1], [False, False]), (np.zeros((0, 3)), []))
    assert (found.rows, found.labeled, found.numbers, found.mean, found.deviation) == (2, 0, 0, 0.0, 0.0)
    assert (found.low, found.high, found.constant) == ((math.inf, None), (-math.inf, None), False)


def test_a_mask_as_files_have_it():
    assert gathered(([[0, 255]], [0]), most_distinct=8).zero_255
    assert not gathered(([[0, 254]], [0]), most_distinct=8).zero_255
    assert not gathered(([[0, 0]], [0]), most_distinct=8).zero_255


def test_rows_are_alike_across_batches():
    assert gathered(([[0, 1]], [0]), ([[0, 1]], [1])).alike
    assert not gathered(([[0, 1]], [0]), ([[1, 0]], [1])).alike


def test_other_numbers_of_a_row_with_nan_count():
    found = gathered(([[np.nan, 9.0], [1.0, np.inf]], [3, 5]), most_distinct=8)
    assert (found.nan, found.infinite, found.not_finite) == (3, 5, 2)
    assert (found.low, found.high, found.numbers, found.total) == ((1.0, 5), (9.0, 3), 2, 10.0)
    assert found.distinct == {1: 1, 9: 1}


def test_distinct_numbers_are_counted_while_they_are_few_and_whole():
    assert gathered(([1, 2, 2], range(3)), ([2.0], [3]), most_distinct=2).distinct == {1: 1, 2: 3}
    assert gathered(([1, 2, 3], range(3)), most_distinct=2).distinct is None
    assert gathered(([True, True], range(2)), most_distinct=2).distinct == {1: 2}
    parted = gathered(([1.0, 2.5], [6, 7]), most_distinct=9)
    assert (parted.distinct, parted.fraction, parted.whole) == (None, (2.5, 7), False)
    assert gathered(([2**60 + 1], [0]), most_distinct=9).distinct == {2**60 + 1: 1}
