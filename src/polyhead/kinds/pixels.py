"""The base of heads with a label for each pixel of the image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, hints, place, shown
from polyhead.kinds.class_encoding import VOLUMES
from polyhead.kinds.head import Head, coarser
from polyhead.kinds.kind import as_shape
from polyhead.kinds.missing import even_rows, is_dense, is_missing, nested_lists, numbers, plain, row_array
from polyhead.kinds.mixed_labels import BLEND, Mixing
from polyhead.kinds.output_layers import output_dtype
from polyhead.kinds.predicted_columns import Move, unmoved_pixels
from polyhead.kinds.source_column import Column


@dataclass(frozen=True, repr=False)
class Pixels(Head):
    """A head with a label for each pixel of the image, ``(H, W)`` or ``(H, W, n)`` a row.

    Attributes:
        size: ``(height, width)`` of the labels; by default as found, or that of the image if labels are files.
    """

    one_column = (
        "Make them one column: np.stack([u, v], axis=-1), or list(zip(u, v)) for files of binary masks."
    )

    _: KW_ONLY
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is None:
            return
        where = f"{type(self).__name__}(size=)"
        size = as_shape(self.size, where)
        if len(size) != 2:
            raise ContractError(Problem(where, "(height, width)", str(self.size)))
        object.__setattr__(self, "size", size)

    @property
    def sides(self) -> tuple[int, int]:
        """(height, width), known once this head is resolved."""
        assert self.size is not None
        return self.size

    @property
    def channelwise(self) -> bool:
        """True if the weight column may have a weight for each channel of a pixel."""
        return self.channels > 1

    @property
    def fine_weights(self) -> bool:
        return bool(self._finer)

    @property
    def weight_forms(self) -> tuple[tuple[int, ...], ...]:
        return (self.sides, self.shape) if self.channelwise else (self.sides,)

    def for_weights(self, shape: tuple[int, ...]) -> Self:
        axes = min(len(shape), 3 if self.channelwise else 2)
        if axes == 3 and self._finer is not None and not self.elementwise:
            raise coarser(shape)
        return self if self._finer == 3 else self.fixed(_finer=axes)

    def needs_rendering(self, values: Any) -> bool:
        values = plain(values)
        if is_dense(values) and values.dtype.kind in "iufb":
            return self.size is not None and values.shape[1:3] != self.size
        labels = [value for value in values if not is_missing(value, self.missing)]
        if any(not isinstance(label, (np.ndarray, list, tuple)) or lists_files(label) for label in labels):
            return True  # a file, encoded bytes, or something still to be drawn
        sizes = {_image_shape(label)[:2] for label in labels}
        return len(sizes) > 1 or (self.size is not None and sizes != {self.size})

    def holds(self, column: np.ndarray) -> bool:
        """Return whether rows of a column are of this head's shape, with or without an axis of length 1."""
        shapes = {(*shape, 1) if len(shape) == 2 else shape for shape in (column.shape[1:], self.shape)}
        return len(shapes) == 1

    def sized(self, column: Column) -> Self:
        """Return this head with the size of the first label, if none is declared.

        Raises:
            BadValue: if the first rows have no label with two or three axes.
        """
        if self.size is not None:
            return self
        probe = plain(column.probe())
        if is_dense(probe):
            shape = probe.shape[1:]
        else:
            row = next((i for i, value in enumerate(probe) if not is_missing(value)), None)
            if row is None:
                fix = f"Say {type(self).__name__}(size=(height, width))."
                raise BadValue(None, f"a {self.layer} among the first rows", "none", fix)
            shape = _image_shape(probe[row])
            if not shape and isinstance(probe[row], (list, tuple)):
                row_array(probe[row], row, f"a {self.layer} (H, W) or (H, W, n)")
        if len(shape) not in (2, 3):
            steps = "For steps of a sequence, give (N, 1, T): np.asarray(column)[:, None, :]."
            fix = steps if len(shape) == 1 else ""
            raise BadValue(None, f"{self.layer}s (H, W) or (H, W, n)", f"rows of shape {shape}", fix)
        return self.fixed(size=(int(shape[0]), int(shape[1])))

    def mixable(self, way: str) -> tuple[int, ...]:
        if way == BLEND:
            return self.weight_shape
        return self.shape if self.elementwise else self.sides

    def mix(
        self, labels: np.ndarray, weights: np.ndarray | None, mixing: Mixing, boxes: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None, None]:
        if mixing.patches is None:
            return *mixing.mean(labels, weights), None
        if weights is not None:
            shape = labels.shape if self.elementwise else labels.shape[:4]
            weights = mixing.cut(np.broadcast_to(weights, shape))
        return mixing.cut(labels), weights, None

    def unmoved(self, outputs: np.ndarray, move: Move) -> np.ndarray:
        return unmoved_pixels(outputs, move)

    def convolved(self, features: Any, name: str, channels: int, activation: str | None) -> Any:
        """Upsample a feature map to the size of the labels, and apply a 1 x 1 convolution."""
        import keras

        where = f"outputs(), {place(head=name)}"
        shape = tuple(features.shape)
        if len(shape) != 4 or None in shape[1:3]:
            expected = "a feature map (B, h, w, c) of known size"
            raise ContractError(Problem(where, expected, f"features of shape {shape}"))
        height, width = shape[1:3]
        factors = (self.sides[0] // height, self.sides[1] // width)
        if (height * factors[0], width * factors[1]) != self.size:
            expected = f"a feature map whose size divides the {self.layer}'s, {self.size}"
            raise ContractError(Problem(where, expected, str((height, width))))
        if factors != (1, 1):
            features = keras.layers.UpSampling2D(factors, interpolation="bilinear")(features)
        layer = keras.layers.Conv2D(channels, 1, activation=activation, name=name, dtype=output_dtype())
        return layer(features)


def as_pixels(value: Any, expected: str) -> np.ndarray:
    """Return a row's label as an array of any dtype.

    Raises:
        BadValue: for nested lists of unequal length, and run lengths.
    """
    if isinstance(value, dict):
        run_lengths = "Run lengths are drawn by pycocotools.mask; ph.read_coco reads a file with them."
        raise BadValue(0, expected, shown(value), run_lengths if "counts" in value else "")
    try:
        array = np.asarray(nested_lists(value))
    except ValueError:
        raise BadValue(0, expected, f"lists of unequal length ({shown(value)})") from None
    if array.dtype == object and array.ndim == 1 and len(array):
        fix = "For a mask of each object, say Mask(each=...) with the name of the head of their boxes."
        raise BadValue(0, expected, f"a list of {len(array)} {type(array[0]).__name__}", fix)
    return array


def narrowest(numbers: Sequence[int]) -> str:
    """The narrowest of uint8, int16 and int32 that can represent all numbers."""
    low, high = min(numbers), max(numbers)
    for dtype in ("uint8", "int16"):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return dtype
    return "int32"


def holding(array: np.ndarray, value: float) -> np.ndarray:
    """Cast a mask to a dtype that can also represent a given value."""
    if array.dtype.kind not in "iu":
        return array
    bounds = np.iinfo(array.dtype)
    if array.dtype.itemsize > 4 or not bounds.min <= value <= bounds.max:
        return array.astype(np.int32 if float(value).is_integer() else np.float32)
    return array


def lists_files(value: Any) -> bool:
    """Return whether a row is a list of files or encoded images, one for each mask.

    >>> lists_files(["road.png", "wet.png"]), lists_files([[0, 1], [1, 0]]), lists_files("road.png")
    (True, False, False)
    """
    rows = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.dtype.kind in "OU")
    return rows and any(isinstance(entry, (str, bytes, os.PathLike)) for entry in value)


def _image_shape(value: Any) -> tuple[int, ...]:
    """The shape of an array or of nested lists; ``()`` for lists of unequal length, which are reported later."""
    try:
        return np.shape(value)
    except ValueError:
        return ()


def mask_numbers(
    values: Any, marker: Any, size: tuple[int, int], channels: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return masks ``(B, H, W, channels)`` and which of their numbers are present, as `missing.numbers` does.

    Raises:
        BadValue: for masks of another shape, with what to do about one-hot classes, colors and volumes.
    """

    def expected(sides: tuple[int, ...]) -> str:
        return f"a mask of shape {sides if channels == 1 else (*sides, channels)}"

    try:
        return numbers(values, marker, (*size, channels), expected(size))
    except BadValue as bad:
        shape = shape_of_bad(bad, values)
        if fix := first_axis_fix(shape, channels):
            bad.fix, bad.expected = fix, expected(shape[1:] if size == shape[:2] else size)
        elif channels == 1 and len(shape) == 3 and shape[:2] == size:
            several = f"If each channel is a binary mask of its own, say Mask({shape[2]}, multi=True)."
            other = _COLORS if shape[2] in (3, 4) else _VOLUMES if shape[2] > 4 else ""
            bad.fix = hints(_ONE_HOT, several, other)
        raise


def shape_of_bad(bad: BadValue, values: Any) -> tuple[int, ...]:
    """The shape of the row that an error is about."""
    rows = even_rows(plain(values))
    return rows.shape[1:] if is_dense(rows) else _image_shape(rows[bad.index or 0])


def first_axis_fix(shape: tuple[int, ...], channels: int = 0) -> str:
    """Say what a short first axis of a mask or map may be; an empty string if there is none.

    Args:
        shape: of a row.
        channels: 1 for masks that may be volumes.

    >>> first_axis_fix((3, 40, 80)), first_axis_fix((40, 80, 3))
    ('If channels come first, put them last in each row: np.moveaxis(row, 0, -1).', '')
    """
    if len(shape) != 3 or shape[0] >= min(shape[1:]) // 2:
        return ""
    first = "If channels come first, put them last in each row: np.moveaxis(row, 0, -1)."
    return hints(first, _VOLUMES if channels == 1 and shape[0] > 4 else "")


_ONE_HOT = "If each pixel is one-hot, give np.argmax(column, axis=-1)."
_COLORS = "If masks are in colors, say Mask(names, values=[(r, g, b), ...])."
_VOLUMES = f"If these are volumes, {VOLUMES}."


def out_of_range_fix(most: float, count: int, values: Sequence[Any] = ()) -> str:
    """Say what the largest value of a mask may mean, if it is no id of ``count`` classes.

    Args:
        count: the number of classes; 0 for several binary masks.
        values: the declared value of each class, if any.

    >>> out_of_range_fix(3, 3)[:55], out_of_range_fix(7, 1)[:41]
    ('If ids count from 1, say Mask(..., values=range(1, 4));', 'If these are class ids, say Mask(8). If s')
    """
    if most == 255:
        fix = 'If 255 means "no label", say Mask(missing=255).'
        return fix if count > 2 else f"If 255 is the object, say Mask(values=(0, 255)). {fix}"
    fix = "If some pixels have no label, say Mask(missing=...) with the value they hold."
    if set(values) == {0, 255}:
        return f"If edges are blurred, save (mask > 127) * 255 as PNG. {fix}"
    if not count or not most > max(count - 1, 1) or not float(most).is_integer():
        return fix
    if count == 1:
        return f"If these are class ids, say Mask({int(most) + 1}). {fix}"
    if most == count:
        from_1 = f"If ids count from 1, say Mask(..., values=range(1, {count + 1}));"
        return f"{from_1} if they count from 0, Mask({count + 1}). {fix}"
    return f"If the classes have other ids, say Mask(..., values=[...]). {fix}"
