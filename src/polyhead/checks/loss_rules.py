"""Finds losses of heads that ignore weights, dilute them, or compare each label with the outputs of other rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from polyhead.errors import Problem, place
from polyhead.kinds import Head
from polyhead.kinds.keras_names import OVERLAP_LOSSES

_MEANS = ("sum_over_batch_size", "mean")


def check_head_losses(
    losses: Mapping[str, Any], heads: Mapping[str, Head], weighted: frozenset[str], fine: frozenset[str]
) -> Iterator[Problem]:
    """Find losses of heads that mix rows or are coarser than the weights; arguments as for `losses_too_coarse`."""
    wrong = list(_wrong_own_losses(losses, heads))
    yield from wrong
    named = {problem.place for problem in wrong}
    others = {name: loss for name, loss in losses.items() if place(head=name) not in named}
    yield from losses_too_coarse(others, heads, weighted, fine)


def _wrong_own_losses(losses: Mapping[str, Any], heads: Mapping[str, Head]) -> Iterator[Problem]:
    """Find losses that users wrote and that mix rows, or do their work where polyhead doesn't call it.

    Args:
        losses: ``{head: LabeledMean, or what model.compile got}``.
    """
    import keras

    from polyhead.keras_bridge.losses import LabeledMean

    for name, given in losses.items():
        wrapped = isinstance(given, LabeledMean)
        loss = given.loss if wrapped else given
        head, is_object = heads.get(name), isinstance(loss, keras.losses.Loss)
        owner = type(loss) if is_object else loss
        if head is None or not callable(loss) or str(owner.__module__).startswith(("keras.", "polyhead.")):
            continue
        if wrapped and is_object and type(loss).__call__ is not keras.losses.Loss.__call__:
            found = f"{type(loss).__name__}, which has its own __call__"
            fix = "Define call(self, y_true, y_pred), with a value for each row, and leave out __call__: polyhead "
            fix += "applies the weights and takes the mean."
            yield Problem(
                place(head=name), "a loss that computes its values in call", found, fix, "loss-call"
            )
        elif crosses_rows(loss.call if is_object else loss, head):
            word: str = getattr(loss, "name", "") or getattr(loss, "__name__", "a function")
            yield replace(crossing(name, "loss", word), warning=not wrapped)


def crossing(head: str, what: str, name: str) -> Problem:
    """The problem of a loss or metric that compares the label of each row with the outputs of all rows."""
    fix = (
        "Give labels and outputs the same number of axes, as in y_true[:, 0] - y_pred[:, 0]. To compare all rows on "
        "purpose, take the mean over the last axis."
    )
    found = f"{name}, with values (B, B): each label with the outputs of all rows"
    expected = f"a {what} that compares each label with its own output"
    return Problem(place(head=head), expected, found, fix, what)


def losses_too_coarse(
    losses: Mapping[str, Any], heads: Mapping[str, Head], weighted: frozenset[str], fine: frozenset[str]
) -> Iterator[Problem]:
    """Find losses with coarser values than the sample weights of the feed.

    Args:
        losses: ``{head: LabeledMean}``.
        fine: the heads whose column of weights has one for each label of a row.
    """
    for name, loss in losses.items():
        head = heads.get(name)
        if head is None or name not in weighted:
            continue
        by = "class_weight" if head.class_weight is not None else "sample_weight" if name in fine else ""
        whole_vectors = loss.whole_vectors and head.elementwise
        if whole_vectors and by:
            expected = f"a loss that has a value for each label, as {by}= weighs each label"
            found = f"{loss.name}, which reads all labels of a row at once"
            fix = f'Use such a loss, as "mean_squared_error", or leave out {by}=.'
            yield Problem(place(head=name), expected, found, fix, "finer-weights")
        shape = values_shape(partial(loss.call, fine=bool(head.elementwise)), head)
        if shape is None:
            continue
        if not shape:
            problem = too_coarse(name, "loss", "one number for the whole batch")
            if loss.name in OVERLAP_LOSSES and len(head.shape) > 1:
                axes = tuple(range(1, len(head.shape) + 1))
                whole = f"keras.losses.{loss.name.title()}(axis={axes})"
                problem = replace(problem, fix=f"Say loss={whole}, which gives one value for each image.")
            yield problem
            continue
        wanted = head.weight_shape[:-1] if whole_vectors else head.weight_shape
        if of_weights := too_fine(name, head, wanted, shape):
            yield of_weights


def too_coarse(head: str, what: str, found: str) -> Problem:
    """The problem of a loss or metric with one number for a batch, in which rows count differently."""
    fix = "Average over the axes of one row only, as axis=-1: polyhead averages over rows, by their weights."
    expected = f"a {what} with one value a row, as labels can be missing or are weighted"
    return Problem(place(head=head), expected, found, fix)


def too_fine(
    name: str, head: Head, weights: tuple[int, ...], values: tuple[int, ...], what: str = "loss"
) -> Problem | None:
    """Return the problem of a head whose weights are finer than the values of a loss or metric.

    Args:
        weights: the shape of a row's weights.
        values: the shape of a batch of values.
        what: ``"loss"`` or ``"metric"``.
    """
    from polyhead.keras_bridge.losses import finer

    declared = any(given is not None for given in (head.missing, head.class_weight, head.sample_weight))
    while len(weights) >= len(values) and weights and weights[-1] == 1:
        weights = weights[:-1]
    fit = all(w in (1, v) for w, v in zip(weights, values[1:], strict=False))
    return (
        None if fit and len(weights) < len(values) else finer(name, (None, *weights), values, what, declared)
    )


def values_shape(function: Callable[[Any, Any], Any], head: Head) -> tuple[int, ...] | None:
    """Return the shape of the values of a loss or metric for some rows; None if a call with zeros and halves fails.

    It is ``()`` also if there are several numbers that do not belong to rows.
    """
    rows = _odd_rows(head)
    shape = _shape_for(function, head, rows)
    return shape if shape is None or shape[:1] == (rows,) else ()


def crosses_rows(function: Callable[[Any, Any], Any], head: Head) -> bool:
    """Return whether a loss or metric compares the label of each row with the outputs of all rows.

    Labels ``(B,)`` minus outputs ``(B, 1)`` are ``(B, B)``: a second axis of its values grows with the batch. Vectors
    are compared with those of other rows on purpose, as in contrastive losses.
    """
    if math.prod(head.shape) > 1:
        return False
    rows = _odd_rows(head)
    shape = _shape_for(function, head, rows)
    if shape is None or rows not in shape[1:]:
        return False
    more = _shape_for(function, head, rows + 1)
    return more is not None and more[1:] != shape[1:]


def _odd_rows(head: Head) -> int:
    """A number of rows that is no axis of the output."""
    return next(n for n in range(2, 9) if n not in head.output_shape)


def _shape_for(function: Callable[[Any, Any], Any], head: Head, rows: int) -> tuple[int, ...] | None:
    import keras

    from polyhead.keras_bridge.probing import shape_of_result

    try:
        true = np.zeros((rows, *head.shape), head.dtype)
        return shape_of_result(
            function, true, np.full((rows, *head.output_shape), 0.5, keras.config.floatx())
        )
    except Exception:  # a user's function may raise anything
        return None


def check_user_losses(
    losses: Mapping[str, Any], heads: Mapping[str, Head], weighted: frozenset[str]
) -> Iterator[Problem]:
    """Find losses of ``model.compile`` that mix rows, are coarser than the weights, weaken or dilute them."""
    import keras

    yield from _wrong_own_losses(losses, heads)
    for name, given in losses.items():
        loss, head = keras.losses.get(given), heads[name]
        reduction = getattr(loss, "reduction", "sum_over_batch_size")
        shape = values_shape(getattr(loss, "call", loss), head) if name in weighted else None
        if shape and (problem := too_fine(name, head, head.weight_shape, shape)):
            # Keras would weigh rows by each other's weights
            fix = "Keras can't apply them: say ph.compile(model, feed, optimizer=...), whose losses can."
            yield replace(problem, fix=fix)
        if name in weighted and reduction in _MEANS:
            expected = "a loss that is the mean over labeled rows"
            found = "the mean over the whole batch, which rows without a label make smaller"
            fix = "Say ph.compile(model, feed, optimizer=...)."
            yield Problem(place(head=name), expected, found, fix, "diluted", warning=True)
        if reduction == "mean_with_sample_weight" and (head.class_weight or head.sample_weight):
            expected = "a loss in which class_weight= and sample_weight= act in batches of any size"
            found = 'reduction="mean_with_sample_weight", which divides each batch by its own weights'
            fix = "They cancel where a batch has few rows: say ph.compile(model, feed, optimizer=...)."
            yield Problem(place(head=name), expected, found, fix, "weights-cancel", warning=True)
