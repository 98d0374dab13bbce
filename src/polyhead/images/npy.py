"""Reads images in ``.npy`` files.

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
    """The header of an array: shape, dtype, memory order, and the position of the first number."""

    shape: tuple[int, ...]
    dtype: np.dtype
    columns_first: bool
    start: int


def read_npy_header(content: Content) -> NpyHeader:
    """Read the header of an image.

    Raises:
        Broken: for a damaged or truncated file, or an array that is not an image.
    """
    file = io.BytesIO(content.peek(0, _HEAD))
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, columns_first, dtype = read[version](file)
    except Exception:  # the header is the text of a Python dict, so anything can be raised
        raise Broken("an .npy file with a damaged header") from None
    if len(shape) not in (2, 3) or dtype.kind not in "uifb" or min(shape) < 0:
        raise Broken(f"an .npy file of {dtype} of shape {shape}, rather than (H, W) or (H, W, channels)")
    if file.tell() + math.prod(shape) * dtype.itemsize > content.size:
        raise Broken(f"an .npy file that ends within its numbers, at {content.size:,} bytes")
    return NpyHeader(shape, dtype, columns_first, file.tell())


def read_npy(data: bytes) -> np.ndarray:
    """Read the pixels, ``(H, W, channels)``.

    Raises:
        Broken: as for `read_npy_header`.
    """
    header = read_npy_header(Content(data))
    numbers = np.frombuffer(data, header.dtype, math.prod(header.shape), header.start)
    numbers = numbers.reshape(header.shape, order="F" if header.columns_first else "C")
    numbers = np.ascontiguousarray(numbers.astype(header.dtype.newbyteorder("="), copy=False))
    return numbers if numbers.ndim == 3 else numbers[..., None]
