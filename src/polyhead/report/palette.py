"""The colors of heads, classes and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyhead.kinds.class_encoding import is_nothing

RGB = tuple[int, int, int]

# M. Okabe and K. Ito, "Color Universal Design" (2008), without black: distinguishable with any color vision
ORANGE, SKY, GREEN, YELLOW = (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)
BLUE, VERMILION, PURPLE = (0, 114, 178), (213, 94, 0), (204, 121, 167)

_HEADS: tuple[RGB, ...] = (VERMILION, SKY, YELLOW, PURPLE, GREEN, ORANGE, BLUE)

# The seven of Okabe and Ito, extended by the package glasbey 0.4.0 (after Glasbey et al., "Colour displays for
# categorical images", 2007): extend_palette(seven, 128, lightness_bounds=(40, 88), chroma_bounds=(15, 110),
# grid_size=48). No two of the first 80 are closer than 10 in CAM02-UCS, none is near to black, white or gray.
_CODES = (
    "e69f00 56b4e9 009e73 f0e442 0072b2 d55e00 cc79a7 82ffd9 efdeff 9d41ff 00d900 7d7d16 aeb898 b89dfa "
    "7d778d ef00ff a37d62 ffdec3 aee4fa ffa3fa 1b9d00 6d82ff 31c9be 9db331 9dff82 518d98 d4009d 67ce88 "
    "a3aebe dea37d a857b3 6d8267 d4aec3 ceefbe ff4cc3 b37d16 a8c3ff ffc96d 00f4fa d47de9 9277c3 ff8836 "
    "7da89d 72a362 a8de00 7d92be a3d4c3 a892b3 b8a357 c3ce77 1692e4 986788 00fa9d 57ff00 be00f4 d9b8f4 "
    "00be4c 00aebe 82c3d4 8da3ff d4be00 ce824c 989877 ffc9e4 3c8d47 ae6231 00d9ff a39200 b86dff 10e4b8 "
    "c3cede b85192 fa82c9 6777b8 72981b 82929d d45cc3 ff67f4 d9c392 efe992 21be92 7dce51 c900c9 ceefe4 "
    "1677ff 7d67e4 98e9a3 887741 4c8877 ce98ce 9882fa 627d98 67b300 98be77 36a398 0088ae 8d924c ffbe0b "
    "a877ae 41ef62 a3a8d9 faa857 ffbe92 a38292 b89882 de8200 9dfafa 82ceff faa8d4 c9fa4c 8dbe9d 479dc3 "
    "ceceff ef00ce c9ef88 c957e9 de9dff c3b8d4 c3d4b8 d9b857 7dded9 2ba85c 57a3ff 679877 b388d4 ffc3ff "
    "8db3d9 77a8b3"
)


def _colors(codes: str) -> tuple[RGB, ...]:
    return tuple((int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)) for code in codes.split())


_CLASSES = _colors(_CODES)
_VIRIDIS = "440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725"

FAINT = (128, 128, 128)
"""The color of a background class."""


def head_color(index: int) -> RGB:
    """The color of a head, by its index among the drawn heads."""
    return _HEADS[index % len(_HEADS)]


def class_color(index: int) -> RGB:
    """The color of a class by its id, or of an object by its index; colors repeat after 128.

    >>> class_color(0), class_color(7)
    ((230, 159, 0), (130, 255, 217))
    """
    return _CLASSES[index % len(_CLASSES)]


def shades(count: int) -> list[RGB]:
    """Colors for numbers from small to large: the color map viridis in ``count`` steps.

    >>> shades(2)
    [(68, 1, 84), (253, 231, 37)]
    """
    stops = np.array(_colors(_VIRIDIS))
    positions = np.linspace(0, len(stops) - 1, count)
    channels = [np.interp(positions, np.arange(len(stops)), stops[:, i]) for i in range(3)]
    return [(r, g, b) for r, g, b in np.rint(channels).T.astype(int).tolist()]


def is_background(index: int, name: Any) -> bool:
    """Return whether a class of a mask is the background: the first one, unless its name says otherwise."""
    return index == 0 and (str(name) == "0" or is_nothing(name))


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
