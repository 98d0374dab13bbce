"""What of a label lies in the image, and how it moves as the image does."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

PIXELS = ("mask", "map")
"""The layers with a label for each pixel."""

COORDINATES = ("boxes", "points")
"""The layers of coordinates."""


class InImage:
    """The part of a head that lies in the image; as it stands here, nothing does.

    A head that lies in the image says in which `layer`, and has what that layer needs: for ``"mask"`` and ``"map"``
    `size` and how pixels are made, for ``"boxes"`` and ``"points"`` `places` and in which unit coordinates are.
    """

    @property
    def layer(self) -> str | None:
        """What moves as the image moves: ``"mask"``, ``"map"``, ``"boxes"`` or ``"points"``; None for what does not.

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
    def in_colours(self) -> bool:
        """Whether a mask is read in colours, rather than in ids."""
        return False

    @property
    def fill(self) -> float:
        """What a mask's column would hold outside of an image that was moved."""
        return 0.0

    @property
    def nearest(self) -> bool:
        """Whether the nearest pixel of a map is taken where it is resized, rather than a mean."""
        return False

    @property
    def fine_weights(self) -> bool:
        """Whether its column of weights has them for pixels."""
        return False

    def stored_dtype(self, some: Any) -> str:
        """The least dtype that holds all that a mask or map may hold; ``some`` are the first of them."""
        return "float32"

    # Boxes and points ------------------------------------------------------------------------------

    @property
    def places(self) -> int:
        """How many boxes, points or entries a row has room for."""
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
        """The points that change places where the image is mirrored, as ``((1, 2), (3, 4))``."""
        return ()

    @property
    def min_visible(self) -> float | None:
        """The least share of a box inside the image with which it is kept."""
        return None

    @property
    def presence(self) -> bool:
        """Whether it says for each place whether there is a box."""
        return False

    def unknown(self, found: np.ndarray) -> bool:
        """Whether nobody looked at a row, by what was laid."""
        return False

    def fitting(self, found: np.ndarray) -> np.ndarray:
        """The places of those among a row's boxes that are kept; all where too many are refused as they are encoded."""
        return np.arange(len(found))

    # There and back --------------------------------------------------------------------------------

    def late(self, values: Any) -> bool:
        """Whether values of the column have to be decoded, drawn or resized before they are encoded."""
        return False

    def lay(self, value: Any, size: tuple[int, int]) -> np.ndarray:
        """One row's label as it lies in the whole image, before anything happens to the image.

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
        """The row's value for `encode`, of what was laid and then moved.

        Args:
            found: as `lay` gave it, in pixels of the image as the model gets it.
            kept: bool ``(k,)`` or ``(n,)``, which boxes or points are still seen; None for a mask.
            size: (height, width) of that image.
        """
        return found

    def written(self, laid: Any) -> Any:
        """What was laid, of a row that has some, as the column holds it."""
        return laid

    def placed(self, size: tuple[int, int], uncovered: bool = False) -> Self:
        """The head that encodes what was laid in an image of ``size``.

        Args:
            size: (height, width).
            uncovered: whether pixels from outside of the image may be brought in.
        """
        return self

    def stored(self) -> Self:
        """This head where what was laid is written into a column of the same form, for a store."""
        return self

    def drawn(self) -> Self:
        """This head where only what somebody drew counts, not what stands outside of the image."""
        return self

    def declared(self, raw: Any) -> Any:
        """This head, placed and resolved, as it reads the column again; ``raw`` is what it was placed from."""
        return self
