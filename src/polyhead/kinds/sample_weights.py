"""Reads the user's sample weights: one for each row, label, box, point or pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.errors import BadValue, shown
from polyhead.kinds.boxes import Boxes
from polyhead.kinds.conversion import FLOAT32_MAX
from polyhead.kinds.head import Head
from polyhead.kinds.missing import first_row, is_dense, is_missing, numbers, plain, spread_over
from polyhead.kinds.per_element import Each
from polyhead.kinds.regression import Regression


@dataclass(frozen=True, repr=False)
class BoxWeights(Each):
    """The sample weights of a head with one for each box of a row; they follow their boxes."""

    owner: str = ""

    def located(self, name: str) -> dict[str, str]:
        return {"head": self.owner, "column": self.columns(name)[0]}

    @classmethod
    def for_head(cls, name: str, head: Head, values: Any) -> BoxWeights | None:
        """The weights of a head whose weight column has one for each box; None for all other heads."""
        shape = _entry_shape(values)
        if shape is None or not isinstance(head, (Boxes, Each)):
            return None
        if isinstance(head, Each):
            boxes, boxes_column, each = head.boxes, head.boxes_column, head.each
        else:
            boxes, boxes_column, each = head, head.columns(name)[0], name
        weights = Regression(shape or (1,), column=head.sample_weight, each=each)
        return cls(weights, boxes, boxes_column, column=head.sample_weight, each=each, owner=name)


def weights_key(name: str) -> str:
    """The name of a head's weights among the labels in an image."""
    return f"weights of {name}"


def prepared(head: Head, values: Any) -> Head:
    """Prepare a head for its weight column, before it is resolved.

    Raises:
        BadValue: if coarser weights were declared.

    >>> prepared(Regression(3), np.ones((5, 3))).elementwise
    True
    """
    if isinstance(head, Each):
        entry = _entry_shape(values)
        return head if entry is None else head.fixed(head=head.head.for_weights(entry))
    return head.for_weights(_row_shape(values))


def weights_shape(head: Head, values: Any) -> tuple[int, ...]:
    """Return the shape of a row's weights: ``()`` for one weight per row.

    Raises:
        BadValue: for rows of a shape that the head does not accept.

    >>> weights_shape(Regression(3, elementwise=True), np.ones((5, 3)))
    (3,)
    """
    entry = _entry_shape(values) if isinstance(head, (Boxes, Each)) else None
    shape = _row_shape(values) if entry is None else (head.weight_shape[0], *entry)
    for form in head.weight_forms if entry is not None else ((), *head.weight_forms):
        if _short(shape) == _short(form):
            return form
    finer = " or ".join(map(str, head.weight_forms))
    expected = f"one weight a row, or rows of shape {finer}" if finer else "one weight a row"
    raise BadValue(None, expected, f"rows of shape {shape}")


def read_weights(values: Any, shape: tuple[int, ...], present: np.ndarray | None) -> np.ndarray:
    """Return a weight column as float32 ``(B, *shape)``.

    Args:
        shape: the shape of a row, from `weights_shape`.
        present: which labels are present, bool ``(B, ...)``, None if all are; missing labels need no weight.

    Raises:
        BadValue: with the row of the first invalid weight.
    """
    if not shape:
        if is_dense(values) and not _short(values.shape[1:]):
            values = values.reshape(-1)
        array, given = numbers(values, None, (1,), "a weight")
        invalid: np.ndarray = ~_is_weight(array)
        invalid = invalid if given is None else invalid | ~given
        row = first_row(invalid if present is None else invalid & _over_axes(present, 0)[:, None])
        if row is not None:
            value = array[row, 0].item() if given is None or given[row, 0] else None
            fix = "Put 0 where a row does not count."
            raise BadValue(row, "a finite weight of at least 0", shown(value), fix)
        return np.where(invalid, 0, array)[:, 0].astype(np.float32)
    array, needed = _padded(values, shape)
    if present is not None:
        needed = needed & spread_over(_over_axes(present, len(shape)), array)
    with np.errstate(invalid="ignore"):
        invalid = needed & ~_is_weight(array)
    row = first_row(invalid)
    if row is not None:
        value = array[row][invalid[row]].flat[0].item()
        found = "None" if np.isnan(value) else shown(value)
        raise BadValue(row, "finite weights of at least 0", found, "Put 0 where a label does not count.")
    return np.where(needed, array, 0).astype(np.float32)


def _is_weight(array: np.ndarray) -> np.ndarray:
    """Return where numbers are weights: finite as float32, and at least 0."""
    largest = np.float32(FLOAT32_MAX)  # a Python float would be infinite beside float16
    return (array >= 0) & (array <= largest)


def _over_axes(present: np.ndarray, axes: int) -> np.ndarray:
    """Return where any label is present, by the rows and their first ``axes`` axes."""
    axes = min(present.ndim - 1, axes)
    return np.any(present.reshape(*present.shape[: axes + 1], -1), axis=-1)


def _padded(values: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Pad rows to one array, float64 ``(B, *shape)``, NaN for None; also return which numbers the rows have."""
    values = plain(values)
    fewer = is_dense(values) and values.ndim - 1 == len(shape) and 0 <= values.shape[1] < shape[0]
    if is_dense(values) and not (fewer and values.shape[2:] == shape[1:]):
        if values.dtype.kind not in "iufb":
            raise BadValue(0 if len(values) else None, "weights", shown(values[:1].tolist()))
        if _short(values.shape[1:]) != _short(shape):
            raise BadValue(None, f"weights of shape {shape}", f"rows of shape {values.shape[1:]}")
        array = values.reshape(len(values), *shape)
        return array, np.ones(array.shape, bool)
    array, needed = np.full((len(values), *shape), np.nan), np.zeros((len(values), *shape), bool)
    for i, value in enumerate(values):
        row = _row_weights(value, shape, i)
        if row.ndim < len(shape) or row.shape[1:] != shape[1:] or len(row) > shape[0]:
            raise BadValue(i, f"weights of shape {shape}", shown(value))
        array[i, : len(row)], needed[i, : len(row)] = row, True
    return array, needed


def _row_weights(value: Any, shape: tuple[int, ...], index: int) -> np.ndarray:
    """One row's weights as an array, NaN for None; all NaN if the row is None."""
    if is_missing(value):
        return np.full(shape, np.nan)
    if isinstance(value, (list, tuple)):
        value = [np.full(shape[1:], np.nan) if is_missing(entry) else entry for entry in value]
    try:
        row = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise BadValue(index, f"weights of shape {shape}", shown(value)) from None
    if not row.size:
        return np.zeros((0, *shape[1:]))
    same_axes = row.ndim and _short(row.shape[1:]) == _short(shape[1:])
    return row.reshape(len(row), *shape[1:]) if same_axes else row


def _row_shape(values: Any) -> tuple[int, ...]:
    """The shape of a row's weights, from the first row with weights; ``()`` for one number, whatever its axes."""
    values = plain(values)
    if is_dense(values):
        shape = values.shape[1:]
    else:
        shape = next((_numbers_shape(value) for value in values if not is_missing(value)), ())
    return shape if _short(shape) else ()


def _entry_shape(values: Any) -> tuple[int, ...] | None:
    """The shape of one box's weights if rows are lists of them; None if a row is one number."""
    values = plain(values)
    if is_dense(values):
        return None if _row_shape(values) == () else values.shape[2:]
    rows = [v for v in values if isinstance(v, (list, tuple)) or (isinstance(v, np.ndarray) and v.ndim)]
    if not rows:
        return None
    return next((_numbers_shape(entry) for row in rows for entry in row if not is_missing(entry)), ())


def _numbers_shape(value: Any) -> tuple[int, ...]:
    if isinstance(value, np.ndarray):
        return value.shape
    if isinstance(value, (list, tuple)):
        return (len(value), *(_numbers_shape(value[0]) if value else ()))
    return ()


def _short(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without trailing axes of size 1."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape
