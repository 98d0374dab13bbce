"""Pipelines of albumentations in a feed: every kind of head, several images, rows that lack something."""

import warnings

import numpy as np
import pytest

import polyhead as ph

A = pytest.importorskip("albumentations", reason="albumentations is not installed")
cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")

ROWS, SIDE = 4, 32
RNG = np.random.default_rng(2)
PIXELS = RNG.integers(0, 255, (ROWS, SIDE, SIDE, 3), dtype=np.uint8)
DATA = {
    "rgb": PIXELS,
    "thermal": PIXELS[..., :1].copy(),
    "mask": RNG.integers(0, 3, (ROWS, SIDE, SIDE), dtype=np.uint8),
    "object": RNG.integers(0, 2, (ROWS, SIDE, SIDE), dtype=np.uint8),
    "box": [[[4.0, 8, 8, 12], [10, 2, 30, 20]], np.zeros((0, 4)), [[0, 0, 32, 32]], None],
    "kind": [[1, 0], [], [2], None],
    "middle": RNG.uniform(4, 28, (ROWS, 2, 2)),
    "y": [0, 1, 0, 1],
}
INPUTS = {"rgb": ph.Image(), "thermal": ph.Image()}
HEADS = {
    "mask": ph.Mask(3, missing=255),
    "object": ph.Mask(),
    "box": ph.Boxes(3),
    "kind": ph.Categorical(3, each="box"),
    "middle": ph.Keypoints(2, pairs=[]),
    "y": ph.Binary(),
}


def pipeline(*transforms):
    return ph.Apply(
        A.Compose(transforms, bbox_params=A.BboxParams("pascal_voc"), keypoint_params=A.KeypointParams("xy"))
    )


def batch_of(*augment, heads=HEADS, workers=0):
    feed = ph.Feed(DATA, inputs=INPUTS, heads=heads, batch_size=ROWS, augment=list(augment), workers=workers)
    return next(iter(feed.batches()))


PLACES = np.stack(np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5), 2).astype(np.float32)


@pytest.mark.parametrize(
    "transform",
    [
        A.HorizontalFlip(p=1),
        A.RandomRotate90(p=1),
        A.Rotate((30, 30), p=1),
        A.Affine(scale=(0.6, 0.6), translate_percent=(0.2, 0.2), p=1),
        A.RandomResizedCrop((SIDE, SIDE), scale=(0.4, 0.6), p=1),
        A.PadIfNeeded(48, 48, p=1),
        A.ElasticTransform(20, 6, p=1),
        A.GridDistortion(p=1),
        A.Perspective((0.1, 0.1), p=1),
        A.GridElasticDeform((3, 3), 3, p=1),
        A.RandomGridShuffle((2, 2), p=1),
        A.CoarseDropout((3, 3), (5, 5), (5, 5), p=1),
    ],
    ids=lambda transform: type(transform).__name__,
)
@pytest.mark.parametrize("missing", [None, -7.0])
def test_numbers_for_each_pixel_move_with_the_image(transform, missing):
    """The image and the map hold the same places; the map in pixels, with gaps, and beside a mask or without one."""
    places = PLACES.copy()
    gaps = np.zeros((SIDE, SIDE), bool)
    if missing is not None:
        gaps[5:9, 11:20] = True
        places[gaps] = missing
    data = {
        "image": np.stack([np.dstack([PLACES / SIDE, np.ones((SIDE, SIDE), np.float32)])] * 3),
        "place": np.stack([places] * 3),
        "mask": np.ones((3, SIDE, SIDE), np.uint8),
    }
    light = A.RandomBrightnessContrast((-0.2, -0.2), (0, 0), p=1)
    heads = {"place": ph.Map(2, missing=missing)}
    for more in ({}, {"mask": ph.Mask(2, missing=255)}):
        options = {"inputs": {"image": ph.Image()}, "heads": {**heads, **more}, "batch_size": 3}
        apply = ph.Apply(A.Compose([transform]))
        found = next(iter(ph.Feed(data, augment=[apply], **options).batches()))
        image, labels = found.inputs["image"], found.labels["place"]
        weights = found.weights["place"].min(3)
        inside = image[..., 2] > 0.999
        counted = inside & (weights > 0)
        assert counted.sum() > 0.25 * inside.sum()
        off = np.abs(labels - image[..., :2] * SIDE).max(3)[counted]
        assert off.max() < (2.0 if isinstance(transform, (A.GridElasticDeform, A.ElasticTransform)) else 1.01)
        assert np.median(off) < 0.51
        if not isinstance(transform, A.CoarseDropout):
            assert not weights[image[..., 2] < 0.001].any()
        if missing is None and not isinstance(transform, A.PadIfNeeded):  # resized after it
            assert np.isin(labels[weights > 0], PLACES).all()  # none is made up
        dark = next(
            iter(ph.Feed(data, augment=[ph.Apply(A.Compose([transform, light]))], **options).batches())
        )
        assert np.abs(dark.inputs["image"] - image).max() > 0.1
        np.testing.assert_array_equal(dark.labels["place"], labels)


def test_maps_of_many_channels_and_other_sizes_move_too():
    numbers = np.random.default_rng(1).normal(size=(2, 16, 16, 6)) * 1e4
    data = {"image": np.zeros((2, SIDE, SIDE, 3), np.uint8), "map": numbers}
    flip = ph.Apply(A.Compose([A.HorizontalFlip(p=1)]))
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"map": ph.Map(6)}, augment=[flip], batch_size=2)
    ours = ph.Feed(
        data, inputs={"image": ph.Image()}, heads={"map": ph.Map(6)}, augment=[ph.Flip(p=1.0)], batch_size=2
    )
    found, expected = (next(iter(one.batches())).labels["map"] for one in (feed, ours))
    assert found.shape == expected.shape == (2, SIDE, SIDE, 6)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ((A.HorizontalFlip(p=1),), (ph.Flip(p=1),)),
        ((A.VerticalFlip(p=1),), (ph.Flip(horizontal=False, vertical=True, p=1),)),
        ((A.HorizontalFlip(p=1), A.VerticalFlip(p=1)), (ph.Flip(p=1), ph.Flip(False, True, p=1))),
        ((A.NoOp(p=1),), ()),
    ],
    ids=["horizontal", "vertical", "both", "none"],
)
def test_a_mirror_is_a_mirror(theirs, ours, workers):
    found, expected = batch_of(pipeline(*theirs), workers=workers), batch_of(*ours)
    for group in ("inputs", "labels"):
        for name, array in getattr(expected, group).items():
            np.testing.assert_allclose(getattr(found, group)[name], array, atol=1e-4, err_msg=name)
    for name, weights in expected.weights.items():
        np.testing.assert_array_equal(
            np.broadcast_to(found.weights[name], found.weights[name].shape),
            np.broadcast_to(weights, found.weights[name].shape),
            err_msg=name,
        )


def test_what_comes_from_outside_weighs_nothing():
    batch = batch_of(pipeline(A.Affine(translate_px={"x": (8, 8), "y": (0, 0)}, p=1)))
    assert (batch.weights["mask"][:, :, :8] == 0).all()
    assert (batch.weights["mask"][:, :, 8:] == 1).all()
    np.testing.assert_array_equal(batch.labels["mask"][:, :, 8:], DATA["mask"][:, :, :-8])
    np.testing.assert_array_equal(batch.inputs["thermal"][..., 0], batch.inputs["rgb"][..., 0])
    assert batch.labels["middle"][0, 0].tolist() == pytest.approx(
        (DATA["middle"][0, 0] + [8, 0]).tolist(), abs=1e-4
    )


def test_a_crop_that_loses_every_box():
    data = {**DATA, "box": [[[0.0, 0, 4, 4]]] * ROWS, "kind": [[1]] * ROWS}
    crop = pipeline(A.Crop(16, 16, 32, 32, p=1))
    feed = ph.Feed(data, inputs=INPUTS, heads=HEADS, batch_size=ROWS, augment=[crop], workers=0)
    batch = next(iter(feed.batches()))
    assert batch.weights["box"].sum() == batch.weights["kind"].sum() == 0
    assert (batch.labels["box"] == 0).all()


def test_before_and_after_our_own():
    steps = [ph.Flip(p=1), pipeline(A.HorizontalFlip(p=1)), ph.Flip(p=1), pipeline(A.HorizontalFlip(p=1))]
    found, expected = batch_of(*steps), batch_of()
    for name, array in expected.labels.items():
        np.testing.assert_allclose(found.labels[name], array, atol=1e-3, err_msg=name)
    np.testing.assert_array_equal(found.inputs["rgb"], expected.inputs["rgb"])


def test_it_is_drawn_alike_for_any_number_of_workers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = pipeline(
            A.Affine(rotate=(-30, 30), p=0.7), A.ElasticTransform(p=0.5), A.RandomBrightnessContrast(p=1)
        )
    one, two = batch_of(step), batch_of(step, workers=2)
    for name, array in {**one.inputs, **one.labels, **one.weights}.items():
        other = {**two.inputs, **two.labels, **two.weights}[name]
        np.testing.assert_array_equal(array, other, err_msg=name)


@pytest.mark.parametrize("names", [["image"], ["depth"], ["depth", "rgb"], ["image", "rgb"]], ids=str)
def test_light_stays_as_it_is_in_images_that_are_not_light(names):
    gray = np.full((2, 16, 16, 3), 100, np.uint8)
    inputs = {name: ph.Image(photometric=name == "rgb") for name in names}
    brighter = A.RandomBrightnessContrast((0.4, 0.4), (0, 0), p=1)
    feed = ph.Feed(
        {**dict.fromkeys(names, gray), "y": [0, 1]},
        inputs=inputs,
        heads={"y": ph.Binary()},
        augment=[ph.Apply(A.Compose([A.HorizontalFlip(p=1), brighter]))],
        batch_size=2,
    )
    found = next(feed.batches()).inputs
    for name in names:
        assert (np.abs(found[name] * 255 - 100) < 1).all() == (name != "rgb")


DEEP = np.linspace(0, 65535, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE)


def deep_rows(folder):
    paths = []
    for i in range(2):
        paths.append(str(folder / f"{i}.png"))
        assert cv2.imwrite(paths[-1], DEEP)
    return {"image": paths, "y": [0, 1]}


def of_deep(rows, augment, **image):
    options = {"heads": {"y": ph.Binary()}, "batch_size": 2, "augment": augment}
    return ph.Feed(rows, inputs={"image": ph.Image(SIDE, SIDE, 1, **image)}, **options)


def test_a_pipeline_gets_all_bits_of_an_image(tmp_path):
    rows = deep_rows(tmp_path)
    flip = ph.Apply(A.Compose([A.HorizontalFlip(p=1)]))
    found = next(iter(of_deep(rows, [flip]).batches())).inputs["image"]
    np.testing.assert_allclose(found[0, ..., 0], DEEP[:, ::-1] / 65535, atol=1e-7)
    kept = of_deep(rows, [flip])
    cached = ph.Feed(
        rows, inputs=kept.inputs, heads=kept.heads, augment=[flip], batch_size=2, cache=tmp_path / "cache"
    )
    np.testing.assert_array_equal(next(iter(cached.batches())).inputs["image"], found)
    scaled = next(iter(of_deep(rows, [flip], range=(0, 70_000)).batches())).inputs["image"]
    np.testing.assert_allclose(scaled[0, ..., 0], DEEP[:, ::-1] / 70_000, atol=1e-6)
    few = next(iter(of_deep(rows, [flip], dtype="uint8").batches())).inputs["image"]
    np.testing.assert_array_equal(few[0, ..., 0], np.rint(DEEP[:, ::-1] / 257))
    seen = []

    def look(image, **params):
        seen.append((image.dtype, float(image.max())))
        return image

    looks = ph.Apply(A.Compose([A.Lambda(image=look, p=1)]))
    assert next(iter(of_deep(rows, [looks]).batches())).inputs["image"].max() == 1
    assert set(seen) == {(np.dtype(np.float32), 1.0)}


def test_cubic_interpolation_that_goes_beyond_the_range_is_cut_off(tmp_path):
    steps = np.where(np.arange(SIDE) % 8 < 4, 0, 65535).astype(np.uint16)[None].repeat(SIDE, 0)
    assert cv2.imwrite(str(tmp_path / "steps.png"), steps)
    turn = A.Compose([A.Rotate((20, 20), interpolation=cv2.INTER_CUBIC, p=1)])
    rows = {"image": [str(tmp_path / "steps.png")] * 2, "y": [0, 1]}
    found = next(iter(of_deep(rows, [ph.Apply(turn)]).batches())).inputs["image"]
    assert found.min() == 0
    assert found.max() == 1
    normal = ph.Apply(A.Compose([A.Normalize((0.5,), (0.1,), p=1)]))
    with pytest.raises(
        ph.ContractError, match=r"^Apply\(Compose\), input `image`, row 0, .*Leave Normalize out: "
    ):
        next(iter(of_deep(rows, [normal]).batches()))


def test_a_function_gets_8_bits_and_that_is_said_once(tmp_path):
    rows, seen = deep_rows(tmp_path), []

    def look(image):
        seen.append(image.dtype)
        return image

    with pytest.warns(ph.PolyheadWarning) as caught:
        batch, *_ = [*of_deep(rows, [ph.Apply(look)]).batches()]
    assert len(np.unique(batch.inputs["image"])) == 256
    assert set(seen) == {np.dtype(np.uint8)}
    assert len(caught) == 1
    assert str(caught[0].message) in [
        f"input `image`, row {row}, file {rows['image'][row]}: expected 8 bits a channel, as Apply(look) gets them, "
        "got 16, which are rounded. With ph.Image(range=(0, 65535)) it gets all bits, as floats in 0–1; say "
        'ph.Image(dtype="uint8"), if 8 bits are enough.'
        for row in (0, 1)
    ]
    of_deep(rows, [ph.Apply(look)], dtype="uint8").peek()
    seen.clear()
    batch, *_ = [*of_deep(rows, [ph.Apply(look)], range=(0, 65535)).batches()]
    assert len(np.unique(batch.inputs["image"])) > 256
    assert set(seen) == {np.dtype(np.float32)}
