"""``polyhead preview``: samples of a feed as a page, or as a picture."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.arguments import load, made
from polyhead.cli.messages import WRONG_USE, fail
from polyhead.errors import ContractError, PolyheadError
from polyhead.feed import Feed
from polyhead.report import preview as look


def preview(
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
            help="A Keras model, or a function that returns one: the page then shows whether they fit.",
        ),
    ] = None,
    samples: Annotated[int, typer.Option("-n", "--samples", min=1, help="How many samples.")] = 16,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write: a page (.html) or a picture (.png).")
    ] = Path("preview.html"),
) -> None:
    """Show samples of a feed as the model gets them, with all heads drawn, on one page."""
    # what the files print is theirs; the name of the page alone goes to stdout
    with contextlib.redirect_stdout(sys.stderr):
        found = load(*(text for text in (feed, model) if text is not None))
        given = made(feed, found[0])
        if not isinstance(given, Feed):
            fail(f"{feed}: expected a ph.Feed, got {type(given).__name__}.", WRONG_USE)
        net = made(model, found[1]) if model is not None else None
        if model is not None and not callable(getattr(net, "fit", None)):
            fail(f"{model}: expected a Keras model, got {type(net).__name__}.", WRONG_USE)
        try:
            look(given, output, samples, model=net)
        except ContractError as error:
            fail(f"{feed}: {error}", WRONG_USE)
        except PolyheadError as error:
            fail(f"{feed}: {error}")
        except OSError as error:
            fail(f"{output}: it cannot be written: {error.strerror or error}", WRONG_USE)
    typer.echo(f"{output}")
