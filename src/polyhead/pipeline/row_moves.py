"""Moves the images of one row, and the labels in them, as its plan says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from polyhead.kinds import Head, Image, is_each
from polyhead.kinds.in_image import PIXELS
from polyhead.pipeline.label_layers import Layers
from polyhead.pipeline.target_images import Frames


class Ways(NamedTuple):
    """The parameters by which images and heads are moved, by name: the same for all rows.

    Attributes:
        sizes: (height, width) of images, masks and maps as they come out, and of the image in which others lie.
        photometric: the images that photometric augmentations change.
        fills: the value outside of a mask.
        nearest: the maps of which the nearest pixel is taken.
        swaps: pairs of keypoints that change places.
        owners: the boxes to which the entries of a head belong.
    """

    sizes: dict[str, Any]
    photometric: set[str]
    fills: dict[str, float]
    nearest: set[str]
    swaps: dict[str, Any]
    owners: dict[str, str]


class Moved(NamedTuple):
    """One row as it was moved, by name.

    Attributes:
        images: pixels.
        masks: masks and maps.
        coordinates: boxes and points, and which of them are seen.
    """

    images: dict[str, np.ndarray]
    masks: dict[str, Any]
    coordinates: dict[str, tuple[np.ndarray, np.ndarray]]


def ways_of(
    images: Mapping[str, Image], heads: Mapping[str, Head], placed: Mapping[str, Head], owners: Frames
) -> Ways:
    """Collect the parameters; ``placed`` are the heads as they lie in the images that the model gets."""
    sizes: dict[str, Any] = {name: kind.shape[:2] for name, kind in images.items()}
    inner = {name: placed[name].inner for name in heads}
    pixels = {name: head for name, head in inner.items() if head.layer in PIXELS}
    lying = {name: images[owners[name]].shape[:2] for name in heads if name not in pixels}
    return Ways(
        {**sizes, **lying, **{name: head.size for name, head in pixels.items()}},
        {name for name, kind in images.items() if kind.photometric},
        {name: head.fill for name, head in pixels.items() if head.layer == "mask"},
        {name for name, head in pixels.items() if head.nearest},
        {name: head.inner.pairs for name, head in heads.items() if head.layer == "points"},
        {name: head.each for name, head in heads.items() if head.each is not None},
    )


def move(plan: Any, i: int, images: Mapping[str, Any], layers: Layers, ways: Ways) -> Moved:
    """Move each image and each label of the row at ``i`` of a plan by itself."""
    sizes = ways.sizes
    moved = {
        name: plan.image(i, image, size=sizes[name], photometric=name in ways.photometric)
        for name, image in images.items()
    }
    masks: dict[str, Any] = {
        name: np.array([plan.mask(i, one, size=sizes[name], fill=ways.fills[name]) for one in mask])
        if name in ways.owners
        else plan.mask(i, mask, size=sizes[name], fill=ways.fills[name])
        for name, mask in layers["mask"].items()
    }
    masks |= {
        name: plan.map(i, one, size=sizes[name], nearest=name in ways.nearest)
        for name, one in layers["map"].items()
    }
    coordinates = {name: plan.boxes(i, one, size=sizes[name]) for name, one in layers["boxes"].items()}
    coordinates |= {
        name: plan.points(i, one, size=sizes[name], swaps=ways.swaps[name])
        for name, one in layers["points"].items()
    }
    return Moved(moved, masks, coordinates)


def move_together(
    plan: Any, i: int, images: Mapping[str, Any], layers: Layers, ways: Ways, where: str
) -> Moved:
    """Move all of a row at once, as an `Apply` needs it; ``where`` names the row in errors."""
    from polyhead.augment import transform_sample

    lying = {name for layer in ("mask", "map", "boxes", "points") for name in layers[layer]}
    sample = transform_sample(
        plan,
        i,
        where=where,
        images=images,
        masks=layers["mask"],
        maps=layers["map"],
        boxes=layers["boxes"],
        points=layers["points"],
        swaps=ways.swaps,
        owners={name: owner for name, owner in ways.owners.items() if name in lying},
        sizes=ways.sizes,
        fills=ways.fills,
        nearest=ways.nearest,
        photometric=ways.photometric,
    )
    return Moved(sample.images, {**sample.masks, **sample.maps}, {**sample.boxes, **sample.points})


def values_of(
    moved: Moved, layers: Layers, heads: Mapping[str, Head], ways: Ways, stores: bool
) -> Iterator[tuple[str, Any]]:
    """The values of images and heads as they are encoded, by name; nothing for what is missing.

    Args:
        moved: the row.
        layers: the labels before they were moved.
        heads: the heads as declared.
        ways: how they are moved.
        stores: boxes that are missing keep their places, as a column has them.
    """
    for name, image in moved.images.items():
        yield name, image if image.ndim == 3 else image[..., None]
    owners = {
        name: own for name, own in ways.owners.items() if any(name in layer for layer in layers.values())
    }
    kept: dict[str, np.ndarray] = {}  # the places of boxes that have entries
    for name, (coordinates, seen) in moved.coordinates.items():
        if name in owners:
            continue
        head = heads[name]
        if stores and name in layers["boxes"]:
            seen = seen | np.isnan(layers["boxes"][name]).any(1)
        if name in owners.values():
            at = np.flatnonzero(seen)
            at = kept[name] = at[head.fitting(coordinates[at])]
            yield name, head.laid(coordinates[at], None, ways.sizes[name])
        else:
            yield name, head.laid(coordinates, seen, ways.sizes[name])
    for name, pixels in moved.masks.items():
        if name not in owners:
            yield name, heads[name].laid(pixels, None, ways.sizes[name])
    for name, owner in owners.items():
        yield name, _entries_at(name, heads[name], moved, layers, kept[owner].tolist(), ways)


def _entries_at(
    name: str, each: Head, moved: Moved, layers: Layers, places: list[int], ways: Ways
) -> list[Any]:
    assert is_each(each)
    head, size = each.head, ways.sizes[name]
    if name in moved.masks:
        gone, masks = layers["gone"][name], moved.masks[name]
        return [None if gone[k] else head.laid(masks[k], None, size) for k in places]
    if name in moved.coordinates:
        coordinates, seen = moved.coordinates[name]
        return [head.laid(coordinates[k], seen[k], size) for k in places]
    entries = layers["entry"][name]
    found = [entries[k] for k in places] + each.unseen(layers["boxes"][ways.owners[name]])
    return found[: each.places]
