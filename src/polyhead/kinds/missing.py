"""Finds missing and non-finite values in a column."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from polyhead.columns.values import EvenRows, widened
from polyhead.errors import BadValue, shown
from polyhead.kinds.conversion import FLOAT32_MAX
from polyhead.kinds.source_column import Column, over
from polyhead.kinds.value_advice import NUMBERS_FIX, conversion_fix


def plain(values: Any) -> Any:
    """Replace codes by the values they stand for, those of booleans by 0, 1 and NaN; anything else is unchanged."""
    if not hasattr(values, "codes"):
        return values
    return values.floats() if values.boolean else values.values()


def even_rows(values: Any) -> Any:
    """Return the array behind a list whose rows are views of it; anything else is unchanged."""
    return values.array if isinstance(values, EvenRows) else values


def is_dense(values: Any) -> bool:
    """Return whether a column is an array of values rather than of Python objects."""
    return isinstance(values, np.ndarray) and values.dtype != object


def is_missing(value: Any, marker: Any = None) -> bool:
    """Return whether one value means "no label": None, NaN, NaT, a frame's NA, or the marker.

    >>> is_missing(float("nan")), is_missing(-1, -1), is_missing(0)
    (True, True, False)
    """
    if value is None:
        return True
    if isinstance(value, (float, np.floating, np.datetime64, np.timedelta64)):
        return bool(value != value) or (marker is not None and bool(value == marker))
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    if marker is None or isinstance(value, (np.ndarray, list, tuple, set, frozenset)):
        return False
    return bool(value == marker)


def may_hold_missing(values: Any, marker: Any) -> bool:
    """Return whether values of this type can be missing at all: integers without a marker cannot."""
    return marker is not None or not isinstance(values, np.ndarray) or values.dtype.kind not in "iub"


def row_array(value: Any, index: int, expected: str, fix: str = "") -> np.ndarray:
    """Return one row of a list as an array of numbers, with NaN for None.

    Raises:
        BadValue: for values that are not numbers, or nested lists of unequal length.
    """
    value = nested_lists(value)
    try:
        row = np.asarray(value)
    except ValueError:
        raise BadValue(index, expected, f"lists of unequal length ({shown(value)})", fix) from None
    if row.dtype == object and all(is_missing(v) or isinstance(v, (Real, Decimal)) for v in row.flat):
        try:
            floats = np.array([np.nan if is_missing(v) else float(v) for v in row.flat], np.float64)
        except OverflowError:  # an integer too large for a float
            raise BadValue(index, expected, shown(value), "Scale the column, or leave the row out.") from None
        row = floats.reshape(row.shape)
    if row.dtype.kind not in "iufb":
        found = value
        if isinstance(value, np.ndarray):  # times would become counts of nanoseconds
            found = (value.astype(str) if value.dtype.kind in "mM" else value).tolist()
        raise BadValue(index, expected, shown(found), conversion_fix(value, fix))
    return row


def nested_lists(value: Any) -> Any:
    """Convert an array of arrays, as pandas stores nested lists, to a list that NumPy can stack.

    >>> nested = np.empty(1, object)
    >>> nested[0] = np.array([1.0, 2.0])
    >>> np.asarray(nested_lists(nested)).shape
    (1, 2)
    """
    nested = isinstance(value, np.ndarray) and value.dtype == object and value.ndim
    return [nested_lists(entry) for entry in value] if nested else value


def numbers(
    values: Any,
    marker: Any,
    shape: tuple[int, ...],
    expected: str,
    fix: str = NUMBERS_FIX,
    shape_fix: Callable[[tuple[int, ...]], str] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a column as an array of numbers ``(B, *shape)``, and which of them are present.

    Rows of None are missing in every place. If ``shape`` ends in 1, the column may lack that axis: ``(B,)`` is read as
    ``(B, 1)``.

    Args:
        marker: the number that means "no label", or None.
        shape_fix: says what to do about rows of another shape, given that shape.

    Returns:
        The array, of the column's own dtype and 0 where missing; and a bool array of its shape that tells which numbers
        are present, or None if nothing is missing.

    Raises:
        BadValue: for a value that is not a number, or of another shape.
    """
    values = even_rows(plain(values))
    short = shape[:-1] if shape[-1] == 1 else shape
    present: np.ndarray | None = None
    if is_dense(values):
        array = widened(values)
        if array.dtype.kind not in "iufb":
            index, found = (0, shown(array[0])) if len(array) else (None, str(array.dtype))
            raise BadValue(index, expected, found, conversion_fix(array, fix))
        row_shape = array.shape[1:]
        if row_shape not in (shape, short):
            found = f"rows of shape {row_shape}" if row_shape else "one number in each row"
            raise BadValue(None, expected, found, shape_fix(row_shape) if shape_fix else "")
        if row_shape != shape:
            array = array[..., None]
    else:
        array, labeled = _stacked_rows(values, marker, shape, short, expected, fix)
        if not labeled.all():
            present = np.broadcast_to(labeled.reshape((-1,) + (1,) * len(shape)), array.shape)
    of_rows = present
    if array.dtype.kind == "f" and not has_finite_sum(array):
        present = both_present(present, ~np.isnan(array))
    if isinstance(marker, Real):
        present = both_present(present, array != marker)
    if present is not None and present is not of_rows:  # rows of None are zero already
        array = np.where(present, array, array.dtype.type(0))
    return array, present


def both_present(present: np.ndarray | None, others: np.ndarray) -> np.ndarray | None:
    """Combine two arrays that tell which values are present; None if all are."""
    if others.all():
        return present
    return others if present is None else present & others


def _stacked_rows(
    values: Any, marker: Any, shape: tuple[int, ...], short: tuple[int, ...], expected: str, fix: str
) -> tuple[np.ndarray, np.ndarray]:
    """Stack rows of numbers, 0 where a row is missing; also return which rows are not, bool ``(B,)``."""
    labeled = np.zeros(len(values), bool)
    rows: list[np.ndarray] = []
    for i, value in enumerate(values):
        if is_missing(value, marker):
            continue
        row = row_array(value, i, expected, fix)
        if row.shape not in (shape, short):
            raise BadValue(i, expected, f"shape {row.shape}")
        labeled[i] = True
        rows.append(row)
    dtypes = {row.dtype for row in rows}
    array = np.zeros((len(values), *shape), np.result_type(*dtypes) if dtypes else np.float64)
    for i, row in zip(np.flatnonzero(labeled).tolist(), rows, strict=True):
        array[i] = row.reshape(shape)
    return array, labeled


def as_one_array(values: Any, expected: str) -> np.ndarray:
    """Stack values into one array; raise for rows that are not numbers or differ in shape."""
    values = plain(values)
    if is_dense(values):
        return values
    rows = [row_array(np.nan if v is None else v, i, expected) for i, v in enumerate(values)]
    for i, row in enumerate(rows):
        if row.shape != rows[0].shape:
            none = next((j for j, v in enumerate(values) if v is None), None)
            if none is not None:
                raise BadValue(none, expected, "None", "Leave the row out.")
            fix = ""
            if row.ndim and row.shape[1:] == rows[0].shape[1:]:
                widths = "(0, length - len(row))" + ", (0, 0)" * (row.ndim - 1)
                fix = f"Pad the rows to one length: np.pad(row, {f'({widths})' if row.ndim > 1 else widths})."
            one_shape = f"rows of one shape, as row 0 has it: {rows[0].shape}"
            raise BadValue(i, one_shape, f"shape {row.shape}", fix)
    return np.stack(rows) if rows else np.empty(0)


def first_row(bad: np.ndarray) -> int | None:
    """Return the first row of a bool array with a True; None if there is none."""
    return int(bad.reshape(len(bad), -1).any(1).argmax()) if bad.any() else None


def refuse_first(bad: np.ndarray, array: np.ndarray, expected: str, fix: str) -> None:
    """Raise for the first row of an array with a bad number; the error shows that number.

    Args:
        bad: bool, of the shape of ``array``.
    """
    row = first_row(bad)
    if row is not None:
        raise BadValue(row, expected, shown(array[row][bad[row]].flat[0]), fix)


def has_finite_sum(array: np.ndarray) -> bool:
    """Return whether the sum is finite, which proves cheaply that every value is."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()))


def require_finite(array: np.ndarray, expected: str, fix: str, columns: Any = ()) -> None:
    """Raise for the first row with NaN or infinity; if each number has a column, the error names it."""
    if array.dtype.kind == "f" and not has_finite_sum(array):
        bad = ~np.isfinite(array)
        row = first_row(bad)
        if row is not None and bad.shape[1:] == (len(columns),):
            expected = f"{expected} in column `{columns[int(bad[row].argmax())]}`"
        refuse_first(bad, array, expected, fix)


def require_range(array: np.ndarray, low: float, high: float, expected: str, fix: str) -> None:
    """Raise for the first row with a value outside ``[low, high]``."""
    if array.size and not (array.min() >= low and array.max() <= high):
        refuse_first(~((array >= low) & (array <= high)), array, expected, fix)


def require_whole(array: np.ndarray, expected: str, fix: str) -> None:
    """Raise for the first row with a fraction."""
    if array.dtype.kind == "f":
        refuse_first(array != np.rint(array), array, expected, fix)


def as_float32(array: np.ndarray, check: bool) -> np.ndarray:
    """Convert finite numbers to float32, without a copy if they are already.

    Raises:
        BadValue: for a number too large for float32, if ``check``.
    """
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(array, np.float32)
    if check and array.dtype.itemsize > 4 and not has_finite_sum(result):
        require_range(array, -FLOAT32_MAX, FLOAT32_MAX, "numbers that fit float32", "Scale the column.")
    return result


def spread_over(present: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Broadcast flags of rows, or of parts of rows, to the shape of the values.

    >>> spread_over(np.array([True, False]), np.zeros((2, 3))).sum(1).tolist()
    [3, 0]
    """
    return np.broadcast_to(present.reshape(*present.shape, *[1] * (values.ndim - present.ndim)), values.shape)


def collapse(present: np.ndarray | None) -> np.ndarray | None:
    """Return which rows are present, bool ``(B,)``; None if some are present only in part."""
    if present is None:
        return None
    axes = zip(present.strides[1:], present.shape[1:], strict=True)
    if present.size and all(
        stride == 0 or length == 1 for stride, length in axes
    ):  # one value a row, broadcast
        while present.ndim > 1:
            present = present[..., 0]
        return present
    flat = present.reshape(len(present), int(np.prod(present.shape[1:])))
    whole: np.ndarray = np.all(flat, axis=1)
    return whole if np.array_equal(whole, np.any(flat, axis=1)) else None


def is_partly_missing(column: Column, read: Callable[[Any], tuple[np.ndarray, np.ndarray | None]]) -> bool:
    """Return whether some row of a column has both missing and present numbers, as ``read`` returns them."""
    return any(present is not None and collapse(present) is None for _, present in over(column, read))


def whole_rows(present: np.ndarray, fix: str) -> np.ndarray:
    """Return which rows are present, bool ``(B,)``, where each row has one weight.

    Raises:
        BadValue: for a row with some numbers missing.
    """
    rows = collapse(present)
    if rows is not None:
        return rows
    flat = present.reshape(len(present), -1)
    row = int((flat.any(1) & ~flat.all(1)).argmax())
    found = f"{int((~flat[row]).sum())} of {flat.shape[1]} missing"
    raise BadValue(row, "a label that is there as a whole or missing as a whole", found, fix)
