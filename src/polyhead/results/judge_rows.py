"""Runs a model over the rows of a feed, and judges the outputs of each head against its labels."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.checks.logits import LogitsSeen
from polyhead.errors import ContractError, Problem, place
from polyhead.feed import Feed
from polyhead.keras_bridge.model_layers import makes_masks, output_masks
from polyhead.keras_bridge.structure import Structure, fill, leaves, output
from polyhead.kinds import Head, Image
from polyhead.kinds.in_image import COORDINATES
from polyhead.kinds.judging import HeadBatch, Items, Judge, concatenated
from polyhead.kinds.missing import is_dense, plain
from polyhead.pipeline import Batch
from polyhead.pipeline.way_back import WayBack
from polyhead.report.original_samples import OriginalSamples
from polyhead.report.samples import EMPTY, LABELED, Label, Sample, take_samples
from polyhead.results.outputs import require_finite_outputs
from polyhead.results.rows import RowColumns
from polyhead.sources.scanning import first_rows

_ROWS_AT_ONCE = 256
"""Rows whose image sizes are read together."""


class RowJudges:
    """Judges the outputs of a model for all rows of a feed, any number of times.

    Args:
        feed: a feed of the rows, in their order, with labels.

    Attributes:
        labels: a checksum of the labels of each head without a scale, once they have been read.
        model: the model; None after pickling.

    Raises:
        ContractError: the feed does not fit the model.
        DataError: a row is not valid.
    """

    def __init__(self, model: Any, feed: Feed) -> None:
        structure = feed._binding.require(model).structure  # without the warnings, which concern training
        heads = dict(feed.heads)
        more: dict[str, Head] = {}
        for name, head in heads.items():
            more |= head.also_read(name, _hint_values(feed, head))
        if more:  # labels of heads that the model does not predict
            feed = feed.on(feed.source, heads={**heads, **more}, shard=(0, 1))
        size = _image_sizes(feed)
        self._feed: Any = feed
        self.model, self.inputs, self.heads = model, feed.inputs, heads
        self._outputs: Any = _BatchOutputs(model, heads, structure)
        self.labels: dict[str, str] = {}
        self.judges: dict[str, Judge] = {
            n: head.judge(n, feed.heads, size(head)) for n, head in heads.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        """Leave out model and data, which cannot always be pickled."""
        return {**self.__dict__, "_feed": None, "_outputs": None, "model": None}

    def read_items(self) -> tuple[dict[str, Items], np.ndarray]:
        """Return the items that the judges keep for all rows, and the ids of the rows."""
        items_of: dict[str, list[Items]] = {name: [] for name in self.judges}
        unscaled = [name for name, head in self.heads.items() if head.scaling is None]
        digests = {name: hashlib.blake2b(digest_size=8) for name in unscaled}
        ids: list[np.ndarray] = []
        start = 0
        for batch in self._feed.batches():
            head_batches = self._outputs.of(batch, self._feed.heads)
            for name, judge in self.judges.items():
                items = judge.items_of(head_batches)
                items_of[name].append({**items, "row": items["row"] + start})
            for name, digest in digests.items():
                digest.update(np.ascontiguousarray(batch.labels[name]).tobytes())
            ids.append(batch.ids.copy())
            start += len(batch.ids)
        self.labels = {name: digest.hexdigest() for name, digest in digests.items()}
        return {name: concatenated(batches) for name, batches in items_of.items()}, np.concatenate(ids)

    def all_rows(self, name: str) -> dict[str, HeadBatch]:
        """The labels and outputs of one head for all rows; the model predicts them again."""
        if self._feed is None:
            fix = "Evaluate the model in this process."
            raise ContractError(Problem("calibrate()", "an evaluation with its model", "one without", fix))
        parts = [self._outputs.of(batch, self._feed.heads)[name] for batch in self._feed.batches()]
        arrays = zip(*((part.labels.copy(), part.outputs, part.weights) for part in parts), strict=True)
        return {name: HeadBatch(*map(np.concatenate, arrays))}

    def names(self, rows: np.ndarray) -> dict[str, list[Any]]:
        """Further names of rows: column ``id``, the image ``file``, ``index`` of a pandas frame; empty after pickling.

        Args:
            rows: the indices of the rows in the data, int64 ``(n,)``.
        """
        if self._feed is None or self._feed.source.sequential:
            return {}
        columns = RowColumns(self._feed.source, self.inputs, self.heads, ()).columns(rows, set())
        named = {name: column.to_pylist() for name, column in columns.items()}
        if named["id"] == self._feed.source.ids_of(rows).tolist():
            del named["id"]
        index = self.pandas_index(rows)
        return named if index is None else {**named, "index": index.tolist()}

    def pandas_index(self, rows: np.ndarray) -> Any:
        """The index of rows ``(n,)`` in the pandas frame they come from; None without one, and after pickling."""
        return None if self._feed is None else self._feed.source.pandas_index(rows)

    def in_originals(self, name: str, rows: np.ndarray, *values: Sequence[Any]) -> tuple[list[Any], ...]:
        """Map boxes or points from the model's images to pixels of the original images, as in predictions.

        Args:
            rows: the index of each row in the data, int64 ``(n,)``.
            *values: lists with one entry per row: the coordinates of a box or point, or None.

        Returns:
            The mapped lists; the same values for other heads, and after pickling.
        """
        head: Any = self.heads[name].inner
        feed = self._feed
        if feed is None or feed.source.sequential or head.layer not in COORDINATES:
            return tuple(map(list, values))
        back = WayBack(feed.source, _images_of(feed), self.heads)
        mapped: tuple[list[Any], ...] = tuple([] for _ in values)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            chunk = slice(start, start + _ROWS_AT_ONCE)
            views: Sequence[Any] = back.views(rows[chunk]).get(name) or [None] * len(rows[chunk])
            for mapped_column, column in zip(mapped, values, strict=True):
                mapped_column += [
                    value if value is None or view is None else head.in_original(value, view).tolist()
                    for value, view in zip(column[chunk], views, strict=True)
                ]
        return mapped

    def samples(self, rows: Sequence[int]) -> list[tuple[Sample, ...]]:
        """Return rows with their labels and predictions on the original images, for pictures.

        Args:
            rows: their indices in the data; the result is empty if rows cannot be selected, or after pickling.
        """
        feed = self._feed
        if feed is None or feed.source.sequential or not len(rows):
            return []
        selection = feed.on(feed.source.select(list(rows)), shard=(0, 1), workers=0)
        pairs: list[tuple[Sample, ...]] = []
        originals = self._originals
        labeled = iter(take_samples(selection, len(rows)))
        for batch in selection.batches():
            head_batches = self._outputs.of(batch, feed.heads)
            predicted = {}
            for name, judge in self.judges.items():
                head, (values, valid) = feed.heads[name], judge.predicted_labels(head_batches)
                in_units = values.astype(head.dtype) if head.scaling is None else head.unscaled(values)
                predicted[name] = in_units, valid
            for i, sample in enumerate(itertools.islice(labeled, len(batch.ids))):
                labels = {
                    name: Label(values[i], valid[i], None, LABELED if valid[i].any() else EMPTY)
                    for name, (values, valid) in predicted.items()
                }
                prediction = Sample(sample.row, sample.inputs, labels)
                pairs.append(originals.on_originals(rows[len(pairs)], sample, prediction))
        return pairs

    @property
    def _originals(self) -> OriginalSamples:
        return OriginalSamples(self._feed.source, _images_of(self._feed), self.heads)

    @property
    def drawn_heads(self) -> dict[str, Head]:
        """The heads in the units of the labels of `samples`."""
        return self.heads if self._feed is None else self._originals.heads


class _BatchOutputs:
    """Predicts batch by batch, and collects labels and outputs by head."""

    def __init__(self, model: Any, heads: Mapping[str, Head], structure: Structure) -> None:
        self._model, self._heads, self._structure = model, heads, structure
        self._paths = {name: path for path, name in leaves(structure.outputs)}
        self._logits = LogitsSeen(model, "evaluate()")
        self._rows = 0
        self._masked = not structure.own_loss and makes_masks(model)

    def of(self, batch: Batch, heads: Mapping[str, Head]) -> dict[str, HeadBatch]:
        """The labels and outputs of a batch by head; outputs are zeros for heads that the model does not have."""
        rows = len(batch.ids)
        self._rows = max(self._rows, rows)
        x = fill(self._structure.inputs, {n: _filled_up(a, self._rows) for n, a in batch.inputs.items()})
        predicted = self._model.predict_on_batch(x)
        masks = output_masks(self._model, x, self._paths) if self._masked else {}
        head_batches = {}
        for name, head in heads.items():
            weights = None if batch.weights is None else batch.weights[name]
            outputs, logits = np.zeros((rows, *head.output_shape), np.float32), False
            if name in self._heads:
                outputs = self._output(predicted, name)[:rows]
                require_finite_outputs("evaluate()", name, head, outputs, batch.ids)
                logits = self._logits.of(name, head, self._paths.get(name), outputs)
            head_batches[name] = HeadBatch.of(head, batch.labels[name], outputs, weights, logits)
            if name in masks:
                head_batches[name] = head_batches[name].masked(masks[name][:rows])
        return head_batches

    def _output(self, predicted: Any, name: str) -> np.ndarray:
        if self._structure.own_loss and not (isinstance(predicted, Mapping) and name in predicted):
            fix = "Let the model return a dict with this name when it predicts."
            expected = "an output of this name"
            raise ContractError(Problem(f"evaluate(), {place(head=name)}", expected, "none", fix))
        return np.asarray(output(predicted, self._paths[name]))


def _filled_up(array: np.ndarray, rows: int) -> np.ndarray:
    """Pad a smaller last batch with copies of its last row, to avoid compiling a step for its size."""
    more = rows - len(array)
    return array if not more else np.concatenate([array, np.repeat(array[-1:], more, axis=0)])


def _hint_values(feed: Feed, head: Head) -> dict[str, Any]:
    """The first value of each column that a head uses as a hint for judging, and of its weights."""
    names = [name for name in (*head.hint_columns, head.sample_weight) if name in feed.source.columns]
    columns = {name: plain(first_rows(feed.source, name, 1)) for name in names}
    first = {name: values[0] for name, values in columns.items()}
    name = head.sample_weight or ""
    if name in columns and is_dense(columns[name]) and columns[name].shape == (1, 1):  # one weight a row, too
        first[name] = columns[name].item()
    return first


def _images_of(feed: Feed) -> dict[str, Image]:
    return {name: kind for name, kind in feed.inputs.items() if isinstance(kind, Image)}


def _image_sizes(feed: Feed) -> Any:
    """A function from a head to the size of the image that its labels belong to; None if unknown."""
    images = {name: kind.shape[:2] for name, kind in _images_of(feed).items()}
    only = next(iter(images.values())) if len(set(images.values())) == 1 else None
    return lambda head: images.get(head.of, only)
