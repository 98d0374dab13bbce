"""Normalizes arguments of kinds: shapes and dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, as_list, is_integer, is_size, plain_scalar, shown


def as_shape(shape: Any, where: str) -> tuple[int, ...]:
    """Return a shape as a tuple of positive integers.

    Raises:
        ContractError: if it is not a shape.
    """
    lengths = (shape,) if is_integer(plain_scalar(shape)) else as_list(shape)
    if not lengths or not all(map(is_size, lengths)):
        raise ContractError(Problem(where, "a positive integer, or a tuple of them", shown(shape)))
    return tuple(map(int, lengths))


def as_dtype(dtype: Any) -> Any:
    """Return the name of a NumPy dtype; anything else unchanged.

    >>> as_dtype(np.uint8), as_dtype("uint8"), as_dtype(None)
    ('uint8', 'uint8', None)
    """
    return np.dtype(dtype).name if isinstance(dtype, (np.dtype, type)) and dtype is not object else dtype
