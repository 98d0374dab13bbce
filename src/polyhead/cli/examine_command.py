"""``polyhead examine``: lists the problems of a generator or dataset that somebody wrote by hand."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from polyhead.cli.arguments import JsonOption, as_model, load_objects
from polyhead.cli.messages import WRONG_DATA, reporting
from polyhead.doctor.examine import examine


def run_examine(
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
    batches: Annotated[int, typer.Option(min=1, help="The largest number of batches to read.")] = 50,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps-per-epoch", min=1, help="The steps_per_epoch that you give to fit.", show_default=False
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long the examination may take.")] = 60.0,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
) -> None:
    """Find the mistakes in a generator or a dataset, without training on it.

    The exit code is 0 if there are none, 1 if there are some, and 2 for wrong arguments.
    """
    with reporting(data):
        found = load_objects(*(text for text in (data, model) if text is not None))
        net = None if model is None else as_model(model, found[1])
        report = examine(found[0], net, batches, steps_per_epoch=steps, seconds=seconds)
    typer.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False) if as_json else str(report))
    if not report.ok or (strict and report.warnings):
        raise typer.Exit(WRONG_DATA)
