"""Every arm over files: ``python -m benchmarks.vision [--short] [--runs 7] [--write benchmarks/VISION.md]``."""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import LIBRARIES, best, machine, speed_of, versions
from benchmarks.running import Arm, Field, Runs, ratio_of
from benchmarks.vision import alone
from benchmarks.vision.arms import LIMITS, available
from benchmarks.vision.worker import CHECK_ROWS
from benchmarks.vision.workload import COLOR, CROP, DEGREES, FLIP, LEVELS, OVERLAP, SIDE, ZOOM, Rows, make

OURS = "polyhead, workers=auto"
MORE = ("albumentations", "albucore", "opencv-python-headless", "simplejpeg", "pillow")

HOW = """\
A row is a JPEG of 640 × 480 and {size:.0f} kB, a PNG of class ids of the same size, and eight boxes; {rows:,} rows in
files that the system holds in memory. What comes out are batches of {batch}: float32 (B, 224, 224, 3) in 0–1, class ids
int32 (B, 224, 224), boxes float32 (B, 8, 4), which of them are there (B, 8), and the number of each row. Images are
mirrored with a chance of {flip}, turned by up to ±{degrees:g}°, scaled by up to ±{zoom:.0%}, cut to {crop:.0%} of each
side and colored ({color}); masks and boxes move along.

Every arm has a process of its own and shuffles over the full range. They take turns, in another order each time: {runs}
runs of {seconds:g} s, or of one epoch where that takes longer. CPU is that of all processes of an arm. So is the peak,
in one more run; what processes share is divided among them. JPEGs are decoded at half the size in all arms, by the
quickest way that the library has: TensorFlow with `ratio=2`, `fancy_upscaling=False` and `INTEGER_FAST`; the arms with
albumentations by simplejpeg with `fastdct` and `fastupsample`, which polyhead leaves off. tf.data warps a batch by one
projective transform. What grain's processes make between two runs is taken away before the clock starts. The bare loops
read and decode the same files at half the size and do nothing else.

Proof, before anything is measured, of {checked} rows in every arm: each row comes once, in one form and in range,
without and with augmentation. Without it, images differ from the reference, decoded whole and resized by area, by
{levels:g} of 255 levels on average at most, masks overlap with theirs by {overlap:g} on average at least, and boxes are
equal. Chance differs between libraries, so augmented rows are checked for their form and range alone.
"""


def measure(folder: Path, names: list[str], batch_size: int, runs: int, seconds: float) -> str:
    """All arms in turn; a table in Markdown.

    Raises:
        RuntimeError: an arm that does not deliver what it should.
    """
    arms = Field([Arm(name, folder, worker="benchmarks.vision.worker") for name in [*names, *LIMITS]])
    try:
        checks = {
            arm.name: arm.ask(do="check", batch_size=batch_size)
            for arm in arms.arms
            if arm.name not in LIMITS
        }
        forms = {check["plain"]["form"] for check in checks.values()}
        if len(forms) != 1:
            raise RuntimeError(f"the arms deliver in several forms: {sorted(forms)}")
        first = arms.ask(do="open", batch_size=batch_size)
        found = arms.in_turns(runs, do="run", budget=seconds)
        watched = arms.ask(do="run", budget=seconds, watch=True)
        if arms.out:
            raise RuntimeError(f"not all arms ran: {arms.out}")
    finally:
        arms.close()
    peak = {name: answer["peak_mb"] for name, answer in watched.items()}
    return "\n".join([*_table(found, checks, first, peak), "", *_verdict(found, names)])


def _table(
    found: dict[str, Runs], checks: dict[str, Any], first: dict[str, Any], peak: dict[str, float]
) -> list[str]:
    lines = [
        "### JPEGs, masks and boxes",
        "",
        "| arm | rows/s, median (min–max) | against polyhead | CPU s per 1,000 rows | peak PSS, MB | first batch, s "
        "| pixels, levels from the reference | masks, overlap |",
        f"|{' --- |' * 8}",
    ]
    for name, runs in found.items():
        cpu = statistics.median(run["cpu_per_1000"] for run in runs)
        seconds = first[name]["setup"] + first[name]["first_batch"]
        proof = checks[name]["plain"] if name in checks else None
        cells = (
            name,
            speed_of(runs),
            f"{ratio_of(runs, found[OURS]):.2f}",
            f"{cpu:.2f}",
            f"{peak[name]:,.0f}",
            f"{seconds:.2f}" if proof else "",
            f"{proof['levels']:.2f}" if proof else "",
            f"{proof['overlap']:.3f}" if proof else "",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _verdict(found: dict[str, Runs], names: list[str]) -> list[str]:
    cpu = {name: statistics.median(run["cpu_per_1000"] for run in runs) for name, runs in found.items()}
    peers = [name for name in names if not name.startswith("polyhead")]
    lines = []
    if peers:
        least = min(peers, key=cpu.__getitem__)
        lines = [
            f"{best(found, [OURS, *peers])[0]} CPU is"
            f" steadier on a machine that does other work too: of the peers {least} takes the least,"
            f" {cpu[least] / cpu[OURS]:.2f} times as much as polyhead.",
            "",
        ]
    shares = [
        f"- {name}: polyhead reaches {ratio_of(found[OURS], found[name]):.2f} of its speed; its CPU is"
        f" {cpu[name] / cpu[OURS]:.2f} of polyhead's."
        for name in LIMITS
    ]
    return [*lines, "The limit, which no feed can pass:", "", *shares]


def main() -> None:
    """Make the files, run the arms, print the tables, write them if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vision", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="some minutes on two cores: fewer rows, shorter runs"
    )
    parser.add_argument("--runs", type=int, default=None, help="runs of each arm (7; 5 with --short)")
    parser.add_argument("--seconds", type=float, default=None, help="of each run (3; 1 with --short)")
    parser.add_argument("--rows", type=int, default=None, help="files (512; 256 with --short)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--arm", nargs="+", default=None, help="arms whose name holds one of these words")
    parser.add_argument(
        "--photographs", type=Path, default=None, help="a folder of JPEGs, in place of synthetic ones"
    )
    parser.add_argument("--write", type=Path, default=None, help="a Markdown file for the result")
    options = parser.parse_args()
    runs = options.runs or (5 if options.short else 7)
    seconds = options.seconds or (1 if options.short else 3)
    rows = options.rows or (256 if options.short else 512)
    names = [n for n in available() if n == OURS or options.arm is None or any(w in n for w in options.arm)]
    command = " ".join(["python", "-m", "benchmarks.vision", *sys.argv[1:]])
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        data: Rows = make(Path(folder), rows, options.photographs)
        size = statistics.mean(Path(path).stat().st_size for path in data.images) / 1000
        values = {
            "flip": FLIP,
            "degrees": DEGREES,
            "zoom": ZOOM,
            "crop": CROP,
            "levels": LEVELS,
            "overlap": OVERLAP,
        }
        color = ", ".join(f"{name} ±{value:g}" for name, value in COLOR.items())
        parts = [
            "# Images, masks and boxes, side by side",
            f"Made by `{command}` on {datetime.date.today().isoformat()}.\n\n"
            f"{machine()}. {versions((*LIBRARIES, *MORE))}.",
            HOW.format(
                size=size,
                rows=rows,
                batch=options.batch,
                color=color,
                runs=runs,
                seconds=seconds,
                checked=min(rows, CHECK_ROWS),
                **values,
            ).rstrip(),
        ]
        print("\n\n".join(parts), flush=True)
        for part in (
            lambda: measure(Path(folder), names, options.batch, runs, seconds),
            lambda: alone.table(data, 2 * runs + 1),
        ):
            parts.append(part())
            print(f"\n{parts[-1]}", flush=True)
    parts.append(
        f"Images of the output have {SIDE} × {SIDE} pixels. "
        f"The whole took {(time.perf_counter() - began) / 60:.1f} minutes."
    )
    if options.write is not None:
        options.write.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
