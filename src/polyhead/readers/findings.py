"""What is wrong or odd in some files, counted by kind, with the places of a few of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from polyhead.errors import DataError, Problem, Report, warn

SHOWN = 10
"""Places that are named for each kind of mistake; of the rest, the number."""

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
    "resized": "images resized after annotation, with all that lies in them scaled along",
    "mask-size": "masks of another size than their image",
    "extra": "values that are no numbers, taken as missing",
    "size": "images of other proportions than annotated left out",
    "link": "links passed over",
    "no-class": "images in no class",
    "empty-class": "classes without images",
}
"""What the warning of a reader calls each kind of thing that is odd."""

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
            found = "; ".join(f"{text} ({count:,})" for text, count in counted)
            fix = "print(source.report) shows the details."
            warn(Problem(where, "", found, fix, "odd", warning=True))
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
