"""The size of an image from the first bytes of its file, without decoding it.

Reads are bounded: a broken file costs an error, not memory. For pictures whose header tells how they were held
(the EXIF orientation of JPEG, PNG and WebP, the orientation of TIFF), the size is that of the picture upright.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from polyhead.errors import DataError, Problem, place

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
"""What the names of image files end in."""

_SEGMENTS = 4096
_ENTRIES = 1024
_LARGEST_EXIF = 1 << 16
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the segments of a JPEG that say its size
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])  # markers that no length follows
_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0x0100, 0x0101


class Header(NamedTuple):
    """What the header of an image says.

    Attributes:
        height: of the upright picture, in pixels.
        width: likewise.
        orientation: 1 to 8, as EXIF counts them; 1 is upright as stored, from 5 on the sides are swapped.
    """

    height: int
    width: int
    orientation: int = 1

    @property
    def stored(self) -> tuple[int, int]:
        """(height, width) of the pixels as they are stored."""
        return (self.width, self.height) if self.orientation > 4 else (self.height, self.width)


def read_header(path: str | os.PathLike[str]) -> Header:
    """The size of the image in a file: JPEG, PNG, BMP, GIF, WebP or TIFF.

    Args:
        path: the file; what counts is its content, not how its name ends.

    Raises:
        DataError: for a file that does not exist, is empty, cut off in its header, or none of these formats.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "a.gif"
    >>> _ = file.write_bytes(b"GIF89a" + bytes([5, 0, 3, 0]))
    >>> read_header(file)
    Header(height=3, width=5, orientation=1)
    """
    where = place(file=os.fspath(path))
    expected = "an image (JPEG, PNG, BMP, GIF, WebP or TIFF)"
    try:
        with open(path, "rb") as file:
            start = file.read(32)
            if not start:
                raise DataError(Problem(where, expected, "an empty file", code="image"))
            read = _reader(start)
            if read is None:
                raise DataError(
                    Problem(where, expected, f"a file that begins with {start[:8]!r}", code="image")
                )
            header = read(start, file)
    except OSError as error:
        raise DataError(
            Problem(where, "a readable file", error.strerror or str(error), code="image")
        ) from error
    except (struct.error, IndexError, _Broken) as error:
        found = str(error) if isinstance(error, _Broken) else "a file that ends within its header"
        raise DataError(Problem(where, "an image with a whole header", found, code="image")) from None
    if header.height < 1 or header.width < 1:
        found = f"{header.height} x {header.width}"
        raise DataError(Problem(where, "an image of at least one pixel", found, code="image"))
    return header


class _Broken(Exception):
    """A header that contradicts itself."""


def _reader(start: bytes) -> Callable[[bytes, BinaryIO], Header] | None:
    if start[:3] == b"\xff\xd8\xff":
        return _jpeg
    if start[:8] == b"\x89PNG\r\n\x1a\n":
        return _png
    if start[:6] in (b"GIF87a", b"GIF89a"):
        return lambda start, _: Header(*reversed(struct.unpack("<HH", start[6:10])))
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return _webp
    if start[:2] == b"BM":
        return _bmp
    if start[:4] in (b"II*\0", b"MM\0*"):
        return _tiff
    return None


def _png(start: bytes, file: BinaryIO) -> Header:
    if len(start) >= 16 and start[12:16] != b"IHDR":
        raise _Broken("a PNG that does not begin with its size")
    width, height = struct.unpack(">II", start[16:24])
    at = 33
    for _ in range(_SEGMENTS):  # the chunks up to the pixels
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            break
        (length,) = struct.unpack(">I", head[:4])
        if head[4:] == b"eXIf":
            return _upright(height, width, _exif_orientation(file.read(min(length, _LARGEST_EXIF))))
        at += 12 + length
    return Header(height, width)


def _bmp(start: bytes, file: BinaryIO) -> Header:
    if struct.unpack("<I", start[14:18])[0] == 12:  # the header of OS/2
        width, height = struct.unpack("<HH", start[18:22])
    else:
        width, height = struct.unpack("<ii", start[18:26])
    return Header(abs(height), width)  # of a negative height the rows stand from top to bottom


def _webp(start: bytes, file: BinaryIO) -> Header:
    kind = start[12:16]
    if kind == b"VP8X":
        wide, high = (int.from_bytes(start[at : at + 3].ljust(3, b"\0"), "little") for at in (24, 27))
        if len(start) < 30:
            raise IndexError
        return _upright(high + 1, wide + 1, _webp_orientation(file) if start[20] & 0x08 else 1)
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", start[21:25])
        return Header((bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", start[26:30])
        if start[23:26] != b"\x9d\x01\x2a":
            raise _Broken("a WebP without a first frame")
        return Header(height & 0x3FFF, width & 0x3FFF)
    raise _Broken(f"a WebP that begins with the part {kind!r}")


def _webp_orientation(file: BinaryIO) -> int:
    """The orientation in the EXIF block, which stands after the pixels."""
    at = 30
    for _ in range(_SEGMENTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        (length,) = struct.unpack("<I", head[4:])
        if head[:4] == b"EXIF":
            return _exif_orientation(file.read(min(length, _LARGEST_EXIF)).removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return 1


def _upright(height: int, width: int, orientation: int) -> Header:
    """The header of an image that is stored in this size."""
    return Header(width, height, orientation) if orientation > 4 else Header(height, width, orientation)


def _jpeg(start: bytes, file: BinaryIO) -> Header:
    file.seek(2)
    orientation = 1
    for _ in range(_SEGMENTS):
        byte = file.read(1)
        if byte != b"\xff":
            raise _Broken("a JPEG with a gap in its header" if byte else "a file that ends within its header")
        while byte == b"\xff":  # any number of them may stand before a marker
            byte = file.read(1)
        marker = byte[0]
        if marker in _ALONE:
            continue
        if marker in (0xD9, 0xDA):
            break
        (length,) = struct.unpack(">H", file.read(2))
        if length < 2:
            raise _Broken("a JPEG with a segment of no length")
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", file.read(5)[1:])
            return _upright(height, width, orientation)
        if marker == 0xE1:
            body = file.read(length - 2)
            if body[:6] == b"Exif\0\0":
                orientation = _exif_orientation(body[6:])
        else:
            file.seek(length - 2, os.SEEK_CUR)
    raise _Broken("a JPEG without its size")


def _exif_orientation(body: bytes) -> int:
    """The orientation in an EXIF block; 1 where it is not there or makes no sense."""
    try:
        order = {b"II": "<", b"MM": ">"}[body[:2]]
        (at,) = struct.unpack(order + "I", body[4:8])
        (count,) = struct.unpack(order + "H", body[at : at + 2])
        for i in range(min(count, _ENTRIES)):
            tag, kind = struct.unpack(order + "HH", body[at + 2 + 12 * i :][:4])
            if tag == _ORIENTATION and kind == 3:
                (value,) = struct.unpack(order + "H", body[at + 10 + 12 * i :][:2])
                return value if 1 <= value <= 8 else 1
    except (struct.error, KeyError):
        pass
    return 1


def _tiff(start: bytes, file: BinaryIO) -> Header:
    order = "<" if start[:2] == b"II" else ">"
    (at,) = struct.unpack(order + "I", start[4:8])
    file.seek(at)
    (count,) = struct.unpack(order + "H", file.read(2))
    found = {}
    for _ in range(min(count, _ENTRIES)):
        entry = file.read(12)
        tag, kind = struct.unpack(order + "HH", entry[:4])
        if tag in (_WIDTH, _HEIGHT, _ORIENTATION):
            form, size = ("H", 2) if kind == 3 else ("I", 4)
            (found[tag],) = struct.unpack(order + form, entry[8 : 8 + size])
    if _WIDTH not in found or _HEIGHT not in found:
        raise _Broken("a TIFF without its size")
    height, width, orientation = found[_HEIGHT], found[_WIDTH], found.get(_ORIENTATION, 1)
    if not 1 <= orientation <= 8:
        orientation = 1
    return _upright(height, width, orientation)
