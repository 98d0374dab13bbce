"""The bytes of an encoded image, in memory or in a file, read at any place with bounds checks; and its header."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

ENDS = "a file that ends within its header"


class Broken(Exception):
    """A truncated or contradictory header; the message states what was found."""


class Content:
    """Random access to encoded bytes. It never allocates more than the file holds."""

    __slots__ = ("_data", "_file", "size")

    def __init__(self, data: bytes | BinaryIO) -> None:
        self._data = data if isinstance(data, bytes) else b""
        self._file = None if isinstance(data, bytes) else data
        self.size = len(data) if isinstance(data, bytes) else data.seek(0, os.SEEK_END)

    def file(self) -> BinaryIO:
        """The content as a file, for other libraries."""
        if self._file is None:
            return io.BytesIO(self._data)
        self._file.seek(0)
        return self._file

    def peek(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``offset``; fewer at the end."""
        if self._file is None:
            return self._data[offset : offset + count]
        if offset >= self.size:
            return b""
        self._file.seek(offset)
        return self._file.read(min(count, self.size - offset))

    def read(self, offset: int, count: int) -> bytes:
        """Exactly ``count`` bytes from ``offset``.

        Raises:
            Broken: if there are fewer.
        """
        data = self.peek(offset, count)
        if len(data) != count:
            raise Broken(ENDS)
        return data

    def unpack(self, form: str, offset: int) -> tuple[Any, ...]:
        """Unpack numbers with a ``struct`` format. Raises `Broken` if the content ends too early."""
        if self._file is not None:
            return struct.unpack(form, self.read(offset, struct.calcsize(form)))
        try:
            return struct.unpack_from(form, self._data, min(offset, self.size))
        except struct.error:
            raise Broken(ENDS) from None


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
