"""The interface of heads whose labels are transformed together with the image."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

PIXELS = ("mask", "map")
"""The layers with a label for each pixel."""

COORDINATES = ("boxes", "points")
"""The layers of coordinates."""


class InImage:
    """The interface of heads with labels in the image; by default, a head has none.

    Such a head has a `layer`, and what that layer needs: `size` and the properties of pixels for ``"mask"`` and
    ``"map"``, `places` and the unit of coordinates for ``"boxes"`` and ``"points"``.
    """

    @property
    def layer(self) -> str | None:
        """The form of labels that move with the image: ``"mask"``, ``"map"``, ``"boxes"`` or ``"points"``; else None.

        For a head with a label per box, it is the layer of that label, or ``"entry"`` if that has none.
        """
        return None

    # Pixels ----------------------------------------------------------------------------------------

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of a mask or map."""
        return None

    @property
    def channels(self) -> int:
        """The number of values for each pixel of a map, or of masks that may overlap."""
        return 1

    @property
    def in_colors(self) -> bool:
        """True if a mask's column has colors rather than ids."""
        return False

    @property
    def fill(self) -> float:
        """The value of a mask outside of a transformed image."""
        return 0.0

    @property
    def nearest(self) -> bool:
        """True if a map is resized by nearest neighbor rather than by averaging."""
        return False

    @property
    def fine_weights(self) -> bool:
        """True if its weight column has weights for pixels."""
        return False

    def stored_dtype(self, values: Any) -> str:
        """The smallest dtype that can represent all values of a mask or map, given the first ones."""
        return "float32"

    # Boxes and points ------------------------------------------------------------------------------

    @property
    def places(self) -> int:
        """The number of boxes, points or entries that a row has space for."""
        return 1

    @property
    def labels_in_pixels(self) -> bool:
        """True if labels are coordinates in pixels of the image rather than in 0–1."""
        return False

    @property
    def column_in_pixels(self) -> bool:
        """True if the column has coordinates in pixels of the image rather than in 0–1."""
        return False

    @property
    def pairs(self) -> Any:
        """The pairs of points that are swapped when the image is flipped left-right, as ``((1, 2), (3, 4))``."""
        return ()

    @property
    def min_visible(self) -> float | None:
        """The smallest visible fraction with which a box is kept."""
        return None

    @property
    def presence(self) -> bool:
        """True if this head says for each place whether there is a box."""
        return False

    @property
    def nms(self) -> float | None:
        """The largest overlap of a predicted box with a higher-scoring one of its class; None for any."""
        return None

    def corners_of(self, boxes: np.ndarray) -> np.ndarray:
        """Convert boxes ``(..., 4)`` from the format of the column to ``xyxy``."""
        return boxes

    def not_annotated(self, label: np.ndarray) -> bool:
        """Return whether a row was not annotated, given the result of `to_pixels`."""
        return False

    def indices_to_keep(self, label: np.ndarray) -> np.ndarray:
        """The indices of the boxes to keep; all of them if a row with too many is an error anyway."""
        return np.arange(len(label))

    # There and back --------------------------------------------------------------------------------

    def needs_rendering(self, values: Any) -> bool:
        """Return whether values of the column have to be decoded, drawn or resized before they are encoded."""
        return False

    def to_pixels(self, value: Any, size: tuple[int, int]) -> np.ndarray:
        """Return one row's label in pixels of the whole image, before the image is transformed.

        Args:
            value: a value of the column, not missing; masks are already decoded.
            size: (height, width) of the whole image.

        Returns:
            A mask ``(H, W)`` or ``(H, W, C)``, boxes ``(k, 4)`` as ``xyxy`` or points ``(n, 2)``, in pixels;
            NaN for missing ones.

        Raises:
            BadValue: for an invalid label.
        """
        raise NotImplementedError(f"{type(self).__name__} has no labels in an image")

    def from_pixels(self, label: np.ndarray, visible: np.ndarray | None, size: tuple[int, int]) -> Any:
        """Return a row's value for `encode` from the transformed result of `to_pixels`.

        Args:
            label: as from `to_pixels`, in pixels of the image as the model gets it.
            visible: which boxes or points are still visible, bool ``(k,)`` or ``(n,)``; None for a mask.
            size: (height, width) of that image.
        """
        return label

    def to_column(self, label: Any) -> Any:
        """Convert the result of `to_pixels` to the form of the column."""
        return label

    def for_image(self, size: tuple[int, int], uncovered: bool = False) -> Self:
        """Return the head that encodes labels of an image of ``size``.

        Args:
            size: (height, width).
            uncovered: whether transformations may bring in pixels from outside of the image.
        """
        return self

    def for_store(self) -> Self:
        """Return this head for labels written to a store in the form of the column."""
        return self

    def for_drawn_labels(self) -> Self:
        """Return this head without a label for the fill outside of the image, so that only drawn labels count."""
        return self

    def for_column(self, raw: Any) -> Any:
        """Undo `for_image`: return this resolved head for reading the column; ``raw`` is the head before that."""
        return self
