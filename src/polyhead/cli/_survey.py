"""What the columns of a source hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.errors import shown
from polyhead.kinds._missing import is_missing
from polyhead.sources._values import Coded
from polyhead.sources.base import Source

SCAN_BYTES = 256 << 20
SCAN_ROWS = 1_000_000
LIST_ROWS = 100_000
DISTINCT = 10_000


@dataclass(frozen=True)
class Column:
    """One column, as far as it was read.

    Attributes:
        name: of the column.
        form: ``"bool"``, ``"int"``, ``"float"``, ``"text"``, ``"lists"`` (of text), ``"ragged"`` (rows of
            unequal shape), ``"empty"``, or ``"other"``. Floats without a fraction count as ``"int"``.
        type: its type in words.
        shape: of one row.
        there: which rows hold a value, bool ``(rows read,)``.
        values: what the rows that hold a value hold: an array ``(n, *shape)``, or a list.
        counts: the distinct values of plain rows and how often each occurs; None where there are too many.
        low: the least number.
        high: the greatest number.
    """

    name: str
    form: str
    type: str
    shape: tuple[int, ...]
    there: np.ndarray
    values: Any
    counts: dict[Any, int] | None = None
    low: float | None = None
    high: float | None = None

    @property
    def coverage(self) -> float:
        """The share of rows that hold a value, 0–1."""
        return float(self.there.mean()) if len(self.there) else 0.0

    @property
    def complete(self) -> bool:
        """Whether every number of every row is there."""
        nan = (
            isinstance(self.values, np.ndarray)
            and self.values.dtype.kind == "f"
            and bool(np.isnan(self.values).any())
        )
        return bool(self.there.all()) and not nan

    def words(self) -> str:
        """The commonest values and their shares, or the range.

        >>> survey_values("kind", ["cat", "dog", "cat", None]).words()
        '2 distinct: cat 66.7%, dog 33.3%'
        """
        total = int(self.there.sum())
        if not total:
            return "nothing"
        few = self.counts is not None and (self.form in ("text", "bool", "lists") or len(self.counts) <= 20)
        if few and self.counts is not None:
            most = sorted(self.counts.items(), key=lambda item: -item[1])[:5]
            shares = ", ".join(
                f"{shown(v) if not isinstance(v, str) else v} {n / total:.1%}" for v, n in most
            )
            return f"{len(self.counts):,} distinct: {shares}{', …' if len(self.counts) > 5 else ''}"
        if self.form == "text":
            return f"more than {DISTINCT:,} distinct"
        if self.low is not None:
            return f"{self.low:.6g} to {self.high:.6g}"
        return ""


def survey(source: Source) -> list[Column]:
    """Every column of a source: all its rows, or the first ones where they are very many or large."""
    return [survey_values(name, _read(source, name)) for name in source.columns]


def _read(source: Source, name: str) -> Any:
    """The column's values from the first row on, within bounds."""
    parts: list[Any] = []
    size = rows = 0
    for _, piece in source.scan(name):
        values: Any = piece.values() if isinstance(piece, Coded) else piece
        dense = isinstance(values, np.ndarray) and values.dtype != object
        each = max(1, values[:1].nbytes) if dense and len(values) else 64
        room = min((SCAN_ROWS if dense else LIST_ROWS) - rows, max(1, (SCAN_BYTES - size) // each))
        parts.append(values[:room])
        rows, size = rows + len(parts[-1]), size + each * len(parts[-1])
        if len(parts[-1]) < len(values) or size >= SCAN_BYTES:
            break
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return [value for part in parts for value in part]


def survey_values(name: str, values: Any) -> Column:
    """What one column's values are.

    >>> survey_values("age", [30, None, 41]).type, survey_values("age", np.array([1.0, np.nan])).form
    ('int', 'int')
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
        return _numbers(name, values, f"{values.dtype}")
    there = np.fromiter((not is_missing(v) and not _all_nan(v) for v in values), bool, len(values))
    kept = [v for v, here in zip(values, there.tolist(), strict=True) if here]
    if not kept:
        return Column(name, "empty", "empty", (), there, kept)
    if all(isinstance(v, (str, np.str_)) for v in kept):
        return Column(name, "text", "text", (), there, kept, _counts(map(str, kept)))
    if all(isinstance(v, (bool, int, float, np.number, np.bool_)) for v in kept):
        array = np.array(kept)
        word = {"b": "bool", "i": "int", "u": "int", "f": "float"}.get(array.dtype.kind, "numbers")
        return _rows(name, array, word, there)
    if all(isinstance(v, (list, tuple, set, frozenset, np.ndarray)) for v in kept):
        return _nested(name, kept, there)
    return Column(name, "other", type(kept[0]).__name__, (), there, kept)


def _nested(name: str, kept: list[Any], there: np.ndarray) -> Column:
    if all(isinstance(label, (str, np.str_)) for row in kept for label in row):
        labels = [str(label) for row in kept for label in row]
        return Column(name, "lists", "lists of text", (), there, kept, _counts(labels))
    if any(isinstance(v, (set, frozenset)) for v in kept):
        return Column(name, "other", "sets", (), there, kept)
    try:
        rows = [np.asarray(v) for v in kept]
    except ValueError:
        return Column(name, "other", type(kept[0]).__name__, (), there, kept)
    if any(row.dtype.kind not in "iufb" for row in rows):
        return Column(name, "other", f"lists of {rows[0].dtype}", (), there, kept)
    if len({row.shape for row in rows}) > 1:
        return Column(name, "ragged", "lists of numbers", (), there, rows)
    return _rows(name, np.stack(rows), f"{rows[0].dtype}", there)


def _numbers(name: str, array: np.ndarray, word: str) -> Column:
    there = np.ones(len(array), bool)
    if array.dtype.kind == "f":
        there = ~np.isnan(array).reshape(len(array), -1).all(axis=1)
    return _rows(name, array if there.all() else array[there], word, there)


def _rows(name: str, array: np.ndarray, word: str, there: np.ndarray) -> Column:
    """A column of numbers, its missing rows left out of ``array``."""
    shape = array.shape[1:]
    type_ = f"{word} {shape}" if shape else word
    if not array.size:
        return Column(name, "empty", type_, shape, there, array)
    form = {"b": "bool", "f": "float"}.get(array.dtype.kind, "int")
    if form == "float":
        with np.errstate(invalid="ignore"):
            whole = np.isnan(array) | (array == np.rint(array))
        form = "int" if bool(whole.all()) and bool(np.isfinite(array[~np.isnan(array)]).all()) else "float"
    counts = None
    if not shape:
        distinct, times = np.unique(array, return_counts=True)
        if len(distinct) <= DISTINCT and form != "float":
            keys = distinct.tolist() if form == "bool" else [int(v) for v in distinct.tolist()]
            counts = dict(zip(keys, times.tolist(), strict=True))
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    return Column(name, form, type_, shape, there, array, counts, low, high)


def _counts(values: Any) -> dict[Any, int] | None:
    found = Counter(values)
    return dict(found) if len(found) <= DISTINCT else None


def _all_nan(value: Any) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype.kind == "f"
        and value.size > 0
        and bool(np.isnan(value).all())
    )
