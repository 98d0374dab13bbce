"""Colors of classes: far from each other, and from what photographs are full of."""

import numpy as np

from polyhead.report.palette import FAINT, class_color, ink, shades


def lab(colors):
    """CIELAB of sRGB colors, D65."""
    share = np.array(colors) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ matrix.T / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def closest(points):
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return distances[~np.eye(len(points), dtype=bool)].min()


def test_eighty_classes_are_told_apart():
    found = lab([class_color(i) for i in range(80)])
    assert closest(found) > 10  # 2.3 is what an eye can just see
    assert closest(found[:20]) > 20


def test_no_class_is_black_white_or_gray():
    found = lab([class_color(i) for i in range(128)])
    assert found[:, 0].min() > 35
    assert found[:, 0].max() < 96
    assert np.linalg.norm(found[:80, 1:], axis=1).min() > 5
    assert class_color(128) == class_color(0)


def test_small_numbers_are_dark_and_large_ones_bright():
    light = lab(shades(64))[:, 0]
    assert (np.diff(light) > 0).all()
    assert ink(shades(64)[0]) == (255, 255, 255)
    assert ink(shades(64)[-1]) == (0, 0, 0)
    assert class_color(0) != FAINT
