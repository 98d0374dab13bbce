"""Images of Pillow as values: told from others without importing Pillow, and read like the files they came from."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import threading
from typing import Any

READS = threading.RLock()
"""Held while an image is read or decoded: each moves in its file and keeps what it decoded, also for other threads."""


def is_pillow(value: Any) -> bool:
    """Whether a value is an image of Pillow."""
    Image = sys.modules.get("PIL.Image")
    return Image is not None and isinstance(value, Image.Image)


def file_of(image: Any) -> str:
    """The file that an image was opened from; an empty text where that is not known."""
    name = getattr(image, "filename", "")
    return name if isinstance(name, str) else ""


def content(image: Any) -> bytes | None:
    """The file of an image that was opened and is not decoded yet, or that has several frames.

    So it is read with all its bits and checks, and stays as it is. None for an image whose pixels are in memory: they
    may have been changed, and are what counts.
    """
    if not hasattr(image, "tile"):
        return None
    with READS:
        decoded = image.__dict__.get("_im", image.__dict__.get("im")) is not None
        smaller: Any = getattr(
            image, "decoderconfig", None
        )  # of a JPEG that is to be decoded at less than its size
        if smaller or (decoded and frames(image) < 2):
            return None
        opened: list[Any] = [getattr(image, "fp", None), getattr(image, "_fp", None)]
        for file in opened:
            with contextlib.suppress(Exception):  # closed, or none at all
                at = file.tell()
                try:
                    file.seek(0)
                    return bytes(file.read())
                finally:
                    file.seek(at)
        with contextlib.suppress(OSError), open(file_of(image), "rb") as again:
            return again.read()
    return None


def frames(image: Any) -> int:
    """The number of frames that an image has; 1 for photographs with smaller pictures behind them."""
    if getattr(image, "format", None) == "MPO":
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # it counts them in its file, which may be closed
        return 1


def identity(image: Any) -> str:
    """A text that is another one where an image is another one."""
    found = content(image)
    if found is None:
        with READS:
            shown = [image.mode, image.size, image.getpalette() if image.mode in ("P", "PA") else None]
            found = repr([*shown, image.getexif().get(274)]).encode() + image.tobytes()
    return hashlib.blake2b(found, digest_size=16).hexdigest()
