"""What a column's values may be: an array, a list, or codes into categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Coded:
    """A column of repeated values as integer codes into its categories, as Arrow and pandas keep them.

    Attributes:
        codes: int32 ``(N,)``; -1 where the value is missing.
        categories: the distinct values, in their own order.
        ordered: True where the order of the categories is the user's (a pandas category), False where it is
            only the order of appearance.

    >>> Coded(np.array([1, 0, -1]), ["cat", "dog"]).take(np.array([2, 0])).values().tolist()
    [None, 'dog']
    """

    codes: np.ndarray
    categories: Sequence[Any]
    ordered: bool = False

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, ids: np.ndarray) -> Coded:
        """The rows at ``ids``, in that order."""
        return Coded(np.take(self.codes, ids, axis=0), self.categories, self.ordered)

    def values(self) -> np.ndarray:
        """The plain values, an object array ``(N,)`` with None where missing."""
        table = np.empty(len(self.categories) + 1, dtype=object)
        table[:-1] = list(self.categories)
        return table[self.codes]  # code -1 reads the last place, which stays None


Values = np.ndarray | list[Any] | Coded
"""What ``Source.read`` gives for one column, one entry a row."""


def take(values: Values, ids: np.ndarray) -> Values:
    """The entries at ``ids``, in that order."""
    if isinstance(values, Coded):
        return values.take(ids)
    if isinstance(values, np.ndarray):
        return np.take(values, ids, axis=0)
    return [values[i] for i in ids.tolist()]


def join(parts: Sequence[Values]) -> Values:
    """Several pieces of one column, end to end."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    if isinstance(first, np.ndarray) and all(
        isinstance(p, np.ndarray) and p.shape[1:] == first.shape[1:] for p in parts
    ):
        return np.concatenate(parts)  # type: ignore[arg-type]
    if isinstance(first, Coded) and all(
        isinstance(p, Coded) and list(p.categories) == list(first.categories) for p in parts
    ):
        return Coded(np.concatenate([p.codes for p in parts]), first.categories, first.ordered)  # type: ignore[union-attr]
    return [v for p in parts for v in (p.values() if isinstance(p, Coded) else p)]
