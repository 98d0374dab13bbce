"""A progress bar for long work, shown only on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def bar(word: str, rows: int, wanted: bool = True) -> Iterator[Callable[[int], None]]:
    """Show how many of ``rows`` are done, and the time left; yields a function to call with the rows just done.

    Args:
        word: what is done with the rows, such as ``"packing"``.
        rows: the number of rows.
        wanted: False shows nothing.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not wanted or not console.is_terminal:
        yield lambda count: None
        return
    columns = (
        TextColumn(word),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as shown:
        task = shown.add_task("", total=rows)
        yield lambda count: shown.advance(task, count)
