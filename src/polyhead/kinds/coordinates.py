"""Heads that lie in the image as coordinates, and boxes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, is_number, require_choice, require_size, shown
from polyhead.kinds.class_encoding import output_dtype
from polyhead.kinds.kind import Column, Head
from polyhead.kinds.missing import (
    as_float32,
    first_row,
    is_dense,
    is_missing,
    numbers,
    plain,
    require_finite,
    require_range,
    row_array,
)
from polyhead.kinds.mixed_labels import Mixing, choose, taken, together

_FORMATS = ("xyxy", "xywh", "cxcywh", "yxyx")
_PIXELS = (
    "These look like pixels: say column_normalized=False to have them divided by the size of the image, "
    "or normalized=False to predict pixels."
)

UNKNOWN = np.float32(-1)
"""In all places of a row whose boxes nobody looked for; places of other rows without a box are 0."""

_OVERFLOWS = ("raise", "largest", "first")


@dataclass(frozen=True, repr=False)
class Coordinates(Head):
    """Some coordinates a row, each with a weight of its own."""

    _: KW_ONLY
    normalized: bool = False
    column_normalized: bool | None = None

    dtype = "float32"
    _widths: ClassVar[tuple[int, ...]]
    _may_be_fewer: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_size(f"{type(self).__name__}()", self.places)

    def _laid_out(self, value: Any, what: str) -> np.ndarray:
        """A row's entries, float64 ``(k, width)``, NaN for those that are missing."""
        row = row_array(_without_none(value), 0, what)
        row = np.asarray(row, np.float64)
        row = row.reshape(1, -1) if row.ndim == 1 and row.size else row
        if not row.size:
            return np.zeros((0, self._widths[0]))
        if row.ndim != 2 or row.shape[1] not in self._widths:
            raise BadValue(0, what, f"shape {row.shape}")
        if isinstance(self.missing, Real):
            row = np.where((row[:, : self._widths[0]] == self.missing).all(1)[:, None], np.nan, row)
        bad = np.isinf(row).any(1)
        if bad.any():
            raise BadValue(0, f"finite {what}", shown(row[bad][0].tolist()), "Put NaN where there is none.")
        return row

    @property
    def of_pixels(self) -> bool:
        """Whether the column holds pixels of the image, rather than shares of its sides."""
        return not (self.normalized if self.column_normalized is None else self.column_normalized)

    def late(self, values: Any) -> bool:
        return self.of_pixels == self.normalized  # what is divided, or multiplied, needs the size of an image

    def stored(self) -> Self:
        return self.fixed(normalized=not self.of_pixels, column_normalized=None)

    def _in_image(self, found: np.ndarray, size: tuple[int, int], what: str) -> np.ndarray:
        """Coordinates ``(k, 2)`` or ``(k, 4)`` of the column in pixels of an image of ``size``.

        Raises:
            BadValue: for what are no shares of its sides, where they should be.
        """
        if self.of_pixels:
            return found
        with np.errstate(invalid="ignore"):
            far = ((found < -1) | (found > 2)).any(-1)
        if far.any():
            raise BadValue(0, self._shares(what), shown(found[far][0].tolist()), _PIXELS)
        return found * np.tile(size[::-1], found.shape[-1] // 2)

    def _shares(self, what: str) -> str:
        said = "normalized" if self.column_normalized is None else "column_normalized"
        return f"{what} in 0–1, as {said}=True says"

    def declared(self, raw: Head) -> Head:
        return raw  # nothing is learnt, and the column has its own format

    @property
    def places(self) -> int:
        """How many boxes or keypoints a row has room for."""
        raise NotImplementedError

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.places,)

    @property
    def weight_forms(self) -> tuple[tuple[int, ...], ...]:
        return ((self.places,),)

    def resolve(self, column: Column) -> Self:
        self.encode(column.probe())
        return self

    def _entries(self, values: Any, what: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Boxes or keypoints ``(B, places, width)``, and which of them are there: bool ``(B, places)``.

        One is missing where a coordinate is NaN, or where all are the marker: a single 0 or -1 is a
        coordinate like another.
        """
        values = plain(values)
        # rows that all happen to have one count of boxes are rows of boxes as others are
        lists = is_dense(values) and values.ndim == 3 and values.shape[1] != self.places
        if not is_dense(values) or (lists and values.shape[2] in self._widths):
            values = self._padded(values, what)
        elif values.ndim == 2 and self.places == 1:
            values = values[:, None]
        width = values.shape[2] if values.ndim == 3 and values.shape[2] in self._widths else self._widths[0]
        array, found = numbers(values, None, (self.places, width), what)
        coordinates = self._widths[0]
        there = None if found is None else np.all(found[..., :coordinates], axis=2)
        if isinstance(self.missing, Real):
            kept = np.any(array[..., :coordinates] != self.missing, axis=2)
            if not kept.all():
                there = kept if there is None else there & kept
        return array, there

    def _padded(self, values: Any, what: str) -> np.ndarray:
        """Rows of up to ``places`` entries as one array, NaN where there is none."""
        rows = np.full((len(values), self.places, self._widths[-1]), np.nan)
        for i, value in enumerate(values):
            if is_missing(value, self.missing):
                continue
            row = row_array(_without_none(value), i, what)
            if not row.size:
                continue
            row = row[None] if row.ndim == 1 else row
            if row.ndim != 2 or row.shape[1] not in self._widths:
                raise BadValue(i, what, f"shape {row.shape}")
            count, width = row.shape
            if count > self.places:
                row = self._fewer(row, i)
                count = len(row)
            if count < self.places and not self._may_be_fewer:
                fix = "Put None in the place of one that has no label."
                raise BadValue(i, f"{self.places} of them", str(count), fix)
            rows[i, :count, :width] = row
            rows[i, :count, width:] = 1  # no visibility given: labelled
        return rows

    def _fewer(self, row: np.ndarray, index: int) -> np.ndarray:
        """What is kept of a row that has more entries than there is room for."""
        fix = f"Say {type(self).__name__}({len(row)})."
        raise BadValue(index, f"at most {self.places} of them", str(len(row)), fix)

    def _check(self, array: np.ndarray, what: str) -> None:
        require_finite(array, f"finite {what}", "Put NaN where there is none.")
        if self.late(array):
            fix = "Declare the image that they lie in as a ph.Image, or convert the column."
            found = "pixels" if self.of_pixels else "shares of its sides"
            raise BadValue(None, "an image among the inputs, by whose size they are converted", found, fix)
        if self.normalized:
            require_range(array, -1e-4, 1 + 1e-4, self._shares(what), _PIXELS)

    def default_loss(self, logits: bool) -> Any:
        import keras

        return keras.losses.Huber(delta=0.1 if self.normalized else 1.0)

    def output(self, features: Any, name: str) -> Any:
        import keras

        flat = features if len(features.shape) == 2 else keras.layers.Flatten()(features)
        dtype = output_dtype()
        dense = keras.layers.Dense(
            int(np.prod(self.shape)), activation="sigmoid" if self.normalized else None, dtype=dtype
        )
        return keras.layers.Reshape(self.shape, name=name, dtype=dtype)(dense(flat))


@dataclass(frozen=True, repr=False)
class Boxes(Coordinates):
    """Up to ``max_boxes`` boxes a row, as float32 ``(B, max_boxes, 4)`` of ``xyxy``, a weight for each.

    The column is ``(N, 4)``, ``(N, max_boxes, 4)``, or a list of ``(k, 4)`` a row; NaN or None where there is
    no box. Places without a box are zero and weigh nothing.

    An empty list says that nothing is there, None that nobody looked: of such a row all places are -1. To train on
    what is not there, add ``ph.Binary(each=..., column=...)`` on the same column: it is 1 where there is a box, 0 in
    the places left, and weighs nothing in rows of None. A row of nothing but NaN counts as None.

    Attributes:
        max_boxes: room for so many boxes.
        format: ``"xyxy"``, ``"xywh"``, ``"cxcywh"`` or ``"yxyx"``: what the column holds.
        normalized: the model predicts coordinates in 0–1 of the image's size rather than in pixels.
        column_normalized: the column holds 0–1 of the image's size; by default as ``normalized``.
        overflow: of more boxes than there is room for, ``"raise"``, keep the ``"largest"``, or the ``"first"``.
        min_visible: the least share of a box inside the image with which it is kept when the image is moved.

    >>> Boxes(1, format="xywh").encode(np.array([[2.0, 2, 3, 4]]))[0].tolist()
    [[[2.0, 2.0, 5.0, 6.0]]]
    """

    max_boxes: int = 1
    _: KW_ONLY
    format: str = "xyxy"
    overflow: str = "raise"
    min_visible: float = 0.1

    _widths = (4,)
    _may_be_fewer = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("Boxes(format=)", self.format, _FORMATS)
        require_choice("Boxes(overflow=)", self.overflow, _OVERFLOWS)
        if not is_number(self.min_visible) or not 0 <= self.min_visible <= 1:
            raise ContractError(Problem("Boxes(min_visible=)", "a number in [0, 1]", shown(self.min_visible)))

    @property
    def places(self) -> int:
        return self.max_boxes

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.max_boxes, 4)

    @property
    def layer(self) -> str | None:
        return "boxes"

    def corners(self, value: Any) -> np.ndarray:
        """A row's boxes as ``xyxy``, float64 ``(k, 4)``, in the unit of the column; NaN for those that are missing.

        Raises:
            BadValue: for what is none, or has a negative size.
        """
        found = self._laid_out(value, "boxes (k, 4)")
        boxes = found if self.format == "xyxy" else _as_xyxy(found, self.format)
        with np.errstate(invalid="ignore"):
            turned = (boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1])
        if turned.any():
            raise self._turned(0, found[turned][0])
        return boxes

    def chosen(self, boxes: np.ndarray, index: int = 0) -> np.ndarray:
        """Which of a row's boxes are kept, as there is room for ``max_boxes``: their places, in order.

        Args:
            boxes: ``(k, 4)`` of ``xyxy``.
            index: of the row, for the error.

        Raises:
            BadValue: for more boxes than there is room for, where ``overflow`` says so.
        """
        count = len(boxes)
        if count <= self.places or self.overflow == "first":
            return np.arange(min(count, self.places))
        if self.overflow == "raise":
            fix = f'Say Boxes({count}), or overflow="largest" or "first".'
            raise BadValue(index, f"at most {self.places} of them", str(count), fix)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        order = np.argsort(-area, kind="stable")  # one that is missing is NaN, and so the last
        return np.sort(order[: self.places])

    def lay(self, value: Any, size: tuple[int, int]) -> np.ndarray:
        return self._in_image(self.corners(value), size, "corners of boxes")

    def unknown(self, boxes: np.ndarray) -> bool:
        """Whether nobody looked at a row, by its boxes ``(k, 4)``: there are some, and all are NaN."""
        return bool(len(boxes)) and bool(np.isnan(boxes).any(1).all())

    def laid(self, found: np.ndarray, kept: np.ndarray | None, size: tuple[int, int]) -> Any:
        boxes = found if kept is None else found[kept]
        return boxes / np.tile(size[::-1], 2) if self.normalized else boxes

    def written(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes ``(k, 4)`` of ``xyxy`` in the format of the column."""
        return boxes if self.format == "xyxy" else _from_xyxy(boxes, self.format)

    def placed(self, size: tuple[int, int], uncovered: bool = False) -> Self:
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
        """The rows that nobody looked at, bool ``(B,)``: those without a box that are not an empty list."""
        found: np.ndarray = ~np.any(there, axis=1)
        values = plain(values)
        if not is_dense(values):
            for i in np.flatnonzero(found).tolist():
                found[i] = is_missing(values[i], self.missing) or np.size(values[i]) > 0
        return found

    def empty(self, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
        found: np.ndarray = ~np.any(counts, axis=1) & np.all(labels == 0, axis=(1, 2))
        return found

    def describe(self, labels: np.ndarray, counts: np.ndarray) -> str:
        empty = int(self.empty(labels, counts).sum())
        words = [super().describe(labels, counts)] if counts.any() or not empty else []
        words += [f"{empty:,} row{'s' * (empty > 1)} with 0 boxes"] * bool(empty)
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
        self, labels: np.ndarray, weights: np.ndarray | None, mixing: Mixing
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `mix`; and which box stands in each place.

        Returns:
            Boxes, weights, and int64 ``(B, max_boxes)``: the place of each box among those of all components beside
            each other, ``k * max_boxes + place``, and -1 where there is none.
        """
        scale = np.tile(mixing.size[::-1], 2) if self.normalized else 1
        boxes, seen = mixing.boxes(labels.astype(np.float64) * scale)
        parts = np.ones(seen.shape, np.float32) if weights is None else weights
        if mixing.patches is None:
            parts = parts * mixing.shares[..., None].astype(np.float32)
        kept = (parts > 0) & (seen > 0) & (seen >= self.min_visible - 1e-6)
        beside, sides = together(boxes), None
        if self.overflow == "largest":
            sides = (beside[..., 2] - beside[..., 0]) * (beside[..., 3] - beside[..., 1])
            if mixing.patches is None:  # a box that is hardly seen makes no room for itself
                sides = sides * np.repeat(mixing.shares.T, self.max_boxes, 1)
        places = choose(together(kept), self.max_boxes, sides)
        found = taken(beside / scale, places).astype(np.float32)
        unknown = ((labels == UNKNOWN).all((2, 3)) | (mixing.shares == 0)).all(0)
        found[unknown] = UNKNOWN
        return found, taken(together(parts), places), places

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


def _without_none(value: Any) -> Any:
    """A row with NaN for the entries, or numbers, that are None."""
    if not isinstance(value, (list, tuple)):
        return value
    width = next((len(entry) for entry in value if isinstance(entry, (list, tuple, np.ndarray))), None)
    filler = np.nan if width is None else [np.nan] * width
    return [filler if entry is None else entry for entry in value]
