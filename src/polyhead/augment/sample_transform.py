"""Transforms a whole sample through all stages of a plan.

With an `Apply`, each stage is a plan of its own for the result of the previous one. Boxes and keypoints are in pixels
of the current image; dropped ones become NaN and stay dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polyhead.augment.custom import TARGETS, Apply
from polyhead.augment.plan import Pair, Plan, Size
from polyhead.errors import ContractError, Problem, place

OVERSHOT = 0.25
"""How far interpolation may overshoot 0–1 and be clipped; anything beyond is reported when the image is encoded."""


@dataclass(frozen=True)
class TransformedSample:
    """A sample after all stages, with its layers under their original names.

    Attributes:
        images: arrays of the images' dtype.
        masks: arrays of the masks' dtype.
        maps: float32, as `Plan.map` returns them.
        boxes: ``(boxes, kept)``, as `geometry.warp_boxes` returns them.
        points: ``(points, visible)``, as `geometry.warp_points` returns them.
    """

    images: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]
    boxes: dict[str, Pair]
    points: dict[str, Pair]


def transform_sample(
    plan: Plan,
    i: int,
    *,
    images: Mapping[str, Any],
    masks: Mapping[str, np.ndarray] | None = None,
    maps: Mapping[str, np.ndarray] | None = None,
    boxes: Mapping[str, Any] | None = None,
    points: Mapping[str, Any] | None = None,
    swaps: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    of_boxes: Collection[str] = (),
    sizes: Mapping[str, Size] | None = None,
    fills: Mapping[str, float] | None = None,
    nearest: Collection[str] = (),
    photometric: Collection[str] | None = None,
    where: str = "",
) -> TransformedSample:
    """Transform all layers of a sample together; the only way to run a plan with an `Apply`.

    Args:
        i: the index of the sample in the batch.
        images: arrays, or `Decoded`, by name; `Apply` gets the image called ``image``, or the first, under that name.
        masks: by name, ``(H, W)`` or ``(H, W, C)``; ``(k, H, W)`` for names in ``of_boxes``, one mask for each box.
        maps: by name, as `Plan.map` takes them; an `Apply` of a function that moves the image cannot move them.
        boxes: by name, ``(k, 4)``.
        points: by name, ``(n, 2)`` or ``(k, n, 2)``.
        swaps: pairs of keypoints that are swapped when mirrored, by name.
        of_boxes: the names of masks that belong to boxes, one mask for each box.
        sizes: (height, width) of the result by name, if not the target's.
        fills: the value outside the image, by name.
        nearest: the names of the maps that take the nearest pixel instead of interpolating.
        photometric: the names of the images that photometric augmentations change; None for all.

    Raises:
        ContractError: if an `Apply` does not return the required layers.
        DataError: if the function of an `Apply` raises.
    """
    layers = _Layers(
        images=dict(images),
        masks=dict(masks or {}),
        maps=dict(maps or {}),
        boxes={name: np.asarray(b, np.float64).reshape(-1, 4) for name, b in (boxes or {}).items()},
        points={name: np.asarray(p, np.float64) for name, p in (points or {}).items()},
        swaps=swaps or {},
        of_boxes=of_boxes,
        fills=fills or {},
        nearest=nearest,
        photometric=set(images) if photometric is None else set(photometric),
    )
    options = {"where": where, "min_visible": plan.min_visible}
    last = len(plan.stages) - 1
    for number, stage in enumerate(plan.stages):
        stage_plan, row = replace(plan, stages=[stage]) if last else plan, i
        if number:  # a later stage starts from the result of the previous one
            first = next(iter(layers.images.values()))
            now, stage, row = np.array([first.shape[:2]], np.int64), stage.row(i), 0
            matrices = np.broadcast_to(stage.matrices(now, plan.target, plan.fit), (1, 3, 3))
            stage_plan = replace(plan, sizes=now, matrices=matrices, turns=[1], stages=[stage])
        kept, visible = layers.move(stage_plan, row, (sizes or {}) if number == last else {})
        if number < last:
            for name, points_ in layers.points.items():
                points_[~visible[name]] = np.nan
        key = stage.keys[row]
        if stage.apply is not None and key is not None:
            layers.apply(stage.apply, key, options)
    coordinates = (
        {name: (box, kept[name]) for name, box in layers.boxes.items()},
        {name: (p, visible[name]) for name, p in layers.points.items()},
    )
    return TransformedSample(layers.images, layers.masks, layers.maps, *coordinates)


@dataclass
class _Layers:
    """The layers of a sample by name, in their state between two stages, and the arguments of `transform_sample`."""

    images: dict[str, Any]
    masks: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]
    boxes: dict[str, np.ndarray]
    points: dict[str, np.ndarray]
    swaps: Mapping[str, Sequence[tuple[int, int]]]
    of_boxes: Collection[str]
    fills: Mapping[str, float]
    nearest: Collection[str]
    photometric: set[str]

    def move(
        self, plan: Plan, i: int, sizes: Mapping[str, Size]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Transform all layers by row ``i`` of a plan; return which boxes are kept and which points are visible."""
        kept, visible, fill = {}, {}, self.fills.get
        for name, box in self.boxes.items():
            self.boxes[name], kept[name] = plan.boxes(i, box, size=sizes.get(name))
        for name, points in self.points.items():
            swaps, size = self.swaps.get(name, ()), sizes.get(name)
            self.points[name], visible[name] = plan.points(i, points, swaps=swaps, size=size)
        for name, image in self.images.items():
            photometric, size = name in self.photometric, sizes.get(name)
            self.images[name] = plan.image(i, image, size=size, photometric=photometric, fill=fill(name, 0))
        for name, mask in self.masks.items():
            size, outside = sizes.get(name), fill(name, 0)
            moved = [plan.mask(i, single, size=size, fill=outside) for single in self._singles(name, mask)]
            self.masks[name] = np.array(moved, mask.dtype) if name in self.of_boxes else moved[0]
        for name, numbers in self.maps.items():
            self.maps[name] = plan.map(i, numbers, size=sizes.get(name), nearest=name in self.nearest)
        return kept, visible

    def apply(self, apply: Apply, key: int, options: Mapping[str, Any]) -> None:
        """Run an `Apply` on all layers that it accepts; ``options`` are passed to `Apply.run`."""
        if apply.photometric_only:
            colors = {name: image for name, image in self.images.items() if name in self.photometric}
            if colors:
                keys = _keywords(colors)
                result = apply.run(key, dict(zip(keys, colors.values(), strict=True)), **options)
                self.images |= {name: result[k] for name, k in zip(colors, keys, strict=True)}
            return
        names = _keywords(self.images)
        geometric_only = frozenset(
            k for name, k in zip(self.images, names, strict=True) if name not in self.photometric
        )
        masks = [(name, single) for name, mask in self.masks.items() for single in self._singles(name, mask)]
        fills = [self.fills.get(name, 0) for name, _ in masks]
        targets = self._targets(apply, names, [mask for _, mask in masks])
        result = apply.run(
            key, targets, fills=fills, geometric_only=geometric_only, swaps=self._swaps(), **options
        )
        self.images = {name: _in_range(result[k]) for name, k in zip(self.images, names, strict=True)}
        turned = iter([result["mask"]] if len(masks) == 1 else result.get("masks", ()))
        shape = result["image"].shape[:2]
        for name, mask in self.masks.items():
            if name in self.of_boxes:
                whole = (len(mask), *shape, *mask.shape[3:])
                self.masks[name] = np.array([next(turned) for _ in mask], mask.dtype).reshape(whole)
            else:
                self.masks[name] = next(turned)
        self.maps = dict(zip(self.maps, result.get("maps", self.maps.values()), strict=True))
        for layers, moved, width in (
            (self.boxes, result.get("boxes"), 4),
            (self.points, result.get("points"), 2),
        ):
            at = 0
            for name, before in layers.items():
                part = np.asarray(moved, np.float64)[at : at + before.size // width]
                layers[name], at = part.reshape(before.shape), at + len(part)

    def _swaps(self) -> list[tuple[int, int]]:
        """The pairs that are swapped when mirrored, by their indices among the points of all layers."""
        swaps, start = [], 0
        for name, points in self.points.items():
            end, pairs = start + points.size // 2, self.swaps.get(name, ())
            objects = range(start, end, points.shape[-2]) if len(pairs) else ()
            swaps += [(first + i, first + j) for first in objects for i, j in pairs]
            start = end
        return swaps

    def _singles(self, name: str, mask: np.ndarray) -> Sequence[np.ndarray]:
        return list(mask) if name in self.of_boxes else [mask]

    def _targets(self, apply: Apply, names: Sequence[str], masks: Sequence[np.ndarray]) -> dict[str, Any]:
        """The layers under the keywords of `Apply`; ``names`` are the keywords of the images."""
        images = map(_as_floats, self.images.values()) if apply.takes_floats else self.images.values()
        targets: dict[str, Any] = dict(zip(names, images, strict=True))
        if masks:
            targets["mask" if len(masks) == 1 else "masks"] = masks[0] if len(masks) == 1 else masks
        if self.maps and apply.moves_maps:
            targets["maps"] = list(self.maps.values())
        if self.boxes:
            targets["boxes"] = np.concatenate(list(self.boxes.values()))
        if self.points:
            targets["points"] = np.concatenate([p.reshape(-1, 2) for p in self.points.values()])
        return targets


def _as_floats(image: np.ndarray) -> np.ndarray:
    """Convert images of more than 8 bits to float32 in 0–1, as albumentations expects."""
    if image.dtype == np.uint16:
        return image / np.float32(65535)
    return image.astype(np.float32, copy=False) if image.dtype.kind == "f" else image


def _in_range(image: Any) -> Any:
    """Clip floats that are slightly outside 0–1, which cubic interpolation produces at edges."""
    if not isinstance(image, np.ndarray) or image.dtype.kind != "f" or not image.size:
        return image
    least, most = float(image.min()), float(image.max())
    beyond = least < 0 or most > 1
    return np.clip(image, 0, 1) if beyond and least > -OVERSHOT and most < 1 + OVERSHOT else image


def _keywords(images: Mapping[str, Any]) -> list[str]:
    """The keywords of images in `Apply`: ``image`` for one of them, and their own names for the others."""
    first = "image" if "image" in images else next(iter(images))
    names = ["image" if name == first else name for name in images]
    taken = [name for name in names if name in (*TARGETS, "rng")]
    if taken:
        fix = 'Give it another name, with column= for where it is: {"lit": ph.Image(column=...)}.'
        expected = f"another name, as Apply calls its own keywords {', '.join(TARGETS)} and rng"
        raise ContractError(Problem(place(input=taken[0]), expected, f"`{taken[0]}`", fix))
    return names
