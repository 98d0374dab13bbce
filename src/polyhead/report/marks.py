"""The marks on a picture: boxes, points and masks, in fractions of its width and height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from polyhead.report.palette import RGB

RGBA = tuple[int, int, int, int]

ALPHA = 130
"""The alpha of masks, 0–255."""

STRIPES: tuple[RGBA, RGBA] = ((255, 255, 255, 150), (60, 60, 60, 150))
"""The colors of pixels without a label."""


@dataclass(frozen=True)
class Layer:
    """Marks that are shown and hidden together.

    Attributes:
        key: unique within a page.
        title: its name.
        color: the color of its marks.
    """

    key: str
    title: str
    color: RGB


@dataclass(frozen=True)
class Box:
    """A rectangle with a text; its corners are fractions of the picture's width and height."""

    layer: Layer
    left: float
    top: float
    right: float
    bottom: float
    text: str


@dataclass(frozen=True)
class Point:
    """A point with a text; its coordinates are fractions of the picture's width and height."""

    layer: Layer
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Cover:
    """Colors over the whole picture.

    Attributes:
        layer: its layer.
        places: uint8 ``(H, W)``, indices into the palette.
        palette: colors with alpha.
    """

    layer: Layer
    places: np.ndarray
    palette: tuple[RGBA, ...]


@dataclass(frozen=True)
class Hatch:
    """A hatching in place of a missing mask."""

    layer: Layer
    text: str


Mark = Box | Point | Cover | Hatch


def striped(places: np.ndarray, where: np.ndarray, first: int) -> None:
    """Write diagonal stripes of the indices ``first`` and ``first + 1`` where ``where`` is True."""
    height, width = places.shape
    wide = max(2, min(height, width) // 32)
    stripes = ((np.arange(height)[:, None] + np.arange(width)) // wide) % 2
    places[where] = (first + stripes)[where]


def every_nth(array: np.ndarray, step: int) -> np.ndarray:
    """Every ``step``-th row and column, starting in the middle of the first ``step``."""
    return array if step == 1 else array[step // 2 :: step, step // 2 :: step]


def reduction(height: int, width: int, most: int) -> int:
    """The smallest integer factor that shrinks a picture to sides of at most ``most``."""
    return max(1, -(-max(height, width) // most))
