"""The errors: one form for every message, every problem in one error."""

import pickle

import numpy as np
import pytest

from polyhead.errors import (
    BadValue,
    ContractError,
    DataError,
    PolyheadError,
    Problem,
    StoreError,
    place,
    shown,
)


def test_a_place_names_its_parts_from_the_outside_in():
    parts = {"row": 3, "column": "age_years", "head": "age", "file": "a.csv"}
    assert place(**parts) == "file a.csv, head `age`, column `age_years`, row 3"
    assert place(input="image") == "input `image`"
    assert place(head="age", row=0) == "head `age`, row 0"
    assert place() == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("old", "'old'"),
        (np.float32(0.5), "0.5"),
        (np.str_("old"), "'old'"),
        (np.array(7), "7"),
        (np.array([1, 2]), "array([1, 2])"),
        (np.eye(2), "array([[1., 0.], [0., 1.]])"),
        ("x" * 100, "'" + "x" * 76 + "..."),
    ],
)
def test_values_are_shown_plainly_and_short(value, text):
    assert shown(value) == text
    assert len(shown(value)) <= 80


def test_the_form_of_a_message():
    fix = 'If -1 means "no label", say Regression(missing=-1).'
    bad = BadValue(4, "an integer in [0, 116]", "-1", fix)
    error = bad.located(head="age", row=1203)
    assert type(error) is DataError
    assert str(error) == (
        "head `age`, row 1203: expected an integer in [0, 116], got -1. "
        'If -1 means "no label", say Regression(missing=-1).'
    )
    assert error.problems == (Problem("head `age`, row 1203", "an integer in [0, 116]", "-1", fix),)


def test_a_message_without_advice_ends_with_what_was_found():
    assert (
        str(BadValue(None, "numbers", "nothing").located(input="x"))
        == "input `x`: expected numbers, got nothing."
    )


def test_several_problems_are_numbered():
    error = ContractError(Problem("a", "b", "c"), "d")
    assert str(error) == "2 problems:\n  1. a: expected b, got c.\n  2. d"
    assert len(error.problems) == 2


@pytest.mark.parametrize("kind", [ContractError, DataError, StoreError])
def test_every_error_is_a_polyhead_error_and_survives_pickling(kind):
    error = kind(Problem("a", "b", "c"))
    assert isinstance(error, PolyheadError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_errors_about_values_can_be_caught_as_value_errors():
    assert issubclass(ContractError, ValueError)
    assert issubclass(DataError, ValueError)
    assert not issubclass(StoreError, ValueError)


def test_no_more_is_made_of_a_value_than_is_shown():
    bomb = ["x"] * 9
    for _ in range(60):  # as a text it has more characters than there are atoms
        bomb = [bomb] * 9
    text = shown({"a": bomb})
    assert text.startswith("{'a': [[[[[[")
    assert len(text) <= 80
    recursive = []
    recursive.append(recursive)
    assert shown(recursive) in ("[[...]]", f"{'[' * 21}...{']' * 21}")
    assert shown(["é" * 10**6]) == "['" + "é" * 75 + "..."
    assert shown(10**5000) == "a whole number of 16,610 bits"
