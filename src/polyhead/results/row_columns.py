"""The columns of a table of predictions that identify its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.columns.values import Coded
from polyhead.errors import DataError, Problem, place, warn
from polyhead.kinds import Head, Image, Input
from polyhead.kinds.missing import plain
from polyhead.pipeline.way_back import any_file, files_of
from polyhead.sources.source import Source


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
