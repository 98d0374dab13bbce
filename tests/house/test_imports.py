"""The layers of the library hold, and the linter that holds them sees what breaks them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("importlinter")


def lint(folder):
    """What the import linter says of a copy of the library, and whether it found nothing."""
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", "pyproject.toml", "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
    )
    return found.returncode == 0, found.stdout + found.stderr


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_layers_hold(copy):
    kept, output = lint(copy)
    assert kept, output


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        (
            "errors.py",
            "import polyhead.kinds.kind",
            "polyhead.errors is not allowed to import polyhead.kinds",
        ),
        (
            "kinds/kind.py",
            "from polyhead.sources import base",
            "polyhead.kinds is not allowed to import polyhead.sources",
        ),
        (
            "sources/source.py",
            "from polyhead.pipeline import batch",
            "polyhead.sources is not allowed to import polyhead.pipeline",
        ),
        (
            "pipeline/batch.py",
            "import polyhead.feed",
            "polyhead.pipeline is not allowed to import polyhead.feed",
        ),
        ("feed.py", "import polyhead.cli", "polyhead.feed is not allowed to import polyhead.cli"),
        ("order/epochs.py", "def later():\n    import torch", "polyhead is not allowed to import torch"),
        (
            "pipeline/batch.py",
            "def later():\n    import keras",
            "polyhead.pipeline is not allowed to import keras",
        ),
    ],
)
def test_the_linter_sees_what_breaks_them(copy, file, line, words):
    with open(copy / "src" / "polyhead" / file, "a") as code:
        code.write(f"\n\n{line}\n")
    kept, output = lint(copy)
    assert not kept
    assert words in " ".join(output.split()), output
