"""Data larger than memory: ``python -m benchmarks.larger [--limit 1024] [--times 4] [--seconds 20]``.

A file of images of several times a memory limit is trained from as a memory map. The limit is one of the kernel's
(a control group): whoever goes beyond it is ended. So the training either lives within it or does not live. It
needs the right to make a control group, as root has; without it this says so and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.worker import status

SHAPE = (64, 64, 3)
ONE = Path("/sys/fs/cgroup/memory")
TWO = Path("/sys/fs/cgroup")


@contextmanager
def limited(megabytes: int) -> Iterator[Path]:
    """A control group of so much memory, pages of files included; gone at the end.

    Raises:
        OSError: where none can be made.
    """
    first = ONE.is_dir()
    group = (ONE if first else TWO) / f"larger-{os.getpid()}"
    group.mkdir()
    try:
        limit = "memory.limit_in_bytes" if first else "memory.max"
        (group / limit).write_text(str(megabytes << 20))
        yield group
    finally:
        group.rmdir()


def peak(group: Path) -> float:
    """The most that a group ever used, in MB; pages of files are among it, up to the limit."""
    name = "memory.max_usage_in_bytes" if ONE.is_dir() else "memory.peak"
    return int((group / name).read_text()) / (1 << 20)


def write(path: Path, rows: int) -> None:
    """Random images, some of them at a time, so that no page is shared or empty."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, rows, 4096):
            rng.integers(0, 256, (min(4096, rows - start), *SHAPE), dtype=np.uint8).tofile(file)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # none of it is in memory at the start


def train(path: Path, rows: int, shuffle: Any, seconds: float) -> dict[str, Any]:
    """Train a small model for some time; rows a second, and this process's own memory at two times, in MB."""
    import keras

    import polyhead as ph

    images = np.memmap(path, np.uint8, "r", shape=(rows, *SHAPE))
    value = np.random.default_rng(1).standard_normal(rows).astype(np.float32)
    data = {"image": images, "value": value, "sign": (value > 0).astype(np.int8)}
    feed = ph.Feed(
        data,
        inputs={"image": ph.Image()},
        heads={"value": ph.Regression(), "sign": ph.Binary()},
        batch_size=64,
        shuffle=shuffle,
    )
    x = keras.Input(SHAPE, name="image")
    h = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 8, strides=8, activation="relu")(x))
    model = keras.Model(x, ph.outputs(h, feed.heads))
    ph.compile(model, feed, optimizer="sgd")

    class Clock(keras.callbacks.Callback):
        """Ends the training when the time is up."""

        begin = 0.0
        steps = 0
        early = 0.0

        def on_train_batch_end(self, step: int, logs: Any = None) -> None:
            if step == 4:  # what was compiled does not count
                self.begin, self.steps = time.perf_counter(), 0
            if self.begin:
                self.steps += 1
                spent = time.perf_counter() - self.begin
                if not self.early and spent > seconds / 4:
                    self.early = status("RssAnon") / 1024
                self.model.stop_training = spent > seconds
                if self.model.stop_training:
                    raise StopIteration

    clock = Clock()
    with suppress(StopIteration):
        model.fit(feed, epochs=1000, verbose=0, callbacks=[clock])
    spent = time.perf_counter() - clock.begin
    return {
        "rows_per_s": 64 * clock.steps / spent,
        "early_mb": clock.early,
        "late_mb": status("RssAnon") / 1024,
    }


def run(path: Path, rows: int, shuffle: Any, seconds: float, group: Path | None) -> dict[str, Any]:
    """The same in a process of its own, in a control group or without a limit."""
    command = [sys.executable, "-m", "benchmarks.larger", "--one", str(path), str(rows), json.dumps(shuffle)]
    command += ["--seconds", str(seconds)]

    def enter() -> None:
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=enter, env=environment, check=False
    )
    if done.returncode:
        return {"ended": done.returncode, "said": done.stderr[-300:]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=1024, help="of memory, in MB")
    parser.add_argument("--times", type=float, default=4, help="how much larger the file is")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--folder", type=Path, help="on the disk that is measured")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        path, rows, shuffle = given.one
        print(json.dumps(train(Path(path), int(rows), json.loads(shuffle), given.seconds)))
        return
    rows = int(given.limit * given.times * (1 << 20) / np.prod(SHAPE))
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "images.u8"
        write(path, rows)
        print(f"{rows:,} images of 64 x 64 x 3 bytes, {path.stat().st_size / (1 << 20):,.0f} MB\n")
        print("| order | limit, MB | rows/s | peak of the group, MB | own memory early, late, MB |")
        print("| --- | --- | --- | --- | --- |")
        for shuffle in (False, True, "blocks"):
            for limit in (given.limit, None):
                try:
                    if limit is None:
                        found, most = run(path, rows, shuffle, given.seconds, None), None
                    else:
                        with limited(limit) as group:
                            found, most = run(path, rows, shuffle, given.seconds, group), peak(group)
                except OSError as error:
                    print(f"no control group can be made here: {error}")
                    continue
                print(f"| shuffle={shuffle} | {limit or 'none'} | {_cells(found, most)} |")


def _cells(found: dict[str, Any], most: float | None) -> str:
    if "ended" in found:
        return f"ended with {found['ended']}: {found['said']} | |"
    memory = f"{found['early_mb']:,.0f}, {found['late_mb']:,.0f}"
    return f"{found['rows_per_s']:,.0f} | {'' if most is None else f'{most:,.0f}'} | {memory}"


if __name__ == "__main__":
    main()
