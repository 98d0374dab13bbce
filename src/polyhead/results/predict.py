"""Predicts rows with a trained model, in the words, units and pixels of the data."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.checks.compiled_declaration import declaration_of
from polyhead.errors import ContractError, Problem, as_path, shown
from polyhead.feed import Feed
from polyhead.keras_bridge.identifiers import require_model
from polyhead.kinds import Image
from polyhead.kinds.answers import Answer
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.missing import plain
from polyhead.pipeline.image_frame import path_in
from polyhead.pipeline.way_back import WayBack
from polyhead.progress import bar
from polyhead.results.answer_table import AnswerTable
from polyhead.results.outputs import Outputs
from polyhead.results.predictions import Predictions
from polyhead.results.rows import as_rows
from polyhead.results.tta import view_spread
from polyhead.results.whole_file import writing
from polyhead.sources.source import Source, names_in

_ROWS_OF_PIXELS = 16
"""Rows whose masks and maps are made at once: in the original they may be large."""


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
    """Predict rows with a trained model, as a table in their order.

    Column ``id`` is that of the data, or else the number of each row in it; ``file`` is the image file where there is
    one. For each head the table has a column of its name, as a label of it would be, and more columns by kind:

    - `Binary`: True or False, and ``<head>_probability``;
    - `Categorical`: the class by its name, and ``<head>_probability`` of it;
    - `MultiLabel`: a list of labels, and a list ``<head>_probability`` of theirs;
    - `Regression`, `Embedding`: numbers in the unit of the data;
    - `Boxes`: in the format of the column, in pixels of the original image; with ``<head>_score`` where a head says
      how sure they are: the `Binary` head of each box, else that of their class, else that of ``given=``;
    - `Keypoints`: in pixels of the original image;
    - `Mask`: class ids in the size of the original image; `Map`: numbers in that size.

    Of ``Boxes(1)`` and what belongs to it a row has one entry, of ``Boxes(n)`` a list of those that are there. Where
    the head that ``given=`` names says no, the answer is missing.

    Args:
        model: trained; compiled by `polyhead.compile`, in this process or before it was saved.
        data: as for `Feed`, also a feed, of which the rows are taken. Labels are not needed and not read. Also one row,
            ``{column: value}``; for a model with one input column its values by themselves, or one of them, such as
            a path, the bytes of a file, an array; and a folder of images.
        batch_size: rows in a batch; by default 32, or that of the feed.
        declaration: in place of that of the model.
        probabilities: also the probability of each class, ``<head>_probabilities``, by its name.
        keep: columns of the data that the table has as well, as a name or an identifier. One that has the name of
            another column of the table is called ``<name>_data``.
        path: a Parquet file to write. The rows go there as they are predicted, so that they need not fit into memory.
        tta: test-time augmentation: so many views of each image, up to 8, are predicted and merged: the image, its
            mirror image, and both at scales of 0.9, 1.1 and 0.8. Probabilities and numbers are averaged; masks, boxes
            and keypoints are mapped back first, and boxes matched by their overlap. ``<head>_spread`` is the standard
            deviation over the views: of the probability, the numbers, or pixels of the original image.
        workers: as for `Feed`.
        progress: show a progress bar on a terminal.

    Raises:
        ContractError: for a model without a declaration, or that does not fit it.
        DataError: for rows that are no inputs of the model, with their row and file.

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
    declared = _declaration_for(model, data, declaration)
    rows = data.source if isinstance(data, Feed) else as_rows(data, declared.inputs)
    batch_size = batch_size or (data.batch_size if isinstance(data, Feed) else 32)
    feed = Feed(rows, inputs=declared.inputs, heads={}, batch_size=batch_size, workers=workers)
    kept = names_in(keep, "predict(keep=)") if keep else []
    tables = _tables(Outputs(model, feed, declared.heads, tta), feed, kept, probabilities)
    file = None if path is None else as_path(path, "predict(path=)")
    with bar("predicting", feed.num_samples, progress) as done:
        if file is None:
            import pyarrow as pa

            found = []
            for table in tables:
                found.append(table)
                done(table.num_rows)
            return Predictions(declared.heads, pa.concat_tables(found))
        _write_file(tables, file, done)
    return Predictions(declared.heads, path=file)


def _declaration_for(model: Any, data: Any, declaration: Any) -> Declaration:
    if declaration is not None:
        if not isinstance(declaration, Declaration):
            expected = "a ph.Declaration, as feed.declaration"
            raise ContractError(Problem("predict(declaration=)", expected, shown(declaration)))
        return declaration
    try:
        return declaration_of(model)
    except ContractError as error:
        if isinstance(data, Feed):
            return data.declaration
        fix = "Compile it with ph.compile(model, feed, ...), give a Feed as data, or declaration=feed.declaration."
        problem = error.problems[0]
        raise ContractError(Problem("predict(model)", problem.expected, problem.found, fix)) from None


def _tables(outputs: Outputs, feed: Feed, kept: Sequence[str], probabilities: bool) -> Iterator[Any]:
    """Tables of the rows, one after the other."""
    before = _Before(feed.source, feed.inputs, kept)
    images = {name: kind for name, kind in feed.inputs.items() if isinstance(kind, Image)}
    way_back = WayBack(feed.source, images, outputs.heads)
    for ids, found in outputs:
        pixels = any(head.layer in ("mask", "map") for head in outputs.heads.values())
        step = _ROWS_OF_PIXELS if pixels else len(ids)
        answers = AnswerTable(outputs.heads, probabilities)
        for start in range(0, len(ids), step):
            some = ids[start : start + step]
            views = way_back.views(some)
            parts = {name: values[start : start + step] for name, values in found.items()}
            columns = {name: dict(_answer(outputs, name, values, views)) for name, values in parts.items()}
            for name, every in outputs.views.items():
                head = outputs.heads.get(name)
                if head is not None:
                    some_views = every[:, start : start + step]
                    far = view_spread(head, some_views, parts[name], views.get(name))
                    columns[name]["spread"] = Answer(far)
            yield answers.table(columns, before.columns(some, _names_of(columns)))


def _names_of(columns: Mapping[str, Mapping[str, Answer]]) -> set[str]:
    return {f"{name}_{suffix}" if suffix else name for name, parts in columns.items() for suffix in parts}


def _answer(
    outputs: Outputs, name: str, values: np.ndarray, views: Mapping[str, Any]
) -> Mapping[str, Answer]:
    head = outputs.heads.get(name)
    if head is None:
        return {"": Answer(values[:, 0] if values.shape[1:] == (1,) else values)}
    return head.decode(values, outputs.logits(name, values), views.get(name))


class _Before:
    """The columns that come before the answers: the numbers of the rows, their files, and those that are kept."""

    def __init__(self, source: Source, inputs: Mapping[str, Any], kept: Sequence[str]) -> None:
        self._source = source
        images = [kind.columns(name)[0] for name, kind in inputs.items() if isinstance(kind, Image)]
        self._files = images[0] if images and self._holds_paths(images[0]) else None
        self._own_ids = "id" in source.columns
        self._names = list(kept)
        read = [*self._names, *(["id"] if self._own_ids else [])]
        self._kept = source.only(read) if read else None

    def _holds_paths(self, column: str) -> bool:
        first = self._source.only([column]).coded(np.zeros(1, np.int64))[column]
        return path_in(plain(first)[0]) is not None

    def columns(self, ids: np.ndarray, taken: set[str]) -> dict[str, Any]:
        import pyarrow as pa

        rows = {} if self._kept is None else self._kept.coded(ids)
        own = _kept_column(plain(rows["id"])) if self._own_ids else None
        found = {"id": pa.array(self._source.ids_of(ids), pa.int64()) if own is None else own}
        if self._files is not None:
            values = plain(self._source.only([self._files]).coded(ids)[self._files])
            found["file"] = pa.array([path_in(value) for value in values], pa.string())
        found = {name: column for name, column in found.items() if name not in taken}
        for name in self._names:
            free = f"{name}_data" if name in found or name in taken else name
            found[free] = _kept_column(plain(rows[name]))
        return found


def _kept_column(values: Any) -> Any:
    import pyarrow as pa

    if isinstance(values, np.ndarray) and values.ndim == 1:
        return pa.array(values)
    return pa.array([value.tolist() if isinstance(value, np.ndarray) else value for value in values])


def _write_file(tables: Iterator[Any], file: Path, done: Any) -> None:
    import pyarrow.parquet as pq

    writer: Any = None
    with writing(file) as temporary:
        try:
            for table in tables:
                if writer is None:
                    writer = pq.ParquetWriter(str(temporary), table.schema)
                writer.write_table(table)
                done(table.num_rows)
        finally:
            if writer is not None:
                writer.close()
