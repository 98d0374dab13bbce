"""Renders a preview as one self-contained HTML file without network access."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from polyhead.errors import Problem, Report, counted
from polyhead.feed import Feed
from polyhead.report import charts
from polyhead.report.cards import SAID, card
from polyhead.report.label_summary import Coverage
from polyhead.report.objects import Drawing
from polyhead.report.palette import FAINT, RGB, css, shades
from polyhead.report.samples import Sample
from polyhead.report.views import View, name_of, shortly

MOST_OPTIONS = 200
"""The most classes in a filter."""

VIEWER = (
    '<dialog id="viewer" aria-label="Enlarged sample"><div class="stage"></div><div class="beside"></div>'
    '<p class="keys"><button type="button" data-go="-1" aria-label="Previous sample">←</button>'
    '<button type="button" data-go="1" aria-label="Next sample">→</button>'
    '<button type="button" data-go="0" aria-label="Close">Esc</button></p></dialog>'
)


def page(
    feed: Feed,
    samples: Sequence[Sample],
    drawing: Drawing,
    coverage: Mapping[str, Coverage],
    report: Report | None,
    shown: str = "",
) -> str:
    """Render a preview as HTML; ``shown`` describes the rows, unless they are the next ones."""
    style, script = _file("page.css"), _file("page.js") + _file("viewer.js")
    views = drawing.fit_ranges(samples).views
    rows = len({sample.row for sample in samples})
    shown = f"{rows:,} of {feed.num_samples:,} rows" + (f": {shown}" if shown else "")
    order = f"shuffled by seed {feed.seed}" if feed.shuffle else "in row order"
    title = f"Preview of a feed: {shown}"
    seen = "on the original images" if any(s.sizes for s in samples) else "as the model gets them"
    several = any(s.original is not None for s in samples) or any(v.range is not None for v in views.values())
    pairs = " pairs" if several else ""
    body = [
        f"<header><h1>Preview</h1><p>{escape(shown)}, {seen}: epoch {feed.epoch}, {order}, "
        f"batches of {feed.batch_size:,}.</p></header>",
        _check_panel(report),
        tools(samples, drawing),
        '<section aria-labelledby="samples"><h2 id="samples">Samples</h2>'
        f'<p id="none" class="words" hidden>No sample matches the filters.</p><div class="cards{pairs}">',
        *(card(i, sample, drawing) for i, sample in enumerate(samples)),
        "</div></section>",
        _label_panels(feed, drawing, coverage),
        f'<details class="panel"><summary>Declaration</summary><pre>{escape(repr(feed))}</pre></details>',
    ]
    data = in_script(facts(samples, views))
    end = f'{VIEWER}<script type="application/json" id="facts">{data}</script>'
    return html_page(title, style, body, _by_object(samples, drawing), end, script)


def html_page(
    title: str, style: str, parts: Sequence[str], attributes: str = "", end: str = "", script: str = ""
) -> str:
    """Render a page that loads and sends nothing, and runs only ``script``; empty parts are skipped.

    Args:
        attributes: the attributes of ``<body>``, with a leading space.
        end: elements after ``<main>``.
    """
    scripts = ""
    if script:
        digest = b64encode(sha256(script.encode()).digest()).decode("ascii")
        scripts, end = f"script-src 'sha256-{digest}'; ", f"{end}<script>{script}</script>"
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; {scripts}"
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="generator" content="polyhead">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body{attributes}><main>\n"
        + "\n".join(part for part in parts if part)
        + f"\n</main>{end}</body></html>\n"
    )


def in_script(value: Any) -> str:
    """JSON for a script element: ``<``, ``>`` and ``&`` are escaped, so that no text can end the element.

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
                    "classes": list(view.class_ids_in(sample)),
                    "number": view.number(sample.labels[name]),
                }
                for name, view in views.items()
            ],
        }
        for sample in samples
    ]


def _file(name: str) -> str:
    return files("polyhead.report").joinpath(name).read_text(encoding="utf-8")


# Parts -----------------------------------------------------------------------------------------------


def _check_panel(report: Report | None) -> str:
    if report is None:
        return ""
    word = "bad" if report.errors else "warn" if report.warnings else "good"
    counts = [
        f"{len(problems)} {word}{'s' * (len(problems) > 1)}"
        for word, problems in (("problem", report.errors), ("warning", report.warnings))
        if problems
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


def _by_object(samples: Sequence[Sample], drawing: Drawing) -> str:
    """The attribute that colors marks by object, if all have one class."""
    classes = {
        (name, class_id)
        for name in drawing.coloring()
        for sample in samples
        for class_id in drawing.views[name].class_ids_in(sample)
    }
    return ' data-color="own"' if len(classes) == 1 else ""


def _label_panels(feed: Feed, drawing: Drawing, coverage: Mapping[str, Coverage]) -> str:
    panels, coloring = [], drawing.coloring()
    for name, summary in coverage.items():
        part = ""
        if summary.rows < feed.num_samples:
            part = f'<p class="words">of the first {counted(summary.rows, "row")}</p>'
        colors = drawing.views[name].colors if name in coloring else ()
        drawn = "".join(
            charts.chart(replace(c, colors=colors) if colors and isinstance(c, charts.Bars) else c)
            for c in summary.charts
        )
        kind = f"<code>{escape(repr(feed.labeled[name]))}</code>"
        panels.append(
            f'<div class="panel head"><h3>{escape(name)}</h3>{kind}{charts.coverage(summary)}{part}{drawn}</div>'
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


# Filters ---------------------------------------------------------------------------------------------


def tools(samples: Sequence[Sample], drawing: Drawing) -> str:
    """Render the filters and layers; they are hidden until the script runs."""
    views = drawing.views
    filters = "".join(_filter(index, view, samples) for index, view in enumerate(views.values()))
    layers = "".join(
        f'<label class="layer"><input type="checkbox" data-head="{view.index}" checked>'
        f"{_dot(view.color) if drawing.in_one_color(name) else ''}{escape(view.name)}{_number_scale(view)}</label>"
        for name, view in views.items()
        if drawing.heads[name].inner.layer is not None
    )
    coloring = drawing.coloring()
    if layers:
        layers = f'<fieldset class="layers"><legend>Drawn</legend>{layers}{_switches(coloring)}</fieldset>'
    legends = "".join(_legend(views[name], samples) for name in coloring)
    return (
        '<form class="panel tools" id="tools" hidden aria-label="Filters">'
        '<div class="row"><label class="field"><span>Row</span>'
        '<input id="row" name="row" type="search" inputmode="numeric" placeholder="e.g. 3, 17" '
        f'autocomplete="off"></label>{filters}'
        '<label class="field"><span>Size</span><input id="size" type="range" min="150" max="900" value="330" '
        'aria-label="Size of the cards"></label>'
        '<button type="reset">Clear filters</button></div>'
        f'{layers}{legends}<p id="count" class="words" role="status" aria-live="polite"></p></form>'
    )


def _dot(color: RGB) -> str:
    return f'<i class="dot" style="background:{css(color)}"></i>'


def _filter(index: int, view: View, samples: Sequence[Sample]) -> str:
    labels = [sample.labels[view.name] for sample in samples]
    states = Counter(label.state for label in labels)
    counts = Counter(i for sample in samples for i in view.class_ids_in(sample))
    options = "".join(
        f'<option value="s:{state}">{title} ({states[state]})</option>'
        for state, title in SAID.items()
        if state in states
    )
    classes = "".join(
        f'<option value="c:{i}">{escape(view.classes[i])} ({counts[i]})</option>'
        for i in sorted(counts)[:MOST_OPTIONS]
    )
    classes = f'<optgroup label="Class">{classes}</optgroup>' if classes else ""
    name = escape(name_of(view.name))
    numbers = [n for n in (view.number(label) for label in labels if label.is_shown) if n is not None]
    limits = ""
    if numbers:
        low, high = shortly(min(numbers)), shortly(max(numbers))
        limits = "".join(
            f'<input type="number" step="any" name="h{index}{end}" placeholder="{limit}" '
            f'aria-label="{name}, {word}">'
            for end, word, limit in (("min", "at least", low), ("max", "at most", high))
        )
        limits = f'<span class="limits">{limits}</span>'
    return (
        f'<div class="field"><label for="h{index}">{name}</label><select id="h{index}" name="h{index}">'
        f'<option value="">all</option><optgroup label="Label">{options}</optgroup>{classes}</select>'
        f"{limits}</div>"
    )


def _number_scale(view: View) -> str:
    """Render the color scale of numbers, with the numbers at both ends."""
    if view.range is None:
        return ""
    colors = ",".join(css(color) for color in shades(9))
    low, high = (escape(shortly(value)) for value in view.range)
    return (
        f' <span class="scale">{low}<i style="background:linear-gradient(90deg,{colors})"></i>{high}</span>'
    )


def _switches(coloring: Sequence[str]) -> str:
    color = ""
    if coloring:
        options = '<option value="">class</option><option value="own">object</option>'
        color = f'<label class="layer">Color by <select data-root="color">{options}</select></label>'
    return (
        f'{color}<label class="layer">Names <select data-root="tags"><option value="">where they fit</option>'
        '<option value="all">all</option><option value="none">when pointed at</option></select></label>'
    )


def _legend(view: View, samples: Sequence[Sample]) -> str:
    """Render a switch for each class that occurs, most frequent first."""
    counts = Counter(i for sample in samples for i in view.class_ids_in(sample))
    chips = "".join(
        f'<label class="chip"><input type="checkbox" data-part="{view.index}.{i}" checked>'
        f"{_dot(view.colors[i])}{escape(view.classes[i])} <small>{count}</small></label>"
        for i, count in counts.most_common()
        if view.colors[i] != FAINT
    )
    if not chips:
        return ""
    both = "".join(
        f'<button type="button" data-every="{view.index}" data-to="{to}">{word}</button>'
        for to, word in (("1", "all"), ("", "none"))
    )
    return (
        f'<fieldset class="classes"><legend>{escape(view.name)}</legend>{both}'
        f'<span class="chips">{chips}</span></fieldset>'
    )
