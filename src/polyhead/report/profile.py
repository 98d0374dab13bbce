"""How fast a feed is by itself, and beside a model."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from polyhead.compiled import settled
from polyhead.errors import ContractError, Problem, is_size, shown
from polyhead.feed import Feed
from polyhead.keras_bridge.adapter import Call, Convert, KerasInput
from polyhead.keras_bridge.compile import compile as compile_for
from polyhead.keras_bridge.waiting import Watch
from polyhead.speed import Meter, Speed

SECONDS = 2.0
"""How long each part takes at least, where nobody says how many steps."""

FEWEST, TRAINED, BLOCK = 4, 30, 4


def profile(feed: Feed, steps: int | None = None) -> Speed:
    """How fast a feed is without a model; see `Feed.profile`.

    >>> import numpy as np
    >>> import polyhead as ph
    >>> data = {"x": np.zeros((640, 8)), "y": np.arange(640) % 2}
    >>> speed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()}).profile(steps=5)
    >>> speed.steps, speed.rows, speed.waiting
    (5, 160, None)
    """
    _require(steps, "profile(steps=)", 1)
    feed.peek()  # what is loaded and compiled with the first batch is not of the others
    settled()
    workers, meter = feed._facts.workers, Meter()
    done, rows, seconds = _go(feed, meter, 0, 0, steps)
    each, busy = meter.each, min(1.0, meter.busy)
    each["hand over"] += max(0.0, seconds / rows - sum(each.values()))
    if workers:
        # of other rows where there are some: a disk has those of the first run at hand
        meter = Meter()
        done, rows, seconds = _go(feed, meter, done, workers, steps)
        busy = min(workers, meter.busy)
    return Speed(rows, done, seconds, each, busy, None, None, feed._facts)


def train(feed: Feed, model: Any, steps: int | None = None) -> Speed:
    """How long training waits for a feed, and how long a step takes on one batch given again and again.

    The model is trained, and compiled by `polyhead.compile` where it is not; the feed stands where it stood.

    Args:
        feed: the feed.
        model: a Keras model.
        steps: steps of each, behind the one in which Keras compiles.

    Raises:
        ContractError: ``steps`` is no integer of at least 2, or the feed does not fit the model.
    """
    _require(steps, "train(steps=)", 2)
    steps = steps or TRAINED
    if not getattr(model, "compiled", False):
        compile_for(model, feed, optimizer="sgd")
    times = []
    for constant in (True, False):
        trial = _Trial(feed, model, steps, constant)
        model.fit(trial, verbose=0)
        times.append(trial.watch.speed())
    alone, found = times
    if alone is None or found is None:
        few = "Give a feed of more rows, or a model of fewer steps_per_execution."
        raise ContractError(Problem("train(steps=)", "steps enough to measure", str(steps), few))
    return replace(found, alone=alone.step)


def _require(steps: Any, where: str, least: int) -> None:
    if steps is not None and not is_size(steps, least):
        raise ContractError(Problem(where, f"an integer of at least {least}", shown(steps)))


def _go(feed: Feed, meter: Meter, first: int, workers: int, steps: int | None) -> tuple[int, int, float]:
    """Make batches and let them go: how many, of how many rows, in how many seconds."""
    count = min(steps or len(feed), len(feed))
    if first + (steps or FEWEST) > len(feed):
        first = 0
    drawing, structure = feed._drawing, feed._own
    stop = min(first + count, len(feed))
    blocks = drawing.blocks(feed.epoch, first, meter=meter, workers=workers, stop=stop)
    begun = time.perf_counter()
    done = rows = 0
    seconds = 0.0
    for block in blocks:
        done += sum(1 for _ in drawing.cut(iter([block]), structure))
        rows += len(block.ids)
        seconds = time.perf_counter() - begun
        if steps is None and done >= FEWEST and seconds > SECONDS:
            break
    meter.end()
    return done, rows, seconds


class _Trial(KerasInput):
    """Some steps of a feed, or one batch of it again and again, for a `fit` that is measured."""

    def __init__(self, feed: Feed, model: Any, steps: int, constant: bool) -> None:
        self._feed, self._count, self._constant = feed, steps, constant
        each = max(1, int(getattr(model, "steps_per_execution", None) or 1))
        # what is prepared while the first step compiles says nothing about the rest
        ahead = 1 if constant else (feed._facts.workers + 2) * BLOCK
        self._total = (-(-ahead // each) + -(-(steps + 1) // each)) * each
        self.watch = Watch(feed._facts, model, steps, 0.0, aloud=False, skip=ahead)

    def _steps(self, call: Call) -> int | None:
        return self._total

    def _specs(self, call: Call) -> Any:
        return self._feed._specs(call)

    def _sizes(self, call: Call) -> tuple[int, ...]:
        return self._feed._sizes(call)

    def _lends(self, array: Any) -> bool:
        return self._feed._lends(array)

    def _batches(self, call: Call, convert: Convert | None = None) -> Iterator[Any]:
        structure = self._feed._structure_for(call)
        if call.probing:
            return iter([self._feed._drawing.peek(structure, convert)])
        made = (
            itertools.repeat(self._feed._drawing.peek(structure, convert))
            if self._constant
            else self._made(structure, convert)
        )
        return itertools.islice(self.watch.timed(made), self._total)

    def _made(self, structure: Any, convert: Convert | None) -> Iterator[Any]:
        drawing = self._feed._drawing
        blocks = drawing.blocks(drawing.epoch, epochs=None, meter=self.watch.meter, most=BLOCK)
        return drawing.cut(blocks, structure, convert)
