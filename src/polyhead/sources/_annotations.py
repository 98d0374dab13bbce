"""What the readers of annotated images share: the findings, the boxes, and the source that they return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polyhead.errors import DataError, Problem, Report, shown, warn
from polyhead.kinds.base import About
from polyhead.sources._columns import Stored
from polyhead.sources._values import Values
from polyhead.sources.arrays import Arrays
from polyhead.sources.base import similar

SHOWN = 10
"""Places that are named for each kind of mistake; of the rest, the number."""

CHOICES = {
    "annotated": ("shown", "stored"),
    "crowds": ("skip", "keep"),
    "difficult": ("keep", "skip"),
    "invalid": ("drop", "raise"),
    "missing_files": ("raise", "drop"),
    "unannotated": ("missing", "empty"),
}
"""The arguments of readers that are one of a few words."""

ODDITIES = {
    "no-image": "annotations without image",
    "category": "objects of a class that the data does not have left out",
    "crowd": "objects with another iscrowd than 0 or 1 left out",
    "box": "objects without a readable box left out",
    "box-number": "boxes that are not finite left out",
    "mask": "masks that cannot be read left out",
    "mask-number": "masks that are not finite left out",
    "keypoints": "keypoints that cannot be read left out",
    "keypoint-number": "keypoints that are not finite left out",
    "visibility": "keypoints of another visibility than 0, 1 or 2 left out",
    "difficult": "objects with another <difficult> than 0 or 1, taken as 0",
    "number": "lines that are no numbers left out",
    "fields": "lines of another count of numbers left out",
    "not-finite": "lines of numbers that are not finite left out",
    "pixels": "lines in pixels left out",
    "box-negative": "boxes of negative size left out",
    "box-empty": "empty boxes left out",
    "box-outside": "boxes outside left out",
    "box-clipped": "boxes cut off at the border",
    "mask-short": "polygons of less than three corners left out",
    "keypoint-outside": "objects with keypoints outside",
    "line-twice": "lines that stand twice",
    "file-twice": "files that stand twice",
    "file-name": "names of files that are not there",
    "no-file": "files that are not there left out",
    "image": "files that cannot be read left out",
    "resized": "images resized after annotation, and their boxes along",
    "mask-size": "masks of another size than their image",
    "extra": "values that are no numbers, taken as missing",
    "size": "images of other proportions than annotated left out",
    "link": "links passed over",
    "no-class": "images in no class",
    "empty-class": "classes without images",
}
"""What the warning of a reader calls each kind of thing that is odd."""

SLACK = 0.01
"""Pixels that a box may stick out without a word: what rounding in a file of decimals costs."""


class Images(Arrays):
    """Images with their annotations, one row an image; what the readers of folders and annotation files return.

    Attributes:
        report: what was odd in the files, and how much of what was found. ``print(source.report)`` shows it.
        categories: the names of the classes, in the order of the file.
    """

    def __init__(
        self,
        columns: Mapping[str, Values | Stored],
        report: Report | None = None,
        categories: Sequence[str] = (),
        about: Mapping[str, About] | None = None,
    ) -> None:
        self._set(dict(columns))  # as they are: a list of arrays stays one, whatever their shapes
        self.report = report or Report()
        self.categories = tuple(categories)
        ordered = About(self.categories) if self.categories else About()
        self._about = {**dict.fromkeys(("labels", "categories"), ordered), **(about or {})}

    def about(self, name: str) -> About:
        return self._about.get(name, About())


LEFT_OUT = 'It is left out; say invalid="raise" to be stopped by it.'
SAY_DROP = 'Say invalid="drop" to leave such objects out.'
"""What is said of one object that cannot be used, and of the first one where the reader was not told what to do."""


class Findings:
    """What is wrong with some files, by kind, so that all of it can be said at once and none of it at length.

    Args:
        invalid: what becomes of single objects that cannot be read: ``"drop"``; or ``"raise"``, as with None.

    >>> findings = Findings()
    >>> for line in range(12):
    ...     findings.add("number", f"file a.txt, line {line + 1}", "a number", "'x'")
    >>> print(findings.report().problems[-1])
    2 more places: expected a number, got the like (12 in all).
    """

    def __init__(self, invalid: str | None = "raise") -> None:
        self.lenient, self._advice = invalid == "drop", "" if invalid else SAY_DROP
        self._left_out: dict[str, int] = {}
        self._problems: dict[tuple[str, bool], list[Problem]] = {}
        self._totals: dict[tuple[str, bool], int] = {}
        self._notes: list[str] = []
        self._odd: list[tuple[str, int]] = []

    def add(
        self, code: str, where: str, expected: str, found: str, fix: str = "", *, warning: bool = False
    ) -> None:
        """One mistake; ``expected`` should read well for all places of its kind."""
        kind = (code, warning)
        some = self._problems.setdefault(kind, [])
        self._totals[kind] = self._totals.get(kind, 0) + 1
        if len(some) < SHOWN:
            some.append(Problem(where, expected, found, fix, code, warning))

    def leave_out(self, code: str, where: str, expected: str, found: str, fix: str = "") -> None:
        """One object, or a part of it, that cannot be used: a warning, and an error where the reader is to stop."""
        if not self.lenient:
            advice = "" if self.count(code) else self._advice
            self.add(code, where, expected, found, f"{fix} {advice}".strip())
            return
        self._left_out[code] = self._left_out.get(code, 0) + 1
        self.add(code, where, expected, found, f"{fix} {LEFT_OUT}".strip(), warning=True)

    def stop_if_most(self, objects: int) -> None:
        """Raise where more than half of all objects were left out: then the file is wrong, not an object in it.

        Raises:
            DataError: with the problems of those objects.
        """
        if 2 * sum(self._left_out.values()) > objects:
            for code in self._left_out:
                some = self._problems.pop((code, True))
                self._problems[code, False] = [
                    replace(p, fix=p.fix.removesuffix(LEFT_OUT).rstrip(), warning=False) for p in some
                ]
                self._totals[code, False] = self._totals.pop((code, True))
        self.stop()

    def add_all(
        self, code: str, at: np.ndarray, words: Callable[[int], Sequence[str]], *, warning: bool = False
    ) -> None:
        """A mistake at each of ``at``; only those that will be shown are put into words."""
        for i in at[:SHOWN].tolist():
            self.add(code, *words(i), warning=warning)
        if len(at) > SHOWN:
            self._totals[code, warning] += len(at) - SHOWN

    def note(self, text: str) -> None:
        """What was counted or assumed."""
        self._notes.append(text)

    def odd(self, text: str, count: int) -> None:
        """What is no mistake in any one place and still has to be said: the warning counts it."""
        if count:
            self._odd.append((text, count))

    def head(self, *texts: str) -> None:
        """Notes that stand before those made so far."""
        self._notes[:0] = texts

    def count(self, code: str) -> int:
        """How many mistakes of a kind there are."""
        return self._totals.get((code, True), 0) + self._totals.get((code, False), 0)

    def stop(self) -> None:
        """Raise what makes the data unusable, if anything does.

        Raises:
            DataError: with all such problems.
        """
        errors = self.report().errors
        if errors:
            raise DataError(*errors)

    def told(self, where: str) -> Report:
        """All of it, for a source that can be used; of what is odd there is one warning.

        Args:
            where: what was read, for the warning.
        """
        counted = [(ODDITIES.get(code, code), n) for (code, warning), n in self._totals.items() if warning]
        counted += self._odd
        if counted:
            found = "; ".join(f"{text}: {count:,}" for text, count in counted)
            fix = "print(source.report) shows all of it."
            warn(Problem(where, "nothing odd", found, fix, "odd", warning=True))
        return self.report()

    def report(self) -> Report:
        """All of it."""
        problems = []
        for kind, some in self._problems.items():
            problems += some
            more = self._totals[kind] - len(some)
            if more:
                where = f"{more:,} more place{'s' * (more > 1)}"
                found = f"the like ({self._totals[kind]:,} in all)"
                problems.append(Problem(where, some[0].expected, found, "", *kind))
        return Report(tuple(problems), tuple(self._notes))


def require_choice(what: str, value: Any, choices: Sequence[str]) -> None:
    """Raise for an argument that is none of a few words."""
    if value not in choices:
        raise DataError(Problem(what, " or ".join(f'"{c}"' for c in choices), shown(value)))


def require_choices(reader: str, arguments: Mapping[str, Any]) -> None:
    """Raise for an argument of a reader that is none of its `CHOICES`; None, for what is not said, always is one."""
    for name, choices in CHOICES.items():
        if arguments.get(name) is not None:
            require_choice(f"{reader}({name}=)", arguments[name], choices)


def clip_boxes(
    boxes: np.ndarray,
    sizes: np.ndarray,
    where: Callable[[int], str],
    findings: Findings,
    invalid: str | None = None,
    unread: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes within their images, and which of them are boxes at all.

    Args:
        boxes: float64 ``(M, 4)`` of ``xyxy`` in pixels.
        sizes: ``(M, 2)``, height and width of each one's image.
        where: the place of a box, for the findings.
        findings: where boxes that are negative, empty, outside or not finite are noted.
        invalid: ``"raise"`` to be stopped by boxes of which nothing is left; else they are left out.
        unread: bool ``(M,)``, those that could not be read, which is noted already.

    Returns:
        float32 ``(M, 4)`` and bool ``(M,)``.
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
    sliver = finite & ~negative & ~empty & ~outside & ~left  # of less width than float32 can tell
    drop = 'It is left out; say invalid="raise" to be stopped by such boxes.' if invalid != "raise" else ""

    def words(expected: str, fix: str) -> Callable[[int], Sequence[str]]:
        def one(i: int) -> Sequence[str]:
            image = f" of an image {int(sizes[i, 0])} x {int(sizes[i, 1])} (height x width)"
            return where(i), expected, f"{_corners(boxes[i])} as xyxy{image}", fix

        return one

    finding, gone = findings.add_all, invalid != "raise"
    strange = ~finite if unread is None else ~finite & ~unread
    for i in np.flatnonzero(strange).tolist():
        findings.leave_out("box-number", *words("a box of four finite numbers", "")(i))
    for code, bad, expected in (
        ("box-negative", negative, "a box whose right and lower edge come last"),
        ("box-empty", empty | sliver, "a box of some width and height"),
        ("box-outside", outside, "a box in the image"),
    ):
        finding(code, np.flatnonzero(bad), words(expected, drop), warning=gone)
    kept = left & finite & ~negative & ~empty
    cut = words("a box within the image", "It is cut off at the border.")
    finding("box-clipped", np.flatnonzero(out & kept), cut, warning=True)
    return clipped, kept


def _corners(box: np.ndarray) -> str:
    return "[" + ", ".join(f"{v:.6g}" for v in box.tolist()) + "]"


def numbers(
    rows: Sequence[Any],
    width: int,
    where: Callable[[int], str],
    code: str,
    what: str,
    findings: Findings,
) -> tuple[np.ndarray, np.ndarray]:
    """Lists of ``width`` numbers each.

    Returns:
        float64 ``(M, width)``, and bool ``(M,)`` for those that are none: they are NaN, and noted.
    """
    whole = _plain_numbers(rows)
    if whole is not None and whole.shape == (len(rows), width):
        return whole, np.zeros(len(rows), bool)
    out, unread = np.full((len(rows), width), np.nan), np.zeros(len(rows), bool)
    for i, row in enumerate(rows):
        found = _plain_numbers(row)
        if found is not None and found.shape == (width,):
            out[i] = found
        else:
            text = f"{len(row)} numbers" if found is not None and found.ndim == 1 else shown(row)
            findings.leave_out(code, where(i), what, text)
            unread[i] = True
    return out, unread


def _plain_numbers(values: Any) -> np.ndarray | None:
    """Numbers as float64, without taking words for numbers."""
    try:
        found = np.array(values)
    except (ValueError, OverflowError):  # lists of unequal length
        return None
    return found.astype(np.float64) if found.dtype.kind in "iuf" and found.ndim else None


def by_row(values: Any, rows: np.ndarray, missing: np.ndarray) -> list[Any]:
    """Values of single objects as one entry a row: those of its objects, or None where the row is missing.

    Args:
        values: an array ``(M, ...)`` or a list of M.
        rows: int64 ``(M,)``, the row of each.
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
    """The columns of single objects as columns of images: see `by_row`.

    Before them stands which images somebody looked at, and beside their labels the distinct ones of each image, as
    `MultiLabel` takes them.

    >>> by_image({"labels": ["cat", "dog", "cat"]}, np.zeros(3, int), np.array([False, True]))
    {'annotated': array([ True, False]), 'labels': [['cat', 'dog', 'cat'], None], 'categories': [['cat', 'dog'], None]}
    """
    out: dict[str, Any] = {"annotated": ~missing}
    for name, values in columns.items():
        out[name] = by_row(values, rows, missing)
        if name == "labels":
            out["categories"] = [None if s is None else list(dict.fromkeys(s)) for s in out[name]]
    return out


def scenes(
    findings: Findings,
    *,
    had: np.ndarray,
    kept: np.ndarray,
    lost: np.ndarray,
    said: np.ndarray | None = None,
    unannotated: str | None,
) -> np.ndarray:
    """Which images have no label at all, bool ``(N,)``, beside those where nothing is to be seen; both noted.

    Args:
        findings: where the counts are noted.
        had: int ``(N,)``, annotations of each image.
        kept: those of them that are left.
        lost: those that were left out though they show something: crowds, boxes that are none.
        said: bool ``(N,)``, images of which the files say that they are empty.
        unannotated: ``"missing"`` or ``"empty"``, what an image without annotation is; None for missing, as
            nobody said.
    """
    bare = (had == 0) if said is None else (had == 0) & ~said
    spoilt = (kept == 0) & (lost > 0)
    missing = spoilt if unannotated == "empty" else spoilt | bare
    if unannotated is None:
        unsaid = 'images without annotation, taken as missing unless unannotated="empty"'
        findings.odd(unsaid, int(bare.sum()))
    findings.odd("images whose every annotation was left out", int(spoilt.sum()))
    empty = (kept == 0) & ~missing
    count = len(had)
    if count and spoilt.any() and not (kept > 0).any():
        expected = "at least one annotation that can be used"
        found = f"none of {int(had.sum()):,}"
        findings.add("nothing-left", "the annotations", expected, found, "See the warnings of the report.")
        for problem in findings.report().warnings:
            findings.add(problem.code, problem.place, problem.expected, problem.found, problem.fix)
    reasons = [
        f"{number:,} {words}"
        for number, words in (
            (int((bare & missing).sum()), "without annotation"),
            (int(spoilt.sum()), "whose every annotation was left out"),
        )
        if number
    ]
    assumed = int((bare & empty).sum())
    findings.head(
        f"{count:,} images",
        f"{int((kept > 0).sum()):,} annotated",
        f"{int(missing.sum()):,} missing" + (f": {', '.join(reasons)}" if reasons else ""),
        f"{int(empty.sum()):,} empty" + (f": {assumed:,} without annotation" if assumed else ""),
    )
    return missing


def chosen(
    what: str, names: Sequence[str], categories: Iterable[str] | None, findings: Findings
) -> np.ndarray:
    """Which categories the user wants, bool for each of ``names``; an error noted for one that is not there."""
    if categories is None:
        return np.ones(len(names), bool)
    wanted = [categories] if isinstance(categories, str) else list(categories)
    for name in wanted:
        if name not in names:
            listed = ", ".join(names[:8]) + (f", … ({len(names)} in all)" if len(names) > 8 else "")
            fix = similar(str(name), names)
            findings.add("category", what, f"categories of the data ({listed})", shown(name), fix)
    return np.array([name in wanted for name in names], bool)


def sizes_of(sizes: Sequence[tuple[int, int]]) -> np.ndarray:
    """Sizes as a column, int32 ``(N, 2)``: height, width."""
    return np.array(sizes, np.int32).reshape(-1, 2)
