"""Predictions as a table, one row for each row of the data."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyhead.errors import ContractError, DataError, Problem, as_path, is_integer, shown, similar
from polyhead.extras import requiring
from polyhead.kinds import Head
from polyhead.notebook import html_table
from polyhead.results.annotation_files import (
    coco_results,
    file_names,
    head_of,
    write_json,
    write_mask_images,
    write_yolo_labels,
)
from polyhead.results.arrow_columns import KIND, has_gaps_in_large, values_of_column
from polyhead.results.first_rows import MOST_ROWS, FirstRows
from polyhead.whole_file import writing


class Predictions:
    """The predictions of a model for rows, in order; returned by `polyhead.predict`.

    ``predictions["kind"]`` gives a column as an array, or as a list if rows differ in shape or have no prediction;
    ``predictions[0]`` gives a row as a dict. Iterating gives all rows, one after the other. Printing shows the first
    ten rows, with masks and maps by their size.

    Attributes:
        heads: the heads, by name.
        columns: the names of all columns.
        path: the Parquet file with the predictions; None if they are in memory.
    """

    def __init__(
        self,
        heads: Mapping[str, Head],
        table: Any = None,
        path: Path | None = None,
        stored_sides: bool = False,
        index: Any = None,
    ) -> None:
        self.heads, self.path = dict(heads), path
        self._index = index  # of the pandas frame that was predicted
        self._stored_sides = stored_sides  # coordinates are in pixels of the image before Exif rotation
        self._table = table  # None if the predictions are in a file

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(self._items())

    def __len__(self) -> int:
        """The number of rows."""
        if self._table is None:
            return int(pq.read_metadata(str(self.path)).num_rows)
        return int(self._table.num_rows)

    def __getitem__(self, key: str | int | slice) -> Any:
        """A column by its name, a row by its number, or a slice of rows.

        Raises:
            ContractError: there is no such column, or the key is something else.
            IndexError: there is no such row.
        """
        if isinstance(key, slice):
            rows = range(len(self))[key]
            start, stop = (min(rows[0], rows[-1]), max(rows[0], rows[-1]) + 1) if rows else (0, 0)
            table = self._between(start, stop)
            if rows.step != 1:
                table = table.take([row - start for row in rows])
            index = None if self._index is None else self._index[key]
            return Predictions(self.heads, table, stored_sides=self._stored_sides, index=index)
        if isinstance(key, str):
            items = self._items()
            if key not in items:
                expected, fix = f"one of the columns {', '.join(items)}", similar(key, tuple(items))
                raise ContractError(Problem("predictions[...]", expected, shown(key), fix))
            column = self._read([key]).column(key).combine_chunks()
            return values_of_column(column, items[key], self._shape(key))
        if not is_integer(key):
            expected = "the name of a column, the number of a row, or a slice"
            raise ContractError(Problem("predictions[...]", expected, shown(key)))
        if not -len(self) <= key < len(self):
            raise IndexError(f"row {key} of {len(self)} predictions")
        row = range(len(self))[key]
        return next(self._row_dicts(self._between(row, row + 1), self._items()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        items = self._items()
        for batch in self._batches():
            yield from self._row_dicts(batch, items)

    def _row_dicts(self, table: Any, items: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        columns = {
            name: _row_values(table.column(name).combine_chunks(), item, self._shape(name))
            for name, item in items.items()
        }
        for row in range(table.num_rows):
            yield {name: values[row] for name, values in columns.items()}

    def _batches(self) -> Iterator[Any]:
        """Yield the table in parts that fit into memory."""
        if self._table is not None:
            for start in range(0, len(self), 1024):
                yield self._table.slice(start, 1024)
            return
        with pq.ParquetFile(str(self.path)) as file:
            for batch in file.iter_batches(1024):
                yield pa.Table.from_batches([batch])

    def _between(self, start: int, stop: int) -> Any:
        """The rows from ``start`` to ``stop``, exclusive; only the row groups of a file with these rows are read."""
        if self._table is not None:
            return self._table.slice(start, stop - start)
        with pq.ParquetFile(str(self.path), memory_map=True) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            ends = np.cumsum(sizes, dtype=np.int64)
            groups = np.flatnonzero((ends > start) & (ends - sizes < stop))
            if not len(groups):  # which older versions of Arrow refuse
                return file.schema_arrow.empty_table()
            begin = int(ends[groups[0]] - sizes[groups[0]])
            return file.read_row_groups(groups.tolist()).slice(start - begin, stop - start)

    def _read(self, names: list[str] | None = None) -> Any:
        """The table, or some columns of it."""
        if self._table is None:
            return pq.read_table(str(self.path), columns=names, memory_map=True)
        return self._table if names is None else self._table.select(names)

    def _items(self) -> dict[str, str]:
        """The kind of the values of each column, see `PredictedColumn`; empty for columns of the data."""
        schema = pq.read_schema(str(self.path)) if self._table is None else self._table.schema
        return {field.name: ((field.metadata or {}).get(KIND) or b"").decode() for field in schema}

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.heads[name].shape if name in self.heads else ()

    @property
    def _first(self) -> FirstRows:
        where = "" if self.path is None else str(self.path)
        return FirstRows(self._between(0, min(len(self), MOST_ROWS)), self._items(), len(self), where)

    def __repr__(self) -> str:
        return self._first.as_text()

    def _repr_html_(self) -> str:
        return html_table(*self._first.as_html())

    # As other tables ----------------------------------------------------------------------------------

    def to_arrow(self) -> Any:
        """A pyarrow ``Table``. Masks are PNG files of class ids."""
        return self._read()

    def to_pandas(self) -> Any:
        """A pandas ``DataFrame``, with the index of the predicted data if that was a pandas frame.

        ``frame.join(predictions.to_pandas())`` thus puts predictions beside their rows. Masks are arrays of class ids,
        ``(H, W)`` or ``(H, W, n)``.

        Raises:
            PolyheadError: without pandas.
        """
        with requiring("to_pandas()", "pandas", "pandas"):
            import pandas
        table, items = self._read(), self._items()
        frame = table.to_pandas()
        for name in filter(lambda name: has_gaps_in_large(table.column(name)), table.column_names):
            dtype = str(table.column(name).type).replace("int", "Int").replace("u", "U")
            frame[name] = pandas.array(table.column(name).to_pylist(), dtype)
        for name, item in items.items():
            if item in ("mask", "masks", "map"):
                values = np.empty(len(frame), object)
                for row, value in enumerate(values_of_column(table.column(name), item)):
                    values[row] = value
                frame[name] = values
        if self._index is not None:
            frame.index = self._index
        return frame

    def to_polars(self) -> Any:
        """A polars ``DataFrame``. Masks are PNG files of class ids.

        Raises:
            PolyheadError: without polars.
        """
        with requiring("to_polars()", "polars", "polars"):
            import polars

        return polars.from_arrow(self._read())

    def write_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write a Parquet file. Masks are PNG files of class ids.

        Raises:
            DataError: the path cannot be written.
        """
        file = as_path(path, "write_parquet(path)")
        with writing(file) as temporary:
            pq.write_table(self._read(), str(temporary))

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file. Lists are JSON; masks and maps are left out.

        Raises:
            DataError: the path cannot be written.
        """
        file = as_path(path, "write_csv(path)")
        items = self._items()
        names = [name for name, item in items.items() if item not in ("mask", "masks", "map")]
        with writing(file) as temporary, open(temporary, "w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(names)
            for batch in self._batches():
                rows = zip(*(batch.column(name).to_pylist() for name in names), strict=True)
                writer.writerows([_csv_value(value) for value in row] for row in rows)

    def write_coco(
        self,
        path: str | os.PathLike[str],
        *,
        head: str | None = None,
        category_ids: Mapping[Any, int] | None = None,
    ) -> None:
        """Write boxes as a COCO results file, a JSON list with one entry for each object.

        ``image_id`` is the ``id`` of the row: the column ``id`` if the data has one, as from `polyhead.read_coco`.
        Keypoints of each box, or of the only box of a row, are written with it.

        Args:
            path: the file to write.
            head: the head of boxes; by default the only one.
            category_ids: the id of each class in the annotation file; by default 1, 2, … in the order of the classes.

        Raises:
            ContractError: there is no head of boxes, or a class has no id.
            DataError: the path cannot be written.
        """
        name = head_of("boxes", self.heads, head, "write_coco")
        file = as_path(path, "write_coco(path)")
        write_json(file, coco_results(iter(self), self.heads, name, category_ids))

    def write_yolo(self, folder: str | os.PathLike[str], *, head: str | None = None) -> None:
        """Write boxes as YOLO label files: one line for each object, with its class, box and score.

        A file has the name of its image, ``<stem>.txt``; an image without objects has an empty file. If images in
        several folders have the same name, files are written to folders of the same names.

        Args:
            folder: the folder to write to; created if it does not exist.
            head: the head of boxes; by default the only one.

        Raises:
            ContractError: there is no head of boxes.
            DataError: an image is not a file, or the folder cannot be written.
        """
        name = head_of("boxes", self.heads, head, "write_yolo")
        ids, files = self._ids_and_files()
        without_file = [row for row, file in zip(ids, files, strict=True) if file is None]
        if files and len(without_file) == len(files):
            fix = "Predict files: YOLO's coordinates are fractions of the image size."
            raise DataError(Problem("write_yolo()", "rows with image files", "images in memory", fix))
        if without_file:
            fix = "Write the rows with files alone: predict(model, source.select(...))."
            where = f"write_yolo(), row {shown(without_file[0])}"
            raise DataError(Problem(where, "an image file", "an image in memory", fix))
        target = as_path(folder, "write_yolo(folder)")
        write_yolo_labels(iter(self), self.heads, name, target, files, self._stored_sides)

    def write_masks(self, folder: str | os.PathLike[str], *, head: str | None = None) -> None:
        """Write masks as PNG files of class ids, with the palette of PASCAL VOC.

        A file has the name of its image, ``<stem>.png``. Masks that may overlap are written as several files,
        ``<stem>_<class>.png``; the masks of boxes as ``<stem>_<number>.png``. If images in several folders have the
        same name, files are written to folders of the same names.

        Args:
            folder: the folder to write to; created if it does not exist.
            head: the head of masks; by default the only one.

        Raises:
            ContractError: there is no head of masks, or it has more than 256 classes.
            DataError: the folder cannot be written.
        """
        name = head_of("mask", self.heads, head, "write_masks")
        ids, files = self._ids_and_files()
        target = as_path(folder, "write_masks(folder)")
        write_mask_images(iter(self), self.heads, name, target, file_names(files, ids))

    def _ids_and_files(self) -> tuple[list[Any], list[Any]]:
        """The id of each row, and its image file or None; their columns have other names beside heads of these."""
        ids, files = (f"row_{name}" if name in self.heads else name for name in ("id", "file"))
        table = self._read([name for name in (ids, files) if name in self.columns])
        in_files = files in table.column_names
        return table[ids].to_pylist(), table[files].to_pylist() if in_files else [None] * len(table)


def _csv_value(value: Any) -> Any:
    """A value as a CSV file stores it; a missing number is an empty cell."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def _row_values(column: Any, item: str, shape: tuple[int, ...]) -> Any:
    values = values_of_column(column, item, shape)
    plain = isinstance(values, np.ndarray) and values.ndim == 1
    return column.to_pylist() if plain else values
