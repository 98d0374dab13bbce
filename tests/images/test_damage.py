"""Damaged and hostile files are errors of ours, soon and for little memory; each run is a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polyhead.errors import DataError
from polyhead.images.decode import decode

pytest.importorskip("PIL.Image", reason="Pillow is not installed")
PROGRAM = Path(__file__).with_name("damage.py")


def tried(*which):
    """What did harm, and the bytes of memory that were needed on top, as a process says that tried these inputs."""
    run = subprocess.run(
        [sys.executable, PROGRAM, *which], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout.splitlines()[-1])
    return found["harm"], found["bytes"]


@pytest.mark.parametrize("which", [["0:1500", "found"], ["hostile"]], ids=str)
def test_damaged_images_do_no_harm(which):
    harm, memory = tried(*which)
    assert harm == {}
    assert memory < 1 << 29


@pytest.mark.slow
@pytest.mark.full
@pytest.mark.parametrize("which", ["1000000:20000", "hostile, more"])
def test_many_more_damaged_images_do_no_harm(which):
    harm, memory = tried(which)
    assert harm == {}
    assert memory < 1 << 30


def test_this_test_can_fail(monkeypatch):
    import damage

    monkeypatch.setattr(damage, "SECONDS", 0.0)
    assert damage.harm(damage.seeds()[0], 0).startswith("header: 0.0")

    def broken(data, **options):
        raise ValueError("no")

    monkeypatch.setattr(damage, "header_of", broken)
    assert damage.harm(b"any", 0) == "header: ValueError: no"
    monkeypatch.setattr(damage, "BYTES", -(1 << 40))
    monkeypatch.setattr(damage, "harm", lambda data, choice: None)
    assert set(damage.tried([("a", b"any", (0,))])[0]) == {"a"}


def test_whole_images_of_one_color_are_not_taken_for_damaged_ones():
    """The smallest files that real images have: nothing in them, at the size of a tile of a satellite."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    for pixels, ending in (
        (np.zeros((9000, 10_000), np.uint8), ".png"),
        (np.zeros((5000, 6000, 3), np.uint8), ".png"),
        (np.zeros((5000, 6000, 3), np.uint8), ".jpg"),
        (np.zeros((4000, 6000), np.uint8), ".tif"),
    ):
        data = cv2.imencode(ending, pixels)[1].tobytes()
        assert not decode(data, channels=1).pixels.any()


def test_a_small_file_that_claims_much_says_what_helps():
    from hostile import files

    claims = files()
    with pytest.raises(DataError) as caught:
        decode(claims["WebP of one color, 16,383 x 8000"])
    assert str(caught.value) == (
        "an encoded image: expected a file as large as its image, got 16383 x 8000 in 34 bytes. The file is damaged, "
        "or has a single color; then say ph.Image(max_pixels=...)."
    )
    with pytest.raises(DataError, match=r"with a whole header, got a TIFF of more than 524,288 tags\."):
        decode(claims["TIFF of pages that lie over each other"])
    if "JPEG 2000 of 62,500 tiles" in claims:
        with pytest.raises(DataError, match=r"got a JPEG 2000 that is too short for its 62,500 tiles\."):
            decode(claims["JPEG 2000 of 62,500 tiles"])
    with pytest.raises(DataError, match=r"expected a whole JPEG, got one of 20,000 scans\."):
        decode(claims["JPEG of 20,000 scans, False"])
    with pytest.raises(DataError) as caught:
        decode(claims["PNG: IDAT of 2130706432"])
    assert "got a PNG whose part b'IDAT' claims 2,130,706,432 bytes, more than the file has." in str(
        caught.value
    )
