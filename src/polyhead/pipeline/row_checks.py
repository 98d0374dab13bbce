"""Checks rows before the first step: finds wrong ones, and records what the heads' labels contain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from polyhead.errors import DataError, Problem, is_size, require_choice
from polyhead.images.geometry import outside_of
from polyhead.kinds import Image
from polyhead.kinds.array_statistics import ArrayStatistics, Stray
from polyhead.kinds.in_image import COORDINATES
from polyhead.kinds.missing import spread_over
from polyhead.order import Order
from polyhead.pipeline.assembler import Assembler
from polyhead.pipeline.faults import Faults
from polyhead.pipeline.label_layers import Strays
from polyhead.progress import bar

FIRST_ROWS = 2048
FIRST_BYTES = 1 << 24


class InspectedRows(NamedTuple):
    """The statistics of some rows, and their problems.

    Attributes:
        labels: the statistics of each head's labels.
        numbers: functions that return the statistics of each input of numbers; they read whole arrays in memory.
        problems: the problems that were found.
    """

    labels: dict[str, ArrayStatistics]
    numbers: Mapping[str, Callable[[], ArrayStatistics]]
    problems: list[Problem]


def inspect_rows(assembler: Assembler, order: Order, rows: int | str | None) -> InspectedRows:
    """Check the first rows of an order: a few batches, ``rows`` of them, or all with a progress bar.

    Raises:
        ContractError: if ``rows`` is neither ``"all"`` nor an integer of at least 1.
    """
    if rows is None:
        # a few batches, fewer for large rows
        rows = max(order.batch_size, min(FIRST_ROWS, FIRST_BYTES // max(1, assembler.row_bytes)))
    elif not is_size(rows):
        require_choice("check(rows=)", rows, ("all",), '"all" or an integer of at least 1')
    if not isinstance(rows, str):
        ids, _ = order.block(0, 0, min(len(order), -(-rows // order.batch_size)))
        return _inspected(assembler, [ids[:rows]], order.rows)
    size = assembler.steps_per_block(order.batch_size) * order.batch_size

    def pieces() -> Iterator[np.ndarray]:
        for start in range(0, order.rows, size):
            yield np.arange(start, min(start + size, order.rows))
            advance(min(size, order.rows - start))

    with bar("checking", order.rows) as advance:
        return _inspected(assembler, pieces(), order.rows)


def _inspected(assembler: Assembler, pieces: Iterable[np.ndarray], rows: int) -> InspectedRows:
    """Encode rows; a problem for each mistake lists all rows that have it. ``rows`` is the number of all rows."""
    wrong, checked = Faults(), 0
    seen: dict[str, ArrayStatistics] = {}
    numbers: dict[str, ArrayStatistics] = {}
    strays: Strays = {}
    known = {name: labels.known() for name, labels in assembler.labels.items()}
    images = [kind for kind in assembler.inputs.values() if isinstance(kind, Image)]
    size = (images[0].shape[0], images[0].shape[1]) if len(images) == 1 else None

    def add(name: str, labels: np.ndarray, valid: np.ndarray, ids: np.ndarray) -> None:
        named, head = assembler.source.ids_of(ids), assembler.heads[name]
        classes = len(head.names or ()) if head.shape == () else 0
        stats = seen.setdefault(name, ArrayStatistics(classes if 2 * classes > rows else 0))
        stats.add(labels, lambda row: int(named[row]), valid)
        flags = head.fillers(labels, valid)
        fillers, finer = np.argwhere(flags), flags.size // max(1, valid.size) or 1
        stats.entries += int(valid.sum()) * finer
        stats.fillers += len(fillers)
        if len(fillers) and stats.filler is None:
            row, entry = fillers[0]
            unscaled = head.unscaled(labels[row : row + 1]).reshape(flags.shape[1], -1)[entry]
            stats.filler = unscaled.tolist(), int(named[row])
        if size is not None and head.layer in COORDINATES and head.labels_in_pixels and labels.ndim == 3:
            _count_outside(stats, labels, valid, size, named)

    for name, labels_and_valid in known.items():
        if labels_and_valid is not None:
            add(name, *labels_and_valid, np.arange(rows))
    for piece in pieces:
        checked += len(piece)
        for ids, name, result in assembler.try_rows(piece, wrong.left, strays):
            if isinstance(result, DataError):
                wrong.add(name, assembler.source.ids_of(ids), result)
            elif name in assembler.labels and known[name] is None:
                labels, valid = result
                add(name, labels, valid, ids)
            elif name in assembler.inputs and not isinstance(assembler.inputs[name], Image):
                named = assembler.source.ids_of(ids)
                numbers.setdefault(name, ArrayStatistics(1)).add(result, named.__getitem__)
    for name in strays.keys() & seen.keys():
        seen[name].stray = _stray(assembler, name, strays[name])
    for stats in seen.values():
        stats.complete = stats.rows == rows
    inputs = {name: partial(_with_extremes, assembler, name, stats) for name, stats in numbers.items()}
    return InspectedRows(seen, inputs, wrong.problems(checked, [*assembler.inputs, *assembler.heads]))


def _with_extremes(assembler: Assembler, name: str, numbers: ArrayStatistics) -> ArrayStatistics:
    """Add the rows with the smallest and the largest of all whole numbers of an input."""
    if numbers.whole:
        ids, values = assembler.extremes(name)
        named = assembler.source.ids_of(ids)
        numbers.add(values, named.__getitem__)
    return numbers


def _count_outside(
    stats: ArrayStatistics, labels: np.ndarray, valid: np.ndarray, size: tuple[int, int], named: np.ndarray
) -> None:
    """Count the boxes or points outside of images that keep their size ``(height, width)``."""
    counts, axes = spread_over(valid, labels)[..., 0], labels.shape[2] // 2 * 2
    outside = np.argwhere(counts & outside_of(labels[..., :axes], size))
    before = stats.stray or Stray([], None, size, 0, 0)
    if len(outside) and not before.outside:
        row, entry = outside[0]
        before = before._replace(first=labels[row, entry, :axes].tolist(), row=int(named[row]))
    stats.stray = before._replace(
        outside=before.outside + len(outside), entries=before.entries + int(counts.sum())
    )


def _stray(assembler: Assembler, name: str, rows: Mapping[int, Any]) -> Stray | None:
    """Summarize the boxes or points of a head outside of their image, in the rows that count; None without any."""
    ids, given = np.array(sorted(rows)), assembler.labels[name].given
    ids = ids if given is None else ids[given.where_one(ids)]
    outside = [int(row) for row in ids if len(rows[row][1])]
    if not outside:
        return None
    _, (first, *_), size = rows[outside[0]]
    entries, count = sum(rows[row][0] for row in ids), sum(len(rows[row][1]) for row in outside)
    return Stray(first.tolist(), int(assembler.source.ids_of(np.array(outside[:1]))[0]), size, count, entries)
