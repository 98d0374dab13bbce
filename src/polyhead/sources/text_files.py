"""Reads text files of tables, CSV and TSV, as Arrow tables."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from polyhead.columns.image_values import names_image
from polyhead.errors import DataError, Problem, place, shown, warn
from polyhead.kinds.value_advice import reads_as_number

# before, Arrow's threads can wait for each other for ever after an error: github.com/apache/arrow/issues/48741
_THREADS_END = int(pa.__version__.split(".")[0]) >= 24

_SEPARATORS = (";", "\t", "|", ",")
_FIRST_BLOCK = 1 << 20
_LARGEST_BLOCK = 2**31 - 1
_LONGEST_INTEGER = 64
_SEARCHED = 1 << 17
"""A text file is searched in blocks of this size, as arrays of it stay in the processor's cache."""


def read_text(path: Path, where: str, wanted: list[str] | None, delimiter: str) -> Any:
    """Read a text file as an Arrow table of the wanted columns, or of all.

    If a wanted column is missing, the table has all names and no values: the caller's error needs only the names.

    Raises:
        DataError: for another separator or encoding.
        pyarrow.ArrowException, OSError, ValueError: for a file that can't be read; `text_fix` says what to do.
    """
    shape = csv.ParseOptions(delimiter=delimiter)
    try:
        names, first = _start_of_csv(path, shape, _FIRST_BLOCK)
    except pa.ArrowInvalid as error:
        if "straddl" not in str(error):
            raise
        names, first = _start_of_csv(path, shape, _LARGEST_BLOCK)  # an image as text, perhaps
    if first is not None and len(first):
        _require_separated(names[0], first.column(0)[0].as_py(), where, delimiter)
    distinct = set(names)
    take = [n for n in wanted if n in distinct] if wanted and len(distinct) == len(names) else None
    if take is not None and len(take) < len(wanted or ()):
        return pa.table([pa.nulls(1)] * len(names), names)
    options = csv.ConvertOptions(strings_can_be_null=True, include_columns=take)
    threads = csv.ReadOptions(use_threads=_THREADS_END)
    read = partial(csv.read_csv, path, parse_options=shape, read_options=threads)
    try:
        table = read(convert_options=options)
    except pa.ArrowInvalid:
        # Arrow infers a column's type from the first block, so make the whole file one block
        read = partial(read, read_options=csv.ReadOptions(block_size=_LARGEST_BLOCK, use_threads=False))
        table = read(convert_options=options)
    _require_text(table, where)
    _warn_of_open_quotes(table, where, delimiter)
    _warn_of_no_names(table, where, delimiter)
    if len(set(table.column_names)) == len(table.column_names):
        table = _with_exact_integers(table, read, path, delimiter)
    return table


def text_fix(error: Exception) -> str:
    """Return the fix for a text file in another encoding or with another delimiter."""
    if isinstance(error, UnicodeDecodeError):
        return "Save it as UTF-8, or pass the frame from pandas.read_csv(path, encoding=...)."
    reason = str(error)
    marks = [mark for mark in _SEPARATORS if "CSV parse error" in reason and mark in reason]
    if marks and marks[0] != ",":
        return _separated_by(marks[0])
    # as below a comment or a title
    titled = "Row #2: Expected 1 columns" in reason
    return "Leave out the lines above the names of the columns." if titled else ""


def _separated_by(mark: str) -> str:
    """Return the fix for a text file with another separator."""
    return f"Pass the frame from pandas.read_csv(path, sep={json.dumps(mark)})."


def _require_separated(name: str, first: Any, where: str, delimiter: str) -> None:
    """Raise if the only column of a text file looks like several with another separator."""
    for mark in _SEPARATORS:
        count = name.count(mark)
        if count and mark != delimiter and isinstance(first, str) and first.count(mark) == count:
            expected = f"columns separated by {json.dumps(delimiter)}, as its extension says"
            raise DataError(Problem(where, expected, f"a single one, {shown(name)}", _separated_by(mark)))


def _start_of_csv(path: Path, shape: Any, block: int) -> tuple[list[str], Any]:
    """Return the names of the columns, and if there is only one, its first rows."""
    # with threads, Arrow does not say which row it can't read
    alone = csv.ReadOptions(use_threads=False, block_size=block)
    with csv.open_csv(path, read_options=alone, parse_options=shape) as head:
        names = list(head.schema.names)
        return names, next(iter(head), None) if len(names) == 1 else None


def _has_zeros_in_front(path: Path, delimiter: str) -> bool:
    """Return whether an entry of a text file is an integer that begins with zeros, as 007: an id or a class."""
    mark = re.escape(delimiter.encode())
    padded = re.compile(rb'[%b\r\n"] *0\d+ *[%b\r\n"]' % (mark, mark))
    rest = b"\n"
    with pa.input_stream(str(path)) as file:
        while block := file.read(_SEARCHED):
            text = rest + block
            codes = np.frombuffer(text, np.uint8)
            before, zero, digit, last = codes[:-3], codes[1:-2], codes[2:-1], codes[3:]
            # the pattern alone would take long; below "-" are the marks around an entry, "May 05" is none
            likely = (before < ord("-")) & (zero == ord("0")) & (digit - np.uint8(ord("0")) < 10)
            likely &= (last < ord("-")) | (last - np.uint8(ord("0")) < 10)
            at = np.flatnonzero(likely)
            if ((before[at] != ord(" ")) | (before[at - 1] < ord("-"))).any() and padded.search(text):
                return True
            rest = text[-_LONGEST_INTEGER:]
    return padded.search(rest + b"\n") is not None


def _with_exact_integers(table: Any, read: Callable[..., Any], path: Path, delimiter: str) -> Any:
    """Read integers that Arrow changes again: beyond int64 as uint64 or text, and those with zeros in front as text."""
    wide = [name for name in table.column_names if _may_round(table.column(name))]
    whole = [field.name for field in table.schema if field.type == pa.int64()]
    names = [*wide, *(whole if whole and _has_zeros_in_front(path, delimiter) else [])]
    if not names:
        return table
    types = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), include_columns=names, strings_can_be_null=True
    )
    texts = read(convert_options=types)  # once for all columns, as reading takes long
    for name in names:
        exact = pc.utf8_trim_whitespace(texts.column(name))
        if name in wide and pc.all(pc.match_substring_regex(exact, r"^[+-]?\d+$")).as_py():
            with contextlib.suppress(pa.ArrowInvalid):
                exact = exact.cast(pa.uint64())
        elif name in wide or not pc.any(pc.match_substring_regex(exact, r"^0\d")).as_py():
            continue
        table = table.set_column(table.column_names.index(name), name, exact)
    return table


def _may_round(column: Any) -> bool:
    """Return whether a column may hold integers beyond int64, which Arrow reads as finite, whole floats."""
    if column.type != pa.float64():
        return False
    bounds = pc.min_max(column).as_py().values()
    large = any(2**63 <= abs(bound or 0) < float("inf") for bound in bounds)
    return large and bool(pc.all(pc.equal(pc.trunc(column), column)).as_py())


def _warn_of_open_quotes(table: Any, where: str, delimiter: str) -> None:
    """Warn of an entry that holds other rows of a text file, as it begins with a quote that does not end there."""
    names, tabs = table.column_names, delimiter == "\t"
    for name, column in zip(names, table.columns, strict=True):
        first = 0 if tabs else max(0, len(column) - 1)  # text has its own commas
        ends = name == names[-1] and len(column) > 0 and str(column[-1]).endswith("\n")
        if pa.types.is_string(column.type) and (tabs or ends):
            joined = pc.count_substring(pc.utf8_rtrim(column.slice(first), "\n"), "\n")
            marks = pc.count_substring(column.slice(first), delimiter)
            alike = pc.equal(marks, pc.multiply(joined, len(names) - 1))  # as many as the rows inside have
            row = first + pc.index(pc.and_(pc.greater(marks, 0), alike), True).as_py()
            if row >= first:
                found = f"several, joined by a quote: {shown(column[row].as_py(), 60)}"
                fix = f"If quotes belong to the text, {_separated_by(delimiter)[:-2].lower()}, quoting=3)."
                warn(Problem(f"{where}, {place(column=name, row=row)}", "an entry of one row", found, fix))
                return


def _warn_of_no_names(table: Any, where: str, delimiter: str) -> None:
    """Warn if the names of all columns are values: numbers above numbers, names of images, words of their column."""
    columns = dict(zip(table.column_names, table.columns, strict=True))
    words = {name: column for name, column in columns.items() if pa.types.is_string(column.type)}
    if len(columns) < 2 or not all(reads_as_number(name) for name in columns.keys() - words.keys()):
        return
    repeated = [pc.any(pc.equal(words[name], name)).as_py() for name in words if not names_image(name)]
    if repeated and all(repeated):
        read = f"pandas.read_csv(path, {'' if delimiter == ',' else f'sep={json.dumps(delimiter)}, '}header=None)"
        fix = f"If the file has no names, pass the frame from {read}."
        warn(Problem(where, "names of columns in the first line", f"values, {shown(list(columns), 60)}", fix))


def _require_text(table: Any, where: str) -> None:
    """Raise if text is not UTF-8, which Arrow would read as bytes."""
    names = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if names:
        fix = "Save it as UTF-8, or pass the frame from pandas.read_csv(path, encoding=...)."
        found = f"other bytes in {', '.join(f'`{name}`' for name in names[:8])}"
        raise DataError(Problem(where, "text in UTF-8", found, fix, "text"))
