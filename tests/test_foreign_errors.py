"""Errors of a user's code and of libraries, as ours quote them."""

import json
from pathlib import Path

import pytest

from polyhead.errors import DataError, Problem
from polyhead.foreign_errors import line_of_user, quoted_error


def raised(work):
    with pytest.raises(Exception) as caught:
        work()
    return caught.value


def in_python():
    json.loads("{")


def test_the_line_is_that_of_the_user_where_a_library_raised():
    line = in_python.__code__.co_firstlineno + 1
    assert line_of_user(raised(in_python)) == f"{__file__}, line {line}"


def test_a_folder_of_the_user_may_be_called_polyhead():
    names = {}
    exec(compile("def read():\n    return {}['age']", "/home/me/polyhead/rows.py", "exec"), names)
    assert line_of_user(raised(names["read"])) == "/home/me/polyhead/rows.py, line 2"


def test_the_line_of_an_iterator_that_ended_in_a_generator():
    def generator():
        yield next(iter([]))

    line = generator.__code__.co_firstlineno + 1
    assert line_of_user(raised(lambda: next(generator()))) == f"{__file__}, line {line}"


def test_an_error_that_was_not_raised_has_no_line():
    assert line_of_user(ValueError()) == "the code that raised it"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError(), "ValueError"),
        (KeyError("age"), "KeyError: 'age'"),
        (ValueError("one\n\n  two."), "ValueError: one two"),
        (ValueError("x" * 300), f"ValueError: {'x' * 185}..."),
        (OSError("no file 7.png"), "OSError: no file 7.png"),
        (
            DataError(Problem("row 1", "a", "b"), Problem("row 2", "c", "d")),
            "DataError: row 1: expected a, got b; row 2: expected c, got d",
        ),
    ],
)
def test_an_error_is_quoted_in_one_line(error, words):
    assert quoted_error(error) == words


def test_an_error_of_a_file_names_it():
    error = raised(Path("no/such/file.npy").read_bytes)
    assert quoted_error(error) == "FileNotFoundError: No such file or directory: no/such/file.npy"
