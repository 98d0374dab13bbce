"""Memory of batches that is used again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

LEAST = 1 << 16
KEPT = 1 << 28
"""Bytes that are kept for later."""

SPARE = 2
"""Arrays of each size that are kept all the same: a batch that is used, and the next one."""

_ALIGNED = 64


class Pool:
    """Gives arrays, and takes their memory back when the last view of one dies, never before.

    Large arrays that are made anew cost more for their pages than for what is written into them. An array of
    a pool is an ordinary array. Whatever keeps it, or a view of it, or borrows its memory through the buffer
    protocol, keeps the memory.

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
        """An array of any content.

        Args:
            shape: of the array.
            dtype: of numbers.
        """
        return self.placed(shape, np.dtype(dtype))[0]

    def placed(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, int]:
        """An array of any content, and its address."""
        size = math.prod(shape) * dtype.itemsize
        if size < LEAST:
            array = np.empty(shape, dtype)
            return array, address(array)
        try:
            memory, start = self._free[size].pop()
            self._kept -= size
        except (KeyError, IndexError):
            memory = np.empty(size + _ALIGNED, np.uint8)
            start = address(memory)
            start += -start % _ALIGNED
        return np.asarray(_Lease(self, memory, start, size, shape, dtype)), start

    def _back(self, memory: np.ndarray, start: int, size: int) -> None:
        free = self._free.setdefault(size, [])
        if self._kept + size <= KEPT or len(free) < SPARE:
            self._kept += size
            free.append((memory, start))


class _Lease:
    """What an array of the pool has as its base: it dies with the last view."""

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
    """Whether an array is one of a pool's, or a view of one: nobody else writes there, or wrote it for himself."""
    return type(array.base) is _Lease or type(getattr(array.base, "base", None)) is _Lease


def address(array: np.ndarray) -> int:
    """Where an array's memory begins."""
    start: int = array.__array_interface__["data"][0]
    return start
