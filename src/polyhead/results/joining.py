"""Joins evaluations of different rows into one, for example those of the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, place, shown
from polyhead.kinds.judging import Items, concatenated


class JoinedRows:
    """The rows of several evaluations, each with its own model.

    Args:
        parts: the `RowJudges` of each evaluation.

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

    def samples(self, rows: Sequence[int]) -> list[Any]:
        """As `RowJudges.samples`."""
        pair_of: dict[int, Any] = {}
        for number, part in enumerate(self._parts):
            of_part = [row for row in rows if self._starts[number] <= row < self._starts[number + 1]]
            pairs = part.samples([int(row - self._starts[number]) for row in of_part])
            pair_of.update(zip(of_part, pairs, strict=False))
        return [pair_of[row] for row in rows if row in pair_of]

    def names(self, rows: np.ndarray) -> dict[str, list[Any]]:
        """As `RowJudges.names`; None where an evaluation has no such name."""
        names: dict[str, list[Any]] = {}
        number = np.searchsorted(self._starts, rows, side="right") - 1
        for k in np.unique(number):
            at = np.flatnonzero(number == k)
            for name, values in self._parts[k].names(rows[at] - self._starts[k]).items():
                column = names.setdefault(name, [None] * len(rows))
                for i, value in zip(at, values, strict=True):
                    column[i] = value
        return names

    def in_originals(self, name: str, rows: np.ndarray, *values: Sequence[Any]) -> tuple[list[Any], ...]:
        """As `RowJudges.in_originals`."""
        columns = tuple(list(column) for column in values)
        number = np.searchsorted(self._starts, rows, side="right") - 1
        for k in np.unique(number):
            at = np.flatnonzero(number == k)
            selected = ([column[int(i)] for i in at] for column in values)
            for column, mapped in zip(
                columns, self._parts[k].in_originals(name, rows[at] - self._starts[k], *selected), strict=True
            ):
                for i, value in zip(at.tolist(), mapped, strict=True):
                    column[i] = value
        return columns

    def judged(self, name: str) -> Any:
        """Raise an error, as there are several models."""
        refuse_joined("calibrate")

    @property
    def model(self) -> Any:
        """Raise an error, as there are several models."""
        refuse_joined("tune")


def refuse_joined(method: str) -> Any:
    """Raise the error for methods that need a single model."""
    fix = "Evaluate the final model on rows that it was not trained on."
    raise ContractError(Problem(f"{method}()", "an evaluation of one model", "several that were joined", fix))


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


def kind_judged(judge: Any) -> tuple[str, Any]:
    """The kind of a judge, and the classes or columns that it judges, in their order."""
    inner = judge.inner
    return type(inner).__name__, tuple(getattr(inner, "classes", getattr(inner, "columns", ())))
