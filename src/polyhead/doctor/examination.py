"""The report of an examination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polyhead.errors import Report


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
        own = ("kind", "batches", "rows", "seconds_per_batch", "bytes_per_batch", "step_share", "declaration")
        return super().as_dict() | {name: getattr(self, name) for name in own} | {"unseen": list(self.unseen)}

    def __str__(self) -> str:
        lines = [super().__str__()]
        lines += [f"  not seen: {words}" for words in self.unseen]
        if self.declaration:
            lines += ["", "the same data as a feed:", "", self.declaration]
        return "\n".join(lines)
