"""Measures how long training waits for data, in the iterator that Keras draws batches from.

Time inside the iterator is waiting; time between two batches is the step. JAX, and PyTorch on a GPU, return from a
step before the device has finished it. So the timer first waits for each measured step to finish, or the work of the
device would count as waiting. The first step, in which Keras compiles, does not count.
"""

from __future__ import annotations

import statistics
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from polyhead.keras_bridge.fit_epochs import steps_per_execution
from polyhead.keras_bridge.keras_call import Call
from polyhead.keras_bridge.model_layers import rescaling
from polyhead.profiling import SECONDS, Meter, Speed
from polyhead.remedies import Setup

STEPS = 20
"""The fewest steps to measure, unless a number is given."""


class StepTimer:
    """Times the steps of one run of training.

    Args:
        steps: the number of steps to measure; None to measure for some seconds, and then print a line if training waits
            too long.
        skip: the least number of steps to skip at the beginning.
    """

    def __init__(self, setup: Setup, model: Any, steps: int | None = None, skip: int = 1) -> None:
        self.meter = Meter()
        scale = rescaling(model)
        self._setup = replace(setup, rescales=scale is not None and scale < 0.01)
        self._model, self._warn = weakref.ref(model), steps is None
        self._steps, self._seconds = (STEPS, SECONDS) if steps is None else (steps, 0.0)
        self._steps_per_execution = steps_per_execution(model)
        self._skip = -(-skip // self._steps_per_execution) * self._steps_per_execution
        self._drawn, self._waited, self._step_seconds = 0, 0.0, list[float]()
        self._measured = self._device_waited = 0.0
        self._last_drawn_at: float | None = None
        self.over = False

    def timed(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield the batches, timing them until the measurement is over."""
        yielded, yielded_at = 0, 0.0
        while not self.over:
            entered = self.meter.clock()
            self._wait_for_device()
            requested = self.meter.clock()
            try:
                batch = next(batches)
            except StopIteration:
                return
            now = self.meter.clock()
            # the model may take several batches per execution; nothing is known before the first
            stepped = yielded > 0 and yielded % self._steps_per_execution == 0
            self._record(requested - yielded_at if stepped else None, requested - entered, now - requested)
            yielded, yielded_at = yielded + 1, now
            self._last_drawn_at = now
            yield batch
        yield from batches

    def _record(self, worked: float | None, settled: float, waited: float) -> None:
        """Record a batch.

        Args:
            worked: the seconds that the steps since the last batch took; None if there was none.
            settled: how many of them were spent waiting for the device.
            waited: the seconds until the batch was ready.
        """
        self._drawn += 1
        if self._drawn <= self._skip:  # no step has run yet, or one that compiled
            return
        if self._drawn == self._skip + 1:
            self.meter.begin()
        elif worked is not None:
            self._step_seconds.append(worked)
            self._measured += worked
        # without threads, batches are made while the device works, if it works asynchronously
        late = waited if self._setup.workers else max(0.0, waited - settled)
        self._waited, self._measured = self._waited + late, self._measured + late
        self._device_waited += settled
        if self.steps >= self._steps and self._measured >= self._seconds:
            self.end()

    @property
    def steps(self) -> int:
        """The number of steps measured."""
        return max(0, self._drawn - self._skip)

    def end(self) -> None:
        """Stop measuring, and warn if training waits too long."""
        if self.over:
            return
        self.over = True
        self.meter.end(self._last_drawn_at)
        if self._warn and self.meter.steady:
            speed = self.speed()
            if speed is not None and speed.bottleneck != "model":
                print(speed.line, file=sys.stderr, flush=True)

    def speed(self) -> Speed | None:
        """The result; None if too few steps were measured."""
        self.meter.end(self._last_drawn_at)
        if self.steps < 2 or not self._step_seconds:
            return None
        # the median, as steps may be compiled again or followed by validation
        worked = statistics.median(self._step_seconds) * self.steps / self._steps_per_execution
        return self.meter.beside_model(self._setup, self.steps, worked, self._waited, self._device_waited)

    def _wait_for_device(self) -> None:
        """Wait until the device has finished its step, if the backend has not waited."""
        state = getattr(self._model(), "_jax_state", None)
        if isinstance(state, dict):
            for array in (a for group in state.values() if group for a in group):
                if not array.is_deleted():  # a step may have taken it
                    array.block_until_ready()
                return
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.synchronize()


_RUNS: weakref.WeakKeyDictionary[Any, StepTimer] = weakref.WeakKeyDictionary()


def step_timer(call: Call, setup: Callable[[], Setup], warn: bool) -> StepTimer | None:
    """Return the timer of the run of ``fit`` that asks for batches; None if it is not or no longer measured.

    Args:
        warn: whether to measure a run without the callback `Profile`, and warn if it waits too long.
    """
    if call.use != "fit" or call.probing or call.model is None or call.run is None:
        return None
    from polyhead.keras_bridge.callbacks import Profile

    timer = _RUNS.get(call.run)
    if timer is None:
        profile = next((callback for callback in call.callbacks if isinstance(callback, Profile)), None)
        if profile is not None:
            timer = profile.timer = StepTimer(setup(), call.model, profile.steps)
        elif warn and call.verbose:
            timer = StepTimer(setup(), call.model)
        else:
            return None
        _RUNS[call.run] = timer
    return None if timer.over else timer
