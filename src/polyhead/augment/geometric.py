"""The augmentations that move pixels, and masks, boxes and keypoints with them."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from polyhead.augment.augmentation import Geometric, Moved, plus_or_minus
from polyhead.errors import ContractError, Problem, shown
from polyhead.images import geometry


@dataclass(frozen=True, repr=False)
class Flip(Geometric):
    """Mirror left to right, top to bottom, or both; pairs of keypoints are swapped.

    Attributes:
        horizontal: mirror left to right.
        vertical: mirror top to bottom.
        p: the probability of each direction, independently.

    >>> Flip()
    Flip()
    """

    horizontal: bool = True
    vertical: bool = False
    _: KW_ONLY
    p: float = 0.5

    draws = 2
    uncovers = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("horizontal", "vertical"):
            if not isinstance(getattr(self, name), bool):
                found = shown(getattr(self, name))
                raise ContractError(Problem(f"Flip({name}=)", "True or False", found))
        if not self.horizontal and not self.vertical:
            raise ContractError(Problem("Flip()", "horizontal or vertical", "neither"))

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        return geometry.flip(*self._ways(drawn), frame), frame

    def _ways(self, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        across, down = (drawn < self.p).T
        return across & self.horizontal, down & self.vertical

    def descriptions(self, drawn: np.ndarray) -> list[str]:
        words = ("Flip left-right", "Flip top-bottom")
        return [word for word, on in zip(words, self._ways(drawn[None]), strict=True) if on[0]]


@dataclass(frozen=True, repr=False)
class Rotate(Geometric):
    """Rotate about the center by an angle that is uniform in ``[-degrees, degrees]``.

    The frame does not change: corners leave it, and uncovered pixels are filled.

    Attributes:
        degrees: the largest angle, in (0, 180].

    >>> Rotate(15)
    Rotate(15)
    """

    degrees: float

    draws = 2
    ranges = ("degrees in (0, 180]",)

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        return geometry.about(geometry.rotate(self._angle(drawn)), frame), frame

    def _angle(self, drawn: np.ndarray) -> np.ndarray:
        angle: np.ndarray = self.happens(drawn) * plus_or_minus(drawn[:, 1]) * self.degrees
        return angle

    def descriptions(self, drawn: np.ndarray) -> list[str]:
        return [f"Rotate {self._angle(drawn[None])[0]:+.0f}°"] if self.happens(drawn[None])[0] else []


@dataclass(frozen=True, repr=False)
class Scale(Geometric):
    """Scale about the center by a factor that is uniform in ``[1 - fraction, 1 + fraction]``.

    Attributes:
        fraction: the largest change, in (0, 1).

    >>> Scale(0.2, p=0.5)
    Scale(0.2, p=0.5)
    """

    fraction: float

    draws = 2
    ranges = ("fraction in (0, 1)",)

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        factor = self._factor(drawn)
        return geometry.about(geometry.scale(factor, factor), frame), frame

    def _factor(self, drawn: np.ndarray) -> np.ndarray:
        factor: np.ndarray = 1 + self.happens(drawn) * plus_or_minus(drawn[:, 1]) * self.fraction
        return factor

    def descriptions(self, drawn: np.ndarray) -> list[str]:
        return [f"Scale ×{self._factor(drawn[None])[0]:.2f}"] if self.happens(drawn[None])[0] else []


@dataclass(frozen=True, repr=False)
class Translate(Geometric):
    """Move horizontally and vertically, each by up to a fraction of the frame.

    Attributes:
        fraction: the largest distance, as a fraction of the width or height, in (0, 1].

    >>> Translate(0.1)
    Translate(0.1)
    """

    fraction: float

    draws = 3
    ranges = ("fraction in (0, 1]",)
    stream_name = "Shift"  # a former name, kept so that seeds draw the same numbers

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        offset = self.happens(drawn)[:, None] * plus_or_minus(drawn[:, 1:]) * self.fraction * frame[:, ::-1]
        return geometry.shift(offset[:, 0], offset[:, 1]), frame

    def descriptions(self, drawn: np.ndarray) -> list[str]:
        across, down = plus_or_minus(drawn[1:]) * self.fraction
        return [f"Translate {across:+.0%}, {down:+.0%}"] if self.happens(drawn[None])[0] else []


@dataclass(frozen=True, repr=False)
class Shear(Geometric):
    """Shear horizontally and vertically about the center, each by up to ``degrees``.

    Attributes:
        degrees: the largest angle, in (0, 45).

    >>> Shear(10)
    Shear(10)
    """

    degrees: float

    draws = 3
    ranges = ("degrees in (0, 45)",)

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        angles = self.happens(drawn)[:, None] * plus_or_minus(drawn[:, 1:]) * self.degrees
        return geometry.about(geometry.shear(angles[:, 0], angles[:, 1]), frame), frame


def _window(
    happens: np.ndarray, drawn: np.ndarray, frame: np.ndarray, window: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Random windows ``(B, 2)`` inside their frames; the frame itself where ``happens`` is False."""
    window = np.where(happens[:, None], window, frame)
    corner = drawn * (frame - window)
    return geometry.shift(-corner[:, 1], -corner[:, 0]), window


@dataclass(frozen=True, repr=False)
class Crop(Geometric):
    """Crop a window at a random position in the frame.

    Attributes:
        fraction: the height and width of the window as a fraction of the frame's, in (0, 1).

    >>> Crop(0.8)
    Crop(0.8)
    """

    fraction: float

    draws = 3
    ranges = ("fraction in (0, 1)",)
    uncovers = False

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        return _window(self.happens(drawn), drawn[:, 1:], frame, frame * self.fraction)


@dataclass(frozen=True, repr=False)
class RandomResizedCrop(Geometric):
    """Crop a window of random size, aspect and position.

    The window's share of the frame's area is uniform in ``[area, 1]``. Its aspect is that of the output times a factor
    that is log-uniform in ``[1 / ratio, ratio]``, so the image is stretched by at most ``ratio``, except where the
    window had to be cut to fit the frame. After Szegedy et al., "Going deeper with convolutions", 2015.

    Attributes:
        area: the smallest share of the area, in (0, 1].
        ratio: the largest stretch, at least 1.

    >>> RandomResizedCrop(0.25)
    RandomResizedCrop(0.25)
    """

    area: float = 0.08
    ratio: float = 4 / 3

    draws = 5
    ranges = ("area in (0, 1]", "ratio in [1, inf)")
    uncovers = False

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        area = frame.prod(1) * (self.area + drawn[:, 1] * (1 - self.area))
        aspect = target[1] / target[0] * self.ratio ** plus_or_minus(drawn[:, 2])
        window = np.minimum(np.stack([np.sqrt(area / aspect), np.sqrt(area * aspect)], 1), frame)
        return _window(self.happens(drawn), drawn[:, 3:], frame, window)
