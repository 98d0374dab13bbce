"""Maps predictions in original images to the images of a store, in whose pixels its labels are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from polyhead.images import geometry
from polyhead.kinds import Head, Image
from polyhead.kinds.in_image import PIXELS
from polyhead.pipeline.way_back import ImageView, WayBack
from polyhead.sources.source import Source


def in_held_images(
    source: Source, images: Mapping[str, Image], heads: Mapping[str, Head], answers: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    """Map answers in pixels of original images to pixels of a store's images; return others unchanged.

    Args:
        answers: by head, the answer of each row, in the format of the column.
    """
    rows = np.arange(len(source), dtype=np.int64)
    columns = {kind.columns(name)[0] for name, kind in images.items()}
    known = [source.origins(column, rows) for column in columns]
    if all(one is None or np.isnan(one.places).all() for one in known):
        return dict(answers)
    views = WayBack(source, images, heads).views(rows)
    return {
        name: [_in_held_image(heads[name], *pair) for pair in zip(found, views[name], strict=True)]
        if name in views
        else found
        for name, found in answers.items()
    }


def _in_held_image(head: Head, value: Any, view: ImageView) -> Any:
    if value is None:
        return None
    if head.each is not None:
        return [_in_held_image(head.inner.fixed(each=None), one, view) for one in value]
    if head.layer in PIXELS:
        from polyhead.augment.warp import warp

        return warp(np.asarray(value), view.to_held, view.held_size, nearest=True, fill=head.fill)
    if head.layer not in ("boxes", "points"):
        return value
    found = np.asarray(value, np.float64)
    if head.layer == "points":
        return geometry.transform(view.to_held, found)
    ends = geometry.transform(view.to_held, head.corners_of(found.reshape(-1, 4)).reshape(-1, 2, 2))
    return head.to_column(np.concatenate([ends.min(-2), ends.max(-2)], -1)).reshape(found.shape)
