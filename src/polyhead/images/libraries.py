"""Imports the image libraries of an optional extra when they are first needed.

OpenCV has one thread pool for the whole process. It is not changed here, as a library should not do that silently.
OpenCV does not split images below 65,536 pixels, such as typical model inputs, so calls from several threads run in
parallel; larger images run in the calling thread if the pool is busy. An application may call
``cv2.setNumThreads(1)`` to disable the pool.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from polyhead.extras import requiring

VISION = '"polyhead[vision]"'


@cache
def opencv() -> Any:
    """OpenCV."""
    with requiring("images", "opencv-python-headless", VISION):
        import cv2
    return cv2


@cache
def simplejpeg() -> Any:
    """simplejpeg: libjpeg-turbo."""
    with requiring("images", "simplejpeg", VISION):
        import simplejpeg
    return simplejpeg


@cache
def pillow() -> Any:
    """The module ``PIL.Image``."""
    with requiring("images", "pillow", VISION):
        import PIL.Image
    return PIL.Image
