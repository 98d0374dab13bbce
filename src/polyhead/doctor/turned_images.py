"""Finds images that are flipped or rotated without their masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polyhead.keras_bridge.structure import Path

Turned = tuple[Path, int, str]
"""A mask, its row, and how its image was turned."""

_TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "left to right": lambda image: image[:, ::-1],
    "upside down": lambda image: image[::-1],
    "by 180 degrees": lambda image: image[::-1, ::-1],
    "by 90 degrees": lambda image: np.rot90(image),
    "by 270 degrees": lambda image: np.rot90(image, 3),
}


@dataclass(frozen=True)
class Pairs:
    """The images of one batch, by the path and the hash of each of their masks."""

    images: dict[tuple[Path, int], np.ndarray]

    @classmethod
    def of(cls, x: list[np.ndarray], y: dict[Path, np.ndarray], hashes: dict[Path, np.ndarray]) -> Pairs:
        """Return the pairs of a batch with one array of images, and labels of the same height and width."""
        masks = _masks_of_images(x, y)
        return cls(
            {
                (path, int(hashes[path][i])): x[0][i].copy()
                for path in masks
                for i in range(_complete_rows(x, masks))
            }
        )

    def find_turned(
        self, x: list[np.ndarray], y: dict[Path, np.ndarray], hashes: dict[Path, np.ndarray]
    ) -> Turned | None:
        """Return the first row whose image is a turned known one while a mask is not, and how it is turned."""
        masks = _masks_of_images(x, y) if self.images else {}
        for i in range(_complete_rows(x, masks)):
            for path, mask in masks.items():
                known = self.images.get((path, int(hashes[path][i])))
                if known is None or known.shape != x[0][i].shape or np.array_equal(known, x[0][i]):
                    continue
                for name, turn in _TURNS.items():
                    alike = np.array_equal(turn(mask[i]), mask[i])  # such as a mask of one class, or a circle
                    if not alike and np.array_equal(turn(known), x[0][i]):
                        return path, i, name
        return None


def _masks_of_images(x: list[np.ndarray], y: dict[Path, np.ndarray]) -> dict[Path, np.ndarray]:
    """Return the labels that have the height and width of the images, if the only input is images."""
    if len(x) != 1 or x[0].ndim != 4:
        return {}
    return {path: mask for path, mask in y.items() if mask.ndim >= 3 and mask.shape[1:3] == x[0].shape[1:3]}


def _complete_rows(x: list[np.ndarray], masks: dict[Path, np.ndarray]) -> int:
    """Return the number of rows that all arrays have; 0 without masks."""
    return min(map(len, (*x, *masks.values()))) if masks else 0
