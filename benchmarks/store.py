"""A store against the JPEG files it was packed from: ``python -m benchmarks.store FOLDER [--rows 1024] [--runs 3]``.

FOLDER holds JPEGs, as those of COCO; they are taken again and again until there are so many rows. Each image becomes
224 x 224, with eight boxes and a class. It prints rows a second of packing, of an epoch of the files and of the store
(shuffled; in one file and in many; with joint augmentation), the time that opening takes, and bytes on the disk. The
files were read before, so that the disk plays no part; the median of the runs counts.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import polyhead as ph

SIDE = 224
MOVES = (ph.Flip(), ph.Rotate(15), ph.Scale(0.1), ph.Translate(0.05), ph.Color(0.2, 0.2, 0.2, 0.05))


def rows_of(folder: Path, rows: int) -> dict[str, object]:
    files = sorted(str(path) for path in folder.rglob("*.jp*g"))
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 300, (rows, 8, 2, 2)), 2).reshape(rows, 8, 4)
    return {
        "image": [files[i % len(files)] for i in range(rows)],
        "boxes": list(corners),
        "kind": rng.integers(0, 10, rows),
    }


def feed_of(rows: object, **options: object) -> ph.Feed:
    heads = {"boxes": ph.Boxes(8), "kind": ph.Categorical(10)}
    inputs = {"image": ph.Image(SIDE, SIDE)}
    return ph.Feed(rows, inputs=inputs, heads=heads, shuffle=True, batch_size=32, **options)  # type: ignore[arg-type]


def median(run: Callable[[], object], runs: int) -> float:
    took = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def epoch(feed: ph.Feed) -> None:
    for _ in feed:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    rows, runs = given.rows, given.runs
    home = Path(tempfile.mkdtemp())
    try:
        plain = feed_of(rows_of(given.folder, rows))
        epoch(plain)

        def line(what: str, seconds: float, against: float | None = None) -> float:
            ratio = "" if against is None else f"   {against / seconds:6.1f} x the files"
            print(f"{what:<48} {rows / seconds:10,.0f} rows/s{ratio}", flush=True)
            return seconds

        def pack(name: str, **options: object) -> Path:
            shutil.rmtree(home / name, ignore_errors=True)
            ph.pack(plain, home / name, progress=False, **options)  # type: ignore[arg-type]
            return home / name

        line("pack, pixels", median(lambda: pack("one"), 1))
        line("pack, JPEG at 224", median(lambda: pack("jpeg", encoding="jpeg"), 1))
        pack("many", shard_bytes=16 << 20)
        for name in ("one", "many", "jpeg"):
            shards = sorted((home / name).glob("*.arrow"))
            size = sum(path.stat().st_size for path in shards)
            print(f"on the disk, {name}: {size:,} bytes in {len(shards)} files, {size // rows:,} a row")
        took = median(lambda: ph.open_store(home / "many").read(np.array([rows - 1])), 5)
        print(f"open many, and read a row: {took * 1000:.1f} ms")
        for what, options in (("", {}), (", augmented", {"augment": MOVES})):
            files = feed_of(rows_of(given.folder, rows), **options)
            base = line(f"epoch of the files{what}", median(lambda f=files: epoch(f), runs))
            for name in ("one", "many", "jpeg"):
                feed = feed_of(home / name, **options)
                epoch(feed)  # loops are compiled
                line(f"epoch of the store, {name}{what}", median(lambda f=feed: epoch(f), runs), base)
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
