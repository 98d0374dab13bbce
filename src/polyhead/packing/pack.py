"""Packing: all rows of some data into a store, once."""

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
    is_size,
    other_choice,
    place,
    shown,
)
from polyhead.packing.packed_rows import fingerprint, keep_as, rows_are_decoded, rows_of, specs_of
from polyhead.packing.shard_writer import write_shards
from polyhead.progress import bar
from polyhead.sources.source import Source
from polyhead.store.column_codec import Spec, dense_row_bytes, holds, spec_words
from polyhead.store.files import JOURNAL, MANIFEST, VERSION, read_manifest, write_whole
from polyhead.store.fingerprint import arrow_of
from polyhead.store.reader import Store, open_store
from polyhead.store.writer import Journal, on_disk

SHARD_BYTES = 256 << 20
CHUNK_BYTES = 4 << 20
CHUNK_ROWS = 256
DECODED_ROWS = 32
"""Rows that a thread reads in one call, where it decodes them: so many are done before Ctrl-C ends it."""


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

    Of a feed it writes the columns that the feed declares: images decoded and resized, masks, boxes and keypoints
    moved along exactly, each in the format of its own column, all other labels as they are. Nothing of it is augmented.
    The same declaration reads the store: ``feed.on("pets.store", shuffle=True, augment=...)``. Of other data it writes
    all columns as they are; image files that a column of paths names are taken in as bytes.

    A run that was killed goes on where it stopped when it is started again, and gives the same bytes. Until it has
    come to its end the store does not open.

    Args:
        data: a `Feed`; or a `Source`, a mapping of arrays, a frame, an Arrow table, the path of a table.
        path: the folder to write.
        image_size: (height, width) of the images of a feed, in place of the declared ones; masks of the images' size
            get it too.
        encoding: how the images of a feed are stored: ``"pixels"``, ``(H, W, C)``, which is read fastest, uint8, or
            float32 where the feed has more than 8 bits of a channel; ``"jpeg"``, for 8 bits, of which ``quality``
            says how much is lost; or ``"png"``, of 8 or 16 bits.
        quality: of JPEG, 1 to 100.
        append: add the rows to a store of the same columns; their ids go on from its last. A run that is killed leaves
            the store as it was.
        workers: threads that read and decode.
        shard_bytes: about the size of a file; about twice of it is held in memory.
        progress: show how far it is and how long it will take, on a terminal.

    Returns:
        The store, opened: see `open_store`.

    Raises:
        DataError: data that cannot be read, or holds what a store cannot hold; an image that cannot be decoded.
        ContractError: arguments that contradict themselves.
        StoreError: a folder that holds something else already, or other columns than the rows to append.

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
    part = {"rows": len(rows), "fingerprint": fingerprint(rows), **options}
    old = _old(folder, part, append)
    if old is None:
        return open_store(folder)
    keep_as(rows, old.get("columns", ()))
    specs, merged = _joined_specs(folder, specs_of(rows), old)
    row, most = _stored_row_bytes(rows, specs), DECODED_ROWS if rows_are_decoded(rows) else CHUNK_ROWS
    header = {
        "after": old["rows"],
        "first": len(old["shards"]),
        "shard_rows": max(1, min(len(rows), shard_bytes // row)),
        "chunk_rows": max(1, min(most, CHUNK_BYTES // row)),
        "rows": len(rows),
        "columns": [_in_manifest(spec) for spec in specs],
        "part": part,
    }
    with on_disk(folder, "Free some space, or pack into another folder; the same call goes on from there."):
        folder.mkdir(parents=True, exist_ok=True)
        with Journal(folder, header) as journal, bar("packing", len(rows), progress) as done:
            shards = write_shards(rows, folder, specs, journal, threads, done)
            manifest = {
                "polyhead_store": VERSION,
                "rows": old["rows"] + len(rows),
                "columns": [_in_manifest(spec) for spec in merged],
                "shards": [*old["shards"], *shards],
                "parts": [*old["parts"], part],
            }
            write_whole(folder / MANIFEST, _json(manifest))
            journal.remove()
    return open_store(folder)


def _threads(workers: Any) -> int:
    if isinstance(workers, str) and workers == "auto":
        return min(32, os.cpu_count() or 1)
    if not is_size(workers, 0):
        raise ContractError(
            *other_choice("pack(workers=)", workers, ("auto",), '"auto" or an integer of at least 0')
        )
    return max(1, workers)


def _old(folder: Path, part: Mapping[str, Any], append: bool) -> dict[str, Any] | None:
    """The manifest of the store that rows are added to, an empty one where there is none; None if all is done.

    Raises:
        StoreError: where something else stands in the way.
    """
    if not (folder / MANIFEST).is_file():
        if (
            folder.exists()
            and not (folder / JOURNAL).is_file()
            and (not folder.is_dir() or any(folder.iterdir()))
        ):
            found = "a folder with other files" if folder.is_dir() else "a file"
            raise StoreError(
                Problem(f"pack(path), {folder}", "a new or an empty folder", found, "Give another path.")
            )
        return {"rows": 0, "shards": [], "parts": []}
    old = read_manifest(folder)
    if append:
        journal = Journal.header_of(folder)
        if (
            journal is not None
            and journal["part"] == part
            and old["rows"] == journal["after"] + journal["rows"]
        ):
            (folder / JOURNAL).unlink()  # it was killed between its last two steps
            return None
        return old
    if old["parts"] == [part]:
        (folder / JOURNAL).unlink(missing_ok=True)
        return None
    fix = "Say append=True to add rows to it, or give another path."
    found = f"a store of {old['rows']:,} rows of other data or other options"
    raise StoreError(Problem(f"pack(path), {folder}", "a new or an empty folder", found, fix))


def _joined_specs(folder: Path, specs: list[Spec], old: Mapping[str, Any]) -> tuple[list[Spec], list[Spec]]:
    """The columns as the new rows are written, and as the whole store then has them.

    Raises:
        StoreError: for every column that the store does not have, or has of another kind.
    """
    if not old["parts"]:
        return specs, specs
    have = {spec["name"]: spec for spec in old["columns"]}
    new = {spec["name"]: spec for spec in specs}
    problems = []
    for name in (n for n in (*have, *new) if n not in have or n not in new):
        where = f"store {folder}, {place(column=name)}"
        expected, found = (
            ("the column", "rows without it") if name in have else ("no such column", "rows with it")
        )
        problems.append(Problem(where, expected, found, "Append rows of the same columns."))
    written, merged = [], []
    for name, spec in have.items():
        if name not in new or name in {problem.place for problem in problems}:
            continue
        try:
            mine, both = _merged(spec, new[name])
        except ValueError:
            where, fix = (
                f"store {folder}, {place(column=name)}",
                "Convert the column, or write another store.",
            )
            problems.append(Problem(where, f"{spec_words(spec)}, as it holds", spec_words(new[name]), fix))
            continue
        if spec.get("about", {}) != new[name].get("about", {}):
            where = f"store {folder}, {place(column=name)}"
            expected = f"what the store says of it, {shown(spec.get('about', {}))}"
            fix = "Read the rows as those of the store were read, or write another store."
            problems.append(Problem(where, expected, shown(new[name].get("about", {})), fix))
        written.append(mine)
        merged.append(both)
    if problems:
        raise StoreError(*problems)
    return written, merged


def _merged(old: Spec, new: Spec) -> tuple[Spec, Spec]:
    """A column of new rows as the store has it; and the store's own, with them.

    Raises:
        ValueError: where the two do not go together.
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
    nullable = old["nullable"] or new["nullable"]
    return {**old, "nullable": new["nullable"]}, {**old, "nullable": nullable}


def _stored_row_bytes(rows: Source, specs: list[Spec]) -> int:
    """About the bytes of a row: exact for what is dense, else as the first rows are."""
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
    """A column as the manifest has it: its categories are in the files."""
    return {key: value for key, value in spec.items() if key != "categories"}


def _json(manifest: Mapping[str, Any]) -> str:
    import json

    return json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
