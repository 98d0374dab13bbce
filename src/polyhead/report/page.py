"""Renders a preview as one self-contained HTML file that sends nothing."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from polyhead.errors import Problem, Report
from polyhead.feed import Feed
from polyhead.report import charts
from polyhead.report.cards import SAID, card
from polyhead.report.label_summary import Coverage
from polyhead.report.palette import RGB, css
from polyhead.report.samples import LABELED, Sample
from polyhead.report.views import View, name_of, shortly

MOST_LEGEND = 40
MOST_OPTIONS = 200


def page(
    feed: Feed,
    samples: Sequence[Sample],
    views: Mapping[str, View],
    coverage: Mapping[str, Coverage],
    report: Report | None,
) -> str:
    """Render a preview as HTML."""
    style, script = _file("page.css"), _file("page.js")
    shown = f"{len(samples):,} of {feed.num_samples:,} rows"
    order = f"shuffled by seed {feed.seed}" if feed.shuffle else "in row order"
    title = f"Preview of a feed: {shown}"
    body = [
        f"<header><h1>Preview</h1><p>{shown}, as the model gets them: epoch {feed.epoch}, {order}, "
        f"batches of {feed.batch_size:,}.</p></header>",
        _check_panel(report),
        _tools(samples, views),
        '<section aria-labelledby="samples"><h2 id="samples">Samples</h2>'
        '<p id="none" class="words" hidden>No sample matches the filters.</p><div class="cards">',
        *(card(i, sample, feed.inputs, feed.labeled, views) for i, sample in enumerate(samples)),
        "</div></section>",
        _label_panels(feed, views, coverage),
        f'<details class="panel"><summary>Declaration</summary><pre>{escape(repr(feed))}</pre></details>',
    ]
    # nothing is loaded or sent, and only the script with this hash runs
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="generator" content="polyhead">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><main>\n"
        + "\n".join(part for part in body if part)
        + f'\n</main><script type="application/json" id="facts">{in_script(facts(samples, views))}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def in_script(value: Any) -> str:
    """JSON for a script element: without ``<``, ``>`` and ``&``, so that no text in it can end the element.

    >>> print(in_script("</script>"))
    "\\u003c/script\\u003e"
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def facts(samples: Sequence[Sample], views: Mapping[str, View]) -> list[dict[str, Any]]:
    """The data for the filters: each sample's row, and the state, classes and number of each head."""
    return [
        {
            "row": sample.row,
            "heads": [
                {
                    "state": sample.labels[name].state,
                    "classes": list(_held_classes(view, sample, name)),
                    "number": view.number(sample.labels[name]),
                }
                for name, view in views.items()
            ],
        }
        for sample in samples
    ]


def _held_classes(view: View, sample: Sample, name: str) -> Sequence[int]:
    label = sample.labels[name]
    return view.held(label) if label.state == LABELED else ()


def _file(name: str) -> str:
    return files("polyhead.report").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return "sha256-" + b64encode(sha256(script.encode()).digest()).decode("ascii")


# Parts -----------------------------------------------------------------------------------------------


def _check_panel(report: Report | None) -> str:
    if report is None:
        return ""
    word = "bad" if report.errors else "warn" if report.warnings else "good"
    counts = [
        f"{len(found)} {word}{'s' * (len(found) > 1)}"
        for word, found in (("problem", report.errors), ("warning", report.warnings))
        if found
    ]
    title = ", ".join(counts) or "The feed and the model fit"
    problems = "".join(_problem(problem) for problem in report.problems)
    problems = f'<ol tabindex="0">{problems}</ol>' if problems else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    notes = f"<details><summary>What fits</summary><ul>{notes}</ul></details>" if notes else ""
    return (
        f'<section class="panel check {word}" aria-labelledby="check">'
        f'<h2 id="check">Check against the model: {title}</h2>{problems}{notes}</section>'
    )


def _problem(problem: Problem) -> str:
    perhaps = '<span class="badge silent">perhaps</span> ' if problem.warning else ""
    fix = f'<br><span class="fix">{escape(problem.fix)}</span>' if problem.fix else ""
    return f"<li>{perhaps}<strong>{escape(problem.place)}</strong>: {escape(problem.finding)}.{fix}</li>"


def _tools(samples: Sequence[Sample], views: Mapping[str, View]) -> str:
    """Filters and layers; hidden until the script runs."""
    filters = "".join(_filter(place, view, samples) for place, view in enumerate(views.values()))
    layers = "".join(
        f'<label class="layer"><input type="checkbox" data-toggle="{layer.key}" checked>'
        f"{_dot(layer.color) if view.dot or not view.legend else ''}{escape(layer.title)}</label>"
        for view in views.values()
        for layer in view.layers
    )
    layers = f'<fieldset class="layers"><legend>Drawn</legend>{layers}</fieldset>' if layers else ""
    legends = "".join(_legend(view) for view in views.values() if view.legend)
    return (
        '<form class="panel tools" id="tools" hidden aria-label="Filters">'
        '<div class="row"><label class="field"><span>Row</span>'
        '<input id="row" name="row" type="search" inputmode="numeric" placeholder="e.g. 3, 17" '
        f'autocomplete="off"></label>{filters}'
        '<label class="field"><span>Size</span><input id="size" type="range" min="150" max="640" value="250" '
        'aria-label="Size of the cards"></label>'
        '<button type="reset">Clear filters</button></div>'
        f'{layers}{legends}<p id="count" class="words" role="status" aria-live="polite"></p></form>'
    )


def _dot(color: RGB) -> str:
    return f'<i class="dot" style="background:{css(color)}"></i>'


def _filter(place: int, view: View, samples: Sequence[Sample]) -> str:
    labels = [sample.labels[view.name] for sample in samples]
    states = Counter(label.state for label in labels)
    held = Counter(i for sample in samples for i in _held_classes(view, sample, view.name))
    options = "".join(
        f'<option value="s:{state}">{title} ({states[state]})</option>'
        for state, title in SAID.items()
        if state in states
    )
    classes = "".join(
        f'<option value="c:{i}">{escape(view.classes[i])} ({held[i]})</option>'
        for i in sorted(held)[:MOST_OPTIONS]
    )
    classes = f'<optgroup label="Class">{classes}</optgroup>' if classes else ""
    name = escape(name_of(view.name))
    numbers = [view.number(label) for label in labels if label.state == LABELED]
    limits = ""
    known = [number for number in numbers if number is not None]
    if known:
        low, high = shortly(min(known)), shortly(max(known))
        limits = "".join(
            f'<input type="number" step="any" name="h{place}{end}" placeholder="{limit}" '
            f'aria-label="{name}, {word}">'
            for end, word, limit in (("min", "at least", low), ("max", "at most", high))
        )
        limits = f'<span class="limits">{limits}</span>'
    return (
        f'<div class="field"><label for="h{place}">{name}</label><select id="h{place}" name="h{place}">'
        f'<option value="">all</option><optgroup label="Label">{options}</optgroup>{classes}</select>'
        f"{limits}</div>"
    )


def _legend(view: View) -> str:
    shown = view.legend[:MOST_LEGEND]
    items = "".join(f"<li>{_dot(color)}{escape(name)}</li>" for name, color in shown)
    rest = len(view.legend) - len(shown)
    more = f"<li>and {rest:,} more</li>" if rest else ""
    return f'<div class="legend"><span>{escape(view.name)}</span><ul>{items}{more}</ul></div>'


def _label_panels(feed: Feed, views: Mapping[str, View], coverage: Mapping[str, Coverage]) -> str:
    panels = []
    for name, found in coverage.items():
        part = (
            f'<p class="words">of the first {found.rows:,} rows</p>' if found.rows < feed.num_samples else ""
        )
        drawn = "".join(charts.chart(one) for one in found.charts)
        kind = f"<code>{escape(repr(feed.labeled[name]))}</code>"
        panels.append(
            f'<div class="panel head"><h3>{escape(name)}</h3>{kind}{charts.coverage(found)}{part}{drawn}</div>'
        )
    if not panels:
        return ""
    key = "".join(
        f'<li><i class="dot {state}"></i>{SAID[state]}</li>' for state in ("labeled", "unasked", "missing")
    )
    return (
        '<section aria-labelledby="balance"><h2 id="balance">All labels</h2>'
        f'<ul class="key">{key}</ul><div class="heads">{"".join(panels)}</div></section>'
    )
