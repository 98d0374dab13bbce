"""The plan of a batch: for each sample one matrix, one resampling and one pass over its colors.

`Joint.plan` makes it for a whole batch, before anything is decoded, from (seed, epoch, sample ids) and the images'
sizes. It is immutable, and transforms the layers of a sample one by one, in any order and from any thread.

Geometric augmentations come first, photometric ones second, each in the given order. The matrix maps the image in the
file to the output: it includes resizing, the reduced size at which a JPEG was decoded, and the Exif orientation of
targets. An `Apply` splits the plan, as its effect is unknown: see `sample_transform.transform_sample`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np

from polyhead.augment.augmentation import Geometric, Photometric
from polyhead.augment.custom import Apply
from polyhead.augment.warp import SHRINK, resized, warp, without_overshoot
from polyhead.errors import ContractError, Problem
from polyhead.images import geometry
from polyhead.images.decode import Decoded

Pair = tuple[np.ndarray, np.ndarray]
Size = tuple[int, int]


@dataclass(frozen=True)
class StageDraws:
    """The random numbers and parameters of a stage, for the samples of a batch.

    Attributes:
        geometric: each geometric augmentation with its random numbers, uniform in [0, 1), ``(B, draws)``.
        photometric: each photometric augmentation with the parameters of each sample, None where it is not applied.
        apply: the `Apply` after them, if any.
        keys: the seed of the `Apply` for each sample, None where it does not run.
    """

    geometric: list[tuple[Geometric, np.ndarray]]
    photometric: list[tuple[Photometric, list[Any]]]
    apply: Apply | None
    keys: list[int | None]

    def row(self, i: int) -> StageDraws:
        """The draws of sample ``i`` alone."""
        moves = [(move, drawn[i : i + 1]) for move, drawn in self.geometric]
        return StageDraws(
            moves, [(aug, p[i : i + 1]) for aug, p in self.photometric], self.apply, self.keys[i : i + 1]
        )

    def matrices(self, sizes: np.ndarray, target: Size, fit: str) -> np.ndarray:
        """Matrices ``(B, 3, 3)`` from coordinates of images of ``sizes``, ``(B, 2)``, to those of the target."""
        frame = np.asarray(sizes, np.float64)
        matrices: Any = np.eye(3)
        for move, drawn in self.geometric:
            step, frame = move.move(drawn, frame, target)
            matrices = step @ matrices
        return geometry.resize(frame, target, fit) @ matrices


@dataclass(frozen=True)
class Plan:
    """The transformation of the samples of a batch; ``i`` is the index of a sample in it.

    Attributes:
        target: (height, width) of the output.
        sizes: ``(B, 2)``, (height, width) of the images, whole and upright.
        matrices: ``(B, 3, 3)``, from coordinates of the whole image to the output's, up to the first `Apply`.
        turns: the Exif orientation by which the targets of each sample are turned, 1 for none.
        stages: the augmentations up to each `Apply`, and those after the last one.
        fit: how the image is resized to the target.
        min_visible: the smallest share of a box that must stay in the frame for the box to be kept.
    """

    target: Size
    sizes: np.ndarray
    matrices: np.ndarray
    turns: list[int] = field(repr=False)
    stages: list[StageDraws] = field(repr=False)
    fit: str = field(repr=False)
    min_visible: float = field(repr=False)

    def at_least(self, i: int, size: Size | None = None) -> Size:
        """The smallest (height, width) at which to decode the image; `warp` would shrink a larger one anyway.

        Args:
            size: (height, width) of the result, if not the target's.
        """
        factor = max(side / least for side, least in zip(size or self.target, self.target, strict=True))
        x, y = (min(zoom * factor, 1) * SHRINK / 2 for zoom in self._zooms[i])
        height, width = self.sizes[i].tolist()
        return ceil(height * y - 1e-6), ceil(width * x - 1e-6)

    @cached_property
    def _zooms(self) -> list[list[float]]:
        """The scale from image to output, along the width and the height of each image."""
        zooms: list[list[float]] = np.hypot(self.matrices[:, 0, :2], self.matrices[:, 1, :2]).tolist()
        return zooms

    @cached_property
    def _only_resized(self) -> list[bool]:
        """For each image, True if the plan resizes it and does nothing else."""
        resizing = np.zeros((len(self.sizes), 3, 3))  # faster than geometry.resize
        resizing[:, 0, 0], resizing[:, 1, 1] = (np.array(self.target) / self.sizes).T[::-1]
        resizing[:, 2, 2] = 1
        equal: Any = np.abs(self.matrices - resizing) < 1e-9
        return list(equal.all((1, 2)).tolist())

    def image(
        self,
        i: int,
        image: np.ndarray | Decoded,
        *,
        size: Size | None = None,
        photometric: bool = True,
        fill: float = 0,
    ) -> np.ndarray:
        """Transform an image of the sample.

        Args:
            image: ``(H, W)`` or ``(H, W, C)``, upright; any resolution of the same frame.
            size: (height, width) of the result, if not the target's.
            photometric: apply photometric augmentations; False for images that are not colors, such as depth.
            fill: the value of pixels from outside the image.

        Returns:
            An array of the image's dtype.
        """
        pixels = image.pixels if isinstance(image, Decoded) else image
        size = size or self.target
        colors = (
            [(aug, p[i]) for aug, p in self.stages[0].photometric if p[i] is not None] if photometric else []
        )
        if self._only_resized[i] and (not isinstance(image, Decoded) or image.exact):
            result = resized(pixels, size)
        else:
            result = warp(pixels, self._image_matrix(i, image, size), size, fill=fill)
        return without_overshoot(apply_photometric(result, colors) if colors else result)

    def mask(self, i: int, mask: np.ndarray, *, size: Size | None = None, fill: float = 0) -> np.ndarray:
        """Transform a mask of the sample with nearest-neighbor sampling; arguments as for `image`."""
        return self._resample(i, mask, size, nearest=True, fill=fill)

    def map(
        self, i: int, numbers: np.ndarray, *, size: Size | None = None, nearest: bool = False
    ) -> np.ndarray:
        """Transform a map of the sample: numbers for each pixel.

        A pixel of the result has a number if the source pixel nearest to its center has one. It is interpolated only
        from pixels that have a number, so that neither gaps nor the outside affect it.

        Args:
            numbers: float32 ``(H, W, C)``, NaN where there is none.
            size: (height, width) of the result, if not the target's.
            nearest: take the nearest pixel instead of interpolating.

        Returns:
            float32 ``(h, w, C)``, NaN where there is no number and outside of the image.
        """
        if nearest:
            return self.mask(i, numbers, size=size, fill=np.nan)
        known = ~np.isnan(numbers)
        all_known = bool(known.all())
        if all_known:
            known = known[..., :1]
        visible = self.mask(i, known.view(np.uint8), size=size).view(np.bool_)
        sums = self._resample(i, numbers if all_known else np.where(known, numbers, np.float32(0)), size)
        if all_known and visible.all():
            return sums
        shares = self._resample(i, known.astype(np.float32), size)
        visible &= shares > 1e-3
        return np.where(visible, sums / np.where(visible, shares, np.float32(1)), np.float32(np.nan))

    def _resample(
        self, i: int, pixels: np.ndarray, size: Size | None, nearest: bool = False, fill: float = 0
    ) -> np.ndarray:
        """Transform the pixels of a mask or a map."""
        size = size or self.target
        if self._only_resized[i] and self.turns[i] == 1:
            return resized(pixels, size, nearest=nearest)
        return warp(pixels, self._label_matrix(i, pixels.shape[:2], size), size, nearest=nearest, fill=fill)

    def boxes(self, i: int, boxes: Any, *, size: Size | None = None) -> Pair:
        """Transform boxes, in pixels of the whole image, as `geometry.warp_boxes` does."""
        size = size or self.target
        return geometry.warp_boxes(self._label_matrix(i, None, size), boxes, size, self.min_visible)

    def points(
        self, i: int, points: Any, *, swaps: Sequence[tuple[int, int]] = (), size: Size | None = None
    ) -> Pair:
        """Transform keypoints, in pixels of the whole image, as `geometry.warp_points` does."""
        size = size or self.target
        return geometry.warp_points(self._label_matrix(i, None, size), points, size, swaps)

    def _image_matrix(self, i: int, image: np.ndarray | Decoded, size: Size) -> np.ndarray:
        """The matrix from an image's pixels to an output of ``size``."""
        if not isinstance(image, Decoded):
            return self._scaled(self.matrices[i], self.sizes[i], image.shape[:2], size)
        matrix = self._scaled(self.matrices[i], self.sizes[i], image.size, size)
        if image.scale == 1:
            return matrix
        if image.orientation == 1:
            return matrix * (1 / image.scale, 1 / image.scale, 1)
        return matrix @ np.linalg.inv(image.matrix)

    def _label_matrix(self, i: int, shape: Sequence[int] | None, size: Size) -> np.ndarray:
        """The matrix from a mask of ``shape``, or from the whole image, to an output of ``size``."""
        matrix, full_size = self.matrices[i], tuple(self.sizes[i].tolist())
        if self.turns[i] != 1:
            full_size = geometry.turned(self.turns[i], full_size)
            matrix = matrix @ geometry.orient(self.turns[i], full_size)
        return self._scaled(matrix, full_size, shape or full_size, size)

    def _scaled(self, matrix: np.ndarray, full_size: Any, shape: Sequence[int], size: Size) -> np.ndarray:
        """Change a matrix from ``full_size`` to the target into one from ``shape`` to ``size``."""
        if shape[0] != full_size[0] or shape[1] != full_size[1]:
            # faster than @ scale(...)
            matrix = matrix * (full_size[1] / shape[1], full_size[0] / shape[0], 1)
        return matrix if size == self.target else geometry.resize(self.target, size) @ matrix


def apply_photometric(pixels: np.ndarray, augmentations: Sequence[tuple[Photometric, Any]]) -> np.ndarray:
    """Apply photometric augmentations; ``pixels`` may be overwritten."""
    colors = pixels if pixels.ndim == 3 else pixels[..., None]
    if colors.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        fix = "Use photometric=False for images whose values are not brightness, or give uint8."
        expected = "images of uint8, uint16 or floats"
        raise ContractError(Problem("augmentations", expected, str(colors.dtype), fix))
    for augmentation, parameters in augmentations:
        colors = augmentation.apply(colors, parameters)
    return colors.reshape(pixels.shape)
