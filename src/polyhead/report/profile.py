"""Measures a feed alone, and while a model trains."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from polyhead.compiling import compile as compile_for
from polyhead.errors import ContractError, Problem, require_size
from polyhead.feed import Feed
from polyhead.jit import wait_until_compiled
from polyhead.keras_bridge.adapter import KerasInput
from polyhead.keras_bridge.fit_epochs import steps_per_execution
from polyhead.keras_bridge.keras_call import Call, Convert
from polyhead.keras_bridge.wait_time import StepTimer
from polyhead.profiling import SECONDS, Meter, Speed

FEWEST, TRAINED, BLOCK = 4, 30, 4
"""The fewest steps measured without a model, the steps measured with one, and the most steps in a block."""


def profile(feed: Feed, steps: int | None = None) -> Speed:
    """Measure a feed without a model; see `Feed.profile`.

    >>> import numpy as np
    >>> import polyhead as ph
    >>> data = {"x": np.zeros((640, 8)), "y": np.arange(640) % 2}
    >>> speed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}).profile(steps=5)
    >>> speed.steps, speed.rows, speed.waiting
    (5, 160, None)
    """
    if steps is not None:
        require_size("profile(steps=)", steps)
    feed.peek()  # the first batch also pays for loading and compiling
    wait_until_compiled()
    workers = feed._setup.workers
    speed = _measure_feed(feed, 0, 0, steps)
    if workers:
        # other rows if there are some, as those of the first run may be in the disk cache
        speed = replace(_measure_feed(feed, workers, speed.steps, steps), seconds=speed.seconds)
    return speed


def train(feed: Feed, model: Any, steps: int | None = None) -> Speed:
    """Measure how long training waits for a feed, compared with steps on one repeated batch.

    This trains the model, and compiles it with `polyhead.compile` if it is not compiled; the feed's position does not
    change.

    Args:
        steps: the number of steps of each run, after the one in which Keras compiles.

    Raises:
        ContractError: ``steps`` is not an integer of at least 2, or the feed does not fit the model.
    """
    steps = TRAINED if steps is None else steps
    require_size("train(steps=)", steps, 2)
    if not getattr(model, "compiled", False):
        compile_for(model, feed, optimizer="sgd")
    trials = [_Trial(feed, model, steps, constant) for constant in (True, False)]
    for trial in trials:
        model.fit(trial, verbose=0)
    alone, training = (trial.timer.speed() for trial in trials)
    if alone is None or training is None:
        few = "Give a feed of more rows, or a model of fewer steps_per_execution."
        raise ContractError(Problem("train(steps=)", "steps enough to measure", str(steps), few))
    return replace(training, alone=alone.step)


def _measure_feed(feed: Feed, workers: int, first: int, steps: int | None) -> Speed:
    """Measure making batches from step ``first`` on, and discard them."""
    if first + (steps or FEWEST) > len(feed):
        first = 0
    stop = min(first + (steps or len(feed)), len(feed))
    iterator, meter = feed._iterator, Meter()
    done = rows = 0
    for block in iterator.blocks(feed.epoch, first, meter=meter, workers=workers, stop=stop):
        done += sum(1 for _ in iterator.cut(iter([block]), feed._own))
        rows += len(block.ids)
        if steps is None and done >= FEWEST and meter.elapsed > SECONDS:
            break
    meter.end()
    return meter.alone(feed._setup, workers, done, rows)


class _Trial(KerasInput):
    """Some steps of a feed, or one of its batches repeated, for measuring `fit`."""

    def __init__(self, feed: Feed, model: Any, steps: int, constant: bool) -> None:
        self._feed, self._count, self._constant = feed, steps, constant
        each = steps_per_execution(model)
        # batches prepared while the first step compiles are not representative
        ahead = 1 if constant else (feed._setup.workers + 2) * BLOCK
        self._total = (-(-ahead // each) + -(-(steps + 1) // each)) * each
        self.timer = StepTimer(feed._setup, model, steps, ahead)

    def _steps(self, call: Call) -> int | None:
        return self._total

    def _specs(self, call: Call) -> Any:
        return self._feed._specs(call)

    def _sizes(self, call: Call) -> dict[str, int]:
        return self._feed._sizes(call)

    def _lends(self, array: Any) -> bool:
        return self._feed._lends(array)

    def _batches(self, call: Call, convert: Convert | None = None) -> Iterator[Any]:
        structure = self._feed._structure_for(call)
        if call.probing:
            return iter([self._feed._iterator.peek(structure, convert)])
        batches = (
            itertools.repeat(self._feed._iterator.peek(structure, convert))
            if self._constant
            else self._measured(structure, convert)
        )
        return itertools.islice(self.timer.timed(batches), self._total)

    def _measured(self, structure: Any, convert: Convert | None) -> Iterator[Any]:
        iterator = self._feed._iterator
        blocks = iterator.blocks(self._feed.epoch, epochs=None, meter=self.timer.meter, most=BLOCK)
        return iterator.cut(blocks, structure, convert)
