"""Takes the place of a feed when there are no rows to predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyhead.errors import DataError
from polyhead.kinds import Input
from polyhead.pipeline.kind_columns import absent_columns
from polyhead.sources.source import Source


@dataclass(frozen=True)
class NoRows:
    """The attributes of a feed that predicting needs, for no rows.

    Raises:
        DataError: the source has columns, but not those of the inputs.
    """

    source: Source
    inputs: Mapping[str, Input]
    batch_size: int

    num_samples = 0

    def __post_init__(self) -> None:
        problems = absent_columns(self.source, self.inputs, {}) if self.source.columns else []
        if problems:
            raise DataError(*problems)
