"""Shows the first rows of a table of predictions, as text and in notebooks."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from polyhead.errors import counted, shown
from polyhead.results.text_table import one_line, text_table

MOST_ROWS, _WIDTH = 10, 100
"""The most rows shown, and the most characters in a line."""

_CELL, _TITLE, _WIDE_CELL = 24, 40, 60
"""The most characters of a value, of a column name, and of a value in a notebook."""

_BETWEEN, _EDGE = 3, 1
"""Characters between two columns, and before the first one."""


@dataclass(frozen=True)
class FirstRows:
    """The first rows of predictions.

    Args:
        table: the first `MOST_ROWS` as a pyarrow ``Table``.
        count: the number of rows in the whole table.
        where: the file that contains the rows; empty for none.
    """

    table: Any
    items: Mapping[str, str]
    count: int
    where: str = ""

    @property
    def size(self) -> str:
        """The number of rows and columns, in words."""
        return f"{counted(self.count, 'row')}, {counted(len(self.items), 'column')}"

    @property
    def more(self) -> str:
        """The number of rows that are not shown, in words; empty for none."""
        hidden = self.count - self.table.num_rows
        return f"and {counted(hidden, 'more row')}" if hidden else ""

    def cells(self, longest: int) -> list[list[str]]:
        """The values of each column as text of at most ``longest`` characters."""
        return [
            [_cell_words(_cell_value(value, item), longest) for value in self.table.column(name)]
            for name, item in self.items.items()
        ]

    def as_text(self) -> str:
        """A table of at most 100 characters in width; columns that do not fit are listed below it."""
        from rich.cells import cell_len

        summary = f"Predictions({self.size}{self.where and f', in {self.where}'})"
        if not self.count:
            return "\n".join([summary, *_text_lines(f"columns: {', '.join(self.items)}")])
        titles = [one_line(name, _TITLE) for name in self.items]
        columns = self.cells(_CELL)
        widths = [max(map(cell_len, [t, *c])) + _BETWEEN for t, c in zip(titles, columns, strict=True)]
        fit = max(1, sum(_EDGE + width <= _WIDTH for width in itertools.accumulate(widths)))
        rows = list(zip(*columns[:fit], strict=True))
        types = [field.type for field in self.table.schema]
        left = [i for i, t in enumerate(types) if not (pa.types.is_integer(t) or pa.types.is_floating(t))]
        lines = [summary, text_table(titles[:fit], rows, left=left, repeats=True)]
        lines += [f"  {self.more}"] if self.more else []
        if fit < len(titles):
            lines += _text_lines(f"not shown: {', '.join(list(self.items)[fit:])}")
        return "\n".join(lines)

    def as_html(self) -> tuple[str, Sequence[str], Sequence[Sequence[str]], str]:
        """Title, header, rows and note of the table in a notebook."""
        rows = list(zip(*self.cells(_WIDE_CELL), strict=True))
        title = f"Predictions: {self.size}{self.where and f', in {self.where}'}"
        return title, list(self.items), rows, self.more


def _cell_words(value: Any, longest: int) -> str:
    """A value in one line: text unchanged, numbers with four significant digits."""
    if isinstance(value, str):
        return one_line(value, longest)
    return one_line(shown(_rounded(value), longest + 1).replace("...", "…"), longest)


def _cell_value(scalar: Any, item: str) -> Any:
    """The value of a cell; masks and maps, which are large, are described by their size."""
    if item not in ("mask", "masks", "map") or not scalar.is_valid:
        return scalar.as_py()
    if item == "map":
        return f"map {len(scalar.values)}×{len(scalar.values[0].values)}"
    mask = scalar
    while hasattr(mask, "values"):  # a list of masks
        if not len(mask.values):
            return "no mask"
        mask = mask.values[0]
    png = mask.as_py()  # it begins with its signature and its width and height
    height, width = (int.from_bytes(png[offset : offset + 4], "big") for offset in (20, 16))
    number = f"{len(scalar.values)} masks" if hasattr(scalar, "values") else "mask"
    return f"{number} {height}×{width}"


def _rounded(value: Any) -> Any:
    """Round the numbers in a value to four significant digits."""
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _rounded(entry) for name, entry in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _text_lines(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
