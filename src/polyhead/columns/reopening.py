"""Pickles columns on disk as their location, so that unpickling opens them again."""

from __future__ import annotations

import os
from typing import Any

import numpy as np


def reopening(values: Any) -> tuple[str, Any]:
    """Return the kind of a memory map or HDF5 dataset and the arguments to reopen it; other objects as they are."""
    if isinstance(values, np.memmap) and values.filename is not None and values.flags.c_contiguous:
        return "memmap", (os.path.abspath(values.filename), values.dtype, _offset(values), values.shape)
    if type(values).__module__.startswith("h5py") and hasattr(values, "file"):
        return "h5py", (os.path.abspath(values.file.filename), values.name)
    return "object", values


def opened_again(how: str, arguments: Any) -> Any:
    """Reopen a column from the result of `reopening`."""
    if how == "memmap":
        path, dtype, offset, shape = arguments
        return np.memmap(path, dtype, "r", offset, shape)
    if how == "h5py":
        import h5py

        path, name = arguments
        return h5py.File(path, "r")[name]
    return arguments


def _offset(values: np.memmap) -> int:
    """Compute where a memory map begins in its file; a slice of a memory map reports the offset of the whole map."""
    base: Any = values
    while isinstance(base.base, np.memmap):
        base = base.base
    return int(base.offset) + values.ctypes.data - base.ctypes.data
