"""The base classes of augmentations.

Random numbers depend only on (seed, epoch, sample id), see `hashing`. `joint` combines several augmentations.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from polyhead.errors import ContractError, Problem, is_number, shown
from polyhead.kinds.declared_class import fix_fields, with_inherited

Moved = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, repr=False)
class Augmentation(ABC):
    """A random change of a sample.

    Attributes:
        p: the probability that it happens, in [0, 1].
    """

    _: KW_ONLY
    p: float = 1.0

    draws: ClassVar[int] = 1
    """The number of uniform numbers drawn per sample; the first one decides whether the augmentation happens."""

    ranges: ClassVar[tuple[str, ...]] = ()
    """The intervals of its arguments, as ``("degrees in (0, 180]",)``."""

    stream_name: ClassVar[str]
    """The name of its random stream; by default the name of the class."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__doc__ = with_inherited(cls, Augmentation)
        if "stream_name" not in cls.__dict__:
            cls.stream_name = cls.__name__

    def __post_init__(self) -> None:
        fix_fields(self)
        for name, _, interval in (text.partition(" in ") for text in ("p in [0, 1]", *self.ranges)):
            value, (low, high) = getattr(self, name), map(float, interval[1:-1].split(", "))
            ends = {low: interval[0] == "[", high: interval[-1] == "]"}
            if not is_number(value) or not (low < value < high or ends.get(value)):
                infinite = f"a finite number of at least {low:g}"
                expected = infinite if high == math.inf else f"a number in {interval}"
                raise ContractError(Problem(f"{type(self).__name__}({name}=)", expected, shown(value)))

    def happens(self, drawn: np.ndarray) -> np.ndarray:
        """The samples that are augmented, bool ``(B,)``."""
        return drawn[:, 0] < self.p

    def __repr__(self) -> str:
        parts = []
        for k, f in enumerate(sorted(fields(self), key=lambda f: bool(f.kw_only))):
            value = getattr(self, f.name)
            if k == 0 and not f.kw_only and not isinstance(value, bool):
                parts.append(shown(value, 60))
            elif value != f.default:
                parts.append(f"{f.name}={shown(value, 60)}")
        return f"{type(self).__name__}({', '.join(parts)})"


class Geometric(Augmentation):
    """An augmentation that moves pixels, and masks, boxes and keypoints with them."""

    uncovers: ClassVar[bool] = True
    """True if the output can show pixels from outside the image."""

    def descriptions(self, drawn: np.ndarray) -> list[str]:
        """Describe how a sample changes, given its random numbers ``(draws,)``; empty if it does not."""
        return [type(self).__name__] if self.happens(drawn[None])[0] else []

    @abstractmethod
    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        """Compute the transformation of each sample.

        Args:
            drawn: ``(B, draws)``, uniform in [0, 1).
            frame: ``(B, 2)``, (height, width) of each sample so far.
            target: (height, width) of the output after all augmentations.

        Returns:
            Matrices ``(B, 3, 3)``, and the frames afterwards, ``(B, 2)``.
        """


class Photometric(Augmentation):
    """An augmentation that changes only the colors of images."""

    @abstractmethod
    def parameters(self, drawn: np.ndarray, seeds: np.ndarray) -> Iterable[Any]:
        """The parameters of each sample, if it is augmented.

        Args:
            drawn: ``(B, draws)``, uniform in [0, 1).
            seeds: ``(B,)``, uint64, for further random numbers.
        """

    @abstractmethod
    def apply(self, pixels: np.ndarray, parameters: Any) -> np.ndarray:
        """Augment an image; ``pixels`` may be overwritten."""


def plus_or_minus(drawn: np.ndarray) -> np.ndarray:
    """Map numbers in [0, 1) to [-1, 1)."""
    return 2 * drawn - 1
