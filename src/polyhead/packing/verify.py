"""Looking at all of a store: whether each byte is as it was written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from polyhead.errors import Problem, Report, StoreError, place
from polyhead.store.files import check_sizes, crc, crc_of_file, map_shard, read_manifest


def verify(path: str | os.PathLike[str], done: Callable[[int], Any] = lambda bytes_: None) -> Report:
    """Read all of a store, and compare it with its checksums.

    Args:
        path: its folder.
        done: is told the bytes of each file that was read.

    Returns:
        A `Report`, with a problem for each file or column that is not as it was written.

    Raises:
        StoreError: where there is no store, or it is unfinished or of another version.
    """
    folder = Path(path).expanduser()
    manifest = read_manifest(folder)
    problems = list(check_sizes(folder, manifest["shards"]))
    wrong = {problem.place for problem in problems}
    for shard in manifest["shards"]:
        where = place(file=str(folder / shard["file"]))
        if where not in wrong:
            problems += _of_shard(folder / shard["file"], shard)
        done(shard["bytes"])
    total = sum(shard["bytes"] for shard in manifest["shards"])
    notes = f"{manifest['rows']:,} rows", f"{len(manifest['shards'])} files of {total:,} bytes"
    return Report(tuple(problems), notes)


def _of_shard(path: Path, shard: dict[str, Any]) -> list[Problem]:
    """What is wrong with a shard: the columns, or the file where they cannot be told apart."""
    if crc_of_file(path) == shard["crc32"]:
        return []
    where, fix = place(file=str(path)), "Pack the store again."
    try:
        batch = map_shard(path)
        columns = [n for n, sum_ in shard["columns"].items() if crc(batch.column(n)) != sum_]
    except (StoreError, KeyError, ValueError, OSError):
        columns = []
    found = "other bytes"
    if not columns:
        return [Problem(where, f"the checksum {shard['crc32']:08x}", found, fix, "damaged")]
    return [
        Problem(
            f"{where}, {place(column=name)}",
            f"the checksum {shard['columns'][name]:08x}",
            found,
            fix,
            "damaged",
        )
        for name in columns
    ]
