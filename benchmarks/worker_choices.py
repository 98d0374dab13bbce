"""Compares ``workers="auto"`` with 0, 1 and 2 workers: ``python -m benchmarks.worker_choices [--short]``.

The four feeds of a kind take turns in one process, whole epochs each, and do nothing with the batches.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kind_rows import Row, rows
from benchmarks.kinds import BATCH_SIZES, HOLDERS, held, timed

CHOICES = ("auto", 0, 1, 2)
WITHIN = 0.9


@dataclass
class Chosen:
    """Samples per second of each choice, turn by turn, and their ratio to the best fixed one of the same turn."""

    name: str
    holder: str
    batch_size: int
    speeds: dict[str | int, list[float]]

    @property
    def best(self) -> str | int:
        """The fixed number of workers with the highest median speed."""
        return max(CHOICES[1:], key=lambda choice: statistics.median(self.speeds[choice]))

    def ratio(self, choice: str | int) -> float:
        """The speed of a choice to that of the best: the median over turns."""
        pairs = zip(self.speeds[choice], self.speeds[self.best], strict=True)
        return statistics.median(speed / best for speed, best in pairs)


def measure(row: Row, holder: str, batch_size: int, folder: Path, turns: int, seconds: float) -> Chosen:
    """Have the four choices take turns, each in another order."""
    import polyhead as ph
    from polyhead.jit import wait_until_compiled

    _, data = held(row, holder, folder)
    feeds = {
        choice: ph.Feed(
            data, inputs=row.inputs, heads=row.heads, batch_size=batch_size, shuffle=True, workers=choice
        )
        for choice in CHOICES
    }
    for feed in feeds.values():
        timed(lambda _, feed=feed: iter(feed), 0, 0)
    wait_until_compiled()
    for feed in feeds.values():  # `auto` chooses from what the first epochs took
        timed(lambda _, feed=feed: iter(feed), 0, seconds)
    found = Chosen(row.name, holder, batch_size, {choice: [] for choice in CHOICES})
    for turn in range(turns):
        first = turn % len(CHOICES)
        for choice in (*CHOICES[first:], *CHOICES[:first]):
            wall, _ = timed(lambda _, feed=feeds[choice]: iter(feed), turn, seconds)
            found.speeds[choice].append(feeds[choice].num_samples / wall)
    return found


def table(found: Sequence[Chosen]) -> str:
    """Format the results as a Markdown table, the smallest ratio of `auto` first."""
    less = sum(one.ratio("auto") < WITHIN for one in found)
    head = "| kind | columns | batch | best | auto to the best | 0 | 1 | 2 |"
    lines = [
        f"`auto` is below {WITHIN} of the best in {less} of {len(found)} rows.",
        "",
        head,
        "|" + " --- |" * 8,
    ]
    for one in sorted(found, key=lambda one: one.ratio("auto")):
        ratios = [f"{one.ratio(choice):.2f}" for choice in CHOICES]
        cells = [one.name, one.holder, f"{one.batch_size:,}", str(one.best), *ratios]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def taken(options: argparse.Namespace) -> Iterator[Chosen]:
    """The rows of the table, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(options.short):
            if not options.only or any(word in row.name for word in options.only):
                for holder in options.held:
                    for size in options.batch:
                        yield measure(row, holder, size, Path(folder), options.turns, options.seconds)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker_choices")
    parser.add_argument("--short", action="store_true", help="few kinds, small ones")
    parser.add_argument("--only", nargs="+", default=[], help="kinds whose name holds one of these words")
    parser.add_argument("--held", nargs="+", choices=HOLDERS, default=["array", "store"])
    parser.add_argument("--batch", type=int, nargs="+", default=list(BATCH_SIZES), help="batch sizes")
    parser.add_argument("--turns", type=int, default=5, help="turns of each choice")
    parser.add_argument("--seconds", type=float, default=0.15, help="of each turn")
    print(table(list(taken(parser.parse_args()))))


if __name__ == "__main__":
    main()
