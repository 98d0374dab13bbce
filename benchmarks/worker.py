"""One arm in a process of its own: it does a run when it is told to, so that arms can take turns."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.arms import ARMS, Epochs, rows_of, unpacked
from benchmarks.workloads import MAKE, digest

CHECK_ROWS = {"table": 5000, "images": 300}


def check(arm: str, workload: str, batch_size: int) -> dict[str, Any]:
    """What the arm delivers in its first and second epoch of a smaller workload."""
    epochs = ARMS[arm](MAKE[workload](CHECK_ROWS[workload]), batch_size)
    return {"digests": [digest(map(unpacked, epochs(epoch))) for epoch in range(2)]}


class Runner:
    """An arm that is set up, and how long that took.

    Args:
        make: sets it up.
        rows_of: the rows in a batch.
    """

    def __init__(self, make: Callable[[], Epochs], rows_of: Callable[[Any], int]) -> None:
        begin = time.perf_counter()
        self.epochs = make()
        self.setup = time.perf_counter() - begin
        self.rows_of, self.epoch = rows_of, 0

    def run(self, budget: float, most: int | None = None) -> dict[str, Any]:
        """Whole epochs, one at least and ``most`` at most, until the budget of seconds is used up.

        An epoch is whole because some arms pay at its beginning, as for filling a buffer to shuffle in. What an arm
        has made between two runs is taken away by its ``settle``, before the clock starts.
        """
        if self.epoch and hasattr(self.epochs, "settle"):
            self.epochs.settle()
        _reset_peak()
        rows, done, first, others = 0, 0, None, 0.0
        begin, cpu = time.perf_counter(), cpu_seconds()
        while not done or (time.perf_counter() < begin + budget and done != most):
            for batch in self.epochs(self.epoch):
                rows += self.rows_of(batch)
                if first is None:
                    first = time.perf_counter() - begin
                    others = sum(status("Pss", f"{pid}/smaps_rollup") for pid in children()) / 1024
            self.epoch += 1
            done += 1
        seconds = time.perf_counter() - begin
        return {
            "rows_per_s": rows / seconds,
            "cpu_per_1000": 1000 * (cpu_seconds() - cpu) / rows,
            "first_batch": first,
            "setup": self.setup,
            "peak_mb": status("VmHWM") / 1024 + others,
        }


def children(of: str = "self") -> list[int]:
    """The processes that an arm has begun and that still run, and theirs."""
    found: list[int] = []
    for path in Path(f"/proc/{of}/task").glob("*/children"):
        for pid in map(int, path.read_text().split()):
            found += [pid, *children(str(pid))]
    return found


def cpu_seconds() -> float:
    """Seconds of CPU of this process, and of those that it began."""
    ended = os.times()
    ticks = 0
    for pid in children():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return (
        time.process_time() + ended.children_user + ended.children_system + ticks / os.sysconf("SC_CLK_TCK")
    )


def status(field: str, of: str = "self/status") -> int:
    """A field of a process's status, in kB; 0 where there is none."""
    path = Path("/proc", of)
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # the peak is then that of the whole process


def serve(check: Callable[[int], Any], make: Callable[[int], Epochs], rows_of: Callable[[Any], int]) -> None:
    """Read commands, one JSON object a line, and answer each with one.

    Args:
        check: what the arm delivers, for a batch size.
        make: sets it up, for a batch size.
        rows_of: the rows in one of its batches.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not stand among the answers
    runner: Runner | None = None
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["do"] == "check":
            answer = check(ask["batch_size"])
        elif ask["do"] == "open":
            runner = None
            runner = Runner(partial(make, ask["batch_size"]), rows_of)
            answer = runner.run(ask["budget"], most=1)
        else:
            assert runner is not None
            answer = runner.run(ask["budget"])
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """One arm over a workload in memory."""
    arm, name, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    workload = MAKE[name](rows)
    serve(partial(check, arm, name), partial(ARMS[arm], workload), rows_of)


if __name__ == "__main__":
    main()
