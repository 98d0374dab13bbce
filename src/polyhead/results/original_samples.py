"""Rows for pictures, with their boxes and points on the original image instead of the one that the model gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from polyhead.images import geometry
from polyhead.kinds import Head, Image
from polyhead.kinds.in_image import COORDINATES
from polyhead.kinds.missing import plain
from polyhead.pipeline.image_reader import ImageReader
from polyhead.pipeline.way_back import ImageView, ImageViews
from polyhead.report.samples import Label, Sample
from polyhead.sources.source import Source

_LONGEST = 1024
"""The longest side of a picture."""


class OriginalSamples:
    """Lays samples on their original images, where they have boxes or points in one image, and no masks or maps.

    Args:
        source: the source of the rows.
        images: the resolved image inputs.
        heads: the resolved heads.

    Attributes:
        heads: the heads as the samples have their labels: in pixels of the original.
    """

    def __init__(self, source: Source, images: Mapping[str, Image], heads: Mapping[str, Head]) -> None:
        layers = {head.inner.layer for head in heads.values()} - {None}
        self._lies = (
            len(images) == 1 and bool(layers) and layers <= set(COORDINATES) and not source.sequential
        )
        self.heads, self._source = dict(heads), source
        if not self._lies:
            return
        ((self._name, self._kind),) = images.items()
        self.heads = {
            name: head.fixed(normalized=False) if head.inner.layer in COORDINATES else head
            for name, head in heads.items()
        }
        self._declared = dict(heads)
        self._views = ImageViews(source, self._name, self._kind)
        self._reader = ImageReader({self._name: self._kind}, ())

    def laid(self, row: int, *samples: Sample) -> tuple[Sample, ...]:
        """Samples of one row, the place of which in the source is given, on its original image."""
        if not self._lies:
            return samples
        ids = np.array([row], np.int64)
        (view,) = self._views.of(ids)
        picture = self._picture(ids, view)
        found = []
        for one in samples:
            labels = {
                name: self._label(self._declared[name], label, view) for name, label in one.labels.items()
            }
            found.append(
                replace(one, inputs={**one.inputs, self._name: picture}, labels=labels, size=view.size)
            )
        return tuple(found)

    def _picture(self, ids: np.ndarray, view: ImageView) -> np.ndarray:
        """The original image as far as the source holds it, of at most `_LONGEST` pixels a side."""
        from polyhead.augment import Joint
        from polyhead.augment.warp import warp

        (column,), (told,) = self._kind.columns(self._name), self._source.ids_of(ids).tolist()
        (value,) = plain(self._source.only([column]).coded(ids)[column])
        opened = self._reader.open(self._name, value, told)
        held, size = (_at_most(one, _LONGEST) for one in (view.held_size, view.size))
        plan = Joint((), 0, fit="stretch").plan(0, ids, [view.held_size], held)
        pixels = plan.image(0, self._reader.decode(self._name, opened, told, plan, 0))
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        if pixels.dtype not in (np.uint8, np.float32, np.float64):
            pixels = pixels / np.float32(np.iinfo(pixels.dtype).max)
        matrix = (
            geometry.resize(view.size, size)
            @ np.linalg.inv(view.to_held)
            @ geometry.resize(held, view.held_size)
        )
        found = warp(pixels, matrix, size)
        return found if found.ndim == 3 else found[..., None]

    def _label(self, head: Head, label: Label, view: ImageView) -> Label:
        inner: Any = head.inner
        if inner.layer not in COORDINATES:
            return label
        flat = label.value.astype(np.float64).reshape(-1, label.value.shape[-1])
        xyxy = inner.fixed(format="xyxy") if inner.layer == "boxes" else inner
        moved = [xyxy.in_original(one, view) for one in flat]
        return replace(label, value=np.reshape(moved, label.value.shape).astype(np.float32))


def _at_most(size: tuple[int, int], longest: int) -> tuple[int, int]:
    share = min(1, longest / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))
