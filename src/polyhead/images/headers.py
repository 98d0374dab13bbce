"""Parses the header of an image file: format, size, orientation, depth, pages. No pixel is decoded.

Where image viewers disagree, it follows Pillow. Reads are bounded, so a broken file causes an error and cannot exhaust
memory.

Sources: ITU-T T.81 (JPEG), the PNG specification, RFC 9649 (WebP), GIF89a, and Microsoft's description of bitmap
headers.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from polyhead.images.containers import is_jpeg2000, read_heif, read_jpeg2000
from polyhead.images.content import ENDS, Broken, Content, Header, NoPage
from polyhead.images.directories import ORIENTATION, Directories, exif_orientation, valid
from polyhead.images.netpbm import is_netpbm, read_netpbm_header
from polyhead.images.npy import MAGIC, read_npy_header

LARGEST_TEXT = 1 << 20
"""The maximum number of bytes read of Exif or XMP."""

_SEGMENTS = 4096
_CHUNKS = 1 << 17
_GAP = 1 << 20
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_RAW_EXIF, _PNG_XMP = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"


# JPEG -----------------------------------------------------------------------------------------------


def read_jpeg(content: Content) -> Header:
    """The header of a JPEG."""
    size: tuple[int, int, int] | None = None
    bands, scans = b"", False
    exif, xmp, offset, peek = b"", b"", 2, content.peek
    for _ in range(_SEGMENTS):
        head = peek(offset, 4)
        if len(head) < 4:
            if size is not None:
                break
            if len(head) < 2:
                raise Broken(ENDS)
        marker = head[1]
        if head[0] != 0xFF:  # decoders skip bytes between segments
            offset = _marker(content, offset)
            continue
        if marker == 0xFF or marker <= 1 or 0xD0 <= marker <= 0xD8:
            offset += 1 if marker == 0xFF else 2
            continue
        if marker in (0xD9, 0xDA):  # the pixels begin, or the file ends
            scans = scans or peek(offset + 4, 1) != bands
            break
        if len(head) < 4:
            raise Broken(ENDS)
        length = head[2] << 8 | head[3]
        if length < 2:
            raise Broken("a JPEG with a segment of no length")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size, bands = size or content.unpack(">BHH", offset + 4), peek(offset + 9, 1)
            scans = marker & 3 == 2  # progressive
        elif marker == 0xE1:
            body = content.read(offset + 4, length - 2)
            if body.startswith(_EXIF) and len(exif) < LARGEST_TEXT:
                exif += body[6:]  # Exif may be split over several segments
            elif body.startswith(_XMP):
                xmp = body[len(_XMP) :]
        offset += 2 + length
    if size is None:
        raise Broken("a JPEG without its size")
    bits, height, width = size
    return Header("JPEG", height, width, exif_orientation(exif, xmp), bits, lossy=True, scans=scans)


def _marker(content: Content, offset: int) -> int:
    """Find the next marker, skipping bytes that do not belong to a segment.

    Raises:
        Broken: if there is none nearby.
    """
    start = content.peek(offset, _GAP).find(b"\xff")
    if start < 0:
        raise Broken("a JPEG with a gap in its header")
    return offset + start


# PNG ------------------------------------------------------------------------------------------------


def read_png(content: Content) -> Header:
    """The header of a PNG."""
    if content.peek(12, 4) not in (b"IHDR", b"IHDR"[: max(0, content.size - 12)]):
        raise Broken("a PNG that does not begin with its size")
    width, height, bits, color_type = content.unpack(">IIBB", 16)
    exif, text, xmp, pages, transparent, offset = b"", b"", b"", 1, None, 33
    for _ in range(_CHUNKS):
        head = content.peek(offset, 8)
        if len(head) < 8:
            break
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if offset + 8 + length > content.size:
            raise Broken(f"a PNG whose part {name!r} claims {length:,} bytes, more than the file has")
        if name == b"IEND":
            break
        if name == b"eXIf":
            exif = content.read(offset + 8, length)
        elif name == b"tRNS" and color_type == 0 and length == 2:
            (transparent,) = content.unpack(">H", offset + 8)
        elif name == b"acTL" and length >= 4:
            pages = 2 if content.unpack(">I", offset + 8)[0] > 1 else 1
        elif name in (b"iTXt", b"zTXt", b"tEXt"):
            start = content.peek(offset + 8, min(length, 24))
            if start.startswith(_RAW_EXIF):
                text = _text(name, content.read(offset + 8, length))
            elif name == b"iTXt" and start.startswith(_PNG_XMP):
                xmp = _text(name, content.read(offset + 8, length))
        offset += 12 + length
    else:
        raise Broken(f"a PNG of more than {_CHUNKS:,} parts")
    orientation = exif_orientation(exif or _unhexed(text), xmp)
    return Header("PNG", height, width, orientation, bits, color_type, pages=pages, transparent=transparent)


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
        return zlib.decompressobj().decompress(body, LARGEST_TEXT)
    except zlib.error:
        return b""


def _unhexed(text: bytes) -> bytes:
    """Decode Exif in a text chunk, as ImageMagick writes it: a name, a length, and hex digits."""
    digits = b"".join(text.split(b"\n")[3:])
    return bytes.fromhex(digits.decode()) if re.fullmatch(rb"([0-9a-fA-F]{2})*", digits) else b""


# WebP -----------------------------------------------------------------------------------------------


def read_webp(content: Content) -> Header:
    """The header of a WebP."""
    name = content.peek(12, 4)
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
    exif, xmp, lossy, frames, offset = b"", b"", False, 0, 30
    for _ in range(_CHUNKS):  # Exif comes after the pixels
        if offset + 8 > stop:
            break
        name, length = content.unpack("<4sI", offset)
        if name in (b"VP8 ", b"VP8L", b"ANMF"):
            frames += 1
            lossy |= name != b"VP8L"
        if offset + 8 + length > content.size:
            raise Broken(f"a WebP whose part {name!r} claims {length:,} bytes, more than the file has")
        if name == b"EXIF" and flags & 0x08 and not exif:
            exif = content.read(offset + 8, length)
        elif name == b"XMP " and flags & 0x04 and not xmp:
            xmp = content.read(offset + 8, length)
        offset += 8 + length + length % 2
    orientation = exif_orientation(exif, xmp)
    return Header("WebP", height, width, orientation, lossy=lossy, pages=2 if frames > 1 else 1)


# Others ---------------------------------------------------------------------------------------------


def read_bmp(content: Content) -> Header:
    """The header of a BMP."""
    (header,) = content.unpack("<I", 14)
    if header == 12:  # the header of OS/2
        width, height = content.unpack("<HH", 18)
    else:
        width, height = content.unpack("<ii", 18)
    return Header("BMP", abs(height), abs(width))  # a negative height means rows from top to bottom


def read_gif(content: Content) -> Header:
    """The header of a GIF."""
    width, height = content.unpack("<HH", 6)
    flags = content.peek(10, 1)
    offset = 13 + (3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0)
    frames, xmp = 0, b""
    for _ in range(_CHUNKS):
        mark = content.peek(offset, 10)
        if mark[:1] == b"\x21":
            if mark[1:2] == b"\xff" and not frames and content.peek(offset + 3, 11) == b"XMP DataXMP":
                xmp = content.peek(offset + 14, LARGEST_TEXT)
            offset = _after_blocks(content, offset + 2)
        elif mark[:1] == b"\x2c" and len(mark) == 10:
            frames += 1
            if frames > 1:
                break
            left, top, wide, high = (int.from_bytes(mark[i : i + 2], "little") for i in (1, 3, 5, 7))
            width, height = max(width, left + wide), max(height, top + high)
            offset = _after_blocks(content, offset + 11 + (3 << (mark[9] & 7) + 1 if mark[9] & 0x80 else 0))
        else:
            break
    return Header("GIF", height, width, exif_orientation(b"", xmp), pages=max(1, frames))


def _after_blocks(content: Content, offset: int) -> int:
    """The end of the chain of sub-blocks that begins at ``offset``."""
    for _ in range(_CHUNKS):
        length = content.peek(offset, 1)
        if not length or not length[0]:
            break
        offset += 1 + length[0]
    return offset + 1


def parse(content: Content | bytes, page: int = 0) -> Header | None:
    """Parse the header of an encoded image; None for an unknown format.

    Raises:
        Broken: for a truncated or contradictory header.
    """
    content = Content(content) if isinstance(content, bytes) else content
    start = content.peek(0, 16)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff(content, page)
    for matches, read in _FORMATS:
        if matches(start):
            return read(content)
    return read_heif(content)


def _tiff(content: Content, page: int) -> Header:
    tiff = Directories(content)
    pages = [directory for _, directory in tiff.pages()]
    if page >= len(pages):
        raise NoPage("TIFF", len(pages)) if pages else Broken("a TIFF without its size")
    first = pages[page]
    height, width = tiff.number(first, 257, 0), tiff.number(first, 256, 0)
    if 256 not in first.tags or 257 not in first.tags:
        raise Broken("a TIFF without its size")
    bits, bands = tiff.numbers(first, 258) or (1,), tiff.number(first, 277, 1)
    lossy = tiff.number(first, 259, 1) in (6, 7, 34712, 50001)
    orientation = valid(tiff.number(first, ORIENTATION, 1))
    if ORIENTATION not in first.tags and 700 in first.tags:
        xmp = first.tags[700]
        text = content.peek(tiff.pointer(xmp.offset), min(xmp.length, LARGEST_TEXT))
        orientation = exif_orientation(b"", text)
    return Header("TIFF", height, width, orientation, max(bits), bands=bands, lossy=lossy, pages=len(pages))


def _pnm(content: Content) -> Header:
    header = read_netpbm_header(content)
    return Header("PNM", header.height, header.width, bits=header.bits, bands=header.bands)


_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[Content], Header]], ...] = (
    (lambda start: start[:3] == b"\xff\xd8\xff", read_jpeg),
    (lambda start: start[:8] == b"\x89PNG\r\n\x1a\n", read_png),
    (lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP", read_webp),
    (lambda start: start[:2] == b"BM", read_bmp),
    (lambda start: start[:6] in (b"GIF87a", b"GIF89a"), read_gif),
    (is_jpeg2000, read_jpeg2000),
    (is_netpbm, _pnm),
    (lambda start: start[:6] == MAGIC, read_npy_header),
)
