"""What is odd in the files is said once, in one warning, and nothing is said of clean data."""

import json
import struct
import warnings
import zlib

import pytest

import polyhead as ph


def png(path, width=60, height=40):
    """A header that says the size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    )


def said(work):
    """The one warning of a reader."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        source = work()
    assert [one.category for one in caught] == [ph.PolyheadWarning]
    assert caught[0].filename == __file__
    return str(caught[0].message), source


def coco(folder, boxes, images=2, **more):
    for i in range(images):
        png(folder / f"{i}.png")
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 40, "width": 60} for i in range(images)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": i, "image_id": 0, "category_id": 1, "bbox": box, **more.get(str(i), {})}
            for i, box in enumerate(boxes)
        ],
    }
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


def test_coco(tmp_path):
    boxes = [
        [1, 1, 5, 5],
        [50, 30, 20, 5],
        [70, 5, 5, 5],
        [5, 5, 0, 5],
        [5, 5, -1, 5],
        [2, 2, 30, 30],
        [1, 1, 2, 2],
    ]
    file = coco(tmp_path, boxes, **{"5": {"iscrowd": 1}, "6": {"image_id": 9}})
    words, source = said(lambda: ph.read_coco(file, tmp_path))
    assert words == (
        f"file {file}: annotations without image (1); boxes of negative size left out (1); "
        "empty boxes left out (1); boxes outside left out (1); boxes cut off at the border (1); crowds left out "
        'unless crowds="keep" (1); images without annotation, missing unless unannotated="empty" (1). '
        "print(source.report) shows the details."
    )
    assert "1 annotation without image left out" in str(source.report)


@pytest.mark.parametrize("unannotated", ["missing", "empty"])
def test_who_says_what_images_without_annotation_and_crowds_are_is_not_told_of_them(tmp_path, unannotated):
    file = coco(tmp_path, [[1, 1, 5, 5], [2, 2, 30, 30]], **{"1": {"iscrowd": 1}})
    for crowds in ("skip", "keep"):
        source = ph.read_coco(file, tmp_path, unannotated=unannotated, crowds=crowds)
        assert f"1 {unannotated}" in "\n".join(source.report.notes)


def test_clean_data_warns_of_nothing(tmp_path):
    ph.read_coco(coco(tmp_path, [[1, 1, 5, 5]], images=1), tmp_path, verify=True)
    ph.read_folder(tmp_path, classes=False, verify=True)
    yolo(tmp_path / "yolo", {"a": "0 0.5 0.5 0.1 0.1", "b": ""})
    ph.read_yolo(tmp_path / "yolo", names=["cat"])


def yolo(folder, texts):
    for name, text in texts.items():
        if name != "orphan":
            png(folder / "images" / f"{name}.png")
        (folder / "labels").mkdir(exist_ok=True, parents=True)
        if text is not None:
            (folder / "labels" / f"{name}.txt").write_text(text)


def test_yolo(tmp_path):
    line = "0 0.5 0.5 0.1 0.1"
    yolo(tmp_path, {"a": f"{line}\n{line}", "b": None, "c": "0 1.5 0.5 0.1 0.1", "orphan": line})
    words, _ = said(lambda: ph.read_yolo(tmp_path, names=["cat"]))
    assert words == (
        f"file {tmp_path}: annotations without image (1); duplicate lines (1); boxes "
        'outside left out (1); images without annotation, missing unless unannotated="empty" (1); images '
        "with all annotations left out (1). print(source.report) shows the details."
    )


def test_folder(tmp_path):
    for name in ("images/a.png", "images/b.png", "masks/a.png", "masks/lost.png"):
        png(tmp_path / name)
    png(tmp_path / "masks" / "a.png", width=30)
    words, _ = said(lambda: ph.read_folder(tmp_path, masks="masks", verify=True))
    assert words == (
        f"file {tmp_path}: annotations without image (1); masks of another size than their "
        "image (1). print(source.report) shows the details."
    )


def test_voc(tmp_path):
    png(tmp_path / "JPEGImages" / "a.png")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text(
        "<annotation><filename>a.png</filename><object><name>cat</name><bndbox><xmin>0</xmin><ymin>1</ymin>"
        "<xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    )
    words, _ = said(lambda: ph.read_voc(tmp_path))
    assert words == (
        f"file {tmp_path}: boxes cut off at the border (1); boxes that start at 0 although "
        "one_based=True (1). print(source.report) shows the details."
    )
    ph.read_voc(tmp_path, one_based=False)
