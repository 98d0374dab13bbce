"""What the wheel and the source distribution hold, and what a package index shows."""

import io
import re
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import polyhead as ph

builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
sdist_builder = pytest.importorskip("hatchling.builders.sdist", reason="hatchling is not installed")
ROOT = Path(__file__).parents[2]
EXAMPLES = {"canvases.py", "digits.py", "digits_by_hand.py"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("wheel"))
    with zipfile.ZipFile(next(iter(builder.WheelBuilder(str(ROOT)).build(directory=folder)))) as file:
        yield {name: file.read(name) for name in file.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel):
    (text,) = (data.decode() for name, data in wheel.items() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(text)


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    source = {
        f"polyhead/{path.relative_to(ROOT / 'src' / 'polyhead')}"
        for path in (ROOT / "src" / "polyhead").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    examples = {f"polyhead/cli/_examples/{name}" for name in EXAMPLES}
    assert {name for name in wheel if ".dist-info/" not in name} == source | examples | {
        "_polyhead_command.py"
    }
    assert {"polyhead/py.typed", "polyhead/report/page.css", "polyhead/report/page.js"} <= set(wheel)


def test_the_demo_has_the_modules_that_it_imports():
    inside = {path.stem for path in (ROOT / "examples").glob("*.py")}
    for name in EXAMPLES:
        text = (ROOT / "examples" / name).read_text(encoding="utf-8")
        needed = {one for one in re.findall(r"^import (\w+)", text, re.MULTILINE) if one in inside}
        assert {f"{one}.py" for one in needed} <= EXAMPLES


def test_the_wheel_has_a_command_a_license_and_this_version(wheel, metadata):
    (commands,) = (data.decode() for name, data in wheel.items() if name.endswith("entry_points.txt"))
    assert "polyhead = _polyhead_command:main" in commands
    assert any(name.endswith("licenses/LICENSE") for name in wheel)
    assert (metadata["Name"], metadata["Version"]) == ("polyhead", ph.__version__)


def test_the_words_that_people_search_for_are_in_the_metadata(metadata):
    first = metadata.get_payload().split("\n## ")[0]
    for words in ("multi-output", "multiple outputs"):
        assert words in metadata["Summary"]
        assert words in first
        assert words in metadata["Keywords"]
    for version in ("3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {version}" in metadata.get_all("Classifier")


def test_an_index_gets_no_link_that_leads_nowhere(metadata):
    text = metadata.get_payload()
    assert re.findall(r"\]\((?!https?://|#)[^)]*\)", text) == []
    assert "<!--" not in text
    assert "(`docs/" in text  # the file is named instead


@pytest.fixture(scope="module")
def hook():
    import runpy

    return runpy.run_path(str(ROOT / "hatch_build.py"))


def test_with_an_address_links_are_absolute(hook):
    text = "![way](docs/a.svg)\n[saving](docs/saving.md), [Keras](https://keras.io), [above](#install)\n"
    assert hook["description"](text, "https://host/polyhead") == (
        "![way](https://host/polyhead/raw/main/docs/a.svg)\n"
        "[saving](https://host/polyhead/blob/main/docs/saving.md), [Keras](https://keras.io), [above](#install)\n"
    )
    assert hook["urls"]("https://host/polyhead")["Issues"] == "https://host/polyhead/issues"


def test_without_an_address_files_are_named(hook):
    text = "![way](docs/a.svg)\n[saving](docs/saving.md), [docs/a.md](docs/a.md), [Keras](https://keras.io)\n"
    assert hook["description"](text, "") == (
        "saving (`docs/saving.md`), `docs/a.md`, [Keras](https://keras.io)\n"
    )
    assert hook["urls"]("") == {}


def test_the_source_distribution_rebuilds_and_tests_the_project(tmp_path):
    path = next(iter(sdist_builder.SdistBuilder(str(ROOT)).build(directory=str(tmp_path))))
    with tarfile.open(path) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    needed = [
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "CITATION.cff",
        "SECURITY.md",
        "pyproject.toml",
        "hatch_build.py",
    ]
    needed += [
        "Makefile",
        "constraints/ci.txt",
        "docs/index.md",
        "tests/conftest.py",
        "src/polyhead/py.typed",
    ]
    assert set(needed) <= names
    assert [name for name in names if name.startswith(".") and name != ".gitignore"] == []
    assert [name for name in names if name.endswith((".pyc", ".keras", ".parquet"))] == []


def test_the_lower_bounds_are_the_versions_that_are_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lowest = dict(
        line.split("==")
        for line in io.StringIO((ROOT / "constraints" / "lowest.txt").read_text(encoding="utf-8"))
        if "==" in line
    )
    for bound in [*project["dependencies"], *extras["vision"], *extras["test"]]:
        name, _, version = bound.partition(">=")
        if ";" not in bound:
            pinned = lowest[name].strip()
            assert pinned == version or pinned.startswith(f"{version}."), bound


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {ph.__version__}\n" in text
    assert "multiple outputs" in text
