"""`Apply`: a user's function or an albumentations pipeline as an augmentation."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from polyhead.augment import albumentations
from polyhead.augment.albumentations import TARGETS
from polyhead.augment.augmentation import Augmentation
from polyhead.columns.image_values import ROUNDING
from polyhead.errors import ContractError, DataError, PolyheadError, Problem, counted, shown
from polyhead.foreign_errors import line_of_user, quoted_error

OVERSHOT = 0.25
"""The most by which interpolation may overshoot 0–1 and be clipped."""


@dataclass(frozen=True, repr=False)
class Apply(Augmentation):
    """Call a function on the whole sample.

    The function is called with the keywords below that it accepts, and returns a dict with all of them except ``rng``:

    - ``image``: ``(H, W, C)`` in the size of the output, after all previous augmentations: the input named ``image``,
      or the first image. Further images are passed under their names. Floats are in 0–1, also those returned.
    - ``mask``: ``(H, W)`` or ``(H, W, C)``; several masks are passed as a list, ``masks``.
    - ``boxes``: float64 ``(k, 4)`` of ``xyxy`` in pixels; NaN for boxes that were dropped.
    - ``points``: float64 ``(n, 2)`` of (x, y) in pixels; NaN for points that were dropped.
    - ``rng``: a ``numpy.random.Generator`` for the sample. If it is the only source of randomness, every run gives the
      same results.

    A function that accepts no targets is photometric: it is called on each image and may return the bare array. A
    function that accepts targets must accept all targets of the sample. Other arguments with a default other than None
    are its own settings, and are not passed.

    A pipeline of albumentations moves every image, mask, map, box and point of the sample. Boxes need
    ``BboxParams("pascal_voc")`` and keypoints ``KeypointParams("xy")``; ``additional_targets`` are not needed. Each
    thread uses a copy of the pipeline, which is seeded for each sample and follows polyhead's coordinates: points count
    from the image's edge, not from the center of its first pixel. Mask pixels from outside the image have no label if
    the head has ``missing=``, unless the pipeline's ``fill_mask`` is not 0; boxes with less than the head's
    ``min_visible`` left are dropped; the ``pairs=`` of keypoints change places if the pipeline mirrors.

    Geometric augmentations before and after it compose into one matrix each, so the image is resampled one extra time.
    A function that mirrors must swap pairs of keypoints itself.

    Attributes:
        function: the function or pipeline.

    >>> Apply(lambda image: 255 - image, p=0.1).p
    0.1
    """

    function: Callable[..., Any]
    takes: frozenset[str] | None = field(init=False, compare=False, default=None)
    """The keywords under which the function gets layers or ``rng``; None for any."""

    draws = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            several = isinstance(self.function, (list, tuple))
            fix = "Say Apply(albumentations.Compose([...])), or Apply for each function." if several else ""
            expected = "a function or an albumentations pipeline"
            raise ContractError(Problem("Apply(function)", expected, shown(self.function), fix))
        albumentations.check_pipeline(self.function, self.place)
        if self.is_pipeline:
            return
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except (TypeError, ValueError):  # some functions written in C have no signature
            return
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
            own = ("image", "rng", *TARGETS)  # others with a value are settings, as strength=0.3
            names = frozenset(
                p.name for p in named if p.name in own or p.default is p.empty or p.default is None
            )
            if "image" not in names:
                fix = "It is called with keywords: image, mask or masks, boxes, points, rng."
                found = f"({', '.join(sorted(names))})"
                raise ContractError(Problem(self.place, "a function that takes `image`", found, fix))
            object.__setattr__(self, "takes", names)

    def __repr__(self) -> str:
        return self.place if self.p == 1 else f"{self.place[:-1]}, p={self.p!r})"

    @property
    def place(self) -> str:
        """The name in errors."""
        return f"Apply({getattr(self.function, '__name__', type(self.function).__name__)})"

    @property
    def is_pipeline(self) -> bool:
        """True for a pipeline, which can move maps, and gets images of more than 8 bits as floats in 0–1."""
        return albumentations.is_pipeline(self.function)

    @property
    def photometric_only(self) -> bool:
        """True if the function is photometric: it gets only images, one at a time."""
        return self.takes is not None and self.takes <= {"image", "rng"}

    def run(
        self, key: int, targets: Mapping[str, Any], *, where: str = "", **pipeline_options: Any
    ) -> dict[str, Any]:
        """Run the function or pipeline on a sample.

        Args:
            key: the sample's seed, 64 bits.
            targets: the layers of the sample, under the keywords above.
            where: the name of the sample in errors.
            **pipeline_options: the options of `run_pipeline`; functions ignore them.

        Returns:
            The transformed layers under the same keys.

        Raises:
            ContractError: if the function does not accept or return the required layers.
            DataError: if it raises.
        """
        try:
            if self.is_pipeline:
                returned = albumentations.run_pipeline(
                    self.function, self.place, key, targets, **pipeline_options
                )
            else:
                returned = self._call_function(key, targets)
            return self._checked(returned, targets)
        except (PolyheadError, StopIteration) as error:
            if not where or not isinstance(error, ContractError):
                raise
            problems = [replace(p, place=f"{p.place}, {where}") for p in error.problems]
            raise ContractError(*problems) from error.__cause__
        except Exception as error:
            place = f"{self.place}, {where}" if where else self.place
            fix = "Fix the function for rows like this one, or leave the row out with source.select(...)."
            absent = self._absent(targets) if isinstance(error, TypeError) else []
            if absent:
                fix = f"A row without labels has no {' and no '.join(absent)}: give them a default, "
                fix += f"{', '.join(f'{name}=None' for name in absent)}, and return None for them."
            raised = f"{quoted_error(error)} ({line_of_user(error)})"
            raise DataError(Problem(place, "a sample returned", raised, fix)) from error

    def _call_function(self, key: int, targets: Mapping[str, Any]) -> Any:
        if self.photometric_only:
            returned = dict(targets)
            for name in targets:
                if name not in TARGETS:
                    image = self._call({"image": targets[name]}, key)
                    returned[name] = image["image"] if isinstance(image, Mapping) else image
            return returned
        missing = sorted(set(targets) - self.takes) if self.takes is not None else []
        if missing:
            fix = f"Take {' and '.join(f'`{m}`' for m in missing)} as well, and move them with the image."
            expected = "a function that takes all targets of the sample, or none"
            raise ContractError(Problem(self.place, expected, f"one without {', '.join(missing)}", fix))
        return self._call(targets, key)

    def _absent(self, targets: Mapping[str, Any]) -> list[str]:
        """Return the targets that the function requires and a sample does not have."""
        if self.takes is None:
            return []
        parameters = inspect.signature(self.function).parameters
        needed = [name for name in TARGETS if name in self.takes and name not in targets]
        return [name for name in needed if parameters[name].default is inspect.Parameter.empty]

    def _call(self, targets: Mapping[str, Any], key: int) -> Any:
        if self.takes is None or "rng" in self.takes:
            targets = {**targets, "rng": np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))}
        return self.function(**targets)

    def _checked(self, returned: Any, targets: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(returned, Mapping) or not set(targets) <= set(returned):
            missing = sorted(set(targets) - set(returned)) if isinstance(returned, Mapping) else None
            found = type(returned).__name__ if missing is None else f"one without {', '.join(missing)}"
            raise ContractError(Problem(self.place, f"a dict with {', '.join(targets)} returned", found))
        result = {name: returned[name] for name in targets}
        images = [name for name in targets if name not in TARGETS]
        for name in images:  # whole numbers are not cast, as those above 255 would wrap around
            result[name] = _in_dtype_of(result[name], targets[name], "f")
        if "mask" in result:
            result["mask"] = _in_dtype_of(result["mask"], targets["mask"])
        if "masks" in result and len(result["masks"]) == len(targets["masks"]):
            result["masks"] = list(map(_in_dtype_of, result["masks"], targets["masks"]))
        # a function that does not get the targets must not resize the image
        shape = np.shape((targets if self.photometric_only else result)["image"])
        size = shape[1:3] if _channels_first(shape, targets["image"].shape) else shape[:2]
        for name, before in targets.items():
            if name in ("masks", "maps"):
                if len(result[name]) != len(before):
                    expected = f"{counted(len(before), name[:-1])} returned"
                    raise ContractError(Problem(self.place, expected, str(len(result[name]))))
                for single, returned_single in zip(before, result[name], strict=True):
                    self._require_like(name, single, returned_single, size)
            else:
                self._require_like(name, before, result[name], size)
        return result | {name: self._in_range(name, targets[name], result[name]) for name in images}

    def _in_range(self, name: str, before: np.ndarray, returned: np.ndarray) -> np.ndarray:
        """Clip floats outside 0–1 by rounding or, in an image that was moved, slightly; raise for others outside."""
        beyond = _beyond(returned)
        if 0 < beyond < (ROUNDING if self.photometric_only else OVERSHOT):
            return np.clip(returned, 0, 1)
        if beyond > 0 >= _beyond(before):  # else the image itself is reported when it is encoded
            fix = self._scaling_fix("Cut off what is beyond, np.clip(image, 0, 1), or leave scaling out")
            found = "NaN" if np.isnan(returned).any() else f"{returned.min():g} to {returned.max():g}"
            raise ContractError(Problem(self.place, f"`{name}` with pixels in 0–1 returned", found, fix))
        return returned

    def _require_like(self, name: str, before: np.ndarray, returned: Any, size: Sequence[int]) -> None:
        """Raise unless a layer has the form that it had; images, masks and maps may have another size."""
        if name in ("boxes", "points"):
            fits, expected, fix = np.shape(returned) == before.shape, f"{name} of shape {before.shape}", ""
            if fits and np.isinf(np.asarray(returned, np.float64)).any():
                expected = f"finite {name} returned, or NaN for those that are dropped"
                raise ContractError(Problem(self.place, expected, "infinite ones"))
        else:
            shape = (*size, *before.shape[2:])
            fits = isinstance(returned, np.ndarray) and returned.shape == shape
            fits = fits and returned.dtype == before.dtype
            expected = f"`{name}` of shape {shape}, {before.dtype}"
            fix = "" if fits else self._advice(before, returned)
        if not fits:
            found = f"shape {np.shape(returned)}, {getattr(returned, 'dtype', type(returned).__name__)}"
            raise ContractError(Problem(self.place, f"{expected} returned", found, fix))

    def _advice(self, before: np.ndarray, returned: Any) -> str:
        """The fix for an image or mask that was returned in another form."""
        if _channels_first(np.shape(returned), before.shape):
            return (
                "Return it with channels last, image.transpose(1, 2, 0); polyhead makes the tensors itself."
            )
        if not isinstance(returned, np.ndarray):
            return "Return NumPy arrays; polyhead makes the tensors itself."
        if returned.ndim == before.ndim - 1:
            return "Keep as many channels, as image[..., None].repeat(3, axis=2) does for gray."
        if before.dtype.kind in "iu" and returned.dtype.kind == "f":
            return self._scaling_fix("Give back the dtype that came")
        return ""

    def _scaling_fix(self, advice: str) -> str:
        """The fix for an image that was returned in another scale."""
        scaling = albumentations.first_of(self.function, albumentations.SCALES)
        advice = f"Leave {scaling} out" if scaling else advice
        return (
            f"{advice}: ph.Image scales to 0–1, and the model may go on, as keras.layers.Normalization does."
        )


def _beyond(image: np.ndarray) -> float:
    """How far floats of an image reach out of 0–1: infinity for NaN, 0 for integers."""
    if image.dtype.kind != "f" or not image.size:
        return 0
    beyond = max(-float(image.min()), float(image.max()) - 1)
    return math.inf if math.isnan(beyond) else beyond


def _channels_first(shape: Sequence[int], before: Sequence[int]) -> bool:
    """Return whether an image with channels last was returned with channels first."""
    return len(shape) == len(before) == 3 and shape[0] == before[2] != shape[2]


def _in_dtype_of(returned: Any, before: np.ndarray, kinds: str = "biu") -> Any:
    """Cast an array back to its original dtype if both dtypes are of these kinds."""
    castable = isinstance(returned, np.ndarray) and {returned.dtype.kind, before.dtype.kind} <= {*kinds}
    return returned.astype(before.dtype, copy=False) if castable else returned
