"""Caches the most recently used chunks of a chunked column (HDF5, zarr)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from polyhead.columns.lazy import OnDisk, Stored, gather
from polyhead.columns.values import Values, size, take

CACHED_BYTES = 1 << 28
MOST, LEAST = 128, 16


class Chunked(Stored):
    """Reads whole chunks and caches the most recent, so that block shuffling reads each chunk once per epoch.

    It caches as many chunks as fit in 256 MiB, at least 16 and at most 128. Threads that need the same chunk at the
    same time read it once.
    """

    def __init__(self, column: OnDisk, rows: int) -> None:
        self._column, self.chunk_rows = column, rows
        self._ends = np.arange(rows, len(column) + rows, rows)
        self._cached: OrderedDict[int, Values] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[int, threading.Lock] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the cached chunks."""
        return Chunked, (self._column, self.chunk_rows)

    def __len__(self) -> int:
        return len(self._column)

    def take(self, ids: np.ndarray) -> Values:
        return gather(self._ends, ids, lambda number, rows: take(self._chunk(number), rows))

    def _chunk(self, number: int) -> Values:
        with self._lock:
            if number in self._cached:
                self._cached.move_to_end(number)
                return self._cached[number]
            lock = self._reading.setdefault(number, threading.Lock())
        with lock:
            with self._lock:
                if number in self._cached:
                    return self._cached[number]
            first = number * self.chunk_rows
            chunk = self._column.take(np.arange(first, min(first + self.chunk_rows, len(self._column))))
            with self._lock:
                self._cached[number] = chunk
                self._reading.pop(number, None)
                most = min(MOST, max(LEAST, CACHED_BYTES // max(1, size(chunk))))
                while len(self._cached) > most:
                    self._cached.popitem(last=False)
        return chunk
