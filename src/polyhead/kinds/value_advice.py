"""Says how values become numbers or labels: text, lists in CSV files, dates and times, records, lists of labels."""

from __future__ import annotations

import ast
import datetime
import json
import re
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from numbers import Real
from typing import Any

import numpy as np

from polyhead.errors import BadValue, hints, shown

NUMBERS_FIX = "Give numbers, or None where there is no label."
"""The advice on a label that is not a number, unless a head gives better advice."""

_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,.'\u2019 \xa0\u202f])\d{3}(?:\1\d{3})*(?:(?!\1)([.,])\d*)?")
_TURN = "Turn text into numbers: "
_DAYS = '(np.asarray(column, "M8[us]") - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")'
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}\b.*", re.DOTALL)


def ids_as_text(gaps: bool) -> str:
    """Return the code that turns integer ids into text; those beside missing ones may be floats, as 7.0."""
    return 'pandas.Series(column, dtype="Int64").astype("string")' if gaps else "[str(one) for one in column]"


def object_fix(value: Any) -> str:
    """Say how to turn an object that is neither text nor a number into text; empty for a container."""
    if isinstance(value, Enum):
        return "Give their names as text: [one.name for one in column]."
    return "Give text: [str(one) for one in column]." if isinstance(value, Hashable) else ""


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


_BETWEEN = re.compile(r"\s*[,;]\s*|\s+")


def lists_fix(text: Any) -> str:
    """Say how to turn texts like this one into lists; empty if it is not a list.

    >>> lists_fix("['new', 'red']")
    'Turn text into lists: [ast.literal_eval(text) for text in column].'
    >>> lists_fix("[0.5 1.5]")
    'Turn text into numbers: [[float(one) for one in text.strip("[]").split()] for text in column].'
    >>> lists_fix("1.5"), lists_fix("a red car"), lists_fix("(0, 18]")
    ('', '', '')
    """
    if not isinstance(text, str):
        return ""
    inside = text.strip()
    in_brackets = (inside[:1], inside[-1:]) in (("[", "]"), ("(", ")"))
    readers = (("json.loads", json.loads), ("ast.literal_eval", ast.literal_eval)) if in_brackets else ()
    for name, read in readers:
        try:
            value = read(inside)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(value, (list, tuple)):
            return f"Turn text into lists: [{name}(text) for text in column]."
    words = _BETWEEN.split(inside[1:-1].strip() if in_brackets else inside)
    if len(words) < 2 or not all(map(reads_as_number, words)):
        return ""
    strip = f'.strip("{inside[0]}{inside[-1]}")' if in_brackets else ""
    mark = next((f'"{mark}"' for mark in ",;" if mark in inside), "")
    return f"Turn text into numbers: [[float(one) for one in text{strip}.split({mark})] for text in column]."


def reads_as_number(text: str) -> bool:
    """Return whether ``float`` can parse a text as a finite number."""
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def listed_fix(value: Any) -> str:
    """Say what to do about labels that are not in a list."""
    if fix := lists_fix(value):
        return fix
    if isinstance(value, Mapping):
        return "Give the names that hold: [[name for name, holds in row.items() if holds] for row in column]."
    if isinstance(value, str) and not value.strip():
        return "Give [] where no label holds, and None where nobody looked."
    mark = listed_mark(value)
    if not mark:
        return "Put a single label into a list."
    mark += " " * (f"{mark} " in value)
    return f"Split the labels: {split_labels(mark)}."


def split_labels(mark: str, gaps: bool = False) -> str:
    """Return code that makes lists of labels of the texts in ``column``, of which some are missing if ``gaps``."""
    condition = " if isinstance(text, str) else None" * gaps
    return f'[[label for label in text.split("{mark}") if label]{condition} for text in column]'


def require_lists(values: Sequence[Any]) -> None:
    """Raise one error for texts, some of several labels, also beside lists, rather than one for each form of text."""
    texts = [value for value in values if isinstance(value, str)]
    several = next((text for text in texts if listed_mark(text)), None)
    others = [value for value in values if not isinstance(value, str)]
    lists = any(isinstance(value, (list, tuple, np.ndarray)) for value in others)
    if several is None or not (lists or all(v is None or v != v for v in others)):
        return
    mark = listed_mark(several)
    mark += " " * all(f"{mark} " in text for text in texts if mark in text)
    fix = f"Split the labels: {split_labels(mark, gaps=bool(others))}."
    if lists:
        fix = fix.replace(" else None for ", " else text for ")
    raise BadValue(None, "lists of labels", f"text{' in some rows' * lists}, as {shown(several)}", fix)


def listed_mark(text: Any) -> str:
    """Return what separates labels in a text that is no list itself; empty if nothing does."""
    if not isinstance(text, str) or lists_fix(text):
        return ""
    return next((mark for mark in _MARKS if mark in text), "")


_MARKS = ",;|"
"""The characters that may separate the labels in one text."""


def leaving_gaps(fix: str, none: str = "None") -> str:
    """Let code that turns the texts of a column into other values also run on rows without one.

    >>> leaving_gaps("Turn text into lists: [json.loads(text) for text in column].")
    'Turn text into lists: [json.loads(text) if isinstance(text, str) else None for text in column].'
    """
    if " else None for " in fix or " else text for " in fix:
        return fix

    def complete(loop: re.Match[str]) -> str:
        condition = "isinstance(text, str)" if loop[1] == "text" else f"{loop[1]} is not None"
        return f" if {condition} else {none}{loop[0]}"

    fix = re.sub(r" for (text|time|one) in column\]", complete, fix)
    return re.sub(
        r'asarray\(column, "(?=[Mm]8)', 'asarray([one if one == one else None for one in column], "', fix
    )


def labels_mark(texts: Sequence[str]) -> str:
    """Return what separates labels in texts of which many have several; empty if they are no such texts.

    >>> labels_mark(["new|red", "red", "new"]), labels_mark(["Bern, CH", "Lima, PE"])
    ('|', '')
    """
    for mark in _MARKS:
        several = [text for text in texts if mark in text]
        labels = {label.strip() for text in texts for label in text.split(mark)} - {""}
        if 3 * len(several) >= len(texts) > 0 and len(labels) <= len(texts) and several:
            return mark + " " * all(f"{mark} " in text for text in several)
    return ""


UNKNOWN_FLAG = "If these are 0 and 1 for each label, and -1 for an unknown one, say MultiLabel(missing=-1)."


def no_label_fix(label: Any) -> str:
    """Say what to do about an entry of lists that is no label, such as one that fills them up.

    >>> no_label_fix(-1)
    'If -1 is no label, leave it out: [[one for one in row if one != -1] for row in column]'
    """
    test = f"one != {label!r}"
    if label is None or label != label:
        test = "one is not None" if label is None else "one == one"
    return f"If {label!r} is no label, leave it out: [[one for one in row if {test}] for row in column]"


def repeats_fix(labels: Sequence[Any]) -> str:
    """Say what to do about a list with a label twice.

    >>> repeats_fix(["yes", "no", "no"])
    "If these are no and yes for each label, give np.array(column) == 'yes'."
    >>> repeats_fix(["red", "red"])
    'Leave out the repeats.'
    >>> repeats_fix([0, 0, -1])
    'If these are 0 and 1 for each label, and -1 for an unknown one, say MultiLabel(missing=-1).'
    >>> repeats_fix([3, None, None])
    'If None is no label, leave it out: [[one for one in row if one is not None] for row in column].'
    """
    labels = list(labels)
    if set(labels) <= {0, 1}:
        return (
            "If these are 0 and 1 for each label, give 0 or 1 for each in every row; if another value stands for an "
            "unknown one, say MultiLabel(missing=...)."
        )
    repeated = {label for label in labels if labels.count(label) > 1}
    unknown = ""
    if {-1, 0} <= set(labels) <= {-1, 0, 1} or {-1, 1} == set(labels):
        unknown = UNKNOWN_FLAG
        if repeated != {-1} and 0 in labels:
            return unknown
    filler = next(iter(repeated)) if len(repeated) == 1 else 0
    fills = filler is None or filler in ("", -1) or filler != filler
    leave_out = f"{no_label_fix(filler)}." if fills else ""
    words = {str(label).lower() for label in labels}
    for pair in PAIRS:
        if words <= set(pair):
            yes = next((label for label in labels if str(label).lower() == pair[1]), pair[1])
            yes = 1 if pair == ("-1", "1") and not isinstance(labels[0], str) else yes
            flags = f"If these are {pair[0]} and {pair[1]} for each label, give np.array(column) == {yes!r}."
            return hints(flags, unknown, leave_out)
    return hints(unknown, leave_out) or "Leave out the repeats."


PAIRS = (("0", "1"), ("-1", "1"), ("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"))
"""Two values that probably mean no and yes for a label, rather than two labels."""
