"""Writing the files of a store: a shard as a whole, and the journal of those that are on the disk."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polyhead.errors import Problem, StoreError, place
from polyhead.store.column_codec import Spec, field
from polyhead.store.files import (
    JOURNAL,
    MANIFEST,
    crc,
    crc_of_file,
    journal_lines,
    map_shard,
    read_journal,
    sync_folder,
)


@contextlib.contextmanager
def on_disk(folder: Path, fix: str) -> Iterator[None]:
    """Tell what the disk refuses while a store is written: there is no room, or no right to write."""
    try:
        yield
    except OSError as error:
        found = error.strerror or type(error).__name__
        where = place(file=str(error.filename or folder))
        raise StoreError(Problem(where, "room on the disk, and the right to write", found, fix)) from error


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

    def close(self) -> None:
        """Let others write."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_shard(path: Path, specs: Sequence[Spec], arrays: Sequence[Any], rows: int) -> dict[str, Any]:
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
