"""A model that reads a store answers in the coordinates and the names of the photographs that were packed."""

import json
from pathlib import Path

import numpy as np
import pytest
from fixed_model import Fixed

import polyhead as ph
from polyhead.packing import packed_rows

pytestmark = pytest.mark.keras
pytest.importorskip("cv2")
PIL = pytest.importorskip("PIL.Image")
from PIL import ImageOps  # noqa: E402

SIZES = ((90, 120), (120, 80), (50, 64))
SHOWN = (*SIZES[:2], (64, 50))


def blobs(height, width):
    """The probabilities of three classes in each pixel."""
    y, x = np.mgrid[:height, :width] / np.reshape((height, width), (2, 1, 1))
    found = np.stack([0.5 + 0 * x, np.exp(-20 * ((x - 0.4) ** 2 + (y - 0.5) ** 2)), x * y], -1)
    return found / found.sum(-1, keepdims=True)


OUTPUTS = {
    "box": [[0.1, 0.2, 0.5, 0.6], [0.4, 0.5, 0.9, 0.8]],
    "there": [[0.9], [0.7]],
    "kind": [[0.9, 0.1], [0.2, 0.8]],
    "eyes": [[10.0, 12.0], [20.0, 22.0]],
    "mask": blobs(40, 48),
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of photographs, one of which Exif turns, with annotations of COCO, and a feed of it."""
    folder = tmp_path_factory.mktemp("photographs")
    images, annotations = [], []
    for i, (height, width) in enumerate(SIZES):
        picture = PIL.fromarray(np.random.default_rng(i).integers(0, 256, (height, width, 3), dtype=np.uint8))
        tag = picture.getexif()
        tag[274] = 6 if i == 2 else 1
        picture.save(folder / f"{i}.png", exif=tag)
        shown = (width, height) if i == 2 else (height, width)
        images.append({"id": 70 + i, "file_name": f"{i}.png", "height": shown[0], "width": shown[1]})
        annotations += [
            {
                "id": 10 * i + j,
                "image_id": 70 + i,
                "category_id": 1 + j,
                "bbox": [4, 6, 20, 30 + j],
                "iscrowd": 0,
            }
            for j in range(2)
        ]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    found = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "a.json").write_text(json.dumps(found))
    return folder


def rows_of(folder):
    return ph.read_coco(folder / "a.json", images=folder, exif="applied").only(
        ["image", "boxes", "labels", "id"]
    )


HEADS = {
    "box": ph.Boxes(2, column="boxes", format="xyxy", normalized=True, column_normalized=False),
    "there": ph.Binary(each="box", column="boxes"),
    "kind": ph.Categorical(["cat", "dog"], each="box", column="labels"),
}


def trained_on(rows, fit, **options):
    eyes, mask = [[[10, 10], [20, 20]]] * len(rows), [np.zeros(size, np.uint8) for size in SHOWN]
    columns = {name: list(values) for name, values in rows.read(range(len(rows))).items()}
    heads = {**HEADS, "eyes": ph.Keypoints(2), "mask": ph.Mask(3, missing=255)}
    data = {**columns, "eyes": eyes, "mask": mask}
    return ph.Feed(data, inputs={"image": ph.Image(40, 48, fit=fit)}, heads=heads, batch_size=3, **options)


def assert_same(found, expected):
    assert found.columns == expected.columns
    for one, other in zip(found, expected, strict=True):
        assert (one["id"], one["file"]) == (other["id"], other["file"])
        assert one["mask"].shape == other["mask"].shape
        assert (one["mask"] != other["mask"]).mean() < 0.01
        for name in ("box", "eyes"):
            assert np.abs(np.asarray(one[name]) - np.asarray(other[name])).max() < 0.5
        assert list(one["kind"]) == list(other["kind"])


def written(predictions, folder):
    """The files that predictions write, by name."""
    folder.mkdir()
    predictions.write_coco(folder / "boxes.json")
    predictions.write_yolo(folder / "yolo")
    predictions.write_masks(folder / "masks")
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
def test_a_store_is_predicted_as_its_photographs(photographs, tmp_path, fit):
    model, rows = Fixed(OUTPUTS), rows_of(photographs)
    feed = trained_on(rows, fit)
    expected = ph.predict(model, feed)
    assert expected["file"].tolist() == [str(photographs / f"{i}.png") for i in range(3)]
    assert [mask.shape for mask in expected["mask"]] == [(90, 120), (120, 80), (64, 50)]
    store = ph.pack(feed, tmp_path / "s")
    found = ph.predict(model, feed.on(store))
    assert_same(found, expected)
    for data in (tmp_path / "s", store.select(range(3))):
        assert_same(ph.predict(model, data, declaration=feed.declaration), expected)
    ours, theirs = written(found, tmp_path / "ours"), written(expected, tmp_path / "theirs")
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name] == theirs[name] or name.endswith("json")
    boxes = [[one["bbox"] for one in json.loads(all_of["boxes.json"])] for all_of in (ours, theirs)]
    assert np.allclose(*boxes, atol=0.01)


def test_a_reader_packed_as_it_is_and_a_cache(photographs, tmp_path):
    model, rows = Fixed(OUTPUTS), rows_of(photographs)
    feed = trained_on(rows, "contain")
    expected = ph.predict(model, feed)
    cached = trained_on(rows, "contain", cache=tmp_path / "cache")
    for _ in cached.batches():
        pass
    assert_same(ph.predict(model, cached), expected)
    plain = ph.predict(model, ph.pack(rows, tmp_path / "s"), declaration=feed.declaration)
    assert plain["id"].tolist() == [70, 71, 72]
    for one, other in zip(plain, expected, strict=True):
        assert one["file"] == other["file"]
        assert np.array_equal(one["box"], other["box"])


def test_deep_images_of_a_store(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (60, 90), dtype=np.uint16)
    PIL.fromarray(deep).save(tmp_path / "a.png")
    feed = ph.Feed(
        {"image": [str(tmp_path / "a.png")], "eyes": [[[10, 10], [20, 20]]]},
        inputs={"image": ph.Image(40, 48, 1)},
        heads={"eyes": ph.Keypoints(2)},
    )
    model, store = Fixed({"eyes": OUTPUTS["eyes"]}), ph.pack(feed, tmp_path / "s")
    assert store.column("image").dtype == np.float32
    found, expected = ph.predict(model, feed.on(store)), ph.predict(model, feed)
    assert found["file"].tolist() == expected["file"].tolist() == [str(tmp_path / "a.png")]
    assert np.allclose(found["eyes"][0], np.array(OUTPUTS["eyes"]) * [90 / 48, 60 / 40])
    assert np.allclose(found["eyes"][0], expected["eyes"][0])


def test_a_store_of_the_version_before_says_what_it_lacks(photographs, tmp_path, monkeypatch):
    feed, folder = trained_on(rows_of(photographs), "stretch"), tmp_path / "s"
    monkeypatch.setattr(packed_rows, "origin_specs", lambda *_: [])
    ph.pack(feed, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "polyhead_store": 2}))
    with pytest.warns(ph.PolyheadWarning) as caught:
        found = ph.predict(Fixed(OUTPUTS), folder, declaration=feed.declaration)
    told = [one for one in caught if issubclass(one.category, ph.PolyheadWarning)]
    assert [str(one.message) for one in told] == [
        f"store {folder}: it has images that an older version packed, without their files and their sizes. Boxes, "
        "points and masks of these are in pixels of the images as they are stored. To have those of the originals, "
        "pack the data again, into a new folder."
    ]
    assert told[0].filename == str(Path(__file__))
    assert "file" not in found.columns
    assert found["mask"][0].shape == (40, 48)
    monkeypatch.undo()
    both = ph.pack(feed, tmp_path / "t").concat(ph.open_store(folder))
    with pytest.warns(ph.PolyheadWarning, match="it has images that an older version packed"):
        ph.predict(Fixed(OUTPUTS), both, declaration=feed.declaration)


@pytest.mark.once
def test_a_preview_lays_them_on_the_images_of_the_store(photographs, tmp_path):
    feed = trained_on(rows_of(photographs), "contain")
    on_store, model, seen = feed.on(ph.pack(feed, tmp_path / "s")), Fixed(OUTPUTS), []
    for one in (feed, on_store):
        preview = one.preview(predictions=ph.predict(model, one), n=3)
        seen.append({sample.row: sample.guess.labels for sample in preview.samples})
    for row, labels in seen[0].items():
        for name in ("box", "eyes"):
            assert np.abs(labels[name].value - seen[1][row][name].value).max() < 0.01
            assert np.array_equal(labels[name].valid, seen[1][row][name].valid)
        assert (labels["mask"].value != seen[1][row]["mask"].value).mean() < 0.01
    assert np.allclose(seen[1][0]["box"].value, ph.predict(model, feed)["box"][0], atol=1e-3)


@pytest.mark.once
def test_thin_boxes_are_left_out_in_every_format(tmp_path):
    PIL.new("RGB", (96, 80)).save(tmp_path / "a.png")
    rows = {"image": [str(tmp_path / "a.png")], "box": [[[20, 20, 60, 50], [25, 10, 40, 40]]]}
    outputs = {"box": [[0.4, 0.5, 0.6, 0.7], [0.3, 0.3, 0.3, 0.9]]}
    unit = {"normalized": True, "column_normalized": False}
    for form in ("xyxy", "xywh", "cxcywh", "yxyx"):
        heads = {"box": ph.Boxes(2, format=form, **unit)}
        feed = ph.Feed({**rows, "box": [[]]}, inputs={"image": ph.Image(40, 48)}, heads=heads)
        (one,) = feed.preview(predictions=ph.predict(Fixed(outputs), feed), n=1).samples
        assert one.guess.labels["box"].valid.tolist() == [True, False], form


@pytest.mark.once
def test_pictures_of_an_evaluation_are_the_photographs(photographs, tmp_path):
    feed = trained_on(rows_of(photographs), "contain")
    feed = feed.on(feed.source, heads={**HEADS, "eyes": ph.Keypoints(2)})
    model = Fixed({name: OUTPUTS[name] for name in feed.heads})
    expected = ph.predict(model, feed)
    for one in (feed, feed.on(ph.pack(feed, tmp_path / "s"))):
        evaluation = ph.evaluate(model, one, intervals=None)
        for row, (labeled, predicted) in enumerate(evaluation._rows.samples([0, 1, 2])):
            assert labeled.file == f"{row}.png"
            size = SHOWN[row]
            assert labeled.sizes == predicted.sizes == {"image": size}
            assert labeled.inputs["image"].shape == (*size, 3)
            with PIL.open(photographs / f"{row}.png") as photograph:
                true = np.asarray(ImageOps.exif_transpose(photograph))
            assert one is not feed or np.array_equal(labeled.inputs["image"], true)
            assert np.allclose(labeled.labels["box"].value[0], [4, 6, 24, 36], atol=0.01)
            within = np.clip(predicted.labels["box"].value, 0, [*size[::-1], *size[::-1]])
            assert np.allclose(within, expected["box"][row], atol=0.01)
            assert np.allclose(predicted.labels["eyes"].value, expected["eyes"][row], atol=0.01)
        page = evaluation.save(tmp_path / "report.html", worst=3).read_text(encoding="utf-8")
        assert f"--a:{120 / 90:.5g}" in page
        assert f"--a:{50 / 64:.5g}" in page
