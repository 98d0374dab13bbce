"""``polyhead inspect``: what some data holds, and a feed for it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from polyhead.cli.arguments import find
from polyhead.cli.column_survey import survey, words
from polyhead.cli.messages import fail
from polyhead.cli.suggest import suggest
from polyhead.doctor.column_description import ColumnDescription
from polyhead.errors import PolyheadError


def inspect(
    data: Annotated[
        str,
        typer.Argument(
            metavar="PATH|FILE.PY:NAME",
            help="A table (Parquet, CSV, Arrow), or an object of a Python file: a feed, a source, a mapping "
            "of arrays, a frame, or a function that returns one of them.",
            show_default=False,
        ),
    ],
    code: Annotated[bool, typer.Option("--code", help="Print the suggested code alone.")] = False,
) -> None:
    """Show the columns of some data, and suggest a feed for it as code to paste."""
    given = find(data)
    try:
        columns = survey(given.source)
    except PolyheadError as error:
        fail(f"{data}: {error}")
    if not len(given.source):
        fail(f"{data}: it has no rows.")
    console = Console(highlight=False)
    if not code:
        read = min((len(c.there) for c in columns), default=0)
        part = f" (of large columns the first {read:,} were read)" if read < len(given.source) else ""
        console.print(Text(f"{data}: {len(given.source):,} rows, {len(columns)} columns{part}"))
        console.print(_table(columns))
    if given.feed is not None and not code:
        console.print(
            Text(f"\nIt is declared already:\n{given.feed}\n\n{given.feed.describe()}"), soft_wrap=True
        )
        return
    suggestion = suggest(columns)
    if not suggestion.inputs or not suggestion.heads:
        what = "an input" if not suggestion.inputs else "a head"
        fail(f"{data}: no column can be {what}: {_reasons(suggestion.left_out, columns)}")
    if not code:
        console.print("\nA feed for it, to paste and change:\n")
    console.print(Text(suggestion.code(given.expression, given.imports)), soft_wrap=True)


def _table(columns: list[ColumnDescription]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("column", "type", "coverage", "values"):
        table.add_column(title, overflow="fold", justify="right" if title == "coverage" else "left")
    for c in columns:
        table.add_row(*(Text(text) for text in (c.name, c.type, f"{c.coverage:.1%}", words(c))))
    return table


def _reasons(left_out: dict[str, str], columns: list[ColumnDescription]) -> str:
    reasons = "; ".join(f"`{name}`: {why}" for name, why in left_out.items())
    return reasons or f"there is one column only, `{columns[0].name}`."
