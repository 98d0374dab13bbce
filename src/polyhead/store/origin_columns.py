"""Hidden columns of a store that record the origins of the images in another column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import Problem, StoreError, place, shown
from polyhead.store.column_codec import Spec, dense, like

FILE, PLACE = "file", "place"
MOST_PIXELS = 1 << 32
"""The largest original image that is accepted, as predictions create masks of its size."""


def origin_specs(image: str, resized: bool) -> list[Spec]:
    """Describe the origin columns of a column of images: its files, and for resized images the sizes and matrices.

    >>> [spec["name"] for spec in origin_specs("photo", True)]
    ['photo: file', 'photo: place']
    """
    specs = [{"name": f"{image}: {FILE}", "origin": [image, FILE], **like("")}]
    if resized:
        specs.append({"name": f"{image}: {PLACE}", "origin": [image, PLACE], **dense((8,), np.float64)})
    return specs


def wrong_origin(spec: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Find the mistakes in the description of an origin column; ``names`` are the names of all columns."""
    origin = spec["origin"]
    if not isinstance(origin, list) or len(origin) != 2 or origin[1] not in (FILE, PLACE):
        yield "origin", f'[column, "{FILE}" or "{PLACE}"]', shown(origin)
        return
    image, kind = origin
    if image not in names or image == spec.get("name"):
        yield "origin", "the name of another column", shown(image)
        return
    expected = origin_specs(image, True)[kind == PLACE]
    if {**spec, "name": ""} != {**expected, "name": ""}:
        yield "origin", "text for files, or 8 numbers for places", shown(dict(spec))


def believable(places: np.ndarray, folder: Any, column: str) -> np.ndarray:
    """Validate and return places of images, ``(n, 8)``, as a damaged file may hold anything.

    Raises:
        StoreError: if a size is invalid, or a matrix cannot be inverted.
    """
    known = places[~np.isnan(places[:, 0])]
    sizes, matrices = known[:, :2], known[:, 2:]
    with np.errstate(all="ignore"):
        area = matrices[:, 0] * matrices[:, 4] - matrices[:, 1] * matrices[:, 3]
        good = (sizes >= 1).all(1) & (sizes.prod(1) <= MOST_PIXELS)
        good &= (np.abs(area) > 1e-18) & np.isfinite(matrices).all(1)
    if not good.all():
        where = f"store {folder}, {place(column=column)}"
        fix = "The store is damaged: polyhead pack --verify lists what is; pack it again."
        found = shown(known[~good][0].tolist())
        raise StoreError(Problem(where, "the sizes of images and how they were resized", found, fix))
    return places
