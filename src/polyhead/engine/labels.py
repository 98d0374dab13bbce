"""The labels and weights of one head: encoded once where the column is small and in memory, else batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from polyhead.engine.columns import stacked
from polyhead.errors import BadValue
from polyhead.kinds import Head
from polyhead.sources.base import SCAN_ROWS, Source

READY_ROW_BYTES = 256
READY_BYTES = 1 << 30


class Encoded(NamedTuple):
    """Some rows of one head.

    Attributes:
        labels: ``(B, *shape)``.
        there: bool ``(B, *weight_shape)``, or None where all are.
        weights: float32 ``(B, *weight_shape)`` where they are worked out already.
    """

    labels: np.ndarray
    there: np.ndarray | None
    weights: np.ndarray | None = None


class Labels:
    """One head's labels.

    Args:
        name: of the head.
        head: resolved.
        source: where its column is.
        given: the labels of the head it is given, if any.

    Attributes:
        head: with balanced class weights worked out.
        weighted: whether this head needs sample weights.

    Raises:
        DataError: for a label that is neither valid nor missing, with its row.
    """

    def __init__(self, name: str, head: Head, source: Source, given: Labels | None) -> None:
        self.name, self.head, self.given = name, head, given
        self._columns = head.columns(name)
        self._source = source.only(self._columns)
        self._ready: Encoded | None = None
        column = self._whole = source.column(self._columns[0]) if len(self._columns) == 1 else None
        row_bytes = int(np.prod(head.shape)) * np.dtype(head.dtype).itemsize
        if column is not None and row_bytes <= READY_ROW_BYTES and row_bytes * len(source) <= READY_BYTES:
            self._ready = Encoded(*self._encode(column, None, True))
        if head.class_weight == "balanced":
            counts = [self.head.count(found.labels, here) for found, here in self.everything()]
            self.head = head.balanced(np.sum(counts, axis=0))
        self.weighted = given is not None or self.head.class_weight is not None or self._may_miss()
        if self._ready is not None and self.weighted and (given is None or given._ready is not None):
            self._ready = self._ready._replace(weights=self.weigh(self._ready, self._wanted(None, {})))

    @property
    def ready(self) -> bool:
        """Whether all labels are encoded already, so that a batch is but a gather."""
        return self._ready is not None

    def _may_miss(self) -> bool:
        """Whether labels may be missing: known where all are encoded, else taken from the column's type.

        It is decided once, as the structure of batches must not change.
        """
        if self._ready is not None:
            return self._ready.there is not None
        probe = self._values(self._source.read(np.arange(min(1, len(self._source)))))
        sure = isinstance(probe, np.ndarray) and probe.dtype.kind in "iub" and self.head.missing is None
        return not sure or self.head.weight_shape not in ((), (1, 1))

    def encode(self, rows: Mapping[str, Any], ids: np.ndarray, check: bool) -> Encoded:
        """The labels at ``ids``; ``rows`` holds their columns where they are not encoded already."""
        if self._ready is None:
            gathered = None if check or self._whole is None else self.head.gather(self._whole, ids)
            if gathered is not None:
                return Encoded(gathered, None)
            return Encoded(*self._encode(self._values(rows), ids, check))
        labels, there, weights = self._ready
        return Encoded(
            np.take(labels, ids, axis=0),
            None if there is None else np.take(there, ids, axis=0),
            None if weights is None else np.take(weights, ids, axis=0),
        )

    def counts(self, found: Encoded, wanted: np.ndarray | None) -> np.ndarray:
        """Which labels count: there, and ``wanted`` by the head it is given; bool ``(B, *weight_shape)``."""
        shape = (len(found.labels), *self.head.weight_shape)
        counts = np.ones(shape, bool) if found.there is None else np.broadcast_to(found.there, shape)
        return (
            counts if wanted is None else counts & wanted.reshape((-1,) + (1,) * len(self.head.weight_shape))
        )

    def weigh(self, found: Encoded, wanted: np.ndarray | None) -> np.ndarray:
        """The sample weights: presence, ``given`` and class weight multiplied; float32 ``(B, *weight_shape)``."""
        if found.weights is not None:
            return found.weights
        weights = self.counts(found, wanted).astype(np.float32)
        if self.head.class_weight is not None:
            weights *= self.head.class_factor(found.labels)
        return weights

    def weights(self, found: Mapping[str, Encoded]) -> np.ndarray:
        """The sample weights of some rows, of which ``found`` holds all heads."""
        one = found[self.name]
        return one.weights if one.weights is not None else self.weigh(one, self._wanted(None, found))

    def counting(self, found: Mapping[str, Encoded]) -> np.ndarray:
        """Which labels of some rows count, of which ``found`` holds all heads; bool ``(B, *weight_shape)``."""
        return self.counts(found[self.name], self._wanted(None, found))

    def known(self) -> tuple[np.ndarray, np.ndarray] | None:
        """All labels, and which of them count, where they are encoded already."""
        if self._ready is None or (self.given is not None and self.given.known() is None):
            return None
        return self._ready.labels, self.counting({self.name: self._ready})

    def _wanted(self, ids: np.ndarray | None, found: Mapping[str, Encoded]) -> np.ndarray | None:
        """Where the head it is given is 1 and counts itself, bool ``(B,)``: of ``found``, of ids, or of all."""
        if self.given is None:
            return None
        name = self.given.name
        if name in found:
            one = found[name]
        elif ids is None:
            assert self.given._ready is not None
            one = self.given._ready
        else:
            one = self.given._read(ids)
        return (one.labels[:, 0] == 1) & self.given.counts(one, self.given._wanted(ids, found))

    def everything(self) -> Iterator[tuple[Encoded, np.ndarray]]:
        """All rows from the first on, in pieces, and which of their labels count."""
        rows = len(self._source)
        for start in range(0, rows, SCAN_ROWS):
            ids = np.arange(start, min(start + SCAN_ROWS, rows), dtype=np.int64)
            found = self._read(ids)
            yield found, self.counts(found, self._wanted(ids, {}))

    def _read(self, ids: np.ndarray) -> Encoded:
        return self.encode({} if self.ready else self._source.read(ids), ids, True)

    def _values(self, rows: Mapping[str, Any]) -> Any:
        return stacked([rows[c] for c in self._columns])

    def _encode(
        self, values: Any, ids: np.ndarray | None, check: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        try:
            return self.head.encode(values, check)
        except BadValue as bad:
            row = bad.index if bad.index is None or ids is None else int(ids[bad.index])
            raise bad.located(head=self.name, row=row) from None
