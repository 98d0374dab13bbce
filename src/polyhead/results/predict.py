"""Predicts rows with a trained model, in the class names, units and pixels of the data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyhead.errors import ContractError, Problem, as_path, require_size, shown
from polyhead.feed import Feed
from polyhead.keras_bridge.identifiers import require_model
from polyhead.keras_bridge.jax_state import in_turn
from polyhead.kinds import Head, Image
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.predicted_columns import PredictedColumn, suffixed_name
from polyhead.pipeline.way_back import WayBack
from polyhead.progress import bar
from polyhead.results.arrow_columns import arrow_column, field_of
from polyhead.results.boxes_kept import KeptBoxes, Predicted, absent_rows, kept_boxes
from polyhead.results.outputs import Outputs, require_finite_outputs
from polyhead.results.predictions import Predictions
from polyhead.results.rows import RowColumns, as_rows, declaration_for, require_inputs
from polyhead.results.tta import view_spread
from polyhead.sources.source import names_in
from polyhead.whole_file import writing

_ROWS_OF_PIXELS = 16
"""Rows whose masks and maps are made together: at the size of the original image they can be large."""

_ROWS_OF_A_GROUP = 1 << 16
"""Rows in a row group of a Parquet file; reading a single row reads one group."""


def predict(
    model: Any,
    data: Any,
    *,
    batch_size: int | None = None,
    declaration: Declaration | None = None,
    probabilities: bool = False,
    keep: str | Sequence[str] = (),
    path: str | os.PathLike[str] | None = None,
    tta: int | None = None,
    workers: int | str = "auto",
    progress: bool = True,
) -> Predictions:
    """Predict rows with a trained model, and return a table in their order.

    Column ``id`` is the column ``id`` of the data, or else the number of each row; ``file`` is the image file, if any.
    If a head has one of these names, the column is called ``row_id`` or ``row_file``, and ``<head>_probability``
    becomes ``<head>_predicted_probability`` if there is such a head. Each head has a column of its
    name, in the form of its labels, and more columns by kind:

    - `Binary`: True or False, and ``<head>_probability``;
    - `Categorical`: the name of the class, and its ``<head>_probability``;
    - `MultiLabel`: a list of labels, and a list ``<head>_probability`` of their probabilities;
    - `Regression`, `Embedding`: numbers in the units of the data;
    - `Boxes`: in the format of the column, in pixels of the original image; with ``<head>_score`` if a head predicts
      it: the probability of the `Binary` head of each box, times that of ``given=``; or else that of their class;
    - `Keypoints`: in pixels of the original image;
    - `Mask`: class ids in the size of the original image; `Map`: numbers in that size.

    ``Boxes(1)``, and the heads that belong to it, have one entry per row; ``Boxes(n)`` have a list of the boxes that
    are present. If the head that ``given=`` names says no, the prediction is missing.

    Args:
        model: a trained model, compiled by `polyhead.compile` in this process or before it was saved.
        data: anything that `Feed` takes, or a feed, whose rows are predicted. Labels are not needed and not read. No
            rows, as in an empty list or frame, give an empty table with the same columns. Also one row,
            ``{column: value}``; for a model with one input column its values by themselves, or one of them, such as a
            path, the bytes of a file, or an array; and a folder of images.
        batch_size: rows per batch; by default 32, or that of the feed.
        declaration: use this one instead of the model's.
        probabilities: add ``<head>_probabilities``, the probability of each class by its name.
        keep: columns of the data to copy into the table, such as a name or an identifier. One whose name is taken
            is called ``<name>_data``.
        path: a Parquet file to write. Rows go there as they are predicted, so they need not fit into memory.
        tta: test-time augmentation: the number of views of each image, up to 8, that are predicted and merged: the
            image, its mirror image, and both at scales of 0.9, 1.1 and 0.8. Probabilities and numbers are averaged;
            masks, boxes and keypoints are mapped back first, and boxes matched by their overlap. ``<head>_spread`` is
            the standard deviation over the views: of the probability, the numbers, or pixels of the original image.
        workers: as for `Feed`.
        progress: show a progress bar on a terminal.

    Raises:
        ContractError: the model has no declaration, or does not fit it.
        DataError: a row cannot be an input of the model (the error names row and file), or an output is not finite.

    >>> import keras, polyhead as ph
    >>> data = {"x": [[0.0, 1.0], [2.0, 3.0]], "animal": ["dog", "cat"]}
    >>> feed = ph.Feed(data, inputs="x", heads={"animal": ph.Categorical()})
    >>> x = keras.Input((2,), name="x")
    >>> model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    >>> predictions = ph.predict(model, {"x": [[4.0, 5.0], [6.0, 7.0], [8.0, 9.0]]})
    >>> predictions.columns, len(predictions)
    (('id', 'animal', 'animal_probability'), 3)
    """
    require_model(model, "predict(model)")
    declared = declaration_for("predict", model, data, declaration)
    kept = [] if keep is None else names_in(keep, "predict(keep=)")
    source = data.source if isinstance(data, Feed) else as_rows(data, declared.inputs, kept)
    require_inputs(source, declared.inputs)
    if batch_size is None:
        batch_size = data.batch_size if isinstance(data, Feed) else 32
    require_size("predict(batch_size=)", batch_size)
    feed, inputs = None, declared.inputs
    if len(source):
        feed = Feed(source, inputs=inputs, heads={}, batch_size=batch_size, workers=workers)
        source, inputs = feed.source, feed.inputs
    with in_turn(model):
        outputs = Outputs(model, inputs, declared.heads, batch_size, tta)
        images = {name: kind for name, kind in inputs.items() if isinstance(kind, Image)}
        way_back = WayBack(source, images, outputs.heads)
        file = None if path is None else _new_file(path, data)
        row_columns = RowColumns(source, inputs, outputs.heads, kept)
        rows = 0 if feed is None else feed.num_samples
        with bar("predicting", rows, progress) as done:
            tables = (
                _tables(outputs, feed, done, row_columns, probabilities, way_back)
                if feed is not None
                else iter([_empty_table(outputs, row_columns, probabilities, way_back)])
            )
            table = None
            if file is None:
                table = pa.concat_tables(tables, promote_options="default")
            else:
                _write_file(tables, file)
    stored_sides = way_back.turns_sides or any(kind.exif == "ignored" for kind in images.values())
    return Predictions(declared.heads, table, file, stored_sides, source.pandas_index(np.arange(rows)))


def _new_file(path: Any, data: Any) -> Path:
    """The Parquet file to write; it must not be the file with the data."""
    file = as_path(path, "predict(path=)")
    if file.suffix.lower() not in (".parquet", ".pq"):
        fix = "For other formats, write the result: predictions.write_csv(path)."
        raise ContractError(Problem("predict(path=)", "a name that ends in .parquet", shown(str(file)), fix))
    if isinstance(data, (str, os.PathLike)) and file.exists() and file.samefile(data):
        raise ContractError(Problem("predict(path=)", "another file than the data", shown(str(file))))
    return file


def _tables(
    outputs: Outputs,
    feed: Feed,
    done: Callable[[int], None],
    row_columns: RowColumns,
    probabilities: bool,
    way_back: WayBack,
) -> Iterator[Any]:
    """Yield the rows as tables, one after the other."""
    for ids, arrays, tta_arrays in outputs.of_feed(feed, done):
        pixels = any(head.layer in ("mask", "map") for head in outputs.heads.values())
        step = _ROWS_OF_PIXELS if pixels else len(ids)
        for start in range(0, len(ids), step):
            chunk = slice(start, start + step)
            views = way_back.views(ids[chunk])
            of_chunk = {name: values[chunk] for name, values in arrays.items()}
            for name, values in of_chunk.items():
                row_ids = feed.source.ids_of(ids[chunk])
                require_finite_outputs("predict()", name, outputs.heads.get(name), values, row_ids)
            of_views = {name: values[:, chunk] for name, values in tta_arrays.items()}
            predicted = _predicted_columns(outputs, of_chunk, of_views, views)
            table = prediction_table(outputs.heads, predicted, probabilities)
            yield with_row_columns(row_columns.columns(ids[chunk], set(table.column_names)), table)


def _empty_table(outputs: Outputs, row_columns: RowColumns, probabilities: bool, way_back: WayBack) -> Any:
    """A table without rows, with the columns and types of predictions; they come from one row of zeros."""
    arrays, of_views = outputs.of_zeros()
    predicted = _predicted_columns(outputs, arrays, of_views, way_back.of_whole_images())
    table = prediction_table(outputs.heads, predicted, probabilities).slice(0, 0)
    return with_row_columns(row_columns.columns(np.zeros(0, np.int64), set(table.column_names)), table)


def _predicted_columns(
    outputs: Outputs,
    arrays: Mapping[str, np.ndarray],
    of_views: Mapping[str, np.ndarray],
    views: Mapping[str, Any],
) -> dict[str, dict[str, PredictedColumn]]:
    """The predictions for some rows by head, with the spread over the views of test-time augmentation."""
    predicted = {}
    for name, values in arrays.items():
        head = outputs.heads.get(name)
        if head is None:
            predicted[name] = {"": PredictedColumn(values[:, 0] if values.shape[1:] == (1,) else values)}
            continue
        predicted[name] = dict(head.decode(values, outputs.logits(name, values), views.get(name)))
        if name in of_views:
            spread = view_spread(head, of_views[name], values, views.get(name))
            predicted[name]["spread"] = PredictedColumn(spread)
    return predicted


def _write_file(tables: Iterator[Any], file: Path) -> None:
    writer: Any = None
    with writing(file) as temporary:
        try:
            for table in tables:
                if writer is None:
                    writer = pq.ParquetWriter(str(temporary), table.schema)
                writer.write_table(table, _ROWS_OF_A_GROUP)
        finally:
            if writer is not None:
                writer.close()


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
