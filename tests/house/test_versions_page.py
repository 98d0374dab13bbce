"""What is said to be supported is what was tried."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = ROOT / "tests" / "versions"


@pytest.fixture(scope="module")
def module():
    sys.path.insert(0, str(HERE))
    import run_versions

    yield run_versions
    sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def matrix(module):
    import run_matrix

    yield run_matrix
    sys.path.remove(str(ROOT / "tests" / "install"))


@pytest.fixture(scope="module")
def results(module):
    return json.loads(module.RESULTS.read_text(encoding="utf-8"))


def pinned(name, file):
    return re.search(rf"^{name}==(.+)$", (ROOT / "constraints" / file).read_text("utf-8"), re.MULTILINE)[1]


def released(module, package):
    return [v.number for v in module.listed() if v.package == package and v.number != module.MASTER]


def test_the_page_is_up_to_date(module):
    assert module.PAGE.read_text("utf-8") == module.written(), "run: python tests/versions/versions_page.py"


def test_every_python_was_tried_with_each_backend_and_extra(matrix):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    said = {one.rpartition(" ")[2] for one in project["classifiers"] if "Python :: 3." in one}
    cells = json.loads(matrix.MATRIX.read_text("utf-8"))
    found = {(one["python"], one["what"]): one["outcome"] for one in cells}
    tried = [(python, what) for python in matrix.run_install.PYTHONS for what in matrix.attempts()]
    assert list(dict.fromkeys(tried)) == tried
    assert set(tried) == set(found)
    assert matrix.FAILED not in found.values()
    passed = {
        python
        for python, _ in tried
        if all(found[python, what] == matrix.PASSED for what in matrix.attempts())
    }
    assert said == passed


def test_why_a_cell_did_not_pass(matrix):
    of_uv = "  × No solution found:\n  ╰─▶ Because a has no wheels and b\n      depends on a, we can conclude that b\n"
    assert matrix.cause(of_uv) == "Because a has no wheels and b depends on a,"
    assert matrix.cause("python program.py\nTraceback\nValueError: no\n") == "ValueError: no"
    assert matrix.lower_bounds("3.13")[0] == "keras==3.10"
    assert not [one for one in matrix.lower_bounds("3.13") if one.startswith("jax")]
    assert matrix.pinned("tensorflow").startswith("tensorflow-cpu==")


def test_every_version_of_keras_was_tried_on_each_backend_and_passes(module, results):
    tried = {(r["keras"], r["backend"]) for r in results if r["version"] == pinned_backend(r["backend"])}
    assert {(k, b) for k in released(module, "keras") for b in module.PACKAGES} <= tried
    assert [r for r in results if r["failed"] or r["error"] or not r["passed"]] == []


def pinned_backend(backend):
    return pinned({"tensorflow": "tensorflow-cpu"}.get(backend, backend), "ci.txt")


def test_every_version_of_a_backend_was_tried_with_the_oldest_and_the_newest_keras(module, results):
    oldest, *_, newest = released(module, "keras")
    tried = {(r["keras"], r["backend"], r["version"]) for r in results}
    for backend, package in module.PACKAGES.items():
        for number in released(module, package):
            assert {(oldest, backend, number), (newest, backend, number)} <= tried


def test_the_oldest_and_the_newest_keras_are_those_of_the_project(module):
    oldest, *_, newest = released(module, "keras")
    assert newest == pinned("keras", "ci.txt")
    assert oldest == pinned("keras", "lowest.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    minor = oldest.rpartition(".")[0]
    assert f"keras>={minor}" in project["dependencies"]
    assert f"Keras {minor} or newer" in (ROOT / "README.md").read_text("utf-8")


def test_the_readme_names_the_oldest_backends_that_were_tried(module):
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    jax, tensorflow, torch = (released(module, module.PACKAGES[b])[0] for b in ("jax", "tensorflow", "torch"))
    tensorflow, torch = (number.rpartition(".")[0] for number in (tensorflow, torch))
    assert f"JAX {jax}, TensorFlow {tensorflow} or PyTorch {torch}, or newer" in readme


def test_words_choose_versions(module):
    versions = module.listed()

    def names(*words):
        return [f"{v.package} {v.number}" for v in module.chosen(list(words), versions)]

    assert names() == [f"{v.package} {v.number}" for v in versions]
    assert names("3.10", "master") == ["keras 3.10.0", "keras master"]
    assert names("3.14") == ["keras 3.14.0", "keras 3.14.1"]
    assert names("jax") == [f"jax {number}" for number in released(module, "jax")]
    assert names("tensorflow") == names("tensorflow-cpu")
    with pytest.raises(
        SystemExit, match=r"3\.1: no such version in constraints/versions\.txt \(keras==3\.10\.0"
    ):
        names("3.1")


def test_each_commit_takes_two_versions_of_keras_and_all_have_their_turn(module):
    keras = released(module, "keras")
    turns = [module.pair_of(module.listed(), commits) for commits in range(100, 100 + 2 * len(keras))]
    for two in turns:
        assert len({version for version, _ in two}) == 2
        assert {backend for _, backends in two for backend in backends} == set(module.PACKAGES)
    met = {(version.number, backend) for two in turns for version, backends in two for backend in backends}
    assert met == {(number, backend) for number in keras for backend in module.PACKAGES}
    assert module.commits() >= 0


def test_what_fails_stands_on_the_page(module):
    result = {"keras": "3.10.0", "backend": "jax", "version": "0.4", "skipped": 1, "passed": 2, "error": ""}
    from versions_page import as_page, matrix_cell

    assert matrix_cell({"outcome": "failed", "said": "a | b"}) == "failed: a \\| b"
    page = as_page(
        [
            {**result, "failed": ["test_a"]},
            {**result, "keras": "3.11.0", "failed": []},
            {**result, "backend": "torch", "failed": [], "error": "no | module"},
        ]
    )
    rows = [line for line in page.splitlines() if line.startswith("| 3")]
    assert rows == ["| 3.10.0 | 1 of 3 fail: `test_a` | no \\| module |", "| 3.11.0 | 2 pass | not tried |"]


def test_a_report_of_pytest_is_read(module):
    from xml.etree import ElementTree

    cases = (
        '<testcase name="a"/><testcase name="b"><failure/></testcase><testcase name="c"><skipped/></testcase>'
    )
    result = module.read_report(("3.10.0", "jax", "0.4"), ElementTree.fromstring(f"<s>{cases}</s>"))
    assert (result.passed, result.skipped, result.failed, result.ok) == (1, 1, ("b",), False)
    cases = '<testcase name="tests"><error message="collection&#10;ImportError: no jax"/></testcase>'
    result = module.read_report(("3.10.0", "jax", "0.4"), ElementTree.fromstring(f"<s>{cases}</s>"))
    assert (result.passed, result.error, result.ok) == (0, "ImportError: no jax", False)
