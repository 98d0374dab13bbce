"""Encodes pixels as JPEG or PNG; `png` does so without an image library, for pages of feeds without images.

Source: PNG specification, W3C 2003.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence

import numpy as np

from polyhead.images.libraries import opencv, simplejpeg


def encode(pixels: np.ndarray, format: str, quality: int = 95) -> bytes:
    """Encode an image.

    Args:
        pixels: uint8, or uint16 for PNG, ``(H, W, C)``, gray, RGB, or (for PNG) RGB and alpha.
        format: ``"jpeg"``, or ``"png"``, which is lossless.
        quality: the quality of JPEG, 1 to 100; from 90 on without chroma subsampling.

    >>> from polyhead.images.decode import decode
    >>> pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    >>> np.array_equal(decode(encode(pixels, "png")).pixels, pixels)
    True
    """
    pixels = np.ascontiguousarray(pixels)
    channels = pixels.shape[2]
    if format == "jpeg" and channels in (1, 3):
        space = "GRAY" if channels == 1 else "RGB"
        sampling = "444" if quality >= 90 else "420"
        return bytes(simplejpeg().encode_jpeg(pixels, quality, space, "Gray" if channels == 1 else sampling))
    cv2 = opencv()
    if channels > 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_RGBA2BGRA)
    success, encoded = cv2.imencode(".png", pixels)
    assert success
    return bytes(encoded)


_COLOR_TYPES = {1: 0, 3: 2, 4: 6}
"""Channels to PNG's color type: gray, RGB, RGB with alpha."""


def png(pixels: np.ndarray, palette: Sequence[tuple[int, int, int, int]] | None = None) -> bytes:
    """Encode an image as a PNG file.

    Args:
        pixels: uint8 ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` or ``(H, W, 4)``.
        palette: up to 256 colors (red, green, blue, alpha), 0–255; ``pixels`` ``(H, W)`` are then indices into it.

    >>> png(np.zeros((2, 3), np.uint8))[1:4]
    b'PNG'
    """
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    color_type = 3 if palette is not None else _COLOR_TYPES[channels]
    rows = pixels.reshape(height, width * channels)
    # filters help with photographs, whose neighboring pixels are similar, but not with palette indices
    bits = 1 if palette is not None and len(palette) <= 2 else 8
    rows = np.packbits(rows, axis=1) if bits == 1 else rows
    lines = np.pad(rows, ((0, 0), (1, 0))) if palette is not None else _filtered(rows, channels)
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0))]
    if palette is not None:
        colors = np.array(palette, np.uint8)
        parts += [_chunk(b"PLTE", colors[:, :3].tobytes()), _chunk(b"tRNS", colors[:, 3].tobytes())]
    parts += [_chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def data_uri(file: bytes, format: str = "png") -> str:
    """An image file as a data URI."""
    return f"data:image/{format};base64," + b64encode(file).decode("ascii")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _filtered(rows: np.ndarray, channels: int) -> np.ndarray:
    """Filter each row by none, Sub or Up, whichever gives the smallest numbers."""
    left, above = np.zeros_like(rows), np.zeros_like(rows)
    left[:, channels:] = rows[:, :-channels]
    above[1:] = rows[:-1]
    kinds = np.stack([rows, rows - left, rows - above])  # uint8 wraps around, as the format requires
    sizes = np.minimum(kinds, -kinds.astype(np.int16) & 255).sum(axis=2, dtype=np.int64)
    best = sizes.argmin(axis=0)
    chosen = kinds[best, np.arange(len(rows))]
    return np.hstack([best.astype(np.uint8)[:, None], chosen])
