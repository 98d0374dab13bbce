"""The labels of one head as a source of their own: laid into the image, or along with the boxes they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.engine.scene import Scene
from polyhead.errors import BadValue
from polyhead.kinds import Each
from polyhead.kinds.weights import key
from polyhead.sources._values import Values
from polyhead.sources.base import OwnSource, Source, checked_rows


class Along(OwnSource):
    """Labels and weights of one head, one for each box, where no image is moved: those of boxes that are kept.

    Args:
        source: where the rows are.
        name: of the head.
        eaches: what belongs to boxes, by name: the head itself, its weights.
        columns: that the head reads.
    """

    def __init__(
        self, source: Source, name: str, eaches: Mapping[str, Each], columns: tuple[str, ...]
    ) -> None:
        self.name, self._eaches = name, dict(eaches)
        names = dict.fromkeys([*columns, *(c for n, each in eaches.items() for c in each.reads(n))])
        self._source = source.only(list(names))
        self._own = {each.columns(n)[0]: n for n, each in eaches.items()}
        self._whole: dict[str, Values] = {}

    def __len__(self) -> int:
        return len(self._source)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._source.columns

    def only(self, columns: Sequence[str]) -> Source:
        return self

    def column(self, name: str) -> Values | None:
        if name not in self._own:
            return self._source.column(name)
        if name not in self._whole:
            each = self._eaches[self._own[name]]
            values, boxes = (self._source.column(c) for c in (name, each.boxes_column))
            if values is None or boxes is None:
                return None
            self._whole[name] = self._of(self._own[name], values, boxes, None)
        return self._whole[name]

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = dict(checked_rows(self._source, self._source.coded(ids), len(ids)))
        found = self.of(rows, ids)
        return {**rows, **{column: found[name] for column, name in self._own.items()}}

    def of(self, rows: Mapping[str, Any], ids: np.ndarray | None) -> dict[str, Values]:
        """Return the labels of each box by head, for rows of which all columns are given."""
        return {
            name: self._of(name, rows[each.columns(name)[0]], rows[each.boxes_column], ids)
            for name, each in self._eaches.items()
        }

    def _of(self, name: str, values: Any, boxes: Any, ids: np.ndarray | None) -> Values:
        each = self._eaches[name]
        try:
            found: Values = each.along(values, boxes)
        except BadValue as bad:
            row = bad.index if bad.index is None or ids is None else int(ids[bad.index])
            raise bad.located(**each.located(name), row=row) from None
        return found


class Laid(OwnSource):
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

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        scene = self._scene
        one = scene.only(self._name)
        needed = [c for n, image in one.images.items() for c in image.columns(n)]
        source = scene.source.only(list(dict.fromkeys([*needed, *self._head.reads(self._name)])))
        rows: dict[str, Any] = dict(checked_rows(source, source.coded(ids), len(ids)))
        found = one.place(rows, ids, None)
        rows[self._head.columns(self._name)[0]] = found[self._name]
        if key(self._name) in found:
            rows[str(self._head.sample_weight)] = found[key(self._name)]
        return rows
