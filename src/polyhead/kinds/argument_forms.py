"""Normalizes arguments of kinds: shapes, class weights, dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyhead.errors import (
    ContractError,
    Problem,
    as_list,
    is_integer,
    is_number,
    is_size,
    plain_scalar,
    require_choice,
    shown,
)


def as_shape(shape: Any, where: str) -> tuple[int, ...]:
    """Return a shape as a tuple of positive integers.

    Raises:
        ContractError: if it is not a shape.
    """
    given = (shape,) if is_integer(plain_scalar(shape)) else as_list(shape)
    if not given or any(not is_size(n) for n in given):
        raise ContractError(Problem(where, "a positive integer, or a tuple of them", shown(shape)))
    return tuple(int(n) for n in given)


def as_class_weight(given: Any, where: str) -> Any:
    """Return class weights as `as_weights` does, checked to be finite and at least 0, or ``"balanced"``.

    Raises:
        ContractError: for anything else.
    """
    if isinstance(given, str):
        require_choice(where, given, ("balanced",), '"balanced" or a dict')
        return given
    found = given if isinstance(given, Mapping) else as_weights(given)
    if found is None:
        raise ContractError(Problem(where, '"balanced" or a dict', shown(given)))
    for label, value in found.items() if isinstance(found, Mapping) else enumerate(found):
        if not is_number(plain_scalar(value)) or value < 0:
            expected = "a finite number of at least 0"
            raise ContractError(Problem(f"{where}, class {label!r}", expected, shown(value)))
    return found


def as_weights(given: Any) -> Mapping[Any, float] | tuple[float, ...] | None:
    """Return class weights by name for a series with an index, by id for a list; None for anything else.

    >>> as_weights(np.array([1.0, 2.0]))
    (1.0, 2.0)
    """
    if hasattr(given, "to_dict") and type(getattr(given, "index", None)).__name__.endswith("Index"):
        if type(given.index).__name__ == "RangeIndex":  # nobody named them
            return tuple(given.tolist())
        named: dict[Any, float] = given.to_dict()
        return named
    found = as_list(given)
    return None if found is None else tuple(found)


def as_dtype(dtype: Any) -> Any:
    """Return the name of a NumPy dtype; anything else unchanged.

    >>> as_dtype(np.uint8), as_dtype("uint8"), as_dtype(None)
    ('uint8', 'uint8', None)
    """
    return np.dtype(dtype).name if isinstance(dtype, (np.dtype, type)) and dtype is not object else dtype
