"""What to do about dates and times where numbers are expected."""

from __future__ import annotations

import datetime
import re
from typing import Any

import numpy as np

_DAYS = '(np.asarray(column, "M8[us]") - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")'
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}\b.*", re.DOTALL)


def times_fix(value: Any) -> str:
    """Say how a date, a time, or the text of a date becomes a number; empty for other values.

    Days are counted from a fixed date: counted from the first date of a column, the same day would be another number in
    other rows.

    >>> times_fix(datetime.timedelta(1)), times_fix("May 5")
    ('Turn time spans into numbers, as days: np.asarray(column, "m8[us]") / np.timedelta64(1, "D").', '')
    """
    kind = value.dtype.kind if isinstance(value, (np.ndarray, np.generic)) else ""
    if kind == "m" or isinstance(value, datetime.timedelta):
        return 'Turn time spans into numbers, as days: np.asarray(column, "m8[us]") / np.timedelta64(1, "D").'
    if isinstance(value, datetime.time):
        return "Turn times of day into hours: [time.hour + time.minute / 60 for time in column]."
    if kind == "M" or isinstance(value, datetime.date) or _is_iso_date(value):
        return f"Turn times into numbers, as days: {_DAYS}."
    if isinstance(value, str) and _DATE.fullmatch(value.strip()):
        return (
            "Read the dates with column = pandas.to_datetime(column, format=...), "
            f"and turn them into days: {_DAYS}."
        )
    return ""


def _is_iso_date(value: Any) -> bool:
    if not isinstance(value, str) or value.count("-") < 2:
        return False
    try:
        datetime.datetime.fromisoformat(value.strip())
    except ValueError:
        return False
    return True
