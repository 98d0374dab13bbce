"""A label that goes through the feed and comes back as a prediction lies where it lay."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import polyhead as ph
from polyhead.kinds.predicted_columns import PredictedColumn
from polyhead.pipeline.way_back import WayBack
from scenes import FORMATS, in_format, scene

pytest.importorskip("cv2")
from PIL import Image as Pillow

SIZES = [(120, 90), (75, 110), (64, 64), (84, 77)]
TURNED = (1, 2, 3, 4, 5, 6, 7, 8)


def as_outputs(head: ph.kinds.Head, labels: np.ndarray) -> np.ndarray:
    """Labels as a model that is always right would give them."""
    if head.layer == "mask" and labels.ndim == 3:
        return np.eye(len(head.names), dtype=np.float32)[labels]
    return labels


def there_and_back(data: dict[str, Any], inputs: Any, heads: Any) -> dict[str, dict[str, PredictedColumn]]:
    feed = ph.Feed(data, inputs=inputs, heads=heads, batch_size=len(data["image"]))
    batch = next(feed.batches())
    views = WayBack(feed.source, feed.inputs, feed.heads).views(batch.ids)
    return {
        name: head.decode(as_outputs(head, batch.labels[name]), False, views[name])
        for name, head in feed.heads.items()
    }


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("normalized", [False, True])
def test_boxes_and_points_come_back_to_their_pixels(fit: str, form: str, normalized: bool) -> None:
    scenes = [scene(*size) for size in SIZES]
    data = {
        "image": [image for image, *_ in scenes],
        "box": [in_format(boxes, form) for _, _, boxes, _ in scenes],
        "points": [points for *_, points in scenes],
    }
    unit: Any = {"normalized": normalized, "column_normalized": False}
    heads = {"box": ph.Boxes(2, format=form, **unit), "points": ph.Keypoints(3, **unit)}
    found = there_and_back(data, {"image": ph.Image(48, 64, fit=fit)}, heads)
    for name in ("box", "points"):
        assert np.abs(found[name][""].values - np.stack(data[name])).max() < 1e-3


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
@pytest.mark.parametrize("size", [None, (24, 24)])
def test_masks_come_back_in_the_size_of_the_original(fit: str, size: Any) -> None:
    scenes = [scene(*size) for size in SIZES]
    masks = [mask for _, mask, *_ in scenes]
    data = {"image": [image for image, *_ in scenes], "mask": masks, "object": [mask > 0 for mask in masks]}
    heads = {
        "mask": ph.Mask(["background", "square", "disc"], size=size),
        "object": ph.Mask(size=size),
    }
    found = there_and_back(data, {"image": ph.Image(144, 144, fit=fit)}, heads)
    allowed = 0.01 if size is None else 0.05  # a mask of 24 x 24 has no finer edges
    for name in heads:
        for mask, true in zip(found[name][""].values, data[name], strict=True):
            assert mask.shape == true.shape
            assert (mask != true).mean() < allowed


@pytest.mark.parametrize(("turn", "exif"), [*product(TURNED, ["applied", "ignored"])])
def test_exif_turns_there_and_back(turn: int, exif: str, tmp_path: Any) -> None:
    image, mask, boxes, points = scene(90, 120)
    picture = Pillow.fromarray(image)
    tag = picture.getexif()
    tag[274] = turn
    picture.save(tmp_path / "a.png", exif=tag)
    shown = (120, 90) if turn > 4 and exif == "applied" else (90, 120)
    if shown != (90, 120):
        _, mask, boxes, points = scene(*shown)
    data = {"image": [str(tmp_path / "a.png")], "box": [boxes], "points": [points], "mask": [mask]}
    heads = {"box": ph.Boxes(2), "points": ph.Keypoints(3), "mask": ph.Mask(3)}
    found = there_and_back(data, {"image": ph.Image(64, 48, exif=exif)}, heads)
    assert np.abs(found["box"][""].values[0] - boxes).max() < 1e-3
    assert np.abs(found["points"][""].values[0] - points).max() < 1e-3
    back = found["mask"][""].values[0]
    assert back.shape == mask.shape
    assert (back != mask).mean() < 0.02


def test_what_the_model_did_not_see_is_class_0_or_has_no_number() -> None:
    image, mask, *_ = scene(40, 100)
    depth = np.full((40, 100), 7.0, np.float32)
    data = {"image": [image], "mask": [mask + 1], "depth": [depth]}
    heads = {"mask": ph.Mask(["nothing", *"abc"], outside=0), "depth": ph.Map()}
    found = there_and_back(data, {"image": ph.Image(32, 32, fit="cover")}, heads)
    seen = found["mask"][""].values[0] > 0
    assert seen[:, 30:70].all()
    assert not seen[:, :30].any()
    assert not seen[:, 70:].any()
    numbers = found["depth"][""].values[0]
    assert np.isnan(numbers[:, :30]).all()
    assert np.isnan(numbers[:, 70:]).all()
    assert np.allclose(numbers[:, 30:70], 7)


def test_maps_come_back_in_their_unit() -> None:
    rows, columns = np.mgrid[:60, :80].astype(np.float32)
    data = {"image": [np.zeros((60, 80, 3), np.uint8)], "depth": [1000 + 10 * rows + 3 * columns]}
    inside = (slice(2, -2), slice(2, -2))
    for scale in (None, 1 / 1000, "standard"):
        found = there_and_back(data, {"image": ph.Image(30, 40)}, {"depth": ph.Map(scale=scale)})
        assert np.abs(found["depth"][""].values[0] - data["depth"][0])[inside].max() < 0.5


@pytest.mark.parametrize(
    ("original", "image", "size", "found"),
    [
        ((20, 30), (20, 30), (40, 60), (40, 60)),  # super-resolution by 2
        ((20, 30), (20, 30), (80, 60), (80, 60)),
        ((20, 30), (32, 32), (64, 64), (43, 64)),  # bars above and below
        ((90, 120), (20, 30), (40, 60), (90, 120)),  # still coarser than the original
        ((10, 15), (20, 30), (20, 30), (10, 15)),  # the image is as fine
    ],
)
def test_a_map_that_is_finer_than_its_image_stays_as_fine(
    original: Any, image: Any, size: Any, found: Any
) -> None:
    rows, columns = ((np.arange(n) + 0.5) / n for n in size)
    data = {"image": [np.zeros((*original, 3), np.uint8)], "fine": [np.zeros(original, np.float32)]}
    inputs = {"image": ph.Image(*image, fit="contain")}
    feed = ph.Feed(data, inputs=inputs, heads={"fine": ph.Map(size=size)})
    view = WayBack(feed.source, feed.inputs, feed.heads).views(np.array([0]))["fine"]
    outputs = (rows[:, None] * 100 + columns).astype(np.float32)[None, ..., None]
    answer = feed.heads["fine"].decode(outputs, False, view)[""].values[0]
    assert answer.shape == found
    if found == size:
        assert np.abs(answer - outputs[0, ..., 0]).max() < 1e-4


def test_a_fine_map_of_a_turned_image_has_the_sides_of_the_image(tmp_path: Any) -> None:
    picture = Pillow.fromarray(np.zeros((20, 30, 3), np.uint8))
    tag = picture.getexif()
    tag[274] = 6
    picture.save(tmp_path / "a.png", exif=tag)
    data = {"image": [str(tmp_path / "a.png")], "fine": [np.zeros((20, 30), np.float32)]}
    inputs = {"image": ph.Image(30, 20, exif="ignored")}
    feed = ph.Feed(data, inputs=inputs, heads={"fine": ph.Map(size=(60, 80))})
    view = WayBack(feed.source, feed.inputs, feed.heads).views(np.array([0]))["fine"]
    outputs = np.arange(60 * 80, dtype=np.float32).reshape(1, 60, 80, 1)
    answer = feed.heads["fine"].decode(outputs, False, view)[""].values[0]
    assert answer.tolist() == np.rot90(outputs[0, ..., 0]).tolist()


def test_boxes_without_an_image_stay_as_they_are() -> None:
    head = ph.Boxes(1, format="xywh")
    found = head.decode(np.array([[[2.0, 3, 5, 7]]], np.float32), False, None)
    assert found[""].values.tolist() == [[[2, 3, 3, 4]]]


@pytest.mark.parametrize("size", [(37, 100), (90, 31)])
def test_bars_beside_the_image_do_not_get_into_it(size: Any) -> None:
    feed = ph.Feed(
        {"image": [np.zeros((*size, 3), np.uint8)], "depth": [np.full(size, 50.0, np.float32)]},
        inputs={"image": ph.Image(48, 56, fit="contain")},
        heads={"depth": ph.Map()},
    )
    batch = next(feed.batches())
    views = WayBack(feed.source, feed.inputs, feed.heads).views(batch.ids)
    found = feed.heads["depth"].decode(batch.labels["depth"], False, views["depth"])[""].values[0]
    assert (found == 50).all()
