"""The headers of PBM, PGM, PPM, PAM and PFM.

Sources: the manual pages of Netpbm; Debevec's description of PFM.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from polyhead.images.content import ENDS, Broken, Content

_HEAD = 1 << 13
_TOKEN = re.compile(rb"(?:[ \t\n\v\f\r]+|#[^\n\r]*)*([^ \t\n\v\f\r#]+)")
_BANDS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}


class NetpbmHeader(NamedTuple):
    """The header of a Netpbm file.

    Attributes:
        magic: ``b"P1"`` to ``b"P7"``, ``b"Pf"`` or ``b"PF"``.
        top: the value of white: 1 for bitmaps and floats.
        little: whether floats are little-endian.
        start: the position of the first number.
    """

    magic: bytes
    height: int
    width: int
    bands: int
    top: int
    little: bool
    start: int

    @property
    def bits(self) -> int:
        """Bits per stored number."""
        if self.magic in (b"Pf", b"PF"):
            return 32
        return 1 if self.magic in (b"P1", b"P4") else 8 if self.top < 256 else 16


def is_netpbm(start: bytes) -> bool:
    """Return whether a file with this start is a Netpbm file."""
    return (start[:2] in _BANDS or start[:2] == b"P7") and start[2:3] in b" \t\n\v\f\r#" and len(start) > 2


def read_netpbm_header(content: Content) -> NetpbmHeader:
    """Read the header of a Netpbm file. Raises `Broken` for a truncated header or an invalid number."""
    text = content.some(0, _HEAD)
    magic = text[:2]
    if magic == b"P7":
        return _pam(text)
    count = 2 if magic in (b"P1", b"P4") else 3
    words, at = [], 2
    for _ in range(count):
        found = _TOKEN.match(text, at)
        if found is None or found.end() == len(text):
            raise Broken(ENDS)
        words.append(found[1])
        at = found.end()
    width, height = _whole_number(words[0]), _whole_number(words[1])
    if magic in (b"Pf", b"PF"):
        scale = _real(words[2])
        return NetpbmHeader(magic, height, width, _BANDS[magic], 1, scale < 0, at + 1)
    top = _whole_number(words[2]) if count == 3 else 1
    return NetpbmHeader(magic, height, width, _BANDS[magic], _checked_top(top), False, at + 1)


def _pam(text: bytes) -> NetpbmHeader:
    end = re.search(rb"(?m)^ENDHDR[ \t]*\r?\n", text)
    if end is None:
        raise Broken(ENDS)
    fields = dict(re.findall(rb"(?m)^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+([^\s]+)", text[: end.start()]))
    if len(fields) < 4:
        raise Broken("a PAM without its size")
    width, height, bands, top = (_whole_number(fields[w]) for w in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    if not 1 <= bands <= 4096:
        raise Broken(f"a PAM of {bands} numbers a pixel")
    return NetpbmHeader(b"P7", height, width, bands, _checked_top(top), False, end.end())


def _whole_number(word: bytes) -> int:
    if not word.isdigit() or len(word) > 9:
        raise Broken(f"a header with {word[:20]!r} in the place of a number")
    return int(word)


def _real(word: bytes) -> float:
    try:
        found = float(word)
    except ValueError:
        found = 0.0
    if not found or not math.isfinite(found):
        raise Broken(f"a header with {word[:20]!r} in the place of a number")
    return found


def _checked_top(top: int) -> int:
    if not 0 < top < 65536:
        raise Broken(f"a header whose largest number is {top}")
    return top
