"""The headers of files made of nested boxes: AVIF, HEIC and JPEG 2000.

Sources: ISO/IEC 14496-12 and 23008-12 (HEIF), the AVIF specification, ISO/IEC 15444-1 (JPEG 2000).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from polyhead.images.content import TURNED, Broken, Content, Header

_MOST_BOXES = 4096
_TILE = 14  # bytes of an empty tile
_CODESTREAM = b"\xff\x4f\xff\x51"
_TURNS = {(1, None): 8, (1, 0): 5, (1, 1): 7, (2, None): 3, (2, 0): 2, (2, 1): 4}
_TURNS |= {(3, None): 6, (3, 0): 7, (3, 1): 5, (0, None): 1, (0, 0): 4, (0, 1): 2}
"""Exif orientations by counterclockwise quarter turns, then a mirror axis (0: top-bottom, 1: left-right, or None)."""


class _ContainerBox(NamedTuple):
    name: bytes
    start: int
    stop: int


def _boxes_between(content: Content, offset: int, stop: int) -> Iterator[_ContainerBox]:
    """Iterate over the boxes between two positions. Raises `Broken` for a box longer than its container."""
    for _ in range(_MOST_BOXES):
        if offset + 8 > stop:
            return
        length, name = content.unpack(">I4s", offset)
        start = offset + 8
        if length == 1:
            (length,) = content.unpack(">Q", start)
            start += 8
        end = stop if length == 0 else offset + length
        if end < start or end > stop:
            raise Broken(f"a part {name!r} that claims {length:,} bytes, more than the file has")
        yield _ContainerBox(name, start, end)
        offset = end


def _find(content: Content, offset: int, stop: int, *path: bytes) -> _ContainerBox | None:
    """Find the first box at a path of names, or None."""
    box: _ContainerBox | None = _ContainerBox(b"", offset, stop)
    for name in path:
        if box is None:
            return None
        box = next((b for b in _boxes_between(content, box.start, box.stop) if b.name == name), None)
    return box


# AVIF and HEIC ------------------------------------------------------------------------------------


def read_heif(content: Content) -> Header | None:
    """Read the header of the first image of an AVIF or HEIC file; None for other files.

    Raises:
        Broken: if the file has no size.
    """
    brands = _brands(content)
    if b"avif" in brands or brands[:1] == (b"avis",):
        name = "AVIF"
    elif {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"} & set(brands):
        name = "HEIC"
    else:
        return None
    meta = _find(content, 0, content.size, b"meta")
    if meta is None:
        raise Broken("an AVIF or HEIC without its size")
    size, cropped, turns, mirror, bits = None, None, 0, None, 8
    for box in _properties(content, meta, _primary(content, meta)):
        if box.name == b"ispe":
            width, height = content.unpack(">II", box.start + 4)
            size = (height, width)
        elif box.name == b"clap":
            wide, width_divisor, high, height_divisor = content.unpack(">IIII", box.start)
            cropped = None
            if width_divisor and height_divisor:
                cropped = high // height_divisor, wide // width_divisor
        elif box.name == b"irot":
            turns = content.read(box.start, 1)[0] & 3
        elif box.name == b"imir":
            mirror = content.read(box.start, 1)[0] & 1
        elif box.name == b"pixi":
            bits = max(content.read(box.start + 5, 1))
    if size is None:
        raise Broken("an AVIF or HEIC without its size")
    orientation = _TURNS[turns, mirror]
    if name == "HEIC":  # Pillow crops and turns these while decoding, but not AVIF
        height, width = cropped or size
        size, orientation = (width, height) if orientation in TURNED else (height, width), 1
    pages = 2 if brands[0] in (b"avis", b"hevc") and _count_frames(content) > 1 else 1
    return Header(name, *size, orientation, bits, lossy=True, pages=pages)


def _brands(content: Content) -> tuple[bytes, ...]:
    """The brands in the ``ftyp`` box of a file; empty if there is none."""
    length, name = struct.unpack(">I4s", content.peek(0, 8).ljust(8, b"\0"))
    if name != b"ftyp" or length < 16:
        return ()
    brands = content.peek(8, min(length - 8, 256))
    return (brands[:4], *(brands[i : i + 4] for i in range(8, len(brands) - 3, 4)))


def _primary(content: Content, meta: _ContainerBox) -> int:
    box = _find(content, meta.start + 4, meta.stop, b"pitm")
    if box is None:
        return 1
    version = content.read(box.start, 1)[0]
    return int(content.unpack(">H" if version == 0 else ">I", box.start + 4)[0])


def _properties(content: Content, meta: _ContainerBox, item: int) -> list[_ContainerBox]:
    """The properties of an item."""
    container = _find(content, meta.start + 4, meta.stop, b"iprp")
    if container is None:
        return []
    contents = _find(content, container.start, container.stop, b"ipco")
    associations = _find(content, container.start, container.stop, b"ipma")
    if contents is None or associations is None:
        return []
    properties = list(_boxes_between(content, contents.start, contents.stop))
    version, flags = content.read(associations.start, 1)[0], content.read(associations.start + 3, 1)[0]
    (count,) = content.unpack(">I", associations.start + 4)
    offset, wide = associations.start + 8, 2 if flags & 1 else 1
    for _ in range(min(count, _MOST_BOXES)):
        (number,) = content.unpack(">I" if version else ">H", offset)
        offset += 4 if version else 2
        (links,) = content.read(offset, 1)
        entries = content.read(offset + 1, links * wide)
        offset += 1 + links * wide
        if number == item:
            chosen = [
                int.from_bytes(entries[i : i + wide], "big") & (0x7FFF if wide == 2 else 0x7F)
                for i in range(0, len(entries), wide)
            ]
            return [properties[i - 1] for i in chosen if 0 < i <= len(properties)]
    return []


def _count_frames(content: Content) -> int:
    """The number of images in a sequence."""
    sizes = _find(content, 0, content.size, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz")
    return int(content.unpack(">I", sizes.start + 8)[0]) if sizes is not None else 1


# JPEG 2000 ----------------------------------------------------------------------------------------


def is_jpeg2000(start: bytes) -> bool:
    """Return whether a file with this start is a JPEG 2000."""
    return start[:4] == _CODESTREAM or start[4:12] == b"jP  \r\n\x87\n"


def read_jpeg2000(content: Content) -> Header:
    """Read the header of a JPEG 2000. Raises `Broken` for an invalid codestream."""
    offset = 0
    if content.peek(0, 4) != _CODESTREAM:
        box = next((b for b in _boxes_between(content, 0, content.size) if b.name == b"jp2c"), None)
        if box is None:
            raise Broken("a JPEG 2000 without pixels")
        offset = box.start
    if content.peek(offset, 4) != _CODESTREAM:
        raise Broken("a JPEG 2000 without pixels")
    right, low, left, top, wide, high, begin, start, bands, depth = content.unpack(">8IHB", offset + 8)
    tiles = -(-(right - begin) // max(1, wide)) * -(-(low - start) // max(1, high))
    if tiles * _TILE > content.size:
        raise Broken(f"a JPEG 2000 that is too short for its {tiles:,} tiles")
    height, width = max(0, low - top), max(0, right - left)
    return Header("JPEG 2000", height, width, bits=(depth & 0x7F) + 1, bands=bands, lossy=True)
