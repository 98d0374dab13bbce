"""Reads the columns of a source, which nobody declared, and describes their values."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from polyhead.columns.image_values import is_pillow, names_image
from polyhead.columns.values import Coded
from polyhead.doctor.model_signature import ExaminedTensor
from polyhead.errors import DataError, Problem, shown
from polyhead.images.content import Broken
from polyhead.images.headers import parse
from polyhead.kinds.array_statistics import ArrayStatistics
from polyhead.kinds.missing import is_missing
from polyhead.sources.scanning import scan
from polyhead.sources.source import Source


@dataclass(frozen=True)
class ColumnDescription:
    """The description of a column, from the rows that were read.

    Attributes:
        form: ``"numbers"``, ``"text"``, ``"lists"`` (of text), ``"masks"`` (lists of masks of objects), ``"ragged"``
            (rows of numbers of unequal shape), ``"images"`` (encoded, or of Pillow), ``"empty"``, or ``"other"``.
        present: which rows have a value, bool ``(rows read,)``.
        values: the values of these rows, an array or a list; None if only statistics were kept.
        texts: the count of each text; None if there are too many.
        encoded: whether the rows are what a model gets, so that the feed has to return the same.
        changeable: whether the code that reads the column can change its values.
        output: the model's output that the column is for, if known.
    """

    name: str
    form: str = "numbers"
    statistics: ArrayStatistics = field(default_factory=ArrayStatistics)
    type: str = ""
    present: np.ndarray = field(default_factory=lambda: np.ones(0, bool))
    values: Any = None
    texts: dict[str, int] | None = None
    encoded: bool = False
    changeable: bool = False
    output: ExaminedTensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.statistics.shape

    @property
    def counts(self) -> dict[Any, int] | None:
        """The count of each text or integer; None if there are too many."""
        return self.statistics.distinct if self.form == "numbers" else self.texts

    @property
    def classes(self) -> int | None:
        """The number of units of the output, if known."""
        return self.output.classes if self.output is not None else None

    @property
    def coverage(self) -> float:
        """The share of rows with a value, 0–1."""
        return float(self.present.mean()) if len(self.present) else 0.0

    @property
    def complete(self) -> bool:
        """True if no row lacks a number."""
        return bool(self.present.all()) and self.statistics.nan is None

    @property
    def whole(self) -> bool:
        """True if all numbers are finite integers."""
        numbers = self.statistics
        return self.form == "numbers" and numbers.whole and numbers.infinite is None


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
    known = [v for v, is_present in zip(values, present.tolist(), strict=True) if is_present]
    form, texts = "other", None
    if all(isinstance(v, _NUMBERS) for v in known) and known:
        array = np.array([float(v) if isinstance(v, Decimal) else v for v in known])
        word = {"b": "bool", "i": "int", "u": "int", "f": "float"}.get(array.dtype.kind, "numbers")
        return _number_column(name, array, word, present)
    if all(isinstance(v, (set, frozenset)) for v in known):
        known = [sorted(v, key=str) for v in known]
    if not known:
        form = "empty"
    elif all(isinstance(v, (str, np.str_)) for v in known):
        form, texts = "text", _counts(map(str, known))
    elif all(isinstance(v, (list, tuple, np.ndarray)) for v in known):
        return _nested(name, known, present)
    elif all(map(_holds_image, known[:_IMAGES])):
        form = "images"
    type_ = type(known[0]).__name__ if form == "other" else form
    return ColumnDescription(name, form, type=type_, present=present, values=known, texts=texts)


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


def _nested(name: str, values: list[Any], present: np.ndarray) -> ColumnDescription:
    """Describe a column of lists or arrays; ``values`` has no missing rows."""
    rows, form, type_, texts = values, "other", type(values[0]).__name__, None
    if _hold(values, lambda label: isinstance(label, (str, np.str_))):
        form, type_ = "lists", "lists of text"
        texts = _counts(str(label) for row in values for label in row if label is not None)
    elif _hold(values, lambda label: hasattr(label, "to_mask")):
        form, type_ = "masks", "lists of masks"
    else:
        with contextlib.suppress(ValueError):  # of nested lists of unequal length
            arrays = [np.asarray(v) for v in values]
            numbers = all(row.dtype.kind in "iufb" for row in arrays)
            if numbers and len({row.shape for row in arrays}) == 1:
                return _number_column(name, np.stack(arrays), f"{arrays[0].dtype}", present)
            type_ = f"lists of {arrays[0].dtype}"
            if numbers:
                rows, form, type_ = arrays, "ragged", "lists of numbers"
    return ColumnDescription(name, form, type=type_, present=present, values=rows, texts=texts)


def _hold(rows: list[Any], test: Callable[[Any], bool]) -> bool:
    """Return whether every entry in these rows passes the test or is None."""
    return all(label is None or test(label) for row in rows for label in row)


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
