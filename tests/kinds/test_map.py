"""Numbers for each pixel: their units, what is missing, and what is refused."""

import numpy as np
import pytest
from kind_checks import encoded, message, refusal, resolved

from polyhead.kinds import Map
from polyhead.kinds.conversion import Conversion

NAN = np.nan


def test_numbers_keep_their_unit_and_take_one_axis_more():
    column = np.arange(24, dtype=np.uint16).reshape(2, 3, 4) * 1000
    head = resolved(Map(), column)
    labels, there = encoded(head, column)
    assert head.shape == (3, 4, 1)
    assert head.weight_shape == (1, 1)
    assert labels[1, 2, 3, 0] == 23000
    assert there.all()
    np.testing.assert_array_equal(encoded(resolved(Map(scale=0.001), column), column)[0] * 1000, labels)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.uint16, np.int64, np.float16, np.float32, np.float64, bool]
)
def test_numbers_of_any_type(dtype):
    column = np.array([[[0, 1], [1, 0]]], dtype)
    for values in (column, list(column), column[..., None]):
        labels, there = encoded(resolved(Map(), values), values)
        assert labels[0, ..., 0].tolist() == [[0, 1], [1, 0]]
        assert there.all()


def test_bytes_are_cast_as_they_are_and_never_divided():
    column = np.array([[[0, 255]]], np.uint8)
    assert resolved(Map(), column).conversion(column) == Conversion("float32")
    assert resolved(Map(scale=1 / 255), column).conversion(column) is None
    assert encoded(resolved(Map(), column), column)[0].max() == 255
    assert encoded(resolved(Map(scale=1 / 255), column), column)[0].max() == 1


def test_a_pixel_is_missing_by_itself():
    column = np.array([[[1.5, NAN], [-1, 2]], [[1, 2], [3, 4]]])
    labels, there = encoded(resolved(Map(missing=-1), column), column)
    assert there.tolist() == [[[True, False], [False, True]], [[True, True], [True, True]]]
    assert labels[0, ..., 0].tolist() == [[1.5, 0], [0, 2]]


def test_a_number_of_several_is_missing_by_itself():
    column = np.array([[[[1, NAN], [3, 4]]]])
    head = resolved(Map(2), column)
    labels, there = encoded(head, column)
    assert head.weight_shape == head.shape == (1, 2, 2)
    assert there.tolist() == [[[[True, False], [True, True]]]]
    assert labels.tolist() == [[[[1, 0], [3, 4]]]]


def test_weights_are_as_fine_as_they_were_learned():
    whole, gaps = np.ones((1, 1, 2, 2), np.int32), np.array([[[[1, NAN], [3, 4]]]])
    head = resolved(resolved(Map(2), whole), gaps)  # rows of another feed
    assert head.weight_shape == (1, 2)
    assert encoded(head, gaps)[1].tolist() == [[[False, True]]]


def test_a_gap_after_rows_of_whole_numbers():
    whole, gaps = np.ones((1, 2, 2), np.int32), np.array([[[1, NAN], [3, 4]]])
    assert message(resolved(Map(), whole).encode, gaps) == (
        "head `h`, row 0: expected a label that is there as a whole or missing as a whole, got 1 of 4 missing. Give "
        'floats in all rows, or say Map(missing=float("nan")): then each pixel has a weight.'
    )
    assert encoded(resolved(Map(missing=NAN), whole), gaps)[1].tolist() == [[[True, False], [True, True]]]


def test_missing_rows():
    column = [None, np.ones((2, 2)), NAN]
    labels, there = encoded(resolved(Map(), column), column)
    assert there.all((1, 2)).tolist() == [False, True, False]
    assert labels[1].all()


def test_what_was_laid_has_nan_where_there_is_no_number():
    laid = Map(missing=7).to_pixels(np.array([[7, 1], [2, 3]], np.uint8), (2, 2))
    assert laid.dtype == np.float32
    np.testing.assert_array_equal(laid[..., 0], [[NAN, 1], [2, 3]])
    assert np.isnan(Map(missing=float("inf")).to_pixels(np.array([[np.inf]]), (1, 1))).all()


@pytest.mark.parametrize(
    ("head", "column", "words"),
    [
        (
            Map(),
            np.ones((1, 2, 2, 3)),
            "head `h`: expected numbers of shape (2, 2), got rows of shape (2, 2, 3).",
        ),
        (
            Map(),
            np.array([[[1, np.inf]]]),
            "head `h`, row 0: expected finite numbers, got inf. Put NaN where there is no label; if infinity means "
            '"no label", say Map(missing=float("inf")).',
        ),
        (
            Map(),
            np.ones((3, 4)),
            "head `h`: expected maps (H, W) or (H, W, n), got rows of shape (4,). For steps of a sequence, give "
            "(N, 1, T): np.asarray(column)[:, None, :].",
        ),
        (
            Map(),
            [None],
            "head `h`: expected a map among the first rows, got none. Say Map(size=(height, width)).",
        ),
        (
            Map(3, size=(8, 9)),
            np.ones((2, 3, 8, 9)),
            "head `h`: expected numbers of shape (8, 9, 3), got rows of shape (3, 8, 9). If channels come first, put "
            "them last in each row: np.moveaxis(row, 0, -1).",
        ),
    ],
)
def test_what_is_no_map(head, column, words):
    assert message(resolved, head, column) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.ones((2, 2, 3)), "numbers (H, W), got float64 of shape (2, 2, 3). Say Map(3)."),
        (
            np.ones((3, 8, 8)),
            "numbers (H, W), got float64 of shape (3, 8, 8). If channels come first, put them last in each row: "
            "np.moveaxis(row, 0, -1).",
        ),
        (np.ones(4), "numbers (H, W), got float64 of shape (4,)."),
        (np.array([["a"]]), "numbers (H, W), got <U1 of shape (1, 1)."),
    ],
)
def test_what_cannot_be_laid_into_an_image(value, words):
    assert message(Map().to_pixels, value, (2, 2)) == f"head `h`, row 0: expected {words}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": 0}, "Map(channels): expected an integer of at least 1, got 0."),
        ({"channels": 1.5}, "Map(channels): expected an integer of at least 1, got 1.5."),
        ({"interpolation": "cubic"}, 'Map(interpolation=): expected "bilinear" or "nearest", got \'cubic\'.'),
        ({"scale": 0}, "Map(scale=): expected a finite number other than 0, got 0."),
        ({"size": 3}, "Map(size=): expected (height, width), got 3."),
        (
            {"each": "box"},
            "Map(each=): expected no each= for labels of the whole image, got 'box'. Leave it out.",
        ),
        (
            {"class_weight": "balanced"},
            "Map(class_weight=): expected no class_weight= for a head without classes, got 'balanced'. Use "
            "sample_weight=, or a loss with weights of its own.",
        ),
    ],
)
def test_what_is_no_declaration(options, words):
    assert refusal(Map, **options) == words


def test_its_repr_declares_it():
    assert repr(Map(3, scale=0.5, missing=0)) == "Map(3, missing=0, scale=0.5)"
