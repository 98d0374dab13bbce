"""Rows of a store: a folder of memory-mapped Arrow files that `ph.pack` wrote."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np

from polyhead.columns.lazy import Stored, entries, whole
from polyhead.columns.values import Values
from polyhead.errors import PolyheadError, Problem, StoreError, as_path, place
from polyhead.kinds.source_column import About
from polyhead.sources.source import OwnSource
from polyhead.store.column_codec import column_from, field
from polyhead.store.files import AGAIN, check_sizes, checked_column, map_shard, read_manifest


def open_store(path: str | os.PathLike[str]) -> Store:
    """The rows of a store.

    Nothing is read but the manifest and the end of each file, so it takes milliseconds whatever the store holds. Rows
    are then read through memory maps: numbers and images are views of the files, and a row costs the pages that it
    lies on. `Feed`, and whatever else takes data, takes the path of a store too.

    Args:
        path: the folder that `pack` wrote.

    Returns:
        A source, with ``select``, ``split``, ``concat`` and ``mix`` as every source has them.

    Raises:
        StoreError: where there is no store, or it is unfinished, of another version, or a file of it is not there or
            not as long as it was written.

    >>> import tempfile
    >>> import polyhead as ph
    >>> folder = tempfile.mkdtemp()
    >>> _ = ph.pack({"x": np.arange(4.0), "words": [["a"], [], None, ["b", "c"]]}, f"{folder}/rows.store")
    >>> rows = ph.open_store(f"{folder}/rows.store")
    >>> rows
    Store(4 rows: x, words)
    >>> rows.read(np.array([3, 2]))["words"]
    [['b', 'c'], None]
    """
    return Store(as_path(path, "open_store(path)"))


class Store(OwnSource):
    """The rows of a finished store; what `open_store` returns.

    Attributes:
        path: its folder.
        manifest: what it says of itself: rows, columns, shards, where the rows are from.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = read_manifest(path)
        shards = self.manifest["shards"]
        problems = list(check_sizes(path, shards))
        if problems:
            raise StoreError(*problems)
        specs = {spec["name"]: spec for spec in self.manifest["columns"]}
        self._about = {name: spec.get("about", {}) for name, spec in specs.items()}
        maps = _Maps(path, shards, specs)
        columns = {name: _StoredColumn(name, spec, maps) for name, spec in specs.items()}
        self._columns: Mapping[str, _StoredColumn] = columns

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: the store is opened again."""
        return _reopened, (self.path.absolute(), list(self._columns))

    def __len__(self) -> int:
        return int(self.manifest["rows"])

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def column(self, name: str) -> Values | None:
        """The whole column: a view of the file where it is numbers in one file; None where it is large and is not."""
        self._require([name])
        with _sound(self.path, name):
            return whole(self._columns[name].values())

    def about(self, name: str) -> About:
        known = self._about.get(name, {})
        classes, values = (
            tuple(known[key]) if isinstance(known.get(key), list) else None for key in ("classes", "values")
        )
        return About(classes, values, known.get("exif"))

    def only(self, columns: Sequence[str]) -> Self:
        self._require(columns)
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._columns = {name: self._columns[name] for name in columns}
        return view

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Values] = {}
        for name, column in self._columns.items():
            with _sound(self.path, name):
                rows[name] = entries(column.values(), ids)
        return rows


def _reopened(path: Path, columns: list[str]) -> Store:
    return Store(path).only(columns)


class _sound:
    """Tells what a damaged column raises, of which each value was found to lie within its file."""

    __slots__ = ("_name", "_path")

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, (PolyheadError, MemoryError)):
            where = f"store {self._path}, {place(column=self._name)}"
            found = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(".: ")
            raise StoreError(Problem(where, "rows as they were written", found, AGAIN)) from error


class _Maps:
    """The shards, each mapped once, whoever asks first."""

    def __init__(
        self, folder: Path, shards: Sequence[Mapping[str, Any]], specs: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._paths = [folder / shard["file"] for shard in shards]
        self._rows = [shard["rows"] for shard in shards]
        self._specs = specs
        self._batches: list[Any] | None = None
        self._lock = Lock()

    def column(self, name: str) -> list[Any]:
        with self._lock:
            if self._batches is None:
                types = {column: field(dict(spec)) for column, spec in self._specs.items()}
                both = zip(self._paths, self._rows, strict=True)
                self._batches = [map_shard(path, types, rows) for path, rows in both]
            both = zip(self._paths, self._batches, strict=True)
            return [checked_column(path, batch, name) for path, batch in both]


class _StoredColumn:
    """One column, made once, whoever asks first."""

    def __init__(self, name: str, spec: Mapping[str, Any], maps: _Maps) -> None:
        self._name, self._spec, self._maps = name, dict(spec), maps
        self._values: Values | Stored | None = None
        self._lock = Lock()

    def values(self) -> Values | Stored:
        if self._values is None:
            with self._lock:
                if self._values is None:
                    self._values = column_from(self._spec, self._maps.column(self._name))
        return self._values
