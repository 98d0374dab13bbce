"""Pipelines of albumentations, which are told by their attributes and never imported.

Each thread works on a copy of the user's pipeline, as seeding changes it. The copy differs from the original where
the two libraries count differently:

- albumentations numbers pixels: the middle of the first is 0, here it is 0.5. Points go in half a pixel lower and come
  back half a pixel higher; a transform that resizes takes them as they are, since it multiplies coordinates alone. The
  pixel of a mask that is nearest when resized is that nearest to the middle, as it is here.
- Boxes of `Perspective` and `SafeRotate`, and boxes and points of distortions, are worked out from the way that the
  pixels go.
- Points are told apart from those outside by the edges of the image, not by the middles of its outer pixels.
- Further images and masks are targets of their own, and so is a mask of ones: where it comes back as 0 there was
  nothing, and each mask has its own fill there.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, shown, warn
from polyhead.vision.geometry import EDGE

_RESIZES = {"MaxSizeTransform", "RandomScale", "Resize"}
"""Transforms that make the whole image larger or smaller."""

_RESIZED_CROPS = {"CropAndPad", "RandomSizedBBoxSafeCrop", "_BaseRandomSizedCrop"}
"""Transforms that resize a part; they multiply coordinates, as is right for those that begin at the edge."""

_STAYS = {"BaseDropout", "Lambda", "MaskDropout", "Morphological", "OverlayElements", "PixelDropout"}
"""Transforms that change masks without moving them: a 0 that they put there is a label of the user's."""

_TO_TENSORS = {"ToTensorV2", "ToTensor3D"}

_SCALES = {"Normalize", "ToFloat", "FromFloat"}
"""Transforms that give pixels another range or type."""

NEAREST, NEAREST_EXACT = 0, 6
"""OpenCV's numbers for the nearest pixel: counted from the edge of a pixel, and from its middle."""

_THIN = 0.01
"""The least side of a box that is passed on, in pixels: albumentations refuses a box without an area."""

_local = threading.local()


def is_pipeline(found: Any) -> bool:
    """Whether something is a pipeline of albumentations."""
    return hasattr(found, "transforms") and hasattr(found, "processors")


def check(pipeline: Any, place: str) -> None:
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
    tensors = next((type(leaf).__name__ for leaf in _leaves(pipeline) if _is(leaf, _TO_TENSORS)), None)
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


def run(
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
    images = {name: value for name, value in given.items() if name not in _TARGETS}
    call = {own.image(name, name in unlit, place): value for name, value in images.items()}
    layers = {own.mask(i, place): _taken(mask) for i, mask in enumerate(masks)}
    ones = own.ones(layers.values(), place) if own.fills else {}
    result = own.pipeline(**call, **layers, **ones, **own.coordinates(given, place))
    found: dict[str, Any] = {
        name: _shaped(result[key], value) for (name, value), key in zip(images.items(), call, strict=True)
    }
    turned = [_given_back(result[key], mask) for key, mask in zip(layers, masks, strict=True)]
    if ones:
        fills = [*fills, *[0.0] * (len(masks) - len(fills))]
        turned = [
            _filled(found, result[own.inside(mask)], fill)
            for found, mask, fill in zip(turned, layers.values(), fills, strict=True)
        ]
    if "mask" in given:
        found["mask"] = turned[0]
    elif "masks" in given:
        found["masks"] = turned
    return {**found, **own.moved(given, result)}


_TARGETS = ("mask", "masks", "boxes", "points")
_THEIRS = {"boxes": "bboxes", "points": "keypoints"}


class _Own:
    """A copy of a pipeline that counts as this library does."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = copy.deepcopy(pipeline)
        self._leaves = list(_leaves(self.pipeline))
        self._ready: set[str] = set()
        self._unlit: dict[
            str, list[Any]
        ] = {}  # targets, and what the transforms of light alone would do to them
        self._light_alone = bool(self._leaves) and not any(
            "mask" in leaf.available_keys for leaf in self._leaves
        )
        self.fills = any(hasattr(leaf, "fill_mask") and not _is(leaf, _STAYS) for leaf in self._leaves)
        boxes = self.pipeline.processors.get("bboxes")
        self._least = getattr(getattr(boxes, "params", None), "min_visibility", None)
        points = self.pipeline.processors.get("keypoints")
        if hasattr(getattr(points, "params", None), "remove_invisible"):
            removes, points.params.remove_invisible = points.params.remove_invisible, False
            points.filter = _seen if removes else lambda points, shape: points
        for leaf in self._leaves:
            _corrected(leaf)

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
                    if _is(leaf, _STAYS):
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
            found = _thick(values[there], given["image"].shape) if name == "boxes" else values[there] - 0.5
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
    return next((type(leaf).__name__ for leaf in _leaves(pipeline) if _is(leaf, _SCALES)), "")


def _own(pipeline: Any) -> _Own:
    """The copy of this thread: seeding changes it, so no two threads may share one."""
    copies = _local.__dict__.setdefault("copies", {})
    if id(pipeline) not in copies:
        copies[id(pipeline)] = pipeline, _Own(pipeline)  # the first keeps the id alive
    found: _Own = copies[id(pipeline)][1]
    return found


def _leaves(pipeline: Any) -> Iterator[Any]:
    for one in getattr(pipeline, "transforms", ()):
        if hasattr(one, "transforms"):
            yield from _leaves(one)
        elif hasattr(one, "_key2func"):
            yield one


def _is(leaf: Any, names: set[str]) -> bool:
    return any(kind.__name__ in names for kind in type(leaf).__mro__)


# Pixels -------------------------------------------------------------------------------------------------------


def _taken(mask: np.ndarray) -> np.ndarray:
    """A mask in a type that all of OpenCV takes, and that holds its ids exactly."""
    if mask.dtype in (np.uint8, np.uint16, np.int16, np.float32, np.float64):
        return mask
    return mask.astype(
        np.uint8 if mask.dtype == np.bool_ else np.int16 if mask.dtype == np.int8 else np.float64
    )


def _given_back(found: Any, before: np.ndarray) -> Any:
    if isinstance(found, np.ndarray) and found.dtype != before.dtype and found.dtype == _taken(before).dtype:
        found = found.astype(before.dtype)
    return _shaped(found, before)


def _filled(mask: Any, inside: Any, fill: float) -> Any:
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


# Boxes and points ---------------------------------------------------------------------------------------------


def _thick(boxes: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Boxes with an area, within the image."""
    frame = np.array([shape[1], shape[0]], np.float64)
    low, high = boxes[:, :2], boxes[:, 2:]
    thin = high - low < _THIN
    low = np.where(thin, np.minimum(low, frame - _THIN), low)
    return np.column_stack([low, np.where(thin, low + _THIN, high)])


def _seen(points: np.ndarray, shape: Any) -> np.ndarray:
    """Those points that are inside the image, up to its very edge."""
    if len(points) == 0:
        return points
    height, width = (shape["height"], shape["width"]) if isinstance(shape, Mapping) else shape[:2]
    at = points[:, :2] + 0.5
    inside = (at >= -EDGE) & (at <= np.array([width, height]) + EDGE)
    return points[np.all(inside, 1)]


def _corrected(leaf: Any) -> None:
    """Have a transform move boxes and points as it moves pixels."""
    moves = leaf._key2func
    points, boxes = moves.get("keypoints"), moves.get("bboxes")
    if points is None or boxes is None:
        return
    if _is(leaf, _RESIZES | _RESIZED_CROPS) and getattr(leaf, "mask_interpolation", None) == NEAREST:
        leaf.mask_interpolation = NEAREST_EXACT
    if _is(leaf, _RESIZES):
        moves["image"], moves["keypoints"] = _by_size(moves["image"])
    elif _is(leaf, _RESIZED_CROPS):
        moves["keypoints"] = _from_the_edge(points)
    elif _is(leaf, {"Perspective"}):
        moves["bboxes"] = _by_corners(boxes, points)
    elif _is(leaf, {"SafeRotate"}):
        moves["bboxes"] = _half_a_pixel_on(boxes)
    elif _is(leaf, {"BaseDistortion"}):
        moves["keypoints"], moves["bboxes"] = _points_by_map(points), _boxes_by_map(boxes)


Moves = Callable[..., Any]


def _by_size(resize: Moves) -> tuple[Moves, Moves]:
    """What resizes an image, and points along with it, by the size that it came to, which is a whole number."""
    size = [1.0, 1.0]

    def resized(image: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        found: np.ndarray = resize(image, *args, **params)
        size[:] = found.shape[1] / image.shape[1], found.shape[0] / image.shape[0]
        return found

    def moved(points: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        found = np.array(points, np.float64)
        found[:, :2] = (found[:, :2] + 0.5) * size - 0.5
        return found

    return resized, moved


def _from_the_edge(move: Moves) -> Moves:
    """Points that are counted from the edge rather than from the middle of the first pixel."""

    def moved(points: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        points = np.array(points, np.float64)
        points[:, :2] += 0.5
        found = np.array(move(points, *args, **params), np.float64)
        found[:, :2] -= 0.5
        return found

    return moved


def _half_a_pixel_on(move: Moves) -> Moves:
    """Boxes of `SafeRotate`, which turns pixels about a centre half a pixel beyond that of boxes."""

    def moved(boxes: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        found = np.array(move(boxes, *args, **params))
        height, width = params["shape"][:2]
        if len(found):
            found[:, :4] += np.array([0.5 / width, 0.5 / height] * 2)
        return found

    return moved


def _by_corners(move: Moves, points: Moves) -> Moves:
    """The upright boxes about the corners, each of which goes where its point does."""

    def moved(boxes: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        if len(boxes) == 0:
            return boxes
        found = np.array(move(boxes, *args, **params))
        height, width = params["shape"][:2]
        corners = np.zeros((len(boxes), 4, 5))
        corners[..., :2] = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] * (width, height) - 0.5
        at = np.asarray(points(corners.reshape(-1, 5), *args, **params))[:, :2].reshape(-1, 4, 2) + 0.5
        keeps = getattr(getattr(move, "__self__", None), "keep_size", True)
        size = (width, height) if keeps else (params["max_width"], params["max_height"])
        found[:, :2], found[:, 2:4] = at.min(1) / size, at.max(1) / size
        return found

    return moved


def _points_by_map(move: Moves) -> Moves:
    """Points of a distortion, which says for each pixel of the output where in the input it is looked up."""

    def moved(points: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        x, y = params.get("map_x"), params.get("map_y")
        if x is None or y is None or len(points) == 0:
            found: np.ndarray = move(points, *args, **params)
            return found
        found = np.array(points, np.float64)
        for point in found:
            point[:2] = _looked_up(x, y, point[:2])
        return found

    return moved


def _looked_up(x: np.ndarray, y: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Where a map reads a point: from the pixel that reads nearest to it, by the map's slope there."""
    if np.isnan(point).any():
        return point
    away = np.square(x - point[0]) + np.square(y - point[1])
    i, j = np.unravel_index(int(away.argmin()), away.shape)
    top, left = (
        min(max(int(i) - 1, 0), max(x.shape[0] - 3, 0)),
        min(max(int(j) - 1, 0), max(x.shape[1] - 3, 0)),
    )
    window = np.s_[top : top + 3, left : left + 3]
    rows, columns = np.mgrid[window]
    read = np.stack([x[window].ravel(), y[window].ravel(), np.ones(rows.size)], 1).astype(np.float64)
    slope, *_ = np.linalg.lstsq(
        read, np.stack([columns.ravel(), rows.ravel()], 1).astype(np.float64), rcond=None
    )
    found: np.ndarray = np.array([*point, 1.0]) @ slope
    inner = 0 < i < x.shape[0] - 1 and 0 < j < x.shape[1] - 1
    return np.clip(found, (j - 1, i - 1), (j + 1, i + 1)) if inner else found


def _boxes_by_map(move: Moves) -> Moves:
    """The upright boxes about the pixels that a distortion reads from within each."""

    def moved(boxes: np.ndarray, *args: Any, **params: Any) -> np.ndarray:
        x, y = params.get("map_x"), params.get("map_y")
        if x is None or y is None or len(boxes) == 0:
            found: np.ndarray = move(boxes, *args, **params)
            return found
        height, width = params["shape"][:2]
        kept = []
        for box in np.array(boxes, np.float64):
            left, top, right, bottom = box[:4] * (width, height, width, height) - 0.5
            within = (x >= left) & (x < right) & (y >= top) & (y < bottom)
            rows, columns = np.flatnonzero(within.any(1)), np.flatnonzero(within.any(0))
            if len(rows):
                box[:4] = (
                    columns[0] / width,
                    rows[0] / height,
                    (columns[-1] + 1) / width,
                    (rows[-1] + 1) / height,
                )
                kept.append(box)
        return np.array(kept) if kept else np.zeros((0, boxes.shape[1]))

    return moved
