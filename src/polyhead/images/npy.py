"""The header of an ``.npy`` file that holds an image: its shape and type of numbers.

Source: NumPy's description of the format (NEP 1).
"""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import numpy as np

from polyhead.images.content import Broken, Content

MAGIC = b"\x93NUMPY"
_HEAD = 12_000


class NpyHeader(NamedTuple):
    """What stands before the numbers: their shape, type and order, and where they begin."""

    shape: tuple[int, ...]
    dtype: np.dtype
    columns_first: bool
    start: int


def read_npy_header(content: Content) -> NpyHeader:
    """What stands before the numbers of an image.

    Raises:
        Broken: for a file that is damaged or cut off, or holds no image.
    """
    file = io.BytesIO(content.some(0, _HEAD))
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, columns_first, dtype = read[version](file)
    except Exception:  # it is Python's text for a dict, which may be anything
        raise Broken("an .npy file with a damaged header") from None
    if len(shape) not in (2, 3) or dtype.kind not in "uifb" or min(shape) < 0:
        raise Broken(f"an .npy file of {dtype} of shape {shape}, rather than (H, W) or (H, W, channels)")
    if file.tell() + math.prod(shape) * dtype.itemsize > content.size:
        raise Broken(f"an .npy file that ends within its numbers, at {content.size:,} bytes")
    return NpyHeader(shape, dtype, columns_first, file.tell())


def read_npy(data: bytes) -> np.ndarray:
    """The numbers, ``(H, W, channels)``.

    Raises:
        Broken: as `read_npy_header` does.
    """
    found = read_npy_header(Content(data))
    numbers = np.frombuffer(data, found.dtype, math.prod(found.shape), found.start)
    numbers = numbers.reshape(found.shape, order="F" if found.columns_first else "C")
    numbers = np.ascontiguousarray(numbers.astype(found.dtype.newbyteorder("="), copy=False))
    return numbers if numbers.ndim == 3 else numbers[..., None]
