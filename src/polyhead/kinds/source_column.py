"""The interface of a column for resolving kinds, and what its source knows about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from polyhead.errors import BadValue


class About(NamedTuple):
    """The facts that a source knows about a column besides its values.

    Attributes:
        classes: the names of all its classes, in the order of their ids, whether they occur or not; None if unknown.
        values: the column's value for each class, if that is not the name.
        exif: for images, whether annotations were made with the Exif orientation ``"applied"`` or ``"ignored"``.
        points: for keypoints, the name of each point.
        skeleton: for keypoints, the pairs of points that are connected by lines, counted from 0.
        pairs: for keypoints, the pairs of left and right points, counted from 0.

    >>> About(("cat", "dog")).classes
    ('cat', 'dog')
    """

    classes: tuple[Any, ...] | None = None
    values: tuple[Any, ...] | None = None
    exif: str | None = None
    points: tuple[str, ...] | None = None
    skeleton: tuple[tuple[int, int], ...] | None = None
    pairs: tuple[tuple[int, int], ...] | None = None


class Origins(NamedTuple):
    """The original images of some rows, before they were written to a store.

    Attributes:
        files: the file of each; None if it was not a file, or is unknown.
        places: float64 ``(n, 8)``: height and width of the original, in the orientation of its labels, and the matrix
            ``(2, 3)`` from its pixels to those of the stored image; NaN for an image that was stored unchanged.
        lost: a store that does not know the originals, though it may have resized them; empty if there is none.
        kept: whether a store has these as columns, at least for some rows.
    """

    files: list[str | None]
    places: np.ndarray
    lost: str = ""
    kept: bool = False

    @classmethod
    def unknown(cls, count: int, lost: str = "") -> Origins:
        """Origins of images that were stored unchanged, or whose originals are unknown."""
        return cls([None] * count, np.full((count, 8), np.nan), lost)


class Column(Protocol):
    """A column as a kind gets it for resolving: its first rows, all rows, and what its source knows about it."""

    def probe(self) -> Any:
        """The first rows."""

    def scan(self) -> Iterator[Any]:
        """Yield all rows, in pieces."""

    def counting(self) -> Iterator[Any]:
        """Yield the rows in which its ``given`` head is 1, in pieces; all rows without ``given``."""

    def about(self) -> About:
        """The facts that its source knows about it."""


def over(column: Column, find: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield ``find(piece)`` for each piece of a column; positions in errors are relative to the whole column."""
    start = 0
    for piece in column.scan():
        try:
            yield find(piece)
        except BadValue as bad:
            if bad.index is not None:
                bad.index += start
            raise
        start += len(piece)
