"""Converts a user's values to a column; the only module that decides what kind of column they are."""

from __future__ import annotations

import array
import collections
from collections.abc import Iterator
from typing import Any

import numpy as np

from polyhead.columns.frames import from_series
from polyhead.columns.lazy import Items, Masked, OnDisk, Stored, rows_in, shape_of
from polyhead.columns.values import (
    LIMIT_BYTES,
    Coded,
    Values,
    from_list,
    from_tensor,
    is_tensor,
    plain_rows,
    widened,
)
from polyhead.errors import DataError, Problem, place, shown


def as_column(name: str, values: Any) -> Values | Stored:
    """Make a user's column indexable by an array of row numbers.

    NumPy arrays, lists, tensors, pandas and polars series and Arrow arrays become values in memory, without a copy
    where possible. Memory maps, HDF5 and zarr arrays and objects with batch indexing are read batch by batch. A column
    that has been converted already is returned unchanged.

    Raises:
        DataError: if it has no length, or cannot be indexed by row numbers.
    """
    if isinstance(values, (Coded, Stored)):
        return values
    if is_tensor(type(values)):
        values = from_tensor(place(column=name), values)
    if hasattr(values, "tocsr"):
        values = values.tocsr()  # of SciPy's sparse matrices, only this one returns rows fast, if at all
    if shape_of(values) == ():
        raise _no_column(name, values)
    if isinstance(values, np.ma.MaskedArray):
        if values.dtype.names:  # each of its fields has a mask
            raise _no_column(name, values)
        copied = values.ndim == 1 or values.nbytes <= LIMIT_BYTES
        return plain_rows(values, "") if copied or values.mask is np.ma.nomask else Masked(values)
    if isinstance(values, np.memmap):
        return OnDisk(name, values)
    if isinstance(values, np.ndarray) and values.dtype.kind == "T":  # its missing values cannot be compared
        return from_list(values.tolist())
    if isinstance(values, (np.ndarray, array.array, memoryview)):
        return widened(np.asarray(values))
    if isinstance(values, (list, tuple, range, collections.deque, collections.UserList)):
        return from_list(list(values), place(column=name))
    series = from_series(values)
    if series is not None:
        return series
    named = isinstance(values, (str, bytes, bytearray)) or hasattr(values, "keys")
    has_shape = shape_of(values) is not None
    if named or not hasattr(values, "__getitem__") or not (has_shape or hasattr(values, "__len__")):
        raise _no_column(name, values)
    # h5py and zarr have a shape; for anything else, try whether it accepts a batch of row numbers
    batches = has_shape or _takes_batches(values)
    return OnDisk(name, values) if batches or not rows_in(name, values) else Items(name, values)


def _takes_batches(values: Any) -> bool:
    try:
        return len(np.asarray(values[np.zeros(1, np.int64)])) == 1
    except Exception:  # a user's object may raise anything
        return False


def _no_column(name: str, values: Any) -> DataError:
    fix, found = "", shown(values)
    if isinstance(values, np.ma.MaskedArray) and values.ndim:
        found = "masked records"
        fix = "Give its fields as columns: {name: data[name] for name in data.dtype.names}."
    elif isinstance(values, np.ndarray):
        found = f"a single number, {shown(values.item())}"
    elif isinstance(values, Iterator):
        found = f"a {type(values).__name__}, which has no length"
        fix = "Convert it to an array or a list, or write a Source with __len__ and read."
    elif type(values).__name__ == "SparseTensor":
        found, fix = "a SparseTensor", "Give tf.sparse.to_dense(tensor)."
    elif isinstance(values, (set, frozenset)):
        fix = "A set has no order; give a list."
    elif hasattr(values, "keys"):
        found = f"a mapping of {', '.join(map(str, values.keys())) or 'nothing'}"
        fix = "Give each of its entries as a separate column."
    expected = "one entry per row: an array, a list, or anything with a length and batch indexing"
    return DataError(Problem(place(column=name), expected, found, fix))
