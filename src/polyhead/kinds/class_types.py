"""The values that can be classes."""

from __future__ import annotations

import datetime
from collections.abc import Hashable
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np

from polyhead.columns.values import EXACT

NAMES = "names or numbers of classes"
_NAME_TYPES = (str, bytes, int, float, Decimal, datetime.date, datetime.timedelta, np.generic)


def can_be_class(value: Any) -> bool:
    """Return whether a value can be a class, which declarations, stores and tables of predictions have to hold."""
    return isinstance(value, _NAME_TYPES)


def fix_of_no_name(value: Any) -> str:
    """Say what to do about classes of another type, such as members of an `enum.Enum`."""
    if isinstance(value, Enum):
        return "Give their names as text: [one.name for one in column]."
    return (
        "Give text: [str(one) for one in column]."
        if isinstance(value, Hashable) and value is not None
        else ""
    )


INT64 = "ids of classes that fit int64"
AS_TEXT = "Give ids as text: np.asarray(column).astype(str)."


def is_large(name: Any) -> bool:
    """Return whether a class is an integer that tables of predictions cannot hold."""
    return isinstance(name, int) and not -(2**63) <= name < 2**63


IN_FLOATS = "ids that floats hold exactly"
FROM_FLOATS = "pandas makes floats of integers beside missing ones: read them as Int64, or as text."
"""The remedy for ids beyond 2^53 in floats, of which several may be equal."""


def is_rounded(name: Any) -> bool:
    """Return whether a class is a float so large that it may stand for several integers."""
    return isinstance(name, float) and EXACT <= abs(name) < np.inf
