"""A cache of decoded rows: a store that is filled in the first epoch and read in later ones.

Rows are stored in the order in which they were requested, with a column of their row numbers. They stay in memory
until there are enough for a file. A run that is killed loses the rows in memory; the next run reuses the files.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from polyhead.columns.lazy import Stored, entries, gather
from polyhead.columns.values import Values, join, size, take
from polyhead.errors import ContractError, DataError, Problem, StoreError, counted
from polyhead.kinds import Head, Image, Input, columns_read
from polyhead.pipeline.converted_rows import ConvertedRows, sample_rows
from polyhead.pipeline.decoded import DecodedRows
from polyhead.pipeline.faults import readable_rows
from polyhead.pipeline.resized import ResizedRows
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source, checked_rows
from polyhead.store.column_codec import Spec, arrow_of, column_from, dense, field
from polyhead.store.files import (
    MANIFEST,
    VERSION,
    checked_column,
    map_shard,
    require_sizes,
    shard_name,
    write_manifest,
)
from polyhead.store.reader import Store, open_store
from polyhead.store.writer import Journal, on_disk, write_shard

NUMBER = "number of the row"
FILE_BYTES = 64 << 20


def cached(
    source: Source,
    inputs: Mapping[str, Input],
    heads: Mapping[str, Head],
    augment: Sequence[Any],
    seed: int,
    folder: str | os.PathLike[str],
    shard: tuple[int, int],
) -> Source:
    """A source with the rows of a feed, whose decoded images and masks are kept in a folder.

    Args:
        shard: this process's (index, count) of shards; each process has its own cache.

    Raises:
        ContractError: if nothing is decoded or resized.
    """
    source = source.only(columns_read(inputs, heads))
    late = {name: kind for name, kind in inputs.items() if isinstance(kind, Image) and kind.late}
    rows: ConvertedRows | None = None
    if not augment:
        rows = ResizedRows(source, inputs, heads)
    elif late:
        rows = DecodedRows(source, late, augment, seed)
    if rows is None or not rows.converted:
        fix = "Leave it out: these rows are read as they are."
        raise ContractError(Problem("Feed(cache=)", "images that are decoded or resized", "none", fix))
    part = "" if shard[1] == 1 else f"-{shard[0]}-of-{shard[1]}"
    return CachedRows(source, rows, Path(folder).expanduser() / f"{rows.fingerprint}{part}")


_NO_ROOM = (
    "Free some space, give another folder, or leave cache= out: images are then decoded in each epoch. What is in the "
    "folder is used by the next run."
)


class CachedRows(ConvertedRows):
    """A source that stores the columns it decodes when a row is first read."""

    def __init__(self, source: Source, rows: ConvertedRows, folder: Path) -> None:
        super().__init__(source)
        self._folder, self.converted = folder, rows.converted
        self._decoding = rows.only(self.converted)
        self._specs: list[Spec] = [{"name": name, **rows.spec(name)} for name in self.converted]
        self._file_specs: list[Spec] = [*self._specs, {"name": NUMBER, **dense((), np.int64)}]
        self._lock = Lock()
        self._readable: dict[str, np.ndarray] = {}  # of the sampled rows, if some are not
        self._store: Source | None = None
        self._journal: Journal | None = None
        self._waiting: list[tuple[np.ndarray, dict[str, Values]]] = []
        self._forget_files()
        with on_disk(folder, _NO_ROOM):
            self._begin()

    def _forget_files(self) -> None:
        self._stored_at = np.full(len(self), -1, np.int64)
        self._files: list[Any] = []
        self._on_disk: dict[str, Values | Stored] = {}
        self._rows_on_disk = 0

    @property
    def complete(self) -> bool:
        """True if all rows are stored on disk."""
        return self._store is not None

    def first_rows(self, name: str, rows: int = 32) -> Values:
        """The first rows of one column; each unreadable one is replaced by a readable one."""
        try:
            return super().first_rows(name, rows)
        except DataError:
            if name not in self.converted:
                raise
        ids, only = sample_rows(self._source, 32), self.only([name])
        if name not in self._readable:
            self._readable[name], _ = readable_rows(only, ids)
        readable = self._readable[name]
        if not readable.any():
            return first_rows(self._source, name, rows)  # this column is not decoded
        ids = np.where(readable, ids, ids[readable.argmax()])[:rows]
        return only.coded(ids)[name]

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        unchanged = [name for name in self.columns if name not in self.converted]
        rows = dict(self._source.only(unchanged).coded(ids)) if unchanged else {}
        store = self._store
        rows |= self._read_and_store(ids) if store is None else store.coded(self._stored_at[ids])
        return {name: rows[name] for name in self.columns}

    # While it fills --------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Take over the files of an earlier run; damaged ones are discarded."""
        if (self._folder / MANIFEST).is_file():
            with contextlib.suppress(StoreError):
                self._adopt(open_store(self._folder))
                return
            (self._folder / MANIFEST).unlink()
        self._folder.mkdir(parents=True, exist_ok=True)
        header = {"rows": len(self), "columns": self._file_specs}
        try:
            journal = Journal(self._folder, header)
        except StoreError:  # another process is filling the cache: this one decodes without it
            return
        try:
            require_sizes(self._folder, journal.shards)
            for shard in journal.shards:
                self._add_file(self._folder / shard["file"], shard["rows"])
        except StoreError:  # a file is damaged: start again without any
            journal.close()
            journal.remove()
            self._forget_files()
            journal = Journal(self._folder, header)
        self._journal = journal
        weakref.finalize(self, journal.close)

    def _adopt(self, store: Store) -> None:
        numbers = self._numbers(store.only([NUMBER]).read(np.arange(len(store)))[NUMBER])
        positions = np.full(len(self), -1, np.int64)
        positions[numbers] = np.arange(len(numbers))
        if len(numbers) != len(self) or (positions < 0).any():
            raise StoreError(Problem(f"cache {self._folder}", counted(len(self), "row"), f"{len(numbers):,}"))
        columns = store.only(self.converted)
        columns.coded(np.arange(0))  # reads no rows, but raises for a damaged column
        self._stored_at, self._store = positions, columns

    def _numbers(self, numbers: Any) -> np.ndarray:
        """The row numbers stored in a file; raise if they are not rows of the source."""
        rows = np.asarray(numbers, np.int64)
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self)):
            words = f"{rows.min()} to {rows.max()}"
            raise StoreError(Problem(f"cache {self._folder}", f"rows from 0 to {len(self) - 1}", words))
        return rows

    def _add_file(self, path: Path, rows: int | None = None) -> None:
        batch = map_shard(path, {spec["name"]: field(spec) for spec in self._file_specs}, rows)
        for spec in self._file_specs:
            checked_column(path, batch, spec["name"])
        numbers = self._numbers(batch.column(NUMBER))
        self._stored_at[numbers] = self._rows_on_disk + np.arange(len(numbers))
        self._rows_on_disk += len(numbers)
        self._files.append(batch)
        for spec in self._specs:
            name = spec["name"]
            self._on_disk[name] = column_from(spec, [file.column(name) for file in self._files])

    def _read_and_store(self, ids: np.ndarray) -> dict[str, Values]:
        """Return rows, decoding and storing those that are not stored yet; several threads may decode at once."""
        if self._journal is None and self._store is None:
            return checked_rows(self._decoding, ids)
        missing = np.unique(ids[self._stored_at[ids] < 0])
        if len(missing):
            rows = checked_rows(self._decoding, missing)
            with self._lock, on_disk(self._folder, _NO_ROOM):
                self._add_rows(missing, rows)
        with self._lock:
            if self._store is not None:
                return dict(self._store.coded(self._stored_at[ids]))
            return self._stored(self._stored_at[ids])

    def _add_rows(self, ids: np.ndarray, decoded: Mapping[str, Values]) -> None:
        new = np.flatnonzero(self._stored_at[ids] < 0)  # another thread may have stored some since
        if self._store is not None or not len(new):
            return
        stored = self._rows_on_disk + sum(len(numbers) for numbers, _ in self._waiting)
        self._stored_at[ids[new]] = stored + np.arange(len(new))
        self._waiting.append((ids[new], {name: take(decoded[name], new) for name in self.converted}))
        waiting_bytes = sum(size(values) for _, rows in self._waiting for values in rows.values())
        complete = stored + len(new) == len(self)
        if waiting_bytes >= FILE_BYTES or complete:
            self._flush()
        if complete:
            self._finish()

    def _stored(self, positions: np.ndarray) -> dict[str, Values]:
        if not len(positions):
            return dict(self._decoding.coded(positions))
        ends = np.cumsum([self._rows_on_disk, *(len(numbers) for numbers, _ in self._waiting)])

        def read(name: str, piece: int, rows: np.ndarray) -> Values:
            return entries(self._waiting[piece - 1][1][name] if piece else self._on_disk[name], rows)

        return {name: gather(ends, positions, partial(read, name)) for name in self.converted}

    def _flush(self) -> None:
        assert self._journal is not None
        numbers = np.concatenate([ids for ids, _ in self._waiting])
        columns = {name: join([rows[name] for _, rows in self._waiting]) for name in self.converted}
        columns[NUMBER] = numbers
        row_ids = self.ids_of(numbers)
        arrays = [arrow_of(spec, columns[spec["name"]], row_ids) for spec in self._file_specs]
        path = self._folder / shard_name(len(self._files))
        shard = write_shard(path, self._file_specs, arrays, len(numbers))
        self._journal.add(shard)
        self._journal.shards.append(shard)
        self._waiting = []
        self._add_file(path)

    def _finish(self) -> None:
        assert self._journal is not None
        manifest = {
            "polyhead_store": VERSION,
            "rows": len(self),
            "columns": self._file_specs,
            "shards": self._journal.shards,
            "parts": [{"rows": len(self)}],
        }
        write_manifest(self._folder, manifest)
        self._journal.remove()
        self._journal.close()
        self._adopt(open_store(self._folder))
        self._files, self._on_disk = [], {}
