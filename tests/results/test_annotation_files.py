"""Predictions written in the formats of vision data, and read back by their readers."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from test_predict import Fixed, picture_feed

import polyhead as ph
from polyhead.results.annotation_files import file_names

pytest.importorskip("cv2")

BOXES = [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0.1, 0.1, 0.2, 0.2]]
KINDS = [[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]]


@pytest.fixture
def predictions(tmp_path):
    feed = picture_feed(tmp_path, 3)
    return ph.predict(Fixed({"box": BOXES, "there": [[0.8], [0.6], [0.3]], "kind": KINDS}), feed)


def test_coco_results(predictions, tmp_path):
    predictions.write_coco(tmp_path / "r.json", category_ids={"cat": 17, "dog": 18})
    found = json.loads((tmp_path / "r.json").read_text())
    assert found[:2] == [
        {"image_id": 0, "category_id": 17, "bbox": [0.0, 0.0, 40.0, 20.0], "score": 0.8},
        {"image_id": 0, "category_id": 18, "bbox": [40.0, 20.0, 40.0, 20.0], "score": 0.6},
    ]
    assert [one["image_id"] for one in found] == [0, 0, 1, 1]
    ids = {"cat": np.int64(17), "dog": np.uint8(18)}
    predictions.write_coco(tmp_path / "n.json", category_ids=ids)
    assert json.loads((tmp_path / "n.json").read_text()) == found
    with pytest.raises(ph.ContractError) as error:
        predictions.write_coco(tmp_path / "r.json", category_ids={"cat": 17, "dog": "eighteen"})
    assert str(error.value) == "write_coco(category_ids=): expected integers, got 'eighteen'."
    with pytest.raises(ph.ContractError) as error:
        predictions.write_coco(tmp_path / "r.json", category_ids={"cat": 17})
    assert str(error.value) == (
        "write_coco(category_ids=): expected an id of each class, ['cat', 'dog'], got none of 'dog'."
    )


def test_close_scores_keep_their_order_in_coco_results(tmp_path):
    feed = picture_feed(tmp_path, 2)
    scores = np.float32([[0.9999998], [0.9999999]])
    found = ph.predict(Fixed({"box": BOXES[:2], "there": scores, "kind": KINDS[:2]}), feed)
    found.write_coco(tmp_path / "r.json")
    written = [one["score"] for one in json.loads((tmp_path / "r.json").read_text())][:2]
    assert np.float32(written).tolist() == scores.ravel().tolist()


def test_yolo_labels_are_read_back(predictions, tmp_path):
    pytest.importorskip("yaml")
    predictions.write_yolo(tmp_path / "labels")
    lines = (tmp_path / "labels" / "0.txt").read_text().splitlines()
    assert lines == [
        "0 0.250000 0.250000 0.500000 0.500000 0.800000",
        "1 0.750000 0.750000 0.500000 0.500000 0.600000",
    ]
    for file in (tmp_path / "labels").iterdir():  # training labels have no score
        kept = [line.rsplit(" ", 1)[0] for line in file.read_text().splitlines()]
        file.write_text("\n".join(kept))
    rows = ph.read_yolo(tmp_path, images=tmp_path, labels=tmp_path / "labels", names=["cat", "dog"])
    assert np.allclose(rows.read(np.array([1]))["boxes"][0], [[0, 0, 20, 20], [20, 20, 40, 40]], atol=1e-3)


def test_masks_are_read_back(tmp_path):
    from PIL import Image

    names = ["sky", "sea", "land"]
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(2):
        Image.new("RGB", (80, 40)).save(folder / f"{number}.png")
    mask = np.zeros((40, 80), np.uint8)
    paths = [str(folder / f"{n}.png") for n in range(2)]
    data = {"image": paths, "mask": [mask] * 2, "both": [np.stack([mask] * 2, -1)] * 2}
    heads = {"mask": ph.Mask(names), "both": ph.Mask(["a", "b"], multi=True)}
    feed = ph.Feed(data, inputs={"image": ph.Image(20, 20)}, heads=heads)
    ids = np.zeros((20, 20), int)
    ids[:, 10:], ids[10:, 10:] = 1, 2
    found = ph.predict(Fixed({"mask": np.eye(3)[ids], "both": np.stack([ids == 1, ids > 0], -1)}), feed)
    found.write_masks(tmp_path / "masks", head="mask")
    back = ph.read_folder(folder, masks=tmp_path / "masks").read(np.array([1]))["mask"][0]
    assert np.array_equal(np.asarray(Image.open(back)), found["mask"][1])
    found.write_masks(tmp_path / "several", head="both")
    assert sorted(path.name for path in (tmp_path / "several").iterdir()) == [
        *("0_a.png", "0_b.png", "1_a.png", "1_b.png"),
    ]
    with pytest.raises(ph.ContractError) as error:
        found.write_masks(tmp_path / "no")
    assert (
        str(error.value)
        == "write_masks(head=): expected a head of masks (mask, both), got none. Name one of them."
    )


def test_images_of_one_name_in_several_folders_are_read_back(tmp_path):
    from PIL import Image

    pytest.importorskip("yaml")
    names = ["m/a.png", "n/a.JPG", "n/a_2.png", "n/größe.png"]
    turned = Image.Exif()
    turned[274] = 6
    for number, name in enumerate(names):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        exif = turned if name.endswith("JPG") else None
        Image.new("RGB", (8 + number, 4)).save(tmp_path / "images" / name, exif=exif)
    files = [str(tmp_path / "images" / name) for name in names]
    heads = {"box": ph.Boxes(1, normalized=True, column_normalized=False), "mask": ph.Mask(size=(4, 4))}
    data = {"image": files, "box": [[0, 0, 1, 1]] * 4, "mask": [np.zeros((4, 4), np.uint8)] * 4}
    feed = ph.Feed(data, inputs={"image": ph.Image(4, 4)}, heads=heads)
    found = ph.predict(Fixed({"box": [[0, 0.5, 0.5, 1]], "mask": np.eye(4)[..., None]}), feed)
    found.write_yolo(tmp_path / "labels")
    found.write_masks(tmp_path / "masks")
    for label in (tmp_path / "labels").rglob("*.txt"):
        label.write_text(label.read_text().rsplit(" ", 1)[0])
    rows = ph.read_yolo(tmp_path, images=tmp_path / "images", labels=tmp_path / "labels", names=["it"])
    assert list(rows.read(range(4))["file"]) == names
    assert np.allclose(np.concatenate(rows.read(range(4))["boxes"]), np.stack(found["box"]), atol=1e-3)
    masks = ph.read_folder(tmp_path / "images", masks=tmp_path / "masks").read(range(4))["mask"]
    assert [np.asarray(Image.open(mask)).shape for mask in masks] == [(4, 8), (9, 4), (4, 10), (4, 11)]
    assert all(
        np.array_equal(np.asarray(Image.open(a)), b) for a, b in zip(masks, found["mask"], strict=True)
    )
    again = ph.predict(
        Fixed({"box": [[0, 0.5, 0.5, 1]], "mask": np.eye(4)[..., None]}),
        feed.on(
            data | {"image": [files[0], files[2], files[0]], "box": data["box"][:3], "mask": data["mask"][:3]}
        ),
    )
    again.write_masks(tmp_path / "twice")
    assert sorted(path.name for path in (tmp_path / "twice").iterdir()) == ["a.png", "a_2.png", "a_3.png"]


def test_heads_called_id_and_file_leave_the_names_of_files(tmp_path):
    heads = {"id": ph.Mask(["sky/sea", "land"], multi=True), "file": ph.Boxes(1)}
    data = {
        "image": np.zeros((2, 8, 8, 3), np.uint8),
        "id": np.zeros((2, 8, 8, 2), np.uint8),
        "file": [[0, 0, 1, 1]] * 2,
    }
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads=heads)
    found = ph.predict(Fixed({"id": np.ones((8, 8, 2)), "file": [[0, 0, 1, 1]]}), feed)
    found.write_masks(tmp_path / "masks")
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == [
        *("0_land.png", "0_sky_sea.png", "1_land.png", "1_sky_sea.png"),
    ]
    with pytest.raises(ph.DataError, match="expected rows with image files, got images in memory"):
        found.write_yolo(tmp_path / "labels")


def test_ids_of_the_data_are_kept(tmp_path):
    feed = picture_feed(tmp_path, 1)
    model = Fixed({"box": [BOXES[0]], "there": [[0.8]], "kind": [KINDS[0]]})
    paths = [str(tmp_path / f"{n}.png") for n in range(2)]
    found = ph.predict(model, {"image": paths, "id": ["a7", "a9"]}, declaration=feed.declaration)
    assert found["id"].tolist() == ["a7", "a9"]
    found.write_coco(tmp_path / "r.json")
    assert [one["image_id"] for one in json.loads((tmp_path / "r.json").read_text())] == ["a7", "a9"]


def test_the_only_box_of_a_row_is_as_sure_as_the_class_of_the_row(tmp_path):
    images = np.zeros((2, 8, 8, 3), np.uint8)
    heads = {"box": ph.Boxes(1), "kind": ph.Categorical(["cat", "dog"])}
    data = {"image": images, "box": [[1.0, 1, 4, 4]] * 2, "kind": ["cat", "dog"]}
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads=heads)
    found = ph.predict(Fixed({"box": [[1, 1, 4, 4]], "kind": [0.25, 0.75]}), feed)
    found.write_coco(tmp_path / "r.json")
    written = json.loads((tmp_path / "r.json").read_text())
    assert [(one["category_id"], one["score"]) for one in written] == [(2, 0.75)] * 2


def test_csv(predictions, tmp_path):
    predictions.write_csv(tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0].startswith("id,file,box,box_score,there")
    assert '"[""cat"", ""dog""]"' in lines[1]
    assert len(lines) == 3


def test_missing_values_are_empty_cells_of_a_csv_file(tmp_path):
    x = keras.Input((2,), name="x")
    columns = {"x": np.zeros((2, 2)), "seen": [np.nan, 3.5], "word": [None, "a"]}
    feed = ph.Feed({**columns, "y": [0.0, 1]}, inputs="x", heads={"y": ph.Regression()})
    model = keras.Model(x, keras.layers.Dense(1, name="y")(x))
    found = ph.predict(model, columns, declaration=feed.declaration, keep=np.array(["seen", "word"]))
    found.write_csv(tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert [line.rpartition(",")[0] for line in lines] == ["id,seen,word", "0,,", "1,3.5,a"]


def test_what_has_no_boxes_says_so():
    x = keras.Input((2,), name="x")
    feed = ph.Feed({"x": np.zeros((3, 2)), "y": [0.0, 1, 2]}, inputs="x", heads={"y": ph.Regression()})
    found = ph.predict(keras.Model(x, keras.layers.Dense(1, name="y")(x)), feed)
    with pytest.raises(ph.ContractError) as error:
        found.write_coco(Path("r.json"))
    every = "write_parquet(path) and write_csv(path) write predictions of every kind."
    assert str(error.value) == f"write_coco(): expected a head of boxes, got none. {every}"


def test_ids_name_files_inside_the_folder(tmp_path):
    feed = ph.Feed(
        {"image": np.zeros((3, 8, 8, 3), np.uint8), "mask": np.zeros((3, 8, 8), np.uint8)},
        inputs={"image": ph.Image()},
        heads={"mask": ph.Mask()},
    )
    data = {"image": np.zeros((3, 8, 8, 3), np.uint8), "id": ["../a", "b/c", "/d"]}
    found = ph.predict(Fixed({"mask": np.ones((8, 8, 1))}), data, declaration=feed.declaration)
    found.write_masks(tmp_path / "masks")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == [
        *("masks/_a.png", "masks/_d.png", "masks/b_c.png"),
    ]


def test_each_mask_has_a_file_of_its_own(tmp_path):
    """Names of images and classes that would meet in one file get numbers."""
    names = ["road/lane", "road lane", "b"]
    heads = {"mask": ph.Mask(names, multi=True)}
    data = {"image": np.zeros((4, 8, 8, 3), np.uint8), "mask": np.zeros((4, 8, 8, 3), np.uint8)}
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads=heads)
    rows = {"image": data["image"], "id": ["a", "b/c", "b_c", "b_c_2"]}
    found = ph.predict(Fixed({"mask": np.ones((8, 8, 3))}), rows, declaration=feed.declaration)
    found.write_masks(tmp_path)
    stems = ["a", "b_c", "b_c_2", "b_c_2_2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{stem}_{kind}.png" for stem in stems for kind in ("road_lane", "road_lane_2", "b")
    )


class Bright(keras.Model):
    """Finds two objects in a bright image, and none in a dark one."""

    def call(self, image):
        bright = keras.ops.mean(image, axis=(1, 2, 3))[:, None, None]
        boxes = keras.ops.convert_to_tensor([[[0.0, 0, 4, 4], [2, 2, 8, 8]]])
        points = keras.ops.convert_to_tensor([[[[1.0, 1], [2, 2], [3, 3]]] * 2])
        masks = keras.ops.ones((1, 2, 8, 8, 1))
        return {
            "box": boxes + 0 * bright,
            "there": keras.ops.convert_to_tensor([[[0.9], [0.8]]]) * bright,
            "joints": points + 0 * bright[..., None],
            "part": masks + 0 * bright[..., None, None],
        }


def test_an_image_without_objects_has_empty_arrays_and_no_mask_files(tmp_path):
    heads = {
        "box": ph.Boxes(2),
        "there": ph.Binary(each="box", column="box"),
        "joints": ph.Keypoints(3, each="box"),
        "part": ph.Mask(each="box", size=(8, 8)),
    }
    data = {
        "image": np.repeat(np.array([255, 0], np.uint8), 8 * 8 * 3).reshape(2, 8, 8, 3),
        "box": [[[0.0, 0, 4, 4]], []],
        "joints": [[[[1.0, 1], [2, 2], [3, 3]]], []],
        "part": [[np.ones((8, 8), np.uint8)], []],
    }
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads=heads)
    found = ph.predict(Bright(), feed)
    for rows in (found, [{name: found[name][i] for name in found.columns} for i in range(2)]):
        shapes = [[row[name].shape for name in ("box", "box_score", "joints", "there")] for row in rows]
        assert shapes == [[(2, 4), (2,), (2, 3, 2), (2,)], [(0, 4), (0,), (0, 3, 2), (0,)]]
        assert [row["there"].dtype for row in rows] == [bool, bool]
    found.write_masks(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0_0.png", "0_1.png"]


@pytest.mark.once
def test_images_that_differ_in_a_leading_dot_have_different_names():
    assert file_names(["x/.a.png", "x/a.png", "x/a.jpg"], range(3)) == ["a.png", "a.png_2", "a.jpg"]


@pytest.mark.parametrize("exif", ["applied", "ignored"])
def test_yolo_labels_are_shares_of_the_sides_that_labels_see(exif, tmp_path):
    from PIL import Image

    picture = Image.new("RGB", (60, 40))
    tag = picture.getexif()
    tag[274] = 6
    picture.save(tmp_path / "a.jpg", exif=tag)
    data = {"image": [str(tmp_path / "a.jpg")], "box": [[[6.0, 4, 36, 24]]]}
    feed = ph.Feed(data, inputs={"image": ph.Image(30, 20, exif=exif)}, heads={"box": ph.Boxes(1)})
    batch = next(feed.batches())
    found = ph.predict(Fixed({"box": batch.labels["box"][0]}), feed)
    assert np.allclose(found["box"][0], [6, 4, 36, 24], atol=1e-3)
    found.write_yolo(tmp_path / "labels")
    numbers = [float(one) for one in (tmp_path / "labels" / "a.txt").read_text().split()]
    sides = (60, 40) if exif == "ignored" else (40, 60)
    assert numbers[1:5] == pytest.approx(
        [21 / sides[0], 14 / sides[1], 30 / sides[0], 20 / sides[1]], abs=1e-4
    )
