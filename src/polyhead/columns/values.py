"""The values of a column: an array, a list, or codes into categories."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from polyhead.columns.coded import Coded as Coded
from polyhead.columns.coded import coded_flags, joinable
from polyhead.columns.coded import objects as objects
from polyhead.errors import DataError, Problem
from polyhead.foreign_errors import quoted_error

LIMIT_BYTES = 64 << 20
"""A column is copied, or read in one piece, only up to this size, which labels rarely exceed."""

EXACT = 2**53
"""float64 represents every integer up to this one exactly."""


class EvenRows(list[Any]):
    """A list of arrays of the same shape, stored in one array.

    Attributes:
        array: ``(N, ...)``, the rows.

    >>> rows = EvenRows(np.arange(6.0).reshape(3, 2))
    >>> rows[1].tolist(), take(rows, np.array([2, 0])).array.tolist()
    ([2.0, 3.0], [[4.0, 5.0], [0.0, 1.0]])
    """

    def __init__(self, array: np.ndarray) -> None:
        super().__init__(array)
        self.array = array

    def __reduce__(self) -> tuple[Any, ...]:
        return EvenRows, (self.array,)


Values = np.ndarray | list[Any] | Coded
"""One column of the result of ``Source.read``, one entry per row."""


def take(values: Values, ids: np.ndarray) -> Values:
    """Return the entries at ``ids``, in that order."""
    if isinstance(values, Coded):
        return values.take(ids)
    if isinstance(values, EvenRows):
        return EvenRows(np.take(values.array, ids, axis=0))
    if isinstance(values, np.ndarray):
        if values.flags.c_contiguous and values.flags.aligned:
            return np.take(values, ids, axis=0)
        return np.ascontiguousarray(values[ids])  # np.take would copy the whole array first
    return [values[i] for i in ids.tolist()]


def join(parts: Sequence[Values]) -> Values:
    """Join pieces of one column end to end.

    Arrays become one array if they are `alike`, codes become codes into the union of their categories; anything else
    becomes a list.
    """
    parts = joinable([p for p in parts if len(p)] or list(parts[:1]))
    if len(parts) == 1:
        return parts[0]
    arrays = [p for p in parts if isinstance(p, np.ndarray)]
    if len(arrays) == len(parts) and alike(arrays):
        return np.concatenate(arrays)
    even = [p.array for p in parts if isinstance(p, EvenRows)]
    if len(even) == len(parts) and alike(even):
        return EvenRows(np.concatenate(even))
    coded = [p for p in parts if isinstance(p, Coded)]
    if len(coded) == len(parts):
        categories, ordered = united(coded)
        return Coded(np.concatenate([codes_in(p, categories) for p in coded]), categories, ordered)
    return [v for p in parts for v in (p.values() if isinstance(p, Coded) else p)]


def scatter(parts: Sequence[tuple[np.ndarray, Values]], count: int) -> Values:
    """Put pieces of one column, ``(positions, values)``, in place; together the positions are ``[0, count)``."""
    if len(parts) == 1 and np.array_equal(parts[0][0], np.arange(count)):
        return parts[0][1]
    pieces = joinable([values for _, values in parts])
    parts = [(positions, values) for (positions, _), values in zip(parts, pieces, strict=True)]
    arrays = [values for _, values in parts if isinstance(values, np.ndarray)]
    if len(arrays) == len(parts) and alike(arrays):
        out = np.empty((count, *arrays[0].shape[1:]), np.result_type(*arrays))
        for (positions, _), values in zip(parts, arrays, strict=True):
            out[positions] = values
        return out
    order = np.argsort(np.concatenate([positions for positions, _ in parts]))
    return take(join([values for _, values in parts]), order)


def alike(arrays: Sequence[np.ndarray]) -> bool:
    """Return whether arrays can be joined: rows of one shape, all of them numbers or of one dtype kind.

    Images must also have the same scale, and integers must not be rounded.
    """
    shapes = {array.shape[1:] for array in arrays}
    kinds = {array.dtype.kind for array in arrays}
    if arrays[0].ndim > 2 and not one_scale([array.dtype for array in arrays]):
        return False
    numbers = kinds <= set("biufc")
    return len(shapes) == 1 and (numbers or len(kinds) == 1) and not (numbers and would_round(arrays))


def would_round(arrays: Sequence[np.ndarray], among: Any = np.bool_) -> bool:
    """Return whether the common type of numbers, also with those of a dtype, would change an integer.

    >>> would_round([np.array([2**60 + 1]), np.array([0.5])]), would_round([np.array([7]), np.array([0.5])])
    (True, False)
    """
    if np.result_type(among, *arrays).kind not in "fc":
        return False
    wide = [
        array for array in arrays if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size
    ]
    return any(int(array.max()) > EXACT or int(array.min()) < -EXACT for array in wide)


def one_scale(dtypes: Iterable[np.dtype]) -> bool:
    """Return whether white has the same value in images of these dtypes (255 in uint8, 1 in floats)."""
    return not {"u1", "f"} <= {"u1" if dtype == np.uint8 else dtype.kind for dtype in dtypes}


def united(parts: Sequence[Coded]) -> tuple[Sequence[Any], bool]:
    """Return the categories of all parts, and whether their order is the user's.

    The order is the user's if the ordered categories of one part include those of all others, in the same order.
    """
    first = parts[0]
    if all(p.categories is first.categories for p in parts):
        return first.categories, first.ordered
    owned = [p.categories for p in parts if p.ordered]
    if owned:
        longest = max(owned, key=len)
        position = {c: i for i, c in enumerate(longest)}
        if all(c in position for p in parts for c in p.categories) and all(
            position[a] < position[b] for c in owned for a, b in itertools.pairwise(c)
        ):
            return longest, True
    if all(list(p.categories) == list(first.categories) for p in parts):
        return first.categories, False
    return list(dict.fromkeys(c for p in parts for c in p.categories)), False


def codes_in(values: Coded, categories: Sequence[Any]) -> np.ndarray:
    """Return the codes of values in other categories, which must include theirs."""
    if values.categories is categories:
        return values.codes
    position = {c: i for i, c in enumerate(categories)}
    return np.array([*(position[c] for c in values.categories), -1], np.int32)[values.codes]


def size(values: Values) -> int:
    """Estimate the bytes that values take; for a list, from a sample of its entries."""
    if isinstance(values, Coded):
        return values.codes.nbytes
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.nbytes
    rows = [values[i] for i in np.linspace(0, len(values) - 1, min(len(values), 64), dtype=np.int64).tolist()]
    bytes_ = sum(
        8 + (len(v) if isinstance(v, (bytes, str, list, tuple)) else getattr(v, "nbytes", 0)) for v in rows
    )
    return bytes_ * len(values) // max(len(rows), 1)


def from_list(values: list[Any], where: str = "data") -> Values:
    """Convert a list of numbers (NaN for None) or small arrays of one shape to an array, booleans with None to codes.

    >>> from_list([1, None]).tolist(), from_list(["a", None])
    ([1.0, nan], ['a', None])
    """
    values = plain_entries(values, where)
    if all(v is None for v in values):
        return values
    if all(v is None or isinstance(v, (int, float, np.number, np.bool_)) for v in values):
        gone = np.array([v is None or v != v for v in values])
        present = list(itertools.compress(values, ~gone))
        if gone.any() and present and all(isinstance(v, (bool, np.bool_)) for v in present):
            return coded_flags(np.array([v == 1 for v in values]), gone)
        return _from_numbers(values)
    first = values[0]  # rows of nothing stay a list: in an array, they would be rows of a wrong shape
    if not isinstance(first, np.ndarray) or not first.size:
        return values
    if first.ndim > 1 and first.nbytes * len(values) > LIMIT_BYTES:
        return values
    arrays = [v for v in values if isinstance(v, np.ndarray)]
    return np.stack(arrays) if len(arrays) == len(values) and alike([v[None] for v in arrays]) else values


def _from_numbers(values: list[Any]) -> Values:
    try:
        if any(v is None for v in values):
            array = np.array([np.nan if v is None else v for v in values], np.float64)
        else:
            array = np.array(values)
    except (OverflowError, TypeError):  # an integer too large for float64, a complex number next to None
        return values
    if array.dtype == object:
        return values
    if array.dtype.kind == "f" and any(map(is_large, values)):
        return values  # float64 would change some ids
    return array


def is_large(value: Any) -> bool:
    """Return whether a value is an integer that float64 may round."""
    return isinstance(value, (int, np.integer)) and abs(int(value)) > EXACT


def plain_rows(values: Values, where: str) -> Values:
    """Convert arrays as `unmasked` and `widened` do, and a list as `plain_entries` does; anything else is unchanged."""
    if isinstance(values, np.ma.MaskedArray):
        values = unmasked(values)
    if isinstance(values, np.ndarray):
        return widened(values)
    return plain_entries(values, where) if isinstance(values, list) else values


def plain_entries(values: list[Any], where: str = "data") -> list[Any]:
    """Convert tensors and masked arrays in a list to arrays, and what stands for a missing value to None.

    >>> plain_entries([np.ma.array([1, 2], mask=[0, 1]), np.ma.masked])
    [array([ 1., nan]), None]

    Raises:
        DataError: at ``where``, for a tensor that NumPy can't read.
    """
    odd = {
        kind
        for kind in set(map(type, values))
        if kind.__name__ in _MISSING or issubclass(kind, np.ma.MaskedArray) or is_tensor(kind)
    }
    if not odd:
        return values
    return [_plain_entry(value, where) if type(value) in odd else value for value in values]


_MISSING = ("NAType", "NaTType")


def _plain_entry(value: Any, where: str) -> Any:
    if type(value).__name__ in _MISSING:
        return None
    if is_tensor(type(value)):
        array = from_tensor(where, value)
    else:
        if value.dtype.kind in "US" or not value.ndim:
            value = value.astype(object)  # holds None in place of what is masked
        elif value.dtype.kind == "b":
            value = value.astype(float)  # holds NaN
        array = unmasked(value)
    return array[()] if isinstance(array, np.ndarray) and not array.ndim else array


def is_tensor(kind: type) -> bool:
    """Return whether a type is one of tensors that convert to arrays or, if their rows differ in length, to lists."""
    library = kind.__module__.partition(".")[0]
    return library in _TENSORS and (hasattr(kind, "__array__") or hasattr(kind, "to_list"))


_TENSORS = ("torch", "tensorflow", "jax", "jaxlib", "keras")


def from_tensor(where: str, values: Any) -> Any:
    """Convert a tensor, on whatever device, to an array; raise a `DataError` at ``where`` if that is impossible."""
    try:
        if not hasattr(values, "__array__"):
            return values.to_list()  # a RaggedTensor
        values = values.detach().cpu() if hasattr(values, "detach") else values  # of torch
        # NumPy has no bfloat16, and torch does not convert it
        return np.asarray(values.float() if str(values.dtype) == "torch.bfloat16" else values)
    except Exception as error:  # symbolic, sparse
        fix = "Give a NumPy array; for a sparse tensor of torch: tensor.to_dense()."
        raise DataError(Problem(where, "a tensor that NumPy can read", quoted_error(error), fix)) from error


def widened(array: np.ndarray) -> np.ndarray:
    """Convert narrow types, which NumPy cannot compute with, to float32 or int8, and times to units that Arrow has.

    >>> import ml_dtypes
    >>> widened(np.array([1.5], ml_dtypes.bfloat16)).dtype, widened(np.array(["2024-03-01T12"], "M8[h]")).dtype
    (dtype('float32'), dtype('<M8[s]'))
    """
    if array.dtype.kind in "mM":
        return _in_units_of_arrow(array)
    if array.dtype.kind != "V" or array.dtype.names:
        return array
    name = array.dtype.name
    return array.astype(np.float32) if "float" in name else array.astype(np.int8) if "int" in name else array


def _in_units_of_arrow(times: np.ndarray) -> np.ndarray:
    unit, count = np.datetime_data(times.dtype)
    units = {"h": "s", "m": "s", "W": "D"} | ({"Y": "D", "M": "D"} if times.dtype.kind == "M" else {})
    if count == 1 and unit not in units:
        return times
    return times.astype(f"{times.dtype.kind}8[{units.get(unit, unit)}]")


def unmasked(values: Any) -> Values:
    """Convert a masked array, see `with_gaps`.

    >>> unmasked(np.ma.array([1, 2], mask=[0, 1])).tolist()
    [1.0, nan]
    """
    mask = np.ma.getmaskarray(values)
    return with_gaps(np.asarray(values.data), mask) if mask.any() else np.asarray(values.data)


def with_gaps(values: Values, gone: np.ndarray) -> Values:
    """Make entries of a column missing: NaN, NaT, None, or code -1 for strings and booleans.

    Numbers become floats, unless that would change an integer.

    Args:
        gone: bool, of the shape of an array, or one for each row.

    >>> with_gaps(np.array([1, 2]), np.array([False, True])).tolist()
    [1.0, nan]
    """
    if isinstance(values, Coded):
        return Coded(np.where(gone, np.int32(-1), values.codes), values.categories, values.ordered)
    if not isinstance(values, np.ndarray) or (
        0 in values.shape[1:] and gone.ndim == 1
    ):  # of no numbers, none is NaN
        return [None if g else value for g, value in zip(gone.tolist(), values, strict=True)]
    kind = values.dtype.kind
    if kind in "US" and values.ndim == 1:
        categories, codes = np.unique(values, return_inverse=True)
        return with_gaps(Coded(codes.reshape(-1).astype(np.int32), categories.tolist()), gone)
    if kind == "b" and values.ndim == 1:
        return coded_flags(values, gone)
    gone = gone.reshape((*gone.shape, *[1] * (values.ndim - gone.ndim)))
    if kind in "fcmM":
        return np.where(gone, values.dtype.type("NaT" if kind in "mM" else "nan"), values)
    if kind in "biu":
        seen = values[np.broadcast_to(~gone, values.shape)]
        if not seen.size or max(abs(int(seen.max())), abs(int(seen.min()))) <= EXACT:
            return np.where(gone, np.nan, values.astype(np.float64))
    plain = values.astype(object)
    plain[np.broadcast_to(gone, values.shape)] = None
    return plain.tolist() if plain.ndim == 1 else plain
