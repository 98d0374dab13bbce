"""Joins evaluations of different rows into one, for example those of the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, place, shown
from polyhead.kinds.judging import Items, Judge, concatenated


class JoinedRows:
    """The rows of several evaluations, each with its own model.

    Args:
        parts: the `RowJudges` of each evaluation.
        counts: the number of rows of each.

    Attributes:
        labels: empty, as labels are not compared.
    """

    def __init__(self, parts: Sequence[Any], counts: Sequence[int]) -> None:
        self._parts, self._starts = list(parts), np.cumsum([0, *counts])
        self.inputs, self.heads = parts[0].inputs, parts[0].heads
        self.labels: dict[str, str] = {}

    @property
    def drawn_heads(self) -> Any:
        """The drawn heads of the first evaluation."""
        return self._parts[0].drawn_heads

    def _by_part(self, rows: np.ndarray) -> Iterator[tuple[Any, list[int], np.ndarray]]:
        """Yield each evaluation that has some of the rows: with their positions in ``rows`` and their indices there."""
        numbers = np.searchsorted(self._starts, rows, side="right") - 1
        for k in np.unique(numbers).tolist():
            positions = np.flatnonzero(numbers == k)
            yield self._parts[k], positions.tolist(), rows[positions] - self._starts[k]

    def samples(self, rows: Sequence[int]) -> list[Any]:
        """As `RowJudges.samples`."""
        pairs: dict[int, Any] = {}
        for part, positions, indices in self._by_part(np.array(rows, np.int64)):
            pairs |= dict(zip(positions, part.samples(indices.tolist()), strict=False))
        return [pairs[i] for i in sorted(pairs)]

    def names(self, rows: np.ndarray) -> dict[str, list[Any]]:
        """As `RowJudges.names`; None where an evaluation has no such name."""
        names: dict[str, list[Any]] = {}
        for part, positions, indices in self._by_part(rows):
            for name, values in part.names(indices).items():
                column = names.setdefault(name, [None] * len(rows))
                for i, value in zip(positions, values, strict=True):
                    column[i] = value
        return names

    def pandas_index(self, rows: np.ndarray) -> Any:
        """As `RowJudges.pandas_index`; None if one of the evaluations has none."""
        parts = [(at, part.pandas_index(indices)) for part, at, indices in self._by_part(rows)]
        if not parts or any(index is None for _, index in parts):
            return None
        order = np.argsort(np.concatenate([at for at, _ in parts]))
        return parts[0][1].append([index for _, index in parts[1:]])[order]

    def in_originals(self, name: str, rows: np.ndarray, *values: Sequence[Any]) -> tuple[list[Any], ...]:
        """As `RowJudges.in_originals`."""
        columns = tuple(list(column) for column in values)
        for part, positions, indices in self._by_part(rows):
            selected = ([column[i] for i in positions] for column in values)
            mapped = part.in_originals(name, indices, *selected)
            for column, mapped_values in zip(columns, mapped, strict=True):
                for i, value in zip(positions, mapped_values, strict=True):
                    column[i] = value
        return columns


def joined_parts(evaluations: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Items], np.ndarray]:
    """Concatenate the items and ids of several evaluations; also return the judges.

    Raises:
        ContractError: if heads differ, or a row is in two of them.
    """
    first = evaluations[0]
    for other in evaluations[1:]:
        _require_same_heads(first, other)
    ids = np.concatenate([e.ids for e in evaluations])
    values, times = np.unique(ids, return_counts=True)
    if (times > 1).any():
        many = int((times > 1).sum())
        row = values[times > 1][0]
        more = f", and {many - 1:,} more" if many > 1 else ""
        found = f"row {row} in two of them{more}"
        fix = "Make the folds of one source, with source.split or source.select, so that each row keeps its number."
        if any((e.ids == row).sum() > 1 for e in evaluations):
            found = f"row {row} twice in one of them{more}"
            fix = "Evaluate each row once: source.select(np.unique(rows))."
        raise ContractError(Problem("join(*others)", "evaluations of different rows", found, fix))
    starts = np.cumsum([0, *(len(e.ids) for e in evaluations)])
    items = {
        name: concatenated(
            [
                {**e[name].items_of_rows, "row": e[name].items_of_rows["row"] + start}
                for e, start in zip(evaluations, starts, strict=False)
            ]
        )
        for name in first
    }
    return {name: first[name].judge for name in first}, items, ids


def _require_same_heads(first: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    if list(first) != list(other):
        expected, found = f"the heads {', '.join(first)}", ", ".join(other)
        raise ContractError(Problem("join(*others)", expected, found))
    for name, head in first.items():
        mine, theirs = (kind_judged(h.judge) for h in (head, other[name]))
        if mine != theirs:
            fix = "Make the feeds of all folds with on(): feed.on(fold)."
            where = f"join(*others), {place(head=name)}"
            raise ContractError(Problem(where, f"{mine[0]} with {shown(mine[1])}", shown(theirs[1]), fix))


def kind_judged(judge: Judge) -> tuple[str, Any]:
    """The kind of a judge, and the classes or columns that it judges, in their order."""
    inner = judge.inner
    return type(inner).__name__, tuple(getattr(inner, "classes", getattr(inner, "columns", ())))
