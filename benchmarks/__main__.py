"""Every arm on both workloads: ``python -m benchmarks [--short] [--write benchmarks/RESULTS.md]``."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.arms import available

ROWS = {"table": 400_000, "images": 8_000}
SHORT_ROWS = {"table": 100_000, "images": 4_096}
BATCH_SIZES = (32, 256, 4096)
REFERENCE = "plain generator"
LIBRARIES = ("polyhead", "numpy", "keras", "jax", "tensorflow", "tensorflow-cpu", "torch", "grain")
ENVIRONMENT = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    ),
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

Runs = list[dict[str, Any]]


class Arm:
    """The process in which an arm waits for its turn."""

    def __init__(self, name: str, workload: str, rows: int) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.worker", name, workload, str(rows)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **ENVIRONMENT},
        )

    def ask(self, **command: Any) -> dict[str, Any]:
        """Have it do something, and wait for the answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(json.dumps(command), file=stdin, flush=True)
        answer = stdout.readline()
        if not answer:
            raise RuntimeError(f"the arm {self.name!r} ended with code {self._process.wait()}")
        return dict(json.loads(answer))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def measure(workload: str, batch_size: int, arms: list[Arm], runs: int, seconds: float) -> str:
    """Every arm in turn, in another order each time; a table in Markdown.

    Raises:
        RuntimeError: an arm delivers other data than the plain generator.
    """
    digests = {arm.name: arm.ask(do="check", batch_size=batch_size)["digests"] for arm in arms}
    for name, found in digests.items():
        if found != digests[REFERENCE]:
            raise RuntimeError(f"{name!r} delivers other data: {found}, not {digests[REFERENCE]}")
    first = {arm.name: arm.ask(do="open", batch_size=batch_size, budget=0) for arm in arms}
    found = {arm.name: [] for arm in arms}
    for run in range(runs):
        turn = run % len(arms)
        for arm in arms[turn:] + arms[:turn]:
            found[arm.name].append(arm.ask(do="run", budget=seconds))
    total = digests[REFERENCE][0]
    lines = [
        f"### {workload}, batch {batch_size:,}",
        "",
        f"Checked: {total['rows']:,} rows of {total['form']}, hash {total['hash']}, the same in every arm.",
        "",
        "| arm | rows/s, median (min–max) | against the plain generator | CPU s per 1,000 rows | ratio of CPU "
        "| first epoch, rows/s | first batch, ms | peak RSS, MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_row(arm.name, found[arm.name], found[REFERENCE], first[arm.name]) for arm in arms]
    return "\n".join(lines)


def _row(name: str, runs: Runs, reference: Runs, first: dict[str, Any]) -> str:
    speeds = [run["rows_per_s"] for run in runs]
    ratio = statistics.median(a / b["rows_per_s"] for a, b in zip(speeds, reference, strict=True))
    cpu = statistics.median(run["cpu_per_1000"] for run in runs)
    cells = (
        name,
        f"{_rounded(statistics.median(speeds))} ({_rounded(min(speeds))}–{_rounded(max(speeds))})",
        f"{ratio:.2f}",
        f"{cpu:.5f}",
        f"{cpu / statistics.median(run['cpu_per_1000'] for run in reference):.2f}",
        _rounded(first["rows_per_s"]),
        f"{1000 * (first['setup'] + first['first_batch']):.1f}",
        f"{max(run['peak_mb'] for run in runs):,.0f}",
    )
    return "| " + " | ".join(cells) + " |"


def _rounded(value: float) -> str:
    digits = max(0, len(str(int(value))) - 3)
    return f"{int(round(value, -digits)):,}"


def _machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = models[0] if models else model
    load = f", load average at the start {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}{load}"


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


HOW = """\
Rows come from memory: `table` is {table:,} rows of 10 float32 with a binary and a regression head; `images` is
{images:,} pictures of 64 × 64 × 3 bytes, scaled to float32, with two masks of bytes, cast to float32 (B, 64, 64, 1).
Every arm shuffles over the full range, but `bare copy`: it has finished rows, made beforehand, and copies each batch
once, in row order, which is the limit of all that copy. Each has a process of its own and they take turns, in another
order each time:
{runs} runs of {seconds:g} s, or of one epoch where that takes longer. The ratio is the median over runs of this arm's
speed to that of the plain generator in the same turn; the ratio of CPU, below 1 where less is used, is steadier on a
machine that does other work too. The consumer reads the length of each batch and nothing else. Before that every arm
delivers two epochs of a smaller workload: a hash over whole rows, with their labels, must be the same for all. The
first epoch, in which polyhead also checks every value, and the first batch, with what it takes to set the arm up, are
given apart. OMP and BLAS have one thread. `keras arrays` cannot scale, so it gets arrays of float32 that are made
beforehand and take four times the memory; its speed does not contain the scaling that all others do.
"""


def main() -> None:
    """Run the arms, print the tables, write them if asked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Side by side with the plain generator."
    )
    parser.add_argument(
        "--short", action="store_true", help="a few minutes on two cores: fewer rows, shorter runs"
    )
    parser.add_argument("--runs", type=int, default=None, help="runs of each arm (7; 5 with --short)")
    parser.add_argument("--seconds", type=float, default=None, help="of each run (1.5; 0.4 with --short)")
    parser.add_argument("--batch", type=int, nargs="+", default=list(BATCH_SIZES), help="batch sizes")
    parser.add_argument("--workload", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--arm", nargs="+", default=None, help="arms whose name holds one of these words")
    parser.add_argument("--write", type=Path, default=None, help="a Markdown file for the result")
    options = parser.parse_args()
    runs = options.runs or (5 if options.short else 7)
    seconds = options.seconds or (0.4 if options.short else 1.5)
    rows = SHORT_ROWS if options.short else ROWS
    names = [
        n for n in available() if n == REFERENCE or options.arm is None or any(w in n for w in options.arm)
    ]
    command = " ".join(["python", "-m", "benchmarks", *sys.argv[1:]])
    parts = [
        "# Side by side",
        f"Made by `{command}` on {datetime.date.today().isoformat()}.\n\n{_machine()}. {_versions()}.",
        HOW.format(runs=runs, seconds=seconds, **rows).rstrip(),
    ]
    print("\n\n".join(parts), flush=True)
    began = time.perf_counter()
    for workload in options.workload:
        arms = [Arm(name, workload, rows[workload]) for name in names]
        try:
            for batch_size in options.batch:
                parts.append(measure(workload, batch_size, arms, runs, seconds))
                print(f"\n{parts[-1]}", flush=True)
        finally:
            for arm in arms:
                arm.close()
    parts.append(f"The whole took {(time.perf_counter() - began) / 60:.1f} minutes.")
    if options.write is not None:
        options.write.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
