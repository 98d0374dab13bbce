"""The reference page and the public names of the library are the same."""

import re
from importlib import import_module
from pathlib import Path

import polyhead as ph

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")


def entries(page):
    """The names that the page documents, below `polyhead`."""
    return re.findall(r"^::: polyhead\.([\w.]+)$", page, re.MULTILINE)


def differences(page):
    """The public names that the page lacks, and those on the page that are not public."""
    listed = {name for name in entries(page) if "." not in name}
    public = {*ph.__all__, "compile"}  # `compile` is left out of star imports
    return public - listed, listed - public


def test_the_page_lists_every_public_name_and_no_other():
    assert differences(PAGE) == (set(), set())


def test_every_entry_is_listed_once():
    assert sorted(set(entries(PAGE))) == sorted(entries(PAGE))


def test_entries_of_inner_modules_exist():
    inner = [name.rpartition(".") for name in entries(PAGE) if "." in name]
    assert inner
    for module, _, name in inner:
        assert hasattr(import_module(f"polyhead.{module}"), name), f"polyhead.{module}.{name}"


def test_a_missing_name_and_a_name_too_many_are_seen():
    page = PAGE.replace("::: polyhead.Flip\n", "::: polyhead.Flop\n")
    assert differences(page) == ({"Flip"}, {"Flop"})
