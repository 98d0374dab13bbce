"""Packs the origin of each image: its file, its size, and the matrix from its pixels to those of the stored image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import DataError, Problem, place
from polyhead.kinds.source_column import Origins
from polyhead.packing.packed_rows import image_columns
from polyhead.pipeline.made_columns import MadeColumns
from polyhead.sources.source import Source, checked_rows
from polyhead.store.column_codec import Spec
from polyhead.store.origin_columns import FILE, origin_specs


def with_origins(rows: Source, old: Sequence[Spec] | None) -> tuple[Source, list[Spec], bool]:
    """Add columns for the origins of images.

    Args:
        old: the columns of the store to which the rows are appended; None for a new store.

    Returns:
        The rows, the descriptions of the added columns, and whether all origins are known; they are not for rows from
        a store of an older version.

    Raises:
        DataError: if the rows already have a column with one of these names.
    """
    images, every = image_columns(rows), np.zeros(0, np.int64)
    known = {name: rows.origins(name, every) for name in rows.columns}
    if old is None:
        held = {name: True for name, one in known.items() if one is not None and one.kept}
        specs = [spec for name, resized in {**held, **images}.items() for spec in origin_specs(name, resized)]
    else:
        specs = [spec for spec in old if "origin" in spec]
    complete = not any(one is not None and one.lost for one in known.values())
    return (_WithOrigins(rows, specs) if specs else rows), specs, complete


class _WithOrigins(MadeColumns):
    """Rows with additional columns for the origins of images."""

    converted: tuple[str, ...] = ()

    def __init__(self, rows: Source, specs: Sequence[Spec]) -> None:
        super().__init__(rows)
        self._of = {spec["name"]: spec["origin"] for spec in specs}
        self.converted = tuple(self._of)
        expected = "another name, as a store keeps under this one where its images come from"
        fix = "Rename the column, or leave it out."
        taken = [name for name in self._of if name in rows.columns]
        if taken:
            raise DataError(*(Problem(place(column=n), expected, "a column of the data", fix) for n in taken))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self._source.columns, *self.converted)

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, ids)
        for image in dict.fromkeys(image for image, _ in self._of.values()):
            found = self._source.origins(image, ids) or Origins.unknown(len(ids))
            for name, (of, what) in self._of.items():
                if of == image:
                    rows[name] = found.files if what == FILE else found.places
        return rows
