"""Every kind against the generator that somebody would write by hand: ``python -m benchmarks.kinds [--short]``.

A row of the table is a head or an input and what holds its columns. A feed, the plain generator (permute, index, cast,
look up, weigh in NumPy) and a bare copy of finished batches take turns in one process, whole epochs each. The first two
yield the same arrays: before that each batch of an epoch of the feed is held against the generator's, byte by byte.
Rows below 1.0 come first.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.kind_rows import Row, rows

HOLDERS = ("array", "memory map", "Parquet", "store")
BATCH_SIZES, SHORT_BATCH_SIZES = (32, 256, 2048), (32,)
ARMS = ("feed", "plain generator", "bare copy")


@dataclass
class Taken:
    """The time that each arm took.

    Attributes:
        name, holder, batch_size: of the row.
        batches: of an epoch.
        wall, cpu: seconds of an epoch, turn by turn, by arm.
        checksum: of the arrays of an epoch, the same for the feed and the generator.
    """

    name: str
    holder: str
    batch_size: int
    batches: int
    checksum: str
    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, of: str, arm: str = "feed") -> float:
        """How many times as long the generator takes as an arm: the median over turns."""
        taken: dict[str, list[float]] = getattr(self, of)
        return statistics.median(a / b for a, b in zip(taken["plain generator"], taken[arm], strict=True))

    @property
    def least(self) -> float:
        """The smaller of the ratios of time and of CPU."""
        return min(self.ratio("wall"), self.ratio("cpu"))


def measure(row: Row, holder: str, batch_size: int, folder: Path, turns: int, seconds: float) -> Taken:
    """Have the arms take turns.

    Raises:
        RuntimeError: the feed yields other arrays than the generator.
    """
    import polyhead as ph
    from polyhead.jit import wait_until_compiled

    columns, data = held(row, holder, folder)
    count = len(columns["x"])
    feed = ph.Feed(data, inputs=row.inputs, heads=row.heads, batch_size=batch_size, shuffle=True)
    found = Taken(row.name, holder, batch_size, len(feed), same(feed, row, columns))

    def generator(epoch: int) -> Iterator[Any]:
        order = np.random.default_rng(epoch).permutation(count)
        for start in range(0, count, batch_size):
            yield row.by_hand(columns, order[start : start + batch_size])

    arms: dict[str, Callable[[int], Iterator[Any]]] = {
        "feed": lambda epoch: iter(feed),
        "plain generator": generator,
        "bare copy": bare_copy(row.by_hand(columns, np.arange(count)), count, batch_size),
    }
    _through(feed)
    wait_until_compiled()  # the table is of later epochs
    for _ in range(3):
        _through(feed)
    for turn in range(turns):
        for arm in (*ARMS[turn % len(ARMS) :], *ARMS[: turn % len(ARMS)]):
            wall, cpu = timed(arms[arm], turn, seconds)
            found.wall.setdefault(arm, []).append(wall)
            found.cpu.setdefault(arm, []).append(cpu)
    return found


def held(row: Row, holder: str, folder: Path) -> tuple[Mapping[str, np.ndarray], Any]:
    """The columns for the generator, and the same for the feed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    import polyhead as ph

    if holder == "array":
        return row.columns, row.columns
    place = Path(tempfile.mkdtemp(dir=folder))
    if holder == "Parquet":  # both keep the columns in memory, as they fit
        pq.write_table(
            pa.table({name: _lists(values) for name, values in row.columns.items()}), place / "rows.pq"
        )
        return row.columns, ph.read_table(place / "rows.pq")
    maps = {}
    for name, values in row.columns.items():
        np.save(place / f"{name}.npy", values)
        maps[name] = np.load(place / f"{name}.npy", mmap_mode="r")
    if holder == "memory map":
        return maps, maps
    ph.pack(dict(row.columns), place / "store", progress=False)
    return maps, ph.open_store(place / "store")


def _lists(values: np.ndarray) -> Any:
    """An array as an Arrow column of nested lists of fixed size."""
    import pyarrow as pa

    column = pa.array(values.reshape(-1))
    for size in values.shape[:0:-1]:
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


def same(feed: Any, row: Row, columns: Mapping[str, np.ndarray]) -> str:
    """The checksum of an epoch of a feed, whose batches are those of the generator.

    Raises:
        RuntimeError: where they are not.
    """
    import zlib

    total = [0, 0]
    for batch in feed.batches():
        by_hand = row.by_hand(columns, batch.ids)
        weights = {f"weights of {name}": values for name, values in (batch.weights or {}).items()}
        # where labels of a file could be missing, a feed has weights though none is
        weights = {name: values for name, values in weights.items() if name in by_hand or (values != 1).any()}
        both = ({**batch.inputs, **batch.labels, **weights}, by_hand)
        for side, arrays in enumerate(both):
            for name in sorted(arrays):
                array = np.broadcast_to(arrays[name], both[0][name].shape)
                text = f"{name} {array.dtype} {array.shape}".encode()
                total[side] = zlib.crc32(np.ascontiguousarray(array), zlib.crc32(text, total[side]))
        if total[0] != total[1] or both[0].keys() != both[1].keys():
            raise RuntimeError(f"{row.name}: the feed yields other arrays than the generator")
    return f"{total[0]:08x}"


def bare_copy(
    finished: Mapping[str, np.ndarray], count: int, batch_size: int
) -> Callable[[int], Iterator[Any]]:
    """Copy finished batches in row order, into memory that is used again: the limit of all that copy."""
    from polyhead.pipeline.buffer_pool import Pool

    pool = Pool()

    def epoch(number: int) -> Iterator[Any]:
        for start in range(0, count, batch_size):
            batch = []
            for values in finished.values():
                part = values[start : start + batch_size]
                batch.append(pool.empty(part.shape, part.dtype))
                np.copyto(batch[-1], part)
            yield batch

    return epoch


def timed(arm: Callable[[int], Iterator[Any]], turn: int, seconds: float) -> tuple[float, float]:
    """Seconds of an epoch, on the clock and of all threads: of as many as fit into ``seconds``, one at least."""
    begin, cpu, epochs = time.perf_counter(), time.process_time(), 0
    while not epochs or time.perf_counter() < begin + seconds:
        _through(arm(turn))  # the loop holds a batch while the next one is made
        epochs += 1
    return (time.perf_counter() - begin) / epochs, (time.process_time() - cpu) / epochs


def _through(batches: Iterable[Any]) -> None:
    for _ in batches:
        pass


def table(found: Sequence[Taken]) -> str:
    """Format the results as a Markdown table; ratios below 1 come first, the smallest at the top."""
    below = sorted((one for one in found if one.least < 1), key=lambda one: one.least)
    head = "kind | columns | batch | ratio of time | ratio of CPU | bare copy, ratio of time | µs a batch | checksum"
    lines = [
        f"{len(below)} of {len(found)} rows are below 1.0 in time or CPU"
        + (", which stand on top." if below else "."),
        "",
        f"| {head} |",
        "|" + " --- |" * (head.count("|") + 1),
    ]
    for one in (*below, *(one for one in found if one.least >= 1)):
        ratios = [
            (one.ratio(of, arm), arm)
            for of, arm in (("wall", "feed"), ("cpu", "feed"), ("wall", "bare copy"))
        ]
        cells = [
            f"**{value:.2f}**" if value < 1 and arm == "feed" else f"{value:.2f}" for value, arm in ratios
        ]
        each = f"{1e6 * min(one.wall['feed']) / one.batches:.0f}"
        lines.append(
            f"| {' | '.join([one.name, one.holder, f'{one.batch_size:,}', *cells, each, one.checksum])} |"
        )
    return "\n".join(lines)


def taken(
    short: bool, only: Sequence[str], holders: Sequence[str], sizes: Sequence[int], turns: int, seconds: float
) -> Iterator[Taken]:
    """The rows of the table, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(short):
            if only and not any(word in row.name for word in only):
                continue
            for holder in holders:
                for size in sizes:
                    yield measure(row, holder, size, Path(folder), turns, seconds)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kinds", description="Every kind by hand.")
    parser.add_argument(
        "--short", action="store_true", help="few kinds, small ones, in memory, in batches of 32"
    )
    parser.add_argument("--only", nargs="+", default=[], help="kinds whose name holds one of these words")
    parser.add_argument("--held", nargs="+", choices=HOLDERS, default=None, help="what holds the columns")
    parser.add_argument("--batch", type=int, nargs="+", default=None, help="batch sizes")
    parser.add_argument("--turns", type=int, default=None, help="turns of each arm (9; 3 with --short)")
    parser.add_argument("--seconds", type=float, default=None, help="of each turn (0.15; 0.05 with --short)")
    options = parser.parse_args()
    short = options.short
    holders = options.held or (HOLDERS[:1] if short else HOLDERS)
    sizes = options.batch or (SHORT_BATCH_SIZES if short else BATCH_SIZES)
    turns, seconds = options.turns or (3 if short else 9), options.seconds or (0.05 if short else 0.15)
    print(table(list(taken(short, options.only, holders, sizes, turns, seconds))))


if __name__ == "__main__":
    main()
