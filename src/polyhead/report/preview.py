"""Shows samples of a feed as a page, as a picture, or in a notebook."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from polyhead.errors import ContractError, Problem, Report, as_path, require_size, shown
from polyhead.feed import Feed
from polyhead.report.label_summary import summarize
from polyhead.report.objects import Drawing
from polyhead.report.page import page
from polyhead.report.samples import Sample, take_samples

ENDINGS = (".html", ".htm", ".png")

FEW, PIXELS = 24, (1024, 640)
"""The longest side of pictures in pixels, for up to 24 samples and for more."""


@dataclass(frozen=True)
class Preview:
    """Samples of a feed. A notebook displays them, and `save` writes them to a file.

    Attributes:
        feed: the feed.
        samples: rows as the model gets them.
        report: the check against the model, if one was given.
    """

    feed: Feed = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)
    report: Report | None = None

    @cached_property
    def html(self) -> str:
        """The page."""
        drawing = Drawing.of(self.feed, PIXELS[0] if len(self.samples) <= FEW else PIXELS[1])
        labels = summarize(self.feed, drawing.views)
        return page(self.feed, self.samples, drawing, labels, self.report)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page (``.html``) or a contact sheet (``.png``).

        Returns:
            The path.

        Raises:
            ContractError: for another ending.
            PolyheadError: if a contact sheet needs Pillow and it is not installed.
        """
        target = _ending(path)
        if target.suffix.lower() == ".png":
            from polyhead.report.sheet import sheet

            sheet(self.feed, self.samples).save(target, format="PNG")
        else:
            target.write_text(self.html, encoding="utf-8")
        return target

    def _repr_html_(self) -> str:
        """The page in an iframe, isolated from the notebook's styles and scripts."""
        return (
            '<iframe title="Preview of a feed" sandbox="allow-scripts" '
            'style="width:100%;height:720px;border:1px solid #8886;border-radius:8px" '
            f'srcdoc="{escape(self.html)}"></iframe>'
        )


def preview(
    feed: Feed, path: str | os.PathLike[str] | None = None, n: int = 16, *, model: Any = None
) -> Preview:
    """Show samples as the model gets them, with all heads, and the distribution of all labels.

    The samples are the first rows of the feed's next epoch, which is not consumed. Labels are read from the first row
    on: all of them, or a quarter of a gigabyte of large ones.

    Args:
        feed: the feed.
        path: a file to write: ``.html`` for a self-contained page, ``.png`` for a contact sheet, which needs
            ``polyhead[vision]``; None to write nothing.
        n: the number of samples.
        model: a Keras model; the page then includes the result of ``feed.check(model)``.

    Returns:
        A `Preview`, which a notebook displays.

    Raises:
        ContractError: for another ending, or fewer than one sample.
        DataError: for a row that does not match the declaration.

    >>> import numpy as np
    >>> import polyhead as ph
    >>> from polyhead.report import preview
    >>> data = {"image": np.zeros((4, 8, 8, 3), np.uint8), "kind": ["cat", "dog", None, "cat"]}
    >>> feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"kind": ph.Categorical()})
    >>> seen = preview(feed, n=3)
    >>> [sample.labels["kind"].state for sample in seen.samples]
    ['labeled', 'labeled', 'missing']
    """
    require_size("preview(n=)", n)
    if path is not None:
        _ending(path)
    report = None if model is None else feed.check(model)
    found = Preview(feed, tuple(take_samples(feed, n)), report)
    if path is not None:
        found.save(path)
    return found


def _ending(path: str | os.PathLike[str]) -> Path:
    target = as_path(path, "preview(path)")
    if target.suffix.lower() not in ENDINGS:
        expected = "the name of a file that ends in .html or .png"
        raise ContractError(Problem("preview(path)", expected, shown(str(path))))
    return target
