"""Warns of inputs and labels that mislead the model: numbers equal in float32, dark images, the label itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import BadValue, Problem, counted, listed, place, shown
from polyhead.kinds import Array, Head, Image, Input
from polyhead.kinds.learned_classes import spellings
from polyhead.kinds.missing import as_one_array, is_dense, is_missing, plain
from polyhead.kinds.vocabulary import are_texts
from polyhead.sources.source import Source

FEW_STEPS = 1000
"""The number of float32 steps between the smallest and the largest number below which numbers are too close."""

FIRST = 4096
"""The most labels of a head that are compared."""

NOISE = 1e-14
"""The relative difference of numbers that is mere rounding."""


def input_problems(name: str, declared: Input, kind: Input, values: Any, rows: int) -> Iterator[Problem]:
    """Yield the warnings of one input."""
    where = place(input=name, column=", ".join(kind.columns(name)))
    if isinstance(kind, Array):
        texts = isinstance(declared, Array) and isinstance(declared.vocabulary, str) and kind.shape == (1,)
        if texts and are_texts(kind.names[2:], rows):
            found = (
                f"{len(kind.names) - 2:,} different texts in {counted(rows, 'row')}, each taken as one word"
            )
            fix = (
                'Split them into words, all lists of one length: [(text.lower().split() + [""] * 20)[:20] for text in '
                "column]; or leave the column out."
            )
            yield Problem(where, "words that several rows share", found, fix, "texts", warning=True)
        elif isinstance(declared, Array) and kind.vocabulary is not None and kind.shape == (1,):
            yield from _spelled_otherwise(where, declared, kind.names[2:], values)
        if kind.vocabulary is None and kind.scale is None:
            yield from _collapsing(
                where, values, 'Say ph.Array(scale="standard"), or subtract an offset first.'
            )
    elif (
        isinstance(kind, Image) and kind.dtype == "float32" and kind.range is None and _zeros_and_ones(values)
    ):
        found = "bytes of 0 and 1 alone, which become 0 and 0.004"
        fix = "If 1 is white, say ph.Image(range=(0, 1))."
        yield Problem(where, "pixels of 0–255, as they are uint8", found, fix, "dark", warning=True)


def _spelled_otherwise(where: str, declared: Array, words: Sequence[str], values: Any) -> Iterator[Problem]:
    """Yield a warning of words that are likely one, or of rows whose word is unknown but for its spelling."""
    learned = isinstance(declared.vocabulary, str)
    seen = () if learned else (value for value in plain(values) if isinstance(value, str))
    groups = [
        one for one in spellings(dict.fromkeys((*words, *seen), 0)) if learned or not one.keys() <= {*words}
    ]
    if groups:
        found = "; ".join(" and ".join(map(shown, one)) for one in groups[:3])
        known = "" if learned else " A word that is not in the vocabulary, as one of these, has the id 1."
        fix = f"If they mean the same, spell them alike, for example with .str.strip().str.lower().{known}"
        expected = "words that differ in more than spaces and case"
        yield Problem(where, expected, found, fix, "word-spelling", warning=True)


def label_problems(name: str, head: Head, source: Source) -> Iterator[Problem]:
    """Yield the warnings of the labels of one head: numbers equal in float32, of a column in memory."""
    if head.quantities and head.layer is None and head.unit_fix and head.scaling is None:
        column = source.column(head.columns(name)[0])
        if isinstance(column, np.ndarray):
            yield from _collapsing(place(head=name), column[:FIRST], head.unit_fix)


def _collapsing(where: str, values: Any, fix: str) -> Iterator[Problem]:
    if pair := collapsing_pair(values):
        found = f"{pair[0]!r} and {pair[1]!r}, which become equal"
        yield Problem(where, "numbers that differ in float32", found, fix, "collapsed", warning=True)


def collapsing_pair(values: Any) -> tuple[Any, Any] | None:
    """Return two numbers of a column that become equal in float32, if its numbers are too close; else None.

    >>> collapsing_pair(np.array([1.7e9, 1.7e9 + 1]))
    (1700000000.0, 1700000001.0)
    >>> collapsing_pair(np.array([0.1, 0.1 + 1e-16, 0.5])), collapsing_pair(np.array([0.0, 1.7e9]))
    (None, None)
    """
    try:
        array = as_one_array([None if is_missing(v) else v for v in plain(values)], "numbers")
    except BadValue:
        return None
    if array.dtype.kind not in "iuf" or array.dtype.itemsize < 4 or array.dtype == np.float32:
        return None
    flat = array.reshape(len(array), -1)
    finite = np.where(np.isfinite(flat), flat, flat[:1])
    width = (finite.max(0) - finite.min(0)).astype(np.float64)
    most = np.maximum(np.abs(finite.max(0).astype(np.float64)), np.abs(finite.min(0).astype(np.float64)))
    close = (width > most * NOISE * (array.dtype.kind == "f")) & (
        width < most * np.finfo(np.float32).eps * FEW_STEPS
    )
    for k in np.flatnonzero(close).tolist():
        numbers = np.unique(finite[:, k])
        equal = np.flatnonzero(np.diff(numbers.astype(np.float32)) == 0)
        if equal.size:
            return numbers[equal[0]].item(), numbers[equal[0] + 1].item()
    return None


def _zeros_and_ones(values: Any) -> bool:
    values = plain(values)
    arrays = [values] if is_dense(values) else list(values)
    arrays = [array for array in arrays if isinstance(array, np.ndarray)]
    if not arrays or any(array.dtype != np.uint8 for array in arrays):
        return False
    return max(int(array.max(initial=0)) for array in arrays) == 1


def leaks(inputs: Mapping[str, Input], heads: Mapping[str, Head]) -> Iterator[Problem]:
    """Yield a warning for each head whose label column is in an input, unless a whole vector is predicted."""
    for name, kind in inputs.items():
        for head_name, head in heads.items() if isinstance(kind, Array) else ():
            shared = [column for column in head.columns(head_name) if column in kind.columns(name)]
            is_vector = kind.columns(name) == head.columns(head_name) and kind.shape != (1,)
            if shared and not is_vector:
                found = f"the same column in {place(input=name)}"
                fix = "The model would only copy it. Leave the column out of the input."
                where = place(head=head_name, column=listed(shared))
                yield Problem(where, "a label that no input has", found, fix, "leak", warning=True)
