"""Test-time augmentation: predicts several views of each image and merges the predictions."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from polyhead.augment.warp import warp
from polyhead.errors import ContractError, Problem, require_size
from polyhead.images import geometry
from polyhead.kinds import Head, Image, Input
from polyhead.kinds.in_image import COORDINATES, PIXELS
from polyhead.kinds.judging_boxes import one_to_one, overlaps
from polyhead.kinds.predicted_columns import Views

_SCALES = (1.0, 0.9, 1.1, 0.8)
MOST = 2 * len(_SCALES)
"""The number of views: the image and its mirror image, each at several scales."""

SAME_BOX = 0.5
"""Boxes of two views with at least this intersection over union are treated as the same box."""


@dataclass(frozen=True)
class ImageMove:
    """One view of an image of the model's input: mirrored or not, and scaled about its center.

    Attributes:
        size: (height, width) of the image.
        mirrors: whether it is flipped left-right.
        scale: the magnification; above 1, the border of the image is cut off.
    """

    size: tuple[int, int]
    mirrors: bool
    scale: float

    @cached_property
    def _to_view(self) -> np.ndarray:
        matrix = geometry.flip(self.mirrors, False, self.size)
        return geometry.about(geometry.scale(self.scale, self.scale), self.size) @ matrix

    @cached_property
    def _back(self) -> np.ndarray:
        return np.linalg.inv(self._to_view)

    @property
    def is_still(self) -> bool:
        """True if the view is the image itself."""
        return not self.mirrors and self.scale == 1

    def images(self, images: np.ndarray) -> np.ndarray:
        """Return the view of images ``(B, H, W, C)``."""
        if self.is_still:
            return images
        return np.stack([warp(np.ascontiguousarray(image), self._to_view, self.size) for image in images])

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map points ``(..., 2)`` of the view to pixels of the image."""
        return geometry.transform(self._back, points)

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """Map a number per pixel of the view, float32 ``(h, w)``, to the image; NaN where the view shows nothing."""
        if self.is_still:
            return image
        height, width = image.shape
        grid = geometry.scale(self.size[1] / width, self.size[0] / height)
        matrix = np.linalg.inv(grid) @ self._back @ grid
        moved = warp(image, matrix, image.shape, fill=np.nan)
        edge = np.isnan(moved)
        if edge.any():
            moved[edge] = warp(image, matrix, image.shape, nearest=True, fill=np.nan)[edge]
        return moved


def moves_of(count: Any, inputs: Mapping[str, Input]) -> list[dict[str, ImageMove]]:
    """The views of a row by image input, the image itself first.

    Raises:
        ContractError: the number of views is not valid, or the model has no image input.
    """
    require_size("predict(tta=)", count)
    images = {name: kind for name, kind in inputs.items() if isinstance(kind, Image)}
    if count > MOST:
        raise ContractError(Problem("predict(tta=)", f"at most {MOST} views of each image", str(count)))
    if not images:
        fix = "Leave it out: views are mirrored and scaled images."
        raise ContractError(Problem("predict(tta=)", "an image among the inputs", "none", fix))
    both = itertools.product(_SCALES, (False, True))
    return [
        {n: ImageMove((kind.shape[0], kind.shape[1]), mirrors, scale) for n, kind in images.items()}
        for scale, mirrors in itertools.islice(both, int(count))
    ]


def merge_views(
    heads: Mapping[str, Head], views: Sequence[Mapping[str, np.ndarray]]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Merge the outputs of several views, each already mapped back to the image.

    Boxes are matched with those of the first view by their overlap, and outputs for each box move with their box.

    Args:
        views: the outputs of each view, ``{head: (B, *output_shape)}``; NaN for pixels that it does not show.

    Returns:
        The mean for each head, and the outputs of all views ``(views, B, *output_shape)``, boxes in the same order.
    """
    orders = {
        name: [_matches(views[0][name], view[name]) for view in views]
        for name in views[0]
        if name in heads and heads[name].layer == "boxes" and heads[name].places > 1
    }
    means, stacks = {}, {}
    for name in views[0]:
        head = heads.get(name)
        order = orders.get(name) or (None if head is None else orders.get(head.each or ""))
        outputs = [view[name] for view in views]
        if order is not None:
            absent = 0.0 if head is not None and head.presence else np.nan
            outputs = [
                _reordered(values, indices, absent) for values, indices in zip(outputs, order, strict=True)
            ]
        stacks[name] = np.stack(outputs)
        seen = ~np.isnan(stacks[name])
        total = np.where(seen, stacks[name], 0).sum(0)
        means[name] = (total / np.maximum(seen.sum(0), 1)).astype(np.float32)
    return means, stacks


def _matches(base: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The index of each box of the first view in another view, ``(B, places)``; -1 if there is no match."""
    matches = np.full(base.shape[:2], -1)
    for row, (boxes, other_boxes) in enumerate(zip(base, other, strict=True)):
        overlap = overlaps(boxes.astype(np.float64)[:, None], other_boxes.astype(np.float64), np.array(False))
        for i, match in one_to_one(overlap):
            if overlap[i, match] < SAME_BOX:
                break
            matches[row, i] = match
    return matches


def _reordered(values: np.ndarray, order: np.ndarray, absent: float) -> np.ndarray:
    indices = np.maximum(order, 0).reshape(*order.shape, *[1] * (values.ndim - 2))
    reordered = np.take_along_axis(values, indices, 1)
    return np.where((order < 0).reshape(indices.shape), np.float32(absent), reordered)


def view_spread(head: Head, outputs: np.ndarray, mean: np.ndarray, views: Views) -> np.ndarray:
    """The standard deviation over the views.

    For classes it is computed on the probability of the predicted class, for numbers in the units of the data, for
    boxes and points in pixels of the original image. For several numbers it is their mean.

    Args:
        outputs: the outputs of all views, ``(views, B, *output_shape)``.
        mean: the merged outputs.
        views: the transformation of each row's image to the original.

    Returns:
        One number per row, ``(B,)``; for boxes, and heads that belong to them, one per box, ``(B, places)``.
    """
    if head.layer in COORDINATES:
        values = np.stack([head.decode(view, False, views)[""].values for view in outputs])
    elif "softmax" in head.probabilities and head.layer not in PIXELS:
        values = np.take_along_axis(outputs, mean.argmax(-1)[None, ..., None], -1)
    else:
        values = np.stack([head.unscaled(view) for view in outputs])
    axes = 2 if head.each is not None or head.layer == "boxes" else 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # for boxes and pixels that no view has
        spread = np.nanstd(values.astype(np.float64), 0)
        return np.asarray(np.nanmean(spread.reshape(*spread.shape[:axes], -1), -1), np.float32)
