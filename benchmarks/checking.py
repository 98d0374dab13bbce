"""What checking costs: ``python -m benchmarks.checking``.

50,000 rows of a table, and of small images, with two heads each. Side by side in one process, taking turns:

- ``check``: the time of ``feed.check(model)``, structure, losses, activations and first rows;
- first epoch of ``fit`` with everything on, against the same feed with nothing looked at (its check left out
  and its values taken as they are);
- a later epoch of both, where nothing is checked any more.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROWS = 50_000
TURNS = 7


def table() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    import numpy as np

    import polyhead as ph

    rng = np.random.default_rng(0)
    data = {
        "x": rng.normal(size=(ROWS, 10)).astype("float32"),
        "yes": rng.integers(0, 2, ROWS),
        "value": rng.normal(size=ROWS),
    }
    return data, {"x": ph.Array()}, {"yes": ph.Binary(), "value": ph.Regression()}


def images() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    import numpy as np

    import polyhead as ph

    rng = np.random.default_rng(0)
    data = {
        "x": rng.integers(0, 256, (ROWS, 16, 16, 3), dtype="uint8"),
        "kind": rng.integers(0, 5, ROWS),
        "mask": rng.integers(0, 2, (ROWS, 16, 16), dtype="uint8"),
    }
    return data, {"x": ph.Image()}, {"kind": ph.Categorical(5), "mask": ph.Mask()}


def network(feed: Any) -> Any:
    import keras

    import polyhead as ph

    x = keras.Input(feed.inputs["x"].shape, name="x")
    layer = keras.layers.Dense(32) if len(x.shape) == 2 else keras.layers.Conv2D(8, 3, padding="same")
    return keras.Model(x, ph.outputs(layer(x), feed))


def measure(make: Callable[[], tuple[Any, Any, Any]], batch_size: int) -> dict[str, list[float]]:
    import polyhead as ph

    data, inputs, heads = make()
    taken: dict[str, list[float]] = {}

    def clock(name: str, work: Callable[[], Any]) -> None:
        begin = time.perf_counter()
        work()
        taken.setdefault(name, []).append(time.perf_counter() - begin)

    def new() -> Any:
        return ph.Feed(data, inputs=inputs, heads=heads, batch_size=batch_size, shuffle=True)

    model = network(new())
    feed = new()
    ph.compile(model, feed, optimizer="sgd")
    model.fit(feed, verbose=0)  # compiles the step
    for turn in range(TURNS):
        for checked in (True, False) if turn % 2 else (False, True):
            feed = new()
            word = "checked" if checked else "unchecked"
            if checked:
                clock("check", lambda feed=feed: feed.check(model))
            else:
                feed._binding.met[model] = (None, feed._binding.check(model)[0].structure)
                feed._iterator._blocks.check = False
            clock(f"first epoch, {word}", lambda feed=feed: model.fit(feed, verbose=0))
            clock(f"later epoch, {word}", lambda feed=feed: model.fit(feed, verbose=0))
    return taken


def main() -> None:
    print(f"{os.environ['KERAS_BACKEND']}, {ROWS:,} rows, medians of {TURNS} turns (min–max), ms\n")
    print(
        "| workload | batch | check | first epoch, checked | unchecked | later epoch, checked | unchecked | "
        "check / first epoch | later epoch, ratio |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for make in (table, images):
        for batch_size in (32, 256):
            taken = measure(make, batch_size)
            cells = [
                f"{1000 * statistics.median(times):,.0f} ({1000 * min(times):,.0f}–{1000 * max(times):,.0f})"
                for name in (
                    "check",
                    *(f"{e} epoch, {w}" for e in ("first", "later") for w in ("checked", "unchecked")),
                )
                for times in [taken[name]]
            ]
            share = statistics.median(
                c / e for c, e in zip(taken["check"], taken["first epoch, unchecked"], strict=True)
            )
            later = statistics.median(
                a / b
                for a, b in zip(taken["later epoch, checked"], taken["later epoch, unchecked"], strict=True)
            )
            print(
                f"| {make.__name__} | {batch_size} | {' | '.join(cells)} | {share:.1%} | {later:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
