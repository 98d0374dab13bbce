"""The image libraries are imported when they are needed, and a missing one says how to install it."""

import subprocess
import sys

import pytest

USE = """
import numpy as np
import polyhead
import polyhead.augment as v

plan = v.Joint([v.Flip(), v.Rotate(10), v.Color(0.1)]).plan(0, [1], [(4, 4)], (4, 4))
plan.boxes(0, [[0, 0, 1, 1]])
print(*(name for name in ("cv2", "simplejpeg", "PIL", "albumentations") if name in sys.modules))
"""


def ran(code):
    found = subprocess.run(
        [sys.executable, "-c", "import sys\n" + code], capture_output=True, text=True, check=True
    )
    return found.stdout.split("\n")[0]


def test_planning_loads_no_image_library():
    assert ran(USE) == ""
    assert ran(USE.replace("plan.boxes", "import cv2; plan.boxes")) == "cv2"  # and this check can fail


@pytest.mark.parametrize(
    ("module", "package", "call"),
    [
        (
            "cv2",
            "opencv-python-headless",
            "v.decode(b'BM' + bytes(12) + b'(' + bytes(3) + b'\\1\\0\\0\\0' * 2)",
        ),
        ("simplejpeg", "simplejpeg", "v.decode(b'\\xff\\xd8\\xff\\xc0\\0\\x11\\x08\\0\\x08\\0\\x08')"),
        ("PIL", "pillow", "v.decode_mask(b'BM' + bytes(12) + b'(' + bytes(3) + b'\\1\\0\\0\\0' * 2)"),
        ("PIL", "pillow", "v.decode(b'qoif')"),
    ],
)
def test_a_missing_library_names_the_extra(module, package, call):
    code = f"""
sys.modules[{module!r}] = None
import polyhead.images.decode as v
from polyhead.errors import PolyheadError
try:
    {call}
except PolyheadError as error:
    print(error)
"""
    said = ran(code)
    assert said.startswith(f"images: {package} cannot be imported (")
    assert said.endswith('Install it with: pip install "polyhead[vision]".')
