"""The tables of kinds, sources and augmentations are what the library does."""

import runpy
from pathlib import Path

import pytest

import polyhead as ph

SCRIPT = Path(__file__).parent / "tables.py"
pytestmark = [pytest.mark.keras, pytest.mark.once]


@pytest.fixture(scope="module")
def tables():
    pytest.importorskip("cv2", reason="opencv is not installed")
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize("name", ["augmentations", "kinds"])
def test_a_table_is_up_to_date(tables, name):
    page, made = tables["block"](name)
    assert page == made, f"run: python tests/house/tables.py {name}"


def test_every_augmentation_and_every_head_is_in_the_tables(tables):
    from polyhead import augment, kinds

    made = {name for name in ph.__all__ if name in augment.__all__} - {"Apply"}
    assert set(tables["AUGMENTATIONS"]) == made
    heads = {name for name in ph.__all__ if name in kinds.__all__} - {"Array", "Image"}
    assert {name.split(",")[0].split(" ")[0] for name in tables["HEADS"]} == heads
