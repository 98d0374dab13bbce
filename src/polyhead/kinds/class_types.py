"""The values that can be classes, and what to do about others."""

from __future__ import annotations

import datetime
from collections.abc import Hashable
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np

from polyhead.columns.values import EXACT
from polyhead.kinds.missing import is_missing

_TYPES = (str, bytes, int, float, Decimal, datetime.date, datetime.timedelta, np.generic)

AS_TEXT = "Give ids as text: np.asarray(column).astype(str)."

IN_FLOATS = "ids that floats hold exactly"
FROM_FLOATS = "pandas makes floats of integers beside missing ones: read them as Int64, or as text."
"""The remedy for ids beyond 2^53 in floats, of which several may be equal."""


def class_problem(value: Any) -> tuple[str, str] | None:
    """Return what to expect in place of a value that cannot be a class, and what to do; None for one that can.

    Declarations, stores and tables of predictions have to hold it.
    """
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "ids of classes that fit int64", AS_TEXT
    if isinstance(value, _TYPES) and not is_missing(value):
        return None
    fix = ""
    if isinstance(value, Enum):
        fix = "Give their names as text: [one.name for one in column]."
    elif isinstance(value, Hashable) and not is_missing(value):
        fix = "Give text: [str(one) for one in column]."
    return "names or numbers of classes", fix


def is_rounded(name: Any) -> bool:
    """Return whether a class is a float so large that it may stand for several integers."""
    return isinstance(name, float) and EXACT <= abs(name) < np.inf
