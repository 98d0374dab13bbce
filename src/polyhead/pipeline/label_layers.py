"""Reads the labels in the image of a row, masks, maps, boxes, keypoints and entries of boxes, and writes them back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from polyhead.columns.image_values import path_in
from polyhead.errors import BadValue, DataError, Problem, place, warn
from polyhead.images.geometry import outside_of
from polyhead.kinds import Each, Head, Image, is_each
from polyhead.kinds.in_image import PIXELS
from polyhead.kinds.missing import is_missing
from polyhead.kinds.pixels import lists_files
from polyhead.pipeline.image_reader import Frame
from polyhead.pipeline.pixel_labels import label_pixels, require_sides, stretched
from polyhead.pipeline.target_images import HeadImages

if TYPE_CHECKING:
    from polyhead.augment import TransformedSample, TransformOptions

Layers = dict[str, dict[str, Any]]
"""The labels in the image of one row, by layer and head; missing labels are left out."""

Strays = dict[str, dict[int, tuple[int, np.ndarray, tuple[int, int]]]]
"""By head and id: the number of a row's boxes or points, those with their center outside, and the image's size."""

LAYERS = ("mask", "map", "boxes", "points", "entry", "gone")
"""The layers of heads; ``"gone"`` lists the boxes without a mask or map, by the head of the masks or maps."""


class LabelReader:
    """Reads the labels located in the images of rows.

    Args:
        images: the image inputs by name.
        head_images: the image of each head.
    """

    def __init__(self, images: Mapping[str, Image], head_images: HeadImages) -> None:
        self._images, self._head_images = images, head_images

    def layers(
        self,
        heads: Mapping[str, Head],
        values: Mapping[str, Any],
        i: int,
        row: int,
        frames: Mapping[str, Frame],
    ) -> Layers:
        """Read the labels of one row, in pixels of the first image.

        Args:
            heads: the heads with labels in the image, boxes before the labels of each box.
            values: the values of each head for the rows of a batch.
            i: the position of the row in the batch.
            row: the id of the row, for errors.
            frames: the sizes of each image of the row.

        Raises:
            DataError: for a label that its head rejects.
        """
        layers: Layers = {name: {} for name in LAYERS}
        for name, head in heads.items():
            value = values[name][i]
            if is_missing(value, head.missing):
                continue
            if not is_each(head):
                self._head_images.require_known(name, head, frames, row)
                label = self._in_pixels(name, head, value, row, frames)
                if not head.not_annotated(label):
                    layers[str(head.layer)][name] = self._head_images.in_first(name, head, label, frames)
            elif head.each in layers["boxes"]:
                self._add_entries(layers, name, head, value, row, frames)
        return layers

    def _add_entries(
        self, layers: Layers, name: str, each: Each, value: Any, row: int, frames: Mapping[str, Frame]
    ) -> None:
        """Add the labels of the boxes of one row."""
        inner = each.head
        try:
            entries = each.entries(value, len(layers["boxes"][str(each.each)]))
        except BadValue as bad:
            raise bad.located(**each.located(name), row=row) from None
        if inner.layer is None:
            layers["entry"][name] = entries
            return
        labels = [
            None if is_missing(entry, inner.missing) else self._in_pixels(name, inner, entry, row, frames)
            for entry in entries
        ]
        if inner.layer == "points":
            points = _box_points(labels, inner.places)
            layers["points"][name] = self._head_images.in_first(name, each, points, frames)
            return
        _require_one_size(name, labels, row)
        if labels and all(label is None for label in labels):
            return
        layers["gone"][name] = [label is None for label in labels]
        layers[str(inner.layer)][name] = _box_masks(labels, frames[self._head_images[name]].label_size)

    def _in_pixels(
        self, name: str, head: Head, value: Any, row: int, frames: Mapping[str, Frame]
    ) -> np.ndarray:
        """Read one label in pixels of its image."""
        image, frames_of_label = self._images[self._head_images[name]], self._head_images.frames(name, frames)
        where, label, size = place(head=name, row=row), value, frames_of_label[0].label_size
        if head.layer in PIXELS and (not isinstance(value, np.ndarray) or lists_files(value)):
            label = label_pixels(head, value, where, image.max_pixels)
        try:
            pixels = head.to_pixels(label, size)
        except BadValue as bad:
            file = path_in(value) if head.layer in PIXELS else None  # other labels may be text
            raise bad.located(head=name, row=row, file=file) from None
        if head.layer not in PIXELS:
            return pixels
        require_sides(where, str(head.layer), pixels.shape, frames_of_label)
        stretched_to = [s for s in (head.size, image.size) if s is not None and image.fit == "stretch"]
        sides, is_array = (pixels.shape[0], pixels.shape[1]), isinstance(value, (np.ndarray, list, tuple))
        if not self._head_images.in_proportion(name, sides, frames_of_label, stretched_to, is_array):
            where = ", ".join(filter(None, (where, place(file=path_in(value)))))
            warn(stretched(where, sides, size))
        return pixels


def add_strays(strays: Strays, layers: Layers, row: int, size: tuple[int, int]) -> None:
    """Add the boxes and points of one row, in an image of ``size``; points that belong to boxes are left out."""
    for name, coordinates in (layers["boxes"] | layers["points"]).items():
        if coordinates.ndim != 2:
            continue
        known = coordinates[~np.isnan(coordinates).any(1)]
        strays.setdefault(name, {})[row] = len(known), known[outside_of(known, size)], size


def _box_points(labels: list[Any], places: int) -> np.ndarray:
    """Stack the keypoints of a row's boxes, ``(k, n, 2)``, with NaN for a box without any."""
    nowhere = np.full((places, 2), np.nan)
    return np.array([nowhere if points is None else points for points in labels]).reshape(-1, places, 2)


def _require_one_size(name: str, masks: list[Any], row: int) -> None:
    shapes = {mask.shape for mask in masks if mask is not None}
    if len(shapes) > 1:
        fix = "Draw the masks of a row in one size, and give None for a box without one."
        found = f"shapes {sorted(shapes)}"
        raise DataError(Problem(place(head=name, row=row), "masks of one size in a row", found, fix))


def _box_masks(masks: list[Any], size: tuple[int, int]) -> np.ndarray:
    """Stack the masks of a row's boxes, ``(k, H, W)``, with zeros for missing ones; ``size`` is used without boxes."""
    blank = next((np.zeros_like(mask) for mask in masks if mask is not None), np.zeros((0, *size), np.uint8))
    return np.array([blank if mask is None else mask for mask in masks]) if masks else blank


def transform_options(
    images: Mapping[str, Image],
    heads: Mapping[str, Head],
    encoding: Mapping[str, Head],
    head_images: HeadImages,
) -> TransformOptions:
    """Collect how images and labels are transformed; ``encoding`` are the heads set to encode transformed labels."""
    from polyhead.augment import TransformOptions

    inner = {name: encoding[name].inner for name in heads}
    pixels = {name: head for name, head in inner.items() if head.layer in PIXELS}
    sizes: dict[str, Any] = {name: kind.size for name, kind in images.items()}
    sizes |= {name: images[head_images[name]].size for name in heads if name not in pixels}
    sizes |= {name: head.size for name, head in pixels.items()}
    return TransformOptions(
        sizes=sizes,
        photometric={name for name, kind in images.items() if kind.photometric},
        fills={name: head.fill for name, head in pixels.items() if head.layer == "mask"},
        nearest={name for name, head in pixels.items() if head.nearest},
        swaps={name: head.inner.pairs for name, head in heads.items() if head.layer == "points"},
        boxes_of={name: head.each for name, head in heads.items() if head.each is not None},
    )


def values_of(
    moved: TransformedSample,
    layers: Layers,
    heads: Mapping[str, Head],
    options: TransformOptions,
    stores: bool,
) -> Iterator[tuple[str, Any]]:
    """Yield ``(name, value)`` for the kinds to encode, of each image and each label that is not missing.

    Args:
        stores: whether missing boxes keep their places, as in a column.
    """
    for name, image in moved.images.items():
        yield name, image if image.ndim == 3 else image[..., None]
    boxes_of = {
        name: boxes
        for name, boxes in options.boxes_of.items()
        if any(name in layer for layer in layers.values())
    }
    kept: dict[str, np.ndarray] = {}  # the positions of the boxes kept, if entries belong to them
    for name, (coordinates, seen) in (moved.boxes | moved.points).items():
        if name in boxes_of:
            continue
        head = heads[name]
        if stores and name in layers["boxes"]:
            seen = seen | np.isnan(layers["boxes"][name]).any(1)
        if name in boxes_of.values():
            positions = np.flatnonzero(seen)
            kept[name] = positions = positions[head.indices_to_keep(coordinates[positions])]
            yield name, head.from_pixels(coordinates[positions], None, options.sizes[name])
        else:
            yield name, head.from_pixels(coordinates, seen, options.sizes[name])
    for name, pixels in (moved.masks | moved.maps).items():
        if name not in boxes_of:
            yield name, heads[name].from_pixels(pixels, None, options.sizes[name])
    for name, owner in boxes_of.items():
        yield name, _entries_at(name, heads[name], moved, layers, kept[owner].tolist(), options)


def _entries_at(
    name: str,
    each: Head,
    moved: TransformedSample,
    layers: Layers,
    kept: list[int],
    options: TransformOptions,
) -> list[Any]:
    assert is_each(each)
    head, size = each.head, options.sizes[name]
    if name in layers["gone"]:
        gone, masks = layers["gone"][name], (moved.masks | moved.maps)[name]
        return [None if gone[k] else head.from_pixels(masks[k], None, size) for k in kept]
    if name in moved.points:
        coordinates, seen = moved.points[name]
        return [head.from_pixels(coordinates[k], seen[k], size) for k in kept]
    entries = layers["entry"][name]
    shown = [entries[k] for k in kept] + each.unseen(layers["boxes"][options.boxes_of[name]])
    return shown[: each.places]
