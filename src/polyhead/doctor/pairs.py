"""Finds images that are flipped or rotated without their masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polyhead.errors import Problem

_TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "left to right": lambda image: image[:, ::-1],
    "upside down": lambda image: image[::-1],
    "by 180 degrees": lambda image: image[::-1, ::-1],
    "by 90 degrees": lambda image: np.rot90(image),
    "by 270 degrees": lambda image: np.rot90(image, 3),
}


@dataclass(frozen=True)
class Pairs:
    """The images of one batch, by their masks.

    Attributes:
        images: the images, by the hash of their labels.
    """

    images: dict[int, np.ndarray]

    @classmethod
    def of(cls, x: list[np.ndarray], y: list[np.ndarray], rows: np.ndarray) -> Pairs:
        """Return the pairs of a batch with one array of images, and labels of the same height and width.

        Args:
            x: the inputs of a batch.
            y: the labels of the batch.
            rows: the hashes of its rows, ``(n, 2)``.
        """
        if len(x) != 1 or x[0].ndim != 4:
            return cls({})
        masks = [labels for labels in y if labels.ndim >= 3 and labels.shape[1:3] == x[0].shape[1:3]]
        if not masks:
            return cls({})
        # a uniform mask looks the same however it is turned
        flat = [mask.reshape(len(mask), -1) for mask in masks]
        distinct = np.any([(mask != mask[:, :1]).any(axis=1) for mask in flat], axis=0)
        return cls({int(rows[i, 1]): x[0][i].copy() for i in np.flatnonzero(distinct[: len(rows)])})

    def find_turned(self, x: list[np.ndarray], rows: np.ndarray) -> tuple[int, str] | None:
        """Return the first row whose image is a turned known one while its labels are not, and how it is turned."""
        if not self.images or len(x) != 1:
            return None
        for i, key in enumerate(rows[:, 1].tolist()):
            known = self.images.get(key)
            if known is None or known.shape != x[0][i].shape or np.array_equal(known, x[0][i]):
                continue
            for name, turn in _TURNS.items():
                if np.array_equal(turn(known), x[0][i]):
                    return i, name
        return None


def check_pairs(found: tuple[int, int, str] | None) -> list[Problem]:
    """Return the problem of an image turned alone, given its batch, its row, and how; empty for None."""
    if found is None:
        return []
    step, row, how = found
    return [
        Problem(
            f"batch {step}, row {row}",
            "image and masks that are turned together",
            f"an image that was turned {how} beside the same labels",
            "Draw once, and apply it to both: image[:, ::-1], mask[:, ::-1].",
            "augmented-apart",
        )
    ]
