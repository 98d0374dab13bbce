"""Imports the image libraries of an optional extra when they are first needed.

OpenCV has a thread pool for the whole process, which is not changed here, as a library must not do that silently.
OpenCV does not split images below 65,536 pixels, such as those of a model's size, so calls from several threads run in
parallel; for larger ones the pool is busy, and they run in the calling thread. An application may call
``cv2.setNumThreads(1)`` to disable the pool.
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
        found = f"{type(error).__name__}: {error}"
        raise PolyheadError(Problem("images", f"the package {package}", found, fix)) from error
