"""Describes how to convert a column's numbers to a kind's array, as data that the gather step executes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Conversion:
    """The conversion of each number of a column; by default, it is only cast.

    Attributes:
        dtype: the dtype of the result.
        scale: whether to divide bytes by 255.
        values: the result for each number, ``{number: number}``; other numbers are invalid. None keeps all numbers.
        weights: the sample weight for each of these numbers, float32; None if weights do not depend on them.
        low: the smallest valid number, which must be finite; None for any.
        high: the largest valid number.
        checked_by_encode: whether ``encode`` must check rows, as validity depends on more than single numbers.

    >>> Conversion("int32", values={0: 0, 1: 1, 255: 0}, weights={0: 1.0, 1: 1.0, 255: 0.0}).of_weights.dtype
    'float32'
    """

    dtype: str
    scale: bool = False
    values: Mapping[int, float] | None = None
    weights: Mapping[int, float] | None = None
    low: float | None = None
    high: float | None = None
    checked_by_encode: bool = False

    @property
    def of_weights(self) -> Self:
        """The conversion of the same column to weights."""
        assert self.weights is not None
        return replace(self, dtype="float32", values=self.weights, weights=None)


FINITE = Conversion("float32", low=-FLOAT32_MAX, high=FLOAT32_MAX)
