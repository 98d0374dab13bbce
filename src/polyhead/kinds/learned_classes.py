"""Learns classes that the user did not list, from the source or from the column."""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np

from polyhead.errors import BadValue, counted, is_number, plain_scalar, shown
from polyhead.kinds.class_encoding import FROM_FLOATS, IN_FLOATS, class_problem, is_rounded
from polyhead.kinds.missing import is_missing, plain
from polyhead.kinds.source_column import Column, over
from polyhead.kinds.value_advice import PAIRS, no_label_fix, repeats_fix

Spellings = tuple[Mapping[Any, int], ...]
"""Groups of names that differ only in spaces or case, each with its count, 0 if that is not known."""


def learn(pieces: Iterable[Any], missing: Any) -> tuple[tuple[Any, ...], Spellings, tuple[int, int] | None]:
    """Learn the classes of a column: its categories if they are ordered, else its distinct values, sorted.

    Returns the classes, the names among them that differ only in spaces or case, and the only negative number among
    ids, with its count, or None.

    Args:
        pieces: pieces of the column, as from `class_encoding.one_class_a_row`.
    """
    counts: Counter[Any] = Counter()
    words = missing_texts(missing)
    for piece in pieces:
        if hasattr(piece, "codes"):
            if piece.ordered:
                classes = _at_least_two(_as_ids([c for c in piece.categories if not is_missing(c, missing)]))
                return classes, spellings(dict.fromkeys(classes, 0)), None
            codes, times = np.unique(piece.codes, return_counts=True)
            names = [*piece.categories, None]  # code -1 is the last: None
            counts.update({names[code]: n for code, n in zip(codes.tolist(), times.tolist(), strict=True)})
        elif isinstance(piece, np.ndarray) and piece.dtype != object:
            distinct, times = np.unique(piece, return_counts=True)
            counts.update(dict(zip(distinct.tolist(), times.tolist(), strict=True)))
            words = (*words, "None")  # np.array(["cat", None], str) makes a word of None
        else:
            counts.update(piece)
    counts = Counter({name: n for name, n in counts.items() if not is_missing(name, missing)})
    for name, rows in counts.items():
        if isinstance(name, str) and name.strip() in words:
            raise _missing_text(name, rows, f'If it means "no label", say Categorical(missing={shown(name)})')
    classes = _at_least_two(_as_ids(ordered(counts)))
    if any(isinstance(c, float) for c in classes):
        fix = "Use ph.Regression for numbers, or name the classes."
        raise BadValue(None, "ids or names of classes", f"fractions ({shown(list(classes[:3]))})", fix)
    return classes, spellings(counts), lone_negative(counts)


def learn_labels(counts: Mapping[Any, int]) -> tuple[tuple[Any, ...], Spellings, tuple[int, int] | None]:
    """Learn the classes of a column of lists, as `learn` does, from how often each label occurs."""
    for label, rows in counts.items():
        if is_missing(label) or (isinstance(label, str) and label.strip() in MISSING_TEXTS):
            raise _missing_text(label, rows, no_label_fix(label))
    return tuple(_as_ids(ordered(counts))), spellings(counts), lone_negative(counts)


def _as_ids(classes: Sequence[Any]) -> Sequence[Any]:
    """Return integers for whole floats, as a missing label makes of integers, if all classes are whole numbers."""
    whole = all(isinstance(c, (int, float, Decimal)) and isfinite(c) and c % 1 == 0 for c in classes)
    # booleans and decimals keep their type, unless there are other numbers beside them
    one_type = any(all(isinstance(c, kind) for c in classes) for kind in (bool, Decimal))
    return [int(c) for c in classes] if whole and not one_type else classes


def _missing_text(name: Any, rows: int, fix: str) -> BadValue:
    """The error for a class that probably means a missing label."""
    found = f"{shown(name)} in {counted(rows, 'row')}"
    return BadValue(None, "names of classes", found, f"{fix}; else name the classes.")


MISSING_TEXTS = ("", "nan", "NaN", "<NA>", "NaT")
"""Texts that probably mean a missing label."""


def missing_texts(missing: Any) -> tuple[str, ...]:
    """Return the texts that probably mean a missing label, also those of a number which means one.

    >>> missing_texts(-1)[-2:]
    ('-1', '-1.0')
    """
    numbers = (f"{float(missing):.15g}", str(float(missing))) if is_number(missing) else ()
    return (*MISSING_TEXTS, *numbers)


def ordered(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return the distinct values, sorted, which is the order of their ids."""
    distinct = {value.item() if isinstance(value, np.generic) else value for value in values}
    wrong = [value for value in distinct if is_rounded(value) or class_problem(value)]
    if wrong:
        value = min(wrong, key=repr)
        expected, fix = class_problem(value) or (IN_FLOATS, FROM_FLOATS)
        raise BadValue(None, expected, shown(value), fix)
    try:
        return tuple(sorted(distinct))
    except TypeError:
        examples = ", ".join(sorted(map(repr, distinct))[:5])
        raise BadValue(None, "classes of one type", examples, "Give the classes by name.") from None


def _at_least_two(classes: Sequence[Any]) -> tuple[Any, ...]:
    if len(classes) < 2:
        fix = "If there are others, name all of them" if len(classes) else "Give the classes"
        fix = f"{fix}, or leave this head out."
        raise BadValue(None, "at least 2 classes", f"{len(classes)} ({shown(list(classes))})", fix)
    return tuple(classes)


def spellings(counts: Mapping[Any, int]) -> Spellings:
    """Find names that differ only in spaces, case or the encoding of accents; the case of single letters counts.

    >>> spellings({"cat": 8, " Cat": 1, "a": 5, "A": 5, 3: 1})
    ({' Cat': 1, 'cat': 8},)
    """
    groups: dict[str, dict[str, int]] = {}
    for name, count in counts.items():
        if isinstance(name, str):
            word = unicodedata.normalize("NFC", " ".join(name.split()))
            groups.setdefault(word.casefold() if len(word) > 1 else word, {})[name] = count
    return tuple(dict(sorted(group.items())) for _, group in sorted(groups.items()) if len(group) > 1)


def lone_negative(counts: Mapping[Any, int]) -> tuple[int, int] | None:
    """Find the only negative number among ids, and its count.

    >>> lone_negative({0: 7, 1: 5, -1: 2}), lone_negative({-1: 3, 1: 4})
    ((-1, 2), None)
    """
    ids = [name for name in counts if isinstance(name, Real) and not isinstance(name, bool)]
    negative: list[Any] = [name for name in ids if name < 0]
    if len(negative) != 1 or not 2 < len(ids) == len(counts):
        return None
    return int(negative[0]), counts[negative[0]]


def is_multi_hot(
    column: Column, missing: Any, names: Sequence[Any] | None, known: bool | None
) -> bool | None:
    """Return whether each row is a list of 0 or 1 for each label, rather than a list of labels; None if it may be both.

    Args:
        missing: the head's ``missing``.
        names: the classes, if they are known.
        known: the result for other rows of the column, if there was one.

    Raises:
        BadValue: each row has the same two values, such as 0 and 1, in either order, and ``known`` is None: read as
            labels, every row would have both.
    """
    rows = _EqualLists(missing)
    for piece in itertools.chain([plain(column.probe())], over(column, plain)):  # first rows often suffice
        if isinstance(piece, np.ndarray) and piece.ndim == 2 and not holds_labels(piece, missing):
            return None
        lists = (
            row.tolist() if isinstance(row, np.ndarray) else row
            for row in piece
            if not is_missing(row, missing)
        )
        if not all(map(rows.add, lists)):
            return False
    fits = names is None or rows.width in (0, len(names))
    zero_one_unnamed = names is not None and fits and not {0, 1} <= set(names)
    if rows.flags and rows.width and (rows.no_labels or zero_one_unnamed):
        return True
    if known is None and fits and len(rows.pairs) == 2 and len(set(map(frozenset, rows.pairs))) == 1:
        raise _either(*min(rows.pairs))
    return known if fits else None


@dataclass
class _EqualLists:
    """Rows that are lists of one length.

    Attributes:
        width: the length of each row; 0 before the first.
        flags: whether all values are 0, 1 or missing.
        no_labels: whether a row cannot be a list of labels: a value occurs twice, or is neither an int nor a float.
        pairs: the distinct rows of two values.
    """

    missing: Any
    width: int = 0
    flags: bool = True
    no_labels: bool = False
    pairs: set[tuple[Any, ...]] = field(default_factory=set)

    def add(self, labels: Any) -> bool:
        """Add a row; return False if it shows that rows are lists of labels."""
        if not isinstance(labels, (list, tuple)) or len(labels) != (self.width or len(labels) or -1):
            return False
        self.width, labels = len(labels), [plain_scalar(label) for label in labels]
        self.flags &= all(is_missing(label, self.missing) or _is_flag(label) for label in labels)
        if not self.flags and tuple(sorted({str(label).lower() for label in labels})) not in PAIRS:
            return False
        if self.width == 2:
            self.pairs.add(tuple(labels))
        distinct = len(set(labels)) == self.width
        self.no_labels |= not distinct or any(type(label) not in (int, float) for label in labels)
        return True


def _is_flag(value: Any) -> bool:
    return isinstance(value, Real) and value in (0, 1)


def _either(low: Any, high: Any) -> BadValue:
    fix = repeats_fix([low, high])
    if _is_flag(low):
        fix = (
            'If these are 0 and 1 for each label, name the labels, as MultiLabel(["red", "round"]), or give the column '
            "as np.array(column)."
        )
    found = f"two in each, {shown(low)} and {shown(high)}, in either order"
    return BadValue(None, "lists of the labels of each row", found, fix)


def holds_labels(rows: np.ndarray, missing: Any) -> bool:
    """Return whether rows of one length ``(N, n)`` contain words, or an integer that is neither 0, 1 nor missing."""
    if rows.dtype.kind in "iu":
        marker = float(missing) if isinstance(missing, Real) else 0
        return bool(rows.size) and not ((rows == 0) | (rows == 1) | (rows == marker)).all()
    return rows.dtype.kind in "USO" and any(isinstance(label, (str, bytes)) for label in rows.flat)
