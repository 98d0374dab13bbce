"""The small bars, each in a process of its own: ``python -m benchmarks.bars`` prints them as a table in Markdown.

- ``import polyhead``, and the first batch of 100,000 rows in arrays after it: CPU seconds, which other work on the
  machine does not change much; median of several fresh processes.
- Memory that the order of 10⁹ rows takes: the most that Python and NumPy held while batches of three epochs, from all
  over them, were asked for.
- Growth of the resident memory over 20 epochs, of a table with missing labels and of images: the slope of a line
  through 200 epochs. With threads memory goes up and down from epoch to epoch, so that two of them say nothing.
- Rows a second at 10⁸ rows against 10⁵ rows of the same width: two float32 in a memory map, batches of 1,024, for as
  long each time. The file is sparse, so it takes no disk; it is read through once before, so it lies in memory. Once
  as the memory map, which is read in sorted order as it may lie on a disk, and once as the plain array over it.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import status

START = """
import json, time
import numpy as np
x, y = np.random.default_rng(0).random((100_000, 10), dtype=np.float32), np.zeros(100_000, np.int64)
clock = time.process_time
begun = clock()
import polyhead as ph
imported = clock()
feed = ph.Feed({"x": x, "y": y}, inputs="x", heads={"y": ph.Binary()}, batch_size=32, shuffle=True)
next(iter(feed))
print(json.dumps([imported - begun, clock() - imported]))
"""


def start(runs: int) -> dict[str, float]:
    """CPU seconds for the import, NumPy being there, and for the first batch."""
    found = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    imported, first = (statistics.median(part) for part in zip(*found, strict=True))
    return {"import": imported, "first": first}


def order() -> dict[str, float]:
    """Bytes at the peak, for 10⁹ rows."""
    from polyhead.order import Order
    from polyhead.order.permutation import NETWORK

    NETWORK.wait()  # what the compiler takes is not the order's
    tracemalloc.start()
    order = Order(10**9, batch_size=32, shuffle=True, seed=1)
    for epoch, step in itertools.product(range(3), np.linspace(0, len(order) - 1, 20, dtype=int).tolist()):
        order.ids(epoch, step)
    return {"mb": tracemalloc.get_traced_memory()[1] / 2**20}


def growth(epochs: int = 200) -> dict[str, float]:
    """Resident megabytes after the second epoch and later ones: how they grow in 20, with threads and in line."""
    return {f"{name} {workers}": value for workers in ("auto", 0) for name, value in _grown(workers, epochs)}


def _grown(workers: int | str, epochs: int) -> Iterator[tuple[str, float]]:
    import polyhead as ph

    rng = np.random.default_rng(0)
    data = {
        "x": rng.random((50_000, 10), dtype=np.float32),
        "y": np.where(rng.random(50_000) < 0.3, np.nan, rng.random(50_000)),
        "kind": rng.integers(0, 5, 50_000),
    }
    heads = {"y": ph.Regression(), "kind": ph.Categorical(class_weight="balanced")}
    table = ph.Feed(data, inputs="x", heads=heads, shuffle=True, workers=workers)
    images = rng.integers(0, 256, (2_000, 64, 64, 3), dtype=np.uint8)
    pictures = ph.Feed(
        {"x": images, "mask": images[..., 0] > 100},
        inputs={"x": ph.Image()},
        heads={"mask": ph.Mask()},
        batch_size=64,
        shuffle=True,
        workers=workers,
    )
    resident = []
    for _ in range(epochs):
        for _ in table:
            pass
        for _ in pictures:
            pass
        gc.collect()
        for thread in threading.enumerate():
            if thread.name == "polyhead-compile":  # it belongs to the first epoch
                thread.join()
        resident.append(status("VmRSS") / 1024)
    kept = resident[1:]
    yield "grown", 20 * float(np.polyfit(np.arange(len(kept)), kept, 1)[0])
    yield "mean", statistics.mean(kept)
    yield "least", min(kept)
    yield "most", max(kept)


def large(small: int = 10**5, many: int = 10**8, seconds: float = 2.0) -> dict[str, float]:
    """Rows a second, at a small and at a large number of rows, as a memory map and as an array."""
    import polyhead as ph

    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        feeds: dict[str, Any] = {}
        for rows in (small, many):
            path = Path(folder) / f"{rows}.bin"
            with path.open("wb") as file:
                file.truncate(rows * 8)
            mapped = np.memmap(path, np.float32, "r", shape=(rows, 2))
            for begin in range(0, rows, 1 << 22):
                mapped[begin : begin + (1 << 22)].sum()
            for name, column in (("map", mapped), ("array", np.asarray(mapped))):
                feeds[f"{name} {rows}"] = ph.Feed(
                    {"x": column}, inputs="x", heads={}, batch_size=1024, shuffle=True, workers=0
                )
        for turn, (name, feed) in itertools.product(range(6), feeds.items()):
            begun, cpu, count = time.perf_counter(), time.process_time(), 0
            while time.perf_counter() < begun + seconds / (4 if turn else 1):
                for (batch,) in itertools.islice(feed, 1000):
                    count += len(batch["x"])
            if turn:  # the first waits for loops to be compiled
                speeds.setdefault(name, []).append(count / (time.process_time() - cpu))
    return {
        f"{name}": statistics.median(
            a / b for a, b in zip(speeds[f"{name} {many}"], speeds[f"{name} {small}"], strict=True)
        )
        for name in ("map", "array")
    } | {f"{name}, rows": statistics.median(found) for name, found in speeds.items()}


PARTS = {"start": start, "order": order, "growth": growth, "large": large}


def main() -> None:
    """Each part in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bars", description="The small bars.")
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--here", action="store_true", help="one part in this process, as JSON")
    options = parser.parse_args()
    if options.here:
        part = options.part[0]
        print(json.dumps(start(options.runs) if part == "start" else PARTS[part]()))
        return
    print("| bar | wanted | found |\n| --- | --- | --- |", flush=True)
    for part in options.part:
        command = [
            sys.executable,
            "-m",
            "benchmarks.bars",
            "--here",
            "--part",
            part,
            "--runs",
            str(options.runs),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout)
        for line in rows(part, found):
            print("| " + " | ".join(line) + " |", flush=True)


def rows(part: str, found: dict[str, float]) -> list[tuple[str, str, str]]:
    """The lines of a part."""
    if part == "start":
        return [
            ("`import polyhead`", "≤ 0.3 s", f"{found['import']:.2f} s"),
            ("first batch after it", "≤ 0.5 s", f"{found['first']:.2f} s"),
        ]
    if part == "order":
        return [("memory of the order of 10⁹ rows", "< 1 MB", f"{found['mb']:.2f} MB")]
    if part == "growth":
        return [
            (
                f"growth of memory in 20 epochs, workers={workers}",
                "< 1 %",
                f"{found[f'grown {workers}'] / found[f'mean {workers}']:.2%} of {found[f'mean {workers}']:.1f} MB "
                f"({found[f'least {workers}']:.1f}–{found[f'most {workers}']:.1f} after an epoch)",
            )
            for workers in ("auto", "0")
        ]
    speed = {name: f"{found[name]:,.0f}" for name in found}
    return [
        (
            f"rows/s at 10⁸ rows against 10⁵, {words}",
            "≥ 0.5",
            f"{found[name]:.2f} ({speed[f'{name} {10**8}, rows']} of {speed[f'{name} {10**5}, rows']} a CPU second)",
        )
        for name, words in (("map", "memory map"), ("array", "array over it"))
    ]


if __name__ == "__main__":
    main()
