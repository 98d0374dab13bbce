"""The pixels of PBM, PGM, PPM, PAM and PFM, with all their bits."""

from __future__ import annotations

import re

import numpy as np

from polyhead.images.channels import Samples, over_full_range
from polyhead.images.content import Broken, Content
from polyhead.images.netpbm import NetpbmHeader, read_netpbm_header


def read_pnm(data: bytes, ids: bool = False) -> Samples:
    """Read the pixels of a Netpbm file.

    Args:
        ids: keep the stored numbers, instead of scaling them to 0–255 or 0–65535; in bitmaps, 1 is white.

    Raises:
        Broken: for a truncated file, or numbers above the stated maximum.
    """
    head = read_netpbm_header(Content(data))
    count = head.height * head.width * head.bands
    if head.magic in (b"P1", b"P4"):
        numbers = 1 - _bitmap(data, head)
    elif head.magic in (b"P2", b"P3"):
        numbers = _written_numbers(data, head, count)
    else:
        numbers = _raw(data, head, count)
    pixels = numbers.reshape(head.height, head.width, head.bands)
    if head.magic in (b"Pf", b"PF"):
        pixels = pixels[::-1]  # rows are stored bottom-up
    elif pixels.size and int(pixels.max()) > head.top:
        raise Broken(f"a file with the number {int(pixels.max())}, above its largest of {head.top}")
    elif not ids:
        pixels = over_full_range(pixels, head.top)
    pixels = np.ascontiguousarray(pixels)
    if head.bands > 4:
        return Samples(pixels, "bands")
    return Samples(pixels, "gray" if head.bands < 3 else "rgb", head.bands in (2, 4))


def _raw(data: bytes, head: NetpbmHeader, count: int) -> np.ndarray:
    form = f"{'<' if head.little else '>'}f4" if head.bits == 32 else ">u2" if head.top > 255 else "u1"
    dtype = np.dtype(form)
    if head.start + count * dtype.itemsize > len(data):
        raise Broken(f"a file that ends within its pixels, at {len(data):,} bytes")
    numbers = np.frombuffer(data, dtype, count, head.start)
    return numbers.astype(dtype.newbyteorder("="), copy=False)


def _bitmap(data: bytes, head: NetpbmHeader) -> np.ndarray:
    if head.magic == b"P1":
        digits = _without_comments(data[head.start :]).translate(None, b" \t\n\v\f\r")
        count = head.height * head.width
        if len(digits) < count or digits[:count].translate(None, b"01"):
            raise Broken("a file with characters other than the digits of its pixels")
        return np.frombuffer(digits, np.uint8, count) - np.uint8(48)
    row = -(-head.width // 8)
    if head.start + row * head.height > len(data):
        raise Broken(f"a file that ends within its pixels, at {len(data):,} bytes")
    rows = np.frombuffer(data, np.uint8, row * head.height, head.start).reshape(head.height, row)
    return np.unpackbits(rows, axis=1)[:, : head.width]


def _written_numbers(data: bytes, head: NetpbmHeader, count: int) -> np.ndarray:
    """Parse numbers that are stored as text."""
    text = _without_comments(data[head.start :])
    if text.translate(None, b"0123456789 \t\n\v\f\r"):
        raise Broken("a file with characters that are not numbers")
    numbers = np.fromstring(text.decode("ascii"), sep=" ")[:count] if text.strip() else np.empty(0)
    if len(numbers) < count:
        raise Broken(f"a file that ends within its pixels, at {len(data):,} bytes")
    if numbers.size and numbers.max() > head.top:
        raise Broken(f"a file with the number {numbers.max():g}, above its largest of {head.top}")
    return numbers.astype(np.uint16 if head.top > 255 else np.uint8)


def _without_comments(text: bytes) -> bytes:
    return re.sub(rb"#[^\n\r]*", b" ", text) if b"#" in text else text
