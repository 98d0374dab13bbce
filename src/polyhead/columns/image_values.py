"""Pillow images as values: recognizes them without importing Pillow, and reads the files they were opened from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

ENDINGS = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".jp2"),
    *(".pgm", ".ppm", ".pnm"),
)
"""The file name extensions of images."""

ROUNDING = 1e-5
"""How far pixels in 0–1 may lie outside, as interpolating floats rounds."""

READS = threading.RLock()
"""Held while an image is read or decoded, because Pillow images share a file position and decoded pixels."""


def names_image(value: Any) -> bool:
    """Return whether a value is the name of an image file, judging by its extension.

    >>> names_image("photos/1.JPG"), names_image("a cat"), names_image(1)
    (True, False, False)
    """
    return isinstance(value, str) and value.lower().endswith(ENDINGS)


def path_in(value: Any) -> str | None:
    """Return the path in an entry of a column, or None if it has none."""
    if isinstance(value, Mapping):
        value = value.get("path")
    return os.fspath(value) if isinstance(value, (str, os.PathLike)) else None


def is_pillow(value: Any) -> bool:
    """Return whether a value is a Pillow image."""
    # while another thread imports Pillow, the module may not have its class yet
    image = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return image is not None and isinstance(value, image)


def file_of(image: Any) -> str:
    """Return the path that an image was opened from, or an empty string if unknown."""
    name = getattr(image, "filename", "")
    return name if isinstance(name, str) else ""


def content(image: Any) -> bytes | None:
    """Return the bytes of an image's file if it has not been decoded yet, or if it has several frames.

    Decoding these bytes with polyhead keeps all bits and checks, and leaves the image unchanged. Returns None if the
    pixels are in memory, as they may have been modified.
    """
    if not hasattr(image, "tile"):
        return None
    with READS:
        decoded = image.__dict__.get("_im", image.__dict__.get("im")) is not None
        # Image.draft() sets it: a JPEG decoded at a smaller size
        draft: Any = getattr(image, "decoderconfig", None)
        if draft or (decoded and frames(image) < 2):
            return None
        opened: list[Any] = [getattr(image, "fp", None), getattr(image, "_fp", None)]
        for file in opened:
            with contextlib.suppress(Exception):  # closed, or None
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
    """Return the number of frames of an image; 1 for MPO, whose other frames are previews."""
    if getattr(image, "format", None) == "MPO":
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # Pillow counts frames by reading the file, which may be closed
        return 1


def identity(image: Any) -> str:
    """Return a hash of an image's content."""
    data = content(image)
    if data is None:
        with READS:
            shown = [image.mode, image.size, image.getpalette() if image.mode in ("P", "PA") else None]
            data = repr([*shown, image.getexif().get(274)]).encode() + image.tobytes()
    return hashlib.blake2b(data, digest_size=16).hexdigest()
