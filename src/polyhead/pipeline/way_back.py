"""Maps predicted boxes, points and pixels from the image that the model gets back to the original image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.images import geometry
from polyhead.kinds import Head, Image
from polyhead.kinds.missing import is_dense, plain
from polyhead.pipeline.image_frame import Frame
from polyhead.pipeline.image_reader import ImageReader
from polyhead.pipeline.target_images import require_frames
from polyhead.sources.source import Source

_EDGE = 1e-6
"""How many pixels rounding may move the edge of an image."""


@dataclass(frozen=True)
class ImageView:
    """How one image that the model gets lies in the original.

    Attributes:
        frame: the frame of the original.
        target: (height, width) of the image that the model gets.
        fit: how the original was resized to it.
        turned: labels lie in the pixels as stored, before Exif turns them.
    """

    frame: Frame
    target: tuple[int, int]
    fit: str
    turned: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the original, in the orientation of its labels."""
        return self.frame.label_size

    @cached_property
    def _there(self) -> np.ndarray:
        """The matrix from the original to the image of the model."""
        found = geometry.resize(self.frame.shown, self.target, self.fit)
        if not self.turned:
            return found
        return found @ geometry.orient(self.frame.turn, self.size)

    @cached_property
    def _back(self) -> np.ndarray:
        return np.linalg.inv(self._there)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map points ``(..., 2)`` to pixels of the original."""
        return geometry.transform(self._back, points)

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Map boxes ``(..., 4)`` of ``xyxy`` to pixels of the original, clipped to it."""
        ends = self.points(boxes.reshape(*boxes.shape[:-1], 2, 2))
        found = np.concatenate([ends.min(-2), ends.max(-2)], -1)
        return np.clip(found, 0, np.tile(self.size[::-1], 2).astype(np.float64))

    def pixels(self, image: np.ndarray, fill: float, nearest: bool = False) -> np.ndarray:
        """Resample a number per pixel, float32 ``(h, w)``, to the original; ``fill`` for pixels that were not seen."""
        from polyhead.augment.warp import warp

        height, width = image.shape
        grid = geometry.scale(self.target[1] / width, self.target[0] / height)
        image, corner = self._within(image, np.linalg.inv(grid) @ self._there)
        matrix = self._back @ grid @ geometry.shift(*corner)
        found = warp(image, matrix, self.size, nearest=nearest, fill=fill)
        edge = np.isnan(found)
        if not nearest and np.isnan(fill) and edge.any():
            # at the edges linear interpolation mixes in the fill: take the nearest pixel there
            found[edge] = warp(image, matrix, self.size, nearest=True, fill=fill)[edge]
        return found

    def _within(self, image: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """The pixels that show the original, with its edge repeated around it, and the (x, y) of their corner.

        Bars beside the original, as ``fit="contain"`` leaves them, do not mix into its edge.
        """
        ends = geometry.transform(there, np.array([[0.0, 0.0], [self.size[1], self.size[0]]]))
        parts, more, corner = [], [], []
        for low, high, sides in zip(ends.min(0), ends.max(0), image.shape[::-1], strict=True):
            first, last = max(0, int(np.ceil(low - 0.5))), min(sides, int(np.floor(high - 0.5)) + 1)
            last = max(last, first + 1)
            more.append((int(low > -_EDGE), int(high < sides + _EDGE)))
            parts.append(slice(first, last))
            corner.append(first - more[-1][0])
        found = np.pad(image[parts[1], parts[0]], (more[1], more[0]), mode="edge")
        return found, (corner[0], corner[1])


class WayBack:
    """The views of the rows of a source, by head.

    Args:
        source: the source of the rows.
        images: the resolved image inputs.
        heads: the resolved heads; those that lie in an image have views.
    """

    def __init__(self, source: Source, images: Mapping[str, Image], heads: Mapping[str, Head]) -> None:
        self._images, self._heads = images, {}
        lying = {name: head for name, head in heads.items() if head.layer is not None}
        if not lying or not images:
            return
        owners = require_frames(images, lying)
        self._heads = {name: owners[name] for name in lying}
        self._reader = ImageReader(images, ())
        self._columns = {name: images[name].columns(name)[0] for name in set(self._heads.values())}
        self._source = source.only(list(dict.fromkeys(self._columns.values())))
        self._named = source

    def views(self, ids: np.ndarray) -> dict[str, Sequence[ImageView]]:
        """The views of some rows, for each head that lies in an image."""
        if not self._heads:
            return {}
        rows = self._source.coded(ids)
        numbers = self._named.ids_of(ids).tolist()
        found = {name: self._of(name, rows[column], numbers) for name, column in self._columns.items()}
        return {head: found[name] for head, name in self._heads.items()}

    def _of(self, name: str, column: Values, numbers: Sequence[int]) -> list[ImageView]:
        kind = self._images[name]
        values: Any = plain(column)
        target = (kind.shape[0], kind.shape[1])
        if is_dense(values) and values.ndim > 2:
            return [ImageView(Frame(values.shape[1:3]), target, kind.fit)] * len(numbers)
        views = []
        for value, row in zip(values, numbers, strict=True):
            frame = self._reader.frame(name, self._reader.open(name, value, row), row)
            views.append(ImageView(frame, target, kind.fit, frame.turn != 1 and kind.exif == "ignored"))
        return views
