"""Images whose pixels hold their own coordinates: after any composition, everything still lies where it lay."""

import numpy as np
import pytest

from polyhead.augment import (
    Apply,
    Blur,
    Color,
    Crop,
    Cutout,
    Flip,
    Joint,
    Noise,
    RandomResizedCrop,
    Rotate,
    Scale,
    Shear,
    Translate,
)
from polyhead.augment.sample_transform import TransformOptions, transform_sample
from polyhead.images import geometry
from polyhead.images.decode import Decoded

COMPOSITIONS = 1000
TARGET = (64, 64)
SWAPS = [(0, 1)]


def mirror(image, mask, boxes, points, **others):
    """A function of the user's that is geometric: everything mirrored."""
    width = image.shape[1]
    boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
    points = np.stack([width - points[:, 0], points[:, 1]], 1)
    found = {name: image[:, ::-1].copy() for name, image in others.items() if name != "rng"}
    return {
        "image": image[:, ::-1].copy(),
        "mask": mask[:, ::-1].copy(),
        "boxes": boxes,
        "points": points,
        **found,
    }


def composition(rng, cut):
    """Some of all augmentations, in any order."""
    some = [
        Flip(),
        Flip(True, True),
        Rotate(rng.uniform(1, 180)),
        Rotate(15),
        Scale(rng.uniform(0.05, 0.4)),
        Translate(rng.uniform(0.02, 0.2)),
        Shear(rng.uniform(1, 20)),
        Crop(rng.uniform(0.6, 0.99)),
        RandomResizedCrop(rng.uniform(0.4, 1)),
        Color(0.3, 0.3, 0.3, 0.1),
        Blur(1),
        Noise(0.1),
        Cutout(0.4),
    ]
    chosen = [some[k] for k in rng.permutation(len(some))[: rng.integers(0, 7)]]
    if cut:
        chosen.insert(rng.integers(0, len(chosen) + 1), Apply(mirror, p=1))
    return chosen


def scene(rng, size):
    """An image of coordinates, and a mask, a box and keypoints of one ellipse in it."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width] + 0.5
    center = rng.uniform(0.35, 0.65, 2) * (width, height)
    radii = rng.uniform(0.2, 0.3, 2) * (width, height)
    mask = ((x - center[0]) / radii[0]) ** 2 + ((y - center[1]) / radii[1]) ** 2 <= 1
    box = np.concatenate([center - radii, center + radii])
    points = center + radii * np.array([[-1, 0], [1, 0], [0, 0], [0, -1]])
    return np.stack([x, y], 2).astype(np.float32), mask.astype(np.uint8), box, points


def looked_up(mask, matrix):
    """The mask through a matrix, each pixel looked up where its center came from."""
    x, y = np.moveaxis(geometry.transform(np.linalg.inv(matrix), centers(TARGET)), 2, 0)
    inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    found = np.zeros(TARGET, np.uint8)
    found[inside] = mask[y[inside].astype(int), x[inside].astype(int)]
    return found


def centers(size):
    y, x = np.mgrid[0 : size[0], 0 : size[1]] + 0.5
    return np.stack([x, y], 2)


def halved(image):
    return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2, -1).mean((1, 3)).astype(image.dtype)


def run(number):
    """One composition; how far coordinates are off, in pixels of the output, and the mask's IoU."""
    rng = np.random.default_rng(number)
    size = (int(rng.integers(24, 56)) * 2, int(rng.integers(24, 56)) * 2)
    image, mask, box, points = scene(rng, size)
    cut, reduced = number % 5 == 0, number % 3 == 0
    joint = Joint(composition(rng, cut), seed=number, min_visible=0)
    plan = joint.plan(2, [number], [size], TARGET)
    given = Decoded(halved(image), size, 0.5) if reduced else image
    light = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    found = transform_sample(
        plan,
        0,
        images={"x": light, "where": given},
        masks={"mask": mask},
        boxes={"box": [box]},
        points={"points": points},
        options=TransformOptions(swaps={"points": SWAPS}, photometric={"x"}, fills={"where": -1e6}),
    )
    where = found.images["where"].astype(float)
    parts = [plan.matrices[0]]
    if cut:  # what the function does, and what comes after it
        after = plan.stages[1].row(0).matrices(np.array([TARGET]), TARGET, "stretch")
        parts += [geometry.flip(True, False, TARGET), np.reshape(after, (3, 3))]
    matrix, exact = np.eye(3), mask
    for part in parts:
        matrix, exact = part @ matrix, looked_up(exact, part)
    inverse = np.linalg.inv(matrix)
    came = geometry.transform(inverse, centers(TARGET))
    stretch = np.linalg.norm(matrix[:2, :2], 2)  # source pixels to output pixels, at most
    margin = 3 * max(1, 1 / np.linalg.svd(matrix[:2, :2])[1][-1]) + 3 * reduced
    inside = ((came > margin) & (came < np.array(size[::-1]) - margin)).all(2)
    inside &= (where > -1).all(2)
    off = np.abs(where - came).max(2)[inside].max(initial=0) * stretch
    got = found.masks["mask"] == 1
    union = ((exact == 1) | got).sum()
    iou = ((exact == 1) & got).sum() / union if union > 200 else 1.0
    expected_points = geometry.transform(matrix, points)
    if geometry.mirrors(matrix) != cut:  # names are not for the function to exchange, which mirrors too
        expected_points[[0, 1]] = expected_points[[1, 0]]
    moved, visible = found.points["points"]
    off_points = np.abs(moved - expected_points)[visible].max(initial=0)
    # and what the image shows at a keypoint is the keypoint that it was
    swapped = geometry.mirrors(matrix) != cut
    for k, source in enumerate(points[[1, 0, 2, 3]] if swapped else points):
        if visible[k] and (moved[k] < 63.99).all() and inside[tuple(moved[k][::-1].astype(int))]:
            shown = where[tuple(moved[k][::-1].astype(int))]
            off = max(off, np.abs(matrix[:2, :2] @ (shown - source)).max())
    return off, iou, off_points, matrix, found, box, visible.sum()


@pytest.fixture(scope="module")
def ran():
    return [run(number) for number in range(COMPOSITIONS)]


def test_pixels_lie_where_the_matrix_says(ran):
    assert max(off for off, *_ in ran) < 1


def test_masks_are_those_of_the_exact_transform(ran):
    ious = np.array([iou for _, iou, *_ in ran])
    assert ious.min() >= 0.98


def test_keypoints_move_with_the_pixels_and_are_not_exchanged(ran):
    assert max(off for _, _, off, *_ in ran) < 1e-6
    assert sum(seen for *_, seen in ran) > 2 * COMPOSITIONS


def test_boxes_move_with_the_pixels(ran):
    kept_boxes = 0
    for number, (_, _, _, matrix, found, box, _) in enumerate(ran):
        (boxes, kept) = found.boxes["box"]
        if number % 5 == 0 or not kept[0]:
            continue
        kept_boxes += 1
        corners = geometry.transform(matrix, box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2))
        expected = np.concatenate([corners.min(0), corners.max(0)]).clip(0, 64)
        assert abs(boxes[0] - expected).max() < 1e-6
        rows, columns = np.nonzero(found.masks["mask"])
        if len(rows):  # and they hold the mask, but for the half pixels of the source at its edge
            far = 1 + np.linalg.norm(matrix[:2, :2], 2)
            assert (boxes[0] - far <= [columns.min(), rows.min(), 64, 64]).all()
            assert (boxes[0] + far >= [0, 0, columns.max() + 1, rows.max() + 1]).all()
    assert kept_boxes > 0.7 * COMPOSITIONS


def test_this_check_can_fail():
    """A shift of one and a half pixels would be found."""
    image, *_ = scene(np.random.default_rng(0), (64, 64))
    plan = Joint([Translate(0.2)], seed=1).plan(0, [0], [(64, 64)], TARGET)
    where = plan.image(0, image, photometric=False)
    came = geometry.transform(np.linalg.inv(geometry.shift(-1.5, 0) @ plan.matrices[0]), centers(TARGET))
    assert abs(where - came)[20:40, 20:40].max() > 1
