"""Warns of numbers and classes that are no longer right in a moved or mirrored image, judging by their names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from polyhead.errors import Problem, place
from polyhead.kinds import Head
from polyhead.kinds.in_image import COORDINATES
from polyhead.kinds.keypoints import left_and_right

_BOXES = re.compile(r"(?<![a-z])(b?box(es)?|bnd_?box|[xy]_?(min|max))(?![a-z])", re.IGNORECASE)
_POINTS = re.compile(r"(?<![a-z])(key_?points?|landmarks?|corners?)(?![a-z])", re.IGNORECASE)
_VECTORS = re.compile(
    r"(?<![a-z])(flow|normals?|motion|offsets?|displacements?|vectors?|velocity)(?![a-z])", re.IGNORECASE
)


def unmoved_numbers(heads: Mapping[str, Head], moves: Sequence[Any]) -> Iterator[Problem]:
    """Yield a warning for each head that seems to hold coordinates or vectors, which its kind doesn't move.

    Args:
        moves: the augmentations that move the image.
    """
    from polyhead.augment import Flip, Rotate, Shear

    mirrors = [one for one in moves if isinstance(one, Flip)]
    turns = [one for one in moves if isinstance(one, (Flip, Rotate, Shear))]
    for name, head in heads.items():
        kind = _kind_that_moves(name, head)
        if kind and moves:
            expected = f"a kind that moves with the image, which {moves[0]!r} moves"
            found = "ph.Regression, whose numbers stay as they are"
            fix = f"If they are coordinates in the image, use {kind}."
            yield Problem(place(head=name), expected, found, fix, "still", warning=True)
        elif mirrors and (sides := _classes_of_sides(head)):
            expected = f"augmentations that keep {sides} apart, as classes don't change places"
            fix = "Leave it out if a mirrored image shows the other one."
            yield Problem(place(head=name), expected, repr(mirrors[0]), fix, "still", warning=True)
        elif turns and _may_be_vectors(name, head):
            expected = "augmentations that keep directions, as the numbers of a ph.Map don't change"
            fix = "If they are vectors in the image, leave it out: ph.Crop and ph.Translate keep directions."
            yield Problem(place(head=name), expected, repr(turns[0]), fix, "still", warning=True)


def mirrored_numbers(heads: Mapping[str, Head]) -> Iterator[Problem]:
    """Yield a warning for each head whose predictions for a mirrored image seem to mean something else."""
    for name, head in heads.items():
        where = f"predict(tta=), {place(head=name)}"
        if sides := _classes_of_sides(head):
            fix = "If a mirrored image shows the other one, leave tta= out."
            expected = "classes that are the same in a mirrored image"
            yield Problem(where, expected, sides, fix, "still", warning=True)
        elif _kind_that_moves(name, head) or _may_be_vectors(name, head):
            expected = "numbers that are the same in a mirrored image, as their mean is predicted"
            found = f"ph.{type(head).__name__}, whose numbers are not mirrored back"
            fix = "If they are coordinates or vectors in the image, leave tta= out."
            yield Problem(where, expected, found, fix, "still", warning=True)


def _kind_that_moves(name: str, head: Head) -> str:
    """The head for numbers that are coordinates by their name or columns; empty for others."""
    count = math.prod(head.shape)
    names = " ".join([name, *head.columns(name)])
    if not head.quantities or head.layer is not None or head.each is not None or count < 2:
        return ""
    if not count % 4 and _BOXES.search(names):
        return f"ph.Boxes({count // 4})"
    return f"ph.Keypoints({count // 2})" if not count % 2 and _POINTS.search(names) else ""


def _classes_of_sides(head: Head) -> str:
    """Two classes whose names differ only in left and right; empty if there are none."""
    names = head.names
    if head.layer in COORDINATES or not all(isinstance(name, str) for name in names):
        return ""
    return next((f"{names[a]!r} and {names[b]!r}" for a, b in left_and_right(names)), "")


def _may_be_vectors(name: str, head: Head) -> bool:
    return head.layer == "map" and head.channels > 1 and bool(_VECTORS.search(name))
