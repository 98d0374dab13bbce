"""The marks on a picture: boxes, points and masks, in fractions of its width and height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.report.palette import RGB

RGBA = tuple[int, int, int, int]

ALPHA = 130
"""The alpha of masks, 0–255."""

STRIPES: tuple[RGBA, RGBA] = ((255, 255, 255, 150), (60, 60, 60, 150))
"""The colors of pixels without a label."""


@dataclass(frozen=True)
class Style:
    """The head and class of a mark, and its colors.

    Attributes:
        head: the index of its head; the marks of a head are shown and hidden together.
        title: the name of its head.
        color: its color, by class.
        object_color: its color, by object.
        part: the key of its class, ``"head.class"``; empty without one.
        predicted: whether it was predicted, not labeled.
    """

    head: int
    title: str
    color: RGB
    object_color: RGB
    part: str = ""
    predicted: bool = False


@dataclass(frozen=True)
class DrawnObject:
    """An object of a row: what its box, mask and keypoints share.

    Attributes:
        text: its name; empty without one.
        color: the color of its class; None without one.
        object_color: the color of its index in the row.
        part: the key of its class.
    """

    text: str
    color: RGB | None
    object_color: RGB
    part: str = ""


@dataclass(frozen=True)
class Canvas:
    """The picture or object that labels are drawn on.

    Attributes:
        size: (height, width) of the picture as the model gets it.
        longest: the longest side of a drawn mask, in pixels.
        objects: the objects of a head of boxes, by index.
        of_object: the object that a label belongs to; None for a label of the whole row.
        predicted: whether the labels are predictions.
    """

    size: tuple[int, int]
    longest: int
    objects: Sequence[DrawnObject] = ()
    of_object: DrawnObject | None = None
    predicted: bool = False

    def style(self, view: Any, color: RGB | None = None, part: str = "") -> Style:
        """The style of a mark of a view: ``color`` if given, else the object's color, else the view's."""
        if self.of_object is not None and color is None:
            object_color, part = self.of_object.object_color, self.of_object.part
            color = self.of_object.color or object_color
        else:
            color = object_color = color or view.color
        return Style(view.index, view.name, color, object_color, part, self.predicted)


@dataclass(frozen=True)
class Box:
    """A rectangle with a text; its corners are fractions of the picture's width and height."""

    style: Style
    left: float
    top: float
    right: float
    bottom: float
    text: str


@dataclass(frozen=True)
class Point:
    """A point with a text; its coordinates are fractions of the picture's width and height."""

    style: Style
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Bones:
    """Lines between points, ``(x, y, x, y)`` each, in fractions of the picture's width and height."""

    style: Style
    lines: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Area:
    """A mask of one color over the whole picture: bool ``(H, W)``."""

    style: Style
    mask: np.ndarray


@dataclass(frozen=True)
class Cover:
    """An image of several colors over the whole picture.

    Attributes:
        indices: uint8 ``(H, W)``, into the palette.
        palette: colors with alpha.
        opaque: whether it hides the image, and is therefore shown as a separate picture.
    """

    style: Style
    indices: np.ndarray
    palette: tuple[RGBA, ...]
    opaque: bool = False


@dataclass(frozen=True)
class Absent:
    """A missing label: hatching for labels of pixels, a note for others."""

    style: Style
    text: str
    pixels: bool


Mark = Box | Point | Bones | Area | Cover | Absent


def is_opaque(mark: Mark) -> bool:
    """Return whether a mark hides the image, and is therefore shown as a separate picture."""
    return isinstance(mark, Cover) and mark.opaque


def opaque_covers(marks: Sequence[Mark]) -> dict[str, list[Cover]]:
    """The covers that are shown as separate pictures, by the titles of their layers."""
    covers: dict[str, list[Cover]] = {}
    for mark in marks:
        if isinstance(mark, Cover) and mark.opaque:
            covers.setdefault(mark.style.title, []).append(mark)
    return covers


def stripes(where: np.ndarray, style: Style) -> Cover:
    """Diagonal stripes where ``where`` is True."""
    height, width = where.shape
    stripe = max(2, min(height, width) // 32)
    striped = ((np.arange(height)[:, None] + np.arange(width)) // stripe) % 2
    return Cover(style, np.where(where, 1 + striped, 0).astype(np.uint8), ((0, 0, 0, 0), *STRIPES))


def every_nth(array: np.ndarray, step: int) -> np.ndarray:
    """Every ``step``-th row and column, starting in the middle of the first ``step``."""
    return array if step == 1 else array[step // 2 :: step, step // 2 :: step]


def reduction(height: int, width: int, longest: int) -> int:
    """The smallest integer factor that shrinks a picture to sides of at most ``longest``."""
    return max(1, -(-max(height, width) // longest))
