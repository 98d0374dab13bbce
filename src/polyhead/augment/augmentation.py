"""What every augmentation has: a strength, a chance, and so many numbers that it draws.

What is drawn is a pure function of (seed, epoch, sample id), see `chance`. How several augmentations work together
is in `joint`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from polyhead.errors import ContractError, Problem, is_number, plain_fields, shown

Moved = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, repr=False)
class Augmentation(ABC):
    """What may happen to a sample.

    Attributes:
        p: the chance that it happens, in [0, 1].
    """

    _: KW_ONLY
    p: float = 1.0

    draws: ClassVar[int] = 1
    """How many uniform numbers it draws for a sample; the first decides whether it happens."""

    stream_name: ClassVar[str]
    """Names the random stream that it draws from: the class's own name, unless the class gives another one."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "stream_name" not in cls.__dict__:
            cls.stream_name = cls.__name__

    def __post_init__(self) -> None:
        plain_fields(self)
        self._between("p", 0, 1)

    def happens(self, drawn: np.ndarray) -> np.ndarray:
        """To which samples it happens, bool ``(B,)``."""
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

    def _between(
        self, name: str, low: float, high: float, *, above: bool = False, below: bool = False
    ) -> None:
        """Check a number of this class.

        Args:
            name: of the argument.
            low: the least.
            high: the greatest.
            above: whether ``low`` itself is too little.
            below: whether ``high`` itself is too much.
        """
        value = getattr(self, name)
        good = is_number(value)
        if good and low <= value <= high and not (above and value == low) and not (below and value == high):
            return
        end = "" if high == float("inf") else f"{high:g}{')' if below else ']'}"
        expected = f"a number in {'(' if above else '['}{low:g}, {end}"
        if not end:
            expected = f"a finite number {'above' if above else 'of at least'} {low:g}"
        raise ContractError(Problem(f"{type(self).__name__}({name}=)", expected, shown(value)))


class Geometric(Augmentation):
    """One that moves pixels, and with them masks, boxes and keypoints."""

    uncovers: ClassVar[bool] = True
    """Whether it may bring in pixels from outside of the image."""

    @abstractmethod
    def move(self, drawn: np.ndarray, frame: np.ndarray, target: tuple[int, int]) -> Moved:
        """What it does to some samples.

        Args:
            drawn: ``(B, draws)``, uniform in [0, 1).
            frame: ``(B, 2)``, (height, width) of each sample so far.
            target: (height, width) that all of it is resized to in the end.

        Returns:
            Matrices ``(B, 3, 3)``, and the frames afterwards, ``(B, 2)``.
        """


class Photometric(Augmentation):
    """One that changes the light of images, and nothing else."""

    @abstractmethod
    def parameters(self, drawn: np.ndarray, bits: np.ndarray) -> list[Any]:
        """What it does to each of some samples; None where nothing.

        Args:
            drawn: ``(B, draws)``, uniform in [0, 1).
            bits: ``(B,)``, uint64, for a generator.
        """

    @abstractmethod
    def apply(self, pixels: np.ndarray, parameters: Any) -> np.ndarray:
        """An image with it done; ``pixels`` may be written into."""


def plus_or_minus(drawn: np.ndarray) -> np.ndarray:
    """Numbers drawn from [0, 1) as numbers in [-1, 1)."""
    return 2 * drawn - 1
