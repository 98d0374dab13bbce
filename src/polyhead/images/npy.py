"""Reads images in ``.npy`` files.

Source: NumPy's description of the format (NEP 1).
"""

from __future__ import annotations

import io
import math

import numpy as np

from polyhead.images.content import Broken, Content, Header

MAGIC = b"\x93NUMPY"
_HEAD = 12_000


def read_npy_header(content: Content) -> Header:
    """Read the header of an image.

    Raises:
        Broken: for a damaged or truncated file, or an array that is not an image.
    """
    shape, _, dtype, _ = _npy_layout(content)
    return Header("NPY", shape[0], shape[1], bits=8 * dtype.itemsize, bands=(*shape, 1)[2])


def read_npy(data: bytes) -> np.ndarray:
    """Return the pixels, ``(H, W, channels)``; a view of ``data`` if they are in the order and bytes of this machine.

    Raises:
        Broken: as for `read_npy_header`.
    """
    shape, columns_first, dtype, start = _npy_layout(Content(data))
    stored: np.ndarray = np.ndarray(shape, dtype, data, start, order="F" if columns_first else "C")
    pixels = np.ascontiguousarray(stored, dtype.newbyteorder("="))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _npy_layout(content: Content) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Return the shape of an array, whether columns are stored first, its dtype, and where its numbers begin."""
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
    return shape, columns_first, dtype, file.tell()
