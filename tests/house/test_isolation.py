"""`import polyhead` and a feed of arrays load no framework; the check is tested as well."""

import os
import subprocess
import sys

import pytest

HEAVY = ("keras", "tensorflow", "torch", "jax", "pandas", "polars", "sklearn", "numba", "cv2")

USE = """
import numpy as np
import polyhead as ph

feed = ph.Feed(
    {"x": np.zeros((6, 2)), "y": [0, 1, None, 1, 0, 1], "kind": ["a", "b", "a", "b", "a", None]},
    inputs="x",
    heads={"y": ph.Binary(class_weight="balanced"), "kind": ph.Categorical(given="y")},
    batch_size=4,
    shuffle=True,
)
assert len(list(feed)) == 2
feed.peek(), feed.describe(), feed.state(), repr(feed)
"""


def loaded(code, folder=None):
    """Which heavy packages a fresh interpreter has loaded after ``code``."""
    report = f"\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    path = os.pathsep.join(filter(None, [folder and str(folder), os.environ.get("PYTHONPATH")]))
    found = subprocess.run(
        [sys.executable, "-c", code + report],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    return found.stdout.split()


@pytest.mark.parametrize(
    "code", ["import polyhead", USE, "import polyhead.cli"], ids=["import", "feed", "command line"]
)
def test_no_framework_is_loaded(code):
    assert loaded(code) == []


@pytest.mark.parametrize("name", HEAVY)
def test_this_check_can_fail(name, tmp_path):
    # a stand-in in the place of the package, so that this costs no seconds and needs none installed
    (tmp_path / f"{name}.py").write_text("")
    assert loaded(f"import polyhead, {name}", tmp_path) == [name]
