"""Heads for several classes: one of them, or any number of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, hints, shown, similar
from polyhead.kinds import class_encoding
from polyhead.kinds.class_head import ClassHead
from polyhead.kinds.head import Head, coarser
from polyhead.kinds.judging_classes import CategoricalJudge, MultiLabelJudge
from polyhead.kinds.keras_names import BINARY_LOSSES, ONE_HOT_LOSSES, SIGMOID, SOFTMAX, SPARSE_LOSSES
from polyhead.kinds.learned_classes import holds_labels, is_multi_hot, learn, learn_labels, spellings
from polyhead.kinds.likelihood import likelihoods, require_tuning
from polyhead.kinds.missing import (
    as_float32,
    is_missing,
    is_partly_missing,
    may_hold_missing,
    numbers,
    plain,
    require_range,
    require_whole,
    whole_rows,
)
from polyhead.kinds.mixed_labels import unmixable
from polyhead.kinds.predicted_columns import PredictedColumn, Views, class_values
from polyhead.kinds.source_column import Column, over
from polyhead.kinds.value_advice import UNKNOWN_FLAG, no_label_fix, require_lists


@dataclass(frozen=True, repr=False)
class Classes(ClassHead):
    """A head whose classes are listed by the user, known to the source, or learned from the column."""

    classes: int | Sequence[Any] | None = None
    _: KW_ONLY
    temperature: float = 1.0

    tunable: ClassVar[tuple[str, ...]] = ("temperature",)
    least: ClassVar[int] = 1
    """The least number of classes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self).__name__
        require_tuning(kind, 0.5, self.temperature)
        object.__setattr__(self, "classes", class_encoding.checked_classes(kind, self.classes, self.least))
        self._check_class_weight()

    def likely(self, outputs: np.ndarray, logits: bool) -> np.ndarray:
        return likelihoods(outputs, logits, self.probabilities, self.temperature)

    def with_facts(self, column: Column) -> Self:
        if self.classes is not None:
            return self.fixed(_spellings=(), _lone_negative=None)
        classes = tuple(c for c in column.about().classes or () if not is_missing(c, self.missing))
        if len(classes) < self.least:
            return self
        return self.fixed(classes=classes, _spellings=spellings(dict.fromkeys(classes, 0)))

    @property
    def weighted_classes(self) -> Sequence[Any] | None:
        return None if self.classes is None else self.names

    @property
    def names(self) -> tuple[Any, ...]:
        """The classes in order of their ids."""
        assert self.classes is not None
        return class_encoding.class_names(self.classes)


@dataclass(frozen=True, repr=False)
class Categorical(Classes):
    """One of several classes, as int32 ids ``(B,)``, or one-hot, float32 ``(B, n)``.

    Attributes:
        classes: the number of classes (the column then has ids from 0), or their names in order. By default, all
            classes that the source declares, in its order (`read_coco`, `read_yolo`, `read_voc`, `read_folder`); else
            they are learned from the column: in the order of an ordered category, else sorted. Once learned, they are
            fixed: give ``feed.heads`` to the feeds of other splits. The check against a model warns of learned names
            that differ only in spaces or case, as "cat" and "Cat "; names that you list may be anything.
        one_hot: labels are 1 for the class and 0 for all others; `MixUp` and the like need this.
        temperature: the divisor of logits before they become probabilities; `Evaluation.calibrate` finds the best one.

    >>> Categorical(["cat", "dog"]).encode(["dog", None, "cat"])
    (array([1, 0, 0], dtype=int32), array([ True, False,  True]))
    """

    _: KW_ONLY
    one_hot: bool = False

    least: ClassVar[int] = 2
    view: ClassVar[str] = "class"

    probabilities = SOFTMAX

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.names),) if self.one_hot else ()

    @property
    def dtype(self) -> str:
        return "float32" if self.one_hot else "int32"

    @property
    def losses(self) -> tuple[str, ...]:
        return ONE_HOT_LOSSES if self.one_hot else SPARSE_LOSSES

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (len(self.names),)

    def resolve(self, column: Column) -> Self:
        head = self
        if self.classes is None:
            read = partial(class_encoding.one_class_a_row, keep_bytes=isinstance(self.missing, bytes))
            classes, alike, negative = learn(over(column, read), self.missing)
            head = self.fixed(classes=classes, _spellings=alike, _lone_negative=negative)
        head.encode(column.probe())
        return head

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        assert self.classes is not None
        ids = class_encoding.class_ids(values, self.classes, self.missing)
        lowest = ids.min(initial=0)
        if lowest == class_encoding.STRANGE:
            row = int((ids == class_encoding.STRANGE).argmax())
            value = class_encoding.value_at(values, row)
            fix = class_encoding.fix_of_no_class(value, self.classes)
            raise BadValue(row, class_encoding.classes_in_words(self.classes), shown(value), fix)
        present = ids >= 0 if lowest == class_encoding.MISSING else None
        if self.one_hot:
            return (ids[:, None] == np.arange(len(self.names))).astype(np.float32), present
        return ids if present is None else np.maximum(ids, 0), present

    def mixable(self, way: str) -> tuple[int, ...]:
        if not self.one_hot:
            fix = "Say ph.Categorical(one_hot=True)."
            raise unmixable("class ids: between two of them lies another class", fix)
        return super().mixable(way)

    def _ids(self, labels: np.ndarray) -> np.ndarray:
        return labels.argmax(-1) if self.one_hot else labels

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        probabilities = self.likely(outputs, logits)
        return {
            "": PredictedColumn(class_values(self.names)[probabilities.argmax(-1)], "class"),
            "probability": PredictedColumn(probabilities.max(-1)),
            "probabilities": PredictedColumn(probabilities),
        }

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> CategoricalJudge:
        return CategoricalJudge(name, self.names)

    def default_metrics(self, logits: bool) -> list[Any]:
        import keras

        metrics = keras.metrics
        metric = metrics.CategoricalAccuracy if self.one_hot else metrics.SparseCategoricalAccuracy
        return [metric(name="accuracy")]


@dataclass(frozen=True, repr=False)
class MultiLabel(Classes):
    """Any of several classes at once, as float32 ``(B, n)`` of 0 and 1.

    The column is 0/1 ``(N, n)``, as an array or lists, or a list of names or ids per row. NaN or None in a position
    means that only this label is missing.

    Attributes:
        classes: the number of classes, or their names in order; by default the classes that the source declares, in its
            order; for one column of 0 and 1 a label, the names of the columns; else the distinct labels, sorted.
        elementwise: one weight for each label rather than one per row; by default only if some rows have both missing
            and present labels.
        threshold: the least probability that counts as a label in predictions; `Evaluation.tune` finds the best one.
        temperature: as for `Categorical`.

    >>> MultiLabel(["red", "round"]).encode([["round"], [], ["red", "round"]])[0].tolist()
    [[0.0, 1.0], [0.0, 0.0], [1.0, 1.0]]
    """

    _: KW_ONLY
    elementwise: bool | None = None
    threshold: float = 0.5
    # whether lists in the column hold 0 or 1 for each label; None if the rows so far may be read either way
    _flags: bool | None = field(default=None, init=False, repr=False, compare=False)

    tunable: ClassVar[tuple[str, ...]] = ("threshold", "temperature")
    view: ClassVar[str] = "classes"
    multi = True
    dtype = "float32"
    probabilities = SIGMOID
    losses = BINARY_LOSSES

    def __post_init__(self) -> None:
        super().__post_init__()
        require_tuning("MultiLabel", self.threshold, self.temperature)
        if self.class_weight is not None:
            if self.elementwise is False:
                where = "MultiLabel(class_weight=, elementwise=False)"
                raise ContractError(Problem(where, "a weight for each label", "one a row"))
            object.__setattr__(self, "elementwise", True)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.names),)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.shape if self.elementwise else ()

    @property
    def weight_forms(self) -> tuple[tuple[int, ...], ...]:
        return (self.shape,)

    def for_weights(self, shape: tuple[int, ...]) -> Self:
        if len(shape) != 1 or self.elementwise:
            return self
        if self.elementwise is False:
            raise coarser(shape)
        return self.fixed(elementwise=True)

    def resolve(self, column: Column) -> Self:
        probe = plain(column.probe())
        require_lists(probe)
        head = self.fixed(_flags=is_multi_hot(column, self.missing, self.weighted_classes, self._flags))
        table = isinstance(probe, np.ndarray) and probe.ndim == 2
        if head.classes is None:
            if table and (head._flags or not self._holds_labels(column)):
                columns, width = self.columns(""), probe.shape[1]
                head = head.fixed(classes=columns if 1 < len(columns) == width else width)
            elif head._flags:
                rows = (row for piece in over(column, plain) for row in piece)
                labeled = next(row for row in rows if not is_missing(row, self.missing))
                head = head.fixed(classes=len(labeled))
            else:
                classes, alike, negative = learn_labels(self._count_labels(column))
                head = head.fixed(classes=classes, _spellings=alike, _lone_negative=negative)
        if head._flags is None and table and probe.shape[1:] == head.shape and not head._are_labels(probe):
            head = head.fixed(_flags=True)
        if head.elementwise is None and (table or head._flags) and may_hold_missing(probe, head.missing):
            # rows without gaps leave it open, for those of `feed.on`
            head = head.fixed(elementwise=is_partly_missing(column, head._encode) or None)
        head.encode(probe)
        return head

    def _holds_labels(self, column: Column) -> bool:
        """Return whether rows of equal length are lists of labels: words, or ids other than 0 and 1."""
        tables = (piece for piece in over(column, plain) if isinstance(piece, np.ndarray) and piece.ndim == 2)
        return any(holds_labels(table, self.missing) for table in tables)

    def _count_labels(self, column: Column) -> Counter[Any]:
        """The labels that occur, with the number of their rows."""
        counts: Counter[Any] = Counter()
        for rows in over(column, lambda piece: list(class_encoding.label_lists(piece, self.missing))):
            counts.update(label for _, labels in rows for label in labels)
        if not counts:
            raise BadValue(None, "at least 1 label", "none", "Give the classes, or leave this head out.")
        return counts

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        array, present = self._encode(values)
        if check:
            expected = "0 or 1 for each label"
            fix = 'If it means "no label", say MultiLabel(missing=...). Use ph.Regression for other numbers.'
            require_range(array, 0, 1, expected, fix)
            require_whole(array, expected, class_encoding.SOFT_LABELS)
        labels = as_float32(array, check=False)
        if present is None or self.elementwise:
            return labels, present
        return labels, whole_rows(present, "Say MultiLabel(..., elementwise=True) for one weight each.")

    def _encode(self, values: Any) -> tuple[np.ndarray, np.ndarray | None]:
        values = plain(values)
        table = isinstance(values, np.ndarray) and values.ndim == 2
        if self._flags or (table and not self._are_labels(values)):
            return numbers(values, self.missing, self.shape, f"0 or 1 for each of {len(self.names)} labels")
        assert self.classes is not None
        id_of = {name: i for i, name in enumerate(self.names)}
        array = np.zeros((len(values), len(id_of)), np.float32)
        present = np.zeros(array.shape, bool)
        for row, labels in class_encoding.label_lists(values, self.missing, id_of):
            present[row] = True
            for label in labels:
                if label not in id_of:
                    filler = is_missing(label) or label in ("", -1)
                    fix = f"{no_label_fix(label)}." if filler else "Name it among the classes."
                    fix = hints(similar(label, self.names), fix)
                    raise BadValue(row, class_encoding.classes_in_words(self.classes), shown(label), fix)
                array[row, id_of[label]] = 1
        return array, None if present.all() else present

    def _are_labels(self, rows: np.ndarray) -> bool:
        """Return whether rows of one length are lists of labels rather than 0 or 1 for each label."""
        labels, one_for_each = holds_labels(rows, self.missing), rows.shape[1] == len(self.names)
        if rows.dtype.kind not in "iuf":
            return labels
        if rows.dtype.kind == "f" or (one_for_each and not labels):
            return False
        # rows of another length are labels also where one of them is unknown
        return (labels and not one_for_each) or set(self.names) >= set(np.unique(rows).tolist())

    def missing_class_advice(self, value: Any) -> str:
        return UNKNOWN_FLAG.rstrip(".") if self.names == (-1, 0, 1) else no_label_fix(value)

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        probabilities, classes = self.likely(outputs, logits), class_values(self.names)
        rows = [(row, row >= self.threshold) for row in probabilities]
        return {
            "": PredictedColumn([classes[predicted].tolist() for _, predicted in rows], "class"),
            "probability": PredictedColumn([row[predicted] for row, predicted in rows]),
            "probabilities": PredictedColumn(probabilities),
        }

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> MultiLabelJudge:
        return MultiLabelJudge(name, self.names, self.threshold)

    def default_metrics(self, logits: bool) -> list[Any]:
        from polyhead.kinds.keras_metrics import BinaryAccuracy

        return [BinaryAccuracy(name="accuracy", threshold=0.0 if logits else 0.5)]
