"""Reads the labels located in the image of a row: masks, maps, boxes, keypoints, and entries of boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyhead.columns.image_values import path_in
from polyhead.errors import BadValue, DataError, Problem, place, warn
from polyhead.kinds import Each, Head, Image, is_each
from polyhead.kinds.in_image import PIXELS
from polyhead.kinds.missing import is_missing
from polyhead.kinds.pixels import lists_files
from polyhead.pipeline.image_frame import Frame
from polyhead.pipeline.pixel_labels import label_pixels, require_sides, stretched
from polyhead.pipeline.target_images import HeadImages

Layers = dict[str, dict[str, Any]]
"""The labels in the image of one row, by layer and head; missing labels are left out."""

Strays = dict[str, dict[int, tuple[int, np.ndarray, tuple[int, int]]]]
"""By head and id: the number of a row's boxes or points, those with their center outside, and the image's size."""

LAYERS = ("mask", "map", "boxes", "points", "entry", "gone")
"""The layers of heads; ``"gone"`` lists the boxes without a mask or map, by the head of the masks or maps."""


def layers_of(
    heads: Mapping[str, Head],
    values: Mapping[str, Any],
    i: int,
    row: int,
    frames: Mapping[str, Frame],
    images: Mapping[str, Image],
    head_images: HeadImages,
) -> Layers:
    """Read the labels in the image of one row, in pixels of the first image.

    Args:
        heads: the heads with labels in the image, boxes before the labels of each box.
        values: the values of each head for the rows of a batch.
        i: the position of the row in the batch.
        row: the id of the row, for errors.
        frames: the sizes of each image of the row: as shown, and as its labels refer to.
        images: the image inputs by name.
        head_images: the image of each head.

    Raises:
        DataError: for a label that its head rejects.
    """

    def in_pixels(name: str, head: Head, value: Any) -> np.ndarray:
        image, own = images[head_images[name]], head_images.frames(name, frames)
        found = _pixels_of(name, head, value, row, own, image.max_pixels)
        if head.layer in PIXELS:
            resized = [
                one for one in (head.size, image.shape[:2]) if one is not None and image.fit == "stretch"
            ]
            size = (found.shape[0], found.shape[1])
            if not head_images.in_proportion(
                name, size, own, resized, isinstance(value, (np.ndarray, list, tuple))
            ):
                where = ", ".join(filter(None, (place(head=name, row=row), place(file=path_in(value)))))
                warn(stretched(where, size, own[0].label_size))
        return found

    layers: Layers = {name: {} for name in LAYERS}
    for name, head in heads.items():
        value = values[name][i]
        if is_missing(value, head.missing):
            continue
        if not is_each(head):
            head_images.require_known(name, head, frames, row)
            found = in_pixels(name, head, value)
            if not head.not_annotated(found):
                layers[str(head.layer)][name] = head_images.in_first(name, head, found, frames)
        elif head.each in layers["boxes"]:
            inner = head.head
            entries = _box_entries(name, head, value, len(layers["boxes"][head.each]), row)
            if inner.layer is None:
                layers["entry"][name] = entries
                continue
            each = [
                None if is_missing(entry, inner.missing) else in_pixels(name, inner, entry)
                for entry in entries
            ]
            if inner.layer == "points":
                layers["points"][name] = head_images.in_first(
                    name, head, _box_points(each, inner.places), frames
                )
                continue
            _require_one_size(name, each, row)
            if each and all(one is None for one in each):
                continue
            layers["gone"][name] = [one is None for one in each]
            layers[str(inner.layer)][name] = _box_masks(each, frames[head_images[name]].label_size)
    return layers


def add_strays(strays: Strays, layers: Layers, row: int, size: tuple[int, int]) -> None:
    """Add the boxes and points of one row, in an image of ``size``; points that belong to boxes are left out."""
    for name, found in (layers["boxes"] | layers["points"]).items():
        if found.ndim != 2:
            continue
        there = found[~np.isnan(found).any(1)]
        center = there.reshape(len(there), there.shape[1] // 2, 2).mean(1)
        outside = ((center < 0) | (center > size[::-1])).any(1)
        strays.setdefault(name, {})[row] = len(there), there[outside], size


def _pixels_of(
    name: str, head: Head, value: Any, row: int, frames: list[Frame], max_pixels: int | None
) -> np.ndarray:
    """Read one label in pixels of its image, whose frame is ``frames[0]``; ``max_pixels`` limits the size of a file."""
    where, own = place(head=name, row=row), value
    if head.layer in PIXELS and (not isinstance(value, np.ndarray) or lists_files(value)):
        value = label_pixels(head, value, where, max_pixels)
    try:
        found = head.to_pixels(value, frames[0].label_size)
    except BadValue as bad:
        raise bad.located(head=name, row=row, file=path_in(own)) from None
    if head.layer in PIXELS:
        require_sides(where, str(head.layer), found.shape, frames)
    return found


def _box_entries(name: str, each: Each, value: Any, count: int, row: int) -> Any:
    try:
        return each.entries(value, count)
    except BadValue as bad:
        raise bad.located(**each.located(name), row=row) from None


def _box_points(each: list[Any], places: int) -> np.ndarray:
    """Stack the keypoints of a row's boxes, ``(k, n, 2)``, with NaN for a box without any."""
    nowhere = np.full((places, 2), np.nan)
    return np.array([nowhere if one is None else one for one in each]).reshape(-1, places, 2)


def _require_one_size(name: str, masks: list[Any], row: int) -> None:
    shapes = {one.shape for one in masks if one is not None}
    if len(shapes) > 1:
        fix = "Draw the masks of a row in one size, and give None for a box without one."
        found = f"shapes {sorted(shapes)}"
        raise DataError(Problem(place(head=name, row=row), "masks of one size in a row", found, fix))


def _box_masks(masks: list[Any], size: tuple[int, int]) -> np.ndarray:
    """Stack the masks of a row's boxes, ``(k, H, W)``, with zeros for missing ones; ``size`` is used without boxes."""
    blank = next((np.zeros_like(mask) for mask in masks if mask is not None), np.zeros((0, *size), np.uint8))
    return np.array([blank if mask is None else mask for mask in masks]) if masks else blank
