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
from polyhead.kinds import Image
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.predicted_columns import PredictedColumn
from polyhead.pipeline.way_back import WayBack
from polyhead.progress import bar
from polyhead.results.outputs import Outputs, require_finite_outputs
from polyhead.results.prediction_table import prediction_table, with_row_columns
from polyhead.results.predictions import Predictions
from polyhead.results.row_columns import RowColumns
from polyhead.results.rows import as_rows, declaration_for, require_inputs
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
