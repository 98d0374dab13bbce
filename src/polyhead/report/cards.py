"""Renders a sample as HTML: its pictures with all marks, its other inputs and its labels."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from polyhead.images.encode import data_uri, png
from polyhead.kinds import Input
from polyhead.report import charts
from polyhead.report.marks import Absent, Area, Bones, Cover, Mark, Point, Style, is_opaque, opaque_covers
from polyhead.report.objects import Drawing
from polyhead.report.palette import css, ink
from polyhead.report.pictures import as_picture, heat, is_drawn, picture_uri
from polyhead.report.samples import EMPTY, LABELED, MISSING, SILENT, UNASKED, Sample
from polyhead.report.views import name_of, shortly

MOST_CELLS = 24
SMALL = 160
"""Pictures with shorter sides are enlarged without smoothing."""

SAID = {LABELED: "labeled", MISSING: "no label", UNASKED: "not asked", SILENT: "weight 0", EMPTY: "0 boxes"}
"""The states of a label in words."""


def card(index: int, sample: Sample, drawing: Drawing) -> str:
    """Render a sample as an article; ``index`` is its position on the page."""
    drawing = drawing.on(sample)
    inputs, before = drawing.inputs, sample.original
    if before is None:
        shots = _shots(sample, drawing, "")
    elif all(
        np.array_equal(sample.inputs[n], before.inputs[n]) for n, kind in inputs.items() if is_drawn(kind)
    ):
        shots = _shots(sample, drawing, "not changed by augmentation")
    else:
        shots = _shots(sample, drawing, "augmented") + _shots(before, drawing, "original")
    facts = [_input_values(n, kind, sample.inputs[n]) for n, kind in inputs.items() if not is_drawn(kind)]
    labels = [_label(drawing, name, sample) for name in drawing.views if name in sample.labels]
    name = escape(sample.file)
    file = f' <span class="file" title="{name}">{name}</span>' if name else ""
    loss = f' <span class="loss">loss {sample.loss:.3g}</span>' if sample.loss is not None else ""
    applied = " · ".join(sample.applied)
    applied = f'<p class="applied">{escape(applied)}</p>' if applied else ""
    lacks = " lacks" if any(label.state == MISSING for label in sample.labels.values()) else ""
    return (
        f'<article class="card{lacks}" data-place="{index}" aria-labelledby="row-{index}">'
        f'<h3 id="row-{index}"><span class="row-number">row {sample.row:,}</span>{file}{loss}</h3>'
        f'<div class="pictures">{"".join(shots)}</div>{applied}{"".join(facts)}'
        f'<dl class="labels">{"".join(labels)}</dl></article>'
    )


# Pictures --------------------------------------------------------------------------------------------


def _shots(sample: Sample, drawing: Drawing, word: str) -> list[str]:
    marks_of = drawing.marks(sample)
    covers = opaque_covers([mark for marks in marks_of.values() for mark in marks])
    over_images = {size: [m for m in marks if not is_opaque(m)] for size, marks in marks_of.items()}
    shots = []
    for name, kind in drawing.inputs.items():
        if is_drawn(kind):
            size = (kind.shape[0], kind.shape[1])
            caption = name if not word else f"{name}, {word}"
            picture = picture_uri(as_picture(sample.inputs[name], drawing.longest))
            shots.append(_figure(picture, size, over_images.get(size, []), caption, sample.row))
    for title, of_head in covers.items():
        for predicted in dict.fromkeys(cover.style.predicted for cover in of_head):
            alone = [cover for cover in of_head if cover.style.predicted == predicted]
            caption = ", ".join(filter(None, [title, word, "predicted" if predicted else ""]))
            shots.append(_figure("", of_head[0].indices.shape, alone, caption, sample.row))
    if drawing.size is None:
        marks = over_images.get(None, [])
        # without an image, masks are shown alone, and boxes and points in 0–1 on an empty square
        pixels = [m for m in marks if isinstance(m, Cover | Area)]
        for head in dict.fromkeys(mark.style.head for mark in pixels):
            same = [m for m in pixels if m.style.head == head]
            grid = same[0].mask if isinstance(same[0], Area) else same[0].indices
            shots.append(_figure("", grid.shape, same, same[0].style.title, sample.row))
        if others := [m for m in marks if not isinstance(m, Cover | Area)]:
            shots.append(_figure("", (1, 1), others, "places in 0–1", sample.row))
    return shots


def _figure(source: str, size: tuple[int, ...], marks: Sequence[Mark], caption: str, row: int) -> str:
    small = " small" if max(size) < SMALL else ""
    alt = escape(f"{caption} of row {row}")
    image = f'<img class="picture{small}" src="{source}" alt="{alt}">' if source else ""
    drawn = "".join(element(mark, small) for mark in marks)
    return (
        f'<figure class="shot"><div class="pic" style="--a:{size[1] / size[0]:.5g}">{image}{drawn}{notes(marks)}'
        f"</div><figcaption>{escape(caption)}</figcaption></figure>"
    )


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
            picture = data_uri(png(heat(value, 512)))
            body = f'<img class="heat small" src="{picture}" alt="{escape(f"{name}: {words}")}">{body}'
    return f'<section class="input">{title}{body}</section>'


def _label(drawing: Drawing, name: str, sample: Sample) -> str:
    view, label = drawing.views[name], sample.labels[name]
    guess = None if sample.guess is None else sample.guess.labels.get(name)
    one_color = drawing.in_one_color(name)
    dot = f'<i class="dot" style="background:{css(view.color)}"></i>' if one_color else ""
    if label.is_shown:
        body = f"<span>{escape(view.words(label))}</span>"
        if label.weight is not None:
            body += f' <span class="quiet" title="sample weight">×{label.weight:.3g}</span>'
        series = view.series(label)
        if series is not None:
            body += charts.line_chart(series, f"{view.name}, {series.size} numbers")
    else:
        words = SAID[label.state]
        why = "" if label.why == words else f" ({label.why})"
        body = f'<span class="badge {label.state}">{words}</span><span class="quiet">{escape(why)}</span>'
    if guess is not None and sample.guess is not None:
        words = escape(view.words(guess)) if guess.valid.any() else "none"
        scores = sample.guess.scores.get(name, {})
        words += f" {scores[0]:.0%}" if view.classes and list(scores) == [0] else ""
        body += f'<span class="guessed">predicted: {words}</span>'
    return f'<div data-state="{label.state}"><dt>{dot}{escape(view.name)}</dt><dd>{body}</dd></div>'


_SHAPE = ((0, 0, 0, 0), (0, 0, 0, 255))
"""The palette of an area; CSS uses only its alpha."""

WIDTHS = (44, 64, 88, 116, 152)
"""The box widths from which tags are shown, by the length of their text; page.css has the same numbers."""


def element(mark: Mark, small: str = "") -> str:
    """Render a mark; ``small`` is the class of pictures that are enlarged without smoothing."""
    if isinstance(mark, Cover):
        picture = data_uri(png(mark.indices, mark.palette))
        title = escape(mark.style.title)
        return f'<img {_attributes(mark.style, f"cover{small}")} src="{picture}" alt="{title}">'
    if isinstance(mark, Area):
        shape = data_uri(png(mark.mask.astype("uint8"), _SHAPE))
        return f"<i {_attributes(mark.style, f'area{small}', f'--m:url({shape})')}></i>"
    if isinstance(mark, Absent):
        return f"<i {_attributes(mark.style, 'hatch')}></i>" if mark.pixels else ""
    if isinstance(mark, Bones):
        path = "".join(
            f"M{a * 1e3:.1f} {b * 1e3:.1f}L{c * 1e3:.1f} {d * 1e3:.1f}" for a, b, c, d in mark.lines
        )
        return (
            f'<svg {_attributes(mark.style, "bones")} viewBox="0 0 1000 1000" preserveAspectRatio="none">'
            f'<path d="{path}"/></svg>'
        )
    text = escape(mark.text)
    if isinstance(mark, Point):
        style = f"left:{_percent(mark.x)};top:{_percent(mark.y)}"
        title = escape(f"{mark.style.title}: {mark.text}")
        return f'<i {_attributes(mark.style, "point", style)} title="{title}"><small>{text}</small></i>'
    style = (
        f"left:{_percent(mark.left)};top:{_percent(mark.top)};"
        f"width:{_percent(mark.right - mark.left)};height:{_percent(mark.bottom - mark.top)}"
    )
    width = min(sum(len(mark.text) * 6.6 + 10 > wide for wide in WIDTHS), len(WIDTHS) - 1)
    inside = " inside" if mark.top < 0.07 or mark.style.predicted else ""
    title = escape(f"{mark.style.title}: {mark.text}")
    return (
        f'<div {_attributes(mark.style, "box", style)} title="{title}">'
        f'<b class="tag w{width}{inside}">{text}</b></div>'
    )


def notes(marks: Sequence[Mark]) -> str:
    """Render missing labels as text for the lower edge of a picture."""
    texts = "".join(
        f'<span data-h="{mark.style.head}">{escape(mark.text)}</span>'
        for mark in marks
        if isinstance(mark, Absent)
    )
    return f'<div class="notes">{texts}</div>' if texts else ""


def _attributes(style: Style, kind: str, css_text: str = "") -> str:
    """The attributes of an element: its class, the keys that show and hide it, its style and colors."""
    part = f' data-p="{style.part}"' if style.part else ""
    colors = f"--k:{css(style.color)};--i:{css(ink(style.color))}"
    if style.object_color != style.color:
        colors += f";--o:{css(style.object_color)};--j:{css(ink(style.object_color))}"
    guess = " guess" if style.predicted else ""
    css_text = ";".join(filter(None, [css_text, colors]))
    return f'class="mark {kind}{guess}" data-h="{style.head}"{part} style="{css_text}"'


def _percent(share: float) -> str:
    return f"{100 * share:.3f}%"
