"""The head for a class for each pixel of the image."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, as_list, is_integer, shown, similar
from polyhead.kinds import class_encoding
from polyhead.kinds.class_head import ClassHead
from polyhead.kinds.color_classes import Colors, as_colors
from polyhead.kinds.conversion import Conversion
from polyhead.kinds.head import Head
from polyhead.kinds.judging_pixels import MaskJudge
from polyhead.kinds.keras_names import BINARY_LOSSES, SIGMOID, SOFTMAX, SPARSE_LOSSES
from polyhead.kinds.missing import as_float32, refuse_first, require_range, require_whole, whole_rows
from polyhead.kinds.mixed_labels import BLEND, unmixable
from polyhead.kinds.pixels import (
    Pixels,
    as_pixels,
    first_axis_fix,
    holding,
    mask_numbers,
    narrowest,
    out_of_range_fix,
)
from polyhead.kinds.predicted_columns import PredictedColumn, Views, label_masks
from polyhead.kinds.source_column import Column


@dataclass(frozen=True, repr=False)
class Mask(ClassHead, Pixels):
    """A label for each pixel.

    ``Mask()`` is one binary mask, float32 ``(B, H, W, 1)``. ``Mask(n)`` is a class id per pixel, int32
    ``(B, H, W)``. ``Mask(n, multi=True)`` is ``n`` binary masks, float32 ``(B, H, W, n)``. Each row of the column is
    ``(H, W)`` or ``(H, W, n)``; None, or only NaN, if the whole mask is missing. With ``missing=255``, single pixels of
    this value have no label.

    Pixels that rotation or ``fit="contain"`` bring in from outside of the image have no label; but in binary masks, and
    if class 0 is named "background", "bg", "void" or the like, they are class 0. ``outside`` changes this.

    ``class_weight`` weights pixels by their class: 0 and 1 for ``Mask()``; with ``multi``, it weights the ones of each
    mask, ``"balanced"`` such that their total weight equals that of its zeros.

    Attributes:
        classes: the number of classes, or their names in order; for panoptic segments, by default those of the source.
        multi: several binary masks, which may overlap.
        values: the column's value for each class, in order, such as ``(0, 255)`` for a binary mask in black and white;
            by default 0, 1, 2 and so on. For masks in RGB, ``[(r, g, b), ...]``, and colors as ``missing``.
        outside: the label of pixels from outside of the image: ``"missing"`` for none, or a class by name or id.
        size: ``(height, width)`` of the mask; by default as found, and as the image has it where masks are files.

    >>> Mask(size=(2, 2)).encode([None, np.eye(2)])[1].tolist()
    [[[False]], [[True]]]
    """

    classes: Any = 1
    _: KW_ONLY
    multi: bool = False
    values: Any = None
    outside: Any = None
    # whether pixels from outside of the image have no label
    _open: bool = field(default=False, init=False, repr=False, compare=False)

    takes_colors: ClassVar[bool] = True
    layer = "mask"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "classes", class_encoding.checked_classes("Mask", self.classes, least=1))
        if self.classes is None:
            fix = "Classes of masks are not learned from the column."
            raise ContractError(Problem("Mask(classes)", "a number, or names", "None", fix))
        if (missing := as_list(self.missing)) is not None:
            object.__setattr__(self, "missing", as_colors(missing))
        if self.values is not None:
            object.__setattr__(self, "values", self._checked_values())
        if missing is not None and not self.in_colors:
            fix = "Where it holds colors, say those of the classes as well: Mask(values=[(r, g, b), ...])."
            expected = "one number, as the mask holds numbers"
            raise ContractError(Problem("Mask(missing=)", expected, shown(self.missing), fix))
        self._check_class_weight()
        _ = self._outside

    def _checked_values(self) -> tuple[Any, ...]:
        count = 2 if self.binary else len(self.names)
        values = as_list(self.values) or []
        colors = Colors.declared(values, self.missing, count, self.multi)
        if colors is not None:
            return colors.classes
        if self.missing is not None and self.missing in values:
            fix = "Leave its class out of classes and values."
            expected = "other values than missing=, which means no class"
            raise ContractError(Problem("Mask(values=)", expected, f"{self.missing} in both", fix))
        distinct = all(map(is_integer, values)) and len(set(values)) == len(values)
        if len(values) != count or not distinct:
            expected = f"{count} distinct whole numbers, one for each class"
            more = distinct and self.binary and not self.multi and len(values) > count
            fix = f"For {len(values)} classes, say Mask({len(values)}, values=...)." if more else ""
            raise ContractError(Problem("Mask(values=)", expected, shown(self.values), fix))
        return tuple(int(v) for v in values)

    @cached_property
    def _colors(self) -> Colors | None:
        """The colors in the column; None if it has numbers."""
        if self.values is None or isinstance(self.values[0], int):
            return None
        return Colors.declared(self.values, self.missing, len(self.values), self.multi)

    @cached_property
    def _of_ids(self) -> Self:
        """This mask for a column with class ids instead of colors."""
        assert self._colors is not None
        return self.fixed(values=None, missing=self._colors.missing_id)

    @property
    def in_colors(self) -> bool:
        return self._colors is not None

    @property
    def binary(self) -> bool:
        """True if labels are 0 or 1 in each channel, rather than class ids."""
        return self.multi or len(self.names) == 1

    @property
    def channels(self) -> int:
        return len(self.names) if self.multi else 1

    @property
    def elementwise(self) -> bool:
        """True if each channel of a pixel has a weight of its own."""
        return self.multi and (self.class_weight is not None or self._finer == 3)

    @property
    def weighted_classes(self) -> tuple[Any, ...]:
        return (0, 1) if self.binary and not self.multi else self.names

    @property
    def probabilities(self) -> tuple[str, ...]:
        return SIGMOID if self.binary else SOFTMAX

    @property
    def losses(self) -> tuple[str, ...]:
        return BINARY_LOSSES if self.binary else SPARSE_LOSSES

    @property
    def names(self) -> tuple[Any, ...]:
        """The classes in order of their ids."""
        return class_encoding.class_names(self.classes)

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.sides, len(self.names)) if self.binary else self.sides

    @property
    def dtype(self) -> str:
        return "float32" if self.binary else "int32"

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (*self.sides, len(self.names))

    @property
    def weight_shape(self) -> tuple[int, ...]:
        if self.elementwise:
            return self.shape
        if self.class_weight is not None or self.missing is not None or self.fine_weights or self._open:
            return self.sides
        return (1, 1)

    @property
    def channelwise(self) -> bool:
        return self.multi

    def mixable(self, way: str) -> tuple[int, ...]:
        if way != BLEND:
            return Pixels.mixable(self, way)
        if not self.binary:
            fix = "Use ph.CutMix or ph.Mosaic, which cut masks, or ph.Mask(multi=True)."
            raise unmixable("a class id in each pixel: between two ids lies another class", fix)
        return super().mixable(way)

    def to_pixels(self, value: Any, size: tuple[int, int]) -> np.ndarray:
        array = as_pixels(value, "a mask (H, W) or (H, W, n)")
        if self._colors is not None:
            return self._of_ids.to_pixels(self._colors.ids(array), size)
        fix = first_axis_fix(array.shape, self.channels) if array.shape[2:] != (self.channels,) else ""
        if array.ndim not in (2, 3) or array.dtype.kind not in "iufb" or fix:
            raise BadValue(0, "a mask (H, W) or (H, W, n)", f"{array.dtype} of shape {array.shape}", fix)
        if array.dtype.kind == "b":
            array = array.view(np.uint8)
        if self._outside is not None or isinstance(self.missing, Real):
            return holding(array, self.fill)
        array = holding(array, self._unused_value)
        if (array == self._unused_value).any():
            expected, fix = self._expected_pixel(self._unused_value)
            raise BadValue(0, expected, str(self._unused_value), fix)
        return array

    # Outside of the image --------------------------------------------------------------------------

    @property
    def _outside(self) -> int | None:
        """The id of pixels from outside of a transformed image; None for no label."""
        outside = self.outside
        if outside is None:
            background = self.binary or class_encoding.is_nothing(self.names[0])
            return 0 if background and not isinstance(self.missing, Real) else None
        if isinstance(outside, str) and outside == "missing":
            return None
        if isinstance(outside, str) and not self.multi and outside in self.names:
            return 1 if self.binary else self.names.index(outside)
        if is_integer(outside) and outside in range(2 if self.binary else len(self.names)):
            return outside
        classes = "0, 1" if self.binary else shown(list(self.names))
        expected = f'"missing" for no label, or a class among {classes}'
        near = similar(outside, ["missing", *self.names])
        raise ContractError(Problem("Mask(outside=)", expected, shown(outside), near))

    @property
    def _unused_value(self) -> int:
        """A value that no class has, for pixels without a label."""
        return next(value for value in itertools.count(255, -1) if value not in self._class_values)

    @property
    def _class_values(self) -> Sequence[Any]:
        """The column's value for each class."""
        return self.values or range(2 if self.binary else len(self.names))

    @property
    def fill(self) -> float:
        if self._colors is not None:
            return self._of_ids.fill
        outside = self._outside
        if outside is None and isinstance(self.missing, Real):
            return float(self.missing)
        return float(self._class_values[outside or 0])

    def for_drawn_labels(self) -> Self:
        return self.fixed(outside="missing")

    def with_facts(self, column: Column) -> Self:
        if self.multi or self.values is not None:
            return self
        about = column.about()
        if about.classes is None or about.values is None:
            return self  # these are classes of objects, each with its own mask
        names = about.classes if self.classes == 1 else self.names
        value_of = dict(zip(about.classes, about.values, strict=True))
        if len(names) < 2 or not value_of.keys() >= set(names):
            return self
        return self.fixed(classes=names, values=tuple(value_of[name] for name in names))

    def for_image(self, size: tuple[int, int], uncovered: bool = False) -> Self:
        if self._colors is not None:
            return self._of_ids.for_image(size, uncovered)
        head = self if self.size is not None else self.fixed(size=size)
        if not uncovered or self._outside is not None or isinstance(self.missing, Real):
            return head
        return head.fixed(missing=self._unused_value, _open=True)

    def for_column(self, raw: Head) -> Head:
        assert isinstance(raw, Mask)
        return self.fixed(values=raw.values, missing=raw.missing)

    def to_column(self, mask: np.ndarray) -> np.ndarray:
        """Convert the result of `to_pixels` to the form of the column: ids back to colors."""
        return mask if self._colors is None else self._colors.painted(mask)

    def stored_dtype(self, values: Any) -> str:
        if self.in_colors:
            return "uint8"
        marker = float(self.missing) if isinstance(self.missing, Real) else 0.0
        masks = [np.asarray(mask) for mask in values]
        if any(mask.dtype.kind == "f" for mask in masks) or not marker.is_integer():
            return "float32"
        numbers = [0, len(self.names) - 1, *(self.values or ()), int(marker)]
        numbers += [int(extreme) for mask in masks if mask.size for extreme in (mask.min(), mask.max())]
        return narrowest(numbers)

    def resolve(self, column: Column) -> Self:
        head = self.sized(column)
        head.encode(column.probe())
        return head

    def conversion(self, column: np.ndarray) -> Conversion | None:
        weighed = self.missing is not None or self.class_weight is not None
        if self.in_colors or (self.multi and weighed) or not self.holds(column):
            return None
        ids = {value: i for i, value in enumerate(self._class_values)}
        weights = dict(zip(ids, self.weights_by_id().tolist(), strict=True)) if weighed else {}
        if self.missing is not None:
            if not isinstance(self.missing, Real) or not float(self.missing).is_integer():
                return None
            marker = int(float(self.missing))
            ids[marker], weights[marker] = 0, 0.0
        return Conversion(self.dtype, values=ids, weights=weights if weighed else None)

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        if self._colors is not None:
            return self._of_ids.encode(self._colors.column(values), check)
        array, present = mask_numbers(values, self.missing, self.sides, self.channels)
        if self.values is not None:
            array = self._classes_of(array, present)
        elif check:
            self._check(array)
        labels = as_float32(array, check=False) if self.binary else array[..., 0].astype(np.int32, copy=False)
        return np.ascontiguousarray(labels), None if present is None else self._of_weights(present)

    def _classes_of(self, array: np.ndarray, present: np.ndarray | None) -> np.ndarray:
        """Convert the column's values to class ids; 0 without a label."""
        order = np.argsort(self.values)
        ranked = np.asarray(self.values)[order]
        nearest = np.minimum(np.searchsorted(ranked, array), len(ranked) - 1)
        unknown = ranked[nearest] != array
        ids = order[nearest].astype(np.uint8 if len(ranked) <= 256 else np.int32)
        if present is not None:
            unknown, ids = unknown & present, np.where(present, ids, 0)
        refuse_first(unknown, array, *self._expected_pixel(None))
        return ids

    def _of_weights(self, present: np.ndarray) -> np.ndarray:
        """Reduce which numbers are present to the shape of weights."""
        if self.missing is not None:
            return np.all(present, axis=3, keepdims=self.elementwise)
        rows = whole_rows(present, "Say Mask(missing=255) and mark such pixels with 255.")
        shape = self.weight_shape
        return np.broadcast_to(rows.reshape(-1, *[1] * len(shape)), (len(rows), *shape))

    def _check(self, array: np.ndarray) -> None:
        if not array.size or array.dtype.kind == "b":
            return
        expected, fix = self._expected_pixel(array.max())
        require_range(array, 0, 1 if self.binary else len(self.names) - 1, expected, fix)
        require_whole(array, expected, "Give whole numbers; a soft mask is a ph.Map.")

    def _expected_pixel(self, most: Any) -> tuple[str, str]:
        """The expected value of a pixel, and what to do about ``most``, for errors."""
        if self.values is not None:
            expected = f"one of the values {shown(list(self.values))} in each pixel"
            return expected, out_of_range_fix(0, 0, self.values)
        top = 1 if self.binary else len(self.names) - 1
        expected = "0 or 1 in each pixel" if self.binary else f"a class id in [0, {top}] in each pixel"
        return expected, out_of_range_fix(most, 0 if self.multi else len(self.names))

    def _ids(self, labels: np.ndarray) -> np.ndarray:
        return labels[..., 0].astype(np.uint8) if self.binary else labels

    def describe(self, labels: np.ndarray, valid: np.ndarray) -> str:
        if not self.binary:
            return super().describe(labels, valid)
        valid = np.broadcast_to(valid, labels.shape if self.elementwise else labels.shape[:3])
        return f"{labels[valid].mean():.1%} of pixels are 1" if valid.any() else "no labels"

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        return {"": label_masks(outputs, views, self.binary, self.multi, logits, self._outside or 0)}

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> MaskJudge:
        return MaskJudge(name, self.names, self.binary)

    def default_metrics(self, logits: bool) -> list[Any]:
        from polyhead.kinds.keras_metrics import MaskIoU

        return [MaskIoU(classes=len(self.names), multi=self.binary, from_logits=logits)]

    def output(self, features: Any, name: str) -> Any:
        return self.convolved(features, name, len(self.names), self.activation)
