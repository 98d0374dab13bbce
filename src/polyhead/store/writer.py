"""Writes the files of a store: shards, and the journal of complete shards."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from polyhead.errors import Problem, StoreError, place
from polyhead.store.column_codec import Spec, field
from polyhead.store.files import (
    JOURNAL,
    MANIFEST,
    crc,
    crc_of_file,
    map_shard,
    read_journal,
    sync_folder,
    synced,
)


@contextlib.contextmanager
def on_disk(folder: Path, fix: str) -> Iterator[None]:
    """Convert an OSError during writing, such as a full disk, to a `StoreError`."""
    try:
        yield
    except OSError as error:
        found = f"writing failed: {error.strerror or type(error).__name__}"
        raise StoreError(Problem(place(file=str(error.filename or folder)), "", found, fix)) from error


class Journal:
    """The journal of a store: what is being written, and the complete shards.

    Args:
        header: what is being written; must equal that of an interrupted run.

    Attributes:
        shards: the shards of an interrupted run.

    Raises:
        StoreError: if the interrupted run wrote other rows, or another process is writing.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self.folder, self.header, self._path = folder, header, folder / JOURNAL
        self._file = open(self._path, "a+b")  # noqa: SIM115 (closed by __exit__)
        try:
            self._lock()
            began, self.shards, size = read_journal(folder)
            if began is not None and began != json.loads(json.dumps(header)):
                raise StoreError(self._other())
            self._file.truncate(size)
            if began is None:
                self.add(header)
                sync_folder(folder)
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not POSIX
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            found, fix = "another process is writing it", "Wait until it has finished."
            raise StoreError(Problem(f"store {self.folder}", "", found, fix)) from None

    def _other(self) -> Problem:
        whole = (self.folder / MANIFEST).is_file()
        fix = f"Pack those, or delete {self._path if whole else self.folder} to start again."
        found = "it was started with other data or options"
        return Problem(f"unfinished store {self.folder}", "", found, fix)

    def add(self, line: dict[str, Any]) -> None:
        """Write and sync a line."""
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Delete the journal of a finished run."""
        self._path.unlink()

    def close(self) -> None:
        """Close and unlock the journal."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_shard(path: Path, specs: Sequence[Spec], arrays: Sequence[Any], rows: int) -> dict[str, Any]:
    """Write a shard, sync it to disk, and read it back to compute its checksums."""
    names = [spec["name"] for spec in specs]
    schema = pa.schema([pa.field(name, field(spec)) for name, spec in zip(names, specs, strict=True)])
    batch = pa.RecordBatch.from_arrays(list(arrays), schema=schema)
    with synced(path) as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(batch)
    mapped = map_shard(path)
    return {
        "file": path.name,
        "rows": rows,
        "bytes": path.stat().st_size,
        "crc32": crc_of_file(path),
        "columns": {name: crc(mapped.column(name)) for name in names},
    }
