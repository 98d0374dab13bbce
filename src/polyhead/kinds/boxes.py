"""The head for boxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, counted, is_number, require_choice, shown
from polyhead.kinds.coordinates import Coordinates
from polyhead.kinds.head import Head
from polyhead.kinds.judging_boxes import CROWD, BoxesJudge, BoxHeads
from polyhead.kinds.missing import (
    as_float32,
    first_row,
    is_dense,
    is_missing,
    plain,
)
from polyhead.kinds.mixed_labels import Mixing, choose, take_places, together
from polyhead.kinds.predicted_columns import Move, PredictedColumn, Views

_FORMATS = ("xyxy", "xywh", "cxcywh", "yxyx")
UNKNOWN = np.float32(-1)
"""Fills all places of a row that was not annotated; places without a box in other rows are 0."""

_OVERFLOWS = ("raise", "largest", "first")


@dataclass(frozen=True, repr=False)
class Boxes(Coordinates):
    """Up to ``max_boxes`` boxes per row, as ``xyxy`` in float32 ``(B, max_boxes, 4)``, each with a weight.

    The column is ``(N, 4)``, ``(N, max_boxes, 4)``, or a list of ``(k, 4)`` per row; NaN or None where there is
    no box. Places without a box are 0 and have weight 0.

    An empty list means that a row has no boxes; None means that it was not annotated, and all its places are -1. To
    train on absent boxes, add ``ph.Binary(each=..., column=...)`` on the same column: it is 1 where there is a box,
    0 in the remaining places, and has weight 0 in rows of None. A row of only NaN counts as None.

    Attributes:
        max_boxes: the largest number of boxes in a row.
        format: the format of the column: ``"xyxy"``, ``"xywh"``, ``"cxcywh"`` or ``"yxyx"``.
        normalized: the model predicts coordinates in 0–1 of the image's size rather than in pixels.
        column_normalized: the column has coordinates in 0–1 of the image's size; by default as ``normalized``.
        overflow: what to do with more than ``max_boxes`` boxes: ``"raise"``, keep the ``"largest"`` or the ``"first"``.
        min_visible: the smallest visible fraction with which a box is kept when the image is augmented.
        nms: non-maximum suppression in `polyhead.predict`: a box is left out if its intersection over union with a
            higher-scoring box of its class exceeds this number in [0, 1]. None keeps all.

    >>> Boxes(1, format="xywh").encode(np.array([[2.0, 2, 3, 4]]))[0].tolist()
    [[[2.0, 2.0, 5.0, 6.0]]]
    """

    max_boxes: int = 1
    _: KW_ONLY
    format: str = "xyxy"
    overflow: str = "raise"
    min_visible: float = 0.1
    nms: float | None = None

    layer = "boxes"
    hint_columns = ("crowd",)  # which read_coco(crowds="keep") has
    _widths = (4,)
    _may_be_fewer = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("Boxes(format=)", self.format, _FORMATS)
        require_choice("Boxes(overflow=)", self.overflow, _OVERFLOWS)
        if not is_number(self.min_visible) or not 0 <= self.min_visible <= 1:
            raise ContractError(Problem("Boxes(min_visible=)", "a number in [0, 1]", shown(self.min_visible)))
        if self.nms is not None and (not is_number(self.nms) or not 0 <= self.nms <= 1):
            raise ContractError(Problem("Boxes(nms=)", "a number in [0, 1], or None", shown(self.nms)))

    @property
    def meaning(self) -> dict[str, Any]:
        return {**super().meaning, "format": self.format}

    @property
    def places(self) -> int:
        return self.max_boxes

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.max_boxes, 4)

    def corners(self, value: Any) -> np.ndarray:
        """Return a row's boxes as ``xyxy``, float64 ``(k, 4)``, in the unit of the column; NaN for missing boxes.

        Raises:
            BadValue: for values that are not boxes, or a box with a negative size.
        """
        found = self._laid_out(value, "boxes (k, 4)")
        boxes = found if self.format == "xyxy" else _as_xyxy(found, self.format)
        with np.errstate(invalid="ignore"):
            turned = (boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1])
        if turned.any():
            raise self._turned(0, found[turned][0])
        return boxes

    def chosen(self, boxes: np.ndarray, index: int = 0) -> np.ndarray:
        """Choose which of a row's boxes to keep, at most ``max_boxes``; returns their indices, in order.

        Args:
            boxes: the boxes as ``xyxy``, ``(k, 4)``.
            index: the index of the row, for errors.

        Raises:
            BadValue: for more than ``max_boxes`` boxes, if ``overflow="raise"``.
        """
        count = len(boxes)
        if count <= self.places or self.overflow == "first":
            return np.arange(min(count, self.places))
        if self.overflow == "raise":
            fix = f'Say Boxes({count}), or overflow="largest" or "first".'
            raise BadValue(index, f"at most {self.places} of them", str(count), fix)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        order = np.argsort(-area, kind="stable")  # a missing box is NaN, and therefore last
        return np.sort(order[: self.places])

    def to_pixels(self, value: Any, size: tuple[int, int]) -> np.ndarray:
        return self._in_image(self.corners(value), size, "corners of boxes")

    def fitting(self, boxes: np.ndarray) -> np.ndarray:
        return super().fitting(boxes) if self.overflow == "raise" else self.chosen(boxes)

    def not_annotated(self, boxes: np.ndarray) -> bool:
        """Return whether a row was not annotated: it has boxes ``(k, 4)``, all of them NaN."""
        return bool(len(boxes)) and bool(np.isnan(boxes).any(1).all())

    def from_pixels(self, found: np.ndarray, kept: np.ndarray | None, size: tuple[int, int]) -> Any:
        boxes = found if kept is None else found[kept]
        return boxes / np.tile(size[::-1], 2) if self.normalized else boxes

    def to_column(self, boxes: np.ndarray) -> np.ndarray:
        """Convert boxes ``(k, 4)`` from ``xyxy`` to the format of the column."""
        return boxes if self.format == "xyxy" else _from_xyxy(boxes, self.format)

    def corners_of(self, written: np.ndarray) -> np.ndarray:
        return written if self.format == "xyxy" else _as_xyxy(written, self.format)

    def for_image(self, size: tuple[int, int], uncovered: bool = False) -> Self:
        return self.fixed(format="xyxy", missing=None, column_normalized=None)

    def _fewer(self, row: np.ndarray, index: int) -> np.ndarray:
        return row[self.chosen(row if self.format == "xyxy" else _as_xyxy(row, self.format), index)]

    def _turned(self, index: int, box: np.ndarray) -> BadValue:
        fix = f"If the column has another format, say Boxes(format=...): {', '.join(_FORMATS)}."
        return BadValue(index, f"a box as {self.format} with a size of at least 0", shown(box.tolist()), fix)

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        array, there = self._entries(values, f"boxes of shape {self.shape}")
        if there is not None:
            array = np.where(there[..., None], array, array.dtype.type(0))
        boxes = array if self.format == "xyxy" else _as_xyxy(array.astype(np.float64), self.format)
        if check:
            self._check(boxes, "corners of boxes")
            turned = (boxes[..., 2] < boxes[..., 0]) | (boxes[..., 3] < boxes[..., 1])
            row = first_row(turned)
            if row is not None:
                raise self._turned(row, array[row][int(turned[row].argmax())])
        labels = as_float32(boxes, check)
        unknown = None if there is None else self._unknown(values, there)
        if unknown is not None and unknown.any():
            labels = np.where(unknown[:, None, None], UNKNOWN, labels)
        return labels, there

    def _unknown(self, values: Any, there: np.ndarray) -> np.ndarray:
        """The rows that were not annotated, bool ``(B,)``: those without a box that are not an empty list."""
        found: np.ndarray = ~np.any(there, axis=1)
        values = plain(values)
        if is_dense(values):
            return found & (values.size > 0)
        for i in np.flatnonzero(found).tolist():
            found[i] = is_missing(values[i], self.missing) or np.size(values[i]) > 0
        return found

    def empty(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        found: np.ndarray = ~np.any(valid, axis=1) & np.all(labels == 0, axis=(1, 2))
        return found

    def fillers(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.all(labels[..., :2] == labels[..., 2:], axis=2) & valid
        return found

    def describe(self, labels: np.ndarray, valid: np.ndarray) -> str:
        empty = int(self.empty(labels, valid).sum())
        words = [super().describe(labels, valid)] if valid.any() or not empty else []
        words += [f"{counted(empty, 'row')} with 0 boxes"] * bool(empty)
        return ", ".join(words)

    weighs_when_mixed = True

    def mixable(self, way: str) -> tuple[int, ...]:
        if self.overflow == "raise":
            expected = 'overflow="largest" or "first", as the boxes of several rows come together'
            fix = f'Say ph.Boxes({self.max_boxes}, overflow="largest").'
            raise BadValue(None, expected, 'overflow="raise"', fix)
        return self.weight_shape

    def mix(
        self, labels: np.ndarray, weights: np.ndarray | None, mixing: Mixing
    ) -> tuple[np.ndarray, np.ndarray | None]:
        return self.mix_places(labels, weights, mixing)[:2]

    def mix_places(
        self,
        labels: np.ndarray,
        weights: np.ndarray | None,
        mixing: Mixing,
        along: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scale = np.tile(mixing.size[::-1], 2) if self.normalized else 1
        boxes, seen = mixing.boxes(labels.astype(np.float64) * scale)
        parts = np.ones(seen.shape, np.float32) if weights is None else weights
        if mixing.patches is None:
            parts = parts * mixing.shares[..., None].astype(np.float32)
        kept = (parts > 0) & (seen > 1e-6) & (seen >= self.min_visible - 1e-6)  # corners are rounded
        beside, sides = together(boxes), None
        if self.overflow == "largest":
            sides = (beside[..., 2] - beside[..., 0]) * (beside[..., 3] - beside[..., 1])
            if mixing.patches is None:  # a box with a small share ranks lower
                sides = sides * np.repeat(mixing.shares.T, self.max_boxes, 1)
        places = choose(together(kept), self.max_boxes, sides)
        found = take_places(beside / scale, places).astype(np.float32)
        unknown = ((labels == UNKNOWN).all((2, 3)) | (mixing.shares == 0)).all(0)
        found[unknown] = UNKNOWN
        return found, take_places(together(parts), places), places

    def unmoved(self, outputs: np.ndarray, move: Move) -> np.ndarray:
        found = super().unmoved(outputs, move)
        ends = found.reshape(*found.shape[:-1], 2, 2)
        return np.concatenate([ends.min(-2), ends.max(-2)], -1)

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        if views is not None:
            found = self._in_pixels(outputs, views)
            outputs = np.stack([view.boxes(boxes) for view, boxes in zip(views, found, strict=True)])
        return {"": PredictedColumn(self.to_column(outputs))}

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> BoxesJudge:
        return BoxesJudge(name, BoxHeads.of(name, self.given, heads))

    def also_read(self, name: str, columns: Mapping[str, Any]) -> dict[str, Head]:
        from polyhead.kinds.binary import Binary

        crowd = columns.get("crowd")
        known = isinstance(crowd, np.ndarray) and crowd.ndim == 1 and crowd.dtype == bool
        crowds = {CROWD.format(name): Binary(column="crowd", each=name)} if known else {}
        return super().also_read(name, columns) | crowds

    def default_metrics(self, logits: bool) -> list[Any]:
        from polyhead.kinds.iou import BoxIoU

        return [BoxIoU()]


def _as_xyxy(boxes: np.ndarray, form: str) -> np.ndarray:
    a, b, c, d = np.moveaxis(boxes, -1, 0)
    if form == "xywh":
        corners = (a, b, a + c, b + d)
    elif form == "cxcywh":
        corners = (a - c / 2, b - d / 2, a + c / 2, b + d / 2)
    else:
        corners = (b, a, d, c)
    return np.stack(corners, -1)


def _from_xyxy(boxes: np.ndarray, form: str) -> np.ndarray:
    a, b, c, d = np.moveaxis(boxes, -1, 0)
    if form == "xywh":
        found = (a, b, c - a, d - b)
    elif form == "cxcywh":
        found = ((a + c) / 2, (b + d) / 2, c - a, d - b)
    else:
        found = (b, a, d, c)
    return np.stack(found, -1)
