"""Resampling: pixels land where the matrix says, for every way that it takes."""

import numpy as np
import pytest

from polyhead.augment.warp import _inverse, resized, warp
from polyhead.images import geometry as g

RNG = np.random.default_rng(5)


def coordinates(height, width, dtype=np.float32):
    """An image whose pixels hold the (x, y) of their own centers."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    return np.stack([x, y], 2).astype(dtype)


def came_from(matrix, size):
    """Where the center of each pixel of the output lay."""
    return g.transform(np.linalg.inv(matrix), coordinates(*size, np.float64))


def exact_nearest(image, matrix, size, fill=0):
    """Pixel by pixel, as the words define it."""
    x, y = np.floor(np.moveaxis(came_from(matrix, size), 2, 0)).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    found = np.full((*size, *image.shape[2:]), fill, image.dtype)
    found[inside] = image[y[inside], x[inside]]
    return found


def random_matrix(rng, size, target):
    """Any mixture of turning, stretching, leaning and mirroring."""
    parts = [
        g.rotate(rng.uniform(-180, 180)),
        g.scale(rng.uniform(0.5, 2), rng.uniform(0.5, 2)),
        g.shear(rng.uniform(-25, 25), rng.uniform(-25, 25)),
        g.scale(rng.choice([-1, 1]), 1),
        g.shift(*rng.uniform(-6, 6, 2)),
    ]
    matrix = np.eye(3)
    for part in parts:
        matrix = part @ matrix
    return g.resize(size, target) @ g.about(matrix, size)


@pytest.mark.parametrize("size", [(40, 56), (41, 57)])
@pytest.mark.parametrize("target", [(40, 56), (20, 28), (11, 30), (90, 100), (13, 13), (5, 40)])
def test_linear_pixels_come_from_where_the_matrix_says(size, target):
    image = coordinates(*size)
    for _ in range(8):
        matrix = random_matrix(RNG, size, target)
        found, expected = warp(image, matrix, target, fill=-1), came_from(matrix, target)
        shrink = max(1, *1 / np.hypot(matrix[:2, 0], matrix[:2, 1]))
        far = 2 * shrink  # from the edge, where the outside is not mixed in
        inside = ((expected > far) & (expected < np.array(size[::-1]) - far)).all(2)
        assert (
            abs(found - expected)[inside].max(initial=0) < 0.08 * shrink
        )  # OpenCV weighs by 1/32 of a pixel


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.int16, np.int32, np.int64, np.uint32, np.float32, bool]
)
def test_nearest_pixels_are_exact(dtype):
    image = RNG.integers(0, 2 if dtype is bool else 120, (33, 47)).astype(dtype)
    for target in ((33, 47), (64, 50), (16, 21)):
        matrix = random_matrix(RNG, image.shape, target)
        found = warp(image, matrix, target, nearest=True, fill=1)
        expected = exact_nearest(image, matrix, target, fill=1)
        assert found.dtype == image.dtype
        assert (found == expected).mean() > 0.99  # OpenCV looks up at 1/1024 of a pixel


def test_ids_too_large_for_32_bits():
    image = np.array([[2**40, 5]])
    assert warp(image, g.flip(True, False, (1, 2)), (1, 2), nearest=True).tolist() == [[5, 2**40]]


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,), (7,), (40,)])
@pytest.mark.parametrize("nearest", [True, False])
def test_flips_and_whole_shifts_are_exact(channels, nearest):
    image = RNG.integers(0, 256, (12, 17, *channels), dtype=np.uint8)
    size = image.shape[:2]
    for horizontal, vertical in ((True, False), (False, True), (True, True), (False, False)):
        found = warp(image, g.flip(horizontal, vertical, size), size, nearest=nearest)
        expected = image[:: -1 if vertical else 1, :: -1 if horizontal else 1]
        assert np.array_equal(found, expected)
    moved = warp(image, g.shift(3, -2), size, nearest=nearest, fill=9)
    assert np.array_equal(moved[:-2, 3:], image[2:, :-3])
    assert (moved[-2:] == 9).all()
    assert (moved[:, :3] == 9).all()
    turned = warp(image, g.shift(12, 0) @ g.rotate(90), (17, 12), nearest=nearest)
    assert np.array_equal(turned, np.rot90(image, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.float32, np.bool_])
@pytest.mark.parametrize("channels", [(), (1,), (3,), (5,)])
@pytest.mark.parametrize("nearest", [True, False])
@pytest.mark.parametrize("target", [(40, 56), (20, 28), (33, 30), (90, 112), (13, 13), (7, 200)])
def test_the_whole_image_at_another_size_is_what_its_matrix_makes_of_it(dtype, channels, nearest, target):
    image = RNG.integers(0, 2 if dtype is np.bool_ else 200, (40, 56, *channels)).astype(dtype)
    matrix = g.scale(target[1] / 56, target[0] / 40)
    expected = exact_nearest(image, matrix, target) if nearest else warp(image, matrix, target)
    kept = image.copy()
    found = resized(image, target, nearest=nearest)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)
    assert not np.shares_memory(found, image)
    assert np.array_equal(image, kept)


def test_nothing_to_do_is_a_copy():
    image = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)
    image.setflags(write=False)
    for view in (image, image[:]):  # as a source of the user's may return
        found = warp(view, np.eye(3), (12, 17))
        assert np.array_equal(found, image)
        found[:] = 0
        assert image.any()
    for dtype in (np.float16, np.int64, bool):
        other = image.astype(dtype)
        assert np.array_equal(warp(other, np.eye(3), (12, 17)), other)


@pytest.mark.parametrize("fill", [0, 200])
def test_channels_are_warped_alike_however_many_they_are(fill):
    image = RNG.integers(0, 256, (90, 120, 4), dtype=np.uint8)
    matrix = random_matrix(RNG, (90, 120), (60, 50))
    gray = np.stack([warp(image[..., k], matrix, (60, 50), fill=fill) for k in range(4)], 2)
    for channels in (1, 3, 4):
        found = warp(np.ascontiguousarray(image[..., :channels]), matrix, (60, 50), fill=fill)
        assert abs(found.astype(int) - gray[..., :channels]).max() <= 1


def test_edges_of_what_is_wholly_seen_are_not_darkened():
    white = np.full((10, 10, 3), 255, np.uint8)
    for target in ((25, 31), (7, 9), (3, 3), (4, 10)):
        assert (warp(white, g.resize((10, 10), target), target) == 255).all()
    assert (warp(white, g.scale(3, 3) @ g.shift(-1.25, -2.5), (20, 20)) == 255).all()


def test_shrinking_looks_at_every_pixel():
    board = np.indices((256, 256)).sum(0) % 2 * 255
    for target in ((32, 32), (50, 61), (100, 30), (20, 250)):
        found = warp(board.astype(np.uint8), g.resize((256, 256), target), target)
        assert abs(found[1:-1, 1:-1].astype(int) - 127).max() < 45
        turned = warp(
            board.astype(np.uint8),
            g.resize((256, 256), (40, 40)) @ g.about(g.rotate(20), (256, 256)),
            (40, 40),
        )
        assert abs(turned[15:25, 15:25].astype(int) - 127).max() < 45


def test_a_source_longer_than_opencv_looks_up():
    long = np.arange(70_000, dtype=np.int32)[None, :].repeat(2, 0)
    assert warp(long, g.shift(-65_000, 0), (2, 3), nearest=True)[0].tolist() == [65_000, 65_001, 65_002]
    found = warp(long.astype(np.float32), g.scale(1e-3, 1) @ g.shift(-20_000, 0), (2, 4))
    assert np.allclose(found[0], 20_500 + 1000 * np.arange(4), atol=200)


def test_what_is_wholly_outside_is_filled():
    assert (warp(np.ones((4, 4)), g.scale(0.2, 0.2) @ g.shift(500, 0), (3, 3), fill=7) == 7).all()
    assert (warp(np.ones((4, 4), bool), g.shift(50, 0), (3, 3), nearest=True, fill=1)).all()


def test_the_inverse():
    matrix = random_matrix(RNG, (5, 6), (7, 8))
    assert np.allclose(np.reshape(_inverse(matrix), (2, 3)), np.linalg.inv(matrix)[:2])
