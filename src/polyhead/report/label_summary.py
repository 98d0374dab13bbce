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
    asked: dict[str, np.ndarray] = {}  # for heads named in another head's `given`: the rows where they are 1
    coverage: dict[str, Coverage] = {}

    def read(name: str) -> None:
        if name in coverage:
            return
        given = feed.labeled[name].given
        if given is not None:
            read(given)
        wanted = None if given is None else asked[given]
        awaited = any(head.given == name for head in feed.labeled.values())
        coverage[name], ones = _coverage_of(labels[name], views[name], wanted, awaited)
        if awaited:
            asked[name] = ones

    for name in feed.labeled:
        read(name)
    return {name: coverage[name] for name in feed.labeled}


def _coverage_of(
    labels: Labels, view: View, wanted: np.ndarray | None, awaited: bool
) -> tuple[Coverage, np.ndarray]:
    rows = labeled = size = 0
    ones = []
    for piece, valid in shown_while(f"reading {labels.name}", labels.all_rows(), len(labels)):
        here = labels.annotated_rows(piece, valid)
        view.add(view.head.unscaled(piece.labels), valid)
        if awaited:
            ones.append(here & (piece.labels[:, 0] == 1))
        labeled += int(here.sum())
        rows += len(here)
        size += piece.labels.nbytes
        if rows >= MOST_ROWS or size >= MOST_BYTES:
            break
    unasked = 0 if wanted is None else int((~wanted[:rows]).sum())
    labeled = min(labeled, rows - unasked)
    every = np.concatenate(ones) if ones else np.zeros(0, bool)
    return Coverage(rows, labeled, unasked, tuple(view.charts())), every
