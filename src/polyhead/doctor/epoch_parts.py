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

    def label_keys(self, later: EpochPart) -> dict[Path, tuple[np.ndarray, np.ndarray]]:
        """Return a hash per row here and in a later part, for each array of labels that all batches have."""
        paths = set.intersection(*(set(batch) for batch in (*self.labels, *later.labels)))
        here, there = (
            {path: np.concatenate([batch[path] for batch in part.labels]) for path in paths}
            for part in (self, later)
        )
        return {path: (here[path], there[path]) for path in sorted(paths, key=str)}

    def labels_that_moved(
        self, rows: np.ndarray, later: EpochPart, later_rows: np.ndarray
    ) -> dict[Path, np.ndarray]:
        """Return the labels that moved between these rows and those of a later part, and in which of the rows.

        Labels with few values are often the same after shuffling: each array is compared with what chance would leave.
        """
        moved: dict[Path, np.ndarray] = {}
        for path, (before, after) in self.label_keys(later).items():
            _, counts = np.unique(before[rows], return_counts=True)
            by_chance = 1 - float(((counts / len(rows)) ** 2).sum())
            differ = before[rows] != after[later_rows]
            if differ.sum() > 1 and differ.mean() > _MOVED * by_chance:
                moved[path] = differ
        return moved
