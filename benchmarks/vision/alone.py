"""Augmentation alone, in one thread: a decoded image, its mask and boxes, against albumentations and OpenCV by hand.

Both inputs are measured: the whole image of 640 x 480, and the one that a decoder gives at half the size. The mask is
whole in ours; the others need it at the size of the image, so they get it there already. What is written by hand is a
call for each step.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np

from benchmarks.vision.arms import jitter
from benchmarks.vision.workload import (
    COLOR,
    CROP,
    DEGREES,
    FLIP,
    HEIGHT,
    SIDE,
    WIDTH,
    ZOOM,
    Rows,
    reference_size,
)

SAMPLES = 32
COLORS: dict[str, tuple[str, ...]] = {
    "geometry": (),
    "geometry, brightness and contrast": ("brightness", "contrast"),
    "geometry, all four of color": tuple(COLOR),
}

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
Run = Callable[[], None]


def ours(samples: list[Sample], colors: tuple[str, ...]) -> Run:
    """A plan for the batch, then each sample, written into the arrays of a batch."""
    from polyhead.augment import Color, Crop, Flip, Joint, Rotate, Scale

    steps: list[Any] = [Flip(p=FLIP), Rotate(DEGREES), Scale(ZOOM), Crop(CROP)]
    steps += [Color(**{name: COLOR[name] for name in colors})] if colors else []
    joint = Joint(steps, seed=1)
    images = np.empty((len(samples), SIDE, SIDE, 3), np.uint8)
    masks = np.empty((len(samples), SIDE, SIDE), np.uint8)
    sizes = np.tile([HEIGHT, WIDTH], (len(samples), 1))

    def run() -> None:
        plan = joint.plan(0, np.arange(len(samples)), sizes, (SIDE, SIDE))
        for i, (image, mask, boxes) in enumerate(samples):
            images[i] = plan.image(i, image)
            masks[i] = plan.mask(i, mask)
            plan.boxes(i, boxes)

    return run


def albumentations(samples: list[Sample], colors: tuple[str, ...]) -> Run:
    """A `Compose` that resizes first, where it must, so that the other steps see few pixels."""
    import albumentations as A

    before = [A.Resize(*reference_size(CROP))] if samples[0][0].shape[0] == HEIGHT else []
    height, width = (
        round(side * CROP) for side in (reference_size(CROP) if before else samples[0][0].shape[:2])
    )
    steps = [
        *before,
        A.HorizontalFlip(p=FLIP),
        A.Affine(scale=(1 - ZOOM, 1 + ZOOM), rotate=(-DEGREES, DEGREES), keep_ratio=True, p=1),
        A.RandomCrop(height, width),
        A.Resize(SIDE, SIDE),
    ]
    if len(colors) == 2:
        steps.append(A.RandomBrightnessContrast(COLOR["brightness"], COLOR["contrast"], p=1))
    elif colors:
        steps.append(jitter())
    pipeline = A.Compose(
        steps, bbox_params=A.BboxParams("pascal_voc", label_fields=["at"], min_visibility=0.1)
    )
    given = [(image, _like(mask, image), _boxes_like(boxes, image)) for image, mask, boxes in samples]

    def run() -> None:
        for image, mask, boxes in given:
            pipeline(image=image, mask=mask, bboxes=boxes, at=np.arange(len(boxes)))

    return run


def by_hand(samples: list[Sample], colors: tuple[str, ...]) -> Run:
    """OpenCV's calls, resized first, the image turned and scaled by one warp."""
    from polyhead.images import geometry

    rng = np.random.default_rng(1)
    size = reference_size(CROP)
    height, width = size
    given = [(image, _like(mask, image), _boxes_like(boxes, image)) for image, mask, boxes in samples]

    def run() -> None:
        for x, y, b in given:
            if x.shape[:2] != size:
                b = b * np.tile([width / x.shape[1], height / x.shape[0]], 2)
                x = cv2.resize(x, size[::-1], interpolation=cv2.INTER_AREA)
                y = cv2.resize(y, size[::-1], interpolation=cv2.INTER_NEAREST)
            if rng.random() < FLIP:
                x, y = cv2.flip(x, 1), cv2.flip(y, 1)
                b = np.stack([width - b[:, 2], b[:, 1], width - b[:, 0], b[:, 3]], 1)
            factor = rng.uniform(1 - ZOOM, 1 + ZOOM)
            m = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-DEGREES, DEGREES), factor)
            x, y = cv2.warpAffine(x, m, size[::-1]), cv2.warpAffine(y, m, size[::-1], flags=cv2.INTER_NEAREST)
            left, top = (int(rng.integers(side - SIDE + 1)) for side in (width, height))
            x, y = x[top : top + SIDE, left : left + SIDE], y[top : top + SIDE, left : left + SIDE]
            m[:, 2] -= left, top
            geometry.warp_boxes(np.vstack([m, [0, 0, 1]]), b, (SIDE, SIDE), 0.1)
            if colors:
                x = cv2.convertScaleAbs(x, alpha=rng.uniform(0.8, 1.2), beta=rng.uniform(-10, 10))
            if len(colors) > 2:
                hsv = cv2.cvtColor(x, cv2.COLOR_RGB2HSV)
                hsv[..., 0] = cv2.add(hsv[..., 0], 3.0)  # the circle's end is left out
                hsv[..., 1] = cv2.convertScaleAbs(hsv[..., 1], alpha=1.1)
                cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)

    return run


def _like(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    return cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def _boxes_like(boxes: np.ndarray, image: np.ndarray) -> np.ndarray:
    return boxes * np.float32(image.shape[0] / HEIGHT)


ARMS: dict[str, Callable[[list[Sample], tuple[str, ...]], Run]] = {
    "albumentations": albumentations,
    "OpenCV by hand": by_hand,
    "polyhead": ours,
}


def table(data: Rows, runs: int) -> str:
    """Milliseconds a sample of every arm, in Markdown."""
    arms = {n: arm for n, arm in ARMS.items() if n != "albumentations" or find_spec("albumentations")}
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    lines = [
        "### Augmentation alone, one thread",
        "",
        f"| what, to what | {' | '.join(f'{name}, ms a sample' for name in arms)} | polyhead against the first |",
        f"| --- |{' --- |' * (len(arms) + 1)}",
    ]
    for name, colors in COLORS.items():
        for half in (True, False):
            samples = [data.sample(i, half) for i in range(min(SAMPLES, len(data)))]
            made = {arm: make(samples, colors) for arm, make in arms.items()}
            times: dict[str, list[float]] = {arm: [] for arm in made}
            for turn in range(runs + 1):
                for arm, run in made.items():
                    begin = time.perf_counter()
                    run()
                    if turn:  # the first warms up
                        times[arm].append((time.perf_counter() - begin) / len(samples) * 1e3)
            first = next(iter(times.values()))
            ratio = statistics.median(a / b for a, b in zip(first, times["polyhead"], strict=True))
            cells = [f"{statistics.median(t):.2f} ({min(t):.2f}–{max(t):.2f})" for t in times.values()]
            what = f"{name}; {'decoded at 1/2' if half else 'whole image'}"
            lines.append(f"| {what} | {' | '.join(cells)} | {ratio:.1f} times as fast |")
    cv2.setNumThreads(threads)
    return "\n".join(lines)
