"""Pipelines of albumentations, which are told by their attributes and never imported.

Each thread works on a copy of the user's pipeline, as seeding changes it. The copy differs from the original where
the two libraries count differently:

- albumentations numbers pixels: the middle of the first is 0, here it is 0.5. Points go in half a pixel lower and come
  back half a pixel higher; a transform that resizes takes them as they are, since it multiplies coordinates alone. The
  pixel of a mask that is nearest when resized is that nearest to the middle, as it is here.
- Boxes of `Perspective` and `SafeRotate`, and boxes and points of distortions, are worked out from the way that the
  pixels go. Boxes that `RandomGridShuffle` would cut apart are refused.
- Points are told apart from those outside by the edges of the image, not by the middles of its outer pixels.
- Further images, masks and maps are targets of their own, and so is a mask of ones: where it comes back as 0 there
  was nothing, and each mask has its own fill there. Maps move as masks do, so that no number is made up and no light
  changes them.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.augment.albumentations_moves import CUTS, correct, is_one_of, seen, thick
from polyhead.errors import ContractError, Problem, shown, warn

_STAYS = {"BaseDropout", "Lambda", "MaskDropout", "Morphological", "OverlayElements", "PixelDropout"}
"""Transforms that change masks without moving them: a 0 that they put there is a label of the user's."""

_UNCOVERS = {"GridElasticDeform"}
"""Transforms that bring in what is outside of a mask, and have no argument for what is put there."""

_TO_TENSORS = {"ToTensorV2", "ToTensor3D"}

_SCALES = {"Normalize", "ToFloat", "FromFloat"}
"""Transforms that give pixels another range or type."""

_local = threading.local()


def is_pipeline(found: Any) -> bool:
    """Whether something is a pipeline of albumentations."""
    return hasattr(found, "transforms") and hasattr(found, "processors")


def check_pipeline(pipeline: Any, place: str) -> None:
    """Raise, or warn, where a pipeline cannot be used.

    Raises:
        ContractError: for a single transform, one that makes tensors, or coordinates in another format.
    """
    if not is_pipeline(pipeline):
        if hasattr(pipeline, "processors") and hasattr(pipeline, "available_keys"):
            name = type(pipeline).__name__
            fix = f"Say Apply(albumentations.Compose([{name}(...)])), with bbox_params and keypoint_params as needed."
            raise ContractError(Problem(place, "a pipeline of albumentations", "a single transform", fix))
        return
    tensors = next(
        (type(leaf).__name__ for leaf in _transforms_of(pipeline) if is_one_of(leaf, _TO_TENSORS)), None
    )
    if tensors is not None:
        fix = (
            "Leave it out: polyhead hands over images with channels last, and makes the tensors of the batch."
        )
        raise ContractError(Problem(place, "transforms that give back arrays (H, W, C)", tensors, fix))
    for name, expected in (("bboxes", "pascal_voc"), ("keypoints", "xy")):
        processor = pipeline.processors.get(name)
        found = getattr(getattr(processor, "params", None), "format", expected)
        if found != expected:
            raise ContractError(Problem(f"{place}, {name}", f'format="{expected}"', shown(found)))
    if not hasattr(pipeline, "set_random_seed"):
        fix = "Use albumentations 1.4.19 or newer; what this one does is not the same in every run."
        warn(Problem(place, "a pipeline with set_random_seed", "none", fix))


def run_pipeline(
    pipeline: Any,
    place: str,
    key: int,
    given: Mapping[str, Any],
    fills: Sequence[float] = (),
    unlit: frozenset[str] = frozenset(),
    min_visible: float = 0.0,
) -> dict[str, Any]:
    """What a pipeline makes of a sample.

    Args:
        pipeline: the user's own, which is not changed.
        place: how it is named in errors.
        key: 64 bits, the sample's own.
        given: what there is, under the keywords of `Apply`.
        fills: what is put where a mask comes from outside the image, one for each mask; 0 for those left out.
        unlit: the keywords of images whose light does not change.
        min_visible: the least share of a box inside the image with which a transform keeps it.

    Returns:
        The same keys.

    Raises:
        ContractError: for a pipeline that does not move what there is.
    """
    own = _own(pipeline)
    own.begin(key, min_visible)
    masks = [given["mask"]] if "mask" in given else list(given.get("masks", ()))
    maps = list(given.get("maps", ()))
    images = {name: value for name, value in given.items() if name not in _TARGETS}
    call = {own.image(name, name in unlit, place): value for name, value in images.items()}
    # some transforms look for the first mask, which a map is not
    numbers = [*range(len(masks)), *range(len(masks) + 1, len(masks) + 1 + len(maps))]
    layers = {own.mask(i, place): _as_taken(mask) for i, mask in zip(numbers, [*masks, *maps], strict=True)}
    ones = own.ones(layers.values(), place) if own.fills else {}
    result = own.pipeline(**call, **layers, **ones, **own.coordinates(given, place))
    found: dict[str, Any] = {
        name: _shaped(result[key], value) for (name, value), key in zip(images.items(), call, strict=True)
    }
    turned = [_given_back(result[key], mask) for key, mask in zip(layers, [*masks, *maps], strict=True)]
    if ones:
        fills = [*fills, *[0.0] * (len(masks) - len(fills)), *[np.nan] * len(maps)]
        turned = [
            _with_fill(found, result[own.inside(mask)], fill)
            for found, mask, fill in zip(turned, layers.values(), fills, strict=True)
        ]
    if "mask" in given:
        found["mask"] = turned[0]
    elif "masks" in given:
        found["masks"] = turned[: len(masks)]
    if "maps" in given:
        found["maps"] = turned[len(masks) :]
    return {**found, **own.moved(given, result)}


_TARGETS = ("mask", "masks", "maps", "boxes", "points")
_THEIRS = {"boxes": "bboxes", "points": "keypoints"}


class _Own:
    """A copy of a pipeline that counts as this library does."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = copy.deepcopy(pipeline)
        self._leaves = list(_transforms_of(self.pipeline))
        self._ready: set[str] = set()
        self._unlit: dict[
            str, list[Any]
        ] = {}  # targets, and what the transforms of light alone would do to them
        self._light_alone = bool(self._leaves) and not any(
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
        for leaf in self._leaves:
            correct(leaf)

    def begin(self, key: int, min_visible: float) -> None:
        """Make ready for one sample."""
        if hasattr(self.pipeline, "set_random_seed"):
            self.pipeline.set_random_seed(key & 0xFFFFFFFF)
        if self._least is not None:
            self.pipeline.processors["bboxes"].params.min_visibility = max(self._least, min_visible)

    def image(self, name: str, unlit: bool, place: str) -> str:
        """The target that an image goes by: it is moved, and where it is light its light changes."""
        target = name
        if name != "image" and name not in getattr(self.pipeline, "additional_targets", {}):
            target = self._target(f"polyhead_image_{name}", "image", place, f"a second image, `{name}`")
        if unlit != (target in self._unlit):  # one pipeline may serve several feeds
            self._switch(target, unlit)
        return target

    def _switch(self, target: str, unlit: bool) -> None:
        """Have transforms leave an image alone that change light alone, as they know no masks; or change it again."""
        light = [leaf for leaf in self._leaves if "mask" not in leaf.available_keys]
        if unlit:
            self._unlit[target] = [leaf._key2func.pop(target, None) for leaf in light]
            return
        for leaf, function in zip(light, self._unlit.pop(target), strict=True):
            if function is not None:
                leaf._key2func[target] = function

    def mask(self, which: int, place: str) -> str:
        """The target that a mask goes by; the first one has a name that some transforms look for."""
        if which == 0:
            return "mask"
        return self._target(f"polyhead_mask_{which}", "mask", place, "several masks")

    def inside(self, mask: np.ndarray) -> str:
        """The target that ones in the form of a mask go by: OpenCV does not round alike for all types."""
        return f"polyhead_inside_{mask.dtype}_{mask.shape[2:]}"

    def ones(self, masks: Iterable[np.ndarray], place: str) -> dict[str, np.ndarray]:
        """A mask of ones for each form that the masks have."""
        found = {}
        for mask in masks:
            name = self.inside(mask)
            if name not in found:
                found[name] = np.ones_like(mask)
                self._target(name, "mask", place, "masks")
                for leaf in self._leaves:
                    if is_one_of(leaf, _STAYS):
                        leaf._key2func.pop(name, None)
        return found

    def _target(self, name: str, like: str, place: str, what: str) -> str:
        if name not in self._ready:
            if not hasattr(self.pipeline, "add_targets"):
                fix = "Use albumentations 1.4.19 or newer, or a function of your own."
                raise ContractError(Problem(place, f"a pipeline that moves {what}", "one that does not", fix))
            for leaf in self._leaves:
                leaf.add_targets({name: like})
            self.pipeline._additional_targets[name] = like
            self.pipeline._available_keys.add(name)
            self._ready.add(name)
        return name

    def coordinates(self, given: Mapping[str, Any], place: str) -> dict[str, Any]:
        """Boxes and points that are there, each with its number; empty ones for what the pipeline waits for."""
        cuts = (
            [type(leaf).__name__ for leaf in self._leaves if is_one_of(leaf, CUTS)]
            if "boxes" in given
            else []
        )
        if cuts:
            fix = "Leave it out of the pipeline, or leave the boxes out of the feed."
            cut = f"{cuts[0]}, which cuts boxes apart"
            raise ContractError(Problem(place, "transforms that keep a box in one piece", cut, fix))
        call: dict[str, Any] = {}
        for name, their in _THEIRS.items():
            if their not in self.pipeline.processors:
                if name not in given or self._light_alone:
                    continue
                which = 'BboxParams("pascal_voc")' if name == "boxes" else 'KeypointParams("xy")'
                expected = f"a pipeline that moves {name}"
                raise ContractError(
                    Problem(place, expected, "one that does not", f"Give the pipeline {which}.")
                )
            values = given.get(name, np.zeros((0, 4 if name == "boxes" else 2)))
            there = np.flatnonzero(~np.isnan(values).any(1))
            found = thick(values[there], given["image"].shape) if name == "boxes" else values[there] - 0.5
            fields = self._fields(their)
            if fields:
                call.update({field: there.tolist() for field in fields})
            else:  # columns beyond the coordinates are carried along
                found = np.column_stack([found, there])
            call[their] = found
        return call

    def moved(self, given: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Boxes and points in the places that they had, NaN where one is gone."""
        out: dict[str, np.ndarray] = {}
        for name, their in _THEIRS.items():
            if name not in given:
                continue
            if their not in self.pipeline.processors:
                out[name] = given[name]
                continue
            out[name] = np.full_like(given[name], np.nan)
            kept = np.asarray(result[their], np.float64)
            if len(kept) == 0:
                continue
            fields, width = self._fields(their), out[name].shape[1]
            ids = np.asarray(result[fields[0]]) if fields else kept[:, width:].reshape(-1)
            out[name][ids.astype(int)] = kept[:, :width] + (0.5 if name == "points" else 0)
        return out

    def _fields(self, their: str) -> Sequence[str]:
        return getattr(self.pipeline.processors[their].params, "label_fields", None) or ()


def scaling(pipeline: Any) -> str:
    """The name of a transform in a pipeline that changes the range of pixels; empty where there is none."""
    return next((type(leaf).__name__ for leaf in _transforms_of(pipeline) if is_one_of(leaf, _SCALES)), "")


def _own(pipeline: Any) -> _Own:
    """The copy of this thread: seeding changes it, so no two threads may share one."""
    copies = _local.__dict__.setdefault("copies", {})
    if id(pipeline) not in copies:
        copies[id(pipeline)] = pipeline, _Own(pipeline)  # the first keeps the id alive
    found: _Own = copies[id(pipeline)][1]
    return found


def _transforms_of(pipeline: Any) -> Iterator[Any]:
    for one in getattr(pipeline, "transforms", ()):
        if hasattr(one, "transforms"):
            yield from _transforms_of(one)
        elif hasattr(one, "_key2func"):
            yield one


# Pixels -------------------------------------------------------------------------------------------------------


def _as_taken(mask: np.ndarray) -> np.ndarray:
    """A mask in a type that all of OpenCV takes, and that holds its ids exactly."""
    if mask.dtype in (np.uint8, np.uint16, np.int16, np.float32, np.float64):
        return mask
    return mask.astype(
        np.uint8 if mask.dtype == np.bool_ else np.int16 if mask.dtype == np.int8 else np.float64
    )


def _given_back(found: Any, before: np.ndarray) -> Any:
    if (
        isinstance(found, np.ndarray)
        and found.dtype != before.dtype
        and found.dtype == _as_taken(before).dtype
    ):
        found = found.astype(before.dtype)
    return _shaped(found, before)


def _with_fill(mask: Any, inside: Any, fill: float) -> Any:
    """A mask with ``fill`` where nothing of it came to lie."""
    outside = np.asarray(inside) == 0
    if not outside.any() or np.shape(mask) != outside.shape:
        return mask
    found = np.array(mask)
    found[outside] = fill
    return found


def _shaped(found: Any, before: np.ndarray) -> Any:
    """An array with the axis of one channel that some transforms drop."""
    dropped = isinstance(found, np.ndarray) and found.ndim == 2 and before.shape[2:] == (1,)
    return found[..., None] if dropped else found
