"""Measures the time and size of a batch, and its share of a training step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from polyhead.doctor.model_signature import Matches
from polyhead.doctor.reading import Reading
from polyhead.foreign_errors import quoted_error
from polyhead.keras_bridge.structure import Path, rebuild
from polyhead.profiling import duration

_MOST_WEIGHTS = 20_000_000
_TIMES = 5


class Cost(NamedTuple):
    """The cost of one batch.

    Attributes:
        seconds: the median time to make one.
        share: the share of a training step spent on that if nothing is prepared ahead, 0–1; None if no step was
            measured.
        notes: the same in words.
    """

    seconds: float
    bytes: int
    share: float | None
    notes: tuple[str, ...]


def measure_cost(reading: Reading, matches: Matches, model: Any, seconds: float) -> Cost:
    """Measure the time and size of a batch and, with a model, its share of a step."""
    each = float(np.median(reading.seconds[1:] or reading.seconds))
    size, share = int(np.mean(reading.bytes)), None
    memory = f"{size / 1e6:.3g} MB" if size >= 1e6 else f"{size / 1e3:.3g} kB"
    notes = [f"a batch takes {duration(each)} to make and {memory} of memory"]
    if model is not None:
        shapes = {slot.path: reading.stats["x", path].shape for path, slot in matches.inputs.items()}
        step = _step(model, len(reading.rows[0]), shapes, seconds)
        if isinstance(step, float):
            share = each / (each + step)
            notes.append(
                f"that is {share:.0%} of a step, if nothing is prepared ahead; a step without data takes "
                f"{duration(step)}, measured on a copy of the model with mean squared errors and random numbers"
            )
        else:
            notes.append(f"the time of a training step was not measured: {step}")
    return Cost(each, size, share, tuple(notes))


def _step(model: Any, rows: int, shapes: Mapping[Path, tuple[int, ...]], seconds: float) -> float | str:
    """Return the median time of a training step of a copy, or why it was not measured; the model itself is not trained.

    Args:
        shapes: the shape of a row of each input, for axes of unknown size.
    """
    import keras

    from polyhead.checks.model_tensors import symbolic

    tensors = symbolic(model)
    if tensors is None or rows == 0:
        return "only functional and sequential models can be copied for it"
    if model.count_params() > _MOST_WEIGHTS or seconds < 5:
        return "the model is large, or no time was left"
    rng = np.random.default_rng(0)

    def numbers(path: Path, tensor: Any) -> np.ndarray:
        read, shape = shapes.get(path, ()), tensor.shape[1:]
        read = read if len(read) == len(shape) else (8,) * len(shape)
        shape = (n if size is None else size for size, n in zip(shape, read, strict=True))
        return rng.random((rows, *shape)).astype(keras.backend.standardize_dtype(tensor.dtype))

    def target(tensor: Any) -> np.ndarray:
        return rng.random(tensor.shape).astype(keras.backend.standardize_dtype(tensor.dtype))

    try:
        # a copy of a compiled model would keep its metrics, which may reject random numbers as labels
        copy = keras.models.clone_model(keras.Model(*tensors))
        x = rebuild(tensors[0], numbers)
        y = keras.tree.map_structure(target, copy(x))
        losses = keras.tree.map_structure(lambda _: keras.losses.MeanSquaredError(), y)
        copy.compile(optimizer="sgd", loss=losses)
        copy.train_on_batch(x, y)
        times: list[float] = []
        while len(times) < _TIMES and sum(times) < 0.3 * seconds:
            start = time.perf_counter()
            copy.train_on_batch(x, y)
            times.append(time.perf_counter() - start)
    except Exception as error:  # a model of custom layers may fail at any of this
        return quoted_error(error)
    return float(np.median(times))
