"""``polyhead profile``: measures a feed and names its bottleneck."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from polyhead.cli.arguments import MODEL_NAME, FeedArgument, JsonOption, load_feed
from polyhead.cli.messages import reporting


def run_profile(
    feed: FeedArgument,
    model: Annotated[
        str | None,
        typer.Option(
            metavar=MODEL_NAME,
            help="A Keras model, a function that returns one, or a saved model: train it, and measure how long it "
            "waits for the feed.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="The number of batches to measure; by default, as many as take a few seconds.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure each stage of a feed, alone or while a model trains, and suggest how to make it faster."""
    from polyhead.report.profile import train

    with reporting(feed):
        loaded, net = load_feed(feed, model)
        speed = loaded.profile(steps) if net is None else train(loaded, net, steps)
    typer.echo(json.dumps(speed.as_dict(), indent=2) if as_json else str(speed))
