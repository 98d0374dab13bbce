"""Warns of weights without effect: balanced weights of a single class, and weights that are all 0."""

from __future__ import annotations

import numpy as np

from polyhead.errors import Problem, counted, place, shown, warn
from polyhead.kinds import Head


def warn_of_one_class(name: str, head: Head, counts: np.ndarray) -> bool:
    """Warn if there is nothing to balance because all labels have one class; return whether that is so.

    Args:
        head: the head with its balanced weights, ``{class: weight}``.
        counts: the count of each class, ``(n,)``, or of zeros and ones of each label, ``(n, 2)``.
    """
    if not counts.sum() or ((counts > 0).sum(-1) > 1).any():
        return False
    found = "the same labels in every row"
    if counts.ndim == 1:
        classes = list(head.class_weight or ())  # a dict, as it has been balanced
        positive = head.meaning.get("positive")
        classes = classes if positive is None else [f"other than {positive}", positive]
        found = f"{shown(classes[int(counts.argmax())])} in every row that has a label"
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
