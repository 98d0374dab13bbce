"""Every augmentation and fit with every head that lies in the image, against pixels that hold where they came from.

The image has in each pixel its own place. So the image that the model gets says itself where each of its pixels came
from, and what a head must hold there follows without any of the library's geometry.
"""

import numpy as np
import pytest

import polyhead as ph

pytest.importorskip("cv2", reason="opencv is not installed")

HEIGHT, WIDTH, SIDE, ROWS = 36, 60, 44, 6
SIZE = np.array([WIDTH, HEIGHT])
AT = np.stack(np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5), -1)  # (x, y) of each pixel
EDGE = 0.05  # pixels: nearer to a border than this, either side of it is right

AUGMENTATIONS = [
    [ph.Flip(p=1.0)],
    [ph.Flip(False, True, p=1.0)],
    [ph.Rotate(40)],
    [ph.Scale(0.4)],
    [ph.Translate(0.3)],
    [ph.Shear(20)],
    [ph.Crop(0.7)],
    [ph.RandomResizedCrop(0.3)],
    [ph.Flip(), ph.Rotate(15), ph.Scale(0.2), ph.Translate(0.1), ph.Shear(5), ph.Color(0.2), ph.Crop(0.9)],
    [],
]


def ids(x, y):
    """The class of a pixel: cells of three pixels."""
    return (np.floor(x / 3) + 2 * np.floor(y / 3)).astype(int) % 3


def numbers(x, y):
    """The number of a place: linear, so that what is interpolated is known."""
    return 5 + x + 100 * y


def hole(x, y):
    """Where a map has no number."""
    return (np.floor(x / 6) + np.floor(y / 6)) % 4 == 0


BOX = np.array([14.0, 8.0, 47.0, 29.0])
POINTS = np.array([[14.5, 9.0], [47.0, 28.0], [30.0, 18.5]])


def drawn():
    x, y = AT[..., 0], AT[..., 1]
    image = np.stack([x / 100, y / 100, np.ones_like(x)], -1).astype(np.float32)
    classes = ids(x, y).astype(np.uint8)
    gaps = np.where(hole(x, y), -1e6, numbers(x, y)).astype(np.float32)
    one = {
        "image": image,
        "binary": (classes > 0).astype(np.uint8),
        "classes": classes,
        "marked": np.where(hole(x, y), 11, classes).astype(np.uint8),
        "named": classes,
        "layers": np.stack([classes > 0, classes > 1], -1),
        "numbers": numbers(x, y).astype(np.float32),
        "gaps": gaps,
        "nearest": gaps,
        "box": BOX[None],
        "points": POINTS,
    }
    return {name: np.stack([value] * ROWS) for name, value in one.items()}


DATA = drawn()
HEADS = {
    "binary": ph.Mask(),
    "classes": ph.Mask(["sky", "car", "road"]),
    "marked": ph.Mask(3, missing=11),
    "named": ph.Mask(["Background", "car", "road"]),
    "layers": ph.Mask(2, multi=True),
    "numbers": ph.Map(),
    "gaps": ph.Map(missing=-1e6),
    "nearest": ph.Map(missing=-1e6, interpolation="nearest"),
    "box": ph.Boxes(1, min_visible=0),
    "points": ph.Keypoints(3),
}


def came_from(image):
    """Where the center of each pixel came from, and the affine map that the pixels themselves tell."""
    rows, columns = image.shape[:2]
    here = np.stack(
        [*np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5), np.ones((rows, columns))], -1
    )
    whole = image[..., 2] > 1 - 1e-6
    whole[1:-1, 1:-1] &= whole[:-2, 1:-1] & whole[2:, 1:-1] & whole[1:-1, :-2] & whole[1:-1, 2:]
    whole[[0, -1]] = whole[:, [0, -1]] = False
    found = image[..., :2].astype(np.float64) * 100
    # the outermost half pixel of an image is of one color: it says nothing of places
    whole &= (found > 2).all(-1) & (found < SIZE - 2).all(-1)
    matrix, *_ = np.linalg.lstsq(here[whole], found[whole], rcond=None)
    assert np.abs(here[whole] @ matrix - found[whole]).max() < 0.1  # OpenCV counts in 32nds of a pixel
    return here @ matrix, matrix


def near(x, step):
    """Whether a coordinate is too near to a border between cells to say on which side it is."""
    return np.abs(x / step - np.rint(x / step)) * step < EDGE


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
@pytest.mark.parametrize("augment", AUGMENTATIONS, ids=str)
def test_labels_lie_where_the_pixels_lie(augment, fit):
    plain = [one for one in augment if not isinstance(one, ph.Color)]
    options = {"heads": HEADS, "batch_size": ROWS, "seed": 3}
    inputs = {"image": ph.Image(SIDE, SIDE, fit=fit, photometric=False)}
    batch = next(iter(ph.Feed(DATA, inputs=inputs, augment=augment, **options).batches()))
    assert np.isfinite(np.concatenate([array.ravel() for array in batch.labels.values()])).all()
    for i in range(ROWS):
        labels = {name: array[i] for name, array in batch.labels.items()}
        weights = {name: array[i] for name, array in batch.weights.items()}
        at, matrix = came_from(batch.inputs["image"][i])
        check_pixels(labels, weights, at, matrix)
        check_places(labels, weights, matrix, bool(plain))


def check_pixels(labels, weights, at, matrix):
    x, y = at[..., 0], at[..., 1]
    outside = (at < 0).any(-1) | (at >= SIZE).any(-1)
    unsure = near(at, SIZE).any(-1) | near(at, 3).any(-1)
    kind, gone = np.where(outside, 0, ids(x, y)), outside | hole(x, y)

    def same(found, expected, there=None):
        counts = ~unsure if there is None else there & ~unsure
        np.testing.assert_array_equal(found[counts], expected[counts])

    same(labels["binary"][..., 0], kind > 0)
    same(np.broadcast_to(weights["binary"], outside.shape), np.ones_like(outside))
    same(labels["named"], kind)
    same(np.broadcast_to(weights["named"], outside.shape), np.ones_like(outside))
    same(labels["layers"], np.stack([kind > 0, kind > 1], -1))
    same(labels["classes"], kind, ~outside)
    same(np.broadcast_to(weights["classes"], outside.shape), ~outside)
    same(labels["marked"], kind, ~gone)
    same(weights["marked"], ~gone)
    same(weights["numbers"], ~outside)
    same(weights["gaps"], ~gone)
    same(weights["nearest"], ~gone)
    # an interpolated number is of at most a pixel beside; of pixels that were averaged, of as many as were
    far = (np.abs(matrix[:2]).sum(0).max() + 1.5) * 101
    exact, inner = numbers(x, y), (at > 2).all(-1) & (at < SIZE - 2).all(-1) & ~unsure
    np.testing.assert_allclose(labels["numbers"][inner, 0], exact[inner], atol=8)
    for name in ("numbers", "gaps", "nearest"):
        there = weights[name] > 0
        assert np.abs(labels[name][there, 0] - exact[there]).max() < far
        assert not labels[name][~there].any()


def check_places(labels, weights, matrix, moved):
    """Boxes and keypoints through the affine map that the pixels tell."""
    back = np.linalg.inv(np.column_stack([matrix, [0, 0, 1]]))
    points = np.column_stack([POINTS, np.ones(3)]) @ back[:, :2]
    seen = ((points >= 0) & (points <= SIDE)).all(-1)
    unsure = (np.abs(points) < EDGE).any(-1) | (np.abs(points - SIDE) < EDGE).any(-1)
    np.testing.assert_array_equal((weights["points"] > 0)[~unsure], seen[~unsure])
    there = weights["points"] > 0
    np.testing.assert_allclose(labels["points"][there], points[there], atol=0.1)
    corners = BOX[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
    around = np.column_stack([corners, np.ones(4)]) @ back[:, :2]
    expected = np.concatenate([around.min(0), around.max(0)]).clip(0, SIDE)
    if weights["box"][0]:
        np.testing.assert_allclose(labels["box"][0], expected, atol=0.1)
    else:
        assert moved
        assert (expected[2:] - expected[:2]).min() < 0.1


def test_this_check_can_fail():
    """A map that is mirrored once more than its image is found."""
    options = {
        "inputs": {"image": ph.Image(SIDE, SIDE, photometric=False)},
        "heads": HEADS,
        "batch_size": ROWS,
    }
    batch = next(iter(ph.Feed(DATA, augment=[ph.Flip(p=1.0)], **options).batches()))
    labels = {name: array[0] for name, array in batch.labels.items()}
    weights = {name: array[0] for name, array in batch.weights.items()}
    at, matrix = came_from(batch.inputs["image"][0])
    check_pixels(labels, weights, at, matrix)
    for name in ("numbers", "classes", "gaps"):
        with pytest.raises(AssertionError):
            check_pixels({**labels, name: labels[name][:, ::-1]}, weights, at, matrix)
