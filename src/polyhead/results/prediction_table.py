"""Puts the answers of all heads for some rows into one Arrow table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.errors import ContractError, Problem
from polyhead.kinds import Head
from polyhead.kinds.predicted_columns import Answer
from polyhead.results.arrow_columns import arrow_column, field_of
from polyhead.results.boxes_kept import Kept, absent_rows, kept_boxes


class AnswerTable:
    """Makes tables of answers.

    Args:
        probabilities: add a column with the probability of each class.
    """

    def __init__(self, heads: Mapping[str, Head], probabilities: bool) -> None:
        self._heads, self._probabilities = heads, probabilities

    def table(self, answers: Mapping[str, Mapping[str, Answer]], first: Mapping[str, Any]) -> Any:
        """The answers as a pyarrow ``Table``.

        Args:
            answers: the answers of all heads, and of outputs that belong to no head.
            first: columns that come before the answers.
        """
        fields = [pa.field(name, column.type) for name, column in first.items()]
        columns = list(first.values())
        for name, column, item in self._columns(answers):
            if name in {one.name for one in fields}:
                fix = "Rename one of the heads."
                found = f"two that are called `{name}`"
                raise ContractError(Problem("predict()", "columns of different names", found, fix))
            fields.append(field_of(name, column, item))
            columns.append(column)
        return pa.table(columns, schema=pa.schema(fields))

    def _columns(self, answers: Mapping[str, Mapping[str, Answer]]) -> Iterator[tuple[str, Any, Any]]:
        absent = absent_rows(self._heads, answers)
        kept = {
            name: kept_boxes(
                name, self._heads, answers, self._heads[name].corners_of(answers[name][""].values)
            )
            for name in answers
            if name in self._heads and self._heads[name].layer == "boxes"
        }
        for name, parts in answers.items():
            head = self._heads.get(name)
            owner = name if name in kept else None if head is None else head.each
            gone = absent.get(name)
            for suffix, answer in parts.items():
                if suffix == "probabilities" and not self._probabilities:
                    continue
                column = f"{name}_{suffix}" if suffix else name
                yield column, *self._column(head, suffix, answer, gone, kept.get(owner or ""))
            if name in kept and kept[name].scores is not None:
                scores = Answer(np.asarray(kept[name].scores, np.float32))
                yield f"{name}_score", *self._column(head, "score", scores, gone, kept[name])

    def _column(
        self, head: Head | None, suffix: str, answer: Answer, gone: np.ndarray | None, kept: Kept | None
    ) -> tuple[Any, Any]:
        names, depth, item = () if head is None else head.names, _depth(answer), answer.item
        if kept is not None:
            if kept.places.shape[1] == 1:
                none = ~kept.places[:, 0]
                gone = none if gone is None else gone | none
                values = answer.values
                answer = Answer(
                    values[:, 0] if isinstance(values, np.ndarray) else [one[0] for one in values],
                    answer.item,
                )
                depth -= 1
            else:
                answer = Answer(
                    [_some(value, there) for value, there in zip(answer.values, kept.places, strict=True)],
                    answer.item,
                )
                item = "masks" if item == "mask" else item
        if suffix == "probabilities" and depth == 1:
            return _by_class(answer.values, names, gone), "number"
        return arrow_column(answer, names, gone, depth), item


def _some(value: Any, there: np.ndarray) -> Any:
    if isinstance(value, np.ndarray):
        return value[there]
    return [one for one, kept in zip(value, there.tolist(), strict=True) if kept]


def _depth(answer: Answer) -> int:
    """How deeply lists are nested in the column of an answer."""
    values = answer.values
    if isinstance(values, np.ndarray):
        return values.ndim - 1
    probe = values[0]
    depth = 0
    while isinstance(probe, list):
        depth += 1
        if not probe:
            return depth
        probe = probe[0]
    if answer.item == "mask":
        return depth + (probe.ndim - 2)
    return depth + np.ndim(probe) if isinstance(probe, np.ndarray) else depth


def _by_class(values: np.ndarray, names: Any, gone: np.ndarray | None) -> Any:
    """The probability of each class, as a struct with the class names as fields."""
    columns = [pa.array(np.ascontiguousarray(values[:, k], np.float32)) for k in range(values.shape[1])]
    return pa.StructArray.from_arrays(
        columns, [str(name) for name in names], mask=None if gone is None else pa.array(gone)
    )
