"""Renders charts as HTML and SVG, with all text escaped."""

from __future__ import annotations

from html import escape

import numpy as np

from polyhead.images.encode import data_uri, png
from polyhead.report.label_summary import Coverage
from polyhead.report.palette import css, shades
from polyhead.report.views import Bars, Chart, Heat, Histogram, shortly

SHADES = 64
MOST_BARS, IN_ORDER = 2000, 20
"""The most classes shown, and the most shown in order of id; with more, the most frequent ones come first."""


def coverage(counts: Coverage) -> str:
    """Render the share of a head's rows that are labeled, as a bar and in words."""
    words, segments, x = [], [], 0.0
    for state, title, count in (
        ("labeled", "labeled", counts.labeled),
        ("unasked", "not asked", counts.unasked),
        ("missing", "no label", counts.missing),
    ):
        if count or state == "labeled":
            share = count / counts.rows
            words.append(f"{share:.1%} {title} ({count:,})")
            segments.append(f'<rect class="{state}" x="{x:.3f}" y="0" width="{100 * share:.3f}" height="6"/>')
            x += 100 * share
    text = escape(" · ".join(words))
    return (
        f'<svg class="coverage" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" '
        f'aria-label="{text}">{"".join(segments)}</svg><p class="words">{text}</p>'
    )


def chart(figure: Chart) -> str:
    """Render a chart with its title."""
    if isinstance(figure, Bars):
        body = _bars_as_html(figure)
    else:
        body = _heat_as_html(figure) if isinstance(figure, Heat) else _histogram_as_svg(figure)
    return f'<figure class="chart"><figcaption>{escape(figure.title)}</figcaption>{body}</figure>'


def _heat_as_html(heat: Heat) -> str:
    words = f"{heat.title}: up to {shortly(heat.counts.max())} in one place"
    levels = np.rint(heat.counts / max(float(heat.counts.max()), 1e-9) * (SHADES - 1)).astype(np.uint8)
    picture = data_uri(png(levels, [(*color, 255) for color in shades(SHADES)]))
    return f'<img class="density" src="{picture}" alt="{escape(words)}"><p class="words">{escape(words)}</p>'


def _bars_as_html(bars: Bars) -> str:
    most = max(*bars.counts, 1)
    order = list(range(len(bars.names)))
    if len(bars.names) > IN_ORDER:
        order = np.argsort(-np.array(bars.counts), kind="stable")[:MOST_BARS].tolist()
    rows = []
    for i in order:
        share = bars.counts[i] / bars.total
        color = f' style="fill:{css(bars.colors[i])}"' if bars.colors else ""
        rows.append(
            f'<tr data-id="{i}" data-count="{bars.counts[i]}"><th scope="row">{escape(bars.names[i])}</th>'
            f'<td class="bar"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect width="{100 * bars.counts[i] / most:.2f}" height="8"{color}/></svg></td>'
            f'<td class="number">{share:.1%}</td><td class="number">{bars.counts[i]:,}</td></tr>'
        )
    hidden = len(bars.names) - len(rows)
    more = f'<p class="words">and {hidden:,} rarer classes</p>' if hidden > 0 else ""
    sort = ""
    if len(bars.names) > 3:
        sort = '<p class="sort" hidden>sort by ' + "".join(
            f'<button type="button" data-sort="{key}">{word}</button>'
            for key, word in (("count", "count"), ("name", "name"), ("id", "class id"))
        )
        sort += "</p>"
    table = f'<table class="bars"><tbody>{"".join(rows)}</tbody></table>'
    scroll = f'<div class="scroll" tabindex="0">{table}</div>' if len(rows) > IN_ORDER else table
    return f"{sort}{scroll}{more}"


def _histogram_as_svg(histogram: Histogram) -> str:
    most = max(*histogram.counts, 1)
    width = 100 / len(histogram.counts)
    edges = [shortly(2**edge if histogram.log else edge) for edge in histogram.edges]
    rects = []
    for i, count in enumerate(histogram.counts):
        height = 36 * count / most
        title = f"{edges[i]} to {edges[i + 1]}: {count:,}"
        rects.append(
            f'<rect x="{i * width:.3f}" y="{36 - height:.3f}" width="{width * 0.9:.3f}" height="{height:.3f}">'
            f"<title>{escape(title)}</title></rect>"
        )
    low, high = edges[0], edges[-1]
    label = f"histogram from {low} to {high}, {sum(histogram.counts):,} numbers"
    return (
        f'<svg class="histogram" viewBox="0 0 100 36" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{"".join(rects)}</svg>'
        f'<p class="axis"><span>{low}</span><span>{high}</span></p>'
    )


def line_chart(numbers: np.ndarray, label: str) -> str:
    """Render a series of numbers as a line."""
    values = np.asarray(numbers, np.float64)
    if len(values) > 200:
        values = values[np.linspace(0, len(values) - 1, 200).astype(int)]
    low, high = values.min(), values.max()
    y = 29 - 28 * (values - low) / ((high - low) or 1)
    x = np.linspace(1, 99, len(values))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        f'<svg class="line" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><polyline points="{points}"/></svg>'
    )
