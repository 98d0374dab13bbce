"""Heads with classes."""

import datetime
import enum
import uuid
from decimal import Decimal

import numpy as np
import pytest
from kind_checks import encoded, message, refusal, resolved

import polyhead as ph
from polyhead.columns.values import Coded, EvenRows
from polyhead.errors import ContractError
from polyhead.kinds import Binary, Categorical, Mask, MultiLabel
from polyhead.kinds.class_encoding import FRACTIONS, SOFT_LABELS

ALL3 = np.ones(3, bool)


# Binary --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        np.array([0, 1, 1]),
        np.array([0.0, 1, 1]),
        np.array([False, True, True]),
        [0, True, 1.0],
        [[0], [1], [1]],
    ],
)
def test_binary_labels(column):
    labels, there = encoded(resolved(Binary(), column), column)
    assert labels.tolist() == [[0], [1], [1]]
    assert there.all()


@pytest.mark.parametrize(
    "column",
    [
        np.array(["no", "yes", "?", "maybe"]),
        ["no", "yes", None, "maybe"],
        np.array([["no"], ["yes"], [None], ["maybe"]], object),
        Coded(np.array([1, 0, -1, 2]), ["yes", "no", "maybe"]),
        Coded(np.array([1, 0, 3, 2]), ["yes", "no", "maybe", "?"]),
    ],
)
def test_the_positive_value_counts_as_1_and_every_other_as_0(column):
    labels, there = encoded(Binary(positive="yes", missing="?"), column)
    assert labels.tolist() == [[0], [1], [0], [0]]
    assert there.tolist() == [True, True, False, True]


def test_the_positive_value_may_be_a_number():
    labels, there = encoded(Binary(positive=255), np.array([[0], [255]], np.uint8))
    assert labels.tolist() == [[0], [1]]
    labels, there = encoded(Binary(positive=2, missing=-1), np.array([1, 2, -1, np.nan]))
    assert labels.tolist() == [[0], [1], [0], [0]]
    assert there.tolist() == [True, True, False, False]


def test_a_positive_value_that_never_occurs_is_refused():
    words = (
        "head `h`: expected 'yes' in some row, as positive= says, got only other values, such as 'No'. "
        "Did you mean `Yes`? Write it as the column does."
    )
    assert message(resolved, Binary(positive="yes"), [None, "No"], ["Yes", "No"]) == words
    assert message(resolved, Binary(positive="yes"), Coded(np.array([-1, 1, 0]), ["Yes", "No"])) == words
    assert message(resolved, Binary(positive=1), np.array(["0", "1"])) == (
        "head `h`: expected 1 in some row, as positive= says, got only other values, such as '0'. "
        "Did you mean '1', not 1? Write it as the "
        "column does."
    )


def test_a_positive_value_is_looked_for_where_it_is_learned_and_there_alone():
    head = resolved(Binary(positive="yes"), ["no"], ["no", "yes"])
    assert resolved(head, ["no", "no"]) is head
    assert head == Binary(positive="yes")
    assert repr(head) == "Binary(positive='yes')"
    assert resolved(Binary(positive="yes"), [None, None]) == head


@pytest.mark.parametrize("form", [np.array, list, lambda c: Coded(np.arange(len(c)), list(c))])
@pytest.mark.parametrize(
    ("positive", "own", "column", "words"),
    [
        ("yes", ["yes", "no"], [True, False], "'yes' or another word, got True"),
        ("yes", ["yes", "no"], [1.0, 0.0], "'yes' or another word, got 1.0"),
        (1, [1, 0], ["1", "0"], "1 or another number, got '1'"),
        (True, [True, False], ["0", "1"], "True or another number, got '0'"),
    ],
)
def test_a_value_of_another_type_in_later_rows_is_no_negative_label(form, positive, own, column, words):
    head = resolved(Binary(positive=positive), own)
    fix = "Write it as other rows do."
    assert f"head `h`, row 0: expected {words}. {fix}" in message(head.encode, form(column))
    assert encoded(head, form(own))[0].tolist() == [[1], [0]]


def test_a_positive_time_of_numpy():
    days = np.array(["2024-03-01", "2024-03-02", "NaT"], "M8[D]")
    labels, there = encoded(resolved(Binary(positive=days[1]), days), days)
    assert (labels[there].tolist(), there.tolist()) == ([[0], [1]], [True, True, False])


@pytest.mark.parametrize("form", [list, np.array])
def test_marks_beside_numbers_are_positive(form):
    """The column itself may mix types, as long as it does where the feed is made."""
    for column in (["x", 0, 1], ["x", 0, "o"]):
        column = np.array(column, object) if form is np.array else column
        assert encoded(resolved(Binary(positive="x"), column), column)[0].tolist() == [[1], [0], [0]]


@pytest.mark.parametrize("text", ["", " ", "nan", "<NA>"])
@pytest.mark.parametrize("form", [np.array, list, lambda column: Coded(np.arange(4), column)])
def test_an_empty_text_beside_other_words_is_no_negative_label(form, text):
    head = resolved(Binary(positive="Y"), form(["Y", "N", text, "n"]))
    fix = f'If it means "no label", say Binary(missing={text!r}); else replace it by the word it stands for.'
    assert message(encoded, head, form(["Y", "N", text, "n"])) == (
        f"head `h`, row 2: expected 'Y' or another word, got {text!r}. {fix}"
    )
    head = resolved(Binary(positive="Y", missing=text), form(["Y", "N", text, "n"]))
    labels, there = encoded(head, form(["Y", "N", text, "n"]))
    assert labels.tolist() == [[1], [0], [0], [0]]
    assert there.tolist() == [True, True, False, True]


def test_an_empty_text_is_the_negative_label_if_there_is_no_other():
    head = resolved(Binary(positive="Y"), ["Y", "", "", "Y"])
    assert encoded(head, ["Y", "", "", "Y"])[0].tolist() == [[1], [0], [0], [1]]
    assert encoded(resolved(Binary(positive=""), ["", "N"]), ["", "N"])[0].tolist() == [[1], [0]]


@pytest.mark.parametrize("column", [np.array([2**63 + 5, 1], np.uint64), [2**70, 1]])
def test_ids_of_classes_fit_int64(column):
    words = f"expected ids of classes that fit int64, got {int(column[0])}. Give ids as text: np.asarray("
    assert message(resolved, Categorical(), column) == f"head `h`: {words}column).astype(str)."
    assert (
        message(resolved, MultiLabel(), [[one] for one in column]) == f"head `h`: {words}column).astype(str)."
    )
    words = r"^Categorical\(classes\): expected ids of classes that fit int64, got"
    with pytest.raises(ContractError, match=words):
        Categorical([int(one) for one in column])
    assert resolved(Categorical(), [2**63 - 1, -(2**63)]).names == (-(2**63), 2**63 - 1)


def test_ids_that_pandas_rounded_are_no_classes():
    words = message(resolved, Categorical(), np.array([2.0**60, np.nan, 1]))
    assert words == (
        "head `h`: expected ids that floats hold exactly, got 1.152921504606847e+18. pandas makes floats of integers "
        "beside missing ones: read them as Int64, or as text."
    )


NAME_IT = "Say Binary(positive=...) to name the value that means 1."


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([0, 1, 2], f"head `h`, row 2: expected 0, 1, True or False, got 2. {NAME_IT}"),
        (np.uint8([0, 255]), f"head `h`, row 1: expected 0, 1, True or False, got 255. {NAME_IT}"),
        (["no", "yes"], f"head `h`, row 0: expected 0, 1, True or False, got 'no'. {NAME_IT}"),
        (np.array(["no", "yes"]), f"head `h`, row 0: expected 0, 1, True or False, got 'no'. {NAME_IT}"),
        ([1, None, "0"], f"head `h`, row 2: expected 0, 1, True or False, got '0'. {NAME_IT}"),
        (np.array([1, np.inf]), f"head `h`, row 1: expected 0, 1, True or False, got inf. {NAME_IT}"),
        (
            np.array([0, 1, -1]),
            "head `h`, row 2: expected 0, 1, True or False, got -1. "
            'If -1 means no, say Binary(positive=1); if it means "no label", Binary(missing=-1).',
        ),
        (
            np.array([0, 0.25]),
            "head `h`, row 1: expected 0, 1, True or False, got 0.25. "
            'For soft labels say ph.Regression(loss="binary_crossentropy").',
        ),
        (
            np.zeros((3, 2)),
            "head `h`: expected 0, 1, True or False, got rows of shape (2,). If these are one-hot, give column[:, 1]. "
            "If each row has several labels, say MultiLabel().",
        ),
        ([[0, 1]], "head `h`, row 0: expected 0, 1, True or False, got shape (2,)."),
    ],
)
def test_what_is_not_binary(column, words):
    assert message(Binary().encode, column) == words


# Categorical ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "int32", "int64", "uint64", "float16", "float32", "float64"]
)
def test_ids_of_every_type(dtype):
    for shape in ((4,), (4, 1)):
        column = np.array([2, 0, 1, 2], dtype).reshape(shape)
        labels, there = encoded(resolved(Categorical(3), column), column)
        assert labels.tolist() == [2, 0, 1, 2]
        assert there.all()


@pytest.mark.parametrize(
    ("classes", "column", "expected"),
    [
        (["b", "a"], np.array(["a", "b", "a"]), [1, 0, 1]),
        (("b", "a"), ["a", "b", "a"], [1, 0, 1]),
        (np.array(["b", "a", "longer"]), np.array(["a", "longer", "a"]), [1, 2, 1]),
        (["b", "a"], np.array([["a"], ["b"], ["a"]], object), [1, 0, 1]),
        (["b", "a"], Coded(np.array([0, 1, 0]), ["a", "b"]), [1, 0, 1]),
        ([10, 5, 7], np.array([5, 7, 10]), [1, 2, 0]),
        ([10, 5, 7], np.array([5.0, 7.0, 10.0]), [1, 2, 0]),
        ([1, 2, 3], [3, 1, 2.0], [2, 0, 1]),
        ([0.5, 1], np.array([1, 1]), [1, 1]),
        ([False, True], np.array([True, False]), [1, 0]),
        ([True, False], np.array([True, False]), [0, 1]),
        (2, np.array([True, False]), [1, 0]),
        ([1, "a"], np.array([1, 1]), [0, 0]),
        ([0, "a"], np.array(["a"]), [1]),
        (np.int64(3), np.array([2, 0]), [2, 0]),
        (range(3), np.array([2, 0]), [2, 0]),
    ],
)
def test_classes_that_are_named(classes, column, expected):
    labels, there = encoded(Categorical(classes), column)
    assert labels.tolist() == expected
    assert there.all()


@pytest.mark.parametrize(
    ("column", "classes"),
    [
        (np.array([3, 1, 1, 7]), (1, 3, 7)),
        (np.array([2.0, np.nan, 1.0]), (1, 2)),
        ([2.0, None, 1.0], (1, 2)),
        (np.array([2.0, 1, None], object), (1, 2)),
        (np.array([True, False]), (False, True)),
        (np.array(["b", "a", "b"]), ("a", "b")),
        (["b", None, "a"], ("a", "b")),
        (np.array([["b"], ["a"]], object), ("a", "b")),
        (Coded(np.array([2, 0, 0, -1]), ["z", "unused", "y"]), ("y", "z")),
        (Coded(np.array([2, 0]), ["z", "unused", "y"], ordered=True), ("z", "unused", "y")),
        (Coded(np.array([1, -1, 0]), [2.0, 1.0], ordered=True), (2, 1)),  # of integers and None, in pandas
    ],
)
def test_classes_that_are_learned(column, classes):
    head = resolved(Categorical(), column)
    assert head.classes == classes
    assert [type(c) for c in head.classes] == [type(c) for c in classes]
    labels, there = encoded(head, column)
    assert labels[there].max() < len(classes)
    assert resolved(head, column) == head


def test_classes_are_learned_from_every_piece_and_without_the_marker():
    head = resolved(Categorical(missing="?"), ["b", "?"], np.array(["c", "a"]), Coded(np.array([0]), ["d"]))
    assert head.classes == ("a", "b", "c", "d")
    assert resolved(Categorical(missing=-1), np.array([-1, 4, 2])).classes == (2, 4)


ONE_HOT = "If these are one-hot, give np.argmax(column, axis=1)."
IDS = "np.where(np.isnan(column).all(axis=1), -1, np.argmax(column, axis=1))"
SOFT = 'For soft labels say ph.Regression(3, loss="categorical_crossentropy").'
AT_ONCE = "If several classes hold at once, use ph.MultiLabel."
BOXES = 'If these are the classes of boxes, say each="..." with the name of their head.'
VOLUMES = 'If these are volumes, say Regression((D, H, W, n), loss="categorical_crossentropy"), with one-hot labels.'
STEPS = (
    "A class for each step of a sequence is ph.Mask(classes, missing=-100): give ids of shape (N, 1, T), with -100 in "
    "the padding, and an output of shape (1, T, classes)."
)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (
            [np.array([1, 1])],
            "head `h`: expected at least 2 classes, got 1 ([1]). If there are others, name all of them, or "
            "leave this head out.",
        ),
        (
            [[None, None]],
            "head `h`: expected at least 2 classes, got 0 ([]). Give the classes, or leave this head out.",
        ),
        (
            [np.array([0.5, 1, 2])],
            "head `h`: expected ids or names of classes, got fractions ([0.5, 1.0, 2.0]). "
            "Use ph.Regression for numbers, or name the classes.",
        ),
        (
            ["ab", ["a", 1]],
            "head `h`: expected classes of one type, got 'a', 'b', 1. Give the classes by name.",
        ),
        ([np.eye(3)], f"head `h`: expected one class a row, got rows of shape (3,). {ONE_HOT}"),
        (
            [np.where(np.arange(3)[:, None] == 1, np.nan, np.eye(3))],
            "head `h`: expected one class a row, got rows of shape (3,). "
            f"If these are one-hot, give {IDS}, with Categorical(missing=-1).",
        ),
        (
            [[[np.nan, np.nan]]],
            "head `h`, row 0: expected one class a row, got [nan, nan]. Give None for a row without a label.",
        ),
        (
            [["a", "b"], ["c", ["d", "a"]]],
            f"head `h`, row 3: expected one class a row, got ['d', 'a']. {AT_ONCE} {BOXES}",
        ),
        (
            [np.array(["a", "b", np.nan])],
            "head `h`: expected names of classes, got 'nan' in 1 row. "
            "If it means \"no label\", say Categorical(missing='nan'); else name the classes.",
        ),
    ],
)
def test_classes_that_cannot_be_learned(pieces, words):
    pieces = [list(p) if isinstance(p, str) else p for p in pieces]
    assert message(resolved, Categorical(), *pieces) == words


def test_the_text_of_the_number_that_means_no_label_is_no_class():
    column = ["good", "-1", "poor", "good"]
    fix = "got '-1'{} If it means \"no label\", say {}(missing='-1'); else "
    expected = (
        f"head `h`: expected names of classes, {fix.format(' in 1 row.', 'Categorical')}name the classes."
    )
    for missing in (-1, -1.0):
        assert message(resolved, Categorical(missing=missing), column) == expected
    assert "got '-1.0'" in message(resolved, Categorical(missing=-1), ["good", "-1.0"])
    head = resolved(Binary(positive="good", missing=-1), column[2:])
    expected = f"head `h`, row 1: expected 'good' or another word, {fix.format('.', 'Binary')}"
    assert message(encoded, head, column) == f"{expected}replace it by the word it stands for."
    assert encoded(head, column[2:])[0].tolist() == [[0], [1]]


@pytest.mark.parametrize("nothing", ["", " ", "nan", "NaN", "<NA>", "NaT"])
@pytest.mark.parametrize("form", [list, lambda c: np.array(c, object), lambda c: Coded(np.arange(len(c)), c)])
def test_text_that_stands_for_nothing_is_no_class(form, nothing):
    column = form(["good", nothing, "None"])
    words = f"head `h`: expected names of classes, got {nothing!r} in 1 row. "
    assert message(resolved, Categorical(), column) == (
        f'{words}If it means "no label", say Categorical(missing={nothing!r}); else name the classes.'
    )
    assert resolved(Categorical(missing=nothing), column).classes == ("None", "good")
    assert encoded(resolved(Categorical(missing=nothing), column), column)[1].tolist() == [True, False, True]
    assert resolved(Categorical(["good", nothing, "None"]), column).names == ("good", nothing, "None")
    lists = [["good", nothing], ["None"]]
    assert message(resolved, MultiLabel(), lists) == (
        f"{words}If {nothing!r} is no label, leave it out: [[one for one in row if one != {nothing!r}] for row in "
        "column]; else name the classes."
    )
    assert resolved(MultiLabel(["good", nothing, "None"]), lists).names == ("good", nothing, "None")


@pytest.mark.parametrize("form", [np.asarray, list, lambda c: Coded(np.arange(len(c)), c)])
@pytest.mark.parametrize(
    ("classes", "column", "words"),
    [
        (
            3,
            [0, 1, -1],
            "head `h`, row 2: expected an integer in [0, 2], got -1. "
            'If -1 means "no label", say Categorical(missing=-1).',
        ),
        (
            3,
            [1, 2, 3],
            "head `h`, row 2: expected an integer in [0, 2], got 3. "
            "If the ids count from 1, say Categorical([1, 2, 3]); if they count from 0, Categorical(4). "
            'If 3 means "no label", say Categorical(missing=3).',
        ),
        (
            3,
            [1.0, 0.5],
            "head `h`, row 1: expected an integer in [0, 2], got 0.5. "
            "Use ph.Regression for numbers that are no ids.",
        ),
        (
            3,
            ["0", "1"],
            "head `h`, row 0: expected an integer in [0, 2], got '0'. "
            "Turn text into numbers: np.asarray(column, float).",
        ),
        (
            3,
            ["red", "blue"],
            "head `h`, row 0: expected an integer in [0, 2], got 'red'. "
            "Give the names of the classes, or say Categorical() to learn them from the column.",
        ),
        (
            ["cat", "dog"],
            ["dog", "cow"],
            "head `h`, row 1: expected one of ['cat', 'dog'], got 'cow'. "
            "Name it among the classes, or say Categorical(missing='cow') if it means \"no label\".",
        ),
        (
            [5, 7],
            [5, 6],
            "head `h`, row 1: expected one of [5, 7], got 6. "
            'Name it among the classes, or say Categorical(missing=6) if it means "no label".',
        ),
    ],
)
def test_values_that_are_no_class(form, classes, column, words):
    assert message(Categorical(classes).encode, form(column)) == words
    assert message(Categorical(classes).encode, form(column), check=False) == words


def test_ids_that_would_wrap_or_vanish_are_found():
    for column in (
        np.array([0, 2**32]),
        np.array([0.0, 2.0**32]),
        np.array([0, np.inf]),
        np.array([0, 2**64 - 1], np.uint64),
    ):
        assert message(Categorical(3).encode, column).startswith(
            "head `h`, row 1: expected an integer in [0, 2]"
        )


@pytest.mark.parametrize(
    ("column", "advice"),
    [
        (np.eye(3), ONE_HOT),
        (np.eye(3, dtype=object), ONE_HOT),
        (np.full((4, 3), 1 / 3), SOFT),
        (np.array([[0.9, 0.1, 0], [0, 0, 1]]), SOFT),
        (np.ones((2, 3)), AT_ONCE),
        (np.zeros((2, 3, 1)), AT_ONCE),
        (np.array([[0, 2, 1], [1, 0, 0]]), STEPS),
        (np.array([[0, 1, -100, -100], [1, 0, 1, 1]]), STEPS),
        (np.eye(7), STEPS),  # of as many steps as there are no classes
        (np.array([[[0], [2]], [[1], [1]]]), STEPS),
        (np.zeros((2, 8, 8)), "A class for each pixel is ph.Mask."),
        (np.zeros((2, 4, 8, 8)), VOLUMES),
    ],
)
def test_rows_of_several_values_are_no_class_ids(column, advice):
    words = f"head `h`: expected one class a row, got rows of shape {column.shape[1:]}. {advice}"
    assert message(Categorical(3).encode, column) == words


@pytest.mark.parametrize(
    ("column", "row", "advice"),
    [
        ([[0, 1, 0], [1, 0, 0]], 0, ONE_HOT),
        ([["noun", "verb"], ["noun"]], 0, f"{AT_ONCE} {BOXES}"),
        ([["noun", "verb", "noun"], ["noun"]], 0, f"{STEPS} {BOXES}"),
        ([[0, 1, 2, 2], [1]], 0, f"{STEPS} {BOXES}"),
    ],
)
def test_lists_a_row_are_no_class_ids(column, row, advice):
    words = message(Categorical(3).encode, column)
    assert words == f"head `h`, row {row}: expected one class a row, got {column[row]}. {advice}"


@pytest.mark.parametrize("column", [[["a"], ["c"], None], [("a",), ("c",), (None,)], ["a", ["c"], [np.nan]]])
def test_a_list_of_one_label_is_that_label(column):
    for head, labels in ((Categorical(), [0, 1]), (Binary(positive="c"), [[0], [1]])):
        found, there = encoded(resolved(head, column), column)
        assert (found[:2].tolist(), there.tolist()) == (labels, [True, True, False])
    words = message(Categorical(["a", "b"]).encode, column)
    assert words.startswith("head `h`, row 1: expected one of ['a', 'b'], got 'c'.")


def test_lists_of_labels_are_no_class_ids():
    words = message(Categorical(3).encode, [1, [0, 1, 0]])
    assert words == f"head `h`, row 1: expected one class a row, got [0, 1, 0]. {ONE_HOT}"


def test_a_marker_may_be_a_valid_id():
    labels, there = encoded(Categorical(3, missing=0), np.array([0, 1, 2]))
    assert labels.tolist() == [0, 1, 2]
    assert there.tolist() == [False, True, True]


# MultiLabel ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [MultiLabel(2), MultiLabel()], ids=["declared", "learned"])
def test_a_list_of_0_and_1_for_each_of_two_labels_is_no_list_of_labels(head):
    """Read as ids, [1, 0] and [0, 1] would both be both labels."""
    exclusive = [[1, 0], [0, 1], None, [0, 1]]
    assert message(resolved, head, exclusive) == (
        "head `h`: expected lists of the labels of each row, got two in each, 0 and 1, in either order. If these are "
        '0 and 1 for each label, name the labels, as MultiLabel(["red", "round"]), or give the column as '
        "np.array(column)."
    )
    assert message(resolved, head, exclusive, [[1.0, 0.0]]).endswith("give the column as np.array(column).")
    lists = [[1, 0], [0], None, [0, 1], []]
    assert encoded(resolved(head, lists), lists)[0].tolist() == [[1, 1], [1, 0], [0, 0], [1, 1], [0, 0]]
    array = np.array([[1, 0], [0, 1]])
    assert encoded(resolved(head, array), array)[0].tolist() == array.tolist()
    for few in ([None, None], [[0, 1]]):  # such as one row to predict
        assert resolved(MultiLabel(2), few).classes == 2


FLAGS = [[1, 0, 1], [0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("form", [list, tuple, np.array, EvenRows], ids=lambda form: form.__name__)
@pytest.mark.parametrize("number", [int, float, bool, np.uint8])
@pytest.mark.parametrize(
    "head", [MultiLabel(), MultiLabel(3), MultiLabel(["a", "b", "c"]), MultiLabel([7, 8, 9])]
)
def test_lists_of_0_and_1_for_each_label(head, number, form):
    rows = [[number(one) for one in row] for row in FLAGS]
    column = EvenRows(np.array(rows)) if form is EvenRows else [form(row) for row in rows]
    assert encoded(resolved(head, column), column)[0].tolist() == FLAGS
    assert len(resolved(head, [None], column).names) == 3
    later = encoded(resolved(head, column), [None, column[0]])
    assert later[0].tolist() == [[0, 0, 0], [1, 0, 1]]
    assert later[1].tolist() == [False, True]


def test_lists_of_0_and_1_for_two_labels_or_one():
    exclusive = [[1, 0], [0, 1]]
    for head in (MultiLabel(["a", "b"]), MultiLabel([1, 2]), resolved(MultiLabel(), exclusive, [[1, 1]])):
        assert encoded(resolved(head, exclusive), exclusive)[0].tolist() == exclusive
    assert encoded(resolved(MultiLabel(2), [[True, False]]), [[False, True]])[0].tolist() == [[0, 1]]
    assert encoded(resolved(MultiLabel(), [[True], [False]]), [[True], [False]])[0].tolist() == [[1], [0]]
    ids = [[0], [1]]
    assert encoded(resolved(MultiLabel(), ids), ids)[0].tolist() == [[1, 0], [0, 1]]


def test_rows_that_fit_no_flags_are_lists_of_labels():
    """Rows may have fewer entries than there are labels, or belong to a column whose other rows are lists of labels."""
    exclusive = [[1, 0], [0, 1]]
    assert encoded(resolved(MultiLabel(3), exclusive), exclusive)[0].tolist() == [[1, 1, 0]] * 2
    for lists in ([[0, 1], [2]], [[0, 1], [1]]):
        head = resolved(resolved(MultiLabel(), lists), exclusive)
        assert encoded(head, exclusive)[0][:, :2].tolist() == [[1, 1]] * 2
    words = [["yes", "no"], ["no", "yes"]]
    assert (
        encoded(resolved(resolved(MultiLabel(), [*words, ["no"]]), words), words)[0].tolist() == [[1, 1]] * 2
    )


@pytest.mark.parametrize("head", [MultiLabel(), MultiLabel(2)], ids=["learned", "declared"])
@pytest.mark.parametrize("dtype", [int, float, bool])
def test_an_array_says_that_lists_of_other_rows_hold_0_and_1_too(head, dtype):
    """As of new rows in lists, after training on an array: [1, 0] are not the labels 1 and 0."""
    array = np.array([[0, 1], [1, 1], [0, 0]], dtype)
    for rows in ([[1, 0]], [[0, 1], [0, 1]], [[0, 1], [1, 0]], [[1, 1], [0, 1]]):
        assert encoded(resolved(resolved(head, array), rows), rows)[0].tolist() == rows
    for lists, labels in (([[0], [0, 1], []], [[1, 0], [1, 1], [0, 0]]), ([[0], [1]], [[1, 0], [0, 1]])):
        assert encoded(resolved(resolved(head, array), lists), lists)[0].tolist() == labels


@pytest.mark.parametrize("number", [np.int64, np.uint8, np.float32])
def test_ids_may_be_scalars_of_numpy(number):
    ids = [[number(0)], [number(1)], [number(0)]]
    assert encoded(resolved(MultiLabel(2), ids), ids)[0].tolist() == [[1, 0], [0, 1], [1, 0]]
    exclusive = [[number(1), number(0)], [number(0), number(1)]]
    assert message(resolved, MultiLabel(), exclusive).endswith("give the column as np.array(column).")


def test_a_label_missing_in_a_list_of_0_and_1():
    for gap in (None, np.nan):
        column = [[1, gap, 0], [0, 1, 1]]
        for head in (MultiLabel(), MultiLabel(["a", "b", "c"])):
            labels, there = encoded(resolved(head, column), column)
            assert labels.tolist() == [[1, 0, 0], [0, 1, 1]]
            assert there.tolist() == [[True, False, True], [True, True, True]]
    marked = [[1, -1, 0], [0, 1, 1]]
    for column in (marked, np.array(marked)):
        labels, there = encoded(resolved(MultiLabel(missing=-1), column), column)
        assert labels.tolist() == [[1, 0, 0], [0, 1, 1]]
        assert there.sum() == 5


@pytest.mark.parametrize(
    ("pair", "yes"),
    [((-1, 1), 1), (("no", "yes"), "'yes'"), (("False", "True"), "'True'"), (("0", "1"), "'1'")],
)
def test_no_and_yes_for_each_label_in_other_words(pair, yes):
    fix = f"If these are {pair[0]} and {pair[1]} for each label, give np.array(column) == {yes}.".replace(
        "False and True", "false and true"
    )
    more = ""
    if pair == (-1, 1):
        fix += " If these are 0 and 1 for each label, and -1 for an unknown one, say MultiLabel(missing=-1)."
        more = " If -1 is no label, leave it out: [[one for one in row if one != -1] for row in column]."
    for make in (np.array, list):
        assert message(resolved, MultiLabel(), make([pair, pair[::-1]])).endswith(f"in either order. {fix}")
        assert message(resolved, MultiLabel(), make([[*pair, pair[0]]] * 2)).endswith(fix + more)
    one_order = [list(pair)] * 2
    assert resolved(MultiLabel(), one_order).names == pair


@pytest.mark.parametrize(
    ("column", "or_padding"),
    [([[0, 0, -1]], False), ([[0, 1, -1], [1, 1, 0], [0, -1, 1]], False), ([[0, -1, -1]], True)],
)
def test_an_unknown_flag_is_not_taken_for_a_repeated_label(column, or_padding):
    """Leaving out repeats or -1 would turn flags into labels called 0 and 1."""
    fix = "If these are 0 and 1 for each label, and -1 for an unknown one, say MultiLabel(missing=-1)."
    for make in (np.array, list):
        words = message(resolved, MultiLabel(), make(column))
        assert fix in words or "give 0 or 1 for each" in words
        assert ("leave it out" in words) == or_padding
        head = resolved(MultiLabel(missing=-1), make(column))
        labels, there = head.encode(make(column))
        assert np.where(there, labels, -1).tolist() == column


@pytest.mark.parametrize(
    "column",
    [
        np.array([[0, 1], [0, 0], [1, 1]]),
        np.array([[0, 1], [0, 0], [1, 1]], bool),
        np.array([[0, 1], [0, 0], [1, 1]], object),
        [["b"], [], ("a", "b")],
        [{"b"}, np.array([], str), frozenset(("a", "b"))],
    ],
)
def test_labels_that_hold_at_once(column):
    labels, there = encoded(resolved(MultiLabel(["a", "b"]), column), column)
    assert labels.tolist() == [[0, 1], [0, 0], [1, 1]]
    assert there.all()


def test_labels_are_learned_from_lists_and_their_number_from_an_array():
    assert resolved(MultiLabel(), [["b"], None], [["a", "b"], []]).classes == ("a", "b")
    assert resolved(MultiLabel(), np.zeros((2, 5))).classes == 5
    assert message(resolved, MultiLabel(), [[], None]) == (
        "head `h`: expected at least 1 label, got none. Give the classes, or leave this head out."
    )
    assert message(resolved, MultiLabel(), [["b"]], [["a"], "ab"]) == (
        "head `h`, row 2: expected a list of labels, got 'ab'. Put a single label into a list."
    )


@pytest.mark.parametrize(
    "column",
    [
        np.array([True, 0, 1, False, 2], object),
        [True, 0.0, 2.0, None],
        [Decimal(0), np.int64(1), 2, True],
        [False, True, Decimal(2)],
    ],
)
def test_booleans_among_ids_are_ids(column):
    assert repr(resolved(Categorical(), column).classes) == "(0, 1, 2)"


def test_an_infinite_decimal_is_no_id():
    assert resolved(Categorical(), [Decimal(1), Decimal("Infinity")]).classes == (
        Decimal(1),
        Decimal("Infinity"),
    )


def test_labels_that_are_whole_floats_are_ids_and_fractions_are_none():
    assert repr(resolved(MultiLabel(), [[2.0, 3.0], [1.0], []]).classes) == "(1, 2, 3)"
    assert message(resolved, MultiLabel(), [[0.3], [0.7, 0.1]]) == (
        f"head `h`, row 0: expected a list of labels, got [0.3]. {FRACTIONS}"
    )
    assert resolved(MultiLabel([0.5, 1.5]), [[0.5], [1.5]]).classes == [0.5, 1.5]


@pytest.mark.parametrize("classes", [None, ["a", "b"]])
@pytest.mark.parametrize(
    ("texts", "found", "code"),
    [
        (["a|b", "a", ""], "a|b", '[[label for label in text.split("|") if label] for text in column]'),
        (["a", "a, b", "b"], "a, b", '[[label for label in text.split(", ") if label] for text in column]'),
        (
            ["a;b", None, "a"],
            "a;b",
            '[[label for label in text.split(";") if label] if isinstance(text, str) else None for text in column]',
        ),
        (
            ["b", ["a"], "a|b"],
            "a|b",
            '[[label for label in text.split("|") if label] if isinstance(text, str) else text for text in column]',
        ),
    ],
)
def test_texts_of_several_labels_are_one_mistake(classes, texts, found, code):
    some = " in some rows" * any(isinstance(one, list) for one in texts)
    words = f"head `y`: expected lists of labels, got text{some}, as {found!r}. Split the labels: {code}."
    rows = {"x": np.zeros(3), "y": texts}
    with pytest.raises(ph.DataError) as caught:
        ph.Feed(rows, inputs="x", heads={"y": MultiLabel(classes)})
    assert str(caught.value) == words
    rows["y"] = eval(code, {"column": texts})
    feed = ph.Feed(rows, inputs="x", heads={"y": MultiLabel(classes)})
    assert list(feed.heads["y"].names) == ["a", "b"]


def test_labels_missing_in_part_get_a_weight_each():
    whole, part = np.array([[0, 1.0], [np.nan, np.nan]]), np.array([[0, np.nan]])
    assert resolved(MultiLabel(), whole).elementwise is None
    head = resolved(MultiLabel(), whole, part)
    assert head.elementwise is True
    assert encoded(head, part)[1].tolist() == [[True, False]]
    assert resolved(MultiLabel(), np.array([[0, None]], object)).elementwise is True
    assert message(MultiLabel(2, elementwise=False).encode, np.concatenate([whole, part])) == (
        "head `h`, row 2: expected a label that is there as a whole or missing as a whole, "
        "got 1 of 2 missing. "
        "Say MultiLabel(..., elementwise=True) for one weight each."
    )


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (
            np.array([[0, 1, 0], [0, 0.5, 1]]),
            f"row 1: expected 0 or 1 for each label, got 0.5. {SOFT_LABELS}",
        ),
        (
            np.array([[0, 1, 1e300]]),
            'row 0: expected 0 or 1 for each label, got 1e+300. If it means "no label", say MultiLabel(missing=...). '
            "Use ph.Regression for other numbers.",
        ),
        ([[2, 3]], "row 0: expected an integer in [0, 2], got 3. Name it among the classes."),
        (
            np.array([[0, 1], [2, -1]]),
            "row 1: expected an integer in [0, 2], got -1. If -1 is no label, leave it out: "
            "[[one for one in row if one != -1] for row in column].",
        ),
        ([["a"]], "row 0: expected an integer in [0, 2], got 'a'. Name it among the classes."),
        ([[0.3, 0.7], [1.0]], f"row 0: expected a list of labels, got [0.3, 0.7]. {FRACTIONS}"),
        ([[1.0], [0.5, 0.5]], f"row 1: expected a list of labels, got [0.5, 0.5]. {FRACTIONS}"),
        (np.array([1, 2]), "row 0: expected a list of labels, got 1. Put a single label into a list."),
        (["ab"], "row 0: expected a list of labels, got 'ab'. Put a single label into a list."),
        (
            [""],
            "row 0: expected a list of labels, got ''. Give [] where no label holds, and None where nobody looked.",
        ),
        (
            ["a; b"],
            "row 0: expected a list of labels, got 'a; b'. Split the labels: "
            '[[label for label in text.split("; ") if label] for text in column].',
        ),
        (
            ["['a', 'b']"],
            """row 0: expected a list of labels, got "['a', 'b']". Turn text into lists: [ast.literal_eval(text) for """
            "text in column].",
        ),
        (
            ['["a"]'],
            """row 0: expected a list of labels, got '["a"]'. Turn text into lists: [json.loads(text) for text in """
            "column].",
        ),
        ([[0], [[1]]], "row 1: expected a list of labels, got [[1]]."),
        (
            [[0, 2], [0, 1, 0]],
            "row 1: expected a list of distinct labels, got [0, 1, 0]. "
            "If these are 0 and 1 for each label, give 0 or 1 for each in every row; if another value stands for an "
            "unknown one, say MultiLabel(missing=...).",
        ),
        ([["a", "a"]], "row 0: expected a list of distinct labels, got ['a', 'a']. Leave out the repeats."),
        (
            [[2, 1], [None, None]],
            "row 1: expected a list of distinct labels, got [None, None]. If None is no label, leave it out: [[one for "
            "one in row if one is not None] for row in column].",
        ),
        (
            [[2, 1], [2, None]],
            "row 1: expected an integer in [0, 2], got None. If None is no label, leave it out: [[one for one in row "
            "if one is not None] for row in column].",
        ),
        (
            [[2, -1]],
            "row 0: expected an integer in [0, 2], got -1. If -1 is no label, leave it out: [[one for one in row if "
            "one != -1] for row in column].",
        ),
        (
            [[2, 1], [-1, -1]],
            "row 1: expected a list of distinct labels, got [-1, -1]. If these are -1 and 1 for each label, give "
            "np.array(column) == 1. If -1 is no label, leave it out: [[one for one in row if one != -1] for row in "
            "column].",
        ),
        (
            [{"a": 1, "b": 0}],
            "row 0: expected a list of labels, got {'a': 1, 'b': 0}. Give the names that hold: [[name for name, holds "
            "in row.items() if holds] for row in column].",
        ),
    ],
)
def test_what_is_not_labels(column, words):
    assert message(MultiLabel(3).encode, column) == f"head `h`, {words}"


def test_an_array_of_another_width():
    words = message(MultiLabel(3).encode, np.zeros((2, 4)))
    assert words == "head `h`: expected 0 or 1 for each of 3 labels, got rows of shape (4,)."


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_what_fills_up_lists_is_no_class_that_is_learned(nothing):
    test = "one is not None" if nothing is None else "one == one"
    assert message(resolved, MultiLabel(), [["a", "b"], ["b", nothing]]) == (
        f"head `h`: expected names of classes, got {nothing} in 1 row. If {nothing} is no label, leave it out: [[one "
        f"for one in row if {test}] for row in column]; else name the classes."
    )


class Coat(enum.Enum):
    RED = 1
    WHITE = 2


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        ([Coat.RED, Coat.WHITE], "Give their names as text: [one.name for one in column]."),
        ([uuid.UUID(int=1), uuid.UUID(int=2)], "Give text: [str(one) for one in column]."),
        ([datetime.time(1), datetime.time(2)], "Give text: [str(one) for one in column]."),
    ],
)
def test_classes_that_a_saved_model_cannot_hold_are_refused(values, fix):
    words = f"expected names or numbers of classes, got {values[0]!r}. {fix}"
    assert message(resolved, Categorical(), values) == f"head `h`: {words}"
    assert message(resolved, MultiLabel(), [[one] for one in values]) == f"head `h`: {words}"
    assert refusal(Categorical, values) == f"Categorical(classes): {words}"


def test_classes_of_subclasses_of_text_and_numbers():
    class Fur(enum.StrEnum):
        SHORT = "short"
        LONG = "long"

    class Legs(enum.IntEnum):
        TWO = 2
        FOUR = 4

    assert resolved(Categorical(), list(Fur)).names == ("long", "short")
    assert resolved(Categorical(), list(Legs)).names == (2, 4)
    assert encoded(Categorical(["short", "long"]), list(Fur))[0].tolist() == [0, 1]


# Declarations --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Categorical(1), "got 1. Two classes are a ph.Binary head."),
        (lambda: Categorical(["a", "a"]), "got ['a', 'a']."),
        (lambda: Categorical("abc"), "got 'abc'."),
        (lambda: Categorical(2.0), "got 2.0."),
    ],
)
def test_classes_that_are_none(make, words):
    expected = "Categorical(classes): expected a number of at least 2, or as many distinct names, "
    assert refusal(make) == expected + words


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Binary(weight=-1), "Binary(weight=): expected a finite number of at least 0, got -1."),
        (
            lambda: Binary(weight=float("nan")),
            "Binary(weight=): expected a finite number of at least 0, got nan.",
        ),
        (
            lambda: Binary(class_weight={2: 1.0}),
            "Binary(class_weight=): expected classes among [0, 1], got 2.",
        ),
        (
            lambda: Categorical(["a", "b"], class_weight={"c": 1}),
            "Categorical(class_weight=): expected classes among ['a', 'b'], got 'c'.",
        ),
        (
            lambda: Binary(class_weight={1: -2}),
            "Binary(class_weight=), class 1: expected a finite number of at least 0, got -2.",
        ),
        (
            lambda: Binary(class_weight="equal"),
            "Binary(class_weight=): expected \"balanced\" or a dict, got 'equal'.",
        ),
        (
            lambda: Binary(class_weight=3),
            'Binary(class_weight=): expected "balanced" or a dict, got 3.',
        ),
        (
            lambda: Categorical(["a", "b"], class_weight=[0, 0.0]),
            "Categorical(class_weight=): expected a weight above 0 for some class, got 0 for each. "
            "To leave this head out of the loss, say weight=0.",
        ),
        (
            lambda: MultiLabel(2, class_weight="balanced", elementwise=False),
            "MultiLabel(class_weight=, elementwise=False): expected a weight for each label, got one a row.",
        ),
    ],
)
def test_weights_that_cannot_be(make, words):
    assert refusal(make) == words


def test_numpy_numbers_are_weights_too():
    assert Binary(weight=np.float32(2), class_weight={np.int64(1): np.float32(3)}).weight == 2


# Class weights -------------------------------------------------------------------------------------


def test_balanced_weights_of_classes():
    head = Categorical(["a", "b", "c"], class_weight="balanced")
    labels = np.array([0, 0, 0, 1, 1, 0], np.int32)
    counts = head.count(labels, np.array([1, 1, 1, 1, 0, 0], bool))
    assert counts.tolist() == [3, 1, 0]
    head = head.balanced(counts)
    assert head.class_weight == {"a": 4 / 6, "b": 2.0, "c": 1.0}
    np.testing.assert_array_equal(head.class_factor(labels[2:4]), np.float32([4 / 6, 2]))


def test_balanced_weights_of_yes_and_no():
    labels = np.float32([[0], [0], [0], [1]])
    head = Binary(class_weight="balanced")
    head = head.balanced(head.count(labels, np.ones(4, bool)))
    weights = head.class_factor(labels)
    assert weights.shape == (4,)
    assert weights[:3].sum() == pytest.approx(weights[3]) == pytest.approx(2)


def test_balanced_weights_of_labels_make_ones_weigh_as_much_as_zeros():
    labels = np.float32([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    head = MultiLabel(["rare", "never", "always"], class_weight="balanced")
    counts = head.count(labels, np.ones((4, 3), bool))
    assert counts.tolist() == [[3, 1], [4, 0], [0, 4]]
    head = head.balanced(counts)
    assert head.class_weight == {"rare": 3.0, "never": 1.0, "always": 1.0}
    assert head.class_factor(labels)[:2].tolist() == [[3, 1, 1], [1, 1, 1]]
    assert head.count(labels, np.array([True, False, False, False])).tolist() == [[0, 1], [1, 0], [0, 1]]


def test_balanced_weights_of_pixels():
    head = Mask(2, size=(1, 4), class_weight="balanced")
    labels = np.array([[[0, 0, 0, 1]]], np.int32)
    head = head.balanced(head.count(labels, np.ones((1, 1, 4), bool)))
    assert head.class_factor(labels).tolist() == [[[np.float32(4 / 6)] * 3 + [2.0]]]
    assert head.count(labels, np.zeros((1, 1, 1), bool)).tolist() == [0, 0]


def test_a_class_that_is_not_named_weighs_1():
    assert Categorical(3, class_weight={1: 5}).class_factor(np.arange(3)).tolist() == [1, 5, 1]


# Words ---------------------------------------------------------------------------------------------


def test_distributions_in_words():
    some = np.array([True, True, True, False])
    assert Binary().describe(np.float32([[0], [1], [0], [1]]), some) == "33.3% are 1"
    assert Categorical(["a", "b"]).describe(np.array([0, 1, 1, 0]), some) == "b 66.7%, a 33.3%"
    assert (
        MultiLabel(["a", "b"]).describe(np.float32([[1, 0], [1, 1]]), np.ones(2, bool)) == "a 100.0%, b 50.0%"
    )
    assert Categorical(7).describe(np.arange(7), np.ones(7, bool)).endswith("4 14.3%, … (7 classes)")
    for head, labels in ((Binary(), np.ones((3, 1))), (Categorical(2), np.ones(3, int))):
        assert head.describe(labels, ~ALL3) == "no labels"


def test_declarations_read_as_they_were_written():
    assert repr(Binary()) == "Binary()"
    assert repr(Categorical(3, missing=-1)) == "Categorical(3, missing=-1)"
    assert repr(Categorical(["a", "b"], class_weight="balanced")) == (
        "Categorical(['a', 'b'], class_weight='balanced')"
    )
    assert repr(MultiLabel(column="x", weight=0.5)) == "MultiLabel(column='x', weight=0.5)"


@pytest.mark.parametrize("unit", ["D", "s", "us", "ns"])
def test_dates_are_classes(unit):
    days = np.array(["2024-03-02", "2024-03-01", "NaT", "2024-03-02"], f"datetime64[{unit}]")
    head = resolved(Categorical(), days)
    assert [str(name)[:10] for name in head.names] == ["2024-03-01", "2024-03-02"]
    labels, there = encoded(head, days)
    assert labels.tolist() == [1, 0, 0, 1]
    assert there.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    "column", [np.array([b"b", b"a", b"b"]), [b"b", b"a", b"b"], np.array([b"b", b"a", b"b"], object)]
)
def test_words_that_came_as_bytes_are_text(column):
    learned = resolved(Categorical(), column)
    assert learned.classes == ("a", "b")
    assert encoded(Categorical(["a", "b"]), column)[0].tolist() == [1, 0, 1]
    assert encoded(Binary(positive="b"), column)[0].tolist() == [[1], [0], [1]]
    assert encoded(Categorical([b"a", b"b"]), column)[0].tolist() == [1, 0, 1]
    assert encoded(Categorical([b"a", b"c"], missing=b"b"), column)[1].tolist() == [False, True, False]


def test_bytes_that_are_no_text_stay_bytes():
    words = np.array([b"a", b"\xe9", b"a"])
    assert message(resolved, Categorical(), words).startswith("head `h`: expected classes of one type, got ")
    assert encoded(Categorical([b"a", b"\xe9"]), words)[0].tolist() == [0, 1, 0]
    assert message(Categorical(["a", "b"]).encode, words).startswith(
        "head `h`, row 1: expected one of ['a', 'b'], got b'\\xe9'"
    )


def test_categories_in_bytes_are_text():
    column = Coded(np.array([1, 0, -1], np.int32), [b"a", b"b"])
    assert resolved(Categorical(), column).classes == ("a", "b")
    assert encoded(Categorical(["a", "b"]), column)[0].tolist() == [1, 0, 0]
    assert encoded(Categorical([b"a", b"b"]), column)[0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    "column",
    [
        [[b"b"], [b"a", b"c"], []],
        [np.array([b"b"]), np.array([b"a", b"c"]), np.array([], "S1")],
        [("b",), {b"a", "c"}, [None][:0]],
    ],
)
def test_words_in_lists_that_came_as_bytes_are_text(column):
    labels = [[0, 1, 0], [1, 0, 1], [0, 0, 0]]
    learned = resolved(MultiLabel(), column)
    assert learned.classes == ("a", "b", "c")
    assert encoded(learned, column)[0].tolist() == labels
    assert encoded(MultiLabel(["a", "b", "c"]), column)[0].tolist() == labels


def test_words_in_bytes_stay_so_where_the_classes_are():
    rows = [[b"a"], [b"b", b"a"], b"none"]
    kept = MultiLabel([b"a", b"b"], missing=b"none")
    assert encoded(kept, rows)[0].tolist() == [[1, 0], [1, 1], [0, 0]]
    dense = np.array([[b"a", b"b"], [b"c", b"a"]])
    assert resolved(MultiLabel(), dense).classes == ("a", "b", "c")
    assert encoded(MultiLabel(["a", "b", "c"]), dense)[0].tolist() == [[1, 1, 0], [1, 0, 1]]
    found = message(MultiLabel(["a", "b"]).encode, [[b"d"]])
    assert "got 'd'. Name it among the classes." in found


@pytest.mark.parametrize("unit", ["D", "s", "us", "ns"])
def test_time_spans_are_classes(unit):
    days = np.array([2, 1, "NaT", 2], "timedelta64[D]").astype(f"timedelta64[{unit}]")
    spans = [datetime.timedelta(days=1), datetime.timedelta(days=2)]
    for column in (days, list(days), days.astype("timedelta64[us]").tolist()):
        head = resolved(Categorical(), column)
        assert list(head.names) == spans
        labels, there = encoded(head, column)
        assert labels.tolist() == [1, 0, 0, 1]
        assert there.tolist() == [True, True, False, True]
    for classes in (days[[1, 0]], list(days[[1, 0]]), spans):
        assert encoded(Categorical(classes), days)[0].tolist() == [1, 0, 0, 1]
    assert "expected time spans of a fixed length, got those of timedelta64[M]" in message(
        Categorical(3).encode, np.array([1], "timedelta64[M]")
    )


def test_ids_for_named_classes_are_told_how_to_get_their_names():
    found = message(Categorical(["ash", "elm"]).encode, np.array([0, 1]))
    fix = "If these are ids of the names, give the names, also in a generator: np.array(['ash', 'elm'])[ids]."
    assert found.endswith(f", got 0. {fix}")
    with pytest.raises(ph.DataError) as error:  # the same for every id
        ph.Feed({"x": [1.0, 2], "kind": [1, 0]}, inputs="x", heads={"kind": Categorical(["ash", "elm"])})
    assert len(error.value.problems) == 1


def test_dates_where_the_classes_are_times_and_the_reverse():
    days = np.array(["2024-03-01", "2024-03-02"], "M8[D]")
    times = days.astype("M8[us]")
    for own, other, fix in (
        (days, times, 'Give dates: np.asarray(column, "M8[D]").'),
        (times, days, 'Give times: np.asarray(column, "M8[us]").'),
    ):
        head = resolved(Categorical(), own)
        assert message(head.encode, other).endswith(f". {fix}")
        assert encoded(head, np.asarray(other, own.dtype))[0].tolist() == [0, 1]


def test_booleans_for_named_classes_are_told_how_to_get_their_names():
    column = [True, False, None, True]
    fix = "[{False: 'no', True: 'yes'}.get(one) for one in column]"
    assert message(Categorical(["no", "yes"]).encode, column).endswith(f"got True. Give the names: {fix}.")
    assert eval(fix) == ["yes", "no", None, "yes"]


def test_classes_that_a_file_gave_as_numbers():
    """A CSV file's column of 001 and 007 holds 1 and 7."""
    assert message(Categorical(["001", "007"]).encode, np.array([7, 1])) == (
        "head `h`, row 0: expected one of ['001', '007'], got 7. The classes are text: give text, from a CSV file with "
        "pandas.read_csv(path, dtype={column: str})."
    )


def test_one_hot_rows_of_nan_become_ids_by_the_line_of_their_error():
    column = np.where(np.arange(3)[:, None] == 1, np.nan, np.eye(3))
    labels, counts = Categorical(3, missing=-1).encode(eval(IDS, {"np": np, "column": column}))
    assert labels[[0, 2]].tolist() == [0, 2]
    assert counts.tolist() == [1, 0, 1]


def test_weights_are_those_that_were_given_whatever_becomes_of_the_dict():
    weights = {0: 1.0, 1: 2.0}
    head = Binary(class_weight=weights)
    weights[1] = 9.0
    assert head.class_weight == {0: 1.0, 1: 2.0}
