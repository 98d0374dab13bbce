"""Finds images that are flipped or rotated without their masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from polyhead.keras_bridge.structure import Path

ImagesByMask = dict[tuple[Path, int], np.ndarray]
Turned = tuple[Path, int, str]
"""A mask, its row, and how its image was turned."""

_TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "left to right": lambda image: image[:, ::-1],
    "upside down": lambda image: image[::-1],
    "by 180 degrees": lambda image: image[::-1, ::-1],
    "by 90 degrees": lambda image: np.rot90(image),
    "by 270 degrees": lambda image: np.rot90(image, 3),
}


class Pair(NamedTuple):
    """An image of a batch, and one of its masks with the path and the hash of the mask."""

    path: Path
    row: int
    key: int
    image: np.ndarray
    mask: np.ndarray


def pairs_of(
    x: list[np.ndarray], y: dict[Path, np.ndarray], hashes: dict[Path, np.ndarray]
) -> Iterator[Pair]:
    """Yield the pairs of a batch, if its only input is images and labels have their height and width."""
    if len(x) != 1 or x[0].ndim != 4:
        return
    masks = {path: m for path, m in y.items() if m.ndim >= 3 and m.shape[1:3] == x[0].shape[1:3]}
    for row in range(min(map(len, (*x, *masks.values())))):
        for path, mask in masks.items():
            yield Pair(path, row, int(hashes[path][row]), x[0][row], mask[row])


def images_by_mask(pairs: Iterable[Pair]) -> ImagesByMask:
    """Return copies of the images, by the path and the hash of each of their masks."""
    return {(pair.path, pair.key): pair.image.copy() for pair in pairs}


def find_turned(known: ImagesByMask, pairs: Iterable[Pair]) -> Turned | None:
    """Return the first pair whose image is a turned known one while the mask is not, and how it is turned."""
    for pair in pairs:
        before = known.get((pair.path, pair.key))
        if before is None or before.shape != pair.image.shape or np.array_equal(before, pair.image):
            continue
        for name, turn in _TURNS.items():
            alike = np.array_equal(turn(pair.mask), pair.mask)  # such as a mask of one class, or a circle
            if not alike and np.array_equal(turn(before), pair.image):
                return pair.path, pair.row, name
    return None
