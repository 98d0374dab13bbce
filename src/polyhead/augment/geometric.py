"""The augmentations that move pixels, and with them masks, boxes and keypoints."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from polyhead.augment.augmentation import Geometric, Moved, plus_or_minus
from polyhead.errors import ContractError, Problem, shown
from polyhead.images import geometry


@dataclass(frozen=True, repr=False)
class Flip(Geometric):
    """Mirror left to right, top to bottom, or both; pairs of keypoints change places.

    Attributes:
        horizontal: exchange left and right.
        vertical: exchange top and bottom.
        p: the chance of each of the two, drawn apart.

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
        across, down = (drawn < self.p).T
        return geometry.flip(across & self.horizontal, down & self.vertical, frame), frame


@dataclass(frozen=True, repr=False)
class Rotate(Geometric):
    """Turn about the centre, by an angle drawn evenly from ``[-degrees, degrees]``.

    The frame stays as it is: corners leave it, and what enters is filled.

    Attributes:
        degrees: the greatest angle, in (0, 180].

    >>> Rotate(15)
    Rotate(15)
    """

    degrees: float

    draws = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._between("degrees", 0, 180, above=True)

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        angle = self.happens(drawn) * plus_or_minus(drawn[:, 1]) * self.degrees
        return geometry.about(geometry.rotate(angle), frame), frame


@dataclass(frozen=True, repr=False)
class Scale(Geometric):
    """Grow or shrink about the centre, by a factor drawn evenly from ``[1 - fraction, 1 + fraction]``.

    Attributes:
        fraction: the greatest change, in (0, 1).

    >>> Scale(0.2, p=0.5)
    Scale(0.2, p=0.5)
    """

    fraction: float

    draws = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._between("fraction", 0, 1, above=True, below=True)

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        factor = 1 + self.happens(drawn) * plus_or_minus(drawn[:, 1]) * self.fraction
        return geometry.about(geometry.scale(factor, factor), frame), frame


@dataclass(frozen=True, repr=False)
class Translate(Geometric):
    """Move sideways and up or down, each by up to a fraction of the frame.

    Attributes:
        fraction: the greatest distance as a share of the width, and of the height, in (0, 1].

    >>> Translate(0.1)
    Translate(0.1)
    """

    fraction: float

    draws = 3
    stream_name = "Shift"  # its first name: another one would change what a seed draws

    def __post_init__(self) -> None:
        super().__post_init__()
        self._between("fraction", 0, 1, above=True)

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        way = self.happens(drawn)[:, None] * plus_or_minus(drawn[:, 1:]) * self.fraction * frame[:, ::-1]
        return geometry.shift(way[:, 0], way[:, 1]), frame


@dataclass(frozen=True, repr=False)
class Shear(Geometric):
    """Lean sideways and up or down about the centre, each by up to ``degrees``.

    Attributes:
        degrees: the greatest angle, in (0, 45).

    >>> Shear(10)
    Shear(10)
    """

    degrees: float

    draws = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._between("degrees", 0, 45, above=True, below=True)

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        angles = self.happens(drawn)[:, None] * plus_or_minus(drawn[:, 1:]) * self.degrees
        return geometry.about(geometry.shear(angles[:, 0], angles[:, 1]), frame), frame


def _window(
    happens: np.ndarray, drawn: np.ndarray, frame: np.ndarray, window: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Windows ``(B, 2)`` at places drawn, ``(B, 2)``, inside their frames; the frame itself where nothing happens."""
    window = np.where(happens[:, None], window, frame)
    corner = drawn * (frame - window)
    return geometry.shift(-corner[:, 1], -corner[:, 0]), window


@dataclass(frozen=True, repr=False)
class Crop(Geometric):
    """Look at a window of the frame, anywhere in it; it becomes the new frame.

    Attributes:
        fraction: the window's share of the height, and of the width, in (0, 1).

    >>> Crop(0.8)
    Crop(0.8)
    """

    fraction: float

    draws = 3
    uncovers = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._between("fraction", 0, 1, above=True, below=True)

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        return _window(self.happens(drawn), drawn[:, 1:], frame, frame * self.fraction)


@dataclass(frozen=True, repr=False)
class RandomResizedCrop(Geometric):
    """Look at a window of any size and shape, within bounds, anywhere in the frame; it becomes the new frame.

    Its share of the frame's area is drawn evenly from ``[area, 1]``. Its aspect is that of the output, times a factor
    drawn from ``[1 / ratio, ratio]``, evenly in the logarithm; so what is seen is stretched by ``ratio`` at most, but
    where the window had to be cut to fit the frame. After Szegedy et al., "Going deeper with convolutions", 2015.

    Attributes:
        area: the least share of the area, in (0, 1].
        ratio: the greatest stretch, at least 1.

    >>> RandomResizedCrop(0.25)
    RandomResizedCrop(0.25)
    """

    area: float = 0.08
    ratio: float = 4 / 3

    draws = 5
    uncovers = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._between("area", 0, 1, above=True)
        self._between("ratio", 1, float("inf"), below=True)

    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        area = frame.prod(1) * (self.area + drawn[:, 1] * (1 - self.area))
        aspect = target[1] / target[0] * self.ratio ** plus_or_minus(drawn[:, 2])
        window = np.minimum(np.stack([np.sqrt(area / aspect), np.sqrt(area * aspect)], 1), frame)
        return _window(self.happens(drawn), drawn[:, 3:], frame, window)
