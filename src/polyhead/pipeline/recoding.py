"""Chooses the quickest way to convert the numbers of a column: a cast, a few comparisons or a table."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from polyhead.kinds.conversion import Conversion

CAST, SCALE, REPLACE, PICK = "cast", "scale", "replace", "pick"
LOOKUP, LOOKUP_BYTE = "look_up", "look_up_bytes"
"""The conversions of a number, named as their loops: a cast; a byte divided by 255; some numbers replaced and the rest
cast, or all set to one number; by a table, from some number on or of all bytes."""

FEW = 6
"""The most numbers for which comparisons are quicker than a table."""

LARGEST_TABLE = 1 << 22


class Recoding(NamedTuple):
    """The conversion that a loop applies to each number.

    Attributes:
        way: `CAST`, `SCALE`, `REPLACE`, `PICK`, `LOOKUP` or `LOOKUP_BYTE`.
        low: the number that the table of `LOOKUP` begins with.
        keys: the numbers to replace, of the column's dtype.
        numbers: what ``keys`` become, of the result's dtype, for `PICK` followed by what all others become; or the
            table.
    """

    way: str
    low: int
    keys: np.ndarray
    numbers: np.ndarray


def recoding_of(conversion: Conversion, column: np.dtype) -> Recoding:
    """Choose the quickest way to convert the valid numbers of a column; the results for invalid ones are undefined.

    >>> recoding_of(Conversion("float32", values={0: 0, 255: 1}), np.dtype("uint8"))[0] == REPLACE
    True
    """
    result = np.dtype(conversion.dtype)
    if conversion.values is None:
        return Recoding(SCALE if conversion.scale else CAST, 0, np.zeros(0, column), np.zeros(0, result))
    values = _representable(conversion, column)
    changed = {key: number for key, number in values.items() if key != number}
    common = Counter(values.values()).most_common(1)[0][0] if values else 0
    others = {key: number for key, number in values.items() if number != common}
    if len(changed) <= len(others):
        way, replaced, default = REPLACE, changed, []
    else:
        way, replaced, default = PICK, others, [common]
    low, high = (min(values), max(values)) if values else (0, 0)
    if len(replaced) <= FEW or high - low >= LARGEST_TABLE:
        return Recoding(
            way, 0, np.array([*replaced], column), np.array([*replaced.values(), *default], result)
        )
    byte = column == np.uint8
    low, size = (0, 256) if byte else (low, high - low + 1)
    table = np.zeros(size, result)
    for key, number in values.items():
        table[key - low] = number
    return Recoding(LOOKUP_BYTE if byte else LOOKUP, low, np.zeros(0, column), table)


def valid_numbers(conversion: Conversion, column: np.dtype) -> tuple[np.ndarray, np.ndarray] | None:
    """Return ``(least, greatest)`` valid number of a column, and the valid numbers outside of these.

    Return None if all numbers are valid. If classes are read from floats, the first two have no number between them.
    """
    if conversion.values is not None:
        numbers = sorted(_representable(conversion, column))
        run = _longest_run(numbers) if column.kind in "iu" else []
        low, high = (run[0], run[-1]) if run else (1, 0)
        return np.array([low, high], column), np.array(sorted(set(numbers) - set(run)), column)
    if conversion.low is None or conversion.high is None:
        return None
    least, most = conversion.low, conversion.high
    if column.kind in "iu":
        ends = np.iinfo(column)
        if least <= ends.min and ends.max <= most:
            return None
        least, most = max(int(least), ends.min), min(int(most), ends.max)
    elif column.kind == "f":  # the range of float16 is smaller than that of float32
        least, most = max(least, float(np.finfo(column).min)), min(most, float(np.finfo(column).max))
    return np.array([least, most], column), np.zeros(0, column)


def by_numpy(rows: np.ndarray, recoding: Recoding, out: np.ndarray) -> None:
    """Convert numbers like the compiled loop."""
    if recoding.way == SCALE:
        np.divide(rows, np.float32(255), out=out, dtype=np.float32)
    elif recoding.way in (LOOKUP, LOOKUP_BYTE):
        np.take(recoding.numbers, rows.astype(np.int64) - recoding.low, out=out, mode="clip")
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # results for invalid numbers are undefined
            out[...] = recoding.numbers[-1] if recoding.way == PICK else rows
        for key, number in zip(recoding.keys, recoding.numbers, strict=False):
            out[...] = np.where(rows == key, number, out)  # `copyto(where=)` takes ten times as long


def _representable(conversion: Conversion, column: np.dtype) -> dict[int, float]:
    """The valid numbers that a dtype can represent, and what they become."""
    assert conversion.values is not None
    if column.kind not in "iu":
        return dict(conversion.values)
    ends = np.iinfo(column)
    return {key: number for key, number in conversion.values.items() if ends.min <= key <= ends.max}


def _longest_run(numbers: list[int]) -> list[int]:
    """The longest run of consecutive integers among sorted ones."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] + 1 == number:
            runs[-1].append(number)
        else:
            runs.append([number])
    return max(runs, key=len, default=[])
