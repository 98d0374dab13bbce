"""Describes the data of a feed in a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class HeadSummary:
    """One head's labels.

    Attributes:
        name: of the head.
        kind: its declaration.
        rows: rows in the source.
        labeled: rows with at least one label that counts, or that were annotated as having none.
        distribution: of the labels that count, in words.
    """

    name: str
    kind: str
    rows: int
    labeled: int
    distribution: str

    @property
    def coverage(self) -> float:
        """The share of rows with a label that counts, 0–1."""
        return self.labeled / self.rows


@dataclass(frozen=True)
class Description:
    """A description of the data of a feed; print it, or read its parts.

    Attributes:
        rows: in the source.
        inputs: ``{name: (dtype, shape)}``.
        heads: one summary each.
    """

    rows: int
    inputs: dict[str, tuple[str, tuple[int, ...]]]
    heads: tuple[HeadSummary, ...]

    def __str__(self) -> str:
        lines = [f"{self.rows:,} rows"]
        lines += [f"  input {name:<12} {dtype} {shape}" for name, (dtype, shape) in self.inputs.items()]
        lines += [
            f"  head  {h.name:<12} {h.coverage:6.1%} labeled ({h.labeled:,})   {h.distribution}"
            for h in self.heads
        ]
        return "\n".join(lines)


def describe(assembler: Any, rows: int, declared: Mapping[str, Any]) -> Description:
    """Read all labels once and summarize them; of large ones, some thousand rows at most are kept for the summary.

    Args:
        assembler: of the feed.
        rows: in the source.
        declared: all heads; those without labels in the assembler count as unlabeled.
    """
    heads = []
    for name, head in declared.items():
        labels = assembler.labels.get(name)
        if labels is None:
            heads.append(HeadSummary(name, repr(head), rows, 0, "not read: for predict only"))
            continue
        labeled, kept, kept_counts, size = 0, [], [], 0
        for found, counts in labels.everything():
            labeled += int(labels.answered(found, counts).sum())
            if size < 1 << 26:
                kept.append(found.labels)
                kept_counts.append(counts)
                size += found.labels.nbytes
        words = labels.head.describe(np.concatenate(kept), np.concatenate(kept_counts))
        heads.append(HeadSummary(name, repr(labels.head), rows, labeled, words))
    return Description(rows, {n: (k.dtype, k.shape) for n, k in assembler.inputs.items()}, tuple(heads))
