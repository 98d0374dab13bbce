"""Collects problems in files by kind, with their number and some locations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from polyhead.errors import DataError, Problem, Report, counted, warn

SHOWN = 10
"""The number of locations that are listed for each kind of problem."""

ODDITIES = {
    "no-image": "annotations without image",
    "category": "objects of unknown classes left out",
    "crowd": "objects with an iscrowd other than 0 or 1 left out",
    "box": "objects without a readable box left out",
    "box-number": "boxes that are not finite left out",
    "mask": "masks that cannot be read left out",
    "mask-number": "masks that are not finite left out",
    "keypoints": "keypoints that cannot be read left out",
    "keypoint-number": "keypoints that are not finite left out",
    "visibility": "keypoints with a visibility other than 0, 1 or 2 left out",
    "difficult": "objects with a <difficult> other than 0 or 1, taken as 0",
    "number": "lines that are not numbers left out",
    "fields": "lines with a wrong count of numbers left out",
    "not-finite": "lines of numbers that are not finite left out",
    "pixels": "lines in pixels left out",
    "box-negative": "boxes of negative size left out",
    "box-empty": "empty boxes left out",
    "box-outside": "boxes outside left out",
    "box-clipped": "boxes cut off at the border",
    "mask-short": "polygons with fewer than three corners left out",
    "keypoint-outside": "objects with keypoints outside",
    "skeleton": "skeletons that cannot be read left out",
    "flip-idx": "flip_idx that cannot be read left out",
    "line-twice": "duplicate lines",
    "file-twice": "duplicate files",
    "file-name": "names of missing files",
    "no-file": "missing files left out",
    "image": "files that cannot be read left out",
    "resized": "images resized after annotation, with their annotations scaled accordingly",
    "mask-size": "masks of another size than their image",
    "extra": "values that are not numbers, taken as missing",
    "size": "images with other proportions than annotated left out",
    "link": "links skipped",
    "no-class": "images in no class",
    "empty-class": "classes without images",
    "class-gap": "lists of classes with unused numbers, which heads number anew",
}
"""The name of each kind of problem in the warning of a reader."""

LEFT_OUT = 'It is left out; say invalid="raise" to make it an error.'
SAY_DROP = 'Say invalid="drop" to leave such objects out.'
"""The advice for an object that was left out, and for the first error if ``invalid`` was not given."""


class Findings:
    """Problems in files by kind, reported together in abridged form.

    Args:
        invalid: ``"drop"`` unreadable objects with a warning, or ``"raise"``; None also means raise.

    >>> findings = Findings()
    >>> for line in range(12):
    ...     findings.add("number", f"file a.txt, line {line + 1}", "a number", "'x'")
    >>> print(findings.report().problems[-1])
    2 more places: expected a number, got the like (12 in all).
    """

    def __init__(self, invalid: str | None = "raise") -> None:
        self.invalid, self._advice = invalid, "" if invalid else SAY_DROP
        self._left_out: Counter[str] = Counter()
        # by code and whether they are warnings
        self._problems: dict[tuple[str, bool], list[Problem]] = defaultdict(list)
        self._totals: Counter[tuple[str, bool]] = Counter()
        self._notes: list[str] = []
        self._odd: list[tuple[str, int]] = []

    def add(
        self, code: str, where: str, expected: str, found: str, fix: str = "", *, warning: bool = False
    ) -> None:
        """Record a problem; ``expected`` should be the same for all problems of a kind."""
        self._totals[code, warning] += 1
        if self._totals[code, warning] <= SHOWN:
            self._problems[code, warning].append(Problem(where, expected, found, fix, code, warning))

    def leave_out(self, code: str, where: str, expected: str, found: str, fix: str = "") -> None:
        """Record an unusable object or part of one: a warning if such objects are dropped, otherwise an error."""
        if self.invalid != "drop":
            advice = "" if self.count(code) else self._advice
            self.add(code, where, expected, found, f"{fix} {advice}".strip())
            return
        self._left_out[code] += 1
        self.add(code, where, expected, found, f"{fix} {LEFT_OUT}".strip(), warning=True)

    def stop_if_most(self, objects: int) -> None:
        """Raise if more than half of all objects were left out, as the whole file is probably wrong.

        Raises:
            DataError: with the problems of these objects.
        """
        if 2 * self._left_out.total() > objects:
            for code in self._left_out:
                problems = self._problems.pop((code, True))
                self._problems[code, False] = [
                    replace(p, fix=p.fix.removesuffix(LEFT_OUT).rstrip(), warning=False) for p in problems
                ]
                self._totals[code, False] = self._totals.pop((code, True))
        self.stop()

    def add_all(
        self, code: str, at: np.ndarray, words: Callable[[int], Sequence[str]], *, warning: bool
    ) -> None:
        """Record a problem for each index in ``at``; ``words`` is called only for those that are listed."""
        for i in at[:SHOWN].tolist():
            self.add(code, *words(i), warning=warning)
        if len(at) > SHOWN:
            self._totals[code, warning] += len(at) - SHOWN

    def note(self, text: str) -> None:
        """Add a line to the report, on what was counted or assumed."""
        self._notes.append(text)

    def odd(self, text: str, count: int) -> None:
        """Add a count to the warning, for something without a single location."""
        if count:
            self._odd.append((text, count))

    def summary(self, *texts: str) -> None:
        """Insert lines at the top of the report."""
        self._notes[:0] = texts

    def count(self, code: str) -> int:
        """Return the number of problems of a kind."""
        return self._totals[code, True] + self._totals[code, False]

    def stop(self) -> None:
        """Raise a `DataError` with all errors recorded so far, if there are any."""
        errors = self.report().errors
        if errors:
            raise DataError(*errors)

    def warn_and_report(self, where: str) -> Report:
        """Return the report of a usable source, and warn once with the counts of its problems."""
        counted = [(ODDITIES.get(code, code), n) for (code, warning), n in self._totals.items() if warning]
        counted += self._odd
        if counted:
            found = "; ".join(f"{text} ({count:,})" for text, count in counted)
            fix = "print(source.report) shows the details."
            warn(Problem(where, "", found, fix, "odd", warning=True))
        return self.report()

    def report(self) -> Report:
        """All problems and notes."""
        problems = []
        for kind, examples in self._problems.items():
            problems += examples
            more = self._totals[kind] - len(examples)
            if more:
                where = counted(more, "more place")
                found = f"the like ({self._totals[kind]:,} in all)"
                problems.append(Problem(where, examples[0].expected, found, "", *kind))
        return Report(tuple(problems), tuple(self._notes))
