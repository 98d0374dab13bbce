"""What Pillow can read and write here."""

import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")

import PIL
from PIL import features

VERSION = tuple(map(int, PIL.__version__.split(".")[:2]))


def supports(name):
    """Whether Pillow has a module or a codec; one that its version does not know yet is not there."""
    return name in (*features.modules, *features.codecs) and features.check(name)
