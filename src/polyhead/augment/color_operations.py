"""The operations of photometric augmentations, pure functions of pixels and parameters.

Pixels are ``(H, W, C)``, gray, RGB, RGBA, or another number of bands; uint8 in 0-255, uint16 in 0-65535, or floats in
0-1. The result has the same dtype and range. Alpha does not change. On bands that are not colors only brightness and
contrast have an effect. The argument may be overwritten.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np

from polyhead.augment.warp import GROUP, groups
from polyhead.images.libraries import opencv

LUMA = np.array([0.299, 0.587, 0.114])
"""The weights of red, green and blue in luma (ITU-R BT.601)."""

# From RGB to luma and two orthogonal chroma axes (YIQ, as in NTSC): rotating the chroma axes changes the hue, and
# leaves luma and gray unchanged.
_YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def color_matrix(brightness: Any, contrast: Any, saturation: Any, hue: Any) -> np.ndarray:
    """Matrices ``(B, 4, 4)`` that act on (r, g, b, 1), for pixels in 0-1.

    They apply hue, then saturation, contrast and brightness. ``B @ A`` applies A first.

    Args:
        brightness: a factor.
        contrast: a factor, about the middle of the range.
        saturation: a factor; 0 makes gray.
        hue: degrees on the circle of colors.
    """
    gain, contrast, saturation, hue = np.broadcast_arrays(
        *(np.asarray(v, np.float64).reshape(-1) for v in (brightness, contrast, saturation, hue))
    )
    angle = np.deg2rad(hue)
    turn = np.zeros((len(gain), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 2, 1] = np.sin(angle)
    turn[:, 1, 2] = -turn[:, 2, 1]
    mixed = np.linalg.inv(_YIQ) @ turn @ _YIQ
    mixed = (1 - saturation)[:, None, None] * LUMA + saturation[:, None, None] * mixed
    matrix = np.zeros((len(gain), 4, 4))
    matrix[:, :3, :3] = (contrast * gain)[:, None, None] * mixed
    matrix[:, :3, 3] = (0.5 * (1 - contrast) * gain)[:, None]
    matrix[:, 3, 3] = 1
    return matrix


def recolor(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a matrix of `color_matrix` in one pass."""
    cv2 = opencv()
    top, channels = top_of(pixels.dtype), pixels.shape[2]
    if channels not in (3, 4):  # gray stays gray: every row of the matrix has the same sum
        gain, offset = float(matrix[0, :3].sum()), float(matrix[0, 3])
        if pixels.dtype == np.uint8:
            table = np.clip(np.rint(np.arange(256) * gain + offset * top), 0, top).astype(np.uint8)
            return cv2.LUT(np.ascontiguousarray(pixels), table).reshape(pixels.shape)
        return _saturated(pixels * gain + offset * top, pixels.dtype)
    mixing = matrix[:3].copy()
    mixing[:, 3] *= top
    if channels == 4:
        mixing = np.insert(np.vstack([mixing, [0, 0, 0, 0]]), 3, [0, 0, 0, 1], 1)
    # Even where channels do not mix, this is 4 times faster than a lookup table for each channel.
    mixed = cv2.transform(pixels, mixing if pixels.dtype == np.float64 else mixing.astype(np.float32))
    return np.clip(mixed, 0, 1, out=mixed) if pixels.dtype.kind == "f" else mixed


def blur(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Blur with a Gaussian of ``sigma`` pixels."""
    cv2 = opencv()
    side = 2 * int(np.ceil(3 * sigma)) + 1
    if pixels.shape[2] > GROUP:
        return np.concatenate([blur(part, sigma) for part in groups(pixels)], 2)
    blurred = cv2.GaussianBlur(pixels, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)
    return blurred.reshape(pixels.shape)


def noise(pixels: np.ndarray, strength: float, key: int) -> np.ndarray:
    """Add Gaussian noise to each color of each pixel.

    Args:
        strength: the standard deviation, as a fraction of the range.
        key: the seed of the noise, 64 bits.
    """
    # Random bits are the same in all versions of NumPy, normal numbers are not. A lookup is also 5 times faster.
    colors = pixels if pixels.shape[2] != 4 else np.ascontiguousarray(pixels[..., :-1])
    raw = np.random.SFC64(np.random.SeedSequence(key)).random_raw(-(-colors.size // 4))
    indices = raw.astype("<u8", copy=False).view("<u2")[: colors.size].reshape(colors.shape)
    quantiles = _normal() * (strength * top_of(pixels.dtype))
    if pixels.dtype == np.uint8:
        table = np.rint(quantiles).astype(np.int16)
        noisy = opencv().add(colors, table[indices], dtype=opencv().CV_8U).reshape(colors.shape)
    else:
        noisy = _saturated(colors + quantiles[indices], pixels.dtype)
    return noisy if colors is pixels else np.concatenate([noisy, pixels[..., -1:]], 2)


def cutout(pixels: np.ndarray, holes: np.ndarray, fill: float) -> np.ndarray:
    """Fill rectangles.

    Args:
        holes: ``(n, 4)`` of (x0, y0, x1, y1), as fractions of the width and the height.
        fill: the value of the filled pixels, as a fraction of the range.
    """
    height, width = pixels.shape[:2]
    for x0, y0, x1, y1 in np.rint(np.clip(holes, 0, 1) * (width, height, width, height)).astype(int).tolist():
        pixels[y0:y1, x0:x1] = fill * top_of(pixels.dtype)
    return pixels


def top_of(dtype: np.dtype) -> int:
    """The maximum of the range of pixels."""
    return int(np.iinfo(dtype).max) if dtype.kind == "u" else 1


def _saturated(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    values = np.rint(values) if dtype.kind == "u" else values
    return np.clip(values, 0, top_of(dtype)).astype(dtype)


@cache
def _normal() -> np.ndarray:
    """The standard normal's quantiles at the middles of 65,536 equal shares."""
    half = [NormalDist().inv_cdf((k + 0.5) / 65536) for k in range(32768, 65536)]
    return np.array([-v for v in reversed(half)] + half)
