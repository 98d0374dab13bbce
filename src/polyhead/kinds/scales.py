"""Scales numbers for training, and converts predictions back to the units of the data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from polyhead.errors import (
    BadValue,
    ContractError,
    Problem,
    counted,
    is_number,
    require_choice,
    shown,
    similar,
)
from polyhead.kinds.missing import has_finite_sum, refuse_first

SCALES = ("standard", "minmax", "robust", "log")

KNOTS = 1025
"""The number of points at which metrics tabulate the inverse of a custom scale, to interpolate between them."""

_CLOSE = 1e-6


class Scaling(ABC):
    """A fitted scale of the numbers along the last axis of labels, inputs or outputs."""

    @property
    @abstractmethod
    def numbers(self) -> int:
        """The length of the last axis."""

    @abstractmethod
    def transform(self, values: np.ndarray) -> np.ndarray:
        """Scale numbers of the data, ``(..., numbers)``, to float64 of the same shape."""

    @abstractmethod
    def inverse_transform(self, scaled: np.ndarray) -> np.ndarray:
        """Convert scaled numbers, ``(..., numbers)``, to the units of the data, as float64 of the same shape."""

    @property
    def takes(self) -> str:
        """The numbers that it accepts, for errors."""
        return "numbers"

    @property
    @abstractmethod
    def inverse(self) -> dict[str, Any]:
        """The inverse as plain values, for metrics: a center and a width, or a table."""

    def scaled(self, values: np.ndarray, present: np.ndarray | None, check: bool) -> np.ndarray:
        """Scale the numbers that are not missing; missing ones become 0.

        Args:
            values: ``(B, ..., numbers)``.
            present: which numbers are not missing, bool of that shape; None if none is missing.
            check: raise for numbers outside its range.

        Raises:
            BadValue: for such a number, if ``check``.
        """
        with np.errstate(all="ignore"):
            scaled = self.transform(values)
        scaled = scaled if present is None else np.where(present, scaled, 0.0)
        if check and not has_finite_sum(scaled):
            fix = 'Say scale="standard", or leave the row out.'
            refuse_first(~np.isfinite(scaled), np.asarray(values), self.takes, fix)
        return scaled


@dataclass(frozen=True, eq=False)
class NamedScaling(Scaling):
    """A scale by name: ``(number - center) / width``; ``"log"`` takes ``log(1 + number)`` first.

    Two are equal if they differ only by rounding: sums over the same rows depend on how they are read.

    Attributes:
        name: one of `SCALES`.
        center: the value that becomes 0, one for each number.
        width: the distance from the center that becomes 1, one for each number.

    >>> scale = NamedScaling("standard", (250000.0,), (60000.0,))
    >>> scale.transform(np.array([[310000.0]])), scale.inverse_transform(np.array([[1.0]]))
    (array([[1.]]), array([[310000.]]))
    >>> scale
    NamedScaling('standard', center=[250000], width=[60000])
    """

    name: str
    center: tuple[float, ...]
    width: tuple[float, ...]

    def __post_init__(self) -> None:
        require_choice("name", self.name, SCALES)
        _check_numbers(self, "center", "width", positive=True)

    @property
    def numbers(self) -> int:
        return len(self.center)

    def transform(self, values: np.ndarray) -> np.ndarray:
        numbers = np.asarray(values, np.float64)
        numbers = np.log1p(numbers) if self.name == "log" else numbers
        return np.asarray((numbers - self.center) / self.width)

    def inverse_transform(self, scaled: np.ndarray) -> np.ndarray:
        numbers: np.ndarray = np.asarray(scaled, np.float64) * self.width + self.center
        return np.expm1(numbers) if self.name == "log" else numbers

    @property
    def takes(self) -> str:
        log = 'numbers above -1, as scale="log" takes log(1 + number)'
        return log if self.name == "log" else super().takes

    @property
    def inverse(self) -> dict[str, Any]:
        return {"log": self.name == "log", "center": list(self.center), "width": list(self.width)}

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, NamedScaling) or (self.name, self.numbers) != (other.name, other.numbers):
            return False
        width = np.array(self.width)
        differences = np.abs([np.array(self.center) - other.center, width - other.width])
        return bool((differences <= _CLOSE * width).all())

    def __hash__(self) -> int:
        return hash((self.name, self.numbers))

    def __repr__(self) -> str:
        center, width = (", ".join(f"{v:.6g}" for v in part) for part in (self.center, self.width))
        return f"NamedScaling({self.name!r}, center=[{center}], width=[{width}])"


@dataclass(frozen=True)
class FactorScaling(Scaling):
    """A scale that multiplies by one factor, such as that of a `Map` with a number as its scale.

    >>> FactorScaling(0.001, 1).inverse_transform(np.array([[2.5]]))
    array([[2500.]])
    """

    factor: float
    channels: int

    @property
    def numbers(self) -> int:
        return self.channels

    def transform(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values, np.float64) * self.factor

    def inverse_transform(self, scaled: np.ndarray) -> np.ndarray:
        return np.asarray(scaled, np.float64) / self.factor

    @property
    def inverse(self) -> dict[str, Any]:
        return {"log": False, "center": [0.0] * self.channels, "width": [1 / self.factor] * self.channels}


@dataclass(frozen=True, eq=False)
class OwnScaling(Scaling):
    """A fitted custom scale. Two are equal if they give the same numbers.

    Attributes:
        scaler: an object with ``transform`` and ``inverse_transform`` of ``(n, numbers)``, as in scikit-learn, or a
            pair of functions of arrays of any shape.
        low: the smallest value of each number in the rows it was fitted on.
        high: the largest value of each number.
    """

    scaler: Any
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if not is_own(self.scaler):
            raise ContractError(Problem("scaler", _OWN, shown(self.scaler)))
        _check_numbers(self, "low", "high")

    @property
    def numbers(self) -> int:
        return len(self.low)

    def transform(self, values: np.ndarray) -> np.ndarray:
        return self._apply(0, "transform", values)

    def inverse_transform(self, scaled: np.ndarray) -> np.ndarray:
        return self._apply(1, "inverse_transform", scaled)

    def _apply(self, index: int, name: str, values: Any) -> np.ndarray:
        """Call the function ``index`` of a pair, or the method ``name`` of an object."""
        # a copy, as StandardScaler(copy=False) writes into its argument
        numbers = np.array(values, np.float64)
        if isinstance(self.scaler, (list, tuple)):
            result = np.asarray(self.scaler[index](numbers), np.float64)
        else:
            result = np.asarray(getattr(self.scaler, name)(numbers.reshape(-1, self.numbers)), np.float64)
        if result.size != numbers.size:
            expected = f"a scale whose {name} gives as many numbers as it gets"
            raise BadValue(None, expected, f"{shown(self.scaler)}: {result.size} of {numbers.size}")
        return result.reshape(numbers.shape)

    @property
    def takes(self) -> str:
        return f"numbers that {shown(self.scaler)} can take"

    @cached_property
    def inverse(self) -> dict[str, Any]:
        """The inverse at `KNOTS` points: over the range it was fitted on, extended by its width on both sides."""
        with np.errstate(all="ignore"):
            ends = self.transform(np.array([self.low, self.high]))
        ends = np.where(np.isfinite(ends), ends, 0.0)
        low, high = ends.min(0), ends.max(0)
        span = np.where(high > low, high - low, 1.0)
        near_zero = np.abs(low) <= 4 * span  # where the outputs of an untrained model are
        start = np.where(near_zero, np.minimum(low - span, 0), low - span)
        stop = np.where(near_zero, np.maximum(high + span, 0), high + span)
        knots = np.linspace(start, stop, KNOTS)
        with np.errstate(all="ignore"):
            values = self.inverse_transform(knots)
        for i in range(self.numbers):  # beyond the domain of the inverse, repeat its last value
            finite = np.isfinite(values[:, i])
            values[:, i] = (
                np.interp(knots[:, i], knots[finite, i], values[finite, i]) if finite.any() else 0.0
            )
        step = knots[1] - knots[0]
        return {"start": start.tolist(), "step": step.tolist(), "values": values.T.tolist()}

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, OwnScaling) or self.numbers != other.numbers:
            return False
        return all(np.allclose(self.inverse[part], other.inverse[part], _CLOSE) for part in self.inverse)

    def __hash__(self) -> int:
        return hash(self.numbers)

    def tabulated(self, scaled: np.ndarray) -> np.ndarray:
        """Apply the inverse to ``(n, numbers)`` as metrics do, by its table."""
        table = self.inverse
        positions = (scaled - table["start"]) / table["step"]
        columns = zip(positions.T, table["values"], strict=True)
        return np.stack([np.interp(column, np.arange(KNOTS), values) for column, values in columns], axis=1)


_OWN = "an object with fit, transform and inverse_transform, or a pair of functions"


def is_own(scale: Any) -> bool:
    """Return whether a scale is custom: an object like those of scikit-learn, or a function and its inverse."""
    if isinstance(scale, (list, tuple)):
        return len(scale) == 2 and all(map(callable, scale))
    methods = ("fit", "transform", "inverse_transform")
    return not isinstance(scale, type) and all(callable(getattr(scale, name, None)) for name in methods)


def require_scale(scale: Any, where: str, numbers: int | None, alternative: str = "") -> None:
    """Raise a `ContractError` if ``scale`` is not a scale, fitted or not.

    Args:
        scale: the argument, not None.
        numbers: the length of the last axis, if known.
        alternative: what else is allowed, for errors.
    """
    if isinstance(scale, Scaling):
        if numbers is not None and numbers != scale.numbers:
            expected = f"a scale of {counted(numbers, 'number')}, as the shape says"
            raise ContractError(Problem(where, expected, f"a scale of {scale.numbers}"))
        return
    if not ((isinstance(scale, str) and scale in SCALES) or is_own(scale)):
        names = ", ".join(f'"{name}"' for name in SCALES)
        fix = similar(scale, SCALES) if isinstance(scale, str) else ""
        if isinstance(scale, type):
            fix = f"Write {scale.__name__}() with parentheses."
        elif callable(scale):
            fix = "Give its inverse as well, as (np.log, np.exp)."
        raise ContractError(Problem(where, f"{names}, {alternative}{_OWN}", shown(scale), fix))


def usable_width(low: np.ndarray, high: np.ndarray, *widths: np.ndarray) -> np.ndarray:
    """For each number, the first of several widths above 0, else the range; 1 if all its values are equal."""
    rounding = 10 * np.finfo(np.float64).eps * np.maximum(np.abs(low), np.abs(high))
    usable = np.ones_like(low)
    for width in (high - low, *reversed(widths)):
        usable = np.where((high - low > rounding) & (width > 0) & np.isfinite(width), width, usable)
    return usable


def _check_numbers(scaling: Scaling, first: str, second: str, positive: bool = False) -> None:
    """Turn two fields into tuples of floats of one length; ``positive`` if the second are above 0."""
    for name in (first, second):
        numbers, above_0 = getattr(scaling, name), positive and name == second
        valid = isinstance(numbers, (list, tuple)) and numbers and all(map(is_number, numbers))
        if not valid or (above_0 and min(numbers) <= 0):
            expected = f"a list of finite numbers{' above 0' * above_0}"
            raise ContractError(Problem(name, expected, shown(numbers)))
        object.__setattr__(scaling, name, tuple(map(float, numbers)))
    length, second_length = len(getattr(scaling, first)), len(getattr(scaling, second))
    if length != second_length:
        raise ContractError(
            Problem(second, f"{counted(length, 'number')}, as {first} has", f"{second_length}")
        )
