"""Converts arrays to 8-bit pictures."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from polyhead.errors import PolyheadError
from polyhead.images.encode import data_uri, encode, png
from polyhead.kinds import Image, Input
from polyhead.report.marks import reduction

LEAST_JPEG, QUALITY = 160, 82
"""The longer side from which pictures are saved as JPEG, and the JPEG quality."""


def is_drawn(kind: Input) -> bool:
    """Return whether an input is drawn as a picture."""
    return isinstance(kind, Image)


def as_picture(image: np.ndarray, longest: int) -> np.ndarray:
    """Convert an input image to uint8 ``(H, W, C)``, averaged down to at most ``longest`` pixels a side.

    Of an image with 2 bands, the first is shown; of one with 5 or more, the first three.
    """
    if image.shape[2] not in (1, 3, 4):
        image = image[..., : 3 if image.shape[2] > 3 else 1]
    if image.dtype != np.uint8:
        image = np.rint(np.clip(image, 0, 1) * np.float32(255)).astype(np.uint8)
    height, width = image.shape[:2]
    step = reduction(height, width, longest)
    if step == 1:
        return image
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    sums = np.add.reduceat(np.add.reduceat(image.astype(np.uint32), rows, axis=0), columns, axis=1)
    areas = np.diff(np.r_[rows, height])[:, None] * np.diff(np.r_[columns, width])
    return np.rint(sums / areas[..., None]).astype(np.uint8)


def picture_uri(pixels: np.ndarray) -> str:
    """Encode a uint8 picture ``(H, W, C)`` as a data URI.

    Large pictures become JPEG; small ones and those with alpha PNG, as do all without the package simplejpeg.
    """
    if max(pixels.shape[:2]) >= LEAST_JPEG and pixels.shape[2] in (1, 3):
        with suppress(PolyheadError):
            return data_uri(encode(pixels, "jpeg", QUALITY), "jpeg")
    return data_uri(png(pixels))


def heat(matrix: np.ndarray, longest: int) -> np.ndarray:
    """Convert numbers to gray, from black for the smallest to white for the largest: uint8 ``(H, W, 1)``."""
    numbers = matrix.astype(np.float64)
    low, high = numbers.min(), numbers.max()
    return as_picture(((numbers - low) / ((high - low) or 1))[..., None], longest)


def image_size(inputs: Mapping[str, Input]) -> tuple[int, int] | None:
    """(height, width) of the first image, which labels are drawn on; None without images."""
    sizes = [(kind.shape[0], kind.shape[1]) for kind in inputs.values() if is_drawn(kind)]
    return sizes[0] if sizes else None
