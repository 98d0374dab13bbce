"""Arms in processes of their own, which take turns."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.processes import pss_mb

ENVIRONMENT = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    ),
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # nothing is looked for on a network
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}

LOOK_EVERY = 0.02
"""Seconds between two looks at the memory of an arm."""

GRACE = 5
"""Seconds in which an arm may end by itself; some wait long for the workers that they have begun."""

Runs = list[dict[str, Any]]


class ArmFailed(Exception):
    """An arm that cannot be measured, and why."""


class Arm:
    """The process in which an arm waits for its turn.

    Args:
        name: of the arm, the first argument of the worker.
        arguments: more of them.
        worker: the module to run.
        patience: seconds after which an arm that does not answer is ended.
        environment: variables for it alone.
    """

    def __init__(
        self,
        name: str,
        *arguments: object,
        worker: str = "benchmarks.worker",
        patience: float = 300,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name, self._patience = name, patience
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed by `close`)
        self._process = subprocess.Popen(
            [sys.executable, "-m", worker, name, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **ENVIRONMENT, **(environment or {})},
            start_new_session=True,
        )

    def ask(self, *, watch: bool = False, **command: Any) -> dict[str, Any]:
        """Have it do something, and wait for the answer.

        Args:
            watch: whether its memory is looked at meanwhile; the answer has the most as ``peak_mb``.
            command: what it is to do.

        Raises:
            ArmFailed: it says that it cannot, or ended, or does not answer.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        peak, last = 0.0, time.monotonic() + self._patience
        try:
            print(json.dumps(command), file=stdin, flush=True)
        except BrokenPipeError:
            raise ArmFailed(self._ended()) from None
        while not select.select([stdout], [], [], LOOK_EVERY if watch else self._patience)[0]:
            if watch:
                peak = max(peak, pss_mb(self._process.pid))
            if time.monotonic() > last:
                self._kill()
                raise ArmFailed(f"no answer to {command['do']!r} within {self._patience:g} s")
        line = stdout.readline()
        if not line:
            raise ArmFailed(self._ended())
        answer = dict(json.loads(line))
        if "error" in answer:
            raise ArmFailed(answer["error"])
        return {**answer, "peak_mb": max(peak, pss_mb(self._process.pid))} if watch else answer

    def _ended(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return f"ended with code {code}" + (f": {lines[-1][:200]}" if lines else "")

    def _kill(self) -> None:
        # the process leads a group of its own, which is empty if all have ended by themselves
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._process.wait()

    def release(self) -> None:
        """Let it come to its end by itself."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def close(self) -> None:
        """End the process and those that it began."""
        assert self._process.stdout is not None
        self.release()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        self._kill()
        self._process.stdout.close()
        self._errors.close()


class Field:
    """The arms that are still in the race, and why others are not."""

    def __init__(self, arms: list[Arm], out: dict[str, str] | None = None) -> None:
        self.arms = arms
        self.out: dict[str, str] = dict(out or {})

    def ask(self, **command: Any) -> dict[str, dict[str, Any]]:
        """Ask each in turn; who fails is out."""
        answers = {}
        for arm in list(self.arms):
            try:
                answers[arm.name] = arm.ask(**command)
            except ArmFailed as failed:
                self.drop(arm.name, str(failed))
        return answers

    def drop(self, name: str, why: str) -> None:
        """Take an arm out and end its process."""
        self.out[name] = why
        for arm in [arm for arm in self.arms if arm.name == name]:
            self.arms.remove(arm)
            arm.close()

    def in_turns(self, runs: int, **command: Any) -> dict[str, Runs]:
        """The runs of each; they take turns, in another order each time."""
        found: dict[str, Runs] = {arm.name: [] for arm in self.arms}
        for run in range(runs):
            turn = run % max(1, len(self.arms))
            for arm in self.arms[turn:] + self.arms[:turn]:
                try:
                    found[arm.name].append(arm.ask(**command))
                except ArmFailed as failed:
                    self.drop(arm.name, str(failed))
        return {name: made for name, made in found.items() if len(made) == runs}

    def close(self) -> None:
        """End all."""
        for arm in self.arms:
            arm.release()
        for arm in self.arms:
            arm.close()


def median(runs: Runs, of: str) -> float:
    """The median of a measure."""
    return statistics.median(run[of] for run in runs)


def ratio_of(runs: Runs, reference: Runs, of: str = "rows_per_s") -> float:
    """The median, over turns, of a measure to that of the reference in the same turn."""
    return statistics.median(a[of] / b[of] for a, b in zip(runs, reference, strict=True))
