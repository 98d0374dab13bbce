"""Merges columns of several sources, and what the sources know of them: one dtype, one list of categories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from polyhead.columns.coded import Coded, coded_flags, joinable, signed_beside_unsigned
from polyhead.columns.values import Values, one_scale, scatter, take, united, would_round
from polyhead.errors import DataError, Problem, place, require_choice, shown, similar
from polyhead.kinds.source_column import About
from polyhead.sources.source import Source, checked_rows

NUMBERS = "biufc"
"""NumPy's kinds of numbers."""


class Form:
    """The common form of a column from several sources, in which its pieces are joined.

    If some sources hold images of uint8 and others of floats, the rows stay arrays in a list, so that each keeps its
    scale. If a source lacks the column, its rows are missing: NaN among numbers, which become floats, NaT among times,
    code -1 among categories and booleans, None among everything else. Masks and images of uint8 then stay arrays in a
    list, too, because as floats they would have another scale.

    Args:
        firsts: the first row of each source that has the column, by the number of the source.
        gaps: whether a source lacks the column.

    >>> form = Form("x", {0: np.array([3])}, gaps=True)
    >>> form.join(3, [np.array([0, 2]), np.array([1])], [np.array([3, 4]), None]).tolist()
    [3.0, nan, 4.0]
    """

    def __init__(self, name: str, firsts: Mapping[int, Values], gaps: bool) -> None:
        pieces: Sequence[Any] = list(firsts.values())
        if gaps:
            pieces = [coded_flags(p) if _is_flags(p) else p for p in pieces]
        pieces = joinable(pieces)
        arrays = [p for p in pieces if _is_number_array(p)]
        numbers = bool(arrays) and len(arrays) == len(pieces)
        images = any(array.ndim > 2 for array in arrays)
        self._listed = images and not one_scale(array.dtype for array in arrays)
        bytes_ = images and all(array.dtype in (np.uint8, np.bool_) for array in arrays)
        empty = any(0 in array.shape[1:] for array in arrays)  # such rows have no place for NaN
        if not numbers or (gaps and (bytes_ or empty)):
            self._listed = True  # an array of integers would mean that no row is missing
        _check_alike(name, firsts, pieces, any_size=gaps and self._listed)
        self._dtype = _joined_dtype(arrays, gaps) if numbers and not self._listed else None
        coded = [p for p in pieces if isinstance(p, Coded)]
        self._categories = _Categories(coded) if coded and len(coded) == len(pieces) else None
        self._flags = self._categories is not None and any(p.boolean for p in coded)
        self._missing = self._missing_row(pieces)

    def _missing_row(self, pieces: Sequence[Values]) -> Values:
        """Return a column of one row that is missing."""
        if self._categories is not None:
            return Coded(np.array([-1], np.int32), self._categories.all, self._categories.ordered)
        arrays = [p for p in pieces if isinstance(p, np.ndarray)]
        if self._dtype is not None and self._dtype.kind in "fc":
            return np.full((1, *arrays[0].shape[1:]), np.nan, self._dtype)
        if len(arrays) == len(pieces) and {array.dtype.kind for array in arrays} in ({"M"}, {"m"}):
            return np.full((1, *arrays[0].shape[1:]), "NaT", np.result_type(*arrays))
        return [None]

    def join(self, count: int, positions: Sequence[np.ndarray], parts: Sequence[Values | None]) -> Values:
        """Join the pieces to a column of ``count`` rows.

        Args:
            positions: the rows of each piece; together they are ``[0, count)``.
            parts: the pieces, None from a source that lacks the column.
        """
        pieces: list[Any] = [
            take(self._missing, np.zeros(len(at), np.int64)) if part is None else self._fitting(part)
            for at, part in zip(positions, parts, strict=True)
        ]
        if self._categories is not None and all(isinstance(p, Coded) for p in pieces):
            codes = [self._categories.merged(p) for p in pieces]
            if all(c is not None for c in codes):
                # mypy does not see that `all` left no None
                merged = scatter(list(zip(positions, codes, strict=True)), count)  # type: ignore[arg-type]
                return Coded(np.asarray(merged), self._categories.all, self._categories.ordered)
        if self._dtype is not None and all(map(_is_number_array, pieces)):
            if self._dtype.kind in "iu":
                pieces = list(joinable([np.empty(0, self._dtype), *pieces]))[1:]
            if would_round(pieces, self._dtype):  # ids, which have to stay what they are
                pieces = [list(p) for p in pieces]
            elif any(p.dtype != self._dtype for p in pieces):
                pieces = [p.astype(np.result_type(self._dtype, p), copy=False) for p in pieces]
        return scatter(list(zip(positions, pieces, strict=True)), count)

    def _fitting(self, part: Values) -> Values:
        """Convert booleans, which may have gaps in one source only, and list the rows of images of several scales."""
        if self._dtype is not None and isinstance(part, Coded) and part.boolean:
            return part.floats()
        if self._flags and _is_flags(part):
            return coded_flags(np.asarray(part))
        return list(np.asarray(part)) if self._listed and _is_number_array(part) else part


def _joined_dtype(arrays: Sequence[np.ndarray], gaps: bool) -> np.dtype:
    """Return the dtype that holds the numbers of all arrays, and NaN if there are gaps."""
    if gaps and any(array.dtype.kind not in "fc" for array in arrays):
        return np.result_type(*arrays, np.float64)
    return np.dtype(np.int64) if signed_beside_unsigned(arrays) else np.result_type(*arrays)


def _is_number_array(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind in NUMBERS


def _is_flags(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "b" and values.ndim == 1


class _Categories:
    """The union of the categories of several sources."""

    def __init__(self, firsts: Sequence[Coded]) -> None:
        categories, self.ordered = united(firsts)
        self.all = list(categories)
        self._index = {category: code for code, category in enumerate(self.all)}
        # by identity, because comparing all categories for each batch is slow; the reference keeps the id valid
        known = [self.all, *(f.categories for f in firsts)]
        self._tables = {id(part): (part, self._table(part)) for part in known}

    def _table(self, categories: Sequence[Any]) -> np.ndarray | None:
        """Map codes of these categories to ours; the last entry, which code -1 indexes, is -1."""
        codes = [self._index.get(category, -1) for category in categories]
        return None if -1 in codes else np.array([*codes, -1], np.int32)

    def merged(self, part: Coded) -> np.ndarray | None:
        """Return the codes of a piece in our list, or None if it has a category that the first rows did not know."""
        cached = self._tables.get(id(part.categories))
        same = cached is not None and cached[0] is part.categories  # ids change when a source is pickled
        table = cached[1] if cached is not None and same else self._table(part.categories)
        return None if table is None else table[part.codes]


def forms(sources: Sequence[Source], columns: Sequence[Set[str]], names: Sequence[str]) -> dict[str, Form]:
    """Find the form of each column from the first row of each source.

    Args:
        columns: the columns of each source.
        names: the columns of all sources.

    Raises:
        DataError: for each column whose shape or kind differs between sources.
    """
    first = np.zeros(1, np.int64)
    rows = {i: checked_rows(source, first) for i, source in enumerate(sources) if len(source)}
    form_of: dict[str, Form] = {}
    problems: list[Problem] = []
    for name in names:
        firsts = {i: row[name] for i, row in rows.items() if name in row}
        try:
            form_of[name] = Form(name, firsts, any(name not in available for available in columns))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(*problems)
    return form_of


def _check_alike(name: str, numbers: Iterable[int], firsts: Sequence[Values], any_size: bool) -> None:
    """Raise if the first rows of the sources of these numbers differ in shape or kind.

    Args:
        any_size: images may differ in size, as their rows are listed.
    """
    by_number = list(zip(numbers, firsts, strict=True))
    shaped = [(i, f) for i, f in by_number if isinstance(f, np.ndarray) and f.dtype != object]
    for i, values in shaped[1:]:
        at, first = shaped[0]
        other_size = any_size and values.ndim == first.ndim
        if values.shape[1:] != first.shape[1:] and not (other_size or _lists_alike(first, values)):
            expected = f"one shape in all sources, {first.shape[1:]} as in source {at}"
            fix = "Bring the arrays to one shape, or give lists of arrays."
            raise DataError(Problem(place(column=name), expected, f"{values.shape[1:]} in source {i}", fix))
    kinds = [(i, kind, value) for i, f in by_number for kind, value in [_kind(f)] if kind]
    for i, kind, value in kinds[1:]:
        at, first_kind, _ = kinds[0]
        if kind != first_kind:
            expected = f"{first_kind} in all sources, as in source {at}"
            found = f"{kind} in source {i} ({shown(value)})"
            fix = "Convert the column in one of them."
            raise DataError(Problem(place(column=name), expected, found, fix))


def _lists_alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether rows are lists of boxes or points, whose number may differ between sources."""
    return (
        a.ndim == b.ndim == 3 and a.shape[2] == b.shape[2] <= 4 and {a.dtype.kind, b.dtype.kind} <= set("iuf")
    )


def _kind(values: Values) -> tuple[str, Any]:
    """Return what a first row holds, in a word, and the value; no word if it is missing or not of a simple kind."""
    value = take(values, np.zeros(1, np.int64))
    value = value.values()[0] if isinstance(value, Coded) else value[0]
    if isinstance(value, np.ndarray) and value.dtype != object:
        return _family(value.dtype.kind), f"{value.dtype} of shape {value.shape}"
    if isinstance(value, (np.generic, bool, int, float, complex, str, bytes)):
        item = np.asarray(value)
        missing = item.dtype.kind in "fcMm" and bool(
            np.isnat(item) if item.dtype.kind in "Mm" else np.isnan(item)
        )
        plain = value.item() if isinstance(value, np.generic) and item.dtype.kind not in "Mm" else value
        return ("" if missing else _family(item.dtype.kind)), plain
    return "", value


def _family(kind: str) -> str:
    if kind in NUMBERS:
        return "numbers"
    return {"U": "text", "S": "bytes", "M": "dates", "m": "time spans"}.get(kind, "")


JOINS = ("exact", "outer", "inner")
"""How to join sources with different columns: refuse them, take all columns, or take the common ones."""


def same_columns(sources: Sequence[Any], join: str, how: str) -> tuple[Source, ...]:
    """Return the sources that have rows or columns; their columns are the same unless ``join`` is ``"outer"``.

    Args:
        join: one of `JOINS`.
        how: the call that joins them, up to its last argument, for the error.

    Raises:
        DataError: if there is no source, something is not a source, or columns differ.
        ContractError: for another ``join``.
    """
    expected = ", ".join(f'"{name}"' for name in JOINS)
    require_choice(f"{how.partition('(')[0]}(join=)", join, JOINS, f"one of {expected}")
    if not sources:
        raise DataError(Problem("sources", "at least one source", "none"))
    for number, source in enumerate(sources):
        if not isinstance(source, Source):
            fix = "Read it with read_table, or subclass Source."
            raise DataError(Problem(f"source {number}", "a Source", shown(type(source).__name__), fix))
    present = {number: source for number, source in enumerate(sources) if len(source) or source.columns}
    if not present:
        return (sources[0],)
    if join == "outer":
        return tuple(present.values())
    columns = {number: source.columns for number, source in present.items()}
    first, names = next(iter(columns.items()))
    if join == "inner":
        common = set(names).intersection(*columns.values())
        if not common:
            raise DataError(Problem("sources", "", "the sources have no column in common"))
        return tuple(source.only([name for name in names if name in common]) for source in present.values())
    expected = f"the columns of source {first} ({', '.join(names)})"
    problems = [
        Problem(f"source {number}", expected, _difference(names, others), _hint(names, others, how))
        for number, others in columns.items()
        if set(others) != set(names)
    ]
    if problems:
        raise DataError(*problems)
    return tuple(present.values())


def _difference(names: Sequence[str], others: Sequence[str]) -> str:
    without = [f"`{name}`" for name in names if name not in others]
    extra = [f"`{name}`" for name in others if name not in names]
    words = [f"no {', '.join(without)}"] if without else []
    words += [f"{', '.join(extra)} in addition"] if extra else []
    return " and ".join(words)


def _hint(names: Sequence[str], others: Sequence[str], how: str) -> str:
    advice = f'Use {how}, join="outer") to have missing labels where a source lacks a column, or join="inner" to keep '
    advice += "only the columns that all sources have."
    without = [name for name in names if name not in others]
    for name in without:
        near = similar(name, [other for other in others if other not in names])
        if near:
            return f"{near} {advice}"
    return advice


def merged_facts(name: str, facts: Sequence[About]) -> About:
    """Merge what several sources know of a column.

    The classes of one source are used if they include those of all others in the same order. If every source lists
    names in alphabetical order, so does the union. A source that knows nothing of the column changes nothing.

    Raises:
        DataError: if the orders of classes or keypoints differ, or annotations refer to differently rotated images.

    >>> merged_facts("kind", [About(("cat", "dog")), About(), About(("cat",))]).classes
    ('cat', 'dog')
    """
    classed = [(i, about) for i, about in enumerate(facts) if about.classes is not None]
    merged = About()
    alphabet = [about.classes for _, about in classed if about.values is None and _is_sorted(about.classes)]
    if classed and len(alphabet) == len(classed):
        merged = About(tuple(sorted({name for names in alphabet for name in names or ()})))
    elif classed:
        at, longest = max(classed, key=lambda pair: len(pair[1].classes or ()))
        for i, about in classed:
            if not _within(about, longest):
                expected = f"one order of classes in all sources, {_shown_classes(longest)} as in source {at}"
                found = f"{_shown_classes(about)} in source {i}"
                fix = "Name the classes in the head, in the order that you want."
                raise DataError(Problem(place(column=name), expected, found, fix, "classes"))
        merged = longest
    orientations = {about.exif for about in facts if about.exif is not None}
    if len(orientations) > 1:
        fix = "Make one feed for each, or give all readers the same exif=."
        found = 'exif="applied" and exif="ignored"'
        raise DataError(Problem(place(column=name), "the same exif= in all sources", found, fix, "turned"))
    lines = next((about.skeleton for about in facts if about.skeleton is not None), None)
    points = _same_in_all(name, "keypoints", "point_names= and skeleton=", [about.points for about in facts])
    pairs = _same_in_all(
        name, "pairs of left and right keypoints", "pairs=", [about.pairs for about in facts]
    )
    return merged._replace(exif=next(iter(orientations), None), points=points, skeleton=lines, pairs=pairs)


def _same_in_all(name: str, what: str, arguments: str, facts: Sequence[Any]) -> Any:
    """Return what the sources that know it say about keypoints; raise if they differ."""
    known = [(i, fact) for i, fact in enumerate(facts) if fact is not None]
    for i, fact in known:
        if fact != known[0][1]:
            fix = f"If they mean the same, give {arguments} to the head."
            expected = (
                f"the same {what} in all sources, {shown(list(known[0][1]))} as in source {known[0][0]}"
            )
            raise DataError(
                Problem(place(column=name), expected, f"{shown(list(fact))} in source {i}", fix, "points")
            )
    return known[0][1] if known else None


def _within(part: About, whole: About) -> bool:
    """Return whether ``whole`` includes all classes of ``part``, in the same order and for the same values."""
    pairs = iter(_pairs(whole))
    return all(pair in pairs for pair in _pairs(part))


def _is_sorted(names: Sequence[Any] | None) -> bool:
    return all(isinstance(name, str) for name in names or ()) and list(names or ()) == sorted(names or ())


def _pairs(about: About) -> list[tuple[Any, Any]]:
    classes = about.classes or ()
    return list(zip(classes, about.values or classes, strict=True))


def _shown_classes(about: About) -> str:
    return shown(list(about.classes or ()))
