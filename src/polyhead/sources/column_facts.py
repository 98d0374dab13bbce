"""Merges what several sources know of one column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from polyhead.errors import DataError, Problem, place, shown
from polyhead.kinds.source_column import About


def merged_facts(name: str, known: Sequence[About]) -> About:
    """Merge what several sources know of a column.

    The classes of one source are used if they include those of all others in the same order. If every source lists
    names in alphabetical order, so does the union. A source that knows nothing of the column changes nothing.

    Raises:
        DataError: if the orders of classes or keypoints differ, or annotations refer to differently rotated images.

    >>> merged_facts("kind", [About(("cat", "dog")), About(), About(("cat",))]).classes
    ('cat', 'dog')
    """
    classed = [(i, about) for i, about in enumerate(known) if about.classes is not None]
    found = About()
    alphabet = [about.classes for _, about in classed if about.values is None and _is_sorted(about.classes)]
    if classed and len(alphabet) == len(classed):
        found = About(tuple(sorted({name for names in alphabet for name in names or ()})))
    elif classed:
        at, longest = max(classed, key=lambda one: len(one[1].classes or ()))
        for i, about in classed:
            if not _within(about, longest):
                expected = f"one order of classes in all sources, {_shown_classes(longest)} as in source {at}"
                found_here = f"{_shown_classes(about)} in source {i}"
                fix = "Name the classes in the head, in the order that you want."
                raise DataError(Problem(place(column=name), expected, found_here, fix, "classes"))
        found = longest
    orientations = {about.exif for about in known if about.exif is not None}
    if len(orientations) > 1:
        fix = "Make one feed for each, or give all readers the same exif=."
        found_here = 'exif="applied" and exif="ignored"'
        raise DataError(
            Problem(place(column=name), "the same exif= in all sources", found_here, fix, "turned")
        )
    points, skeleton = _merged_points(name, known)
    return found._replace(exif=next(iter(orientations), None), points=points, skeleton=skeleton)


def _merged_points(name: str, known: Sequence[About]) -> tuple[Any, Any]:
    """Return the names of keypoints and the lines between them; raise if sources name them differently."""
    named = [(i, about.points) for i, about in enumerate(known) if about.points is not None]
    for i, points in named:
        if points != named[0][1]:
            first, other = (shown(list(one or ())) for one in (named[0][1], points))
            fix = "If they mean the same, give point_names= and skeleton= to the head."
            expected = f"the same keypoints in all sources, {first} as in source {named[0][0]}"
            raise DataError(Problem(place(column=name), expected, f"{other} in source {i}", fix, "points"))
    lines = [about.skeleton for about in known if about.skeleton is not None]
    return (named[0][1] if named else None), (lines[0] if lines else None)


def _within(part: About, whole: About) -> bool:
    """Return whether ``whole`` includes all classes of ``part``, in the same order and for the same values."""
    rest: Iterable[Any] = iter(_pairs(whole))
    return all(pair in rest for pair in _pairs(part))


def _is_sorted(names: Sequence[Any] | None) -> bool:
    return all(isinstance(name, str) for name in names or ()) and list(names or ()) == sorted(names or ())


def _pairs(about: About) -> list[tuple[Any, Any]]:
    classes = about.classes or ()
    return list(zip(classes, about.values or classes, strict=True))


def _shown_classes(about: About) -> str:
    return shown(list(about.classes or ()))
