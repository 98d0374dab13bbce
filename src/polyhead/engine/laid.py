"""The labels of one head as a source of their own: laid into the image, or along with the boxes they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.engine.scene import Scene
from polyhead.errors import BadValue
from polyhead.kinds import Each
from polyhead.sources._values import Values
from polyhead.sources.base import Source, checked_rows


class Along(Source):
    """The labels of one head for each box, where no image is moved: what belongs to boxes that are kept."""

    def __init__(self, source: Source, each: Each, name: str) -> None:
        self._each, self._name = each, name
        self._source = source.only(list(each.reads(name)))
        self._whole: Values | None = None

    def __len__(self) -> int:
        return len(self._source)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._each.reads(self._name)

    def only(self, columns: Sequence[str]) -> Source:
        return self

    def column(self, name: str) -> Values | None:
        if name != self._own:
            return self._source.column(name)
        if self._whole is None:
            values, boxes = (self._source.column(c) for c in (name, self._each.boxes_column))
            if values is not None and boxes is not None:
                self._whole = self.of({name: values, self._each.boxes_column: boxes}, None)
        return self._whole

    def read(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = dict(checked_rows(self._source, self._source.read(ids), len(ids)))
        return {**rows, self._own: self.of(rows, ids)}

    def of(self, rows: Mapping[str, Any], ids: np.ndarray | None) -> Values:
        """The head's column of some rows, of which all columns are given."""
        try:
            return self._each.along(rows[self._own], rows[self._each.boxes_column])
        except BadValue as bad:
            row = bad.index if bad.index is None or ids is None else int(ids[bad.index])
            raise bad.located(head=self._name, row=row) from None

    @property
    def _own(self) -> str:
        return self._each.columns(self._name)[0]


class Laid(Source):
    """The labels of one head of a scene, decoded and resized, and not augmented."""

    def __init__(self, scene: Scene, name: str) -> None:
        self._scene, self._name = scene, name
        self._head = scene.heads[name]

    def __len__(self) -> int:
        return len(self._scene.source)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._head.reads(self._name)

    def only(self, columns: Sequence[str]) -> Source:
        return self

    def read(self, ids: np.ndarray) -> dict[str, Values]:
        scene = self._scene
        needed = [*scene.images[scene.first].columns(scene.first), *self._head.reads(self._name)]
        source = scene.source.only(list(dict.fromkeys(needed)))
        rows: dict[str, Any] = dict(checked_rows(source, source.read(ids), len(ids)))
        rows[self._head.columns(self._name)[0]] = scene.only(self._name).place(rows, ids, None)[self._name]
        return rows
