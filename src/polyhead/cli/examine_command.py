"""``polyhead examine``: lists the problems of a generator or dataset that somebody wrote by hand."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Annotated

import typer

from polyhead.cli.arguments import load, model_of
from polyhead.cli.messages import WRONG_DATA, WRONG_USE, fail
from polyhead.doctor.examine import examine as problems_of
from polyhead.errors import PolyheadError


def examine(
    data: Annotated[
        str,
        typer.Argument(
            metavar="FILE.PY:NAME",
            help="A generator, a generator function, a PyDataset, a tf.data, torch or grain dataset, or arrays.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="FILE.PY:NAME", help="A Keras model, or a function that returns one."),
    ] = None,
    batches: Annotated[int, typer.Option(min=1, help="How many batches to read at most.")] = 50,
    steps: Annotated[
        int | None, typer.Option(min=1, help="What you give to fit as steps_per_epoch.", show_default=False)
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long everything may take.")] = 60.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as mistakes.")] = False,
) -> None:
    """Find the mistakes in a generator or a dataset, without training on it.

    Ends with 0 where nothing is wrong, with 1 where something is, and with 2 where it was called wrongly.
    """
    # what the files print is theirs; the report alone goes to stdout
    with contextlib.redirect_stdout(sys.stderr):
        found = load(*(text for text in (data, model) if text is not None))
        try:
            net = model_of(model, found[1]) if model is not None else None
            report = problems_of(found[0], net, batches, steps_per_epoch=steps, seconds=seconds)
        except PolyheadError as error:
            fail(f"{data}: {error}", WRONG_USE)
    typer.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False) if as_json else str(report))
    if not report.ok or (strict and report.warnings):
        raise typer.Exit(WRONG_DATA)
