"""The size of the library's files and functions, names that stand in one file alone, and who asks for a kind of head.

The lists of exceptions only shrink: a name on them that no longer needs to be there fails its test too.
"""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import polyhead.kinds

LIBRARY = Path(__file__).parents[2] / "src" / "polyhead"
FILES = {
    str(path.relative_to(LIBRARY)): path.read_text(encoding="utf-8") for path in sorted(LIBRARY.rglob("*.py"))
}
CLASSES = {
    name
    for name, one in vars(polyhead.kinds).items()
    if isinstance(one, type) and issubclass(one, polyhead.kinds.Head) and one is not polyhead.kinds.Head
}

LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 400, 60

LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
SHARED_NAMES: set[str] = set()


def long_files(files):
    """The files with more lines than `LINES_OF_A_FILE`."""
    return {name for name, code in files.items() if len(code.splitlines()) > LINES_OF_A_FILE}


def long_functions(files):
    """``"file function"`` of those with more lines than `LINES_OF_A_FUNCTION`, without their docstrings."""
    found = set()
    for name, code in files.items():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[0]
                words = ast.get_docstring(node) is not None
                lines = node.end_lineno - node.lineno + 1 - words * (first.end_lineno - first.lineno + 1)
                if lines > LINES_OF_A_FUNCTION:
                    found.add(f"{name} {node.name}")
    return found


def shared_names(files):
    """The classes and functions that stand at the top of several files, whether private or not."""
    homes = defaultdict(set)
    for file, code in files.items():
        for node in ast.parse(code).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                homes[node.name.lstrip("_")].add(file)
    return {name for name, found in homes.items() if len(found) > 1}


def asked_for(code, classes):
    """The classes whose instances a file tells from others, by `isinstance`, `issubclass`, `type` or `match`."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        asked = []
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"isinstance", "issubclass"}:
            asked = node.args[1:]
        elif isinstance(node, ast.MatchClass):
            asked = [node.cls]
        elif isinstance(node, ast.Compare) and "type(" in ast.unparse(node):
            asked = node.comparators
        for one in asked:
            names = {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(one)}
            found |= names & classes
    return found


def test_files_are_short():
    assert long_files(FILES) == LONG_FILES
    assert long_files({"a.py": "x = 1\n" * 401, "b.py": "x = 1\n" * 400}) == {"a.py"}


def test_functions_are_short():
    assert long_functions(FILES) == LONG_FUNCTIONS
    body, words = "    x = 1\n", '    """One\n' + "    more\n" * 60 + '    """\n'
    files = {
        "a.py": "def f():\n" + body * 60,
        "b.py": "def f():\n" + body * 59,
        "c.py": "def f():\n" + words + body,
    }
    assert long_functions(files) == {"a.py f"}


def test_a_name_stands_in_one_file():
    assert shared_names(FILES) == SHARED_NAMES
    files = {
        "a.py": "def _f(): ...\nclass A:\n    def g(self): ...\n",
        "b.py": "def f(): ...\ndef g(): ...\n",
    }
    assert shared_names(files) == {"f"}


def test_only_kinds_asks_for_the_class_of_a_head():
    assert {"Binary", "Boxes", "Each", "Mask"} <= CLASSES
    asking = {name: asked_for(code, CLASSES) for name, code in FILES.items() if not name.startswith("kinds/")}
    assert {name: found for name, found in asking.items() if found} == {}


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(head, Mask)",
        "isinstance(head, kinds.Mask)",
        "isinstance(head, (int, Mask))",
        "isinstance(head, int | kinds.Mask)",
        "issubclass(type(head), Mask)",
        "type(head) is kinds.Mask",
        "match head:\n    case kinds.Mask():\n        pass",
    ],
)
def test_who_asks_is_seen(code):
    assert asked_for(code, {"Mask"}) == {"Mask"}
    assert asked_for(code.replace("Mask", "Image"), {"Mask"}) == set()
