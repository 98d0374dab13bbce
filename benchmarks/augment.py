"""Joint augmentation against a chain of OpenCV's calls: ``python -m benchmarks.augment [--runs 15]``.

A sample is an image of 640 x 480, a mask and eight boxes; it becomes 224 x 224, flipped, turned, scaled, moved and
coloured. The chain does what is written by hand: one call for each step, on the image and on the mask. Both run in
one thread, in turns; the median of the runs counts, and its ratio more than its value.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from polyhead.vision import Color, Flip, Joint, Rotate, Scale, Shift, geometry

HEIGHT, WIDTH, SIDE, SAMPLES = 480, 640, 224, 32
MOVES = (Flip(), Rotate(15), Scale(0.1), Shift(0.05))


def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), (9, 9), 2)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, (300, 250), 120, 1, -1)
    corners = np.sort(rng.uniform(0, [WIDTH, HEIGHT], (8, 2, 2)), 1)
    return image, mask, corners.reshape(8, 4)


def joint(light: bool, whole: bool) -> Callable[[], None]:
    """Ours: a plan for the batch, then each sample; of the ``whole`` image, or of one decoded at half the size."""
    image, mask, boxes = sample()
    if not whole:
        image = cv2.resize(image, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    pipeline = Joint([*MOVES, Color(0.2, 0.2, 0.2, 0.05)] if light else MOVES, seed=1)
    images = np.empty((SAMPLES, SIDE, SIDE, 3), np.uint8)
    masks = np.empty((SAMPLES, SIDE, SIDE), np.uint8)
    sizes = np.tile([HEIGHT, WIDTH], (SAMPLES, 1))

    def run() -> None:
        plan = pipeline.plan(0, np.arange(SAMPLES), sizes, (SIDE, SIDE))
        for i in range(SAMPLES):
            plan.image(i, image, out=images[i])
            plan.mask(i, mask, out=masks[i])
            plan.boxes(i, boxes)

    return run


def chain(light: bool, resize_first: bool) -> Callable[[], None]:
    """By hand: a call for each step; the resize comes last, or first, where its result is good enough."""
    image, mask, boxes = sample()
    rng = np.random.default_rng(1)

    def warp(x: np.ndarray, m: np.ndarray, nearest: bool) -> np.ndarray:
        flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        return cv2.warpAffine(x, m, x.shape[1::-1], flags=flags)

    def small(x: np.ndarray, nearest: bool) -> np.ndarray:
        return cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST if nearest else cv2.INTER_AREA)

    def run() -> None:
        for _ in range(SAMPLES):
            x, y, b = image, mask, boxes
            if resize_first:
                x, y = small(x, False), small(y, True)
            height, width = x.shape[:2]
            matrices = []
            if rng.random() < 0.5:
                x, y = cv2.flip(x, 1), cv2.flip(y, 1)
            centre = (width / 2, height / 2)
            matrices.append(cv2.getRotationMatrix2D(centre, rng.uniform(-15, 15), 1))
            matrices.append(cv2.getRotationMatrix2D(centre, 0, rng.uniform(0.9, 1.1)))
            matrices.append(np.array([[1, 0, rng.uniform(-0.05, 0.05) * width], [0, 1, 0.0]]))
            for m in matrices:
                x, y = warp(x, m, False), warp(y, m, True)
                b, _ = geometry.warp_boxes(np.vstack([m, [0, 0, 1]]), b, (height, width))
            if not resize_first:
                x, y = small(x, False), small(y, True)
            if light:
                x = cv2.convertScaleAbs(x, alpha=rng.uniform(0.8, 1.2))
                x = cv2.convertScaleAbs(x, alpha=rng.uniform(0.8, 1.2), beta=3)
                hsv = cv2.cvtColor(x, cv2.COLOR_RGB2HSV)
                hsv[..., 0] += 3
                hsv[..., 1] = cv2.convertScaleAbs(hsv[..., 1], alpha=1.1)
                x = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)

    return run


ARMS = {
    "chain, resized last": lambda light: chain(light, resize_first=False),
    "chain, resized first": lambda light: chain(light, resize_first=True),
    "joint, whole image": lambda light: joint(light, whole=True),
    "joint, decoded at 1/2": lambda light: joint(light, whole=False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    cv2.setNumThreads(1)
    for light in (False, True):
        arms = {name: make(light) for name, make in ARMS.items()}
        times: dict[str, list[float]] = {name: [] for name in arms}
        for turn in range(runs + 1):
            for name, run in arms.items():
                start = time.perf_counter()
                run()
                if turn:  # the first warms up
                    times[name].append((time.perf_counter() - start) / SAMPLES * 1e3)
        print(f"{'geometry and colours' if light else 'geometry'}: image, mask and 8 boxes, ms a sample")
        first = statistics.median(next(iter(times.values())))
        for name, found in times.items():
            median = statistics.median(found)
            spread = f"{min(found):.2f} to {max(found):.2f}"
            print(f"  {name:<24}{median:7.3f}  ({spread}){first / median:7.1f} times as fast as the first")


if __name__ == "__main__":
    main()
