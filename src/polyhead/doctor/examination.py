"""The report of an examination, and the results of a single check."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from polyhead.errors import Problem, Report


@dataclass
class CheckResult:
    """The result of a check: problems, notes, and what could not be checked."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def add(self, where: str, expected: str, found: str, fix: str, code: str, warning: bool = False) -> None:
        """Add a problem."""
        self.problems.append(Problem(where, expected, found, fix, code, warning))

    def extend(self, other: CheckResult) -> None:
        """Add the results of another check."""
        self.problems += other.problems
        self.notes += other.notes
        self.unseen += other.unseen


@dataclass(frozen=True)
class Examination(Report):
    """A report on a generator, a dataset or arrays.

    Attributes:
        kind: what was examined, in words.
        batches: the number of batches in the first reading.
        rows: the number of rows in these.
        seconds_per_batch: the median time to make a batch.
        bytes_per_batch: the size of a batch.
        step_share: the share of a training step spent on making a batch if nothing is prepared ahead, 0–1.
        unseen: what could not be checked, and why.
        declaration: the code of a feed of the same data, or empty.
    """

    kind: str = ""
    batches: int = 0
    rows: int = 0
    seconds_per_batch: float | None = None
    bytes_per_batch: int | None = None
    step_share: float | None = None
    unseen: tuple[str, ...] = ()
    declaration: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able objects."""
        names = (
            "kind",
            "batches",
            "rows",
            "seconds_per_batch",
            "bytes_per_batch",
            "step_share",
            "declaration",
        )
        return (
            super().as_dict() | {name: getattr(self, name) for name in names} | {"unseen": list(self.unseen)}
        )

    def __str__(self) -> str:
        lines = [super().__str__()]
        lines += [f"  not seen: {words}" for words in self.unseen]
        if self.declaration:
            lines += ["", "the same data as a feed:", "", self.declaration]
        return "\n".join(lines)
