"""Measures how far predictions are from labels, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from polyhead.feed import Feed
from polyhead.report.per_element_views import EachView
from polyhead.report.samples import Label
from polyhead.report.views import View

Scores = Sequence[Mapping[str, Mapping[int, float]]]
PIECE = 256


class Differences:
    """The differences between two feeds over the same rows.

    Args:
        guessed: the feed with predictions in place of the labels.
    """

    def __init__(self, labeled: Feed, guessed: Feed, views: Mapping[str, View], scores: Scores) -> None:
        self._labeled, self._guessed, self._views, self._scores = labeled, guessed, views, scores

    def of_rows(self) -> np.ndarray:
        """The mean loss of each row over its heads, float64 ``(N,)``; 0 where nothing can be compared."""
        total, count = np.zeros(self._labeled.num_samples), np.zeros(self._labeled.num_samples)
        for name, view in self._views.items():
            if isinstance(view, EachView):
                continue  # its boxes need not be in the same places
            for row, loss in self._of_head(name, view):
                total[row] += loss
                count[row] += 1
        return total / np.maximum(count, 1)

    def _of_head(self, name: str, view: View) -> Iterator[tuple[int, float]]:
        true, guessed = self._labeled._assembler.labels[name], self._guessed._assembler.labels[name]
        found: list[tuple[int, float]] = []
        numbers: list[np.ndarray] = []
        for start in range(0, self._labeled.num_samples, PIECE):
            ids = np.arange(start, min(start + PIECE, self._labeled.num_samples), dtype=np.int64)
            (labels, counts), (answers, answered) = true.at(ids), guessed.at(ids)
            values, guesses = true.head.unscaled(labels.labels), true.head.unscaled(answers.labels)
            classes = self._classes(name, ids)
            for i in np.flatnonzero(true.annotated_rows(labels, counts)).tolist():
                one, other = Label(values[i], counts[i]), Label(guesses[i], answered[i])
                same = None if classes is None else classes[0][i][:, None] == classes[1][i][None]
                loss = view.difference(one, other, self._scores[start + i].get(name, {}), same)
                found += [] if loss is None else [(start + i, loss)]
                numbers += [values[i].reshape(-1)[:64]] if view.in_units else []
        unit = float(np.std(np.concatenate(numbers))) if numbers else 1.0
        yield from ((row, loss / (unit or 1.0)) for row, loss in found)

    def _classes(self, owner: str, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The classes of the boxes of a head, as labeled and as predicted, ``(B, places)``; None without any."""
        for name, view in self._views.items():
            head = self._labeled.labeled[name]
            if head.each == owner and head.inner.view == "class" and not head.inner.shape:
                pair = [
                    feed._assembler.labels[view.name].at(ids)[0].labels
                    for feed in (self._labeled, self._guessed)
                ]
                return pair[0], pair[1]
        return None
