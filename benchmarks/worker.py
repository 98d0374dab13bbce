"""One arm in a process of its own: it does a run when it is told to, so that arms can take turns."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.arms import ARMS, Epochs, rows_of, unpacked
from benchmarks.processes import COLD, cpu_seconds, forget
from benchmarks.workloads import MAKE, digest

CHECK_ROWS = {"table": 5000, "images": 300}


def check(arm: str, workload: str, batch_size: int) -> dict[str, Any]:
    """What the arm delivers in its first and second epoch of a smaller workload."""
    epochs = ARMS[arm](MAKE[workload](CHECK_ROWS[workload]), batch_size)
    return {"proof": [digest(map(unpacked, epochs(epoch))) for epoch in range(2)]}


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
        rows, done, first = 0, 0, None
        begin, cpu = time.perf_counter(), cpu_seconds()
        while not done or (time.perf_counter() < begin + budget and done != most):
            for batch in self.epochs(self.epoch):
                rows += self.rows_of(batch)
                if first is None:
                    first = time.perf_counter() - begin
            self.epoch += 1
            done += 1
        seconds = time.perf_counter() - begin
        return {
            "rows_per_s": rows / seconds,
            "cpu_per_1000": 1000 * (cpu_seconds() - cpu) / rows,
            "first_batch": first,
            "setup": self.setup,
        }


class Served:
    """What a worker does when it is asked; see `serve`."""

    def __init__(
        self,
        check: Callable[[int], Any],
        make: Callable[[int], Epochs],
        rows_of: Callable[[Any], int],
        prepare: Callable[[], dict[str, Any]],
        files: Callable[[], Iterable[Path]],
    ) -> None:
        self.check, self.make, self.rows_of, self.prepare, self.files = check, make, rows_of, prepare, files
        self.runner: Runner | None = None
        self.size = 0

    def answer(self, ask: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked."""
        if ask["do"] == "check":
            return dict(self.check(ask["batch_size"]))
        if ask["do"] == "prepare":
            return self.prepare()
        if ask["do"] == "open":
            self._open(ask["batch_size"])
        if ask["do"] == "cold":  # set up anew, as what is mapped by the last one would stay in memory
            self._close()
            kept = forget(self.files())
            if kept > COLD:
                return {"kept": kept}
            self._open(self.size)
        assert self.runner is not None
        once = ask["do"] in ("open", "cold")
        return self.runner.run(0 if once else ask["budget"], most=1 if once else None)

    def _open(self, size: int) -> None:
        self._close()
        self.size = size
        self.runner = Runner(partial(self.make, size), self.rows_of)

    def _close(self) -> None:
        self.runner = None
        gc.collect()


def serve(
    check: Callable[[int], Any],
    make: Callable[[int], Epochs],
    rows_of: Callable[[Any], int],
    prepare: Callable[[], dict[str, Any]] = dict,
    files: Callable[[], Iterable[Path]] = tuple,
) -> None:
    """Read commands, one JSON object a line, and answer each with one; what goes wrong is an answer too.

    Args:
        check: what the arm delivers, for a batch size.
        make: sets it up, for a batch size.
        rows_of: the rows in one of its batches.
        prepare: what comes before all that, such as writing a format.
        files: what it reads, for runs in which none of it is in memory.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not stand among the answers
    served = Served(check, make, rows_of, prepare, files)
    for line in sys.stdin:
        try:
            answer = served.answer(json.loads(line))
        except Exception as error:
            text = str(error).strip().partition("\n")[0]
            answer = {"error": f"{type(error).__name__}: {text[:200]}"}
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """One arm over a workload in memory."""
    arm, name, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    workload = MAKE[name](rows)
    serve(partial(check, arm, name), partial(ARMS[arm], workload), rows_of)


if __name__ == "__main__":
    main()
