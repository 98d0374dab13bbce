"""Photographs, there and back: labels keep their places, and a second program predicts into the original pixels."""

from pathlib import Path

import numpy as np
import pytest

import polyhead as ph
import programs
from polyhead.pipeline.way_back import WayBack

DATA = Path(__file__).parents[3] / "shared" / "data" / "coco128"
pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason="coco128 is not beside the project, in ../shared/data"),
    pytest.mark.filterwarnings(r"ignore:.*print\(source.report\):polyhead.PolyheadWarning"),
]
IMAGES = DATA / "images" / "train2017"


def boxes_of_photographs():
    pytest.importorskip("yaml")
    labels = DATA / "object_detection" / "labels" / "train2017"
    return ph.read_yolo(DATA / "object_detection" / "config.yaml", images=IMAGES, labels=labels)


@pytest.mark.parametrize("fit", ["stretch", "contain"])
def test_boxes_of_all_photographs_come_back(fit):
    rows = boxes_of_photographs()
    head = ph.Boxes(60, column="boxes", normalized=True, column_normalized=False)
    feed = ph.Feed(rows, inputs={"image": ph.Image(96, 128, fit=fit)}, heads={"boxes": head}, batch_size=32)
    back = WayBack(feed.source, feed.inputs, feed.heads)
    worst = 0.0
    for batch in feed.batches():
        found = feed.heads["boxes"].decode(batch.labels["boxes"], False, back.views(batch.ids)["boxes"])
        for boxes, true in zip(found[""].values, rows.read(batch.ids)["boxes"], strict=True):
            if true is not None and len(true):
                worst = max(worst, float(np.abs(boxes[: len(true)] - true).max()))
    assert worst < 0.5


def test_masks_of_photographs_come_back():
    masks = DATA / "semantic_segmentation" / "masks" / "train2017"
    rows = ph.read_folder(IMAGES, masks=masks)
    head = ph.Mask(255, missing=255)
    feed = ph.Feed(rows, inputs={"image": ph.Image(640, 640)}, heads={"mask": head}, batch_size=4)
    back = WayBack(feed.source, feed.inputs, feed.heads)
    wrong = []
    for batch in list(feed.batches())[:6]:
        views = back.views(batch.ids)["mask"]
        true = rows.read(batch.ids)["mask"]
        for row, view in enumerate(views):
            if true[row] is None:
                continue
            from PIL import Image

            pixels = np.asarray(Image.open(true[row]))
            classes = np.unique(batch.labels["mask"][row])
            outputs = (batch.labels["mask"][row][..., None] == classes).astype(np.float32)[None]
            ids = ph.Mask(max(2, len(classes)), size=(640, 640)).decode(
                np.pad(outputs, [(0, 0)] * 3 + [(0, max(0, 2 - len(classes)))]), False, [view]
            )
            found = np.append(classes, 0)[ids[""].values[0]]
            known = pixels != 255
            wrong.append((found != pixels)[known].mean())
    assert len(wrong) > 10
    assert np.mean(wrong) < 0.01


def train(path):
    """A model of the largest object in each photograph, saved."""
    keras = pytest.importorskip("keras")

    rows = ph.largest(boxes_of_photographs())
    heads = {
        "present": ph.Binary(),
        "kind": ph.Categorical(column="labels", given="present"),
        "box": ph.Boxes(1, column="boxes", given="present", normalized=True, column_normalized=False),
    }
    feed = ph.Feed(rows, inputs={"image": ph.Image(48, 48, fit="contain")}, heads=heads, shuffle=True)
    image = keras.Input((48, 48, 3), name="image")
    x = keras.layers.Flatten()(keras.layers.Conv2D(8, 3, strides=4, activation="relu")(image))
    model = ph.compile(keras.Model(image, ph.outputs(x, feed)), feed, optimizer="adam")
    model.fit(feed, epochs=2, verbose=0)
    model.save(path)


PREDICT = """
import sys, keras, polyhead as ph
model, images, out = sys.argv[1:]
found = ph.predict(keras.saving.load_model(model), images)
found.write_parquet(out)
"""


@pytest.mark.slow
@pytest.mark.keras
@pytest.mark.once
@pytest.mark.filterwarnings(
    "ignore:head .present.. expected labels that differ"
)  # none of them lacks an object
def test_a_second_program_writes_boxes_in_original_pixels(tmp_path):
    train(tmp_path / "m.keras")
    programs.run(PREDICT, tmp_path / "m.keras", IMAGES, tmp_path / "out.parquet")
    from PIL import Image

    rows = ph.read_table(tmp_path / "out.parquet").read(np.arange(128))
    widest = 0.0
    for file, box in zip(rows["file"], rows["box"], strict=True):
        if box is None:
            continue
        with Image.open(file) as image:
            width, height = image.size
        x0, y0, x1, y1 = np.asarray(box)
        assert 0 <= x0 <= x1 <= width
        assert 0 <= y0 <= y1 <= height
        widest = max(widest, x1)
    assert widest > 96  # pixels of the photographs, not of the images that the model got
    assert set(rows["kind"]) - {None} <= set(boxes_of_photographs().categories)
