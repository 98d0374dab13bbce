"""Transforms samples back to their original images, for previews of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from polyhead.images import geometry
from polyhead.kinds import Head, Image
from polyhead.kinds.in_image import COORDINATES, PIXELS
from polyhead.kinds.missing import plain
from polyhead.pipeline.image_reader import ImageReader
from polyhead.pipeline.target_images import require_head_images
from polyhead.pipeline.way_back import ImageView, ImageViews
from polyhead.report.samples import Label, Sample
from polyhead.sources.source import Source

_LONGEST, _LEAST = 1024, 512
"""The longest side of a picture; and of a mask or map, unless the model's is larger."""


class OriginalSamples:
    """Replaces the images of samples by the originals, and transforms boxes, keypoints, masks and maps to them.

    Attributes:
        heads: the heads in the units of the returned samples: coordinates are in pixels of the original.
    """

    def __init__(self, source: Source, images: Mapping[str, Image], heads: Mapping[str, Head]) -> None:
        self.heads, self._source, self._declared = dict(heads), source, dict(heads)
        self._views: dict[str, ImageViews] = {}
        if source.sequential or not any(_differs(source, name, kind) for name, kind in images.items()):
            return
        self._images = dict(images)
        self._views = {name: ImageViews(source, name, kind) for name, kind in images.items()}
        self._readers = {name: ImageReader({name: kind}, ()) for name, kind in images.items()}
        in_image = {name: head for name, head in heads.items() if head.inner.layer in (*COORDINATES, *PIXELS)}
        frames = require_head_images(images, in_image)
        self._head_images = {name: frames[name] for name in in_image}
        self.heads = {
            name: head.fixed(normalized=False) if head.inner.layer in COORDINATES else head
            for name, head in heads.items()
        }

    def on_originals(self, row: int, *samples: Sample) -> tuple[Sample, ...]:
        """Return samples of one row on its original images; ``row`` is its index in the source."""
        if not self._views:
            return samples
        ids = np.array([row], np.int64)
        views = {name: view.of(ids)[0] for name, view in self._views.items()}
        pictures = {name: self._picture(name, ids, view) for name, view in views.items()}
        sizes = {name: view.size for name, view in views.items()}
        moved = []
        for sample in samples:
            labels = {name: self._label(name, label, views) for name, label in sample.labels.items()}
            moved.append(replace(sample, inputs={**sample.inputs, **pictures}, labels=labels, sizes=sizes))
        return tuple(moved)

    def _picture(self, name: str, ids: np.ndarray, view: ImageView) -> np.ndarray:
        """The original image, as much of it as the source holds, with sides of at most `_LONGEST` pixels."""
        from polyhead.augment import Joint
        from polyhead.augment.warp import warp

        (column,), (row_id,) = self._images[name].columns(name), self._source.ids_of(ids).tolist()
        (value,) = plain(self._source.only([column]).coded(ids)[column])
        opened = self._readers[name].open(name, value, row_id)
        stored, size = (_at_most(sides, _LONGEST) for sides in (view.stored_size, view.size))
        plan = Joint((), 0, fit="stretch").plan(0, ids, [view.stored_size], stored)
        pixels = plan.image(0, self._readers[name].decode(name, opened, row_id, plan, 0))
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        if pixels.dtype not in (np.uint8, np.float32, np.float64):
            pixels = pixels / np.float32(np.iinfo(pixels.dtype).max)
        matrix = (
            geometry.resize(view.size, size)
            @ np.linalg.inv(view.to_stored)
            @ geometry.resize(stored, view.stored_size)
        )
        picture = warp(pixels, matrix, size)
        return picture if picture.ndim == 3 else picture[..., None]

    def _label(self, name: str, label: Label, views: Mapping[str, ImageView]) -> Label:
        if name not in self._head_images:
            return label
        inner: Any = self._declared[name].inner
        view = views[self._head_images[name]]
        if inner.layer in PIXELS:
            return _resampled(label, inner, view) if label.valid.any() else label
        flat = label.value.astype(np.float64).reshape(-1, label.value.shape[-1])
        xyxy = inner.fixed(format="xyxy") if inner.layer == "boxes" else inner
        moved = [xyxy.in_original(values, view) for values in flat]
        return replace(label, value=np.reshape(moved, label.value.shape).astype(np.float32))


def _differs(source: Source, name: str, kind: Image) -> bool:
    """Return whether the model's images may differ from the originals: they are resized, or come from a store."""
    return kind.late or source.origins(kind.columns(name)[0], np.zeros(1, np.int64)) is not None


def _resampled(label: Label, inner: Any, view: ImageView) -> Label:
    """Resample a mask or map from the model's image to the original; pixels outside the model's have no label."""
    height, width = inner.size
    size = _at_most(view.size, min(_LONGEST, max(_LEAST, height, width)))
    to_model = view.to_model @ geometry.resize(size, view.size)
    view = replace(view, size=size, to_model=to_model)
    channels = inner.shape[2:]
    boxes = label.value.shape[: label.value.ndim - len(inner.shape)]
    whole = label.valid.size < np.prod((*boxes, *inner.weight_shape))  # as of what was predicted
    valid = label.valid.reshape(*boxes, *((1, 1) if whole else inner.weight_shape))
    valid_channels = channels if valid.ndim == len(boxes) + 3 else ()
    valid = np.broadcast_to(valid, (*boxes, height, width, *valid_channels))
    seen = _planes(valid.reshape(-1, height, width, int(np.prod(valid_channels))), view) > 0
    value = _planes(label.value.reshape(-1, height, width, int(np.prod(channels))), view)
    return replace(
        label,
        value=value.astype(label.value.dtype).reshape(*boxes, *size, *channels),
        valid=seen.reshape(*boxes, *size, *valid_channels),
    )


def _planes(array: np.ndarray, view: ImageView) -> np.ndarray:
    """Resample planes ``(k, h, w, n)`` to the original ``(k, H, W, n)``; 0 where the model did not see it."""
    planes = np.zeros((len(array), *view.size, array.shape[-1]), np.float32)
    for i, k in np.argwhere(array.any((1, 2))):  # most planes of many objects are empty
        plane = np.ascontiguousarray(array[i, ..., k], np.float32)
        planes[i, ..., k] = view.pixels(plane, 0, nearest=True)
    return planes


def _at_most(size: tuple[int, int], longest: int) -> tuple[int, int]:
    share = min(1, longest / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))
