"""Finds all wrong rows, groups them by what is wrong, and reports StopIteration raised by users' code."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

import numpy as np

from polyhead.columns.image_values import path_in
from polyhead.errors import BadValue, DataError, Problem, counted
from polyhead.foreign_errors import stop_iteration_error
from polyhead.sources.source import Source

P = ParamSpec("P")
R = TypeVar("R")

MOST = 1000
"""The most wrong rows that are singled out; beyond them, a problem only says that there are more."""

NAMED = 20
"""The most kinds of problems that are kept apart."""

LIKEWISE = 5
"""The most further rows that the text of a problem names."""

Attempt = Callable[[np.ndarray], list[tuple[str, Any]]]
Found = tuple[np.ndarray, str, Any]


def single_out_wrong_rows(attempt: Attempt, positions: np.ndarray, most: int = MOST) -> list[Found]:
    """Try rows, and single out those that are wrong.

    Rows are tried together, and in halves if that fails, so valid rows cost little extra.

    Args:
        attempt: tries some rows and returns ``(name, result)`` pairs, where a result may be a `DataError`.
        positions: the positions of the rows, int64 ``(B,)``.
        most: the most rows to single out; further ones stay grouped with others.

    Returns:
        ``(positions, name, result)`` for each group of rows, in the order of the rows.
    """
    results = attempt(positions)
    if len(positions) < 2 or most < 1 or not any(_is_of_a_row(result) for _, result in results):
        return [(positions, *result) for result in results]
    middle = len(positions) // 2
    left = single_out_wrong_rows(attempt, positions[:middle], most)
    named = sum(_is_of_a_row(result) for *_, result in left)
    right = single_out_wrong_rows(attempt, positions[middle:], most - named)
    halves = left + right
    if any(isinstance(result, DataError) for *_, result in halves):
        return halves
    return [(positions, *result) for result in results]  # the rows are wrong only in combination


def _is_of_a_row(result: Any) -> bool:
    return isinstance(result, DataError) and any(p.rows or _ROW.search(p.place) for p in result.problems)


_ROW = re.compile(r"\brow \d+.*")


class Faults:
    """Collects the problems of rows, merging those of rows in which the same is wrong."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, ...], list[tuple[int | None, Problem]]] = {}
        self._more: set[tuple[str, ...]] = set()
        self._count = 0

    @property
    def left(self) -> int:
        """The number of rows that may still be singled out."""
        return MOST - self._count

    def add(self, name: str, ids: np.ndarray, error: DataError) -> None:
        """Add the error of one row, or of several rows that were not singled out.

        Args:
            ids: the rows, int64 ``(B,)``.
        """
        for problem in error.problems:
            row = int(ids[0]) if len(ids) == 1 else next(iter(problem.rows), None)
            where = _ROW.sub("", problem.place)
            key: tuple[str, ...] = (name, where, problem.expected, problem.fix, problem.code)
            if key not in self._groups and len(self._groups) >= NAMED:
                key = next((k for k in reversed(self._groups) if k[:2] == key[:2]), key)
            self._groups.setdefault(key, []).append((row, problem))
            self._count += 1
            if len(ids) > 1 and _is_of_a_row(error):
                self._more.add(key)

    def problems(self, checked: int, names: Sequence[str] = ()) -> list[Problem]:
        """Return one problem for each kind of mistake.

        Args:
            names: the names of inputs and heads, in the order in which to report their problems.
        """
        order = {name: i for i, name in enumerate(names)}
        keys = sorted(self._groups, key=lambda key: order.get(key[0], -1))
        return [merged_problem(self._groups[key], checked, key in self._more) for key in keys]


def merged_problem(pairs: Sequence[tuple[int | None, Problem]], checked: int, more: bool = False) -> Problem:
    """Merge the problems of several rows into that of the first, which then lists the places of the others.

    Args:
        pairs: ``(row, problem)`` pairs.
        more: whether further rows may be wrong.
    """
    (first, problem), *others = pairs
    rows = tuple(row for row, _ in pairs if row is not None)
    words = [_row_words(row, other) for row, other in others[:LIKEWISE] if row != first]
    hidden = len(others[LIKEWISE:])
    if len(rows) == checked > 2:
        words = ["all other rows that were checked"]
    elif more:
        words.append("and more rows" if words else "more rows")
    elif hidden:
        words.append(f"and {counted(hidden, 'more row')}")
    return replace(problem, rows=rows, also=tuple(words))


def _row_words(row: int | None, problem: Problem) -> str:
    match = _ROW.search(problem.place)
    return match.group() if match else f"row {row}"


def file_at(column: Any, index: int | None) -> str | None:
    """The path of the file in an entry of a column; None if there is none."""
    exists = index is not None and isinstance(column, (list, np.ndarray)) and index < len(column)
    return path_in(column[index]) if exists else None


def every_wrong_row(
    encode: Callable[[np.ndarray], Any], ids: np.ndarray, located: Callable[[BadValue, int | None], DataError]
) -> DataError:
    """Return an error that names all wrong rows of a column.

    Args:
        encode: encodes the entries at some positions, or raises `BadValue`.
        ids: the ids of the rows, by which the error names them, int64 ``(B,)``.
    """

    def attempt(positions: np.ndarray) -> list[tuple[str, Any]]:
        try:
            encode(positions)
        except BadValue as bad:
            return [("", located(bad, None if bad.index is None else int(positions[bad.index])))]
        return []

    faults = Faults()
    for positions, name, error in single_out_wrong_rows(attempt, np.arange(len(ids)), NAMED * 5):
        faults.add(name, ids[positions], error)
    return DataError(*faults.problems(len(ids)))


def readable_rows(source: Source, ids: np.ndarray) -> tuple[np.ndarray, list[Problem]]:
    """Return which of some rows can be read, bool ``(B,)``, and the problems of the others.

    Args:
        ids: the rows, int64 ``(B,)``.
    """

    def attempt(positions: np.ndarray) -> list[tuple[str, Any]]:
        try:
            source.coded(ids[positions])
        except DataError as error:
            return [("", error)]
        return []

    faults, readable = Faults(), np.ones(len(ids), bool)
    for positions, name, error in single_out_wrong_rows(attempt, np.arange(len(ids))):
        readable[positions] = False
        faults.add(name, source.ids_of(ids[positions]), error)
    return readable, faults.problems(len(ids))


def without_stop_iteration(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function so that a StopIteration of a user's code becomes a `DataError`; see `stop_iteration_error`."""

    @functools.wraps(function)
    def called(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return function(*arguments, **options)
        except (StopIteration, RuntimeError) as error:
            stop = stop_iteration_error(error)
            if stop is None:
                raise
            raise stop from error

    return called
