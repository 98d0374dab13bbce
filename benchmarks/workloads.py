"""The data that every arm delivers, and the proof that it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Batch = tuple[Any, tuple[Any, Any]]


@dataclass(frozen=True)
class Workload:
    """Rows in memory, and how a batch is made of them.

    Attributes:
        name: ``"table"`` or ``"images"``.
        x: float32 ``(N, 10)``, or uint8 ``(N, 64, 64, 3)``.
        labels: two float32 ``(N, 1)``, or two uint8 masks ``(N, 64, 64)`` of 0 and 1.
    """

    name: str
    x: np.ndarray
    labels: tuple[np.ndarray, np.ndarray]

    def __len__(self) -> int:
        return len(self.x)

    def gather(self, ids: Any) -> Batch:
        """The batch of these rows as somebody would write it by hand: index, scale, cast."""
        first, second = self.labels
        if self.name == "table":
            return self.x[ids], (first[ids], second[ids])
        return self.x[ids] / np.float32(255), (as_masks(first[ids]), as_masks(second[ids]))


def as_masks(masks: np.ndarray) -> np.ndarray:
    """Masks as a model with two sigmoid maps wants them: float32 ``(B, H, W, 1)``."""
    return masks.astype(np.float32)[..., None]


def table(rows: int) -> Workload:
    """Ten numbers a row, a binary head and a regression head; all float32 from the start."""
    rng = np.random.default_rng(0)
    x = rng.random((rows, 10), dtype=np.float32)
    binary = (rng.random((rows, 1)) < 0.3).astype(np.float32)
    return Workload("table", x, (binary, rng.standard_normal((rows, 1)).astype(np.float32)))


def images(rows: int) -> Workload:
    """Pictures of 64 x 64 bytes with two binary masks."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (rows, 64, 64, 3), dtype=np.uint8)
    masks = [rng.integers(0, 2, (rows, 64, 64), dtype=np.uint8) for _ in range(2)]
    return Workload("images", x, (masks[0], masks[1]))


MAKE: dict[str, Callable[[int], Workload]] = {"table": table, "images": images}


def plain(workload: Workload, batch_size: int, epoch: int) -> Iterator[Batch]:
    """The generator that people write today: permute, index, scale."""
    order = np.random.default_rng(epoch).permutation(len(workload))
    for start in range(0, len(workload), batch_size):
        yield workload.gather(order[start : start + batch_size])


def digest(batches: Iterable[Batch]) -> dict[str, Any]:
    """What was delivered, whatever the order: shapes and dtypes of a row, their number, and a hash over whole rows.

    Each row is hashed with its labels, so a label that belongs to another row shows, and a single bit does too.
    """
    forms: set[str] = set()
    rows, total = 0, 0
    for x, (first, second) in batches:
        arrays = [np.asarray(a) for a in (x, first, second)]
        forms.add("; ".join(f"{a.dtype} {a.shape[1:]}" for a in arrays))
        total = (total + hashed(arrays)) % (1 << 64)
        rows += len(arrays[0])
    return {"rows": rows, "form": " | ".join(sorted(forms)), "hash": f"{total:016x}"}


def hashed(arrays: Sequence[np.ndarray]) -> int:
    """The sum over rows of a hash of each; arrays of float32, int32 and the like, of the same length."""
    words = np.concatenate([_words(a) for a in arrays], axis=1).astype(np.uint64)
    keys = np.random.default_rng(words.shape[1]).integers(1, 1 << 63, words.shape[1], dtype=np.uint64)
    row = (words * keys).sum(1, dtype=np.uint64)
    row ^= row >> np.uint64(29)
    row *= np.uint64(0xBF58476D1CE4E5B9)
    row ^= row >> np.uint64(32)
    return int(row.sum(dtype=np.uint64))


def _words(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint32)
