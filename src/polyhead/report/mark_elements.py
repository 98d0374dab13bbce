"""Renders marks as HTML elements over a picture."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from polyhead.images.png import data_uri, png
from polyhead.report.marks import Absent, Area, Bones, Cover, Look, Mark, Point
from polyhead.report.palette import css, ink

_SHAPE = ((0, 0, 0, 0), (0, 0, 0, 255))
"""The palette of an area; CSS uses only its alpha."""

WIDTHS = (44, 64, 88, 116, 152)
"""The box widths from which tags are shown, by the length of their text; page.css has the same numbers."""


def element(mark: Mark, small: str = "") -> str:
    """Render a mark; ``small`` is the class of pictures that are enlarged without smoothing."""
    if isinstance(mark, Cover):
        picture = data_uri(png(mark.places, mark.palette))
        title = escape(mark.look.layer.title)
        return f'<img {_attributes(mark.look, f"cover{small}")} src="{picture}" alt="{title}">'
    if isinstance(mark, Area):
        shape = data_uri(png(mark.there.astype("uint8"), _SHAPE))
        return f"<i {_attributes(mark.look, f'area{small}', f'--m:url({shape})')}></i>"
    if isinstance(mark, Absent):
        return f"<i {_attributes(mark.look, 'hatch')}></i>" if mark.pixels else ""
    if isinstance(mark, Bones):
        path = "".join(
            f"M{a * 1e3:.1f} {b * 1e3:.1f}L{c * 1e3:.1f} {d * 1e3:.1f}" for a, b, c, d in mark.lines
        )
        return (
            f'<svg {_attributes(mark.look, "bones")} viewBox="0 0 1000 1000" preserveAspectRatio="none">'
            f'<path d="{path}"/></svg>'
        )
    text = escape(mark.text)
    if isinstance(mark, Point):
        place = f"left:{_percent(mark.x)};top:{_percent(mark.y)}"
        title = escape(f"{mark.look.layer.title}: {mark.text}")
        return f'<i {_attributes(mark.look, "point", place)} title="{title}"><small>{text}</small></i>'
    place = (
        f"left:{_percent(mark.left)};top:{_percent(mark.top)};"
        f"width:{_percent(mark.right - mark.left)};height:{_percent(mark.bottom - mark.top)}"
    )
    width = min(sum(len(mark.text) * 6.6 + 10 > wide for wide in WIDTHS), len(WIDTHS) - 1)
    inside = " inside" if mark.top < 0.07 or mark.look.guess else ""
    title = escape(f"{mark.look.layer.title}: {mark.text}")
    return (
        f'<div {_attributes(mark.look, "box", place)} title="{title}">'
        f'<b class="tag w{width}{inside}">{text}</b></div>'
    )


def notes(marks: Sequence[Mark]) -> str:
    """Render missing labels as text for the lower edge of a picture."""
    found = [mark for mark in marks if isinstance(mark, Absent)]
    texts = "".join(f'<span data-h="{m.look.layer.key}">{escape(m.text)}</span>' for m in found)
    return f'<div class="notes">{texts}</div>' if found else ""


def _attributes(look: Look, kind: str, style: str = "") -> str:
    """The attributes of an element: its class, the keys that show and hide it, and its colors."""
    part = f' data-p="{look.part}"' if look.part else ""
    colors = f"--k:{css(look.color)};--i:{css(ink(look.color))}"
    if look.own != look.color:
        colors += f";--o:{css(look.own)};--j:{css(ink(look.own))}"
    guess = " guess" if look.guess else ""
    return f'class="mark {kind}{guess}" data-h="{look.layer.key}"{part} style="{style}{";" * bool(style)}{colors}"'


def _percent(share: float) -> str:
    return f"{100 * share:.3f}%"
