"""Pages of predictions and evaluations show the photographs, with masks, maps, boxes and points in their place."""

import re

import keras
import numpy as np
import pytest

import polyhead as ph
from scenes import scene

pytest.importorskip("cv2")
PIL = pytest.importorskip("PIL.Image")
pytestmark = pytest.mark.once

SIZES = ((90, 120), (120, 80))
GRID = (40, 48)


def saved(folder, name, size, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    PIL.fromarray(pixels).save(folder / f"{name}.png")
    return str(folder / f"{name}.png"), pixels


def feed_of(folder, fit, **more):
    """Rows of photographs with heads of all layers."""
    rows = []
    for i, size in enumerate(SIZES):
        _, mask, boxes, points = scene(*size)
        rows.append(
            {
                "image": saved(folder, f"{i}", size, i)[0],
                "mask": mask,
                "layers": np.stack([mask == 1, mask == 2], -1).astype(np.uint8),
                "depth": np.where(mask == 1, 2.0, 1.0).astype(np.float32),
                "box": boxes,
                "outline": [(mask == 1).astype(np.uint8), (mask == 2).astype(np.uint8)],
                "points": points,
            }
        )
    heads = {
        "mask": ph.Mask(["ground", "square", "disc"], missing=255),
        "layers": ph.Mask(["square", "disc"], multi=True),
        "depth": ph.Map(),
        "box": ph.Boxes(2, normalized=True, column_normalized=False),
        "outline": ph.Mask(each="box"),
        "points": ph.Keypoints(3),
    }
    return ph.Feed(rows, inputs={"image": ph.Image(*GRID, fit=fit)}, heads=heads, batch_size=2, **more)


class Told(keras.Model):
    """Says what it was told of each row, by the order of the rows in a batch."""

    def __init__(self, outputs):
        super().__init__()
        self.told = {name: np.asarray(values, "float32") for name, values in outputs.items()}

    def call(self, inputs):
        images = list(inputs.values()) if isinstance(inputs, dict) else [inputs]
        rows = sum(keras.ops.mean(image, axis=(1, 2, 3)) for image in images) * 0
        return {
            name: keras.ops.reshape(rows, (-1, *[1] * (values.ndim - 1)))
            + keras.ops.convert_to_tensor(values)[: keras.ops.shape(rows)[0]]
            for name, values in self.told.items()
        }


def right_model(feed):
    """A model that says the labels of all rows of a feed of one batch."""
    (batch,) = feed.batches()
    labels = dict(batch.labels)
    labels["mask"] = np.eye(3, dtype=np.float32)[labels["mask"]]
    return Told(labels)


def photograph(path):
    return np.asarray(PIL.open(path))


def true_labels(row):
    _, mask, boxes, points = scene(*SIZES[row])
    return {
        "mask": mask,
        "layers": np.stack([mask == 1, mask == 2], -1),
        "depth": np.where(mask == 1, 2.0, 1.0)[..., None],
        "box": boxes,
        "outline": np.stack([mask == 1, mask == 2])[..., None],
        "points": points,
    }


def assert_on_the_photograph(folder, sample, fit):
    size, seen = SIZES[sample.row], sample.labels["mask"].valid
    assert sample.sizes == {"image": size}
    assert np.array_equal(sample.inputs["image"], photograph(folder / f"{sample.row}.png"))
    shown = sample.labels["mask"].value.shape
    assert shown[0] / shown[1] == pytest.approx(size[0] / size[1], rel=0.02)
    for name, true in true_labels(sample.row).items():
        found = sample.labels[name].value
        if name in ("box", "points"):
            assert fit == "cover" or np.abs(found - true).max() < 1e-3
            continue
        assert found.shape == true.shape, name
        near = np.abs(found - true) < 0.1
        where = np.broadcast_to(seen if name in ("mask",) else seen[..., None], true.shape)
        assert near[where].mean() > 0.85, name
    if fit != "cover":
        assert seen.all()
    else:
        assert 0.3 < seen.mean() < 1


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
def test_predictions_in_a_preview(tmp_path, fit):
    feed = feed_of(tmp_path, fit, augment=[ph.Flip(p=1.0)])
    model = right_model(feed.on(feed.source))
    seen = feed.preview(tmp_path / "page.html", predictions=ph.predict(model, feed))
    assert sorted(sample.row for sample in seen.samples) == [0, 1]
    for sample in seen.samples:
        assert_on_the_photograph(tmp_path, sample, fit)
        for name in ("mask", "layers", "box", "points"):
            one, other = sample.labels[name], sample.guess.labels[name]
            assert one.value.shape == other.value.shape
            assert np.abs(one.value.astype(float) - other.value).mean() < 0.05, name
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 of 2 rows: rows, those with the largest loss first, on the original images" in page
    for height, width in SIZES:
        assert f"--a:{width / height:.5g}" in page
    seen.save(tmp_path / "sheet.png")
    with PIL.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 2 * 192


def test_a_preview_without_predictions_shows_what_the_model_gets(tmp_path):
    seen = feed_of(tmp_path, "stretch").preview()
    for sample in seen.samples:
        assert sample.sizes == {}
        assert sample.inputs["image"].shape == (*GRID, 3)
    assert "as the model gets them" in seen.html


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
def test_rows_of_an_evaluation(tmp_path, fit):
    feed = feed_of(tmp_path, fit)
    evaluation = ph.evaluate(right_model(feed), feed, intervals=None)
    for labeled, predicted in evaluation._rows.samples([0, 1]):
        assert_on_the_photograph(tmp_path, labeled, fit)
        assert predicted.sizes == labeled.sizes
        for name in ("mask", "box", "points"):
            assert (
                np.abs(labeled.labels[name].value.astype(float) - predicted.labels[name].value).mean() < 0.05
            )
    page = evaluation.save(tmp_path / "report.html", worst=2).read_text(encoding="utf-8")
    for height, width in SIZES:
        assert f"--a:{width / height:.5g}" in page


def test_a_store_of_resized_images_shows_them_in_their_place(tmp_path):
    feed = feed_of(tmp_path, "contain")
    stored = feed.on(ph.pack(feed, tmp_path / "store"))
    for labeled, _ in ph.evaluate(right_model(feed), stored, intervals=None)._rows.samples([0, 1]):
        size = SIZES[labeled.row]
        assert labeled.sizes == {"image": size}
        assert labeled.inputs["image"].shape == (*size, 3)
        assert np.mean(labeled.labels["mask"].value != true_labels(labeled.row)["mask"]) < 0.05


def two_images(folder, of):
    rows = []
    for i in range(2):
        left, right = ((60, 90), (80, 40)) if i == 0 else ((50, 50), (64, 32))
        rows.append(
            {
                "left": saved(folder, f"left{i}", left, 2 * i)[0],
                "right": saved(folder, f"right{i}", right, 2 * i + 1)[0],
                "box": np.array([0.25, 0.25, 0.75, 0.5]) * [*left[::-1], *left[::-1]],
                "mask": scene(*right)[1],
            }
        )
    heads = {"box": ph.Boxes(1, of=of and "left"), "mask": ph.Mask(3, of=of and "right")}
    inputs = {"left": ph.Image(24, 32), "right": ph.Image(30, 20)}
    return ph.Feed(rows, inputs=inputs, heads=heads, batch_size=2)


def test_each_of_several_images_has_its_own_labels(tmp_path):
    feed = two_images(tmp_path, of=True)
    (batch,) = feed.batches()
    model = Told({"box": batch.labels["box"], "mask": np.eye(3)[batch.labels["mask"]]})
    evaluation = ph.evaluate(model, feed, intervals=None)
    (labeled, _), _ = evaluation._rows.samples([0, 1])
    assert labeled.sizes == {"left": (60, 90), "right": (80, 40)}
    assert np.array_equal(labeled.inputs["left"], photograph(tmp_path / "left0.png"))
    assert np.array_equal(labeled.inputs["right"], photograph(tmp_path / "right0.png"))
    assert np.allclose(labeled.labels["box"].value[0], [22.5, 15, 67.5, 30], atol=0.01)
    assert np.mean(labeled.labels["mask"].value != scene(80, 40)[1]) < 0.05
    seen = feed.preview(predictions=ph.predict(model, feed))
    for html in (evaluation.save(tmp_path / "page.html").read_text(encoding="utf-8"), seen.html):
        figures = re.findall(r'<figure class="shot">.*?</figure>', html, re.DOTALL)
        assert figures
        for figure in figures:
            of_left = "<figcaption>left" in figure
            assert ('class="mark box' in figure) == of_left
            assert ('class="mark area' in figure) == (not of_left)
            assert not of_left or "left:25.000%;top:25.000%;width:50.000%;height:25.000%" in figure


def test_images_in_memory_in_the_size_of_the_model_are_as_the_model_gets_them():
    image, mask, boxes, _ = scene(24, 24)
    data = {"image": image[None].repeat(2, 0), "mask": [mask] * 2, "box": [boxes[:1]] * 2}
    heads = {"mask": ph.Mask(3), "box": ph.Boxes(1)}
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads=heads, batch_size=2)
    (batch,) = feed.batches()
    model = Told({"mask": np.eye(3)[batch.labels["mask"]], "box": batch.labels["box"]})
    for sample in feed.preview(predictions=ph.predict(model, feed)).samples:
        assert sample.sizes == {}
        assert np.array_equal(sample.labels["mask"].value, mask)
