"""The batches of one epoch, and the labels that moved between two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from polyhead.keras_bridge.structure import Path

_MOVED = 0.4
"""Labels moved if this share of those differ that would differ if they were shuffled."""


@dataclass(frozen=True)
class EpochPart:
    """Some batches of a reading.

    Attributes:
        rows: for each batch the hashes of its rows, uint64 ``(n, 2)``: of inputs and of labels.
        complete: whether all of the epoch was read.
        labels: for each batch a hash per row for each array of labels.
    """

    rows: list[np.ndarray]
    complete: bool
    labels: list[dict[Path, np.ndarray]]

    def keys(self, column: int) -> np.ndarray:
        """Return a hash of each row, in order: of its inputs for column 0, of its labels for 1."""
        return np.concatenate(self.rows)[:, column]

    def labels_that_moved(
        self, at: np.ndarray, other: EpochPart, other_at: np.ndarray
    ) -> dict[Path, np.ndarray]:
        """Return the labels that moved between rows ``at`` and rows ``other_at`` of another part, and in which rows.

        Labels with few values are often the same after shuffling: each array is compared with what chance would leave.
        """
        moved: dict[Path, np.ndarray] = {}
        paths = set.intersection(*(set(batch) for batch in (*self.labels, *other.labels)))
        for path in sorted(paths, key=str):
            here, after = (np.concatenate([batch[path] for batch in part.labels]) for part in (self, other))
            _, counts = np.unique(here[at], return_counts=True)
            by_chance = 1 - float(((counts / len(at)) ** 2).sum())
            differ = here[at] != after[other_at]
            if differ.sum() > 1 and differ.mean() > _MOVED * by_chance:
                moved[path] = differ
        return moved
