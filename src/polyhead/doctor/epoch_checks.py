"""Checks the length, rows and order of epochs, and labels that change between epochs for the same inputs."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from polyhead.doctor.epoch_parts import EpochPart
from polyhead.doctor.examination import CheckResult
from polyhead.doctor.model_signature import Matches
from polyhead.doctor.reading import LeafPath, Reading
from polyhead.doctor.subjects import Subject
from polyhead.errors import counted

_SMALL = 64
"""Rows of at most this many integers may be equal by chance."""
_UNEVEN = 0.05
_BARELY = 1 / 12
_MANY = 10
_ALL_NEW = 0.9
"""If more of the rows are new in the second epoch, they are drawn or augmented anew."""

_SHUFFLE = {
    "": "order = rng.permutation(rows) at the start of each epoch.",
    "tf.data dataset": "dataset.shuffle(rows) before batch().",
    "torch DataLoader": "DataLoader(shuffle=True).",
    "grain dataset": "dataset.shuffle(seed).repeat() before batch(), as each reading starts with the same order.",
}


def check_epochs(
    subject: Subject,
    first: Reading,
    second: Reading | None,
    steps: int | None,
    matches: Matches,
    out: CheckResult,
) -> None:
    """Run all checks of epochs.

    Args:
        second: a second reading, or None.
        steps: ``steps_per_epoch``, if known.
        matches: names the labels in messages.
        out: gets the results.
    """
    if first.failure is not None:
        return
    streams = not first.ended and subject.length is None
    x_period = period([rows[:, 0] for rows in first.rows]) if streams else None
    _check_ends(subject, first, steps, x_period, streams, out)
    if first.uneven is not None:  # rows of inputs and labels do not belong together
        return
    epoch, later = _two_epochs(first, second, steps, x_period, streams)
    again = EpochPart(second.rows, True, second.labels) if second is not None and streams else None
    drifting = {leaf_path for leaf_path, stats in first.stats.items() if len(stats.dtypes) > 1}
    _check_labels_of_epochs(epoch, later or again, matches, drifting, out)
    column, telling = _telling_hash(epoch, later, x_period)
    if len(np.unique(epoch.keys(column))) == 1:  # constant inputs tell no rows apart
        return
    if telling:
        _check_order(subject, epoch, later, column, out)
    elif later is not None:
        out.unseen.append(
            "whether rows are shuffled or repeated: the inputs differ each time they are read, as augmented ones do"
        )
    if column == 0:
        _check_repeats(subject, first, epoch, later, streams and x_period is None and steps is None, out)
    if later is None and not subject.shuffled:
        why = "it can be read only once" if not subject.again else "no second epoch was reached"
        out.unseen.append(f"whether a second epoch has another order: {why}")


def _two_epochs(
    first: Reading, second: Reading | None, steps: int | None, cycle: int | None, streams: bool
) -> tuple[EpochPart, EpochPart | None]:
    """Return the parts of two readings that Keras would train on as consecutive epochs."""
    if streams:
        length = cycle or steps
        if length is None or length >= first.steps:
            return EpochPart(first.rows, False, first.labels), None
        following = slice(length, 2 * length)
        after = EpochPart(first.rows[following], 2 * length <= first.steps, first.labels[following])
        return EpochPart(first.rows[:length], True, first.labels[:length]), after
    reread = (
        None if second is None or not second.steps else EpochPart(second.rows, second.ended, second.labels)
    )
    return EpochPart(first.rows, first.ended, first.labels), reread


def period(batches: list[np.ndarray]) -> int | None:
    """Return after how many batches a stream starts again; None if no repetition was seen.

    >>> a, b = np.array([1, 2]), np.array([3, 4])
    >>> period([a, b, b, a]), period([a, b])
    (2, None)
    """
    for length in range(1, len(batches) // 2 + 1):
        head = Counter(np.concatenate(batches[:length]).tolist())
        if head == Counter(np.concatenate(batches[length : 2 * length]).tolist()):
            return length
    # the last rows of an epoch may be dropped: it then ends before the first repeated row
    seen: set[int] = set()
    for length, batch in enumerate(batches):
        rows = set(batch.tolist())
        if len(rows) < len(batch):
            return None
        if seen & rows:
            after = np.concatenate(batches[length : 2 * length]).tolist()
            same = sum(row in seen for row in after)
            whole = length >= 2 and len(set(after)) == len(after) and same >= 0.5 * len(after)
            return length if whole else None
        seen |= rows
    return None


def _check_ends(
    subject: Subject, first: Reading, steps: int | None, cycle: int | None, streams: bool, out: CheckResult
) -> None:
    """Check whether epochs end, and whether a second one follows."""
    count = counted(first.steps, "batch")
    if first.ended and subject.runs_out and not subject.refused:
        found = f"an end after {count}: a second epoch would train on the 2 batches that Keras read first"
        fix = f"Put `while True:` round the loop and say fit(steps_per_epoch={first.steps}), or write a "
        fix += "keras.utils.PyDataset."
        out.add(subject.kind, "batches for as long as fit asks for them", found, fix, "exhausted")
        return
    if first.ended and subject.length is not None and subject.length != first.steps:
        expected = f"{first.steps}, as many batches as it gives"
        fix = "Keras trusts the length: return the right one."
        out.add(f"len({subject.name})", expected, str(subject.length), fix, "wrong-length")
    length = first.steps if first.ended else subject.length
    cut_by_fit = subject.whole is not None
    if steps is not None and length is not None and steps != length and not (subject.runs_out or cut_by_fit):
        _check_steps(steps, length, out, "the data ends before")
    if streams and not subject.refused:
        _check_endless(subject, first, steps, cycle, out)
    elif first.ended:
        out.notes.append(f"an epoch is {count}, {counted(first.row_count, 'row')}")
    most, last = len(first.rows[0]), len(first.rows[-1])
    if first.ended and last < most:
        out.notes.append(f"the last batch has {counted(last, 'row')}, the others {most}")


def _check_endless(
    subject: Subject, first: Reading, steps: int | None, cycle: int | None, out: CheckResult
) -> None:
    count = counted(first.steps, "batch")
    if cycle is not None:
        rows = sum(map(len, first.rows[:cycle]))
        out.notes.append(f"an epoch is {counted(cycle, 'batch')}, {counted(rows, 'row')}: then rows repeat")
    if cycle is None and first.late is not None:
        out.unseen.append(f"whether it has an end: time ran out after {count}")
    elif steps is None:
        argument = f"steps_per_epoch={cycle or ', the number of rows over the batch size'}"
        found = "no end" if subject.endless or cycle else f"no end within {count}"
        fix = f"Say fit({argument}), else the first epoch never ends; here: examine(steps_per_epoch=...)."
        fix += " Every batch has the same rows: if there are more, move on after each yield." * (cycle == 1)
        expected = "an end, or a number of steps for an epoch"
        out.add(subject.kind, expected, found, fix, "endless", warning=True)
    elif cycle is not None and steps % cycle:
        _check_steps(steps, cycle, out, "rows come twice")
    elif cycle == 1 and steps > 1 and len(np.unique(first.rows[0][:, 0])) > 1:
        fix = "Move on to the next rows after each yield; if these are all rows, say steps_per_epoch=1."
        out.add("batch 1", "other rows than in batch 0", "the same rows", fix, "repeated-rows", warning=True)


def _check_steps(steps: int, length: int, out: CheckResult, too_many: str) -> None:
    """Report a number of steps other than that of an epoch; ``too_many`` says what happens with more."""
    result = "the last rows are left for the next epoch" if steps < length else too_many
    expected = f"{length}, after which every row was read once"
    fix = f"Say steps_per_epoch={length}."
    out.add(f"steps_per_epoch={steps}", expected, f"{steps}: {result}", fix, "steps", warning=True)


def _telling_hash(epoch: EpochPart, later: EpochPart | None, cycle: int | None) -> tuple[int, bool]:
    """Return which hash identifies rows, 0 of inputs or 1 of labels, and whether either does."""
    if later is None or cycle is not None:
        return 0, True
    for column in (0, 1):
        a, b = epoch.keys(column), later.keys(column)
        distinct = len(np.unique(a)) > 0.9 * len(a)
        if np.isin(b, a).any() and (column == 0 or distinct):
            return column, True
    return 0, not (epoch.complete and later.complete)


def _check_order(
    subject: Subject, epoch: EpochPart, later: EpochPart | None, column: int, out: CheckResult
) -> None:
    """Check whether rows, identified by the hashes of a ``column``, are shuffled between epochs."""
    if later is None or subject.shuffled or len(epoch.rows) < 2:
        return
    a, b, where = epoch.keys(column), later.keys(column), "order of the rows"
    complete = epoch.complete and later.complete
    same = np.array_equal(a[: len(b)], b[: len(a)]) or (complete and not _mean_move(a, b))
    # rows of one small number are often equal
    batches, later_batches = (
        [np.sort(rows[:, column]).tobytes() for rows in part.rows] for part in (epoch, later)
    )
    same_batches = set(later_batches) <= set(batches) and len(later_batches) > 1
    if not same and not same_batches:
        if complete and _mean_move(a, b) < _BARELY:
            found = f"rows that move by {_mean_move(a, b):.0%} of the epoch on average, where 33% are usual"
            fix = "Shuffle with a larger buffer, best one of all rows, or before batching."
            out.add(where, "a new order in each epoch", found, fix, "not-shuffled", warning=True)
    elif subject.item is None and same:
        fix = _SHUFFLE.get("" if subject.iterated else subject.kind, _SHUFFLE[""])
        expected, found = "a new order in each epoch", "the same order in two epochs"
        out.add(where, expected, found, f"For training, shuffle: {fix}", "not-shuffled", warning=True)
    elif max(map(len, epoch.rows)) > 1:
        fix = "Shuffle the rows before they are cut into batches."
        if subject.item is not None:
            fix = "fit(shuffle=True) changes only the order of the batches. Draw a new order of the rows in "
            fix += "on_epoch_end and cut the batches from it."
        expected, found = "different batches in each epoch", "the same rows in each batch, in every epoch"
        out.add(where, expected, found, fix, "batches-shuffled", warning=True)


def _mean_move(a: np.ndarray, b: np.ndarray) -> float:
    """Return how far rows move between two epochs on average, as a share of the epoch; 1 if too few are in both."""
    _, first, other = np.intersect1d(a, b, return_indices=True)
    return float(np.abs(first - other).mean() / len(a)) if len(first) > len(a) / 2 else 1.0


def _check_repeats(
    subject: Subject,
    first: Reading,
    epoch: EpochPart,
    later: EpochPart | None,
    unknown: bool,
    out: CheckResult,
) -> None:
    """Find rows that occur twice in an epoch, and rows that only one of two epochs has."""
    rows = np.concatenate([batch[:, 0] * np.uint64(31) + batch[:, 1] for batch in epoch.rows])
    twice = _drawn_again(rows) if unknown else len(rows) - len(np.unique(rows))
    batch_rows = max(map(len, epoch.rows))
    missed = 0
    if later is not None and epoch.complete and later.complete:
        theirs = np.unique(later.keys(0))
        missed = int((~np.isin(theirs, epoch.keys(0))).sum())
        missed = 0 if missed > _ALL_NEW * len(theirs) else missed
    if twice and _by_chance(first):
        out.unseen.append(
            f"whether {counted(twice, 'row')} of small numbers are the same rows, or only equal"
        )
    elif twice:
        where, before = _first_repeat(rows, epoch.rows)
        more = f", {counted(missed, 'row')} of another epoch in none" if missed > batch_rows else ""
        expected = "each row once in an epoch"
        found = f"the row of batch {before[0]}, row {before[1]}, again ({counted(twice, 'row')} twice in all{more})"
        fix = "Cut the batches from one permutation of the rows, without overlap."
        if subject.iterated and subject.workers > 1:
            fix = "Each worker reads all rows: give it a share in __iter__, by torch.utils.data.get_worker_info()."
        out.add(f"batch {where[0]}, row {where[1]}", expected, found, fix, "repeated-rows", warning=True)
    elif missed and later is not None and not _relabeled(first, epoch, later, missed):
        out.unseen.append(
            f"whether both epochs have the same rows: {counted(missed, 'row')} differ, as augmented ones do"
        )
    elif missed > batch_rows:
        fix = "Cut the batches from one permutation of all rows, unless each epoch is to draw others."
        if subject.kind == "tf.data dataset":
            fix = "A take() or skip() after shuffle() splits anew in each epoch, so rows for validation are trained "
            fix += "on: say shuffle(rows, reshuffle_each_iteration=False) before the split."
        found = f"{counted(missed, 'row')} of the second epoch that were not in the first"
        out.add("rows", "the same rows in each epoch", found, fix, "rereading-differs", warning=True)


def _drawn_again(rows: np.ndarray) -> int:
    """Count the rows of an endless stream that were repeated before all others had occurred."""
    _, first = np.unique(rows, return_index=True)
    again = np.ones(len(rows), bool)
    again[first] = False
    late = int((first > int(again.argmax())).sum())
    return int(again[: int(first.max())].sum()) if again.any() and late > _UNEVEN * len(first) else 0


def _by_chance(first: Reading) -> bool:
    inputs = [stats for (part, _), stats in first.stats.items() if part == "x"]
    return all(x.whole for x in inputs) and sum(math.prod(x.shape) for x in inputs) <= _SMALL


def _relabeled(first: Reading, epoch: EpochPart, later: EpochPart, missed: int) -> bool:
    """Return whether inputs that differ are other rows rather than augmented ones: other labels came with them.

    Masks, boxes and angles are augmented too, so only single numbers count, of images only ids, and those with many
    values. Without any, vectors are taken for other rows.
    """
    vectors = all(len(stats.shape) <= 1 for (part, _), stats in first.stats.items() if part == "x")
    labels = [
        keys
        for path, keys in epoch.label_keys(later).items()
        if first.stats["y", path].shape in ((), (1,)) and (vectors or first.stats["y", path].whole)
    ]
    values = [len(np.unique(before)) for before, _ in labels]
    same = [
        np.array_equal(np.sort(before), np.sort(after))
        for (before, after), count in zip(labels, values, strict=True)
        if count >= min(_MANY, max(values))
    ]
    often = missed < len(np.concatenate(epoch.rows)) / 2  # most of the images are as they were
    return not any(same) and (vectors or (bool(same) and often))


def _first_repeat(rows: np.ndarray, batches: list[np.ndarray]) -> tuple[tuple[int, int], tuple[int, int]]:
    seen: dict[int, int] = {}
    for position, row in enumerate(rows.tolist()):
        if row in seen:
            return _batch_and_row(batches, position), _batch_and_row(batches, seen[row])
        seen[row] = position
    raise AssertionError("no row comes twice")


def _batch_and_row(batches: list[np.ndarray], position: int) -> tuple[int, int]:
    edges = np.cumsum([0, *map(len, batches)])
    batch = int(np.searchsorted(edges, position, side="right")) - 1
    return batch, position - int(edges[batch])


def _check_labels_of_epochs(
    epoch: EpochPart, later: EpochPart | None, matches: Matches, drifting: set[LeafPath], out: CheckResult
) -> None:
    """Find equal inputs with different labels, except for labels of ``drifting`` dtype, whose hashes differ."""
    if later is None or not later.rows:
        return
    (a, first, often), (b, second, again) = (
        np.unique(part.keys(0), return_index=True, return_counts=True) for part in (epoch, later)
    )
    _, i, j = np.intersect1d(a[often == 1], b[again == 1], assume_unique=True, return_indices=True)
    same, later_same = first[often == 1][i], second[again == 1][j]  # the rows with equal inputs
    if len(same) < 2 or len(a) < 0.9 * sum(often):
        return
    moved = epoch.labels_that_moved(same, later, later_same)
    moved = {path: rows for path, rows in moved.items() if ("y", path) not in drifting}
    if moved:
        rows = np.any(list(moved.values()), axis=0)
        batch, row = _batch_and_row(epoch.rows, int(same[rows].min()))
        named = moved if len(moved) < len(epoch.labels[0]) else {}
        names = [f"{matches.name(('y', path))}, " for path in named]
        where = f"{''.join(names)}batch {batch}, row {row}"
        found = f"different labels the next time ({counted(int(rows.sum()), 'row')} of {len(same):,})"
        fix = "Shuffle inputs and labels by one order: x[ids], y[ids]."
        out.add(where, "the same labels for the same inputs", found, fix, "labels-move")
