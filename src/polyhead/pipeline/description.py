"""Summarizes the data of a feed in a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.errors import counted
from polyhead.kinds.missing import spread_over
from polyhead.notebook import html_table, small_histogram
from polyhead.pipeline.assembler import Assembler
from polyhead.progress import shown_while

BINS, MOST_CLASSES = 12, 40


@dataclass(frozen=True)
class HeadSummary:
    """A summary of one head's labels.

    Attributes:
        name: the name of the head.
        kind: the declaration of the head.
        rows: the number of rows in the source.
        labeled: the number of rows with at least one label that counts, or annotated as having none.
        distribution: the distribution of the labels that count, in words.
        histogram: the counts of classes, or of numbers in 12 intervals from the smallest to the largest.
    """

    name: str
    kind: str
    rows: int
    labeled: int
    distribution: str
    histogram: tuple[int, ...] = ()

    @property
    def coverage(self) -> float:
        """The share of rows with a label that counts, 0–1."""
        return self.labeled / self.rows


@dataclass(frozen=True)
class Description:
    """A summary of the data of a feed, to print or to read its attributes.

    Attributes:
        rows: the number of rows in the source.
        inputs: ``{name: (dtype, shape)}``.
        heads: a summary of each head.
    """

    rows: int
    inputs: dict[str, tuple[str, tuple[int, ...]]]
    heads: tuple[HeadSummary, ...]

    def __str__(self) -> str:
        lines = [counted(self.rows, "row")]
        lines += [f"  input {name:<12} {dtype} {shape}" for name, (dtype, shape) in self.inputs.items()]
        lines += [
            f"  head  {h.name:<12} {h.coverage:6.1%} labeled ({h.labeled:,})   {h.distribution}"
            + (f"   {small_histogram(h.histogram)}" if h.histogram else "")
            for h in self.heads
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (
                h.name,
                h.kind,
                f"{h.coverage:.1%} ({h.labeled:,})",
                h.distribution,
                small_histogram(h.histogram),
            )
            for h in self.heads
        ]
        inputs = ", ".join(f"{name}: {dtype} {shape}" for name, (dtype, shape) in self.inputs.items())
        header = ("head", "kind", "labeled", "labels", "histogram")
        return html_table(counted(self.rows, "row"), header, rows, f"inputs: {inputs}")


def _small_counts(head: Any, labels: np.ndarray, valid: np.ndarray) -> tuple[int, ...]:
    """The counts of classes, or of numbers in intervals; empty for few or many classes, and for large labels."""
    if head.names:
        shown = 2 < len(head.names) <= MOST_CLASSES and head.inner.view in ("class", "classes")
        # one count per class for exclusive classes, else the counts of zeros and ones: take the last
        counts = head.count(labels, valid).astype(int).reshape(len(head.names), -1)[:, -1] if shown else ()
        return tuple(int(count) for count in counts)
    if head.inner.view != "numbers" or head.inner.layer is not None:
        return ()
    numbers = head.unscaled(labels)[spread_over(valid, labels)].astype(np.float64)
    return tuple(np.histogram(numbers, bins=BINS)[0].tolist()) if len(numbers) > 1 and np.ptp(numbers) else ()


def describe(assembler: Assembler, rows: int, declared: Mapping[str, Any]) -> Description:
    """Read all labels once and summarize them; for large labels, the distribution covers only the first rows.

    Args:
        declared: all heads; those without labels in the assembler count as unlabeled.
    """
    heads = []
    for name, head in declared.items():
        labels = assembler.labels.get(name)
        if labels is None:
            heads.append(HeadSummary(name, repr(head), rows, 0, "not read: for predict only"))
            continue
        labeled, arrays, valids, size = 0, [], [], 0
        for piece, valid in shown_while(f"describing {name}", labels.all_rows(), rows):
            labeled += int(labels.annotated_rows(piece, valid).sum())
            if size < 1 << 26:
                arrays.append(piece.labels)
                valids.append(valid)
                size += piece.labels.nbytes
        first_rows = np.concatenate(arrays), np.concatenate(valids)
        words, counted = labels.head.describe(*first_rows), _small_counts(labels.head, *first_rows)
        heads.append(HeadSummary(name, repr(labels.head), rows, labeled, words, counted))
    return Description(rows, {n: (k.dtype, k.shape) for n, k in assembler.inputs.items()}, tuple(heads))
