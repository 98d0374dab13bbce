"""Reuses the memory of batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

LEAST = 1 << 16
KEPT = 1 << 28
"""Bytes that are kept for later."""

SPARE = 2
"""Arrays of each size that are always kept: for the current batch, and the next one."""

_ALIGNED = 64

HUGE = 1 << 21
"""Bytes of a huge page. NumPy asks for them for arrays of 4 MB and more; one that begins with a page gets most."""


class Pool:
    """Allocates arrays, and reuses their memory when the last view of one is deleted, never before.

    Mapping the pages of large new arrays costs more than writing to them. An array of a pool is an ordinary array.
    Whatever keeps it, or a view of it, or borrows its memory through the buffer protocol, keeps the memory.

    >>> pool = Pool()
    >>> first = pool.empty((1000, 100), np.float32)
    >>> place = first.ctypes.data
    >>> view = first[3:5]
    >>> del first
    >>> second = pool.empty((1000, 100), np.float32)  # the view lives: other memory
    >>> second.ctypes.data == place
    False
    >>> del view
    >>> pool.empty((1000, 100), np.float32).ctypes.data == place
    True
    """

    def __init__(self) -> None:
        self._free: dict[int, list[tuple[np.ndarray, int]]] = {}
        self._kept = 0

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An uninitialized array.

        Args:
            shape: of the array.
            dtype: of numbers.
        """
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if size < LEAST:
            return np.empty(shape, dtype)
        try:
            memory, start = self._free[size].pop()
            self._kept -= size
        except (KeyError, IndexError):
            aligned = HUGE if size >= HUGE else _ALIGNED
            memory = np.empty(size + aligned, np.uint8)  # what is never written to takes no memory
            start = address(memory)
            start += -start % aligned
        return np.asarray(_Lease(self, memory, start, size, shape, dtype))

    def _back(self, memory: np.ndarray, start: int, size: int) -> None:
        free = self._free.setdefault(size, [])
        if self._kept + size <= KEPT or len(free) < SPARE:
            self._kept += size
            free.append((memory, start))


class _Lease:
    """The base of an array of the pool: deleted with the last view, it returns the memory."""

    __slots__ = ("__array_interface__", "_memory", "_pool", "_size", "_start")

    def __init__(
        self,
        pool: Pool,
        memory: np.ndarray,
        start: int,
        size: int,
        shape: tuple[int, ...],
        dtype: np.dtype,
    ) -> None:
        self._pool, self._memory, self._start, self._size = pool, memory, start, size
        self.__array_interface__ = {
            "data": (start, False),
            "shape": shape,
            "typestr": dtype.str,
            "version": 3,
        }

    def __del__(self) -> None:
        self._pool._back(self._memory, self._start, self._size)


def is_pooled(array: np.ndarray) -> bool:
    """Return whether an array belongs to a pool, or is a view of such an array: the user holds no other reference."""
    return type(array.base) is _Lease or type(getattr(array.base, "base", None)) is _Lease


def address(array: np.ndarray) -> int:
    """The address of an array."""
    start: int = array.__array_interface__["data"][0]
    return start
