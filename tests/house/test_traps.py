"""Every trap has its test, and the page of the traps says what these tests say."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "contract" / "table.py"


@pytest.fixture(scope="module")
def table():
    return runpy.run_path(str(TABLE))


def test_each_of_the_traps_has_one_test(table):
    assert [number for number, *_ in table["traps"]()] == list(range(1, 32))


def test_every_test_of_these_files_is_that_of_a_trap(table):
    tests = {test for *_, test in table["traps"]()}
    for path in TABLE.parent.glob("test_*_traps.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert {line[4 : line.index("(")] for line in lines if line.startswith("def test_")} <= tests


def test_the_page_is_up_to_date(table):
    assert table["PAGE"].read_text(encoding="utf-8") == table["page"](), "run: python tests/contract/table.py"


def test_no_test_of_a_trap_is_left_out():
    for path in TABLE.parent.glob("*traps.py"):
        assert "skip" not in path.read_text(encoding="utf-8"), path.name
