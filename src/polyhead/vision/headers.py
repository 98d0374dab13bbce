"""What the first bytes of an image file say: format, size, orientation. No pixel is decoded.

Sources: ITU-T T.81 (JPEG), Exif 2.32 and TIFF 6.0 (orientation), the PNG specification, RFC 9649 (WebP), and
Microsoft's description of bitmap headers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

TURNED = (5, 6, 7, 8)
"""Orientations that exchange width and height."""


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Attributes:
        format: ``"JPEG"``, ``"PNG"``, ``"BMP"``, ``"TIFF"`` or ``"WebP"``.
        height: rows of pixels as they are stored.
        width: columns of pixels as they are stored.
        orientation: how they are to be shown, 1 to 8, as Exif numbers it.
        bits: bits of a channel, where the format says it here.
        kind: PNG's colour type: 0 grey, 2 colours, 3 palette, 4 grey and alpha, 6 colours and alpha.
        lossy: whether decoded pixels may differ from those encoded.
    """

    format: str
    height: int
    width: int
    orientation: int = 1
    bits: int = 8
    kind: int | None = None
    lossy: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as shown."""
        if self.orientation in TURNED:
            return self.width, self.height
        return self.height, self.width


class Incomplete(Exception):
    """The bytes end before the header does."""


def parse(data: bytes) -> Header | None:
    """The header of an encoded image; None where the format is none of those read here.

    Raises:
        Incomplete: where the bytes end too early.
    """
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            tags = _tags(data)
            if 256 not in tags or 257 not in tags:
                return None
            return Header("TIFF", tags[257], tags[256], _orientation(tags))
        if data[:2] == b"BM" and len(data) >= 18:
            return _bmp(data)
    except (struct.error, IndexError):
        raise Incomplete from None
    return None


def _jpeg(data: bytes) -> Header:
    orientation, at = 1, 2
    while True:
        while data[at] != 0xFF:  # bytes between segments, which decoders skip
            at += 1
        marker = data[at + 1]
        if marker == 0xFF or marker == 0 or marker == 1 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (0xD9, 0xDA):  # the pixels begin, or the file ends, without a size
            raise Incomplete
        (length,) = struct.unpack_from(">H", data, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width = struct.unpack_from(">BHH", data, at + 4)
            return Header("JPEG", height, width, orientation, bits, lossy=True)
        if marker == 0xE1 and orientation == 1 and data[at + 4 : at + 10] == b"Exif\0\0":
            if at + 2 + length > len(data):
                raise Incomplete
            orientation = _exif(data[at + 10 : at + 2 + length])
        at += 2 + length


def _png(data: bytes) -> Header:
    width, height, bits, kind = struct.unpack_from(">IIBB", data, 16)
    orientation, at = 1, 33
    while True:  # the chunks up to the pixels
        length, name = struct.unpack_from(">I4s", data, at)
        if name in (b"IDAT", b"IEND"):
            return Header("PNG", height, width, orientation, bits, kind)
        if name == b"eXIf":
            if at + 8 + length > len(data):
                raise Incomplete
            orientation = _exif(data[at + 8 : at + 8 + length])
        at += 12 + length


def _webp(data: bytes) -> Header:
    name = data[12:16]
    if name == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("WebP", height & 0x3FFF, width & 0x3FFF, lossy=True)
    if name == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", (packed >> 14 & 0x3FFF) + 1, (packed & 0x3FFF) + 1)
    if name != b"VP8X":
        raise Incomplete
    flags = data[20]
    width = int.from_bytes(data[24:27], "little") + 1
    height = int.from_bytes(data[27:30], "little") + 1
    (whole,) = struct.unpack_from("<I", data, 4)
    orientation, lossy, at = 1, False, 30
    while at < whole + 8:  # Exif comes after the pixels
        name, length = struct.unpack_from("<4sI", data, at)
        lossy |= name in (b"VP8 ", b"ANMF")
        if name == b"EXIF":
            if at + 8 + length > len(data):
                raise Incomplete
            orientation = _exif(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        if not flags & 0x08 and name in (b"VP8 ", b"VP8L", b"ANMF"):
            break
        at += 8 + length + length % 2
    return Header("WebP", height, width, orientation, lossy=lossy)


def _bmp(data: bytes) -> Header:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return Header("BMP", abs(height), abs(width))


def _exif(data: bytes) -> int:
    """The orientation in a block of Exif; 1 where it has none or is damaged, as viewers take it."""
    try:
        return _orientation(_tags(data)) if data[:4] in (b"II*\0", b"MM\0*") else 1
    except struct.error:
        return 1


def _orientation(tags: dict[int, int]) -> int:
    found = tags.get(274, 1)
    return found if 1 <= found <= 8 else 1


def _tags(data: bytes) -> dict[int, int]:
    """The single numbers in the first directory of a TIFF."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    tags = {}
    for i in range(count):
        tag, form, number = struct.unpack_from(order + "HHI", data, at + 2 + 12 * i)
        if number == 1 and form in (3, 4):
            (tags[tag],) = struct.unpack_from(order + ("H" if form == 3 else "I"), data, at + 10 + 12 * i)
    return tags
