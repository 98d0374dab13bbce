"""Races as Markdown: tables, the machine, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.race import Measured
from benchmarks.running import Runs, median, ratio_of

LIBRARIES = (
    "polyhead",
    "numpy",
    "keras",
    "jax",
    "tensorflow-cpu",
    "tensorflow",
    "torch",
    "grain",
    "datasets",
    "webdataset",
    "mosaicml-streaming",
    "litdata",
    "spdl",
    "ray",
    "opencv-python-headless",
    "simplejpeg",
)

OURS = ("polyhead", "polyhead, workers=auto", "polyhead store")
"""The arm of polyhead that is as its user has it who sets nothing, in each workload."""

BARE = "bare"
"""So begins the name of an arm that is no way of feeding, but a limit."""


def table(found: Measured) -> str:
    """A race as a table, with what is not in it and why."""
    columns: list[tuple[str, Callable[[str], str]]] = [
        ("arm", lambda name: name),
        ("rows/s, median (min–max)", lambda name: speed_of(found.runs[name])),
        (
            f"against the {found.reference}",
            lambda name: f"{ratio_of(found.runs[name], found.runs[found.reference]):.2f}",
        ),
        ("CPU s per 1,000 rows", lambda name: significant(median(found.runs[name], "cpu_per_1000"))),
        (
            "ratio of CPU",
            lambda name: f"{ratio_of(found.runs[name], found.runs[found.reference], 'cpu_per_1000'):.2f}",
        ),
    ]
    if found.limit is None:
        columns.append(("first epoch, rows/s", lambda name: rounded(found.first[name]["rows_per_s"])))
        columns.append(("first batch, ms", lambda name: f"{1000 * _first(found, name):,.0f}"))
    else:
        columns.append(("waiting, share of an epoch", lambda name: f"{waiting(found, name):.0%}"))
        columns.append(("first epoch, s", lambda name: f"{_first(found, name):.1f}"))
    columns.append(("peak PSS, MB", lambda name: f"{found.peak[name]:,.0f}"))
    if found.cold:
        columns.append(("cold, rows/s", lambda name: _cold(found, name)))
        columns.append(("cold, ratio", lambda name: _cold_ratio(found, name)))
    if any("bytes" in prepared for prepared in found.prepared.values()):
        columns.append(("on disk, MB", lambda name: f"{found.prepared[name]['bytes'] / 1e6:,.1f}"))
        columns.append(("written in, s", lambda name: f"{found.prepared[name]['seconds']:.1f}"))
    if any("levels" in check for check in found.checks.values()):
        columns.append(("pixels, levels off", lambda name: f"{found.checks[name]['levels']:.2f}"))
        columns.append(("masks, overlap", lambda name: f"{found.checks[name]['overlap']:.3f}"))
    if any("kept" in check for check in found.checks.values()):
        columns.append(("boxes, still there", lambda name: f"{found.checks[name]['kept']:.0%}"))
    lines = [
        f"### {found.title}",
        "",
        f"Checked: {_said(found.checks[found.reference]['proof'])}, the same in every arm.",
        "",
        "| " + " | ".join(title for title, _ in columns) + " |",
        "|" + " --- |" * len(columns),
    ]
    lines += ["| " + " | ".join(cell(name) for _, cell in columns) + " |" for name in found.runs]
    verdict = best(found.runs, [name for name in found.runs if name != found.limit])
    lines += ["", *verdict] if verdict else []
    if found.out:
        lines += ["", "Not in the table:", "", *(f"- {name}: {why}." for name, why in found.out.items())]
    return "\n".join(lines)


def best(runs: dict[str, Runs], names: Sequence[str]) -> list[str]:
    """How polyhead stands to the best of its peers, as a sentence; nothing where one of both is not there."""
    ours = [name for name in names if name in OURS]
    peers = [name for name in names if not name.startswith(("polyhead", BARE))]
    if not ours or not peers:
        return []
    peer = max(peers, key=lambda name: median(runs[name], "rows_per_s"))
    ratio = ratio_of(runs[ours[0]], runs[peer])
    return [f"{ours[0]} is {ratio:.2f} times as fast as the best peer, {peer}."]


def waiting(found: Measured, name: str) -> float:
    """The share of an arm's epoch that is beyond an epoch of the limit; 0 where chance has it below."""
    assert found.limit is not None
    return max(0.0, 1 - ratio_of(found.runs[name], found.runs[found.limit]))


def _first(found: Measured, name: str) -> float:
    return float(found.first[name]["setup"] + found.first[name]["first_batch"])


def _cold(found: Measured, name: str) -> str:
    cold = found.cold.get(name)
    if isinstance(cold, float):
        return f"{cold:.0%} stayed in memory"
    return speed_of(cold) if cold else ""


def _cold_ratio(found: Measured, name: str) -> str:
    cold, reference = found.cold.get(name), found.cold.get(found.reference)
    ready = isinstance(cold, list) and isinstance(reference, list)
    return f"{ratio_of(cold, reference):.2f}" if ready else ""  # type: ignore[arg-type]


def _said(proof: object) -> str:
    one = proof[0] if isinstance(proof, list) else proof
    assert isinstance(one, dict)
    return f"{one['rows']:,} rows of {one['form']}, hash {one['hash']}"


def speed_of(runs: Runs) -> str:
    """Rows a second: the median, and the least and the most."""
    speeds = [run["rows_per_s"] for run in runs]
    return f"{rounded(statistics.median(speeds))} ({rounded(min(speeds))}–{rounded(max(speeds))})"


def rounded(value: float) -> str:
    """Three digits."""
    digits = max(0, len(str(int(value))) - 3)
    return f"{int(round(value, -digits)):,}"


def significant(value: float) -> str:
    """Three digits, of small numbers too, without an exponent."""
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}" if value >= 0.1 else f"{value:.5f}"


def machine() -> str:
    """The processor, the memory, the system, and what else runs."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = models[0] if models else model
    load = f", load average at the start {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, {platform.system()} {platform.release()}{load}"
    )


def versions(libraries: Sequence[str] = LIBRARIES) -> str:
    """Python, and those of the libraries that are installed."""
    found = [f"Python {platform.python_version()}"]
    for name in libraries:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
