"""Converts data to predict, in any accepted form, to a source of rows with a declaration, and identifies its rows."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.checks.compiled_declaration import declaration_of, loaded_bare
from polyhead.columns.image_values import is_pillow, names_image
from polyhead.columns.values import Coded
from polyhead.errors import ContractError, DataError, Problem, hints, place, shown, warn
from polyhead.feed import Feed
from polyhead.kinds import Head, Image, Input
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.missing import plain
from polyhead.pipeline.kind_columns import absent_columns
from polyhead.pipeline.way_back import any_file, files_of
from polyhead.readers.as_source import as_source, loose_images
from polyhead.readers.foreign_datasets import fix_for_rows
from polyhead.readers.unreadable import ReadableRows
from polyhead.sources.arrays import are_rows, columns_from_rows
from polyhead.sources.source import Source
from polyhead.sources.tables import is_table


def require_inputs(source: Source, inputs: Mapping[str, Input]) -> None:
    """Raise a `DataError` for each column of the inputs that the source does not have."""
    problems = absent_columns(source, inputs, {}, trained=True) if source.columns else []
    if problems:
        raise DataError(*problems)


def as_rows(data: Any, inputs: Mapping[str, Input], labels: Sequence[str] = ()) -> Source:
    """Return a source of the rows to predict or evaluate.

    Args:
        data: as for `Feed`; or one row, as ``{column: value}`` or a row of a frame, or a list of such rows. For a model
            with one input column also the values alone, or a single value: a path, encoded bytes or an array; or a
            folder of images.
        labels: further columns to read.

    Returns:
        The source; it is empty if ``data`` is, as for an empty list or frame.

    Raises:
        DataError: for data of another form, a folder without images, or a row without an input.
    """
    columns = {c: kind for name, kind in inputs.items() for c in kind.columns(name)}
    shared = {c for name, kind in inputs.items() for c in kind.columns(name) if len(kind.columns(name)) > 1}
    wanted = (*columns, *labels)
    if _holds_nothing(data):
        return as_source({column: [] for column in wanted})
    if isinstance(data, ReadableRows) and len(columns) == 1:
        data = data.of_column(*columns)
    if isinstance(data, Source) or is_table(data):
        return as_source(data, wanted, least=0)
    if not isinstance(data, (Sequence, np.ndarray)) and (fix := fix_for_rows(data)):
        expected = "a mapping of arrays, a Source, a table or a path"
        raise DataError(Problem("data", expected, shown(type(data).__name__), fix))
    if hasattr(data, "to_dict") and getattr(data, "ndim", 0) == 1 and set(columns) <= set(data.index):
        data = data.to_dict()  # a row of a frame
    if are_rows(data):
        data = _by_column(data, columns)
    if isinstance(data, Mapping):
        # a column that is absent is an error later
        present = {c: kind for c, kind in columns.items() if c in data}
        if len(present) == 1:
            ((column, kind),) = present.items()
            _require_channels_last(data[column], kind)
        single = bool(present) and all(_is_one(data[c], kind, c in shared) for c, kind in present.items())
        return as_source({c: [data[c]] for c in data} if single else data, wanted)
    one_input = len(columns) == 1
    if one_input and not _holds_columns(data, *columns.values()):
        ((column, kind),) = columns.items()
        values = _values(data, kind)
        if values is not None:
            return as_source({column: values})
    elif not isinstance(data, (str, os.PathLike)) or names_image(os.fspath(data)):
        names = ", ".join(f'"{c}": ...' for c in dict.fromkeys(wanted))
        several = "" if one_input else "The model reads several columns. "
        fix = f"{several}Give {{{names}}}, or a table with them."
        found = data if isinstance(data, (str, os.PathLike)) else type(data).__name__
        raise DataError(Problem("data", "columns by name", shown(found), fix))
    return as_source(data, wanted, least=0)


def _holds_nothing(data: Any) -> bool:
    """Return whether there are neither rows nor columns: an empty list, or a frame made from an empty list."""
    if isinstance(data, (list, tuple)):
        return not data
    return is_table(data) and getattr(data, "shape", None) == (0, 0)


def _by_column(rows: Sequence[Mapping[str, Any]], inputs: Mapping[str, Input]) -> dict[str, list[Any]]:
    """Convert rows to columns; a row may lack a column unless the model reads it."""
    columns = columns_from_rows(rows)
    for column in inputs:
        lacking = [i for i, row in enumerate(rows) if column not in row]
        if lacking and column in columns:
            raise DataError(Problem(place(column=column, row=lacking[0]), "a value", "none"))
    return columns


def _values(data: Any, kind: Input) -> Any:
    """The values of the only input column; None if ``data`` is something else, such as the path of a table."""
    if isinstance(data, (str, os.PathLike)):
        return loose_images(data) if isinstance(kind, Image) else None
    if isinstance(data, (bytes, bytearray, memoryview)) or is_pillow(data):
        return [data]
    if isinstance(data, (list, tuple, np.ndarray)):
        _require_channels_last(data, kind)
        return [data] if _is_one(data, kind) else data
    return data if hasattr(data, "__len__") and not isinstance(data, Mapping) else None  # a series, a dataset


def _holds_columns(data: Any, kind: Input) -> bool:
    """Return whether ``data`` is a list of whole columns, such as ``(x, y)``, instead of rows."""
    return isinstance(data, (list, tuple)) and len(_shape(data[0]) or ()) > len(kind.shape)


def _is_one(value: Any, kind: Input, shared: bool = False) -> bool:
    """Return whether ``value`` is the value of one row, rather than those of many.

    With ``shared``, the kind reads several columns, and a row has a single number in each.
    """
    if isinstance(value, (str, bytes, bytearray, memoryview, os.PathLike)) or is_pillow(value):
        return True
    shape = _shape(value)
    if not shape:
        return shape == ()
    if isinstance(kind, Image):
        return isinstance(value, np.ndarray) and _is_image(shape, kind.shape)
    return not shared and shape == kind.shape


def _is_image(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    possible = (1, 3) if expected[-1] == 3 else {expected[-1]} & {1, 4}  # gray becomes RGB
    if len(shape) == 2:  # or rows of flat pixels, which are refused
        return 1 in possible and shape[1] not in (math.prod(expected[:2]), math.prod(expected))
    return len(shape) == 3 and shape[-1] in possible


def _require_channels_last(value: Any, kind: Input) -> None:
    """Raise for an array that may be one image with channels first, or three gray ones."""
    if not isinstance(value, np.ndarray) or not isinstance(kind, Image) or kind.channels != 3:
        return
    if value.ndim == 3 and len(value) == 3 and value.shape[-1] not in (1, 3):
        expected = "images of shape (height, width, 3)"
        found = f"an array of shape {value.shape}: one with channels first, or three gray ones"
        fix = "Give image.transpose(1, 2, 0) for one image, images[..., None] for three."
        raise DataError(Problem("data", expected, found, fix))


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape of an array or of nested lists; None for values without a shape."""
    if (
        isinstance(value, (list, tuple))
        and value
        and not isinstance(value[0], (int, float, list, tuple, np.ndarray))
    ):
        return None
    try:
        return np.shape(value)
    except ValueError:
        return None


def declaration_for(
    method: str, model: Any, data: Any, declaration: Any, prefer_feed: bool = False
) -> Declaration:
    """Return the declaration that was given, or else the one that the model or the feed carries.

    Args:
        declaration: the user's argument; None for none.
        prefer_feed: prefer the declaration of a feed to that of the model.

    Raises:
        ContractError: if no declaration is found.
    """
    if declaration is not None:
        if isinstance(declaration, Feed):
            return declaration.declaration
        if not isinstance(declaration, Declaration):
            expected = "a ph.Declaration, as feed.declaration"
            raise ContractError(Problem(f"{method}(declaration=)", expected, shown(declaration)))
        return declaration
    if prefer_feed and isinstance(data, Feed):
        return data.declaration
    try:
        return declaration_of(model)
    except ContractError as error:
        if isinstance(data, Feed):
            return data.declaration
        problem = error.problems[0]
        fix = "Compile it with ph.compile(model, feed, ...), give a Feed as data, or declaration=feed.declaration."
        fix = hints(loaded_bare(model), fix)
        raise ContractError(Problem(f"{method}(model)", problem.expected, problem.found, fix)) from None


class RowColumns:
    """The columns before the predictions: row ids, image files, and columns copied from the data."""

    def __init__(
        self, source: Source, inputs: Mapping[str, Input], heads: Mapping[str, Head], kept: Sequence[str]
    ) -> None:
        self._source = source
        images = [(kind.columns(name)[0], kind) for name, kind in inputs.items() if isinstance(kind, Image)]
        self._file_column = images[0][0] if images and self._holds_files(*images[0]) else None
        declared = {
            c for kinds in (inputs, heads) for name, kind in kinds.items() for c in kind.columns(name)
        }
        self._has_ids = "id" in source.columns and "id" not in declared
        self._kept = [name for name in dict.fromkeys(kept) if not (name == "id" and self._has_ids)]
        copied = [*self._kept, *["id"] * self._has_ids]
        self._copied = source.only(copied) if copied else None
        self._types: dict[str, Any] = {}

    def _holds_files(self, column: str, kind: Image) -> bool:
        if not len(self._source):  # the array's dtype and shape tell, or else the training data
            values: Any = plain(self._source.column(column)) if self._source.columns else None
            sure = isinstance(values, np.ndarray) and (values.ndim > 1 or values.dtype.kind in "US")
            return values.dtype.kind == "U" if sure else kind.files
        origins = self._source.origins(column, np.zeros(0, np.int64))
        if origins is not None and origins.lost:
            found = "it has images that an older version packed, without their files and their sizes"
            fix = (
                "Boxes, points and masks of these are in pixels of the images as they are stored. To have those of the "
                "originals, pack the data again, into a new folder."
            )
            warn(Problem(f"store {origins.lost}", "", found, fix, "origins", warning=True))
        return any_file(self._source, column)

    def columns(self, ids: np.ndarray, taken: set[str]) -> dict[str, Any]:
        """The columns of some rows as pyarrow arrays, renamed if their name is in ``taken``."""
        copied = {} if self._copied is None else self._copied.coded(ids)
        leading = {"id": pa.array(self._source.ids_of(ids), pa.int64())}
        if self._has_ids:
            leading["id"] = self._column("id", copied["id"])
        if self._file_column is not None:
            leading["file"] = pa.array(files_of(self._source, self._file_column, ids), pa.string())
        columns = {f"row_{name}" if name in taken else name: column for name, column in leading.items()}
        for name in self._kept:
            free = f"{name}_data" if name in columns or name in taken else name
            columns[free] = self._column(name, copied[name])
        return columns

    def _column(self, name: str, values: Any) -> Any:
        """Convert values to an Arrow array, with the type of earlier rows."""
        values = values.values() if isinstance(values, Coded) else values
        known = self._types.get(name)
        try:
            if isinstance(values, np.ndarray) and values.ndim == 1:
                array = pa.array(values) if known is None else _in_arrow(values, known)
            else:
                rows = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
                array = _in_arrow(rows, known)
        except (pa.ArrowException, TypeError, OverflowError) as error:
            fix = "Give text, [str(one) for one in column], or leave it out of the data and of keep=."
            cause = " ".join(str(error).split())[:120]
            raise DataError(Problem(place(column=name), "values of one type", cause, fix)) from None
        if not pa.types.is_null(array.type):
            self._types.setdefault(name, array.type)
        return array


def _in_arrow(rows: Any, known: Any) -> Any:
    try:
        return pa.array(rows, known)
    except OverflowError:  # integers beyond int64
        if known is not None:
            raise
        return pa.array(rows, pa.uint64())
