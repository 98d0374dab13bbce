"""Reads batches in a thread, up to a number of batches and a time limit."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polyhead.doctor.leaf_statistics import (
    MASKED,
    NONE,
    LeafStatistics,
    Odd,
    odd_list,
    single_number,
    unpadded_bytes,
)
from polyhead.doctor.subjects import Subject
from polyhead.doctor.turned_images import ImagesByMask, Turned, find_turned, images_by_mask, pairs_of
from polyhead.errors import shown
from polyhead.keras_bridge.structure import Path, leaves, rebuild

_TICK = 0.2
clock: Callable[[], float] = time.perf_counter
"""The clock for time limits, in seconds."""

PARTS = ("x", "y", "w")

LeafPath = tuple[str, Path]
"""``x``, ``y`` or ``w``, and the keys that lead to an array in it."""


@dataclass(frozen=True)
class ReadBatch:
    """A batch whose leaves are NumPy arrays.

    Attributes:
        parts: ``x``, ``y`` and ``w``, as far as present; a batch that is no tuple is ``x``.
        size: the number of parts of a tuple or list.
    """

    parts: dict[str, Any]
    container: str
    size: int = 1

    def arrays(self) -> Iterator[tuple[LeafPath, Any]]:
        """Yield each leaf with its path."""
        for part, nested in self.parts.items():
            if nested is not None:
                for path, leaf in leaves(nested):
                    yield (part, path), leaf


@dataclass
class Reading:
    """The result of reading batches.

    Attributes:
        first: the first batch; without parts if there is none.
        stats: the statistics of each array, by path.
        layouts: each nesting, with the first batch that has it.
        rows: for each batch the hashes of its rows, uint64 ``(n, 2)``: of inputs and of labels.
        labels: for each batch a hash per row for each array of labels.
        seconds: how long each batch took.
        bytes: the size of the arrays of each batch.
        ended: whether the object had no more batches.
        failure: what it raised, and at which batch.
        late: the batch that was still pending at the time limit; None otherwise.
        waited: the seconds spent waiting for it.
        nothing: the first batch that was None.
        reused: a batch that changed when the next one was made, and the arrays that they share.
        images: the images of the first batch by their masks, to find turned ones later.
        turned: a batch, and in it an image that was turned without its mask.
        given: the leaves of the first batch, as the object gave them.
        uneven: a batch whose arrays have different numbers of rows, and the numbers.
    """

    first: ReadBatch = ReadBatch({}, "")
    stats: dict[LeafPath, LeafStatistics] = field(default_factory=dict)
    layouts: list[tuple[int, Any]] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    labels: list[dict[Path, np.ndarray]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    ended: bool = False
    failure: tuple[int, BaseException] | None = None
    late: int | None = None
    waited: float = 0.0
    nothing: int | None = None
    reused: tuple[int, list[LeafPath]] | None = None
    images: ImagesByMask | None = None
    turned: tuple[int, Turned] | None = None
    uneven: tuple[int, dict[LeafPath, int]] | None = None
    given: dict[LeafPath, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """The number of batches read."""
        return len(self.rows)

    @property
    def row_count(self) -> int:
        """The number of rows read."""
        return sum(map(len, self.rows))

    @property
    def weighs_outputs(self) -> bool:
        """Whether the weights are single numbers, such as one per output or class, instead of one per row."""
        weights = [stats for (part, _), stats in self.stats.items() if part == "w"]
        labels = sum(part == "y" for part, _ in self.stats)
        in_a_row = len(weights) == 1 and labels > 1 and weights[0].list_shape == (labels,)
        return in_a_row or (bool(weights) and all(stats.single for stats in weights))

    def take(self, step: int, item: Any, seconds: float) -> ReadBatch:
        """Add a batch."""
        batch = as_batch(item)
        self.seconds.append(seconds)
        if item is None:
            self.nothing = step if self.nothing is None else self.nothing
            self.rows.append(np.zeros((0, 2), np.uint64))
            self.labels.append({})
            self.bytes.append(0)
            return batch
        if not self.first.parts:
            self.first = batch
            parts = dict(zip(PARTS, item, strict=False)) if isinstance(item, (tuple, list)) else {}
            self.given = {(path[0], path[1:]): leaf for path, leaf in leaves(parts)}
        layout = rebuild(batch.parts, lambda _, __: "*")
        if all(layout != known for _, known in self.layouts):
            self.layouts.append((step, layout))
        counts: dict[LeafPath, int] = {}
        for leaf_path, leaf in batch.arrays():
            stats = self.stats.setdefault(leaf_path, LeafStatistics())
            if leaf_path[0] == "x" and leaf is NONE:
                stats.none = step if stats.none is None else stats.none
            elif isinstance(leaf, Odd):
                stats.odd = stats.odd or (step, leaf)
            else:
                stats.add_batch(step, leaf)
                counts |= {leaf_path: len(leaf)} if leaf.ndim else {}
        if len(set(counts.values())) > 1 and self.uneven is None:
            self.uneven = (step, counts)
        rows, labels = row_hashes(batch)
        self.rows.append(rows)
        self.labels.append(labels)
        arrays = [(leaf_path, leaf) for leaf_path, leaf in batch.arrays() if not isinstance(leaf, Odd)]
        images = [leaf for (part, _), leaf in arrays if part == "x" and leaf.ndim]
        masks = {path: leaf for (part, path), leaf in arrays if part == "y" and path in labels}
        if self.images is None:
            self.images = images_by_mask(pairs_of(images, masks, labels))
        elif self.turned is None and self.images:
            turned = find_turned(self.images, pairs_of(images, masks, labels))
            self.turned = (step, turned) if turned is not None else None
        self.bytes.append(sum(leaf.nbytes for _, leaf in arrays))
        return batch


def as_batch(item: Any) -> ReadBatch:
    """Convert a batch to NumPy arrays.

    >>> sorted(as_batch((np.zeros(2), [np.zeros(2), np.ones(2)])).parts)
    ['x', 'y']
    """
    container = type(item).__name__
    size = len(item) if isinstance(item, (tuple, list)) else 1
    if not isinstance(item, (tuple, list)) or not 1 <= size <= 3 or _is_plain(item):
        return ReadBatch({"x": _with_arrays(item)}, container, size)
    parts: dict[str, Any] = {}
    for part, nested in zip(PARTS, item, strict=False):
        parts[part] = _with_arrays(nested, None if part == "x" else _rows_of_leaf(parts["x"]))
    return ReadBatch(parts, container, size)


def _rows_of_leaf(nested: Any) -> int | None:
    """Return the number of rows of the first array or list in a nesting."""
    for _, leaf in leaves(nested):
        shape = getattr(leaf, "shape", None)
        if shape:
            return int(shape[0])
    return None


def _with_arrays(nested: Any, rows: int | None = None) -> Any:
    """Convert the leaves of a nesting to arrays, or to a description if they are no arrays.

    A list of lists is one leaf, unless it has a list of the batch's ``rows`` for each of several outputs.
    """
    if nested is None:
        return None
    if isinstance(nested, list) and _is_plain(nested) and rows not in (None, len(nested)):
        lists = [isinstance(part, (list, tuple)) and len(part) == rows for part in nested]
        return [_leaf(part) for part in nested] if all(lists) else _leaf(nested)
    return _leaf(nested)


def _leaf(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _leaf(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and not _is_plain(value):
        parts = [_leaf(part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        return MASKED
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if hasattr(value, "detach"):  # a torch tensor
        value = value.detach().cpu()
    if hasattr(value, "shape") and hasattr(value, "__array__"):
        return np.asarray(value)
    if hasattr(value, "has_value") and hasattr(value, "get_value"):
        return NONE  # a TensorFlow optional, which Keras treats as None
    if isinstance(value, (list, tuple)):
        return odd_list(value)
    if isinstance(value, (int, float)):
        return single_number(value)
    fix = "Pad the rows to one length: ragged.to_tensor(), as Keras takes no ragged tensors."
    return NONE if value is None else Odd(shown(value, 40), fix * (type(value).__name__ == "RaggedTensor"))


def _is_plain(values: Any) -> bool:
    """Return whether a value is a list, possibly nested, of numbers or words rather than arrays."""
    if not isinstance(values, (list, tuple)) or not len(values):
        return False
    if isinstance(values, tuple) and any(isinstance(value, (list, tuple)) for value in values):
        return False
    return all(isinstance(v, (int, float, str, bool, np.generic)) or _is_plain(v) for v in values)


def row_hashes(batch: ReadBatch) -> tuple[np.ndarray, dict[Path, np.ndarray]]:
    """Return two hashes per row, of its inputs and labels, uint64 ``(n, 2)``; and one per row of each label array."""
    hashes: dict[LeafPath, np.ndarray] = {}
    for leaf_path, leaf in batch.arrays():
        if leaf_path[0] != "w" and not isinstance(leaf, Odd) and leaf.ndim and leaf.dtype != object:
            digests = b"".join(hashlib.blake2b(unpadded_bytes(row), digest_size=8).digest() for row in leaf)
            hashes[leaf_path] = np.frombuffer(digests, "<u8")
    rows = np.zeros((min(map(len, hashes.values()), default=0), 2), np.uint64)
    for (part, _), of_leaf in hashes.items():
        column = rows[:, PARTS.index(part)]
        column *= np.uint64(0x9E3779B97F4A7C15)  # equal numbers in different arrays are different rows
        column += of_leaf[: len(rows)]
    return rows, {path: of_leaf for (part, path), of_leaf in hashes.items() if part == "y"}


class Clock:
    """Measures the time left of a limit."""

    def __init__(self, seconds: float) -> None:
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """The seconds left, at least 0."""
        return max(0.0, self._end - clock())


class Worker:
    """A thread that runs tasks one by one with a time limit each; a task that hangs is abandoned.

    >>> with Worker() as worker:
    ...     worker.do(lambda: 2, 5.0)
    2
    """

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self.stuck = False
        self.thread = threading.Thread(target=self._run, name="examine", daemon=True)
        self.thread.start()

    def do(self, task: Callable[[], Any], seconds: float) -> Any:
        """Return the result of ``task``.

        Raises:
            TimeoutError: if it takes longer; the worker cannot be used any more.
        """
        if self.stuck:
            raise TimeoutError
        self._asked.put(task)
        limit = Clock(seconds)
        while True:
            try:
                result, error = self._done.get(timeout=min(limit.left, _TICK))
                break
            except queue.Empty:  # interrupts are handled between two of these
                if not limit.left:
                    self.stuck = True
                    self._asked.put(None)
                    raise TimeoutError from None
        if error is not None:
            raise error
        return result

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        """End the thread after its current task."""
        self._asked.put(None)

    def _run(self) -> None:
        while (task := self._asked.get()) is not None:
            try:
                self._done.put((task(), None))
            except BaseException as error:  # whatever the user's code raises is raised in the caller
                self._done.put((None, error))


_END = object()


def read_batches(
    subject: Subject, limit: int, worker: Worker, seconds: float, images: ImagesByMask | None = None
) -> Reading:
    """Read up to ``limit`` batches, and whether there are more; ``images`` are from an earlier reading."""
    time_limit, reading = Clock(seconds), Reading(images=images)
    opened: list[Iterator[Any]] = []

    def fetch() -> tuple[Any, float]:
        start = clock()
        if not opened:
            opened.append(iter(subject.open()))
        item = next(opened[0], _END)
        return item, clock() - start

    previous: ReadBatch | None = None
    for step in range(limit + 1):
        if step == limit and subject.length is not None:
            reading.ended = subject.length == limit
            break
        seconds_left = time_limit.left
        if not seconds_left:  # the time went into looking at the batches, so the object is not to blame
            reading.late = step
            break
        try:
            item, taken = worker.do(fetch, seconds_left)
        except TimeoutError:
            reading.late, reading.waited = step, seconds_left
            return reading
        except (Exception, SystemExit) as error:  # user code may also end the program
            reading.failure = (step, error)
            break
        if item is _END:
            reading.ended = True
            break
        if step == limit:
            break
        batch = reading.take(step, item, taken)
        if previous is not None and reading.reused is None:
            shared = _in_same_memory(previous, batch)
            if shared and not np.array_equal(row_hashes(previous)[0], reading.rows[-2]):
                reading.reused = (step - 1, shared)
        previous = batch
    close = getattr(opened[0], "close", None) if opened and subject.again else None
    if callable(close):
        try:
            worker.do(close, time_limit.left)
        except (Exception, SystemExit):  # all batches were read, so closing does not matter
            return reading
    return reading


def _in_same_memory(batch: ReadBatch, following: ReadBatch) -> list[LeafPath]:
    """Return the arrays of two batches that may share memory."""
    arrays, others = (
        {path: leaf for path, leaf in b.arrays() if isinstance(leaf, np.ndarray)} for b in (batch, following)
    )
    return [path for path in arrays if path in others and np.may_share_memory(arrays[path], others[path])]
