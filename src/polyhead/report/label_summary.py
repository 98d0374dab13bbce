"""Summarizes all labels of a feed: how many count, how many are missing, and their distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from polyhead.feed import Feed
from polyhead.pipeline.label_encoder import Labels
from polyhead.progress import shown_while
from polyhead.report.views import Chart, View

MOST_ROWS = 1_000_000
MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Coverage:
    """The labels of a head over all rows.

    Attributes:
        rows: the number of rows that were read.
        labeled: rows with a label that counts, or annotated as empty.
        unasked: rows that ``given`` excludes.
        charts: charts of the labels that count.
    """

    rows: int
    labeled: int
    unasked: int
    charts: tuple[Chart, ...]

    @property
    def missing(self) -> int:
        """Rows without a label that ``given`` does not exclude."""
        return self.rows - self.labeled - self.unasked


def summarize(feed: Feed, views: Mapping[str, View]) -> dict[str, Coverage]:
    """Summarize the labels of each head, up to a million rows or a quarter of a gigabyte."""
    labels = feed._assembler.labels
    ones: dict[str, np.ndarray] = {}
    coverage: dict[str, Coverage] = {}

    def read(name: str) -> None:
        if name not in coverage:
            given = feed.labeled[name].given
            if given is not None:
                read(given)
            gives = any(head.given == name for head in feed.labeled.values())
            asked = None if given is None else ones[given]
            coverage[name], ones[name] = _coverage_of(labels[name], views[name], asked, gives)

    for name in feed.labeled:
        read(name)
    return {name: coverage[name] for name in feed.labeled}


def _coverage_of(
    labels: Labels, view: View, asked: np.ndarray | None, gives: bool
) -> tuple[Coverage, np.ndarray]:
    """The coverage of a head, and the rows in which its label is 1, bool.

    Args:
        asked: the rows in which its ``given`` head is 1; None without one.
        gives: whether other heads name it in their ``given``; otherwise the second result is empty.
    """
    rows = labeled = size = 0
    ones = [np.zeros(0, bool)]
    for piece, valid in shown_while(f"reading {labels.name}", labels.all_rows(), len(labels)):
        annotated = labels.annotated_rows(piece, valid)
        view.add(view.head.unscaled(piece.labels), valid)
        if gives:
            ones.append(annotated & (piece.labels[:, 0] == 1))
        labeled += int(annotated.sum())
        rows += len(annotated)
        size += piece.labels.nbytes
        if rows >= MOST_ROWS or size >= MOST_BYTES:
            break
    unasked = 0 if asked is None else int((~asked[:rows]).sum())
    labeled = min(labeled, rows - unasked)
    return Coverage(rows, labeled, unasked, tuple(view.charts())), np.concatenate(ones)
