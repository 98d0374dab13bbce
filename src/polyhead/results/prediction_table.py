"""Puts the predictions of all heads for some rows into one Arrow table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.errors import ContractError, Problem
from polyhead.kinds import Head
from polyhead.kinds.predicted_columns import PredictedColumn
from polyhead.results.arrow_columns import arrow_column, field_of
from polyhead.results.boxes_kept import Kept, absent_rows, kept_boxes


class PredictionTable:
    """Makes tables of predictions.

    Args:
        probabilities: add a column with the probability of each class.
    """

    def __init__(self, heads: Mapping[str, Head], probabilities: bool) -> None:
        self._heads, self._probabilities = heads, probabilities

    def table(self, predicted: Mapping[str, Mapping[str, PredictedColumn]], first: Mapping[str, Any]) -> Any:
        """The predictions as a pyarrow ``Table``.

        Args:
            predicted: the predictions of all heads, and of outputs that belong to no head.
            first: columns that come before the predictions.
        """
        fields = [pa.field(name, column.type) for name, column in first.items()]
        columns = list(first.values())
        for name, column, item in self._columns(predicted):
            if name in {field.name for field in fields}:
                fix = "Rename one of the heads."
                found = f"two that are called `{name}`"
                raise ContractError(Problem("predict()", "columns of different names", found, fix))
            fields.append(field_of(name, column, item))
            columns.append(column)
        return pa.table(columns, schema=pa.schema(fields))

    def _columns(
        self, predicted: Mapping[str, Mapping[str, PredictedColumn]]
    ) -> Iterator[tuple[str, Any, Any]]:
        absent = absent_rows(self._heads, predicted)
        kept = {
            name: kept_boxes(
                name, self._heads, predicted, self._heads[name].corners_of(predicted[name][""].values)
            )
            for name in predicted
            if name in self._heads and self._heads[name].layer == "boxes"
        }
        for name, parts in predicted.items():
            head = self._heads.get(name)
            owner = name if name in kept else None if head is None else head.each
            gone = absent.get(name)
            for suffix, part in parts.items():
                if suffix == "probabilities" and not self._probabilities:
                    continue
                column = f"{name}_{suffix}" if suffix else name
                yield column, *self._column(head, suffix, part, gone, kept.get(owner or ""))
            if name in kept and kept[name].scores is not None:
                scores = PredictedColumn(np.asarray(kept[name].scores, np.float32))
                yield f"{name}_score", *self._column(head, "score", scores, gone, kept[name])

    def _column(
        self,
        head: Head | None,
        suffix: str,
        part: PredictedColumn,
        gone: np.ndarray | None,
        kept: Kept | None,
    ) -> tuple[Any, Any]:
        names, depth, item = () if head is None else head.names, _depth(part), part.item
        if kept is not None:
            if kept.mask.shape[1] == 1:
                none = ~kept.mask[:, 0]
                gone = none if gone is None else gone | none
                values = part.values
                part = PredictedColumn(
                    values[:, 0] if isinstance(values, np.ndarray) else [row[0] for row in values],
                    part.item,
                )
                depth -= 1
            else:
                part = PredictedColumn(
                    [_selected(value, mask) for value, mask in zip(part.values, kept.mask, strict=True)],
                    part.item,
                )
                item = "masks" if item == "mask" else item
        if suffix == "probabilities" and depth == 1:
            return _by_class(part.values, names, gone), "number"
        return arrow_column(part, names, gone, depth), item


def _selected(value: Any, mask: np.ndarray) -> Any:
    if isinstance(value, np.ndarray):
        return value[mask]
    return [entry for entry, kept in zip(value, mask.tolist(), strict=True) if kept]


def _depth(part: PredictedColumn) -> int:
    """How deeply lists are nested in a column of predictions."""
    values = part.values
    if isinstance(values, np.ndarray):
        return values.ndim - 1
    probe = values[0]
    depth = 0
    while isinstance(probe, list):
        depth += 1
        if not probe:
            return depth
        probe = probe[0]
    if part.item == "mask":
        return depth + (probe.ndim - 2)
    return depth + np.ndim(probe) if isinstance(probe, np.ndarray) else depth


def _by_class(values: np.ndarray, names: Any, gone: np.ndarray | None) -> Any:
    """The probability of each class, as a struct with the class names as fields."""
    columns = [pa.array(np.ascontiguousarray(values[:, k], np.float32)) for k in range(values.shape[1])]
    return pa.StructArray.from_arrays(
        columns, [str(name) for name in names], mask=None if gone is None else pa.array(gone)
    )
