"""Installs the wheel of dist/ on every Python and backend, and prints one table: ``make test-matrix``.

    python tests/versions/run_matrix.py              # all cells, then every version of Keras
    python tests/versions/run_matrix.py 3.12 jax     # the cells that have all these words
    python tests/versions/run_matrix.py keras        # the versions of Keras alone
    python tests/versions/run_matrix.py table        # what was found before; nothing runs

Each cell is an empty environment, in which `tests/install/program.py` runs as a user would run it: with the oldest and
the newest dependencies, and with each extra alone. For a Python that this machine lacks, a cell says whether every
package has a wheel for it. What was found goes into matrix.json, and from there into docs/versions.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import run_versions
from versions_page import BACKENDS_OF_CELLS, EXTRAS_OF_CELLS, MATRIX, PAGE, written

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "install"))

import run_install  # noqa: E402

UV = os.environ.get("UV", "uv")
PASSED, FAILED, ABSENT = "passed", "failed", "not available"


@dataclass(frozen=True)
class Cell:
    """What one environment said.

    Attributes:
        python: its version, ``3.12``.
        what: ``jax newest``, ``torch oldest``, ``bare``, ``vision``, ``demo``.
        outcome: passed, failed or not available.
        said: the versions that were installed, or why it did not pass.
    """

    python: str
    what: str
    outcome: str
    said: str


class Environment(run_install.Environment):
    """An empty environment that uv makes and fills: it takes seconds where pip takes minutes."""

    def __init__(self, python: str, folder: str) -> None:
        self.folder = Path(folder)
        self.run(UV, "venv", "--quiet", "--python", python, "env")
        self.python = str(self.folder / "env" / "bin" / "python")

    def install(self, *what: str) -> None:
        where = ("--find-links", str(ROOT / "dist"), "--reinstall-package", "polyhead")
        self.run(UV, "pip", "install", "--quiet", "--python", self.python, *where, *what)


def wheels(python: str, *asked: str) -> tuple[str, list[str]]:
    """Why there are no wheels of packages and of all that they need for a Python, and what would be installed."""
    command = [UV, "pip", "compile", "--quiet", "--python-version", python, "--only-binary", ":all:", "-"]
    done = subprocess.run(command, input="\n".join(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        return cause(done.stderr), []
    return "", [line.replace("==", " ") for line in done.stdout.splitlines() if "==" in line]


def cause(said: str) -> str:
    """The cause in what a program wrote before it failed: the first reason of uv, or the last line."""
    lines = [line.strip(" │╰─▶×") for line in said.splitlines() if line.strip()]
    first = next(
        (i for i, line in enumerate(lines) if line.startswith(("Because", "hint: You require"))), None
    )
    if first is None:
        return lines[-1] if lines else "it failed and said nothing"
    return (
        " ".join(lines[first:]).removeprefix("hint: ").split(" we can conclude")[0].split(" hint: ")[0][:200]
    )


def oldest(python: str, backend: str) -> str:
    """The first version of a backend in constraints/versions.txt that has a wheel for a Python, as a requirement."""
    package = run_versions.PACKAGES[backend]
    known = [v.asked for v in run_versions.listed() if v.package == package] + [pinned(backend)]
    return next((one for one in known if not wheels(python, one)[0]), known[-1])


def pinned(backend: str) -> str:
    """The version of a backend that all other tests run on, as a requirement."""
    lines = (ROOT / "constraints" / "ci.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{run_versions.PACKAGES[backend]}=="))


def lower_bounds(python: str) -> list[str]:
    """The lower bounds of what polyhead itself needs on a Python, without those of its demo."""
    return [
        one for one in run_install.lower_bounds(python) if not one.startswith(("jax==", "scikit-learn=="))
    ]


def newest(backend: str) -> str:
    """The newest version of a backend; of PyTorch the tested one, whose wheel need not bring CUDA."""
    return pinned(backend) if backend == "torch" else run_versions.PACKAGES[backend]


# Cells ------------------------------------------------------------------------------------------------


def on_backend(backend: str, age: str, env: run_install.Environment) -> str:
    """Run the program of a user on a backend; the versions that it ran with."""
    python, more = env.version(), []
    asked = newest(backend) if age == "newest" else oldest(python, backend)
    if age == "oldest":
        (env.folder / "lowest.txt").write_text("\n".join(lower_bounds(python)))
        more = ["--constraint", str(env.folder / "lowest.txt")]
    env.install(*more, "polyhead", asked)
    env.script("program.py", KERAS_BACKEND=backend)
    names = (run_versions.PACKAGES[backend], "keras", "numpy", "numba", "pyarrow")
    code = f"from importlib.metadata import version as v; print(*(v(n).split('+')[0] for n in {names!r}))"
    found = env.run(env.python, "-c", code).split()
    return ", ".join(f"{name} {version}" for name, version in zip(names, found, strict=True))


def attempts() -> dict[str, Callable[[run_install.Environment], str]]:
    """What is tried on each Python, by name, the quickest first."""
    found = {"bare": run_install.try_bare, "vision": run_install.try_vision, "demo": run_install.try_newest}
    return found | {what: partial(on_backend, *what.split()) for what in BACKENDS_OF_CELLS}


def requirements(python: str, what: str) -> list[str]:
    """What a cell installs, for a Python that is not there: the wheel, its backend and the lower bounds."""
    wheel = f"polyhead @ {next((ROOT / 'dist').glob('polyhead-*.whl')).as_uri()}"
    if what in EXTRAS_OF_CELLS:
        return [wheel if what == "bare" else wheel.replace("polyhead", f"polyhead[{what}]", 1)]
    backend, age = what.split()
    if age == "newest":
        return [wheel, newest(backend)]
    return [wheel, oldest(python, backend), *lower_bounds(python)]


def absent(python: str, what: str) -> Cell:
    """The cell of a Python that this machine lacks."""
    lacking, found = wheels(python, *requirements(python, what))
    package = run_versions.PACKAGES.get(what.split()[0], "numpy")
    said = (
        f"{lacking}"
        if lacking
        else ", ".join(one for one in found if one.split()[0] in (package, "keras", "numba"))
    )
    words = "wheels are missing" if lacking else "all wheels exist"
    return Cell(python, what, ABSENT, f"not run without this Python; {words}: {said}")


def tried(python: str, what: str, interpreter: str) -> Cell:
    """The cell of a Python that is there."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            said = attempts()[what](Environment(interpreter, folder))
        except SystemExit as error:
            lacking = "No solution found" in str(error)
            return Cell(python, what, ABSENT if lacking else FAILED, cause(str(error)))
    return Cell(python, what, PASSED, said)


def record(cell: Cell) -> None:
    """Put a cell in the place of an older one, and write the page again."""
    known = json.loads(MATRIX.read_text(encoding="utf-8")) if MATRIX.exists() else []
    every = {(one["python"], one["what"]): one for one in (*known, asdict(cell))}
    place = [*EXTRAS_OF_CELLS, *BACKENDS_OF_CELLS]
    ordered = sorted(every.values(), key=lambda one: (int(one["python"][2:]), place.index(one["what"])))
    MATRIX.write_text("[\n" + ",\n".join(map(json.dumps, ordered)) + "\n]\n", encoding="utf-8")
    PAGE.write_text(written(), encoding="utf-8")


def main(words: list[str]) -> bool:
    """Run the cells that have all words; whether none failed."""
    fine = True
    there = {run_install.version_of(path): path for path in run_install.pythons([])}
    cells = (
        [] if words in (["keras"], ["table"]) else [(p, w) for p in run_install.PYTHONS for w in attempts()]
    )
    for python, what in cells:
        if set(words) <= {python, *what.split()}:
            began = time.monotonic()
            cell = tried(python, what, there[python]) if python in there else absent(python, what)
            record(cell)
            fine = fine and cell.outcome != FAILED
            seconds = time.monotonic() - began
            print(f"Python {python} {what}: {cell.outcome}, {cell.said} ({seconds:.0f} s)", flush=True)
    if words in ([], ["keras"]):
        fine = run_versions.main([]) and fine
    print(written().partition("\n## ")[2].join(("\n## ", "")))
    return fine


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    sys.exit(not main(sys.argv[1:]))
