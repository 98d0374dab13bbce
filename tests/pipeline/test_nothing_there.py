""" "Nothing there" and "nobody looked": boxes, their presence, and what is shown of them."""

import re

import numpy as np
import pytest

import polyhead as ph

pytest.importorskip("cv2", reason="opencv is not installed")

IMAGES = np.zeros((4, 32, 32, 3), np.uint8)
BOXES = [[[4.0, 4, 20, 20], [8, 8, 16, 16]], [], None, [[0.0, 0, 6, 6], None]]
KINDS = [["cat", "dog"], [], None, ["dog", "cat"]]
DATA = {"image": IMAGES, "box": BOXES, "kind": KINDS}
HEADS = {
    "box": ph.Boxes(3, overflow="largest"),
    "there": ph.Binary(each="box", column="box"),
    "kind": ph.Categorical(["cat", "dog"], each="box"),
}
THERE = [[1, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
KNOWN = [[1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 0, 1]]  # of the last row one box is not known


def feed_of(data=DATA, heads=HEADS, size=(), **more):
    return ph.Feed(data, inputs={"image": ph.Image(*size)}, heads=heads, batch_size=4, **more)


def batch_of(*args, **more):
    return next(iter(feed_of(*args, **more).batches()))


def test_an_empty_row_is_known_and_one_that_is_none_is_not():
    found = batch_of()
    assert found.labels["there"][..., 0].tolist() == THERE
    assert found.weights["there"].tolist() == KNOWN
    assert found.labels["box"][:, :, 2].tolist() == [[20, 16, 0], [0, 0, 0], [-1, -1, -1], [6, 0, 0]]
    assert found.weights["box"].tolist() == THERE
    assert found.weights["kind"].tolist() == THERE


@pytest.mark.parametrize("size", [(), (16, 16)])
@pytest.mark.parametrize(
    "nothing",
    [[[]] * 4, [np.zeros((0, 4))] * 4, [np.zeros(0)] * 4, np.zeros((4, 0, 4))],
    ids=["lists", "arrays of boxes", "empty arrays", "one array"],
)
def test_rows_are_known_if_none_of_them_has_a_box(nothing, size):
    found = batch_of({"image": IMAGES, "box": nothing, "kind": [[]] * 4}, size=size)
    assert not found.labels["box"].any()
    assert not found.weights["box"].any()
    assert found.weights["there"].all()


@pytest.mark.parametrize("size", [(), (16, 16)])
def test_it_stays_so_where_images_are_moved(size):
    found = batch_of(size=size, augment=[ph.Flip(p=1.0)])
    assert found.labels["there"].sum((1, 2)).tolist() == [2, 0, 0, 1]
    assert found.weights["there"].sum(1).tolist() == [3, 3, 0, 2]
    assert (found.labels["box"][2] == -1).all()
    away = batch_of(augment=[ph.Translate(1.0)] * 4)
    gone = away.labels["there"].sum((1, 2)) == 0
    assert gone[[0, 3]].any()
    assert away.weights["there"].sum(1).tolist() == [3, 3, 0, 2], "boxes that left the image leave background"


def test_dense_boxes_have_nan_for_what_nobody_knows():
    nan = [np.nan] * 4
    dense = np.array([[[4, 4, 20, 20], nan], [nan, nan], [[1, 1, 2, 2], [3, 3, 4, 4]]])
    marked = np.nan_to_num(dense, nan=-1)
    for boxes, head in ((dense, ph.Boxes(2)), (marked, ph.Boxes(2, missing=-1))):
        for augment in ((), [ph.Flip(p=1.0)]):
            heads = {"box": head, "there": HEADS["there"]}
            found = batch_of({"image": IMAGES[:3], "box": boxes}, heads, augment=augment)
            assert found.labels["there"][..., 0].tolist() == [[1, 0], [0, 0], [1, 1]]
            assert found.weights["there"].tolist() == [[1, 0], [0, 0], [1, 1]]
            assert (found.labels["box"][1] == -1).all()


def test_presence_has_class_weights_and_waits_as_the_boxes_do():
    heads = {**HEADS, "there": ph.Binary(each="box", column="box", class_weight="balanced")}
    feed = feed_of(heads=heads)
    assert feed.heads["there"].class_weight == {0: 0.8, 1: pytest.approx(4 / 3)}
    heads = {"asked": ph.Binary(), "box": ph.Boxes(3, given="asked"), "there": HEADS["there"]}
    found = batch_of({**DATA, "asked": [1, 0, 1, 1]}, heads)
    assert found.weights["there"].sum(1).tolist() == [3, 0, 0, 2]


@pytest.mark.parametrize("augment", [[ph.Mosaic(p=1.0)], [ph.CutMix(p=1.0)], [ph.MixUp(1.0, p=1.0)]], ids=str)
def test_a_mixed_row_is_known_where_all_of_it_is(augment):
    """Red images were looked at, the others not; so the pixels say what is known."""
    known = np.arange(24) % 3 > 0
    images = np.zeros((24, 32, 32, 3), np.float32)
    images[..., 0] = known[:, None, None]
    boxes = [([[4.0, 4, 28, 28]] if i % 2 else []) if one else None for i, one in enumerate(known)]
    heads = {"box": ph.Boxes(4, overflow="largest"), "there": ph.Binary(each="box", column="box")}
    feed = ph.Feed(
        {"image": images, "box": boxes},
        inputs={"image": ph.Image()},
        heads=heads,
        augment=augment,
        batch_size=24,
    )
    found = next(iter(feed.batches()))
    whole = found.inputs["image"][..., 0].min((1, 2)) > 0.999
    there, weights = found.labels["there"][..., 0], found.weights["there"]
    empty = there == 0
    assert 3 < whole.sum() < 21
    np.testing.assert_allclose(
        weights[whole], np.where(empty[whole], 1, found.weights["box"][whole]), atol=1e-6
    )
    assert (weights[~whole] * empty[~whole] == 0).all()
    np.testing.assert_array_equal(there * weights, found.weights["box"] * (found.weights["box"] > 0))
    nobody = found.inputs["image"][..., 0].max((1, 2)) < 1e-3
    assert nobody.any() or augment[0].components == 4
    assert (found.labels["box"][nobody] == -1).all()
    assert (found.labels["box"][~nobody] >= 0).all()


def test_a_store_keeps_the_difference(tmp_path):
    feed = feed_of(size=(16, 16))
    ph.pack(feed, tmp_path / "s")
    one, two = batch_of(size=(16, 16)), next(iter(feed.on(tmp_path / "s").batches()))
    for name in HEADS:
        np.testing.assert_array_equal(one.labels[name], two.labels[name])
        np.testing.assert_array_equal(one.weights[name], two.weights[name])


def test_describe_and_the_page_tell_them_apart(tmp_path):
    feed = feed_of()
    box, there, _ = feed.describe().heads
    assert (box.labeled, box.distribution) == (3, "0 to 20, mean 9, 1 row with 0 boxes")
    assert there.labeled == 3
    empty = feed_of({"image": IMAGES, "box": [[], [], None, []]}, {"box": ph.Boxes(2)})
    assert empty.describe().heads[0].distribution == "3 rows with 0 boxes"
    feed.preview(tmp_path / "page.html")
    feed.preview(tmp_path / "sheet.png")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    states = re.findall(r'data-state="(\w+)"', page)
    assert states == ["labeled"] * 3 + ["empty", "labeled", "empty"] + ["missing"] * 3 + ["labeled"] * 3
    assert '<span class="badge empty">0 boxes</span>' in page


# 0–1 or pixels ---------------------------------------------------------------------------------------

PLACES = {
    "image": np.zeros((4, 100, 200, 3), np.uint8),
    "xyxy": [[[10.0, 20, 40, 50]]] * 4,
    "cxcywh": [[[25.0, 35, 30, 30]]] * 4,
    "point": [[[10.0, 20]]] * 4,
    "points": [[[[10.0, 20]]]] * 4,
    "share": [[[0.05, 0.2, 0.2, 0.5]]] * 4,
}
SIZES = [(), (64, 64)]
PIXELS = (
    "These look like pixels: say column_normalized=False to have them divided by the size of the image, or "
    "normalized=False to predict pixels."
)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("augment", [(), [ph.Color(0.1)]], ids=["plain", "lit"])
def test_pixels_in_a_column_that_should_hold_shares(size, augment):
    heads = {
        "xyxy": (ph.Boxes(1, normalized=True), "corners of boxes", "10.0, 20.0, 40.0, 50.0"),
        "cxcywh": (
            ph.Boxes(1, format="cxcywh", normalized=True),
            "corners of boxes",
            "10.0, 20.0, 40.0, 50.0",
        ),
        "point": (ph.Keypoints(1, normalized=True), "keypoints", "10.0, 20.0"),
    }
    for name, (head, what, value) in heads.items():
        with pytest.raises(ph.DataError) as caught:
            feed_of(PLACES, {name: head}, size, augment=augment)
        found = f"[{value}]" if size or augment else "10.0"
        expected = f"{what} in 0–1, as normalized=True says"
        every = " Likewise all other rows that were checked."
        assert str(caught.value) == f"head `{name}`, row 0: expected {expected}, got {found}. {PIXELS}{every}"
    with pytest.raises(ph.DataError, match="in 0–1, as column_normalized=True says"):
        feed_of(PLACES, {"xyxy": ph.Boxes(1, column_normalized=True)}, size, augment=augment)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_columns_and_models_of_two_units(size):
    to_shares = {"normalized": True, "column_normalized": False}
    heads = {
        "xyxy": ph.Boxes(1, **to_shares),
        "cxcywh": ph.Boxes(1, format="cxcywh", **to_shares),
        "point": ph.Keypoints(1, **to_shares),
        "share": ph.Boxes(1, column_normalized=True),
        "each": ph.Keypoints(1, each="xyxy", column="points", **to_shares),
    }
    height, width = size or (100, 200)
    labels = batch_of(PLACES, heads, size).labels
    for name in ("xyxy", "cxcywh"):
        np.testing.assert_allclose(labels[name][0, 0], [0.05, 0.2, 0.2, 0.5], rtol=1e-6)
    np.testing.assert_allclose(labels["point"][0, 0], [0.05, 0.2], rtol=1e-6)
    np.testing.assert_allclose(labels["each"][0, 0, 0], [0.05, 0.2], rtol=1e-6)
    wanted = np.array([0.05, 0.2, 0.2, 0.5]) * [width, height, width, height]
    np.testing.assert_allclose(labels["share"][0, 0], wanted, rtol=1e-6)


def test_a_store_has_the_unit_of_the_column(tmp_path):
    heads = {
        "xyxy": ph.Boxes(1, normalized=True, column_normalized=False),
        "share": ph.Boxes(1, column_normalized=True),
        "point": ph.Keypoints(1, normalized=True, column_normalized=False),
    }
    feed = feed_of(PLACES, heads, (50, 50))
    ph.pack(feed, tmp_path / "s")
    one, two = next(iter(feed.batches())), next(iter(feed.on(tmp_path / "s").batches()))
    for name in heads:
        np.testing.assert_allclose(one.labels[name], two.labels[name], rtol=1e-6)
    assert ph.open_store(tmp_path / "s").read(np.arange(1))["xyxy"][0].tolist() == [[2.5, 10, 10, 25]]


def test_without_an_image_there_is_nothing_to_divide_by():
    with pytest.raises(ph.DataError) as caught:
        ph.Feed(
            {"x": np.zeros((4, 2)), "xyxy": PLACES["xyxy"]},
            inputs="x",
            heads={"xyxy": ph.Boxes(1, normalized=True, column_normalized=False)},
        )
    assert str(caught.value) == (
        "head `xyxy`: expected an image among the inputs, by whose size they are converted, got pixels. Declare the "
        "image that they lie in as a ph.Image, or convert the column."
    )


def test_the_masks_of_boxes_of_which_none_has_one():
    mask = np.ones((40, 60), np.uint8)
    data = {
        "image": [np.zeros((40, 60, 3), np.uint8)] * 3,
        "box": [[[5.0, 5, 30, 30]]] * 2 + [[]],
        "mask": [[mask], [None], []],
    }
    heads = {"box": ph.Boxes(1), "mask": ph.Mask(3, each="box")}
    feed = ph.Feed(data, inputs={"image": ph.Image(32, 32)}, heads=heads, batch_size=3)
    batch = next(feed.batches())
    assert batch.weights["mask"].reshape(3, -1).mean(1).tolist() == [1, 0, 0]
    assert batch.labels["mask"][0].any()
