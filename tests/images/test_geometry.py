"""Matrices, boxes and keypoints."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhead.images import geometry as g

SIZE = (40, 60)


def at(matrix, x, y):
    return g.transform(matrix, np.array([x, y], float)).round(9).tolist()


def test_the_directions():
    assert at(g.shift(3, -2), 10, 10) == [13, 8]
    assert at(g.scale(2, 3), 10, 10) == [20, 30]
    assert at(g.rotate(90), 1, 0) == [0, 1]  # y is down: clockwise as it is seen
    assert at(g.shear(45, 0), 0, 10) == [10, 10]
    assert at(g.shear(0, 45), 10, 0) == [10, 10]
    assert at(g.flip(True, False, SIZE), 10, 10) == [50, 10]
    assert at(g.flip(False, True, SIZE), 10, 10) == [10, 30]
    assert at(g.about(g.rotate(180), SIZE), 10, 10) == [50, 30]
    assert at(g.about(g.scale(2, 2), SIZE), 30, 20) == [30, 20]


def test_resizing():
    assert at(g.resize(SIZE, (80, 30)), 60, 40) == [30, 80]
    contained = g.resize(SIZE, (60, 60), "contain")
    assert (at(contained, 0, 0), at(contained, 60, 40)) == ([0, 10], [60, 50])
    covering = g.resize(SIZE, (60, 60), "cover")
    assert (at(covering, 0, 0), at(covering, 60, 40)) == ([-15, 0], [75, 60])


def test_a_batch_of_matrices():
    angles = np.array([0.0, 30, 90])
    sizes = np.array([[4, 6], [5, 5], [9, 2]])
    many = g.about(g.rotate(angles), sizes) @ g.flip(np.array([True, False, True]), False, sizes)
    for i in range(3):
        one = g.about(g.rotate(angles[i]), sizes[i]) @ g.flip(i != 1, False, sizes[i])
        assert np.allclose(many[i], one)


def test_which_matrices_mirror():
    assert not g.mirrors(np.eye(3))
    assert g.mirrors(g.flip(True, False, SIZE))
    assert not g.mirrors(g.flip(True, True, SIZE))
    assert g.mirrors(g.flip(True, False, SIZE) @ g.rotate(77) @ g.shear(20, 10))
    assert [g.mirrors(g.orient(o, SIZE)) for o in range(1, 9)] == [o in (2, 4, 5, 7) for o in range(1, 9)]


def test_a_rotated_box_is_the_upright_box_about_its_corners():
    boxes, kept = g.warp_boxes(g.about(g.rotate(45), (20, 20)), [[8, 8, 12, 12]], (20, 20))
    half = 2 * np.sqrt(2)
    assert np.allclose(boxes, [[10 - half, 10 - half, 10 + half, 10 + half]])
    assert kept.all()


@pytest.mark.parametrize(
    ("least", "expected"), [(0, [1, 1, 1, 0, 0, 1]), (0.25, [1, 1, 1, 0, 0, 1]), (0.3, [1, 1, 0, 0, 0, 1])]
)
def test_boxes_are_clipped_and_dropped(least, expected):
    given = [[0, 0, 4, 4], [8, 0, 12, 4], [8, 8, 12, 12], [10, 0, 14, 4], [np.nan] * 4, [3, 3, 3, 3]]
    boxes, kept = g.warp_boxes(np.eye(3), given, (10, 10), least)
    assert kept.tolist() == [bool(e) for e in expected]
    assert np.isnan(boxes[~kept]).all()
    assert boxes[1].tolist() == [8, 0, 10, 4]
    assert boxes[5].tolist() == [3, 3, 3, 3]


def test_no_boxes():
    boxes, kept = g.warp_boxes(np.eye(3), np.zeros((0, 4)), (10, 10))
    assert boxes.shape == (0, 4)
    assert kept.shape == (0,)


@given(
    degrees=st.floats(-180, 180),
    stretch=st.floats(0.3, 3),
    mirrored=st.booleans(),
    box=st.tuples(*[st.floats(0, 30)] * 4),
)
def test_a_box_holds_what_was_in_it(degrees, stretch, mirrored, box):
    x0, x1 = sorted(box[:2])
    y0, y1 = sorted(box[2:])
    matrix = g.flip(mirrored, False, SIZE) @ g.about(g.rotate(degrees) @ g.scale(stretch, 1), SIZE)
    (found,), (kept,) = g.warp_boxes(matrix, [[x0, y0, x1, y1]], SIZE)
    x, y = np.meshgrid(np.linspace(x0, x1, 5), np.linspace(y0, y1, 5))
    points, visible = g.warp_points(matrix, np.stack([x, y], 2).reshape(-1, 2), SIZE)
    if visible.any() and kept:
        seen = points[visible]
        assert (seen >= found[:2] - 1e-5).all()
        assert (seen <= found[2:] + 1e-5).all()
    if not kept and min(x1 - x0, y1 - y0) > 1e-3:
        assert not (visible & (abs(points) > 1e-4).all(1) & (abs(points - SIZE[::-1]) > 1e-4).all(1)).any()


def test_boxes_are_the_bounds_of_their_corners():
    rng = np.random.default_rng(0)
    low = rng.uniform(-20, 80, (50, 2))
    boxes = np.concatenate([low, low + rng.uniform(0, 60, (50, 2))], 1)
    boxes[7] = np.nan
    for matrix in (random_matrix(rng) for _ in range(20)):
        found, kept = g.warp_boxes(matrix, boxes, (400, 500))
        corners = g.transform(matrix, boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))
        bounds = np.concatenate([corners.min(1), corners.max(1)], 1)
        expected = np.clip(bounds, 0, np.tile([500, 400], 2))
        assert np.allclose(found[kept], expected[kept], atol=1e-9)
        assert not kept[7]
        outside = (bounds[:, :2] >= [500, 400]).any(1) | (bounds[:, 2:] <= 0).any(1)
        assert not kept[outside].any()


def random_matrix(rng):
    turned = (
        g.rotate(rng.uniform(-180, 180))
        @ g.shear(rng.uniform(-20, 20), 5)
        @ g.scale(rng.uniform(0.5, 3), 1.2)
    )
    return g.shift(rng.uniform(0, 300), rng.uniform(0, 300)) @ turned


def test_pairs_change_places_where_it_is_mirrored_and_nowhere_else():
    points = np.array([[[10, 10], [50, 10], [30, 30]], [[5, 5], [6, 5], [np.nan, np.nan]]], float)
    flipped, visible = g.warp_points(g.flip(True, False, SIZE), points, SIZE, swaps=[(0, 1)])
    assert flipped[0].tolist() == [[10, 10], [50, 10], [30, 30]]
    assert flipped[1, :2].tolist() == [[54, 5], [55, 5]]
    assert visible.tolist() == [[True] * 3, [True, True, False]]
    turned, _ = g.warp_points(g.flip(True, True, SIZE), points, SIZE, swaps=[(0, 1)])
    assert turned[0].tolist() == [[50, 30], [10, 30], [30, 10]]


def test_points_outside_are_not_visible():
    points = [[0, 0], [60, 40], [60.1, 5], [5, -0.1], [np.nan, 3]]
    found, visible = g.warp_points(np.eye(3), points, SIZE)
    assert visible.tolist() == [True, True, False, False, False]
    assert found[2].tolist() == [60.1, 5]
