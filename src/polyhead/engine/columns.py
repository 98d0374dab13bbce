"""The columns of one input or head, as its kind sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polyhead.errors import BadValue, Problem, place
from polyhead.kinds import Head, Input
from polyhead.kinds.base import About
from polyhead.sources.base import Source, listed, similar


class Columns:
    """One or several columns of a source; several are read side by side."""

    def __init__(self, source: Source, names: tuple[str, ...]) -> None:
        self._source, self._names = source, names

    def probe(self) -> Any:
        """The first rows."""
        return stacked([self._source.probe(name) for name in self._names])

    def scan(self) -> Iterator[Any]:
        """All rows, in pieces."""
        if len(self._names) == 1:
            yield from (values for _, values in self._source.scan(self._names[0]))
            return
        only = self._source.only(self._names)
        for ids in only.pieces(self._names):
            rows = only.coded(ids)
            yield stacked([rows[name] for name in self._names])

    def about(self) -> About:
        """What the source knows of a single column."""
        return self._source.about(self._names[0]) if len(self._names) == 1 else About()


def stacked(columns: list[Any]) -> Any:
    """One column as it is; several of numbers side by side, ``(B, n)``.

    >>> stacked([np.array([1, 2]), np.array([0.5, 1.5])]).tolist()
    [[1.0, 0.5], [2.0, 1.5]]
    """
    if len(columns) == 1:
        return columns[0]
    parts = []
    for values in columns:
        array = values.values() if hasattr(values, "codes") else values
        if not isinstance(array, np.ndarray) or array.dtype == object:
            array = np.asarray([np.nan if v is None else v for v in array])
        if array.dtype.kind not in "iufb":
            raise BadValue(
                0, "columns of numbers", repr(array[0]), "Turn words into numbers, or leave the column out."
            )
        parts.append(array.reshape(len(array), -1))
    kind = np.result_type(*(p.dtype for p in parts))
    return np.concatenate(parts, axis=1, dtype=np.int32 if kind.kind == "b" else kind)


def absent(source: Source, inputs: Mapping[str, Input], heads: Mapping[str, Head]) -> list[Problem]:
    """A problem for each column that is declared and does not exist."""
    columns = source.columns
    there = set(columns)
    problems = []
    for word, kinds in (("input", inputs), ("head", heads)):
        for name, kind in kinds.items():
            for column in kind.reads(name) if isinstance(kind, Head) else kind.columns(name):
                if column in there:
                    continue
                fix = f'Say {type(kind).__name__}({_argument(kind, name, column)}="...") for a column of another name.'
                near = similar(column, columns)
                expected = f"a column `{column}` among {listed(columns) or 'none'}"
                problems.append(
                    Problem(
                        place(input=name) if word == "input" else place(head=name),
                        expected,
                        "no such column",
                        f"{near} {fix}".strip(),
                    )
                )
    return problems


def _argument(kind: Input | Head, name: str, column: str) -> str:
    """The argument that names a column."""
    return "column" if column in kind.columns(name) or not isinstance(kind, Head) else "sample_weight"
