"""Combines augmentations: draws their random numbers for a batch and turns them into a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polyhead.augment.augmentation import Augmentation, Geometric, Photometric
from polyhead.augment.color import Color
from polyhead.augment.custom import Apply
from polyhead.augment.plan import Plan, Size, StageDraws
from polyhead.errors import ContractError, Problem, require_choice, shown
from polyhead.hashing import bits, stream, uniform
from polyhead.images import geometry


@dataclass
class Stage:
    """The augmentations up to and including an `Apply`, each with its random stream."""

    geometric: list[tuple[Geometric, int]] = field(default_factory=list)
    photometric: list[tuple[Photometric, int]] = field(default_factory=list)
    apply: tuple[Apply, int] | None = None


class Joint:
    """Augmentations that are applied to a sample together.

    Args:
        fit: how the image, or the window cropped from it, is resized to the target: ``"stretch"``, ``"contain"`` or
            ``"cover"``, see `geometry.resize`.
        min_visible: the smallest share of a box that must stay in the frame for the box to be kept, in [0, 1].

    Raises:
        ContractError: for an object that is not an augmentation.

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
        self._stages = [Stage()]
        counts: dict[str, int] = {}
        for position, augmentation in enumerate(self.augmentations):
            name = getattr(augmentation, "stream_name", "")
            stream_id = stream(name, counts.get(name, 0))
            counts[name] = counts.get(name, 0) + 1
            if isinstance(augmentation, Geometric):
                self._stages[-1].geometric.append((augmentation, stream_id))
            elif isinstance(augmentation, Photometric):
                self._stages[-1].photometric.append((augmentation, stream_id))
            elif isinstance(augmentation, Apply):
                self._stages[-1].apply = augmentation, stream_id
                self._stages.append(Stage())
            else:
                fix = "Wrap a function, or an albumentations pipeline, in Apply(...)."
                if isinstance(augmentation, (list, tuple)):
                    fix = "Give its augmentations one by one."
                if isinstance(augmentation, type) and issubclass(augmentation, Augmentation):
                    fix = f"Make one of it: ph.{augmentation.__name__}(...)."
                found = f"{shown(augmentation)} at position {position}"
                raise ContractError(Problem("augmentations", "augmentations such as Flip()", found, fix))

    @property
    def uncovers(self) -> bool:
        """True if an output can show pixels from outside its image."""
        return self.fit == "contain" or any(
            a.uncovers if isinstance(a, Geometric) else isinstance(a, Apply) and not a.photometric_only
            for a in self.augmentations
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
        """Draw the augmentations of the samples of a batch.

        Args:
            epoch: from 0 on.
            ids: the samples' ids, ``(B,)``.
            sizes: (height, width) of their images, whole and upright, ``(B, 2)``.
            target: (height, width) of the output.
            orientations: Exif orientations ``(B,)``, 1 to 8, if masks, boxes and keypoints refer to the pixels as
                stored and must be turned with the image; None if they refer to the upright image.
        """
        ids, sizes = np.asarray(ids, np.int64), np.asarray(sizes, np.int64).reshape(-1, 2)
        stages = [self._draw(stage, epoch, ids) for stage in self._stages]
        matrices = np.broadcast_to(stages[0].matrices(sizes, target, self.fit), (len(ids), 3, 3))
        turns = [1] * len(ids) if orientations is None else [int(o) for o in orientations]
        target = int(target[0]), int(target[1])
        return Plan(target, sizes, matrices, turns, stages, self.fit, self.min_visible)

    def descriptions(self, epoch: int, ids: Sequence[int] | np.ndarray) -> list[list[str]]:
        """Describe in words how each sample is changed.

        >>> from polyhead.augment import Blur, Flip, Rotate
        >>> Joint([Flip(p=1.0), Rotate(10), Blur(1.5, p=1.0)], seed=7).descriptions(0, [3])
        [['Flip left-right', 'Rotate -8°', 'Blur']]
        """
        descriptions: list[list[str]] = [[] for _ in ids]
        for drawn in (self._draw(stage, epoch, np.asarray(ids, np.int64)) for stage in self._stages):
            for move, numbers in drawn.geometric:
                for words, row in zip(descriptions, numbers, strict=True):
                    words += move.descriptions(row)
            for augmentation, parameters in drawn.photometric:
                for words, values in zip(descriptions, parameters, strict=True):
                    words += [] if values is None else [type(augmentation).__name__]
            for words, key in zip(descriptions, drawn.keys, strict=True):
                words += [] if key is None else ["Apply"]
        return descriptions

    def _draw(self, stage: Stage, epoch: int, ids: np.ndarray) -> StageDraws:
        photometric: list[tuple[Photometric, list[Any]]] = []
        for augmentation, stream_id in stage.photometric:
            drawn = uniform(self.seed, epoch, ids, stream_id, augmentation.draws)
            seeds = bits(self.seed, epoch, ids, stream_id, augmentation.draws + 1)[:, -1]
            happens = augmentation.happens(drawn)
            parameters = [
                values if on else None
                for values, on in zip(augmentation.parameters(drawn, seeds), happens, strict=True)
            ]
            if isinstance(augmentation, Color) and photometric and isinstance(photometric[-1][0], Color):
                parameters = [
                    b if a is None else a if b is None else b @ a
                    for a, b in zip(photometric.pop()[1], parameters, strict=True)
                ]
            photometric.append((augmentation, parameters))
        geometric = [
            (move, uniform(self.seed, epoch, ids, stream_id, move.draws))
            for move, stream_id in stage.geometric
        ]
        if stage.apply is None:
            return StageDraws(geometric, photometric, None, [None] * len(ids))
        apply, stream_id = stage.apply
        happens = apply.happens(uniform(self.seed, epoch, ids, stream_id, 1))
        seeds = bits(self.seed, epoch, ids, stream_id, 2)[:, 1]
        keys = [key if on else None for key, on in zip(seeds.tolist(), happens, strict=True)]
        return StageDraws(geometric, photometric, apply, keys)
