"""The head for numbers for each pixel: depth, heat, restored images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, is_number, require_choice, require_size, shown
from polyhead.kinds.conversion import Conversion
from polyhead.kinds.head import Head
from polyhead.kinds.judging_numbers import MapJudge
from polyhead.kinds.missing import as_float32, is_dense, numbers, refuse_first, require_finite, whole_rows
from polyhead.kinds.pixels import Pixels, as_pixels, first_axis_fix, shape_of_bad
from polyhead.kinds.predicted_columns import PredictedColumn, Views, view_of_each
from polyhead.kinds.regression import Quantities
from polyhead.kinds.scales import FactorScaling, Scaling, require_scale
from polyhead.kinds.source_column import Column

_INTERPOLATIONS = ("bilinear", "nearest")
_INFINITE_FIX = (
    'Put NaN where there is no label; if infinity means "no label", say Map(missing=float("inf")).'
)


@dataclass(frozen=True, repr=False)
class Map(Quantities, Pixels):
    """Numbers for each pixel, such as depth, heat or a restored image: float32 ``(B, H, W, channels)``.

    Each row of the column is ``(H, W)`` or ``(H, W, channels)``, of floats or integers, also of unequal sizes; or an
    image file with 8 or 16 bits per channel or floats, an ``.npy`` file, or the bytes of either. Numbers keep their
    unit: nothing is divided by 255 unless ``scale`` says so. Flips, crops, rotation and ``fit`` are applied to image
    and map alike, changes of light and color only to the image.

    NaN and the value ``missing`` mean that a pixel has no label: its weight is 0, and it does not affect its neighbors
    when the map is resized. Pixels that rotation or ``fit="contain"`` bring in from outside of the image have no label
    either. None means that the whole row has no label.

    Attributes:
        channels: the number of values for each pixel.
        interpolation: ``"bilinear"`` or ``"nearest"``; use nearest for sparse maps, as from a lidar, and for numbers
            that cannot be averaged.
        scale: how to scale the numbers that the model predicts. A number is a factor: ``1 / 1000`` converts
            millimeters to meters, ``1 / 255`` bytes to 0–1. ``"standard"``, ``"minmax"``, ``"robust"``, ``"log"`` or a
            scale of your own scales each channel, as for `Regression`. Metrics of `polyhead.compile` and predictions
            are in the units of the column.
        size: ``(height, width)`` of the map; by default as found, and as the image has it where they are files or
            augmented. Say it for super-resolution: predictions are then as fine as the map.

    >>> labels, there = Map(size=(2, 2), missing=0).encode(np.array([[[0, 5], [2, 1]]]))
    >>> labels[0, ..., 0].tolist(), there[0].tolist()
    ([[0.0, 5.0], [2.0, 1.0]], [[False, True], [True, True]])
    """

    channels: int = 1
    _: KW_ONLY
    interpolation: str = "bilinear"
    scale: Any = None
    # whether no pixel can be missing
    _whole: bool = field(default=False, init=False, repr=False, compare=False)
    # whether each number has its own weight
    _each: bool | None = field(default=None, init=False, repr=False, compare=False)

    takes_each: ClassVar[bool] = False
    dtype = "float32"
    layer = "map"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_size("Map(channels)", self.channels)
        require_choice("Map(interpolation=)", self.interpolation, _INTERPOLATIONS, '"bilinear" or "nearest"')
        if isinstance(self.scale, Real):
            if not (is_number(self.scale) and self.scale):
                raise ContractError(Problem("Map(scale=)", "a finite number other than 0", shown(self.scale)))
        elif self.scale is not None:
            require_scale(self.scale, "Map(scale=)", self.channels, "a number, ")

    @property
    def meaning(self) -> dict[str, Any]:
        return {"scale": self.scale or 1.0}

    @property
    def scaling(self) -> Scaling | None:
        if isinstance(self.scale, Real):
            return FactorScaling(float(self.scale), self.channels) if self.scale != 1 else None
        return super().scaling

    # Shapes ----------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.sides, self.channels)

    @property
    def elementwise(self) -> bool:
        """True if each channel of a pixel has a weight of its own."""
        return bool(self._each) or self._finer == 3

    @property
    def weight_shape(self) -> tuple[int, ...]:
        if self.elementwise:
            return self.shape
        return (1, 1) if self._whole and not self._finer else self.sides

    @property
    def declares_unit(self) -> bool:
        return self.scale is not None

    # In the image ----------------------------------------------------------------------------------

    @property
    def nearest(self) -> bool:
        return self.interpolation == "nearest"

    def to_pixels(self, value: Any, size: tuple[int, int]) -> np.ndarray:
        array = as_pixels(value, self._rows)
        array = array[..., None] if array.ndim == 2 else array
        if array.ndim != 3 or array.shape[2] != self.channels or array.dtype.kind not in "iufb":
            found = f"{array.dtype} of shape {np.shape(value)}"
            fix = f"Say Map({array.shape[2]})." if array.ndim == 3 and array.dtype.kind in "iufb" else ""
            raise BadValue(0, self._rows, found, first_axis_fix(array.shape) or fix)
        array = array.astype(np.float32) if array.dtype != np.float32 else array
        if isinstance(self.missing, Real):
            marked = array == np.float32(self.missing)
            if marked.any():
                array = np.where(marked, np.float32(np.nan), array)
        refuse_first(np.isinf(array)[None], array[None], "finite numbers", _INFINITE_FIX)
        return array

    @property
    def _rows(self) -> str:
        """The expected form of a row, for errors."""
        return "numbers (H, W)" if self.channels == 1 else f"numbers (H, W, {self.channels})"

    def for_image(self, size: tuple[int, int], uncovered: bool = False) -> Self:
        return self.fixed(size=self.size or size, missing=None, _whole=False)

    def for_column(self, raw: Any) -> Self:
        return self.fixed(missing=raw.missing)

    # Labels ----------------------------------------------------------------------------------------

    def resolve(self, column: Column) -> Self:
        head = self.sized(column)
        probe: Any = column.probe()
        # so none can be missing
        whole = is_dense(probe) and probe.dtype.kind in "iub" and head.missing is None
        each = self.channels > 1 and not whole if self._each is None else self._each
        head = head.fixed(_whole=whole, _each=each)
        head = head._with_fitted_scale(column)
        head.encode(probe)
        return head

    def conversion(self, column: np.ndarray) -> Conversion | None:
        cast_only = column.dtype.kind != "f" and self._whole and self.scale in (None, 1)
        return Conversion("float32") if cast_only and self.holds(column) else None

    def _numbers(self, values: Any) -> tuple[np.ndarray, np.ndarray | None]:
        expected = f"numbers of shape {self.size if self.channels == 1 else self.shape}"
        try:
            return numbers(values, self.missing, self.shape, expected)
        except BadValue as bad:
            bad.fix = first_axis_fix(shape_of_bad(bad, values)) or bad.fix
            raise

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        array, present = self._numbers(values)
        if check:
            require_finite(array, "finite numbers", _INFINITE_FIX)
        if isinstance(self.scale, Real):
            array = array * np.float64(self.scale)  # 0 stays 0, so missing numbers need no second pass
        elif self.scaling is not None:
            array = self.scaling.scaled(array, present, check)
        labels = as_float32(array, check)
        if present is None:
            return labels, None
        if self.weight_shape == self.shape:
            return labels, present
        if self.weight_shape == self.size:
            return labels, np.all(present, axis=-1)
        fix = 'Give floats in all rows, or say Map(missing=float("nan")): then each pixel has a weight.'
        return labels, whole_rows(present, fix).reshape(-1, 1, 1)

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        maps: list[Any] = []
        for row, view in view_of_each(self.unscaled(outputs), views):
            channels = list(np.moveaxis(row, -1, 0))
            if view is not None:
                channels = [
                    view.pixels(channel.astype(np.float32), np.nan, self.nearest, finer=True)
                    for channel in channels
                ]
            maps.append(channels[0] if self.channels == 1 else np.stack(channels, -1))
        return {"": PredictedColumn(maps, "map")}

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> MapJudge:
        return MapJudge(name, self)

    # Keras -----------------------------------------------------------------------------------------

    def output(self, features: Any, name: str) -> Any:
        return self.convolved(features, name, self.channels, self.activation)
