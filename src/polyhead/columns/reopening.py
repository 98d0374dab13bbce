"""How a column on a disk is pickled: as the place where it is opened again."""

from __future__ import annotations

import os
from typing import Any

import numpy as np


def reopening(values: Any) -> tuple[str, Any]:
    """How to open a memory map or an HDF5 dataset again, and with what; another object is pickled itself."""
    if isinstance(values, np.memmap) and values.filename is not None and values.flags.c_contiguous:
        return "memmap", (os.path.abspath(values.filename), values.dtype, _offset(values), values.shape)
    if type(values).__module__.startswith("h5py") and hasattr(values, "file"):
        return "h5py", (os.path.abspath(values.file.filename), values.name)
    return "object", values


def opened_again(how: str, arguments: Any) -> Any:
    """Open a column again, as `reopening` described it."""
    if how == "memmap":
        path, dtype, offset, shape = arguments
        return np.memmap(path, dtype, "r", offset, shape)
    if how == "h5py":
        import h5py

        path, name = arguments
        return h5py.File(path, "r")[name]
    return arguments


def _offset(values: np.memmap) -> int:
    """Compute where a memory map begins in its file. A slice of one still reports the offset of the whole."""
    base: Any = values
    while isinstance(base.base, np.memmap):
        base = base.base
    return int(base.offset) + values.ctypes.data - base.ctypes.data
