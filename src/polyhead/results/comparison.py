"""Compares two models on the same rows, and distinguishes differences from noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from polyhead.errors import ContractError, Problem
from polyhead.extras import requiring
from polyhead.results.bootstrap import interval
from polyhead.results.text_table import one_line, short_number, text_table


@dataclass(frozen=True)
class Difference:
    """One metric of two models.

    Attributes:
        head: the name of the head.
        metric: the name of the metric.
        value: the value for the first model.
        other: the value for the second model.
        difference: the first minus the second.
        low: the lower end of the interval of the difference.
        high: the upper end.
        better: ``"first"``, ``"second"``, or ``""`` if the interval contains 0, so the difference may be noise.
    """

    head: str
    metric: str
    value: float
    other: float
    difference: float
    low: float
    high: float
    better: str


class Comparison(tuple[Difference, ...]):
    """The metrics that two models have in common, each with the interval of its difference.

    Print it for a table. It is a tuple of `Difference`.
    """

    @property
    def differing(self) -> tuple[Difference, ...]:
        """The metrics in which one model is better, beyond chance."""
        return tuple(difference for difference in self if difference.better)

    def to_pandas(self) -> Any:
        """Return a frame with a column for each attribute of `Difference`."""
        with requiring("to_pandas()", "pandas", "pandas"):
            import pandas as pd

        return pd.DataFrame([difference.__dict__ for difference in self])

    def __str__(self) -> str:
        rows = [
            (
                d.head,
                one_line(d.metric, 64),
                short_number(d.value),
                short_number(d.other),
                f"{d.difference:+.4g}",
                f"[{short_number(d.low)}, {short_number(d.high)}]",
                f"{d.better} is better" if d.better else "may be noise",
            )
            for d in self
        ]
        return text_table(("head", "metric", "first", "second", "difference", "interval", ""), rows)

    __repr__ = __str__


def compared(first: Mapping[str, Any], second: Mapping[str, Any], level: float) -> Comparison:
    """Compare two evaluations of the same rows, sample by sample.

    Raises:
        ContractError: they have no head in common.
    """
    alike = [name for name in first if name in second and type(first[name].judge) is type(second[name].judge)]
    if not alike:
        expected = f"a head of the same kind among {', '.join(first)}"
        raise ContractError(Problem("compare(other)", expected, f"only {', '.join(second)}"))
    return Comparison(d for name in alike for d in _differences(name, first[name], second[name], level))


def _differences(name: str, first: Any, second: Any, level: float) -> Iterator[Difference]:
    for metric in first:
        if metric not in second:
            continue
        values = first[metric].value, second[metric].value
        low, high = interval(first.resamples[metric] - second.resamples[metric], level)
        better = "first" if low > 0 else "second" if high < 0 else ""
        if better and metric.partition("[")[0] in first.judge.less_is_better:
            better = "second" if better == "first" else "first"
        yield Difference(name, metric, *values, values[0] - values[1], low, high, better)
