"""Draws samples in a grid, as one picture: a contact sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from polyhead.images.libraries import pillow
from polyhead.report.cards import SAID
from polyhead.report.marks import (
    ALPHA,
    Absent,
    Area,
    Bones,
    Box,
    Cover,
    Mark,
    Point,
    is_opaque,
    opaque_covers,
)
from polyhead.report.objects import Drawing
from polyhead.report.palette import ink
from polyhead.report.pictures import as_picture, is_drawn
from polyhead.report.samples import Sample
from polyhead.report.views import shortly

MOST_SIDE = 512
LEAST_SIDE = 192
MARGIN, LINE, FONT, MOST_LINES = 12, 17, 13, 3
PAPER, INK, QUIET = (255, 255, 255), (27, 31, 36), (89, 98, 109)


def sheet(drawing: Drawing, samples: Sequence[Sample]) -> Any:
    """Draw a contact sheet as a Pillow image, RGB.

    A cell shows the first image of a sample, the original beside it if the feed augments, and a line for each head.
    Images smaller than 192 pixels are enlarged by an integer factor.

    Raises:
        PolyheadError: if Pillow is not installed.
    """
    imaging = pillow()
    drawing = replace(drawing, longest=MOST_SIDE).fit_ranges(samples)
    cells = [_cell(imaging, sample, drawing.on(sample)) for sample in samples]
    columns = math.ceil(math.sqrt(len(cells)))
    width, height = max(c.width for c in cells), max(c.height for c in cells)
    rows = math.ceil(len(cells) / columns)
    size = columns * (width + MARGIN) + MARGIN, rows * (height + MARGIN) + MARGIN
    grid = imaging.new("RGB", size, PAPER)
    for i, cell in enumerate(cells):
        row, column = divmod(i, columns)
        grid.paste(cell, (MARGIN + column * (width + MARGIN), MARGIN + row * (height + MARGIN)))
    return grid


def _cell(imaging: Any, sample: Sample, drawing: Drawing) -> Any:
    shots = [s for s in (sample, sample.original) if s is not None]
    pictures = [p for s in shots for p in _shot(imaging, s, drawing)] if drawing.size is not None else []
    lines = _lines(sample, drawing)
    width = sum(p.width for p in pictures) + 4 * (len(pictures) - 1) if pictures else LEAST_SIDE
    top = pictures[0].height + 4 if pictures else 0
    pen, font = _pen(imaging.new("RGB", (1, 1)))
    lines = [part for line in lines for part in _wrapped(pen, font, line, width)]
    cell = imaging.new("RGB", (width, top + LINE * len(lines)), PAPER)
    x = 0
    for picture in pictures:
        cell.paste(picture, (x, 0))
        x += picture.width + 4
    draw, font = _pen(cell)
    for i, line in enumerate(lines):
        draw.text((0, top + LINE * i), line, fill=QUIET if i == 0 else INK, font=font)
    return cell


def _lines(sample: Sample, drawing: Drawing) -> list[str]:
    lines = [f"row {sample.row:,}" + (", augmented beside original" if sample.original else "")]
    lines[0] += f", loss {sample.loss:.3g}" if sample.loss is not None else ""
    lines += [", ".join(sample.applied)] if sample.applied else []
    for name, kind in drawing.inputs.items():
        if not is_drawn(kind):
            value = sample.inputs[name].reshape(-1)
            lines.append(f"{name}: {', '.join(shortly(v) for v in value[:6])}{', …' * (value.size > 6)}")
    for name, view in drawing.views.items():
        label = sample.labels[name]
        lines.append(f"{name}: {view.words(label) if label.is_shown else SAID[label.state]}")
        guess = sample.guess.labels.get(name) if sample.guess is not None else None
        if guess is not None:
            lines[-1] += f" (predicted: {view.words(guess) if guess.valid.any() else 'none'})"
    return lines


def _shot(imaging: Any, sample: Sample, drawing: Drawing) -> list[Any]:
    """Draw the first image of a sample with its marks, and each map as a further picture."""
    name = next(n for n, kind in drawing.inputs.items() if is_drawn(kind))
    pixels = as_picture(sample.inputs[name], MOST_SIDE)
    picture = imaging.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if picture.mode == "RGBA":
        paper = imaging.new("RGBA", picture.size, (*PAPER, 255))
        picture = imaging.alpha_composite(paper, picture)
    picture = picture.convert("RGB")
    factor = max(1, round(LEAST_SIDE / max(picture.size)))
    picture = picture.resize((picture.width * factor, picture.height * factor), imaging.Resampling.NEAREST)
    marks_of = drawing.marks(sample)
    for mark in marks_of.get(drawing.size, []):
        if not is_opaque(mark):
            picture = _draw_mark(imaging, picture, mark)
    pictures = [picture]
    for covers in opaque_covers([mark for marks in marks_of.values() for mark in marks]).values():
        pictures.append(imaging.new("RGB", picture.size, PAPER))
        for cover in covers:
            pictures[-1] = _draw_mark(imaging, pictures[-1], cover)
    return pictures


def _draw_mark(imaging: Any, picture: Any, mark: Mark) -> Any:
    width, height = picture.size
    color = mark.style.color
    if isinstance(mark, Cover | Area):
        if isinstance(mark, Area):
            colors = mark.mask[..., None] * np.array([*color, ALPHA], np.uint8)
        else:
            colors = np.array(mark.palette, np.uint8)[mark.indices]
        layer = imaging.fromarray(colors).resize(picture.size, imaging.Resampling.NEAREST)
        return imaging.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")
    draw, font = _pen(picture)
    if isinstance(mark, Absent):
        for start in range(-height, width if mark.pixels else -height, 16):
            draw.line([(start, height), (start + height, 0)], fill=(150, 150, 150), width=1)
        _tag(draw, font, mark.text, 0, height - LINE, (0, 0, 0), width)
    elif isinstance(mark, Bones):
        for a, b, c, d in mark.lines:
            draw.line([(a * width, b * height), (c * width, d * height)], fill=color, width=2)
    elif isinstance(mark, Point):
        x, y = mark.x * width, mark.y * height
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=color, outline=(255, 255, 255))
    elif isinstance(mark, Box):
        # lines are inside the box, whose corners are edges of pixels
        left, top = round(mark.left * width), round(mark.top * height)
        right, bottom = round(mark.right * width) - 1, round(mark.bottom * height) - 1
        corners = (left, top, max(left, right), max(top, bottom))
        if mark.style.predicted:
            _dashed(draw, corners, color)
        else:
            draw.rectangle(corners, outline=color, width=2)
        if mark.text and draw.textlength(mark.text, font=font) + 6 <= right - left:
            above = top - LINE if top >= LINE else top
            tag_top = corners[3] - LINE if mark.style.predicted else above
            _tag(draw, font, mark.text, left, tag_top, color, width)
    return picture


def _dashed(draw: Any, corners: tuple[int, int, int, int], color: tuple[int, int, int]) -> None:
    left, top, right, bottom = corners
    for x in range(left, right + 1, 10):
        for y in (top, bottom):
            draw.line([(x, y), (min(x + 5, right), y)], fill=color, width=2)
    for y in range(top, bottom + 1, 10):
        for x in (left, right):
            draw.line([(x, y), (x, min(y + 5, bottom))], fill=color, width=2)


def _tag(
    draw: Any, font: Any, text: str, left: int, top: int, color: tuple[int, int, int], width: int
) -> None:
    text = _cut(draw, font, text, width - 6)
    tag_width = math.ceil(draw.textlength(text, font=font)) + 6
    left = max(0, min(left, width - tag_width))
    draw.rectangle((left, top, left + tag_width - 1, top + LINE - 1), fill=color)
    draw.text((left + 3, top), text, fill=ink(color), font=font)


def _pen(picture: Any) -> tuple[Any, Any]:
    from PIL import ImageDraw

    return ImageDraw.Draw(picture), _font()


@cache
def _font() -> Any:
    """A system font that covers many scripts, else Pillow's own, which has only Latin."""
    from PIL import ImageFont

    for name in ("DejaVuSans.ttf", "Arial Unicode.ttf", "Arial.ttf", "arial.ttf"):
        with suppress(OSError):
            return ImageFont.truetype(name, FONT)
    return ImageFont.load_default(size=FONT)


def _wrapped(draw: Any, font: Any, text: str, width: int) -> list[str]:
    """Wrap a line of text at spaces, into at most three lines."""
    lines, words = [""], " ".join(text.split())[:400].split(" ")
    for i, word in enumerate(words):
        longer = f"{lines[-1]} {word}".lstrip()
        if draw.textlength(longer, font=font) <= width or not lines[-1]:
            lines[-1] = longer
        elif len(lines) == MOST_LINES:
            lines[-1] = " ".join([lines[-1], *words[i:]])
            break
        else:
            lines.append(word)
    return [_cut(draw, font, line, width) for line in lines]


def _cut(draw: Any, font: Any, text: str, width: int) -> str:
    """Shorten a line of text until it fits."""
    text = " ".join(text.split())[:200]
    while text and draw.textlength(text, font=font) > width:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
    return text
