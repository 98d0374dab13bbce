"""Heads with a label for each box: the class, keypoints or mask of every object in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar, Self, TypeGuard

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, counted, place, shown, similar
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
    """A property that reads an attribute of a part: ``names = forwarded("head.names")``."""
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
    needs_fitting = forwarded("head.needs_fitting")
    elementwise = forwarded("head.elementwise")
    probabilities = forwarded("head.probabilities")
    activation = forwarded("head.activation")
    losses = forwarded("head.losses")

    def __repr__(self) -> str:
        return repr(self.head)

    @property
    def presence(self) -> bool:
        """True if it predicts the presence of each box, read from the column of the boxes."""
        return self.head.is_binary and self.head.columns("") == (self.boxes_column,)

    def fixed(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, of this head or of the inner one; common fields change in both."""
        outer = {f.name for f in fields(self)}
        inner = {name: changes[name] for name in changes if name in _COMMON or name not in outer}
        changes = {name: value for name, value in changes.items() if name in outer}
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
        return [None if label is None else self.head.to_column(label) for label in labels]

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
        entries = as_entries(value, index, self.places)
        if len(entries) != count:
            fix = "Put None in the place of a box that has no label."
            expected = f"{counted(count, 'entry', 'entries')}, one for each box in `{self.boxes_column}`"
            raise BadValue(index, expected, str(len(entries)), fix)
        return entries

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
            full = boxes.shape[1] == self.places and self._is_full(values)
            if full and self.boxes.missing is None and not np.isnan(boxes).any():
                return values
        rows: list[Any] = []
        for i, (value, boxes_of_row) in enumerate(zip(values, boxes, strict=True)):
            if is_missing(value, self.missing) or is_missing(boxes_of_row, self.boxes.missing):
                rows.append(None)
                continue
            try:
                corners = self.boxes.corners(boxes_of_row)
            except BadValue as bad:
                bad.index = i
                raise
            if self.boxes.not_annotated(corners):
                rows.append(None)
                continue
            entries = self.entries(value, len(corners), i)
            missing = np.isnan(corners).any(1)
            rows.append([None if missing[j] else entries[j] for j in self.boxes.chosen(corners, i)])
        return rows

    def _is_full(self, values: np.ndarray) -> bool:
        """Return whether an array has an entry in each place of all rows."""
        return values.shape[1:2] == (self.places,) or values.ndim == 1 == self.places

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
        resolved = self.fixed(head=head)
        resolved.encode(column.probe())
        return resolved

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
        present = np.broadcast_to(present, (rows * self.places, *self.head.weight_shape))
        return labels, present.reshape(rows, *self.weight_shape)

    def _padded(self, values: Any) -> tuple[Any, int]:
        """Concatenate all entries, with None for places without one; also return the number of rows."""
        values, filler = plain(values), 0 if self.presence else None
        if is_dense(values) and self._is_full(values):
            return values.reshape(-1, *values.shape[2:]), len(values)
        flat: list[Any] = [None] * (len(values) * self.places)
        for i, value in enumerate(values):
            if is_missing(value, self.missing):
                continue
            entries = as_entries(value, i, self.places)
            if len(entries) > self.places:
                expected = f"at most {counted(self.places, 'entry', 'entries')}, one for each box"
                raise BadValue(i, expected, str(len(entries)))
            unused = [filler] * (self.places - len(entries))
            flat[i * self.places : (i + 1) * self.places] = [*entries, *unused]
        return flat, len(values)

    def _flat(self, labels: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return labels.reshape(-1, *self.head.shape), valid.reshape(-1, *self.head.weight_shape)

    # Mixed with other rows -------------------------------------------------------------------------

    def mixable(self, way: str) -> tuple[int, ...]:
        return self.weight_shape  # labels are not mixed with each other: each follows its box

    def mix(
        self, labels: np.ndarray, weights: np.ndarray | None, mixing: Mixing, boxes: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, None]:
        assert weights is not None  # boxes always have weights
        assert boxes is not None
        weight_without_box = self._weight_without_box(weights, mixing) if self.presence else None
        if mixing.patches is None:
            weights = weights * mixing.shares.reshape(*weights.shape[:2], *[1] * (weights.ndim - 2))
        elif self.layer == "mask":
            labels = mixing.alone(labels)
            if weights.shape[3:] != (1, 1):  # pixels outside of the visible part have no label
                weights = mixing.alone(weights)
        elif self.layer == "points":
            scale = np.array((1, 1) if self.head.labels_in_pixels else mixing.size[::-1])
            points, visible = mixing.points(labels.astype(np.float64) * scale)
            weights = weights * visible
            labels = np.where(weights[..., None] > 0, points / scale, 0).astype(np.float32)
        mixed = take_places(together(weights), boxes)
        if weight_without_box is not None:
            mixed = np.where(boxes < 0, weight_without_box, mixed)
        return take_places(together(labels), boxes), mixed.astype(np.float32), None

    def _weight_without_box(self, weights: np.ndarray, mixing: Mixing) -> np.ndarray:
        """The weight of a place without a box, ``(B, 1)``; 0 if a visible component was not annotated."""
        of_rows = weights.max(2)
        annotated = ((of_rows > 0) | (mixing.shares == 0)).all(0)
        return np.asarray(np.where(annotated, (of_rows * mixing.shares).sum(0), 0)[:, None])

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
        return self.head.describe(*self._flat(labels, valid))

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
        return dense_output(flat_features(features), name, self.output_shape, self.activation)


_COMMON = {f.name for f in fields(Head) if f.init}


def is_each(head: Head) -> TypeGuard[Each]:
    """Return whether a head, as returned by `for_boxes`, has one label for each box."""
    return head.each is not None


def for_boxes(heads: Mapping[str, Head]) -> dict[str, Head]:
    """Return the heads, with those with ``each=`` wrapped as heads for each box.

    The ``given`` of such a head is by default that of the boxes.

    Raises:
        ContractError: if ``each=`` does not name a head of boxes, or is set on one.
    """
    wrapped: dict[str, Head] = {}
    problems = []
    for name, head in heads.items():
        if head.each is None:
            wrapped[name] = head
            continue
        boxes, inner = heads.get(head.each), head.inner
        columns = () if boxes is None else boxes.columns(head.each)
        if isinstance(boxes, Boxes) and not isinstance(inner, Boxes) and len(columns) == 1:
            common = {field: getattr(inner, field) for field in _COMMON}
            common["given"] = inner.given or boxes.given
            wrapped[name] = Each(inner, boxes, columns[0], **common)
            continue
        fix = ""
        if isinstance(inner, Boxes):
            expected, found = "no each= for boxes themselves", repr(head.each)
        elif isinstance(boxes, Boxes):
            expected, found = "boxes in one column, a list of them in each row", shown(list(columns))
            fix = (
                "If each row has one box, leave out each=. If an image has several rows, make a column of boxes, "
                f"frame[{shown(list(columns))}].to_numpy().tolist(), and group the rows by image."
            )
        else:
            names = [n for n, other in heads.items() if isinstance(other, Boxes)]
            expected = f"the name of a head of boxes ({', '.join(names) or 'there is none'})"
            found = "no head of that name" if boxes is None else type(boxes).__name__
            fix = similar(head.each, names) if boxes is None else ""
            if boxes is None and not names:
                fix = f"Declare it among the heads: {head.each!r}: ph.Boxes(n), with room for n boxes."
        problems.append(Problem(f"{place(head=name)}, each={head.each!r}", expected, found, fix))
    if problems:
        raise ContractError(*problems)
    return wrapped
