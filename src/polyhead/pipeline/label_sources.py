"""Sources with the labels of one head, transformed with the image or filtered like the boxes they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import BadValue, DataError, Problem
from polyhead.kinds import Each, Head, columns_read
from polyhead.kinds.missing import plain
from polyhead.kinds.sample_weights import weights_key
from polyhead.pipeline.faults import readable_rows
from polyhead.pipeline.image_pipeline import Scene
from polyhead.pipeline.kind_columns import KindColumns, Some, resolve_error
from polyhead.pipeline.label_encoder import Labels
from polyhead.sources.derived import DerivedSource
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source, checked_rows, row_of


class BoxLabels(DerivedSource):
    """The labels and weights of a head with one for each box, for the boxes that are kept; without transforming images.

    Args:
        eaches: what belongs to boxes, by name: the head itself and its weights.
    """

    def __init__(
        self, source: Source, name: str, eaches: Mapping[str, Each], columns: tuple[str, ...]
    ) -> None:
        super().__init__(source.only(list(dict.fromkeys([*columns, *columns_read(eaches)]))))
        self.name, self._eaches = name, dict(eaches)
        self._names = {each.columns(n)[0]: n for n, each in eaches.items()}
        self._in_memory: dict[str, Values] = {}

    def only(self, columns: Sequence[str]) -> Source:
        return self

    def column(self, name: str) -> Values | None:
        if name not in self._names:
            return self._source.column(name)
        if name not in self._in_memory:
            each = self._eaches[self._names[name]]
            values, boxes = (self._source.column(c) for c in (name, each.boxes_column))
            if values is None or boxes is None:
                return None
            self._in_memory[name] = self._of_kept_boxes(self._names[name], values, boxes, None)
        return self._in_memory[name]

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, ids)
        labels = self.of(rows, ids)
        return {**rows, **{column: labels[name] for column, name in self._names.items()}}

    def of(self, rows: Mapping[str, Any], ids: np.ndarray | None) -> dict[str, Values]:
        """Return the labels of each box by head, from rows with all columns."""
        return {
            name: self._of_kept_boxes(name, rows[each.columns(name)[0]], rows[each.boxes_column], ids)
            for name, each in self._eaches.items()
        }

    def _of_kept_boxes(self, name: str, values: Any, boxes: Any, ids: np.ndarray | None) -> Values:
        each = self._eaches[name]
        try:
            return each.of_kept_boxes(values, boxes)
        except BadValue as bad:
            row = row_of(self._source, bad.index, ids)
            raise bad.located(**each.located(name), row=row) from None


class SceneLabels(DerivedSource):
    """The labels of one head of a scene, decoded and resized but not augmented."""

    def __init__(self, scene: Scene, name: str) -> None:
        super().__init__(scene.source)
        self._scene, self._name = scene, name
        self._head = scene.declared[name]

    @property
    def columns(self) -> tuple[str, ...]:
        return self._head.reads(self._name)

    def only(self, columns: Sequence[str]) -> Source:
        return self

    def first_rows(self, name: str, rows: int = 32) -> Values:
        """The first rows of one column, with None for unreadable rows, which `check` reports.

        Raises:
            DataError: if none of them can be read.
        """
        try:
            return super().first_rows(name, rows)
        except DataError:
            readable, problems = self._first_readable
        values = iter(plain(self.coded(np.flatnonzero(readable))[name]) if readable.any() else ())
        labels = [next(values) if can_read else None for can_read in readable]
        if all(label is None for label in labels):
            raise DataError(*problems)
        return labels[:rows] if any(label is not None for label in labels[:rows]) else labels

    @cached_property
    def _first_readable(self) -> tuple[np.ndarray, list[Problem]]:
        """As `readable_rows` of the first rows, which decodes many of them several times."""
        return readable_rows(self, np.arange(min(32, len(self)), dtype=np.int64))

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        scene = self._scene.only(self._name)
        source = scene.source.only(columns_read(scene.images, {self._name: self._head}))
        rows: dict[str, Any] = checked_rows(source, ids)
        transformed = scene.transform(rows, ids, None)
        rows[self._head.columns(self._name)[0]] = transformed[self._name]
        if weights_key(self._name) in transformed:
            rows[str(self._head.sample_weight)] = transformed[weights_key(self._name)]
        return rows


def transform_separately(
    scene: Scene, heads: Iterable[str], rows: Mapping[str, Any], ids: np.ndarray
) -> tuple[dict[str, Values], list[tuple[str, DataError]]]:
    """Transform the images and labels of a wrong row one by one; return the valid ones, and the errors of the others.

    Args:
        heads: the names of the heads, in the order in which to report their errors.
        ids: the row, int64 ``(1,)``.
    """
    scenes = {name: scene.image(name) for name in scene.images}
    scenes |= {name: scene.only(name) for name in heads if name in scene.heads}
    converted: dict[str, Values] = {}
    wrong: list[tuple[str, DataError]] = []
    reported: set[Problem] = set()
    for name, part in scenes.items():
        try:
            converted |= part.transform(rows, ids, None)
        except DataError as error:
            new = [problem for problem in error.problems if problem not in reported]
            reported.update(new)
            if new:
                wrong.append((name, DataError(*new)))
    return converted, wrong


def resolve_head(rows: Source, head: Head, name: str, given: Labels | None) -> Head:
    """Resolve a head against its data; a head in an image only against the valid ones of the first rows.

    Args:
        rows: the source of its labels, as the head encodes them.
        given: the labels of its ``given=`` head, if any.

    Raises:
        DataError: for a column that does not fit the declaration, naming all wrong rows.
    """
    columns = KindColumns(rows, head.columns(name), None if given is None else given.where_one)
    try:
        return head.resolve(columns)
    except BadValue as bad:
        if not isinstance(rows, SceneLabels):
            raise resolve_error(rows, head, name, bad) from None
        error = resolve_error(rows, head, name, bad, first_rows(rows._source, head.columns(name)[0]))
    values = plain(columns.probe())
    ids = rows.ids_of(np.arange(len(values))).tolist()
    wrong = {row for problem in error.problems for row in problem.rows}
    valid = [None if row in wrong else value for row, value in zip(ids, values, strict=True)]
    if wrong and any(value is not None for value in valid) and not head.needs_fitting:
        with suppress(BadValue):  # further rows may be wrong in another way
            return head.resolve(Some(valid))
    raise error
