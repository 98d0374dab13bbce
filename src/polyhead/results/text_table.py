"""Formats numbers and tables as text."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence

import numpy as np


def short_number(value: float) -> str:
    """Format a number with four significant digits, or without a fraction from 1,000 on.

    >>> [short_number(value) for value in (0.91234, 12345.6, 0.0, float("nan"))]
    ['0.9123', '12,346', '0', '–']
    """
    if np.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def one_line(text: str, longest: int) -> str:
    """Put text into one line of at most ``longest`` characters.

    >>> one_line("two\\nlines", 20), one_line("a long word", 7)
    ('two lines', 'a long…')
    """
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def text_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[int] = (0, 1),
    repeats: bool = False,
) -> str:
    """Lay out rows of text in columns, aligned right unless they are among ``left``.

    Args:
        rows: the text of each cell; line breaks become spaces.
        left: the indices of the columns to align left.
        repeats: keep a cell in the first column that equals the one above it.

    >>> print(text_table(["head", "rows"], [["a", "1"], ["a", "20"]], left=[0]))
      head   rows
     ─────────────
      a         1
               20
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for i, title in enumerate(titles):
        table.add_column(Text(title), justify="left" if i in left else "right", no_wrap=True)
    above = None
    for first, *others in rows:
        cells = ("" if first == above and not repeats else first, *others)
        table.add_row(*(Text(" ".join(cell.splitlines())) for cell in cells))
        above = first
    text = io.StringIO()
    Console(file=text, width=10_000, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip())
