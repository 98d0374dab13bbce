"""Converts between masks in colors, one for each class, and masks of class ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, as_list, is_integer, shown
from polyhead.kinds.missing import first_row, is_dense, is_missing, plain

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Colors:
    """The colors of a mask.

    Attributes:
        missing: the colors of pixels without a label.

    >>> Colors(((0, 0, 0), (255, 0, 0))).ids(np.array([[[255, 0, 0], [0, 0, 0]]], np.uint8)).tolist()
    [[1, 0]]
    """

    classes: tuple[Color, ...]
    missing: tuple[Color, ...] = ()

    @classmethod
    def declared(cls, values: Any, missing: Any, count: int, multi: bool) -> Colors | None:
        """The colors declared by ``Mask(values=, missing=)``; None if the values are not colors.

        Raises:
            ContractError: for invalid colors.
        """
        if not isinstance(values, (list, tuple, np.ndarray)) or not any(_is_listed(v) for v in values):
            return None
        classes = tuple(color(value) for value in values)
        if multi:
            fix = "Leave multi=True out, or give binary masks (H, W, n)."
            expected = "one color, and so one class, a pixel"
            raise ContractError(Problem("Mask(values=)", expected, "multi=True", fix))
        several = [] if missing is None else [missing] if color(missing) is not None else missing
        without_label = tuple(map(color, several)) if isinstance(several, (list, tuple)) else (None,)
        if None in without_label:
            expected = "the color of pixels without a label, as (r, g, b), or a list of colors"
            raise ContractError(Problem("Mask(missing=)", expected, shown(missing)))
        colors = (*classes, *without_label)
        if None in classes or len(classes) != count or len(set(colors)) < len(colors):
            expected = (
                f"{count} distinct colors (r, g, b) of 0 to 255, one for each class, none of them missing="
            )
            raise ContractError(Problem("Mask(values=)", expected, shown(values)))
        # None among them, which mypy still expects, was an error above
        return cls(classes, without_label)  # type: ignore[arg-type]

    @property
    def missing_id(self) -> int | None:
        """The id that stands for the colors without a label; None if there are none."""
        if not self.missing:
            return None
        return 255 if len(self.classes) <= _FEW else len(self.classes)

    def ids(self, mask: np.ndarray, index: int = 0) -> np.ndarray:
        """Convert one mask or several to class ids.

        Args:
            mask: integers from 0 to 255, ``(..., 3)``.

        Returns:
            uint8 ``(...)``, or int32 for more than 250 classes.

        Raises:
            BadValue: for a color that belongs to no class.
        """
        if mask.ndim < 3 or mask.shape[-1] != 3 or mask.dtype.kind not in "iub":
            found = f"{mask.dtype} of shape {mask.shape}"
            raise BadValue(index, "a mask in colors, RGB of 0 to 255 (H, W, 3)", found)
        if mask.dtype != np.uint8 and mask.size and (mask.min() < 0 or mask.max() > 255):
            raise BadValue(index, "colors of 0 to 255", f"{shown(mask.min())} to {shown(mask.max())}")
        number = mask[..., 0].astype(np.int32)
        for k in (1, 2):
            number <<= 8
            number |= mask[..., k]
        ids = _color_table(self).take(number)
        unknown = ids == ids.dtype.type(_UNKNOWN if ids.dtype == np.uint8 else -1)
        if not unknown.any():
            return ids
        row = first_row(unknown) if mask.ndim > 3 else None
        pixels = mask[unknown] if row is None else mask[row][unknown[row]]
        strange = tuple(pixels[0].astype(int).tolist())
        known = ", ".join(map(str, self.classes[:_SHOWN])) + ", …" * (len(self.classes) > _SHOWN)
        fix = f"If pixels of this color have no label, say Mask(missing={strange})."
        if self.missing:
            fix = f"If pixels of this color have no label, add it to Mask(missing=[{strange}, ...])."
        expected = f"one of the colors {known} in each pixel"
        raise BadValue(index if row is None else row, expected, str(strange), fix)

    def column(self, values: Any) -> Any:
        """Convert a column of masks in colors to ids; None where a mask is missing."""
        values = plain(values)
        if is_dense(values) and values.ndim == 4:
            return self.ids(values)
        return [None if is_missing(v) else self.ids(np.asarray(v), i) for i, v in enumerate(values)]

    def painted(self, ids: np.ndarray) -> np.ndarray:
        """Convert class ids back to colors, uint8 ``(..., 3)``."""
        last = max(len(self.classes) - 1, self.missing_id or 0)
        table = np.zeros((last + 1, 3), np.uint8)
        table[: len(self.classes)] = self.classes
        if self.missing_id is not None:
            table[self.missing_id] = self.missing[0]
        return table[ids]


_FEW = 250
_UNKNOWN = 254
_SHOWN = 6


@lru_cache(maxsize=8)
def _color_table(colors: Colors) -> np.ndarray:
    """The id of each of the 16.7 million colors."""
    few = len(colors.classes) <= _FEW
    table = np.full(1 << 24, _UNKNOWN if few else -1, np.uint8 if few else np.int32)
    ids: list[Any] = [*range(len(colors.classes)), *[colors.missing_id] * len(colors.missing)]
    for (red, green, blue), class_id in zip((*colors.classes, *colors.missing), ids, strict=True):
        table[red << 16 | green << 8 | blue] = class_id
    return table


def color(value: Any) -> Color | None:
    """Return three integers from 0 to 255 as a color; None for anything else."""
    numbers = as_list(value) or []
    if len(numbers) != 3 or not all(is_integer(n) and 0 <= n <= 255 for n in numbers):
        return None
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def as_colors(missing: list[Any]) -> Any:
    """Return ``missing=`` as tuples: one color, or several."""
    return tuple(value if (numbers := as_list(value)) is None else tuple(numbers) for value in missing)


def _is_listed(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim == 1)
