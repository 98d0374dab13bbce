"""Real images and annotations, where they lie beside the project."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph
from polyhead import DataError
from polyhead.readers.coco import read_coco
from polyhead.readers.folders import read_folder
from polyhead.readers.yolo import read_yolo

DATA = Path(__file__).parents[3] / "shared" / "data" / "coco128"
pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason="coco128 is not beside the project, in ../shared/data"),
    pytest.mark.filterwarnings(
        r"ignore:.*print\(source.report\):polyhead.PolyheadWarning"
    ),  # see test_odd.py
]
IMAGES = "images/train2017"
PNGS = "semantic_segmentation/masks/train2017"


def column(source, name):
    return source.read(np.arange(len(source)))[name]


def yolo(kind, root=DATA, **options):
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    labels = root / kind / "labels" / "train2017"
    return read_yolo(root / kind / "config.yaml", images=root / IMAGES, labels=labels, **options)


def panoptic(root=DATA, **options):
    file = root / "panoptic_segmentation" / "annotations" / "panoptic_train2017.json"
    return read_coco(file, root / IMAGES, **options)


def pixels(path):
    return np.asarray(pytest.importorskip("PIL.Image").open(path))


def test_boxes():
    rows = yolo("object_detection")
    assert rows.report.notes == (
        "128 images",
        "126 annotated",
        "2 missing: 2 without annotation",
        "0 empty",
        "2 label files without image",
        "929 boxes of 71 categories",
    )
    assert [(p.code, Path(p.place.split()[-1]).name) for p in rows.report.problems] == [
        ("no-image", "000000000656.txt"),
        ("no-image", "000000000659.txt"),
    ]
    assert len(rows.categories) == 80
    for box, size in zip(column(rows, "boxes"), column(rows, "size"), strict=True):
        if box is not None:
            assert (box >= 0).all()
            assert (box[:, 2:] <= size[::-1]).all()
            assert (box[:, 2:] > box[:, :2]).all()


def test_heads_take_the_columns():
    rows = yolo("object_detection")
    most = max(len(boxes) for boxes in column(rows, "boxes") if boxes is not None)
    heads = {"boxes": ph.Boxes(most), "categories": ph.MultiLabel(rows.categories)}
    _, labels, weights = ph.Feed(rows, inputs={"size": ph.Array()}, heads=heads, batch_size=128).peek()
    assert weights["boxes"].sum() == 929
    assert labels["categories"].shape == (128, 80)
    assert (weights["categories"] == 0).sum() == 2


def test_sizes_are_those_of_the_images():
    image = pytest.importorskip("PIL.Image")
    rows = yolo("object_detection")
    for path, size in zip(column(rows, "image"), column(rows, "size").tolist(), strict=True):
        with image.open(path) as file:
            assert file.size == tuple(size)[::-1]


def test_polygons_and_boxes_agree():
    boxes, polygons = yolo("object_detection"), yolo("instance_segmentation")
    assert column(boxes, "file") == column(polygons, "file")
    assert polygons.report.notes[:4] == (
        "128 images",
        "98 annotated",
        "28 missing: 28 without annotation",
        "2 empty",
    )
    near = []
    for ours, theirs, labels, names in zip(
        column(boxes, "boxes"),
        column(polygons, "boxes"),
        column(boxes, "labels"),
        column(polygons, "labels"),
        strict=True,
    ):
        for box, name in zip([] if theirs is None else theirs, names or [], strict=True):
            same = np.array([n == name for n in labels or []], bool)
            if same.any():
                near.append(np.abs(ours[same] - box).max(axis=1).min())
    assert len(near) > 700
    assert np.median(near) < 3
    for masks, theirs in zip(column(polygons, "masks"), column(polygons, "boxes"), strict=True):
        for mask, box in zip(masks or [], [] if theirs is None else theirs, strict=True):
            drawn = mask.to_mask()
            assert drawn.sum() <= (np.ceil(box[2:]) - np.floor(box[:2])).prod()


def test_masks():
    rows = read_folder(DATA, images=IMAGES, masks=PNGS, verify=True)
    assert [name is None for name in column(rows, "mask")].count(True) == 28
    assert rows.report.notes == ("128 images", f"100 masks in {DATA / PNGS}, 28 missing")
    assert not rows.report.problems
    train, val = rows.split((0.75, 0.25), stratify="mask")
    assert [sum(m is None for m in column(part, "mask")) for part in (train, val)] == [21, 7]


def test_panoptic_gives_the_masks():
    segments, masks = panoptic(verify=True), read_folder(DATA, images=IMAGES, masks=PNGS)
    assert len(segments) == 100
    assert segments.report.notes[:3] == ("100 images", "98 annotated", "0 missing")
    assert not segments.report.problems
    path_of = dict(zip(column(masks, "file"), column(masks, "mask"), strict=True))
    for name, found in list(zip(column(segments, "file"), column(segments, "panoptic"), strict=True))[:25]:
        drawn = found.to_mask(pixels(found.path))
        assert np.array_equal(np.where(drawn < 0, 0, drawn), pixels(path_of[name]))


@pytest.fixture
def broken(tmp_path):
    """A copy with ten broken files."""
    root = tmp_path / "coco128"
    shutil.copytree(DATA, root, copy_function=shutil.copyfile)
    for folder in [root, *(p for p in root.rglob("*") if p.is_dir())]:
        folder.chmod(0o755)
    texts = {
        "four.txt": "0 0.5 0.5 0.5",
        "six.txt": "0 0.5 0.5 0.5 0.5 0.9",
        "word.txt": "0 0.5 half 0.5 0.5",
        "nan.txt": "0 0.5 nan 0.5 0.5",
        "class.txt": "80 0.5 0.5 0.5 0.5",
        "pixels.txt": "0 320 240 100 100",
        "binary.txt": None,
    }
    good = (root / IMAGES / "000000000009.jpg").read_bytes()
    for name, text in texts.items():
        (root / IMAGES / name).with_suffix(".jpg").write_bytes(good)
        label = root / "object_detection" / "labels" / "train2017" / name
        label.write_bytes(b"\xff\xfe\x00" if text is None else text.encode())
    (root / IMAGES / "empty.jpg").write_bytes(b"")
    (root / IMAGES / "page.jpg").write_bytes(b"<html></html>")
    (root / IMAGES / "cut.jpg").write_bytes(good[:100])
    return root, [*texts, "empty.jpg", "page.jpg", "cut.jpg"]


def test_ten_broken_files_are_found_and_named(broken):
    root, names = broken
    with pytest.raises(DataError) as caught:
        yolo("object_detection", root)
    assert len(caught.value.problems) == 10
    for name in names:
        assert sum(f"{name}" in problem.place for problem in caught.value.problems) == 1, name
    with pytest.raises(DataError) as caught:
        read_folder(root, images=IMAGES, masks=PNGS, verify=True)
    assert sorted(Path(p.place.removeprefix("file ")).name for p in caught.value.problems) == sorted(
        names[-3:]
    )


def test_broken_files_of_the_panoptic_annotation_are_found_and_named(broken):
    root, _ = broken
    pngs = root / "panoptic_segmentation" / "annotations" / "panoptic_train2017"
    (pngs / "000000000009.png").write_bytes(b"")
    (pngs / "000000000025.png").unlink()
    (root / IMAGES / "000000000030.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError) as caught:
        panoptic(root, verify=True)
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    for name in ("000000000009.png", "000000000025.png", "000000000030.jpg"):
        assert name in text
