"""The pages of the documentation: every program runs and prints what its page says, and every block says what it is.

The programs run on PyTorch, which does not compile; `make test-all` runs them on the other backends too. Pages whose
programs start processes of their own run in `make test-all` alone.
"""

import json
import os
import re

import pytest
from notebooks import NOTEBOOKS, code_cells, made_from, path_of
from page_programs import DOCS, blocks, pages, run

TESTED_ELSEWHERE = {"examine.md"}  # tests/doctor/test_doctor_page.py runs its programs
PROCESSES = {"resume.md", "guides/several-devices.md"}
MARKS = {"run", "not run", "file", "program", "picture"}
NEEDS = {"cv2": r"ph\.(Image|Mask|Map|Boxes|Keypoints)\(|from PIL", "datasets": r"^import datasets"}
NEEDS |= {"onnxruntime": r"^import onnxruntime", "onnx": 'format="onnx"'}
NEEDS |= {
    "h5py": r"^import h5py",
    "pandas": r"^import pandas|to_pandas",
    "tensorflow": r"^import tensorflow",
    "jax": r"^import jax",
}


def text_of(page):
    return (DOCS / page).read_text(encoding="utf-8")


def unmarked(text):
    """The blocks of Python that do not say whether they run."""
    return [block.code for block in blocks(text) if block.language == "python" and block.mark not in MARKS]


def running(pages):
    """The pages with programs, as parameters: those left to `make test-all` are marked."""
    other = os.environ["KERAS_BACKEND"] != "torch"
    return [
        pytest.param(page, marks=[pytest.mark.full] if other or page in PROCESSES else [])
        for page in pages
        if page not in TESTED_ELSEWHERE and re.search("<!-- (run|shell)", text_of(page))
    ]


def require_libraries(text):
    for name, pattern in NEEDS.items():
        if re.search(pattern, text, re.MULTILINE):
            pytest.importorskip(name, reason=f"{name} is not installed")


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:drop_unreadable:polyhead.PolyheadWarning")  # which images.md shows
@pytest.mark.filterwarnings(
    "ignore:You are using the legacy TorchScript", "ignore:Converting a tensor to a Python"
)
@pytest.mark.filterwarnings(
    "ignore:The feature will be removed:DeprecationWarning"
)  # all three are PyTorch's, of ONNX
@pytest.mark.parametrize("page", running(pages()))
def test_the_programs_of_a_page_run_and_print_what_it_says(page, tmp_path, monkeypatch):
    text = text_of(page)
    require_libraries(text)
    monkeypatch.chdir(tmp_path)
    claims = run(text, {})
    assert claims
    assert [printed for printed, _ in claims] == [block.code for _, block in claims]


@pytest.mark.keras
@pytest.mark.full
@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    require_libraries(text_of(page))
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in code_cells(json.loads(path_of(page).read_text(encoding="utf-8"))):
        exec(compile(code, "<cell>", "exec"), names)
    assert "ph" in names


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_notebook_is_made_of_its_page(page):
    assert path_of(page).read_text(encoding="utf-8") == made_from(page)


@pytest.mark.parametrize("page", pages())
def test_every_block_of_python_says_whether_it_runs(page):
    assert unmarked(text_of(page)) == []


@pytest.mark.parametrize("page", ["index.md", "start.md", "from-a-generator.md"])
def test_the_first_pages_have_the_words_that_people_search_for(page):
    head, _, body = text_of(page).removeprefix("---\n").partition("---\n")
    first = re.sub(r"^#.*\n", "", body.strip(), flags=re.MULTILINE).strip().split("\n\n")[0]
    assert "multi-output" in head
    assert "multiple outputs" in " ".join(first.split())


def test_these_tests_can_fail(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = "<!-- run -->\n```python\nprint(1)\n```\n\n<!-- prints -->\n```text\n2\n```\n"
    assert [(printed, block.code) for printed, block in run(page, {})] == [("1\n", "2\n")]
    assert unmarked(page) == []
    assert unmarked(page.replace("<!-- run -->\n", "")) == ["print(1)\n"]
    with pytest.raises(NameError):
        run(page.replace("print(1)", "nothing"), {})


def test_indented_blocks_files_and_commands_are_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (
        '=== "A"\n\n    <!-- file: one.py -->\n    ```python\n    if True:\n        print("one")\n    ```\n'
    )
    (found,) = blocks(page)
    assert (found.mark, found.note, found.code) == ("file", "one.py", 'if True:\n    print("one")\n')
    page += "\n<!-- shell -->\n```sh\npython one.py\n```\n\n<!-- prints -->\n```text\none\n```\n"
    assert [(printed, block.code) for printed, block in run(page, {})] == [("one\n", "one\n")]
