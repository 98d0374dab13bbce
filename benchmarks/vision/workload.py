"""The files that every arm reads, and the proof that it did.

A row is a JPEG of 640 x 480, a PNG of class ids of the same size, eight boxes and its own number as a label. The JPEGs
are made here, photo-like, or come from a folder of photographs, which are cut to 4:3 and encoded to the same number of
bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from PIL import Image

HEIGHT, WIDTH, SIDE, CLASSES, BOXES = 480, 640, 224, 8, 8
JPEG_BYTES = 166_000

FLIP, DEGREES, ZOOM, CROP = 0.5, 15.0, 0.1, 0.9
"""Mirrored with this chance, turned by up to so many degrees, scaled by up to 1 ± this, cut to this share of a side."""

COLOR = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.05}

LEVELS = 3.0
"""Mean difference, in levels of 255, of an image that was only resized to the reference: scaled decoding and each
library's own filter are in it."""

OVERLAP = 0.9
"""Intersection over union of the classes of such a mask with the reference, the least mean: some libraries need it at
the size of the decoded image, so it is resized twice, each time to the nearest pixel."""


@dataclass(frozen=True)
class Rows:
    """What there is to read.

    Attributes:
        images: paths of JPEG files.
        masks: paths of PNG files, class ids as gray values.
        boxes: float32 ``(N, 8, 4)``, ``xyxy`` in pixels of the whole image.
    """

    images: list[str]
    masks: list[str]
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def of(cls, folder: Path) -> Rows:
        """The rows that `make` wrote."""
        boxes = np.load(folder / "boxes.npy")
        images = [str(folder / f"{i}.jpg") for i in range(len(boxes))]
        return cls(images, [str(folder / f"{i}.png") for i in range(len(boxes))], boxes)

    def sample(self, row: int, half: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A row decoded, whole or at half the size: its image, its mask and its boxes."""
        least = {"min_height": HEIGHT // 2, "min_width": WIDTH // 2} if half else {}
        pixels = simplejpeg.decode_jpeg(Path(self.images[row]).read_bytes(), "RGB", **least)
        return pixels, cv2.imread(self.masks[row], cv2.IMREAD_UNCHANGED), self.boxes[row]

    def some(self, count: int) -> Rows:
        """The first rows alone."""
        return Rows(self.images[:count], self.masks[:count], self.boxes[:count])


def make(folder: Path, rows: int, photographs: Path | None = None) -> Rows:
    """Write the files of a number of rows.

    Args:
        folder: where to.
        rows: how many.
        photographs: a folder of images to be used in the place of synthetic ones, again and again if there are too few.
    """
    rng = np.random.default_rng(0)
    found = (
        sorted(p for p in photographs.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
        if photographs
        else []
    )
    boxes = np.empty((rows, BOXES, 4), np.float32)
    for i in range(rows):
        pixels = _photograph(found[i % len(found)]) if found else _synthetic(rng)
        (folder / f"{i}.jpg").write_bytes(_encoded(pixels))
        corners = np.sort(rng.uniform(0, [WIDTH - 40, HEIGHT - 40], (BOXES, 2, 2)), 1)
        corners[:, 1] += 40
        boxes[i] = corners.reshape(BOXES, 4)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        for k, box in enumerate(boxes[i, : CLASSES - 1]):
            center, axes = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
            cv2.ellipse(
                mask, (*center.astype(int).tolist(),), (*axes.astype(int).tolist(),), 0, 0, 360, k + 1, -1
            )
        Image.fromarray(mask).save(folder / f"{i}.png")
    np.save(folder / "boxes.npy", boxes)
    (folder / "made.json").write_text(json.dumps({"rows": rows}))
    return Rows.of(folder)


def _synthetic(rng: np.random.Generator) -> np.ndarray:
    """Noise of many scales, larger ones stronger, as the spectrum of photographs has it; mostly gray."""
    pixels = np.full((HEIGHT, WIDTH, 3), 118, np.float32)
    for size in (1, 2, 4, 8, 16, 32, 64):
        noise = rng.standard_normal((HEIGHT // size + 2, WIDTH // size + 2, 3), dtype=np.float32)
        noise = 0.8 * noise.mean(2, keepdims=True) + 0.35 * noise
        pixels += 9 * size**0.55 * cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _photograph(path: Path) -> np.ndarray:
    pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    height, width = pixels.shape[:2]
    rows, columns = min(height, width * 3 // 4), min(width, height * 4 // 3)
    top, left = (height - rows) // 2, (width - columns) // 2
    pixels = pixels[top : top + rows, left : left + columns]
    return cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def _encoded(pixels: np.ndarray) -> bytes:
    """A JPEG, 4:2:0, of the quality that comes nearest to `JPEG_BYTES`."""
    low, high, tried = 60, 99, {}
    while low <= high:
        middle = (low + high) // 2
        data = bytes(simplejpeg.encode_jpeg(pixels, quality=middle, colorsubsampling="420"))
        tried[abs(len(data) - JPEG_BYTES)] = data
        low, high = (middle + 1, high) if len(data) < JPEG_BYTES else (low, middle - 1)
    return tried[min(tried)]


# The proof ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Delivered:
    """A batch of any arm in one form.

    Attributes:
        images: float32 ``(B, 224, 224, 3)`` in 0-1.
        masks: int32 ``(B, 224, 224)``.
        boxes: float32 ``(B, 8, 4)``, ``xyxy`` in pixels of the output; zero where there is none.
        there: float32 ``(B, 8)``, 1 where there is a box.
        rows: int32 ``(B,)``.
    """

    images: Any
    masks: Any
    boxes: Any
    there: Any
    rows: Any


def check(batches: Iterable[Delivered], data: Rows, augmented: bool) -> dict[str, Any]:
    """What was delivered in an epoch; an error where it is not what was asked for.

    Raises:
        ValueError: a row that is missing or comes twice, a form or a range that is wrong, and without augmentation
            pixels, masks or boxes that differ from the reference by more than is allowed.
    """
    forms: set[str] = set()
    seen: list[int] = []
    kept, levels, shares, apart = [], [], [], [0.0]
    for batch in batches:
        arrays = {name: np.asarray(value) for name, value in vars(batch).items()}
        forms.add("; ".join(f"{name} {a.dtype} {a.shape[1:]}" for name, a in arrays.items()))
        images, masks, boxes, there = (arrays[name] for name in ("images", "masks", "boxes", "there"))
        _require(images.min() >= 0 and images.max() <= 1 and images.std() > 0.05, "images in 0-1")
        _require(masks.min() >= 0 and masks.max() < CLASSES, "class ids in masks")
        _require(boxes.min() >= 0 and boxes.max() <= SIDE + 1e-3, "boxes inside the image")
        _require(bool((boxes[there == 0] == 0).all()), "zeros where there is no box")
        sides = boxes[..., 2:] - boxes[..., :2]
        _require(bool((sides[there == 1] > 0).all()), "boxes with a size")
        kept.append(float(there.mean()))
        seen += arrays["rows"].tolist()
        for i, row in enumerate([] if augmented else arrays["rows"].tolist()):
            image, mask, box = reference(data, row)
            levels.append(float(np.abs(255 * images[i] - image).mean()))
            shares.append(overlap(masks[i], mask))
            apart.append(float(np.abs(boxes[i] - box).max()))
    _require(sorted(seen) == list(range(len(data))), f"every row once, got {len(set(seen))} in {len(seen)}")
    _require(len(forms) == 1, f"one form, got {sorted(forms)}")
    found = {"form": forms.pop(), "rows": len(seen), "boxes": round(float(np.mean(kept)), 3)}
    if augmented:
        _require(0.7 < found["boxes"] <= 1, "boxes that are still in the frame")
        return found
    found |= {"levels": float(np.mean(levels)), "overlap": float(np.mean(shares)), "apart": max(apart)}
    _require(np.mean(levels) <= LEVELS, f"pixels within {LEVELS} levels, got {np.mean(levels):.2f}")
    _require(np.mean(shares) >= OVERLAP, f"masks that overlap by {OVERLAP}, got {np.mean(shares):.3f}")
    _require(max(apart) < 1e-3, f"boxes of the reference, got {max(apart):.4f} pixels away")
    return found


def reference(data: Rows, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image decoded whole and resized by area, in levels; its mask by the nearest pixel; its boxes."""
    with open(data.images[row], "rb") as file:
        pixels = simplejpeg.decode_jpeg(file.read(), "RGB")
    image = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    mask = np.asarray(Image.open(data.masks[row]).resize((SIDE, SIDE), Image.Resampling.NEAREST))
    return image.astype(np.float32), mask, data.boxes[row] * np.tile([SIDE / WIDTH, SIDE / HEIGHT], 2)


def reference_size(crop: float) -> tuple[int, int]:
    """(height, width) of which a share of each side is the output: what is resized first may be so small."""
    return round(SIDE / crop), round(SIDE / crop)


def overlap(found: np.ndarray, expected: np.ndarray) -> float:
    """Intersection over union of the classes of two masks, the mean."""
    classes = np.union1d(found, expected)
    shares = [
        ((found == c) & (expected == c)).sum() / ((found == c) | (expected == c)).sum() for c in classes
    ]
    return float(np.mean(shares))


def _require(good: Any, expected: str) -> None:
    if not good:
        raise ValueError(f"expected {expected}")
