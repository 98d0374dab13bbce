"""Reuses the memory of batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

LEAST = 1 << 16
KEPT = 1 << 28
"""The most bytes that a pool keeps for reuse."""

SPARE = 2
"""The number of arrays of each size that are always kept: one for the current batch, one for the next."""

_ALIGNED = 64

HUGE = 1 << 21
"""Bytes of a huge page. NumPy asks for huge pages from 4 MB on; an array aligned to one gets the most of them."""


class Pool:
    """Allocates arrays, and reuses their memory when the last view of one is deleted, never before.

    Mapping the pages of a large new array costs more than writing to it. The arrays of a pool are ordinary arrays:
    any reference to one, to a view of it, or through the buffer protocol keeps its memory from being reused.

    >>> pool = Pool()
    >>> first = pool.empty((1000, 100), np.float32)
    >>> place = first.ctypes.data
    >>> view = first[3:5]
    >>> del first
    >>> second = pool.empty((1000, 100), np.float32)  # the view is alive: other memory
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
        """Return an uninitialized array."""
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if size < LEAST:
            return np.empty(shape, dtype)
        try:
            memory, start = self._free[size].pop()
            self._kept -= size
        except (KeyError, IndexError):
            aligned = HUGE if size >= HUGE else _ALIGNED
            memory = np.empty(size + aligned, np.uint8)  # pages that are never written to take no memory
            start = address(memory)
            start += -start % aligned
        return np.asarray(_Lease(self, memory, start, size, shape, dtype))

    def _back(self, memory: np.ndarray, start: int, size: int) -> None:
        free = self._free.setdefault(size, [])
        if self._kept + size <= KEPT or len(free) < SPARE:
            self._kept += size
            free.append((memory, start))


class _Lease:
    """The base of an array of the pool: it returns the memory when the last view is deleted."""

    __slots__ = ("__array_interface__", "_memory", "_pool", "_size", "_start")

    def __init__(
        self, pool: Pool, memory: np.ndarray, start: int, size: int, shape: tuple[int, ...], dtype: np.dtype
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
    """Return whether an array is from a pool, or a view of one that is: then no user's array shares its memory."""
    return type(array.base) is _Lease or type(getattr(array.base, "base", None)) is _Lease


def address(array: np.ndarray) -> int:
    """The address of the first byte of an array."""
    start: int = array.__array_interface__["data"][0]
    return start
