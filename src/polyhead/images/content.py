"""Random access to the bytes of an encoded image, in memory or in a file, with bounds checks."""

from __future__ import annotations

import io
import os
import struct
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
