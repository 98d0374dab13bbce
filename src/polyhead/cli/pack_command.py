"""``polyhead pack``: writes a feed or other data as a store, or verifies a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.arguments import load_data
from polyhead.cli.loaded_data import LoadedData
from polyhead.cli.messages import INTERRUPTED, WRONG_DATA, WRONG_USE, fail, reporting
from polyhead.errors import PolyheadError, counted
from polyhead.packing import pack, verify


def run_pack(
    data: Annotated[
        str,
        typer.Argument(
            metavar="FILE.PY:NAME|PATH",
            help="A feed, source, mapping of arrays or frame in a Python file, a function that returns one, or the "
            "path of a table. With --verify, a store.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Argument(metavar="[OUT]", help="The folder to write.", show_default=False)
    ] = None,
    named_output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="The folder to write, instead of OUT.", show_default=False
        ),
    ] = None,
    image_size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="H W", help="The size of the images in the store; by default, that of the feed."
        ),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="The format of the images in the store: pixels, jpeg or png.")
    ] = "pixels",
    quality: Annotated[int, typer.Option(min=1, max=100, help="The JPEG quality.")] = 95,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Threads that read and decode; by default, one per core.")
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Add the rows to a store that has the same columns.")
    ] = False,
    verifies: Annotated[
        bool, typer.Option("--verify", help="Check all files of a store against their checksums.")
    ] = False,
) -> None:
    """Write rows into a store, with images decoded and resized once.

    After an interruption, the same command resumes.
    """
    if verifies:
        if output is not None or named_output is not None:
            fail("--verify takes only a store.", WRONG_USE)
        _verify_store(data)
        return
    output = _one_output(output, named_output)
    with reporting(data, output):
        loaded = _of_one_length(load_data(data), data)
        try:
            store = pack(
                loaded.source if loaded.feed is None else loaded.feed,
                output,
                image_size=image_size,
                encoding=encoding,
                quality=quality,
                workers="auto" if workers is None else workers,
                append=append,
            )
        except KeyboardInterrupt:
            fail(f"{output}: interrupted; run the same command again to resume.", INTERRUPTED)
    typer.echo(f"{output}: {counted(len(store), 'row')}, {', '.join(store.columns)}")


def _one_output(output: Path | None, named: Path | None) -> Path:
    """Return the folder to write, given as an argument or as an option."""
    if output is not None and named is not None:
        fail(f"name one folder to write, not {output} and {named}.", WRONG_USE)
    folder = output or named
    if folder is None:
        fail("name the folder to write: polyhead pack FILE.PY:NAME OUT.", WRONG_USE)
    return folder


def _of_one_length(loaded: LoadedData, data: str) -> LoadedData:
    """Return the data; the command ends if its file also holds arrays that are no columns of the rows."""
    if loaded.left_out:
        others = "; ".join(f"{names}: {why}" for names, why in loaded.left_out.items())
        fix = "Name a mapping of the arrays of one length, as file.py:name."
        fail(f"{data}: expected arrays of one length, got {others}. {fix}")
    return loaded


def _verify_store(path: str) -> None:
    try:
        report = verify(path)
    except PolyheadError as error:
        fail(str(error))
    typer.echo(f"{path}: {report}")
    if not report.ok:
        raise typer.Exit(WRONG_DATA)
