"""The image libraries, imported when first needed; an extra that not everybody has.

OpenCV keeps a thread pool of its own, set for the whole process. Nothing here changes it: a library must not do
that silently. Images of a model's size are below what OpenCV splits (65,536 pixels), so calls from several of
our threads run side by side; larger ones find the pool taken and run in the thread that called. Who owns the
threads, and knows their number, may say ``cv2.setNumThreads(1)`` and so keep the pool out of their way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from polyhead.errors import PolyheadError, Problem


@cache
def opencv() -> Any:
    """OpenCV."""
    with _requiring("opencv-python-headless"):
        import cv2
    return cv2


@cache
def simplejpeg() -> Any:
    """simplejpeg: libjpeg-turbo."""
    with _requiring("simplejpeg"):
        import simplejpeg
    return simplejpeg


@cache
def pillow() -> Any:
    """The module ``PIL.Image``."""
    with _requiring("pillow"):
        import PIL.Image
    return PIL.Image


@contextmanager
def _requiring(package: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        fix = 'Install it with: pip install "polyhead[vision]"'
        raise PolyheadError(
            Problem("images", f"the package {package}", f"{type(error).__name__}: {error}", fix)
        ) from error
