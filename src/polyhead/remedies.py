"""Gives advice on slow feeds, in a sentence or two."""

from __future__ import annotations

from dataclasses import dataclass

MOST_READERS = 16


@dataclass(frozen=True)
class Setup:
    """The properties of the measured feed, machine and model that the remedy depends on.

    Attributes:
        sequential: whether rows can be read only in one order, by one thread.
        floats: the image inputs that are passed as float32.
        rescales: whether the model scales pixels itself; None if no model is known.
    """

    workers: int
    row_bytes: int
    batch_size: int = 1
    cores: int = 1
    sequential: bool = False
    floats: tuple[str, ...] = ()
    rescales: bool | None = None


def remedy_beside(stage: str, setup: Setup) -> str:
    """Say what to do about a feed that training does not wait for, but that takes processors from it."""
    if setup.floats:
        return remedy_for("inputs", setup, None)
    if stage in ("read", "decode", "warp"):
        return "Pack the rows as the model gets them, ph.pack(feed, path): a store needs little CPU time."
    return (
        "Make batches between the steps: Feed(workers=0)." if setup.workers else "Give a larger batch_size."
    )


def remedy_for(stage: str, setup: Setup, needed: int | None) -> str:
    """Say what to do about a stage that training waits for.

    Args:
        needed: the number of threads that would hide the feed's time behind the model's; None without a model.
    """
    floats = bool(setup.floats) and stage in ("inputs", "hand over")
    if floats:
        rescaling = "keras.layers.Rescaling(1 / 255) at the head of the model"
        also = "as the model rescales by itself" if setup.rescales else f"with {rescaling}"
        return f'Hand over bytes, a quarter of the size: ph.Image(..., dtype="uint8"), {also}.'
    if stage == "check":
        return _LAST[stage]
    if stage == "read":
        if setup.sequential:
            return "Pack the rows once: ph.pack(source, path) makes a store that many threads read."
        more = min(MOST_READERS, max(needed or MOST_READERS, setup.workers + 1))
        pack = "Pack the data into one store, ph.pack(source, path)"
        return (
            f"{pack}, or read with more threads, Feed(workers={more})."
            if more > setup.workers
            else f"{pack}."
        )
    if needed is None and stage in ("decode", "warp", "mix"):
        needed = setup.cores
    more = min(setup.cores, max(needed or 0, setup.workers + 1))
    if setup.workers < more and not setup.sequential:
        ahead = ", which prepare batches while the model works" if not setup.workers else ""
        return f"Give it more threads: Feed(workers={more}){ahead}."
    if stage == "decode":
        return "Pack images of the size that the model gets, ph.pack(source, path), or decode less: a smaller ph.Image."
    return _LAST[stage]


_LAST = {
    "order": "Give a larger batch_size.",
    "warp": "Leave out the augmentations that cost most, or let the model get a smaller ph.Image.",
    "mix": "Mixing reads several rows for one: give it a smaller p, or pack the data, ph.pack(source, path).",
    "check": "Values are checked only in the first epoch, so this cost then disappears.",
    "inputs": "Store the inputs as the model gets them, ph.pack(source, path), or give a larger batch_size.",
    "labels": "Store the labels as the model gets them, ph.pack(source, path).",
    "hand over": "Give a larger batch_size, or model.compile(steps_per_execution=...).",
}
