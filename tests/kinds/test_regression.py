"""Heads of numbers."""

from decimal import Decimal

import numpy as np
import pytest
from kind_checks import Column, encoded, message, refusal, resolved

from polyhead.kinds import Embedding, Regression


@pytest.mark.parametrize(
    ("shape", "column", "expected"),
    [
        (1, np.array([1, 2]), [[1], [2]]),
        (1, np.array([True, False]), [[1], [0]]),
        (1, [[1.5], [2]], [[1.5], [2]]),
        (2, [(1, 2), np.array([3.0, 4])], [[1, 2], [3, 4]]),
        ((2, 1), np.array([[1, 2]]), [[[1], [2]]]),
        ((1, 2), np.array([[[1, 2]]]), [[[1, 2]]]),
        (np.int64(2), np.array([[1, 2]]), [[1, 2]]),
        ([2, 2], [[[1, 2], [3, 4]]], [[[1, 2], [3, 4]]]),
    ],
)
def test_numbers_of_any_shape(shape, column, expected):
    head = resolved(Regression(shape), column)
    labels, there = encoded(head, column)
    assert labels.tolist() == expected
    assert there.all()
    assert not head.elementwise
    assert resolved(head, column) == head


def test_numbers_missing_in_part_get_a_weight_each():
    whole, part = np.array([[1, 2], [np.nan, np.nan]]), np.array([[1, 2], [np.nan, 2]])
    assert resolved(Regression(2), whole).weight_shape == ()
    head = resolved(Regression(2), whole, part)
    assert head.weight_shape == (2,)
    assert encoded(head, part)[1].tolist() == [[True, True], [False, True]]
    assert encoded(resolved(Regression((1, 2)), whole[:, None]), whole[:, None])[1].tolist() == [
        [True],
        [False],
    ]
    assert resolved(Regression(2, missing=-1), np.array([[1, -1]])).weight_shape == (2,)
    words = message(Regression(2, elementwise=False).encode, part)
    assert words == (
        "head `h`, row 1: expected a label that is there as a whole or missing as a whole, got 1 of 2 missing. "
        "Say Regression(..., elementwise=True) for one weight each."
    )
    assert message(Embedding(2).encode, part).endswith(
        "Put NaN into all numbers of the row: a vector without one of them has no direction."
    )


def test_decimals_are_numbers():
    labels, there = Regression().encode([Decimal("1.5"), None, Decimal(2)])
    assert labels.tolist() == [[1.5], [0.0], [2.0]]
    assert there.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("head", "column"), [(Regression(), np.ones(3)), (Regression(2), np.ones((3, 2), int))]
)
def test_a_column_is_not_read_where_nothing_can_be_missing_in_part(head, column):
    column = Column(column)
    assert not head.resolve(column).elementwise
    assert column.scanned == 0


def test_an_error_in_a_later_piece_names_the_row_of_the_column():
    words = message(resolved, Regression(2), [[1, 2]] * 3, [[1, 2], [3]])
    assert words == "head `h`, row 4: expected numbers of shape (2,), got shape (1,)."


MEND = "Fix the row, or put NaN where there is no label."


@pytest.mark.parametrize(
    ("shape", "column", "words"),
    [
        (1, np.array([1, np.inf]), f"head `h`, row 1: expected finite numbers, got inf. {MEND}"),
        (2, np.array([[1, 2], [3, -np.inf]]), f"head `h`, row 1: expected finite numbers, got -inf. {MEND}"),
        (1, np.array([np.nan, np.inf]), f"head `h`, row 1: expected finite numbers, got inf. {MEND}"),
        (
            1,
            np.array([0, np.nan, -1e39]),
            "head `h`, row 2: expected numbers that fit float32, got -1e+39. Scale the column.",
        ),
        (
            1,
            np.array(["a", "b"]),
            "head `h`, row 0: expected a number, got 'a'. Give numbers, or None where there is no label.",
        ),
        (
            1,
            [1.0, "12"],
            "head `h`, row 1: expected a number, got '12'. Turn text into numbers: np.asarray(column, float).",
        ),
        (
            1,
            np.array(["1,5", "2"]),
            "head `h`, row 0: expected a number, got '1,5'. "
            'Turn text into numbers: [float(text.replace(",", ".")) for text in column].',
        ),
        (
            1,
            ["250,000", "2"],
            "head `h`, row 0: expected a number, got '250,000'. Turn text into numbers: "
            '[float(text.replace(",", "")) for text in column] if commas separate thousands, '
            '[float(text.replace(",", ".")) for text in column] if decimals follow them.',
        ),
        (
            1,
            ["-1,234.5"],
            "head `h`, row 0: expected a number, got '-1,234.5'. "
            'Turn text into numbers: [float(text.replace(",", "")) for text in column].',
        ),
        (
            1,
            ["1.500,25"],
            "head `h`, row 0: expected a number, got '1.500,25'. Turn text into numbers: "
            '[float(text.replace(".", "").replace(",", ".")) for text in column].',
        ),
        (
            1,
            ["1 500"],
            "head `h`, row 0: expected a number, got '1 500'. Turn text into numbers: "
            '[float(text.replace(" ", "")) for text in column] if spaces separate thousands, '
            "[[float(one) for one in text.split()] for text in column] if they separate numbers.",
        ),
        (
            1,
            [1.5, "-"],
            "head `h`, row 1: expected a number, got '-'. If it means that there is none, give "
            'pandas.to_numeric(column, errors="coerce").',
        ),
        (
            1,
            ["$40", "$50"],
            "head `h`, row 0: expected a number, got '$40'. "
            'Turn text into numbers: [float(text.strip("$ ")) for text in column].',
        ),
        (
            2,
            [np.array(["2024-01-01", "2024-01-02"], "datetime64[D]")],
            "head `h`, row 0: expected numbers of shape (2,), got ['2024-01-01', '2024-01-02']. "
            'Turn times into numbers, as days: (np.asarray(column, "M8[us]") - np.datetime64("2000-01-01")) / '
            'np.timedelta64(1, "D").',
        ),
        (
            2,
            [[1, 2], [1, "x"]],
            "head `h`, row 1: expected numbers of shape (2,), got [1, 'x']. "
            "Give numbers, or None where there is no label.",
        ),
        (
            2,
            [[1, 2], [1, [2]]],
            "head `h`, row 1: expected numbers of shape (2,), got lists of unequal length ([1, [2]]). "
            "Give numbers, or None where there is no label.",
        ),
        (
            1,
            np.ones((2, 3)),
            "head `h`: expected a number, got rows of shape (3,). Say Regression(3).",
        ),
        (
            1,
            np.zeros((4, 0)),
            "head `h`: expected a number, got rows of shape (0,). Leave this head out: its rows hold no numbers.",
        ),
        (
            3,
            np.ones(4),
            "head `h`: expected numbers of shape (3,), got one number in each row. Say Regression().",
        ),
        (2, [[1, 2], [1, 2, 3]], "head `h`, row 1: expected numbers of shape (2,), got shape (3,)."),
        (
            1,
            np.array([], str),
            "head `h`: expected a number, got <U1. Give numbers, or None where there is no label.",
        ),
        (
            1,
            np.array([1j]),
            "head `h`, row 0: expected a number, got 1j. Give two numbers for each: np.stack([np.real(column), "
            "np.imag(column)], axis=-1).",
        ),
    ],
)
def test_what_is_not_numbers(shape, column, words):
    assert message(Regression(shape).encode, column) == words


def test_vectors_of_another_size():
    assert message(Embedding(4).encode, np.ones((2, 5))) == (
        "head `h`: expected numbers of shape (4,), got rows of shape (5,). Say Embedding(5)."
    )


@pytest.mark.parametrize("largest", [np.finfo(np.float32).max, -np.finfo(np.float32).max, 2**62])
def test_the_largest_numbers_fit(largest):
    column = np.array([largest] * 3, np.float64)
    assert encoded(Regression(), column)[0].ravel().tolist() == np.float32(column).tolist()


def test_embeddings():
    column = np.array([[1, 2], [np.nan, np.nan], [0, -1]])
    head = resolved(Embedding(2), column)
    labels, there = encoded(head, column)
    assert labels.tolist() == [[1, 2], [0, 0], [0, -1]]
    assert there.tolist() == [True, False, True]
    assert message(head.encode, np.array([[np.nan, np.nan], [1, 0], [0, 0]])) == (
        "head `h`, row 2: expected a vector with a direction, got only zeros. "
        "Put NaN where there is no label."
    )
    assert "got 1 of 2 missing" in message(head.encode, np.array([[1, np.nan]]))


@pytest.mark.parametrize("shape", [0, -1, (), (2, 0), "2", 2.5, None])
def test_shapes_that_are_none(shape):
    words = f"Regression(shape): expected a positive integer, or a tuple of them, got {shape!r}."
    assert refusal(Regression, shape) == words


def test_declarations_that_cannot_be():
    for shape in (1, (2, 2)):
        told = f"got {Regression(shape).shape}. Say the length of the vectors, as Embedding(128)."
        assert refusal(Embedding, shape) == f"Embedding(shape): expected a length of at least 2, {told}"
    assert refusal(Embedding, 2, elementwise=True) == (
        "Embedding(elementwise=): expected False, as a vector has one direction, got True."
    )
    assert refusal(Regression, class_weight="balanced") == (
        "Regression(class_weight=): expected no class_weight= for a head without classes, got 'balanced'. "
        "Use sample_weight=, or a loss with weights of its own."
    )


def test_words():
    assert repr(Regression()) == repr(Regression(1)) == "Regression()"
    assert repr(Regression((2, 3), missing=-1)) == "Regression((2, 3), missing=-1)"
    labels = np.float32([[1, 2], [3, 4]])
    assert Regression(2).describe(labels, np.array([True, False])) == "1 to 2, mean 1.5"
    assert Regression(2).describe(labels, np.array([[True, False], [True, False]])) == "1 to 3, mean 2"
    assert Regression(2).describe(labels, np.zeros(2, bool)) == "no labels"
