import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhead.columns.as_column import as_column
from polyhead.columns.values import (
    Coded,
    EvenRows,
    from_list,
    join,
    plain_rows,
    scatter,
    take,
    unmasked,
    with_gaps,
)
from polyhead.errors import DataError

CODES = Coded(np.array([1, 0, -1, 1], np.int32), ["cat", "dog"])


def test_coded_values():
    assert CODES.values().tolist() == ["dog", "cat", None, "dog"]
    assert CODES.values().dtype == object
    assert len(CODES) == 4


def test_coded_with_fewer_rows_than_categories():
    names = Coded(np.array([2, -1], np.int32), ["a", "b", "c", "d"])
    assert names.values().tolist() == ["c", None]


@pytest.mark.parametrize("codes", [[0], [0, 1, -1, 1]])
def test_categories_that_are_tuples_stay_tuples(codes):
    found = Coded(np.array(codes, np.int32), [(1, 2), (3, 4)]).values()
    assert found.tolist() == [{0: (1, 2), 1: (3, 4), -1: None}[c] for c in codes]


def test_coded_take_keeps_categories_and_their_order():
    found = Coded(CODES.codes, CODES.categories, ordered=True).take(np.array([2, 0, 0]))
    assert (found.codes.tolist(), found.categories, found.ordered) == ([-1, 1, 1], ["cat", "dog"], True)


def test_take():
    ids = np.array([2, 0, 2])
    assert take(np.arange(6).reshape(3, 2), ids).tolist() == [[4, 5], [0, 1], [4, 5]]
    assert take(["a", "b", None], ids) == [None, "a", None]
    assert take(CODES, ids).values().tolist() == [None, "dog", None]


def test_take_from_a_strided_array():
    values = np.arange(12).reshape(3, 4)[:, ::2]
    assert take(values, np.array([1, 0])).tolist() == [[4, 6], [0, 2]]


def listed(values):
    return values.values().tolist() if isinstance(values, Coded) else list(values)


column = st.one_of(
    st.lists(st.integers(-5, 5), max_size=5).map(lambda v: np.array(v, np.int64)),
    st.lists(st.floats(-5, 5), max_size=5).map(lambda v: np.array(v, np.float64)),
    st.lists(st.one_of(st.none(), st.text(max_size=2)), max_size=5),
    st.lists(st.integers(-1, 2), max_size=5).map(lambda v: Coded(np.array(v, np.int32), ["x", "y", "z"])),
    st.lists(st.integers(-1, 1), max_size=5).map(lambda v: Coded(np.array(v, np.int32), ["z", "w"])),
)


@given(st.lists(column, min_size=1, max_size=4))
def test_join_is_list_addition(parts):
    assert listed(join(parts)) == [v for part in parts for v in listed(part)]


def test_join_keeps_arrays_and_codes():
    assert join([np.array([1], np.int8), np.array([0.5])]).dtype == np.float64
    merged = join([Coded(np.array([0], np.int32), ["a", "b"]), Coded(np.array([0, -1], np.int32), ["c"])])
    assert (merged.codes.tolist(), list(merged.categories)) == ([0, 2, -1], ["a", "b", "c"])


def test_join_does_not_turn_numbers_into_words():
    assert join([np.array([1]), np.array(["a"])]) == [1, "a"]


@pytest.mark.parametrize(
    ("values", "dtype", "want"),
    [
        ([1, 2], np.int64, [1, 2]),
        ([True, False], np.bool_, [True, False]),
        ([1, 0.5], np.float64, [1.0, 0.5]),
        ([np.float32(1), np.float32(2)], np.float32, [1.0, 2.0]),
        ([np.zeros(2), np.ones(2)], np.float64, [[0.0, 0.0], [1.0, 1.0]]),
    ],
)
def test_lists_of_numbers_become_arrays(values, dtype, want):
    found = from_list(values)
    assert (found.dtype, found.tolist()) == (np.dtype(dtype), want)


def test_none_among_numbers_is_nan():
    found = from_list([1, None, True])
    assert found.dtype == np.float64
    assert np.array_equal(found, [1, np.nan, 1], equal_nan=True)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [None, None],
        ["a", None],
        [2**60 + 1, None],
        [2**60 + 1, 0.5],
        [2**70, 1],
        [[1, 2], [3]],
        [1j, None],
        [b"a", 1],
    ],
)
def test_other_lists_stay_lists(values):
    found = from_list(values)
    assert type(found) is list
    assert found == values


def test_images_of_bytes_and_of_floats_do_not_become_one_array():
    values = [np.full((2, 2), 255, np.uint8), np.ones((2, 2), np.float32)]
    assert [v.dtype for v in from_list(values)] == [np.uint8, np.float32]
    assert from_list([np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.int64)]).dtype == np.int64
    assert from_list([np.zeros(2, np.uint8), np.ones(2)]).dtype == np.float64


@pytest.mark.parametrize("other", [np.array([0.5, 1.5]), np.array([2**63 + 1, 3], np.uint64)])
def test_large_integers_are_not_rounded_when_pieces_are_joined(other):
    ids = np.array([2**60 + 1, -7])
    want = [*ids.tolist(), *other.tolist()]
    assert [one.item() for one in join([ids, other])] == want
    found = scatter([(np.array([2, 3]), other), (np.array([0, 1]), ids)], 4)
    assert [one.item() for one in found] == want
    np.testing.assert_array_equal(
        join([np.array([2**53]), np.array([0.5])]), np.array([2**53, 0.5]), strict=True
    )


def test_arrays_of_several_shapes_stay_a_list():
    values = [np.zeros(2), np.zeros(3), None]
    assert all(a is b for a, b in zip(from_list(values), values, strict=True))
    mixed = [np.array([1]), np.array(["a"])]
    assert [v.tolist() for v in from_list(mixed)] == [[1], ["a"]]


def test_a_frames_missing_values_become_none():
    import pandas as pd

    assert from_list([pd.NA, "a", pd.NaT]) == [None, "a", None]


MASK = [False, True]


@pytest.mark.parametrize(
    ("data", "dtype", "want"),
    [
        (np.array([1, 2]), np.float64, [1.0, None]),
        (np.array([1, 2], np.float32), np.float32, [1.0, None]),
    ],
)
def test_masked_numbers_are_nan(data, dtype, want):
    found = unmasked(np.ma.array(data, mask=MASK))
    assert found.dtype == dtype
    assert [None if v != v else v for v in found.tolist()] == want


def test_a_gap_among_rows_of_nothing_is_none():
    rows = with_gaps(np.zeros((2, 0, 4)), np.array([True, False]))
    assert rows[0] is None
    assert rows[1].shape == (0, 4)


def test_masked_others():
    text = unmasked(np.ma.array(["b", "a"], mask=MASK))
    assert text.values().tolist() == ["b", None]
    assert unmasked(np.ma.array([True, True], mask=MASK)).values().tolist() == [True, None]
    dates = unmasked(np.ma.array(np.array(["2020-01-01", "2020-01-02"], "M8[D]"), mask=MASK))
    assert np.isnat(dates).tolist() == MASK
    assert unmasked(np.ma.array([2**60 + 1, 5], mask=MASK)) == [2**60 + 1, None]
    whole = np.array([1, 2])
    assert np.shares_memory(unmasked(np.ma.array(whole, mask=[False, False])), whole)
    words = unmasked(np.ma.array([["a", "b"]], mask=[MASK]))
    assert (words.shape, words.tolist()) == ((1, 2), [["a", None]])


def test_even_rows_stay_a_list():
    rows = EvenRows(np.arange(12, dtype=np.int16).reshape(3, 2, 2))
    assert isinstance(rows, list)
    assert [row.tolist() for row in rows] == rows.array.tolist()
    some = take(rows, np.array([2, 2, 0]))
    assert some.array.tolist() == rows.array[[2, 2, 0]].tolist()
    assert [row.tolist() for row in some] == some.array.tolist()
    joined = join([some, rows])
    assert joined.array.tolist() == [*some.array.tolist(), *rows.array.tolist()]
    again = pickle.loads(pickle.dumps(some))
    assert type(again) is EvenRows
    assert again.array.tolist() == some.array.tolist()
    others = join([rows, EvenRows(np.zeros((1, 3, 2), np.int16))])
    assert type(others) is list
    assert [row.shape for row in others] == [(2, 2)] * 3 + [(3, 2)]


@pytest.mark.parametrize(
    ("entries", "want"),
    [
        ([np.ma.array([1, 2], mask=[0, 1]), np.ma.array([3, 4])], [[1.0, None], [3.0, 4.0]]),
        ([np.ma.array([1.5, 2.5], mask=True), None], [[None, None], None]),
        ([np.ma.array(["a", "b"], mask=[1, 0])], [[None, "b"]]),
        ([1, np.ma.masked, 3], [1.0, None, 3.0]),
        (list(np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[0, 0], [1, 0]])), [[1.0, 2.0], [None, 4.0]]),
        (list(np.ma.array(["a", "b"], mask=[1, 0])), [None, "b"]),
    ],
)
def test_what_is_masked_in_the_entries_of_a_list_is_missing(entries, want):
    found = [None if v is None else v.tolist() if hasattr(v, "tolist") else v for v in from_list(entries)]
    plain = [[None if one != one else one for one in v] if isinstance(v, list) else v for v in found]
    assert [None if v != v else v for v in plain] == want


@pytest.mark.parametrize("unit", ["M", "W", "D", "h", "m", "25s", "us"])
def test_times_have_units_of_arrow_whatever_holds_them(unit):
    times = np.array(["2024-03-01", "NaT", "1969-12-31"], "M8[D]").astype(f"M8[{unit}]")
    masked = np.ma.array(times, mask=[0, 0, 1])
    for found, want in (
        (as_column("x", times), times),
        (plain_rows(times, "x"), times),
        (as_column("x", masked), masked.filled(np.datetime64("NaT"))),
    ):
        np.testing.assert_array_equal(found, want)
        assert np.datetime_data(found.dtype) in {(one, 1) for one in ("D", "s", "ms", "us", "ns")}


def test_tensors_in_a_list_are_arrays():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rows = from_list([torch.ones(2).bfloat16(), torch.zeros(2, requires_grad=True)])
    np.testing.assert_array_equal(rows, np.array([[1, 1], [0, 0]], "float32"), strict=True)
    numbers = from_list([torch.tensor(3), None])
    np.testing.assert_array_equal(numbers, np.array([3, np.nan]), strict=True)
    with pytest.raises(DataError) as error:
        from_list([torch.ones(2).to_sparse()], "column `x`")
    assert str(error.value).startswith("column `x`: expected a tensor that NumPy can read, got ")


def test_tensors_of_tensorflow_with_text_and_with_rows_of_unequal_length():
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    assert from_list([tensorflow.constant("cat"), None]) == [b"cat", None]
    ragged = tensorflow.ragged.constant([[1, 2], [], [3]])
    assert as_column("x", ragged) == [[1, 2], [], [3]]
    with pytest.raises(DataError) as error:
        as_column("x", tensorflow.sparse.from_dense(tensorflow.eye(2)))
    assert str(error.value) == (
        "column `x`: expected one entry per row: an array, a list, or anything with a length and batch indexing, got a "
        "SparseTensor. Give tf.sparse.to_dense(tensor)."
    )
