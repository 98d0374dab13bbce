"""The base of heads with coordinates in the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, counted, require_size, shown
from polyhead.kinds.head import Head
from polyhead.kinds.judging import WEIGHT
from polyhead.kinds.missing import (
    both_present,
    is_dense,
    is_missing,
    nested_lists,
    numbers,
    plain,
    require_finite,
    require_range,
    row_array,
)
from polyhead.kinds.output_layers import dense_output, flat_features
from polyhead.kinds.predicted_columns import InOriginal, Move
from polyhead.kinds.source_column import Column

_PIXELS = (
    "These look like pixels: say column_normalized=False to have them divided by the size of the image, "
    "or normalized=False to predict pixels."
)


@dataclass(frozen=True, repr=False)
class Coordinates(Head):
    """Several points or boxes per row, each with its own weight."""

    _: KW_ONLY
    normalized: bool = False
    column_normalized: bool | None = None

    dtype = "float32"
    _widths: ClassVar[tuple[int, ...]]
    _may_be_fewer: ClassVar[bool] = False

    @property
    def meaning(self) -> dict[str, Any]:
        return {"normalized": self.normalized}

    def __post_init__(self) -> None:
        super().__post_init__()
        argument = ", ".join(self.__match_args__)  # the only one by position
        require_size(f"{type(self).__name__}({argument})", self.places)

    def _row_entries(self, value: Any, index: int, expected: str) -> np.ndarray:
        """A row's entries as the column has them, ``(k, width)``; NaN for None."""
        row = row_array(_without_none(value), index, expected)
        row = self._in_entries(row) if row.ndim == 1 else row
        if not row.size:
            return np.zeros((0, self._widths[0]))
        row = row[None] if row.ndim == 1 else row
        if row.ndim != 2 or row.shape[1] not in self._widths:
            raise BadValue(index, expected, f"shape {row.shape}", self._shape_fix(row.shape))
        return row

    def _present_entries(self, value: Any, expected: str) -> np.ndarray:
        """A row's entries, float64 ``(k, width)``, NaN for missing ones."""
        row = np.asarray(self._row_entries(value, 0, expected), np.float64)
        if isinstance(self.missing, Real):
            row = np.where((row[:, : self._widths[0]] == self.missing).all(1)[:, None], np.nan, row)
        infinite = np.isinf(row).any(1)
        if infinite.any():
            found = shown(row[infinite][0].tolist())
            raise BadValue(0, f"finite {expected}", found, "Put NaN where there is none.")
        return row

    @property
    def labels_in_pixels(self) -> bool:
        return not self.normalized

    @property
    def unit_fix(self) -> str:
        if self.normalized:
            return ""
        column = ", column_normalized=False" if self.column_in_pixels else ""
        return f"Say ph.{type(self).__name__}(normalized=True{column}): the model then predicts shares of the image."

    @property
    def column_in_pixels(self) -> bool:
        return not (self.normalized if self.column_normalized is None else self.column_normalized)

    def needs_rendering(self, values: Any) -> bool:
        return self.column_in_pixels == self.normalized  # converting needs the size of the image

    def for_store(self) -> Self:
        return self.fixed(normalized=not self.column_in_pixels, column_normalized=None)

    def _in_image(self, coordinates: np.ndarray, size: tuple[int, int], entries: str) -> np.ndarray:
        """Convert coordinates ``(k, 2)`` or ``(k, 4)`` of the column to pixels of an image of ``size``.

        Raises:
            BadValue: for coordinates far outside of 0–1, if they should be in it.
        """
        if self.column_in_pixels:
            return coordinates
        with np.errstate(invalid="ignore"):
            far = ((coordinates < -1) | (coordinates > 2)).any(-1)
        if far.any():
            raise BadValue(0, self._shares(entries), shown(coordinates[far][0].tolist()), _PIXELS)
        return coordinates * np.tile(size[::-1], coordinates.shape[-1] // 2)

    def _shares(self, entries: str) -> str:
        argument = "normalized" if self.column_normalized is None else "column_normalized"
        return f"{entries} in 0–1, as {argument}=True says"

    def also_read(self, name: str, columns: Mapping[str, Any]) -> dict[str, Head]:
        from polyhead.kinds.regression import Regression

        # what is predicted in a row without labels counts as much as the row
        of_row = isinstance(columns.get(self.sample_weight or ""), (Real, np.bool_))
        return {WEIGHT.format(name): Regression(column=self.sample_weight)} if of_row else {}

    def for_column(self, raw: Head) -> Head:
        return raw  # nothing is learned, and the column has its own format

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.places,)

    @property
    def weight_forms(self) -> tuple[tuple[int, ...], ...]:
        return ((self.places,),)

    def resolve(self, column: Column) -> Self:
        self.encode(column.probe())
        return self

    def _entries(self, values: Any, expected: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Return boxes or keypoints ``(B, places, width)``, and which of them are present: bool ``(B, places)``.

        An entry is missing if a coordinate is NaN, or if all of them equal the marker: a single 0 or -1 can be a valid
        coordinate.
        """
        values = plain(values)
        values = self._in_entries(values) if is_dense(values) and values.ndim == 2 else values
        if is_dense(values) and values.ndim == 2 and values.shape[1] in self._widths:
            values = values[:, None] if self.places == 1 or self._may_be_fewer else values
        # lists of boxes may become a dense array if all rows have the same number of them
        even_lists = is_dense(values) and values.ndim == 3 and values.shape[1] != self.places
        if not is_dense(values) or (even_lists and values.shape[2] in self._widths):
            values = self._padded(values, expected)
        width = values.shape[2] if values.ndim == 3 and values.shape[2] in self._widths else self._widths[0]
        array, known = numbers(values, None, (self.places, width), expected, shape_fix=self._shape_fix)
        coordinates = self._widths[0]
        present = None if known is None else np.all(known[..., :coordinates], axis=2)
        if isinstance(self.missing, Real):
            present = both_present(present, np.any(array[..., :coordinates] != self.missing, axis=2))
        return array, present

    def _in_entries(self, numbers: np.ndarray) -> np.ndarray:
        """Divide numbers ``(..., n)`` of several columns into ``(..., places, width)``; return others unchanged."""
        width, remainder = divmod(numbers.shape[-1], self.places)
        if isinstance(self.column, (str, type(None))) or remainder or width not in self._widths:
            return numbers
        return numbers.reshape(*numbers.shape[:-1], self.places, width)

    def _padded(self, values: Any, expected: str) -> np.ndarray:
        """Pad rows of up to ``places`` entries with NaN to one array."""
        rows = np.full((len(values), self.places, self._widths[-1]), np.nan)
        for i, value in enumerate(values):
            if is_missing(value, self.missing):
                continue
            row = self._row_entries(value, i, expected)
            if not len(row):
                continue
            if len(row) > self.places:
                row = self._fewer(row, i)
            count, width = row.shape
            if count < self.places and not self._may_be_fewer:
                raise self._other_count(i, count)
            rows[i, :count, :width] = row
            rows[i, :count, width:] = 1  # no visibility given: labeled
        return rows

    def _shape_fix(self, shape: tuple[int, ...]) -> str:
        """Return advice on the entries of a row that have another shape."""
        sizes = {self.places * width: width for width in self._widths}
        if self.places > 1 and shape in {form for size in sizes for form in ((size,), (1, size))}:
            entries = f"(-1, {self.places}, {sizes[shape[-1]]})"
            return f"If all of a row are in one list, give np.reshape(column, {entries})."
        if self.layer == "boxes" and len(shape) == 2 and shape[1] in (5, 6):
            return (
                "Give the coordinates alone, boxes[:, :4], or boxes[:, 1:5] if the class comes first; classes are a "
                "head of their own, ph.Categorical(each=...)."
            )
        return ""

    def _fewer(self, row: np.ndarray, index: int) -> np.ndarray:
        """Choose the entries to keep of a row that has too many."""
        raise self._other_count(index, len(row))

    def _other_count(self, index: int, count: int) -> BadValue:
        """Return the error of a row with another number of entries, where each row needs all of them."""
        name, fix = type(self).__name__, "Put None in the place of one that has no label."
        fix = f"Say {name}({count})." if count > self.places else fix
        return BadValue(index, counted(self.places, name.lower().removesuffix("s")), str(count), fix)

    def _check(self, array: np.ndarray, entries: str) -> None:
        require_finite(array, f"finite {entries}", "Put NaN where there is none.")
        if self.needs_rendering(array):
            fix = "Declare the image that they lie in as a ph.Image, or convert the column."
            found = "pixels" if self.column_in_pixels else "shares of its sides"
            raise BadValue(None, "an image among the inputs, by whose size they are converted", found, fix)
        if self.normalized:
            near = not array.size or (array.min() >= -1 and array.max() <= 2)
            fix = f"Cut off what is outside of the image: clip {entries} to 0–1." if near else _PIXELS
            require_range(array, -1e-4, 1 + 1e-4, self._shares(entries), fix)

    def unmoved(self, outputs: np.ndarray, move: Move) -> np.ndarray:
        scale = np.array(move.size[::-1] if self.normalized else (1, 1), np.float64)
        pairs = outputs.reshape(*outputs.shape[:-1], -1, 2) * scale
        return (move.points(pairs) / scale).reshape(outputs.shape).astype(np.float32)

    def _in_pixels(self, outputs: np.ndarray, views: Sequence[InOriginal]) -> np.ndarray:
        """Convert outputs to pixels of the image as the model gets it, float64."""
        coordinates = outputs.astype(np.float64)
        if not self.normalized:
            return coordinates
        sides = np.array([view.target[::-1] for view in views], np.float64)
        return coordinates * np.tile(sides, coordinates.shape[-1] // 2)[:, None]

    def in_original(self, coordinates: Any, view: InOriginal) -> np.ndarray:
        """Map a box or point to pixels of the original image, in the format of the column, without clipping.

        Args:
            coordinates: a box as ``xyxy``, ``(4,)``, or a point ``(2,)``, as the model predicts it.
        """
        pixels = self._in_pixels(np.asarray(coordinates, np.float64).reshape(1, 1, -1), [view])
        ends = view.points(pixels.reshape(-1, 2))
        return (
            self.to_column(np.concatenate([ends.min(0), ends.max(0)])[None])[0] if len(ends) > 1 else ends[0]
        )

    def default_loss(self, logits: bool) -> Any:
        import keras

        return keras.losses.Huber(delta=0.1 if self.normalized else 1.0)

    @property
    def activation(self) -> str | None:
        return "sigmoid" if self.normalized else None

    def output(self, features: Any, name: str) -> Any:
        return dense_output(flat_features(features), name, self.shape, self.activation)


def _without_none(value: Any) -> Any:
    """Replace entries or numbers that are None by NaN."""
    value = nested_lists(value)
    if not isinstance(value, (list, tuple)):
        return value
    width = next((len(entry) for entry in value if isinstance(entry, (list, tuple, np.ndarray))), None)
    filler = np.nan if width is None else [np.nan] * width
    return [filler if entry is None else entry for entry in value]
