"""Notebooks made from guides, so that nothing is written twice: their text and code as cells, their output left out."""

import json
import re
from pathlib import Path

from page_programs import BLOCK, DOCS

NOTEBOOKS = {
    "from-a-generator.md": "polyhead[vision]",
    "guides/presence-and-box.md": "polyhead[vision]",
    "guides/several-masks.md": "polyhead[vision]",
    "guides/class-age-mask.md": "polyhead[vision]",
    "guides/tables-with-words.md": "polyhead pandas",
    "guides/time-series.md": "polyhead",
}
"""The guides that are notebooks too, and the packages that they need."""

INSTALL = '%pip install --quiet {packages} torch\nimport os\n\nos.environ["KERAS_BACKEND"] = "torch"'


def notebook(text, packages="polyhead"):
    """The notebook of a page, as JSON of nbformat 4.5.

    Args:
        text: of the page; blocks marked `run` become cells of code, and output and pictures are left out.
        packages: to install, separated by spaces.
    """
    cells = [_cell("code", INSTALL.format(packages=packages), 0)]
    at = 0
    for found in BLOCK.finditer(text):
        if found["mark"] in ("run", "prints"):
            _add(cells, "markdown", text[at : found.start()])
            at = found.end()
            if found["mark"] == "run":
                _add(cells, "code", found["code"])
    _add(cells, "markdown", text[at:])
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    language = {"name": "python"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": language},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def made_from(page):
    """The text of the file of the notebook that a page is."""
    made = notebook((DOCS / page).read_text(encoding="utf-8"), NOTEBOOKS[page])
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def path_of(page):
    """Where the notebook of a page is."""
    return DOCS / "notebooks" / f"{Path(page).stem}.ipynb"


def code_cells(made):
    """The code of a notebook after its first cell, which installs."""
    return ["".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "code"][1:]


def _add(cells, kind, text):
    if kind == "markdown":
        text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
        text = re.sub(r"^!\[.*\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"^<!--.*-->\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"\[([^\]]*)\]\((?!http)[^)]*\)", r"\1", text)  # other pages are not beside it
    if text.strip():
        cells.append(_cell(kind, text.strip(), len(cells)))


def _cell(kind, text, number):
    made = {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return {**made, "execution_count": None, "outputs": []} if kind == "code" else made
