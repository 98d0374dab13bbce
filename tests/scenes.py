"""An image with labels in its middle, which tests follow there and back."""

from __future__ import annotations

import numpy as np

FORMATS = ("xyxy", "xywh", "cxcywh", "yxyx")


def scene(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """An image, a mask of three classes, two boxes of ``xyxy`` and three points in it, all in the middle."""
    rows, columns = np.mgrid[:height, :width]
    y, x = (rows + 0.5) / height, (columns + 0.5) / width
    mask = np.zeros((height, width), np.uint8)
    mask[(abs(y - 0.5) < 0.2) & (abs(x - 0.5) < 0.2)] = 1
    mask[(y - 0.5) ** 2 + (x - 0.5) ** 2 < 0.01] = 2
    image = np.stack([mask * 100] * 3, -1)
    sides = np.array([width, height] * 2, np.float64)
    boxes = np.array([[0.4, 0.3, 0.62, 0.7], [0.35, 0.45, 0.5, 0.5]]) * sides
    points = np.array([[0.4, 0.5], [0.5, 0.35], [0.62, 0.6]]) * sides[:2]
    return image, mask, boxes, points


def in_format(boxes: np.ndarray, form: str) -> np.ndarray:
    """Boxes of ``xyxy`` in another format."""
    a, b, c, d = boxes.T
    found = {
        "xyxy": (a, b, c, d),
        "xywh": (a, b, c - a, d - b),
        "cxcywh": ((a + c) / 2, (b + d) / 2, c - a, d - b),
        "yxyx": (b, a, d, c),
    }
    return np.stack(found[form], -1)
