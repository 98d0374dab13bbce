"""Packs rows into a store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.columns.values import take
from polyhead.errors import (
    ContractError,
    DataError,
    Problem,
    StoreError,
    as_path,
    counted,
    is_size,
    place,
    shown,
)
from polyhead.packing.packed_rows import rows_of, specs_of, with_origins
from polyhead.packing.shard_writer import write_shards
from polyhead.pipeline.converted_rows import ConvertedRows
from polyhead.pipeline.feed_arguments import no_worker_count
from polyhead.progress import bar
from polyhead.sources.source import Source
from polyhead.store.column_codec import Spec, arrow_of, dense_row_bytes, holds, spec_words
from polyhead.store.files import (
    JOURNAL,
    MANIFEST,
    VERSION,
    WITHOUT_ORIGINS,
    read_journal,
    read_manifest,
    write_manifest,
)
from polyhead.store.fingerprint import of_source
from polyhead.store.reader import Store, open_store
from polyhead.store.writer import Journal, on_disk

SHARD_BYTES = 256 << 20
CHUNK_BYTES = 4 << 20
CHUNK_ROWS = 256
DECODED_ROWS = 32
"""Rows that a thread decodes in one call; Ctrl-C takes effect after that call."""


def pack(
    data: Any,
    path: str | os.PathLike[str],
    *,
    image_size: int | tuple[int, int] | None = None,
    encoding: str = "pixels",
    quality: int = 95,
    append: bool = False,
    workers: int | str = "auto",
    shard_bytes: int = SHARD_BYTES,
    progress: bool = True,
) -> Store:
    """Write all rows of some data into a store.

    For a feed, this writes the declared columns: images decoded and resized, with masks, boxes and keypoints resized
    accordingly, each in the format of its column, and all other labels unchanged. Nothing is augmented. The store also
    keeps the file and the size of each original image, so predictions are in pixels of the original. The same
    declaration reads the store: ``feed.on("pets.store", shuffle=True, augment=...)``. For other data, this writes all
    columns unchanged; the image files in a column of paths are stored as bytes.

    An interrupted run continues where it stopped when it is started again, and writes the same bytes. The store can't
    be opened before it is complete.

    Args:
        data: a `Feed`; or a `Source`, a mapping of arrays, a data frame, an Arrow table, the path of a table.
        path: the folder to write.
        image_size: (height, width) of the images of a feed, instead of the declared size; masks of the same size are
            resized too.
        encoding: how the images of a feed are stored. ``"pixels"``, ``(H, W, C)``, is the fastest to read: uint8, or
            float32 if the feed has more than 8 bits per channel. ``"jpeg"`` stores 8 bits, with loss according to
            ``quality``; ``"png"`` stores 8 or 16 bits.
        quality: the quality of JPEG, 1 to 100.
        append: add the rows to a store with the same columns; their ids follow its last id. An interrupted run leaves
            the store unchanged.
        workers: threads that read and decode.
        shard_bytes: the approximate size of a file; packing needs about twice as much memory.
        progress: show a progress bar on a terminal.

    Returns:
        The opened store, see `open_store`.

    Raises:
        DataError: if data can't be read, a store can't hold it, or an image can't be decoded.
        ContractError: if arguments are invalid or contradict each other.
        StoreError: if the folder already holds something else, or its columns differ from those of the appended rows.

    >>> import tempfile
    >>> import numpy as np
    >>> folder = tempfile.mkdtemp()
    >>> images = np.zeros((3, 8, 8, 3), np.uint8)
    >>> pack({"image": images, "boxes": [np.ones((2, 4)), None, np.zeros((0, 4))]}, f"{folder}/some.store")
    Store(3 rows: image, boxes)
    """
    if not is_size(shard_bytes):
        raise ContractError(Problem("pack(shard_bytes=)", "a positive integer", shown(shard_bytes)))
    threads = _threads(workers)
    rows = rows_of(data, image_size, encoding, quality)
    quality, shard_bytes = int(quality), int(shard_bytes)
    if not len(rows):
        raise DataError(Problem("data", "at least one row", "an empty source"))
    folder = as_path(path, "pack(path)")
    options = {"encoding": encoding, **({"quality": quality} if encoding == "jpeg" else {})}
    converted = rows if isinstance(rows, ConvertedRows) else None
    fingerprint = of_source(rows) if converted is None else converted.fingerprint
    part = {"rows": len(rows), "fingerprint": fingerprint, **options}
    old = _old(folder, part, append)
    if old is None:
        return open_store(folder)
    if converted is not None:
        converted.adapt_to(old.get("columns", ()))
    most = CHUNK_ROWS if converted is None else DECODED_ROWS
    row_specs = specs_of(rows)
    rows, of_origins, complete = with_origins(rows, old.get("columns"))
    specs, merged = _joined_specs(folder, row_specs + of_origins, old)
    row = _stored_row_bytes(rows, specs)
    header = {
        "after": old["rows"],
        "first": len(old["shards"]),
        "shard_rows": max(1, min(len(rows), shard_bytes // row)),
        "chunk_rows": max(1, min(most, CHUNK_BYTES // row)),
        "rows": len(rows),
        "columns": [_in_manifest(spec) for spec in specs],
        "part": part,
    }
    with on_disk(folder, "Free some space, or pack into another folder; the same call continues from there."):
        folder.mkdir(parents=True, exist_ok=True)
        with Journal(folder, header) as journal, bar("packing", len(rows), progress) as done:
            shards = write_shards(rows, folder, specs, journal, threads, done)
            manifest = {
                "polyhead_store": min(
                    old.get("polyhead_store", VERSION), VERSION if complete else WITHOUT_ORIGINS
                ),
                "rows": old["rows"] + len(rows),
                "columns": [_in_manifest(spec) for spec in merged],
                "shards": [*old["shards"], *shards],
                "parts": [*old["parts"], part],
            }
            write_manifest(folder, manifest)
            journal.remove()
    return open_store(folder)


def _threads(workers: Any) -> int:
    if problems := no_worker_count("pack(workers=)", workers):
        raise ContractError(*problems)
    return min(32, os.cpu_count() or 1) if isinstance(workers, str) else max(1, workers)


def _old(folder: Path, part: Mapping[str, Any], append: bool) -> dict[str, Any] | None:
    """Return the manifest of the existing store; an empty one if there is none; None if the rows are already packed.

    Raises:
        StoreError: if the folder holds something else.
    """
    where, expected = f"pack(path), {folder}", "a new or empty folder"
    if not (folder / MANIFEST).is_file():
        unfinished = (folder / JOURNAL).is_file()
        if folder.exists() and not unfinished and (not folder.is_dir() or any(folder.iterdir())):
            found = "a folder with other files" if folder.is_dir() else "a file"
            raise StoreError(Problem(where, expected, found, "Give another path."))
        return {"rows": 0, "shards": [], "parts": []}
    old = read_manifest(folder)
    if append:
        journal = read_journal(folder)[0] or {"part": None}
        if journal["part"] == part and old["rows"] == journal["after"] + journal["rows"]:
            (folder / JOURNAL).unlink()  # the run was killed between its last two steps
            return None
        return old
    if old["parts"] == [part]:
        (folder / JOURNAL).unlink(missing_ok=True)
        return None
    fix = "Use append=True to add rows to it, or give another path."
    found = f"a store of {counted(old['rows'], 'row')} of other data or options"
    raise StoreError(Problem(where, expected, found, fix))


def _joined_specs(folder: Path, specs: list[Spec], old: Mapping[str, Any]) -> tuple[list[Spec], list[Spec]]:
    """Return the columns of the new rows, and the columns of the store after appending them.

    Raises:
        StoreError: for every column that the store lacks, or has in a different form.
    """
    if not old["parts"]:
        return specs, specs
    have = {spec["name"]: spec for spec in old["columns"]}
    new = {spec["name"]: spec for spec in specs}
    problems = []
    for name in (n for n in (*have, *new) if n not in have or n not in new):
        found = (
            "the new rows don't have this column" if name in have else "the store doesn't have this column"
        )
        where = f"store {folder}, {place(column=name)}"
        problems.append(Problem(where, "", found, "Append rows with the same columns."))
    written, merged = [], []
    for name in (n for n in have if n in new):
        spec, where = have[name], f"store {folder}, {place(column=name)}"
        try:
            written_spec, merged_spec = _merged(spec, new[name])
        except ValueError:
            expected = f"{spec_words(spec)}, as in the store"
            fix = "Convert the column, or write another store."
            problems.append(Problem(where, expected, spec_words(new[name]), fix))
            continue
        if spec.get("about", {}) != new[name].get("about", {}):
            expected = f"{shown(spec.get('about', {}))}, as in the store"
            fix = "Read the rows as those of the store were read, or write another store."
            problems.append(Problem(where, expected, shown(new[name].get("about", {})), fix))
        written.append(written_spec)
        merged.append(merged_spec)
    if problems:
        raise StoreError(*problems)
    return written, merged


def _merged(old: Spec, new: Spec) -> tuple[Spec, Spec]:
    """Return a column of the new rows in the form of the store, and the column of the store after appending them.

    Raises:
        ValueError: if they can't be combined.
    """
    if old["is"] != new["is"]:
        raise ValueError
    if old["is"] == "coded":
        if (old["of"], old["ordered"]) != (new["of"], new["ordered"]):
            raise ValueError
        return new, old
    if old["is"] == "values":
        if not holds(old, new):
            raise ValueError
        return {**new, "of": old["of"]}, old
    if old["shape"] != new["shape"] or not np.can_cast(new["dtype"], old["dtype"]):
        raise ValueError
    if new["nullable"] and not new["shape"] and old["dtype"] != "bool":  # booleans with gaps, beside numbers
        if np.dtype(old["dtype"]).kind != "f":
            raise ValueError
        return old, old
    nullable = old["nullable"] or new["nullable"]
    return {**old, "nullable": new["nullable"]}, {**old, "nullable": nullable}


def _stored_row_bytes(rows: Source, specs: list[Spec]) -> int:
    """Estimate the bytes of a row; dense columns are exact."""
    total = sum(dense_row_bytes(spec) for spec in specs if spec["is"] == "dense")
    light = [spec for spec in specs if spec["is"] != "dense"]
    if light:
        ids = np.arange(min(8, len(rows)), dtype=np.int64)
        first = rows.only([spec["name"] for spec in light]).coded(ids)
        for spec in light:
            if spec["is"] == "coded":
                total += 4
            else:
                total += arrow_of(spec, take(first[spec["name"]], ids), rows.ids_of(ids)).nbytes // len(ids)
    return max(1, total)


def _in_manifest(spec: Spec) -> Spec:
    """Leave out the categories, which are in the shards."""
    return {key: value for key, value in spec.items() if key != "categories"}
