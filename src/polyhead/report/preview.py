"""Shows samples of a feed as a page, as a picture or in a notebook."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from polyhead.errors import ContractError, Problem, Report, counted, require_size, shown
from polyhead.feed import Feed
from polyhead.kinds import Head
from polyhead.report.guesses import with_guesses
from polyhead.report.label_summary import summarize
from polyhead.report.objects import Drawing
from polyhead.report.page import page
from polyhead.report.row_choice import rows_to_show
from polyhead.report.samples import Sample, take_samples
from polyhead.whole_file import path_with_ending, writing

FEW, PIXELS = 24, (1024, 640)
"""The most samples with large pictures; the longest side of pictures in pixels up to that number, and above it."""


@dataclass(frozen=True, repr=False)
class Preview:
    """Samples of a feed. A notebook displays them, and `save` writes them to a file.

    Attributes:
        feed: the feed.
        samples: rows as the model gets them.
        report: the check against the model, if one was given.
        shown: a description of the rows; empty for the next ones.
        heads: the heads in the units of the samples' labels, if these differ from the feed's.
    """

    feed: Feed
    samples: tuple[Sample, ...]
    report: Report | None = None
    shown: str = ""
    heads: Mapping[str, Head] | None = None

    def __repr__(self) -> str:
        names = ", ".join([*self.feed.inputs, *self.feed.heads])
        report = "" if self.report is None else f"\n{self.report}"
        return f"Preview({counted(len(self.samples), 'sample')}: {names}){report}"

    @cached_property
    def html(self) -> str:
        """The page."""
        labels = summarize(self.feed, Drawing.of(self.feed).views)
        return page(self.feed, self.samples, self._drawing, labels, self.report, self.shown)

    @property
    def _drawing(self) -> Drawing:
        return Drawing.of(self.feed, PIXELS[0] if len(self.samples) <= FEW else PIXELS[1], self.heads)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page (``.html``) or a contact sheet (``.png``).

        Returns:
            The path.

        Raises:
            ContractError: for another ending.
            DataError: for a path that cannot be written.
            PolyheadError: if a contact sheet needs Pillow and it is not installed.
        """
        file, ending = _file_to_write(path)
        with writing(file) as temporary:
            if ending == ".png":
                from polyhead.report.sheet import sheet

                sheet(self._drawing, self.samples).save(temporary, format="PNG")
            else:
                temporary.write_text(self.html, encoding="utf-8")
        return file

    def _repr_html_(self) -> str:
        """The page in an iframe, isolated from the notebook's styles and scripts."""
        return (
            '<iframe title="Preview of a feed" sandbox="allow-scripts" '
            'style="width:100%;height:720px;border:1px solid #8886;border-radius:8px" '
            f'srcdoc="{escape(self.html)}"></iframe>'
        )


def preview(
    feed: Feed,
    path: str | os.PathLike[str] | None = None,
    n: int = 16,
    *,
    rows: Any = None,
    draws: int = 1,
    predictions: Any = None,
    model: Any = None,
) -> Preview:
    """Show samples as the model gets them, with all heads, and the distribution of all labels.

    Without ``rows``, the samples are the first rows of the feed's next epoch, which is not consumed. Labels are read
    from the first row on: all of them, or a quarter of a gigabyte of large ones.

    Args:
        feed: the feed.
        path: a file to write: ``.html`` for a self-contained page, ``.png`` for a contact sheet, which needs
            ``polyhead[vision]``; None to write nothing.
        n: the number of samples.
        rows: ids of the rows to show, as ``[3, 17]``; or ``{head: condition}``: the first ``n`` rows in which each
            head fulfills its condition, which is a class or number, a list of several of which one will do, None for
            rows without a label, or a function of the label.
        draws: how many times each of ``rows`` is augmented, each time as in another epoch.
        predictions: the result of `polyhead.predict` for these rows; it is drawn dashed beside the labels, on the
            original images, and rows are sorted by loss, the largest first.
        model: a Keras model; the page then includes the result of ``feed.check(model)``.

    Returns:
        A `Preview`, which a notebook displays.

    Raises:
        ContractError: for another ending, fewer than one sample, ``rows`` that the feed doesn't have, ``draws``
            without ``rows``, or predictions of other rows.
        DataError: for a row that does not match the declaration, or a path that cannot be written.

    >>> import numpy as np
    >>> import polyhead as ph
    >>> from polyhead.report import preview
    >>> data = {"image": np.zeros((4, 8, 8, 3), np.uint8), "kind": ["cat", "dog", None, "cat"]}
    >>> feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"kind": ph.Categorical()})
    >>> seen = preview(feed, n=3)
    >>> [sample.labels["kind"].state for sample in seen.samples]
    ['labeled', 'labeled', 'missing']
    >>> [sample.row for sample in preview(feed, rows={"kind": "cat"}).samples]
    [0, 3]
    >>> [sample.row for sample in preview(feed, rows={"kind": None}).samples]
    [2]
    """
    require_size("preview(n=)", n)
    require_size("preview(draws=)", draws)
    if path is not None:
        _file_to_write(path)
    if draws > 1 and (rows is None or predictions is not None):
        fix = "Say which rows, as rows=[7], draws=9."
        expected = "rows= beside it" if predictions is None else "no predictions beside it"
        raise ContractError(Problem("preview(draws=)", expected, str(draws), fix))
    report = None if model is None else feed.check(model)
    samples, heads = _taken_samples(feed, n, rows, draws, predictions)
    result = Preview(feed, tuple(samples), report, _rows_in_words(rows, draws, predictions), heads)
    if path is not None:
        result.save(path)
    return result


def _rows_in_words(rows: Any, draws: int, predictions: Any) -> str:
    if rows is None and predictions is None:
        return ""
    words = "rows of your choice" if rows is not None else "rows"
    if isinstance(rows, Mapping):
        words = "rows with " + ", ".join(f"{shown(value)} in {name}" for name, value in rows.items())
    words += f", augmented as in {draws} epochs" if draws > 1 else ""
    return words + (", those with the largest loss first" if predictions is not None else "")


def _taken_samples(
    feed: Feed, n: int, rows: Any, draws: int, predictions: Any
) -> tuple[list[Sample], Mapping[str, Head] | None]:
    """The samples, and the heads in the units of their labels; None for the feed's heads."""
    if rows is None and predictions is None:
        return take_samples(feed, n), None
    views, positions = Drawing.of(feed).views, None
    if rows is not None:
        positions = rows_to_show(feed, rows, n if predictions is None else feed.num_samples, views)
    if predictions is None:
        samples = take_samples(feed, n, positions, draws)
        return samples if draws == 1 else list(_each_original_once(samples)), None
    if positions is not None and not isinstance(rows, Mapping):
        n = len(positions)
    return with_guesses(feed, predictions, positions, n, views)


def _each_original_once(samples: list[Sample]) -> Iterator[Sample]:
    """Yield each row once without augmentation, then its augmented samples."""
    previous = None
    for sample in samples:
        if sample.row != previous and sample.original is not None:
            yield replace(sample.original, file=sample.file, applied=("original",))
        previous = sample.row
        yield replace(sample, original=None)


def _file_to_write(path: str | os.PathLike[str]) -> tuple[Path, str]:
    return path_with_ending(path, "preview(path)", ".html", ".png")
