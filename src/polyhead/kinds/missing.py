"""Finds missing and non-finite values in a column."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from polyhead.columns.values import EvenRows, widened
from polyhead.errors import BadValue, shown
from polyhead.kinds.lists_as_text import lists_fix, reads_as_number
from polyhead.kinds.times import times_fix

_FLOAT32_MAX = float(np.finfo(np.float32).max)


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
    """Return whether one value means "no label": None, NaN, a frame's NA, or the marker.

    >>> is_missing(float("nan")), is_missing(-1, -1), is_missing(0)
    (True, True, False)
    """
    if value is None:
        return True
    if isinstance(value, (float, np.floating)):
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
            plain_row = np.array([np.nan if is_missing(v) else float(v) for v in row.flat], np.float64)
        except OverflowError:  # an integer too large for a float
            raise BadValue(index, expected, shown(value), "Scale the column, or leave the row out.") from None
        row = plain_row.reshape(row.shape)
    if row.dtype.kind not in "iufb":
        if isinstance(value, np.ndarray):  # times would become counts of nanoseconds
            got = shown((value.astype(str) if value.dtype.kind in "mM" else value).tolist())
        else:
            got = shown(value)
        raise BadValue(index, expected, got, conversion_fix(value, fix))
    return row


_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,.'\u2019 \xa0\u202f])\d{3}(?:\1\d{3})*(?:(?!\1)([.,])\d*)?")
_TURN = "Turn text into numbers: "


def nested_lists(value: Any) -> Any:
    """Convert an array of arrays, as pandas stores nested lists, to a list that NumPy can stack.

    >>> nested = np.empty(1, object)
    >>> nested[0] = np.array([1.0, 2.0])
    >>> np.asarray(nested_lists(nested)).shape
    (1, 2)
    """
    nested = isinstance(value, np.ndarray) and value.dtype == object and value.ndim
    return [nested_lists(entry) for entry in value] if nested else value


NUMBERS_FIX = "Give numbers, or None where there is no label."
"""What to do about a label that is not a number, unless a head gives better advice."""


def conversion_fix(value: Any, fix: str = "") -> str:
    """Say what to do about a value that is not a number but can be turned into one: a time, or a number as text.

    Args:
        value: the value that was found, or an array or list, of which the first value counts.
        fix: what to do about other values. A head's own advice takes precedence for text, but not for times.

    >>> conversion_fix("1.5"), conversion_fix("cat", "Drop it.")
    ('Turn text into numbers: np.asarray(column, float).', 'Drop it.')
    """
    row = value
    while (isinstance(value, (list, tuple)) and value) or (isinstance(value, np.ndarray) and value.size):
        value = value.flat[0] if isinstance(value, np.ndarray) else value[0]
    kind = value.dtype.kind if isinstance(value, (np.ndarray, np.generic)) else ""
    if kind == "V" and value.dtype.names:
        return "Give its fields as columns: {name: column[name] for name in column.dtype.names}."
    if hasattr(value, "tocsr"):
        return "Give one sparse matrix: scipy.sparse.vstack(column)."
    if isinstance(value, (complex, np.complexfloating)):
        return "Give two numbers for each: np.stack([np.real(column), np.imag(column)], axis=-1)."
    if not isinstance(value, str) and times_fix(value):
        return times_fix(value)
    if isinstance(value, dict) and fix in ("", NUMBERS_FIX):
        where = "column" if value is row else "row"
        parts = [key for key, one in value.items() if isinstance(one, (list, tuple)) or np.ndim(one)]
        if parts:
            return f"Give one of its parts: [one[{parts[0]!r}] for one in {where}]."
        keys = [key for key, one in value.items() if isinstance(one, (Real, Decimal))] or list(value)
        return f"Give the numbers without names: [[one[key] for key in {shown(keys)}] for one in {where}]."
    if not isinstance(value, str) or fix not in ("", NUMBERS_FIX):
        return fix
    if reads_as_number(value):
        return "Turn text into numbers: np.asarray(column, float)."
    if means_no_number(value):
        return 'If it means that there is none, give pandas.to_numeric(column, errors="coerce").'
    return _separator_fix(value) or _unit_fix(value) or lists_fix(value) or times_fix(value) or fix


_NO_NUMBER = {"-", "--", "?", ".", "n/a", "na", "none", "null", "nan", "missing", "unknown"}
"""How tables say that there is no number."""


def means_no_number(text: str) -> bool:
    """Return whether a text in a column of numbers says that there is none.

    >>> means_no_number("N/A"), means_no_number("7")
    (True, False)
    """
    return text.strip().lower() in _NO_NUMBER


def _unit_fix(text: str) -> str:
    """Say how to read a number with its currency or percent sign; empty for other texts.

    >>> _unit_fix("40 %"), _unit_fix("40 kg")
    ('Turn text into numbers: [float(text.strip("% ")) for text in column].', '')
    """
    signs = "".join(sign for sign in "$€£¥%" if sign in text)
    bare = text.strip(f"{signs} ")
    edit = _edit_of(bare)
    if not signs or not (edit or reads_as_number(bare)):
        return ""
    return f'{_TURN}[float(text.strip("{signs} "){edit}) for text in column].'


def _separator_fix(text: str) -> str:
    """Say how to read a number with commas or thousands separators; empty for other texts.

    >>> _separator_fix("1.500,25")
    'Turn text into numbers: [float(text.replace(".", "").replace(",", ".")) for text in column].'
    """
    text, other = text.strip(), ""
    edit = _edit_of(text)
    if edit == '.replace(",", "")' and text.count(",") == 1 and "." not in text:
        read = '[float(text.replace(",", ".")) for text in column]'
        other = f" if commas separate thousands, {read} if decimals follow them"
    elif edit == '.replace(" ", "")':
        read = lists_fix(text).removeprefix(_TURN).removesuffix(".")
        other = f" if spaces separate thousands, {read} if they separate numbers"
    return f"{_TURN}[float(text{edit}) for text in column]{other}." if edit else ""


def _edit_of(text: str) -> str:
    """Return code that turns a number with separators into one that ``float`` reads; empty for other texts."""
    if found := _THOUSANDS.fullmatch(text):
        edit = f'.replace({json.dumps(found[1])}, "")'
        return edit + '.replace(",", ".")' * (found[2] == ",")
    return '.replace(",", ".")' * (text.count(",") == 1 and reads_as_number(text.replace(",", ".")))


def numbers(
    values: Any,
    marker: Any,
    shape: tuple[int, ...],
    what: str,
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
    rows: np.ndarray | None = None
    there: np.ndarray | None = None
    if is_dense(values):
        array = widened(values)
        if array.dtype.kind not in "iufb":
            index, found = (0, shown(array[0])) if len(array) else (None, str(array.dtype))
            raise BadValue(index, what, found, conversion_fix(array, fix))
        if array.shape[1:] not in (shape, short):
            other = array.shape[1:]
            found = f"rows of shape {other}" if other else "one number in each row"
            raise BadValue(None, what, found, shape_fix(other) if shape_fix else "")
        if array.shape[1:] != shape:
            array = array[..., None]
    else:
        array, gone = _stacked_rows(values, marker, shape, short, what, fix)
        if gone.any():
            rows = there = np.broadcast_to(~gone.reshape((-1,) + (1,) * len(shape)), array.shape)
    if array.dtype.kind == "f" and not _finite_sum(array):
        nan = np.isnan(array)
        if nan.any():
            there = ~nan if there is None else there & ~nan
    if isinstance(marker, Real):
        marked = array == marker
        if marked.any():
            there = ~marked if there is None else there & ~marked
    if there is not None and there is not rows:  # rows of None are zero already
        array = np.where(there, array, array.dtype.type(0))
    return array, there


def _stacked_rows(
    values: Any, marker: Any, shape: tuple[int, ...], short: tuple[int, ...], what: str, fix: str
) -> tuple[np.ndarray, np.ndarray]:
    gone = np.zeros(len(values), bool)
    rows: list[tuple[int, np.ndarray]] = []
    for i, value in enumerate(values):
        if is_missing(value, marker):
            gone[i] = True
            continue
        row = row_array(value, i, what, fix)
        if row.shape not in (shape, short):
            raise BadValue(i, what, f"shape {row.shape}")
        rows.append((i, row))
    dtypes = {row.dtype for _, row in rows}
    array = np.zeros((len(values), *shape), np.result_type(*dtypes) if dtypes else np.float64)
    for i, row in rows:
        array[i] = row.reshape(shape)
    return array, gone


def as_one_array(values: Any, what: str) -> np.ndarray:
    """Stack values into one array; raise for rows that are not numbers or differ in shape."""
    values = plain(values)
    if is_dense(values):
        return values
    rows = [row_array(np.nan if v is None else v, i, what) for i, v in enumerate(values)]
    for i, row in enumerate(rows):
        if row.shape != rows[0].shape:
            gone = next((j for j, v in enumerate(values) if v is None), None)
            if gone is not None:
                raise BadValue(gone, what, "None", "Leave the row out.")
            pad = "(0, length - len(row))" + ", (0, 0)" * (row.ndim - 1)
            alike = row.ndim and row.shape[1:] == rows[0].shape[1:]
            fix = (
                f"Pad the rows to one length: np.pad(row, {f'({pad})' if row.ndim > 1 else pad})."
                if alike
                else ""
            )
            raise BadValue(
                i, f"rows of one shape, as row 0 has it: {rows[0].shape}", f"shape {row.shape}", fix
            )
    return np.stack(rows) if rows else np.empty(0)


def first_row(bad: np.ndarray) -> int | None:
    """Return the first row of a bool array with a True; None if there is none."""
    rows = bad.reshape(len(bad), -1).any(1) if bad.size else bad
    return int(rows.argmax()) if rows.any() else None


def _first_value(array: np.ndarray, bad: np.ndarray, row: int) -> str:
    return shown(array[row][bad[row]].flat[0])


def _finite_sum(array: np.ndarray) -> bool:
    """Return whether the sum is finite, which proves cheaply that every value is."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()))


def require_finite(array: np.ndarray, expected: str, fix: str, columns: Any = ()) -> None:
    """Raise for the first row with NaN or infinity; if each number has a column, the error names it."""
    if array.dtype.kind == "f" and not _finite_sum(array):
        bad = ~np.isfinite(array)
        row = first_row(bad)
        if row is not None:
            if bad.shape[1:] == (len(columns),):
                expected = f"{expected} in column `{columns[int(bad[row].argmax())]}`"
            raise BadValue(row, expected, _first_value(array, bad, row), fix)


def require_range(array: np.ndarray, low: float, high: float, expected: str, fix: str) -> None:
    """Raise for the first row with a value outside ``[low, high]``."""
    if not array.size or (array.min() >= low and array.max() <= high):
        return
    bad = ~((array >= low) & (array <= high))
    row = first_row(bad)
    assert row is not None
    raise BadValue(row, expected, _first_value(array, bad, row), fix)


def require_whole(array: np.ndarray, expected: str, fix: str) -> None:
    """Raise for the first row with a fraction."""
    if array.dtype.kind == "f":
        bad = array != np.rint(array)
        row = first_row(bad)
        if row is not None:
            raise BadValue(row, expected, _first_value(array, bad, row), fix)


def as_float32(array: np.ndarray, check: bool) -> np.ndarray:
    """Convert finite numbers to float32, without a copy if they are already.

    Raises:
        BadValue: for a number too large for float32, if ``check``.
    """
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(array, np.float32)
    if check and array.dtype.itemsize > 4 and not _finite_sum(result):
        require_range(array, -_FLOAT32_MAX, _FLOAT32_MAX, "numbers that fit float32", "Scale the column.")
    return result


def spread_over(there: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Broadcast flags of rows, or of parts of rows, to the shape of the values.

    >>> spread_over(np.array([True, False]), np.zeros((2, 3))).sum(1).tolist()
    [3, 0]
    """
    return np.broadcast_to(there.reshape(*there.shape, *[1] * (values.ndim - there.ndim)), values.shape)


def collapse(there: np.ndarray | None) -> np.ndarray | None:
    """Return which rows are present, bool ``(B,)``; None if some are present only in part."""
    if there is None:
        return None
    sides = zip(there.strides[1:], there.shape[1:], strict=True)
    if there.size and all(step == 0 or side == 1 for step, side in sides):  # one value a row, spread over it
        while there.ndim > 1:
            there = there[..., 0]
        return there
    flat = there.reshape(len(there), int(np.prod(there.shape[1:])))
    every: np.ndarray = np.all(flat, axis=1)
    return every if np.array_equal(every, np.any(flat, axis=1)) else None


def partly_missing(kind: str, there: np.ndarray, fix: str = "") -> BadValue:
    """The error for a row with some numbers missing, if there is one weight per row; ``fix`` replaces the default."""
    flat = there.reshape(len(there), -1)
    row = int((flat.any(1) & ~flat.all(1)).argmax())
    found = f"{int((~flat[row]).sum())} of {flat.shape[1]} missing"
    fix = fix or f"Say {kind}(..., elementwise=True) for one weight each."
    return BadValue(row, "a label that is there as a whole or missing as a whole", found, fix)
