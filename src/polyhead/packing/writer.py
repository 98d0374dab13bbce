"""Writing the shards of a store, each as a whole, with a journal of those that are on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from polyhead.errors import BadValue, Problem, StoreError
from polyhead.sources._store_columns import Spec, checked, field, to_arrow
from polyhead.sources._store_files import (
    JOURNAL,
    MANIFEST,
    crc,
    crc_of_file,
    journal_lines,
    map_shard,
    read_journal,
    shard_name,
    sync_folder,
)
from polyhead.sources.base import Source, checked_rows


class Journal:
    """What is to be written, and the shards that are.

    Args:
        folder: of the store.
        header: what is to be written; a run that was killed has to have had the same.

    Attributes:
        header: as given.
        shards: those of a run that was killed.

    Raises:
        StoreError: where other rows were being written, or another process writes now.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self.folder, self.header, self._path = folder, header, folder / JOURNAL
        self._file = open(self._path, "a+b")  # noqa: SIM115 (closed by __exit__)
        try:
            self._lock()
            began, self.shards = read_journal(folder)
            if began is not None and began != json.loads(json.dumps(header)):
                raise StoreError(self._other())
            self._file.truncate(sum(len(line) + 1 for line in journal_lines(folder)))
            if began is None:
                self.add(header)
                sync_folder(folder)
        except BaseException:
            self._file.close()
            raise

    @staticmethod
    def header_of(folder: Path) -> dict[str, Any] | None:
        """What a run that was killed was to write."""
        return read_journal(folder)[0]

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not POSIX
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            found, fix = "another process that writes it now", "Wait until it has ended."
            raise StoreError(Problem(f"store {self.folder}", "nobody else", found, fix)) from None

    def _other(self) -> Problem:
        whole = (self.folder / MANIFEST).is_file()
        fix = f"Pack those, or delete {self._path if whole else self.folder} to begin anew."
        expected = "the data and the options that it was begun with"
        return Problem(f"unfinished store {self.folder}", expected, "others", fix)

    def add(self, line: dict[str, Any]) -> None:
        """Note a shard that is on the disk."""
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def remove(self) -> None:
        """All is done."""
        self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def write_shards(
    rows: Source,
    folder: Path,
    specs: Sequence[Spec],
    journal: Journal,
    workers: int,
    done: Callable[[int], Any],
) -> list[dict[str, Any]]:
    """Write the shards that the journal does not have yet.

    Args:
        rows: what is written.
        folder: where.
        specs: of the columns.
        journal: which ones are there, and how many rows each has.
        workers: threads that read rows.
        done: is told how many rows more are done.

    Returns:
        All shards, as the manifest has them.
    """
    count, first = journal.header["shard_rows"], journal.header["first"]
    shards = list(journal.shards)
    done(sum(shard["rows"] for shard in shards))
    pool = ThreadPoolExecutor(1 if rows.sequential else workers, "polyhead-pack")
    disk = ThreadPoolExecutor(1, "polyhead-write")
    under_way: Future[dict[str, Any]] | None = None
    try:
        for number in range(len(shards), -(-len(rows) // count)):
            start, stop = number * count, min((number + 1) * count, len(rows))
            columns = _Shard(rows, specs, start, stop, journal.header["chunk_rows"]).fill(pool, done)
            if under_way is not None:
                _note(under_way, shards, journal)
            under_way = disk.submit(_write, folder / shard_name(first + number), specs, columns, stop - start)
        if under_way is not None:
            _note(under_way, shards, journal)
    except BaseException:
        for one in (pool, disk):
            one.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    disk.shutdown()
    return shards


def _note(written: Future[dict[str, Any]], shards: list[dict[str, Any]], journal: Journal) -> None:
    shards.append(written.result())
    journal.add(shards[-1])


class _Shard:
    """The rows of one shard, read in chunks."""

    def __init__(self, rows: Source, specs: Sequence[Spec], start: int, stop: int, chunk: int) -> None:
        self._rows, self._specs, self._start, self._stop = rows, specs, start, stop
        dense = [spec for spec in specs if spec["is"] == "dense"]
        count = stop - start
        self._numbers = {s["name"]: np.zeros((count, *s["shape"]), np.dtype(s["dtype"])) for s in dense}
        self._there = {spec["name"]: np.ones(count, bool) for spec in dense if spec["nullable"]}
        self._step = chunk

    def fill(self, pool: ThreadPoolExecutor, done: Callable[[int], Any]) -> list[Any]:
        """Read all rows; the Arrow arrays of the columns."""
        import pyarrow as pa

        starts = range(self._start, self._stop, self._step)
        parts = []
        for ids, part in pool.map(self._chunk, starts):
            parts.append(part)
            done(ids)
        arrays = []
        for spec in self._specs:
            name = spec["name"]
            if name not in self._numbers:
                arrays.append(pa.concat_arrays([part[name] for part in parts]))
            elif spec["nullable"]:
                values = self._numbers[name]
                arrays.append(to_arrow(spec, values, ~self._there[name]))
            else:
                arrays.append(to_arrow(spec, self._numbers[name]))
        return arrays

    def _chunk(self, start: int) -> tuple[int, dict[str, Any]]:
        ids = np.arange(start, min(start + self._step, self._stop), dtype=np.int64)
        rows = checked_rows(self._rows, self._rows.read(ids), len(ids))
        at = slice(start - self._start, start - self._start + len(ids))
        found = {}
        for spec in self._specs:
            name = spec["name"]
            try:
                values = checked(spec, rows[name])
                if name not in self._numbers:
                    found[name] = to_arrow(spec, values)
                elif spec["nullable"]:
                    gone = [value is None for value in values]
                    self._there[name][at] = ~np.array(gone, bool)
                    for i, value in enumerate(values, at.start):
                        if value is not None:
                            self._numbers[name][i] = value
                else:
                    self._numbers[name][at] = values
            except BadValue as bad:
                raise bad.located(column=name, row=start + (bad.index or 0)) from None
        return len(ids), found


def _write(path: Path, specs: Sequence[Spec], arrays: Sequence[Any], rows: int) -> dict[str, Any]:
    """Write a shard, see that it is on the disk, and read its checksums back."""
    import pyarrow as pa

    names = [spec["name"] for spec in specs]
    schema = pa.schema([pa.field(name, field(spec)) for name, spec in zip(names, specs, strict=True)])
    batch = pa.RecordBatch.from_arrays(list(arrays), schema=schema)
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        with pa.ipc.new_file(file, schema) as writer:
            writer.write_batch(batch)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)
    mapped = map_shard(path)
    return {
        "file": path.name,
        "rows": rows,
        "bytes": path.stat().st_size,
        "crc32": crc_of_file(path),
        "columns": {name: crc(mapped.column(name)) for name in names},
    }
