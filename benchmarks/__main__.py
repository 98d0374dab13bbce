"""All workloads, all arms: ``python -m benchmarks [--short] [--write benchmarks/RESULTS.md]``."""

from __future__ import annotations

import argparse
import datetime
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import arms as memory
from benchmarks import fit, plots
from benchmarks.explained import EXPLAINED, explained, intro
from benchmarks.race import REFERENCE, Measured, measure
from benchmarks.report import machine, table, versions
from benchmarks.running import ENVIRONMENT, Arm, Field

ROWS = {"table": 400_000, "images": 8_000, "files": 512, "packed": 512, "augmented": 512, "fit": 4_096}
SHORT_ROWS = {"table": 100_000, "images": 2_048, "files": 64, "packed": 64, "augmented": 64, "fit": 256}
KINDS = "kinds"
SOURCES = {"files": ("files",), "packed": ("encoded", "pixels"), "augmented": ("augmented",)}
BATCH_SIZES, SHORT_BATCH_SIZES = (32, 256, 4096), (256,)
FILE_BATCH, FIT_BATCH = 32, 32
SHORT_SOURCES = {**SOURCES, "packed": ("pixels",)}

SLOWER = "the slower of two ways of one library; left out of the short mode"
SLOW = {
    "Ray Data": "takes half a minute to begin; left out of the short mode",
    "tf.data slices": SLOWER,
    "torch DataLoader, samples": SLOWER,
    "keras PyDataset, 2 threads": SLOWER,
}

FILE_NEEDS = {
    **memory.NEEDS,
    "webdataset": "webdataset",
    "mosaicml": "streaming",
    "litdata": "litdata",
    "grain array_record": "array_record",
}

FILE_ABSENT = {
    "webdataset": "reads tar files alone: see the packed formats",
    "mosaicml-streaming": "reads MDS alone: see the packed formats",
    "litdata": "is read packed: see the packed formats",
}

PACKED_ABSENT = {
    "torch DataLoader, keras PyDataset": "have no format of their own",
    "Ray Data, spdl": "have no format of their own; Ray Data reads Parquet and TFRecord, spdl any reader's bytes",
}


class Plan:
    """What is to be measured, from the command line.

    The short mode reads nothing cold, and no packed format with the bytes of files.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.short: bool = options.short
        self.rows = dict(SHORT_ROWS if options.short else ROWS)
        if options.rows:
            self.rows = dict.fromkeys(self.rows, options.rows)
        self.runs: int = options.runs or (5 if options.short else 7)
        self.cold: int = 0 if options.short else self.runs
        self.seconds: float = options.seconds or (0.2 if options.short else 1.5)
        self.words: list[str] | None = options.arms
        self.batches: list[int] = options.batch or list(SHORT_BATCH_SIZES if options.short else BATCH_SIZES)
        self.photographs: Path | None = options.photographs

    def field(
        self,
        names: Any,
        needs: dict[str, str],
        absent: dict[str, str],
        start: Callable[[str], Arm],
        keep: tuple[str, ...] = (REFERENCE,),
    ) -> Field:
        """The arms that run; and why others do not."""
        out: dict[str, str] = dict(absent) if self.words is None else {}
        chosen = []
        for name in names:
            lacks = memory.lacking(name, needs)
            if self.words is not None and name not in keep and not any(word in name for word in self.words):
                out[name] = "not asked for"
            elif lacks is not None:
                out[name] = f"`{lacks}` is not installed here"
            elif self.short and self.words is None and name in SLOW:
                out[name] = SLOW[name]
            else:
                chosen.append(name)
        return Field([start(name) for name in chosen], out)


def in_memory(name: str, plan: Plan) -> Iterator[Measured]:
    """A workload in memory, at each batch size."""
    absent = memory.ABSENT
    field = plan.field(memory.ARMS, memory.NEEDS, absent, lambda arm: Arm(arm, name, plan.rows[name]))
    try:
        for size in plan.batches:
            title = f"{name}, batch {size:,}"
            yield measure(title, field, size, plan.runs, plan.seconds)
    finally:
        field.close()


def over_files(folder: Path, plan: Plan, source: str) -> Iterator[Measured]:
    """The files themselves, or packed formats of them; warm and, where nothing is augmented, cold."""
    from benchmarks.files.arms import ARMS
    from benchmarks.files.formats import FORMATS

    titles = {
        "files": "files",
        "encoded": "packed, with the bytes of the files",
        "pixels": "packed, with resized pixels",
        "augmented": "packed, with resized pixels, augmented",
    }
    cold = 0 if source == "augmented" else plan.cold
    names = list(ARMS if source == "files" else FORMATS)
    absent = dict(FILE_ABSENT if source == "files" else PACKED_ABSENT)
    if source != "files" and not _packs():
        names.remove("polyhead store")
        absent["polyhead store"] = "this version of polyhead has no `pack`"

    def start(arm: str) -> Arm:
        return Arm(arm, folder, source, worker="benchmarks.files.worker")

    field = plan.field(names, FILE_NEEDS, absent, start)
    try:
        yield measure(
            f"{titles[source]}, batch {FILE_BATCH}",
            field,
            FILE_BATCH,
            plan.runs,
            plan.seconds,
            cold=cold,
        )
    finally:
        field.close()


def _packs() -> bool:
    import polyhead

    return hasattr(polyhead, "pack")


def fits(plan: Plan) -> Iterator[Measured]:
    """``fit`` on each backend that is installed."""
    for backend in fit.BACKENDS:
        if find_spec(backend) is None:
            print(f"\n{backend} is not installed: no `fit` on it.", flush=True)
            continue

        def start(arm: str, backend: str = backend) -> Arm:
            chosen = {"KERAS_BACKEND": backend}
            return Arm(arm, plan.rows["fit"], worker="benchmarks.fit", environment=chosen)

        field = plan.field(fit.ARMS, {}, {}, start, keep=(REFERENCE, fit.LIMIT))
        try:
            yield measure(
                f"fit on {backend}, batch {FIT_BATCH}",
                field,
                FIT_BATCH,
                plan.runs,
                plan.seconds,
                limit=fit.LIMIT,
            )
        finally:
            field.close()


def races(workloads: list[str], plan: Plan, scratch: Path | None) -> Iterator[tuple[str, Measured]]:
    """Everything that was asked for, with the workload that it belongs to."""
    for name in ("table", "images"):
        if name in workloads:
            yield from ((name, found) for found in in_memory(name, plan))
    if any(name in workloads for name in SOURCES):
        with tempfile.TemporaryDirectory(dir=scratch) as place:
            from benchmarks.vision.workload import make

            folder = Path(place)
            make(folder, plan.rows["files"], plan.photographs)
            for name, sources in (SHORT_SOURCES if plan.short else SOURCES).items():
                if name == "augmented" and name in workloads and find_spec("albumentations") is None:
                    print("\nalbumentations is not installed: nothing is augmented.", flush=True)
                    continue
                for source in sources if name in workloads else ():
                    yield from ((name, found) for found in over_files(folder, plan, source))
    if "fit" in workloads:
        yield from (("fit", found) for found in fits(plan))


def kinds_table(plan: Plan) -> str:
    """The table of kinds, made in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.kinds", *(["--short"] if plan.short else [])]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **ENVIRONMENT}
    )
    return f"## {KINDS}\n\n{EXPLAINED[KINDS].strip()}\n\n{done.stdout.strip()}"


def plot(found: Measured) -> str:
    """The speeds of a race as SVG, warm alone."""
    values = {name: [run["rows_per_s"] for run in runs] for name, runs in found.runs.items()}
    return plots.bars(found.title, values, "rows/s, median and range")


def _file_of(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".svg"


def main() -> None:
    """Run, print, write if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Side by side with its peers.")
    parser.add_argument(
        "--short", action="store_true", help="all workloads in less than 5 minutes on two cores"
    )
    parser.add_argument("--runs", type=int, default=None, help="runs of each arm (7; 5 with --short)")
    parser.add_argument("--seconds", type=float, default=None, help="of each run (1.5; 0.2 with --short)")
    parser.add_argument("--batch", type=int, nargs="+", default=None, help="batch sizes of rows in memory")
    parser.add_argument("--workload", nargs="+", choices=[*ROWS, KINDS], default=[*ROWS, KINDS])
    parser.add_argument("--arms", nargs="+", default=None, help="arms whose name holds one of these words")
    parser.add_argument("--rows", type=int, default=None, help="of every workload")
    parser.add_argument(
        "--photographs", type=Path, default=None, help="a folder of JPEGs, not synthetic ones"
    )
    parser.add_argument("--scratch", type=Path, default=None, help="where files are written meanwhile")
    parser.add_argument("--write", type=Path, default=None, help="a Markdown file; plots go beside it")
    options = parser.parse_args()
    plan = Plan(options)
    command = " ".join(["python", "-m", "benchmarks", *sys.argv[1:]])
    parts = [
        "# Side by side",
        f"Made by `{command}` on {datetime.date.today().isoformat()}.\n\n{machine()}. {versions()}.",
        intro(plan.runs, plan.seconds),
    ]
    print("\n\n".join(parts), flush=True)
    began, section = time.perf_counter(), ""
    last = began
    for name, found in races(options.workload, plan, options.scratch):
        if name != section:
            parts.append(f"## {name}\n\n{explained(name, plan.rows[name])}")
            print(f"\n{parts[-1]}", flush=True)
            section = name
        parts.append(table(found))
        now = time.perf_counter()
        print(f"\n{parts[-1]}\n\n({now - last:.0f} s, load average {os.getloadavg()[0]:.1f})", flush=True)
        last = now
        if options.write is not None:
            drawn = options.write.parent / "plots" / _file_of(found.title)
            drawn.parent.mkdir(exist_ok=True, parents=True)
            drawn.write_text(plot(found))
            parts.append(f"![{found.title}](plots/{drawn.name})")
            options.write.write_text("\n\n".join(parts) + "\n")  # what is done is kept if the rest is stopped
    if KINDS in options.workload:
        parts.append(kinds_table(plan))
        print(f"\n{parts[-1]}", flush=True)
    load = f" The load average at the end: {os.getloadavg()[0]:.1f}."
    parts.append(f"The whole took {(time.perf_counter() - began) / 60:.1f} minutes.{load}")
    print(f"\n{parts[-1]}", flush=True)
    if options.write is not None:
        options.write.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
