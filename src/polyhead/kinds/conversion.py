"""How the numbers of a column become those of an array, as data that a kind says and the gather carries out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Self

import numpy as np

FLOAT32 = float(np.finfo(np.float32).max)
"""The bounds of numbers that are finite and fit float32 are ``-FLOAT32`` and ``FLOAT32``."""


@dataclass(frozen=True)
class Conversion:
    """What each number of a column becomes; by default itself, cast.

    Attributes:
        dtype: of the result.
        scale: bytes are divided by 255.
        values: what each number of the column becomes, ``{number: number}``; others are not valid. None for all.
        weights: for the same numbers the sample weight of each, float32; None where a number does not say it.
        low: the least number that is valid, and finite; None for any.
        high: the greatest.
        looked_at: ``encode`` looks at more than single numbers, so that it has to check them.

    >>> Conversion("int32", values={0: 0, 1: 1, 255: 0}, weights={0: 1.0, 1: 1.0, 255: 0.0}).of_weights.dtype
    'float32'
    """

    dtype: str
    scale: bool = False
    values: Mapping[int, float] | None = None
    weights: Mapping[int, float] | None = None
    low: float | None = None
    high: float | None = None
    looked_at: bool = False

    @property
    def of_weights(self) -> Self:
        """The same column's numbers as weights."""
        assert self.weights is not None
        return replace(self, dtype="float32", values=self.weights, weights=None)


FINITE = Conversion("float32", low=-FLOAT32, high=FLOAT32)


def of_classes(
    dtype: str, held: Sequence[int], weights: Sequence[float] | None, missing: Any
) -> Conversion | None:
    """The conversion of classes to their ids; None where no whole number means "no label", but something else does.

    Args:
        dtype: of the ids.
        held: what the column holds for each class, in order.
        weights: of the classes; None where pixels have none.
        missing: the value that means "no label", which becomes id 0 of weight 0.

    >>> of_classes("int32", (0, 1), (1.0, 2.0), 255).weights
    {0: 1.0, 1: 2.0, 255: 0.0}
    """
    ids: dict[int, float] = {value: place for place, value in enumerate(held)}
    by_value = None if weights is None else dict(zip(held, weights, strict=True))
    if missing is None:
        return Conversion(dtype, values=ids, weights=by_value)
    if not isinstance(missing, Real) or not float(missing).is_integer():
        return None
    marker = int(float(missing))
    return Conversion(dtype, values={**ids, marker: 0}, weights={**(by_value or {}), marker: 0.0})
