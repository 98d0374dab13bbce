"""Data that a command loaded."""

from __future__ import annotations

from dataclasses import dataclass, field

from polyhead.feed import Feed
from polyhead.sources.source import Source


@dataclass(frozen=True)
class LoadedData:
    """Data, and the code that loads it.

    Attributes:
        imports: the import that the expression needs; empty for none.
        frame: the expression that loads it as a frame of pandas; empty if nothing does.
        left_out: the arrays that are no columns of these rows, and why.
    """

    source: Source
    expression: str
    imports: str = ""
    frame: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    feed: Feed | None = None
