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


def _uncoded(column: Any) -> Any:
    return column.values() if isinstance(column, Coded) else column


class RowColumns:
    """The columns before the predictions: row ids, image files, and columns copied from the data."""

    def __init__(
        self,
        source: Source,
        inputs: Mapping[str, Input],
        heads: Mapping[str, Head],
        kept: Sequence[str],
    ) -> None:
        self._source = source
        images = [(kind.columns(name)[0], kind) for name, kind in inputs.items() if isinstance(kind, Image)]
        self._files = images[0][0] if images and self._holds_files(*images[0]) else None
        read = {c for name, kind in inputs.items() for c in kind.columns(name)}
        read |= {c for name, head in heads.items() for c in head.columns(name)}
        self._own_ids = "id" in source.columns and "id" not in read
        self._names = [name for name in dict.fromkeys(kept) if not (name == "id" and self._own_ids)]
        wanted = [*self._names, *(["id"] if self._own_ids else [])]
        self._kept = source.only(wanted) if wanted else None
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
        rows = {} if self._kept is None else self._kept.coded(ids)
        numbers = pa.array(self._source.ids_of(ids), pa.int64())
        leading = {"id": self._column("id", _uncoded(rows["id"])) if self._own_ids else numbers}
        if self._files is not None:
            leading["file"] = pa.array(files_of(self._source, self._files, ids), pa.string())
        columns = {f"row_{name}" if name in taken else name: column for name, column in leading.items()}
        for name in self._names:
            free = f"{name}_data" if name in columns or name in taken else name
            columns[free] = self._column(name, _uncoded(rows[name]))
        return columns

    def _column(self, name: str, values: Any) -> Any:
        """Convert values to an Arrow array, with the type of earlier rows."""
        kind = self._types.get(name)
        dense = isinstance(values, np.ndarray) and values.ndim == 1
        try:
            if dense and kind is None:
                array = pa.array(values)
            else:
                rows = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
                array = _in_arrow(values if dense else rows, kind)
        except (pa.ArrowException, TypeError, OverflowError) as error:
            fix = "Give text, [str(one) for one in column], or leave it out of the data and of keep=."
            got = " ".join(str(error).split())[:120]
            raise DataError(Problem(place(column=name), "values of one type", got, fix)) from None
        if not pa.types.is_null(array.type):
            self._types.setdefault(name, array.type)
        return array


def _in_arrow(rows: Any, kind: Any) -> Any:
    try:
        return pa.array(rows, kind)
    except OverflowError:  # integers beyond int64
        if kind is not None:
            raise
        return pa.array(rows, pa.uint64())
