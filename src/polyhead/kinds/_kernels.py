"""Fused loops for large columns in memory: gather, cast and scale in one pass.

They are compiled in the background (`polyhead.compiled`); until they are ready, and for small data, NumPy
does the same in several passes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from polyhead.compiled import Loop

WORTH = 1 << 22
"""Numbers in a column from which on the loops are used."""

Empty = Callable[[tuple[int, ...], Any], np.ndarray]


def gather(column: Any, ids: np.ndarray, empty: Empty, *, divide: bool) -> np.ndarray | None:
    """The rows of bytes at ``ids`` as float32, divided by 255 or as they are.

    Args:
        column: uint8 ``(N, ...)``, C-contiguous and large; for others there is no fused way.
        ids: int64 ``(B,)``, each in ``[0, N)``.
        empty: makes the array of the result.
        divide: by 255; the result equals ``column[ids] / np.float32(255)`` to the last bit.

    Returns:
        float32 ``(B, ...)``, or None where there is no fused way, or not yet.
    """
    if not isinstance(column, np.ndarray) or column.dtype != np.uint8 or column.size < WORTH:
        return None
    if not column.flags.c_contiguous:
        return None
    loop = _scale() if divide else CAST.ready
    if loop is None:
        return None
    out = empty((len(ids), *column.shape[1:]), np.float32)
    loop(column.reshape(len(column), -1), ids, out.reshape(len(ids), -1))
    return out


def _cast(source: np.ndarray, ids: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(ids)):
        row, to = source[ids[i]], out[i]
        for k in range(len(row)):
            to[k] = row[k]


def _divide(source: np.ndarray, ids: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(ids)):
        row, to = source[ids[i]], out[i]
        for k in range(len(row)):
            to[k] = np.float32(row[k]) / np.float32(255)


def _multiply(source: np.ndarray, ids: np.ndarray, out: np.ndarray) -> None:
    # a division costs five multiplications: multiply, then mend what is left over, which a fused multiply-add
    # gives without rounding
    inverse = np.float32(1 / 255)
    for i in range(len(ids)):
        row, to = source[ids[i]], out[i]
        for k in range(len(row)):
            x = np.float32(row[k])
            near = x * inverse
            to[k] = near + (x - near * np.float32(255)) * inverse


_EXAMPLE = (np.zeros((1, 2), np.uint8), np.zeros(1, np.int64), np.empty((1, 2), np.float32))
CAST = Loop(_cast, *_EXAMPLE)
DIVIDE = Loop(_divide, *_EXAMPLE)
MULTIPLY = Loop(_multiply, *_EXAMPLE, fastmath={"contract"})


def _scale() -> Callable[..., Any] | None:
    """The loop that divides by 255: the faster one where it is right for every byte on this processor."""
    fast = MULTIPLY.ready
    if fast is None or not _exact(fast):
        return None if fast is None else DIVIDE.ready
    return fast


@cache
def _exact(fast: Callable[..., Any]) -> bool:
    """Whether it gives what a division gives, which hangs on the processor's fused multiply-add."""
    every = np.arange(256, dtype=np.uint8)[:, None]
    out = np.empty((256, 1), np.float32)
    fast(every, np.arange(256), out)
    wide = np.empty((1, 256), np.float32)  # a row of many takes the vectorised part of the loop
    fast(every.T.copy(), np.zeros(1, np.int64), wide)
    wanted = every / np.float32(255)
    return np.array_equal(out, wanted) and np.array_equal(wide, wanted.T)
