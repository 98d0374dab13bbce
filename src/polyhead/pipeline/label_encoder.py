"""Encodes the labels and weights of one head: once for a small column in memory, else batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from polyhead.columns.values import take
from polyhead.errors import BadValue, DataError
from polyhead.kinds import Head
from polyhead.kinds.conversion import Conversion
from polyhead.kinds.missing import even_rows, first_row
from polyhead.kinds.sample_weights import read_weights, weights_shape
from polyhead.pipeline.faults import every_wrong_row, file_at
from polyhead.pipeline.gather import MemoryColumn, can_gather
from polyhead.pipeline.kind_columns import as_one_column
from polyhead.pipeline.weight_columns import all_weights_zero, warn_of_no_weight, warn_of_one_class
from polyhead.progress import shown_while
from polyhead.sources.scanning import SCAN_ROWS, first_of_several, first_rows, mapped_column, pieces
from polyhead.sources.source import Source, row_of

READY_ROW_BYTES = 256
READY_BYTES = 1 << 30
"""The labels of a column in memory are encoded at once up to these bytes of a row and of all rows."""

MEAN_BYTES = 1 << 26
MEAN_ROWS = 1024
MEAN_RUNS = 32
"""The mean weight is that of all labels up to 64 MB; of larger data, of 1,024 rows in 32 runs, or 64 MB of them."""

T = TypeVar("T")


class Encoded(NamedTuple):
    """The encoded labels of some rows of one head.

    Attributes:
        labels: the labels, ``(B, *shape)``.
        present: which labels are present, bool ``(B, *weight_shape)``; None if all are.
        weights: the sample weights, float32 ``(B, *weight_shape)``, if computed in advance.
        factor: the user's own weights, float32 ``(B, ...)``, one per row or finer; None without ``sample_weight=``.
        by_number: presence times class weight, float32 ``(B, *weight_shape)``, if gathered from memory.
    """

    labels: np.ndarray
    present: np.ndarray | None = None
    weights: np.ndarray | None = None
    factor: np.ndarray | None = None
    by_number: np.ndarray | None = None


class Labels:
    """The labels of one head.

    Args:
        source: the source of its column.
        given: the labels of its ``given=`` head, if any.

    Attributes:
        head: the head with balanced class weights computed.
        weighted: whether this head needs sample weights.
        of_one_class: whether a warning was given that all labels are of one class.

    Raises:
        DataError: for a label that is neither valid nor missing, naming its row.
    """

    def __init__(self, name: str, head: Head, source: Source, given: Labels | None) -> None:
        self.name, self.head, self.given = name, head, given
        self._columns = head.columns(name)
        self._source = source.only(head.reads(name))
        self._ready: Encoded | None = None
        self._mean_weights: dict[tuple[bool, int | None], float] = {}
        self.weighted, self.of_one_class = True, False
        self._factor_shape = self._shape_of_factor()
        self._column = source.column(self._columns[0]) if len(self._columns) == 1 else None
        if head.row_bytes <= READY_ROW_BYTES and head.row_bytes * len(source) <= READY_BYTES:
            self._encode_whole_column()
        if head.class_weight == "balanced":
            pieces = shown_while(f"counting {name}", self.all_rows(), len(source))
            class_counts = np.sum([self.head.count(piece.labels, valid) for piece, valid in pieces], axis=0)
            self.head = head.balanced(class_counts)
            self.of_one_class = warn_of_one_class(name, self.head, class_counts)
        declared = self.head.class_weight is not None or self.head.sample_weight is not None
        self.weighted = given is not None or declared or self._may_miss()
        if self._ready is not None and self.weighted and (given is None or given.ready):
            weights = self.weigh(self._ready, self._is_given(None, {}))
            self._ready = self._ready._replace(weights=weights, factor=None)

    def _encode_whole_column(self) -> None:
        """Encode all labels, if they and their weights are in memory."""
        weight = self.head.sample_weight
        weights = None if weight is None else self._source.column(weight)
        if self._column is None or (weight is not None and weights is None):
            return
        labels, present = self._encode(self._column, None, True)
        self._ready = Encoded(labels, present, factor=self._factor(weights, None, present))
        if all_weights_zero(present, self._ready.factor):
            warn_of_no_weight(self.name, self.head, len(self))

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._source)

    @property
    def finely_weighted(self) -> bool:
        """True if the column of weights has one for each label of a row."""
        return bool(self._factor_shape) and self._factor_shape == self.head.weight_shape

    @property
    def ready(self) -> bool:
        """True if all labels are already encoded, so that batches are only gathered."""
        return self._ready is not None

    def _may_miss(self) -> bool:
        """Return whether labels may be missing: whether any is, if all are encoded, else judged by the column's dtype.

        It is decided once, as the structure of batches must not change.
        """
        if self._ready is not None:
            return self._ready.present is not None
        probe = as_one_column(first_of_several(self._source, self._columns, 1))
        sure = isinstance(probe, np.ndarray) and probe.dtype.kind in "iub" and self.head.missing is None
        return not sure or self.head.weight_shape not in ((), (1, 1))

    def _require_foreseen(self, present: np.ndarray | None, ids: np.ndarray) -> None:
        """Raise for a missing label if batches have no weights: the 0 in its place would count as a label."""
        missing = None if self.weighted or present is None else first_row(~present)
        if missing is None:
            return
        expected = "a label, as the first rows have integers, which can't be missing"
        fix = "If labels can be missing, return lists or floats from every read, not arrays of integers."
        row = row_of(self._source, missing, ids)
        raise BadValue(missing, expected, "none", fix).located(head=self.name, row=row)

    def gatherable(self) -> dict[str, MemoryColumn]:
        """The columns to gather from memory, by attribute of `Encoded`."""
        if self._ready is None:
            return self._gatherable_column()
        return {
            part: MemoryColumn(
                np.ascontiguousarray(values), Conversion(values.dtype.str), values.shape[1:], stage="labels"
            )
            for part, values in self._ready._asdict().items()
            if values is not None
        }

    def _gatherable_column(self) -> dict[str, MemoryColumn]:
        column, mapped = self._column, False
        if column is None and len(self._columns) == 1:
            column, mapped = mapped_column(self._source, self._columns[0]), True
        column = even_rows(column) if self.head.even else column
        if not can_gather(column) or len(column) != len(self):
            return {}
        head, conversion = self.head, self.head.conversion(column)
        # a weight of 0 can't tell missing pixels from those of a class with weight 0
        hidden = head.sample_weight is not None and head.class_weight is not None
        if conversion is None or (conversion.weights is not None and hidden):
            return {}
        always = column.dtype.kind == "f"  # NaN means a missing label
        columns = {"labels": MemoryColumn(column, conversion, head.shape, always, mapped, "labels")}
        if conversion.weights is not None:
            to_weights = conversion.of_weights
            columns["by_number"] = MemoryColumn(
                column, to_weights, head.weight_shape, always, mapped, "labels"
            )
        return columns

    def encode(
        self,
        rows: Mapping[str, Any],
        ids: np.ndarray,
        check: bool,
        gathered: Mapping[str, np.ndarray] | None = None,
        files: Callable[[], Any] = list,
    ) -> Encoded:
        """Encode the labels of some rows.

        Args:
            rows: the columns of the rows; unused if labels are `ready`.
            ids: the rows, int64 ``(B,)``.
            check: whether to look for invalid labels.
            gathered: the columns of `gatherable`, if gathered.
            files: returns the column as given, which may be paths of files, for errors.
        """
        if self._ready is not None:
            if gathered is not None:
                return Encoded(**gathered)
            parts = self._ready._asdict().items()
            return Encoded(**{part: values[ids] for part, values in parts if values is not None})
        weight, by_number = self.head.sample_weight, (gathered or {}).get("by_number")
        if gathered:
            labels, present = gathered["labels"], None
            if by_number is not None and weight is not None:
                present = by_number != 0
        else:
            values = as_one_column({column: rows[column] for column in self._columns})
            labels, present = self._encode(values, ids, check, files)
            self._require_foreseen(present, ids)
        factor = None if weight is None else self._factor(rows[weight], ids, present)
        return Encoded(labels, present, factor=factor, by_number=by_number)

    def _valid(self, encoded: Encoded, is_given: np.ndarray | None) -> np.ndarray:
        """Return which labels are present, in rows in which they are given; bool ``(B, *weight_shape)``."""
        shape = (len(encoded.labels), *self.head.weight_shape)
        mask = np.ones(shape, bool) if encoded.present is None else np.broadcast_to(encoded.present, shape)
        return mask if is_given is None else mask & is_given.reshape((-1,) + (1,) * (len(shape) - 1))

    def weigh(self, encoded: Encoded, is_given: np.ndarray | None) -> np.ndarray:
        """Return the product of presence, ``given=``, class weight and own weight; float32 ``(B, *weight_shape)``."""
        if encoded.weights is not None:
            return encoded.weights
        if encoded.by_number is not None:
            weights = encoded.by_number
            if is_given is not None:
                weights = weights * is_given.reshape((-1,) + (1,) * (weights.ndim - 1))
        else:
            weights = self._valid(encoded, is_given).astype(np.float32)
            if self.head.class_weight is not None:
                weights *= self.head.class_factor(encoded.labels)
        if encoded.factor is not None:
            factor = encoded.factor
            weights *= factor.reshape(*factor.shape, *[1] * (weights.ndim - factor.ndim))
        return weights

    def weights(self, encoded: Mapping[str, Encoded]) -> np.ndarray:
        """Return the sample weights of some rows; ``encoded`` has all heads."""
        labels = encoded[self.name]
        return self.weigh(labels, None if labels.weights is not None else self._is_given(None, encoded))

    def valid(self, encoded: Mapping[str, Encoded]) -> np.ndarray:
        """Return which labels of some rows count, bool ``(B, *weight_shape)``; ``encoded`` has all heads."""
        return self._valid(encoded[self.name], self._is_given(None, encoded))

    def known(self) -> tuple[np.ndarray, np.ndarray] | None:
        """All labels and which of them count, if they are already encoded, else None."""
        if self._ready is None or (self.given is not None and self.given.known() is None):
            return None
        return self._ready.labels, self.valid({self.name: self._ready})

    def _is_given(self, ids: np.ndarray | None, encoded: Mapping[str, Encoded]) -> np.ndarray | None:
        """Return where the ``given=`` head is 1 and counts, bool ``(B,)``; None without such a head.

        Args:
            ids: the rows, int64 ``(B,)``; None for all, or those in ``encoded``.
            encoded: the labels of the rows, by head; others are read.
        """
        given = self.given
        if given is None:
            return None
        flags = encoded.get(given.name) or (given._ready if ids is None else given._read(ids))
        assert flags is not None
        return (flags.labels[:, 0] == 1) & given._valid(flags, given._is_given(ids, encoded))

    def where_one(self, ids: np.ndarray) -> np.ndarray:
        """Return where this head is 1, so that heads with ``given=`` this head count; bool ``(B,)``."""
        encoded, valid = self.at(ids)
        return (encoded.labels[:, 0] == 1) & valid

    def all_rows(self) -> Iterator[tuple[Encoded, np.ndarray]]:
        """Yield the labels of all rows in pieces, from the first row on, and which of them count."""
        rows = max(1, min(SCAN_ROWS, MEAN_BYTES // max(1, self.head.row_bytes)))  # masks of objects are large
        for ids in pieces(self._source, self._columns, rows):
            yield self.at(ids)

    def at(self, ids: np.ndarray) -> tuple[Encoded, np.ndarray]:
        """Return the labels of some rows, and which of them count."""
        encoded = self._read(ids)
        return encoded, self._valid(encoded, self._is_given(ids, {}))

    def annotated_rows(self, encoded: Encoded, valid: np.ndarray) -> np.ndarray:
        """Return which rows have a label that counts, or are annotated as having none, bool ``(B,)``."""
        return valid.reshape(len(valid), -1).any(1) | self.head.empty(encoded.labels, valid)

    def mean_weight(self, whole_vectors: bool = False, ignored: int | None = None) -> float:
        """Return the mean sample weight over all rows, without augmentation, by which losses are divided.

        Args:
            whole_vectors: whether the loss reduces the last axis of labels; the smallest weight along it then counts.
            ignored: the class id that the loss leaves out; its labels, and missing ones that hold it, are not averaged.

        Returns:
            The mean, at least 0; 1 if this head has no weights. It is computed once: from all labels if they are in
            memory or small, else from some rows spread over the source, or the first rows of a sequential source.

        Raises:
            DataError: for a label that is neither valid nor missing, naming its row.
        """
        if not self.weighted:
            return 1.0
        key = whole_vectors, ignored
        if key not in self._mean_weights:
            total, count, rows, all_zero = 0.0, 0, 0, self._ready is None
            for ids in self._rows_for_mean():
                encoded = self._ready or self._read(ids)
                all_zero = all_zero and all_weights_zero(encoded.present, encoded.factor)
                rows += len(ids)
                weights = self.weigh(encoded, self._is_given(ids, {}))
                weights = weights.min(axis=-1) if whole_vectors and weights.ndim > 1 else weights
                labels = encoded.labels
                if ignored is not None and weights.ndim <= labels.ndim:
                    weights = weights.reshape(*weights.shape, *[1] * (labels.ndim - weights.ndim))
                    weights = np.broadcast_to(weights, labels.shape)[labels != ignored]
                total, count = total + float(weights.sum(dtype=np.float64)), count + weights.size
            if all_zero and not self._mean_weights:
                warn_of_no_weight(self.name, self.head, rows)
            self._mean_weights[key] = total / max(count, 1)
        return self._mean_weights[key]

    def _rows_for_mean(self) -> Iterator[np.ndarray]:
        """Yield the ids of the rows from which the mean weight is computed, in pieces; of all rows if `ready`."""
        rows, row_bytes = len(self), self.head.row_bytes
        if self._ready is not None:
            yield np.arange(rows, dtype=np.int64)
        elif self._source.sequential:
            yield np.arange(min(rows, MEAN_ROWS, max(1, MEAN_BYTES // row_bytes)), dtype=np.int64)
        elif row_bytes * rows <= MEAN_BYTES:
            yield from pieces(self._source, self._columns)
        else:
            length = max(1, min(MEAN_ROWS, MEAN_BYTES // row_bytes) // MEAN_RUNS)
            starts = np.linspace(0, rows - length, MEAN_RUNS).astype(np.int64)
            yield from (np.arange(start, start + length, dtype=np.int64) for start in np.unique(starts))

    def _read(self, ids: np.ndarray) -> Encoded:
        return self.encode({} if self.ready else self._source.coded(ids), ids, True)

    def _factor(self, values: Any, ids: np.ndarray | None, present: np.ndarray | None) -> np.ndarray | None:
        """Return the user's own weights of some rows, float32; ``present`` marks the labels present."""
        if values is None:
            return None

        def read(at: np.ndarray | None) -> np.ndarray:
            if at is None:
                return read_weights(values, self._factor_shape, present)
            return read_weights(
                take(values, at), self._factor_shape, None if present is None else present[at]
            )

        def located(bad: BadValue, index: int | None) -> DataError:
            row = row_of(self._source, index, ids)
            return bad.located(head=self.name, column=self.head.sample_weight, row=row)

        return self._of_every_row(read, len(values), ids, located)

    def _shape_of_factor(self) -> tuple[int, ...]:
        """The shape of a row of the user's own weights; ``()`` for one weight a row, or none."""
        column = self.head.sample_weight
        if column is None:
            return ()
        try:
            return weights_shape(self.head, first_rows(self._source, column))
        except BadValue as bad:
            raise bad.located(head=self.name, column=column) from None

    def _encode(
        self, values: Any, ids: np.ndarray | None, check: bool, files: Callable[[], Any] = list
    ) -> tuple[np.ndarray, np.ndarray | None]:
        def encode(at: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
            return self.head.encode(values if at is None else take(values, at), check)

        def located(bad: BadValue, index: int | None) -> DataError:
            row = row_of(self._source, index, ids)
            return bad.located(head=self.name, row=row, file=file_at(files(), index))

        return self._of_every_row(encode, len(values), ids, located)

    def _of_every_row(
        self,
        read: Callable[[np.ndarray | None], T],
        rows: int,
        ids: np.ndarray | None,
        located: Callable[[BadValue, int | None], DataError],
    ) -> T:
        """Return ``read(None)``, which encodes all ``rows`` entries; on an error, find every wrong one.

        Raises:
            DataError: for a wrong value; for a whole column, where ``ids`` is None, naming every row with one.
        """
        try:
            return read(None)
        except BadValue as bad:
            error = located(bad, bad.index)
            if ids is not None or bad.index is None:
                raise error from None
        raise every_wrong_row(read, self._source.ids_of(np.arange(rows, dtype=np.int64)), located)
