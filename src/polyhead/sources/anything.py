"""Whatever a user gives as data, as a source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polyhead.errors import DataError, Problem, shown
from polyhead.sources._store_files import is_store
from polyhead.sources.base import Source
from polyhead.sources.store import open_store
from polyhead.sources.tables import is_table, read_table


def as_source(data: Any) -> Source:
    """Whatever a user gives as data, as a source.

    Raises:
        DataError: for what is none.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, (str, os.PathLike)) and is_store(data):
        return open_store(data)
    if isinstance(data, (Mapping, str, os.PathLike)) or is_table(data):
        return read_table(data)
    fix = (
        "For a generator say ph.from_generator(function, length=...)."
        if isinstance(data, Iterator) or (callable(data) and not isinstance(data, type))
        else 'Give names: {"image": images, "label": labels}.'
        if isinstance(data, (list, tuple, np.ndarray))
        else ""
    )
    raise DataError(
        Problem("data", "a mapping of arrays, a Source, a table or a path", shown(type(data).__name__), fix)
    )
