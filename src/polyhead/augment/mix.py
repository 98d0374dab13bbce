"""The augmentations that combine rows: MixUp, CutMix, Mosaic.

The other rows are drawn from the whole source, not from the batch. The choice of rows, shares and positions depends
only on (seed, epoch, sample id). Each row is augmented before it is mixed.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from polyhead.augment.augmentation import Augmentation
from polyhead.hashing import uniform
from polyhead.kinds.mixed_labels import BLEND, PATCH, Mixing

NODES = 4096
"""The number of cells for the numerical integration of the beta distribution."""


class Mixer(Augmentation):
    """An augmentation that combines several rows into one.

    Its random numbers decide whether it happens, then which other rows it takes, then its parameters.
    """

    way: ClassVar[str]
    """`BLEND` or `PATCH`."""

    components: ClassVar[int] = 2
    """The number of rows that are combined, the row itself included."""

    def draw(
        self, seed: int, epoch: int, ids: np.ndarray, stream: int, rows: int, size: tuple[int, int]
    ) -> tuple[np.ndarray, Mixing]:
        """Draw the components of rows.

        Args:
            seed: any integer.
            epoch: from 0 on.
            ids: the rows, int64 ``(B,)``.
            stream: see `hashing.stream`.
            rows: the number of rows in the source, from which the other rows are drawn.
            size: (height, width) of the model's input images.

        Returns:
            The ids of the components, int64 ``(K, B)``, starting with the row itself (repeated for rows that are not
            mixed), and how they are mixed.
        """
        drawn = uniform(seed, epoch, ids, stream, self.draws)
        others = np.minimum((drawn[:, 1 : self.components] * rows).astype(np.int64), rows - 1)
        happens = self.happens(drawn)
        if self.way == PATCH and self.components == 2:  # a patch of the row itself only cuts its boxes in two
            happens = happens & (others[:, 0] != ids)
        components = np.concatenate([ids[None], np.where(happens, others.T, ids)])
        return components, self.mixing(drawn[:, self.components :], happens, size)

    @abstractmethod
    def mixing(self, drawn: np.ndarray, happens: np.ndarray, size: tuple[int, int]) -> Mixing:
        """Draw how the components are mixed.

        Args:
            drawn: ``(B, n)``, random numbers for the parameters.
            happens: bool ``(B,)``; rows with False consist of the first component only.
            size: (height, width) of the frame.
        """


@dataclass(frozen=True, repr=False)
class MixUp(Mixer):
    """Blend each row with another: inputs and labels are weighted means, with weights from Beta(alpha, alpha).

    Works on images and on numbers. After Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.

    - Labels of `Binary`, `MultiLabel`, ``Categorical(one_hot=True)``, `Regression` and binary `Mask` heads are averaged
      by share and weight; a row without a label does not count.
    - `Boxes` of both rows are kept, weighted by the share of their row, with all labels that belong to them
      (``each=``).
    - Class ids, `Embedding` and `Keypoints` of a whole row raise an error when the feed is made, as they cannot be
      averaged.

    Attributes:
        alpha: the parameter of the distribution, in (0, 100]: below 1 one row usually dominates, at 1 all shares are
            equally likely, above 1 shares near one half are.

    >>> MixUp(0.4, p=0.5)
    MixUp(0.4, p=0.5)
    """

    alpha: float = 0.2

    way = BLEND
    draws = 3
    ranges = ("alpha in (0, 100]",)
    stream_name = "Mixup"  # a former name, kept so that seeds draw the same numbers

    def mixing(self, drawn: np.ndarray, happens: np.ndarray, size: tuple[int, int]) -> Mixing:
        shares = np.where(happens, beta_shares(self.alpha, drawn[:, 0]), 1.0)
        return Mixing(np.stack([shares, 1 - shares]), size)


@dataclass(frozen=True, repr=False)
class CutMix(Mixer):
    """Paste a rectangle of another row's image into each image, at the same position.

    Its area is drawn from Beta(alpha, alpha) and its center uniformly; it is clipped to the image. After Yun
    et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", 2019.

    - Labels of `Binary`, `MultiLabel` and ``Categorical(one_hot=True)`` heads are averaged by area and weight.
    - `Mask` labels of every kind are cut like the image, together with their weights.
    - `Boxes` of both rows are clipped to their visible part, and dropped below their ``min_visible``; labels that
      belong to a box (``each=``) go with it, and points and masks among them are cut too.
    - `Regression`, class ids, `Embedding` and `Keypoints` of a whole row, and inputs other than images, raise an
      error when the feed is made.

    Attributes:
        alpha: the parameter of the distribution, in (0, 100]; at 1 all areas are equally likely.

    >>> CutMix()
    CutMix(1.0)
    """

    alpha: float = 1.0
    _: KW_ONLY
    p: float = 0.5

    way = PATCH
    draws = 5
    ranges = ("alpha in (0, 100]",)
    stream_name = "Cutmix"  # as for `MixUp`

    def mixing(self, drawn: np.ndarray, happens: np.ndarray, size: tuple[int, int]) -> Mixing:
        frame = np.array([size[1], size[0]])
        half = np.sqrt(1 - beta_shares(self.alpha, drawn[:, :1])) * frame / 2
        center = drawn[:, 1:] * frame
        low = np.floor(np.maximum(center - half, 0) + 0.5).astype(np.int64)
        high = np.floor(np.minimum(center + half, frame) + 0.5).astype(np.int64)
        pasted = np.where(happens[:, None], np.concatenate([low, high], 1), 0)
        whole = np.broadcast_to(np.array([0, 0, *frame]), pasted.shape)
        share = _areas(pasted) / (size[0] * size[1])
        patches = np.stack([whole, pasted])
        return Mixing(
            np.stack([1 - share, share]), size, patches, np.zeros((*patches.shape[:2], 2), np.int64)
        )


@dataclass(frozen=True, repr=False)
class Mosaic(Mixer):
    """Combine random crops of four images around a common corner; no pixel is resampled.

    The corner is drawn from the middle half of the image. After Bochkovskiy et al., "YOLOv4: Optimal
    Speed and Accuracy of Object Detection", 2020, without its enlarged canvas. Labels are treated as in `CutMix`.

    >>> Mosaic(p=0.3)
    Mosaic(p=0.3)
    """

    _: KW_ONLY
    p: float = 0.5

    way = PATCH
    components = 4
    draws = 14

    def mixing(self, drawn: np.ndarray, happens: np.ndarray, size: tuple[int, int]) -> Mixing:
        frame = np.array([size[1], size[0]])
        x, y = np.floor((0.25 + drawn[:, :2] / 2) * frame + 0.5).astype(np.int64).T
        x, y = np.where(happens, x, frame[0]), np.where(happens, y, frame[1])
        none, right, low = np.zeros_like(x), np.full_like(x, frame[0]), np.full_like(y, frame[1])
        quarters = [(none, none, x, y), (x, none, right, y), (none, y, x, low), (x, y, right, low)]
        patches = np.stack([np.stack(quarter, 1) for quarter in quarters])
        # the number of possible positions of each crop in its image, and the position drawn
        room = frame - (patches[..., 2:] - patches[..., :2]) + 1
        corner = np.floor(drawn[:, 2:].reshape(-1, 4, 2).swapaxes(0, 1) * room).astype(np.int64)
        return Mixing(_areas(patches) / (size[0] * size[1]), size, patches, patches[..., :2] - corner)


def _areas(patches: np.ndarray) -> np.ndarray:
    sides = patches[..., 2:] - patches[..., :2]
    areas: np.ndarray = sides[..., 0] * sides[..., 1]
    return areas


def beta_shares(alpha: float, drawn: np.ndarray) -> np.ndarray:
    """Map uniform numbers to Beta(alpha, alpha) by a table of its quantiles.

    >>> beta_shares(1.0, np.array([0.0, 0.25, 0.5])).round(9).tolist()
    [0.0, 0.25, 0.5]
    """
    below, power, nodes = _quantiles(float(alpha))
    mirrored = np.minimum(drawn, 1 - drawn)
    shares = np.interp(mirrored, below, nodes) ** power
    return np.where(drawn > 0.5, 1 - shares, shares)


@lru_cache(maxsize=16)
def _quantiles(alpha: float) -> tuple[np.ndarray, float, np.ndarray]:
    """The cumulative distribution of Beta(alpha, alpha) at nodes in the lower half, stored as ``x ** (1 / power)``.

    The density is ``x ** (alpha - 1) * (1 - x) ** (alpha - 1)``, with a pole at 0 for alpha below 1. Over
    ``v = x ** alpha`` it is ``(1 - x) ** (alpha - 1)``, which has no pole there.
    """
    power = 1 / min(alpha, 1.0)
    nodes = np.linspace(0, 0.5 ** (1 / power), NODES + 1)
    at, weights = np.polynomial.legendre.leggauss(4)
    width = np.diff(nodes)[:, None] / 2
    x = (nodes[:-1, None] + width + at * width) ** power
    density = (1 - x) ** (alpha - 1) * (1 if alpha <= 1 else x ** (alpha - 1))
    below = np.concatenate([[0.0], np.cumsum((density * weights * width).sum(1))])
    return below / (2 * below[-1]), power, nodes
