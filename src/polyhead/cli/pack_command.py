"""``polyhead pack``: a feed, or other data, as a store; or whether a store is as it was written."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from polyhead.cli.arguments import find
from polyhead.cli.messages import WRONG_USE, fail
from polyhead.errors import ContractError, PolyheadError
from polyhead.packing import pack as write
from polyhead.packing import verify as look


def pack(
    data: Annotated[
        str,
        typer.Argument(
            metavar="FILE.PY:NAME|PATH",
            help="A feed of a Python file, or other data: a source, a mapping of arrays, a frame, a function that "
            "returns one of them, or the path of a table. With --verify, a store.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Argument(metavar="[OUT]", help="The folder to write.", show_default=False)
    ] = None,
    image_size: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="H W", help="The size of a feed's images, in place of the declared one."),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="How a feed's images are stored: pixels, jpeg or png.")
    ] = "pixels",
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG.")] = 95,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Threads that read and decode; by default one a core.")
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Add the rows to a store of the same columns.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all of a store, and compare it with its checksums.")
    ] = False,
) -> None:
    """Write all rows of some data into a store, images decoded and resized once. A run that was ended goes on."""
    if verify:
        if output is not None:
            fail("--verify takes a store alone.", WRONG_USE)
        _verify(data)
        return
    if output is None:
        fail("say which folder to write: polyhead pack FILE.PY:NAME OUT.", WRONG_USE)
    options: dict[str, Any] = {
        "image_size": image_size,
        "encoding": encoding,
        "quality": quality,
        "append": append,
    }
    # what the file prints is its own; what was written alone goes to stdout
    with contextlib.redirect_stdout(sys.stderr):
        given = find(data)
        try:
            store = write(
                given.source if given.feed is None else given.feed,
                output,
                workers="auto" if workers is None else workers,
                **options,
            )
        except ContractError as error:
            fail(f"{data}: {error}", WRONG_USE)
        except PolyheadError as error:
            fail(f"{data}: {error}")
        except OSError as error:
            fail(f"{output}: it cannot be written: {error.strerror or error}", WRONG_USE)
        except KeyboardInterrupt:
            fail(f"{output}: it was ended; the same command goes on.", 130)
    typer.echo(f"{output}: {len(store):,} rows, {', '.join(store.columns)}")


def _verify(path: str) -> None:
    try:
        report = look(path)
    except PolyheadError as error:
        fail(str(error))
    typer.echo(f"{path}: {report}")
    if not report.ok:
        raise typer.Exit(1)
