"""Parses the header of an image file: format, size, orientation, depth, pages. No pixel is decoded.

Where image viewers disagree, it follows Pillow. Reads are bounded, so a broken file causes an error and cannot exhaust
memory.
"""

from __future__ import annotations

from collections.abc import Callable

from polyhead.images.containers import is_jpeg2000, read_heif, read_jpeg2000
from polyhead.images.content import Broken, Content
from polyhead.images.directories import ORIENTATION, Directories, exif_orientation, valid
from polyhead.images.image_header import Header, NoPage
from polyhead.images.netpbm import is_netpbm, read_netpbm_header
from polyhead.images.npy import MAGIC, read_npy_header
from polyhead.images.raster_headers import LARGEST_TEXT, read_bmp, read_gif, read_jpeg, read_png, read_webp


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
