"""Mixes several rows into one: their images, labels, weights and boxes.

A mixed row has K components with shares that sum to 1. Either all are blended, weighted by their shares, or each fills
a rectangle of the image, and its share is the fraction of the image where it is visible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.errors import BadValue

BLEND, PATCH = "blend", "patch"
"""The two ways of mixing: blended, or side by side."""

_ROUNDING = 1e-3
"""Edges of boxes and patches this close, in pixels, are the same: normalized boxes are rounded to float32."""


@dataclass(frozen=True)
class Mixing:
    """The way in which rows are mixed from K components each.

    Attributes:
        shares: float64 ``(K, B)``; the components of a row sum to 1.
        size: (height, width) of the frame that patches are in.
        patches: int64 ``(K, B, 4)``, ``xyxy`` in pixels of the frame: the rectangle of each component; later ones cover
            earlier ones. None if all are blended.
        shifts: int64 ``(K, B, 2)``, the offset (x, y) from a component's own coordinates to those of the result.

    >>> half = Mixing(np.array([[0.5], [0.5]]))
    >>> half.image(np.array([[[0.0, 1.0]], [[1.0, 1.0]]], np.float32)).tolist()
    [[0.5, 1.0]]
    """

    shares: np.ndarray
    size: tuple[int, int] = (1, 1)
    patches: np.ndarray | None = None
    shifts: np.ndarray | None = None

    def image(self, components: np.ndarray) -> np.ndarray:
        """Mix images, or other inputs, of the components.

        Args:
            components: ``(K, B, ...)``; with patches, ``(K, B, H, W, ...)`` of any size.

        Returns:
            The mixed inputs, ``(B, ...)`` of the same dtype; integers are rounded.
        """
        if self.patches is not None:
            return self.cut(components)
        shares = self.shares.astype(np.float32).reshape(*self.shares.shape, *[1] * (components.ndim - 2))
        mixed = np.multiply(components[0], shares[0], dtype=np.float32)
        for component, share in zip(components[1:], shares[1:], strict=True):
            mixed += np.multiply(component, share, dtype=np.float32)
        return np.rint(mixed).astype(components.dtype) if components.dtype.kind in "iu" else mixed

    def cut(self, components: np.ndarray) -> np.ndarray:
        """Paste the patches of arrays ``(K, B, H, W, ...)`` into one, ``(B, H, W, ...)``.

        An array whose size differs from the frame's is cut at the nearest edges of its own pixels.
        """
        pasted = np.empty(components.shape[1:], components.dtype)
        for k, i, target, source in self._slices(*components.shape[2:4]):
            pasted[i][target] = components[k, i][source]
        return pasted

    def alone(self, components: np.ndarray) -> np.ndarray:
        """The visible parts of arrays ``(K, B, m, H, W, ...)``, each separately: 0 outside of its component's patch."""
        if self.patches is None or self.shifts is None:
            return components
        visible = np.zeros_like(components)
        for k, i, target, source in self._slices(*components.shape[3:5]):
            visible[:k, i, :, *target] = 0  # later patches cover earlier ones
            visible[k, i, :, *target] = components[k, i, :, *source]
        return visible

    def _slices(
        self, height: int, width: int
    ) -> Iterator[tuple[int, int, tuple[slice, slice], tuple[slice, slice]]]:
        """Yield component, row, and where its patch is in the result and in the component, for arrays of a size."""
        assert self.patches is not None
        assert self.shifts is not None
        xyxy = np.concatenate([self.patches, self.shifts], -1)
        sides, frame = np.tile([width, height], 3), np.tile(self.size[::-1], 3)
        # halves are rounded up, so no patch exceeds the array
        xyxy = (2 * xyxy * sides + frame) // (2 * frame)
        for k, i in np.ndindex(*self.shares.shape):
            x0, y0, x1, y1, x, y = xyxy[k, i].tolist()
            target = slice(y0, y1), slice(x0, x1)
            yield k, i, target, (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))

    def mean(self, labels: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Average labels weighted by share times weight; the new weight is the sum of these.

        For a loss that is linear in the label, as a cross-entropy, this gives the components' losses weighted by their
        shares; for the squared error, it does so up to a constant. A component without a label has weight 0; if none
        has a label, the result is 0.

        Args:
            labels: float32 ``(K, B, ...)``.
            weights: float32 ``(K, B, ...)``, with as many axes as labels or fewer; None if all are 1.

        Returns:
            Labels and weights without the first axis.
        """
        rank = self.shares.ndim if weights is None else weights.ndim
        factors = self.shares.reshape(*self.shares.shape, *[1] * (rank - 2))
        if weights is not None:
            factors = factors * weights
        total = factors.sum(0)
        mean = np.zeros(labels.shape[1:])
        for factor, label in zip(factors, labels, strict=True):
            share = np.divide(factor, total, out=np.zeros_like(total), where=total > 0)
            mean += share.reshape(*share.shape, *[1] * (label.ndim - share.ndim)) * label
        return mean.astype(np.float32), None if weights is None else total.astype(np.float32)

    def boxes(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Clip the components' boxes to what is visible.

        Args:
            boxes: float64 ``(K, B, m, 4)``, ``xyxy`` in pixels of the frame.

        Returns:
            The tight boxes around the visible part of each, and the visible fraction of its area, ``(K, B, m)``.
        """
        if self.patches is None or self.shifts is None:
            return boxes, np.ones(boxes.shape[:3])
        moved = boxes + np.tile(self.shifts, 2)[:, :, None]
        whole = moved[..., 2:] - moved[..., :2]
        low, high = _cut_to(moved[..., :2], moved[..., 2:], self.patches[:, :, None])
        shares = _area_share(low, high, whole)
        for k in range(len(boxes)):
            for later in self.patches[k + 1 :]:
                hidden_low, hidden_high = _cut_to(low[k], high[k], later[:, None])
                shares[k] -= _area_share(hidden_low, hidden_high, whole[k])
                reach_low, reach_high = hidden_low - _ROUNDING <= low[k], hidden_high + _ROUNDING >= high[k]
                across = reach_low & reach_high
                for axis in (0, 1):
                    # only a patch that spans the whole box moves one of its sides
                    spans = across[..., 1 - axis] & (hidden_high >= hidden_low).all(-1)
                    first, last = spans & reach_low[..., axis], spans & reach_high[..., axis]
                    new_low = np.where(first, hidden_high[..., axis], low[k][..., axis])
                    new_high = np.where(last, hidden_low[..., axis], high[k][..., axis])
                    low[k, ..., axis], high[k, ..., axis] = new_low, new_high
        return np.concatenate([low, high], -1), shares * (self.shares > 0)[..., None]

    def points(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map the components' points ``(K, B, m, n, 2)`` to the result; also return which of them are visible."""
        if self.patches is None or self.shifts is None:
            return points, np.ones(points.shape[:-1], bool)
        moved = points + self.shifts[:, :, None, None]
        patches = self.patches[:, :, None, None]
        visible = ((moved >= patches[..., :2]) & (moved <= patches[..., 2:])).all(-1)
        for k in range(len(points)):
            for later in patches[k + 1 :]:
                visible[k] &= ~((moved[k] > later[..., :2]) & (moved[k] < later[..., 2:])).all(-1)
        return moved, visible


def _cut_to(low: np.ndarray, high: np.ndarray, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(low, patches[..., :2]), np.minimum(high, patches[..., 2:])


def _area_share(low: np.ndarray, high: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The area from low to high as a fraction of the whole; for a box of zero width or height, by its other side."""
    extent = high - low
    sides = np.divide(np.maximum(extent, 0), whole, out=(extent >= 0).astype(np.float64), where=whole > 0)
    share: np.ndarray = sides.prod(-1)
    return share


def choose(allowed: np.ndarray, room: int, sizes: np.ndarray | None = None) -> np.ndarray:
    """Choose at most ``room`` of the allowed places.

    Args:
        allowed: which places may be chosen, bool ``(B, n)``.
        sizes: ``(B, n)``, to choose the largest; None chooses the first.

    Returns:
        The indices of the chosen places, int64 ``(B, room)``, in order, then -1.

    >>> choose(np.array([[True, False, True, True]]), 2, np.array([[1, 9, 5, 7]])).tolist()
    [[2, 3]]
    """
    count = allowed.shape[1]
    rank = np.where(allowed, 0.0 if sizes is None else -sizes, np.inf)
    first = np.argsort(rank, axis=1, kind="stable")[:, :room]
    places = np.sort(np.where(np.take_along_axis(allowed, first, 1), first, count), axis=1)
    chosen = np.full((len(allowed), room), -1, np.int64)
    chosen[:, : places.shape[1]] = np.where(places == count, -1, places)
    return chosen


def take_places(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Take values ``(B, n, ...)`` at places ``(B, room)``; 0 where a place is -1."""
    places = places.reshape(*places.shape, *[1] * (values.ndim - 2))
    taken = np.take_along_axis(values, np.maximum(places, 0), 1)
    return np.where(places < 0, values.dtype.type(0), taken)


def together(components: np.ndarray) -> np.ndarray:
    """Concatenate the entries ``(K, B, m, ...)`` of a row's components to ``(B, K * m, ...)``."""
    by_row = np.moveaxis(components, 0, 1)
    return by_row.reshape(len(by_row), -1, *components.shape[3:])


def require_soft(loss: Any) -> None:
    """Raise for a loss that accepts only labels of 0 and 1, none in between."""
    loss_name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if "hinge" in loss_name.lower():
        fix = "Give a cross-entropy, or leave the loss out."
        raise BadValue(None, "a loss that reads labels between 0 and 1, as mixed ones are", loss_name, fix)


def unmixable(found: str, fix: str = "Leave the augmentation out, or the head.") -> BadValue:
    """The error of a head whose labels cannot be mixed."""
    return BadValue(None, "labels that can be mixed", found, fix)
