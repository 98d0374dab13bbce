"""Mixes several rows into one: their images, labels, weights and boxes.

A mixed row has K components with shares that sum to 1. Either all are blended, weighted by their shares, or each fills
a rectangle of the image, and its share is the fraction of the image where it is visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.errors import BadValue

BLEND, PATCH = "blend", "patch"
"""The two ways of mixing: blended, or side by side."""

MIXABLE = "labels that can be mixed"

_ROUNDING = 1e-3
"""Edges of boxes and patches this close, in pixels, are the same: normalized boxes are rounded to float32."""


@dataclass(frozen=True)
class Mixing:
    """How rows are mixed from K components each.

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

    def image(self, parts: np.ndarray) -> np.ndarray:
        """Mix images, or other inputs, of the components.

        Args:
            parts: ``(K, B, ...)``; with patches, ``(K, B, H, W, ...)`` of any size.

        Returns:
            The mixed inputs, ``(B, ...)`` of the same dtype; integers are rounded.
        """
        if self.patches is not None:
            return self.cut(parts)
        shares = self.shares.astype(np.float32).reshape(*self.shares.shape, *[1] * (parts.ndim - 2))
        found = np.multiply(parts[0], shares[0], dtype=np.float32)
        for part, share in zip(parts[1:], shares[1:], strict=True):
            found += np.multiply(part, share, dtype=np.float32)
        return np.rint(found).astype(parts.dtype) if parts.dtype.kind in "iu" else found

    def cut(self, parts: np.ndarray) -> np.ndarray:
        """Paste the patches of arrays ``(K, B, H, W, ...)`` into one, ``(B, H, W, ...)``.

        An array whose size differs from the frame's is cut at the nearest edges of its own pixels.
        """
        across, down, left, up = self._cuts(*parts.shape[2:4])
        found = np.empty(parts.shape[1:], parts.dtype)
        for k, i in np.ndindex(*self.shares.shape):
            (x0, x1), (y0, y1) = across[k, i].tolist(), down[k, i].tolist()
            x, y = int(left[k, i]), int(up[k, i])
            found[i, y0:y1, x0:x1] = parts[k, i, y0 - y : y1 - y, x0 - x : x1 - x]
        return found

    def alone(self, parts: np.ndarray) -> np.ndarray:
        """The visible parts of arrays ``(K, B, m, H, W, ...)``, each separately: 0 outside of its component's patch."""
        if self.patches is None or self.shifts is None:
            return parts
        across, down, left, up = self._cuts(*parts.shape[3:5])
        found = np.zeros_like(parts)
        for k, i in np.ndindex(*self.shares.shape):
            (x0, x1), (y0, y1) = across[k, i].tolist(), down[k, i].tolist()
            x, y = int(left[k, i]), int(up[k, i])
            found[k, i, :, y0:y1, x0:x1] = parts[k, i, :, y0 - y : y1 - y, x0 - x : x1 - x]
            for later in range(k + 1, len(parts)):
                (x0, x1), (y0, y1) = across[later, i].tolist(), down[later, i].tolist()
                found[k, i, :, y0:y1, x0:x1] = 0
        return found

    def _cuts(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The x and y ranges of patches, ``(K, B, 2)``, and their shifts, in pixels of an array of the given size."""
        assert self.patches is not None
        assert self.shifts is not None
        across, down = self.patches[..., 0::2], self.patches[..., 1::2]
        left, up = self.shifts[..., 0], self.shifts[..., 1]
        return (
            self._edges(across, width, 1),
            self._edges(down, height, 0),
            self._edges(left, width, 1),
            self._edges(up, height, 0),
        )

    def _edges(self, pixels: np.ndarray, side: int, axis: int) -> np.ndarray:
        """Convert pixels of the frame to those of an array; halves are rounded up, so no patch exceeds the array."""
        whole = self.size[axis]
        found: np.ndarray = (2 * pixels * side + whole) // (2 * whole)
        return found

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
        parts = self.shares.reshape(*self.shares.shape, *[1] * (rank - 2))
        if weights is not None:
            parts = parts * weights
        total = parts.sum(0)
        found = np.zeros(labels.shape[1:])
        for part, label in zip(parts, labels, strict=True):
            own = np.divide(part, total, out=np.zeros_like(total), where=total > 0)
            found += own.reshape(*own.shape, *[1] * (label.ndim - own.ndim)) * label
        return found.astype(np.float32), None if weights is None else total.astype(np.float32)

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
        seen = ((moved >= patches[..., :2]) & (moved <= patches[..., 2:])).all(-1)
        for k in range(len(points)):
            for later in patches[k + 1 :]:
                seen[k] &= ~((moved[k] > later[..., :2]) & (moved[k] < later[..., 2:])).all(-1)
        return moved, seen


def _cut_to(low: np.ndarray, high: np.ndarray, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(low, patches[..., :2]), np.minimum(high, patches[..., 2:])


def _area_share(low: np.ndarray, high: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The area from low to high as a fraction of the whole; for a box of zero width or height, by its other side."""
    inside = high - low
    sides = np.divide(np.maximum(inside, 0), whole, out=(inside >= 0).astype(np.float64), where=whole > 0)
    share: np.ndarray = sides.prod(-1)
    return share


def choose(kept: np.ndarray, room: int, sizes: np.ndarray | None = None) -> np.ndarray:
    """Choose at most ``room`` of the kept places.

    Args:
        kept: which places may be chosen, bool ``(B, n)``.
        sizes: ``(B, n)``, to choose the largest; None chooses the first.

    Returns:
        The indices of the chosen places, int64 ``(B, room)``, in order, then -1.

    >>> choose(np.array([[True, False, True, True]]), 2, np.array([[1, 9, 5, 7]])).tolist()
    [[2, 3]]
    """
    count = kept.shape[1]
    rank = np.where(kept, 0.0 if sizes is None else -sizes, np.inf)
    first = np.argsort(rank, axis=1, kind="stable")[:, :room]
    places = np.where(np.take_along_axis(kept, first, 1), first, count)
    places = np.sort(places, axis=1)
    found = np.full((len(kept), room), -1, np.int64)
    found[:, : places.shape[1]] = np.where(places == count, -1, places)
    return found


def take_places(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Take values ``(B, n, ...)`` at places ``(B, room)``; 0 where a place is -1."""
    at = places.reshape(*places.shape, *[1] * (values.ndim - 2))
    found: np.ndarray = np.where(
        at < 0, values.dtype.type(0), np.take_along_axis(values, np.maximum(at, 0), 1)
    )
    return found


def together(parts: np.ndarray) -> np.ndarray:
    """Concatenate the entries ``(K, B, m, ...)`` of a row's components to ``(B, K * m, ...)``."""
    beside = np.moveaxis(parts, 0, 1)
    return beside.reshape(len(beside), -1, *parts.shape[3:])


def require_soft(loss: Any) -> None:
    """Raise for a loss that accepts only labels of 0 and 1, none in between."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if "hinge" in name.lower():
        fix = "Give a cross-entropy, or leave the loss out."
        raise BadValue(None, "a loss that reads labels between 0 and 1, as mixed ones are", name, fix)


def unmixable(found: str, fix: str) -> BadValue:
    """The error of a head whose labels cannot be mixed."""
    return BadValue(None, MIXABLE, found, fix)
