"""Prepares heads for their ``sample_weight=`` columns, and warns of weights without effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import BadValue, DataError, Problem, counted, place, shown, warn
from polyhead.kinds import Head
from polyhead.kinds.sample_weights import BoxWeights, prepared, weights_key, weights_shape
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source


def prepare(source: Source, heads: Mapping[str, Head]) -> dict[str, Head]:
    """Return unresolved heads, set to read the weights in their columns.

    Raises:
        DataError: for all heads whose weights are finer than declared.
    """
    prepared_heads = dict(heads)
    problems: list[Problem] = []
    for name, head in heads.items():
        if head.sample_weight is None:
            continue
        try:
            prepared_heads[name] = prepared(head, first_rows(source, head.sample_weight))
        except BadValue as bad:
            problems += bad.located(head=name, column=head.sample_weight).problems
    if problems:
        raise DataError(*problems)
    return prepared_heads


def along_boxes(source: Source, heads: Mapping[str, Head]) -> dict[str, BoxWeights]:
    """Return the weights of boxes, which are dropped together with them, by `weights_key` of their head."""
    weights_of = {}
    for name, head in heads.items():
        if head.sample_weight is not None:
            weights = BoxWeights.for_head(name, head, first_rows(source, head.sample_weight))
            if weights is not None:
                weights_of[weights_key(name)] = weights
    return weights_of


def require_still(source: Source, heads: Mapping[str, Head], resized: bool, augment: Sequence[Any]) -> None:
    """Raise for weights that would have to be transformed with the image but are not: of pixels, and of swapped points.

    Args:
        resized: whether images or masks are decoded or resized.
    """
    moves = moving(augment)
    how = f"{moves[0]!r} moves them" if moves else "images or masks are decoded or resized" if resized else ""
    problems = []
    for name, head in heads.items():
        inner = head.inner
        if not how or head.sample_weight is None:
            continue
        where = place(head=name, column=head.sample_weight)
        if inner.fine_weights:
            fix = "Mark pixels that do not count in the mask itself, with a value of their own: Mask(missing=255)."
            if inner.layer == "map":
                fix = "Put NaN into the map where a pixel does not count."
            expected = f"one weight a {'row' if inner is head else 'box'}, as {how}"
            found = "weights of pixels, which do not move with the image"
            problems.append(Problem(where, expected, found, fix))
        if inner.pairs and moves:
            if len(weights_shape(head, first_rows(source, head.sample_weight))) != len(head.weight_shape):
                continue  # one weight for all points
            fix = (
                "Leave out pairs=, or the augmentation, or put NaN in the place of points that do not count."
            )
            expected = f"one weight a row, as {how}"
            problems.append(Problem(where, expected, "weights of points that are swapped", fix))
    if problems:
        raise DataError(*problems)


def moving(augment: Sequence[Any]) -> list[Any]:
    """The augmentations that move pixels; others only change their values."""
    from polyhead.augment import Apply
    from polyhead.augment.augmentation import Photometric

    still = [isinstance(a, Photometric) or (isinstance(a, Apply) and a.photometric_only) for a in augment]
    return [a for a, stays in zip(augment, still, strict=True) if not stays]


def warn_of_one_class(name: str, head: Head, class_counts: np.ndarray) -> bool:
    """Warn if there is nothing to balance because all labels have one class; return whether that is so.

    Args:
        head: the head with its balanced weights, ``{class: weight}``.
        class_counts: the count of each class, ``(n,)``, or of zeros and ones of each label, ``(n, 2)``.
    """
    if not class_counts.sum() or ((class_counts > 0).sum(-1) > 1).any():
        return False
    found = "the same labels in every row"
    if class_counts.ndim == 1:
        classes = list(head.class_weight or ())  # a dict, as it has been balanced
        positive = head.meaning.get("positive")
        classes = classes if positive is None else [f"other than {positive}", positive]
        found = f"{shown(classes[int(class_counts.argmax())])} in every row that has a label"
    where = place(head=name, column=", ".join(head.columns(name)))
    expected = 'labels of several classes, which class_weight="balanced" balances'
    fix = "All weights are 1. Leave class_weight out, or look for the rows of the other classes."
    warn(Problem(where, expected, found, fix, "one-class", warning=True))
    return True


def all_weights_zero(present: np.ndarray | None, factor: np.ndarray | None) -> bool:
    """Return whether some rows have labels with own weights, all of which are 0.

    Args:
        present: which labels are present, bool ``(B, ...)``; None if all are.
        factor: the user's own weights, ``(B, ...)``; None without any.

    >>> all_weights_zero(None, np.zeros(3)), all_weights_zero(np.zeros(3, bool), np.zeros(3))
    (True, False)
    >>> all_weights_zero(None, None)
    False
    """
    return (
        factor is not None
        and bool(factor.size)
        and not factor.any()
        and (present is None or bool(present.any()))
    )


def warn_of_no_weight(name: str, head: Head, rows: int) -> None:
    """Warn that all sample weights of a head are 0."""
    where = place(head=name, column=head.sample_weight)
    fix = "None of its labels counts, in training or evaluation. Check how they were made, or leave sample_weight= out."
    found = f"0 in {counted(rows, 'row')}, all that were checked"
    warn(Problem(where, "a weight above 0 in some row", found, fix, "zero-weight", warning=True))
