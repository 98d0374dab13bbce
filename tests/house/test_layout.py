"""The files of the library: named alike nowhere, private ones used at home, and those that the documents name exist."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "src" / "polyhead"
FILES = sorted(LIBRARY.rglob("*.py"))
PAGES = [ROOT / "docs" / "architecture.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]


def twice(paths):
    """The stems that several files have."""
    counts = Counter(path.stem for path in paths)
    return {stem for stem, count in counts.items() if count > 1} - {"__init__", "__main__"}


def private(code, package):
    """What a file of a package imports from other packages under a name with an underscore in front."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("polyhead"):
            parts = node.module.split(".")[1:]
            names = [*parts, *(alias.name for alias in node.names)]
            if parts[:1] != [package] and any(re.match(r"_[a-z]", name, re.IGNORECASE) for name in names):
                found.append(node.module)
    return found


def missing(text, there):
    """The files and classes that a page names and that are not there."""
    files = re.findall(r"`(?:src/polyhead/)?((?:[a-z_]+/)*[a-z_]+\.py)`", text)
    return {name for name in files if not any(str(path).endswith("/" + name) for path in there)}


def test_no_two_files_have_one_stem():
    assert twice(FILES) == set()
    assert twice([Path("a/base.py"), Path("b/base.py"), Path("a/__init__.py"), Path("b/__init__.py")]) == {
        "base"
    }


def test_the_package_holds_code_and_the_parts_of_pages_only():
    files = (path for path in LIBRARY.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    assert {path.suffix for path in files if path.name != "py.typed"} == {".py", ".js", ".css"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_private_names_stay_in_their_package(path):
    package = path.relative_to(LIBRARY).parts[0]
    assert private(path.read_text(encoding="utf-8"), package) == []


def test_a_private_name_is_seen():
    assert private("from polyhead.kinds._classes import ids", "sources") == ["polyhead.kinds._classes"]
    assert private("from polyhead.kinds.missing import _ids", "sources") == ["polyhead.kinds.missing"]
    assert private("from polyhead.kinds.missing import _ids", "kinds") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_files_that_a_page_names_exist(page):
    there = [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    assert missing(page.read_text(encoding="utf-8"), there) == set()


def test_a_file_that_is_gone_is_seen():
    assert missing("see `kinds/gone.py` and `kinds/kind.py`", FILES) == {"kinds/gone.py"}


def test_the_classes_and_constants_that_the_architecture_names_exist():
    text = PAGES[0].read_text(encoding="utf-8")
    defined = set(
        re.findall(
            r"^(?:class )?([A-Z]\w+)", "\n".join(p.read_text(encoding="utf-8") for p in FILES), re.MULTILINE
        )
    )
    named = set(re.findall(r"`([A-Z]\w+)`", text))
    assert named - defined == set()


def members(code):
    """The methods, properties and fields of each class, by the class's name."""
    found = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ClassDef):
            own = {name for part in node.body if (name := getattr(part, "name", None))}
            own |= {part.target.id for part in node.body if isinstance(part, ast.AnnAssign)}
            found.setdefault(node.name, set()).update(own)
    return found


def test_the_methods_that_the_architecture_names_exist():
    named = re.findall(r"`([A-Z][a-z]\w*)\.(\w+)`", PAGES[0].read_text(encoding="utf-8"))
    assert named
    there = {}
    for path in FILES:
        for name, own in members(path.read_text(encoding="utf-8")).items():
            there.setdefault(name, set()).update(own)
    assert {f"{owner}.{name}" for owner, name in named if name not in there.get(owner, ())} == set()


def test_a_method_that_is_there_is_seen():
    assert members("class A:\n    x: int\n    def f(self): ...") == {"A": {"x", "f"}}


def test_every_folder_is_on_the_page_of_the_architecture():
    table = PAGES[0].read_text(encoding="utf-8").split("## Folders")[1].split("## A label")[0]
    named = set(re.findall(r"`([a-z_]+)(?:\.py)?`", table))
    stages = {path.relative_to(LIBRARY).parts[0].removesuffix(".py") for path in FILES}
    stages -= {"__init__", "__main__"}
    assert stages <= named
