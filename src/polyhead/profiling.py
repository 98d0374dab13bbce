"""Measures where the time of a feed goes, and names the bottleneck.

`feed.profile()`, ``polyhead profile``, the callback `Profile` and the line that ``fit`` prints all measure with a
`Meter` and report a `Speed`.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from polyhead.errors import counted
from polyhead.remedies import Setup, remedy_beside, remedy_for

clock: Callable[[], float] = time.perf_counter
"""The clock of all measurements, in seconds."""

STAGES = {
    "order": "choosing rows",
    "read": "reading",
    "decode": "decoding",
    "warp": "resizing and augmenting",
    "mix": "mixing rows",
    "check": "checking values",
    "inputs": "encoding inputs",
    "labels": "encoding labels and weights",
    "hand over": "handing batches over",
}
"""The stages in the order in which data passes through them, and their names."""

WAITING = 0.2
"""The fraction of time that training may wait for data before the feed counts as the bottleneck."""

SLOWER = 0.1
"""The fraction by which a step may take longer with a feed than on one batch before it is reported."""

SECONDS = 2.0
"""The least seconds to measure, if no number of steps is given."""


class Laps:
    """The time of one piece of work, stage by stage, in the thread that does it."""

    __slots__ = ("_last", "_meter", "seconds")

    def __init__(self, meter: Meter) -> None:
        self._meter, self.seconds = meter, dict.fromkeys(STAGES, 0.0)
        self._last = meter.clock()

    def __call__(self, stage: str) -> None:
        """Attribute the time since the last call to a stage."""
        now = self._meter.clock()
        self.seconds[stage] += now - self._last
        self._last = now

    def beside(self) -> Laps:
        """Return a separate stopwatch for a part of the work, which another thread may do."""
        return Laps(self._meter)

    def include(self, parts: Iterable[Laps]) -> None:
        """Add the times of parts of the work instead of the time since the last call."""
        for part in parts:
            for stage, value in part.seconds.items():
                self.seconds[stage] += value
        self._last = self._meter.clock()

    def done(self, rows: int) -> None:
        """Add the time to the meter."""
        self._meter.add(self.seconds, rows)


class _NoLaps(Laps):
    """Measures nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        pass

    def __call__(self, stage: str) -> None:
        pass

    def beside(self) -> Laps:
        return self

    def include(self, parts: Iterable[Laps]) -> None:
        pass

    def done(self, rows: int) -> None:
        pass


NO_LAPS = _NoLaps()


class Meter:
    """Measures seconds by stage, summed over threads, from its creation until `end`.

    >>> meter = Meter()
    >>> laps = meter.laps()
    >>> laps("read")
    >>> laps.done(rows=32)
    >>> meter.rows, meter.seconds["read"] > 0
    (32, True)
    """

    def __init__(self) -> None:
        self._lock, self.clock = threading.Lock(), clock
        self.on, self.rows, self.seconds = True, 0, dict.fromkeys(STAGES, 0.0)
        self._begun, self._ended, self._busy = self.clock(), 0.0, 0.0
        self._warming = False

    def begin(self) -> None:
        """Restart: measurements so far, which include one-time work, are discarded when the next work is added."""
        with self._lock:
            self._begun, self._busy, self._warming = self.clock(), 0.0, True

    def end(self, at: float | None = None) -> None:
        """Stop measuring; ``at`` is the time on the meter's clock when the measured work ended."""
        if self.on:
            self.on, self._ended = False, self.clock() if at is None else at

    @property
    def steady(self) -> bool:
        """True if work was added since `begin`."""
        return self.rows > 0 and not self._warming

    @property
    def elapsed(self) -> float:
        """Seconds from the beginning until the end, or until now."""
        return (self.clock() if self.on else self._ended) - self._begun

    @property
    def per_row(self) -> dict[str, float]:
        """Seconds per row in one thread, by stage."""
        return {stage: value / max(1, self.rows) for stage, value in self.seconds.items()}

    def laps(self) -> Laps | None:
        """Return a stopwatch for one piece of work; None once the meter has ended."""
        return Laps(self) if self.on else None

    def add(self, seconds: Mapping[str, float], rows: int) -> None:
        """Add the seconds of one piece of work, by stage."""
        with self._lock:
            if self.on:
                if self._warming:
                    self.rows, self.seconds, self._warming = 0, dict.fromkeys(STAGES, 0.0), False
                self.rows += rows
                self._busy += sum(seconds.values())
                for stage, value in seconds.items():
                    self.seconds[stage] += value

    def alone(self, setup: Setup, workers: int, steps: int, rows: int) -> Speed:
        """The speed of a feed without a model: ``workers`` threads made ``steps`` batches of ``rows`` in all."""
        seconds = self.per_row
        if not workers:  # in line, time that belongs to no stage is spent on handing batches over
            seconds["hand over"] += max(0.0, self.elapsed / rows - sum(seconds.values()))
        return Speed(rows, steps, self.elapsed, seconds, self._threads_busy(workers), None, None, setup)

    def beside_model(self, setup: Setup, steps: int, worked: float, waited: float, settled: float) -> Speed:
        """The speed of a feed with a model.

        Batches that were prepared ahead hide for a while that a feed is too slow, so waiting is taken to be at least
        the time that the feed needs beyond the model's.

        Args:
            steps: the number of measured batches.
            waited: seconds that it was observed to wait for data.
            settled: seconds of ``worked`` in which the program waited for the device.
        """
        rows, seconds = steps * setup.batch_size, self.per_row
        if self.steady:
            needed = sum(seconds.values()) * rows / max(1, setup.workers)
            waited = max(waited, needed - (worked if setup.workers else settled))
        return Speed(
            rows, steps, waited + worked, seconds, self._threads_busy(setup.workers), waited, None, setup
        )

    def _threads_busy(self, workers: int) -> float:
        return min(max(1.0, workers), self._busy / max(1e-9, self.elapsed))


def cores() -> int:
    """The number of processors that this process may use."""
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known is not None else os.cpu_count() or 1


def duration(seconds: float) -> str:
    """Format seconds, as 12.3 ms."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


@dataclass(frozen=True)
class Speed:
    """The speed of a feed by stage; with a model, how long training waits for it; the bottleneck and a remedy.

    Attributes:
        rows: the number of measured rows.
        steps: the number of measured batches.
        elapsed: seconds that they took; with a model, waiting and working together.
        seconds: seconds for one row in one thread, by stage.
        threads_busy: the average number of busy threads; at most the feed's workers, or 1 without workers.
        waited: seconds that training waits for data, once prepared batches are used up; None without a model.
        alone: seconds of a step on one repeated batch; None if it was not measured.
        setup: the feed, the machine and the model.

    >>> fast = Speed(64, 2, 0.2, {"read": 0.001}, 0.7, 0.002, None, Setup(workers=1, row_bytes=10))
    >>> fast.bottleneck, fast.remedy, fast.samples_per_s
    ('model', 'The model is the limit: leave the data as it is.', 320.0)
    """

    rows: int
    steps: int
    elapsed: float
    seconds: Mapping[str, float]
    threads_busy: float
    waited: float | None
    alone: float | None
    setup: Setup = field(repr=False)

    @property
    def samples_per_s(self) -> float:
        """Rows per second."""
        return self.rows / self.elapsed if self.elapsed else 0.0

    @property
    def bytes_per_s(self) -> float:
        """Bytes of inputs and labels per second, as the model gets them."""
        return self.samples_per_s * self.setup.row_bytes

    @property
    def step(self) -> float:
        """Seconds per step, waiting and working."""
        return self.elapsed / self.steps if self.steps else 0.0

    @property
    def waiting(self) -> float | None:
        """The fraction of a step spent waiting for data, 0 to 1; None without a model."""
        return None if self.waited is None else self.waited / (self.elapsed or 1)

    @property
    def slower(self) -> float | None:
        """How much longer a step takes with the feed than on a repeated batch, 0.15 for 15 %; None if not measured."""
        return None if not self.alone else self.step / self.alone - 1

    @property
    def bottleneck(self) -> str:
        """``"model"`` if it hardly waits for data, else the slowest stage of the feed."""
        if self.waiting is not None and self.waiting <= WAITING:
            return "model"
        return self._slowest

    @property
    def _slowest(self) -> str:
        return max(self.seconds, key=self.seconds.__getitem__, default="hand over")

    @property
    def remedy(self) -> str:
        """The remedy, in a sentence or two."""
        if self.bottleneck == "model" and (self.slower or 0) > SLOWER:
            return remedy_beside(self._slowest, self.setup)
        if self.bottleneck == "model":
            return "The model is the limit: leave the data as it is."
        return remedy_for(self.bottleneck, self.setup, self._threads_needed())

    @property
    def also(self) -> str:
        """A further mistake: pixels that both feed and model scale; else empty."""
        if not self.setup.rescales or not self.setup.floats or "uint8" in self.remedy:
            return ""
        say = 'say ph.Image(..., dtype="uint8"), which is a quarter of the bytes as well.'
        return f"Pixels are scaled by the feed, and by the model once more: {say}"

    @property
    def verdict(self) -> str:
        """The bottleneck, the remedy and any further mistake, in words."""
        stage, remedy = self.bottleneck, self.remedy
        if stage == "model" and (self.slower or 0) > SLOWER:
            text = f"A step takes {self.slower:.0%} longer with the feed than on one batch, though it hardly waits: "
            text += f"on a CPU, a feed takes cores from the step. {remedy}"
        elif stage == "model":
            text = remedy
        elif self.waiting is None:
            share = self.seconds.get(stage, 0.0) / (sum(self.seconds.values()) or 1)
            text = f"{STAGES[stage].capitalize()} takes most of the feed's time, {share:.0%}. "
            text += f"If the model waits for data: {_lower(remedy)}"
        else:
            text = f"Training waits for data {self.waiting:.0%} of its time, most of it for {STAGES[stage]}. {remedy}"
        return f"{text} {self.also}".strip()

    @property
    def line(self) -> str:
        """The verdict as one line of a program's output."""
        return f"polyhead: {_lower(self.verdict)}"

    def _threads_needed(self) -> int | None:
        """The number of threads that would hide the feed's time behind the model's; None without a model."""
        if self.waited is None or not self.rows:
            return None
        model_s_per_row = (self.elapsed - self.waited) / self.rows
        return math.ceil(round(sum(self.seconds.values()) / max(model_s_per_row, 1e-9), 3))

    def as_dict(self) -> dict[str, Any]:
        """Return all results as a dict for JSON; times are in seconds."""
        return {
            "rows": self.rows,
            "steps": self.steps,
            "seconds": self.elapsed,
            "samples_per_s": self.samples_per_s,
            "bytes_per_s": self.bytes_per_s,
            "stages": {stage: value for stage, value in self.seconds.items() if value},
            "workers": self.setup.workers,
            "threads_busy": self.threads_busy,
            "step": self.step,
            "waiting": self.waiting,
            "alone": self.alone,
            "slower": self.slower,
            "bottleneck": self.bottleneck,
            "remedy": self.remedy,
            "also": self.also,
        }

    def __str__(self) -> str:
        lines = [
            f"{counted(self.rows, 'row')} in {counted(self.steps, 'batch')}: {self.samples_per_s:,.0f} samples/s, "
            f"{self.bytes_per_s / 1e6:,.1f} MB/s"
        ]
        if self.waiting is not None and self.waited is not None:
            each = duration(self.waited / max(1, self.steps))
            lines += [
                f"  {'waiting for data':<28}{self.waiting:>6.0%}   {each} of a step of {duration(self.step)}"
            ]
        if self.alone is not None:
            ratio = f"   with it {self.step / self.alone:.2f} times that" if self.alone else ""
            lines += [f"  {'a step without the feed':<28}{duration(self.alone):>6}{ratio}"]
        threads = self.setup.workers or 1
        where = "in line" if not self.setup.workers else f"of {threads} thread{'s' * (threads > 1)}"
        lines += [f"  {'busy':<28}{self.threads_busy:>6.1f}   {where}"]
        total = sum(self.seconds.values())
        for stage, value in self.seconds.items():
            if value > 0.001 * total:
                lines += [
                    f"  {STAGES[stage]:<28}{value / total:>6.0%}   {1 / value:,.0f} samples/s in a thread"
                ]
        return "\n".join([*lines, self.verdict])


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
