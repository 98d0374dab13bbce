"""Converts the samples in a file to the requested channels and depth."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from polyhead.columns.image_values import ROUNDING
from polyhead.errors import counted
from polyhead.images.libraries import opencv


class Samples(NamedTuple):
    """Pixels as stored.

    Attributes:
        pixels: ``(H, W, bands)``.
        meaning: ``"gray"``, ``"rgb"``, or ``"bands"`` if the file does not say.
        alpha: whether the band after gray or RGB is alpha.
    """

    pixels: np.ndarray
    meaning: Literal["gray", "rgb", "bands"]
    alpha: bool = False


class Unfit(Exception):
    """An intact image that cannot be read as requested."""

    def __init__(self, expected: str, found: str, fix: str = "") -> None:
        super().__init__(expected)
        self.expected, self.found, self.fix = expected, found, fix


def choose_channels(samples: Samples, channels: int | None) -> np.ndarray:
    """Convert to the requested channels, ``(H, W, channels)``; None for all.

    Raises:
        Unfit: if the bands are not marked as colors, or if there are too many of them.
    """
    pixels, bands = samples.pixels, samples.pixels.shape[2]
    if channels is None or channels == bands:
        return pixels
    colors = 3 if samples.meaning == "rgb" else 1
    if channels not in (1, 3, 4):
        found = f"a file of {bands} band{'s' * (bands > 1)}"
        raise Unfit(f"an image of {channels} bands", found, f"Say ph.Image(height, width, {bands}).")
    are_colors = samples.meaning != "bands" and bands <= colors + samples.alpha
    if not are_colors and not (samples.meaning == "rgb" and channels <= 3):
        found = f"a file of {bands} bands, which are not marked as colors"
        fix = f"Say ph.Image(height, width, {bands}) to get all of them."
        raise Unfit(f"an image of {counted(channels, 'channel')}", found, fix)
    if channels == 1:
        return _luma(pixels) if colors == 3 else np.ascontiguousarray(pixels[..., :1])
    shown = pixels[..., :3] if colors == 3 else np.repeat(pixels[..., :1], 3, 2)
    if channels == 3:
        return np.ascontiguousarray(shown)
    full = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "ui" else 1
    alpha = pixels[..., colors:] if samples.alpha and bands > colors else np.full_like(pixels[..., :1], full)
    return np.concatenate([shown, alpha], 2)


def _luma(pixels: np.ndarray) -> np.ndarray:
    colors = np.ascontiguousarray(pixels[..., :3])
    if colors.dtype in (np.uint8, np.uint16, np.float32):
        return opencv().cvtColor(colors, opencv().COLOR_RGB2GRAY)[..., None]
    return (colors @ np.array([0.299, 0.587, 0.114])).astype(pixels.dtype)[..., None]


def over_full_range(pixels: np.ndarray, top: int) -> np.ndarray:
    """Rescale numbers from [0, top] to [0, 255], or to [0, 65535] if ``top`` is above 255."""
    if top in (255, 65535):
        return pixels
    full = np.uint32(65535 if top > 255 else 255)
    return ((pixels.astype(np.uint32) * full + np.uint32(top // 2)) // np.uint32(top)).astype(pixels.dtype)


def in_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Convert 16-bit pixels, or floats in 0–1, to 8 bits. Raises an `Unfit` for other dtypes or ranges."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return opencv().convertScaleAbs(pixels, alpha=255 / 65535).reshape(pixels.shape)
    if pixels.dtype.kind == "f":
        least, most = float(pixels.min()), float(pixels.max())
        if least >= -ROUNDING and most <= 1 + ROUNDING:
            return np.rint(pixels * np.float32(255)).astype(np.uint8)
        found = f"floats from {least:g} to {most:g}"
    else:
        found = str(pixels.dtype)
    raise Unfit("8 or 16 bits a channel, or floats in 0–1", found, RANGE)


RANGE = "Say ph.Image(range=(low, high)): the numbers that become 0 and 1."
