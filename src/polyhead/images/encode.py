"""Encodes pixels as JPEG or PNG."""

from __future__ import annotations

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
    good, found = cv2.imencode(".png", pixels)
    assert good
    return bytes(found)
