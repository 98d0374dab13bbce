"""Describes a column of data that is not declared yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polyhead.doctor.model_signature import ExaminedTensor
from polyhead.kinds.array_statistics import ArrayStatistics


@dataclass(frozen=True)
class ColumnDescription:
    """One column, as far as it was read.

    Attributes:
        name: of the column.
        form: ``"numbers"``, ``"text"``, ``"lists"`` (of text), ``"masks"`` (lists of masks of objects), ``"ragged"``
            (rows of numbers of unequal shape), ``"empty"``, or ``"other"``.
        statistics: of its numbers.
        type: its type in words.
        there: which rows have a value, bool ``(rows read,)``.
        values: what these rows hold, an array or a list; None where only statistics were kept.
        texts: how often each text occurs; None where there are too many.
        encoded: the rows are as a model gets them, so that the feed has to give the same ones.
        changeable: the code that reads the column may change its values.
        output: the model's output that the column is for, where that is known.
    """

    name: str
    form: str = "numbers"
    statistics: ArrayStatistics = field(default_factory=ArrayStatistics)
    type: str = ""
    there: np.ndarray = field(default_factory=lambda: np.ones(0, bool))
    values: Any = None
    texts: dict[str, int] | None = None
    encoded: bool = False
    changeable: bool = False
    output: ExaminedTensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row."""
        return self.statistics.shape

    @property
    def counts(self) -> dict[Any, int] | None:
        """How often each text, or each whole number, occurs; None where there are too many."""
        return self.statistics.distinct if self.form == "numbers" else self.texts

    @property
    def classes(self) -> int | None:
        """How many numbers the output has for one label."""
        return self.output.classes if self.output is not None else None

    @property
    def coverage(self) -> float:
        """The share of rows that hold a value, 0–1."""
        return float(self.there.mean()) if len(self.there) else 0.0

    @property
    def complete(self) -> bool:
        """Whether no number of any row is missing."""
        return bool(self.there.all()) and self.statistics.nan is None

    @property
    def whole(self) -> bool:
        """Whether its numbers are finite and without a fraction."""
        numbers = self.statistics
        return self.form == "numbers" and numbers.whole and numbers.infinite is None
