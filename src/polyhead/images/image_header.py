"""The header of an image file of any format."""

from __future__ import annotations

from dataclasses import dataclass

from polyhead.images.content import Broken

TURNED = (5, 6, 7, 8)
"""Exif orientations that exchange width and height."""


class NoPage(Broken):
    """A page that does not exist in a file of the given format and number of pages."""

    def __init__(self, format: str, pages: int) -> None:
        super().__init__(f"a {format} of {pages} pages")
        self.format, self.pages = format, pages


@dataclass(frozen=True)
class Header:
    """The header of an image file.

    Attributes:
        format: ``"JPEG"``, ``"PNG"``, ``"BMP"``, ``"GIF"``, ``"TIFF"``, ``"WebP"``, ``"AVIF"``, ``"HEIC"``,
            ``"JPEG 2000"``, ``"PNM"`` or ``"NPY"``.
        height: rows of pixels as stored.
        width: columns of pixels as stored.
        orientation: the Exif orientation, 1 to 8; from 5 on, height and width are swapped when shown.
        bits: bits per channel, if the header has them.
        color_type: that of a PNG: 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGB and alpha.
        bands: samples per pixel, if the header has them.
        lossy: whether decoded pixels can differ from the encoded ones.
        pages: pages of a TIFF; 2 for an animation of any length.
        transparent: the transparent value of a gray PNG.
        scans: whether a JPEG has several scans.
    """

    format: str
    height: int
    width: int
    orientation: int = 1
    bits: int = 8
    color_type: int | None = None
    bands: int | None = None
    lossy: bool = False
    pages: int = 1
    transparent: int | None = None
    scans: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as shown."""
        return (self.width, self.height) if self.orientation in TURNED else self.stored

    @property
    def stored(self) -> tuple[int, int]:
        """(height, width) as stored."""
        return self.height, self.width
