"""``polyhead inspect``: shows the columns of data, and suggests a feed for it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from polyhead.cli.arguments import JsonOption, load_data
from polyhead.cli.loaded_data import LoadedData
from polyhead.cli.messages import fail, reporting
from polyhead.cli.suggest import Suggestion, suggest
from polyhead.doctor.column_survey import ColumnDescription, describe_columns, describe_values
from polyhead.errors import counted, hints


def run_inspect(
    data: Annotated[
        str,
        typer.Argument(
            metavar="PATH|FILE.PY:NAME",
            help="The path of a table (Parquet, CSV, Arrow, JSON lines), of arrays (NumPy, HDF5) or a folder of them, "
            "a folder of images, a data YAML or a COCO file; or a feed, source, mapping of arrays or frame in a Python "
            "file, or a function that returns one.",
            show_default=False,
        ),
    ],
    code: Annotated[bool, typer.Option("--code", help="Print only the suggested code.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the columns of a data set, and suggest a feed as code to paste."""
    with reporting(data):
        loaded = load_data(data)
        columns = describe_columns(loaded.source)
    if not len(loaded.source):
        fail(f"{data}: it has no rows.")
    if as_json:
        typer.echo(json.dumps(_as_dict(loaded, columns), indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    if not code:
        read = min((len(c.present) for c in columns), default=0)
        part = (
            f" (only the first {counted(read, 'value')} of large columns were read)"
            if read < len(loaded.source)
            else ""
        )
        console.print(
            Text(f"{data}: {counted(len(loaded.source), 'row')}, {counted(len(columns), 'column')}{part}"),
            soft_wrap=True,
        )
        console.print(_as_table(columns))
        report = getattr(loaded.source, "report", None)
        if report is not None and report.problems:
            console.print(Text(f"\n{report}"), soft_wrap=True)
    if loaded.feed is not None and not code:
        console.print(
            Text(f"\nThe data is already declared as a feed:\n{loaded.feed}\n\n{loaded.feed.describe()}"),
            soft_wrap=True,
        )
        return
    suggestion = _suggestion(loaded, columns)
    if not suggestion.inputs or not suggestion.heads:
        kind = "an input" if not suggestion.inputs else "a head"
        folder = loaded.expression.startswith("ph.read_folder(") and not suggestion.heads
        fix = f'If a table has the labels: {loaded.expression[:-1]}, table="labels.csv").' if folder else ""
        fail(hints(f"{data}: no column can be {kind}: {_reasons(suggestion.left_out, columns)}", fix))
    if not code:
        console.print("\nA feed for it, to paste and change:\n")
    console.print(Text(suggestion.code(loaded.expression, loaded.imports)), soft_wrap=True)


def _suggestion(loaded: LoadedData, columns: list[ColumnDescription]) -> Suggestion:
    suggestion = suggest(columns, loaded.frame)
    suggestion.left_out |= loaded.left_out
    return suggestion


def _as_dict(loaded: LoadedData, columns: list[ColumnDescription]) -> dict[str, Any]:
    """Return the report as objects for JSON; the code is None if no column can be an input or a head."""
    suggestion = _suggestion(loaded, columns)
    complete = suggestion.inputs and suggestion.heads
    return {
        "rows": len(loaded.source),
        "columns": [
            {"name": c.name, "type": c.type, "coverage": c.coverage, "values": describe_values(c)}
            for c in columns
        ],
        "code": suggestion.code(loaded.expression, loaded.imports) if complete else None,
    }


def _as_table(columns: list[ColumnDescription]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("column", "type", "coverage", "values"):
        table.add_column(title, overflow="fold", justify="right" if title == "coverage" else "left")
    for c in columns:
        table.add_row(*(Text(text) for text in (c.name, c.type, f"{c.coverage:.1%}", describe_values(c))))
    return table


def _reasons(left_out: dict[str, str], columns: list[ColumnDescription]) -> str:
    reasons = "; ".join(f"`{name}`: {why}" for name, why in left_out.items())
    return f"{reasons}." if reasons else f"there is only one column, `{columns[0].name}`."
