"""Takes the samples of a preview: rows as the model gets them, with reasons for labels that do not count."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np

from polyhead.feed import Feed
from polyhead.hashing import uniform
from polyhead.kinds import Image
from polyhead.pipeline import Batch
from polyhead.pipeline.row_mixing import split_augmentations, with_streams
from polyhead.pipeline.way_back import files_of

LABELED, MISSING, UNASKED, SILENT, EMPTY = "labeled", "missing", "unasked", "silent", "empty"
"""The states of a label: it counts; it is missing; ``given`` does not ask for it; its weight is 0; it is annotated as
empty.
"""


@dataclass(frozen=True)
class Label:
    """One head's label in one row.

    Attributes:
        value: ``(*shape)``, as the model gets it, but in the data's units if a scale was declared.
        valid: bool ``(*weight_shape)``: which parts have a weight above 0.
        weight: its sample weight, if that is a single number other than 0 and 1.
        state: `LABELED`, `MISSING`, `UNASKED`, `SILENT` or `EMPTY`.
        why: the reason if it does not count, in a few words.
    """

    value: np.ndarray
    valid: np.ndarray
    weight: float | None = None
    state: str = LABELED
    why: str = ""

    @property
    def is_shown(self) -> bool:
        """True if the preview shows the value; for other samples it shows why they do not count."""
        return self.state == LABELED


@dataclass(frozen=True)
class Sample:
    """One row.

    Attributes:
        row: its id in the original source.
        inputs: ``{name: array}`` as the model gets it.
        labels: ``{head: label}``.
        original: the same row before augmentation, if the feed augments.
        file: the file of its first image; empty without one.
        applied: what the augmentations of this epoch did to it, in words.
        guess: its predictions, in the form of its labels.
        scores: confidences of the predictions, ``{head: {index: 0 to 1}}``.
        loss: the difference between predictions and labels.
        sizes: (height, width) of each image, if the sample is on its original images instead of the model's; a picture
            may be smaller.
    """

    row: int
    inputs: dict[str, np.ndarray]
    labels: dict[str, Label]
    original: Sample | None = field(default=None, repr=False)
    file: str = ""
    epoch: int = 0
    applied: tuple[str, ...] = ()
    guess: Sample | None = field(default=None, repr=False)
    scores: dict[str, dict[int, float]] = field(default_factory=dict, repr=False)
    loss: float | None = None
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)


def take_samples(feed: Feed, n: int, rows: np.ndarray | None = None, draws: int = 1) -> list[Sample]:
    """Take the first rows of the feed's next epoch, or chosen rows.

    Args:
        draws: how many times each chosen row is augmented, as in that many epochs from the next one on.
    """
    if rows is None:
        epochs = range(feed.epoch, feed.epoch + 1)
        by_epoch = [_next_rows(feed, n)]
    else:
        epochs = range(feed.epoch, feed.epoch + draws)
        by_epoch = [_chosen_rows(feed, rows, epoch) for epoch in epochs]
    draws_of_rows = [
        draw for same_row in zip(*by_epoch, strict=True) for draw in zip(epochs, same_row, strict=True)
    ]
    indices = [int(row.ids[0]) for _, row in draws_of_rows]
    distinct = list(dict.fromkeys(indices))
    plain = dict(zip(distinct, _without_augmentation(feed, distinct), strict=False))
    files = dict(zip(distinct, _files(feed, distinct), strict=False))
    row_ids = feed.source.ids_of(np.array(indices, np.int64)).tolist()
    applied = applied_to(feed, [(epoch, int(row.ids[0])) for epoch, row in draws_of_rows])
    samples = []
    for i, (epoch, row) in enumerate(draws_of_rows):
        before = plain.get(indices[i])
        labels = _labels(feed, row, before)
        original = None
        if feed.augment and before is not None:
            original = Sample(row_ids[i], before.inputs, _labels(feed, before, None, labels))
        file = files.get(indices[i], "")
        samples.append(Sample(row_ids[i], row.inputs, labels, original, file, epoch, applied[i]))
    return samples


def _next_rows(feed: Feed, n: int) -> list[Batch]:
    rows: list[Batch] = []
    with closing(feed._numbered()) as batches:  # type: ignore[type-var]
        for batch in batches:
            rows += [_single_row(batch, i) for i in range(min(n - len(rows), len(batch.ids)))]
            if len(rows) >= n:
                break
    return rows


class _ChosenRows:
    """An order that gives chosen rows in a single batch."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = np.asarray(rows, np.int64)

    def block(self, epoch: int, first: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
        return self._rows, np.array([0, len(self._rows)])


def _chosen_rows(feed: Feed, rows: np.ndarray, epoch: int) -> list[Batch]:
    single_rows = []
    for start in range(0, len(rows), feed.batch_size):
        order: Any = _ChosenRows(rows[start : start + feed.batch_size])
        for batch in feed._assembler.block(order, epoch, 0, 1).batches():
            single_rows += [_single_row(batch, i) for i in range(len(batch.ids))]
    return single_rows


def _files(feed: Feed, ids: list[int]) -> list[str]:
    """The file names of the first images of rows, or of their column ``file``; empty if there are none."""
    if feed.source.sequential or not ids:
        return []
    images = [kind.columns(name)[0] for name, kind in feed.inputs.items() if isinstance(kind, Image)]
    for column in [*images[:1], "file"]:
        if column in feed.source.columns:
            paths = files_of(feed.source, column, np.array(ids, np.int64))
            if any(paths):
                return [PurePath(path.replace("\\", "/")).name if path else "" for path in paths]
    return []


def _single_row(batch: Batch, i: int) -> Batch:
    """A batch of one row, copied because the batch's memory is reused."""

    def copied(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: array[i].copy() for name, array in arrays.items()}

    weights = None if batch.weights is None else copied(batch.weights)
    return Batch(copied(batch.inputs), copied(batch.labels), weights, batch.ids[i : i + 1].copy())


def _without_augmentation(feed: Feed, ids: list[int]) -> list[Batch]:
    """The same rows without augmentation, weighted only by presence; empty if the source cannot select rows."""
    if feed.source.sequential or not ids:
        return []
    heads = {name: unweighted(head) for name, head in feed.labeled.items()}
    source = feed.source.select(np.array(ids, np.int64))
    plain = feed.on(source, heads=heads, batch_size=len(ids), workers=0, shard=(0, 1))
    return [_single_row(batch, i) for batch in plain.batches() for i in range(len(batch.ids))]


def unweighted(head: Any) -> Any:
    """A copy of a head that gives all labels the same weight."""
    return head.fixed(given=None, class_weight=None, sample_weight=None)


def _labels(
    feed: Feed, row: Batch, before: Batch | None, states: dict[str, Label] | None = None
) -> dict[str, Label]:
    """The labels of a row; ``before`` is the row without weights, ``states`` the labels already known."""
    labels: dict[str, Label] = {}

    def label(name: str) -> Label:
        if name in labels:
            return labels[name]
        head = feed.labeled[name]
        value = head.unscaled(row.labels[name][None])[0]
        weights = np.ones(head.weight_shape, np.float32) if row.weights is None else row.weights[name]
        valid = np.asarray(weights > 0)
        weight = float(weights.flat[0]) if weights.size == 1 else 1.0
        state, why = LABELED, ""
        if states is not None:
            if states[name].state == UNASKED or not valid.any():
                state, why = states[name].state, states[name].why
        elif not valid.any():
            state, why = _state_without_weight(name, head, label(head.given) if head.given else None, before)
            owner = head.each or name
            if state == MISSING and _has_no_boxes(feed.labeled[owner], owner, before or row):
                state, why = EMPTY, "annotated as empty"
        labels[name] = Label(value, valid, weight if weight not in (0.0, 1.0) else None, state, why)
        return labels[name]

    return {name: label(name) for name in feed.labeled}


def _has_no_boxes(head: Any, name: str, row: Batch) -> bool:
    """Return whether a row is annotated as having no boxes."""
    weights = np.zeros((1, *head.weight_shape)) if row.weights is None else row.weights[name][None]
    return bool(head.empty(row.labels[name][None], weights > 0)[0])


def _state_without_weight(name: str, head: Any, given: Label | None, before: Batch | None) -> tuple[str, str]:
    """The state of a label with weight 0, and the reason."""
    known = given is not None and given.state in (LABELED, SILENT)
    if given is not None and not (known and given.value.flat[0] == 1):
        return UNASKED, f"{head.given} {'is 0' if known else 'has no label'}"
    if before is not None and before.weights is not None and not before.weights[name].any():
        return MISSING, "no label"
    if before is None:
        weighs = head.sample_weight is not None or head.class_weight is not None
        return MISSING, "no label, or a weight of 0" if weighs else "no label"
    if np.prod(head.weight_shape) != 1 and head.sample_weight is None and head.class_weight is None:
        return SILENT, "outside after augmentation"
    return SILENT, "its weight is 0"


def applied_to(feed: Feed, rows: Sequence[tuple[int, int]]) -> list[tuple[str, ...]]:
    """Describe the augmentations of each row ``(epoch, index in the source)``, in the order in which they ran.

    >>> import polyhead as ph
    >>> data = {"image": np.zeros((4, 8, 8, 3), np.uint8), "y": [0, 1, 0, 1]}
    >>> augment = [ph.Flip(p=1), ph.Rotate(20)]
    >>> feed = ph.Feed(data, inputs={"image": ph.Image()}, heads={"y": ph.Binary()}, augment=augment)
    >>> applied_to(feed, [(0, 2), (1, 2)])
    [('Flip left-right', 'Rotate +13°'), ('Flip left-right', 'Rotate +6°')]
    """
    if not feed.augment:
        return [()] * len(rows)
    from polyhead.augment import Joint

    moves, mixers = split_augmentations(feed.augment)
    joint = Joint(moves, feed.seed)
    descriptions: dict[tuple[int, int], tuple[str, ...]] = {}
    for epoch in dict.fromkeys(epoch for epoch, _ in rows):
        ids = np.array([row for e, row in rows if e == epoch], np.int64)
        words = joint.descriptions(epoch, ids)
        for mixer, stream_id in with_streams(mixers):
            happens = mixer.happens(uniform(feed.seed, epoch, ids, stream_id, mixer.draws))
            words = [[*w, type(mixer).__name__] if on else w for w, on in zip(words, happens, strict=True)]
        descriptions |= {(epoch, row): tuple(w) for row, w in zip(ids.tolist(), words, strict=True)}
    return [descriptions[row] for row in rows]
