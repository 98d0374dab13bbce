"""Where the time of a feed goes: seconds by stage, waiting against working, what holds back and what helps.

A `Meter` is given to who works only while somebody measures; else there is None in its place.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

STAGES = {
    "order": "choosing rows",
    "read": "reading",
    "decode": "decoding",
    "warp": "resizing and augmenting",
    "mix": "mixing rows",
    "inputs": "encoding inputs",
    "labels": "encoding labels and weights",
    "hand over": "handing batches over",
}
"""The stages in the order in which data passes them, and the words for them."""

WAITING = 0.2
"""The share of a step that may go to waiting before it is worth a word."""

MOST_READERS = 16


class Laps:
    """The time of one piece of work, stage by stage, in the thread that does it."""

    __slots__ = ("_last", "_meter", "seconds")

    def __init__(self, meter: Meter) -> None:
        self._meter, self.seconds = meter, dict.fromkeys(STAGES, 0.0)
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        """All since the last call was this stage."""
        now = time.perf_counter()
        self.seconds[stage] += now - self._last
        self._last = now

    def beside(self) -> Laps:
        """A clock of its own for a part of the work, which another thread may do."""
        return Laps(self._meter)

    def include(self, parts: Iterable[Laps]) -> None:
        """Add the time of parts of the work; it stands for all since the last call."""
        for part in parts:
            for stage, value in part.seconds.items():
                self.seconds[stage] += value
        self._last = time.perf_counter()

    def done(self, rows: int) -> None:
        """Hand it in."""
        self._meter.add(self.seconds, rows)


class Meter:
    """Seconds by stage, summed over threads.

    >>> meter = Meter()
    >>> laps = meter.laps()
    >>> laps("read")
    >>> laps.done(rows=32)
    >>> meter.rows, meter.seconds["read"] > 0
    (32, True)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.on, self.rows, self.seconds = True, 0, dict.fromkeys(STAGES, 0.0)
        self._begun, self._ended, self._busy = time.perf_counter(), 0.0, 0.0
        self._warming = False

    def begin(self) -> None:
        """The beginning is over, in which much is done once: forget it as soon as there is anything else."""
        with self._lock:
            self._begun, self._busy, self._warming = time.perf_counter(), 0.0, True

    def end(self, at: float | None = None) -> None:
        """Measure no more; ``at`` is when what was measured ended, by ``time.perf_counter``."""
        if self.on:
            self.on, self._ended = False, time.perf_counter() if at is None else at

    @property
    def steady(self) -> bool:
        """Whether work was handed in since the beginning was over."""
        return self.rows > 0 and not self._warming

    @property
    def busy(self) -> float:
        """Threads at work in the mean."""
        return self._busy / max(1e-9, (self._ended or time.perf_counter()) - self._begun)

    @property
    def each(self) -> dict[str, float]:
        """Seconds of a row, by stage."""
        return {stage: value / max(1, self.rows) for stage, value in self.seconds.items()}

    def laps(self) -> Laps | None:
        """A clock for one piece of work; None once nothing is measured."""
        return Laps(self) if self.on else None

    def add(self, seconds: Mapping[str, float], rows: int) -> None:
        """What one piece of work took."""
        with self._lock:
            if self.on:
                if self._warming:
                    self.rows, self.seconds, self._warming = 0, dict.fromkeys(STAGES, 0.0), False
                self.rows += rows
                self._busy += sum(seconds.values())
                for stage, value in seconds.items():
                    self.seconds[stage] += value


def cores() -> int:
    """Processors that this process may use."""
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known is not None else os.cpu_count() or 1


@dataclass(frozen=True)
class Facts:
    """What a remedy depends on.

    Attributes:
        workers: threads of the feed.
        cores: processors.
        row_bytes: bytes of one row as the model gets it.
        batch_size: rows in a batch.
        sequential: rows come in one order alone, from one thread.
        floats: image inputs that are handed over as float32.
        rescales: the model scales pixels by itself; None where no model is known.
    """

    workers: int
    row_bytes: int
    batch_size: int = 1
    cores: int = 1
    sequential: bool = False
    floats: tuple[str, ...] = ()
    rescales: bool | None = None


@dataclass(frozen=True)
class Speed:
    """How fast a feed is, by stage; beside a model, how long it is waited for; and what would help.

    Attributes:
        rows: that were measured.
        steps: batches that were measured.
        elapsed: seconds for them; beside a model, waiting and working together.
        seconds: for one row, by stage, in one thread.
        threads_busy: threads at work in the mean; at most the feed's workers, or 1 where it has none.
        waited: seconds that training waits for data, once what was prepared ahead is used up; None where no model
            was there.
        alone: seconds of a step on one batch that is given again and again; None where it was not measured.
        facts: what the remedy depends on.

    >>> fast = Speed(64, 2, 0.2, {"read": 0.001}, 0.7, 0.002, None, Facts(workers=1, row_bytes=10))
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
    facts: Facts = field(repr=False)

    @property
    def samples_per_s(self) -> float:
        """Rows a second, all in all."""
        return self.rows / self.elapsed if self.elapsed else 0.0

    @property
    def bytes_per_s(self) -> float:
        """Bytes of inputs and labels a second, as the model gets them."""
        return self.samples_per_s * self.facts.row_bytes

    @property
    def step(self) -> float:
        """Seconds of a step, waiting and working."""
        return self.elapsed / self.steps if self.steps else 0.0

    @property
    def waiting(self) -> float | None:
        """The share of a step that goes to waiting for data, 0 to 1; None where no model was there."""
        if self.waited is None:
            return None
        return self.waited / self.elapsed if self.elapsed else 0.0

    @property
    def slowest(self) -> str:
        """The stage that takes the most time of a row."""
        return max(self.seconds, key=lambda stage: self.seconds[stage]) if self.seconds else "hand over"

    @property
    def bottleneck(self) -> str:
        """``"model"`` where it hardly waits, else the slowest stage of the feed."""
        return "model" if self.waiting is not None and self.waiting <= WAITING else self.slowest

    @property
    def remedy(self) -> str:
        """What to do, in a sentence or two."""
        if self.bottleneck == "model":
            return "The model is the limit: leave the data as it is."
        return _remedy(self.bottleneck, self.facts, self._threads_needed())

    @property
    def also(self) -> str:
        """What is wrong beside it, or nothing: pixels that feed and model both scale."""
        if not self.facts.rescales or not self.facts.floats or "uint8" in self.remedy:
            return ""
        say = 'say ph.Image(..., dtype="uint8"), which is a quarter of the bytes as well.'
        return f"Pixels are scaled by the feed, and by the model once more: {say}"

    @property
    def verdict(self) -> str:
        """What holds back, the remedy, and what is wrong beside it."""
        return f"{self._verdict} {self.also}".strip()

    @property
    def _verdict(self) -> str:
        stage = self.bottleneck
        if stage == "model":
            return self.remedy
        share = self.seconds.get(stage, 0.0) / (sum(self.seconds.values()) or 1)
        said = f"{STAGES[stage].capitalize()} takes most of the feed's time, {share:.0%}."
        if self.waiting is None:
            return f"{said} If the model waits for data: {self.remedy[0].lower()}{self.remedy[1:]}"
        return f"{said} {self.remedy}"

    def _threads_needed(self) -> int | None:
        """Threads that would hide the feed's time behind the model's; None where no model was there."""
        if self.waited is None or not self.rows:
            return None
        works = (self.elapsed - self.waited) / self.rows
        return math.ceil(round(sum(self.seconds.values()) / max(works, 1e-9), 3))

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON takes it; times in seconds."""
        return {
            "rows": self.rows,
            "steps": self.steps,
            "seconds": self.elapsed,
            "samples_per_s": self.samples_per_s,
            "bytes_per_s": self.bytes_per_s,
            "stages": {stage: value for stage, value in self.seconds.items() if value},
            "workers": self.facts.workers,
            "threads_busy": self.threads_busy,
            "step": self.step,
            "waiting": self.waiting,
            "alone": self.alone,
            "bottleneck": self.bottleneck,
            "remedy": self.remedy,
            "also": self.also,
        }

    def __str__(self) -> str:
        lines = [
            f"{self.rows:,} rows in {self.steps:,} batches: {self.samples_per_s:,.0f} samples/s, "
            f"{self.bytes_per_s / 1e6:,.1f} MB/s"
        ]
        if self.waiting is not None and self.waited is not None:
            lines += [
                f"  {'waiting for data':<28}{self.waiting:>6.0%}   "
                f"{_time(self.waited / max(1, self.steps))} of a step of {_time(self.step)}"
            ]
        if self.alone is not None:
            ratio = f"   with it {self.step / self.alone:.2f} times that" if self.alone else ""
            lines += [f"  {'a step without the feed':<28}{_time(self.alone):>6}{ratio}"]
        threads = self.facts.workers or 1
        where = "in line" if not self.facts.workers else f"of {threads} thread{'s' * (threads > 1)}"
        lines += [f"  {'busy':<28}{self.threads_busy:>6.1f}   {where}"]
        total = sum(self.seconds.values())
        for stage, value in self.seconds.items():
            if value > 0.001 * total:
                lines += [
                    f"  {STAGES[stage]:<28}{value / total:>6.0%}   {1 / value:,.0f} samples/s in a thread"
                ]
        return "\n".join([*lines, self.verdict])


def _remedy(stage: str, facts: Facts, needed: int | None) -> str:
    """What to do about a stage that takes too long."""
    floats = bool(facts.floats) and stage in ("inputs", "hand over")
    if floats:
        rescaling = "keras.layers.Rescaling(1 / 255) at the head of the model"
        also = "as the model rescales by itself" if facts.rescales else f"with {rescaling}"
        return f'Hand over bytes, a quarter of the size: ph.Image(..., dtype="uint8"), {also}.'
    if stage == "read":
        if facts.sequential:
            return "Pack the rows once: ph.pack(source, path) makes a store that many threads read."
        more = min(MOST_READERS, max(needed or MOST_READERS, facts.workers + 1))
        pack = "Pack the data into one store, ph.pack(source, path)"
        return (
            f"{pack}, or read with more threads, Feed(workers={more})."
            if more > facts.workers
            else f"{pack}."
        )
    if needed is None and stage in ("decode", "warp", "mix"):
        needed = facts.cores
    more = min(facts.cores, max(needed or 0, facts.workers + 1))
    if facts.workers < more and not facts.sequential:
        ahead = ", which prepare batches while the model works" if not facts.workers else ""
        return f"Give it more threads: Feed(workers={more}){ahead}."
    if stage == "decode":
        return "Pack images of the size that the model gets, ph.pack(source, path), or decode less: a smaller ph.Image."
    return _LAST[stage]


_LAST = {
    "order": "Give a larger batch_size.",
    "warp": "Leave out the augmentations that cost most, or let the model get a smaller ph.Image.",
    "mix": "Mixing reads several rows for one: give it a smaller p, or pack the data, ph.pack(source, path).",
    "inputs": "Store the inputs as the model gets them, ph.pack(source, path), or give a larger batch_size.",
    "labels": "Store the labels as the model gets them, ph.pack(source, path).",
    "hand over": "Give a larger batch_size, or model.compile(steps_per_execution=...).",
}


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
