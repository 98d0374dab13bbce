"""Renders a sample as HTML: its pictures with all marks, its other inputs, its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from polyhead.images.png import data_uri, png
from polyhead.kinds import Head, Input
from polyhead.report import charts
from polyhead.report.marks import Box, Cover, Hatch, Mark, Point
from polyhead.report.palette import css, ink
from polyhead.report.per_element_views import EachView
from polyhead.report.pictures import as_picture, canvas, heat, is_drawn
from polyhead.report.samples import EMPTY, LABELED, MISSING, SILENT, UNASKED, Label, Sample
from polyhead.report.views import View, name_of, shortly

MOST_SIDE = 512
MOST_CELLS = 24

SAID = {LABELED: "labeled", MISSING: "no label", UNASKED: "not asked", SILENT: "weight 0", EMPTY: "0 boxes"}
"""The states of a label in words."""


def marks_on(
    sample: Sample,
    heads: Mapping[str, Head],
    views: Mapping[str, View],
    size: tuple[int, int] | None,
    most: int,
) -> list[Mark]:
    """The marks of a sample on a picture of a given size; masks first, so that they cover no other marks."""
    found: list[Mark] = []
    for name, view in views.items():
        box_size = size or (1, 1)
        if size is None and heads[name].labels_in_pixels:
            continue  # no image to draw these pixels on
        found += view.marks(sample.labels[name], box_size, _classes_for(name, sample, heads, views), most)
    return sorted(found, key=lambda mark: not isinstance(mark, Cover | Hatch))


def _classes_for(
    name: str, sample: Sample, heads: Mapping[str, Head], views: Mapping[str, View]
) -> Sequence[str]:
    """The class of each box of a row.

    A single box has the row's class, preferably of a head with the same ``given``.
    """
    for other, head in heads.items():
        view = views[other]
        if head.each == name and view.classes and isinstance(view, EachView):
            words = view.words_of(sample.labels[other])
            return [words.get(i, "") for i in range(head.places)]
    if heads[name].weight_shape != (1,):
        return ()
    classes = [n for n, head in heads.items() if head.each is None and head.view == "class"]
    classes.sort(key=lambda n: heads[n].given != heads[name].given)
    first = (views[n].words(sample.labels[n]) for n in classes if sample.labels[n].state == LABELED)
    return [next(first, "")]


def card(
    place: int,
    sample: Sample,
    inputs: Mapping[str, Input],
    heads: Mapping[str, Head],
    views: Mapping[str, View],
) -> str:
    """Render a sample as an article; ``place`` is its index on the page."""
    shots = [_shots(sample, inputs, heads, views, "augmented" if sample.original else "")]
    if sample.original is not None:
        shots.append(_shots(sample.original, inputs, heads, views, "original"))
    facts = [
        _input_values(name, kind, sample.inputs[name]) for name, kind in inputs.items() if not is_drawn(kind)
    ]
    labels = [_label(view, sample.labels[name]) for name, view in views.items()]
    return (
        f'<article class="card" data-place="{place}" aria-labelledby="row-{place}">'
        f'<h3 id="row-{place}">row {sample.row:,}</h3>'
        f'<div class="pictures">{"".join(shots)}</div>{"".join(facts)}'
        f'<dl class="labels">{"".join(labels)}</dl></article>'
    )


# Pictures --------------------------------------------------------------------------------------------


def _shots(
    sample: Sample,
    inputs: Mapping[str, Input],
    heads: Mapping[str, Head],
    views: Mapping[str, View],
    word: str,
) -> str:
    size = canvas(dict(inputs))
    marks = marks_on(sample, heads, views, size, MOST_SIDE)
    shots = []
    for name, kind in inputs.items():
        if is_drawn(kind):
            here = (kind.shape[0], kind.shape[1])
            caption = name if not word else f"{name}, {word}"
            picture = data_uri(png(as_picture(sample.inputs[name], MOST_SIDE)))
            shots.append(_figure(picture, here, marks if here == size else [], caption, sample.row))
    if size is None:
        # without an image, masks are shown alone, and boxes and points in 0–1 on an empty square
        covers = [m for m in marks if isinstance(m, Cover)]
        others = [m for m in marks if isinstance(m, Box | Point)]
        for cover in covers:
            high, wide = cover.places.shape
            shots.append(_figure("", (high, wide), [cover], cover.layer.title, sample.row))
        if others:
            shots.append(_figure("", (1, 1), others, "places in 0–1", sample.row))
    return "".join(shots)


def _figure(source: str, size: tuple[int, int], marks: Sequence[Mark], caption: str, row: int) -> str:
    small = " small" if max(size) < 160 else ""
    alt = escape(f"{caption} of row {row}")
    image = f'<img class="picture{small}" src="{source}" alt="{alt}">' if source else ""
    drawn = "".join(_mark(mark, small) for mark in marks)
    return (
        f'<figure class="shot"><div class="pic" style="aspect-ratio:{size[1]}/{size[0]}">{image}{drawn}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _mark(mark: Mark, small: str) -> str:
    key, title = mark.layer.key, escape(mark.layer.title)
    colors = f"--c:{css(mark.layer.color)};--i:{css(ink(mark.layer.color))}"
    if isinstance(mark, Cover):
        picture = data_uri(png(mark.places, mark.palette))
        return f'<img class="cover{small}" data-layer="{key}" src="{picture}" alt="{title}">'
    if isinstance(mark, Hatch):
        return f'<div class="hatch" data-layer="{key}"><span>{escape(mark.text)}</span></div>'
    if isinstance(mark, Point):
        return (
            f'<span class="point" data-layer="{key}" title="{title}, point {escape(mark.text)}" '
            f'style="left:{_percent(mark.x)};top:{_percent(mark.y)};{colors}">'
            f"<small>{escape(mark.text)}</small></span>"
        )
    place = (
        f"left:{_percent(mark.left)};top:{_percent(mark.top)};"
        f"width:{_percent(mark.right - mark.left)};height:{_percent(mark.bottom - mark.top)}"
    )
    inside = " inside" if mark.top < 0.12 else ""
    over = " from-right" if mark.left > 0.55 else ""
    return (
        f'<div class="box" data-layer="{key}" title="{title}" style="{place};{colors}">'
        f'<span class="tag{inside}{over}">{escape(mark.text)}</span></div>'
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3f}%"


# Numbers ---------------------------------------------------------------------------------------------


def _input_values(name: str, kind: Input, value: np.ndarray) -> str:
    """Render an input other than an image: a small table, a line chart, a heat map, or a few words."""
    title = f'<h4>{escape(name)} <span class="quiet">{escape(f"{kind.dtype} {kind.shape}")}</span></h4>'
    columns = kind.columns(name)
    if value.ndim <= 1 and value.size <= MOST_CELLS:
        names = columns if len(columns) == value.size else [f"{i}" for i in range(value.size)]
        rows = "".join(
            f'<tr><th scope="row">{escape(name_of(n))}</th><td>{shortly(v)}</td></tr>'
            for n, v in zip(names, value.reshape(-1), strict=True)
        )
        body = f'<table class="numbers"><tbody>{rows}</tbody></table>'
    else:
        words = f"{shortly(value.min())} to {shortly(value.max())}, mean {shortly(value.mean())}"
        body = f'<p class="words">{words}</p>'
        if value.ndim == 1:
            body = charts.line_chart(value, f"{name}: {words}") + body
        elif value.ndim == 2:
            picture = data_uri(png(heat(value, MOST_SIDE)))
            body = f'<img class="heat small" src="{picture}" alt="{escape(f"{name}: {words}")}">{body}'
    return f'<section class="input">{title}{body}</section>'


def _label(view: View, label: Label) -> str:
    shown = label.state == LABELED
    dot = f'<i class="dot" style="background:{css(view.color)}"></i>' if view.dot else ""
    if shown:
        body = f"<span>{escape(view.words(label))}</span>"
        if label.weight is not None:
            body += f' <span class="quiet" title="sample weight">×{label.weight:.3g}</span>'
        series = view.series(label)
        if series is not None:
            body += charts.line_chart(series, f"{view.name}, {series.size} numbers")
    else:
        said = SAID[label.state]
        why = "" if label.why.startswith(said) and label.why == said else f" ({label.why})"
        body = f'<span class="badge {label.state}">{said}</span><span class="quiet">{escape(why)}</span>'
    return f'<div data-state="{label.state}"><dt>{dot}{escape(view.name)}</dt><dd>{body}</dd></div>'
