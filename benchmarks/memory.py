"""Memory over epochs: a model of four heads, trained from a Parquet file of a million rows and 12 columns.

``KERAS_BACKEND=jax python -m benchmarks.memory`` prints the resident memory after each epoch, and how much it grew
after the second.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import status

INPUTS = tuple(f"x{i}" for i in range(8))
COLORS = ("blue", "green", "red", "yellow")


def write_table(path: Path, rows: int) -> None:
    """Eight numbers, then the labels: whether, which color, a number that is NaN in a third of the rows, a number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, rows), dtype=np.float32)
    columns: dict[str, Any] = dict(zip(INPUTS, x, strict=True))
    columns["bought"] = (x[0] + x[1] > 0).astype(np.int8)
    columns["color"] = np.array(COLORS)[(x[2] > 0) * 2 + (x[3] > 0)]
    columns["price"] = np.where(rng.random(rows) < 1 / 3, np.nan, x[4] * 2).astype(np.float32)
    columns["weight"] = x[5] - x[6]
    pq.write_table(pa.table(columns), path)


def train(path: Path, epochs: int, batch_size: int) -> list[int]:
    """Train, and give the resident memory in MB after each epoch."""
    import keras

    import polyhead as ph

    heads = {
        "bought": ph.Binary(),
        "color": ph.Categorical(),
        "price": ph.Regression(),
        "weight": ph.Regression(),
    }
    feed = ph.Feed(
        ph.read_table(path),
        inputs={"x": ph.Array(column=list(INPUTS))},
        heads=heads,
        batch_size=batch_size,
        shuffle=True,
    )
    x = keras.Input((len(INPUTS),), name="x")
    features = keras.layers.Dense(16, activation="relu")(x)
    model = keras.Model(x, ph.outputs(features, feed.heads))
    ph.compile(model, feed, optimizer="adam")
    resident: list[int] = []
    began = time.perf_counter()

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            nonlocal began
            gc.collect()
            resident.append(status("VmRSS") // 1024)
            seconds, began = time.perf_counter() - began, time.perf_counter()
            print(
                f"epoch {epoch + 1}: {resident[-1]:,} MB, {seconds:.1f} s, loss {(logs or {})['loss']:.4f}",
                flush=True,
            )

    model.fit(feed, epochs=epochs, verbose=0, callbacks=[Watch()])
    return resident


def main() -> None:
    """Write the table, train, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description="Memory from epoch to epoch."
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=1024)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        write_table(path, options.rows)
        size, before = path.stat().st_size / 2**20, status("VmRSS") // 1024
        print(f"{options.rows:,} rows, {size:.0f} MB on disk; {before:,} MB before", flush=True)
        resident = train(path, options.epochs, options.batch)
    print(f"growth after the second epoch: {resident[-1] - resident[min(1, len(resident) - 1)]:,} MB")


if __name__ == "__main__":
    main()
