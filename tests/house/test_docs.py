"""The documents say what is so: their code runs, and what they name exists."""

import contextlib
import io
import json
import pathlib
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import polyhead as ph

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
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


@pytest.fixture
def readme_data(tmp_path, monkeypatch):
    """What the README says is there: arrays, and tables in the working directory."""
    PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    rng = np.random.default_rng(0)
    present = (np.arange(200) % 4 != 0).astype(int)
    boxes = np.tile([2.0, 3.0, 10.0, 12.0], (200, 1))
    boxes[::2] += [8, 6, 8, 6]
    boxes[(present == 0) | (np.arange(200) % 10 == 1)] = np.nan
    columns = {
        "area": rng.uniform(30, 200, 100),
        "rooms": rng.integers(1, 7, 100),
        "price": rng.uniform(0.1, 2, 100),
        "category": [["flat", "house"][i % 2] for i in range(100)],
    }
    pq.write_table(pa.table(columns), tmp_path / "houses.parquet")
    paths = []
    for i in range(40):
        paths.append(str(tmp_path / f"face{i}.png"))
        PIL.fromarray(rng.integers(0, 256, (90, 80, 3), dtype=np.uint8)).save(paths[-1])
    eyes = [[[20.0 + i % 9, 30.0], [60.0, 30.0 + i % 5]] for i in range(40)]
    smiles = [i % 2 for i in range(40)]
    pq.write_table(pa.table({"path": paths, "eyes": eyes, "smiles": smiles}), tmp_path / "faces.parquet")
    monkeypatch.chdir(tmp_path)
    return {
        "images": rng.integers(0, 256, (200, 32, 32, 3), dtype=np.uint8),
        "present": present,
        "boxes": boxes,
    }


PAGES_THAT_RUN = sorted(
    path.name for path in (ROOT / "docs").glob("*.md") if "<!-- run" in path.read_text(encoding="utf-8")
)
"""``resume.md`` continues a program, and has a test of its own."""


@pytest.mark.keras
def test_the_code_of_the_readme_runs_and_prints_what_it_says(readme_data):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(mark == "run" for mark, language, _ in blocks(text) if language == "python")
    claims = run(text, readme_data)
    assert len(claims) == 3
    for printed, claimed in claims:
        assert printed == claimed


@pytest.mark.keras
@pytest.mark.once
@pytest.mark.parametrize("page", [page for page in PAGES_THAT_RUN if page != "resume.md"])
def test_the_code_of_a_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    if page == "in-the-image.md":
        pytest.importorskip("cv2", reason="opencv is not installed")
    monkeypatch.chdir(tmp_path)
    claims = run((ROOT / "docs" / page).read_text(encoding="utf-8"), {})
    assert claims
    assert [printed for printed, _ in claims] == [claimed for _, claimed in claims]


@pytest.mark.keras
@pytest.mark.once
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


def test_ten_lines_solve_the_problem():
    _, _, code = blocks((ROOT / "README.md").read_text(encoding="utf-8"))[0]
    lines = [line for line in code.splitlines() if line.strip() and not line.startswith("import")]
    assert len(lines) <= 10


def broken_links(document, text):
    """The links of a page to files that do not exist."""
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    return [link for link in links if not ((ROOT / document).parent / link).exists()]


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page):
    assert broken_links(page, (ROOT / page).read_text(encoding="utf-8")) == []


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


def test_every_kind_is_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
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
