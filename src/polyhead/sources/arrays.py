"""Rows that stand in arrays: NumPy, memory maps, h5py, zarr, lists, frames' columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import DataError, Problem, place, shown
from polyhead.sources._values import Coded, Values, take
from polyhead.sources.base import Source


class Arrays(Source):
    """A mapping of names to columns of one length.

    A column is anything with a length and batch indexing: ``np.ndarray``, ``np.memmap``, an h5py dataset, a
    zarr array, a list, a pandas or polars series, an Arrow array. What is on a disk is read in sorted order,
    each row once, and handed back in the order asked.

    Args:
        columns: ``{name: column}``.

    Raises:
        DataError: no column, columns of unequal length, or a column that has no length or cannot be indexed.

    >>> rows = Arrays({"x": np.arange(6), "y": ["a", "b", "c", "d", "e", None]})
    >>> rows
    Arrays(6 rows: x, y)
    >>> rows.read(np.array([5, 0]))["y"]
    [None, 'a']
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        if not columns:
            raise DataError(Problem("data", "at least one column", "an empty mapping"))
        self._columns = {name: _adapt(name, values) for name, values in columns.items()}
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(
                Problem(
                    "data",
                    "columns of one length",
                    ", ".join(f"`{name}` {n:,}" for name, n in lengths.items()),
                    "Every column needs one entry a row; None or NaN stands for a missing label.",
                )
            )
        self._length = next(iter(lengths.values()))

    def __len__(self) -> int:
        return self._length

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def column(self, name: str) -> Values | None:
        values = self._columns[name]
        return None if isinstance(values, _OnDisk) else values

    def only(self, columns: Sequence[str]) -> Arrays:
        self._require(columns)
        return Arrays({name: self._columns[name] for name in columns})

    def read(self, ids: np.ndarray) -> dict[str, Values]:
        return {
            name: values.take(ids) if isinstance(values, _OnDisk) else take(values, ids)
            for name, values in self._columns.items()
        }


class _OnDisk:
    """A column that is read from a disk: sorted, each row once, given back in the order asked."""

    def __init__(self, name: str, values: Any) -> None:
        self.name, self.values = name, values

    def __len__(self) -> int:
        return len(self.values)

    def take(self, ids: np.ndarray) -> Values:
        rows, back = np.unique(ids, return_inverse=True)
        run = len(rows) and int(rows[-1]) - int(rows[0]) + 1 == len(rows)
        try:
            found = self.values[int(rows[0]) : int(rows[-1]) + 1] if run else self._index(rows)
        except (OSError, RuntimeError) as error:
            where = place(column=self.name, row=int(rows[0]))
            raise DataError(Problem(where, "readable rows", f"{type(error).__name__}: {error}")) from error
        found = np.asarray(found)
        return found if len(rows) == len(ids) and np.array_equal(rows, ids) else np.take(found, back, axis=0)

    def _index(self, rows: np.ndarray) -> Any:
        selection = getattr(self.values, "oindex", None)  # zarr's orthogonal indexing takes row numbers
        return self.values[rows] if selection is None else selection[rows]


def _adapt(name: str, values: Any) -> Values | _OnDisk:
    """A user's column as something that can be indexed by an array of row numbers."""
    if isinstance(values, (Coded, _OnDisk)):
        return values
    if isinstance(values, np.memmap):
        if values.ndim:
            return _OnDisk(name, values)
    elif isinstance(values, np.ndarray):
        if values.ndim:
            return values
    elif isinstance(values, (list, tuple)):
        return _from_list(list(values))
    else:
        from polyhead.sources.tables import from_series

        series = from_series(values)
        if series is not None:
            return series
        if hasattr(values, "__len__") and hasattr(values, "__getitem__") and not isinstance(values, (str, dict)):
            # h5py and zarr have a shape; anything else must prove that it takes a batch of row numbers
            if hasattr(values, "shape") or _takes_batches(values):
                return _OnDisk(name, values)
            return _from_list([values[i] for i in range(len(values))])
    raise DataError(
        Problem(
            place(column=name),
            "one entry a row: an array, a list, or anything with a length and batch indexing",
            shown(values),
        )
    )


def _takes_batches(values: Any) -> bool:
    if not len(values):
        return True
    try:
        return len(np.asarray(values[np.zeros(1, np.int64)])) == 1
    except Exception:  # whatever the user's object says to an array of row numbers, it means no
        return False


def _from_list(values: list[Any]) -> Values:
    """A list as an array where it is one of numbers, with NaN for None; else the list as it is."""
    if not values or not all(v is None or isinstance(v, (int, float, bool, np.number, np.bool_)) for v in values):
        same = {np.shape(v) for v in values} if values and all(isinstance(v, np.ndarray) for v in values) else ()
        return np.stack(values) if len(same) == 1 else values
    if any(v is None for v in values):
        return np.array([np.nan if v is None else v for v in values], np.float64)
    return np.array(values)
