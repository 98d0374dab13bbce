"""What is missing, in every form a column can have; and what holds for every head."""

import ast
import datetime
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kind_checks import encoded, resolved

from polyhead.columns.as_column import as_column
from polyhead.columns.values import Coded
from polyhead.errors import BadValue
from polyhead.kinds import Binary, Boxes, Categorical, Embedding, Keypoints, Map, Mask, MultiLabel, Regression
from polyhead.kinds.missing import collapse, is_missing, numbers
from polyhead.kinds.value_advice import times_fix

NAN = float("nan")


@pytest.mark.parametrize(
    "value",
    [
        None,
        NAN,
        np.float32("nan"),
        np.float64("nan"),
        pd.NA,
        pd.NaT,
        np.datetime64("NaT"),
        np.timedelta64("NaT", "s"),
    ],
)
def test_what_is_missing_without_being_told(value):
    assert is_missing(value)
    assert is_missing(value, marker=-1)


@pytest.mark.parametrize("value", [0, 0.0, False, "", "nan", [], [None], np.array([NAN]), float("inf")])
def test_what_is_not_missing_without_being_told(value):
    assert not is_missing(value)


@pytest.mark.parametrize(
    ("value", "marker", "expected"),
    [
        (-1, -1, True),
        (-1.0, -1, True),
        (np.int8(-1), -1, True),
        ("?", "?", True),
        ("?", -1, False),
        (0, -1, False),
        ([-1], -1, False),
        (np.array([-1]), -1, False),
        (NAN, NAN, True),
        (1.0, NAN, False),
    ],
)
def test_the_marker_is_missing(value, marker, expected):
    assert is_missing(value, marker) is expected


COLUMNS = {
    "ints with a marker": (np.array([1, -1, 0, -1]), -1),
    "small ints with a marker outside their range": (np.array([1, 255, 0, 255], np.uint8), 255),
    "floats": (np.array([1.0, NAN, 0.0, NAN]), None),
    "floats with a marker too": (np.array([1.0, NAN, 0.0, -1.0]), -1),
    "halves": (np.array([1, NAN, 0, NAN], np.float16), None),
    "objects": (np.array([1, None, 0, NAN], object), None),
    "a frame's NA": (np.array([True, pd.NA, False, pd.NaT], object), None),
    "a list": ([1, None, 0, NAN], None),
    "a list with a marker": ([1, -1, 0, None], -1),
    "a list of booleans": ([True, None, False, None], None),
    "a list of arrays without axes": ([np.array(1), None, np.array(0), np.float32("nan")], None),
    "a column of one": (np.array([[1.0], [NAN], [0.0], [NAN]]), None),
    "an object column of one": (np.array([[1], [None], [0], [None]], object), None),
    "codes": (Coded(np.array([0, -1, 1, -1], np.int32), [1, 0]), None),
    "codes with a marker": (Coded(np.array([0, 2, 1, -1], np.int32), [1, 0, -9]), -9),
}


@pytest.mark.parametrize(("values", "marker"), COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("head", [Binary, lambda **k: Categorical(2, **k), lambda **k: Regression(1, **k)])
def test_one_label_a_row_is_missing_in_every_form_of_column(values, marker, head):
    labels, there = encoded(head(missing=marker), values)
    assert labels.ravel().tolist() == [1, 0, 0, 0]
    assert there.tolist() == [True, False, True, False]


def test_a_marker_that_the_type_cannot_hold_marks_nothing():
    for column in (np.array([0, 1], np.uint8), np.array([True, False]), np.array([0.0, 1.0])):
        assert Binary(missing=-1).encode(column)[1] is None
        assert Binary(missing="?").encode(column)[1] is None
        assert Binary(missing=NAN).encode(column)[1] is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_infinity_may_be_the_marker(dtype):
    labels, there = encoded(Regression(missing=np.inf), np.array([1, np.inf], dtype))
    assert labels.tolist() == [[1], [0]]
    assert there.tolist() == [True, False]


def test_a_large_sum_is_not_taken_for_a_missing_number():
    column = np.full(4, 3e38, np.float32)
    assert Regression().encode(column)[1] is None
    assert Regression().encode(np.full(70000, 1, np.float16))[1] is None


def test_a_list_keeps_the_numbers_it_holds():
    array, there = numbers([np.uint8([1, 2]), None, np.uint8([3, 4])], None, (2,), "two numbers")
    assert array.dtype == np.uint8
    assert array.tolist() == [[1, 2], [0, 0], [3, 4]]
    assert there.tolist() == [[True, True], [False, False], [True, True]]


def test_presence_of_numbers_collapses_to_rows_only_where_rows_are_whole():
    assert collapse(None) is None
    assert collapse(np.array([[True, True], [False, False]])).tolist() == [True, False]
    assert collapse(np.array([[True, False]])) is None
    assert collapse(np.zeros((0, 2, 2), bool)).tolist() == []
    spread = np.broadcast_to(np.array([True, False]).reshape(2, 1, 1), (2, 3, 1))
    assert collapse(spread).tolist() == collapse(spread.copy()).tolist() == [True, False]
    assert collapse(np.broadcast_to(np.array([[True, False]]), (2, 2))) is None
    assert collapse(np.zeros((2, 0), bool)) is None


def test_rows_of_none_beside_numbers_that_are_missing():
    array, there = numbers([[1.0, NAN], None, [3.0, 4.0]], None, (2,), "two numbers")
    assert array.tolist() == [[1, 0], [0, 0], [3, 4]]
    assert there.tolist() == [[True, False], [False, False], [True, True]]
    array, there = numbers([[1, -1], None, [3, 4]], -1, (2,), "two numbers")
    assert array.tolist() == [[1, 0], [0, 0], [3, 4]]
    assert there.tolist() == [[True, False], [False, False], [True, True]]


# For every head ------------------------------------------------------------------------------------

ROWS = 6
RNG = np.random.default_rng(5)
CORNERS = np.sort(RNG.random((ROWS, 2, 2, 2)), axis=2).reshape(ROWS, 2, 4)
HEADS = {
    "Binary": (Binary(), RNG.integers(0, 2, ROWS), ()),
    "Categorical": (Categorical(3), RNG.integers(0, 3, ROWS), ()),
    "Categorical, class weights": (Categorical(3, class_weight={1: 2.0}), RNG.integers(0, 3, ROWS), ()),
    "MultiLabel": (MultiLabel(3, elementwise=False), RNG.integers(0, 2, (ROWS, 3)), ()),
    "MultiLabel, elementwise": (MultiLabel(3, elementwise=True), RNG.integers(0, 2, (ROWS, 3)), (3,)),
    "Regression": (Regression(), RNG.random(ROWS), ()),
    "Regression of a vector": (Regression(4, elementwise=False), RNG.random((ROWS, 4)), ()),
    "Regression of a vector, elementwise": (Regression(4, elementwise=True), RNG.random((ROWS, 4)), (4,)),
    "Regression of a grid": (Regression((2, 3, 4), elementwise=False), RNG.random((ROWS, 2, 3, 4)), (1, 1)),
    "Embedding": (Embedding(3), RNG.random((ROWS, 3)), ()),
    "Mask": (Mask(size=(2, 3)), RNG.integers(0, 2, (ROWS, 2, 3)), (1, 1)),
    "Mask of ids": (Mask(4, size=(2, 3)), RNG.integers(0, 4, (ROWS, 2, 3)), (1, 1)),
    "Mask of ids, pixels": (Mask(4, size=(2, 3), missing=255), RNG.integers(0, 4, (ROWS, 2, 3)), (2, 3)),
    "Mask of ids, weighted": (
        Mask(4, size=(2, 3), class_weight={0: 0.1}),
        RNG.integers(0, 4, (ROWS, 2, 3)),
        (2, 3),
    ),
    "Mask of channels": (Mask(4, multi=True, size=(2, 3)), RNG.integers(0, 2, (ROWS, 2, 3, 4)), (1, 1)),
    "Boxes": (Boxes(2), CORNERS, (2,)),
    "Map": (Map(size=(2, 3)), RNG.random((ROWS, 2, 3)), (2, 3)),
    "Map of two": (resolved(Map(2), RNG.random((ROWS, 2, 3, 2))), RNG.random((ROWS, 2, 3, 2)), (2, 3, 2)),
    "Keypoints": (Keypoints(2), RNG.random((ROWS, 2, 2)), (2,)),
}
SHAPES = {
    "Binary": ("float32", (1,)),
    "Categorical": ("int32", ()),
    "MultiLabel": ("float32", (3,)),
    "Regression": ("float32", (1,)),
    "Regression of a vector": ("float32", (4,)),
    "Regression of a grid": ("float32", (2, 3, 4)),
    "Embedding": ("float32", (3,)),
    "Mask": ("float32", (2, 3, 1)),
    "Mask of ids": ("int32", (2, 3)),
    "Mask of channels": ("float32", (2, 3, 4)),
    "Boxes": ("float32", (2, 4)),
    "Map": ("float32", (2, 3, 1)),
    "Map of two": ("float32", (2, 3, 2)),
    "Keypoints": ("float32", (2, 2)),
}
every_head = pytest.mark.parametrize(("head", "column", "weight_shape"), HEADS.values(), ids=HEADS)


@every_head
def test_what_a_head_emits(head, column, weight_shape, request):
    name = request.node.callspec.id.split(",")[0]
    labels, there = head.encode(column)
    assert there is None
    assert (str(labels.dtype), labels.shape[1:]) == SHAPES[name] == (head.dtype, head.shape)
    assert head.weight_shape == weight_shape
    np.testing.assert_array_equal(labels, column.reshape(labels.shape).astype(head.dtype))


@every_head
@pytest.mark.parametrize(
    "form", ["int8", "int64", "float16", "float32", "float64", "object", "list", "lists"]
)
def test_the_type_of_the_column_does_not_matter(head, column, weight_shape, form):
    if form.startswith("int") and column.dtype.kind == "f":
        column = np.ceil(column * 4)
        column[..., 2:] += 4 if isinstance(head, Boxes) else 0
    expected = head.encode(column)[0]
    as_form = {"object": lambda: _objects(column), "list": lambda: list(column), "lists": column.tolist}
    given = as_form[form]() if form in as_form else column.astype(form)
    if isinstance(head, MultiLabel) and form in ("object", "list", "lists"):
        given = [np.flatnonzero(row).tolist() for row in column]  # rows of a list name labels
    labels, there = encoded(head, given)
    np.testing.assert_allclose(
        labels, expected, **({"rtol": 1e-3, "atol": 1e-3} if form == "float16" else {"rtol": 0})
    )
    assert there.all()


def _objects(column):
    out = np.empty(len(column), object)
    out[:] = list(column)
    return out


@every_head
@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
def test_a_column_is_never_written_to(head, column, weight_shape, dtype):
    column = np.ceil(column).astype(dtype)
    column.flags.writeable = False
    before = column.copy()
    head.encode(column)
    head.encode(np.where(np.arange(ROWS).reshape((-1,) + (1,) * (column.ndim - 1)) % 2, column, np.nan))
    if getattr(head, "elementwise", None) is not False:
        head.fixed(missing=0).encode(column)
        writable = column.copy()
        labels, there = head.fixed(missing=0).encode(writable)
        np.testing.assert_array_equal(writable, before)
        assert not np.shares_memory(labels, writable) or there is None
    np.testing.assert_array_equal(column, before)


@every_head
def test_arrays_that_are_not_contiguous(head, column, weight_shape):
    strided = np.repeat(column, 2, axis=0)[::-2]
    np.testing.assert_array_equal(encoded(head, strided)[0], head.encode(column[::-1].copy())[0])
    fortran = np.asfortranarray(column)
    np.testing.assert_array_equal(encoded(head, fortran)[0], head.encode(column)[0])


@every_head
def test_no_rows_are_no_labels(head, column, weight_shape):
    for empty in (column[:0], column[:0].astype(np.float64), []):
        labels, there = encoded(head, empty)
        assert len(labels) == 0
        assert there.shape == (0, *weight_shape)


def filler(head):
    """What stands in the place of a label that is missing: boxes tell it from an image without any."""
    return -1 if isinstance(head, Boxes) else 0


@every_head
def test_every_label_missing(head, column, weight_shape):
    for nothing in (np.full(column.shape, np.nan), [None] * ROWS, _objects([None] * ROWS)):
        labels, there = encoded(head, nothing)
        assert (labels == filler(head)).all()
        assert not there.any()


@every_head
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_presence_is_exact_labels_finite_and_each_row_stands_alone(head, column, weight_shape, data):
    present = np.array(data.draw(st.lists(st.booleans(), min_size=ROWS, max_size=ROWS)))
    ids = np.array(data.draw(st.lists(st.integers(0, ROWS - 1), max_size=2 * ROWS)), np.int64)
    form = data.draw(st.sampled_from(["nan", "none", "object"]))
    wanted = np.broadcast_to(present.reshape((-1,) + (1,) * len(weight_shape)), (ROWS, *weight_shape))
    if form == "nan":
        whole = np.where(present.reshape((-1,) + (1,) * (column.ndim - 1)), column, np.nan)
        some = whole[ids]
    else:
        rows = [np.flatnonzero(r).tolist() for r in column] if isinstance(head, MultiLabel) else list(column)
        whole = [row if p else None for row, p in zip(rows, present, strict=True)]
        some = [whole[i] for i in ids]
        whole, some = (_objects(whole), _objects(some)) if form == "object" else (whole, some)
    labels, there = encoded(head, whole)
    np.testing.assert_array_equal(there, wanted)
    np.testing.assert_array_equal(labels[present], head.encode(column[present])[0])
    assert (labels[~present] == filler(head)).all()
    taken, taken_there = encoded(head, some)
    np.testing.assert_array_equal(taken, labels[ids])
    np.testing.assert_array_equal(taken_there, there[ids])


@settings(max_examples=50, deadline=None)
@given(
    present=st.lists(st.tuples(*[st.booleans()] * 3), min_size=1, max_size=8),
    marker=st.sampled_from([None, -1, 0.5]),
)
@pytest.mark.parametrize("head", [Regression(3, elementwise=True), MultiLabel(3, elementwise=True)])
def test_numbers_are_missing_one_by_one(head, present, marker):
    present = np.array(present)
    column = np.where(present, 1.0, np.nan if marker is None else marker)
    labels, there = encoded(head.fixed(missing=marker), column)
    np.testing.assert_array_equal(there, present)
    np.testing.assert_array_equal(labels, present)


@pytest.mark.parametrize("kind", ["clean", "dirty"])
@pytest.mark.parametrize("head", [Binary(), Categorical(2), Categorical(["b", "a"]), Regression(missing=-1)])
def test_no_python_for_each_row_of_an_array(head, kind):
    rows = 20000
    column = (
        np.arange(rows) % 2 if kind == "clean" else np.where(np.arange(rows) % 3, np.arange(rows) % 2, np.nan)
    )
    if head == Categorical(["b", "a"]):
        column = np.array(["a", "b"])[np.arange(rows) % 2]
    assert _calls(lambda: head.encode(column)) < 300


def _calls(function):
    import sys

    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += 1

    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    ("head", "column"),
    [
        (Categorical(9), np.arange(9, dtype=np.int32)),
        (Binary(), np.ones((9, 1), np.float32)),
        (Regression(2, elementwise=False), np.ones((9, 2), np.float32)),
        (Mask(4, size=(3, 3)), np.ones((9, 3, 3), np.int32)),
        (Boxes(2), np.ones((9, 2, 4), np.float32)),
        (Keypoints(2), np.ones((9, 2, 2), np.float32)),
    ],
)
def test_a_column_that_is_right_already_is_not_copied(head, column):
    assert np.shares_memory(head.encode(column)[0], column)


@pytest.mark.parametrize(
    ("what", "column", "days"),
    [
        ("times", np.array(["2000-01-01", "2000-01-03"], "datetime64[D]"), [0, 2]),
        ("times", [datetime.date(2000, 1, 1), datetime.date(2000, 1, 3)], [0, 2]),
        ("times", [datetime.datetime(2000, 1, 1, 12), None], [0.5, np.nan]),
        ("times", pd.Series(pd.to_datetime(["2000-01-01T02:00+02:00", None])), [0, np.nan]),
        ("times", pl.Series([datetime.date(1999, 12, 31)]), [-1]),
        ("times", ["2000-01-01", "2000-01-03 00:00:00"], [0, 2]),
        ("time spans", [datetime.timedelta(1), None], [1, np.nan]),
        ("time spans", np.array([36, 48], "timedelta64[h]"), [1.5, 2]),
        ("time spans", pd.Series([datetime.timedelta(hours=6)]), [0.25]),
    ],
)
def test_times_among_numbers_say_how_they_become_numbers(what, column, days):
    """Days since a fixed day: the first day of the column would differ between training and validation."""
    with pytest.raises(BadValue) as caught:
        numbers(as_column("x", column), None, (1,), "a number")
    about, _, code = caught.value.fix.removesuffix(".").partition(", as days: ")
    assert about == f"Turn {what} into numbers"
    np.testing.assert_array_equal(eval(code, {"np": np, "column": column}), days)


def test_times_of_day_become_hours():
    code = times_fix(datetime.time(6, 30)).partition(": ")[2].removesuffix(".")
    assert eval(code, {"column": [datetime.time(6, 30)]}) == [6.5]


def test_dates_as_other_text_are_read_with_their_format():
    assert times_fix("24.12.2020").startswith(
        "Read the dates with column = pandas.to_datetime(column, format=...)"
    )
    assert [times_fix(text) for text in ("1.2.3", "2020", "a-b-c", "12/24")] == [""] * 4


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("[[1, 2, 9, 8]]", "Turn text into lists: [json.loads(text) for text in column]."),
        ("[(1, 2, 9, 8)]", "Turn text into lists: [ast.literal_eval(text) for text in column]."),
        ("1 2 9 8", "Turn text into numbers: [[float(one) for one in text.split()] for text in column]."),
        (
            "1, 2, 9, 8",
            'Turn text into numbers: [[float(one) for one in text.split(",")] for text in column].',
        ),
        ("1;2;9;8", 'Turn text into numbers: [[float(one) for one in text.split(";")] for text in column].'),
        (
            "[1. 2. 9. 8.]",
            'Turn text into numbers: [[float(one) for one in text.strip("[]").split()] for text in column].',
        ),
        ("[a b]", ""),
        ("[" * 9999 + "]" * 9999, ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize(
    "head", [Boxes(1), Regression(4), Keypoints(2), Embedding(4)], ids=lambda head: type(head).__name__
)
def test_lists_that_are_text_are_told_how_to_read_them(head, text, fix):
    with pytest.raises(BadValue) as bad:
        resolved(head, [text, text])
    plain = "Give numbers, or None where there is no label."
    assert bad.value.fix.replace(plain, "") == fix
    if fix:
        code = fix.partition(": ")[2].removesuffix(".")
        read = eval(code, {"json": json, "ast": ast, "column": [text]})
        assert np.asarray(read, float).reshape(-1).tolist() == [1, 2, 9, 8]
