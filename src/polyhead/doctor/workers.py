"""Checks for augmentations that repeat in each worker, and items that are not thread-safe."""

from __future__ import annotations

import pickle
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from polyhead.doctor.environment import current_backend
from polyhead.doctor.examination import CheckResult
from polyhead.doctor.model_signature import Matches, quoted
from polyhead.doctor.reading import Reading, Worker, as_batch, row_hashes
from polyhead.doctor.subjects import Subject
from polyhead.foreign_errors import quoted_error

_THREADS = 4
_ITEMS = 8


@contextmanager
def restored_random_state() -> Iterator[None]:
    """Restore the global random state of NumPy, ``random`` and torch afterwards.

    >>> np.random.seed(1)
    >>> with restored_random_state():
    ...     drawn = np.random.random()
    >>> np.random.random() == drawn
    True
    """
    numpy, python = np.random.get_state(), random.getstate()  # noqa: NPY002 the global state is intended
    torch = sys.modules.get("torch")
    tensor = torch.get_rng_state() if torch is not None else None
    try:
        yield
    finally:
        np.random.set_state(numpy)  # noqa: NPY002
        random.setstate(python)
        if torch is not None and tensor is not None:
            torch.set_rng_state(tensor)


def check_workers(subject: Subject, worker: Worker, seconds: float, out: CheckResult) -> None:
    """Check what workers would do, by reading items here without starting workers."""
    if subject.kind.startswith(("generator", "iterator")):
        out.notes.append(
            'not safe for threads: two that ask at once get "generator already executing"; Keras asks from one'
        )
    if subject.workers <= (0 if subject.processes else 1):
        return
    check = _check_random_states if subject.processes else _check_threads
    try:
        worker.do(lambda: check(subject, out), seconds)
    except TimeoutError:
        out.unseen.append("what workers do: reading a few items took too long")
    except (Exception, SystemExit) as error:  # the reading has reported it
        out.unseen.append(f"what workers do: {quoted_error(error)}")
    if subject.kind == "PyDataset" and current_backend() in ("jax", "torch"):
        where = f"{subject.name}, workers={subject.workers}"
        found = "more, with which Keras repeats queued batches in epoch 0 of the first fit"
        fix = "Say workers=1, or leave out the first epoch's figures."
        out.add(where, "workers=1 on JAX and torch", found, fix, "worker-replay", warning=True)


def _check_random_states(subject: Subject, out: CheckResult) -> None:
    """Check whether an item draws from a random state that is copied to each process."""
    read = _reader_of_item(subject)
    if read is None:
        out.unseen.append("what each worker process draws: its items cannot be read by number")
        return
    states = dict(_random_states(subject.samples))
    if subject.kind != "torch DataLoader":  # it gives each worker global states of its own
        states |= _GLOBAL_STATES
    before = {name: state() for name, state in states.items()}
    read()
    moved = [name for name, state in states.items() if state() != before[name]]
    if moved:
        where = f"{subject.name}, {subject.workers} worker processes"
        found = f"draws from {quoted(moved)}, of which each process gets the same copy"
        fix = "Draw from np.random.default_rng((seed, epoch, index)) inside __getitem__."
        out.add(where, "random draws of its own in each worker", found, fix, "same-augmentation")


def _reader_of_item(subject: Subject) -> Callable[[], Any] | None:
    if subject.item is not None:
        item = subject.item
        return lambda: item(0)
    if hasattr(subject.samples, "__getitem__") and not subject.iterated:
        return lambda: subject.samples[0]
    return None


# the legacy generator too, as users' code draws from it
_GLOBAL_STATES: dict[str, Callable[[], bytes]] = {
    "np.random": lambda: pickle.dumps(np.random.get_state()),  # noqa: NPY002
    "random": lambda: pickle.dumps(random.getstate()),
}


def _random_states(
    owner: Any, depth: int = 2, name: str = "self"
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Find random generators in an object and its parts: the name of each, and a function that returns its state."""
    for key, value in getattr(owner, "__dict__", {}).items():
        if isinstance(value, (np.random.Generator, np.random.RandomState, random.Random)):
            yield f"{name}.{key}", partial(pickle.dumps, value)
        elif depth > 1 and not isinstance(value, (np.ndarray, type)):
            yield from _random_states(value, depth - 1, f"{name}.{key}")


def _check_threads(subject: Subject, out: CheckResult) -> None:
    """Compare items read one by one with the same items read by several threads at once."""
    assert subject.item is not None
    item = subject.item
    count = min(subject.length or _ITEMS, _ITEMS)

    def read(i: int) -> bytes:
        return row_hashes(as_batch(item(i)))[0].tobytes()

    alone = [read(i) for i in range(count)]
    stable = alone == [read(i) for i in range(count)]
    wrong: list[int] = []
    raised: list[str] = []
    gate = threading.Barrier(min(_THREADS, count))

    def work(first: int) -> None:
        try:
            gate.wait()
            for _ in range(3):
                wrong.extend(i for i in range(first, count, gate.parties) if read(i) != alone[i])
        except (Exception, SystemExit) as error:
            raised.append(quoted_error(error))

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(gate.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    if raised or (stable and wrong):
        found = raised[0] if raised else f"a different batch {min(wrong)} than when it is read alone"
        fix = "Keep nothing on self that __getitem__ changes, or say workers=1."
        where = f"{subject.name}, workers={subject.workers}"
        out.add(where, "items that threads can read at the same time", found, fix, "thread-unsafe")
    elif not stable:
        out.unseen.append("whether threads corrupt each other's items: an item is never the same twice")


def _reseeds(item: Callable[[int], Any]) -> str:
    """Return the name of the global random state that reading an item seeds each time; empty if there is none."""
    ends = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        item(0)
        ends.append({name: state() for name, state in _GLOBAL_STATES.items()})
    return next((f"{name}.seed" for name in _GLOBAL_STATES if ends[0][name] == ends[1][name]), "")


def check_item(subject: Subject, first: Reading, worker: Worker, seconds: float) -> CheckResult:
    """Read a dataset's first item again, in the same epoch."""
    out, rows = CheckResult(), first.rows
    if subject.item is None or not rows or not len(rows[0]):
        return out
    if 5 * max(first.seconds) > seconds:
        out.unseen.append("whether item 0 is the same when it is read again: it takes too long")
        return out
    item = subject.item
    try:
        again, labels = worker.do(lambda: row_hashes(as_batch(item(0))), seconds)
        fixed = worker.do(lambda: _reseeds(item), seconds)
    except (Exception, SystemExit):  # the reading reports it
        return out
    if fixed:
        found = f"a seed that is set again whenever an item is read: `{fixed}`"
        fix = "Draw from np.random.default_rng((seed, epoch, index)) instead."
        out.add("item 0", "different random draws in each item", found, fix, "same-augmentation")
    if np.array_equal(again, rows[0]):
        return out
    others = np.concatenate([rows[0][:0], *rows[1:]])[:, 0]
    if np.array_equal(again[:, 0], rows[0][:, 0]):
        moved = [
            Matches().name(("y", path))
            for path, array in labels.items()
            if not np.array_equal(array, first.labels[0].get(path, array))
        ]
        where = ", ".join([*(moved if len(moved) < len(labels) else []), "item 0"])
        expected, found = "the same labels whenever it is read", "other labels beside the same inputs"
        fix = "Draw inputs and labels together, by the index alone."
        out.add(where, expected, found, fix, "labels-move")
    elif np.isin(again[:, 0], others).any():
        expected, found = "the same rows whenever it is read in an epoch", "other rows each time"
        fix = "Take the rows by the index: order[index * size : (index + 1) * size], and draw the order in "
        fix += "on_epoch_end."
        out.add("item 0", expected, found, fix, "rereading-differs", warning=True)
    else:
        out.notes.append("item 0 differs each time it is read: it is augmented, or drawn again")
    return out
