"""Makes errors in a user's ``read`` name the row."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from polyhead.errors import DataError, PolyheadError, Problem, shown
from polyhead.foreign_errors import line_of_user, quoted_error, stop_iteration_error

_PASSED = (PolyheadError, MemoryError)  # clear without the row


def explain_errors(read: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``read`` so that its errors become a `DataError` with the row and the line that raised."""

    @functools.wraps(read)
    def called(source: Any, ids: Any, *others: Any, **options: Any) -> Any:
        try:
            return read(source, ids, *others, **options)
        except _PASSED:
            raise
        except Exception as error:  # a user's code may raise anything
            if (stop := stop_iteration_error(error)) is not None:
                raise stop from error
            again = functools.partial(read, source)
            raise _read_error(lambda rows: again(rows, *others, **options), source, ids, error) from error

    return called


def _read_error(read: Callable[[Any], Any], source: Any, ids: Any, error: Exception) -> DataError:
    row, error = _first(read, ids, error)
    where = f"{type(source).__name__}.read"
    if row is not None:
        where, words = f"{where}, row {row}", "leave the row out with source.select(rows)."
    else:
        rows = shown(np.asarray(ids).tolist(), 60)
        where, words = f"{where}, rows {rows} together", "read fewer rows at once."
    file = isinstance(error, OSError) and error.filename is not None
    culprit = "the file" if file else "read()"
    found = f"{quoted_error(error)} ({line_of_user(error)})"
    return DataError(Problem(where, "its columns", found, f"Fix {culprit}, or {words}"))


def _first(read: Callable[[Any], Any], ids: Any, error: Exception) -> tuple[int | None, Exception]:
    """Return the first row that cannot be read by itself and its error; None if each row alone can be read."""
    for row in np.unique(np.asarray(ids)):
        try:
            read(np.array([row], np.int64))
        except Exception as alone:  # as above
            return int(row), alone
    return None, error
