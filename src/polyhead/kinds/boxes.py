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
from polyhead.kinds.missing import as_float32, first_row, is_dense, is_missing, plain
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
        row = self._present_entries(value, "boxes (k, 4)")
        boxes = self.corners_of(row)
        self._require_sides(boxes[None], row[None])
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
            fix = f'Say Boxes({count}), or more if other rows have more, or overflow="largest" or "first".'
            raise BadValue(index, f"at most {counted(self.places, 'box')}", str(count), fix)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        order = np.argsort(-area, kind="stable")  # a missing box is NaN, and therefore last
        return np.sort(order[: self.places])

    def to_pixels(self, value: Any, size: tuple[int, int]) -> np.ndarray:
        return self._in_image(self.corners(value), size, "corners of boxes")

    def indices_to_keep(self, boxes: np.ndarray) -> np.ndarray:
        return super().indices_to_keep(boxes) if self.overflow == "raise" else self.chosen(boxes)

    def not_annotated(self, boxes: np.ndarray) -> bool:
        """Return whether a row was not annotated: it has boxes ``(k, 4)``, all of them NaN."""
        return bool(len(boxes)) and bool(np.isnan(boxes).any(1).all())

    def from_pixels(self, label: np.ndarray, visible: np.ndarray | None, size: tuple[int, int]) -> Any:
        boxes = label if visible is None else label[visible]
        return boxes / np.tile(size[::-1], 2) if self.normalized else boxes

    def to_column(self, boxes: np.ndarray) -> np.ndarray:
        """Convert boxes ``(..., 4)`` from ``xyxy`` to the format of the column."""
        if self.format == "xyxy":
            return boxes
        x0, y0, x1, y1 = np.moveaxis(boxes, -1, 0)
        if self.format == "yxyx":
            return np.stack((y0, x0, y1, x1), -1)
        first = (x0, y0) if self.format == "xywh" else ((x0 + x1) / 2, (y0 + y1) / 2)
        return np.stack((*first, x1 - x0, y1 - y0), -1)

    def corners_of(self, boxes: np.ndarray) -> np.ndarray:
        if self.format == "xyxy":
            return boxes
        a, b, c, d = np.moveaxis(boxes, -1, 0)
        if self.format == "yxyx":
            return np.stack((b, a, d, c), -1)
        if self.format == "xywh":
            return np.stack((a, b, a + c, b + d), -1)
        return np.stack((a - c / 2, b - d / 2, a + c / 2, b + d / 2), -1)

    def for_image(self, size: tuple[int, int], uncovered: bool = False) -> Self:
        return self.fixed(format="xyxy", missing=None, column_normalized=None)

    def _fewer(self, row: np.ndarray, index: int) -> np.ndarray:
        return row[self.chosen(self.corners_of(row), index)]

    def _require_sides(self, boxes: np.ndarray, values: np.ndarray) -> None:
        """Raise for the first of the boxes ``(B, k, 4)`` with a negative side; ``values`` are as in the column."""
        with np.errstate(invalid="ignore"):
            turned = (boxes[..., 2] < boxes[..., 0]) | (boxes[..., 3] < boxes[..., 1])
        row = first_row(turned)
        if row is not None:
            box = shown(values[row][turned[row]][0].tolist())
            fix = f"If the column has another format, say Boxes(format=...): {', '.join(_FORMATS)}."
            raise BadValue(row, f"a box as {self.format} with a size of at least 0", box, fix)

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        array, present = self._entries(values, f"boxes of shape {self.shape}")
        if present is not None:
            array = np.where(present[..., None], array, array.dtype.type(0))
        boxes = array if self.format == "xyxy" else self.corners_of(array.astype(np.float64))
        if check:
            self._check(boxes, "corners of boxes")
            self._require_sides(boxes, array)
        labels = as_float32(boxes, check)
        unknown = None if present is None else self._unknown(values, present)
        if unknown is not None and unknown.any():
            labels = np.where(unknown[:, None, None], UNKNOWN, labels)
        return labels, present

    def _unknown(self, values: Any, present: np.ndarray) -> np.ndarray:
        """The rows that were not annotated, bool ``(B,)``: those without a box that are not an empty list."""
        unknown: np.ndarray = ~np.any(present, axis=1)
        values = plain(values)
        if is_dense(values):
            return unknown & (values.size > 0)
        for i in np.flatnonzero(unknown).tolist():
            unknown[i] = is_missing(values[i], self.missing) or np.size(values[i]) > 0
        return unknown

    def empty(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        empty: np.ndarray = ~np.any(valid, axis=1) & np.all(labels == 0, axis=(1, 2))
        return empty

    def fillers(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        without_size: np.ndarray = np.all(labels[..., :2] == labels[..., 2:], axis=2)
        return without_size & valid

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
        self, labels: np.ndarray, weights: np.ndarray | None, mixing: Mixing, boxes: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scale = np.tile(mixing.size[::-1], 2) if self.normalized else 1
        clipped, visible = mixing.boxes(labels.astype(np.float64) * scale)
        weights = np.ones(visible.shape, np.float32) if weights is None else weights
        if mixing.patches is None:
            weights = weights * mixing.shares[..., None].astype(np.float32)
        corners, areas = together(clipped), None
        if self.overflow == "largest":
            areas = (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])
            if mixing.patches is None:  # a box with a small share ranks lower
                areas = areas * np.repeat(mixing.shares.T, self.max_boxes, 1)
        kept = (weights > 0) & (visible > 1e-6) & (visible >= self.min_visible - 1e-6)  # corners are rounded
        places = choose(together(kept), self.max_boxes, areas)
        mixed = take_places(corners / scale, places).astype(np.float32)
        unknown = ((labels == UNKNOWN).all((2, 3)) | (mixing.shares == 0)).all(0)
        mixed[unknown] = UNKNOWN
        return mixed, take_places(together(weights), places), places

    def unmoved(self, outputs: np.ndarray, move: Move) -> np.ndarray:
        boxes = super().unmoved(outputs, move)
        ends = boxes.reshape(*boxes.shape[:-1], 2, 2)
        return np.concatenate([ends.min(-2), ends.max(-2)], -1)

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        if views is not None:
            rows = zip(views, self._in_pixels(outputs, views), strict=True)
            outputs = np.stack([view.boxes(boxes) for view, boxes in rows])
        return {"": PredictedColumn(self.to_column(outputs))}

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> BoxesJudge:
        return BoxesJudge(name, BoxHeads.of(name, self.given, heads))

    def also_read(self, name: str, columns: Mapping[str, Any]) -> dict[str, Head]:
        from polyhead.kinds.binary import Binary

        crowd = columns.get("crowd")
        heads = super().also_read(name, columns)
        if isinstance(crowd, np.ndarray) and crowd.ndim == 1 and crowd.dtype == bool:
            heads[CROWD.format(name)] = Binary(column="crowd", each=name)
        return heads

    def default_metrics(self, logits: bool) -> list[Any]:
        from polyhead.kinds.keras_metrics import BoxIoU

        return [BoxIoU()]
