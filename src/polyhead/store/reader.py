"""Reads a store: a folder of memory-mapped Arrow files written by `ph.pack`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from polyhead.columns.lazy import Late, Stored, entries
from polyhead.columns.values import Values
from polyhead.errors import PolyheadError, Problem, StoreError, as_path, place, shown
from polyhead.foreign_errors import quoted_error
from polyhead.kinds.source_column import About, Origins
from polyhead.sources.arrays import Arrays
from polyhead.store.column_codec import column_from, field
from polyhead.store.files import (
    AGAIN,
    WITHOUT_ORIGINS,
    checked_column,
    map_shard,
    read_manifest,
    require_sizes,
)
from polyhead.store.origin_columns import FILE, PLACE

MOST_PIXELS = 1 << 32
"""The largest original image that is accepted, as predictions create masks of its size."""


def open_store(path: str | os.PathLike[str]) -> Store:
    """Open a store.

    This reads only the manifest and the end of each file, so it takes milliseconds for a store of any size. Rows are
    read through memory maps: numbers and images are views of the files, and reading a row loads only its pages.
    `Feed` and all other functions that accept data also accept the path of a store.

    Args:
        path: the folder that `pack` wrote.

    Returns:
        A source, with ``select``, ``split``, ``concat`` and ``mix``.

    Raises:
        StoreError: if there is no store, it is unfinished or of another version, or a file is missing or has the
            wrong size.

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


class Store(Arrays):
    """The rows of a finished store; the result of `open_store`.

    Attributes:
        path: the folder.
        manifest: the contents of its manifest: rows, columns, shards, and the origin of the rows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = read_manifest(path)
        shards = self.manifest["shards"]
        require_sizes(path, shards)
        specs = {spec["name"]: spec for spec in self.manifest["columns"]}
        self._about = {name: spec.get("about", {}) for name, spec in specs.items()}
        maps = _Maps(path, shards, specs)
        self._length = int(self.manifest["rows"])
        late = {name: Late(len(self), partial(maps.column, name)) for name in specs}
        self._origins = {
            tuple(spec["origin"]): late.pop(name) for name, spec in specs.items() if "origin" in spec
        }
        self._columns = late

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path; unpickling opens the store again."""
        return _reopened, (self.path.absolute(), list(self._columns))

    def column(self, name: str) -> Values | None:
        """Return the whole column: a view of the file if it is numbers in one file; None for other large columns."""
        with _sound(self.path, name):
            return super().column(name)

    def about(self, name: str) -> About:
        facts = self._about.get(name, {})
        return About(**{key: _tuples(facts[key]) for key in About._fields if facts.get(key)})

    def origins(self, name: str, ids: np.ndarray) -> Origins | None:
        lost = str(self.path) if self.manifest["polyhead_store"] == WITHOUT_ORIGINS else ""
        kept = (name, FILE) in self._origins
        if not (lost or kept):
            return None
        origins = Origins.unknown(len(ids), lost)._replace(kept=kept)
        if (files := self._origin(name, FILE, ids)) is not None:
            origins = origins._replace(files=list(files))
        if (places := self._origin(name, PLACE, ids)) is not None:
            self._require_believable(places, f"{name}: {PLACE}")
            origins = origins._replace(places=places)
        return origins

    def _origin(self, name: str, kind: str, ids: np.ndarray) -> Any:
        """Read an origin column of a column of images; None if the store has none."""
        column = self._origins.get((name, kind))
        if column is None:
            return None
        with _sound(self.path, f"{name}: {kind}"):
            return entries(column, ids)

    def _require_believable(self, places: np.ndarray, column: str) -> None:
        """Raise a `StoreError` if a size is invalid or a matrix can't be inverted; ``places`` are ``(n, 8)``."""
        known = places[~np.isnan(places[:, 0])]
        sizes, matrices = known[:, :2], known[:, 2:]
        with np.errstate(all="ignore"):
            area = matrices[:, 0] * matrices[:, 4] - matrices[:, 1] * matrices[:, 3]
            good = (sizes >= 1).all(1) & (sizes.prod(1) <= MOST_PIXELS)
            good &= (np.abs(area) > 1e-18) & np.isfinite(matrices).all(1)
        if not good.all():
            where = f"store {self.path}, {place(column=column)}"
            found = shown(known[~good][0].tolist())
            raise StoreError(Problem(where, "the sizes of images and how they were resized", found, AGAIN))

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Values] = {}
        for name, column in self._columns.items():
            with _sound(self.path, name):
                rows[name] = entries(column, ids)
        return rows


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _reopened(path: Path, columns: list[str]) -> Store:
    return Store(path).only(columns)


class _sound:  # a class, because a generator costs more, and each batch enters one per column
    """Turns an error from a damaged column into a `StoreError`."""

    __slots__ = ("_name", "_path")

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, (PolyheadError, MemoryError)):
            where = f"store {self._path}, {place(column=self._name)}"
            expected = "rows as they were written"
            raise StoreError(Problem(where, expected, quoted_error(error), AGAIN)) from error


class _Maps:
    """The shards, mapped when the first column is read."""

    def __init__(
        self, folder: Path, shards: Sequence[Mapping[str, Any]], specs: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._paths = [folder / shard["file"] for shard in shards]
        self._rows = [shard["rows"] for shard in shards]
        self._specs = specs
        self._batches: list[Any] | None = None
        self._lock = Lock()

    def column(self, name: str) -> Values | Stored:
        with self._lock:
            if self._batches is None:
                types = {column: field(dict(spec)) for column, spec in self._specs.items()}
                shards = zip(self._paths, self._rows, strict=True)
                self._batches = [map_shard(path, types, rows) for path, rows in shards]
            shards = zip(self._paths, self._batches, strict=True)
            return column_from(dict(self._specs[name]), [checked_column(*shard, name) for shard in shards])
