"""The interface of a column for kinds that are resolved, and what its source knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

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
