"""The page about `examine`: its example gives its report, and it lists every code there is."""

import re
import runpy
from pathlib import Path

import pytest

import polyhead as ph

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "examine.md").read_text(encoding="utf-8")


def block(mark):
    return re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.mark.keras
def test_the_example_gives_its_report(tmp_path):
    path = tmp_path / "homes.py"
    path.write_text(block("program"))
    names = runpy.run_path(str(path))
    report = ph.examine(names["generator"], names["model"])
    assert str(report).startswith(block("report"))


def test_the_page_lists_every_code():
    listed = set(
        re.findall(
            r"`([a-z0-9]+(?:-[a-z0-9]+)*)`", PAGE.split("## What it finds")[1].split("Something that may")[0]
        )
    )
    rules = [*(ROOT / "src/polyhead/doctor").glob("*.py"), *(ROOT / "src/polyhead/checks").glob("*_rules.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in rules)
    assert {code for code in listed - {"code"} if f'"{code}"' not in source} == set()
    mentioned = (ROOT / "tests" / "doctor").glob("test_*.py")
    tests = "".join(path.read_text(encoding="utf-8") for path in mentioned)
    assert {code for code in listed - {"code"} if f'"{code}"' not in tests} == set()


def test_it_is_in_the_site():
    assert "examine.md" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "::: polyhead.examine" in (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
