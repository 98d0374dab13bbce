"""The augmentations that change only the colors of images.

Pixels are ``(H, W, C)``, gray, RGB, RGBA, or another number of bands; uint8 in 0-255, uint16 in 0-65535, or floats in
0-1. The result has the same dtype and range. Alpha does not change. On bands that are not colors only brightness and
contrast have an effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np

from polyhead.augment.augmentation import Photometric, plus_or_minus
from polyhead.augment.warp import GROUP, groups
from polyhead.errors import ContractError, Problem, is_size, shown
from polyhead.images.libraries import opencv

LUMA = np.array([0.299, 0.587, 0.114])
"""The weights of red, green and blue in luma (ITU-R BT.601)."""

# From RGB to luma and two orthogonal chroma axes (YIQ, as in NTSC): rotating the chroma axes changes the hue, and
# leaves luma and gray unchanged.
_YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


@dataclass(frozen=True, repr=False)
class Color(Photometric):
    """Change brightness, contrast, saturation and hue. Consecutive `Color` augmentations take a single pass.

    Attributes:
        brightness: pixels are multiplied by up to ``1 ± brightness``, in [0, 1].
        contrast: distances from the middle of the range are multiplied by up to ``1 ± contrast``, in [0, 1].
        saturation: distances from gray are multiplied by up to ``1 ± saturation``, in [0, 1].
        hue: colors are rotated on the color circle by up to ``± hue`` of a full turn, in [0, 0.5].

    >>> Color(0.2, contrast=0.2)
    Color(0.2, contrast=0.2)
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    draws = 5
    ranges = ("brightness in [0, 1]", "contrast in [0, 1]", "saturation in [0, 1]", "hue in [0, 0.5]")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.brightness or self.contrast or self.saturation or self.hue):
            expected = "brightness, contrast, saturation or hue above 0"
            raise ContractError(Problem("Color()", expected, "none"))

    def parameters(self, drawn: np.ndarray, seeds: np.ndarray) -> Iterable[Any]:
        strengths = np.array([self.brightness, self.contrast, self.saturation, self.hue * 360])
        change = plus_or_minus(drawn[:, 1:]) * strengths
        brightness, contrast, saturation = (1 + change[:, :3]).T
        return color_matrix(brightness, contrast, saturation, change[:, 3])

    def apply(self, pixels: np.ndarray, parameters: Any) -> np.ndarray:
        cv2, matrix = opencv(), parameters
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


@dataclass(frozen=True, repr=False)
class Blur(Photometric):
    """Blur with a Gaussian whose standard deviation is uniform in ``(0, sigma]``.

    Attributes:
        sigma: the largest standard deviation, in pixels of the output, in (0, 100].

    >>> Blur(1.5)
    Blur(1.5)
    """

    sigma: float
    _: KW_ONLY
    p: float = 0.5

    draws = 2
    ranges = ("sigma in (0, 100]",)

    def parameters(self, drawn: np.ndarray, seeds: np.ndarray) -> Iterable[Any]:
        sigmas: list[float] = ((1 - drawn[:, 1]) * self.sigma).tolist()
        return sigmas

    def apply(self, pixels: np.ndarray, parameters: Any) -> np.ndarray:
        if pixels.shape[2] > GROUP:
            return np.concatenate([self.apply(part, parameters) for part in groups(pixels)], 2)
        side, border = 2 * int(np.ceil(3 * parameters)) + 1, opencv().BORDER_REFLECT_101
        blurred = opencv().GaussianBlur(pixels, (side, side), parameters, borderType=border)
        return blurred.reshape(pixels.shape)


@dataclass(frozen=True, repr=False)
class Noise(Photometric):
    """Add Gaussian noise whose standard deviation is uniform in ``(0, fraction]``.

    Attributes:
        fraction: the largest standard deviation, as a fraction of the range of pixels, in (0, 1].

    >>> Noise(0.05, p=0.3)
    Noise(0.05, p=0.3)
    """

    fraction: float
    _: KW_ONLY
    p: float = 0.5

    draws = 2
    ranges = ("fraction in (0, 1]",)

    def parameters(self, drawn: np.ndarray, seeds: np.ndarray) -> Iterable[Any]:
        strengths = (1 - drawn[:, 1]) * self.fraction
        return zip(strengths.tolist(), seeds.tolist(), strict=True)

    def apply(self, pixels: np.ndarray, parameters: Any) -> np.ndarray:
        strength, key = parameters
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


@dataclass(frozen=True, repr=False)
class Cutout(Photometric):
    """Hide rectangles of the image. Masks, boxes and keypoints stay as they are.

    After DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout", 2017.

    Attributes:
        fraction: the largest height and width of a rectangle, as fractions of the image's, in (0, 1].
        holes: the number of rectangles, at least 1.
        fill: the value of hidden pixels, as a fraction of their range: 0 is black.

    >>> Cutout(0.3, holes=2)
    Cutout(0.3, holes=2)
    """

    fraction: float
    holes: int = 1
    fill: float = 0.0
    _: KW_ONLY
    p: float = 0.5

    ranges = ("fraction in (0, 1]", "fill in [0, 1]")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_size(self.holes):
            raise ContractError(Problem("Cutout(holes=)", "a positive integer", shown(self.holes)))
        object.__setattr__(self, "draws", 1 + 4 * int(self.holes))

    def parameters(self, drawn: np.ndarray, seeds: np.ndarray) -> Iterable[Any]:
        center, size = np.split(drawn[:, 1:].reshape(len(drawn), self.holes, 4), 2, 2)
        half = (1 - size) * self.fraction / 2
        return np.concatenate([center - half, center + half], 2)

    def apply(self, pixels: np.ndarray, parameters: Any) -> np.ndarray:
        height, width = pixels.shape[:2]
        holes = np.rint(np.clip(parameters, 0, 1) * (width, height, width, height)).astype(int)
        for x0, y0, x1, y1 in holes.tolist():
            pixels[y0:y1, x0:x1] = self.fill * top_of(pixels.dtype)
        return pixels


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
