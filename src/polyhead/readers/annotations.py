"""Steps shared by the readers of annotated images, and the source that they return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.columns.lazy import Stored
from polyhead.columns.values import Values
from polyhead.errors import (
    DataError,
    Problem,
    Report,
    counted,
    listed,
    other_choice,
    plain_scalar,
    shown,
    similar,
)
from polyhead.kinds.source_column import About
from polyhead.readers.findings import Findings
from polyhead.sources.arrays import Arrays
from polyhead.sources.source import names_in

CHOICES = {
    "crowds": ("skip", "keep"),
    "difficult": ("keep", "skip"),
    "exif": ("applied", "ignored"),
    "invalid": ("drop", "raise"),
    "kind": ("instances", "keypoints", "panoptic"),
    "missing_files": ("raise", "drop"),
    "unannotated": ("missing", "empty"),
}
"""The arguments of readers that accept one of a few strings."""

SLACK = 0.01
"""How far a box may extend beyond its image without a warning, in pixels, to allow for rounded decimals."""

SWITCHES = ("verify", "classes", "one_based")
"""The arguments of readers that are True or False."""


class Images(Arrays):
    """Images with their annotations, one row per image: the source that readers return.

    Attributes:
        report: the irregularities in the files and counts of what was found; ``print(source.report)`` shows it.
        categories: the names of the classes, in the order of the file.
    """

    def __init__(
        self,
        columns: Mapping[str, Values | Stored],
        report: Report | None = None,
        categories: Sequence[str] = (),
        about: Mapping[str, About] | None = None,
    ) -> None:
        self._set(dict(columns))  # unchanged: a list of arrays stays a list
        self.report = report or Report()
        self.categories = tuple(categories)
        ordered = About(self.categories) if self.categories else About()
        self._about = {**dict.fromkeys(("labels", "categories"), ordered), **(about or {})}

    def about(self, name: str) -> About:
        return self._about.get(name, About())


def require_choices(reader: str, arguments: Mapping[str, Any]) -> None:
    """Validate the arguments of a reader against `CHOICES` and `SWITCHES`; None means unset."""
    for name in SWITCHES:
        if not isinstance(plain_scalar(arguments.get(name)), (bool, type(None))):
            raise DataError(Problem(f"{reader}({name}=)", "True or False", shown(arguments[name])))
    for name, choices in CHOICES.items():
        if (value := arguments.get(name)) is not None:
            expected = " or ".join(f'"{choice}"' for choice in choices)
            if problems := other_choice(f"{reader}({name}=)", value, choices, expected):
                raise DataError(*problems)


def clip_boxes(
    boxes: np.ndarray,
    sizes: np.ndarray,
    where: Callable[[int], str],
    findings: Findings,
    unread: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Clip boxes to their images, and determine which are usable.

    Args:
        boxes: float64 ``(M, 4)`` of ``xyxy`` in pixels.
        sizes: ``(M, 2)``, height and width of the image of each box.
        findings: records boxes that are negative, empty, outside or not finite; errors only with ``invalid="raise"``.
        unread: bool ``(M,)``, True for boxes that could not be read and are already recorded.

    Returns:
        The clipped boxes, float32 ``(M, 4)``, and a mask of usable ones, bool ``(M,)``.
    """
    finite = np.isfinite(boxes).all(axis=1)
    with np.errstate(invalid="ignore"):
        spans = boxes[:, 2:] - boxes[:, :2]
        negative = finite & (spans < 0).any(axis=1)
        empty = finite & ~negative & (spans == 0).any(axis=1)
        limits = np.concatenate([sizes[:, ::-1], sizes[:, ::-1]], axis=1).astype(np.float64)
        out = finite & ((boxes < -SLACK) | (boxes > limits + SLACK)).any(axis=1)
        with np.errstate(over="ignore"):
            clipped = np.clip(np.where(finite[:, None], boxes, 0), 0, limits).astype(np.float32)
    left = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
    outside = out & ~negative & ~empty & ~left
    sliver = finite & ~negative & ~empty & ~outside & ~left  # narrower than float32 can represent
    as_warning = findings.invalid != "raise"
    fix = 'It is left out; say invalid="raise" to make such boxes errors.' if as_warning else ""

    def words(expected: str, fix: str) -> Callable[[int], Sequence[str]]:
        def of_box(i: int) -> Sequence[str]:
            image = f" of an image {int(sizes[i, 0])} x {int(sizes[i, 1])} (height x width)"
            corners = ", ".join(f"{v:.6g}" for v in boxes[i].tolist())
            return where(i), expected, f"[{corners}] as xyxy{image}", fix

        return of_box

    not_finite = ~finite if unread is None else ~finite & ~unread
    for i in np.flatnonzero(not_finite).tolist():
        findings.leave_out("box-number", *words("a box of four finite numbers", "")(i))
    for code, bad, expected in (
        ("box-negative", negative, "a box whose right and lower edges come last"),
        ("box-empty", empty | sliver, "a box with a positive width and height"),
        ("box-outside", outside, "a box in the image"),
    ):
        findings.add_all(code, np.flatnonzero(bad), words(expected, fix), warning=as_warning)
    usable = left & finite & ~negative & ~empty
    cut = words("a box within the image", "It is cut off at the border.")
    findings.add_all("box-clipped", np.flatnonzero(out & usable), cut, warning=True)
    return clipped, usable


def note_corners(
    boxes: np.ndarray,
    sizes: np.ndarray,
    written: Sequence[bool],
    origin: float,
    findings: Findings,
    area: Callable[[int], float] = lambda i: np.nan,
) -> None:
    """Record that all boxes that a file has as a position and a size may have been written as x0, y0, x1, y1.

    Args:
        boxes, sizes: as for `clip_boxes`.
        written: whether the file has each box; others were made from masks.
        origin: where the position lies in a box: 0 for its corner, 0.5 for its center.
        area: returns the area of a box by its index, if the file has it in another form; else NaN.
    """
    given = np.isfinite(boxes).all(axis=1) & np.array(written, bool)
    start, end, limits = boxes[given, :2], boxes[given, 2:], sizes[given, ::-1]
    first, second = start + origin * (end - start), end - start
    # nearly every file of right boxes ends here, before its areas are computed
    if not len(first) or not np.all(second > first):
        return
    beyond = np.any(end > limits + 1, axis=1)
    fit = np.all(first <= limits + SLACK) and np.all(second <= limits + SLACK)
    areas = np.array([area(i) for i in np.flatnonzero(given).tolist()])
    likely = np.isclose(areas, (second - first).prod(axis=1), 0.01) & ~np.isclose(
        areas, second.prod(axis=1), 0.01
    )
    if fit and (beyond.sum() > max(2, len(first) / 20) or likely.sum() > max(2, 0.9 * len(first))):
        findings.odd("boxes that look like corners rather than a position and a size", len(first))
        advice = "if they are, write a position and a size to the file"
        findings.note(f"all boxes fit in their images as corners, x0, y0, x1, y1; {advice}")


def number_lists(
    rows: Sequence[Any], width: int, where: Callable[[int], str], code: str, what: str, findings: Findings
) -> tuple[np.ndarray, np.ndarray]:
    """Convert lists of ``width`` numbers to an array.

    Returns:
        float64 ``(M, width)``, with NaN for invalid lists, which are recorded; and bool ``(M,)``, True for these.
    """
    whole = _plain_numbers(rows)
    if whole is not None and whole.shape == (len(rows), width):
        return whole, np.zeros(len(rows), bool)
    array, unread = np.full((len(rows), width), np.nan), np.zeros(len(rows), bool)
    for i, row in enumerate(rows):
        numbers = _plain_numbers(row)
        if numbers is not None and numbers.shape == (width,):
            array[i] = numbers
        else:
            flat = numbers is not None and numbers.ndim == 1
            findings.leave_out(code, where(i), what, counted(len(row), "number") if flat else shown(row))
            unread[i] = True
    return array, unread


def _plain_numbers(values: Any) -> np.ndarray | None:
    """Convert numbers to float64; None for anything else, including numbers in strings."""
    try:
        found = np.array(values)
    except (ValueError, OverflowError):  # lists of unequal length
        return None
    return found.astype(np.float64) if found.dtype.kind in "iuf" and found.ndim else None


def number_of(text: str | None) -> Any:
    """Convert a text to a number if it is one; otherwise return it unchanged."""
    try:
        return float(text or "")
    except ValueError:
        return text


def note_keypoints(
    given: np.ndarray, seen: np.ndarray, limits: Any, where: Callable[[int], str], findings: Findings
) -> None:
    """Record keypoints outside their image, and the number of labeled ones.

    Args:
        given: float64 ``(M, n, 2 or 3)``, x and y first.
        seen: ``(M, n)``, the visibility of each keypoint; 0 means not labeled.
        limits: the largest x and y in the image, one number for all or ``(M, 1, 2)``.
        where: returns the location of an object, for the findings.
    """
    away = (seen > 0) & ((given[..., :2] < 0) | (given[..., :2] > limits)).any(axis=2)
    findings.add_all(
        "keypoint-outside",
        np.flatnonzero(away.any(axis=1)),
        lambda i: (where(i), "keypoints in the image", shown(given[i][away[i]][0].tolist()), "It is kept."),
        warning=True,
    )
    findings.note(f"{counted(int((seen > 0).sum()), 'keypoint')} labeled, {int((seen == 0).sum()):,} not")


def note_boxes(labels: Sequence[str], findings: Findings) -> None:
    """Record the number of boxes, and that of their categories."""
    findings.note(f"{counted(len(labels), 'box')} of {counted(len(set(labels)), 'category', 'categories')}")


def by_row(values: Any, rows: np.ndarray, missing: np.ndarray) -> list[Any]:
    """Group the values of objects by row; a missing row is None.

    Args:
        values: an array ``(M, ...)`` or a list of M.
        rows: int64 ``(M,)``, the row of each object.
        missing: bool ``(N,)``.

    >>> by_row(["cat", "dog", "cow"], np.array([2, 0, 2]), np.array([False, True, False]))
    [['dog'], None, ['cat', 'cow']]
    """
    order = np.argsort(rows, kind="stable")
    ends = np.searchsorted(rows[order], np.arange(len(missing) + 1)).tolist()
    values = values[order] if isinstance(values, np.ndarray) else [values[i] for i in order.tolist()]
    return [
        None if gone else values[start:end]
        for gone, start, end in zip(missing.tolist(), ends[:-1], ends[1:], strict=True)
    ]


def by_image(columns: Mapping[str, Any], rows: np.ndarray, missing: np.ndarray) -> dict[str, Any]:
    """Group the columns of objects by image, see `by_row`.

    Adds ``annotated`` and, if there are ``labels``, ``categories``: each image's distinct labels, for `MultiLabel`.

    >>> by_image({"labels": ["cat", "dog", "cat"]}, np.zeros(3, int), np.array([False, True]))
    {'annotated': array([ True, False]), 'labels': [['cat', 'dog', 'cat'], None], 'categories': [['cat', 'dog'], None]}
    """
    out: dict[str, Any] = {"annotated": ~missing}
    for name, values in columns.items():
        out[name] = by_row(values, rows, missing)
        if name == "labels":
            out["categories"] = [None if s is None else list(dict.fromkeys(s)) for s in out[name]]
    return out


def missing_images(
    findings: Findings,
    count: int,
    *,
    annotated: np.ndarray,
    wanted: np.ndarray,
    kept: np.ndarray,
    has_file: np.ndarray | None = None,
    unannotated: str | None,
) -> np.ndarray:
    """Determine which images have no label, bool ``(count,)``; other images without objects are empty.

    Args:
        findings: records the numbers of missing and empty images.
        annotated: the image of each annotation, -1 for none.
        wanted: the image of each annotation of a wanted category, including those that are left out, such as crowds
            and unusable boxes, as these images are not empty.
        kept: the image of each annotation that is kept.
        has_file: bool ``(count,)``, True for images that are empty if they have no annotation, as the files state.
        unannotated: ``"missing"`` or ``"empty"``, the meaning of an image without annotation; None for missing, with
            a warning.
    """
    n_annotations, n_wanted, n_kept = (
        np.bincount(rows[rows >= 0], minlength=count) for rows in (annotated, wanted, kept)
    )
    without_annotation = (n_annotations == 0) if has_file is None else (n_annotations == 0) & ~has_file
    all_dropped = (n_kept == 0) & (n_wanted > 0)
    missing = all_dropped if unannotated == "empty" else all_dropped | without_annotation
    if unannotated is None:
        unsaid = 'images without annotation, missing unless unannotated="empty"'
        findings.odd(unsaid, int(without_annotation.sum()))
    findings.odd("images with all annotations left out", int(all_dropped.sum()))
    empty = (n_kept == 0) & ~missing
    if count and all_dropped.any() and not n_kept.any():
        expected = "at least one annotation that can be used"
        found = f"none of {int(n_annotations.sum()):,}"
        findings.add("nothing-left", "the annotations", expected, found, "See the warnings of the report.")
        for problem in findings.report().warnings:
            findings.add(problem.code, problem.place, problem.expected, problem.found, problem.fix)
    reasons = {
        "without annotation": int((without_annotation & missing).sum()),
        "with all annotations left out": int(all_dropped.sum()),
    }
    why = ", ".join(f"{number:,} {words}" for words, number in reasons.items() if number)
    assumed = int((without_annotation & empty).sum())
    findings.summary(
        counted(count, "image"),
        f"{int((n_kept > 0).sum()):,} annotated",
        f"{int(missing.sum()):,} missing" + (f": {why}" if why else ""),
        f"{int(empty.sum()):,} empty" + (f": {assumed:,} without annotation" if assumed else ""),
    )
    return missing


def wanted_categories(
    what: str, names: Sequence[str], categories: Iterable[str] | None, findings: Findings
) -> np.ndarray:
    """Return a mask of the names that the user wants, bool; unknown categories are recorded as errors."""
    if categories is None:
        return np.ones(len(names), bool)
    wanted, known = dict.fromkeys(names_in(categories, what)), set(names)
    for name in wanted:
        if name not in known:
            expected = f"categories of the data ({listed(names, 8)})"
            findings.add("category", what, expected, shown(name), similar(str(name), names))
    return np.array([name in wanted for name in names], bool)


def sizes_of(sizes: Sequence[tuple[int, int]]) -> np.ndarray:
    """Convert sizes (height, width) to a column, int32 ``(N, 2)``."""
    return np.array(sizes, np.int32).reshape(-1, 2)
