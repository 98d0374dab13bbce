"""The parameters with which a row is transformed, and the values for its kinds to encode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from polyhead.kinds import Head, Image, is_each
from polyhead.kinds.in_image import PIXELS
from polyhead.pipeline.label_layers import Layers
from polyhead.pipeline.target_images import HeadImages

if TYPE_CHECKING:
    from polyhead.augment import TransformedSample, TransformOptions


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
