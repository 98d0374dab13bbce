"""Heads that lie in the image: masks, boxes, keypoints."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, place, shown
from polyhead.kinds import _classes, _kernels
from polyhead.kinds._kernels import Empty
from polyhead.kinds._missing import (
    as_float32,
    collapse,
    first_row,
    is_dense,
    is_missing,
    numbers,
    plain,
    require_finite,
    require_range,
    require_whole,
    row_array,
)
from polyhead.kinds.base import BINARY_LOSSES, SIGMOID, SOFTMAX, SPARSE_LOSSES, Column, Head, as_shape


@dataclass(frozen=True, repr=False)
class Mask(Head):
    """A label for each pixel.

    ``Mask()`` is one binary mask, float32 ``(B, H, W, 1)``. ``Mask(n)`` is a class id a pixel, int32
    ``(B, H, W)``. ``Mask(n, multi=True)`` is ``n`` binary masks, float32 ``(B, H, W, n)``. The column holds
    ``(H, W)`` or ``(H, W, n)`` a row; None, or NaN, where a whole mask is missing; ``missing=255`` marks
    single pixels without a label.

    Attributes:
        classes: their number, or their names in order.
        multi: several binary masks, which may overlap.
        size: ``(height, width)`` of the mask; by default as found.

    >>> Mask(size=(2, 2)).encode([None, np.eye(2)])[1].tolist()
    [[[False]], [[True]]]
    """

    classes: Any = 1
    _: KW_ONLY
    multi: bool = False
    size: tuple[int, int] | None = None

    takes_class_weight: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "classes", _classes.checked("Mask", self.classes, least=1))
        if self.size is not None:
            size = as_shape(self.size, "Mask(size=)")
            if len(size) != 2:
                raise ContractError(Problem("Mask(size=)", "(height, width)", shown(self.size)))
            object.__setattr__(self, "size", size)
        if self.binary and self.class_weight is not None:
            fix = "Use Mask(classes) with one class a pixel, or give a loss of your own."
            found = shown(self.class_weight)
            raise ContractError(Problem("Mask(class_weight=)", "nothing for binary masks", found, fix))
        _classes.check_weights("Mask", self.class_weight, self.names)

    @property
    def binary(self) -> bool:
        """Whether labels are 0 or 1 in each channel, rather than class ids."""
        return self.multi or len(self.names) == 1

    @property
    def probabilities(self) -> tuple[str, ...]:
        return SIGMOID if self.binary else SOFTMAX

    @property
    def losses(self) -> tuple[str, ...]:
        return BINARY_LOSSES if self.binary else SPARSE_LOSSES

    @property
    def names(self) -> tuple[Any, ...]:
        """The classes in order of their ids."""
        return _classes.names(self.classes)

    @property
    def shape(self) -> tuple[int, ...]:
        assert self.size is not None
        return (*self.size, len(self.names)) if self.binary else self.size

    @property
    def dtype(self) -> str:
        return "float32" if self.binary else "int32"

    @property
    def output_shape(self) -> tuple[int, ...]:
        assert self.size is not None
        return (*self.size, len(self.names))

    @property
    def weight_shape(self) -> tuple[int, ...]:
        assert self.size is not None
        if self.class_weight is not None or self.missing is not None:
            return self.size
        return (1, 1)

    def resolve(self, column: Column) -> Self:
        head = self
        if head.size is None:
            probe = plain(column.probe())
            shapes = (
                [probe.shape[1:]] if is_dense(probe) else [np.shape(v) for v in probe if not is_missing(v)]
            )
            if not shapes:
                raise BadValue(None, "a mask among the first rows", "none", "Say Mask(size=(height, width)).")
            if len(shapes[0]) not in (2, 3):
                raise BadValue(None, "masks (H, W) or (H, W, n)", f"rows of shape {shapes[0]}")
            head = head.fixed(size=(int(shapes[0][0]), int(shapes[0][1])))
        head.encode(column.probe())
        return head

    def gather(self, column: Any, ids: np.ndarray, empty: Empty) -> np.ndarray | None:
        if not self.binary or self.missing is not None:
            return None
        found = _kernels.gather(column, ids, empty, divide=False)
        return None if found is None else found.reshape(len(ids), *self.shape)

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        assert self.size is not None
        shape = (*self.size, len(self.names) if self.binary else 1)
        what = f"a mask of shape {self.size if shape[2] == 1 else shape}"
        array, there = numbers(values, self.missing, shape, what)
        if check:
            self._check(array)
        labels = as_float32(array, check=False) if self.binary else array[..., 0].astype(np.int32, copy=False)
        return np.ascontiguousarray(labels), None if there is None else self._there(there)

    def _there(self, there: np.ndarray) -> np.ndarray:
        if self.missing is not None:
            return np.all(there, axis=3)
        whole = collapse(there)
        if whole is None:
            flat = there.reshape(len(there), -1)
            row = int((flat.any(1) & ~flat.all(1)).argmax())
            fix = "Say Mask(missing=255) and mark such pixels with 255."
            raise BadValue(
                row, "a mask without NaN, or all NaN where it is missing", "NaN in some pixels", fix
            )
        return np.broadcast_to(whole.reshape(-1, 1, 1), (len(whole), *self.weight_shape))

    def _check(self, array: np.ndarray) -> None:
        if not array.size or array.dtype.kind == "b":
            return
        top = 1 if self.binary else len(self.names) - 1
        expected = "0 or 1 in each pixel" if self.binary else f"a class id in [0, {top}] in each pixel"
        fix = "If some pixels have no label, say Mask(missing=...) with the value they hold."
        if array.max() == 255:
            fix = 'If 255 means "no label", say Mask(missing=255).'
            if top == 1:
                fix = f"If 255 is the object, give mask > 127. {fix}"
        require_range(array, 0, top, expected, fix)
        require_whole(
            array, expected, "Give whole numbers; a soft mask is a ph.Regression of shape (H, W, n)."
        )

    def count(self, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
        kept = labels[np.broadcast_to(counts, labels.shape)]
        return np.bincount(kept, minlength=len(self.names))

    def balanced(self, counts: np.ndarray) -> Self:
        return self.fixed(class_weight=dict(zip(self.names, _classes.balanced(counts), strict=True)))

    def class_factor(self, labels: np.ndarray) -> np.ndarray:
        return _classes.table(self.names, self.class_weight)[labels]

    def describe(self, labels: np.ndarray, counts: np.ndarray) -> str:
        if self.binary:
            kept = labels[np.broadcast_to(counts, labels.shape[:3])]
            return f"{kept.mean():.1%} of pixels are 1" if kept.size else "no labels"
        return _classes.shares(self.names, self.count(labels, counts))

    def default_loss(self, logits: bool) -> Any:
        import keras

        if self.binary:
            return keras.losses.BinaryCrossentropy(from_logits=logits)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=logits)

    def default_metrics(self, logits: bool) -> list[Any]:
        from polyhead.kinds.iou import MaskIoU

        return [MaskIoU(classes=len(self.names), multi=self.binary, from_logits=logits)]

    def output(self, features: Any, name: str) -> Any:
        import keras

        assert self.size is not None
        where = f"outputs(), {place(head=name)}"
        found = tuple(features.shape)
        if len(found) != 4 or None in found[1:3]:
            raise ContractError(
                Problem(where, "a feature map (B, h, w, c) of known size", f"features of shape {found}")
            )
        up = (self.size[0] // found[1], self.size[1] // found[2])
        if (found[1] * up[0], found[2] * up[1]) != self.size:
            expected = f"a feature map whose size divides the mask's, {self.size}"
            raise ContractError(Problem(where, expected, str(found[1:3])))
        if up != (1, 1):
            features = keras.layers.UpSampling2D(up, interpolation="bilinear")(features)
        activation = "sigmoid" if self.binary else "softmax"
        return keras.layers.Conv2D(len(self.names), 1, activation=activation, name=name)(features)


_FORMATS = ("xyxy", "xywh", "cxcywh", "yxyx")


@dataclass(frozen=True, repr=False)
class _Coordinates(Head):
    """Some coordinates a row, each with a weight of its own."""

    _: KW_ONLY
    normalized: bool = False

    dtype = "float32"
    _widths: ClassVar[tuple[int, ...]]
    _may_be_fewer: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        as_shape(self.places, f"{type(self).__name__}()")

    @property
    def places(self) -> int:
        """How many boxes or keypoints a row has room for."""
        raise NotImplementedError

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.places,)

    def resolve(self, column: Column) -> Self:
        self.encode(column.probe())
        return self

    def _entries(self, values: Any, what: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Boxes or keypoints ``(B, places, width)``, and which of them are there: bool ``(B, places)``.

        One is missing where a coordinate is NaN, or where all are the marker: a single 0 or -1 is a
        coordinate like another.
        """
        values = plain(values)
        if not is_dense(values):
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
        name = type(self).__name__
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
                raise BadValue(i, f"at most {self.places} of them", str(count), f"Say {name}({count}).")
            if count < self.places and not self._may_be_fewer:
                fix = "Put None in the place of one that has no label."
                raise BadValue(i, f"{self.places} of them", str(count), fix)
            rows[i, :count, :width] = row
            rows[i, :count, width:] = 1  # no visibility given: labelled
        return rows

    def _check(self, array: np.ndarray, what: str) -> None:
        require_finite(array, f"finite {what}", "Put NaN where there is none.")
        if self.normalized:
            fix = "These look like pixels: say normalized=False, or divide by the size of the image."
            require_range(array, -1e-4, 1 + 1e-4, f"{what} in 0–1, as normalized=True says", fix)

    def default_loss(self, logits: bool) -> Any:
        import keras

        return keras.losses.Huber(delta=0.1 if self.normalized else 1.0)

    def output(self, features: Any, name: str) -> Any:
        import keras

        flat = features if len(features.shape) == 2 else keras.layers.Flatten()(features)
        dense = keras.layers.Dense(
            int(np.prod(self.shape)), activation="sigmoid" if self.normalized else None
        )
        return keras.layers.Reshape(self.shape, name=name)(dense(flat))


@dataclass(frozen=True, repr=False)
class Boxes(_Coordinates):
    """Up to ``max_boxes`` boxes a row, as float32 ``(B, max_boxes, 4)`` of ``xyxy``, a weight for each.

    The column is ``(N, 4)``, ``(N, max_boxes, 4)``, or a list of ``(k, 4)`` a row; NaN or None where there is
    no box. Places without a box are zero and weigh nothing.

    Attributes:
        max_boxes: room for so many boxes.
        format: ``"xyxy"``, ``"xywh"``, ``"cxcywh"`` or ``"yxyx"``: what the column holds.
        normalized: coordinates in 0–1 of the image's size rather than in pixels.

    >>> Boxes(1, format="xywh").encode(np.array([[2.0, 2, 3, 4]]))[0].tolist()
    [[[2.0, 2.0, 5.0, 6.0]]]
    """

    max_boxes: int = 1
    _: KW_ONLY
    format: str = "xyxy"

    _widths = (4,)
    _may_be_fewer = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.format not in _FORMATS:
            raise ContractError(
                Problem("Boxes(format=)", f"one of {', '.join(_FORMATS)}", shown(self.format))
            )

    @property
    def places(self) -> int:
        return self.max_boxes

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.max_boxes, 4)

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
                found = shown(array[row][int(turned[row].argmax())].tolist())
                fix = f"If the column has another format, say Boxes(format=...): {', '.join(_FORMATS)}."
                raise BadValue(row, f"a box as {self.format} with a size of at least 0", found, fix)
        return as_float32(boxes, check), there

    def default_metrics(self, logits: bool) -> list[Any]:
        from polyhead.kinds.iou import BoxIoU

        return [BoxIoU()]


@dataclass(frozen=True, repr=False)
class Keypoints(_Coordinates):
    """``points`` keypoints a row, as float32 ``(B, points, 2)`` of ``(x, y)``, a weight for each.

    The column is ``(N, points, 2)``, or ``(N, points, 3)`` with the visibility last, 0 where a point is not
    labelled, as COCO has it; NaN or None where there is none.

    Attributes:
        points: how many.
        normalized: coordinates in 0–1 of the image's size rather than in pixels.

    >>> Keypoints(2).encode(np.array([[[1, 2, 2], [0, 0, 0]]]))[1].tolist()
    [[True, False]]
    """

    points: int = 1

    _widths = (2, 3)

    @property
    def places(self) -> int:
        return self.points

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.points, 2)

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        array, there = self._entries(values, f"keypoints of shape {self.shape}")
        if array.shape[2] == 3:
            seen = array[..., 2] > 0
            if not seen.all():
                there = seen if there is None else there & seen
            array = array[..., :2]
        if there is not None:
            array = np.where(there[..., None], array, array.dtype.type(0))
        if check:
            self._check(array, "keypoints")
        return as_float32(array, check), there

    def default_metrics(self, logits: bool) -> list[Any]:
        import keras

        return [keras.metrics.MeanAbsoluteError(name="mae")]


def _as_xyxy(boxes: np.ndarray, form: str) -> np.ndarray:
    a, b, c, d = np.moveaxis(boxes, -1, 0)
    if form == "xywh":
        corners = (a, b, a + c, b + d)
    elif form == "cxcywh":
        corners = (a - c / 2, b - d / 2, a + c / 2, b + d / 2)
    else:
        corners = (b, a, d, c)
    return np.stack(corners, -1)


def _without_none(value: Any) -> Any:
    """A row with NaN for the entries, or numbers, that are None."""
    if not isinstance(value, (list, tuple)):
        return value
    width = next((len(entry) for entry in value if isinstance(entry, (list, tuple, np.ndarray))), None)
    filler = np.nan if width is None else [np.nan] * width
    return [filler if entry is None else entry for entry in value]
