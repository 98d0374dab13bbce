"""The augmentations that change only the colors of images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from polyhead.augment import color_operations
from polyhead.augment.augmentation import Photometric, plus_or_minus
from polyhead.errors import ContractError, Problem, is_size, shown


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
        return color_operations.color_matrix(brightness, contrast, saturation, change[:, 3])

    def apply(self, pixels: np.ndarray, parameters: Any) -> np.ndarray:
        return color_operations.recolor(pixels, parameters)


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
        return color_operations.blur(pixels, parameters)


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
        return color_operations.noise(pixels, *parameters)


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
        return color_operations.cutout(pixels, parameters, self.fill)
