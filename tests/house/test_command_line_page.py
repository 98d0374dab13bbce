"""The page of the command line says what the commands say."""

import runpy
from pathlib import Path

import typer

from polyhead.cli import app

SCRIPT = Path(__file__).parent / "command_line.py"


def test_the_page_is_up_to_date():
    module = runpy.run_path(str(SCRIPT))
    text = module["PAGE"].read_text(encoding="utf-8")
    assert text == module["page"](text), "run: python tests/house/command_line.py"


def test_every_command_is_in_the_first_table_of_the_page():
    text = (SCRIPT.parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    head = text.partition("## Exit status")[0]
    assert {
        name for name in typer.main.get_command(app).commands if f"(#polyhead-{name})" not in head
    } == set()
