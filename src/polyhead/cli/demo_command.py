"""``polyhead demo``: the example with handwritten digits."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.keras_backend import BACKENDS, installed
from polyhead.cli.messages import fail
from polyhead.migrating.slicing import as_script

INSTALL = 'Install the demo with: pip install "polyhead[demo]"'


def run_demo(
    seed: Annotated[
        int, typer.Option(help="Seed of the data, the order of rows and the initial weights.")
    ] = 0,
) -> None:
    """Train a model with four heads on handwritten digits, with and without polyhead, and compare."""
    backend = os.environ.get("KERAS_BACKEND") or next((name for name in BACKENDS if installed(name)), "jax")
    missing = [
        title for title, module in (("scikit-learn", "sklearn"), (backend, backend)) if not installed(module)
    ]
    if missing:
        fail(f"the demo needs {' and '.join(missing)}. {INSTALL}")
    script = find_example("digits.py")
    if script is None:
        fail(
            "the examples are not part of this installation. Run the demo from a checkout, with `make demo`."
        )
    os.environ["KERAS_BACKEND"] = backend
    with as_script(script, str(seed)):
        runpy.run_path(str(script), run_name="__main__")


def find_example(name: str) -> Path | None:
    """The path of an example, in the installed package or in a checkout; None if it is in neither."""
    here = Path(__file__).resolve()
    for folder in (here.parent / "_examples", here.parents[3] / "examples"):
        if (folder / name).is_file():
            return folder / name
    return None
