"""How labels lie in the image, and move with it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

PIXELS = ("mask", "map")
"""The layers with a label for each pixel."""

COORDINATES = ("boxes", "points")
"""The layers of coordinates."""


class InImage:
    """The interface of heads that lie in the image; by default, a head does not.

    A head that lies in the image says in which `layer`, and has what that layer needs: for ``"mask"`` and ``"map"``
    `size` and how pixels are made, for ``"boxes"`` and ``"points"`` `places` and in which unit coordinates are.
    """

    @property
    def layer(self) -> str | None:
        """The layer that moves with the image: ``"mask"``, ``"map"``, ``"boxes"`` or ``"points"``; else None.

        Of a head for each box it is that of what a box has, or ``"entry"`` where that does not move.
        """
        return None

    # Pixels ----------------------------------------------------------------------------------------

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of labels for each pixel."""
        return None

    @property
    def channels(self) -> int:
        """Numbers for each pixel of a map."""
        return 1

    @property
    def in_colors(self) -> bool:
        """Whether a mask is read in colors, rather than in ids."""
        return False

    @property
    def fill(self) -> float:
        """The value of a mask outside of a moved image."""
        return 0.0

    @property
    def nearest(self) -> bool:
        """Whether a map is resized by nearest neighbor rather than by averaging."""
        return False

    @property
    def fine_weights(self) -> bool:
        """Whether its weight column has weights for pixels."""
        return False

    def stored_dtype(self, some: Any) -> str:
        """The smallest dtype that holds all values of a mask or map; ``some`` are the first of them."""
        return "float32"

    # Boxes and points ------------------------------------------------------------------------------

    @property
    def places(self) -> int:
        """The number of boxes, points or entries that a row has room for."""
        return 1

    @property
    def labels_in_pixels(self) -> bool:
        """Whether labels are coordinates in pixels of the image, rather than shares of its sides."""
        return False

    @property
    def column_in_pixels(self) -> bool:
        """Whether the column holds coordinates in pixels of the image, rather than shares of its sides."""
        return False

    @property
    def pairs(self) -> Any:
        """The points that are exchanged when the image is mirrored, as ``((1, 2), (3, 4))``."""
        return ()

    @property
    def min_visible(self) -> float | None:
        """The smallest share of a box inside the image with which it is kept."""
        return None

    @property
    def presence(self) -> bool:
        """Whether it says for each place whether there is a box."""
        return False

    @property
    def nms(self) -> float | None:
        """The largest overlap of a predicted box with a surer one of its class; None for any."""
        return None

    def corners_of(self, written: np.ndarray) -> np.ndarray:
        """Boxes ``(..., 4)`` in the format of the column as ``xyxy``."""
        return written

    def unknown(self, found: np.ndarray) -> bool:
        """Whether a row was not annotated, by what `lay` gave."""
        return False

    def fitting(self, found: np.ndarray) -> np.ndarray:
        """The places of the boxes to keep; all if a row with too many is an error anyway."""
        return np.arange(len(found))

    # There and back --------------------------------------------------------------------------------

    def late(self, values: Any) -> bool:
        """Whether values of the column have to be decoded, drawn or resized before they are encoded."""
        return False

    def lay(self, value: Any, size: tuple[int, int]) -> np.ndarray:
        """Return one row's label in the whole image, before the image is transformed.

        Args:
            value: of the column, not missing; a mask is decoded already.
            size: (height, width) of the whole image.

        Returns:
            A mask ``(H, W)`` or ``(H, W, C)``, boxes ``(k, 4)`` as ``xyxy`` or points ``(n, 2)``, in pixels;
            NaN for what is missing.

        Raises:
            BadValue: for what is none.
        """
        raise NotImplementedError(f"{type(self).__name__} does not lie in the image")

    def laid(self, found: np.ndarray, kept: np.ndarray | None, size: tuple[int, int]) -> Any:
        """Return the row's value for `encode`, from what `lay` gave after it was moved.

        Args:
            found: as `lay` gave it, in pixels of the image as the model gets it.
            kept: bool ``(k,)`` or ``(n,)``, which boxes or points are still seen; None for a mask.
            size: (height, width) of that image.
        """
        return found

    def written(self, laid: Any) -> Any:
        """Return what `lay` gave in the form of the column."""
        return laid

    def placed(self, size: tuple[int, int], uncovered: bool = False) -> Self:
        """Return the head that encodes labels in an image of ``size``.

        Args:
            size: (height, width).
            uncovered: whether pixels from outside of the image may be brought in.
        """
        return self

    def stored(self) -> Self:
        """Return this head for labels that are written to a store in the column's form."""
        return self

    def drawn(self) -> Self:
        """Return this head with only drawn labels counted, not the fill outside of the image."""
        return self

    def declared(self, raw: Any) -> Any:
        """Return this resolved head as it reads the column again; ``raw`` is what it was placed from."""
        return self
