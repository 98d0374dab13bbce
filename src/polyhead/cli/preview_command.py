"""``polyhead preview``: writes samples of a feed as a page or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from polyhead.cli.arguments import MODEL_NAME, FeedArgument, load_feed
from polyhead.cli.messages import reporting
from polyhead.cli.saved_model import require_output
from polyhead.errors import ContractError, DataError, Problem, Report, shown, warn
from polyhead.report import preview


def run_preview(
    feed: FeedArgument,
    model: Annotated[
        str | None,
        typer.Option(
            metavar=MODEL_NAME,
            help="A Keras model, a function that returns one, or a saved model: also check that it fits the feed.",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("-n", "--samples", min=1, help="The number of samples to show.")
    ] = 16,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="3,17 or HEAD=CLASS",
            help="Show these rows, or rows of one class of a head, such as kind=kite.",
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option(min=1, help="The number of differently augmented samples of each row.")
    ] = 1,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write: a page (.html) or a picture (.png).")
    ] = Path("preview.html"),
) -> None:
    """Draw samples of a feed, with all heads, as the model gets them.

    The exit code is 0 for success, 1 for wrong data, and 2 for wrong arguments or a model that does not fit the feed.
    In the last case the file is written too, and shows what does not fit.
    """
    require_output(output, (".html", ".htm", ".png"), ())
    with reporting(feed):
        loaded, net = load_feed(feed, model)
        result = preview(loaded, output, samples, rows=_rows_named(rows), draws=draws, model=net)
    typer.echo(f"{output}")
    if result.report is not None:
        with reporting(feed):
            _require_fit(result.report)


def _require_fit(report: Report) -> None:
    """Emit warnings, and raise for errors, as binding the feed to the model would."""
    for problem in report.warnings:
        warn(problem)
    if not report.ok:
        rows_alone = all(problem.rows for problem in report.errors)
        raise (DataError if rows_alone else ContractError)(*report.errors)


def _rows_named(text: str | None) -> Any:
    """Parse the rows that a user names: ids, or conditions ``head=class`` that must all hold."""
    if text is None or not text.strip():
        return None
    parts = [part.strip() for part in text.split(",")]
    if all(part.isdigit() for part in parts):
        return [int(part) for part in parts]
    pairs = [part.partition("=") for part in parts]
    if not all(sign for _, sign, _ in pairs):
        expected = "ids of rows, as 3,17, or a head and its class, as kind=kite"
        raise ContractError(Problem("--rows", expected, shown(text)))
    return {head.strip(): _number_or_text(value.strip()) for head, _, value in pairs}


def _number_or_text(value: str) -> Any:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
