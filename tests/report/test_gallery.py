"""The gallery: its code makes its pictures, and says what it prints."""

import importlib.util
import os
import re
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.keras,
    pytest.mark.skipif(os.environ["KERAS_BACKEND"] != "torch", reason="runs on PyTorch alone"),
]

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pytest.importorskip("albumentations", reason="albumentations is not installed")
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "gallery" / "make_pictures.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = tmp_path_factory.mktemp("gallery")
    return script, folder, script.make(folder)


@pytest.mark.slow
def test_the_code_of_the_gallery_makes_its_pictures(made):
    script, folder, printed = made
    text = script.PAGE.read_text(encoding="utf-8")
    shown = set(re.findall(r"\]\(gallery/([\w.]+)\)", text))
    assert {path.name for path in folder.iterdir()} == shown
    assert [found[2] for found in script.PRINTS.finditer(text)] == printed
    assert len(script.BLOCK.findall(text)) == text.count("```python")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["boxes", "objects", "pixels", "depth", "keypoints", "draws", "bug", "right", "health"]
)
def test_the_pictures_in_the_repository_are_those(made, name):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    _, folder, _ = made
    new, kept = (np.asarray(image.open(place / f"{name}.png")) for place in (folder, DOCS / "gallery"))
    assert new.shape == kept.shape  # fonts and image libraries may draw edges a little differently
    assert np.mean(np.abs(new.astype(int) - kept.astype(int)) > 24) < 0.02
