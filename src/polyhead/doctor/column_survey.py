"""Reads the columns of a source and describes their values."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from polyhead.columns.image_values import is_pillow, names_image
from polyhead.columns.values import Coded
from polyhead.doctor.column_description import ColumnDescription
from polyhead.errors import DataError, Problem, shown
from polyhead.images.content import Broken
from polyhead.images.headers import parse
from polyhead.kinds.array_statistics import ArrayStatistics
from polyhead.kinds.missing import is_missing
from polyhead.sources.scanning import scan
from polyhead.sources.source import Source

SCAN_BYTES = 256 << 20
SCAN_ROWS = 1_000_000
LIST_ROWS = 100_000
DISTINCT = 10_000
_BYTES = 255
"""The most distinct numbers to count in a column of arrays; the numbers of pictures are not worth more."""
_PIECE = 1 << 22
_IMAGES = 8
"""The number of values of a column that are checked for images."""


def describe_values(column: ColumnDescription) -> str:
    """Return the most frequent values with their shares, or the range of numbers, in words.

    >>> describe_values(survey_values("kind", ["cat", "dog", "cat", None]))
    '2 distinct: cat 66.7%, dog 33.3%'
    """
    total, counts, numbers = int(column.present.sum()), column.counts, column.statistics
    if not total:
        return "nothing"
    if column.form in ("text", "lists") and counts is None:
        return f"more than {DISTINCT:,} distinct"
    if counts and (column.form != "numbers" or (len(counts) <= 20 and not column.shape)):
        if numbers.dtype == "bool":
            counts = {bool(value): times for value, times in counts.items()}
        most = sorted(counts.items(), key=lambda item: -item[1])
        once = most[0][1] == 1 and len(most) > 5  # such as names of files, whose shares say nothing
        shares = ", ".join(
            (value if isinstance(value, str) else shown(value)) + f" {times / total:.1%}" * (not once)
            for value, times in most[: 2 if once else 5]
        )
        return f"{len(counts):,} distinct: {shares}{', …' if len(counts) > 5 else ''}"
    if column.form in ("ragged", "masks"):
        lengths = [len(row) for row in column.values]
        return f"{min(lengths)} to {max(lengths)} in a row, {sum(lengths):,} in all"
    if not numbers.numbers:
        return ""
    infinity = ", and infinity" if numbers.infinite is not None else ""
    return f"{numbers.low[0]:.6g} to {numbers.high[0]:.6g}{infinity}"


def describe_columns(source: Source) -> list[ColumnDescription]:
    """Describe every column of a source, from all its rows, or the first ones if they are many or large.

    Raises:
        DataError: for a source without rows.
    """
    if not len(source):
        raise DataError(Problem("data", "at least one row", "an empty source"))
    return [survey_values(name, _first_values(source, name)) for name in source.columns]


def _first_values(source: Source, name: str) -> Any:
    """Read the first values of a column, as many as the limits allow."""
    parts: list[Any] = []
    size = rows = 0
    for _, piece in scan(source, name):
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


def survey_values(name: str, values: Any) -> ColumnDescription:
    """Describe the values of one column.

    >>> survey_values("age", [30, None, 41]).type, survey_values("age", np.array([1.0, np.nan])).whole
    ('int', True)
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
        present: np.ndarray = np.ones(len(values), bool)
        if values.dtype.kind == "f":
            present = np.any(~np.isnan(values).reshape(len(values), -1), axis=1)
        return _number_column(name, values if present.all() else values[present], f"{values.dtype}", present)
    present = np.fromiter((not is_missing(v) and not _all_nan(v) for v in values), bool, len(values))
    kept = [v for v, here in zip(values, present.tolist(), strict=True) if here]
    if not kept:
        return _other_column(name, "empty", "empty", present, kept)
    if all(isinstance(v, (str, np.str_)) for v in kept):
        return _other_column(name, "text", "text", present, kept, _counts(map(str, kept)))
    if all(isinstance(v, _NUMBERS) for v in kept):
        array = np.array([float(v) if isinstance(v, Decimal) else v for v in kept])
        word = {"b": "bool", "i": "int", "u": "int", "f": "float"}.get(array.dtype.kind, "numbers")
        return _number_column(name, array, word, present)
    if all(isinstance(v, (set, frozenset)) for v in kept):
        kept = [sorted(v, key=str) for v in kept]
    if all(isinstance(v, (list, tuple, np.ndarray)) for v in kept):
        return _nested(name, kept, present)
    if all(map(_holds_image, kept[:_IMAGES])):
        return _other_column(name, "images", "images", present, kept)
    return _other_column(name, "other", type(kept[0]).__name__, present, kept)


_NUMBERS = (bool, int, float, np.integer, np.floating, np.bool_, Decimal)


def _holds_image(value: Any) -> bool:
    """Return whether a value is an encoded image, alone or in a dict, or one of Pillow."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if not isinstance(value, bytes):
        return is_pillow(value) or names_image(value)
    with contextlib.suppress(Broken):
        return parse(value) is not None
    return True


def _nested(name: str, kept: list[Any], present: np.ndarray) -> ColumnDescription:
    if _hold(kept, lambda label: isinstance(label, (str, np.str_))):
        labels = [str(label) for row in kept for label in row if label is not None]
        return _other_column(name, "lists", "lists of text", present, kept, _counts(labels))
    if _hold(kept, lambda label: hasattr(label, "to_mask")):
        return _other_column(name, "masks", "lists of masks", present, kept)
    try:
        rows = [np.asarray(v) for v in kept]
    except ValueError:
        return _other_column(name, "other", type(kept[0]).__name__, present, kept)
    if any(row.dtype.kind not in "iufb" for row in rows):
        return _other_column(name, "other", f"lists of {rows[0].dtype}", present, kept)
    if len({row.shape for row in rows}) > 1:
        return _other_column(name, "ragged", "lists of numbers", present, rows)
    return _number_column(name, np.stack(rows), f"{rows[0].dtype}", present)


def _hold(rows: list[Any], test: Callable[[Any], bool]) -> bool:
    """Return whether every entry in these rows passes the test or is None."""
    return all(label is None or test(label) for row in rows for label in row)


def _other_column(
    name: str, form: str, type_: str, present: np.ndarray, values: Any, texts: dict[str, int] | None = None
) -> ColumnDescription:
    return ColumnDescription(name, form, type=type_, present=present, values=values, texts=texts)


def _number_column(name: str, array: np.ndarray, word: str, present: np.ndarray) -> ColumnDescription:
    """Describe a column of numbers; ``array`` has no missing rows."""
    shape = array.shape[1:]
    statistics = ArrayStatistics(_BYTES if shape else DISTINCT)
    rows = max(1, _PIECE // max(1, int(np.prod(shape))))
    for start in range(0, len(array), rows):
        statistics.add(array[start : start + rows], int)
    type_ = f"{word} {shape}" if shape else word
    return ColumnDescription(name, "numbers" if array.size else "empty", statistics, type_, present, array)


def _counts(values: Any) -> dict[str, int] | None:
    counts = Counter(values)
    return dict(counts) if len(counts) <= DISTINCT else None


def _all_nan(value: Any) -> bool:
    floats = isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 0
    return floats and bool(np.isnan(value).all())
