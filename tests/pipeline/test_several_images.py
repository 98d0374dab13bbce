"""Rows of several images: in which of them boxes and keypoints lie."""

import numpy as np
import pytest

import polyhead as ph

pytest.importorskip("cv2", reason="opencv is not installed")

COLOR = np.zeros((240, 320, 3), np.uint8)
COLOR[60:120, 80:160] = 255
DEPTH = np.zeros((120, 160, 1), np.uint8)
DEPTH[30:60, 40:80] = 255
BOX = np.array([[80.0, 60, 160, 120]])
ENDS = [[80.0, 60], [160, 120]]
DATA = {
    "color": [COLOR] * 2,
    "depth": [DEPTH] * 2,
    "box": [BOX] * 2,
    "ends": [ENDS] * 2,
    "corners": [[ENDS]] * 2,
    "share": [BOX / np.tile([320, 240], 2)] * 2,
    "mask": [COLOR[..., 0] // 255] * 2,
}
WANT = [32, 24, 64, 48]  # in images of 128 x 96


def batch_of(names, heads, augment=(), sizes=None, data=DATA, **more):
    inputs = {name: ph.Image(*(sizes or {}).get(name, (96, 128))) for name in names}
    feed = ph.Feed(data, inputs=inputs, heads=heads, augment=augment, batch_size=2, **more)
    return next(iter(feed.batches()))


@pytest.mark.parametrize("augment", [(), [ph.Flip(p=1.0)], [ph.Rotate(10), ph.Translate(0.1)]], ids=str)
@pytest.mark.parametrize("names", [("color", "depth"), ("depth", "color")])
def test_boxes_lie_in_the_image_that_is_named(names, augment):
    heads = {
        "box": ph.Boxes(1, of="color"),
        "ends": ph.Keypoints(2, of="color"),
        "corners": ph.Keypoints(2, each="box"),
        "mask": ph.Mask(of="color"),
        "share": ph.Boxes(1, normalized=True),
    }
    found = batch_of(names, heads, augment)
    labels = {name: array[0] for name, array in found.labels.items()}
    rows, columns = np.nonzero(labels["mask"][..., 0])
    around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(labels["box"][0] - around).max() < 1.5
    np.testing.assert_array_equal(labels["ends"], labels["corners"][0])
    np.testing.assert_allclose(labels["share"][0] * [128, 96, 128, 96], labels["box"][0], atol=1e-4)
    assert ((found.inputs["color"][0, ..., 0] > 0.5) == labels["mask"][..., 0]).mean() > 0.99
    if not augment:
        assert labels["box"][0].tolist() == WANT


@pytest.mark.parametrize("names", [("color", "depth"), ("depth", "color")])
def test_heads_of_several_images(names):
    heads = {"box": ph.Boxes(1, of="color"), "ends": ph.Keypoints(2, of="depth")}
    halves = {**DATA, "ends": [np.array(ENDS) / 2] * 2}
    sizes = {"color": (96, 128), "depth": (48, 64)}
    found = batch_of(names, heads, sizes=sizes, data=halves)
    assert found.labels["box"][0, 0].tolist() == WANT
    assert found.labels["ends"][0].ravel().tolist() == [16, 12, 32, 24]


@pytest.mark.parametrize("names", [("color", "depth"), ("depth", "color")])
@pytest.mark.parametrize("name", ["box", "ends"])
def test_it_has_to_be_said_where_images_differ_in_size(names, name):
    head = ph.Boxes(1) if name == "box" else ph.Keypoints(2)
    with pytest.raises(ph.DataError) as caught:
        batch_of(names, {name: head})
    sizes = {"color": "240 x 320", "depth": "120 x 160"}
    found = ", ".join(f"`{one}` {sizes[one]}" for one in names)
    ways = " or ".join(f'{type(head).__name__}(of="{one}")' for one in names)
    assert str(caught.value) == (
        f"head `{name}`, row 0: expected of= to name the image in whose pixels they are, as the images of a row "
        f"differ in size, got none ({found}). Say {ways}. Likewise row 1."
    )


def test_it_has_to_be_said_where_the_model_gets_them_in_several_sizes():
    same = {**DATA, "depth": DATA["color"]}
    assert batch_of(("color", "depth"), {"box": ph.Boxes(1)}, data=same).labels["box"][0, 0].tolist() == WANT
    with pytest.raises(ph.ContractError, match="got none \\(`color` 96 x 128, `depth` 48 x 64\\)"):
        batch_of(("color", "depth"), {"box": ph.Boxes(1)}, data=same, sizes={"depth": (48, 64)})


def test_masks_and_shares_need_no_word():
    found = batch_of(("depth", "color"), {"mask": ph.Mask(), "share": ph.Boxes(1, normalized=True)})
    assert found.labels["share"][0, 0].tolist() == [0.25, 0.25, 0.5, 0.5]


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        (
            {"box": ph.Boxes(1, of="rgb")},
            "head `box`, of='rgb': expected the name of an image input (color, depth), got no image of that name.",
        ),
        (
            {"box": ph.Boxes(1, of="color"), "ends": ph.Keypoints(2, each="box", of="depth")},
            "head `ends`: expected of='color', the image of its boxes, `box`, got of='depth'. Leave it out; its labels "
            "have to lie in `color`.",
        ),
    ],
)
def test_the_name_of_no_image_or_of_another_than_the_boxes(heads, words):
    for size in ({}, {"color": (240, 320), "depth": (120, 160)}):
        with pytest.raises(ph.ContractError) as caught:
            batch_of(("color", "depth"), heads, sizes=size)
        assert str(caught.value) == words


def test_what_lies_in_no_image():
    with pytest.raises(ph.ContractError) as caught:
        ph.Binary(of="color")
    assert str(caught.value) == (
        "Binary(of=): expected no of= for labels that lie in no image, got 'color'. Leave it out."
    )


def test_images_that_are_resized_in_two_ways():
    inputs = {"color": ph.Image(96, 128, fit="contain"), "depth": ph.Image(96, 128)}
    with pytest.raises(ph.ContractError) as caught:
        ph.Feed(DATA, inputs=inputs, heads={"share": ph.Boxes(1, normalized=True)})
    assert str(caught.value) == (
        "Image(fit=): expected the same for all images of a feed, got `color` contain, `depth` stretch."
    )


def test_a_store_and_a_cache_keep_them(tmp_path):
    heads = {"box": ph.Boxes(1, of="color")}
    inputs = {name: ph.Image(96, 128) for name in ("depth", "color")}
    feed = ph.Feed(DATA, inputs=inputs, heads=heads)
    ph.pack(feed, tmp_path / "s")
    for other in (
        feed.on(tmp_path / "s"),
        ph.Feed(DATA, inputs=inputs, heads=heads, cache=str(tmp_path / "c")),
    ):
        assert next(iter(other.batches())).labels["box"][0, 0].tolist() == WANT


SIZES = {"color": (24, 32), "depth": (48, 64)}


@pytest.mark.parametrize("names", [("color", "depth"), ("depth", "color")])
@pytest.mark.parametrize("augment", [(), [ph.Flip(p=1.0)], [ph.Apply(lambda **given: given)]], ids=str)
def test_every_mask_has_the_size_of_its_image(names, augment):
    heads = {"mask": ph.Mask(of="color"), "other": ph.Mask(2, of="depth")}
    if not augment or isinstance(augment[0], ph.Flip):
        heads["map"] = ph.Map(of="depth")
    data = {**DATA, "other": [DEPTH[..., 0] // 255] * 2, "map": [DEPTH[..., 0] / np.float32(255)] * 2}
    labels = batch_of(names, heads, augment, SIZES, data).labels
    assert labels["mask"].shape == (2, 24, 32, 1)
    assert labels["other"].shape == (2, 48, 64)
    assert "map" not in heads or labels["map"].shape == (2, 48, 64, 1)
    half = np.pad(np.ones((6, 8)), [(6, 12), (8, 16)])
    half = half[:, ::-1] if len(augment) and isinstance(augment[0], ph.Flip) else half
    np.testing.assert_array_equal(labels["mask"][0, ..., 0], half)
    np.testing.assert_array_equal(labels["other"][0], half.repeat(2, 0).repeat(2, 1))


def test_a_store_and_a_cache_keep_masks_at_the_size_of_their_image(tmp_path):
    heads = {"mask": ph.Mask(of="color"), "other": ph.Mask(2, of="depth"), "box": ph.Boxes(1, of="depth")}
    heads["part"] = ph.Mask(each="box")
    halves = {"box": [BOX / 2] * 2, "other": [DEPTH[..., 0] // 255] * 2, "part": [[DEPTH[..., 0] // 255]] * 2}
    data = {**DATA, **halves}
    inputs = {name: ph.Image(*size) for name, size in SIZES.items()}
    feed = ph.Feed(data, inputs=inputs, heads=heads)
    expected = next(iter(feed.batches())).labels
    assert expected["part"].shape == (2, 1, 48, 64, 1)
    ph.pack(feed, tmp_path / "s")
    cached = ph.Feed(data, inputs=inputs, heads=heads, cache=str(tmp_path / "c"))
    for other in (feed.on(tmp_path / "s"), cached):
        found = next(iter(other.batches())).labels
        for name in ("mask", "other", "part"):
            np.testing.assert_array_equal(found[name], expected[name])
    store = ph.pack(feed, tmp_path / "small", image_size=(12, 16))
    assert store.read(np.arange(1))["mask"].shape == store.read(np.arange(1))["other"].shape == (1, 12, 16)


def test_an_image_that_is_none_is_what_is_said():
    data = {"image": np.zeros((4, 8, 8, 2), np.uint8), "mask": np.zeros((4, 8, 8), np.uint8)}
    with pytest.raises(ph.DataError, match="input `image`: expected 1, 3 or 4 channels last"):
        ph.Feed(data, inputs={"image": ph.Image()}, heads={"mask": ph.Mask(of="image")})


@pytest.mark.parametrize("fit", ["contain", "cover"])
def test_images_of_other_shapes_are_refused_where_fit_depends_on_them(fit):
    inputs = {"a": ph.Image(32, 32, fit=fit), "b": ph.Image(16, 16, fit=fit)}
    tall = np.zeros((120, 80, 3), np.uint8)
    data = {"a": [COLOR, COLOR], "b": [DEPTH.repeat(3, -1), tall], "box": [BOX] * 2}
    message = (
        f'input `a`, row 1: expected the aspect ratio of `b` \\(120 x 80\\), as fit="{fit}" moves all images of a row '
        'together, got 240 x 320. Say fit="stretch" for each image; it takes images of any aspect ratio.'
    )
    with pytest.raises(ph.DataError, match=message):
        ph.Feed(data, inputs=inputs, heads={"box": ph.Boxes(1, of="b")}).peek()
    found = ph.Feed(
        {**data, "b": [DEPTH.repeat(3, -1)] * 2}, inputs=inputs, heads={"box": ph.Boxes(1, of="a")}
    )
    assert np.array_equal(found.peek()[0]["a"][0], found.peek()[0]["a"][1])
    inputs["b"] = ph.Image(16, 24, fit=fit)
    with pytest.raises(
        ph.ContractError, match=r"images of one aspect ratio, as .* `a` 32 x 32, `b` 16 x 24. Say fit="
    ):
        ph.Feed(data, inputs=inputs, heads={"box": ph.Boxes(1, of="b")})


def test_stretched_images_may_have_other_shapes():
    tall = np.zeros((120, 80, 3), np.uint8)
    tall[30:60, 20:40] = 255
    inputs = {"a": ph.Image(32, 32), "b": ph.Image(24, 16)}
    feed = ph.Feed(
        {"a": [COLOR], "b": [tall], "box": [[[20.0, 30, 40, 60]]]},
        inputs=inputs,
        heads={"box": ph.Boxes(1, of="b")},
    )
    x, y = feed.peek()[:2]
    rows, columns = np.nonzero(x["b"][0, ..., 0] > 0.5)
    assert (
        [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        == y["box"].ravel().tolist()
        == [4, 6, 8, 12]
    )
