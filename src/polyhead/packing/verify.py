"""Verifies the checksums of a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from polyhead.errors import Problem, Report, StoreError, counted, place
from polyhead.store.files import check_sizes, crc, crc_of_file, map_shard, read_manifest


def verify(path: str | os.PathLike[str]) -> Report:
    """Read all of a store and compare it with its checksums.

    Returns:
        A `Report` with a problem for each damaged file or column.

    Raises:
        StoreError: if there is no store, or it is unfinished or of another version.
    """
    folder = Path(path).expanduser()
    manifest = read_manifest(folder)
    problems = list(check_sizes(folder, manifest["shards"]))
    wrong = {problem.place for problem in problems}
    for shard in manifest["shards"]:
        where = place(file=str(folder / shard["file"]))
        if where not in wrong:
            problems += _of_shard(folder / shard["file"], shard)
    total = sum(shard["bytes"] for shard in manifest["shards"])
    notes = counted(manifest["rows"], "row"), f"{counted(len(manifest['shards']), 'file')} of {total:,} bytes"
    return Report(tuple(problems), notes)


def _of_shard(path: Path, shard: dict[str, Any]) -> list[Problem]:
    """Return the damaged columns of a shard, or the file if its columns can't be read."""
    if crc_of_file(path) == shard["crc32"]:
        return []
    where, fix = place(file=str(path)), "Pack the store again."
    try:
        batch = map_shard(path)
        columns = [n for n, sum_ in shard["columns"].items() if crc(batch.column(n)) != sum_]
    except (StoreError, KeyError, ValueError, OSError):
        columns = []
    sums = {f"{where}, {place(column=name)}": shard["columns"][name] for name in columns}
    sums = sums or {where: shard["crc32"]}
    found = "its bytes have changed; their checksum is no longer {:08x}"
    return [Problem(at, "", found.format(crc32), fix, "damaged") for at, crc32 in sums.items()]
