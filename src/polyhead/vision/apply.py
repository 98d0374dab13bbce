"""`Apply`: a function of the user's, or an albumentations pipeline, among the augmentations."""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, shown, warn
from polyhead.vision.base import Augmentation

TARGETS = ("mask", "masks", "boxes", "points")

_local = threading.local()


@dataclass(frozen=True, repr=False)
class Apply(Augmentation):
    """Call a function on the whole sample.

    A function is called with those of these keywords that it takes, and returns a dict with all it was given:

    - ``image``: ``(H, W, C)`` in the size of the output, after all that comes before. Further images come under their
      names.
    - ``mask``: ``(H, W)`` or ``(H, W, C)``; several come as a list, ``masks``.
    - ``boxes``: float64 ``(k, 4)`` of ``xyxy`` in pixels; NaN in place of one that is gone.
    - ``points``: float64 ``(n, 2)`` of (x, y) in pixels; NaN in place of one that is gone.
    - ``rng``: a ``numpy.random.Generator``, the sample's own. What is drawn from it alone is the same in every run.

    A function that takes no targets changes light alone: it is called on each image and may return the bare array.
    One that takes targets must take all that the sample has.

    A pipeline of albumentations is told by its attributes and never imported. Boxes need ``BboxParams("pascal_voc")``
    and keypoints ``KeypointParams("xy")``. Each thread works on a copy of its own, seeded for each sample.

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
            found = shown(self.function)
            raise ContractError(Problem("Apply(function)", "a function or an albumentations pipeline", found))
        if self.is_pipeline:
            self._check_pipeline()
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
    def is_pipeline(self) -> bool:
        """Whether it is a pipeline of albumentations, going by its attributes."""
        return hasattr(self.function, "transforms") and hasattr(self.function, "processors")

    @property
    def light_alone(self) -> bool:
        """Whether the function sees images only, one at a time."""
        return self.takes is not None and self.takes <= {"image", "rng"}

    def _check_pipeline(self) -> None:
        for name, expected in (("bboxes", "pascal_voc"), ("keypoints", "xy")):
            processor = self.function.processors.get(name)  # type: ignore[attr-defined]
            found = getattr(getattr(processor, "params", None), "format", expected)
            if found != expected:
                raise ContractError(Problem(f"{self.place}, {name}", f'format="{expected}"', shown(found)))
        if not hasattr(self.function, "set_random_seed"):
            fix = "Use albumentations 1.4.19 or newer; what this one does is not the same in every run."
            warn(Problem(self.place, "a pipeline with set_random_seed", "none", fix))

    def run(self, key: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of a sample.

        Args:
            key: 64 bits, the sample's own.
            given: what there is, under the keywords above.

        Returns:
            The same keys.

        Raises:
            ContractError: where the function does not take, or does not return, what it has to.
        """
        if self.is_pipeline:
            found = self._run_pipeline(key, given)
        elif self.light_alone:
            found = dict(given)
            for name in given:
                if name not in TARGETS:
                    result = self._call({"image": given[name]}, key)
                    found[name] = result["image"] if isinstance(result, Mapping) else result
        else:
            missing = sorted(set(given) - self.takes) if self.takes is not None else []
            if missing:
                fix = f"Take {' and '.join(f'`{m}`' for m in missing)} as well, and move them as the image moves."
                expected = "a function that takes all targets of the sample, or none"
                raise ContractError(Problem(self.place, expected, f"one without {', '.join(missing)}", fix))
            found = self._call(given, key)
        return self._checked(found, given)

    def _call(self, given: Mapping[str, Any], key: int) -> Any:
        if self.takes is None or "rng" in self.takes:
            given = {**given, "rng": np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))}
        return self.function(**given)

    def _run_pipeline(self, key: int, given: Mapping[str, Any]) -> dict[str, Any]:
        pipeline = self._own_copy()
        if hasattr(pipeline, "set_random_seed"):
            pipeline.set_random_seed(key & 0xFFFFFFFF)
        theirs = {"boxes": "bboxes", "points": "keypoints"}
        call = {name: value for name, value in given.items() if name not in theirs}
        for name, their in theirs.items():
            if name not in given:
                continue
            if their not in pipeline.processors:
                which = 'BboxParams("pascal_voc")' if name == "boxes" else 'KeypointParams("xy")'
                fix = f"Give the pipeline {which}."
                raise ContractError(
                    Problem(self.place, f"a pipeline that moves {name}", "one that does not", fix)
                )
            there = np.flatnonzero(~np.isnan(given[name]).any(1))
            fields = getattr(pipeline.processors[their].params, "label_fields", None) or ()
            call[their] = given[name][there]
            if fields:
                call.update({f: there.tolist() for f in fields})
            else:  # columns beyond the coordinates are carried along
                call[their] = np.column_stack([call[their], there])
        result = pipeline(**call)
        found = {name: result[name] for name in given if name not in theirs}
        for name, their in theirs.items():
            if name in given:
                fields = getattr(pipeline.processors[their].params, "label_fields", None) or ()
                width = given[name].shape[1]
                kept = np.asarray(result[their], np.float64).reshape(len(result[their]), -1)
                ids = np.asarray(result[fields[0]]) if fields else kept[:, width:].reshape(-1)
                found[name] = np.full_like(given[name], np.nan)
                found[name][ids.astype(int)] = kept[:, :width]
        return found

    def _own_copy(self) -> Any:
        """The pipeline of this thread: seeding changes it, so no two threads may share one."""
        copies = _local.__dict__.setdefault("copies", {})
        if id(self.function) not in copies:
            copies[id(self.function)] = (
                self.function,
                copy.deepcopy(self.function),
            )  # the first keeps the id alive
        return copies[id(self.function)][1]

    def _checked(self, found: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(found, Mapping) or not set(given) <= set(found):
            missing = sorted(set(given) - set(found)) if isinstance(found, Mapping) else None
            told = type(found).__name__ if missing is None else f"one without {', '.join(missing)}"
            raise ContractError(Problem(self.place, f"a dict with {', '.join(given)} returned", told))
        result = {name: found[name] for name in given}
        # albumentations stacks masks, and so gives them one dtype
        if "mask" in result:
            result["mask"] = _as_ids(result["mask"], given["mask"])
        if "masks" in result and len(result["masks"]) == len(given["masks"]):
            result["masks"] = list(map(_as_ids, result["masks"], given["masks"]))
        # where targets are not seen, the image must stay where it is
        size = np.shape((given if self.light_alone else result)["image"])[:2]
        for name, before in given.items():
            pairs = (
                list(zip(before, result[name], strict=False)) if name == "masks" else [(before, result[name])]
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
                    raise ContractError(Problem(self.place, f"{expected} returned", told))
        return result


def _as_ids(found: Any, before: np.ndarray) -> Any:
    """A mask in the dtype that it had, where both hold whole numbers."""
    whole = isinstance(found, np.ndarray) and found.dtype.kind in "biu" and before.dtype.kind in "biu"
    return found.astype(before.dtype, copy=False) if whole else found
