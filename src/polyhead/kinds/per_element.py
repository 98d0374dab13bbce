"""Heads with a label for each box: the class, keypoints or mask of every object in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, counted
from polyhead.kinds.box_entries import Entries, as_entries
from polyhead.kinds.boxes import Boxes
from polyhead.kinds.head import Head
from polyhead.kinds.judging import EachJudge
from polyhead.kinds.missing import is_dense, is_missing, plain
from polyhead.kinds.mixed_labels import Mixing, take_places, together
from polyhead.kinds.output_layers import dense_output, flat_features
from polyhead.kinds.predicted_columns import Move, PredictedColumn, Views
from polyhead.kinds.source_column import Column


def forwarded(path: str) -> Any:
    """A property that is that of a part: ``names = forwarded("head.names")``."""
    return property(attrgetter(path))


@dataclass(frozen=True, repr=False)
class Each(Head):
    """A head with one label for each box of another head, made from a head with ``each="box"``.

    The column has one entry per box, in the order of the boxes. Entries follow their boxes: they are left out together,
    and have weight 0 if the box is missing. Labels are ``(B, max_boxes, *shape)``, weights
    ``(B, max_boxes, *weight_shape)``, with the shapes of the inner head.

    >>> from polyhead.kinds import Categorical, for_boxes
    >>> kind = for_boxes({"box": Boxes(2), "kind": Categorical(["cat", "dog"], each="box")})["kind"]
    >>> labels, there = kind.encode([["dog"], ["cat", "dog"]])
    >>> labels.tolist(), there.tolist()
    ([[1, 0], [0, 1]], [[True, False], [True, True]])
    """

    head: Head
    boxes: Boxes
    boxes_column: str

    takes_class_weight: ClassVar[bool] = True
    takes_colors: ClassVar[bool] = True

    inner = forwarded("head")
    places = forwarded("boxes.places")
    dtype = forwarded("head.dtype")
    classes = forwarded("head.classes")
    """The classes of the inner head, as declared or learned; an `AttributeError` if it has none."""
    names = forwarded("head.names")
    meaning = forwarded("head.meaning")
    scaling = forwarded("head.scaling")
    to_be_fitted = forwarded("head.to_be_fitted")
    elementwise = forwarded("head.elementwise")
    probabilities = forwarded("head.probabilities")
    losses = forwarded("head.losses")

    @classmethod
    def wrapping(cls, head: Head, boxes: Boxes, boxes_column: str) -> Self:
        """Wrap a head for each box; its ``given`` is by default that of the boxes."""
        common = {f.name: getattr(head, f.name) for f in fields(Head) if f.init}
        common["given"] = head.given or boxes.given
        return cls(head, boxes, boxes_column, **common)

    def __repr__(self) -> str:
        return repr(self.head)

    @property
    def presence(self) -> bool:
        """Whether it predicts the presence of each box, read from the column of the boxes."""
        return self.head.is_binary and self.head.columns("") == (self.boxes_column,)

    def fixed(self, **changes: Any) -> Self:
        own = {f.name for f in fields(self)}
        inner = {name: changes[name] for name in changes if name in _COMMON or name not in own}
        changes = {name: value for name, value in changes.items() if name in own}
        if inner and "head" not in changes:
            changes["head"] = self.head.fixed(**inner)
        return super().fixed(**changes)

    def columns(self, name: str) -> tuple[str, ...]:
        return self.head.columns(name)

    def reads(self, name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.head.reads(name), self.boxes_column)))

    # Shapes ----------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.places, *self.head.shape)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.places, *self.head.weight_shape)

    @property
    def weight_forms(self) -> tuple[tuple[int, ...], ...]:
        return tuple((self.places, *shape) for shape in ((), *self.head.weight_forms))

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.places, *self.head.output_shape)

    def located(self, name: str) -> dict[str, str]:
        """The place of an error in its entries, as keywords for `place`; ``name`` is the name of the head."""
        return {"head": name}

    # Along with the boxes --------------------------------------------------------------------------

    @property
    def layer(self) -> str | None:
        return self.head.layer or "entry"

    def needs_rendering(self, values: Any) -> bool:
        if self.layer not in ("mask", "points"):
            return False
        rows = [row for row in plain(values) if not is_missing(row, self.missing)]
        return self.head.needs_rendering([entry for row in rows for entry in as_entries(row, 0, self.places)])

    def to_column(self, labels: Any) -> Any:
        return [None if one is None else self.head.to_column(one) for one in labels]

    def for_image(self, size: tuple[int, int], uncovered: bool = False) -> Self:
        return self.fixed(head=self.head.for_image(size, uncovered))

    def for_store(self) -> Self:
        return self.fixed(head=self.head.for_store(), boxes=self.boxes.for_store())

    def for_drawn_labels(self) -> Self:
        return self.fixed(head=self.head.for_drawn_labels())

    def for_column(self, raw: Head) -> Head:
        assert isinstance(raw, Each)
        return self.fixed(head=self.head.for_column(raw.head), boxes=raw.boxes)

    def entries(self, value: Any, count: int, index: int = 0) -> Any:
        """Return a row's entries, one for each of its boxes.

        Args:
            value: a value of the column, not missing.

        Raises:
            BadValue: if there are more or fewer entries.
        """
        if self.presence:
            return [1] * count
        found = as_entries(value, index, self.places)
        if len(found) != count:
            fix = "Put None in the place of a box that has no label."
            expected = f"{counted(count, 'entry', 'entries')}, one for each box in `{self.boxes_column}`"
            raise BadValue(index, expected, str(len(found)), fix)
        return found

    def of_kept_boxes(self, values: Any, boxes: Any) -> Any:
        """Return the entries of the boxes that are kept, for rows without a transformed image.

        Args:
            values: values of the column, ``(B, ...)``.
            boxes: values of the boxes' column, ``(B, ...)``.

        Returns:
            At most ``max_boxes`` entries per row, None for a missing box.

        Raises:
            BadValue: if the numbers of entries and boxes differ.
        """
        values, boxes = plain(values), plain(boxes)
        if not self.presence and is_dense(values) and is_dense(boxes) and boxes.dtype.kind == "f":
            boxes = boxes[:, None] if boxes.ndim == 2 else boxes
            alike = boxes.shape[1] == self.places and (
                values.shape[1:2] == (self.places,) or (values.ndim == 1 and self.places == 1)
            )
            if alike and self.boxes.missing is None and not np.isnan(boxes).any():
                return values
        found: list[Any] = []
        for i, (value, some) in enumerate(zip(values, boxes, strict=True)):
            if is_missing(value, self.missing) or is_missing(some, self.boxes.missing):
                found.append(None)
                continue
            try:
                corners = self.boxes.corners(some)
            except BadValue as bad:
                bad.index = i
                raise
            if self.boxes.not_annotated(corners):
                found.append(None)
                continue
            entries = self.entries(value, len(corners), i)
            gone = np.isnan(corners).any(1)
            found.append([None if gone[j] else entries[j] for j in self.boxes.chosen(corners, i)])
        return found

    # Labels ----------------------------------------------------------------------------------------

    def with_facts(self, column: Column) -> Self:
        return self.fixed(head=self.head.with_facts(column))

    def resolve(self, column: Column) -> Self:
        entries = Entries(column, self.places)
        try:
            head = self.head.resolve(entries)
        except BadValue as bad:
            bad.index = None if bad.index is None else entries.row(bad.index)
            raise
        found = self.fixed(head=head)
        found.encode(column.probe())
        return found

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        flat, rows = self._padded(values)
        try:
            labels, present = self.head.encode(flat, check)
        except BadValue as bad:
            if bad.index is not None:
                bad.found += f" (box {bad.index % self.places})"
                bad.index //= self.places
            raise
        labels = labels.reshape(rows, *self.shape)
        if present is None:
            return labels, None
        whole = np.broadcast_to(present, (rows * self.places, *self.head.weight_shape))
        return labels, whole.reshape(rows, *self.weight_shape)

    def _padded(self, values: Any) -> tuple[Any, int]:
        """Concatenate all entries, with None for places without one; also return the number of rows."""
        values, filler = plain(values), 0 if self.presence else None
        if is_dense(values) and (values.shape[1:2] == (self.places,) or values.ndim == 1 == self.places):
            return values.reshape(-1, *values.shape[2:]), len(values)
        flat: list[Any] = [None] * (len(values) * self.places)
        for i, value in enumerate(values):
            if is_missing(value, self.missing):
                continue
            found = as_entries(value, i, self.places)
            if len(found) > self.places:
                expected = f"at most {self.places} of them, as there is room for so many boxes"
                raise BadValue(i, expected, str(len(found)))
            rest = [filler] * (self.places - len(found))
            flat[i * self.places : (i + 1) * self.places] = [*found, *rest]
        return flat, len(values)

    def _flat(self, labels: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return labels.reshape(-1, *self.head.shape), valid.reshape(-1, *self.head.weight_shape)

    # Mixed with other rows -------------------------------------------------------------------------

    def mixable(self, way: str) -> tuple[int, ...]:
        return self.weight_shape  # labels are not mixed with each other: each follows its box

    def mix_places(
        self,
        labels: np.ndarray,
        weights: np.ndarray | None,
        mixing: Mixing,
        along: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, None]:
        assert weights is not None  # boxes always have weights
        assert along is not None
        rest = self._nowhere(weights, mixing) if self.presence else None
        if mixing.patches is None:
            weights = weights * mixing.shares.reshape(*weights.shape[:2], *[1] * (weights.ndim - 2))
        elif self.layer == "mask":
            labels = mixing.alone(labels)
            if weights.shape[3:] != (1, 1):  # pixels outside of the visible part have no label
                weights = mixing.alone(weights)
        elif self.layer == "points":
            scale = np.array((1, 1) if self.head.labels_in_pixels else mixing.size[::-1])
            points, seen = mixing.points(labels.astype(np.float64) * scale)
            weights = weights * seen
            labels = np.where(weights[..., None] > 0, points / scale, 0).astype(np.float32)
        found = take_places(together(weights), along)
        if rest is not None:
            found = np.where(along < 0, rest, found)
        return take_places(together(labels), along), found.astype(np.float32), None

    def _nowhere(self, weights: np.ndarray, mixing: Mixing) -> np.ndarray:
        """The weight of a place without a box, ``(B, 1)``; 0 if a visible component was not annotated."""
        rows = weights.max(2)
        known = ((rows > 0) | (mixing.shares == 0)).all(0)
        return np.asarray(np.where(known, (rows * mixing.shares).sum(0), 0)[:, None])

    def unseen(self, boxes: np.ndarray) -> list[None]:
        """For a head of presence, one None for each missing box; empty for other heads."""
        return [None] * int(np.isnan(boxes).any(1).sum()) if self.presence else []

    def count(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        return self.head.count(*self._flat(labels, valid))

    def balanced(self, class_counts: np.ndarray) -> Self:
        head = self.head.balanced(class_counts)
        return self.fixed(head=head, class_weight=head.class_weight)

    def class_factor(self, labels: np.ndarray) -> np.ndarray:
        factor = self.head.class_factor(labels.reshape(-1, *self.head.shape))
        return factor.reshape(len(labels), self.places, *factor.shape[1:])

    def describe(self, labels: np.ndarray, valid: np.ndarray) -> str:
        flat, kept = self._flat(labels, valid)
        return self.head.describe(flat, kept)

    def unmoved(self, outputs: np.ndarray, move: Move) -> np.ndarray:
        return self.head.unmoved(outputs.reshape(-1, *self.head.output_shape), move).reshape(outputs.shape)

    def likely(self, outputs: np.ndarray, logits: bool) -> np.ndarray:
        return self.head.likely(outputs, logits)

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        each = None if views is None else [view for view in views for _ in range(self.places)]
        flat = self.head.decode(outputs.reshape(-1, *self.head.output_shape), logits, each)
        return {name: column.per_box(self.places) for name, column in flat.items()}

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> EachJudge:
        return EachJudge(name, self.head.fixed(given=None).judge(name, heads, size))  # `given` refers to rows

    # Keras -----------------------------------------------------------------------------------------

    def default_loss(self, logits: bool) -> Any:
        return self.head.default_loss(logits)

    def default_metrics(self, logits: bool) -> list[Any]:
        return self.head.default_metrics(logits)

    def output(self, features: Any, name: str) -> Any:
        activation = self.probabilities[0] if self.probabilities else None
        return dense_output(flat_features(features), name, self.output_shape, activation)


_COMMON = {f.name for f in fields(Head) if f.init}
