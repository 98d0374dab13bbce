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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.augment.albumentations_moves import CUTS, correct, is_one_of, note_mirrors, seen, thick
from polyhead.errors import ContractError, Problem, shown, warn

_STAYS = {"BaseDropout", "Lambda", "MaskDropout", "Morphological", "OverlayElements", "PixelDropout"}
"""Transforms that change masks without moving them; a 0 that they write is the user's label."""

_UNCOVERS = {"GridElasticDeform"}
"""Transforms that uncover pixels from outside a mask but have no argument for their fill value."""

_TO_TENSORS = {"ToTensorV2", "ToTensor3D"}

SCALES = {"Normalize", "ToFloat", "FromFloat"}
"""Transforms that change the range or dtype of pixels."""

TARGETS = ("mask", "masks", "maps", "boxes", "points")
"""The keywords under which `Apply` gets labels."""

_ARGUMENTS = {"boxes": "bboxes", "points": "keypoints"}
"""How pipelines call boxes and points."""

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
    *,
    fills: Sequence[float] = (),
    geometric_only: Collection[str] = (),
    min_visible: float = 0.0,
    swaps: Sequence[tuple[int, int]] = (),
) -> dict[str, Any]:
    """Run a pipeline on a sample.

    Args:
        pipeline: the user's pipeline, which is not changed.
        place: its name in errors.
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
    copied = _copy_for_thread(pipeline, place)
    copied.begin(key, min_visible)
    masks = [targets["mask"]] if "mask" in targets else list(targets.get("masks", ()))
    maps = list(targets.get("maps", ()))
    planes = [*masks, *maps]
    images = {name: value for name, value in targets.items() if name not in TARGETS}
    image_targets = {copied.image(name, name in geometric_only): image for name, image in images.items()}
    # some transforms look for the first mask, so a map must not be number 0
    numbered = enumerate(planes, start=0 if masks else 1)
    layers = {
        copied.mask(number): plane.astype(_dtype_taken(plane), copy=False) for number, plane in numbered
    }
    ones = copied.ones(layers.values()) if copied.fills else {}
    result = copied.pipeline(**image_targets, **layers, **ones, **copied.coordinates(targets))
    moved: dict[str, Any] = {
        name: _as_before(result[target], image)
        for name, (target, image) in zip(images, image_targets.items(), strict=True)
    }
    if copied.uncovers:  # these pixels are 0 in integers, but NaN in floats
        moved = {name: np.nan_to_num(image) for name, image in moved.items()}
    moved_planes = [_as_before(result[target], plane) for target, plane in zip(layers, planes, strict=True)]
    if ones:
        fills = [*fills, *[0.0] * (len(masks) - len(fills)), *[np.nan] * len(maps)]
        moved_planes = [
            _with_fill(plane, result[_name_of_ones(taken)], fill)
            for plane, taken, fill in zip(moved_planes, layers.values(), fills, strict=True)
        ]
    if "mask" in targets:
        moved["mask"] = moved_planes[0]
    elif "masks" in targets:
        moved["masks"] = moved_planes[: len(masks)]
    if "maps" in targets:
        moved["maps"] = moved_planes[len(masks) :]
    return {**moved, **copied.moved(targets, result, swaps)}


class _PipelineCopy:
    """A thread's copy of a pipeline, adapted to polyhead's coordinates."""

    def __init__(self, pipeline: Any, place: str) -> None:
        self.pipeline, self._place = copy.deepcopy(pipeline), place
        self._transforms = list(_transforms_of(self.pipeline))
        self._photometric = [t for t in self._transforms if "mask" not in t.available_keys]
        self._added: set[str] = set()
        self._skipped: dict[str, list[Any]] = {}  # by target, the functions taken from photometric transforms
        self.uncovers = any(is_one_of(transform, _UNCOVERS) for transform in self._transforms)
        self.fills = self.uncovers or any(
            hasattr(transform, "fill_mask") and not is_one_of(transform, _STAYS)
            for transform in self._transforms
        )
        boxes = self.pipeline.processors.get("bboxes")
        self._min_visibility = getattr(getattr(boxes, "params", None), "min_visibility", None)
        points = self.pipeline.processors.get("keypoints")
        if hasattr(getattr(points, "params", None), "remove_invisible"):
            removes, points.params.remove_invisible = points.params.remove_invisible, False
            points.filter = seen if removes else lambda points, shape: points
        self._mirrored = False
        for transform in self._transforms:
            correct(transform)
            note_mirrors(transform, self._mirror)

    def _mirror(self) -> None:
        self._mirrored = not self._mirrored

    def begin(self, key: int, min_visible: float) -> None:
        """Seed the pipeline for one sample."""
        self._mirrored = False
        if hasattr(self.pipeline, "set_random_seed"):
            self.pipeline.set_random_seed(key & 0xFFFFFFFF)
        if self._min_visibility is not None:
            least = max(self._min_visibility, min_visible)
            self.pipeline.processors["bboxes"].params.min_visibility = least

    def image(self, name: str, geometric_only: bool) -> str:
        """The target name of an image; photometric transforms skip the target if ``geometric_only``."""
        target = name
        if name != "image" and name not in getattr(self.pipeline, "additional_targets", {}):
            target = self._add_target(f"polyhead_image_{name}", "image", f"a second image, `{name}`")
        if geometric_only and target not in self._skipped:
            self._skipped[target] = [t._key2func.pop(target, None) for t in self._photometric]
        elif not geometric_only and target in self._skipped:  # one pipeline may serve several feeds
            for transform, function in zip(self._photometric, self._skipped.pop(target), strict=True):
                if function is not None:
                    transform._key2func[target] = function
        return target

    def mask(self, number: int) -> str:
        """The target name of a mask; the first is always ``mask``, which some transforms look up."""
        return "mask" if number == 0 else self._add_target(f"polyhead_mask_{number}", "mask", "several masks")

    def ones(self, masks: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """One mask of ones for each combination of dtype and channels among the masks."""
        ones = {_name_of_ones(mask): np.ones_like(mask) for mask in masks}
        for name in ones:
            self._add_target(name, "mask", "masks")
            for transform in self._transforms:
                if is_one_of(transform, _STAYS):
                    transform._key2func.pop(name, None)
        return ones

    def _add_target(self, name: str, like: str, item: str) -> str:
        if name not in self._added:
            if not hasattr(self.pipeline, "add_targets"):
                fix = "Use albumentations 1.4.19 or newer, or your own function."
                expected = f"a pipeline that moves {item}"
                raise ContractError(Problem(self._place, expected, "one that does not", fix))
            for transform in self._transforms:
                transform.add_targets({name: like})
            self.pipeline._additional_targets[name] = like
            self.pipeline._available_keys.add(name)
            self._added.add(name)
        return name

    def coordinates(self, targets: Mapping[str, Any]) -> dict[str, Any]:
        """The boxes and points that are not NaN, each with its index; empty arrays if only the pipeline has them."""
        cuts = next((t for t in self._transforms if is_one_of(t, CUTS)), None)
        if cuts is not None and "boxes" in targets:
            fix = "Leave it out of the pipeline, or leave the boxes out of the feed."
            found = f"{type(cuts).__name__}, which cuts boxes apart"
            raise ContractError(Problem(self._place, "transforms that keep a box in one piece", found, fix))
        arguments: dict[str, Any] = {}
        for name, argument in _ARGUMENTS.items():
            if argument not in self.pipeline.processors:
                if name not in targets or len(self._photometric) == len(self._transforms) > 0:
                    continue
                params = 'BboxParams("pascal_voc")' if name == "boxes" else 'KeypointParams("xy")'
                expected, fix = f"a pipeline that moves {name}", f"Give the pipeline {params}."
                raise ContractError(Problem(self._place, expected, "one that does not", fix))
            values = targets.get(name, np.zeros((0, 4 if name == "boxes" else 2)))
            indices = np.flatnonzero(~np.isnan(values).any(1))
            values = values[indices]
            values = thick(values, targets["image"].shape) if name == "boxes" else values - 0.5
            fields = self._label_fields(argument)
            if fields:
                arguments.update({field: indices.tolist() for field in fields})
            else:  # additional columns are kept
                values = np.column_stack([values, indices])
            arguments[argument] = values
        return arguments

    def moved(
        self, targets: Mapping[str, Any], result: Mapping[str, Any], swaps: Sequence[tuple[int, int]]
    ) -> dict[str, np.ndarray]:
        """The boxes and points at their old indices, NaN where dropped; pairs are swapped if the image is mirrored."""
        moved: dict[str, np.ndarray] = {}
        for name, argument in _ARGUMENTS.items():
            if name not in targets:
                continue
            if argument not in self.pipeline.processors:
                moved[name] = targets[name]
                continue
            moved[name] = np.full_like(targets[name], np.nan)
            values = np.asarray(result[argument], np.float64)
            if len(values) == 0:
                continue
            fields, width = self._label_fields(argument), moved[name].shape[1]
            indices = np.asarray(result[fields[0]]) if fields else values[:, width:].reshape(-1)
            moved[name][indices.astype(int)] = values[:, :width] + (0.5 if name == "points" else 0)
        for i, j in swaps if self._mirrored and "points" in moved else ():
            moved["points"][[i, j]] = moved["points"][[j, i]]
        return moved

    def _label_fields(self, argument: str) -> Sequence[str]:
        return getattr(self.pipeline.processors[argument].params, "label_fields", None) or ()


def first_of(pipeline: Any, names: set[str]) -> str:
    """The class name of the first transform in the pipeline that is one of ``names``, or an empty string."""
    return next((type(t).__name__ for t in _transforms_of(pipeline) if is_one_of(t, names)), "")


def _copy_for_thread(pipeline: Any, place: str) -> _PipelineCopy:
    """This thread's copy of a pipeline; threads cannot share one, as seeding changes it."""
    copies = _local.__dict__.setdefault("copies", {})
    if id(pipeline) not in copies:
        # the original is kept so that its id is not reused
        copies[id(pipeline)] = pipeline, _PipelineCopy(pipeline, place)
    copied: _PipelineCopy = copies[id(pipeline)][1]
    return copied


def _transforms_of(pipeline: Any) -> Iterator[Any]:
    for transform in getattr(pipeline, "transforms", ()):
        if hasattr(transform, "transforms"):
            yield from _transforms_of(transform)
        elif hasattr(transform, "_key2func"):
            yield transform


# Pixels -------------------------------------------------------------------------------------------------------


def _name_of_ones(mask: np.ndarray) -> str:
    """The target name of the mask of ones with a mask's dtype and channels; OpenCV's rounding depends on both."""
    return f"polyhead_ones_{mask.dtype}_{mask.shape[2:]}"


def _dtype_taken(mask: np.ndarray) -> Any:
    """A dtype that all OpenCV functions accept and that holds the ids of a mask exactly."""
    if mask.dtype in (np.uint8, np.uint16, np.int16, np.float32, np.float64):
        return mask.dtype
    return np.uint8 if mask.dtype == np.bool_ else np.int16 if mask.dtype == np.int8 else np.float64


def _as_before(moved: Any, before: np.ndarray) -> Any:
    """Restore the dtype, and the axis of a single channel, which some transforms drop."""
    if not isinstance(moved, np.ndarray):
        return moved
    if moved.dtype == _dtype_taken(before):
        moved = moved.astype(before.dtype, copy=False)
    return moved[..., None] if moved.ndim == 2 and before.shape[2:] == (1,) else moved


def _with_fill(mask: Any, ones: Any, fill: float) -> Any:
    """Set the pixels of a mask that come from outside the image to ``fill``."""
    outside = np.asarray(ones) == 0
    if not outside.any() or np.shape(mask) != outside.shape:
        return mask
    filled = np.array(mask)
    filled[outside] = fill
    return filled
