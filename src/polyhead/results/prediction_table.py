"""Puts the predictions of all heads for some rows into one Arrow table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.errors import ContractError, Problem
from polyhead.kinds import Head
from polyhead.kinds.predicted_columns import PredictedColumn, suffixed_name
from polyhead.results.arrow_columns import arrow_column, field_of
from polyhead.results.boxes_kept import KeptBoxes, Predicted, absent_rows, kept_boxes


def prediction_table(heads: Mapping[str, Head], predicted: Predicted, probabilities: bool) -> Any:
    """The predictions of all heads, and of outputs that belong to no head, as a pyarrow ``Table``.

    Args:
        probabilities: add a column with the probability of each class.
    """
    columns = list(_columns_of_heads(heads, predicted, probabilities))
    fields = [field_of(name, array, item) for name, array, item in columns]
    return pa.table([array for _, array, _ in columns], schema=pa.schema(fields))


def with_row_columns(row_columns: Mapping[str, Any], table: Any) -> Any:
    """Put columns that identify the rows before a table of predictions.

    Raises:
        ContractError: two columns have the same name.
    """
    names = [*row_columns, *table.column_names]
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        fix, found = "Rename one of the heads.", f"two that are called `{name}`"
        raise ContractError(Problem("predict()", "columns of different names", found, fix))
    fields = [pa.field(name, column.type) for name, column in row_columns.items()]
    return pa.table([*row_columns.values(), *table.columns], schema=pa.schema([*fields, *table.schema]))


def _columns_of_heads(
    heads: Mapping[str, Head], predicted: Predicted, probabilities: bool
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, the array and the kind of values of each column."""
    absent = absent_rows(heads, predicted)
    kept = {n: kept_boxes(n, heads, predicted) for n in predicted if n in heads and heads[n].layer == "boxes"}
    for name, columns in predicted.items():
        head = heads.get(name)
        boxes = kept.get(name if head is None else head.each or name)
        for suffix, column in columns.items():
            if suffix != "probabilities" or probabilities:
                full_name = suffixed_name(name, suffix, predicted)
                yield full_name, *_arrow_and_item(head, suffix, column, absent.get(name), boxes)
        if name in kept and kept[name].scores is not None:
            scores = PredictedColumn(np.asarray(kept[name].scores, np.float32))
            full_name = suffixed_name(name, "score", predicted)
            yield full_name, *_arrow_and_item(head, "score", scores, absent.get(name), boxes)


def _arrow_and_item(
    head: Head | None,
    suffix: str,
    column: PredictedColumn,
    absent: np.ndarray | None,
    boxes: KeptBoxes | None,
) -> tuple[Any, Any]:
    names = () if head is None else head.names
    values, depth, item = column.values, _depth(column), column.item
    if boxes is not None and boxes.mask.shape[1] == 1:
        no_box = ~boxes.mask[:, 0]
        absent = no_box if absent is None else absent | no_box
        values = values[:, 0] if isinstance(values, np.ndarray) else [row[0] for row in values]
        depth -= 1
    elif boxes is not None:
        values = [_selected(value, mask) for value, mask in zip(values, boxes.mask, strict=True)]
    column = PredictedColumn(values, column.item)
    if suffix == "probabilities" and depth == 1:
        return _by_class(values, names, absent), "number"
    several_masks = item == "mask" and boxes is not None and boxes.mask.shape[1] > 1
    return arrow_column(column, names, absent, depth), "masks" if several_masks else item


def _selected(value: Any, mask: np.ndarray) -> Any:
    if isinstance(value, np.ndarray):
        return value[mask]
    return [entry for entry, kept in zip(value, mask.tolist(), strict=True) if kept]


def _depth(column: PredictedColumn) -> int:
    """The depth to which lists are nested in a column of predictions."""
    values = column.values
    if isinstance(values, np.ndarray):
        return values.ndim - 1
    depth, entry = 0, values[0]
    while isinstance(entry, list):
        depth += 1
        if not entry:
            return depth
        entry = entry[0]
    if column.item == "mask":
        return depth + (entry.ndim - 2)
    return depth + np.ndim(entry) if isinstance(entry, np.ndarray) else depth


def _by_class(values: np.ndarray, names: Any, absent: np.ndarray | None) -> Any:
    """The probability of each class, as a struct with the class names as fields."""
    columns = [pa.array(np.ascontiguousarray(values[:, k], np.float32)) for k in range(values.shape[1])]
    mask = None if absent is None else pa.array(absent)
    return pa.StructArray.from_arrays(columns, [str(name) for name in names], mask=mask)
