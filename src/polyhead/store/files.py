"""The files of a store: the manifest, the journal during writing, and the memory maps of shards.

A folder is a store once it has a `MANIFEST`, which is written last. Until then, `JOURNAL` records what is being written
and which shards are complete; each of its lines is synced to disk before the next is written.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from polyhead.errors import Problem, StoreError, counted, hints, place, shown, similar
from polyhead.foreign_errors import quoted_error
from polyhead.store.manifest_validation import wrong_header, wrong_manifest, wrong_shard

MANIFEST, JOURNAL = "manifest.json", "journal.jsonl"
VERSION = 3
WITHOUT_ORIGINS = 2
"""The previous version: its stores can be opened, but do not record the original images."""
AGAIN = "The store is damaged: polyhead pack --verify lists what is; pack it again."
NEAR = 1 << 14
"""If a column has more bytes per row than this, the kernel may read ahead; otherwise files are read page by page."""


def is_store(path: Any) -> bool:
    """Return whether a path is a store, complete or unfinished."""
    try:
        folder = Path(path)
        return (folder / MANIFEST).is_file() or (folder / JOURNAL).is_file()
    except (TypeError, OSError, ValueError):
        return False


def shard_name(number: int) -> str:
    """Return the file name of a shard.

    >>> shard_name(3)
    'part-00003.arrow'
    """
    return f"part-{number:05d}.arrow"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a store.

    Raises:
        StoreError: if there is no store, or it is unfinished, damaged or of another version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(_no_store(folder)) from None
    except (OSError, ValueError, RecursionError) as error:
        where = place(file=str(path))
        raise StoreError(Problem(where, "the manifest of a store", quoted_error(error), AGAIN)) from error
    version = manifest.get("polyhead_store") if isinstance(manifest, dict) else None
    if version not in (VERSION, WITHOUT_ORIGINS):
        fix = "Pack it again, or use the version of polyhead that wrote it."
        expected = f"a store of version {VERSION}"
        raise StoreError(Problem(place(file=str(path)), expected, f"version {shown(version)}", fix))
    where = place(file=str(path))
    wrong = [Problem(f"{where}, {at}", want, got, AGAIN) for at, want, got in wrong_manifest(manifest)]
    if wrong:
        raise StoreError(*wrong)
    return dict(manifest)


def _no_store(folder: Path) -> Problem:
    if (folder / JOURNAL).is_file():
        header, shards, _ = read_journal(folder)
        rows = sum(shard["rows"] for shard in shards)
        total = f" of {header['rows']:,}" if header else ""
        fix = "Run the same ph.pack, or polyhead pack, again: it goes on from there."
        return Problem(f"store {folder}", "a finished store", f"one with {rows:,}{total} rows so far", fix)
    found = "a folder without a manifest" if folder.is_dir() else "no such folder"
    found = "a file" if folder.is_file() else found
    absent = not folder.exists() and folder.parent.is_dir()
    near = similar(folder.name, os.listdir(folder.parent)) if absent else ""
    return Problem(f"store {folder}", "a store", found, hints(near, "ph.pack(data, path) writes one."))


def read_journal(folder: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]], int]:
    """Return the header of the journal, which describes what is being written, and the complete shards.

    The third value is the number of bytes up to the first line that is damaged or unfinished.
    """
    try:
        *lines, _ = (folder / JOURNAL).read_bytes().split(b"\n")
    except FileNotFoundError:
        return None, [], 0
    header: dict[str, Any] | None = None
    shards: list[dict[str, Any]] = []
    names: list[Any] = []
    size = 0
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            break
        if next(wrong_header(entry) if header is None else wrong_shard(entry, names), None) is not None:
            break  # damaged: the shards from here on are written again
        if header is None:
            header, names = entry, [spec["name"] for spec in entry["columns"]]
        else:
            shards.append(entry)
        size += len(line) + 1
    return header, shards, size


def check_sizes(folder: Path, shards: list[dict[str, Any]]) -> Iterator[Problem]:
    """Yield a problem for each file that is missing or has the wrong size."""
    for shard in shards:
        path = folder / shard["file"]
        where = place(file=str(path))
        fix = "Pack the store again."
        try:
            size = os.stat(path).st_size
        except OSError:
            yield Problem(where, f"{shard['bytes']:,} bytes", "no such file", fix)
            continue
        if size != shard["bytes"]:
            yield Problem(where, f"{shard['bytes']:,} bytes", f"{size:,}", fix)


def require_sizes(folder: Path, shards: list[dict[str, Any]]) -> None:
    """Raise a `StoreError` if files are missing or have the wrong size."""
    problems = list(check_sizes(folder, shards))
    if problems:
        raise StoreError(*problems)


def map_shard(path: Path, types: Mapping[str, Any] | None = None, rows: int | None = None) -> Any:
    """Map the record batch of a shard into memory; its columns are read when they are used.

    Args:
        types: the expected Arrow type of each column; None for a file that was just written.

    Raises:
        StoreError: if the file is not a shard, or not the expected one.
    """
    try:
        with open(path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        _advise(mapped, "MADV_RANDOM")  # the schema at the end takes a few pages
        with pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped))) as opened:
            schema, count = opened.schema, opened.num_record_batches
            if types is not None:
                _require_schema(path, schema, count, types)
            batch = opened.get_batch(0)
        batch.validate()
        if rows is not None and batch.num_rows != rows:
            found = f"{batch.num_rows:,}"
            raise StoreError(Problem(place(file=str(path)), counted(rows, "row"), found, AGAIN))
        if any(column.get_total_buffer_size() > NEAR * len(column) for column in batch.columns):
            _advise(mapped, "MADV_NORMAL")
        return batch
    except StoreError:
        raise
    except Exception as error:  # a damaged file makes Arrow raise many types of errors
        where = place(file=str(path))
        raise StoreError(Problem(where, "a shard of a store", quoted_error(error), AGAIN)) from error


def _require_schema(path: Path, schema: Any, count: int, types: Mapping[str, Any]) -> None:
    """Raise if a file has unexpected columns, before its rows are read according to its own schema."""
    where = place(file=str(path))
    if count != 1:
        raise StoreError(Problem(where, "one record batch", f"{count}", AGAIN))
    if sorted(schema.names) != sorted(types):
        raise StoreError(Problem(where, f"the columns {', '.join(types)}", shown(schema.names), AGAIN))
    for name, expected in types.items():
        found = schema.field(name).type
        if found != expected:
            at = f"{where}, {place(column=name)}"
            raise StoreError(Problem(at, str(expected), str(found), AGAIN))


def checked_column(path: Path, batch: Any, name: str) -> Any:
    """Return a column of a shard after checking that its offsets, codes and text are within the file.

    This reads neither numbers nor the bytes of images.

    Raises:
        StoreError: if it is damaged.
    """
    column = batch.column(name)
    try:
        column.validate(full=True)
    except Exception as error:  # as above
        where = f"{place(file=str(path))}, {place(column=name)}"
        raise StoreError(Problem(where, "values within the file", quoted_error(error), AGAIN)) from error
    return column


def _advise(mapped: mmap.mmap, name: str) -> None:
    """Tell the kernel how a memory map will be read, if the platform supports it."""
    if hasattr(mmap, name):
        mapped.madvise(getattr(mmap, name))


def crc(array: Any) -> int:
    """Return the checksum of all buffers of an Arrow array."""
    checksum = 0
    if hasattr(array, "dictionary"):
        checksum = crc(array.dictionary)
        array = array.indices
    for buffer in array.buffers():
        if buffer is not None:
            checksum = zlib.crc32(memoryview(buffer), checksum)
    return checksum


def crc_of_file(path: Path) -> int:
    """Return the checksum of a file."""
    checksum = 0
    with open(path, "rb") as file:
        while piece := file.read(1 << 22):
            checksum = zlib.crc32(piece, checksum)
    return checksum


def sync_folder(folder: Path) -> None:
    """Sync the entries of a folder to disk."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def synced(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing under a temporary name; rename it once it is complete and synced to disk."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a store, which completes it."""
    with synced(folder / MANIFEST) as file:
        file.write(f"{json.dumps(manifest, indent=1, ensure_ascii=False)}\n".encode())
