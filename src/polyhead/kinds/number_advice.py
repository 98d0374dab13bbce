"""Says how values that are not numbers become numbers: text, dates and times, records."""

from __future__ import annotations

import datetime
import json
import re
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from polyhead.errors import shown
from polyhead.kinds.lists_as_text import lists_fix, reads_as_number

NUMBERS_FIX = "Give numbers, or None where there is no label."
"""The advice on a label that is not a number, unless a head gives better advice."""

_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,.'\u2019 \xa0\u202f])\d{3}(?:\1\d{3})*(?:(?!\1)([.,])\d*)?")
_TURN = "Turn text into numbers: "
_DAYS = '(np.asarray(column, "M8[us]") - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")'
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}\b.*", re.DOTALL)


def ids_as_text(gaps: bool) -> str:
    """Return the code that turns integer ids into text; those beside missing ones may be floats, as 7.0."""
    return 'pandas.Series(column, dtype="Int64").astype("string")' if gaps else "[str(one) for one in column]"


def conversion_fix(value: Any, fix: str = "") -> str:
    """Say what to do about a value that is not a number but can be turned into one: a time, or a number as text.

    Args:
        value: the value that was found, or an array or list, of which the first value counts.
        fix: what to do about other values. A head's own advice takes precedence for text, but not for times.

    >>> conversion_fix("1.5"), conversion_fix("cat", "Drop it.")
    ('Turn text into numbers: np.asarray(column, float).', 'Drop it.')
    """
    whole = value
    while (isinstance(value, (list, tuple)) and value) or (isinstance(value, np.ndarray) and value.size):
        value = value.flat[0] if isinstance(value, np.ndarray) else value[0]
    kind = value.dtype.kind if isinstance(value, (np.ndarray, np.generic)) else ""
    if kind == "V" and value.dtype.names:
        return "Give its fields as columns: {name: column[name] for name in column.dtype.names}."
    if hasattr(value, "tocsr"):
        return "Give one sparse matrix: scipy.sparse.vstack(column)."
    if isinstance(value, (complex, np.complexfloating)):
        return "Give two numbers for each: np.stack([np.real(column), np.imag(column)], axis=-1)."
    if not isinstance(value, str) and times_fix(value):
        return times_fix(value)
    if isinstance(value, dict) and fix in ("", NUMBERS_FIX):
        where = "column" if value is whole else "row"
        nested = [key for key, entry in value.items() if isinstance(entry, (list, tuple)) or np.ndim(entry)]
        if nested:
            return f"Give one of its parts: [one[{nested[0]!r}] for one in {where}]."
        keys = [key for key, entry in value.items() if isinstance(entry, (Real, Decimal))] or list(value)
        return f"Give the numbers without names: [[one[key] for key in {shown(keys)}] for one in {where}]."
    if not isinstance(value, str) or fix not in ("", NUMBERS_FIX):
        return fix
    if reads_as_number(value):
        of_file = " pandas.read_csv(path) reads those of a file so." if re.match(r"\s*0\d", value) else ""
        return f"Turn text into numbers: np.asarray(column, float).{of_file}"
    if means_no_number(value):
        return 'If it means that there is none, give pandas.to_numeric(column, errors="coerce").'
    return _separator_fix(value) or _unit_fix(value) or lists_fix(value) or times_fix(value) or fix


_NO_NUMBER = {"-", "--", "?", ".", "n/a", "na", "none", "null", "nan", "missing", "unknown"}
"""The words by which tables say that there is no number."""


def means_no_number(text: str) -> bool:
    """Return whether a text in a column of numbers says that there is none.

    >>> means_no_number("N/A"), means_no_number("7")
    (True, False)
    """
    return text.strip().lower() in _NO_NUMBER


def _unit_fix(text: str) -> str:
    """Say how to read a number with its currency or percent sign; empty for other texts.

    >>> _unit_fix("40 %"), _unit_fix("40 kg")
    ('Turn text into numbers: [float(text.strip("% ")) for text in column].', '')
    """
    signs = "".join(sign for sign in "$€£¥%" if sign in text)
    number = text.strip(f"{signs} ")
    edit = _edit_of(number)
    if not signs or not (edit or reads_as_number(number)):
        return ""
    return f'{_TURN}[float(text.strip("{signs} "){edit}) for text in column].'


def _separator_fix(text: str) -> str:
    """Say how to read a number with commas or thousands separators; empty for other texts.

    >>> _separator_fix("1.500,25")
    'Turn text into numbers: [float(text.replace(".", "").replace(",", ".")) for text in column].'
    """
    text, alternative = text.strip(), ""
    edit = _edit_of(text)
    if edit == '.replace(",", "")' and text.count(",") == 1 and "." not in text:
        read = '[float(text.replace(",", ".")) for text in column]'
        alternative = f" if commas separate thousands, {read} if decimals follow them"
    elif edit == '.replace(" ", "")':
        read = lists_fix(text).removeprefix(_TURN).removesuffix(".")
        alternative = f" if spaces separate thousands, {read} if they separate numbers"
    return f"{_TURN}[float(text{edit}) for text in column]{alternative}." if edit else ""


def _edit_of(text: str) -> str:
    """Return code that turns a number with separators into one that ``float`` reads; empty for other texts."""
    if thousands := _THOUSANDS.fullmatch(text):
        edit = f'.replace({json.dumps(thousands[1])}, "")'
        return edit + '.replace(",", ".")' * (thousands[2] == ",")
    return '.replace(",", ".")' * (text.count(",") == 1 and reads_as_number(text.replace(",", ".")))


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
