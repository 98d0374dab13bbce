"""Compares the rows of a pipeline with those of the feed that replaces it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from polyhead.doctor.model_signature import in_order
from polyhead.errors import counted, shown
from polyhead.feed import Feed
from polyhead.kinds.missing import spread_over


class ComparedRows(NamedTuple):
    """The first rows of batches: one array for each input and each label, and the weights of each label.

    Weights are 1 for labels without any; one array of weights belongs to every label.
    """

    x: list[np.ndarray]
    y: list[np.ndarray]
    weights: list[np.ndarray]

    @property
    def arrays(self) -> list[np.ndarray]:
        """The inputs, then the labels."""
        return [*self.x, *self.y]


def _rows_of_batches(batches: Iterable[Any], rows: int) -> ComparedRows:
    parts: tuple[list[list[np.ndarray]], ...] = ([], [], [])
    seen = 0
    for batch in batches:
        x, y, w = (*batch, None, None, None)[:3] if isinstance(batch, (tuple, list)) else (batch, None, None)
        labels, weights = in_order(y) if y is not None else [], dict(in_order(w))
        # copies: a generator may fill the same arrays again
        arrays = [np.array(leaf) for _, leaf in in_order(x)]
        of_labels = [weights.get(path, weights.get(())) for path, _ in labels]
        parts[0].append(arrays)
        parts[1].append([np.array(leaf) for _, leaf in labels])
        parts[2].append([np.ones(len(arrays[0])) if w is None else np.array(w, float) for w in of_labels])
        seen += len(arrays[0])
        if seen >= rows:
            break
    return ComparedRows(*([np.concatenate(one)[:rows] for one in zip(*part, strict=True)] for part in parts))


def _batches_of_feed(feed: Feed, rows: int) -> Iterator[tuple[Any, Any, Any]]:
    """Yield the batches of a feed with its first rows, in the order of the data and without augmentation."""
    source = feed.source
    if not source.sequential:
        source = source.select(np.arange(min(rows, feed.num_samples)))
    for batch in feed.on(source, batch_size=32).batches():
        labels = {name: batch.labels[name] for name in feed.heads}
        yield {name: batch.inputs[name] for name in feed.inputs}, labels, batch.weights


def compare_rows(open_batches: Callable[[], Iterable[Any]], feed: Feed, rows: int) -> list[str]:
    """Report for each input and head whether its rows are the same, and otherwise how they differ.

    Args:
        open_batches: returns the batches of the pipeline from its beginning; called again if rows differ.
        feed: the feed in its place.
        rows: the number of rows to compare.
    """
    before = _rows_of_batches(open_batches(), rows)
    after = _rows_of_batches(_batches_of_feed(feed, rows), rows)
    names = [*(f"input `{name}`" for name in feed.inputs), *(f"head `{name}`" for name in feed.heads)]
    old, new = before.arrays, after.arrays
    if (len(before.x), len(before.y)) != (len(after.x), len(after.y)):
        arrays = f"{len(before.x)} inputs and {len(before.y)} label arrays"
        return [f"not compared: the pipeline has {arrays}, the feed {', '.join(names)}"]
    if len(old[0]) != len(new[0]):
        return [f"rows: {len(old[0]):,} before, {len(new[0]):,} in the feed"]
    heads = [None] * len(after.x) + list(feed.heads.values())
    notes = [""] * len(names)
    for i, weights in enumerate(after.weights, len(after.x)):
        if all(a.dtype.kind == "f" for a in (old[i], new[i])) and np.isnan(old[i]).any():
            new[i] = np.where(spread_over(weights == 0, new[i]), np.nan, new[i])
            notes[i] = "NaN became no label"
    lines = [f"rows: {len(new[0]):,} compared"]
    pairs = [_in_one_form(a, b, head) for a, b, head in zip(old, new, heads, strict=True)]
    if not all(_equal(a, b) for a, b, _ in pairs):
        count = len(pairs)
        old_sorted = _sorted([*(a for a, _, _ in pairs), *before.weights])
        new_sorted = _sorted([*(b for _, b, _ in pairs), *after.weights])
        if all(map(_equal, old_sorted[:count], new_sorted[:count])):
            lines += ["the same rows in another order"]
            return lines + _compared_weights(names, old_sorted[count:], new_sorted[count:], old_sorted)
        if not all(map(_equal, old, _rows_of_batches(open_batches(), rows).arrays)):
            return [
                "not compared: the pipeline gives other rows each time, as random order or augmentation does"
            ]
    lines += [
        f"{name}: {_how_they_differ(a, b, '; '.join(filter(None, (note, more))))}"
        for name, (a, b, note), more in zip(names, pairs, notes, strict=True)
    ]
    return lines + _compared_weights(names, before.weights, after.weights, old)


def _compared_weights(
    names: list[str], before: list[np.ndarray], after: list[np.ndarray], rows: list[np.ndarray]
) -> list[str]:
    """Report how the weights of each head compare; ``names`` and ``rows`` are of inputs, then of labels."""
    first = len(names) - len(before)
    heads = zip(names[first:], before, after, rows[first : len(names)], strict=True)
    return [line for head in heads if (line := _weights_line(*head))]


def _weights_line(name: str, old: np.ndarray, new: np.ndarray, labels: np.ndarray) -> str:
    """Compare the weights of a head's labels; empty if all are 1. A label that is NaN has weight 0 in the feed."""
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        labeled = ~np.isnan(labels.reshape(len(labels), -1)).all(1)
        old, new = old[labeled], new[labeled]
    if old.ndim > new.ndim and old.shape[new.ndim :] == (1,) * (old.ndim - new.ndim):
        old = old.reshape(old.shape[: new.ndim])
    if new.ndim > old.ndim:
        old = spread_over(old, new)
    elif old.ndim > new.ndim:
        new = spread_over(new, old)
    old, new = (values.reshape(len(values), -1) for values in np.broadcast_arrays(old, new))
    ones = (old == 1).all() and (new == 1).all()
    return "" if ones else f"weights of {name}: {_how_they_differ(old, new, '')}"


def _in_one_form(old: np.ndarray, new: np.ndarray, head: Any) -> tuple[np.ndarray, np.ndarray, str]:
    """Convert both arrays to a common form; also return a note on the conversion."""
    classes = getattr(head, "classes", None)
    if old.dtype.kind in "OUS" and classes is not None and not isinstance(classes, int):
        ids = new.argmax(-1) if new.ndim == 2 and new.shape[1] > 1 else new.reshape(len(new)).astype(int)
        return old.reshape(len(old)).astype(str), np.array([str(classes[i]) for i in ids]), "words became ids"
    single = old.size == new.size == len(new)
    if single and isinstance(classes, (tuple, list)) and all(isinstance(label, int) for label in classes):
        return old.reshape(len(old)), np.array(classes)[new.reshape(len(new)).astype(int)], ""
    if old.ndim == 2 and old.shape[1] > 1 and new.size == len(new):
        return old.argmax(-1), new.reshape(len(new)).astype(int), "one-hot labels became ids"
    if old.size == new.size and old.shape != new.shape:
        return old.reshape(new.shape), new, f"the shape {old.shape[1:]} became {new.shape[1:]}"
    return old, new, ""


def _equal(old: np.ndarray, new: np.ndarray) -> bool:
    if old.shape != new.shape:
        return False
    if old.dtype.kind in "OUS" or new.dtype.kind in "OUS":
        return bool((old.astype(str) == new.astype(str)).all())
    return bool(np.allclose(old.astype(float), new.astype(float), rtol=1e-5, atol=1e-6, equal_nan=True))


def _sorted(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Sort the rows of all arrays by their values alone."""
    keys = [a.reshape(len(a), -1)[:, i] for a in arrays for i in range(min(a[0].size, 8))]
    keys = [key.astype(str) if key.dtype.kind in "OUS" else np.round(key.astype(float), 4) for key in keys]
    order = np.lexsort(keys[::-1])
    return [a[order] for a in arrays]


def _how_they_differ(old: np.ndarray, new: np.ndarray, note: str) -> str:
    also = f"; {note}" if note else ""
    if _equal(old, new):
        return f"the same{also}"
    if old.shape != new.shape:
        return f"rows of shape {old.shape[1:]} became {new.shape[1:]}"
    if old.dtype.kind in "OUS" or new.dtype.kind in "OUS":
        wrong = int(np.flatnonzero(old.astype(str) != new.astype(str))[0])
        return f"row {wrong}: {shown(old[wrong])} before, {shown(new[wrong])} in the feed"
    before, after = old.astype(float), new.astype(float)
    if before.ndim == 4 and np.allclose(before, 255 * after, atol=0.6):
        return f"the same pixels, 0-255 before and 0-1 in the feed{also}"
    gap = np.abs(before - after).reshape(len(before), -1)
    gap[np.isclose(before, after, rtol=1e-5, atol=1e-6, equal_nan=True).reshape(gap.shape)] = 0
    wrong = int(gap.max(1).argmax())
    if before.ndim == 4:
        return f"differs by {gap.mean():.3g} on average, from resizing and scaling"
    count = int((gap.max(1) != 0).sum())
    differ = counted(count, "row differs", "rows differ")
    return f"{differ}, the most row {wrong}: {shown(old[wrong])} became {shown(new[wrong])}"
