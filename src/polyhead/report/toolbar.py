"""Renders the filters, switches and legend of a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

from polyhead.report.cards import SAID
from polyhead.report.objects import Drawing
from polyhead.report.palette import FAINT, RGB, css, shades
from polyhead.report.samples import LABELED, Sample
from polyhead.report.views import View, name_of, shortly

MOST_OPTIONS = 200


def tools(samples: Sequence[Sample], drawing: Drawing) -> str:
    """Render the filters and layers; they are hidden until the script runs."""
    views = drawing.views
    filters = "".join(_filter(place, view, samples) for place, view in enumerate(views.values()))
    layers = "".join(
        f'<label class="layer"><input type="checkbox" data-head="{view.layer.key}" checked>'
        f"{_dot(view.color) if drawing.in_one_color(name) else ''}{escape(view.name)}{_number_scale(view)}</label>"
        for name, view in views.items()
        if view.layer is not None
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


def _filter(place: int, view: View, samples: Sequence[Sample]) -> str:
    labels = [sample.labels[view.name] for sample in samples]
    states = Counter(label.state for label in labels)
    held = Counter(i for sample in samples for i in held_classes(view, sample, view.name))
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
    color = '<option value="">class</option><option value="own">object</option>'
    color = (
        f'<label class="layer">Color by <select data-root="color">{color}</select></label>'
        if coloring
        else ""
    )
    return (
        f'{color}<label class="layer">Names <select data-root="tags"><option value="">where they fit</option>'
        '<option value="all">all</option><option value="none">when pointed at</option></select></label>'
    )


def _legend(view: View, samples: Sequence[Sample]) -> str:
    """Render a switch for each class that occurs, most frequent first."""
    held = Counter(i for sample in samples for i in held_classes(view, sample, view.name))
    chips = "".join(
        f'<label class="chip"><input type="checkbox" data-part="{view.place}.{i}" checked>'
        f"{_dot(view.colors[i])}{escape(view.classes[i])} <small>{count}</small></label>"
        for i, count in held.most_common()
        if view.colors[i] != FAINT
    )
    if not chips:
        return ""
    both = "".join(
        f'<button type="button" data-every="{view.place}" data-to="{to}">{word}</button>'
        for to, word in (("1", "all"), ("", "none"))
    )
    return (
        f'<fieldset class="classes"><legend>{escape(view.name)}</legend>{both}'
        f'<span class="chips">{chips}</span></fieldset>'
    )


def held_classes(view: View, sample: Sample, name: str) -> Sequence[int]:
    """The ids of the classes in a label; empty if it does not count."""
    label = sample.labels[name]
    return view.held(label) if label.state == LABELED else ()
