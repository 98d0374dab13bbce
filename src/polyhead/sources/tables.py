"""Rows in tables: Parquet, CSV and Arrow files, pyarrow tables, pandas and polars frames."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from polyhead.columns.as_column import as_column
from polyhead.columns.frames import family_of, index_of
from polyhead.columns.lazy import Late, Stored
from polyhead.columns.values import Values
from polyhead.errors import DataError, Problem, counted, listed, shown, similar
from polyhead.kinds.value_advice import reads_as_number
from polyhead.sources.arrays import Arrays, are_rows, columns_from_rows
from polyhead.sources.source import Source, names_in

_INDEX = re.compile(r"__index_level_\d+__")  # the name under which pandas writes an index

_TABLES = {
    "pandas": frozenset({"DataFrame"}),
    "polars": frozenset({"DataFrame", "LazyFrame"}),
    "pyarrow": frozenset({"Table", "RecordBatch"}),
}


class Opened(NamedTuple):
    """A table whose columns can be loaded one by one.

    Attributes:
        load: loads the column at a position; called once for each.
    """

    where: str
    names: list[str]
    rows: int
    load: Callable[[int], Values | Stored]

    def column(self, at: int) -> Values | Stored:
        """Load a column; raise a `DataError` if it does not have the rows that were there when it was opened."""
        values = self.load(at)
        if len(values) != self.rows:
            where = f"{self.where}, column `{self.names[at]}`"
            expected = f"{counted(self.rows, 'row')}, as when the file was opened"
            raise DataError(Problem(where, expected, f"{len(values):,}"))
        return values


def read_table(data: Any, *, columns: Sequence[str] | None = None) -> Source:
    """Read the rows of a table.

    A column is read and converted when it is first used, and stays in memory: numbers as NumPy arrays (NaN for null),
    text and categories as codes, lists and tensors as arrays, binary as bytes, dates as ``datetime64`` (times with a
    zone in UTC), decimals as float64 (as int64 if their type has no decimal places), integers of CSV files that 64 bits
    can't hold, or with zeros in front, as text. Unused columns are not read, except those of text files.

    Args:
        data: a path to a ``.parquet``, ``.csv``, ``.tsv`` (also ``.csv.gz``), ``.arrow``, ``.feather`` or
            ``.ipc`` file, or to a folder of Parquet files; a pyarrow table or record batch; a pandas or
            polars frame; or, to split or combine their rows, a mapping of arrays or a list of rows
            ``{column: value}``.
        columns: the columns to read, in this order; by default all.

    Raises:
        DataError: if the file doesn't exist, can't be read or is of another kind, if there are no rows or columns, or
            if a column doesn't exist or two have the same name.

    >>> import pyarrow as pa
    >>> table = read_table(pa.table({"age": [31, None], "kind": ["cat", "dog"]}))
    >>> table
    Table(2 rows: age, kind)
    >>> table.read([1, 0])["age"].tolist()
    [nan, 31.0]
    """
    return table_of(data, columns)


def table_of(data: Any, columns: Sequence[str] | None = None, least: int = 1) -> Source:
    """Read a table like `read_table`; it needs at least ``least`` rows."""
    wanted = None if columns is None else names_in(columns, "read_table(columns=)")
    if are_rows(data):
        data = columns_from_rows(data)
    if isinstance(data, Mapping):
        arrays = Arrays(data, wanted)
        return arrays if wanted is None else arrays.only(wanted)
    family, names = family_of(data)
    if isinstance(data, (str, os.PathLike)):
        from polyhead.sources.table_files import open_file

        path = Path(data).expanduser()
        return _table(open_file(path, wanted), wanted, least, path.absolute())
    if family == "pandas" and "DataFrame" in names:
        if data.columns.nlevels > 1:
            fix = 'Join them: frame.columns = ["_".join(map(str, name)) for name in frame.columns].'
            levels = f"names of {data.columns.nlevels} levels, as {shown(data.columns.tolist()[:1])}"
            raise DataError(Problem("pandas DataFrame", "one name for each column", levels, fix))
        opened = Opened(
            "pandas DataFrame",
            [str(c) for c in data.columns],
            len(data),
            lambda at: as_column(str(data.columns[at]), data.iloc[:, at]),
        )
    elif family == "polars" and ("DataFrame" in names or "LazyFrame" in names):
        if "LazyFrame" in names:
            available = data.collect_schema().names()
            data = (data.select(wanted) if wanted and set(wanted) <= set(available) else data).collect()
        opened = Opened(
            "polars DataFrame",
            list(data.columns),
            data.height,
            lambda at: as_column(data.columns[at], data.to_series(at)),
        )
    elif hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__") or is_table(data):
        from polyhead.sources.table_files import opened_arrow

        opened = opened_arrow(data)
    else:
        expected = "a path, a pyarrow table, a pandas or polars frame, or a mapping of arrays"
        paths = isinstance(data, (list, tuple)) and data and isinstance(data[0], (str, os.PathLike))
        fix = "Join tables: read_table(a).concat(read_table(b))." if paths else ""
        fix = "Give data.to_table()." if hasattr(data, "to_table") else fix  # a dataset of Arrow
        fix = "Give its path, or pandas.read_csv(file)." if hasattr(data, "readline") else fix
        raise DataError(Problem("read_table(data)", expected, f"a {type(data).__name__}", fix))
    table = _table(opened, wanted, least)
    table._index = index_of(data)
    return table


def parquet_files(folder: Path) -> list[str]:
    """The paths of the Parquet files in a folder and its subfolders that are read as one table."""
    return sorted(
        str(p)
        for p in folder.rglob("*")
        if p.suffix.lower() in (".parquet", ".pq") and not p.name.startswith((".", "_")) and p.is_file()
    )


def is_table(obj: Any) -> bool:
    """Return whether ``obj`` is a pandas or polars frame or a pyarrow table; doesn't import the libraries.

    >>> is_table({"a": [1]})
    False
    """
    family, names = family_of(obj)
    return bool(names & _TABLES.get(family, frozenset()))


class Table(Arrays):
    """Named columns, each loaded on first use; the result of `read_table`.

    Pickle stores the path of a table in a file, and the values of other tables.
    """

    def __init__(self, columns: Mapping[str, Values | Stored], length: int, path: Path | None = None) -> None:
        self._columns, self._length, self._path = columns, length, path

    def __reduce__(self) -> tuple[Any, ...]:
        if self._path is not None:
            return partial(read_table, columns=list(self._columns)), (self._path,)
        return Table, (dict(self._columns), self._length)


def _table(opened: Opened, wanted: list[str] | None, least: int = 1, path: Path | None = None) -> Table:
    names = opened.names
    counts = Counter(names)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        text = ", ".join(f"`{name}` {counts[name]} times" for name in twice)
        fix = "Rename the columns."
        if path is not None and all(map(reads_as_number, twice)):
            fix = "If the first line has values, not names, pass the frame from pandas.read_csv(path, header=None)."
        raise DataError(Problem(opened.where, "columns with different names", text, fix))
    if wanted is None:
        wanted = [name for name in names if not _INDEX.fullmatch(name)]
    if not wanted:
        raise DataError(Problem(opened.where, "at least one column", "none"))
    absent = [name for name in dict.fromkeys(wanted) if name not in counts]
    if absent:
        expected, none = f"one of the columns {listed(names)}", "no such column"
        where = f"{opened.where}, column"
        raise DataError(*(Problem(f"{where} `{n}`", expected, none, similar(n, names)) for n in absent))
    if opened.rows < least:  # the count in a damaged file may be negative
        raise DataError(Problem(opened.where, "at least one row", str(opened.rows or "none")))
    at = {name: i for i, name in enumerate(names)}
    columns = {name: Late(opened.rows, partial(opened.column, at[name])) for name in wanted}
    return Table(columns, opened.rows, path)
