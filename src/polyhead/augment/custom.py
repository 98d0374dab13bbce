"""`Apply`: a function of the user's, or an albumentations pipeline, among the augmentations."""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from polyhead.augment import albumentations
from polyhead.augment.augmentation import Augmentation
from polyhead.errors import ContractError, DataError, PolyheadError, Problem, shown

TARGETS = ("mask", "masks", "maps", "boxes", "points")


@dataclass(frozen=True, repr=False)
class Apply(Augmentation):
    """Call a function on the whole sample.

    A function is called with those of these keywords that it takes, and returns a dict with all it was given:

    - ``image``: ``(H, W, C)`` in the size of the output, after all that comes before: the input of that name, or the
      first. Further images come under their names.
    - ``mask``: ``(H, W)`` or ``(H, W, C)``; several come as a list, ``masks``.
    - ``boxes``: float64 ``(k, 4)`` of ``xyxy`` in pixels; NaN in place of one that is gone.
    - ``points``: float64 ``(n, 2)`` of (x, y) in pixels; NaN in place of one that is gone.
    - ``rng``: a ``numpy.random.Generator``, the sample's own. What is drawn from it alone is the same in every run.

    A function that takes no targets changes light alone: it is called on each image and may return the bare array.
    One that takes targets must take all that the sample has.

    A pipeline of albumentations moves all that a sample has: every image, mask, map, box and point. Boxes need
    ``BboxParams("pascal_voc")`` and keypoints ``KeypointParams("xy")``; ``additional_targets`` need not be said. It
    works on a copy of its own in each thread, seeded for each sample, and the copy counts as this library does: points
    from the image's edge, not from the middle of its first pixel. What comes into a mask from outside of the image has
    no label where the head says ``missing=``, unless the pipeline says another ``fill_mask`` than 0; boxes of which
    less than the head's ``min_visible`` is left are dropped.

    What is geometric before and after it composes into one matrix each: the image is resampled once more. A function
    that mirrors has to exchange pairs of keypoints by itself.

    Attributes:
        function: what to call.

    >>> Apply(lambda image: 255 - image, p=0.1).p
    0.1
    """

    function: Callable[..., Any]
    takes: frozenset[str] | None = field(init=False, compare=False, default=None)
    """The keywords of the function; None where it takes any."""

    draws = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            several = isinstance(self.function, (list, tuple))
            fix = "Say Apply(albumentations.Compose([...])), or Apply for each function." if several else ""
            expected = "a function or an albumentations pipeline"
            raise ContractError(Problem("Apply(function)", expected, shown(self.function), fix))
        albumentations.check_pipeline(self.function, self.place)
        if albumentations.is_pipeline(self.function):
            return
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except (TypeError, ValueError):  # some that are written in C
            return
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            names = frozenset(
                p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
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
        """How it is named in errors."""
        return f"Apply({getattr(self.function, '__name__', type(self.function).__name__)})"

    @property
    def moves_maps(self) -> bool:
        """Whether numbers for each pixel can be moved along: by a pipeline, and not by a function."""
        return albumentations.is_pipeline(self.function)

    @property
    def takes_floats(self) -> bool:
        """Whether images of more than 8 bits come as floats in 0–1: functions may be written for bytes."""
        return albumentations.is_pipeline(self.function)

    @property
    def light_alone(self) -> bool:
        """Whether the function sees images only, one at a time."""
        return self.takes is not None and self.takes <= {"image", "rng"}

    def run(
        self,
        key: int,
        given: Mapping[str, Any],
        *,
        where: str = "",
        fills: Sequence[float] = (),
        unlit: frozenset[str] = frozenset(),
        min_visible: float = 0.0,
    ) -> dict[str, Any]:
        """What becomes of a sample.

        Args:
            key: 64 bits, the sample's own.
            given: what there is, under the keywords above.
            where: the words that name the sample, for errors.
            fills: what a pipeline puts where a mask comes from outside, one for each mask.
            unlit: the keywords of images whose light a pipeline does not change.
            min_visible: the least share of a box inside the image with which a pipeline keeps it.

        Returns:
            The same keys.

        Raises:
            ContractError: where the function does not take, or does not return, what it has to.
            DataError: where it fails.
        """
        try:
            if albumentations.is_pipeline(self.function):
                found = albumentations.run_pipeline(
                    self.function, self.place, key, given, fills, unlit, min_visible
                )
            else:
                found = self._called(key, given)
            return self._checked(found, given)
        except (PolyheadError, StopIteration) as error:
            if not where or not isinstance(error, ContractError):
                raise
            problems = [replace(p, place=f"{p.place}, {where}") for p in error.problems]
            raise ContractError(*problems) from error.__cause__
        except Exception as error:
            place = f"{self.place}, {where}" if where else self.place
            fix = "Fix the function for rows like this one, or leave the row out with source.select(...)."
            raise DataError(Problem(place, "a sample returned", _error_in_one_line(error), fix)) from error

    def _called(self, key: int, given: Mapping[str, Any]) -> Any:
        """What a function makes of a sample."""
        if self.light_alone:
            found = dict(given)
            for name in given:
                if name not in TARGETS:
                    result = self._call({"image": given[name]}, key)
                    found[name] = result["image"] if isinstance(result, Mapping) else result
            return found
        missing = sorted(set(given) - self.takes) if self.takes is not None else []
        if missing:
            fix = f"Take {' and '.join(f'`{m}`' for m in missing)} as well, and move them as the image moves."
            expected = "a function that takes all targets of the sample, or none"
            raise ContractError(Problem(self.place, expected, f"one without {', '.join(missing)}", fix))
        return self._call(given, key)

    def _call(self, given: Mapping[str, Any], key: int) -> Any:
        if self.takes is None or "rng" in self.takes:
            given = {**given, "rng": np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))}
        return self.function(**given)

    def _checked(self, found: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(found, Mapping) or not set(given) <= set(found):
            missing = sorted(set(given) - set(found)) if isinstance(found, Mapping) else None
            told = type(found).__name__ if missing is None else f"one without {', '.join(missing)}"
            raise ContractError(Problem(self.place, f"a dict with {', '.join(given)} returned", told))
        result = {name: found[name] for name in given}
        if "mask" in result:
            result["mask"] = _in_dtype_of(result["mask"], given["mask"])
        if "masks" in result and len(result["masks"]) == len(given["masks"]):
            result["masks"] = list(map(_in_dtype_of, result["masks"], given["masks"]))
        # where targets are not seen, the image must stay where it is
        image = np.shape((given if self.light_alone else result)["image"])
        size = image[1:3] if _channels_first(image, given["image"].shape) else image[:2]
        for name, before in given.items():
            pairs = (
                list(zip(before, result[name], strict=False))
                if name in ("masks", "maps")
                else [(before, result[name])]
            )
            if name == "masks" and len(result[name]) != len(before):
                raise ContractError(
                    Problem(self.place, f"{len(before)} masks returned", str(len(result[name])))
                )
            for old, new in pairs:
                if name in ("boxes", "points"):
                    good, expected = np.shape(new) == old.shape, f"{name} of shape {old.shape}"
                else:
                    shape = (*size, *old.shape[2:])
                    good = isinstance(new, np.ndarray) and new.shape == shape and new.dtype == old.dtype
                    expected = f"`{name}` of shape {shape}, {old.dtype}"
                if not good:
                    told = f"shape {np.shape(new)}, {getattr(new, 'dtype', type(new).__name__)}"
                    fix = self._advice(old, new) if name not in ("boxes", "points") else ""
                    raise ContractError(Problem(self.place, f"{expected} returned", told, fix))
        return result

    def _advice(self, before: np.ndarray, found: Any) -> str:
        """What to do about an image or a mask that came back in another form."""
        if _channels_first(np.shape(found), before.shape):
            return "Give it back with channels last, as image.transpose(1, 2, 0): polyhead makes the tensors itself."
        if not isinstance(found, np.ndarray):
            return "Give back NumPy arrays: polyhead makes the tensors itself."
        if found.ndim == before.ndim - 1:
            return "Keep as many channels, as image[..., None].repeat(3, axis=2) does for grey."
        if before.dtype.kind in "iu" and found.dtype.kind == "f":
            scaling = albumentations.scaling(self.function)
            what = f"Leave {scaling} out" if scaling else "Give back the dtype that came"
            return f"{what}: ph.Image scales to 0–1, and the model may go on, as keras.layers.Normalization does."
        return ""


def _channels_first(found: Sequence[int], before: Sequence[int]) -> bool:
    """Whether an image of channels last came back with channels first."""
    return len(found) == len(before) == 3 and found[0] == before[2] != found[2]


def _in_dtype_of(found: Any, before: np.ndarray) -> Any:
    """A mask in the dtype that it had, where both hold whole numbers."""
    whole = isinstance(found, np.ndarray) and found.dtype.kind in "biu" and before.dtype.kind in "biu"
    return found.astype(before.dtype, copy=False) if whole else found


def _error_in_one_line(error: Exception) -> str:
    """An error of the user's code in one line, with the line of code that raised it."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f" ({os.path.basename(last.filename)}, line {last.lineno})" if last is not None else ""
    return f"{type(error).__name__}: {text[:200]}{place}" if text else f"{type(error).__name__}{place}"
