"""Maps predicted boxes, points and pixels from the image that the model gets back to the original image.

`in_stored_images` goes the other way: from original images to those of a store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from polyhead.columns.image_values import path_in
from polyhead.columns.values import Values
from polyhead.images import geometry
from polyhead.kinds import Head, Image
from polyhead.kinds.in_image import PIXELS
from polyhead.kinds.missing import is_dense, plain
from polyhead.pipeline.image_reader import Frame, ImageReader
from polyhead.pipeline.target_images import require_head_images
from polyhead.sources.scanning import SCAN_ROWS
from polyhead.sources.source import Source

_EDGE = 1e-6
"""The pixels by which rounding may move the edge of an image."""


@dataclass(frozen=True)
class ImageView:
    """The relation of one image that the model gets to its original.

    Attributes:
        size: (height, width) of the original, in the orientation of its labels.
        target: (height, width) of the image that the model gets.
        to_model: the matrix from the original to the image that the model gets.
        stored_corners: the corners of the part of the original that the source stores, ``(2, 2)`` in pixels of the
            model's image.
        to_stored: the matrix from the original to the image that the source stores.
        stored_size: (height, width) of that image, as shown.
    """

    size: tuple[int, int]
    target: tuple[int, int]
    to_model: np.ndarray
    stored_corners: np.ndarray
    to_stored: np.ndarray
    stored_size: tuple[int, int]

    @classmethod
    def of(
        cls, frame: Frame, target: tuple[int, int], fit: str, turned: bool, place: np.ndarray | None = None
    ) -> ImageView:
        """Return the view of an image.

        Args:
            frame: the size of the image that the source holds.
            target: (height, width) of the image that the model gets.
            fit: the ``fit=`` of the input, by which the one is resized to the other.
            turned: whether labels refer to the stored pixels, before the Exif orientation is applied.
            place: the size of the original and the matrix from it, as in `Origins.places`; None or NaN if the source
                holds the original.
        """
        resize, size, to_stored = geometry.resize(frame.shown, target, fit), frame.label_size, np.eye(3)
        if place is not None and not np.isnan(place[0]):
            size, to_stored = (int(place[0]), int(place[1])), geometry.affine(*place[2:])
        elif turned:
            to_stored = geometry.orient(frame.turn, size)
        height, width = frame.shown
        corners = geometry.transform(resize, np.array([[0.0, 0.0], [width, height]]))
        return cls(size, target, resize @ to_stored, corners, to_stored, frame.shown)

    @property
    def turned(self) -> bool:
        """True if height and width of the original are exchanged in the image that the model gets."""
        return bool(abs(self.to_model[0, 1]) > abs(self.to_model[0, 0]))

    @cached_property
    def _back(self) -> np.ndarray:
        return np.linalg.inv(self.to_model)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Map points ``(..., 2)`` to pixels of the original."""
        return geometry.transform(self._back, points)

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Map ``xyxy`` boxes ``(..., 4)`` to pixels of the original, clipped to it."""
        ends = self.points(boxes.reshape(*boxes.shape[:-1], 2, 2))
        bounds = np.concatenate([ends.min(-2), ends.max(-2)], -1)
        return np.clip(bounds, 0, np.tile(self.size[::-1], 2).astype(np.float64))

    def pixels(
        self, image: np.ndarray, fill: float, nearest: bool = False, finer: bool = False
    ) -> np.ndarray:
        """Resample a number per pixel, float32 ``(h, w)``, to the original, with ``fill`` outside of the image.

        Args:
            finer: keep the resolution of an image that is larger than what the model gets, and finer than the original.
        """
        from polyhead.augment.warp import warp

        height, width = image.shape
        size = self._finer(image.shape) if finer else self.size
        grid = geometry.scale(self.target[1] / width, self.target[0] / height)
        image, corner = self._within(image, np.linalg.inv(grid))
        matrix = self._back @ grid @ geometry.shift(*corner)
        matrix = geometry.scale(size[1] / self.size[1], size[0] / self.size[0]) @ matrix
        resampled = warp(image, matrix, size, nearest=nearest, fill=fill)
        edge = np.isnan(resampled)
        if not nearest and np.isnan(fill) and edge.any():
            # linear interpolation mixes in the fill at the edges: use the nearest pixel there
            resampled[edge] = warp(image, matrix, size, nearest=True, fill=fill)[edge]
        return resampled

    def _finer(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """The size of the original, enlarged to the resolution of an output that is larger than the model's image."""
        enlarged = np.array(shape) / self.target
        if enlarged.max() <= 1:
            return self.size
        scale = np.abs(self.to_model[:2, :2]).sum(0)[::-1]  # per row and per column of the original
        enlarged = enlarged[::-1] if self.turned else enlarged
        height, width = np.rint(np.maximum(scale * enlarged, 1) * self.size).astype(int).tolist()
        return height, width

    def _within(self, image: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """Return the pixels that show the original, with its edge repeated around it, and the (x, y) of their corner.

        Padding around the original, as from ``fit="contain"``, then does not mix into its edge.
        """
        ends = geometry.transform(grid @ self.to_model, np.array([[0.0, 0.0], [self.size[1], self.size[0]]]))
        stored = geometry.transform(grid, self.stored_corners)
        slices, padding, corner = [], [], []
        axes = zip(ends.min(0), ends.max(0), stored.min(0), stored.max(0), image.shape[::-1], strict=True)
        for low, high, low_stored, high_stored, side in axes:
            # a store of cropped images does not hold the whole original
            begin, end = max(low, low_stored), min(high, high_stored)
            first, last = max(0, int(np.ceil(begin - 0.5))), min(side, int(np.floor(end - 0.5)) + 1)
            last = max(last, first + 1)
            uncut = low_stored - low < _EDGE, high - high_stored < _EDGE
            padding.append((int(low > -_EDGE and uncut[0]), int(high < side + _EDGE and uncut[1])))
            slices.append(slice(first, last))
            corner.append(first - padding[-1][0])
        padded = np.pad(image[slices[1], slices[0]], (padding[1], padding[0]), mode="edge")
        return padded, (corner[0], corner[1])


class WayBack:
    """The views of the rows of a source, by head.

    Args:
        heads: the resolved heads; those with labels in an image have views.

    Attributes:
        turns_sides: whether any view so far exchanges height and width of the original.
    """

    def __init__(self, source: Source, images: Mapping[str, Image], heads: Mapping[str, Head]) -> None:
        self._heads: dict[str, str] = {}
        self.turns_sides = False
        in_image = {name: head for name, head in heads.items() if head.layer is not None}
        if not in_image or not images:
            return
        head_images = require_head_images(images, in_image)
        self._heads = {name: head_images[name] for name in in_image}
        self._views = {name: ImageViews(source, name, images[name]) for name in set(self._heads.values())}

    def views(self, ids: np.ndarray) -> dict[str, Sequence[ImageView]]:
        """Return the views of some rows, for each head with labels in an image."""
        if not self._heads:
            return {}
        views_of = {name: views.of(ids) for name, views in self._views.items()}
        self.turns_sides |= any(view.turned for views in views_of.values() for view in views)
        return {head: views_of[name] for head, name in self._heads.items()}

    def of_whole_images(self) -> dict[str, Sequence[ImageView]]:
        """Return the view of one row, for each head with labels in an image, as if originals were not resized."""
        return {head: [self._views[name].whole] for head, name in self._heads.items()}


class ImageViews:
    """The views of the rows of a source, for one image input."""

    def __init__(self, source: Source, name: str, kind: Image) -> None:
        self._source, self._name, self._kind = source, name, kind
        self._reader, self._column = ImageReader({name: kind}, ()), kind.columns(name)[0]

    @property
    def whole(self) -> ImageView:
        """Return the view of an original that has the size of the image that the model gets."""
        size = self._kind.size
        return ImageView.of(Frame(size), size, self._kind.fit, False)

    def of(self, ids: np.ndarray) -> list[ImageView]:
        """Return the views of some rows."""
        if not len(ids):
            return []  # a user's source may not expect an empty read
        kind, target = self._kind, self._kind.size
        column: Values = self._source.only([self._column]).coded(ids)[self._column]
        values: Any = plain(column)
        origins = self._source.origins(self._column, ids)
        places = [None] * len(ids) if origins is None else list(origins.places)
        if is_dense(values) and values.ndim > 2:
            frame = Frame(values.shape[1:3])
            if origins is None:
                return [ImageView.of(frame, target, kind.fit, False)] * len(ids)
            return [ImageView.of(frame, target, kind.fit, False, place) for place in places]
        views = []
        for value, row, place in zip(values, self._source.ids_of(ids).tolist(), places, strict=True):
            frame = self._reader.frame(self._name, self._reader.open(self._name, value, row))
            turned = frame.turn != 1 and kind.exif == "ignored"
            views.append(ImageView.of(frame, target, kind.fit, turned, place))
        return views


def files_of(source: Source, column: str, ids: np.ndarray) -> list[str | None]:
    """Return the path of each image of a column, also of one in a store; None for an image that was no file."""
    origins = source.origins(column, ids)
    files: list[str | None] = [None] * len(ids) if origins is None else list(origins.files)
    unknown = [i for i, file in enumerate(files) if file is None]
    if unknown:
        values: Any = plain(source.only([column]).coded(ids[unknown])[column])
        for i, value in zip(unknown, values, strict=True):
            files[i] = path_in(value)
    return files


def any_file(source: Source, column: str) -> bool:
    """Return whether any image of a column is a file, or was one before it was stored.

    Lists in memory, and the paths that stores keep, are searched completely; of other columns only the first and the
    last row, so that both ends of concatenated sources are seen.
    """
    whole: Any = source.column(column)
    if isinstance(whole, list) and any(path_in(value) is not None for value in whole):
        return True
    ends = np.unique([0, 0 if source.sequential else len(source) - 1])
    if any(files_of(source, column, ends)):
        return True
    starts = range(0, len(source), SCAN_ROWS) if source.origins(column, ends[:0]) is not None else ()
    pieces = (np.arange(start, min(start + SCAN_ROWS, len(source)), dtype=np.int64) for start in starts)
    return any(
        origins is not None and any(origins.files) for origins in (source.origins(column, p) for p in pieces)
    )


def in_stored_images(
    source: Source, images: Mapping[str, Image], heads: Mapping[str, Head], predicted: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    """Map predictions in pixels of original images to pixels of a store's images; return others unchanged.

    Args:
        predicted: by head, the prediction for each row, in the format of the column.
    """
    rows = np.arange(len(source), dtype=np.int64)
    columns = {kind.columns(name)[0] for name, kind in images.items()}
    origins = [source.origins(column, rows) for column in columns]
    if all(o is None or np.isnan(o.places).all() for o in origins):
        return dict(predicted)
    views = WayBack(source, images, heads).views(rows)
    return {
        name: [_in_stored_image(heads[name], *pair) for pair in zip(values, views[name], strict=True)]
        if name in views
        else values
        for name, values in predicted.items()
    }


def _in_stored_image(head: Head, value: Any, view: ImageView) -> Any:
    if value is None:
        return None
    if head.each is not None:
        return [_in_stored_image(head.inner.fixed(each=None), entry, view) for entry in value]
    if head.layer in PIXELS:
        from polyhead.augment.warp import warp

        return warp(np.asarray(value), view.to_stored, view.stored_size, nearest=True, fill=head.fill)
    if head.layer not in ("boxes", "points"):
        return value
    numbers = np.asarray(value, np.float64)
    if head.layer == "points":
        return geometry.transform(view.to_stored, numbers)
    ends = geometry.transform(view.to_stored, head.corners_of(numbers.reshape(-1, 4)).reshape(-1, 2, 2))
    return head.to_column(np.concatenate([ends.min(-2), ends.max(-2)], -1)).reshape(numbers.shape)
