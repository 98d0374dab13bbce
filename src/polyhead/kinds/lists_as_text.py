"""Gives advice on reading lists that are text, as in CSV files."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import numpy as np

_BETWEEN = re.compile(r"\s*[,;]\s*|\s+")


def lists_fix(text: Any) -> str:
    """Say how to turn texts like this one into lists; empty if it is not a list.

    >>> lists_fix("['new', 'red']")
    'Turn text into lists: [ast.literal_eval(text) for text in column].'
    >>> lists_fix("[0.5 1.5]")
    'Turn text into numbers: [[float(one) for one in text.strip("[]").split()] for text in column].'
    >>> lists_fix("1.5"), lists_fix("a red car")
    ('', '')
    """
    if not isinstance(text, str):
        return ""
    inside = text.strip()
    in_brackets = inside[:1] in ("[", "(") and inside[-1:] in ("]", ")")
    readers = (("json.loads", json.loads), ("ast.literal_eval", ast.literal_eval)) if in_brackets else ()
    for name, read in readers:
        try:
            found = read(inside)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(found, (list, tuple)):
            return f"Turn text into lists: [{name}(text) for text in column]."
    parts = _BETWEEN.split(inside[1:-1].strip() if in_brackets else inside)
    if len(parts) < 2 or not all(map(reads_as_number, parts)):
        return ""
    strip = '.strip("[]")' if in_brackets else ""
    mark = next((f'"{mark}"' for mark in ",;" if mark in inside), "")
    return f"Turn text into numbers: [[float(one) for one in text{strip}.split({mark})] for text in column]."


def reads_as_number(text: str) -> bool:
    """Return whether ``float`` can parse a text as a finite number."""
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
