"""The headers of PBM, PGM, PPM, PAM and PFM, and their pixels with all their bits.

Sources: the manual pages of Netpbm; Debevec's description of PFM.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from polyhead.images.channels import Samples, over_full_range
from polyhead.images.content import ENDS, Broken, Content

_HEAD = 1 << 13
# possessive quantifiers, as backtracking over a comment of many # would take forever
_TOKEN = re.compile(rb"(?:[ \t\n\v\f\r]++|#[^\n\r]*+)*+([^ \t\n\v\f\r#]+)")
_BANDS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}


class NetpbmHeader(NamedTuple):
    """The header of a Netpbm file.

    Attributes:
        magic: ``b"P1"`` to ``b"P7"``, ``b"Pf"`` or ``b"PF"``.
        top: the value of white: 1 for bitmaps and floats.
        start: the position of the first number.
        dtype: of numbers that are stored as bytes.
    """

    magic: bytes
    height: int
    width: int
    bands: int
    top: int
    start: int
    dtype: np.dtype

    @property
    def bits(self) -> int:
        """Bits per stored number."""
        return 1 if self.magic in (b"P1", b"P4") else 8 * self.dtype.itemsize


def is_netpbm(start: bytes) -> bool:
    """Return whether a file with this start is a Netpbm file."""
    return (start[:2] in _BANDS or start[:2] == b"P7") and start[2:3] in b" \t\n\v\f\r#" and len(start) > 2


def read_netpbm_header(content: Content) -> NetpbmHeader:
    """Read the header of a Netpbm file. Raises `Broken` for a truncated header or an invalid number."""
    text = content.peek(0, _HEAD)
    magic = text[:2]
    if magic == b"P7":
        return _pam(text)
    count = 2 if magic in (b"P1", b"P4") else 3
    words, start = [], 2
    for _ in range(count):
        token = _TOKEN.match(text, start)
        if token is None or token.end() == len(text):
            raise Broken(ENDS)
        words.append(token[1])
        start = token.end()
    width, height = _whole_number(words[0]), _whole_number(words[1])
    if magic in (b"Pf", b"PF"):
        top, dtype = 1, np.dtype("<f4" if _real(words[2]) < 0 else ">f4")
    else:
        top, dtype = _top(words[2] if count == 3 else b"1")
    return NetpbmHeader(magic, height, width, _BANDS[magic], top, start + 1, dtype)


def _pam(text: bytes) -> NetpbmHeader:
    end = re.search(rb"(?m)^ENDHDR[ \t]*\r?\n", text)
    if end is None:
        raise Broken(ENDS)
    fields = dict(re.findall(rb"(?m)^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+([^\s]+)", text[: end.start()]))
    if len(fields) < 4:
        raise Broken("a PAM without its size")
    width, height, bands = (_whole_number(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH"))
    if not 1 <= bands <= 4096:
        raise Broken(f"a PAM of {bands} numbers a pixel")
    top, dtype = _top(fields[b"MAXVAL"])
    return NetpbmHeader(b"P7", height, width, bands, top, end.end(), dtype)


def _whole_number(word: bytes) -> int:
    if not word.isdigit() or len(word) > 9:
        raise Broken(f"a header with {word[:20]!r} in the place of a number")
    return int(word)


def _real(word: bytes) -> float:
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if not number or not math.isfinite(number):
        raise Broken(f"a header with {word[:20]!r} in the place of a number")
    return number


def _top(word: bytes) -> tuple[int, np.dtype]:
    """The largest number, and the dtype that it needs."""
    top = _whole_number(word)
    if not 0 < top < 65536:
        raise Broken(f"a header whose largest number is {top}")
    return top, np.dtype(">u2" if top > 255 else "u1")


def read_pnm(data: bytes, ids: bool = False) -> Samples:
    """Read the pixels of a Netpbm file.

    Args:
        ids: keep the stored numbers, instead of scaling them to 0–255 or 0–65535; in bitmaps, 1 is white.

    Raises:
        Broken: for a truncated file, or numbers above the stated maximum.
    """
    head = read_netpbm_header(Content(data))
    if head.bits == 1:
        numbers = 1 - _bitmap(data, head)
    elif head.magic in (b"P2", b"P3"):
        numbers = _written_numbers(data, head)
    else:
        numbers = _raw_numbers(data, head)
    is_float = head.dtype.kind == "f"
    if not is_float:
        if numbers.size and numbers.max() > head.top:
            raise Broken(f"a file with the number {numbers.max():.0f}, above its largest of {head.top}")
        numbers = numbers.astype(head.dtype.newbyteorder("="), copy=False)
        numbers = numbers if ids else over_full_range(numbers, head.top)
    pixels = numbers.reshape(head.height, head.width, head.bands)
    pixels = np.ascontiguousarray(pixels[::-1] if is_float else pixels)  # floats are stored bottom-up
    if head.bands > 4:
        return Samples(pixels, "bands")
    return Samples(pixels, "gray" if head.bands < 3 else "rgb", head.bands in (2, 4))


def _raw_numbers(data: bytes, head: NetpbmHeader) -> np.ndarray:
    count = head.height * head.width * head.bands
    if head.start + count * head.dtype.itemsize > len(data):
        raise _truncated(data)
    numbers = np.frombuffer(data, head.dtype, count, head.start)
    return numbers.astype(head.dtype.newbyteorder("="), copy=False)


def _bitmap(data: bytes, head: NetpbmHeader) -> np.ndarray:
    if head.magic == b"P1":
        digits = _without_comments(data[head.start :]).translate(None, b" \t\n\v\f\r")
        count = head.height * head.width
        if len(digits) < count or digits[:count].translate(None, b"01"):
            raise Broken("a file with characters other than the digits of its pixels")
        return np.frombuffer(digits, np.uint8, count) - np.uint8(48)
    row = -(-head.width // 8)
    if head.start + row * head.height > len(data):
        raise _truncated(data)
    rows = np.frombuffer(data, np.uint8, row * head.height, head.start).reshape(head.height, row)
    return np.unpackbits(rows, axis=1)[:, : head.width]


def _written_numbers(data: bytes, head: NetpbmHeader) -> np.ndarray:
    """Parse numbers that are stored as text."""
    text = _without_comments(data[head.start :])
    if text.translate(None, b"0123456789 \t\n\v\f\r"):
        raise Broken("a file with characters that are not numbers")
    count = head.height * head.width * head.bands
    numbers = np.fromstring(text.decode("ascii"), sep=" ")[:count] if text.strip() else np.empty(0)
    if len(numbers) < count:
        raise _truncated(data)
    return numbers


def _truncated(data: bytes) -> Broken:
    return Broken(f"a file that ends within its pixels, at {len(data):,} bytes")


def _without_comments(text: bytes) -> bytes:
    return re.sub(rb"#[^\n\r]*", b" ", text) if b"#" in text else text
