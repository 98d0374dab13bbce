import numpy as np
import pytest

from polyhead import DataError
from polyhead.readers.annotations import (
    Images,
    by_row,
    clip_boxes,
    missing_images,
    number_lists,
    wanted_categories,
)
from polyhead.readers.findings import Findings
from polyhead.readers.paths import Root


def words(report):
    return [str(problem) for problem in report.problems]


def test_findings_are_shown_by_kind_and_counted():
    findings = Findings()
    for i in range(25):
        findings.add("number", f"line {i}", "a number", repr(f"x{i}"), warning=True)
    findings.add("name", "line 3", "a name", "none")
    findings.add_all("box", np.arange(30), lambda i: (f"box {i}", "a box", "none"), warning=True)
    found = words(findings.report())
    assert found[0] == "line 3: expected a name, got none."
    assert found[1:4] == [f"line {i}: expected a number, got 'x{i}'." for i in range(3)]
    assert found[11] == "15 more places: expected a number, got the like (25 in all)."
    assert found[-1] == "20 more places: expected a box, got the like (30 in all)."
    assert len(found) == 1 + 11 + 11
    assert (findings.count("number"), findings.count("box"), findings.count("x")) == (25, 30, 0)


def test_only_mistakes_stop():
    findings = Findings()
    findings.stop()
    findings.add("odd", "here", "this", "that", warning=True)
    findings.stop()
    findings.add("wrong", "there", "this", "that")
    with pytest.raises(DataError) as caught:
        findings.stop()
    assert str(caught.value) == "there: expected this, got that."


@pytest.mark.parametrize("count", [0, 5])
def test_boxes_are_cut_off_at_the_border(count):
    boxes = np.array(
        [[-5, 2, 3, 60], [1, 1, 2, 2], [-0.005, 0, 30, 40], [3, 3, 3 + 1e-9, 4], [np.inf, 0, 1, 1]]
    )
    findings = Findings(None)
    sizes = np.tile([40, 30], (count, 1))
    found, kept = clip_boxes(boxes[:count], sizes, lambda i: f"box {i}", findings)
    assert found.dtype == np.float32
    assert found.shape == (count, 4)
    if not count:
        return
    assert kept.tolist() == [True, True, True, False, False]
    assert found[:3].tolist() == [[0, 2, 3, 40], [1, 1, 2, 2], [0, 0, 30, 40]]
    image = "as xyxy of an image 40 x 30 (height x width)."
    assert words(findings.report()) == [
        f"box 4: expected a box of four finite numbers, got [inf, 0, 1, 1] {image} "
        'Say invalid="drop" to leave such objects out.',
        f"box 3: expected a box with a positive width and height, got [3, 3, 3, 4] {image} "
        'It is left out; say invalid="raise" to make such boxes errors.',
        f"box 0: expected a box within the image, got [-5, 2, 3, 60] {image} It is cut off at the border.",
    ]


def test_words_are_no_numbers():
    findings = Findings()
    rows = [[1, 2], [1, "2"], [1], None, [1, None], [True, 2.5]]
    found, unread = number_lists(rows, 2, lambda i: f"row {i}", "pair", "two numbers", findings)
    np.testing.assert_array_equal(found[[0, 5]], [[1, 2], [1, 2.5]])
    assert np.isnan(found[1:5]).all()
    assert unread.tolist() == [False, True, True, True, True, False]
    assert words(findings.report()) == [
        "row 1: expected two numbers, got [1, '2'].",
        "row 2: expected two numbers, got 1 number.",
        "row 3: expected two numbers, got None.",
        "row 4: expected two numbers, got [1, None].",
    ]
    assert number_lists([], 4, str, "pair", "two numbers", findings)[0].shape == (0, 4)


def test_objects_by_row():
    missing = np.array([False, True, False])
    found = by_row(np.arange(6).reshape(3, 2), np.array([2, 0, 2]), missing)
    assert [None if f is None else f.tolist() for f in found] == [[[2, 3]], None, [[0, 1], [4, 5]]]
    none = by_row(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), missing)
    assert none[0].shape == (0, 4)
    assert none[1] is None


@pytest.mark.parametrize(
    ("unannotated", "missing", "notes"),
    [
        (
            "missing",
            [False, True, True, False, False],
            (
                "1 annotated",
                "2 missing: 1 without annotation, 1 with all annotations left out",
                "2 empty",
            ),
        ),
        (
            "empty",
            [False, True, False, False, False],
            (
                "1 annotated",
                "1 missing: 1 with all annotations left out",
                "3 empty: 1 without annotation",
            ),
        ),
    ],
)
def test_missing_images(unannotated, missing, notes):
    # annotated; spoilt; without annotation; said to be empty; all of other categories
    findings = Findings()
    findings.note("7 crowds")
    found = missing_images(
        findings,
        5,
        annotated=np.array([0, 0, 1, 4, -1]),
        wanted=np.array([0, 0, 1]),
        kept=np.array([0]),
        has_file=np.array([True, True, False, True, True]),
        unannotated=unannotated,
    )
    assert found.tolist() == missing
    assert findings.report().notes == ("5 images", *notes, "7 crowds")


def test_categories_of_a_word_or_several():
    findings = Findings()
    assert wanted_categories("x", ["a", "b"], None, findings).tolist() == [True, True]
    assert wanted_categories("x", ["a", "b"], "b", findings).tolist() == [False, True]
    assert wanted_categories("x", [str(i) for i in range(12)], ["13"], findings).sum() == 0
    assert words(findings.report()) == [
        "x: expected categories of the data (0, 1, 2, 3, 4, 5, 6, 7, … (12 in all)), got '13'. Did you mean `3`?"
    ]


def test_a_source_keeps_its_report():
    findings = Findings()
    findings.note("1 image")
    rows = Images({"boxes": [np.zeros((1, 4))] * 2, "file": ["a", "b"]}, findings.report(), ["cat"])
    assert isinstance(rows.read(np.array([0]))["boxes"], list)
    assert rows.only(["file"]).report.notes == ("1 image",)
    assert Images({"file": ["a"]}).report.ok


def test_names_of_a_folder(tmp_path):
    for name in ("b.JPG", "a/c.png", "a/d.txt", "__MACOSX/a.jpg", ".x/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    root = Root(tmp_path, "folder", Findings())
    assert root.files() == (["a/c.png", "b.JPG"], 1)
    assert root.files((".txt",))[0] == ["a/d.txt"]
    assert root.find("a\\c.png", "here") == str(tmp_path / "a" / "c.png")
    assert root.find("new/x.png", "here") == str(tmp_path / "new" / "x.png")
    assert root.find("", "here") is None
