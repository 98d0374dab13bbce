"""Converts columns to strata and groups: one small integer per row, equal for equal values."""

from __future__ import annotations

import datetime
from collections import Counter
from decimal import Decimal
from typing import Any

import numpy as np

from polyhead.columns.values import EXACT, Coded, Values, join
from polyhead.errors import DataError, Problem, place, shown, warn
from polyhead.kinds.class_encoding import FROM_FLOATS, IN_FLOATS
from polyhead.kinds.missing import is_missing, plain
from polyhead.sources.scanning import first_rows, scan
from polyhead.sources.source import Source

DISTINCT = 20
"""Numbers with more distinct values than this are binned at quantiles, unless they look like classes."""

QUANTILES = 10
CHUNK = 1024

MOST_LABELS = 64
"""The most labels of a column with several per row that are stratified: the most frequent ones."""


def strata_of(source: Source, name: str) -> list[np.ndarray]:
    """Return the stratum of each row, int64 ``(N,)``, numbered from 0 in the order of appearance.

    It is the value, or its decile, or "missing". Integers with at least 20 rows per value are not binned, because they
    may be classes. A column with several labels per row, names or 0 and 1, has such an array for each label. Any other
    column of arrays has the strata present and missing; a warning tells if its rows look like labels.
    """
    values, present, labels = _column(source, name)
    if values is not None:
        return [compress(_codes(values, cut=True))]
    codes = labels.codes(present)
    if not codes:
        _warn_of_labels(source, name)
    return [compress(label) for label in (codes or [present.astype(np.int64)])]


def _warn_of_labels(source: Source, name: str) -> None:
    """Warn if rows are lists of ids, or of names and other values, which are not balanced."""
    label = (str, bytes, int, np.integer)
    for row in plain(first_rows(source, name)):
        values = row.tolist() if isinstance(row, np.ndarray) and row.ndim == 1 else row
        no_names = (
            [value for value in values if not isinstance(value, str)] if isinstance(values, _LISTS) else []
        )
        if no_names and all(isinstance(value, label) or value is None for value in no_names):
            names = "[str(one) for one in row if one is not None]"
            fix = f"Give names: [None if row is None else {names} for row in column]."
            found = f"{shown(values)}; only rows with and without a list are balanced"
            warn(Problem(place(column=name), "names, or 0 and 1 for each label, to stratify by", found, fix))
            return


_LISTS = (list, tuple, set, frozenset)


def groups_of(source: Source, name: str) -> np.ndarray:
    """Return the group of each row, int64 ``(N,)``, numbered from 0 in the order of appearance.

    Raises:
        DataError: for a row without a value, or a column of arrays.
    """
    values, *_ = _column(source, name)
    if values is None:
        raise DataError(Problem(place(column=name), "one number or name per row, to group by", "arrays"))
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        for row in np.flatnonzero(np.isfinite(values) & (np.abs(values) >= EXACT))[:1].tolist():
            raise DataError(Problem(place(column=name, row=row), IN_FLOATS, shown(values[row]), FROM_FLOATS))
    codes = _codes(values, cut=False)
    gone = codes < 0
    if gone.any():
        row = int(gone.argmax())
        found = "no value" if isinstance(values, Coded) else shown(values[row])
        fix = "Give such rows a separate group, or leave them out with select()."
        raise DataError(Problem(place(column=name, row=row), "a group for every row", found, fix))
    _warn_of_spellings(name, values)
    return compress(codes)


def _warn_of_spellings(name: str, values: Values) -> None:
    """Warn of groups that are likely one, 7 and "7" or "a" and "a ": their rows could be in several parts."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return
    groups: dict[str, Any] = {}
    for group in values.categories if isinstance(values, Coded) else dict.fromkeys(values):
        word = str(int(group) if isinstance(group, float) and group.is_integer() else group).strip()
        other = groups.setdefault(word, group)
        if other is not group:
            fix = "If they are one, spell them alike: [str(one).strip() for one in column]."
            found = f"{shown(other)} and {shown(group)}"
            warn(Problem(place(column=name), "groups that differ in more than spaces and type", found, fix))
            return


def compress(codes: np.ndarray) -> np.ndarray:
    """Renumber the codes of at least one row from 0 in the order of appearance.

    >>> compress(np.array([7, 7, -1, 9])).tolist()
    [0, 0, 1, 2]
    """
    low = int(codes.min())
    span = int(codes.max()) - low + 1
    if span <= 4 * len(codes):  # faster, without sorting
        codes = codes - low
        seen = np.full(span, -1)
        seen[codes[::-1]] = np.arange(len(codes))[::-1]  # of repeated codes, the first row is written last
        used = np.flatnonzero(seen >= 0)
        table = np.empty(span, np.int64)
        table[used[np.argsort(seen[used])]] = np.arange(len(used))
        return table[codes]
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _column(source: Source, name: str) -> tuple[Values | None, np.ndarray, _LabelSets]:
    """Return a column of single values; for a column of arrays, None, which rows are present, and their labels."""
    pieces: list[Values] = []
    present: list[np.ndarray] = []
    labels = _LabelSets()
    arrays = False

    def add(values: Values) -> None:
        present.append(_present(values))
        labels.add(values, present[-1])

    for _, values in scan(source, name):
        if not arrays and _holds_arrays(values):
            arrays = True
            for piece in pieces:
                add(piece)
        if arrays:
            add(values)
        else:
            flat = isinstance(values, np.ndarray) and values.ndim > 1
            pieces.append(values.reshape(len(values)) if flat else values)  # type: ignore[union-attr]
    return None if arrays else join(pieces), np.concatenate(present or [np.empty(0, bool)]), labels


class _LabelSets:
    """The labels of a column with several per row: lists of names, or 0 and 1 for each label."""

    def __init__(self) -> None:
        self._pieces: list[Any] = []
        self._width: int | None = None
        self._fits = True

    def add(self, values: Values, present: np.ndarray) -> None:
        """Read some rows, of which some are present."""
        array = values if isinstance(values, np.ndarray) and values.dtype != object else None
        if isinstance(values, Coded) or (array is not None and array.ndim != 2):  # single names, or masks
            self._fits = False
            return
        if not self._fits or not present.any():
            return
        rows: Any = [values[i] for i in np.flatnonzero(present).tolist()] if array is None else array[present]
        flags = _flags(rows)
        piece = _names(rows) if flags is None else flags
        width = None if flags is None else flags.shape[1]
        self._fits = piece is not None and (not self._pieces or width == self._width)
        self._width = width
        self._pieces.append(piece)

    def codes(self, present: np.ndarray) -> list[np.ndarray]:
        """Return for each label int8 ``(N,)``: 1 or 0, or -1 if it is missing; an empty list for other arrays.

        Args:
            present: bool ``(N,)``, for all rows.
        """
        if not self._fits or not self._pieces:
            return []
        if self._width is not None:
            flags = np.concatenate(self._pieces)
        else:
            sets = [names for piece in self._pieces for names in piece]
            often = Counter(name for names in sets for name in sorted(names)).most_common(MOST_LABELS)
            number = {name: i for i, (name, _) in enumerate(often)}
            flags = np.zeros((len(sets), len(often)), np.int8)
            cells = [(row, number[n]) for row, names in enumerate(sets) for n in names if n in number]
            flags[tuple(np.array(cells, np.int64).reshape(-1, 2).T)] = 1
        codes = np.full((flags.shape[1], len(present)), -1, np.int8)
        codes[:, present] = flags.T
        return list(codes)


def _flags(rows: Any) -> np.ndarray | None:
    """Return rows of 0 and 1 for at least two labels as int8, NaN and None as -1; None for any other rows."""
    try:
        first = rows[0][0]
        if not 2 <= len(rows[0]) <= MOST_LABELS or isinstance(first, (str, bytes)) or np.ndim(first):
            return None
        whole = isinstance(rows, np.ndarray) and rows.dtype.kind in "biu"
        array = rows if whole else np.asarray(rows, np.float64)
    except (TypeError, ValueError, LookupError):
        return None
    gone = False if whole else np.isnan(array)
    if array.ndim != 2 or not (gone | (array == 0) | (array == 1)).all():
        return None
    return (array if whole else np.where(gone, -1, array)).astype(np.int8)


def _names(rows: Any) -> list[set[str]] | None:
    """Return rows of names as sets; None for any other rows."""
    lists = [row.tolist() if isinstance(row, np.ndarray) else row for row in rows]
    named = all(isinstance(row, _LISTS) and all(isinstance(name, str) for name in row) for row in lists)
    return [set(row) for row in lists] if named else None


def _holds_arrays(values: Values) -> bool:
    if isinstance(values, Coded):
        return False
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.size != len(values)
    types = {type(v) for v in values}  # a column has few types and many values
    return any(
        issubclass(t, (list, tuple, dict, set)) or (hasattr(t, "ndim") and not issubclass(t, np.generic))
        for t in types
    )


def _present(values: Values) -> np.ndarray:
    """Return which rows are present: not None, and not NaN throughout."""
    if isinstance(values, Coded):
        return values.codes >= 0
    if isinstance(values, np.ndarray) and values.dtype != object:
        if values.dtype.kind not in "fc":
            return np.ones(len(values), bool)
        chunks = (values[i : i + CHUNK] for i in range(0, len(values), CHUNK))
        return np.concatenate([~np.isnan(chunk.reshape(len(chunk), -1)).all(axis=1) for chunk in chunks])
    return np.fromiter((not _has_no_label(v) for v in values), bool, len(values))


def _has_no_label(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fc" and bool(value.size) and bool(np.isnan(value).all())
    return is_missing(value)


def _codes(values: Values, cut: bool) -> np.ndarray:
    """Convert values to codes, equal for equal values, -1 for missing ones."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biufMm":
        return _of_numbers(values, cut)
    if isinstance(values, Coded):
        codes, distinct = values.codes.astype(np.int64), list(values.categories)
    else:
        seen: dict[Any, int] = {}
        plain = values.tolist() if isinstance(values, np.ndarray) else values
        codes = np.fromiter((seen.setdefault(v, len(seen)) for v in plain), np.int64, len(plain))
        distinct = list(seen)
    gone = np.array([*(is_missing(v) for v in distinct), True])  # the last entry is for code -1
    present = [v for v in distinct if not is_missing(v)]
    if cut and len(present) > DISTINCT:
        for kinds, dtype in _BINNED:
            if all(isinstance(v, kinds) and getattr(v, "tzinfo", None) is None for v in present):
                rows = [None if g else v for g, v in zip(gone, [*distinct, None], strict=True)]
                return _of_numbers(np.array(rows, dtype)[codes], cut)
    return np.where(gone[codes], -1, codes)


_BINNED = (
    ((datetime.timedelta, np.timedelta64), "m8[us]"),  # NumPy's are also its integers
    ((datetime.date, np.datetime64), "M8[us]"),
    ((bool, int, float, Decimal, np.integer, np.floating, np.bool_), "f8"),
)
"""The types of values that are binned in lists, as in arrays of these dtypes."""


def _of_numbers(values: np.ndarray, cut: bool) -> np.ndarray:
    codes = np.full(len(values), -1, np.int64)
    present = ~(np.isnat(values) if values.dtype.kind in "Mm" else np.isnan(values))
    numbers = values[present]
    distinct, inverse = np.unique(numbers, return_inverse=True)
    if cut and len(distinct) > DISTINCT and not _like_classes(distinct, len(numbers)):
        edges = distinct[np.sort(inverse)[np.arange(1, QUANTILES) * len(numbers) // QUANTILES]]
        inverse = np.searchsorted(np.unique(edges), numbers, side="right")
    codes[present] = inverse
    return codes


def _like_classes(distinct: np.ndarray, rows: int) -> bool:
    if len(distinct) * DISTINCT > rows or distinct.dtype.kind in "Mm":
        return False
    return distinct.dtype.kind in "biu" or bool((np.floor(distinct) == distinct).all())
