"""The head for binary labels."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import KW_ONLY, dataclass, field
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, as_list, hints, shown, similar
from polyhead.kinds import class_encoding
from polyhead.kinds.class_head import ClassHead
from polyhead.kinds.head import Head
from polyhead.kinds.judging_classes import BinaryJudge
from polyhead.kinds.keras_names import BINARY_LOSSES, SIGMOID
from polyhead.kinds.learned_classes import MISSING_TEXTS, missing_texts, spellings
from polyhead.kinds.likelihood import likelihoods, require_tuning
from polyhead.kinds.missing import as_float32, collapse, first_row, is_dense, numbers
from polyhead.kinds.predicted_columns import PredictedColumn, Views
from polyhead.kinds.source_column import Column, over
from polyhead.kinds.value_advice import reads_as_number


@dataclass(frozen=True, repr=False)
class Binary(ClassHead):
    """A binary label: 0 or 1, or a boolean, as float32 ``(B, 1)``.

    Attributes:
        positive: the value that means 1, while every other value means 0; for columns that are not 0 and 1. An empty
            text, or NaN as text, is an error beside other words: name it with ``missing=``.
        threshold: the least probability that counts as 1 in predictions; `Evaluation.tune` finds the best one.
        temperature: the divisor of logits before they become probabilities; `Evaluation.calibrate` finds the best one.

    >>> Binary(positive="yes").encode(np.array(["no", "yes", None], object))[0].tolist()
    [[0.0], [1.0], [0.0]]
    """

    _: KW_ONLY
    positive: Any = None
    threshold: float = 0.5
    temperature: float = 1.0
    # whether a row with the positive value was found
    _met: bool = field(default=False, init=False, repr=False, compare=False)
    # whether a row with another word was found, so that an empty text is no negative label
    _words: bool = field(default=False, init=False, repr=False, compare=False)
    # whether some rows hold text, and others numbers
    _mixed: bool = field(default=False, init=False, repr=False, compare=False)

    is_binary: ClassVar[bool] = True
    view: ClassVar[str] = "binary"
    tunable: ClassVar[tuple[str, ...]] = ("threshold", "temperature")

    shape = (1,)
    dtype = "float32"
    weighted_classes = (0, 1)
    probabilities = SIGMOID
    losses = BINARY_LOSSES

    def __post_init__(self) -> None:
        super().__post_init__()
        require_tuning("Binary", self.threshold, self.temperature)
        if as_list(self.positive) is not None or isinstance(self.positive, (Set, Mapping)):
            fix = "Turn the column into 0 and 1 before."
            raise ContractError(Problem("Binary(positive=)", "one value", shown(self.positive), fix))
        if isinstance(self.positive, (np.datetime64, np.timedelta64)):
            positive = class_encoding.python_times(np.array([self.positive]))[0]
            object.__setattr__(self, "positive", positive)
        self._check_class_weight()

    @property
    def meaning(self) -> dict[str, Any]:
        return {} if self.positive is None else {"positive": self.positive}

    def resolve(self, column: Column) -> Self:
        self.encode(column.probe())
        if self.positive is None:
            return self
        values = dict.fromkeys([self.positive, *self._values_in(column.probe())[1]], 0)
        alike = tuple(group for group in spellings(values) if self.positive in group)
        if self._met:  # in other rows than these
            return self if alike == self._spellings else self.fixed(_spellings=alike)
        others: list[Any] = []
        for met, negatives in over(column, self._values_in):
            others += negatives
            if met:
                texts = [other for other in others if isinstance(other, str)]
                mixed = len(texts) < len(others) if isinstance(self.positive, str) else bool(texts)
                words = any(text.strip() not in MISSING_TEXTS for text in texts)
                return self.fixed(_met=True, _spellings=alike, _words=words, _mixed=mixed)
        if others:
            expected = f"{shown(self.positive)} in some row, as positive= says"
            fix = hints(similar(self.positive, others), "Write it as the column does.")
            raise BadValue(None, expected, f"only other values, such as {shown(others[0])}", fix)
        return self

    def _values_in(self, values: Any) -> tuple[bool, list[Any]]:
        """Return whether the positive value occurs, and the first other values."""
        ids = class_encoding.class_ids(values, self._known, self.missing)
        negative = np.flatnonzero(ids == class_encoding.STRANGE)[:100].tolist()
        return bool((ids == 0).any()), [class_encoding.value_at(values, row) for row in negative]

    @property
    def _known(self) -> list[Any]:
        """The positive value, and the texts that mean nothing."""
        texts = (*missing_texts(self.missing), " ") if isinstance(self.positive, str) else ()
        return [self.positive, *(text for text in texts if text not in (self.positive, self.missing))]

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        if self.positive is not None:
            return self._positives(values)
        expected = "0, 1, True or False"
        fix = "Say Binary(positive=...) to name the value that means 1."
        array, present = numbers(values, self.missing, (1,), expected, fix, _for_several)
        if check and array.dtype.kind != "b":
            row = first_row((array != 0) & (array != 1))
            if row is not None:
                value = array[row, 0].item()
                if value == -1:
                    fix = (
                        'If -1 means no, say Binary(positive=1); if it means "no label", Binary(missing=-1).'
                    )
                elif 0 < value < 1:
                    fix = 'For soft labels say ph.Regression(loss="binary_crossentropy").'
                raise BadValue(row, expected, shown(value), fix)
        return as_float32(array, check=False), collapse(present)

    def _positives(self, values: Any) -> tuple[np.ndarray, np.ndarray | None]:
        ids = class_encoding.class_ids(values, self._known, self.missing)
        if self._words and (ids > 0).any():
            row = int((ids > 0).argmax())
            text = shown(class_encoding.value_at(values, row))
            fix = f'If it means "no label", say Binary(missing={text}); else replace it by the word it stands for.'
            raise BadValue(row, f"{shown(self.positive)} or another word", text, fix)
        if self._met:
            self._require_same_type(values, np.flatnonzero(ids == class_encoding.STRANGE))
        labels = (ids == 0).astype(np.float32)[:, None]
        present = ids != class_encoding.MISSING
        return labels, None if present.all() else present

    def _require_same_type(self, values: Any, rows: np.ndarray) -> None:
        """Raise for a number where other rows hold words, or a number as text where they hold numbers."""
        if self._mixed or not (self._words or isinstance(self.positive, Real)):
            return
        for row in rows[: 1 if is_dense(values) else None].tolist():  # values of an array have one type
            value = class_encoding.value_at(values, row)
            if self._words and isinstance(value, Real):
                raise BadValue(row, f"{shown(self.positive)} or another word", shown(value), _AS_OTHERS)
            if not self._words and isinstance(value, str) and reads_as_number(value):
                raise BadValue(row, f"{shown(self.positive)} or another number", shown(value), _AS_OTHERS)

    def _ids(self, labels: np.ndarray) -> np.ndarray:
        return labels[:, 0].astype(np.uint8)

    def describe(self, labels: np.ndarray, valid: np.ndarray) -> str:
        valid_labels = labels[valid]
        return f"{valid_labels.mean():.1%} are 1" if valid_labels.size else "no labels"

    def likely(self, outputs: np.ndarray, logits: bool) -> np.ndarray:
        return likelihoods(outputs, logits, self.probabilities, self.temperature)

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        probability = self.likely(outputs, logits)[:, 0]
        return {
            "": PredictedColumn(probability >= self.threshold, "flag"),
            "probability": PredictedColumn(probability),
        }

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> BinaryJudge:
        return BinaryJudge(name, self.threshold)

    def default_metrics(self, logits: bool) -> list[Any]:
        from polyhead.kinds.keras_metrics import AUC, BinaryAccuracy

        return [BinaryAccuracy(name="accuracy", threshold=0.0 if logits else 0.5), AUC(from_logits=logits)]


_AS_OTHERS = "Write it as other rows do."


def _for_several(shape: tuple[int, ...]) -> str:
    """Return advice on a column that has several values, of this shape, in each row."""
    one_hot = "If these are one-hot, give column[:, 1]. " if shape == (2,) else ""
    return f"{one_hot}If each row has several labels, say MultiLabel()." if len(shape) == 1 else ""
