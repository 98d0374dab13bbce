"""Renders an evaluation as one self-contained HTML file without scripts or network access."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from polyhead.errors import counted
from polyhead.kinds import Head, Input
from polyhead.report import charts
from polyhead.report.cards import card
from polyhead.report.objects import Drawing, views
from polyhead.report.page import html_page
from polyhead.report.samples import Sample
from polyhead.report.views import Histogram, name_of
from polyhead.results.text_table import short_number

_MOST_CLASSES = 30
"""The most classes for which a confusion matrix is drawn."""

Pair = tuple[Sample, ...]
"""A row with its labels, and the same row with its predictions."""


def evaluation_page(
    evaluation: Mapping[str, Any],
    worst: Mapping[str, Sequence[Pair]],
    inputs: Mapping[str, Input],
    heads: Mapping[str, Head],
    drawn: Mapping[str, Head] | None = None,
) -> str:
    """Render an evaluation as HTML.

    Args:
        evaluation: an `Evaluation`.
        drawn: the heads in the units of the rows' labels; by default ``heads``.
    """
    rows = len(next(iter(evaluation.values())).ids)
    drawn = heads if drawn is None else drawn
    drawing = Drawing(inputs, drawn, views(dict(drawn)))
    drawing.fit_ranges(sample for pairs in worst.values() for pair in pairs for sample in pair)
    parts = [f"<header><h1>Evaluation</h1><p>{escape(_subtitle(evaluation, rows))}</p></header>"]
    parts += [_head_panel(name, repr(heads[name]), head) for name, head in evaluation.items()]
    number = 0
    for name, pairs in worst.items():
        words = [f"loss {short_number(evaluation[name].loss_of(pair[0].row))}" for pair in pairs]
        parts.append(_pair_section(f"Largest losses of {name}", pairs, words, number, drawing))
        number += 2 * len(pairs)
    return _styled_page(f"Evaluation of {counted(rows, 'row')}", parts)


def suspects_page(
    suspects: Any, pairs: Sequence[Pair], inputs: Mapping[str, Input], heads: Mapping[str, Head]
) -> str:
    """Render labels that may be wrong as HTML.

    Args:
        suspects: the `Suspects`.
    """
    first: dict[int, Any] = {}
    for suspect in suspects:
        first.setdefault(suspect.row, suspect)
    words = [_suspicion(first[pair[0].row]) for pair in pairs]
    title = f"Suspect labels of {suspects.head}"
    summary = f"{counted(len(suspects), 'label')} in {counted(len(first), 'row')}, the most suspect first"
    parts = [f"<header><h1>{escape(title)}</h1><p>{escape(summary)}</p></header>"]
    drawing = Drawing(inputs, heads, views(dict(heads)))
    drawing.fit_ranges(sample for pair in pairs for sample in pair)
    section = _pair_section("Labeled and predicted", pairs, words, 0, drawing)
    return _styled_page(title, [*parts, section])


def _suspicion(suspect: Any) -> str:
    names = [str(value) for value in suspect.names.values()]
    return ", ".join([*names, f"disagreement {short_number(suspect.disagreement)}"])


def _styled_page(title: str, parts: Sequence[str]) -> str:
    style = "".join(
        files(package).joinpath(name).read_text(encoding="utf-8")
        for package, name in (("polyhead.report", "page.css"), ("polyhead.results", "evaluation_page.css"))
    )
    return html_page(title, style, parts)


def _subtitle(evaluation: Mapping[str, Any], rows: int) -> str:
    level = next(iter(evaluation.values())).level
    words = f"{counted(rows, 'row')}, {counted(len(evaluation), 'head')}"
    return words if level is None else f"{words}; intervals of {level:.0%} by resampling rows"


def _head_panel(name: str, kind: str, head: Any) -> str:
    """Render the metrics and charts of a head."""
    labeled = f'<p class="words">{head.rows:,} of {len(head.ids):,} rows have a label</p>'
    metrics = _metrics(head) if head else ""
    details = head.details
    plots = [
        _curve_plot(details.get("curves"), "ROC", "false_positive_rate", "recall"),
        _curve_plot(details.get("curves"), "Precision over recall", "recall", "precision"),
        _reliability_plot(details.get("reliability")),
        _error_histogram(details.get("errors")),
    ]
    drawn = f'<div class="plots">{"".join(plots)}</div>' if any(plots) else ""
    return (
        f'<section class="panel"><h2>{escape(name)}</h2><code>{escape(kind)}</code>{labeled}{metrics}'
        f"{_class_table(head)}{drawn}{_confusion(details)}</section>"
    )


def _metrics(head: Any) -> str:
    titles, rows = ["metric", "value"], []
    if head.level is not None:
        titles += ["interval", ""]
    for name, metric in head.items():
        if "[" not in name:
            cells = [escape(name), short_number(metric.value)]
            if head.level is not None:
                bar = "" if name in head.judge.less_is_better else _interval_bar(metric)
                cells += [escape(metric.between), bar]
            rows.append(cells)
    return _metric_table(titles, rows)


def _metric_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Render a table of cells in HTML; the first cell of a row is its heading."""
    header = "".join(f'<th scope="col">{title}</th>' if title else "<td></td>" for title in titles)
    body = "".join(
        f'<tr><th scope="row">{heading}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for heading, *cells in rows
    )
    return (
        f'<div class="scroll"><table class="metrics"><thead><tr>{header}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _interval_bar(metric: Any) -> str:
    """Render a value between 0 and 1 and its interval as a bar; empty for other values."""
    ends = (metric.value, metric.low, metric.high)
    if not all(0 <= end <= 1 for end in ends):
        return ""
    value, low, high = (100 * end for end in ends)
    return (
        '<svg class="ends" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" y="4" width="100" height="2"/>'
        f'<rect class="range" x="{low:.2f}" y="2" width="{max(high - low, 0.5):.2f}" height="6"/>'
        f'<rect class="value" x="{max(value - 0.6, 0):.2f}" width="1.2" height="10"/></svg>'
    )


def _class_table(head: Any) -> str:
    """Render the metrics of single classes or columns, one row each."""
    kinds, rows = head.by_part()
    if not rows:
        return ""
    table = _metric_table(["", *map(escape, kinds)], [list(map(escape, row)) for row in rows])
    return f"<details><summary>{len(rows):,} classes or columns</summary>{table}</details>"


def _confusion(details: Mapping[str, Any]) -> str:
    matrix = details.get("confusion")
    if matrix is None or len(matrix) > _MOST_CLASSES:
        return ""

    def titles(scope: str) -> list[str]:
        return [
            f'<th scope="{scope}" title="{escape(str(label))}">{escape(name_of(label, 20))}</th>'
            for label in details["classes"]
        ]

    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1e-12)
    rows = "".join(
        f"<tr>{name}"
        + "".join(
            f'<td style="background:rgba(0,114,178,{0.55 * share:.2f})">{short_number(count)}</td>'
            for count, share in zip(matrix[i], shares[i], strict=True)
        )
        + "</tr>"
        for i, name in enumerate(titles("row"))
    )
    across = "".join(titles("col"))
    return (
        '<h3 class="words">Labels in rows, predictions in columns</h3><div class="scroll">'
        f'<table class="confusion"><thead><tr><td></td>{across}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


# Charts ----------------------------------------------------------------------------------------------


_DIAGONAL = '<line class="even" x1="0" y1="100" x2="100" y2="0"/>'
_AXES = {"false_positive_rate": "false positives", "recall": "recall", "precision": "precision"}


def _plot(title: str, across: str, up: str, body: str) -> str:
    """Render a square plot with the names of its axes."""
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg class="plot" viewBox="-2 -2 104 104" role="img" '
        f'aria-label="{escape(title)}"><rect class="frame" width="100" height="100"/>{body}</svg>'
        f'<p class="axis"><span>{across} →</span><span>{up} ↑</span></p></figure>'
    )


def _polyline(x: np.ndarray, y: np.ndarray) -> str:
    valid = ~(np.isnan(x) | np.isnan(y))
    points = " ".join(f"{100 * a:.1f},{100 - 100 * b:.1f}" for a, b in zip(x[valid], y[valid], strict=True))
    return f'<polyline class="line" points="{points}"/>'


def _curve_plot(curves: Mapping[str, np.ndarray] | None, title: str, across: str, up: str) -> str:
    if curves is None:
        return ""
    x, y = curves[across], curves[up]
    body = _polyline(x, y)
    if across == "false_positive_rate":
        body = _DIAGONAL + _polyline(np.r_[0, x], np.r_[0, y])
    return _plot(title, _AXES[across], _AXES[up], body)


def _reliability_plot(bins: Mapping[str, np.ndarray] | None) -> str:
    if bins is None:
        return ""
    share = bins["weight"] / max(bins["weight"].sum(), 1e-12)
    filled = bins["weight"] > 0
    dots = "".join(
        f'<circle cx="{100 * x:.1f}" cy="{100 - 100 * y:.1f}" r="{1 + 5 * s**0.5:.1f}">'
        f"<title>predicted {x:.0%}, right {y:.0%}, {s:.1%} of rows</title></circle>"
        for x, y, s in zip(bins["confidence"][filled], bins["frequency"][filled], share[filled], strict=True)
    )
    body = f"{_DIAGONAL}{_polyline(bins['confidence'], bins['frequency'])}{dots}"
    return _plot("Reliability", "probability", "share that is right", body)


def _error_histogram(errors: np.ndarray | None) -> str:
    if errors is None or not np.size(errors):
        return ""
    finite = errors[np.isfinite(errors)]
    return charts.chart(Histogram.of("Errors (predicted less labeled)", finite, bins=30))


# Rows ------------------------------------------------------------------------------------------------


def _pair_section(
    title: str, pairs: Sequence[Pair], words: Sequence[str], number: int, drawing: Drawing
) -> str:
    """Render rows with labels and predictions side by side, and a few words about each."""
    if not pairs:
        return ""
    parts = []
    for i, (pair, caption) in enumerate(zip(pairs, words, strict=True)):
        cards = [
            f"<div><h4>{word}</h4>{card(number + 2 * i + j, sample, drawing)}</div>"
            for j, (word, sample) in enumerate(zip(("labeled", "predicted"), pair, strict=True))
        ]
        parts.append(
            f'<div class="pair"><h4>row {pair[0].row:,}, {escape(caption)}</h4>'
            f'<div class="cards">{"".join(cards)}</div></div>'
        )
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"
