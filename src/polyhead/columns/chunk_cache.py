"""Caches the most recently used chunks of a chunked column (HDF5, zarr)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from polyhead.columns.lazy import OnDisk, Stored
from polyhead.columns.values import Values, scatter, size, take

KEPT_BYTES = 1 << 28
MOST, LEAST = 128, 16


class Chunked(Stored):
    """Reads whole chunks and caches the most recent, so that block shuffling reads each chunk once per epoch.

    It caches as many chunks as fit in 256 MiB, at least 16 and at most 128. Threads that need the same chunk at the
    same time read it once.
    """

    def __init__(self, column: OnDisk, rows: int) -> None:
        self._column, self._rows = column, rows
        self.chunk_rows = rows
        self._kept: OrderedDict[int, Values] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[int, threading.Lock] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the cached chunks."""
        return Chunked, (self._column, self._rows)

    def __len__(self) -> int:
        return len(self._column)

    def take(self, ids: np.ndarray) -> Values:
        numbers, at = np.unique(ids // self._rows, return_inverse=True)
        parts = []
        for k, number in enumerate(numbers.tolist()):
            here = np.flatnonzero(at == k)
            parts.append((here, take(self._chunk(number), ids[here] - number * self._rows)))
        return scatter(parts, len(ids))

    def _chunk(self, number: int) -> Values:
        with self._lock:
            if number in self._kept:
                self._kept.move_to_end(number)
                return self._kept[number]
            lock = self._reading.setdefault(number, threading.Lock())
        with lock:
            with self._lock:
                if number in self._kept:
                    return self._kept[number]
            first = number * self._rows
            chunk = self._column.take(np.arange(first, min(first + self._rows, len(self._column))))
            with self._lock:
                self._kept[number] = chunk
                self._reading.pop(number, None)
                most = min(MOST, max(LEAST, KEPT_BYTES // max(1, size(chunk))))
                while len(self._kept) > most:
                    self._kept.popitem(last=False)
        return chunk
