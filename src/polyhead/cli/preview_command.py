"""``polyhead preview``: writes samples of a feed as a page or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.arguments import FeedArgument, load_feed
from polyhead.cli.messages import reporting
from polyhead.report import preview


def run_preview(
    feed: FeedArgument,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.PY:NAME",
            help="A Keras model, or a function that returns one: also check that it fits the feed.",
        ),
    ] = None,
    samples: Annotated[int, typer.Option("-n", "--samples", min=1, help="How many samples to show.")] = 16,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write: a page (.html) or a picture (.png).")
    ] = Path("preview.html"),
) -> None:
    """Draw samples of a feed, with all heads, as the model gets them."""
    with reporting(feed, output):
        given, net = load_feed(feed, model)
        preview(given, output, samples, model=net)
    typer.echo(f"{output}")
