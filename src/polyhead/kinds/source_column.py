"""The interface of a column for kinds that are resolved, and what its source knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from polyhead.errors import BadValue


class About(NamedTuple):
    """What a source knows of a column beside its values.

    Attributes:
        classes: the names of all its classes, in the order of their ids, whether they occur or not; None where the
            source does not say.
        values: what the column holds for each class, where that is not its name.
        exif: of a column of images, whether annotations were made with the Exif orientation ``"applied"`` or
            ``"ignored"``.
        points: of a column of keypoints, the name of each point.
        skeleton: of a column of keypoints, the pairs of points that a line joins, counted from 0.

    >>> About(("cat", "dog")).classes
    ('cat', 'dog')
    """

    classes: tuple[Any, ...] | None = None
    values: tuple[Any, ...] | None = None
    exif: str | None = None
    points: tuple[str, ...] | None = None
    skeleton: tuple[tuple[int, int], ...] | None = None


class Origins(NamedTuple):
    """Which images those of some rows were, before a store held them.

    Attributes:
        files: the file of each; None for one that was not a file, or is not known.
        places: float64 ``(n, 8)``: height and width of the original, in the orientation of its labels, and the matrix
            ``(2, 3)`` from its pixels to those that are held; NaN for an image that is held as it was.
        lost: a store that does not know them, though it may have resized the images; empty if there is none.
        kept: a store has them as columns, for some rows at least.
    """

    files: list[str | None]
    places: np.ndarray
    lost: str = ""
    kept: bool = False

    @classmethod
    def unknown(cls, count: int, lost: str = "") -> Origins:
        """Those of images that are held as they were, or of which nothing is known."""
        return cls([None] * count, np.full((count, 8), np.nan), lost)


class Column(Protocol):
    """A column as a kind sees it when it is resolved: its first rows, all of it, and what its source says of it."""

    def probe(self) -> Any:
        """The first rows."""

    def scan(self) -> Iterator[Any]:
        """All rows, in pieces."""

    def counting(self) -> Iterator[Any]:
        """All rows in which the head it is ``given`` is 1, in pieces; all rows where there is none."""

    def about(self) -> About:
        """What its source knows of it."""


def over(column: Column, find: Callable[[Any], Any]) -> Iterator[Any]:
    """What ``find`` gives for each piece of a column; positions in errors count from the first piece on."""
    start = 0
    for piece in column.scan():
        try:
            yield find(piece)
        except BadValue as bad:
            if bad.index is not None:
                bad.index += start
            raise
        start += len(piece)
