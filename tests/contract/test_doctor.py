"""The doctor names the one mistake of each broken program, and nothing in the correct ones."""

import ast
import functools
import runpy
import warnings
from pathlib import Path

import pytest

import polyhead as ph

HERE = Path(__file__).parent
BROKEN = sorted(path for path in (HERE / "broken").glob("*.py") if path.name != "conftest.py")
CORRECT = sorted(path for path in (HERE / "correct").glob("*.py") if path.name != "conftest.py")
FRAMEWORKS = {"tensorflow", "torch", "grain"}
CASES = ("binary_and_value", "classes_and_features", "two_masks")


def run(path):
    """What a program defines; skipped where it needs a framework that is not installed."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    needed = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for name in sorted(needed & FRAMEWORKS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # frameworks warn about each other when they are imported
            pytest.importorskip(name, reason=f"{path.name} reads a {name} dataset")
    return runpy.run_path(str(path))


@functools.cache
def examine(path):
    """The report on a program, and the program: made once, as several tests look at it."""
    program = run(path)
    given = program.get("generator", program.get("dataset"))
    return ph.examine(given, program["model"], steps_per_epoch=program.get("STEPS")), program


def ids(paths):
    return [path.stem for path in paths]


NAMED: list[str] = []


@pytest.mark.keras
@pytest.mark.once
@pytest.mark.parametrize("path", BROKEN, ids=ids(BROKEN))
def test_the_mistake_is_named(path):
    report, program = examine(path)
    assert {p.code for p in report.errors} == {program["MISTAKE"]}, str(report)
    # Keras's own queue is told of beside the mistake, on the backends that it troubles
    assert {p.code for p in report.warnings} <= {"worker-replay"}, str(report)
    NAMED.append(program["MISTAKE"])


@pytest.mark.keras
@pytest.mark.once
def test_how_many_were_named(capsys, request):
    ran = [item for item in request.session.items if item.name.startswith("test_the_mistake_is_named[")]
    with capsys.disabled():
        print(f" {len(NAMED)} of {len(ran)} mistakes named ", end="")
    assert len(set(NAMED)) == len(NAMED)


@pytest.mark.keras
@pytest.mark.once
@pytest.mark.parametrize("path", CORRECT, ids=ids(CORRECT))
def test_no_false_alarm(path):
    report, _ = examine(path)
    assert report.problems == (), str(report)
    assert report.ok


@pytest.mark.keras
@pytest.mark.once
@pytest.mark.parametrize("path", BROKEN + CORRECT, ids=ids(BROKEN + CORRECT))
def test_the_declaration_runs(path):
    report, program = examine(path)
    given = program.get("generator", program.get("dataset"))
    names = dict.fromkeys(("generator", "dataset", "loader", "arrays"), given)
    exec(report.declaration, names)
    x, y, *_ = names["feed"].peek()
    assert len(x) == len(program["model"].inputs)
    assert len(y) == len(program["model"].outputs)
    if path in CORRECT:
        assert names["feed"].check(program["model"]).ok


def test_each_case_has_five_mistakes_of_different_kinds():
    assert len(BROKEN) == len(CORRECT) == 15
    mistakes = [
        node.value.value
        for path in BROKEN
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "MISTAKE"
    ]
    assert len(set(mistakes)) == 15
    for case in CASES:
        assert [sum(path.stem.startswith(case) for path in paths) for paths in (BROKEN, CORRECT)] == [5, 5]
