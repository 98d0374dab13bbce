"""Ranks the labels that may be wrong, with the model's predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.errors import require_size
from polyhead.extras import requiring
from polyhead.results.text_table import short_number, text_table
from polyhead.whole_file import path_with_ending, writing

_PRINTED = 20


@dataclass(frozen=True)
class Suspect:
    """A label that a model disagrees with.

    Attributes:
        row: the id of its row, as in `Feed.batches`.
        label: the label in the form of the data; boxes and points in pixels of the original image, boxes in the format
            of their column. None for no label, or one without a short form.
        predicted: what the model predicts instead, in the same form.
        disagreement: how far apart the two are; the documentation says how it is measured for each head.
        part: the part of the row: the number of a box or point, or the name of a column; None for the whole row.
        names: further names of the row: the column ``id`` of the data, the image ``file``, and the ``index`` of the
            pandas frame that was evaluated, unless it only counts the rows.
    """

    row: int
    label: Any
    predicted: Any
    disagreement: float
    part: Any = None
    names: Mapping[str, Any] = field(default_factory=dict)


class Suspects(tuple[Suspect, ...]):
    """Labels that may be wrong, most suspect first; returned by ``evaluation.suspects(head)``.

    Print it for a table of the first ones. It is a tuple of `Suspect`.

    Attributes:
        head: the name of the head.
    """

    head: str
    _rows: Any
    _indices: list[int]
    _index: Any
    """Their index in the pandas frame that was evaluated, or None."""

    @classmethod
    def of(cls, evaluation: Any, rows: Any, head: str, n: int | None) -> Suspects:
        """The suspects of a head of an evaluation."""
        items = evaluation[head].items_of_rows
        doubts = evaluation[head].judge.doubts(items)
        order = np.argsort(-doubts.disagreement, kind="stable")[:n]
        indices = items["row"][doubts.item[order]].astype(int)
        names = rows.names(indices) if len(indices) else {}
        labels, predicted = ([v[i] for i in order.tolist()] for v in (doubts.label, doubts.predicted))
        labels, predicted = rows.in_originals(head, indices, labels, predicted)
        suspects = cls(
            Suspect(
                int(evaluation.ids[indices[k]]),
                labels[k],
                predicted[k],
                float(doubts.disagreement[i]),
                doubts.part[i],
                {name: values[k] for name, values in names.items()},
            )
            for k, i in enumerate(order.tolist())
        )
        suspects.head, suspects._rows, suspects._indices = head, rows, indices.tolist()
        suspects._index = rows.pandas_index(indices)
        return suspects

    @property
    def ids(self) -> list[int]:
        """The ids of their rows, without duplicates, most suspect first."""
        return list(dict.fromkeys(suspect.row for suspect in self))

    def to_pandas(self) -> Any:
        """Return a frame with the columns ``row``, ``id`` and ``file`` where the data has them, ``part`` where labels
        have several, ``label``, ``predicted`` and ``disagreement``. It has the index of a pandas frame of data."""
        with requiring("to_pandas()", "pandas", "pandas"):
            import pandas as pd

        names = [name for name in self._more if name != "index"]
        columns = ["row", *names, "label", "predicted", "disagreement"]
        frame = pd.DataFrame([_record(suspect) for suspect in self], columns=columns)
        if self._index is not None:
            frame.index = self._index
        return frame

    @property
    def _more(self) -> list[str]:
        names = list(self[0].names) if self else []
        return names + ["part"] * any(suspect.part is not None for suspect in self)

    def save(self, path: str | os.PathLike[str], n: int = _PRINTED) -> Path:
        """Write a page that shows labels and predictions of rows side by side.

        Args:
            path: the file to write, ``.html``.
            n: the maximum number of rows.

        Returns:
            The path.

        Raises:
            ContractError: for another ending, or ``n`` below 1.
            DataError: for a path that cannot be written.
        """
        from polyhead.results.evaluation_page import suspects_page

        require_size("save(n=)", n)
        file, _ = path_with_ending(path, "save(path)", ".html")
        rows = list(dict.fromkeys(self._indices))[: int(n)]
        page = suspects_page(self, self._rows.samples(rows), self._rows.inputs, self._rows.drawn_heads)
        with writing(file) as temporary:
            temporary.write_text(page, encoding="utf-8")
        return file

    def __str__(self) -> str:
        if not self:
            return f"No suspect labels of head `{self.head}`."
        titles = ["row", *self._more, "label", "predicted", "disagreement"]
        rows = [[_word(_record(suspect)[title]) for title in titles] for suspect in self[:_PRINTED]]
        remaining = len(self) - len(rows)
        return text_table(titles, rows) + (f"\n  and {remaining:,} more" if remaining else "")

    __repr__ = __str__


def _record(suspect: Suspect) -> dict[str, Any]:
    return {**vars(suspect), **suspect.names}


def _word(value: Any) -> str:
    if isinstance(value, float):
        return short_number(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_word, value)) or "none"
    return "" if value is None else str(value)
