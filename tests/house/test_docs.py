"""The documents say what is so: their code runs, and what they name exists."""

import contextlib
import io
import json
import pathlib
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "llms.txt"]
PAGES = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md") if path.name != "index.md"
)
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>run|prints)(?::[^>]*)? -->\n)?```(?P<language>\w*)\n(?P<code>.*?)```\n", re.DOTALL
)


def blocks(text):
    """The blocks of code as (mark, language, code)."""
    return [(found["mark"], found["language"], found["code"]) for found in BLOCK.finditer(text)]


def run(text, names):
    """Run the blocks marked `run` in one namespace; what was printed, beside what the text says."""
    printed, claims = "", []
    for mark, _, code in blocks(text):
        if mark == "run":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, "<document>", "exec"), names)
            printed = out.getvalue()
        elif mark == "prints":
            claims.append((printed, code))
    return claims


PAGES_THAT_RUN = sorted(
    path.name for path in (ROOT / "docs").glob("*.md") if "<!-- run" in path.read_text(encoding="utf-8")
)
"""``resume.md`` continues a program, and has a test of its own."""


ALIKE = {"augmentation.md", "checking.md", "heads.md", "sources.md", "tutorials.md"}
"""No backend changes what these look at."""


@pytest.mark.keras
def test_the_code_of_the_readme_runs_and_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(mark == "run" for mark, language, _ in blocks(text) if language == "python")
    ((printed, claimed),) = run(text, {})
    assert printed == claimed
    assert len(ph.read_table("predictions.parquet")) == 50


@pytest.mark.keras
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.once] if page in ALIKE else [])
        for page in PAGES_THAT_RUN
        if page != "resume.md"
    ],
)
def test_the_code_of_a_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    if page in ("augmentation.md", "in-the-image.md", "tutorials.md"):
        pytest.importorskip("cv2", reason="opencv is not installed")
    monkeypatch.chdir(tmp_path)
    claims = run((ROOT / "docs" / page).read_text(encoding="utf-8"), {})
    assert claims
    assert [printed for printed, _ in claims] == [claimed for _, claimed in claims]


@pytest.mark.keras
def test_the_code_of_the_page_on_resuming_runs_and_prints_what_it_says(tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    rows = {"x": np.arange(100, dtype="float32")[:, None] / 100, "y": np.arange(100) % 2}
    heads = ph.Feed(rows, inputs="x", heads={"y": ph.Binary()}).heads

    def build(units):
        x = keras.Input((1,), name="x")
        model = keras.Model(x, ph.outputs(keras.layers.Dense(units)(x), heads))
        feed = ph.Feed(rows, inputs="x", heads=heads)
        return ph.compile(model, feed, optimizer="adam")

    text = (ROOT / "docs" / "resume.md").read_text(encoding="utf-8")
    names = {"ph": ph, "json": json, "pathlib": pathlib, "rows": rows, "build": build}
    assert run(text, names) == [("4 0\n", "4 0\n")]
    assert names["feed"].epoch == 3
    assert int(names["model"].optimizer.iterations) == 6 * 13


def test_this_test_can_fail():
    document = "<!-- run -->\n```python\nprint(1)\n```\n\n<!-- prints -->\n```text\n2\n```\n"
    assert run(document, {}) == [("1\n", "2\n")]
    with pytest.raises(NameError):
        run(document.replace("print(1)", "nothing"), {})


def test_the_readme_is_a_page_and_a_half():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 110
    first = text.split("\n![")[0]
    assert "multi-output" in first
    assert "multiple outputs" in first


def lines_of_polyhead(text):
    """The lines of the second of each two blocks that run: the first makes data."""
    code = [code for mark, _, code in blocks(text) if mark == "run"][1::2]
    return [
        len([line for line in one.splitlines() if line and not line.startswith("import ")]) for one in code
    ]


def test_a_tutorial_has_fifteen_lines():
    counts = lines_of_polyhead((ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8"))
    assert len(counts) == 2
    assert max(counts) <= 15


def broken_links(document, text):
    """The links of a page to files that do not exist."""
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    return [link for link in links if not ((ROOT / document).parent / link).exists()]


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page):
    assert broken_links(page, (ROOT / page).read_text(encoding="utf-8")) == []


def test_llms_txt_leads_to_every_page():
    module = runpy.run_path(str(ROOT / "tests" / "house" / "llms.py"))
    assert module["FILE"].read_text(encoding="utf-8") == module["text"](), "run: python tests/house/llms.py"
    pages = {path.name for path in (ROOT / "docs").glob("*.md") if path.name != "index.md"}
    assert {page for page in pages if f"(docs/{page})" not in module["text"]()} == set()


def test_a_broken_link_is_seen():
    assert broken_links("docs/store.md", "[a](masks.md) [b](gone.md)") == ["gone.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_names_commands_and_links_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    assert set(re.findall(r"\bph\.(\w+)", text)) <= {*ph.__all__, "compile"}
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"^make ([\w-]+)|`make ([\w-]+)`", text, re.MULTILINE)) <= {
        pair for name in targets for pair in ((name, ""), ("", name))
    }
    assert broken_links(document, text) == []


def test_every_kind_is_in_its_page():
    text = (ROOT / "docs" / "heads.md").read_text(encoding="utf-8")
    from polyhead import kinds

    concrete = {name for name in ph.__all__ if name in kinds.__all__}
    assert {name for name in concrete if f"| `ph.{name}(" not in text} == set()


def test_the_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(ph.__version__)}\b", text, re.MULTILINE)


@pytest.mark.parametrize("name", [*ph.__all__, "compile"])
def test_what_is_public_is_documented_with_an_example(name):
    thing = getattr(ph, name)
    assert thing.__doc__
    if not (isinstance(thing, type) and issubclass(thing, Exception)) and name != "compile":
        assert ">>> " in thing.__doc__, f"{name} has no example"
