"""One arm in a process of its own: it does a run when it is told to, so that arms can take turns."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.arms import ARMS, Epochs, rows_of, unpacked
from benchmarks.workloads import MAKE, Workload, digest

CHECK_ROWS = {"table": 5000, "images": 300}


def check(arm: str, workload: str, batch_size: int) -> dict[str, Any]:
    """What the arm delivers in its first and second epoch of a smaller workload."""
    epochs = ARMS[arm](MAKE[workload](CHECK_ROWS[workload]), batch_size)
    return {"digests": [digest(map(unpacked, epochs(epoch))) for epoch in range(2)]}


class Runner:
    """An arm over one workload at one batch size."""

    def __init__(self, arm: str, workload: Workload, batch_size: int) -> None:
        begin = time.perf_counter()
        self.epochs: Epochs = ARMS[arm](workload, batch_size)
        self.setup = time.perf_counter() - begin
        self.epoch = 0

    def run(self, budget: float, most: int | None = None) -> dict[str, Any]:
        """Whole epochs, one at least and ``most`` at most, until the budget of seconds is used up.

        An epoch is whole because some arms pay at its beginning, as for filling a buffer to shuffle in.
        """
        _reset_peak()
        rows, done, first = 0, 0, None
        begin, cpu = time.perf_counter(), time.process_time()
        while not done or (time.perf_counter() < begin + budget and done != most):
            for batch in self.epochs(self.epoch):
                rows += rows_of(batch)
                if first is None:
                    first = time.perf_counter() - begin
            self.epoch += 1
            done += 1
        seconds = time.perf_counter() - begin
        cpu = time.process_time() - cpu
        return {
            "rows_per_s": rows / seconds,
            "cpu_per_1000": 1000 * cpu / rows,
            "first_batch": first,
            "setup": self.setup,
            "peak_mb": status("VmHWM") / 1024,
        }


def status(field: str) -> int:
    """A field of this process's status, in kB; 0 where there is none."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # the peak is then that of the whole process


def main() -> None:
    """Read commands, one JSON object a line, and answer each with one."""
    arm, name, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not stand among the answers
    workload = MAKE[name](rows)
    runner: Runner | None = None
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["do"] == "check":
            answer = check(arm, name, ask["batch_size"])
        elif ask["do"] == "open":
            runner = None
            runner = Runner(arm, workload, ask["batch_size"])
            answer = runner.run(ask["budget"], most=1)
        else:
            assert runner is not None
            answer = runner.run(ask["budget"])
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
