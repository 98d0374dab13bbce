"""Takes the place of a feed when there are no rows to predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyhead.kinds import Input
from polyhead.sources.source import Source


@dataclass(frozen=True)
class NoRows:
    """The attributes of a feed that predicting needs, for no rows."""

    source: Source
    inputs: Mapping[str, Input]
    batch_size: int

    num_samples = 0
