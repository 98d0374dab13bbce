"""Chooses the rows of a preview by their ids or their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, is_integer, listed, shown, similar
from polyhead.feed import Feed
from polyhead.kinds.missing import plain, spread_over
from polyhead.report.per_element_views import EachView
from polyhead.report.samples import Label
from polyhead.report.views import View

WHERE = "preview(rows=)"


def rows_to_show(feed: Feed, rows: Any, n: int, views: Mapping[str, View]) -> np.ndarray:
    """Return the indices in a feed's source of the rows to show, int64.

    Args:
        rows: ids of rows, all of which are taken; or ``{head: condition}``, for the first ``n`` that meet all of them.
        n: the most rows that conditions select.

    Raises:
        ContractError: for rows, heads and classes that the feed doesn't have, or if no row meets the conditions.
    """
    if feed.source.sequential:
        fix = "Pack them, or preview the next rows."
        raise ContractError(
            Problem(WHERE, "rows that can be read in any order", "rows in one order only", fix)
        )
    if isinstance(rows, Mapping):
        return _by_labels(feed, rows, n, views)
    values = [rows] if is_integer(rows) else plain(rows)
    ids = np.asarray(values)
    if isinstance(rows, str) or ids.ndim != 1 or not len(ids) or ids.dtype.kind not in "iu":
        expected = 'ids of rows, as [3, 17], or what a head holds, as {"kind": "cat"}'
        raise ContractError(Problem(WHERE, expected, shown(rows)))
    return row_indices(feed, ids.astype(np.int64))


def row_indices(feed: Feed, ids: np.ndarray) -> np.ndarray:
    """Return the indices in a feed's source of rows, given the ids that reports use.

    Raises:
        ContractError: for ids that the feed doesn't have.
    """
    row_ids = feed.source.ids_of(np.arange(feed.num_samples, dtype=np.int64))
    order = np.argsort(row_ids, kind="stable")
    indices: np.ndarray = order[np.minimum(np.searchsorted(row_ids, ids, sorter=order), len(order) - 1)]
    wrong = ids[row_ids[indices] != ids]
    if len(wrong):
        found = f"row{'s' * (len(wrong) > 1)} {listed([str(row) for row in wrong.tolist()], 4)}"
        raise ContractError(Problem(WHERE, f"ids of the {feed.num_samples:,} rows of this feed", found))
    return indices


def _by_labels(feed: Feed, conditions: Mapping[Any, Any], n: int, views: Mapping[str, View]) -> np.ndarray:
    fulfilled = np.ones(feed.num_samples, bool)
    for name, condition in conditions.items():
        if name not in feed.labeled:
            expected = f"one of the heads {listed([f'`{head}`' for head in feed.labeled], 8)}"
            raise ContractError(Problem(WHERE, expected, shown(name), similar(str(name), feed.labeled)))
        fulfilled &= np.fromiter(_fulfilled(feed, name, condition, views[name]), bool, feed.num_samples)
    chosen = np.flatnonzero(fulfilled)[:n]
    if not len(chosen):
        words = ", ".join(f"{name}={shown(condition)}" for name, condition in conditions.items())
        raise ContractError(Problem(WHERE, "a condition that some row fulfills", f"no row with {words}"))
    return chosen


def _fulfilled(feed: Feed, name: str, condition: Any, view: View) -> Iterator[bool]:
    """Yield for each row whether it meets a condition."""
    labels = feed._assembler.labels[name]
    class_ids = _class_ids_of(name, condition, view)
    for piece, valid in labels.all_rows():
        annotated = labels.annotated_rows(piece, valid).tolist()
        values = labels.head.unscaled(piece.labels)
        for i, has_label in enumerate(annotated):
            if condition is None or not has_label:
                yield condition is None and not has_label
            elif callable(condition):
                yield bool(condition(_plain_label(view, values[i], valid[i])))
            elif class_ids:
                yield not class_ids.isdisjoint(view.class_ids(Label(values[i], valid[i])))
            else:
                numbers = values[i][spread_over(valid[i], values[i])]
                yield any(np.any(numbers == value) for value in _alternatives(condition))


def _plain_label(view: View, value: np.ndarray, valid: np.ndarray) -> Any:
    """A label as a function gets it: class names as text, a number, or the numbers of the elements that exist."""
    names, layer, each = view.head.names, view.head.inner.layer, isinstance(view, EachView)
    if names and layer is None:
        classes = [str(names[i]) for i in view.class_ids(Label(value, valid))]
        several = each or view.head.view == "classes"
        return classes if several else next(iter(classes), None)
    if layer in ("boxes", "points"):
        return value[valid]
    if each and layer is None:
        return value[valid.reshape(len(value), -1).any(1)]
    return value.reshape(-1)[0].item() if value.size == 1 else value


def _class_ids_of(name: str, condition: Any, view: View) -> set[int]:
    """The class ids of a condition; empty if it is about numbers.

    Raises:
        ContractError: for a class that the head doesn't have.
    """
    if condition is None or callable(condition) or not view.classes:
        return set()
    classes = [str(n) for n in view.head.names] or ["0", "1"]
    synonyms = {"True": "1", "False": "0"}
    if (positive := getattr(view.head.inner, "positive", None)) is not None:
        synonyms[str(positive)] = "1"
    class_ids: set[int] = set()
    for value in _alternatives(condition):
        text = str(value) if str(value) in classes else synonyms.get(str(value), str(value))
        if text not in classes:
            names = classes if view.head.names else view.classes
            expected = f"a class of head `{name}` ({listed(names, 6)})"
            raise ContractError(Problem(WHERE, expected, shown(value), similar(text, names)))
        class_ids |= {i for i, label in enumerate(classes) if label == text}
    return class_ids


def _alternatives(condition: Any) -> list[Any]:
    return list(condition) if isinstance(condition, (list, tuple, set, frozenset)) else [condition]
