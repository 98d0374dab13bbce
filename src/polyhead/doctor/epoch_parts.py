"""The results of a check, and the batches of one epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from polyhead.errors import Problem
from polyhead.keras_bridge.structure import Path

_MOVED = 0.4
"""Labels moved if this share of those differ that would differ if they were shuffled."""


@dataclass
class CheckResult:
    """The result of a check: problems, notes, and what could not be checked."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def add(self, where: str, expected: str, found: str, fix: str, code: str, warning: bool = False) -> None:
        """Add a problem."""
        self.problems.append(Problem(where, expected, found, fix, code, warning))


@dataclass(frozen=True)
class EpochPart:
    """Some batches of a reading: hashes of inputs, of labels, and of each array of labels."""

    rows: list[np.ndarray]
    complete: bool
    labels: list[dict[Path, np.ndarray]]

    def labels_that_moved(
        self, at: np.ndarray, other: EpochPart, other_at: np.ndarray
    ) -> dict[Path, np.ndarray]:
        """Return the labels that moved between rows ``at`` and rows ``other_at`` of another part, and in which rows.

        Labels with few values are often the same after shuffling: each array is compared with what chance would leave.
        """
        moved: dict[Path, np.ndarray] = {}
        both = set.intersection(*(set(batch) for batch in (*self.labels, *other.labels)))
        for path in sorted(both, key=str):
            here, after = (np.concatenate([batch[path] for batch in part.labels]) for part in (self, other))
            _, counts = np.unique(here[at], return_counts=True)
            by_chance = 1 - float(((counts / len(at)) ** 2).sum())
            differ = here[at] != after[other_at]
            if differ.sum() > 1 and differ.mean() > _MOVED * by_chance:
                moved[path] = differ
        return moved
