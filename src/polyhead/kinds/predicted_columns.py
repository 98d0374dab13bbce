"""Converts a model's outputs to the class names, units and pixels of the data."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from polyhead.columns.coded import objects

Item = Literal["number", "class", "flag", "mask", "masks", "map"]
"""A number, a class name, a bool, a mask ``(H, W)`` of ids, a mask for each box, or numbers for each pixel."""


@dataclass(frozen=True)
class PredictedColumn:
    """One column of predictions.

    Attributes:
        values: one entry per row, an array ``(B, ...)`` or a list.
        item: the kind of its single values.
    """

    values: Any
    item: Item = "number"

    def per_box(self, places: int) -> PredictedColumn:
        """Regroup a column with one entry per box into rows of ``places`` boxes."""
        values = self.values
        if isinstance(values, np.ndarray):
            return PredictedColumn(values.reshape(-1, places, *values.shape[1:]), self.item)
        return PredictedColumn([values[i : i + places] for i in range(0, len(values), places)], self.item)


def suffixed_name(head: str, suffix: str, heads: Container[str]) -> str:
    """Return the name of a column of predictions.

    >>> suffixed_name("sold", "", []), suffixed_name("sold", "probability", ["sold"])
    ('sold', 'sold_probability')
    >>> suffixed_name("sold", "probability", ["sold", "sold_probability"])
    'sold_predicted_probability'
    """
    name = f"{head}_{suffix}" if suffix else head
    return f"{head}_predicted_{suffix}" if suffix and name in heads else name


class InOriginal(Protocol):
    """Maps one row's image, as the model gets it, to the original image."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the original image."""

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Map boxes ``(..., 4)``, as ``xyxy``, to pixels of the original, clipped to it."""

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map points ``(..., 2)`` to pixels of the original."""

    def pixels(
        self, image: np.ndarray, fill: float, nearest: bool = False, finer: bool = False
    ) -> np.ndarray:
        """Resample a number per pixel, float32 ``(h, w)``, to the original; ``fill`` where the model did not see it.

        With ``finer``, an image that is larger than what the model gets, and finer than the original, stays as fine.
        """

    @property
    def target(self) -> tuple[int, int]:
        """(height, width) of the image as the model gets it."""


Views = Sequence[InOriginal] | None
"""One for each row; None for a head without an image."""


class Move(Protocol):
    """The transformation of one view of an image, see `Head.unmoved`."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image as the model gets it."""

    @property
    def mirrors(self) -> bool:
        """True if the view is flipped left-right."""

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map points ``(..., 2)`` of the view to pixels of the image."""

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """Map a number per pixel of the view, float32 ``(h, w)``, to the image; NaN where the view does not show it."""


def unmoved_pixels(outputs: np.ndarray, move: Move) -> np.ndarray:
    """Map numbers for each pixel ``(B, h, w, n)`` of a view to the image."""
    channels = np.moveaxis(outputs, -1, 1)
    rows = [[move.pixels(np.ascontiguousarray(channel)) for channel in row] for row in channels]
    return np.moveaxis(np.array(rows, np.float32), 1, -1)


def view_of_each(rows: np.ndarray, views: Views) -> Iterator[tuple[np.ndarray, InOriginal | None]]:
    """Yield each row with its view, or with None."""
    yield from zip(rows, views or itertools.repeat(None), strict=views is not None)


def class_values(names: Sequence[Any]) -> np.ndarray:
    """The classes as an array ``(n,)`` to index with ids: int64 for integers, else objects."""
    integers = all(type(name) is int for name in names)
    return np.array(names, np.int64) if integers else objects(names)


def label_masks(
    outputs: np.ndarray, views: Views, binary: bool, multi: bool, logits: bool, fill: int
) -> PredictedColumn:
    """Make masks of the original images from the scores ``(B, h, w, n)`` of classes.

    Args:
        views: None keeps the size of the outputs.
        binary: whether classes are thresholded one by one; otherwise each pixel gets the class with the highest score.
        multi: whether each class has a mask of its own, ``(H, W, n)``.
        logits: whether scores are logits rather than probabilities.
        fill: the id of pixels that the model did not see.
    """
    threshold = (0.0 if logits else 0.5) if binary else None
    masks = []
    for row, view in view_of_each(outputs, views):
        channels = np.moveaxis(row, -1, 0)
        layers = [_label_mask(c, view, fill, threshold) for c in (channels[:, None] if multi else [channels])]
        masks.append(np.stack(layers, -1) if multi else layers[0])
    return PredictedColumn(masks, "mask")


def _label_mask(
    channels: np.ndarray, view: InOriginal | None, fill: int, threshold: float | None
) -> np.ndarray:
    """Resample one class at a time, as all classes at the original size may need much memory."""

    def resampled(scores: np.ndarray) -> np.ndarray:
        return scores if view is None else view.pixels(scores.astype(np.float32, copy=False), np.nan)

    best = resampled(channels[0])
    unseen = np.isnan(best)
    dtype = np.uint8 if len(channels) <= 256 else np.uint16
    mask = np.zeros(best.shape, dtype) if threshold is None else (best >= threshold).astype(dtype)
    for class_id in range(1, len(channels)):
        scores = resampled(channels[class_id])
        larger = scores > best
        mask[larger] = class_id
        best = np.where(larger, scores, best)
    mask[unseen] = fill
    return mask
