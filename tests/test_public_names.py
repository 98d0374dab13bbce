"""What users see of the library: in tab completion, and by a star import."""

import builtins
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph

REFERENCE = Path(__file__).parents[1] / "docs" / "reference.md"


def public(names):
    return [name for name in names if not name.startswith("__")]


def test_the_module_shows_its_names_and_nothing_else():
    assert public(dir(ph)) == sorted([*ph.__all__, "compile"])
    assert all(getattr(ph, name) is not None for name in dir(ph))


def test_a_star_import_hides_no_builtin():
    assert not set(ph.__all__) & set(dir(builtins))
    code = "from polyhead import *\nassert compile is __builtins__.compile\nFeed, CutMix, read_table"
    subprocess.run([sys.executable, "-c", code], check=True)


def feed():
    data = {"x": np.zeros((3, 2), "float32"), "y": [0, 1, 0]}
    return ph.Feed(data, inputs="x", heads={"y": ph.Binary()}, batch_size=2)


def test_a_feed_shows_what_the_reference_lists():
    (listed,) = re.findall(
        r"::: polyhead\.Feed\n    options:\n      members:\n((?: +- \w+\n)+)", REFERENCE.read_text()
    )
    assert set(public(dir(feed()))) == {*re.findall(r"\w+", listed), "inputs", "heads", "source"}
    assert all(hasattr(feed(), name) for name in dir(feed()))


@pytest.mark.keras
def test_keras_finds_what_a_feed_does_not_show():
    from keras.src.trainers.data_adapters.data_adapter import DataAdapter

    asked = public(vars(DataAdapter))
    assert "get_tf_dataset" in asked
    assert isinstance(feed(), DataAdapter)
    assert not set(asked) & set(dir(feed()))
    own = {name for base in type(feed()).__mro__ for name in vars(base)} | set(vars(feed()))
    assert set(asked) <= own
