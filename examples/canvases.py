"""Canvases with real handwritten digits on them: the data of `digits.py` and `detection.py`.

The digits are scikit-learn's 1,797 (8 x 8, from the UCI repository). A digit of the test split is never drawn on
a canvas for training. Everything depends only on the seed, and takes a second or two.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SIDE = 64


def draw(train: int, test: int, seed: int = 0, missing: float = 0.3) -> tuple[dict, dict]:
    """Canvases for training and for testing, a quarter of them empty.

    Args:
        train: how many to train on; of their boxes and masks some are missing.
        test: how many to test on; all of them are labeled.
        seed: another seed, other canvases.
        missing: the share of the boxes and masks that nobody drew: None in their place.

    Returns:
        Two dicts of columns: ``image`` uint8 ``(n, 64, 64, 1)``, ``present`` bool ``(n,)``, and what is None where
        there is no digit: ``digit`` 0–9, ``box`` in 0–1 as ``xyxy``, ``mask`` bool ``(64, 64)``.
    """
    splits, rng = _split(seed), np.random.default_rng(seed)
    return (
        _canvases(splits[0], splits[2], train, missing, rng),
        _canvases(splits[1], splits[3], test, 0.0, rng),
    )


def draw_many(train: int, test: int, seed: int = 0) -> tuple[dict, dict]:
    """Canvases with none to four digits that hardly touch.

    Returns:
        Two dicts of columns: ``image`` uint8 ``(n, 64, 64, 1)``, and for each row an array with one entry a digit:
        ``box`` ``(k, 4)`` as ``xyxy`` in pixels, ``digit`` ``(k,)``.
    """
    splits, rng = _split(seed), np.random.default_rng(seed)
    return _crowded(splits[0], splits[2], train, rng), _crowded(splits[1], splits[3], test, rng)


def _split(seed: int) -> list[np.ndarray]:
    digits = load_digits()
    return train_test_split(
        digits.images, digits.target, test_size=0.25, stratify=digits.target, random_state=seed
    )


def _background(count: int, rng: np.random.Generator) -> np.ndarray:
    """Gray, uneven, noisy backgrounds: float ``(count, SIDE, SIDE)``."""
    slope = np.linspace(-1, 1, SIDE)
    tilt = rng.uniform(-15, 15, (2, count, 1, 1))
    canvas = rng.uniform(20, 70, (count, 1, 1)) + tilt[0] * slope[:, None] + tilt[1] * slope
    return canvas + rng.normal(0, 12, (count, SIDE, SIDE))


def _crowded(images: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> dict:
    canvas = _background(count, rng)
    boxes, kinds = [], []
    for i in range(count):
        found, names = np.zeros((0, 4)), []
        for _ in range(int(rng.integers(0, 5))):
            chosen, size = rng.integers(len(images)), int(rng.integers(16, 29))
            top, left = rng.integers(0, SIDE - size + 1, 2).tolist()
            low = np.maximum(found[:, :2], [left, top])
            high = np.minimum(found[:, 2:], [left + size, top + size])
            if (np.maximum(high - low, 0).prod(1) > 30).any():
                continue
            glyph = _enlarged(images[chosen] / 16, size)
            rows, columns = (np.flatnonzero((glyph > 0.4).any(axis)) for axis in (1, 0))
            canvas[i, top : top + size, left : left + size] += rng.uniform(90, 170) * glyph
            box = [left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1]
            found, names = np.vstack([found, box]), [*names, int(labels[chosen])]
        boxes.append(found)
        kinds.append(np.array(names, np.int64))
    return {"image": np.clip(canvas, 0, 255).astype(np.uint8)[..., None], "box": boxes, "digit": kinds}


def _canvases(
    images: np.ndarray, labels: np.ndarray, count: int, missing: float, rng: np.random.Generator
) -> dict:
    canvas = _background(count, rng)
    present = np.arange(count) % 4 != 0
    digit, box, mask = [None] * count, [None] * count, [None] * count
    for i in np.flatnonzero(present):
        chosen = rng.integers(len(images))
        size = rng.integers(24, 53)
        glyph = _enlarged(images[chosen] / 16, size)
        top, left = rng.integers(0, SIDE - size + 1, 2)
        ink = np.zeros((SIDE, SIDE), bool)
        ink[top : top + size, left : left + size] = glyph > 0.4
        canvas[i, top : top + size, left : left + size] += rng.uniform(90, 170) * glyph
        digit[i] = int(labels[chosen])
        rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
        if rng.random() >= missing:
            box[i] = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / SIDE
        if rng.random() >= missing:
            mask[i] = ink
    image = np.clip(canvas, 0, 255).astype(np.uint8)[..., None]
    return {"image": image, "present": present, "digit": digit, "box": box, "mask": mask}


def _enlarged(image: np.ndarray, size: int) -> np.ndarray:
    """Resize a square image by linear interpolation between the centers of its pixels."""
    side = len(image)
    at = np.clip((np.arange(size) + 0.5) * side / size - 0.5, 0, side - 1)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(side)))
    return weights @ image @ weights.T
