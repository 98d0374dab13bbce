"""What the header of an image file says, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass

from polyhead.images.content import Broken

TURNED = (5, 6, 7, 8)
"""Exif orientations that exchange width and height."""


class NoPage(Broken):
    """A page that a file does not have: ``format`` says what it is, ``pages`` how many it has."""

    def __init__(self, format: str, pages: int) -> None:
        super().__init__(f"a {format} of {pages} pages")
        self.format, self.pages = format, pages


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Attributes:
        format: ``"JPEG"``, ``"PNG"``, ``"BMP"``, ``"GIF"``, ``"TIFF"``, ``"WebP"``, ``"AVIF"``, ``"HEIC"``,
            ``"JPEG 2000"``, ``"PNM"`` or ``"NPY"``.
        height: rows of pixels as they are stored.
        width: columns of pixels as they are stored.
        orientation: how they are to be shown, 1 to 8, as Exif numbers it; from 5 on the sides are exchanged.
        bits: bits of a channel, where the format says it here.
        kind: PNG's colour type: 0 grey, 2 colours, 3 palette, 4 grey and alpha, 6 colours and alpha.
        bands: samples of a pixel, where the format says it here.
        lossy: whether decoded pixels may differ from those encoded.
        pages: pages of a TIFF; of an animation 2, whatever there are more.
        clear: of a grey PNG, the number that is transparent.
        scans: whether the pixels of a JPEG stand in several scans.
    """

    format: str
    height: int
    width: int
    orientation: int = 1
    bits: int = 8
    kind: int | None = None
    bands: int | None = None
    lossy: bool = False
    pages: int = 1
    clear: int | None = None
    scans: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as shown."""
        return (self.width, self.height) if self.orientation in TURNED else self.stored

    @property
    def stored(self) -> tuple[int, int]:
        """(height, width) of the pixels as they are stored."""
        return self.height, self.width
