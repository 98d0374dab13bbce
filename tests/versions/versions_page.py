"""The page of the versions, from what `run_versions.py` found: ``python tests/versions/versions_page.py`` writes it."""

import json
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
MATRIX = HERE / "matrix.json"
PAGE = HERE.parents[1] / "docs" / "versions.md"
NAMES = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow"}

HEAD = """\
# Versions

Every minor version of Keras from 3.10 on is tested with JAX, PyTorch and TensorFlow: feeds in `fit`, `evaluate` and
`predict`, resuming, logged losses, saving and loading. These tests are in `tests/versions`; `make test-keras` runs them
and writes this page, and `make test-keras VERSIONS="3.12 jax"` runs some of them. Each change is tested on two of these
versions, a different pair each time; all other tests run on the newest version only.
"""

PYTHON = """\
## Python

For each Python version, the wheel is installed into an empty environment, and a program trains, saves, loads and
predicts: once with the newest versions of all packages, once with the oldest supported versions that have a wheel for
that Python. `make test-matrix` does this, runs `make test-keras` and writes this page;
`make test-matrix MATRIX="3.12 jax"` runs some cells.

polyhead can be installed on Python 3.14: all its dependencies have wheels, and TensorFlow has a release candidate. It
has not been tested there yet, so Python 3.14 is not listed as supported.
"""

EXTRAS = """\
Each extra is also installed alone. *bare* is polyhead without any backend: using a missing package raises an error that
says how to install it.
"""

EXTRAS_OF_CELLS = ("bare", "vision", "demo")
BACKENDS_OF_CELLS = tuple(f"{backend} {age}" for backend in NAMES for age in ("newest", "oldest"))


def number(version):
    """A version for sorting: what is not released comes last."""
    parts = version.split("+")[0].split(".")
    return [int(part) for part in parts] if version[0].isdigit() else [10**6]


def order(result):
    """The place of a result in the file."""
    return number(result["keras"]), list(NAMES).index(result["backend"]), number(result["version"])


def cell(result):
    """What a cell of a table says of a result."""
    if result is None:
        return "not tried"
    if result["error"]:
        return result["error"].replace("|", "\\|")
    if result["failed"]:
        every = result["passed"] + len(result["failed"])
        return f"{len(result['failed'])} of {every} fail: " + ", ".join(f"`{n}`" for n in result["failed"])
    return f"{result['passed']} pass"


def table(corner, rows, columns, find):
    """Lines of a table; `find` gives the result of a row and a column."""
    yield f"| {corner} | " + " | ".join(name for name, _ in columns) + " |"
    yield "| --- " * (len(columns) + 1) + "|"
    for row in rows:
        yield f"| {row} | " + " | ".join(cell(find(row, column)) for _, column in columns) + " |"


def matrix_cell(one):
    """What a cell says of an environment."""
    if one is None:
        return "not tried"
    return f"{one['outcome']}: {one['said']}".replace("|", "\\|")


def matrix(cells):
    """Lines of the tables of Pythons, a row for each environment."""
    found = {(one["python"], one["what"]): one for one in cells}
    pythons = sorted({one["python"] for one in cells}, key=number)
    if not pythons:
        return
    yield from ("", PYTHON, "| Python | versions | " + " | ".join(NAMES.values()) + " |")
    yield "| --- " * (len(NAMES) + 2) + "|"
    for python in pythons:
        for age in ("newest", "oldest"):
            said = [matrix_cell(found.get((python, f"{backend} {age}"))) for backend in NAMES]
            yield f"| {python} | {age} | " + " | ".join(said) + " |"
    yield from ("", EXTRAS, "| Python | " + " | ".join(EXTRAS_OF_CELLS) + " |")
    yield "| --- " * (len(EXTRAS_OF_CELLS) + 1) + "|"
    for python in pythons:
        said = [matrix_cell(found.get((python, what))) for what in EXTRAS_OF_CELLS]
        yield f"| {python} | " + " | ".join(said) + " |"


def written():
    """The page, from what was recorded."""
    cells = json.loads(MATRIX.read_text(encoding="utf-8")) if MATRIX.exists() else []
    return as_page(json.loads(RESULTS.read_text(encoding="utf-8")), cells)


def as_page(results, cells=()):
    """The page."""
    found = {(r["keras"], r["backend"], r["version"]): r for r in results}
    every = sorted({r["keras"] for r in results}, key=number)
    tried = {b: sorted({r["version"] for r in results if r["backend"] == b}, key=number) for b in NAMES}
    # the version that most versions of Keras were tried with is that of the development environment
    usual = {
        b: max(tried[b], key=lambda v, b=b: sum(r["backend"] == b and r["version"] == v for r in results))
        for b in NAMES
        if tried[b]
    }
    columns = [(f"{NAMES[b]} {version}", (b, version)) for b, version in usual.items()]
    lines = [HEAD.rstrip("\n"), *matrix(cells), "", "## Keras", ""]
    lines += table("Keras", every, columns, lambda keras, column: found.get((keras, *column)))
    for backend, versions in tried.items():
        pair = {r["keras"] for r in results if r["backend"] == backend and r["version"] != usual[backend]}
        if pair:
            lines += ["", f"## {NAMES[backend]}", ""]
            lines += table(
                NAMES[backend],
                versions,
                [(f"Keras {keras}", keras) for keras in sorted(pair, key=number)],
                lambda version, keras, backend=backend: found.get((keras, backend, version)),
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
