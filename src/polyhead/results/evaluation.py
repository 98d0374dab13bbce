"""The result of `evaluate`: the metrics of each head with intervals, and the rows with the largest loss."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, place, require_size, shown
from polyhead.extras import requiring
from polyhead.kinds.judging import Items, Judge
from polyhead.notebook import html_table
from polyhead.results.bootstrap import Intervals, RowSamples
from polyhead.results.comparison import Comparison, compared
from polyhead.results.head_evaluation import HeadEvaluation, Metric, measured, no_such, titles_of
from polyhead.results.joining import JoinedRows, joined_parts, kind_judged
from polyhead.results.suspects import Suspects
from polyhead.results.text_table import text_table
from polyhead.results.tuning import calibrate, tune
from polyhead.whole_file import path_with_ending, writing

_MOST_SHOWN = 24
"""For heads with more metrics than this, printed tables omit those of single classes and columns."""


class Evaluation(dict[str, HeadEvaluation]):
    """How good a model is, by head: ``evaluation["animal"]["accuracy"].value``, ``.low`` and ``.high``.

    `evaluate` makes it. Print it for a table; `to_pandas` gives the table as a frame.

    Attributes:
        ids: the ids of the rows, in the order of the data.
        declaration: how the rows were read, with the results of `tune` and `calibrate`.

    >>> import keras, numpy as np, polyhead as ph
    >>> data = {"x": np.linspace(-1, 1, 50), "y": np.linspace(-1, 1, 50)}
    >>> feed = ph.Feed(data, inputs="x", heads={"y": ph.Regression()})
    >>> x = keras.Input((1,), name="x")
    >>> model = keras.Model(x, {"y": keras.layers.Rescaling(1.0, offset=0.25, name="y")(x)})
    >>> evaluation = ph.evaluate(model, feed, intervals=None)
    >>> print(evaluation)
      head   metric    value   rows
     ───────────────────────────────
      y      mae        0.25     50
             rmse       0.25     50
             r2       0.8199     50
    """

    def __init__(
        self,
        judges: Mapping[str, Judge],
        items: Mapping[str, Items],
        ids: np.ndarray,
        how: Intervals,
        rows: Any = None,
        declaration: Any = None,
    ) -> None:
        self.declaration = declaration
        self.ids, self._how, self._rows = ids, how, rows
        measures = {
            n: partial(measured, judge, items[n]) for n, judge in judges.items() if len(items[n]["row"])
        }
        width = 1 + max(len(columns["row"]) for columns in items.values()) // len(ids)
        samples = RowSamples(measures, len(ids), width, how)
        super().__init__({n: HeadEvaluation(judge, items[n], ids, samples) for n, judge in judges.items()})

    def __getitem__(self, head: str) -> HeadEvaluation:
        return super().__getitem__(head) if isinstance(head, str) else self.__missing__(head)

    def __missing__(self, head: str) -> HeadEvaluation:
        raise ContractError(no_such("head", "evaluation", head, self))

    def worst(self, head: str, n: int = 10) -> list[int]:
        """Return the ids of the rows with the largest loss at a head, the largest first.

        Args:
            head: its name.
            n: the maximum number of rows; rows without a label are left out.

        Returns:
            Ids as in `Feed.batches`: ``feed.source.select(ids)`` gives these rows, unless ``feed.source`` is itself a
            selection.

        Raises:
            ContractError: there is no such head, or ``n`` is not an integer of at least 1.
        """
        require_size("worst(n)", n)
        return [int(self.ids[row]) for row in self[head].worst(int(n))]

    def suspects(self, head: str, n: int | None = None) -> Suspects:
        """Find the labels of a head that may be wrong, most suspect first, with the model's predictions.

        Evaluate rows that the model was not trained on, as it may have memorized the others. To check all rows, train a
        model for each fold, and `join` the evaluations.

        Classes are checked by confident learning: a label is suspect if the model gives another class more probability,
        and at least as much as it gives that class on average in rows labeled with it. Numbers, boxes, masks and
        keypoints are suspect if label and prediction are much farther apart than usual.

        Args:
            head: its name.
            n: the maximum number of labels; None for all.

        Returns:
            `Suspects`: print it, look at them with ``suspects.save("suspects.html")``, or read ``suspects.ids``.

        Raises:
            ContractError: there is no such head, or ``n`` is not an integer of at least 1.
        """
        if n is not None:
            require_size("suspects(n=)", n)
        return Suspects.of(self, self._rows, head, n if n is None else int(n))

    def join(self, *others: Evaluation) -> Evaluation:
        """Join evaluations of different rows into one, for example those of the folds of a cross-validation.

        Each may be of another model with the same heads. Row ids must differ, as they do between parts of one source.

        Raises:
            ContractError: if heads or classes differ, or a row is in two of them.
        """
        for other in others:
            if not isinstance(other, Evaluation):
                raise ContractError(Problem("join(*others)", "Evaluations", shown(other)))
        evaluations = (self, *others)
        rows = JoinedRows([e._rows for e in evaluations], [len(e.ids) for e in evaluations])
        return Evaluation(*joined_parts(evaluations), self._how, rows, self.declaration)

    def tune(self, head: str, objective: str = "f1") -> float:
        """Find the best threshold of a `Binary` or `MultiLabel` head on these rows.

        It becomes part of `declaration`, and of the declaration that the model carries. Use rows on which the model
        was not trained, and not those of the final evaluation. This evaluation does not change.

        Args:
            head: its name.
            objective: ``"f1"``, ``"accuracy"``, or ``"youden"``: recall minus the false positive rate.

        Returns:
            The threshold.

        Raises:
            ContractError: the objective is unknown, or the head has no threshold.
        """
        return tune(self, self._rows, head, objective)

    def calibrate(self, head: str) -> float:
        """Find the temperature at which the probabilities of a head of classes have the lowest log loss.

        Logits are divided by it: predictions stay the same and become more or less confident. It becomes part of the
        declarations, as with `tune`; the model predicts the rows again. Calibrate before you tune.

        Args:
            head: its name.

        Returns:
            The temperature.

        Raises:
            ContractError: the head has no probabilities.
        """
        return calibrate(self, self._rows, head)

    def save(self, path: str | os.PathLike[str], worst: int = 4) -> Path:
        """Write a page that works without a network: metrics, charts, and the rows with the largest loss.

        Args:
            path: the file to write: ``.html``, or ``.csv`` or ``.json`` for the metrics alone.
            worst: the number of rows to show for each head, with pictures, labels and predictions; the model predicts
                them again. 0 for none.

        Returns:
            The path.

        Raises:
            ContractError: the path has another ending, or ``worst`` is below 0.
            DataError: the path cannot be written.
        """
        from polyhead.results.evaluation_page import evaluation_page

        require_size("save(worst=)", worst, 0)
        file, ending = path_with_ending(path, "save(path)", ".html", ".csv", ".json")
        if ending == ".html":
            pairs = {name: self._rows.samples(head.worst(int(worst))) for name, head in self.items()}
            text = evaluation_page(self, pairs, self._rows.inputs, self._rows.heads, self._rows.drawn_heads)
        elif ending == ".json":
            text = self.to_json() + "\n"
        else:
            text = _as_csv(self._records())
        with writing(file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
        return file

    def compare(self, other: Evaluation) -> Comparison:
        """Compare with another model on the same rows, by a paired bootstrap.

        Both use the same bootstrap samples, so rows that are equally hard for both models do not count as a difference.

        Args:
            other: the evaluation of the other model, by `evaluate` with the same rows and seed.

        Returns:
            A `Comparison`: print it, or see which metrics differ.

        Raises:
            ContractError: the rows differ, or no head has the same name and kind in both.
        """
        if not isinstance(other, Evaluation):
            raise ContractError(Problem("compare(other)", "an Evaluation", shown(other)))
        labels, other_labels = (getattr(e._rows, "labels", {}) for e in (self, other))
        unlike = [n for n in labels if n in other_labels and labels[n] != other_labels[n]]
        for name in unlike:
            (kind, classes), (other_kind, other_classes) = (kind_judged(e[name].judge) for e in (self, other))
            if kind == other_kind and classes != other_classes:
                expected, found = f"the classes {shown(list(classes))}", shown(list(other_classes))
                fix = "Declare the same classes in the same order for both models."
                raise ContractError(Problem(f"compare(other), {place(head=name)}", expected, found, fix))
        if unlike or not np.array_equal(self.ids, other.ids):
            found, fix = "other rows, or another order", "Evaluate both models on the same data."
            raise ContractError(Problem("compare(other)", "an evaluation of the same rows", found, fix))
        if replace(self._how, level=None) != replace(other._how, level=None):
            found, fix = "other seed= or resamples=", "Pass the same ones to both calls of ph.evaluate."
            raise ContractError(Problem("compare(other)", "an evaluation of the same samples", found, fix))
        return compared(self, other, self._how.level or 0.95)

    def as_dict(self) -> dict[str, dict[str, float]]:
        """The values alone, ``{head: {metric: value}}``."""
        return {name: {metric: m.value for metric, m in head.items()} for name, head in self.items()}

    def to_pandas(self) -> Any:
        """Return a frame: ``head``, ``metric``, ``value``, ``low`` and ``high`` if there are intervals, ``rows``."""
        with requiring("to_pandas()", "pandas", "pandas"):
            import pandas as pd

        return pd.DataFrame(self._records())

    def to_json(self) -> str:
        """Return ``{head: {"rows": n, "metrics": {metric: {"value": ..., "low": ..., "high": ...}}}}`` as JSON.

        NaN becomes null.
        """
        heads: dict[str, Any] = {
            name: {"rows": head.rows, "metrics": {metric: _finite(result) for metric, result in head.items()}}
            for name, head in self.items()
        }
        return json.dumps(heads, indent=2, ensure_ascii=False)

    def _records(self) -> list[dict[str, Any]]:
        ends = () if self._how.level is None else ("low", "high")
        return [
            {"head": name, "metric": metric, "value": result.value}
            | {end: getattr(result, end) for end in ends}
            | {"rows": head.rows}
            for name, head in self.items()
            for metric, result in head.items()
        ]

    def __str__(self) -> str:
        return "\n".join([text_table(*self._table()), *(f"  {note}" for note in self._left_out())])

    def _repr_html_(self) -> str:
        return html_table("Evaluation", *self._table(), "\n".join(self._left_out()))

    def _left_out(self) -> list[str]:
        """Notes on where to find the metrics that the table leaves out."""
        counts = {n: sum("[" in m for m in head) for n, head in self.items() if len(head) > _MOST_SHOWN}
        return [
            f"and {count:,} of single classes or columns: print(evaluation[{name!r}])"
            for name, count in counts.items()
            if count
        ]

    def _table(self) -> tuple[list[str], list[list[str]]]:
        """The titles of the columns, and the rows."""
        titles = ["head", *titles_of(self._how.level)]
        rows = [
            [name, *cells]
            for name, head in self.items()
            for cells in head.cells(parts=len(head) <= _MOST_SHOWN)
        ]
        empty = [""] * (len(titles) - 3)
        return titles, rows + [[name, "no labels", *empty, "0"] for name, head in self.items() if not head]

    __repr__ = __str__


def _finite(metric: Metric) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in metric.__dict__.items()}


def _as_csv(records: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    table = csv.DictWriter(out, list(records[0]) if records else ("head", "metric", "value", "rows"))
    table.writeheader()
    table.writerows({n: "" if v != v else v for n, v in record.items()} for record in records)
    return out.getvalue()
