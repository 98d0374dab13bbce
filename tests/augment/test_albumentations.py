"""Every transform of albumentations that moves pixels, against images whose pixels hold their own coordinates.

Where a point of the input comes to lie is read off the moved image, whatever albumentations says of it: boxes, points,
masks and further images have to lie there as well.
"""

import warnings

import numpy as np
import pytest

from polyhead.augment import Apply
from polyhead.augment.joint import Joint
from polyhead.augment.sample_transform import TransformOptions, transform_sample
from polyhead.errors import ContractError

pytest.importorskip("cv2", reason="OpenCV is not installed")
A = pytest.importorskip("albumentations", reason="albumentations is not installed")

HEIGHT, WIDTH = 60, 80
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
UNIT = 128.0
COORDINATES = (np.stack([COLUMNS + 0.5, ROWS + 0.5, np.full(ROWS.shape, UNIT)], 2) / UNIT).astype(np.float32)
NUMBERS = (ROWS * WIDTH + COLUMNS + 1).astype(np.int32)
"""A mask whose every pixel has an id of its own, from 1 on."""

BOX = np.array([20.0, 15, 60, 45])
POINTS = np.random.default_rng(0).uniform((25, 20), (55, 40), (12, 2))
FILL = 9999

EXACT, NEARLY, ROUGHLY = 0.02, 0.15, 1.0
"""Pixels by which a coordinate may be off: floats, the slope of what is not straight, whole pixels."""

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # some say that another one is faster
    TRANSFORMS = {
        "HorizontalFlip": (A.HorizontalFlip(p=1), EXACT, EXACT),
        "VerticalFlip": (A.VerticalFlip(p=1), EXACT, EXACT),
        "Transpose": (A.Transpose(p=1), EXACT, EXACT),
        "RandomRotate90": (A.RandomRotate90(p=1), EXACT, EXACT),
        "D4": (A.D4(p=1), EXACT, EXACT),
        "SquareSymmetry": (A.SquareSymmetry(p=1), EXACT, EXACT),
        "NoOp": (A.NoOp(p=1), EXACT, EXACT),
        "Affine": (A.Affine((0.7, 1.3), (-0.1, 0.1), rotate=(-30, 30), shear=(-9, 9), p=1), EXACT, EXACT),
        "Affine, whole": (A.Affine(1.2, rotate=(20, 20), fit_output=True, p=1), EXACT, EXACT),
        "ShiftScaleRotate": (A.ShiftScaleRotate(p=1), EXACT, EXACT),
        "Rotate": (A.Rotate((20, 20), p=1), EXACT, EXACT),
        "Rotate, no border": (A.Rotate((8, 8), crop_border=True, p=1), EXACT, EXACT),
        "SafeRotate": (A.SafeRotate((-40, 40), p=1), EXACT, EXACT),
        "Perspective": (A.Perspective((0.05, 0.1), p=1), NEARLY, NEARLY),
        "Perspective, cropped": (A.Perspective((0.05, 0.1), keep_size=False, p=1), NEARLY, NEARLY),
        "Perspective, whole": (A.Perspective((0.05, 0.1), fit_output=True, p=1), NEARLY, NEARLY),
        "Crop": (A.Crop(10, 12, 70, 50, p=1), EXACT, EXACT),
        "CenterCrop": (A.CenterCrop(44, 61, p=1), EXACT, EXACT),
        "RandomCrop": (A.RandomCrop(75, 63, pad_if_needed=True, p=1), EXACT, EXACT),
        "RandomCropFromBorders": (A.RandomCropFromBorders(p=1), EXACT, EXACT),
        "AtLeastOneBBoxRandomCrop": (A.AtLeastOneBBoxRandomCrop(45, 50, p=1), EXACT, EXACT),
        "BBoxSafeRandomCrop": (A.BBoxSafeRandomCrop(p=1), EXACT, EXACT),
        "CropNonEmptyMaskIfExists": (A.CropNonEmptyMaskIfExists(50, 60, p=1), EXACT, EXACT),
        "CropAndPad": (A.CropAndPad(px=-7, keep_size=False, p=1), EXACT, EXACT),
        "CropAndPad, resized": (A.CropAndPad(px=-10, keep_size=True, p=1), EXACT, EXACT),
        "Pad": (A.Pad(7, p=1), EXACT, EXACT),
        "PadIfNeeded": (A.PadIfNeeded(101, 103, p=1), EXACT, EXACT),
        "Resize": (A.Resize(120, 140, p=1), EXACT, EXACT),
        "Resize, smaller": (A.Resize(36, 48, p=1), EXACT, EXACT),
        "RandomScale": (A.RandomScale((0.6, 0.6), p=1), EXACT, EXACT),
        "LongestMaxSize": (A.LongestMaxSize(120, p=1), EXACT, EXACT),
        "SmallestMaxSize": (A.SmallestMaxSize(100, p=1), EXACT, EXACT),
        "RandomResizedCrop": (A.RandomResizedCrop((120, 140), scale=(0.7, 1), p=1), EXACT, EXACT),
        "RandomSizedCrop": (A.RandomSizedCrop((50, 55), (100, 110), p=1), EXACT, EXACT),
        "RandomSizedBBoxSafeCrop": (A.RandomSizedBBoxSafeCrop(100, 120, p=1), EXACT, EXACT),
        "ElasticTransform": (A.ElasticTransform(30, 8, p=1), NEARLY, ROUGHLY),
        "GridDistortion": (A.GridDistortion(p=1), 0.3, ROUGHLY),
        "OpticalDistortion": (A.OpticalDistortion((0.2, 0.2), p=1), NEARLY, ROUGHLY),
        "OpticalDistortion, fisheye": (A.OpticalDistortion((0.2, 0.2), mode="fisheye", p=1), NEARLY, ROUGHLY),
        "PiecewiseAffine": (A.PiecewiseAffine(p=1), 0.3, ROUGHLY),
        "ThinPlateSpline": (A.ThinPlateSpline((0.1, 0.1), p=1), NEARLY, ROUGHLY),
        "GridElasticDeform": (A.GridElasticDeform((4, 4), 2, p=1), EXACT, ROUGHLY),
        "TimeReverse": (A.TimeReverse(p=1), EXACT, EXACT),
    }


def pipeline(*transforms, **options):
    return A.Compose(
        transforms, bbox_params=A.BboxParams("pascal_voc"), keypoint_params=A.KeypointParams("xy"), **options
    )


def where(image, point):
    """Where in an image of coordinates one of them lies, by a plane through the pixels about it; None for nowhere."""
    whole = image[..., 2] > 0.999
    away = np.where(whole, np.abs(image[..., :2] * UNIT - point).sum(2), np.inf)
    i, j = np.unravel_index(away.argmin(), away.shape)
    about = np.s_[max(i - 1, 0) : min(i + 2, len(away)), max(j - 1, 0) : min(j + 2, away.shape[1])]
    there = whole[about]
    if away[i, j] > 3 or there.sum() < 4:
        return None
    rows, columns = np.mgrid[about]
    read = np.column_stack([image[about][there][:, :2] * UNIT, np.ones(there.sum())]).astype(float)
    plane, *_ = np.linalg.lstsq(read, np.column_stack([columns[there], rows[there]]) + 0.5, rcond=None)
    return np.array([*point, 1.0]) @ plane


def box_there(image):
    """The upright box about the edge of BOX, cut to the image; None where some of it lies outside."""
    left, top, right, bottom = BOX
    across, down = np.linspace(left, right, 25), np.linspace(top, bottom, 25)
    edge = [(x, y) for x in across for y in (top, bottom)] + [(x, y) for y in down for x in (left, right)]
    found = [where(image, point) for point in edge]
    if any(at is None for at in found):
        return None
    size = (image.shape[1], image.shape[0])
    return np.concatenate([np.clip(np.min(found, 0), 0, size), np.clip(np.max(found, 0), 0, size)])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_lies_in_the_image_moves_with_it(name):
    transform, of_points, of_boxes = TRANSFORMS[name]
    apply, seen = Apply(pipeline(transform)), {"points": 0, "boxes": 0}
    for key in range(3):
        given = {
            "image": COORDINATES,
            "other": COORDINATES[..., ::-1].copy(),
            "masks": [NUMBERS, (NUMBERS % 2).astype(np.uint8)],
            "boxes": np.array([BOX, [np.nan] * 4]),
            "points": POINTS,
        }
        found = apply.run(key, given, fills=[FILL, 7])
        image, numbers = found["image"], found["masks"][0]
        assert np.array_equal(found["other"], image[..., ::-1])
        for point, at in zip(POINTS, found["points"], strict=True):
            true = where(image, point)
            if true is not None:
                assert at == pytest.approx(true, abs=of_points)
                seen["points"] += 1
        assert np.isnan(found["boxes"][1]).all()
        true = box_there(image)
        if true is not None:
            assert found["boxes"][0] == pytest.approx(true, abs=of_boxes)
            seen["boxes"] += 1
        inside = image[..., 2] > 0.999
        there = numbers[inside & (numbers != FILL)] - 1
        read = image[inside & (numbers != FILL), :2] * UNIT - 0.5
        assert np.abs(np.column_stack([there % WIDTH, there // WIDTH]) - read).max() < ROUGHLY
        assert np.isin(numbers, [FILL, *NUMBERS.ravel()]).all()
        assert (numbers[image[..., 2] < 0.001] == FILL).all()
        # OpenCV does not round alike for all types: a few pixels lie as near to one as to another
        assert (found["masks"][1] != np.where(numbers == FILL, 7, numbers % 2)).sum() < 8
    assert seen["points"] > 12
    assert seen["boxes"] > 0


OTHERS = {
    "RandomGridShuffle": "cuts the image apart, see below",
    "Lambda": "does what the user's functions do",
    "CoarseDropout": "hides some, and moves nothing",
    "ConstrainedCoarseDropout": "hides some, and moves nothing",
    "Erasing": "hides some, and moves nothing",
    "FrequencyMasking": "hides some, and moves nothing",
    "GridDropout": "hides some, and moves nothing",
    "PixelDropout": "hides some, and moves nothing",
    "TimeMasking": "hides some, and moves nothing",
    "XYMasking": "hides some, and moves nothing",
    "MaskDropout": "drops the objects of a mask, which the masks here do not have",
    "Morphological": "makes what is bright larger or smaller, and moves nothing",
    "OverlayElements": "needs further columns",
    "Mosaic": "needs further columns",
    "RandomCropNearBBox": "needs further columns",
}


def test_every_transform_that_moves_is_tried_here():
    def kinds(of):
        for kind in of.__subclasses__():
            yield kind.__name__
            yield from kinds(kind)

    theirs = {name for name in set(kinds(A.DualTransform)) if hasattr(A, name) and "3D" not in name}
    tried = {name.partition(",")[0] for name in TRANSFORMS} | OTHERS.keys()
    assert theirs - tried <= {
        "CubicSymmetry",
        "BaseDropout",
        "BaseCrop",
        "BaseCropAndPad",
    }  # of volumes, and bases


@pytest.mark.parametrize("grid", [(2, 2), (3, 4), (5, 1)])
def test_points_go_with_the_tiles_that_are_shuffled(grid):
    apply = Apply(pipeline(A.RandomGridShuffle(grid, p=1)))
    across, down = np.meshgrid(np.arange(0, WIDTH, 3), np.arange(0, HEIGHT, 4))
    middles = np.stack([across.ravel(), down.ravel()], 1) + 0.5
    aside = np.array([0.4, 0.1])
    points = np.concatenate([middles - aside, middles + aside])
    for key in range(3):
        found = apply.run(key, {"image": COORDINATES, "points": points, "mask": NUMBERS}, fills=[FILL])
        at = found["points"]
        pixels = np.floor(at).astype(int)
        read = found["image"][pixels[:, 1], pixels[:, 0], :2] * UNIT
        np.testing.assert_allclose(read - 0.5, np.floor(points), atol=1e-3)
        np.testing.assert_allclose(at - pixels, points - np.floor(points), atol=1e-3)
        assert np.array_equal(found["mask"], np.rint((found["image"] * UNIT - 0.5)[..., :2] @ [1, WIDTH] + 1))


def test_boxes_that_would_be_cut_apart_are_refused():
    shuffle = A.OneOf([A.HorizontalFlip(p=1), A.RandomGridShuffle((2, 2), p=1)], p=1)
    with pytest.raises(ContractError) as raised:
        run(shuffle, image=IMAGE, boxes=np.array([[1.0, 2, 9, 8]]))
    assert str(raised.value) == (
        "Apply(Compose): expected transforms that keep a box in one piece, got RandomGridShuffle, which cuts boxes "
        "apart. Leave it out of the pipeline, or leave the boxes out of the feed."
    )
    assert run(shuffle, image=IMAGE, points=np.array([[4.0, 4]]))["points"].shape == (1, 2)


def test_points_that_a_fold_hides_are_gone():
    apply = Apply(pipeline(A.GridElasticDeform((8, 8), 9, p=1)))
    across, down = np.meshgrid(np.arange(10, WIDTH - 10, 2), np.arange(10, HEIGHT - 10, 2))
    points = np.stack([across.ravel(), down.ravel()], 1) + 0.5
    hidden = 0
    for key in range(3):
        found = apply.run(key, {"image": COORDINATES, "points": points})
        read = found["image"][found["image"][..., 2] > 0.999][:, :2] * UNIT
        nearest = np.array([np.hypot(*(read - point).T).min() for point in points])
        assert np.isnan(found["points"][nearest > 2.01]).all()
        hidden += (nearest > 2.01).sum()
    assert hidden


def run(*transforms, key=0, fills=(), geometric_only=frozenset(), min_visible=0.0, options=None, **given):
    apply = Apply(pipeline(*transforms, **(options or {})))
    return apply.run(key, given, fills=fills, geometric_only=geometric_only, min_visible=min_visible)


FLIP = A.HorizontalFlip(p=1)
IMAGE = np.zeros((20, 30, 3), np.uint8)


def test_a_point_on_the_very_edge_stays_and_one_that_is_cut_off_goes():
    points = np.array([[0.0, 0], [30, 20], [0.2, 19.8], [12, 3]])
    found = run(FLIP, image=IMAGE, points=points)["points"]
    assert found == pytest.approx(points * [-1, 1] + [30, 0])
    found = run(A.Crop(10, 0, 30, 20, p=1), A.PadIfNeeded(20, 40, p=1), image=IMAGE, points=points)["points"]
    assert np.isnan(found).any(1).tolist() == [True, False, True, False]
    assert found[3].tolist() == pytest.approx([12, 3])
    keeps = A.Compose(
        [A.Crop(10, 0, 30, 20, p=1)], keypoint_params=A.KeypointParams("xy", remove_invisible=False)
    )
    found = Apply(keeps).run(0, {"image": IMAGE, "points": points})["points"]
    assert found[0].tolist() == pytest.approx([-10, 0])
    assert keeps.processors["keypoints"].params.remove_invisible is False


@pytest.mark.parametrize("fields", [False, True])
@pytest.mark.parametrize("boxes", [np.zeros((0, 4)), np.full((2, 4), np.nan), None])
@pytest.mark.parametrize("transform", [FLIP, A.RandomSizedBBoxSafeCrop(20, 30, p=1), A.ElasticTransform(p=1)])
def test_a_sample_without_boxes(fields, boxes, transform):
    apply = Apply(
        A.Compose(
            [transform],
            bbox_params=A.BboxParams("pascal_voc", label_fields=["kind"] if fields else None),
            keypoint_params=A.KeypointParams("xy", label_fields=["which"] if fields else None),
        )
    )
    given = {"image": IMAGE} | ({} if boxes is None else {"boxes": boxes})
    found = apply.run(0, given)
    assert sorted(found) == sorted(given)
    assert boxes is None or np.array_equal(found["boxes"], boxes, equal_nan=True)
    full = apply.run(
        0, {"image": IMAGE, "boxes": np.array([[2.0, 3, 20, 18]]), "points": np.array([[5.0, 5]])}
    )
    assert np.isfinite(full["boxes"]).all()


MIRRORED = [
    (A.HorizontalFlip(p=1), True),
    (A.Transpose(p=1), True),
    (A.Compose([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)]), False),
    (A.Sequential([A.VerticalFlip(p=1), A.Rotate((10, 10), p=1)], p=1), True),
    (A.HorizontalFlip(p=0), False),
    (A.RandomRotate90(p=1), False),
]


@pytest.mark.parametrize(("transform", "mirrors"), MIRRORED)
def test_pairs_of_points_change_places_in_a_mirrored_image(transform, mirrors):
    points = {"face": np.array([[12.0, 10], [18, 10], [15, 13]]), "hands": np.full((2, 2, 2), np.nan)}
    points["hands"][0] = [[11, 9], [17, 11]]
    found = {}
    for swaps in ({}, {"face": [(0, 1)], "hands": [(0, 1)]}):
        plan = Joint([Apply(pipeline(transform))]).plan(0, [0], [IMAGE.shape[:2]], (30, 30))
        moved = transform_sample(
            plan, 0, images={"image": IMAGE}, points=points, options=TransformOptions(swaps=swaps)
        )
        found[bool(swaps)] = {name: at for name, (at, _) in moved.points.items()}
    for name in points:
        plain, paired = found[False][name], found[True][name]
        order = [1, 0, 2][: plain.shape[-2]] if mirrors else slice(None)
        assert paired == pytest.approx(plain[..., order, :], nan_ok=True)


@pytest.mark.parametrize("element", ["e", "r90", "r180", "r270", "v", "hvt", "h", "t"])
def test_the_symmetries_of_a_square_that_mirror(element):
    square = A.D4(p=1)
    square.get_params = lambda: {"group_element": element}
    points = np.array([[2.0, 3], [8, 3]])
    plain, paired = (
        Apply(pipeline(square)).run(0, {"image": IMAGE[:, :20], "points": points}, swaps=swaps)["points"]
        for swaps in ([], [(0, 1)])
    )
    assert np.array_equal(paired, plain[::-1] if element in ("v", "hvt", "h", "t") else plain)


def test_a_crop_that_loses_all_boxes():
    boxes = np.array([[1.0, 1, 5, 5], [2, 2, 6, 6]])
    found = run(A.Crop(15, 0, 30, 20, p=1), image=IMAGE, boxes=boxes, points=boxes[:, :2])
    assert np.isnan(found["boxes"]).all()
    assert np.isnan(found["points"]).all()


def test_a_box_without_an_area_and_one_that_is_hardly_left():
    flat = np.array([[30.0, 4, 30, 9], [7, 20, 9, 20], [0, 0, 0, 0]])
    found = run(FLIP, image=IMAGE, boxes=flat)["boxes"]
    assert found == pytest.approx(np.array([[0.0, 4, 0, 9], [21, 20, 23, 20], [30, 0, 30, 0]]), abs=0.02)
    boxes = np.array([[0.0, 0, 20, 10], [10, 0, 30, 10]])
    crop = A.Crop(18, 0, 30, 20, p=1)
    assert run(crop, image=IMAGE, boxes=boxes)["boxes"] == pytest.approx(
        np.array([[0, 0, 2, 10], [0, 0, 12, 10]])
    )
    assert np.isnan(run(crop, image=IMAGE, boxes=boxes, min_visible=0.2)["boxes"]).all(1).tolist() == [
        True,
        False,
    ]


def test_what_comes_from_outside_has_each_masks_own_fill():
    masks = [np.full((20, 30), 5, np.uint8), np.ones((20, 30, 2), np.uint8), np.full((20, 30), 3, np.int32)]
    turn = A.Rotate((45, 45), p=1)
    found = run(turn, image=IMAGE, masks=masks, fills=[11, 255, -1])["masks"]
    assert [np.unique(mask).tolist() for mask in found] == [[5, 11], [1, 255], [-1, 3]]
    assert (found[0] == 11).mean() == pytest.approx((found[2] == -1).mean(), abs=0.01)
    one = run(turn, image=IMAGE, mask=masks[0], fills=[11])["mask"]
    assert np.array_equal(one, found[0])
    said = run(A.Rotate((45, 45), fill_mask=7, p=1), image=IMAGE, mask=masks[0], fills=[11])["mask"]
    assert np.unique(said).tolist() == [5, 7]
    mirrored = run(A.Rotate((45, 45), border_mode=4, p=1), image=IMAGE, mask=masks[0], fills=[11])["mask"]
    assert np.unique(mirrored).tolist() == [5]
    padded = run(A.PadIfNeeded(24, 40, p=1), image=IMAGE, mask=masks[0], fills=[11])["mask"]
    assert (padded == 11).sum() == 24 * 40 - 20 * 30


def emptied(mask, **_):
    return mask * 0


def test_a_label_that_the_pipeline_puts_into_a_mask_is_no_outside():
    mask = np.full((20, 30), 5, np.uint8)
    for drop in (A.CoarseDropout(fill_mask=0, p=1), A.Lambda(mask=emptied, p=1)):
        turned = run(drop, A.Rotate((30, 30), p=1), image=IMAGE, mask=mask, fills=[11])["mask"]
        assert {0, 11} <= set(np.unique(turned).tolist())


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", "int16", "int32", "float32", "float64"])
def test_masks_of_every_type_come_back_as_they_were(dtype):
    mask = (np.arange(600).reshape(20, 30) % 2).astype(dtype)
    other = (np.arange(600 * 3).reshape(20, 30, 3) % 2).astype(dtype)
    for transform in (
        A.Transpose(p=1),
        A.Rotate((20, 20), p=1),
        A.Resize(10, 15, p=1),
        A.ElasticTransform(p=1),
    ):
        found = run(transform, image=IMAGE, masks=[mask, other])
        assert [m.dtype for m in found["masks"]] == [dtype, dtype]
        assert [m.shape for m in found["masks"]] == [found["image"].shape[:2], found["image"].shape]


def test_light_changes_in_images_of_light_alone():
    depth = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30, 1)
    gray = np.full((20, 30, 3), 100, np.uint8)
    brighter = A.RandomBrightnessContrast((0.2, 0.2), (0, 0), p=1)
    given = {"image": gray, "infrared": gray, "depth": depth}
    found = run(FLIP, brighter, geometric_only=frozenset(["depth"]), **given)
    assert found["image"].mean() > 110
    assert np.array_equal(found["infrared"], found["image"])
    assert np.array_equal(found["depth"], depth[:, ::-1])


@pytest.mark.parametrize("targets", [None, {"depth": "image"}], ids=["given", "named by the user"])
@pytest.mark.parametrize("geometric_only", [["image"], ["depth"], ["image", "depth"], []], ids=str)
def test_every_image_that_is_not_light_keeps_its_values(geometric_only, targets):
    gray = np.full((20, 30, 3), 100, np.uint8)
    brighter = A.RandomBrightnessContrast((0.2, 0.2), (0, 0), p=1)
    apply = Apply(A.Compose([brighter], additional_targets=targets))
    given = {"image": gray, "depth": gray}
    for now in (geometric_only, [], geometric_only):  # other feeds may use the pipeline as well
        found = apply.run(0, given, geometric_only=frozenset(now))
        assert {name for name in given if np.array_equal(found[name], gray)} == set(now)


def test_a_target_that_the_user_named_is_what_they_said_it_is():
    gray = np.full((20, 30, 3), 100, np.uint8)
    brighter = A.RandomBrightnessContrast((0.2, 0.2), (0, 0), p=1)
    lit = A.Compose([brighter], additional_targets={"depth": "mask"})
    found = Apply(lit).run(0, {"image": gray, "depth": gray})
    assert found["image"].mean() > 110
    assert np.array_equal(found["depth"], gray)


def test_a_pipeline_of_light_alone_needs_no_params_for_boxes():
    apply = Apply(A.Compose([A.RandomBrightnessContrast((0.2, 0.2), (0, 0), p=1)]))
    gray, boxes = np.full((20, 30, 3), 100, np.uint8), np.array([[1.0, 2, 9, 8]])
    found = apply.run(0, {"image": gray, "boxes": boxes, "points": boxes[:, :2], "mask": gray})
    assert found["image"].mean() > 110
    assert np.array_equal(found["mask"], gray)
    assert np.array_equal(found["boxes"], boxes)
    assert np.array_equal(found["points"], boxes[:, :2])


def test_the_pipeline_itself_stays_as_it_is():
    own = pipeline(A.Rotate((45, 45), p=1), A.Resize(40, 40, p=1), A.ElasticTransform(p=1))
    before = repr(own.to_dict())
    functions = [dict(transform._key2func) for transform in own.transforms]
    masks = [np.ones((20, 30), np.uint8)] * 2
    given = {"image": IMAGE, "second": IMAGE, "masks": masks, "boxes": np.array([[1.0, 1, 9, 9]])}
    Apply(own).run(0, given, fills=[3, 4], min_visible=0.5)
    assert repr(own.to_dict()) == before
    assert [dict(transform._key2func) for transform in own.transforms] == functions
    assert not own.additional_targets


def test_a_nested_pipeline_with_a_chance():
    flip = A.OneOf([A.HorizontalFlip(p=1), A.Sequential([A.HorizontalFlip(p=1)], p=1)], p=1)
    boxes, points = np.array([[1.0, 2, 9, 8]]), np.array([[4.0, 4]])
    for key in range(4):
        found = run(flip, key=key, image=IMAGE, second=COORDINATES[:20, :30], boxes=boxes, points=points)
        assert found["boxes"] == pytest.approx(np.array([[21, 2, 29, 8]]))
        assert found["points"] == pytest.approx(np.array([[26, 4]]))
        assert np.array_equal(found["second"], COORDINATES[:20, :30][:, ::-1])
    never = run(flip, options={"p": 0.0}, image=IMAGE, boxes=boxes, points=points)
    assert np.array_equal(never["boxes"], boxes)
    assert np.array_equal(never["points"], points)


def test_a_single_transform_is_refused():
    with pytest.raises(ContractError) as raised:
        Apply(FLIP)
    assert str(raised.value) == (
        "Apply(HorizontalFlip): expected a pipeline of albumentations, got a single transform. Say "
        "Apply(albumentations.Compose([HorizontalFlip(...)])), with bbox_params and keypoint_params as needed."
    )


def test_a_pipeline_that_makes_tensors_is_refused_when_it_is_declared():
    tensors = pytest.importorskip("albumentations.pytorch", reason="torch is not installed").ToTensorV2
    words = (
        "Apply(Compose): expected transforms that return arrays (H, W, C), got ToTensorV2. Leave it out; polyhead "
        "passes images with channels last and makes the tensors itself."
    )
    for transforms in ([A.HorizontalFlip(), tensors()], [A.OneOf([A.HorizontalFlip(p=1), tensors(p=1)])]):
        with pytest.raises(ContractError) as error:
            Apply(A.Compose(transforms))
        assert str(error.value) == words


@pytest.mark.parametrize("name", ["Normalize", "ToFloat", "FromFloat"])
def test_a_pipeline_that_scales_pixels_is_told_to_leave_it_to_the_image(name):
    pipeline = Apply(A.Compose([getattr(A, name)()]))
    image = np.zeros((6, 8, 3), np.uint8)
    dtype = "float16" if name == "FromFloat" else "float32"
    with pytest.raises(ContractError) as error:
        pipeline.run(0, {"image": image}, where="row 3")
    assert str(error.value) == (
        "Apply(Compose), row 3: expected `image` of shape (6, 8, 3), uint8 returned, got shape (6, 8, 3), "
        f"{dtype}. Leave {name} out: ph.Image scales to 0–1, and the model may go on, as keras.layers.Normalization "
        "does."
    )
