"""Affine matrices, and their application to boxes and keypoints.

Coordinates are continuous: x to the right, y down; the pixel (row i, column j) covers [j, j+1) x [i, i+1). A
matrix ``(3, 3)`` maps (x, y, 1) of a source to (x, y, 1) of an output. ``B @ A`` applies A first. If an argument
is an array ``(B,)`` or ``(B, 2)``, the result is ``(B, 3, 3)``. Sizes are (height, width).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.images.content import TURNED

EDGE = 1e-6
"""The tolerance for rounding errors of coordinates, in pixels."""

FITS = ("stretch", "contain", "cover")


def affine(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> np.ndarray:
    """Matrices with the rows ``(a, b, c)``, ``(d, e, f)``, ``(0, 0, 1)``."""
    parts = a, b, c, d, e, f
    matrix = np.zeros((*np.broadcast(*parts).shape, 3, 3))  # `broadcast_arrays` takes longer
    for k, part in enumerate(parts):
        matrix[..., k // 3, k % 3] = part
    matrix[..., 2, 2] = 1
    return matrix


def outside_of(coordinates: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return which boxes or points ``(..., 2 n)`` have their center outside of an image, bool ``(...)``."""
    center = coordinates.reshape(*coordinates.shape[:-1], coordinates.shape[-1] // 2, 2).mean(-2)
    outside: np.ndarray = ((center < 0) | (center > size[::-1])).any(-1)
    return outside


def shift(x: Any, y: Any) -> np.ndarray:
    """Translate right by ``x`` and down by ``y``, in pixels."""
    return affine(1, 0, x, 0, 1, y)


def scale(x: Any, y: Any) -> np.ndarray:
    """Scale by ``x`` and ``y`` about the upper left corner."""
    return affine(x, 0, 0, 0, y, 0)


def rotate(degrees: Any) -> np.ndarray:
    """Rotate clockwise, as seen on the screen, about the upper left corner."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return affine(cos, -sin, 0, sin, cos, 0)


def shear(x: Any, y: Any) -> np.ndarray:
    """Shear horizontally by ``x`` degrees and vertically by ``y`` degrees."""
    return affine(1, np.tan(np.deg2rad(x)), 0, np.tan(np.deg2rad(y)), 1, 0)


def flip(horizontal: Any, vertical: Any, size: Any) -> np.ndarray:
    """Mirror within ``size``, left to right where ``horizontal``, top to bottom where ``vertical``."""
    height, width = _height_and_width(size)
    x, y = np.where(horizontal, -1.0, 1.0), np.where(vertical, -1.0, 1.0)
    return affine(x, 0, np.where(horizontal, width, 0.0), 0, y, np.where(vertical, height, 0.0))


def about(matrix: np.ndarray, size: Any) -> np.ndarray:
    """Apply a matrix about the center of ``size``."""
    height, width = _height_and_width(size)
    return shift(width / 2, height / 2) @ matrix @ shift(-width / 2, -height / 2)


def resize(size: Any, target: Any, fit: str = "stretch") -> np.ndarray:
    """Resize from ``size`` to ``target``.

    Args:
        size: (height, width) of the source.
        target: (height, width) of the output.
        fit: ``"stretch"`` changes the aspect ratio; ``"contain"`` keeps it and leaves bars on two sides, ``"cover"``
            keeps it and crops two sides; both are centered.
    """
    (height, width), (rows, columns) = _height_and_width(size), _height_and_width(target)
    x, y = columns / width, rows / height
    if fit != "stretch":
        x = y = np.minimum(x, y) if fit == "contain" else np.maximum(x, y)
    return shift((columns - x * width) / 2, (rows - y * height) / 2) @ scale(x, y)


def orient(orientation: int, size: Any) -> np.ndarray:
    """The matrix from pixels stored in ``size`` to upright pixels, for an Exif orientation (1 to 8)."""
    height, width = (float(side) for side in size)
    rows = {
        1: (1, 0, 0, 0, 1, 0),
        2: (-1, 0, width, 0, 1, 0),
        3: (-1, 0, width, 0, -1, height),
        4: (1, 0, 0, 0, -1, height),
        5: (0, 1, 0, 1, 0, 0),
        6: (0, -1, height, 1, 0, 0),
        7: (0, -1, height, -1, 0, width),
        8: (0, 1, 0, -1, 0, width),
    }
    return affine(*rows[orientation])


def turned(orientation: int, size: Sequence[int]) -> tuple[int, int]:
    """The upright size of pixels stored in ``size``."""
    return (size[1], size[0]) if orientation in TURNED else (size[0], size[1])


def mirrors(matrix: np.ndarray) -> bool:
    """Return whether a matrix mirrors: an odd number of flips."""
    return bool(matrix[0, 0] * matrix[1, 1] < matrix[0, 1] * matrix[1, 0])


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Transform points ``(..., 2)`` by one matrix."""
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def warp_boxes(
    matrix: np.ndarray, boxes: Any, size: tuple[int, int], min_visible: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Transform boxes by a matrix into axis-aligned boxes around their corners, clipped to the frame.

    Args:
        matrix: ``(3, 3)``.
        boxes: ``(k, 4)`` of ``xyxy``; NaN for missing ones.
        size: (height, width) of the output.
        min_visible: the smallest share of a box's area that must stay in the frame for it to be kept, in [0, 1]. A
            box outside the frame is never kept.

    Returns:
        The boxes, float64 ``(k, 4)``, and which are kept, bool ``(k,)``. Those that are not kept are NaN.

    >>> boxes, kept = warp_boxes(shift(3, 0), [[0, 0, 2, 2], [6, 0, 8, 2]], (8, 10), min_visible=0.6)
    >>> boxes[0].tolist(), kept.tolist()
    ([3.0, 0.0, 5.0, 2.0], [True, False])
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    # the extremes of a corner's coordinate are the sums of the extremes of its two terms
    (a, b, c), (d, e, f), _ = matrix.tolist()
    columns = boxes.T
    ends = np.array([columns[::2] * a, columns[1::2] * b, columns[::2] * d, columns[1::2] * e])
    least, most = ends.min(1), ends.max(1)
    low = np.add((least[::2] + least[1::2]).T, (c, f))
    high = np.add((most[::2] + most[1::2]).T, (c, f))
    frame = (float(size[1]), float(size[0]))
    inside_low = np.minimum(np.maximum(low, 0), frame)
    inside_high = np.minimum(np.maximum(high, 0), frame)
    visible, whole = inside_high - inside_low, high - low
    if (whole > 0).all():
        shares = visible / whole
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            at_edge = (low >= -EDGE) & (high <= np.add(frame, EDGE))
            shares = np.where(whole > 0, visible / whole, at_edge)
        shares[np.isnan(whole)] = 0
    share: np.ndarray = shares.prod(1)
    kept: np.ndarray = (share > 0) & (share >= min_visible - 1e-9)
    clipped = np.concatenate([inside_low, inside_high], 1)
    clipped[~kept] = np.nan
    return clipped, kept


def warp_points(
    matrix: np.ndarray, points: Any, size: tuple[int, int], swaps: Sequence[tuple[int, int]] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Transform keypoints by a matrix.

    Args:
        matrix: ``(3, 3)``.
        points: ``(..., n, 2)`` of (x, y); NaN for missing ones.
        size: (height, width) of the output.
        swaps: pairs of indices to swap if the matrix mirrors, such as (left eye, right eye).

    Returns:
        The points, float64 of the same shape; and a mask of those that exist and are inside the frame, bool
        ``(..., n)``. Points outside the frame keep their coordinates.

    >>> points, visible = warp_points(flip(True, False, (4, 10)), [[1, 2], [8, 2]], (4, 10), swaps=[(0, 1)])
    >>> points.tolist(), visible.tolist()
    ([[2.0, 2.0], [9.0, 2.0]], [True, True])
    """
    moved = transform(matrix, np.asarray(points, np.float64))
    if len(swaps) and mirrors(matrix):
        order = np.arange(moved.shape[-2])
        for i, j in swaps:
            order[i], order[j] = j, i
        moved = moved[..., order, :]
    frame = np.array([size[1], size[0]], np.float64)
    inside: np.ndarray = (moved >= -EDGE) & (moved <= frame + EDGE)
    return moved, np.all(inside, -1)


def _height_and_width(size: Any) -> tuple[np.ndarray, np.ndarray]:
    size = np.asarray(size, np.float64)
    return size[..., 0], size[..., 1]
