"""Guesses which columns of single numbers are the coordinates of a box, or of points, in an image."""

from __future__ import annotations

import re

from polyhead.doctor.column_description import ColumnDescription
from polyhead.doctor.feed_code import Guess, quoted_text

_BOX_COLUMNS = {
    ("xmin", "ymin", "xmax", "ymax"): "",
    ("x_min", "y_min", "x_max", "y_max"): "",
    ("x0", "y0", "x1", "y1"): "",
    ("x1", "y1", "x2", "y2"): "",
    ("left", "top", "right", "bottom"): "",
    ("x", "y", "w", "h"): "xywh",
    ("x", "y", "width", "height"): "xywh",
}
"""The names of the columns of a box, perhaps after a prefix, and their format."""

_POINT_COLUMN = re.compile(r"(.+?)[_ .]?x", re.IGNORECASE)


def guessed_coordinates(columns: list[ColumnDescription]) -> tuple[dict[str, Guess], set[str]]:
    """Guess heads of boxes and points from columns of single numbers; also return the names of these columns."""
    numbers = {c.name.lower(): c for c in columns if c.form == "numbers" and c.shape == ()}
    heads: dict[str, Guess] = {}
    taken: set[str] = set()
    for edges, form in _BOX_COLUMNS.items():
        for prefix in [name.removesuffix(edges[0]) for name in numbers if name.endswith(edges[0])]:
            parts = [numbers.get(prefix + edge) for edge in edges]
            found = [part for part in parts if part is not None and part.name not in taken]
            if len(found) == 4:
                arguments = ("1", _columns_argument(found), *([f'format="{form}"'] if form else []))
                remark = "cxcywh if x and y are the center" if form else ""
                heads[prefix.strip("_ .") or "box"] = _normalized_guess("Boxes", arguments, remark, found)
                taken |= {part.name for part in found}
    points: dict[str, list[ColumnDescription]] = {}
    for name, column in numbers.items():
        match = _POINT_COLUMN.fullmatch(name)
        other = numbers.get(f"{name[:-1]}y")
        if match and other is not None and not taken & {column.name, other.name}:
            points[match[1]] = [column, other]
    if points:
        found = [column for pair in points.values() for column in pair]
        names = f"point_names=[{', '.join(map(quoted_text, points))}]"
        arguments = (str(len(points)), _columns_argument(found), names)
        heads["points"] = _normalized_guess("Keypoints", arguments, "", found)
        taken |= {column.name for column in found}
    return heads, taken


def _columns_argument(columns: list[ColumnDescription]) -> str:
    return f"column=[{', '.join(quoted_text(column.name) for column in columns)}]"


def _normalized_guess(
    kind: str, arguments: tuple[str, ...], remark: str, columns: list[ColumnDescription]
) -> Guess:
    """Let the model predict coordinates in 0–1, also if the columns are in pixels."""
    most = max(c.statistics.high[0] for c in columns)
    shares = ("normalized=True",) if most <= 1 else ("normalized=True", "column_normalized=False")
    pixels = "" if most <= 1 else "pixels in the columns; the model predicts 0–1"
    return Guess(kind, (*arguments, *shares), "; ".join(filter(None, (remark, pixels))))
