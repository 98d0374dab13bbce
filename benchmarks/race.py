"""A race: proof that all arms deliver the same, then runs in turns, then memory, then runs from a cold cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.running import Field, Runs

REFERENCE = "plain generator"


@dataclass
class Measured:
    """What a race has found; each dict has the arms as keys.

    Attributes:
        title: of its table.
        reference: the arm that the others are held against.
        checks: what each said when it was checked.
        runs, first, peak: the runs, the first epoch, and the most memory in MB.
        cold: the runs from a cold cache, or the share of the files that stayed in memory all the same.
        prepared: what each said when it was prepared, such as the bytes it wrote.
        out: why an arm is not in the tables.
        limit: the arm that none can pass.
    """

    title: str
    reference: str
    checks: dict[str, Any]
    runs: dict[str, Runs]
    first: dict[str, Any]
    peak: dict[str, float]
    cold: dict[str, Runs | float] = field(default_factory=dict)
    prepared: dict[str, Any] = field(default_factory=dict)
    out: dict[str, str] = field(default_factory=dict)
    limit: str | None = None


def measure(
    title: str,
    arms: Field,
    batch_size: int,
    runs: int,
    seconds: float,
    *,
    cold: int = 0,
    reference: str = REFERENCE,
    limit: str | None = None,
) -> Measured:
    """Check every arm, then have them run in turns.

    Args:
        title: of the table.
        arms: the arms; who fails is taken out of it.
        batch_size: rows in a batch.
        runs: of each arm.
        seconds: of each run, or one epoch where that takes longer.
        cold: runs from a cold cache.
        reference: the arm that the others are held against.
        limit: an arm that delivers something else on purpose, which no arm can pass.

    Raises:
        RuntimeError: the reference fails, or polyhead delivers other data than it: then nothing is worth measuring.
    """
    prepared = arms.ask(do="prepare")
    checks = arms.ask(do="check", batch_size=batch_size)
    if reference not in checks:
        raise RuntimeError(f"{title}: the {reference} fails: {arms.out.get(reference)}")
    for name, found in checks.items():
        if name == limit or found["proof"] == checks[reference]["proof"]:
            continue
        why = f"delivers other data: {found['proof']}, not {checks[reference]['proof']}"
        if name.startswith("polyhead"):
            raise RuntimeError(f"{title}: {name} {why}")
        arms.drop(name, why)
    first = arms.ask(do="open", batch_size=batch_size)
    found_runs = arms.in_turns(runs, do="run", budget=seconds)
    peak = {
        name: answer["peak_mb"] for name, answer in arms.ask(do="run", budget=seconds, watch=True).items()
    }
    cold_runs = arms.in_turns(cold, do="cold") if cold else {}
    done = {name: made for name, made in found_runs.items() if name not in arms.out}
    if reference not in done:
        raise RuntimeError(f"{title}: the {reference} fails: {arms.out.get(reference)}")
    return Measured(
        title,
        reference,
        checks,
        done,
        first,
        peak,
        _kept(cold_runs),
        prepared,
        dict(sorted(arms.out.items())),
        limit,
    )


def _kept(cold: dict[str, Runs]) -> dict[str, Runs | float]:
    """The runs; or, of an arm whose files stayed in memory, the share that did."""
    found: dict[str, Runs | float] = {}
    for name, runs in cold.items():
        shares = [run["kept"] for run in runs if "kept" in run]
        found[name] = max(shares) if shares else runs
    return found
