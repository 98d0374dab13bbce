"""What a feed costs within `fit`: a small CNN fed by a feed, against the same CNN that gets one batch over and over.

``python -m benchmarks.into_step`` runs it on JAX, PyTorch and TensorFlow, each in a process of its own, and prints a
table in Markdown. The batch of the other arm is on the device before the epoch begins, so it costs nothing: what is
left is the training step, and no way of feeding can be faster. Epochs of both arms take turns in one process with one
model; the ratio is the median over pairs of neighbors.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

BACKENDS = ("jax", "torch", "tensorflow")
SIDE = 64
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # threads that spin for each other make a busy machine's figures useless
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
}


def data(rows: int) -> dict[str, Any]:
    """Pictures of bytes, whether there is an object, and its box."""
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (rows, SIDE, SIDE, 3), dtype=np.uint8),
        "there": rng.integers(0, 2, rows),
        "box": rng.random((rows, 4), dtype=np.float32),
    }


def build(feed: Any) -> Any:
    """A CNN of three convolutions with two heads."""
    import keras

    import polyhead as ph

    x = features = keras.Input((SIDE, SIDE, 3), name="image")
    for filters in (8, 16, 32):
        features = keras.layers.Conv2D(filters, 3, strides=2, activation="relu")(features)
    features = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(x, ph.outputs(features, feed.heads))
    ph.compile(model, feed, optimizer="sgd")
    return model


def constant(feed: Any) -> Any:
    """The first batch of a feed, as often as an epoch has steps, as tensors of the backend."""
    import keras
    from keras.src.trainers.data_adapters.data_adapter import DataAdapter

    batch = feed.peek()
    tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, batch)
    steps = len(feed)

    class Constant(DataAdapter):
        num_batches = steps
        batch_size = feed.batch_size
        has_partial_batch = False
        partial_batch_size = None

        def get_numpy_iterator(self) -> Any:
            return (batch for _ in range(steps))

        def get_jax_iterator(self) -> Any:
            return (tensors for _ in range(steps))

        get_torch_dataloader = get_jax_iterator

        def get_tf_dataset(self) -> Any:
            import tensorflow as tf

            return tf.data.Dataset.from_tensors(tensors).repeat(steps)

    return Constant()


def run(rows: int, batch_size: int, runs: int, workers: int | str) -> dict[str, Any]:
    """Pairs of epochs on the backend that is active; seconds of wall and CPU of each."""
    import keras

    import polyhead as ph

    feed = ph.Feed(
        data(rows),
        inputs={"image": ph.Image()},
        heads={"there": ph.Binary(), "box": ph.Regression(4)},
        batch_size=batch_size,
        shuffle=True,
        workers=workers,
        drop_remainder=True,
    )
    model = build(feed)
    feed.bind(model)
    arms = {"constant": constant(feed), "feed": feed}

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.wall, self.cpu = time.perf_counter(), time.process_time()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu

    clock = Clock()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
    for turn in range(runs + 1):
        for name in sorted(arms, reverse=bool(turn % 2)):
            model.fit(arms[name], epochs=1, verbose=0, callbacks=[clock])
            if turn:  # the first epochs compile the step
                found[name].append((clock.wall, clock.cpu))
    return {"steps": len(feed), **found}


def row(backend: str, found: dict[str, Any]) -> str:
    """A line of the table."""
    wall, cpu = (
        [
            statistics.median(pair[i] for pair in found[arm]) * 1000 / found["steps"]
            for arm in ("constant", "feed")
        ]
        for i in (0, 1)
    )
    ratios = [[b[i] / a[i] for a, b in zip(found["constant"], found["feed"], strict=True)] for i in (0, 1)]
    cells = (
        backend,
        f"{wall[0]:.2f}",
        f"{wall[1]:.2f}",
        f"{statistics.median(ratios[0]):.3f} ({min(ratios[0]):.2f}–{max(ratios[0]):.2f})",
        f"{cpu[0]:.2f}",
        f"{cpu[1]:.2f}",
        f"{statistics.median(ratios[1]):.3f}",
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Each backend in turn."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.into_step", description="Feeds within fit.")
    parser.add_argument("--backend", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--workers", default="auto")
    parser.add_argument("--here", action="store_true", help="on the active backend, and print JSON")
    options = parser.parse_args()
    workers = options.workers if options.workers == "auto" else int(options.workers)
    if options.here:
        print(json.dumps(run(options.rows, options.batch, options.runs, workers)))
        return
    print(f"{options.rows:,} rows, batch {options.batch}, {options.runs} pairs, workers={workers}.\n")
    print(
        "| backend | step, constant, ms | step, feed, ms | ratio (min–max) "
        "| CPU, constant, ms | CPU, feed, ms | ratio |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for backend in options.backend:
        environment = {**ENVIRONMENT, "KERAS_BACKEND": backend}
        command = [sys.executable, "-m", "benchmarks.into_step", "--here", *sys.argv[1:]]
        done = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{backend}:\n{done.stderr}")
        print(row(backend, json.loads(done.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main()
