"""How long training waits for data, seen from the iterator that Keras draws batches from.

Time inside the iterator is waiting, time between two batches is the step. JAX, and PyTorch on a GPU, return from a
step before the device has done it. So while this measures, the device is waited for first: then neither is its
work taken for data that is late, nor the other way round. The first step, in which Keras compiles, does not count.

What was prepared ahead by then hides for a while that a feed is too slow. So the rate at which its threads work is
measured as well: training waits at least as long as they take more than the model.
"""

from __future__ import annotations

import statistics
import sys
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from polyhead.keras_bridge.adapter import Call
from polyhead.keras_bridge.rescaling import rescaling
from polyhead.speed import STAGES, WAITING, Facts, Meter, Speed

SECONDS = 2.0
STEPS = 20
"""A fit that nobody asked to measure is measured for so long, and for so many steps at least."""


class Watch:
    """One run of training that is measured.

    Args:
        facts: about the feed.
        model: that is trained.
        steps: how many steps at least, and at most where ``seconds`` is 0.
        seconds: how many seconds at least.
        aloud: say so, once, where it waits too long.
        skip: how many steps to leave out at the beginning, at least.
    """

    def __init__(
        self,
        facts: Facts,
        model: Any,
        steps: int = STEPS,
        seconds: float = SECONDS,
        aloud: bool = True,
        skip: int = 1,
    ) -> None:
        self.meter = Meter()
        scale = rescaling(model)
        self._facts = replace(facts, rescales=scale is not None and scale < 0.01)
        self._model, self._steps, self._seconds, self._aloud = weakref.ref(model), steps, seconds, aloud
        self._each = max(1, int(getattr(model, "steps_per_execution", None) or 1))
        self._skip = -(-skip // self._each) * self._each
        self._drawn, self._waits, self._works = 0, 0.0, list[float]()
        self._spent = self._settled = 0.0
        self._last: float | None = None
        self.over = False

    def timed(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The same batches, measured until this is over and handed through from then on."""
        here, left = 0, 0.0
        while not self.over:
            entered = time.perf_counter()
            self._settle()
            asked = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            now = time.perf_counter()
            # a step follows when so many batches were drawn as it takes; none is known before the first
            stepped = here > 0 and here % self._each == 0
            self._note(asked - left if stepped else None, asked - entered, now - asked)
            here, left = here + 1, now
            self._last = now
            yield batch
        yield from batches

    def _note(self, worked: float | None, settled: float, waited: float) -> None:
        """One batch was drawn: the steps before took ``worked``, ``settled`` of it for the device to end."""
        self._drawn += 1
        if self._drawn <= self._skip:  # nothing was trained yet, or it was compiled behind
            return
        if self._drawn == self._skip + 1:
            self.meter.begin()
        elif worked is not None:
            self._works.append(worked)
            self._spent += worked
        # what is made in line is made while the device works, where it does
        late = waited if self._facts.workers else max(0.0, waited - settled)
        self._waits, self._spent = self._waits + late, self._spent + late
        self._settled += settled
        if self.steps >= self._steps and self._spent >= self._seconds:
            self.end()

    @property
    def steps(self) -> int:
        """Steps that were measured."""
        return max(0, self._drawn - self._skip)

    def end(self) -> None:
        """Measure no more."""
        if self.over:
            return
        self.over = True
        self.meter.end(self._last)
        if self._aloud and self.meter.steady:
            speed = self.speed()
            if speed is not None and (speed.waiting or 0) > WAITING:
                print(words(speed), file=sys.stderr, flush=True)

    def speed(self) -> Speed | None:
        """What was measured; None where that was too little."""
        self.meter.end(self._last)
        if self.steps < 2 or not self._works:
            return None
        # the median, as a step may be compiled anew, or be followed by validation
        worked = statistics.median(self._works) * self.steps / self._each
        waited = max(self._waits, self._late(worked)) if self.meter.steady else self._waits
        busy = min(max(1.0, self._facts.workers), self.meter.busy)
        rows = self.steps * self._facts.batch_size
        return Speed(rows, self.steps, waited + worked, self.meter.each, busy, waited, None, self._facts)

    def _late(self, worked: float) -> float:
        """How long these steps wait by the rate at which the feed works."""
        feed = sum(self.meter.each.values()) * self._facts.batch_size * self.steps
        workers = self._facts.workers
        return max(0.0, feed / workers - worked) if workers else max(0.0, feed - self._settled)

    def _settle(self) -> None:
        """Wait until the device has done its step, where a backend would not."""
        state = getattr(self._model(), "_jax_state", None)
        if isinstance(state, dict):
            for array in (a for group in state.values() if group for a in group):
                if not array.is_deleted():  # as one is that a step has taken
                    array.block_until_ready()
                return
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.synchronize()


def words(speed: Speed) -> str:
    """The line that a fit says, where it waits too long."""
    slow = STAGES[speed.bottleneck]
    share = speed.waiting or 0.0
    return f"polyhead: training waits for data {share:.0%} of its time, most of it for {slow}. {speed.remedy}"


_RUNS: weakref.WeakKeyDictionary[Any, Watch] = weakref.WeakKeyDictionary()


class Asks:
    """A callback that asks for the run of training which it stands beside to be measured.

    Attributes:
        steps: how many steps at most.
        watch: who measures, once the run has begun.
    """

    steps: int
    watch: Watch | None = None


def watch(call: Call, facts: Facts, aloud: bool) -> Watch | None:
    """Who measures the run that asks for batches; None where nobody does, any more.

    Args:
        call: of Keras.
        facts: about the feed.
        aloud: a run that nobody asked to measure may say that it waits too long.
    """
    if call.use != "fit" or call.probing or call.model is None or call.run is None:
        return None
    found = _RUNS.get(call.run)
    if found is None:
        asks = next((one for one in call.callbacks if isinstance(one, Asks)), None)
        if asks is not None:
            found = asks.watch = Watch(facts, call.model, asks.steps, 0.0, aloud=False)
        elif aloud and call.verbose:
            found = Watch(facts, call.model)
        else:
            return None
        _RUNS[call.run] = found
    return None if found.over else found
