"""Several augmentations of a sample as one: one matrix, one resampling, one pass over its colours.

A plan is made for a whole batch, before anything is decoded, from (seed, epoch, sample ids) and the images' sizes.
It then turns what belongs to a sample, piece by piece, in any order and from any thread: it holds nothing that
changes.

Geometry comes first, light after it, each in the order given. The matrix goes from the image as it is in the file
to the output: resizing, the reduced size at which a JPEG was decoded, and the Exif orientation of targets are all
in it. An `Apply` cuts this in two, as what it does is unknown: see `Plan.sample`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np

from polyhead.augment.augmentation import Augmentation, Geometric, Photometric
from polyhead.augment.color import Color
from polyhead.augment.custom import Apply
from polyhead.augment.warp import SHRINK, resized, warp
from polyhead.errors import ContractError, Problem, require_choice, shown
from polyhead.hashing import bits, stream, uniform
from polyhead.images import geometry
from polyhead.images.decode import Decoded

Pair = tuple[np.ndarray, np.ndarray]
Size = tuple[int, int]


@dataclass
class _Stage:
    """Augmentations up to an `Apply`, and that one; each with its stream."""

    moves: list[tuple[Geometric, int]] = field(default_factory=list)
    lights: list[tuple[Photometric, int]] = field(default_factory=list)
    apply: tuple[Apply, int] | None = None


@dataclass(frozen=True)
class _Drawn:
    """What a stage does to the samples of a batch."""

    moves: list[tuple[Geometric, np.ndarray]]
    lights: list[tuple[Photometric, list[Any]]]
    apply: Apply | None
    keys: list[int | None]

    def row(self, i: int) -> _Drawn:
        """The same for one sample alone."""
        moves = [(move, drawn[i : i + 1]) for move, drawn in self.moves]
        return _Drawn(
            moves, [(aug, p[i : i + 1]) for aug, p in self.lights], self.apply, self.keys[i : i + 1]
        )

    def matrices(self, sizes: np.ndarray, target: Size, fit: str) -> np.ndarray:
        """From coordinates of images of ``sizes``, ``(B, 2)``, to those of the target."""
        frame = np.asarray(sizes, np.float64)
        matrices: Any = np.eye(3)
        for move, drawn in self.moves:
            step, frame = move.move(drawn, frame, target)
            matrices = step @ matrices
        return geometry.resize(frame, target, fit) @ matrices


class Joint:
    """Augmentations that work on a sample together.

    Args:
        augmentations: in the order in which they happen.
        seed: of all chance.
        fit: how the image, or the window that was cropped, comes to the target's size: ``"stretch"``,
            ``"contain"`` or ``"cover"``, see `geometry.resize`.
        min_visible: the least share of a box inside the frame with which it is kept, in [0, 1].

    Raises:
        ContractError: for what is no augmentation.

    >>> from polyhead.augment import Flip, Rotate
    >>> plan = Joint([Flip(), Rotate(10)], seed=7).plan(0, [3], [(48, 64)], (32, 32))
    >>> plan.image(0, np.zeros((48, 64, 3), np.uint8)).shape
    (32, 32, 3)
    """

    def __init__(
        self,
        augmentations: Iterable[Augmentation] = (),
        seed: int = 0,
        *,
        fit: str = "stretch",
        min_visible: float = 0.1,
    ) -> None:
        self.augmentations = tuple(augmentations)
        self.seed, self.fit, self.min_visible = seed, fit, min_visible
        require_choice("fit", fit, geometry.FITS)
        if not 0 <= min_visible <= 1:
            raise ContractError(Problem("min_visible", "a number in [0, 1]", shown(min_visible)))
        self._stages = [_Stage()]
        before: dict[str, int] = {}
        for number, one in enumerate(self.augmentations):
            name = getattr(one, "stream_name", "")
            own = stream(name, before.get(name, 0))
            before[name] = before.get(name, 0) + 1
            if isinstance(one, Geometric):
                self._stages[-1].moves.append((one, own))
            elif isinstance(one, Photometric):
                self._stages[-1].lights.append((one, own))
            elif isinstance(one, Apply):
                self._stages[-1].apply = one, own
                self._stages.append(_Stage())
            else:
                fix = "Wrap a function, or an albumentations pipeline, in Apply(...)."
                found = f"{shown(one)} at place {number}"
                raise ContractError(Problem("augmentations", "augmentations such as Flip()", found, fix))

    @property
    def uncovers(self) -> bool:
        """Whether pixels of an output may lie outside of its image."""
        return self.fit == "contain" or any(
            one.uncovers if isinstance(one, Geometric) else isinstance(one, Apply) and not one.light_alone
            for one in self.augmentations
        )

    def __repr__(self) -> str:
        return f"Joint([{', '.join(map(repr, self.augmentations))}], seed={self.seed})"

    def plan(
        self,
        epoch: int,
        ids: Sequence[int] | np.ndarray,
        sizes: Sequence[Size] | np.ndarray,
        target: Size,
        orientations: Sequence[int] | np.ndarray | None = None,
    ) -> Plan:
        """What happens to some samples.

        Args:
            epoch: from 0 on.
            ids: the samples' ids, ``(B,)``.
            sizes: (height, width) of their images, whole and upright, ``(B, 2)``.
            target: (height, width) of the output.
            orientations: ``(B,)``, 1 to 8 as Exif numbers it, where masks, boxes and keypoints were made for the
                pixels as they are stored, and have to be turned as the image was; None where they fit the image
                as it is shown.
        """
        ids, sizes = np.asarray(ids, np.int64), np.asarray(sizes, np.int64).reshape(-1, 2)
        stages = [self._draw(stage, epoch, ids) for stage in self._stages]
        matrices = np.broadcast_to(stages[0].matrices(sizes, target, self.fit), (len(ids), 3, 3))
        turns = [1] * len(ids) if orientations is None else [int(o) for o in orientations]
        return Plan(tuple(map(int, target)), sizes, matrices, turns, stages, self.fit, self.min_visible)  # type: ignore[arg-type]

    def _draw(self, stage: _Stage, epoch: int, ids: np.ndarray) -> _Drawn:
        lights: list[tuple[Photometric, list[Any]]] = []
        for light, own in stage.lights:
            drawn = uniform(self.seed, epoch, ids, own, light.draws)
            keys = bits(self.seed, epoch, ids, own, light.draws + 1)[:, -1]
            found = light.parameters(drawn, keys)
            if isinstance(light, Color) and lights and isinstance(lights[-1][0], Color):
                found = [
                    b if a is None else a if b is None else b @ a
                    for a, b in zip(lights.pop()[1], found, strict=True)
                ]
            lights.append((light, found))
        moves = [(m, uniform(self.seed, epoch, ids, own, m.draws)) for m, own in stage.moves]
        if stage.apply is None:
            return _Drawn(moves, lights, None, [None] * len(ids))
        apply, own = stage.apply
        happens = apply.happens(uniform(self.seed, epoch, ids, own, 1))
        raw = bits(self.seed, epoch, ids, own, 2)[:, 1].tolist()
        return _Drawn(moves, lights, apply, [k if on else None for k, on in zip(raw, happens, strict=True)])


@dataclass(frozen=True)
class Sample:
    """What became of a sample, under the names it came with.

    Attributes:
        images: arrays of the images' dtype.
        masks: arrays of the masks' dtype.
        maps: float32, as `Plan.map` has them.
        boxes: ``(boxes, kept)``, as `geometry.warp_boxes` has them.
        points: ``(points, visible)``, as `geometry.warp_points` has them.
    """

    images: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]
    boxes: dict[str, Pair]
    points: dict[str, Pair]


@dataclass(frozen=True)
class Plan:
    """What happens to the samples of a batch; ``i`` is a sample's place in it.

    Attributes:
        target: (height, width) of the output.
        sizes: ``(B, 2)``, (height, width) of the images, whole and upright.
        matrices: ``(B, 3, 3)``, from coordinates of the whole image to the output's, up to the first `Apply`.
    """

    target: Size
    sizes: np.ndarray
    matrices: np.ndarray
    _turns: list[int] = field(repr=False)
    _stages: list[_Drawn] = field(repr=False)
    _fit: str = field(repr=False)
    _min_visible: float = field(repr=False)

    def at_least(self, i: int, size: Size | None = None) -> Size:
        """(height, width) at which it suffices to decode the image: `warp` would shrink a larger one to it, or further.

        Args:
            i: the sample.
            size: (height, width) of the result, if not the target's.
        """
        if size is None or tuple(size) == self.target:
            more = 1.0
        else:
            more = max(s / t for s, t in zip(size, self.target, strict=True))
        x, y = self._zooms[i]
        x, y = min(x * more, 1) * SHRINK / 2, min(y * more, 1) * SHRINK / 2
        height, width = self.sizes[i].tolist()
        return ceil(height * y - 1e-6), ceil(width * x - 1e-6)

    @cached_property
    def _zooms(self) -> list[list[float]]:
        """How many pixels of the output a pixel of each image takes, along its width and its height."""
        found: list[list[float]] = np.hypot(self.matrices[:, 0, :2], self.matrices[:, 1, :2]).tolist()
        return found

    @cached_property
    def _whole(self) -> list[bool]:
        """Whether an image becomes the output as a whole, larger or smaller and no more."""
        (height, width), rows = self.target, self.sizes
        plain = np.zeros((len(rows), 3, 3))
        plain[:, 0, 0], plain[:, 1, 1], plain[:, 2, 2] = width / rows[:, 1], height / rows[:, 0], 1
        found: Any = (np.abs(self.matrices - plain) < 1e-9).all((1, 2))
        return list(found.tolist())

    def image(
        self,
        i: int,
        image: np.ndarray | Decoded,
        *,
        size: Size | None = None,
        photometric: bool = True,
        fill: float = 0,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """An image of the sample, by the sample's matrix.

        Args:
            i: the sample.
            image: ``(H, W)`` or ``(H, W, C)``, upright, in any resolution: it is taken to show the same frame.
            size: (height, width) of the result, if not the target's.
            photometric: whether its light changes; say False for depth and the like.
            fill: what is put outside of the image.
            out: where to write, contiguous; of another dtype, values are cast.

        Returns:
            An array of the image's dtype, or ``out``.
        """
        stage = self._only_stage()
        pixels = image.pixels if isinstance(image, Decoded) else image
        size = size or self.target
        lights = [(aug, p[i]) for aug, p in stage.lights if p[i] is not None] if photometric else []
        into = None if lights else out
        if self._whole[i] and (not isinstance(image, Decoded) or image.exact):
            result = resized(pixels, size, out=into)
        else:
            result = warp(pixels, self._from(i, image, size), size, fill=fill, out=into)
        return _lit(result, lights, out) if lights else result

    def mask(
        self,
        i: int,
        mask: np.ndarray,
        *,
        size: Size | None = None,
        fill: float = 0,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """A mask of the sample, each pixel the nearest; arguments as those of `image`."""
        self._only_stage()
        size = size or self.target
        if self._whole[i] and self._turns[i] == 1:
            return resized(mask, size, nearest=True, out=out)
        return warp(mask, self._targets(i, mask.shape[:2], size), size, nearest=True, fill=fill, out=out)

    def map(
        self, i: int, numbers: np.ndarray, *, size: Size | None = None, nearest: bool = False
    ) -> np.ndarray:
        """Numbers for each pixel of the sample, by the sample's matrix.

        A pixel of the result has a number where the pixel nearest to its centre has one. Between pixels it is
        interpolated from those that have a number, so that nothing of a gap, or of what lies outside, gets into it.

        Args:
            i: the sample.
            numbers: float32 ``(H, W, C)``, NaN where there is none.
            size: (height, width) of the result, if not the target's.
            nearest: take the nearest pixel rather than interpolate.

        Returns:
            float32 ``(h, w, C)``, NaN where there is no number and outside of the image.
        """
        size = size or self.target
        if nearest:
            return self.mask(i, numbers, size=size, fill=np.nan)
        known = ~np.isnan(numbers)
        whole = bool(known.all())
        if whole:
            known = known[..., :1]
        seen = self.mask(i, known.view(np.uint8), size=size).view(np.bool_)
        found = self._between(i, numbers if whole else np.where(known, numbers, np.float32(0)), size)
        if whole and seen.all():
            return found
        shares = self._between(i, known.astype(np.float32), size)
        seen &= shares > 1e-3
        return np.where(seen, found / np.where(seen, shares, np.float32(1)), np.float32(np.nan))

    def _between(self, i: int, numbers: np.ndarray, size: Size) -> np.ndarray:
        """Numbers interpolated, 0 outside."""
        self._only_stage()
        if self._whole[i] and self._turns[i] == 1:
            return resized(numbers, size)
        return warp(numbers, self._targets(i, numbers.shape[:2], size), size)

    def boxes(self, i: int, boxes: Any, *, size: Size | None = None) -> Pair:
        """Boxes of the sample, in pixels of the whole image, and which are kept: see `geometry.warp_boxes`."""
        self._only_stage()
        size = size or self.target
        return geometry.warp_boxes(self._targets(i, None, size), boxes, size, self._min_visible)

    def points(
        self, i: int, points: Any, *, swaps: Sequence[tuple[int, int]] = (), size: Size | None = None
    ) -> Pair:
        """Keypoints of the sample, in pixels of the whole image, and which are seen: see `geometry.warp_points`."""
        self._only_stage()
        size = size or self.target
        return geometry.warp_points(self._targets(i, None, size), points, size, swaps)

    def sample(
        self,
        i: int,
        *,
        images: Mapping[str, np.ndarray | Decoded],
        masks: Mapping[str, np.ndarray] | None = None,
        maps: Mapping[str, np.ndarray] | None = None,
        boxes: Mapping[str, Any] | None = None,
        points: Mapping[str, Any] | None = None,
        swaps: Mapping[str, Sequence[tuple[int, int]]] | None = None,
        owners: Mapping[str, str] | None = None,
        sizes: Mapping[str, Size] | None = None,
        fills: Mapping[str, float] | None = None,
        nearest: Collection[str] = (),
        photometric: Collection[str] | None = None,
        where: str = "",
    ) -> Sample:
        """All of a sample at once, which is the only way where there is an `Apply`.

        Args:
            i: the sample.
            images: by name; an `Apply` gets the one called so, else the first, as ``image``.
            masks: by name, ``(H, W)`` or ``(H, W, C)``; with an owner ``(k, H, W)``, one for each box.
            maps: by name, as `map` takes them; an `Apply` of a function that moves the image cannot move them.
            boxes: by name, ``(k, 4)``.
            points: by name, ``(n, 2)`` or ``(k, n, 2)``.
            swaps: pairs of keypoints that change places when mirrored, by name.
            owners: the name of the boxes to which masks or points ``(k, ...)`` belong: they go where their box goes,
                NaN and not visible, or all fill, where it is dropped.
            sizes: (height, width) of the result by name, if not the target's.
            fills: what is put outside, by name.
            nearest: the names of the maps of which the nearest pixel is taken.
            photometric: the names of the images whose light changes; None for all.
            where: the words that name the sample, for errors.

        Raises:
            ContractError: where an `Apply` does not return what it has to.
            DataError: where the function of an `Apply` fails.
        """
        from polyhead.augment.sample_transform import run

        return run(
            self,
            i,
            dict(images),
            dict(masks or {}),
            dict(maps or {}),
            {name: np.asarray(b, np.float64).reshape(-1, 4) for name, b in (boxes or {}).items()},
            {name: np.asarray(p, np.float64) for name, p in (points or {}).items()},
            swaps or {},
            owners or {},
            sizes or {},
            fills or {},
            nearest,
            set(images) if photometric is None else set(photometric),
            where,
        )

    def _only_stage(self) -> _Drawn:
        if len(self._stages) > 1:
            fix = "Call plan.sample(...)."
            raise ContractError(
                Problem("augmentations", "the whole sample at once, as Apply needs it", "a part of it", fix)
            )
        return self._stages[0]

    def _from(self, i: int, image: np.ndarray | Decoded, size: Size) -> np.ndarray:
        """From an image's pixels to an output of ``size``."""
        if not isinstance(image, Decoded):
            return self._scaled(i, self.matrices[i], self.sizes[i], image.shape[:2], size)
        matrix = self._scaled(i, self.matrices[i], self.sizes[i], image.size, size)
        if image.scale == 1:
            return matrix
        if image.orientation == 1:
            return matrix * (1 / image.scale, 1 / image.scale, 1)
        return matrix @ np.linalg.inv(image.matrix)

    def _targets(self, i: int, shape: Sequence[int] | None, size: Size) -> np.ndarray:
        """From a mask of ``shape``, or from pixels of the whole image, to an output of ``size``."""
        matrix, whole = self.matrices[i], tuple(self.sizes[i].tolist())
        if self._turns[i] != 1:
            whole = geometry.turned(self._turns[i], whole)
            matrix = matrix @ geometry.orient(self._turns[i], whole)
        return self._scaled(i, matrix, whole, shape or whole, size)

    def _scaled(self, i: int, matrix: np.ndarray, whole: Any, shape: Sequence[int], size: Size) -> np.ndarray:
        if shape[0] != whole[0] or shape[1] != whole[1]:
            matrix = matrix * (whole[1] / shape[1], whole[0] / shape[0], 1)  # a matrix that scales, by hand
        return matrix if size == self.target else geometry.resize(self.target, size) @ matrix


def _lit(
    pixels: np.ndarray, lights: Sequence[tuple[Photometric, Any]], out: np.ndarray | None = None
) -> np.ndarray:
    """An image with its light changed; ``pixels`` may be written into."""
    found = pixels if pixels.ndim == 3 else pixels[..., None]
    if found.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        fix = "Say photometric=False for images that are not light, or give uint8."
        raise ContractError(
            Problem("augmentations", "images of uint8, uint16 or floats", str(found.dtype), fix)
        )
    for light, parameters in lights:
        found = light.apply(found, parameters)
    found = found.reshape(pixels.shape)
    if out is None:
        return found
    np.copyto(out, found, casting="unsafe")
    return out
