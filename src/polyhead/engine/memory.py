"""Memory of batches that is used again."""

from __future__ import annotations

from typing import Any

import numpy as np

LEAST = 1 << 16
KEPT = 1 << 28
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
        self._free: dict[int, list[np.ndarray]] = {}
        self._kept = 0

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array of any content.

        Args:
            shape: of the array.
            dtype: of numbers.
        """
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        if size < LEAST:
            return np.empty(shape, kind)
        try:
            memory = self._free[size].pop()
            self._kept -= size
        except (KeyError, IndexError):
            memory = np.empty(size + _ALIGNED, np.uint8)
        return np.asarray(_Lease(self, memory, size, shape, kind))

    def _back(self, memory: np.ndarray, size: int) -> None:
        if self._kept + size <= KEPT:
            self._kept += size
            self._free.setdefault(size, []).append(memory)


class _Lease:
    """What an array of the pool has as its base: it dies with the last view."""

    __slots__ = ("__array_interface__", "_memory", "_pool", "_size")

    def __init__(
        self, pool: Pool, memory: np.ndarray, size: int, shape: tuple[int, ...], dtype: np.dtype
    ) -> None:
        self._pool, self._memory, self._size = pool, memory, size
        start = memory.ctypes.data
        self.__array_interface__ = {
            "data": (start + -start % _ALIGNED, False),
            "shape": shape,
            "typestr": dtype.str,
            "version": 3,
        }

    def __del__(self) -> None:
        self._pool._back(self._memory, self._size)
