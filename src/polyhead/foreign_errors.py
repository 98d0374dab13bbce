"""Quotes errors from users' code and libraries, and finds the line of the user's code that led to them."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback

from polyhead.errors import DataError, PolyheadError, Problem

_LONGEST = 200
_NOT_THE_USERS = (os.path.dirname(__file__) + os.sep, sysconfig.get_path("stdlib") + os.sep, "<frozen ")

GIT_LFS = b"version https://git-lfs"
"""The beginning of a file that Git LFS has not downloaded yet."""


def quoted_error(error: BaseException) -> str:
    """Quote an error in one line: its type and shortened message, and all problems of a `PolyheadError`.

    An error that was raised while a `PolyheadError` was handled ends with the problems of that one.

    >>> quoted_error(ValueError("no such file:\\n  a.png."))
    'ValueError: no such file: a.png'
    """
    if isinstance(error, PolyheadError):
        return f"{type(error).__name__}: {'; '.join(str(p).rstrip('.') for p in error.problems)}"
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = f"{error.strerror}: {error.filename}"
    text = f"{type(error).__name__}: {' '.join(text.split())}".rstrip(".: ")
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    within = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{text}, after {quoted_error(within)}" if isinstance(within, PolyheadError) else text


def origin(error: BaseException) -> BaseException:
    """Return the StopIteration in a generator that Python raises as a RuntimeError; any other error itself."""
    within = error.__cause__ or error.__context__  # Keras removes the cause
    stopped = isinstance(within, StopIteration) and str(error) == "generator raised StopIteration"
    return within if stopped and within is not None else error


def line_of_text(text: str) -> str:
    """Name the innermost line of the user's own code in a traceback that is text; empty if there is none.

    >>> line_of_text('File "/home/me/train.py", line 7, in batches')
    '/home/me/train.py, line 7'
    """
    user_lines = [
        (name, line) for name, line in re.findall(r'File "(.+)", line (\d+)', text) if _from_user(name)
    ]
    return f"{user_lines[-1][0]}, line {user_lines[-1][1]}" if user_lines else ""


def _from_user(filename: str) -> bool:
    return "site-packages" not in filename and not filename.startswith(_NOT_THE_USERS)


def line_of_user(error: BaseException) -> str:
    """Name the innermost line of the user's own code that led to an error, or else the innermost line."""
    frames = traceback.extract_tb(origin(error).__traceback__)
    user_frames = [frame for frame in frames if _from_user(frame.filename)]
    if not frames:
        return "the code that raised it"
    last = (user_frames or frames)[-1]
    return f"{last.filename}, line {last.lineno}"


def stop_iteration_error(error: BaseException) -> DataError | None:
    """Return the error to raise for a StopIteration of a user's code, which a loop would take for the end of its rows.

    It names the function of the user that polyhead called. Return None for any other error.
    """
    stop = origin(error)
    if not isinstance(stop, StopIteration):
        return None
    frames = [frame for frame, _ in traceback.walk_tb(stop.__traceback__)]
    ours = [
        i for i, frame in enumerate(frames) if str(frame.f_globals.get("__name__", "")).startswith("polyhead")
    ]
    user_frame = frames[ours[-1] + 1 if ours and ours[-1] + 1 < len(frames) else -1]
    name, owner = user_frame.f_code.co_name, user_frame.f_locals.get("self")
    where = name if owner is None else f"{type(owner).__name__}.{name}"
    expected = "rows, or an error that says why there are none"
    fix = "An iterator had no more items: call next(iterator, None), or raise another error."
    return DataError(Problem(where, expected, f"StopIteration ({line_of_user(stop)})", fix))
