"""Gives advice on lists that are text, as in CSV files, and on lists of labels."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import BadValue, hints, shown

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
        return "If these are 0 and 1 for each label, give 0 or 1 for each in every row."
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
