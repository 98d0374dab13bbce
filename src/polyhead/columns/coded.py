"""Columns of repeated values, and of booleans with gaps, as codes into their categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Coded:
    """A column of repeated values as integer codes into its categories, as in Arrow and pandas.

    Attributes:
        codes: int32 ``(N,)``; -1 for a missing value.
        ordered: True if the user set the order of the categories (a pandas category), False if it is the order of
            appearance.

    >>> Coded(np.array([1, 0, -1]), ["cat", "dog"]).take(np.array([2, 0])).values().tolist()
    [None, 'dog']
    """

    codes: np.ndarray
    categories: Sequence[Any]
    ordered: bool = False

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, ids: np.ndarray) -> Coded:
        """Return the rows at ``ids``, in that order."""
        return Coded(np.take(self.codes, ids, axis=0), self.categories, self.ordered)

    def values(self) -> np.ndarray:
        """Return the plain values, an object array ``(N,)`` with None where missing."""
        if len(self.codes) < len(self.categories):  # a batch with many categories: look up only those it uses
            return objects([self.categories[code] if code >= 0 else None for code in self.codes.tolist()])
        return objects([*self.categories, None])[self.codes]  # code -1 indexes the last entry, None

    @property
    def boolean(self) -> bool:
        """True if all values that are not missing are booleans."""
        return (
            not self.ordered and 0 < len(self.categories) <= 2 and set(map(type, self.categories)) == {bool}
        )

    def floats(self) -> np.ndarray:
        """Return booleans as 0 and 1, float64 ``(N,)`` with NaN where missing."""
        return np.array([*self.categories, np.nan], np.float64)[self.codes]


def coded_flags(values: np.ndarray, gone: Any = False) -> Coded:
    """Convert booleans ``(N,)``, of which some are missing, to codes; as floats, their classes would be 0 and 1.

    >>> coded_flags(np.array([True, False]), np.array([False, True])).values().tolist()
    [True, None]
    """
    return Coded(np.where(gone, np.int32(-1), values.astype(np.int32)), _FLAGS)


_FLAGS = (False, True)


def joinable(parts: Sequence[Any]) -> Sequence[Any]:
    """Convert the pieces of a column so that they can be joined, if their types differ.

    Booleans beside booleans with gaps become codes, and both become floats beside other numbers. uint64 beside signed
    integers becomes int64, as NumPy's common type of both is a float; integers that do not fit stay.

    >>> [p.dtype.name for p in joinable([np.array([1]), np.array([2], np.uint64)])]
    ['int64', 'int64']
    """
    parts = _with_flags(parts)
    if not signed_beside_unsigned(parts):
        return parts
    fits = [p.dtype == np.uint64 and int(p.max(initial=0)) < 2**63 for p in parts]
    return [p.astype(np.int64) if fit else p for p, fit in zip(parts, fits, strict=True)]


def signed_beside_unsigned(parts: Sequence[Any]) -> bool:
    """Return whether pieces of a column are all integers, but have no common type of integers."""
    if not all(isinstance(p, np.ndarray) and p.dtype.kind in "biu" for p in parts):
        return False
    return np.uint64 in (p.dtype for p in parts) and np.result_type(*parts).kind == "f"


def _with_flags(parts: Sequence[Any]) -> Sequence[Any]:
    others = [p for p in parts if not (isinstance(p, Coded) and p.boolean)]
    arrays = [p for p in others if isinstance(p, np.ndarray) and p.dtype.kind in "biufc"]
    if len(others) == len(parts) or len(arrays) < len(others):
        return parts
    if all(p.dtype.kind == "b" and p.ndim == 1 for p in arrays):
        return [p if isinstance(p, Coded) else coded_flags(np.asarray(p)) for p in parts]
    return [p.floats() if isinstance(p, Coded) else p for p in parts]


def objects(values: Sequence[Any]) -> np.ndarray:
    """Convert a sequence to an object array ``(N,)``, also if its entries are arrays or lists."""
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array
