"""Colors that are distinguishable with any color vision: Okabe and Ito's, then lighter and darker ones."""

from __future__ import annotations

from typing import Any

from polyhead.kinds.class_encoding import is_nothing

RGB = tuple[int, int, int]

# M. Okabe and K. Ito, "Color Universal Design" (2008), without black
ORANGE, SKY, GREEN, YELLOW = (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)
BLUE, VERMILION, PURPLE = (0, 114, 178), (213, 94, 0), (204, 121, 167)

_HEADS: tuple[RGB, ...] = (VERMILION, SKY, YELLOW, PURPLE, GREEN, ORANGE, BLUE)
_CLASSES: tuple[RGB, ...] = (ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE)

FAINT = (128, 128, 128)
"""The color of a background class."""


def head_color(place: int) -> RGB:
    """The color of a head, by its index among those that are drawn."""
    return _HEADS[place % len(_HEADS)]


def class_color(place: int) -> RGB:
    """The color of a class by its id; after seven, they repeat lighter and darker.

    >>> class_color(0), class_color(7)
    ((230, 159, 0), (242, 207, 127))
    """
    turn, place = divmod(place, len(_CLASSES))
    red, green, blue = _CLASSES[place]
    if turn == 0:
        return red, green, blue
    towards, share = (255, 0)[(turn - 1) % 2], 1 - 0.5 ** (1 + (turn - 1) // 2)
    mixed = [int(c + (towards - c) * share) for c in (red, green, blue)]
    return mixed[0], mixed[1], mixed[2]


def is_background(place: int, name: Any) -> bool:
    """Whether a class of a mask is the background: the first one, unless its name says otherwise."""
    return place == 0 and (str(name) == "0" or is_nothing(name))


def css(color: RGB) -> str:
    """A color in CSS.

    >>> css((213, 94, 0))
    '#d55e00'
    """
    return "#{:02x}{:02x}{:02x}".format(*color)


def ink(color: RGB) -> RGB:
    """Black or white, whichever has more contrast with a color (WCAG's relative luminance).

    >>> ink((240, 228, 66)), ink((0, 114, 178))
    ((0, 0, 0), (255, 255, 255))
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if (luminance + 0.05) ** 2 > 0.05 * 1.05 else (255, 255, 255)
