"""Writes the shards of a store, and records complete ones in the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.errors import BadValue
from polyhead.sources.source import Source, checked_rows, row_of
from polyhead.store.column_codec import Spec, fitting_rows, to_arrow
from polyhead.store.files import shard_name
from polyhead.store.writer import Journal, write_shard


def write_shards(
    rows: Source,
    folder: Path,
    specs: Sequence[Spec],
    journal: Journal,
    workers: int,
    done: Callable[[int], Any],
) -> list[dict[str, Any]]:
    """Write the shards that the journal doesn't have yet.

    Returns:
        The entries of all shards for the manifest.
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
                _record_written(under_way, shards, journal)
            under_way = disk.submit(
                write_shard, folder / shard_name(first + number), specs, columns, stop - start
            )
        if under_way is not None:
            _record_written(under_way, shards, journal)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        disk.shutdown(cancel_futures=True)  # another run may start as soon as the journal is closed
        raise
    pool.shutdown()
    disk.shutdown()
    return shards


def _record_written(written: Future[dict[str, Any]], shards: list[dict[str, Any]], journal: Journal) -> None:
    shards.append(written.result())
    journal.add(shards[-1])


class _Shard:
    """The rows of one shard, read in chunks."""

    def __init__(self, rows: Source, specs: Sequence[Spec], start: int, stop: int, chunk_rows: int) -> None:
        self._rows, self._specs, self._start, self._stop = rows, specs, start, stop
        dense = [spec for spec in specs if spec["is"] == "dense"]
        count = stop - start
        self._numbers = {s["name"]: np.zeros((count, *s["shape"]), np.dtype(s["dtype"])) for s in dense}
        self._present = {spec["name"]: np.ones(count, bool) for spec in dense if spec["nullable"]}
        self._chunk_rows = chunk_rows

    def fill(self, pool: ThreadPoolExecutor, done: Callable[[int], Any]) -> list[Any]:
        """Read all rows and return the Arrow arrays of the columns."""
        starts = range(self._start, self._stop, self._chunk_rows)
        chunks = []
        for rows, chunk in pool.map(self._read_chunk, starts):
            chunks.append(chunk)
            done(rows)
        arrays = []
        for spec in self._specs:
            name = spec["name"]
            if name not in self._numbers:
                arrays.append(pa.concat_arrays([chunk[name] for chunk in chunks]))
            else:
                gone = ~self._present[name] if spec["nullable"] else None
                arrays.append(to_arrow(spec, self._numbers[name], gone))
        return arrays

    def _read_chunk(self, start: int) -> tuple[int, dict[str, Any]]:
        ids = np.arange(start, min(start + self._chunk_rows, self._stop), dtype=np.int64)
        rows = checked_rows(self._rows, ids)
        within = slice(start - self._start, start - self._start + len(ids))
        columns = {}
        for spec in self._specs:
            name = spec["name"]
            try:
                values = fitting_rows(spec, rows[name])
                if name not in self._numbers:
                    columns[name] = to_arrow(spec, values)
                elif spec["nullable"]:
                    gone = [value is None for value in values]
                    self._present[name][within] = ~np.array(gone, bool)
                    for i, value in enumerate(values, within.start):
                        if value is not None:
                            self._numbers[name][i] = value
                else:
                    self._numbers[name][within] = values
            except BadValue as bad:
                raise bad.located(column=name, row=row_of(self._rows, bad.index or 0, ids)) from None
        return len(ids), columns
