"""Corrects transforms of albumentations that do not move boxes and points exactly as they move pixels.

The docstring of `albumentations` lists the differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.images.geometry import EDGE

_RESIZES = {"MaxSizeTransform", "RandomScale", "Resize"}
"""Transforms that resize the whole image."""

_RESIZED_CROPS = {"CropAndPad", "RandomSizedBBoxSafeCrop", "_BaseRandomSizedCrop"}
"""Transforms that resize a crop by scaling coordinates, which is correct only for coordinates from the edge."""

NEAREST, NEAREST_EXACT = 0, 6
"""OpenCV's codes for nearest-neighbor interpolation, aligned to pixel edges and to pixel centers."""

_THIN = 0.01
"""The shortest side of a box in pixels; albumentations rejects boxes without area."""

_HIDDEN = 2.0
"""The distance in pixels to the nearest sampled position beyond which a point of a folded image is hidden."""

_FAR = 1e6
"""The coordinate at which a map samples for pixels that come from outside the image."""

_MIRRORS = {"D4", "Flip", "HorizontalFlip", "Transpose", "VerticalFlip"}
"""Transforms that mirror the image, always or depending on their random numbers."""

CUTS = {"RandomGridShuffle"}
"""Transforms that shuffle parts of the image, so that one box would become several."""


def is_one_of(transform: Any, names: set[str]) -> bool:
    """Return whether a transform's class, or a base class, is among ``names``."""
    return any(cls.__name__ in names for cls in type(transform).__mro__)


def thick(boxes: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Boxes widened to the shortest allowed side, inside the image."""
    frame = np.array([shape[1], shape[0]], np.float64)
    low, high = boxes[:, :2], boxes[:, 2:]
    thin = high - low < _THIN
    low = np.where(thin, np.minimum(low, frame - _THIN), low)
    return np.column_stack([low, np.where(thin, low + _THIN, high)])


def seen(points: np.ndarray, shape: Any) -> np.ndarray:
    """The points inside the image, its edges included."""
    if len(points) == 0:
        return points
    height, width = (shape["height"], shape["width"]) if isinstance(shape, Mapping) else shape[:2]
    positions = points[:, :2] + 0.5
    inside = (positions >= -EDGE) & (positions <= np.array([width, height]) + EDGE)
    return points[np.all(inside, 1)]


def correct(transform: Any) -> None:
    """Make a transform move boxes and points as it moves pixels."""
    functions = transform._key2func
    points, boxes = functions.get("keypoints"), functions.get("bboxes")
    if points is None or boxes is None:
        return
    resizes = is_one_of(transform, _RESIZES | _RESIZED_CROPS)
    if resizes and getattr(transform, "mask_interpolation", None) == NEAREST:
        transform.mask_interpolation = NEAREST_EXACT
    if is_one_of(transform, _RESIZES):
        functions["image"], functions["keypoints"] = _by_size(functions["image"])
    elif is_one_of(transform, _RESIZED_CROPS | CUTS):
        functions["keypoints"] = _from_the_edge(points)
    elif is_one_of(transform, {"Perspective"}):
        functions["bboxes"] = _by_corners(boxes, points)
    elif is_one_of(transform, {"SafeRotate"}):
        functions["bboxes"] = _half_a_pixel_on(boxes)
    elif is_one_of(transform, {"BaseDistortion"}):
        functions["keypoints"], functions["bboxes"] = _points_by_map(points), _boxes_by_map(boxes)
    elif is_one_of(transform, {"GridElasticDeform"}):
        move_image = functions["image"]
        functions["keypoints"] = _with_map(_points_by_map(points, _HIDDEN), move_image)
        functions["bboxes"] = _with_map(_boxes_by_map(boxes), move_image)


Moves = Callable[..., Any]


def note_mirrors(transform: Any, note: Callable[[], None]) -> None:
    """Make a transform call ``note`` whenever it mirrors points, detected by transforming a triangle."""
    move = transform._key2func.get("keypoints")
    if move is None or not is_one_of(transform, _MIRRORS):
        return

    def moved(points: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        corners = np.zeros((3, max(5, points.shape[1])), points.dtype)
        corners[1, 0] = corners[2, 1] = 1
        turned = np.asarray(move(corners, *args, **params), np.float64)[:, :2]
        if np.linalg.det(turned[1:] - turned[0]) < 0:
            note()
        result: np.ndarray = move(points, *args, **params)
        return result

    transform._key2func["keypoints"] = moved


def _by_size(resize: Moves) -> tuple[Moves, Moves]:
    """Functions to resize an image, and to scale points by the ratio of its actual, rounded sizes."""
    size = [1.0, 1.0]

    def resized(image: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        pixels: np.ndarray = resize(image, *args, **params)
        size[:] = pixels.shape[1] / image.shape[1], pixels.shape[0] / image.shape[0]
        return pixels

    def moved(points: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        scaled = np.array(points, np.float64)
        scaled[:, :2] = (scaled[:, :2] + 0.5) * size - 0.5
        return scaled

    return resized, moved


def _from_the_edge(move: Moves) -> Moves:
    """Pass points to ``move`` measured from the edge of the first pixel instead of its center."""

    def moved(points: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        points = np.array(points, np.float64)
        points[:, :2] += 0.5
        shifted = np.array(move(points, *args, **params), np.float64)
        shifted[:, :2] -= 0.5
        return shifted

    return moved


def _half_a_pixel_on(move: Moves) -> Moves:
    """Shift boxes of `SafeRotate` by half a pixel, as it rotates boxes about a different center than pixels."""

    def moved(boxes: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        shifted = np.array(move(boxes, *args, **params))
        height, width = params["shape"][:2]
        if len(shifted):
            shifted[:, :4] += np.array([0.5 / width, 0.5 / height] * 2)
        return shifted

    return moved


def _by_corners(move: Moves, points: Moves) -> Moves:
    """Transform the corners of boxes as points, and return the boxes around them."""

    def moved(boxes: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        if len(boxes) == 0:
            return boxes
        bounds = np.array(move(boxes, *args, **params))
        height, width = params["shape"][:2]
        corners = np.zeros((len(boxes), 4, 5))
        corners[..., :2] = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] * (width, height) - 0.5
        after = np.asarray(points(corners.reshape(-1, 5), *args, **params))[:, :2].reshape(-1, 4, 2) + 0.5
        keeps = getattr(getattr(move, "__self__", None), "keep_size", True)
        size = (width, height) if keeps else (params["max_width"], params["max_height"])
        bounds[:, :2], bounds[:, 2:4] = after.min(1) / size, after.max(1) / size
        return bounds

    return moved


def _with_map(move: Moves, move_image: Moves) -> Moves:
    """Pass ``move`` the map that the transform does not provide, found by transforming an image of coordinates."""

    def moved(values: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        rows, columns = np.indices(params["shape"][:2], np.float32)
        positions = move_image(np.stack([columns, rows, np.ones_like(rows)], 2), *args, **params)
        outside = ~(positions[..., 2] >= 0.999)  # NaN too, which folded cells can give
        x, y = (np.where(outside, -_FAR, positions[..., k]) for k in (0, 1))
        return move(values, *args, **{**params, "map_x": x, "map_y": y})

    return moved


def _points_by_map(move: Moves, hidden: float = np.inf) -> Moves:
    """Move points by a distortion's map, which gives the input position of each output pixel.

    A point is NaN if no pixel samples within ``hidden`` pixels of it.
    """

    def moved(points: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        x, y = params.get("map_x"), params.get("map_y")
        if x is None or y is None or len(points) == 0:
            result: np.ndarray = move(points, *args, **params)
            return result
        result = np.array(points, np.float64)
        for point in result:
            point[:2] = _place_in_map(x, y, point[:2], hidden)
        return result

    return moved


def _place_in_map(x: np.ndarray, y: np.ndarray, point: np.ndarray, hidden: float) -> np.ndarray:
    """Invert a map at a point, by a linear fit around the pixel that samples nearest to it."""
    if np.isnan(point).any():
        return point
    distances = np.square(x - point[0]) + np.square(y - point[1])
    i, j = np.unravel_index(int(distances.argmin()), distances.shape)
    if distances[i, j] > hidden**2:
        return np.full(2, np.nan)
    top = min(max(int(i) - 1, 0), max(x.shape[0] - 3, 0))
    left = min(max(int(j) - 1, 0), max(x.shape[1] - 3, 0))
    window = np.s_[top : top + 3, left : left + 3]
    rows, columns = np.mgrid[window]
    visible = x[window].ravel() > -_FAR
    sources = np.stack([x[window].ravel(), y[window].ravel(), np.ones(rows.size)], 1, dtype=np.float64)
    outputs = np.stack([columns.ravel(), rows.ravel()], 1, dtype=np.float64)
    slope, *_ = np.linalg.lstsq(sources[visible], outputs[visible], rcond=None)
    position: np.ndarray = np.array([*point, 1.0]) @ slope
    inner = 0 < i < x.shape[0] - 1 and 0 < j < x.shape[1] - 1
    return np.clip(position, (j - 1, i - 1), (j + 1, i + 1)) if inner else position


def _boxes_by_map(move: Moves) -> Moves:
    """The boxes around the output pixels that a distortion samples from inside each box."""

    def moved(boxes: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        x, y = params.get("map_x"), params.get("map_y")
        if x is None or y is None or len(boxes) == 0:
            result: np.ndarray = move(boxes, *args, **params)
            return result
        height, width = params["shape"][:2]
        kept = []
        for box in np.array(boxes, np.float64):
            left, top, right, bottom = box[:4] * (width, height, width, height) - 0.5
            within = (x >= left) & (x < right) & (y >= top) & (y < bottom)
            rows, columns = np.flatnonzero(within.any(1)), np.flatnonzero(within.any(0))
            if len(rows):
                corners = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
                box[:4] = np.divide(corners, (width, height, width, height))
                kept.append(box)
        return np.array(kept) if kept else np.zeros((0, boxes.shape[1]))

    return moved
