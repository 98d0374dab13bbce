"""Shows predictions beside labels, and finds the rows where they differ most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polyhead.columns.values import Values, take
from polyhead.errors import ContractError, Problem, listed, shown
from polyhead.feed import Feed
from polyhead.kinds import Head, Image
from polyhead.kinds.missing import plain
from polyhead.kinds.predicted_columns import suffixed_name
from polyhead.pipeline.way_back import in_stored_images
from polyhead.report.original_samples import OriginalSamples
from polyhead.report.per_element_views import EachView
from polyhead.report.samples import Label, Sample, take_samples, unweighted
from polyhead.report.views import Scores, View
from polyhead.sources.derived import DerivedSource
from polyhead.sources.source import Source, checked_rows

WHERE = "preview(predictions=)"
AllScores = Sequence[Mapping[str, Scores]]
PIECE = 256
THIN = 1e-3
"""Predicted boxes with a smaller width or height are left out."""


class _PredictedSource(DerivedSource):
    """Rows of a source with predictions in place of labels."""

    def __init__(self, source: Source, columns: Mapping[str, list[Any]]) -> None:
        super().__init__(source)
        self._columns = columns

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        return checked_rows(self._source, ids) | {n: take(all_, ids) for n, all_ in self._columns.items()}


def with_guesses(
    feed: Feed, predictions: Any, positions: np.ndarray | None, n: int, views: Mapping[str, View]
) -> tuple[list[Sample], dict[str, Head]]:
    """Return samples on their original images with their predictions, largest loss first.

    Args:
        predictions: the result of `polyhead.predict`.
        positions: indices of the rows; None for all.
        n: the most rows.

    Returns:
        The samples, and the heads in the units of the samples' labels.

    Raises:
        ContractError: ``predictions`` is something else, or predicts other rows or heads.
    """
    available = getattr(predictions, "columns", ())
    names = [n for n, head in feed.labeled.items() if n in available and not head.presence]
    if not names:
        expected = f"what ph.predict returns, with the heads {listed(list(feed.labeled), 6)}"
        found = f"the columns {listed(list(available), 6)}" if available else shown(predictions)
        raise ContractError(Problem(WHERE, expected, found))
    rows, indices = _predicted_rows(feed, predictions)
    source = feed.source.select(rows)
    heads = {name: unweighted(feed.labeled[name]) for name in names}
    owners = {str(heads[name].each) for name in names if heads[name].each is not None} - heads.keys()
    heads |= {owner: unweighted(feed.labeled[owner]) for owner in owners}
    labeled = feed.on(source, heads=heads, workers=0, shard=(0, 1), batch_size=feed.batch_size)
    images = {name: kind for name, kind in feed.inputs.items() if isinstance(kind, Image)}
    predicted = {name: _at_indices(predictions[name], indices) for name in names}
    reading = {n: _as_predicted(head, bool(images)) for n, head in heads.items()}
    predicted = in_stored_images(source, images, reading, predicted)
    scores = _scores(predictions, [n for n in names if heads[n].each is None], indices)
    for owner in [n for n in names if heads[n].layer == "boxes"]:
        of_boxes = [n for n in names if heads[n].each == owner]
        _leave_out_thin(owner, heads[owner], predicted, of_boxes, scores)
    guess_source = _PredictedSource(source, _label_columns(heads, predicted))
    guessed = feed.on(guess_source, heads=reading, workers=0, shard=(0, 1), batch_size=feed.batch_size)
    losses = _row_losses(labeled, guessed, {n: views[n] for n in names}, scores)
    chosen = np.arange(len(rows))
    if positions is not None:
        chosen = np.minimum(np.searchsorted(rows, positions), len(rows) - 1)
        chosen = chosen[rows[chosen] == positions]
    chosen = chosen[np.argsort(-losses[chosen], kind="stable")][:n]
    truth = take_samples(feed.on(source, workers=0, shard=(0, 1)), len(chosen), chosen)
    guesses = take_samples(guessed, len(chosen), chosen)
    originals, samples = OriginalSamples(source, images, feed.labeled), []
    for i, true, guess in zip(chosen.tolist(), truth, guesses, strict=True):
        labels = {name: label for name, label in guess.labels.items() if name in names}
        guess = replace(guess, labels=labels, scores=scores[i])
        sample, guess = originals.on_originals(i, true, guess)
        samples.append(replace(sample, loss=float(losses[i]), guess=guess))
    return samples, originals.heads


def _as_predicted(head: Any, in_images: bool) -> Any:
    """A head that reads predictions: bools for a binary head, class ids for a mask, pixels for coordinates."""
    if getattr(head.inner, "positive", None) is not None:
        head = head.fixed(positive=None)
    if getattr(head.inner, "values", None) is not None:
        head = head.fixed(values=None, missing=None)
    return head.fixed(column_normalized=False) if in_images and hasattr(head, "column_normalized") else head


def _predicted_rows(feed: Feed, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a feed that were predicted, in order, and the index of each in the predictions."""
    key = "row_id" if "row_id" in predictions.columns else "id"
    predicted_ids = list(plain(predictions[key]))
    rows = np.arange(feed.num_samples, dtype=np.int64)
    has_ids = "id" in feed.source.columns
    ids = plain(feed.source.only(["id"]).coded(rows)["id"]) if has_ids else feed.source.ids_of(rows).tolist()
    if predicted_ids == list(ids):
        return rows, rows
    index_of = {row_id: i for i, row_id in enumerate(predicted_ids)}
    # ids occur twice in two data sets that both count from 1
    if len(index_of) < len(predicted_ids):
        expected = "ids that differ, by which predictions find their rows"
        fix = "Predict the rows of this feed, in their order, or give the column `id` other values."
        found = f"{len(predicted_ids) - len(index_of)} that occur twice"
        raise ContractError(Problem(WHERE, expected, found, fix))
    matches = [(row, index_of[row_id]) for row, row_id in enumerate(ids) if row_id in index_of]
    if not matches:
        found = f"the ids {listed([str(row_id) for row_id in predicted_ids[:4]], 4)}, none of which it has"
        raise ContractError(Problem(WHERE, "predictions of rows of this feed", found))
    rows, indices = np.array(matches, np.int64).T
    return rows, indices


def _at_indices(column: Any, indices: np.ndarray) -> list[Any]:
    values = list(column)
    return [values[i] for i in indices.tolist()]


def _scores(predictions: Any, names: Sequence[str], indices: np.ndarray) -> list[dict[str, dict[int, float]]]:
    """The scores of each row by head and number of the box or class."""
    scores: list[dict[str, dict[int, float]]] = [{} for _ in indices]
    for name in names:
        both = [suffixed_name(name, suffix, predictions.heads) for suffix in ("score", "probability")]
        column = next((one for one in both if one in predictions.columns), None)
        if column is not None:
            for of_row, value in zip(scores, _at_indices(predictions[column], indices), strict=True):
                if value is not None:
                    of_row[name] = dict(enumerate(np.atleast_1d(np.asarray(value, np.float64)).tolist()))
    return scores


def _label_columns(heads: Mapping[str, Any], predicted: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The columns that heads read, with predictions in them."""
    columns: dict[str, list[Any]] = {}
    for name, values in predicted.items():
        names = heads[name].columns(name)
        for j, column in enumerate(names):
            columns[column] = values if len(names) == 1 else [None if v is None else v[j] for v in values]
    return columns


def _leave_out_thin(
    owner: str, head: Any, predicted: dict[str, list[Any]], of_boxes: list[str], scores: list[Any]
) -> None:
    """Leave out predicted boxes without an area, with their other predictions and scores."""
    for row, boxes in enumerate(predicted[owner]):
        corners = np.asarray(boxes if boxes is not None else [], np.float64)
        if not corners.size:
            continue
        xyxy = head.corners_of(corners.reshape(-1, 4))
        kept = np.flatnonzero(((xyxy[:, 2:] - xyxy[:, :2]) >= THIN).all(1)).tolist()
        if corners.ndim == 1:
            predicted[owner][row] = boxes if kept else None
        elif len(kept) < len(corners):
            predicted[owner][row] = corners[kept].tolist()
            for name in of_boxes:
                predicted[name][row] = [predicted[name][row][i] for i in kept]
            of_row = scores[row].get(owner, {})
            scores[row][owner] = {new: of_row[old] for new, old in enumerate(kept) if old in of_row}


def _row_losses(labeled: Feed, guessed: Feed, views: Mapping[str, View], scores: AllScores) -> np.ndarray:
    """The mean loss of each row over its heads, float64 ``(N,)``; 0 where nothing can be compared.

    Args:
        guessed: a feed of the same rows, with predictions in place of the labels.
        scores: for each row, the scores of each head.
    """
    total, count = np.zeros(labeled.num_samples), np.zeros(labeled.num_samples)
    for name, view in views.items():
        if isinstance(view, EachView):
            continue  # its boxes need not be in the same places
        classes = next((n for n in views if _tells_classes(labeled.labeled[n], name)), None)
        for row, loss in _losses_of_head(labeled, guessed, view, classes, scores):
            total[row] += loss
            count[row] += 1
    return total / np.maximum(count, 1)


def _tells_classes(head: Head, owner: str) -> bool:
    """Return whether a head has the class id of each box of another head."""
    return head.each == owner and head.inner.view == "class" and not head.inner.shape


def _losses_of_head(
    labeled: Feed, guessed: Feed, view: View, classes: str | None, scores: AllScores
) -> Iterator[tuple[int, float]]:
    """Yield each row with its loss at one head; ``classes`` is the head with the classes of its boxes, if any."""
    true, predicted = (feed._assembler.labels[view.name] for feed in (labeled, guessed))
    losses: list[tuple[int, float]] = []
    numbers: list[np.ndarray] = []
    for start in range(0, labeled.num_samples, PIECE):
        ids = np.arange(start, min(start + PIECE, labeled.num_samples), dtype=np.int64)
        (labels, valid), (guesses, guess_valid) = true.at(ids), predicted.at(ids)
        values, guess_values = (true.head.unscaled(piece.labels) for piece in (labels, guesses))
        same = None
        if classes is not None:
            ours, theirs = (f._assembler.labels[classes].at(ids)[0].labels for f in (labeled, guessed))
            same = ours[:, :, None] == theirs[:, None]
        for i in np.flatnonzero(true.annotated_rows(labels, valid)).tolist():
            label, guess = Label(values[i], valid[i]), Label(guess_values[i], guess_valid[i])
            loss = None
            if guess.valid.any() or view.compares_nothing:
                row_scores = scores[start + i].get(view.name, {})
                loss = view.difference(label, guess, row_scores, None if same is None else same[i])
            losses += [] if loss is None else [(start + i, loss)]
            numbers += [values[i].reshape(-1)[:64]] if view.in_units else []
    unit = float(np.std(np.concatenate(numbers))) if numbers else 1.0
    yield from ((row, loss / (unit or 1.0)) for row, loss in losses)
