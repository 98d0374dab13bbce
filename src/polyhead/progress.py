"""Progress bars for long work, shown only on a terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")


@contextlib.contextmanager
def bar(word: str, rows: int, wanted: bool = True) -> Iterator[Callable[[int], None]]:
    """Show how many of ``rows`` are done, the speed and the time left; yields a function that reports finished rows.

    Args:
        word: what is done with the rows, such as ``"packing"``.
        rows: the number of rows.
        wanted: False shows nothing.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="progress.data.speed")

    console = Console(stderr=True)
    if not wanted or not console.is_terminal:
        yield lambda count: None
        return
    columns = (
        TextColumn(word),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        Rate(""),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=rows)
        yield lambda count: shown.advance(task, count)


def shown_while(
    word: str, pieces: Iterable[tuple[Any, Any]], rows: int, after: float = 1.0
) -> Iterator[tuple[Any, Any]]:
    """Yield pieces ``(_, values)`` of rows unchanged, with a bar once they take longer than ``after`` seconds.

    >>> import numpy as np
    >>> len(list(shown_while("reading", [(None, np.zeros(3))], 3)))
    1
    """
    yield from _with_bar(word, pieces, rows, after, lambda piece: len(piece[1]))


def shown_each(word: str, items: Sequence[Item]) -> Iterator[Item]:
    """Yield items unchanged, one per row, with a bar once they take longer than a second.

    >>> list(shown_each("reading", ["a.jpg", "b.jpg"]))
    ['a.jpg', 'b.jpg']
    """
    yield from _with_bar(word, items, len(items), 1.0, lambda item: 1)


def _with_bar(
    word: str, items: Iterable[Item], rows: int, after: float, size: Callable[[Item], int]
) -> Iterator[Item]:
    start, done, left = time.monotonic(), 0, iter(items)
    for item in left:
        yield item
        done += size(item)
        if time.monotonic() - start > after:
            break
    else:
        return
    with bar(word, rows) as advance:
        advance(done)
        for item in left:
            yield item
            advance(size(item))
