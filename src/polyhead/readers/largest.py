"""Reduces each row to its largest object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import BadValue, DataError, Problem, place, shown
from polyhead.kinds.missing import is_missing, plain, row_array
from polyhead.kinds.source_column import About
from polyhead.sources.derived import DerivedSource
from polyhead.sources.source import Source, checked_rows, names_in

ALONG = (
    "labels",
    "masks",
    "keypoints",
    "ids",
    "difficult",
    "crowd",
    "area",
    "score",
    "attributes",
    "truncated",
    "occluded",
    "pose",
)
PRESENT = "present"


def largest(source: Source, boxes: str = "boxes", *, along: Sequence[str] | None = None) -> Source:
    """Reduce each row to its largest object: one box, one class, one mask.

    For a model that predicts whether there is an object, its class and its position: ``Binary(column="present")``,
    ``Categorical(column="labels", given=...)``, ``Boxes(1, column="boxes", given=...)`` and
    ``Mask(column="masks", given=...)``.

    Columns:

    - ``present``: True for rows with objects, False for rows without, None for rows without a label.
    - ``boxes``: the box with the largest area, ``(4,)`` of ``xyxy``; the first one in a tie.
    - the columns of ``along``: the entry of the same object.
    - all other columns unchanged.

    A row without objects has None in ``boxes`` and in the columns of ``along``.

    Args:
        source: rows with several objects each, such as those of `read_coco`, `read_yolo` and `read_voc`.
        boxes: the column of boxes, ``(k, 4)`` of ``xyxy`` per row; None for rows without a label.
        along: the columns with one entry for each box; by default those that readers return, from ``labels`` and
            ``masks`` to ``area`` and ``attributes``.

    Raises:
        DataError: for a missing column, or an existing column ``present``; and on reading, if a row does not have one
            entry for each box.

    >>> from polyhead.sources.arrays import Arrays
    >>> rows = Arrays({"boxes": [[[0, 0, 2, 2], [0, 0, 9, 5]], [], None], "labels": [["cup", "cat"], [], None]})
    >>> found = largest(rows).read(np.arange(3))
    >>> found["present"], found["labels"], found["boxes"][0].tolist()
    ([True, False, None], ['cat', None, None], [0.0, 0.0, 9.0, 5.0])
    """
    if not isinstance(source, Source):
        fix = "Say ph.read_table(data) for a frame or a mapping of arrays."
        expected = "a Source, as readers return it"
        raise DataError(Problem("largest(source)", expected, shown(type(source).__name__), fix))
    names = source.columns
    if not isinstance(boxes, str):
        raise DataError(Problem("largest(boxes=)", "the name of a column", shown(boxes)))
    if along is None:
        usual = {*ALONG, *(name for name in names if name.startswith("attributes."))}
        along = [name for name in names if name in usual and name != boxes]
    else:
        along = names_in(along, "largest(along=)")
    source.only([boxes, *along])  # raises for a missing column
    if PRESENT in names:
        fix = "Leave it out, with source.only([...])."
        raise DataError(Problem("largest(source)", f"no column `{PRESENT}`", "one", fix))
    return _Largest(source, boxes, tuple(along))


class _Largest(DerivedSource):
    """Rows reduced to their largest object."""

    def __init__(self, source: Source, boxes: str, along: tuple[str, ...]) -> None:
        super().__init__(source)
        self._boxes, self._along = boxes, along

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self._source.columns, PRESENT)

    def column(self, name: str) -> Values | None:
        self._require([name])
        return None if name in (PRESENT, self._boxes, *self._along) else self._source.column(name)

    def about(self, name: str) -> About:
        return About() if name == PRESENT else self._source.about(name)

    def only(self, columns: Sequence[str]) -> Source:
        self._require(columns)
        chosen = [name for name in columns if name in self._along]
        if PRESENT not in columns and self._boxes not in columns and not chosen:
            return self._source.only(columns)
        needed = dict.fromkeys([self._boxes, *(name for name in columns if name != PRESENT)])
        view = _Largest(self._source.only(list(needed)), self._boxes, tuple(chosen))
        return view if set(view.columns) == set(columns) else Source.only(view, columns)

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows, row_ids = checked_rows(self._source, ids), self.ids_of(ids).tolist()
        boxes = [self._boxes_in(v, row) for v, row in zip(plain(rows[self._boxes]), row_ids, strict=True)]
        indices = [None if b is None or not len(b) else _index_of_largest(b) for b in boxes]
        out: dict[str, Values] = dict(rows)
        out[PRESENT] = [None if b is None else len(b) > 0 for b in boxes]
        for name in (self._boxes, *self._along):
            values = boxes if name == self._boxes else plain(rows[name])
            out[name] = [
                None
                if b is None or index is None or is_missing(value)
                else _entry_for_box(value, index, len(b), name, row)
                for value, b, index, row in zip(values, boxes, indices, row_ids, strict=True)
            ]
        return out

    def _boxes_in(self, value: Any, row: int) -> np.ndarray | None:
        """Return the boxes of a row, float64 ``(k, 4)``; None if it has no label."""
        if is_missing(value):
            return None
        try:
            boxes = np.asarray(row_array(value, row, "boxes (k, 4)"), np.float64)
        except BadValue as bad:
            raise bad.located(column=self._boxes, row=row) from None
        boxes = boxes if boxes.size else np.zeros((0, 4))
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            where = place(column=self._boxes, row=row)
            raise DataError(Problem(where, "boxes (k, 4)", f"shape {boxes.shape}"))
        return boxes


def _index_of_largest(boxes: np.ndarray) -> int:
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return int(np.nan_to_num(area, nan=-1.0).argmax())


def _entry_for_box(values: Any, index: int, boxes: int, name: str, row: int) -> Any:
    """Return an entry of a row that has one for each box."""
    listed = hasattr(values, "__len__") and not isinstance(values, str)
    if not listed or len(values) != boxes:
        found = str(len(values)) if listed else shown(values)
        raise DataError(Problem(place(column=name, row=row), f"one entry for each of {boxes} boxes", found))
    return values[index]
