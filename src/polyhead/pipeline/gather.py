"""Gathers rows of all columns in memory in one call, cast and scaled in the same pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from polyhead.jit import Loop
from polyhead.kinds.kind import Way
from polyhead.pipeline.buffer_pool import Pool, address

WORTH = 1 << 22
"""Bytes in all columns together from which on the compiled loop is used."""

STREAMED = 1 << 23
"""Bytes of a block from which on it is written past the cache, which could not hold it."""

_WAYS: Mapping[Way, int] = {"copy": 0, "cast": 1, "scale": 2}

LOOP = Loop(
    "polyhead.pipeline.gather_loop:gather_rows", np.zeros((0, 4), np.int64), np.zeros(0, np.int64), False
)


@dataclass(frozen=True)
class MemoryColumn:
    """A column in memory, and what its rows become.

    Attributes:
        column: ``(N, ...)`` of numbers, C-contiguous; it may be read-only, as a memory map is.
        way: ``"copy"``; or uint8 to float32, as they are by ``"cast"`` and divided by 255 by ``"scale"``.
        shape: of a row of the result.
    """

    column: np.ndarray
    way: Way
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the result."""
        return self.column.dtype if self.way == "copy" else np.dtype(np.float32)


def gathers(column: Any) -> TypeGuard[np.ndarray]:
    """Return whether the rows of a column can be gathered here."""
    return (
        isinstance(column, np.ndarray)
        and column.dtype.kind in "iufb"
        and column.flags.c_contiguous
        and column.flags.aligned
        and column.size > 0
    )


class Gather:
    """Gathers rows of several columns in one call.

    Args:
        columns: by names of any kind.
        pool: of memory for the results.

    >>> x = np.array([[0, 51], [102, 255]], np.uint8)
    >>> Gather({"x": MemoryColumn(x, "scale", (2,))}, Pool())(np.array([1]))["x"].tolist()
    [[0.4000000059604645, 1.0]]
    """

    def __init__(self, columns: Mapping[Any, MemoryColumn], pool: Pool) -> None:
        self._columns, self._pool = columns, pool
        self._forms = [(name, whole.shape, whole.dtype) for name, whole in columns.items()]
        self._bytes = sum(whole.column.nbytes for whole in columns.values())
        self._row_bytes = sum(math.prod(shape) * dtype.itemsize for _, shape, dtype in self._forms)
        jobs = [
            (address(whole.column), 0, whole.column.nbytes // len(whole.column), _WAYS[whole.way])
            for whole in columns.values()
        ]
        self._jobs = np.array(jobs, np.int64).reshape(-1, 4)

    def __call__(self, ids: np.ndarray) -> dict[Any, np.ndarray]:
        """The rows at ``ids``.

        Args:
            ids: int64 ``(B,)``, each a row of the columns.

        Returns:
            For each column ``(B, *shape)``.
        """
        count, place = len(ids), self._pool.placed
        placed = {name: place((count, *shape), dtype) for name, shape, dtype in self._forms}
        found = {name: array for name, (array, _) in placed.items()}
        loop = LOOP.ready if self._bytes >= WORTH else None
        if loop is None:
            for name, whole in self._columns.items():
                _gather_by_numpy(whole, ids, found[name])
        else:
            jobs = self._jobs.copy()
            jobs[:, 1] = [start for _, start in placed.values()]
            loop(jobs, ids, count * self._row_bytes >= STREAMED)
        return found


def _gather_by_numpy(whole: MemoryColumn, ids: np.ndarray, out: np.ndarray) -> None:
    """The same by NumPy."""
    rows = out.reshape(len(ids), *whole.column.shape[1:])
    if whole.way == "copy":
        # all ids are valid: `clip` only avoids a check, which would need a copy
        np.take(whole.column, ids, axis=0, out=rows, mode="clip")
    elif whole.way == "cast":
        rows[...] = np.take(whole.column, ids, axis=0)
    else:
        np.divide(np.take(whole.column, ids, axis=0), np.float32(255), out=rows, dtype=np.float32)
