"""One way to feed ``fit``, on one backend, in a process of its own: ``python -m benchmarks.fit ARM ROWS``.

A small network with two heads learns from the workload ``images``. An epoch of the constant batch is the limit: what an
epoch takes beyond it is time in which the step waits for data, or is slower because data is made beside it.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.arms import feed_of, unpacked
from benchmarks.worker import CHECK_ROWS, serve
from benchmarks.workloads import Batch, Workload, digest, images, plain

BACKENDS = ("jax", "torch", "tensorflow")
LIMIT = "one constant batch"

Fed = tuple[Any, dict[str, Any]]
"""What ``fit`` is given, and its options."""


def steps_of(data: Workload, batch_size: int) -> int:
    return -(-len(data) // batch_size)


def constant(data: Workload, batch_size: int) -> Fed:
    batch = data.gather(np.arange(batch_size))

    def batches() -> Iterator[Batch]:
        while True:
            yield batch

    return batches(), {"steps_per_epoch": steps_of(data, batch_size), "shuffle": False}


def generator(data: Workload, batch_size: int) -> Fed:
    """The generator without an end that people write today."""

    def batches() -> Iterator[Batch]:
        for epoch in itertools.count():
            yield from plain(data, batch_size, epoch)

    return batches(), {"steps_per_epoch": steps_of(data, batch_size), "shuffle": False}


def pydataset(data: Workload, batch_size: int, workers: int = 1) -> Fed:
    import keras

    class Batches(keras.utils.PyDataset):
        def __init__(self) -> None:
            super().__init__(workers=workers, max_queue_size=4)
            self.epoch = 0
            self.on_epoch_end()

        def __len__(self) -> int:
            return steps_of(data, batch_size)

        def __getitem__(self, step: int) -> Batch:
            return data.gather(self.order[step * batch_size : (step + 1) * batch_size])

        def on_epoch_end(self) -> None:
            self.order = np.random.default_rng(self.epoch).permutation(len(data))
            self.epoch += 1

    return Batches(), {}


def polyhead(data: Workload, batch_size: int) -> Fed:
    return feed_of(data, batch_size), {}


ARMS: dict[str, Callable[[Workload, int], Fed]] = {
    LIMIT: constant,
    "plain generator": generator,
    "polyhead": polyhead,
    "keras PyDataset": pydataset,
    "keras PyDataset, 2 threads": lambda data, batch_size: pydataset(data, batch_size, 2),
}


def network(side: int) -> Any:
    """Small, so that data matters: one convolution at half the size, two masks from it."""
    import keras

    x = keras.Input((side, side, 3), name="x")
    features = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    features = keras.layers.UpSampling2D()(features)
    heads = [
        keras.layers.Conv2D(1, 1, activation="sigmoid", name=name)(features) for name in ("first", "second")
    ]
    model = keras.Model(x, heads)
    model.compile(optimizer="sgd", loss=["binary_crossentropy"] * 2)
    return model


def check(arm: str, batch_size: int) -> dict[str, Any]:
    """What ``fit`` would be given in two epochs of a smaller workload."""
    data = images(CHECK_ROWS["images"])
    fed, options = ARMS[arm](data, batch_size)
    found = []
    for _ in range(2):
        if "steps_per_epoch" in options:
            batches = itertools.islice(fed, options["steps_per_epoch"])
        elif hasattr(fed, "__getitem__"):
            batches = (fed[step] for step in range(len(fed)))
        else:
            batches = iter(fed)
        found.append(digest(map(unpacked, batches)))
    return {"proof": found}


def main() -> None:
    """One arm."""
    arm, data = sys.argv[1], images(int(sys.argv[2]))

    def made(batch_size: int) -> Callable[[int], Iterator[int]]:
        model = network(data.x.shape[1])
        fed, options = ARMS[arm](data, batch_size)

        def epoch(number: int) -> Iterator[int]:
            model.fit(fed, verbose=0, **options)
            yield len(data)

        return epoch

    serve(lambda batch_size: check(arm, batch_size), made, int)


if __name__ == "__main__":
    main()
