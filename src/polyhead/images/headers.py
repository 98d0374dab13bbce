"""What an image file says of itself: format, size, orientation, depth, pages. No pixel is decoded.

The one parser of headers: readers ask it for sizes, the decoder for everything. Where viewers differ it says what
Pillow shows. Reads are bounded: a broken file costs an error, not memory.

Sources: ITU-T T.81 (JPEG), the PNG specification, RFC 9649 (WebP), GIF89a, and Microsoft's description
of bitmap headers.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from polyhead.errors import DataError, Problem, place
from polyhead.images import containers, netpbm, npy
from polyhead.images.content import ENDS, Broken, Content
from polyhead.images.directories import ORIENTATION, Directories, Directory, exif_orientation, valid

ENDINGS = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jp2"),
    *(".pgm", ".ppm", ".pnm"),
)
"""What the names of image files end in."""

TURNED = (5, 6, 7, 8)
"""Orientations that exchange width and height."""

MAX_PIXELS = 1 << 27
"""Pixels of an image that are decoded without being asked for: 134 million, 400 MB as RGB."""

FORMATS = "JPEG, PNG, BMP, GIF, WebP, TIFF, AVIF, JPEG 2000, PGM, PPM or PFM"

_SEGMENTS = 4096
_CHUNKS = 1 << 17
_GAP = 1 << 20
_LARGEST_TEXT = 1 << 20
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_RAW_EXIF, _PNG_XMP = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"


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


def read_header(path: str | os.PathLike[str], where: str = "", page: int = 0) -> Header:
    """The header of the image in a file.

    Args:
        path: the file; what counts is its content, not how its name ends.
        where: where it stands, for errors; the file by default.
        page: of a TIFF, from 0 on.

    Raises:
        DataError: for a file that does not exist, is empty, cut off in its header, or none of the formats read here.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "a.gif"
    >>> _ = file.write_bytes(b"GIF89a" + bytes([5, 0, 3, 0]))
    >>> read_header(file).size
    (3, 5)
    """
    where = where or place(file=os.fspath(path))
    expected = f"an image ({FORMATS})"
    try:
        with open(path, "rb") as file:
            content = Content(file)
            if not content.size:
                raise DataError(Problem(where, expected, "an empty file", code="image"))
            header = parse(content, page)
            if header is None:
                found = f"a file that begins with {content.some(0, 8)!r}"
                raise DataError(Problem(where, expected, found, code="image"))
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        found = getattr(error, "strerror", None) or str(error)
        raise DataError(Problem(where, "a readable file", found, code="image")) from error
    except Broken as error:
        raise DataError(Problem(where, "an image with a whole header", str(error), code="image")) from None
    if header.height < 1 or header.width < 1:
        found = f"{header.height} x {header.width}"
        raise DataError(Problem(where, "an image of at least one pixel", found, code="image"))
    return header


def parse(content: Content | bytes, page: int = 0) -> Header | None:
    """The header of an encoded image; None where the format is none of those read here.

    Args:
        content: the file.
        page: of a TIFF, from 0 on.

    Raises:
        Broken: where it ends too early or contradicts itself.
    """
    content = Content(content) if isinstance(content, bytes) else content
    start = content.some(0, 16)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff(content, page)
    for matches, read in _FORMATS:
        if matches(start):
            return read(content)
    return _of_brands(content)


# JPEG -----------------------------------------------------------------------------------------------


def _jpeg(content: Content) -> Header:
    size: tuple[int, int, int] | None = None
    bands, scans = b"", False
    exif, xmp, at, some = b"", b"", 2, content.some
    for _ in range(_SEGMENTS):
        head = some(at, 4)
        if len(head) < 4:
            if size is not None:
                break
            if len(head) < 2:
                raise Broken(ENDS)
        marker = head[1]
        if head[0] != 0xFF:  # bytes between segments, which decoders skip
            at = _marker(content, at)
            continue
        if marker == 0xFF or marker <= 1 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (0xD9, 0xDA):  # the pixels begin, or the file ends
            scans = scans or some(at + 4, 1) != bands
            break
        if len(head) < 4:
            raise Broken(ENDS)
        length = head[2] << 8 | head[3]
        if length < 2:
            raise Broken("a JPEG with a segment of no length")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size, bands = size or content.unpack(">BHH", at + 4), some(at + 9, 1)
            scans = marker & 3 == 2  # progressive
        elif marker == 0xE1:
            body = content.read(at + 4, length - 2)
            if body.startswith(_EXIF) and len(exif) < _LARGEST_TEXT:
                exif += body[6:]  # one block may go on in the next
            elif body.startswith(_XMP):
                xmp = body[len(_XMP) :]
        at += 2 + length
    if size is None:
        raise Broken("a JPEG without its size")
    bits, height, width = size
    orientation = exif_orientation(exif, xmp) if exif or xmp else 1
    return Header("JPEG", height, width, orientation, bits, lossy=True, scans=scans)


def _marker(content: Content, at: int) -> int:
    """Where the next marker begins, behind bytes that belong to no segment.

    Raises:
        Broken: where there is none near by.
    """
    found = content.some(at, _GAP).find(b"\xff")
    if found < 0:
        raise Broken("a JPEG with a gap in its header")
    return at + found


# PNG ------------------------------------------------------------------------------------------------


def _png(content: Content) -> Header:
    if content.some(12, 4) not in (b"IHDR", b"IHDR"[: max(0, content.size - 12)]):
        raise Broken("a PNG that does not begin with its size")
    width, height, bits, kind = content.unpack(">IIBB", 16)
    exif, text, xmp, pages, clear, at = b"", b"", b"", 1, None, 33
    for _ in range(_CHUNKS):
        head = content.some(at, 8)
        if len(head) < 8:
            break
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if at + 8 + length > content.size:
            raise Broken(f"a PNG whose part {name!r} claims {length:,} bytes, more than the file has")
        if name == b"IEND":
            break
        if name == b"eXIf":
            exif = content.read(at + 8, length)
        elif name == b"tRNS" and kind == 0 and length == 2:
            (clear,) = content.unpack(">H", at + 8)
        elif name == b"acTL" and length >= 4:
            pages = 2 if content.unpack(">I", at + 8)[0] > 1 else 1
        elif name in (b"iTXt", b"zTXt", b"tEXt"):
            start = content.some(at + 8, min(length, 24))
            if start.startswith(_RAW_EXIF):
                text = _text(name, content.read(at + 8, length))
            elif name == b"iTXt" and start.startswith(_PNG_XMP):
                xmp = _text(name, content.read(at + 8, length))
        at += 12 + length
    else:
        raise Broken(f"a PNG of more than {_CHUNKS:,} parts")
    exif = exif or _unhexed(text)
    orientation = exif_orientation(exif, xmp) if exif or xmp else 1
    return Header("PNG", height, width, orientation, bits, kind, pages=pages, clear=clear)


def _text(name: bytes, chunk: bytes) -> bytes:
    """The text of a chunk, without its keyword."""
    body = chunk.partition(b"\0")[2]
    packed = name == b"zTXt"
    if name == b"iTXt":
        packed, body = body[:1] == b"\1", body[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif packed:
        body = body[1:]
    if not packed:
        return body
    try:
        return zlib.decompressobj().decompress(body, _LARGEST_TEXT)
    except zlib.error:
        return b""


def _unhexed(text: bytes) -> bytes:
    """Exif as ImageMagick writes it into the text of a PNG: a name, a length, and digits."""
    digits = b"".join(text.split(b"\n")[3:])
    return bytes.fromhex(digits.decode()) if re.fullmatch(rb"([0-9a-fA-F]{2})*", digits) else b""


# WebP -----------------------------------------------------------------------------------------------


def _webp(content: Content) -> Header:
    name = content.some(12, 4)
    if name == b"VP8 ":
        width, height = content.unpack("<HH", 26)
        if content.read(23, 3) != b"\x9d\x01\x2a":
            raise Broken("a WebP without a first frame")
        return Header("WebP", height & 0x3FFF, width & 0x3FFF, lossy=True)
    if name == b"VP8L":
        (packed,) = content.unpack("<I", 21)
        return Header("WebP", (packed >> 14 & 0x3FFF) + 1, (packed & 0x3FFF) + 1)
    if name != b"VP8X":
        raise Broken(f"a WebP that begins with the part {name!r}")
    flags = content.read(20, 1)[0]
    size = content.read(24, 6)
    width, height = (int.from_bytes(size[i : i + 3], "little") + 1 for i in (0, 3))
    stop = min(content.size, content.unpack("<I", 4)[0] + 8)
    exif, xmp, lossy, frames, at = b"", b"", False, 0, 30
    for _ in range(_CHUNKS):  # Exif comes after the pixels
        if at + 8 > stop:
            break
        name, length = content.unpack("<4sI", at)
        if name in (b"VP8 ", b"VP8L", b"ANMF"):
            frames += 1
            lossy |= name != b"VP8L"
        if at + 8 + length > content.size:
            raise Broken(f"a WebP whose part {name!r} claims {length:,} bytes, more than the file has")
        if name == b"EXIF" and flags & 0x08 and not exif:
            exif = content.read(at + 8, length)
        elif name == b"XMP " and flags & 0x04 and not xmp:
            xmp = content.read(at + 8, length)
        at += 8 + length + length % 2
    orientation = exif_orientation(exif, xmp) if exif or xmp else 1
    return Header("WebP", height, width, orientation, lossy=lossy, pages=2 if frames > 1 else 1)


# Others ---------------------------------------------------------------------------------------------


def _bmp(content: Content) -> Header:
    (header,) = content.unpack("<I", 14)
    if header == 12:  # the header of OS/2
        width, height = content.unpack("<HH", 18)
    else:
        width, height = content.unpack("<ii", 18)
    return Header("BMP", abs(height), abs(width))  # of a negative height rows stand from top to bottom


def _gif(content: Content) -> Header:
    width, height = content.unpack("<HH", 6)
    flags = content.some(10, 1)
    at = 13 + (3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0)
    frames, xmp = 0, b""
    for _ in range(_CHUNKS):
        mark = content.some(at, 10)
        if mark[:1] == b"\x21":
            if mark[1:2] == b"\xff" and not frames and content.some(at + 3, 11) == b"XMP DataXMP":
                xmp = content.some(at + 14, _LARGEST_TEXT)
            at = _after_blocks(content, at + 2)
        elif mark[:1] == b"\x2c" and len(mark) == 10:
            frames += 1
            if frames > 1:
                break
            left, top, wide, high = (int.from_bytes(mark[i : i + 2], "little") for i in (1, 3, 5, 7))
            width, height = max(width, left + wide), max(height, top + high)
            at = _after_blocks(content, at + 11 + (3 << (mark[9] & 7) + 1 if mark[9] & 0x80 else 0))
        else:
            break
    return Header("GIF", height, width, exif_orientation(b"", xmp) if xmp else 1, pages=max(1, frames))


def _after_blocks(content: Content, at: int) -> int:
    """Where the chain of small blocks ends that begins here."""
    for _ in range(_CHUNKS):
        length = content.some(at, 1)
        if not length or not length[0]:
            break
        at += 1 + length[0]
    return at + 1


def _tiff(content: Content, page: int) -> Header:
    found = Directories(content)
    pages = [one for i, one in enumerate(found) if i == 0 or is_page(found, one)]
    if page >= len(pages):
        raise NoPage("TIFF", len(pages)) if pages else Broken("a TIFF without its size")
    first = pages[page]
    height, width = found.number(first, 257, 0), found.number(first, 256, 0)
    if 256 not in first.tags or 257 not in first.tags:
        raise Broken("a TIFF without its size")
    bits, bands = found.numbers(first, 258) or (1,), found.number(first, 277, 1)
    lossy = found.number(first, 259, 1) in (6, 7, 34712, 50001)
    orientation = valid(found.number(first, ORIENTATION, 1))
    if ORIENTATION not in first.tags and 700 in first.tags:
        xmp = first.tags[700]
        (at,) = content.unpack(found.order + ("Q" if found.big else "I"), xmp.at)
        orientation = exif_orientation(b"", content.some(at, min(xmp.length, _LARGEST_TEXT)))
    return Header("TIFF", height, width, orientation, max(bits), bands=bands, lossy=lossy, pages=len(pages))


def is_page(found: Directories, directory: Directory) -> bool:
    """Whether a directory is an image of its own: no smaller copy of another, and no mask of its transparency."""
    return not found.number(directory, 254, 0) & 5 and found.number(directory, 255, 1) != 2


def _pnm(content: Content) -> Header:
    found = netpbm.head(content)
    return Header("PNM", found.height, found.width, bits=found.bits, bands=found.bands)


def _npy(content: Content) -> Header:
    found = npy.head(content)
    bands = found.shape[2] if len(found.shape) == 3 else 1
    height, width = found.shape[:2]
    return Header("NPY", height, width, bits=8 * found.dtype.itemsize, bands=bands)


def _jpeg2000(content: Content) -> Header:
    found = containers.jpeg2000(content)
    return Header("JPEG 2000", found.height, found.width, bits=found.bits, bands=found.bands, lossy=True)


def _of_brands(content: Content) -> Header | None:
    """AVIF and HEIC, which are known by their brands."""
    brands = containers.brands(content)
    if not brands:
        return None
    if brands[0] in (b"avif", b"avis") or b"avif" in brands:
        still, name = containers.heif(content), "AVIF"
    elif {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"} & set(brands):
        still, name = containers.heif(content), "HEIC"
    else:
        return None
    (height, width), orientation = (still.height, still.width), still.orientation
    if name == "HEIC":  # its decoder crops and turns by itself
        height, width = still.cropped or (height, width)
        height, width = (width, height) if orientation in TURNED else (height, width)
        orientation = 1
    return Header(name, height, width, orientation, still.bits, lossy=True, pages=min(still.pages, 2))


_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[Content], Header]], ...] = (
    (lambda start: start[:3] == b"\xff\xd8\xff", _jpeg),
    (lambda start: start[:8] == b"\x89PNG\r\n\x1a\n", _png),
    (lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP", _webp),
    (lambda start: start[:2] == b"BM", _bmp),
    (lambda start: start[:6] in (b"GIF87a", b"GIF89a"), _gif),
    (lambda start: containers.is_jpeg2000(start), _jpeg2000),
    (netpbm.matches, _pnm),
    (lambda start: start[:6] == npy.MAGIC, _npy),
)
