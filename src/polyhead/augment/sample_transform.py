"""Transforms a whole sample through all stages of a plan.

With an `Apply`, each stage is a plan of its own for the result of the previous one. Boxes and keypoints are in pixels
of the current image; dropped ones become NaN and stay dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from polyhead.augment.albumentations import TARGETS
from polyhead.augment.custom import Apply
from polyhead.augment.plan import Pair, Plan, Size
from polyhead.errors import ContractError, Problem, place


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


class TransformOptions(NamedTuple):
    """The options of layers by name, the same for all samples.

    Attributes:
        sizes: (height, width) of transformed images, masks and maps, and of the image of boxes and points; those left
            out have the target's.
        photometric: the images that photometric augmentations change; None for all.
        fills: the value outside of each mask or image, 0 for those left out.
        nearest: the maps that take the nearest pixel instead of interpolating.
        swaps: the pairs of keypoints that are swapped when mirrored.
        boxes_of: for each layer with one entry per box, the layer of the boxes.
    """

    sizes: Mapping[str, Size] = {}
    photometric: Collection[str] | None = None
    fills: Mapping[str, float] = {}
    nearest: Collection[str] = ()
    swaps: Mapping[str, Sequence[tuple[int, int]]] = {}
    boxes_of: Mapping[str, str] = {}


_DEFAULTS = TransformOptions()


def transform_sample(
    plan: Plan,
    i: int,
    *,
    images: Mapping[str, Any],
    masks: Mapping[str, np.ndarray] | None = None,
    maps: Mapping[str, np.ndarray] | None = None,
    boxes: Mapping[str, Any] | None = None,
    points: Mapping[str, Any] | None = None,
    options: TransformOptions = _DEFAULTS,
    where: str = "",
) -> TransformedSample:
    """Transform all layers of a sample together; the only way to run a plan with an `Apply`.

    Args:
        i: the index of the sample in the batch.
        images: arrays, or `Decoded`, by name; `Apply` gets the image called ``image``, or the first, under that name.
        masks: by name, ``(H, W)`` or ``(H, W, C)``; ``(k, H, W)`` for names in ``boxes_of``, one mask for each box.
        maps: by name, as `Plan.map` takes them; an `Apply` of a function that moves the image cannot move them.
        boxes: by name, ``(k, 4)``.
        points: by name, ``(n, 2)`` or ``(k, n, 2)``.
        options: how the layers are transformed.
        where: the name of the sample in errors.

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
        options=options,
    )
    last = len(plan.stages) - 1
    for number, stage in enumerate(plan.stages):
        stage_plan, row = plan, i
        if number:  # a later stage starts from the result of the previous one
            first_image = next(iter(layers.images.values()))
            size, stage, row = np.array([first_image.shape[:2]], np.int64), stage.row(i), 0
            matrices = np.broadcast_to(stage.matrices(size, plan.target, plan.fit), (1, 3, 3))
            stage_plan = replace(plan, sizes=size, matrices=matrices, turns=[1], stages=[stage])
        kept, visible = layers.move(stage_plan, row, options.sizes if number == last else {})
        if number < last:
            for name, coordinates in layers.points.items():
                coordinates[~visible[name]] = np.nan
        key = stage.keys[row]
        if stage.apply is not None and key is not None:
            layers.apply(stage.apply, key, where, plan.min_visible)
    return TransformedSample(
        layers.images,
        layers.masks,
        layers.maps,
        {name: (coordinates, kept[name]) for name, coordinates in layers.boxes.items()},
        {name: (coordinates, visible[name]) for name, coordinates in layers.points.items()},
    )


@dataclass
class _Layers:
    """The layers of a sample by name, in their state between two stages."""

    images: dict[str, Any]
    masks: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]
    boxes: dict[str, np.ndarray]
    points: dict[str, np.ndarray]
    options: TransformOptions

    def move(
        self, plan: Plan, i: int, sizes: Mapping[str, Size]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Transform all layers by row ``i`` of a plan; return which boxes are kept and which points are visible."""
        kept, visible, fills = {}, {}, self.options.fills
        for name, boxes in self.boxes.items():
            self.boxes[name], kept[name] = plan.boxes(i, boxes, size=sizes.get(name))
        for name, points in self.points.items():
            swaps, size = self.options.swaps.get(name, ()), sizes.get(name)
            self.points[name], visible[name] = plan.points(i, points, swaps=swaps, size=size)
        for name, image in self.images.items():
            recolors, fill = self._recolors(name), fills.get(name, 0)
            self.images[name] = plan.image(i, image, size=sizes.get(name), photometric=recolors, fill=fill)
        for name, mask in self.masks.items():
            size, fill = sizes.get(name), fills.get(name, 0)
            moved = [plan.mask(i, single, size=size, fill=fill) for single in self._singles(name, mask)]
            self.masks[name] = np.array(moved, mask.dtype) if name in self.options.boxes_of else moved[0]
        for name, numbers in self.maps.items():
            nearest = name in self.options.nearest
            self.maps[name] = plan.map(i, numbers, size=sizes.get(name), nearest=nearest)
        return kept, visible

    def apply(self, apply: Apply, key: int, where: str, min_visible: float) -> None:
        """Run an `Apply` on all layers that it accepts."""
        if apply.photometric_only:
            colors = {name: image for name, image in self.images.items() if self._recolors(name)}
            if colors:
                keywords = _keywords(colors)
                result = apply.run(
                    key, {keywords[name]: image for name, image in colors.items()}, where=where
                )
                self.images |= {name: result[keyword] for name, keyword in keywords.items()}
            return
        keywords = _keywords(self.images)
        masks = [(name, single) for name, mask in self.masks.items() for single in self._singles(name, mask)]
        result = apply.run(
            key,
            self._targets(apply, keywords, [mask for _, mask in masks]),
            where=where,
            fills=[self.options.fills.get(name, 0) for name, _ in masks],
            geometric_only={keyword for name, keyword in keywords.items() if not self._recolors(name)},
            min_visible=min_visible,
            swaps=self._swaps(),
        )
        self.images = {name: result[keyword] for name, keyword in keywords.items()}
        moved_masks = iter([result["mask"]] if len(masks) == 1 else result.get("masks", ()))
        size = result["image"].shape[:2]
        for name, mask in self.masks.items():
            if name in self.options.boxes_of:
                shape = (len(mask), *size, *mask.shape[3:])
                self.masks[name] = np.array([next(moved_masks) for _ in mask], mask.dtype).reshape(shape)
            else:
                self.masks[name] = next(moved_masks)
        self.maps = dict(zip(self.maps, result.get("maps", self.maps.values()), strict=True))
        self.boxes = _parted(self.boxes, result.get("boxes"), 4)
        self.points = _parted(self.points, result.get("points"), 2)

    def _recolors(self, name: str) -> bool:
        """Return whether photometric augmentations change an image."""
        return self.options.photometric is None or name in self.options.photometric

    def _swaps(self) -> list[tuple[int, int]]:
        """The pairs that are swapped when mirrored, by their indices among the points of all layers."""
        swaps, start = [], 0
        for name, points in self.points.items():
            end, pairs = start + points.size // 2, self.options.swaps.get(name, ())
            objects = range(start, end, points.shape[-2]) if len(pairs) else ()
            swaps += [(first + i, first + j) for first in objects for i, j in pairs]
            start = end
        return swaps

    def _singles(self, name: str, mask: np.ndarray) -> Sequence[np.ndarray]:
        return list(mask) if name in self.options.boxes_of else [mask]

    def _targets(
        self, apply: Apply, keywords: Mapping[str, str], masks: Sequence[np.ndarray]
    ) -> dict[str, Any]:
        """The layers under the keywords of `Apply`."""
        targets: dict[str, Any] = {
            keywords[name]: _as_floats(image) if apply.is_pipeline else image
            for name, image in self.images.items()
        }
        if masks:
            targets["mask" if len(masks) == 1 else "masks"] = masks[0] if len(masks) == 1 else masks
        if self.maps and apply.is_pipeline:
            targets["maps"] = list(self.maps.values())
        if self.boxes:
            targets["boxes"] = np.concatenate(list(self.boxes.values()))
        if self.points:
            targets["points"] = np.concatenate([p.reshape(-1, 2) for p in self.points.values()])
        return targets


def _parted(before: Mapping[str, np.ndarray], moved: Any, width: int) -> dict[str, np.ndarray]:
    """Part boxes or points, ``(n, width)``, into those of each layer, in their original shapes."""
    layers, start = {}, 0
    for name, coordinates in before.items():
        end = start + coordinates.size // width
        layers[name], start = np.asarray(moved, np.float64)[start:end].reshape(coordinates.shape), end
    return layers


def _as_floats(image: np.ndarray) -> np.ndarray:
    """Convert images of more than 8 bits to float32 in 0–1, as albumentations expects."""
    if image.dtype == np.uint16:
        return image / np.float32(65535)
    return image.astype(np.float32, copy=False) if image.dtype.kind == "f" else image


def _keywords(images: Mapping[str, Any]) -> dict[str, str]:
    """The keywords of images in `Apply`: ``image`` for one of them, and their own names for the others."""
    first = "image" if "image" in images else next(iter(images))
    taken = [name for name in images if name != first and name in (*TARGETS, "rng")]
    if taken:
        fix = 'Give it another name, with column= for where it is: {"lit": ph.Image(column=...)}.'
        expected = f"another name, as Apply calls its own keywords {', '.join(TARGETS)} and rng"
        raise ContractError(Problem(place(input=taken[0]), expected, f"`{taken[0]}`", fix))
    return {name: "image" if name == first else name for name in images}
