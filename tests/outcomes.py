"""Helpers that return the error message of a call, or the output and exit status of a command."""

import contextlib
import io
from typing import NamedTuple

import pytest

from polyhead.cli import app
from polyhead.errors import DataError


def message(work):
    """The message of the error that ``work`` raises."""
    with pytest.raises(DataError) as caught:
        work()
    return str(caught.value)


class Ended(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def command(*words):
    """The exit code of a command, and its two outputs apart."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app(list(map(str, words)), standalone_mode=False)
    return Ended(code or 0, out.getvalue(), err.getvalue())
