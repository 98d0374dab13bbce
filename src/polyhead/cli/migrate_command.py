"""``polyhead migrate``: writes feeds that replace a script's data pipelines, and compares their rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.arguments import JsonOption, require_file
from polyhead.cli.messages import WRONG_DATA, reporting
from polyhead.migrating.migrate import migrate, report_of


def run_migrate(
    script: Annotated[
        Path, typer.Argument(metavar="FILE.PY", help="The training script.", show_default=False)
    ],
    execute: Annotated[
        bool,
        typer.Option(
            "--run/--no-run",
            help="Run the lines that make the data, and compare the rows of both; --no-run only reads the script.",
        ),
    ] = True,
    rows: Annotated[int, typer.Option(min=1, help="The number of rows to compare.")] = 200,
    as_json: JsonOption = False,
) -> None:
    """Write a ph.Feed that replaces an ImageDataGenerator, Sequence, PyDataset, from_generator or generator.

    It runs only the lines of the script that make the data, never the model or the training, and lists these lines in
    its report. The exit code is 0 if every pipeline was migrated, and 1 if one was not, or if there is none.
    """
    require_file(script)
    with reporting(str(script)):
        migrations = migrate(script, execute=execute, rows=rows)
    text = json.dumps([asdict(migration) for migration in migrations], indent=2, ensure_ascii=False)
    typer.echo(text if as_json else report_of(migrations, script))
    if not migrations or not all(migration.code or migration.by for migration in migrations):
        raise typer.Exit(WRONG_DATA)
