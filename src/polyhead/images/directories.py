"""Reads the tag directories of TIFF and Exif, and the orientation in them.

Sources: TIFF 6.0, the description of BigTIFF, Exif 2.32; for the orientation in XMP, Adobe's XMP specification.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from polyhead.images.content import Broken, Content

ORIENTATION = 274
_FORMS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MOST_VALUES = 1 << 22
_MOST_DIRECTORIES = 1 << 16
_MOST_TAGS = 1 << 19
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


class Tag(NamedTuple):
    """An entry: the type and number of its values, and the position of its value field."""

    type: int
    length: int
    offset: int


class Directory(NamedTuple):
    """The entries of a directory by tag, the position of the next directory or 0, and the number of entries read."""

    tags: dict[int, Tag]
    next: int
    read: int


class Directories:
    """The directories of a TIFF, a BigTIFF or a block of Exif.

    Raises:
        Broken: for anything else.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        start = content.peek(0, 8)
        self.order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
        if not self.order or start[2:4] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
            raise Broken("no directory of tags")
        self.big = b"+" in start[2:4]
        self.first = self.pointer(8 if self.big else 4)

    def pointer(self, offset: int) -> int:
        """The position stored at a position. Raises `Broken` beyond the end of the file."""
        return int(self.content.unpack(self.order + ("Q" if self.big else "I"), offset)[0])

    def directory(self, offset: int, only: int | None = None) -> Directory:
        """Read the directory at a position, or only one of its tags; entries beyond the end of the file are skipped.

        Raises:
            Broken: if there is no directory.
        """
        head, form, field = (8, "HHQ8x", 12) if self.big else (2, "HHI4x", 8)
        count = self.content.unpack(self.order + ("Q" if self.big else "H"), offset)[0]
        size = 20 if self.big else 12
        block = self.content.peek(offset + head, min(count, 1 << 16) * size)
        block, tags = block[: len(block) // size * size], {}
        for i, (tag, type_, number) in enumerate(struct.iter_unpack(self.order + form, block)):
            if only is None or tag == only:
                tags[tag] = Tag(type_, number, offset + head + i * size + field)
        if only is not None:
            return Directory(tags, 0, len(block) // size)
        try:
            next_ = self.pointer(offset + head + count * size)
        except Broken:
            next_ = 0
        return Directory(tags, next_, len(block) // size)

    def __iter__(self) -> Iterator[Directory]:
        """All directories of the chain, each once.

        Raises:
            Broken: if the first cannot be read, or there are too many.
        """
        offset, seen, tags = self.first, set[int](), 0
        while offset and offset not in seen and len(seen) < _MOST_DIRECTORIES:
            seen.add(offset)
            try:
                directory = self.directory(offset)
            except Broken:
                if len(seen) == 1:
                    raise
                return
            yield directory
            offset, tags = directory.next, tags + directory.read
            if tags > _MOST_TAGS:
                raise Broken(f"a TIFF of more than {_MOST_TAGS:,} tags")

    def pages(self) -> Iterator[tuple[int, Directory]]:
        """The images of a TIFF with their index in the chain, without thumbnails and transparency masks."""
        for i, directory in enumerate(self):
            if i == 0 or (not self.number(directory, 254, 0) & 5 and self.number(directory, 255, 1) != 2):
                yield i, directory

    def numbers(self, directory: Directory, tag: int) -> tuple[int, ...]:
        """The integers of a tag; empty if it is missing or of another type.

        Raises:
            Broken: if the tag claims more values than the file can hold.
        """
        entry = directory.tags.get(tag)
        if entry is None or entry.type not in _FORMS or not entry.length:
            return ()
        form = _FORMS[entry.type]
        size, room = struct.calcsize("=" + form) * entry.length, 8 if self.big else 4
        if entry.length > _MOST_VALUES or size > self.content.size:
            raise Broken(f"a TIFF whose tag {tag} claims {entry.length:,} values")
        offset = entry.offset
        if size > room:
            offset = self.pointer(offset)
        return self.content.unpack(f"{self.order}{entry.length}{form}", offset)

    def number(self, directory: Directory, tag: int, default: int) -> int:
        """The number in a tag with a single value, else ``default``."""
        values = self.numbers(directory, tag)
        return values[0] if len(values) == 1 else default


def valid(orientation: int) -> int:
    """Return an orientation from 1 to 8; invalid ones become 1, as in image viewers."""
    return orientation if 1 <= orientation <= 8 else 1


def exif_orientation(exif: bytes, xmp: bytes = b"") -> int:
    """Read the orientation from an Exif block, else from XMP; 1 if it is missing or damaged."""
    if not exif and not xmp:
        return 1
    try:
        directories = Directories(Content(exif.removeprefix(b"Exif\0\0")))
        first = directories.directory(directories.first, only=ORIENTATION)
        if ORIENTATION in first.tags:
            if first.tags[ORIENTATION].type == 1:  # viewers ignore an orientation of type byte
                return 1
            return valid(directories.number(first, ORIENTATION, 1))
    except Broken:
        pass
    match = _XMP.search(xmp)
    return valid(int(match[1])) if match else 1
