"""Images that were resized after they were annotated: all that lies in them goes along, or the reader refuses."""

import json

import numpy as np
import pytest

import polyhead as ph

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
pytest.importorskip("cv2", reason="OpenCV is not installed")
pytestmark = pytest.mark.filterwarnings(r"ignore:.*print\(source.report\):polyhead.PolyheadWarning")

HIGH, WIDE = 48, 64
X, Y, X1, Y1 = 8, 12, 24, 20
POLYGON = [[X, Y, X1, Y, X1, Y1, X, Y1]]
MASK = np.zeros((HIGH, WIDE), np.uint8)
MASK[Y:Y1, X:X1] = 1


def counts(mask):
    """COCO's run lengths, down the columns."""
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat, prepend=0))
    return np.diff(edges, prepend=0, append=len(flat)).tolist()


def picture(path, size):
    pixels = np.repeat(MASK[..., None] * 255, 3, axis=2)
    PIL.fromarray(pixels).resize(size[::-1], PIL.NEAREST).save(path)


def coco(folder, size, **more):
    picture(folder / "a.png", size)
    note = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [X, Y, X1 - X, Y1 - Y], **more}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": HIGH, "width": WIDE}],
        "categories": [{"id": 1, "name": "cat", "keypoints": ["left", "right"]}],
        "annotations": [note],
    }
    (folder / "a.json").write_text(json.dumps(content))
    return ph.read_coco(folder / "a.json", folder)


def row(source):
    return {name: values[0] for name, values in source.read([0]).items()}


MASKS = {
    "polygon": {"segmentation": POLYGON},
    "runs": {"segmentation": {"size": [HIGH, WIDE], "counts": counts(MASK)}},
}


@pytest.mark.parametrize("scale", [0.25, 0.5, 2])
@pytest.mark.parametrize("mask", MASKS)
def test_coco_s_boxes_masks_keypoints_and_areas_go_along(tmp_path, mask, scale):
    size = (round(HIGH * scale), round(WIDE * scale))
    points = [X, Y, 2, X1, Y1, 1]
    rows = coco(tmp_path, size, **MASKS[mask], keypoints=points, area=128)
    found = row(rows)
    box = np.array([X, Y, X1, Y1]) * scale
    assert found["size"].tolist() == list(size)
    assert found["boxes"][0].tolist() == box.tolist()
    assert found["area"].tolist() == [128 * scale**2]
    assert found["keypoints"][0].tolist() == [[*box[:2], 2], [*box[2:], 1]]
    drawn = found["masks"][0].to_mask()
    assert drawn.shape == size
    inside = np.zeros(size, np.uint8)
    left, top, right, bottom = box.astype(int)
    inside[top:bottom, left:right] = 1
    np.testing.assert_array_equal(drawn, inside)
    heads = {"boxes": ph.Boxes(1), "masks": ph.Mask(each="boxes")}
    feed = ph.Feed(rows, inputs={"image": ph.Image(*size)}, heads=heads, batch_size=1)
    x, y, *_ = feed.peek()
    np.testing.assert_allclose(y["boxes"][0, 0], box)
    np.testing.assert_array_equal(y["masks"][0, 0, ..., 0], x["image"][0, ..., 0])
    assert [str(p) for p in rows.report.warnings] == [
        f"file {tmp_path / 'a.png'}: expected the size (height x width) in the annotation, got {size[0]} x "
        f"{size[1]} in the image, {HIGH} x {WIDE} in the annotation. Its annotations are scaled accordingly."
    ]


def voc(folder, size):
    for name in ("JPEGImages", "Annotations"):
        (folder / name).mkdir(exist_ok=True)
    picture(folder / "JPEGImages" / "a.png", size)
    edges = zip(("xmin", "ymin", "xmax", "ymax"), (X + 1, Y + 1, X1, Y1), strict=True)
    box = "".join(f"<{name}>{value}</{name}>" for name, value in edges)
    (folder / "Annotations" / "a.xml").write_text(
        f"<annotation><filename>a.png</filename><size><width>{WIDE}</width><height>{HIGH}</height></size>"
        f"<object><name>cat</name><bndbox>{box}</bndbox></object></annotation>"
    )
    return ph.read_voc(folder)


def test_voc_s_boxes_go_along(tmp_path):
    found = row(voc(tmp_path, (HIGH // 2, WIDE // 2)))
    assert found["boxes"].tolist() == [[X / 2, Y / 2, X1 / 2, Y1 / 2]]
    assert found["size"].tolist() == [HIGH // 2, WIDE // 2]


def test_a_size_that_is_rounded_is_in_proportion(tmp_path):
    found = row(coco(tmp_path, (17, 22)))  # 48 x 64 to a third
    np.testing.assert_allclose(found["boxes"][0], [X * 22 / 64, Y * 17 / 48, X1 * 22 / 64, Y1 * 17 / 48])


@pytest.mark.parametrize("reader", [coco, voc])
def test_an_image_of_other_proportions_is_refused(tmp_path, reader):
    with pytest.raises(ph.DataError) as caught:
        reader(tmp_path, (32, 32))
    path = tmp_path / "a.png" if reader is coco else tmp_path / "JPEGImages" / "a.png"
    assert str(caught.value) == (
        f"file {path}: expected the size (height x width) in the annotation, got 32 x 32 in the image, 48 x 64 "
        "in the annotation. It was cropped or stretched after annotation, so the positions of its objects are "
        'unknown. Say missing_files="drop" to leave such images out.'
    )
    assert caught.value.problems[0].code == "size"


def test_panoptic_boxes_go_along_and_its_png_keeps_its_size(tmp_path):
    picture(tmp_path / "a.png", (HIGH // 2, WIDE // 2))
    colors = np.zeros((HIGH, WIDE, 3), np.uint8)
    colors[..., 0] = MASK + 1
    (tmp_path / "p").mkdir()
    PIL.fromarray(colors).save(tmp_path / "p" / "a.png")
    segments = [
        {"id": 2, "category_id": 7, "bbox": [X, Y, X1 - X, Y1 - Y], "iscrowd": 0},
        {"id": 1, "category_id": 3},
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": HIGH, "width": WIDE}],
        "categories": [{"id": 7, "name": "cat", "isthing": 1}, {"id": 3, "name": "sky", "isthing": 0}],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": segments}],
    }
    (tmp_path / "p.json").write_text(json.dumps(content))
    rows = ph.read_coco(tmp_path / "p.json", tmp_path)
    heads = {
        "panoptic": ph.Mask(),
        "boxes": ph.Boxes(1),
        "masks": ph.Mask(each="boxes"),
    }
    feed = ph.Feed(rows, inputs={"image": ph.Image(HIGH // 2, WIDE // 2)}, heads=heads, batch_size=1)
    assert feed.heads["panoptic"].names == ("cat", "sky")  # the order of the file, not that of its ids
    x, y, *_ = feed.peek()
    np.testing.assert_array_equal(y["panoptic"][0] == 0, x["image"][0, ..., 0] == 1)
    np.testing.assert_array_equal(y["masks"][0, 0, ..., 0], x["image"][0, ..., 0])
    assert y["boxes"][0, 0].tolist() == [X / 2, Y / 2, X1 / 2, Y1 / 2]
