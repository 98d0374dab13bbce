"""Rows of columns in memory, gathered all at once: cast and scaled in the same pass where the model wants them so."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.compiled import Loop
from polyhead.kinds.base import Way

WORTH = 1 << 22
"""Bytes in all columns together from which on the compiled loop is used."""

STREAMED = 1 << 23
"""Bytes of a block from which on it is written past the cache, which could not hold it."""

_WAYS: Mapping[Way, int] = {"copy": 0, "cast": 1, "scale": 2}

LOOP = Loop(
    "polyhead.engine._loops:gather", np.zeros((0, 4), np.int64), np.zeros(0, np.int64), False
)


@dataclass(frozen=True)
class Whole:
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


def gathers(column: Any) -> bool:
    """Whether a column's rows can be gathered here."""
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

    >>> x = np.array([[0, 51], [102, 255]], np.uint8)
    >>> Gather({"x": Whole(x, "scale", (2,))})(np.array([1]), np.empty)["x"].tolist()
    [[0.4000000059604645, 1.0]]
    """

    def __init__(self, columns: Mapping[Any, Whole]) -> None:
        self._columns = list(columns.items())
        self._bytes = sum(whole.column.nbytes for _, whole in self._columns)
        self._row_bytes = sum(int(np.prod(w.shape)) * w.dtype.itemsize for _, w in self._columns)
        self._jobs = np.array(
            [
                (_address(w.column), 0, w.column.nbytes // len(w.column), _WAYS[w.way])
                for _, w in self._columns
            ],
            np.int64,
        ).reshape(-1, 4)

    def __call__(self, ids: np.ndarray, empty: Callable[..., np.ndarray]) -> dict[Hashable, np.ndarray]:
        """The rows at ``ids``.

        Args:
            ids: int64 ``(B,)``, each a row of the columns.
            empty: makes the arrays of the results, of a shape and a dtype.

        Returns:
            For each column ``(B, *shape)``.
        """
        count = len(ids)
        loop = LOOP.ready if self._bytes >= WORTH else None
        found: dict[Hashable, np.ndarray] = {}
        for name, whole in self._columns:
            found[name] = empty((count, *whole.shape), whole.dtype)
            if loop is None:
                _plain(whole, ids, found[name])
        if loop is not None and self._columns:
            jobs = self._jobs.copy()
            jobs[:, 1] = [_address(array) for array in found.values()]
            loop(jobs, ids, count * self._row_bytes >= STREAMED)
        return found


def _plain(whole: Whole, ids: np.ndarray, out: np.ndarray) -> None:
    """The same by NumPy."""
    rows = out.reshape(len(ids), *whole.column.shape[1:])
    if whole.way == "copy":
        # ids are rows: `clip` only says that nobody need look, which would take a copy
        np.take(whole.column, ids, axis=0, out=rows, mode="clip")
    elif whole.way == "cast":
        rows[...] = np.take(whole.column, ids, axis=0)
    else:
        np.divide(np.take(whole.column, ids, axis=0), np.float32(255), out=rows, dtype=np.float32)


def _address(array: np.ndarray) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
