"""Runs pipelines of albumentations, which are recognized by their attributes; the library is never imported.

Seeding changes a pipeline, so each thread works on a copy of the user's. The copy differs from the original where the
conventions of the two libraries differ:

- albumentations puts the center of the first pixel at 0, polyhead at 0.5. Points are shifted by half a pixel on the
  way in and back on the way out, except for transforms that resize, which only multiply coordinates. Masks are resized
  by the pixel nearest to the center, as in polyhead.
- Boxes of `Perspective` and `SafeRotate`, and boxes and points of distortions, follow the movement of the pixels.
  `RandomGridShuffle` cannot be used with boxes, as it cuts them apart.
- Pairs of keypoints change places where a transform mirrors, as with `Flip`.
- A point is outside if it lies beyond the edge of the image, not beyond the center of its outer pixels.
- Further images, masks and maps are additional targets, and so is a mask of ones: where it comes back as 0, a pixel
  came from outside the image, and each mask gets its own fill there. Maps move as masks do, so that no numbers are
  interpolated and photometric transforms do not touch them.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.augment.albumentations_moves import CUTS, correct, is_one_of, note_mirrors, seen, thick
from polyhead.errors import ContractError, Problem, shown, warn

_STAYS = {"BaseDropout", "Lambda", "MaskDropout", "Morphological", "OverlayElements", "PixelDropout"}
"""Transforms that change masks without kept them; a 0 that they write is the user's label."""

_UNCOVERS = {"GridElasticDeform"}
"""Transforms that uncover pixels from outside a mask but have no argument for their fill value."""

_TO_TENSORS = {"ToTensorV2", "ToTensor3D"}

SCALES = {"Normalize", "ToFloat", "FromFloat"}
"""Transforms that change the range or dtype of pixels."""

_local = threading.local()


def is_pipeline(value: Any) -> bool:
    """Return whether an object is a pipeline of albumentations."""
    return hasattr(value, "transforms") and hasattr(value, "processors")


def check_pipeline(pipeline: Any, place: str) -> None:
    """Validate a pipeline; warn if its results cannot be reproduced.

    Raises:
        ContractError: for a single transform, for a transform that returns tensors, or for coordinates in an
            unsupported format.
    """
    if not is_pipeline(pipeline):
        if hasattr(pipeline, "processors") and hasattr(pipeline, "available_keys"):
            name = type(pipeline).__name__
            fix = f"Say Apply(albumentations.Compose([{name}(...)])), with bbox_params and keypoint_params as needed."
            raise ContractError(Problem(place, "a pipeline of albumentations", "a single transform", fix))
        return
    tensors = first_of(pipeline, _TO_TENSORS)
    if tensors:
        fix = "Leave it out; polyhead passes images with channels last and makes the tensors itself."
        raise ContractError(Problem(place, "transforms that return arrays (H, W, C)", tensors, fix))
    for name, expected in (("bboxes", "pascal_voc"), ("keypoints", "xy")):
        processor = pipeline.processors.get(name)
        found = getattr(getattr(processor, "params", None), "format", expected)
        if found != expected:
            raise ContractError(Problem(f"{place}, {name}", f'format="{expected}"', shown(found)))
    if not hasattr(pipeline, "set_random_seed"):
        fix = "Use albumentations 1.4.19 or newer; older versions give other results in each run."
        warn(Problem(place, "a pipeline with set_random_seed", "none", fix))


def run_pipeline(
    pipeline: Any,
    place: str,
    key: int,
    targets: Mapping[str, Any],
    fills: Sequence[float] = (),
    geometric_only: frozenset[str] = frozenset(),
    min_visible: float = 0.0,
    swaps: Sequence[tuple[int, int]] = (),
) -> dict[str, Any]:
    """Run a pipeline on a sample.

    Args:
        pipeline: the user's pipeline, which is not changed.
        key: the sample's seed, 64 bits.
        targets: the layers of the sample, under the keywords of `Apply`.
        fills: the value of each mask outside the image; 0 where the list is shorter.
        geometric_only: the keywords of images that photometric transforms skip, such as depth.
        min_visible: the smallest share of a box that must stay inside the image for the box to be kept.
        swaps: pairs of indices of points that change places if the pipeline mirrors.

    Returns:
        The transformed layers under the same keys.

    Raises:
        ContractError: if the pipeline does not move one of the layers.
    """
    copied = _copy_for_thread(pipeline)
    copied.begin(key, min_visible)
    masks = [targets["mask"]] if "mask" in targets else list(targets.get("masks", ()))
    maps = list(targets.get("maps", ()))
    images = {name: value for name, value in targets.items() if name not in _TARGETS}
    call = {copied.image(name, name in geometric_only, place): value for name, value in images.items()}
    # some transforms look for the first mask, so a map must not be number 0
    numbers = [*range(len(masks)), *range(len(masks) + 1, len(masks) + 1 + len(maps))]
    planes = [*masks, *maps]
    layers = {copied.mask(i, place): _as_taken(plane) for i, plane in zip(numbers, planes, strict=True)}
    ones = copied.ones(layers.values(), place) if copied.fills else {}
    result = copied.pipeline(**call, **layers, **ones, **copied.coordinates(targets, place))
    moved: dict[str, Any] = {
        name: _shaped(result[key], value) for (name, value), key in zip(images.items(), call, strict=True)
    }
    warped = [_as_before(result[key], plane) for key, plane in zip(layers, planes, strict=True)]
    if ones:
        fills = [*fills, *[0.0] * (len(masks) - len(fills)), *[np.nan] * len(maps)]
        warped = [
            _with_fill(layer, result[copied.inside(mask)], fill)
            for layer, mask, fill in zip(warped, layers.values(), fills, strict=True)
        ]
    if "mask" in targets:
        moved["mask"] = warped[0]
    elif "masks" in targets:
        moved["masks"] = warped[: len(masks)]
    if "maps" in targets:
        moved["maps"] = warped[len(masks) :]
    return {**moved, **copied.moved(targets, result, swaps)}


_TARGETS = ("mask", "masks", "maps", "boxes", "points")
_THEIRS = {"boxes": "bboxes", "points": "keypoints"}


class _PipelineCopy:
    """A thread's copy of a pipeline, adapted to polyhead's coordinates."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = copy.deepcopy(pipeline)
        self._leaves = list(_transforms_of(self.pipeline))
        self._ready: set[str] = set()
        self._skipped: dict[
            str, list[Any]
        ] = {}  # target -> functions removed from the photometric transforms
        self._photometric_only = bool(self._leaves) and not any(
            "mask" in leaf.available_keys for leaf in self._leaves
        )
        self.fills = any(
            (hasattr(leaf, "fill_mask") and not is_one_of(leaf, _STAYS)) or is_one_of(leaf, _UNCOVERS)
            for leaf in self._leaves
        )
        boxes = self.pipeline.processors.get("bboxes")
        self._least = getattr(getattr(boxes, "params", None), "min_visibility", None)
        points = self.pipeline.processors.get("keypoints")
        if hasattr(getattr(points, "params", None), "remove_invisible"):
            removes, points.params.remove_invisible = points.params.remove_invisible, False
            points.filter = seen if removes else lambda points, shape: points
        self._mirrored = False
        for leaf in self._leaves:
            correct(leaf)
            note_mirrors(leaf, self._mirror)

    def _mirror(self) -> None:
        self._mirrored = not self._mirrored

    def begin(self, key: int, min_visible: float) -> None:
        """Seed the pipeline for one sample."""
        self._mirrored = False
        if hasattr(self.pipeline, "set_random_seed"):
            self.pipeline.set_random_seed(key & 0xFFFFFFFF)
        if self._least is not None:
            self.pipeline.processors["bboxes"].params.min_visibility = max(self._least, min_visible)

    def image(self, name: str, geometric_only: bool, place: str) -> str:
        """The target name of an image; photometric transforms skip the target if ``geometric_only``."""
        target = name
        if name != "image" and name not in getattr(self.pipeline, "additional_targets", {}):
            target = self._target(f"polyhead_image_{name}", "image", place, f"a second image, `{name}`")
        if geometric_only != (target in self._skipped):  # one pipeline may serve several feeds
            self._switch(target, geometric_only)
        return target

    def _switch(self, target: str, geometric_only: bool) -> None:
        """Turn photometric transforms (those that do not accept masks) off or on for a target."""
        photometric = [leaf for leaf in self._leaves if "mask" not in leaf.available_keys]
        if geometric_only:
            self._skipped[target] = [leaf._key2func.pop(target, None) for leaf in photometric]
            return
        for leaf, function in zip(photometric, self._skipped.pop(target), strict=True):
            if function is not None:
                leaf._key2func[target] = function

    def mask(self, index: int, place: str) -> str:
        """The target name of a mask; the first is always ``mask``, which some transforms look up."""
        if index == 0:
            return "mask"
        return self._target(f"polyhead_mask_{index}", "mask", place, "several masks")

    def inside(self, mask: np.ndarray) -> str:
        """The target name of the mask of ones with a mask's dtype and channels; OpenCV's rounding depends on both."""
        return f"polyhead_inside_{mask.dtype}_{mask.shape[2:]}"

    def ones(self, masks: Iterable[np.ndarray], place: str) -> dict[str, np.ndarray]:
        """One mask of ones for each combination of dtype and channels among the masks."""
        ones = {}
        for mask in masks:
            name = self.inside(mask)
            if name not in ones:
                ones[name] = np.ones_like(mask)
                self._target(name, "mask", place, "masks")
                for leaf in self._leaves:
                    if is_one_of(leaf, _STAYS):
                        leaf._key2func.pop(name, None)
        return ones

    def _target(self, name: str, like: str, place: str, item: str) -> str:
        if name not in self._ready:
            if not hasattr(self.pipeline, "add_targets"):
                fix = "Use albumentations 1.4.19 or newer, or your own function."
                raise ContractError(Problem(place, f"a pipeline that moves {item}", "one that does not", fix))
            for leaf in self._leaves:
                leaf.add_targets({name: like})
            self.pipeline._additional_targets[name] = like
            self.pipeline._available_keys.add(name)
            self._ready.add(name)
        return name

    def coordinates(self, targets: Mapping[str, Any], place: str) -> dict[str, Any]:
        """The boxes and points that are not NaN, each with its index; empty arrays if only the pipeline has them."""
        cuts = (
            [type(leaf).__name__ for leaf in self._leaves if is_one_of(leaf, CUTS)]
            if "boxes" in targets
            else []
        )
        if cuts:
            fix = "Leave it out of the pipeline, or leave the boxes out of the feed."
            cut = f"{cuts[0]}, which cuts boxes apart"
            raise ContractError(Problem(place, "transforms that keep a box in one piece", cut, fix))
        call: dict[str, Any] = {}
        for name, their in _THEIRS.items():
            if their not in self.pipeline.processors:
                if name not in targets or self._photometric_only:
                    continue
                params = 'BboxParams("pascal_voc")' if name == "boxes" else 'KeypointParams("xy")'
                expected = f"a pipeline that moves {name}"
                raise ContractError(
                    Problem(place, expected, "one that does not", f"Give the pipeline {params}.")
                )
            values = targets.get(name, np.zeros((0, 4 if name == "boxes" else 2)))
            labeled = np.flatnonzero(~np.isnan(values).any(1))
            kept = values[labeled]
            kept = thick(kept, targets["image"].shape) if name == "boxes" else kept - 0.5
            fields = self._fields(their)
            if fields:
                call.update({field: labeled.tolist() for field in fields})
            else:  # additional columns are kept
                kept = np.column_stack([kept, labeled])
            call[their] = kept
        return call

    def moved(
        self, targets: Mapping[str, Any], result: Mapping[str, Any], swaps: Sequence[tuple[int, int]]
    ) -> dict[str, np.ndarray]:
        """The boxes and points at their old indices, NaN where dropped; pairs are swapped if the image is mirrored."""
        out: dict[str, np.ndarray] = {}
        for name, their in _THEIRS.items():
            if name not in targets:
                continue
            if their not in self.pipeline.processors:
                out[name] = targets[name]
                continue
            out[name] = np.full_like(targets[name], np.nan)
            kept = np.asarray(result[their], np.float64)
            if len(kept) == 0:
                continue
            fields, width = self._fields(their), out[name].shape[1]
            ids = np.asarray(result[fields[0]]) if fields else kept[:, width:].reshape(-1)
            out[name][ids.astype(int)] = kept[:, :width] + (0.5 if name == "points" else 0)
        for i, j in swaps if self._mirrored and "points" in out else ():
            out["points"][[i, j]] = out["points"][[j, i]]
        return out

    def _fields(self, their: str) -> Sequence[str]:
        return getattr(self.pipeline.processors[their].params, "label_fields", None) or ()


def first_of(pipeline: Any, names: set[str]) -> str:
    """The class name of the first transform in the pipeline that is one of ``names``, or an empty string."""
    return next((type(leaf).__name__ for leaf in _transforms_of(pipeline) if is_one_of(leaf, names)), "")


def _copy_for_thread(pipeline: Any) -> _PipelineCopy:
    """This thread's copy of a pipeline; threads cannot share one, as seeding changes it."""
    copies = _local.__dict__.setdefault("copies", {})
    if id(pipeline) not in copies:
        # the original is kept so that its id is not reused
        copies[id(pipeline)] = pipeline, _PipelineCopy(pipeline)
    copied: _PipelineCopy = copies[id(pipeline)][1]
    return copied


def _transforms_of(pipeline: Any) -> Iterator[Any]:
    for transform in getattr(pipeline, "transforms", ()):
        if hasattr(transform, "transforms"):
            yield from _transforms_of(transform)
        elif hasattr(transform, "_key2func"):
            yield transform


# Pixels -------------------------------------------------------------------------------------------------------


def _as_taken(mask: np.ndarray) -> np.ndarray:
    """Convert a mask to a dtype that all OpenCV functions accept and that holds its ids exactly."""
    if mask.dtype in (np.uint8, np.uint16, np.int16, np.float32, np.float64):
        return mask
    return mask.astype(
        np.uint8 if mask.dtype == np.bool_ else np.int16 if mask.dtype == np.int8 else np.float64
    )


def _as_before(moved: Any, before: np.ndarray) -> Any:
    if (
        isinstance(moved, np.ndarray)
        and moved.dtype != before.dtype
        and moved.dtype == _as_taken(before).dtype
    ):
        moved = moved.astype(before.dtype)
    return _shaped(moved, before)


def _with_fill(mask: Any, inside: Any, fill: float) -> Any:
    """Set the pixels of a mask that come from outside the image to ``fill``."""
    outside = np.asarray(inside) == 0
    if not outside.any() or np.shape(mask) != outside.shape:
        return mask
    filled = np.array(mask)
    filled[outside] = fill
    return filled


def _shaped(moved: Any, before: np.ndarray) -> Any:
    """Restore the axis of a single channel, which some transforms drop."""
    dropped = isinstance(moved, np.ndarray) and moved.ndim == 2 and before.shape[2:] == (1,)
    return moved[..., None] if dropped else moved
