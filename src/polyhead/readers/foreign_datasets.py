"""Advice on data that is not a source, such as datasets of other libraries.

Objects are recognized by the module of their type, without importing their library.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polyhead.columns.frames import family_of

_GENERATOR = "ph.from_generator(function, length=rows, names=...)"

_GRAIN = f"Say {_GENERATOR}, where lambda: iter(dataset) is the function, with the dataset in batches."
_TABLE = "Give its table: dataset.to_table(); or the path of its file."

_FIXES = {
    "datasets.Dataset": 'Give its Arrow table: dataset.with_format("arrow")[:]; or its columns: '
    '{"x": dataset.with_format("numpy")["x"]}.',
    "datasets.DatasetDict": 'Give one of its splits, as a table: datasets["train"].with_format("arrow")[:].',
    "datasets.IterableDataset": f"Say {_GENERATOR}, where lambda: dataset.iter(32) is the function.",
    "torch.DataLoader": f"Say {_GENERATOR}, where lambda: loader is the function and rows is len(loader.dataset); for "
    "a new order in each epoch let the loader shuffle.",
    "torch.IterableDataset": f"Say {_GENERATOR}, where lambda: DataLoader(dataset, 32) is the function.",
    "torch.Dataset": "Say ph.from_generator(lambda: DataLoader(dataset, 32), length=len(dataset), names=...), or give "
    'its arrays as columns: {"x": x, "y": y}.',
    "tensorflow.DatasetV2": "Say ph.from_generator(lambda: dataset.as_numpy_iterator(), length=rows, names=...), with "
    "the dataset in batches.",
    "pyarrow.Dataset": _TABLE,
    "pyarrow.Scanner": _TABLE,
    "pyarrow.ParquetFile": "Give the path of the file, or its table: file.read().",
    "pyarrow.RecordBatchReader": "Give its table: reader.read_all().",
    "zarr.Group": "Give its arrays as columns: dict(group.arrays()).",
    "duckdb.DuckDBPyRelation": "Give its table: relation.to_arrow_table().",
    "keras.PyDataset": "Say ph.from_generator(lambda: (dataset[i] for i in range(len(dataset))), length=rows, "
    "names=...).",
    "grain.MapDataset": _GRAIN,
    "grain.IterDataset": _GRAIN,
    "grain.DataLoader": _GRAIN,
}
"""The advice on objects of other libraries, by library and class name."""


def fix_for(data: Any) -> str:
    """Return the fix to suggest for data that is not a source; empty for unknown objects.

    >>> fix_for([1, 2])
    'Give names: {"image": images, "label": labels}.'
    """
    if inspect.isgenerator(data):
        return "A generator runs only once; give ph.from_generator(function, length=rows) the function that creates it."
    if words := _of_library(data):
        return words
    if hasattr(data, "fetchall") or (hasattr(data, "cursor") and hasattr(data, "commit")):  # PEP 249
        return "Give the rows of a query as a table: pandas.read_sql(query, connection)."
    if hasattr(data, "read") and hasattr(data, "seek"):
        return "Give the path of the file, or its table: pandas.read_csv(file)."
    has_rows = isinstance(data, type) or hasattr(data, "__getitem__") or hasattr(data, "__iter__")
    if isinstance(data, Iterator) or (callable(data) and not has_rows):
        return "For a generator, use ph.from_generator(function, length=rows)."
    if getattr(getattr(data, "dtype", None), "names", None):  # of NumPy or h5py
        return "Give its fields as columns: {name: data[name] for name in data.dtype.names}."
    if isinstance(data, (list, tuple)) and data and (fix := _fix_for_row(data[0])):
        return fix
    if isinstance(data, (list, tuple, np.ndarray)) or hasattr(data, "__array__"):
        return 'Give names: {"image": images, "label": labels}.'
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return (
            "Write a ph.Source with __len__ and read(ids), or say ph.from_generator(function, length=rows)."
        )
    if hasattr(data, "__iter__"):
        return "Say ph.from_generator(lambda: data, length=rows, names=...), if it gives batches."
    return ""


def _fix_for_row(row: Any) -> str:
    """Return the fix to suggest for a list of rows that are not dicts; empty for anything else."""
    if isinstance(row, dict):  # others are not
        return "Leave out what is no dict: [row for row in rows if isinstance(row, dict)]."
    family, names = family_of(row)
    joins = {
        "DataFrame": f"{family}.concat",
        "Table": "pyarrow.concat_tables",
        "RecordBatch": "pyarrow.Table.from_batches",
    }
    for name in names & {*joins}:
        return f"Join the tables: {joins[name]}(tables)."
    if hasattr(row, "keys"):
        return "Give rows as dicts: [dict(row) for row in rows]."
    if hasattr(row, "_asdict"):
        return "Give rows as dicts: [row._asdict() for row in rows]."
    if dataclasses.is_dataclass(row):
        return "Give rows as dicts: [dataclasses.asdict(row) for row in rows]."
    named = isinstance(row, tuple)
    return "Give names to the values of rows: pandas.DataFrame(rows, columns=[...])." if named else ""


def fix_for_rows(data: Any) -> str:
    """Return the fix to suggest for a dataset of another library whose items are rows; empty for anything else.

    A dataset of single values, such as images, can be a column.
    """
    words = _of_library(data)
    # an IterableDataset of torch has no length
    sized = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    if not words or isinstance(data, Mapping) or not sized or not len(data):
        return words
    return words if isinstance(data[0], (dict, list, tuple)) else ""


def _of_library(data: Any) -> str:
    names = (f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(data).__mro__)
    return next((_FIXES[name] for name in names if name in _FIXES), "")
