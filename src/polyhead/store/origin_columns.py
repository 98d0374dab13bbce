"""Hidden columns of a store that record the origins of the images in another column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import shown
from polyhead.store.column_codec import Spec, dense, like

FILE, PLACE = "file", "place"


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
