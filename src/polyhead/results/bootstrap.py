"""Computes confidence intervals by resampling rows: bootstrap samples, and percentiles of the metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from polyhead.hashing import stream, uniform_in

Values = dict[str, np.ndarray]

_NUMBERS = 2_000_000
"""The most counts in memory at once."""

_DRAWN = 1 << 14
"""The most numbers drawn at once; few enough to stay in a core's cache."""


def bootstrap_counts(rows: int, resamples: int, seed: int, width: int = 1) -> Iterator[np.ndarray]:
    """Yield how often each row occurs in samples drawn with replacement, in chunks: float64 ``(samples, rows)``.

    The samples depend only on ``rows`` and ``seed``, so two models on the same rows get the same samples.

    Args:
        rows: the number of rows, and of draws in a sample.
        width: the number of items in a row; more items make chunks smaller.

    >>> [chunk.sum(1).tolist() for chunk in bootstrap_counts(5, 3, seed=0)]
    [[5.0, 5.0, 5.0]]
    """
    chunk = max(1, min(resamples, _NUMBERS // max(1, rows * width)))
    block, stream_id = max(1, _DRAWN // max(1, rows)), stream("evaluate")
    for begin in range(0, resamples, chunk):
        counts = np.empty((min(chunk, resamples - begin), rows))
        for first in range(0, len(counts), block):
            block_counts = counts[first : first + block]
            samples = range(begin + first, begin + first + len(block_counts))
            drawn = (uniform_in(samples, seed, stream_id, rows) * rows).astype(np.int64)
            drawn += rows * np.arange(len(drawn))[:, None]
            block_counts[:] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        yield counts


@dataclass(frozen=True)
class Intervals:
    """The settings of intervals.

    Attributes:
        level: the fraction of samples inside an interval; None for no intervals.
    """

    level: float | None
    resamples: int
    seed: int


class RowSamples:
    """The metrics of all heads in each bootstrap sample, computed on first use.

    Args:
        measures: a function for each head that computes the metrics ``(R,)`` from counts ``(R, rows)``.
        width: the largest average number of items in a row.
    """

    def __init__(
        self,
        measures: Mapping[str, Callable[[np.ndarray], Mapping[str, np.ndarray]]],
        rows: int,
        width: int,
        how: Intervals,
    ) -> None:
        self._measures, self._rows, self._width, self.how = measures, rows, width, how

    @cached_property
    def values(self) -> dict[str, Values]:
        """``{head: {metric: its value in each sample}}``."""
        samples: dict[str, dict[str, list[np.ndarray]]] = {head: {} for head in self._measures}
        for counts in bootstrap_counts(self._rows, self.how.resamples, self.how.seed, self._width):
            for head, measure in self._measures.items():
                for name, values in measure(counts).items():
                    samples[head].setdefault(name, []).append(values)
        return {head: {name: np.concatenate(v) for name, v in m.items()} for head, m in samples.items()}


def interval(values: np.ndarray, level: float) -> tuple[float, float]:
    """The percentiles that enclose the fraction ``level`` of the values; NaN without values.

    >>> low, high = interval(np.arange(101.0), 0.9)
    >>> round(low), round(high)
    (5, 95)
    """
    valid = values[~np.isnan(values)]
    if not len(valid):
        return float("nan"), float("nan")
    low, high = np.quantile(valid, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
