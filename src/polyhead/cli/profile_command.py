"""``polyhead profile``: how fast a feed is, where its bottleneck is, and what helps."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Annotated

import typer

from polyhead.cli.arguments import load, made, model_of
from polyhead.cli.messages import WRONG_USE, fail
from polyhead.errors import ContractError, PolyheadError
from polyhead.feed import Feed


def profile(
    feed: Annotated[
        str,
        typer.Argument(
            metavar="FILE.PY:NAME",
            help="A ph.Feed of a Python file, or a function that returns one.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.PY:NAME",
            help="A Keras model, or a function that returns one: how long it waits for the feed. It is trained.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=2, help="How many batches to measure; by default some seconds.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")
    ] = False,
) -> None:
    """Measure a feed stage by stage, alone or with a model: find the bottleneck, and what helps."""
    from polyhead.report.profile import train

    # what the files print is theirs; the report alone goes to stdout
    with contextlib.redirect_stdout(sys.stderr):
        found = load(*(text for text in (feed, model) if text is not None))
        given = made(feed, found[0])
        if not isinstance(given, Feed):
            fail(f"{feed}: expected a ph.Feed, got {type(given).__name__}.", WRONG_USE)
        net = model_of(model, found[1]) if model is not None else None
        try:
            speed = given.profile(steps) if net is None else train(given, net, steps)
        except ContractError as error:
            fail(f"{feed}: {error}", WRONG_USE)
        except PolyheadError as error:
            fail(f"{feed}: {error}")
    typer.echo(json.dumps(speed.as_dict(), indent=2) if as_json else str(speed))
