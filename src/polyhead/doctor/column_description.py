"""Describes an undeclared column of data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polyhead.doctor.model_signature import ExaminedTensor
from polyhead.kinds.array_statistics import ArrayStatistics


@dataclass(frozen=True)
class ColumnDescription:
    """The description of a column, from the rows that were read.

    Attributes:
        form: ``"numbers"``, ``"text"``, ``"lists"`` (of text), ``"masks"`` (lists of masks of objects), ``"ragged"``
            (rows of numbers of unequal shape), ``"images"`` (encoded, or of Pillow), ``"empty"``, or ``"other"``.
        present: which rows have a value, bool ``(rows read,)``.
        values: the values of these rows, an array or a list; None if only statistics were kept.
        texts: the count of each text; None if there are too many.
        encoded: whether the rows are what a model gets, so that the feed has to return the same.
        changeable: whether the code that reads the column can change its values.
        output: the model's output that the column is for, if known.
    """

    name: str
    form: str = "numbers"
    statistics: ArrayStatistics = field(default_factory=ArrayStatistics)
    type: str = ""
    present: np.ndarray = field(default_factory=lambda: np.ones(0, bool))
    values: Any = None
    texts: dict[str, int] | None = None
    encoded: bool = False
    changeable: bool = False
    output: ExaminedTensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.statistics.shape

    @property
    def counts(self) -> dict[Any, int] | None:
        """The count of each text or integer; None if there are too many."""
        return self.statistics.distinct if self.form == "numbers" else self.texts

    @property
    def classes(self) -> int | None:
        """The number of units of the output, if known."""
        return self.output.classes if self.output is not None else None

    @property
    def coverage(self) -> float:
        """The share of rows with a value, 0–1."""
        return float(self.present.mean()) if len(self.present) else 0.0

    @property
    def complete(self) -> bool:
        """Whether no number is missing in any row."""
        return bool(self.present.all()) and self.statistics.nan is None

    @property
    def whole(self) -> bool:
        """Whether all its numbers are finite integers."""
        numbers = self.statistics
        return self.form == "numbers" and numbers.whole and numbers.infinite is None
