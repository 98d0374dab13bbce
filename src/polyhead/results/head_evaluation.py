"""The evaluation of one head: its metrics with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, counted, shown, similar
from polyhead.kinds.judging import Items, Judge
from polyhead.notebook import html_table
from polyhead.results.bootstrap import RowSamples, Values, interval
from polyhead.results.text_table import one_line, short_number, text_table


@dataclass(frozen=True)
class Metric:
    """The value of a metric, and its confidence interval.

    Attributes:
        value: the value over all rows; NaN if the rows contain nothing to measure.
        low: the lower end of the interval; NaN without intervals.
        high: the upper end.

    >>> print(Metric(0.9, 0.85, 0.94))
    0.9 [0.85, 0.94]
    """

    value: float
    low: float
    high: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return (
            short_number(self.value) if np.isnan(self.low) else f"{short_number(self.value)} {self.between}"
        )

    @property
    def between(self) -> str:
        """The interval in words; empty without one."""
        return "" if np.isnan(self.low) else f"[{short_number(self.low)}, {short_number(self.high)}]"


class HeadEvaluation(dict[str, Metric]):
    """How good a model is at one head: ``{metric: value with interval}``. Print it for tables.

    Attributes:
        rows: the number of rows with a label.
        ids: the ids of all rows.
        level: the confidence level of the intervals; None without intervals.
        items_of_rows: the numbers that the judge kept for the rows.
        details: results that are not single numbers, as arrays: for heads with up to 5,000 classes the ``confusion``
            matrix (a row for each labeled class, a column for each predicted one), and the bins of the
            ``reliability`` diagram; for binary heads also the points of the ``curves``.
    """

    def __init__(self, judge: Judge, items: Items, ids: np.ndarray, samples: RowSamples) -> None:
        self.judge, self.items_of_rows, self.ids, self._samples = judge, items, ids, samples
        counts, self._losses = _losses(items, len(ids))
        self.rows = int((counts > 0).sum())
        level = self.level = samples.how.level
        values = measured(judge, items, np.ones((1, len(ids)))) if self.rows else {}
        ends = {
            name: (np.nan, np.nan) if level is None else interval(self.resamples[name], level)
            for name in values
        }
        super().__init__({name: Metric(float(value[0]), *ends[name]) for name, value in values.items()})

    @property
    def resamples(self) -> Values:
        """The metrics in each sample of the bootstrap."""
        return self._samples.values[self.judge.name]

    @cached_property
    def details(self) -> dict[str, Any]:
        """Results that are not single numbers."""
        return self.judge.details(self.items_of_rows) if self.rows else {}

    def worst(self, n: int) -> list[int]:
        """The indices of the rows with the largest loss, the largest first."""
        order = np.argsort(-np.nan_to_num(self._losses, nan=-np.inf), kind="stable")[:n]
        return [int(i) for i in order if not np.isnan(self._losses[i])]

    def loss_of(self, row: int) -> float:
        """The loss of the row with this id; NaN if it has no label."""
        indices = np.flatnonzero(self.ids == row)
        return float(self._losses[indices[0]]) if len(indices) else float("nan")

    def __getitem__(self, name: str) -> Metric:
        return super().__getitem__(name) if isinstance(name, str) else self.__missing__(name)

    def __missing__(self, name: str) -> Metric:
        raise ContractError(no_such("metric", f"evaluation[{self.judge.name!r}]", name, self))

    def __str__(self) -> str:
        if not self:
            return f"No row has a label of head `{self.judge.name}`."
        tables = [text_table(titles, rows, left=[0], repeats=True) for titles, rows in self._tables() if rows]
        return "\n\n".join(tables)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self:
            return html_table(str(self), (), ())
        title = f"{self.judge.name}, {counted(self.rows, 'row')}"
        tables = [html_table(title, titles, rows) for titles, rows in self._tables() if rows]
        return "".join(tables)

    def _tables(self) -> list[tuple[list[str], list[list[str]]]]:
        """Titles and rows of two tables: metrics of the whole head, and metrics of single classes or columns."""
        kinds, rows = self.by_part()
        return [(titles_of(self.level), self.cells(parts=False)), (["", *kinds], rows)]

    def cells(self, parts: bool) -> list[list[str]]:
        """A row of text for each metric, see `titles_of`; with ``parts``, also for those of classes and columns."""
        return [
            [one_line(name, 64), short_number(metric.value)]
            + [metric.between] * (self.level is not None)
            + [f"{self.rows:,}"]
            for name, metric in self.items()
            if parts or "[" not in name
        ]

    def by_part(self) -> tuple[list[str], list[list[str]]]:
        """The metrics that single classes or columns have, and a row for each with its name and values."""
        parts: dict[str, dict[str, Metric]] = {}
        for name, metric in self.items():
            kind, bracket, part = name.partition("[")
            if bracket:
                parts.setdefault(part[:-1], {})[kind] = metric
        kinds = list(dict.fromkeys(kind for metrics in parts.values() for kind in metrics))
        cells = ([str(metrics.get(kind, "")) for kind in kinds] for metrics in parts.values())
        return kinds, [[one_line(part, 60), *row] for part, row in zip(parts, cells, strict=True)]


def titles_of(level: float | None) -> list[str]:
    """The titles of a table of metrics, with intervals of this confidence level if there are any."""
    return ["metric", "value", *([] if level is None else [f"{level:.0%} interval"]), "rows"]


def measured(judge: Judge, items: Items, counts: np.ndarray) -> Values:
    """Compute metrics ``(R,)`` with each row counted as often as ``counts``, ``(R, rows)``, says."""
    return judge.metrics(items, counts[:, items["row"]] * items["weight"])


def _losses(items: Items, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of items of each row, and their mean loss; NaN for a row without items."""
    present = ~np.isnan(items["loss"])
    count = np.bincount(items["row"][present], minlength=rows)
    total = np.bincount(items["row"][present], items["loss"][present], rows)
    with np.errstate(invalid="ignore"):
        return np.bincount(items["row"], minlength=rows), np.where(count > 0, total / count, np.nan)


def no_such(word: str, owner: str, name: Any, names: Mapping[str, Any]) -> Problem:
    """The problem to report for a name that an evaluation does not have."""
    where = f"{owner}[{shown(name)}]"
    if not names:
        return Problem(where, "a row with a label", "none")
    return Problem(where, f"one of {', '.join(names)}", f"no {word} of that name", similar(name, list(names)))
