"""Maps through feeds: in arrays and files, beside an image, cut, mixed, stored, looked at; and what stays put."""

import re
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph

cv2 = pytest.importorskip("cv2", reason="opencv is not installed")

ROWS = 4
RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (20 + 2 * i, 30, 3), dtype=np.uint8) for i in range(ROWS)]
DEPTH = [image[..., 0].astype(np.uint16) * 200 for image in IMAGES]


def batch_of(head, column, images=None, **more):
    options = {"inputs": {"image": ph.Image(16, 16)}, "batch_size": ROWS, **more}
    data = {"image": IMAGES if images is None else images, "depth": column}
    return next(iter(ph.Feed(data, heads={"depth": head}, **options).batches()))


def refusal(error, head, column, **more):
    with pytest.raises(error) as caught:
        batch_of(head, column, **more)
    return str(caught.value)


def written(folder, suffix, arrays):
    paths = []
    for i, array in enumerate(arrays):
        paths.append(str(folder / f"{i}.{suffix}"))
        if suffix == "npy":
            np.save(paths[-1], array)
        else:
            assert cv2.imwrite(paths[-1], array)
    return paths


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [("png", np.uint8), ("png", np.uint16), ("tif", np.uint16), ("tif", np.float32), ("npy", np.float64)],
)
def test_files_hold_what_arrays_hold(tmp_path, suffix, dtype):
    arrays = [depth.astype(dtype) for depth in DEPTH]
    expected = batch_of(ph.Map(), arrays)
    paths = written(tmp_path, suffix, arrays)
    encoded = [Path(path).read_bytes() for path in paths]
    for column in (paths, encoded):
        found = batch_of(ph.Map(), column)
        np.testing.assert_array_equal(found.labels["depth"], expected.labels["depth"])
        np.testing.assert_array_equal(found.weights["depth"], expected.weights["depth"])
        scaled = batch_of(ph.Map(scale=0.01), column).labels["depth"]
        np.testing.assert_allclose(scaled, expected.labels["depth"] / 100, rtol=1e-6)


def test_colors_are_no_map_of_one_channel_and_gray_is_one_of_three(tmp_path):
    paths = written(tmp_path, "png", IMAGES)
    assert refusal(ph.DataError, ph.Map(), paths) == (
        f"head `depth`, row 0, file {paths[0]}: expected numbers (H, W), got uint8 of shape (20, 30, 3). Say Map(3). "
        "Likewise all other rows that were checked."
    )
    gray = [image[..., 0] for image in IMAGES]
    one = batch_of(ph.Map(), written(tmp_path, "png", gray)).labels["depth"]
    three = batch_of(ph.Map(3, scale=1), written(tmp_path, "png", gray)).labels["depth"]
    thrice = batch_of(ph.Map(), written(tmp_path, "png", [np.stack([g] * 3, -1) for g in gray])).labels[
        "depth"
    ]
    np.testing.assert_array_equal(three, np.repeat(one, 3, 3))
    np.testing.assert_array_equal(thrice, one)


def test_a_file_that_is_none(tmp_path):
    assert refusal(ph.DataError, ph.Map(), ["nope.png"] * ROWS) == (
        "head `depth`, row 0, file nope.png: expected a file that can be read, got No such file or directory. "
        f"The working directory is {Path.cwd()}. If the files are in another folder, put it before their names: "
        "[os.path.join(folder, name) for name in column]. Likewise all other rows that were checked."
    )
    assert "; give None for a label without a file." in refusal(ph.DataError, ph.Map(), [""] * ROWS)
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01")
    words = refusal(ph.DataError, ph.Map(), [str(tmp_path / "a.npy")] * ROWS)
    place = f"head `depth`, row 0, file {tmp_path / 'a.npy'}"
    assert words.startswith(f"{place}: expected a complete .npy file of numbers, got")


def test_a_file_of_several_pages_is_not_one_map(tmp_path):
    path = tmp_path / "pages.tif"
    assert cv2.imwritemulti(str(path), [np.zeros((20, 30), np.uint8)] * 2)
    assert refusal(ph.DataError, ph.Map(), [str(path)] * ROWS).startswith(
        f"head `depth`, row 0, file {path}: expected one map, got a TIFF of 2 pages. Save the map as a separate "
        "file."
    )
    masks = ph.Mask(values=[(0, 0, 0), (9, 9, 9)])
    assert "expected one mask, got a TIFF of 2 pages. Save the mask as" in refusal(
        ph.DataError, masks, [str(path)] * ROWS
    )


def test_missing_rows_and_sizes():
    found = batch_of(ph.Map(size=(8, 4)), [DEPTH[0], None, DEPTH[2], None])
    assert found.labels["depth"].shape == (ROWS, 8, 4, 1)
    assert found.weights["depth"].mean((1, 2)).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_no_gap_bleeds_into_its_neighbors(interpolation):
    depth = [np.where(RNG.random(d.shape) < 0.3, -1e9, 5 + d % 7).astype(np.float32) for d in DEPTH]
    head = ph.Map(missing=-1e9, interpolation=interpolation)
    for augment in ((), [ph.Rotate(45), ph.Scale(0.4)]):
        found = batch_of(head, depth, augment=augment)
        there = found.weights["depth"] > 0
        assert 0 < there.mean() < 0.9
        assert found.labels["depth"][there].min() >= 5 - 1e-4
        assert found.labels["depth"][there].max() <= 12


def test_the_image_itself_as_the_target():
    words = (
        "head `depth`: expected labels of 0–1, as input `image` scales the same column, got the numbers of the column, "
        "which may be 0–255. Say ph.Map(3, column='image', scale=1/255), or scale=1 for 0–255."
    )
    for head in (ph.Map(3, column="image"), ph.Regression((16, 16, 3), column="image")):
        assert refusal(ph.ContractError, head, DEPTH) == words
    head = ph.Map(3, column="image", scale=1 / 255)
    found = batch_of(head, DEPTH, augment=[ph.Flip(p=1.0), ph.Crop(0.8)])
    np.testing.assert_allclose(found.labels["depth"], found.inputs["image"], atol=0.01)
    bright = batch_of(head, DEPTH, augment=[ph.Color(0.5)])
    assert np.abs(bright.labels["depth"] - bright.inputs["image"]).max() > 0.1, (
        "light changes the image alone"
    )
    bytes_too = {"inputs": {"image": ph.Image(16, 16, dtype="uint8")}}
    assert batch_of(ph.Map(3, column="image"), DEPTH, **bytes_too).labels["depth"].max() > 1
    assert batch_of(ph.Map(3, column="image", scale=1), DEPTH).labels["depth"].max() > 1


def test_colors_in_bytes_beside_an_image_of_0_to_1(tmp_path):
    for column in (IMAGES, written(tmp_path, "png", IMAGES)):
        with pytest.warns(ph.PolyheadWarning) as caught:
            batch_of(ph.Map(3), column)
        assert [str(one.message) for one in caught] == [
            "head `depth`: expected labels of 0–1, like the pixels of input `image`, got bytes, 0–255. "
            "Say ph.Map(3, scale=1/255), or scale=1 to keep 0–255."
        ]
        for head in (ph.Map(3, scale=1), ph.Map(3, scale=1 / 255)):
            batch_of(head, column)  # and no word


def test_weights_of_pixels():
    weights = RNG.random((ROWS, 8, 8)).astype(np.float32)
    heads = {"depth": ph.Map(sample_weight="trust")}
    feed = moving(heads=heads, augment=(), depth=PLANES, trust=weights)
    np.testing.assert_array_equal(next(iter(feed.batches())).weights["depth"], weights)
    with pytest.raises(ph.DataError) as caught:
        moving(heads=heads, depth=PLANES, trust=weights)
    assert str(caught.value) == (
        "head `depth`, column `trust`: expected one weight a row, as Flip(p=1.0) moves them, got weights of pixels, "
        "which do not move with the image. Put NaN into the map where a pixel does not count."
    )


def test_maps_are_cut_and_mixed_as_images_are():
    images = RNG.random((8, 12, 12, 3)).astype(np.float32)
    for augment in ([ph.CutMix(p=1.0)], [ph.Mosaic(p=1.0)], [ph.MixUp(1.0, p=1.0)], [ph.Flip(), ph.Mosaic()]):
        feed = ph.Feed(
            {"image": images, "same": images},
            inputs={"image": ph.Image()},
            heads={"same": ph.Map(3)},
            augment=augment,
            batch_size=8,
        )
        found = next(iter(feed.batches()))
        np.testing.assert_allclose(found.labels["same"], found.inputs["image"], atol=1e-6)
        assert found.labels["same"].std() > 0.1


def test_a_store_and_a_cache_hold_maps(tmp_path):
    data = {"image": IMAGES, "depth": [DEPTH[0], None, *DEPTH[2:]]}
    options = {
        "inputs": {"image": ph.Image(16, 16, fit="contain")},
        "heads": {"depth": ph.Map(missing=0, scale=0.5)},
        "batch_size": ROWS,
    }
    plain = next(iter(ph.Feed(data, **options).batches()))
    ph.pack(ph.Feed(data, **options), tmp_path / "s")
    for feed in (ph.Feed(tmp_path / "s", **options), ph.Feed(data, cache=str(tmp_path / "c"), **options)):
        found = next(iter(feed.batches()))
        np.testing.assert_allclose(found.labels["depth"], plain.labels["depth"], rtol=1e-6)
        np.testing.assert_array_equal(found.weights["depth"], plain.weights["depth"])


def test_a_page_shows_it(tmp_path):
    depth = [np.where(d > 30000, 0, d) for d in DEPTH]
    feed = ph.Feed(
        {"image": IMAGES, "depth": [None, *depth[1:]]},
        inputs={"image": ph.Image(16, 16)},
        heads={"depth": ph.Map(missing=0)},
        augment=[ph.Rotate(20)],
    )
    feed.preview(tmp_path / "page.html")
    feed.preview(tmp_path / "sheet.png")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "of pixels not labeled)" in page
    assert "mean" in str(feed.describe())
    assert feed.describe().heads[0].labeled == ROWS - 1


# What stays put --------------------------------------------------------------------------------------


FLIPPED = [ph.Flip(p=1.0)]


def moving(inputs=None, heads=None, augment=FLIPPED, **columns):
    data = {"image": RNG.random((ROWS, 8, 8, 3)).astype(np.float32), "y": [0, 1, 0, 1], **columns}
    inputs = {"image": ph.Image(), **(inputs or {})}
    return ph.Feed(data, inputs=inputs, heads=heads or {"y": ph.Binary()}, augment=augment, batch_size=ROWS)


def refused(**declared):
    """What a feed that cannot move its rows says."""
    with pytest.raises(ph.ContractError) as caught:
        moving(**declared)
    return str(caught.value)


PLANES = RNG.random((ROWS, 8, 8, 1)).astype(np.float32)


def test_a_regression_of_the_images_size_cannot_be_moved():
    assert refused(heads={"depth": ph.Regression((8, 8, 1))}, depth=PLANES) == (
        "head `depth`: expected a kind that moves with the image, which Flip(p=1.0) moves, got ph.Regression, which "
        "does not move, of the image's height and width, (8, 8, 1). Use ph.Map(1), which holds numbers for each pixel "
        "and moves with the image."
    )


def test_an_array_of_the_images_size_cannot_be_moved():
    assert refused(inputs={"band": ph.Array()}, band=PLANES, augment=[ph.Crop(0.5)]) == (
        "input `band`: expected a kind that moves with the image, which Crop(0.5) moves, got ph.Array, which does not "
        "move, of the image's height and width, (8, 8, 1). Declare it as ph.Image(photometric=False), with numbers in "
        "0–1: it moves as the other image does."
    )


def test_arrays_with_channels_or_times_first_cannot_be_moved():
    first = np.moveaxis(PLANES, -1, 1)
    assert refused(heads={"depth": ph.Regression((1, 8, 8))}, depth=first) == (
        "head `depth`: expected a kind that moves with the image, which Flip(p=1.0) moves, got ph.Regression, which "
        "does not move, of the image's height and width, (1, 8, 8). Put the channels last, "
        "array.transpose(0, 2, 3, 1). Use ph.Map(1), which holds numbers for each pixel and moves with the image."
    )
    assert re.search(r"input `band`.*Put the channels last", refused(inputs={"band": ph.Array()}, band=first))
    assert re.search(
        r"input `band`.*\(2, 8, 8, 1\)",
        refused(inputs={"band": ph.Array()}, band=np.stack([PLANES, PLANES], 1)),
    )


def test_numbers_of_each_box_cannot_be_moved():
    boxes = np.tile([1.0, 1, 5, 5], (len(PLANES), 1, 1))
    assert refused(
        heads={"box": ph.Boxes(1), "part": ph.Regression((8, 8), each="box")},
        box=boxes,
        part=PLANES[:, None, ..., 0],
    ) == (
        "head `part`: expected a kind that moves with the image, which Flip(p=1.0) moves, got ph.Regression, which "
        "does not move, of the image's height and width, (8, 8). Use ph.Mask(each='box') for a mask of each box, "
        "which moves with the image."
    )


def test_a_band_as_an_image_moves_and_keeps_its_light():
    feed = moving(
        inputs={"band": ph.Image(photometric=False)},
        band=PLANES,
        augment=[ph.Flip(p=1.0), ph.Color(0.5)],
    )
    np.testing.assert_array_equal(next(iter(feed.batches())).inputs["band"], PLANES[:, :, ::-1])


def test_images_that_are_resized_are_known_by_their_own_size():
    assert re.search(
        "of the image's height and width, \\(8, 8\\)",
        refused(
            inputs={"image": ph.Image(4, 4)}, heads={"depth": ph.Regression((8, 8))}, depth=PLANES[..., 0]
        ),
    )


def test_what_moves_nothing_or_is_no_map_is_left_alone():
    for augment in ((), [ph.Color(0.1)], [ph.Blur(1)], [ph.Apply(lambda image: {"image": image})]):
        feed = moving(
            inputs={"band": ph.Array()}, heads={"depth": ph.Regression((8, 8, 1))}, band=PLANES, depth=PLANES,
            augment=augment,
        )  # fmt: skip
        np.testing.assert_array_equal(next(iter(feed.batches())).labels["depth"], PLANES)
    pair = RNG.random((ROWS, 7, 7))
    moving(inputs={"small": ph.Array()}, heads={"turn": ph.Regression((7, 7))}, small=pair, turn=pair)


def test_numbers_of_the_images_aspect_are_warned_of():
    data = {"image": np.zeros((ROWS, 32, 16, 3), np.uint8), "heat": np.zeros((ROWS, 16, 8, 5))}
    with pytest.warns(ph.PolyheadWarning) as caught:
        ph.Feed(
            data,
            inputs={"image": ph.Image()},
            heads={"heat": ph.Regression((16, 8, 5))},
            augment=[ph.Flip()],
        )
    assert str(caught[0].message) == (
        "head `heat`: expected a kind that moves with the image, which Flip() moves, if it has numbers of the image, "
        "got ph.Regression, which does not move, of the image's aspect ratio, (16, 8, 5). Use ph.Map(5), which holds "
        "numbers for each pixel and moves with the image."
    )


def test_the_grid_of_a_detector_is_warned_of():
    grid = RNG.random((ROWS, 7, 7, 30))
    with pytest.warns(ph.PolyheadWarning, match=r"head `grid`: .* of the image's aspect ratio, \(7, 7, 30\)"):
        moving(heads={"grid": ph.Regression((7, 7, 30))}, grid=grid)


def test_a_function_of_ones_own_cannot_move_a_map():
    def turned(image, mask):
        return {"image": image[::-1].copy(), "mask": mask[::-1].copy()}

    assert refused(heads={"depth": ph.Map()}, depth=PLANES, augment=[ph.Apply(turned)]) == (
        "head `depth`: expected augmentations that move a map, got Apply(turned). Use ph.Flip, ph.Rotate and the "
        "like, or a pipeline of albumentations, which move maps; or leave the head out."
    )
    lit = moving(
        heads={"depth": ph.Map()},
        depth=PLANES,
        augment=[ph.Flip(p=1.0), ph.Apply(lambda image: {"image": image / 2})],
    )
    np.testing.assert_array_equal(next(iter(lit.batches())).labels["depth"], PLANES[:, :, ::-1])


def test_nested_lists_of_unequal_sizes():
    data = {
        "image": [np.zeros((8, 8 + i, 3), np.uint8) for i in range(3)],
        "depth": [np.full((4, 4 + i, 3), i, np.uint8).tolist() for i in range(3)],
    }
    feed = ph.Feed(data, inputs={"image": ph.Image(8, 8)}, heads={"depth": ph.Map(3)}, batch_size=3)
    assert feed.peek()[1]["depth"].mean((1, 2, 3)).tolist() == [0, 1, 2]
