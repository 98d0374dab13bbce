"""``polyhead examine``: lists the problems of a generator or dataset that somebody wrote by hand."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from polyhead.cli.arguments import MODEL_NAME, JsonOption, import_code, load_with_model
from polyhead.cli.messages import WRONG_DATA, WRONG_USE, fail, reporting
from polyhead.doctor.environment import environment
from polyhead.doctor.examination import Examination
from polyhead.doctor.examine import examine


def run_examine(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE.PY:NAME",
            help="A generator, a generator function, a PyDataset, a tf.data, torch or grain dataset, or arrays.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar=MODEL_NAME, help="A Keras model, a function that returns one, or a saved model."
        ),
    ] = None,
    batches: Annotated[int, typer.Option(min=1, help="The largest number of batches to read.")] = 50,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps-per-epoch", min=1, help="The steps_per_epoch that you pass to fit.", show_default=False
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="The time limit in seconds.")] = 60.0,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    env: Annotated[
        bool, typer.Option("--env", help="Show known problems of the installed Keras and its backend.")
    ] = False,
) -> None:
    """Find the mistakes in a generator or a dataset, without training on it.

    The exit code is 0 if there are no mistakes, 1 if there are some, and 2 for wrong arguments.
    """
    if env:
        with reporting("--env"):
            installed = environment()
        typer.echo(json.dumps(installed.as_dict(), indent=2) if as_json else str(installed))
        return
    if data is None:
        fail("examine: name an object of a Python file, as file.py:name, or ask for --env.", WRONG_USE)
    with reporting(data):
        examined, net = load_with_model(data, model)
        report = examine(examined, net, batches, steps_per_epoch=steps, seconds=seconds)
    if report.declaration:
        report = replace(report, declaration=f"{_code_of(data, examined, report)}\n{report.declaration}")
    typer.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False) if as_json else str(report))
    if not report.ok or (strict and report.warnings):
        raise typer.Exit(WRONG_DATA)


def _code_of(data: str, examined: Any, report: Examination) -> str:
    """Return the lines of code that define what was examined under the name that the declaration gives it."""
    path, _, name = data.rpartition(":")
    if inspect.isgenerator(examined):  # the declaration calls its function
        name = examined.gi_code.co_name
    imports, value = import_code(Path(path), name)
    used = re.search(r"\b(dataset|loader|iterator|generator|arrays)\b", report.declaration)
    declared = name if used is None else used[1]
    called = inspect.isroutine(examined) and declared not in (name, "generator")
    return imports if value == declared else f"{imports}\n\n{declared} = {value}{'()' * called}"
