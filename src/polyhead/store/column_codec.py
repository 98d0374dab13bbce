"""The columns of a store: describes each one, writes it to a file, and reads it from its memory map.

A description is JSON. ``dense`` columns hold numbers of one shape: an Arrow array or fixed-shape tensors in the file, a
view of the file in memory. ``coded`` columns hold codes into categories. ``values`` columns hold anything else, one
value per row, of the Arrow type in ``of``; see `value_types`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.columns.coded import Coded
from polyhead.columns.lazy import Pieces, Stored, entries, gather
from polyhead.columns.values import LIMIT_BYTES, Values, codes_in, join, take, united, with_gaps
from polyhead.errors import BadValue, shown
from polyhead.kinds.missing import is_missing
from polyhead.sources.scanning import first_rows, scan
from polyhead.sources.source import Source
from polyhead.store.value_codec import fitted, numbers_in_place, read, write
from polyhead.store.value_types import (
    common,
    is_same,
    settled,
    type_from_text,
    type_of,
    type_to_text,
    type_words,
)

Spec = dict[str, Any]
FEW = 1 << 16
"""A column with more categories than this, such as file names, is stored as values instead of codes."""

_UNITS = ("s", "ms", "us", "ns", "D")


def dense(shape: tuple[int, ...], dtype: Any, nullable: bool = False) -> Spec:
    """Describe a column whose rows are numbers of one shape; ``nullable`` if rows may be None."""
    return {"is": "dense", "dtype": np.dtype(dtype).name, "shape": list(shape), "nullable": nullable}


def _spec_of_type(kind: Any) -> Spec:
    """Describe a column of values of an Arrow type."""
    return {"is": "values", "of": type_to_text(settled(kind))}


def like(value: Any) -> Spec:
    """Describe a column of values like this one; an empty array of several axes means arrays of any shape."""
    return _spec_of_type(type_of(value))


def holds(spec: Spec, other: Spec) -> bool:
    """Return whether a column can hold the values of another unchanged."""
    kind, other_kind = type_from_text(spec["of"]), type_from_text(other["of"])
    try:
        return is_same(common([kind, other_kind]), kind)
    except BadValue:
        return False


def spec_of(source: Source, name: str) -> Spec:
    """Describe a column of a source. All of it is read, unless it holds plain numbers, text or bytes.

    Raises:
        BadValue: for a value that a store can't hold, with its row.
    """
    probe = first_rows(source, name)
    if isinstance(probe, np.ndarray) and probe.dtype != object:
        return _spec_of_array(probe)
    if isinstance(probe, Coded):
        if probe.boolean:
            return dense((), np.bool_, nullable=True)
        return _spec_of_codes(source, name)
    if text := spec_of_text(probe):
        return text
    shared = SharedType()
    for start, values in scan(source, name):
        shared.add(values, start)
    return shared.spec


def spec_of_text(probe: Any) -> Spec | None:
    """Return the description of text or bytes, which the first rows tell; None for other values."""
    present = [value for value in probe if not is_missing(value)]
    alike = any(present and all(isinstance(value, kind) for value in present) for kind in (str, bytes))
    return like(present[0]) if alike else None


class SharedType:
    """The Arrow type that holds all values that were added."""

    def __init__(self) -> None:
        self._type = pa.null()

    def add(self, values: Values, start: int) -> None:
        """Add the values of the rows from ``start`` on; raise a `BadValue` for one that no store can hold."""
        plain: Any = values.values() if isinstance(values, Coded) else values
        for i, value in enumerate(plain):
            try:
                self._type = common([self._type, type_of(value)])
            except BadValue as bad:
                bad.index = start + i
                raise

    @property
    def spec(self) -> Spec:
        """The description of the column."""
        return _spec_of_type(self._type)


def _spec_of_array(probe: np.ndarray) -> Spec:
    kind, shape = probe.dtype.kind, probe.shape[1:]
    if kind in "US" and not shape:
        return like("" if kind == "U" else b"")
    unit = np.datetime_data(probe.dtype)[0] if kind in "mM" else ""
    if unit in _UNITS and not shape:
        return dense(shape, "timedelta64[s]" if unit == "D" and kind == "m" else probe.dtype)
    if kind in "biuf" and 0 not in shape and probe.dtype.itemsize <= 8:
        return dense(shape, probe.dtype.newbyteorder("="))
    found = f"{probe.dtype} of shape {shape}"
    raise BadValue(None, "numbers, text, bytes or dates", found, "Convert the column, or leave it out.")


def _spec_of_codes(source: Source, name: str) -> Spec:
    parts = [part for _, part in scan(source, name) if isinstance(part, Coded)]
    categories, ordered = united(parts)
    spec = _spec_of_type(common([type_of(category) for category in categories]))
    if len(categories) > min(FEW, max(256, len(source) // 2)):
        return spec
    return {**spec, "is": "coded", "ordered": ordered, "categories": list(categories)}


def field(spec: Spec) -> Any:
    """Return the Arrow type of a column."""
    if spec["is"] == "values":
        return type_from_text(spec["of"])
    if spec["is"] == "coded":
        return pa.dictionary(pa.int32(), type_from_text(spec["of"]), ordered=spec["ordered"])
    kind, shape = pa.from_numpy_dtype(np.dtype(spec["dtype"])), tuple(spec["shape"])
    if not shape:
        return kind
    # arrays of booleans are stored as bytes, so that they can be memory-mapped
    return pa.fixed_shape_tensor(pa.uint8() if pa.types.is_boolean(kind) else kind, shape)


def spec_words(spec: Spec) -> str:
    """Describe a column for messages.

    >>> spec_words(dense((4,), "float32"))
    'float32 of shape (4,)'
    """
    if spec["is"] in ("values", "coded"):
        words = type_words(type_from_text(spec["of"]))
        return f"categories of {words}" if spec["is"] == "coded" else words
    return f"{spec['dtype']} of shape {tuple(spec['shape'])}"


def dense_row_bytes(spec: Spec) -> int:
    """Return the bytes of a row of a dense column."""
    return math.prod(spec["shape"]) * np.dtype(spec["dtype"]).itemsize


def to_arrow(spec: Spec, values: Any, gone: np.ndarray | None = None) -> Any:
    """Convert rows of a column to an Arrow array.

    Args:
        values: for a dense column, an array of its dtype, or a list of arrays and None; otherwise any values.
        gone: bool ``(n,)``, True for rows of an array that are None.

    Raises:
        BadValue: for a value that does not fit, with its position.
    """
    if spec["is"] == "values":
        plain = values.values() if isinstance(values, Coded) else values
        flat = isinstance(plain, np.ndarray) and plain.ndim == 1
        return write(type_from_text(spec["of"]), plain.tolist() if flat else list(plain))
    if spec["is"] == "coded":
        if not isinstance(values, Coded):
            raise BadValue(0, spec_words(spec), shown(values[0]), "Convert the column.")
        codes = codes_in(values, spec["categories"]) if len(values) else np.zeros(0, np.int32)
        indices = pa.array(codes, mask=codes < 0)
        names = to_arrow({**spec, "is": "values"}, spec["categories"])
        return pa.DictionaryArray.from_arrays(indices, names, ordered=spec["ordered"])
    dtype, shape = np.dtype(spec["dtype"]), tuple(spec["shape"])
    if not shape:
        return pa.array(values, mask=gone)
    if isinstance(values, list):
        gone = np.array([row is None for row in values])
        values = np.stack([np.zeros(shape, dtype) if row is None else row for row in values])
    numbers = np.ascontiguousarray(values).reshape(-1)
    mask = pa.array(gone) if gone is not None and gone.any() else None
    items = pa.array(numbers.view(np.uint8) if dtype.kind == "b" else numbers)
    storage = pa.FixedSizeListArray.from_arrays(items, math.prod(shape), mask=mask)
    return pa.ExtensionArray.from_storage(field(spec), storage)


def fitting_rows(spec: Spec, values: Any) -> Any:
    """Convert rows to the form that `to_arrow` accepts.

    Raises:
        BadValue: for rows of a dense column that have a different shape, or do not fit its dtype.
    """
    if spec["is"] != "dense":
        return values
    dtype, shape = np.dtype(spec["dtype"]), tuple(spec["shape"])
    if spec["nullable"]:
        if isinstance(values, Coded):
            return values.values().tolist()
        return [
            None if v is None or is_missing(v) else _fitting_array(v[None], dtype, shape, i)[0]
            for i, v in enumerate(values)
        ]
    plain = values.floats() if isinstance(values, Coded) else values
    array = plain if isinstance(plain, np.ndarray) else np.asarray(plain)
    return _fitting_array(array, dtype, shape, 0)


def arrow_of(spec: Spec, values: Values, ids: np.ndarray) -> Any:
    """Convert rows of a column to an Arrow array; a `DataError` names rows by ``ids``, int64 ``(B,)``."""
    try:
        return to_arrow(spec, fitting_rows(spec, values))
    except BadValue as bad:
        raise bad.located(column=spec["name"], row=int(ids[bad.index or 0])) from None


def _fitting_array(array: np.ndarray, dtype: np.dtype, shape: tuple[int, ...], index: int) -> np.ndarray:
    if array.shape[1:] != shape or array.dtype.kind not in "biufmM":
        expected = f"{dtype} of shape {shape}, like the first rows"
        raise BadValue(index, expected, f"{array.dtype} of shape {array.shape[1:]}", "Convert the column.")
    if array.dtype == dtype:
        return array
    converted, lost = fitted(array, dtype)
    if lost is not None:
        wrong = (array != converted).reshape(len(array), -1).any(1)
        raise BadValue(index + int(wrong.argmax()), f"numbers that fit {dtype}", lost, "Convert the column.")
    return converted


# Read ------------------------------------------------------------------------------------------------------


def column_from(spec: Spec, pieces: Sequence[Any]) -> Values | Stored:
    """Make a column from its Arrow arrays, one per file."""
    if spec["is"] == "values":
        return _Objects(type_from_text(spec["of"]), pieces)
    if spec["is"] == "coded":
        return _Codes(spec, pieces)
    parts = [view(spec, piece) for piece in pieces]
    column = parts[0] if len(parts) == 1 else Pieces(parts)
    if not spec["nullable"] or not any(piece.null_count for piece in pieces):
        return column
    return _Nullable(column, np.concatenate([np.asarray(piece.is_valid()) for piece in pieces]))


def view(spec: Spec, array: Any) -> np.ndarray:
    """Convert an Arrow array of a dense column to an array ``(n, *shape)``, numbers without a copy."""
    dtype, shape = np.dtype(spec["dtype"]), tuple(spec["shape"])
    if not shape:
        if dtype.kind in "iuf":
            return numbers_in_place(array, dtype)
        values = array.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
    else:
        storage = array.storage
        flat = numbers_in_place(storage.flatten() if not storage.null_count else storage.values, dtype)
        values = flat.reshape(-1, *shape)
    if len(values) != len(array):
        raise ValueError(f"{len(values)} rows of {len(array)}")
    return values


class _Nullable(Stored):
    """A dense column in which some rows are None: booleans are read as codes, other rows as a list."""

    def __init__(self, values: np.ndarray | Pieces, present: np.ndarray) -> None:
        self._values, self._present = values, present

    def __len__(self) -> int:
        return len(self._present)

    def take(self, ids: np.ndarray) -> Values:
        rows = entries(self._values, ids)
        assert isinstance(rows, np.ndarray)
        return with_gaps(rows if rows.ndim == 1 else list(rows), ~self._present[ids])

    def whole(self) -> Values | None:
        if isinstance(self._values, np.ndarray) and self._values.ndim == 1:
            return with_gaps(self._values, ~self._present)
        return None


class _Codes(Stored):
    """Codes into the categories of all files, joined when first used."""

    def __init__(self, spec: Spec, pieces: Sequence[Any]) -> None:
        self._spec, self._pieces = spec, pieces
        self._whole: Coded | None = None

    def __len__(self) -> int:
        return sum(len(piece) for piece in self._pieces)

    def take(self, ids: np.ndarray) -> Values:
        return self.whole().take(ids)

    def whole(self) -> Coded:
        if self._whole is None:
            parts = []
            for piece in self._pieces:
                codes = np.array(piece.indices.fill_null(-1), np.int32)
                parts.append(Coded(codes, piece.dictionary.to_pylist(), self._spec["ordered"]))
            joined = join(parts)
            assert isinstance(joined, Coded)
            self._whole = joined
        return self._whole


class _Objects(Stored):
    """A column of values, each converted when it is read."""

    def __init__(self, kind: Any, pieces: Sequence[Any]) -> None:
        self._kind, self._pieces = kind, pieces
        self._ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        self._whole: list[Any] | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def take(self, ids: np.ndarray) -> Values:
        if self._whole is not None:
            return take(self._whole, ids)
        return gather(self._ends, ids, self._rows_of)

    def _rows_of(self, piece: int, rows: np.ndarray) -> list[Any]:
        return read(self._kind, self._pieces[piece].take(rows))

    def whole(self) -> Values | None:
        if self._whole is None and "large_binary" not in str(self._kind):  # encoded images
            if sum(piece.nbytes for piece in self._pieces) > LIMIT_BYTES:
                return None
            self._whole = [value for piece in self._pieces for value in read(self._kind, piece)]
        return self._whole
