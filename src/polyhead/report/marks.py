"""What is drawn on a picture: boxes, points and masks, in shares of its width and height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from polyhead.report.palette import RGB

RGBA = tuple[int, int, int, int]

ALPHA = 130
"""How much of the picture a mask hides, of 255."""

STRIPES: tuple[RGBA, RGBA] = ((255, 255, 255, 150), (60, 60, 60, 150))
"""The colours of pixels without a label."""


@dataclass(frozen=True)
class Layer:
    """Marks that are shown and hidden together.

    Attributes:
        key: distinct within a page.
        title: what it shows.
        colour: as its marks have it.
    """

    key: str
    title: str
    colour: RGB


@dataclass(frozen=True)
class Box:
    """A rectangle and what it holds; the corners are shares of the picture's width and height."""

    layer: Layer
    left: float
    top: float
    right: float
    bottom: float
    text: str


@dataclass(frozen=True)
class Point:
    """A point; its place is in shares of the picture's width and height."""

    layer: Layer
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Cover:
    """Colours over the whole picture.

    Attributes:
        layer: that it belongs to.
        places: uint8 ``(H, W)``, places in the palette.
        palette: one colour with alpha for each.
    """

    layer: Layer
    places: np.ndarray
    palette: tuple[RGBA, ...]


@dataclass(frozen=True)
class Hatch:
    """In place of a mask that has no label."""

    layer: Layer
    text: str


Mark = Box | Point | Cover | Hatch


def striped(places: np.ndarray, where: np.ndarray, first: int) -> None:
    """Write two colours, ``first`` and the next one, in slanting stripes into the places that are meant."""
    height, width = places.shape
    wide = max(2, min(height, width) // 32)
    stripes = ((np.arange(height)[:, None] + np.arange(width)) // wide) % 2
    places[where] = (first + stripes)[where]


def every_nth(array: np.ndarray, step: int) -> np.ndarray:
    """Every so many rows and columns, from the middle of the first ones."""
    return array if step == 1 else array[step // 2 :: step, step // 2 :: step]


def reduction(height: int, width: int, most: int) -> int:
    """By what whole number a picture has to be divided so that no side is longer than ``most``."""
    return max(1, -(-max(height, width) // most))
