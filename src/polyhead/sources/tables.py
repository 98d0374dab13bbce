"""Rows that stand in tables: Parquet, CSV and Arrow files, pyarrow tables, pandas and polars frames."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from polyhead.columns.as_column import as_column
from polyhead.columns.frames import family_of
from polyhead.columns.lazy import Stored, entries, whole
from polyhead.columns.values import Values
from polyhead.errors import DataError, Problem, listed, similar
from polyhead.sources.arrays import Arrays
from polyhead.sources.source import OwnSource, Source, names_in
from polyhead.sources.table_files import Opened, open_file, opened_arrow

_INDEX = re.compile(r"__index_level_\d+__")  # what pandas writes beside the columns

_TABLES = {
    "pandas": frozenset({"DataFrame"}),
    "polars": frozenset({"DataFrame", "LazyFrame"}),
    "pyarrow": frozenset({"Table", "RecordBatch"}),
}


def read_table(data: Any, *, columns: Sequence[str] | None = None) -> Source:
    """The rows of a table.

    A column is read and converted when it is first used, once, and stays in memory: numbers as NumPy arrays
    (NaN where null), words and categories as codes, lists and tensors as arrays, binary as bytes, dates as
    ``datetime64``, decimals as float64. Columns that nobody uses cost nothing, but for text files, which are
    read as a whole.

    Args:
        data: a path to a ``.parquet``, ``.csv``, ``.tsv`` (also ``.csv.gz``), ``.arrow``, ``.feather`` or
            ``.ipc`` file, or to a folder of Parquet files; a pyarrow table or record batch; a pandas or
            polars frame; or a mapping of arrays, as `Feed` takes it, to split or combine its rows.
        columns: the columns to take, in this order; by default all.

    Raises:
        DataError: for a file that does not exist or cannot be read, another kind of file, no rows, no
            columns, a column that does not exist, or two columns of one name.

    >>> import pyarrow as pa
    >>> table = read_table(pa.table({"age": [31, None], "kind": ["cat", "dog"]}))
    >>> table
    Table(2 rows: age, kind)
    >>> table.read(np.array([1, 0]))["age"].tolist()
    [nan, 31.0]
    """
    wanted = None if columns is None else names_in(columns, "read_table(columns=)")
    if isinstance(data, Mapping):
        arrays = Arrays(data, wanted)
        return arrays if wanted is None else arrays.only(wanted)
    family, names = family_of(data)
    if isinstance(data, (str, os.PathLike)):
        path = Path(data).expanduser()
        return _table(open_file(path, wanted), wanted, path.absolute())
    if family == "pandas" and "DataFrame" in names:
        found = Opened(
            "pandas DataFrame",
            [str(c) for c in data.columns],
            len(data),
            lambda at: as_column(str(data.columns[at]), data.iloc[:, at]),
        )
    elif family == "polars" and ("DataFrame" in names or "LazyFrame" in names):
        if "LazyFrame" in names:
            known = data.collect_schema().names()
            data = (data.select(wanted) if wanted and set(wanted) <= set(known) else data).collect()
        found = Opened(
            "polars DataFrame",
            list(data.columns),
            data.height,
            lambda at: as_column(data.columns[at], data.to_series(at)),
        )
    elif hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__") or is_table(data):
        found = opened_arrow(data)
    else:
        expected = "a path, a pyarrow table, a pandas or polars frame, or a mapping of arrays"
        raise DataError(Problem("read_table(data)", expected, f"a {type(data).__name__}"))
    return _table(found, wanted)


def is_table(obj: Any) -> bool:
    """Whether ``obj`` is a pandas or polars frame, or a pyarrow table; imports none of them.

    >>> is_table({"a": [1]})
    False
    """
    family, names = family_of(obj)
    return bool(names & _TABLES.get(family, frozenset()))


class Table(OwnSource):
    """Named columns, each loaded on first use; what `read_table` returns.

    A table of a file is pickled as its path, and read again where it is unpickled; another with its values.
    """

    def __init__(self, columns: Mapping[str, _TableColumn], length: int, path: Path | None = None) -> None:
        self._columns, self._length, self._path = dict(columns), length, path

    def __reduce__(self) -> tuple[Any, ...]:
        if self._path is not None:
            return _of_file, (self._path, list(self._columns))
        return _of_values, ({name: column.values() for name, column in self._columns.items()}, self._length)

    def __len__(self) -> int:
        return self._length

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def column(self, name: str) -> Values | None:
        """The whole column; it is loaded if nobody has used it before. None if it is large and in pieces."""
        if name not in self._columns:
            self._require([name])
        return whole(self._columns[name].values())

    def only(self, columns: Sequence[str]) -> Table:
        self._require(columns)
        return Table({name: self._columns[name] for name in columns}, self._length, self._path)

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        return {name: entries(column.values(), ids) for name, column in self._columns.items()}


class _TableColumn:
    """One column, loaded once, whoever asks first."""

    def __init__(self, load: Callable[[], Values | Stored]) -> None:
        self._load: Callable[[], Values | Stored] | None = load
        self._values: Values | Stored | None = None
        self._lock = Lock()

    def values(self) -> Values | Stored:
        if self._values is None:
            with self._lock:
                if self._values is None:
                    assert self._load is not None
                    self._values = self._load()
                    self._load = None  # lets go of what it read from
        return self._values


def _of_file(path: Path, columns: list[str]) -> Source:
    return read_table(path, columns=columns)


def _of_values(columns: Mapping[str, Values | Stored], length: int) -> Table:
    return Table({name: _TableColumn(partial(_same, values)) for name, values in columns.items()}, length)


def _same(values: Values | Stored) -> Values | Stored:
    return values


def _table(found: Opened, wanted: list[str] | None, path: Path | None = None) -> Table:
    names = found.names
    counts = Counter(names)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        text = ", ".join(f"`{name}` {counts[name]} times" for name in twice)
        raise DataError(Problem(found.where, "columns of different names", text, "Rename the columns."))
    if wanted is None:
        wanted = [name for name in names if not _INDEX.fullmatch(name)]
    if not wanted:
        raise DataError(Problem(found.where, "at least one column", "none"))
    absent = [name for name in dict.fromkeys(wanted) if name not in counts]
    if absent:
        expected, none = f"one of the columns {listed(names)}", "no such column"
        places = {name: f"{found.where}, column `{name}`" for name in absent}
        raise DataError(*(Problem(at, expected, none, similar(name, names)) for name, at in places.items()))
    if found.rows < 1:  # a file that is damaged may say less than 0
        raise DataError(
            Problem(found.where, "at least one row", "none" if not found.rows else str(found.rows))
        )
    at = {name: i for i, name in enumerate(names)}
    return Table(
        {name: _TableColumn(_checked_length(found, name, at[name])) for name in wanted}, found.rows, path
    )


def _checked_length(found: Opened, name: str, at: int) -> Callable[[], Values | Stored]:
    load, where, rows = found.load, f"{found.where}, column `{name}`", found.rows

    def column() -> Values | Stored:
        values = load(at)
        if len(values) != rows:
            raise DataError(Problem(where, f"{rows:,} rows, as when it was opened", f"{len(values):,}"))
        return values

    return column
