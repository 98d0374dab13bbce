"""Numbers and tables as text."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np


def short_number(value: float) -> str:
    """A number with four significant digits, a large one without a fraction.

    >>> [short_number(value) for value in (0.91234, 12345.6, 0.0, float("nan"))]
    ['0.9123', '12,346', '0', '–']
    """
    if np.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def text_table(titles: Sequence[str], rows: Sequence[Sequence[str]], words: int = 2) -> str:
    """Lay out rows of text in columns, the first ``words`` of them to the left and the rest to the right.

    In the first column, a word that repeats the one above it is left out.

    >>> print(text_table(["head", "rows"], [["a", "1"], ["a", "20"]], 1))
      head   rows
     ─────────────
      a         1
               20
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = Table(box=box.SIMPLE_HEAD)
    for i, title in enumerate(titles):
        found.add_column(title, justify="left" if i < words else "right", no_wrap=True)
    above = None
    for first, *rest in rows:
        found.add_row(*(Text(word) for word in ("" if first == above else first, *rest)))
        above = first
    text = io.StringIO()
    Console(file=text, width=10_000, color_system=None).print(found)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip())
