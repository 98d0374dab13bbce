"""Interleaves sequences evenly, in fixed proportions, with a formula for each position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Interleaving:
    """Computes which sequence is at a position, and how often it occurred before.

    Sequences are joined in pairs, the two lightest first. A pair divides its positions evenly, so the position in each
    member is a formula. The rounding of a pair reaches its members in proportion to their share. As the lightest are
    joined first, a pair has at most two thirds of the weight of the next, so all roundings add up to less than two
    positions.

    Args:
        weights: one positive number per sequence; only their ratio counts.

    >>> which, before = Interleaving([2, 1]).at(np.arange(6))
    >>> which.tolist(), before.tolist()
    ([0, 1, 0, 0, 1, 0], [0, 0, 1, 2, 1, 3])
    """

    def __init__(self, weights: Sequence[float]) -> None:
        nodes: list[tuple[float, int, Any]] = [(w, -number, number) for number, w in enumerate(weights)]
        while len(nodes) > 1:
            nodes.sort(key=lambda node: node[:2])  # ties keep the given order
            (light, _, right), (heavy, first, left) = nodes[:2]
            nodes[:2] = [(light + heavy, first, (heavy / (light + heavy), left, right))]
        self._count = len(weights)
        self._tree = nodes[0][2]

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sequence at each of the positions ``(n,)``, and how often it occurs before: two int64 arrays."""
        which, before = np.empty((2, len(places)), np.int64)
        todo: list[tuple[Any, np.ndarray, np.ndarray]] = [
            (self._tree, np.arange(len(places)), np.asarray(places, np.int64))
        ]
        while todo:
            node, where, at = todo.pop()
            if isinstance(node, int):
                which[where], before[where] = node, at
                continue
            share, left, right = node
            lefts = _appearances(at, share)
            here = _appearances(at + 1, share) > lefts
            todo.append((left, where[here], lefts[here]))
            todo.append((right, where[~here], (at - lefts)[~here]))
        return which, before

    def counts(self, length: int) -> list[int]:
        """Return how often each sequence occurs in the first positions."""
        counts = [0] * self._count
        todo: list[tuple[Any, int]] = [(self._tree, length)]
        while todo:
            node, count = todo.pop()
            if isinstance(node, int):
                counts[node] = count
                continue
            share, left, right = node
            lefts = int(_appearances(np.array(count), share))
            todo += [(left, lefts), (right, count - lefts)]
        return counts

    def fewest(self, counts: Sequence[int]) -> int:
        """Return the fewest positions in which each sequence occurs as often as given."""
        low, high = 0, max(counts)
        while not self._reached(high, counts):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._reached(middle, counts) else (middle, high)
        return high

    def _reached(self, length: int, counts: Sequence[int]) -> bool:
        return all(n >= count for n, count in zip(self.counts(length), counts, strict=True))


def _appearances(places: np.ndarray, share: float) -> np.ndarray:
    """Return how often a sequence with this share occurs in the first ``places``, off by at most a half."""
    return np.floor(places * share + 0.5).astype(np.int64)
