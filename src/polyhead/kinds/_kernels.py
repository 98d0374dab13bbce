"""Fused loops for large columns in memory: gather, cast and scale in one pass. Compiled by numba, on first use.

Compiling, or loading what was compiled before, takes a second or less; data that is small does without
(`worth`), and numba is then not imported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

WORTH = 1 << 24
"""Numbers in a column from which on the kernels are used."""

Kernel = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


def worth(column: Any) -> bool:
    """Whether a column is an array of bytes that is large enough, and lies row by row in memory."""
    return (
        isinstance(column, np.ndarray)
        and column.dtype == np.uint8
        and column.size >= WORTH
        and column.flags.c_contiguous
    )


def gather(column: np.ndarray, ids: np.ndarray, *, divide: bool) -> np.ndarray:
    """The rows of bytes at ``ids`` as float32, divided by 255 or as they are.

    Args:
        column: uint8 ``(N, ...)``, C-contiguous.
        ids: int64 ``(B,)``, each in ``[0, N)``.
        divide: by 255; the result equals ``column[ids] / np.float32(255)`` to the last bit.

    Returns:
        float32 ``(B, ...)``.
    """
    out = np.empty((len(ids), *column.shape[1:]), np.float32)
    kernel = _scale() if divide else _compiled(_cast)
    kernel(column.reshape(len(column), -1), ids, out.reshape(len(ids), -1))
    return out


def _cast(source: np.ndarray, ids: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(ids)):
        row = ids[i]
        for k in range(source.shape[1]):
            out[i, k] = source[row, k]


def _divide(source: np.ndarray, ids: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(ids)):
        row = ids[i]
        for k in range(source.shape[1]):
            out[i, k] = np.float32(source[row, k]) / np.float32(255)


def _multiply(source: np.ndarray, ids: np.ndarray, out: np.ndarray) -> None:
    # a division costs five multiplications: multiply, then mend what is left over, which a fused multiply-add
    # gives without rounding
    inverse = np.float32(1 / 255)
    for i in range(len(ids)):
        row = ids[i]
        for k in range(source.shape[1]):
            x = np.float32(source[row, k])
            near = x * inverse
            out[i, k] = near + (x - near * np.float32(255)) * inverse


@lru_cache(maxsize=8)
def _compiled(kernel: Kernel) -> Kernel:
    import numba

    return numba.njit(nogil=True, cache=True, fastmath={"contract"})(kernel)


@lru_cache(maxsize=1)
def _scale() -> Kernel:
    """The faster kernel where it is right for every byte, which hangs on the processor's fused multiply-add."""
    every = np.arange(256, dtype=np.uint8)[:, None]
    out = np.empty((256, 1), np.float32)
    fast = _compiled(_multiply)
    fast(every, np.arange(256), out)
    wide = np.empty((1, 256), np.float32)  # a row of many takes the vectorised part of the loop
    fast(every.T.copy(), np.zeros(1, np.int64), wide)
    wanted = every / np.float32(255)
    return fast if np.array_equal(out, wanted) and np.array_equal(wide, wanted.T) else _compiled(_divide)
