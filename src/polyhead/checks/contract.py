"""Compares a feed with a model and reports every mismatch at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from polyhead.checks.activation import activation
from polyhead.checks.compiled_declaration import other_meaning
from polyhead.checks.compiled_model import (
    head_losses,
    lacks_loss,
    lossless,
    unweighted_metrics,
    user_losses,
    user_metrics,
)
from polyhead.checks.input_rules import judge_inputs
from polyhead.checks.loss_rules import diluting_losses, losses_too_coarse, wrong_own_losses
from polyhead.checks.metric_rules import judge_metrics, judge_names, judge_reductions, judge_signatures
from polyhead.checks.model_match import Fit, makes_own_loss, match_model
from polyhead.checks.model_tensors import symbolic
from polyhead.checks.output_rules import (
    as_loss,
    exchanged_heads,
    half_precision,
    judge,
    judge_labels,
)
from polyhead.checks.scale_rules import unscaled_heads, unsuited_losses
from polyhead.errors import Problem
from polyhead.keras_bridge.identifiers import keras_loss, takes_default_loss, unknown_names
from polyhead.keras_bridge.structure import Structure, at, leaves
from polyhead.kinds import Head, Image, Input
from polyhead.pipeline.row_checks import Seen


@dataclass(frozen=True)
class Declared:
    """The properties of a feed that are checked.

    Attributes:
        batch_size: the batch size with which to call a subclassed model symbolically.
        fine: the heads whose column of weights has one for each label of a row.
        shuffled: whether the first rows are representative.
        collapsing: the warnings of inputs of integers that differ, but not in float32.
    """

    inputs: Mapping[str, Input]
    heads: Mapping[str, Head]
    batch_size: int
    weighted: frozenset[str] = frozenset()
    fine: frozenset[str] = frozenset()
    shuffled: bool = False
    collapsing: Mapping[str, Problem] = field(default_factory=dict)


def check(model: Any, declared: Declared, rows: Seen, compiled: bool = True) -> Fit:
    """Compare a feed with a model.

    Args:
        model: a functional, sequential or subclassed Keras model; it is built if it is not yet.
        rows: what the rows contain.
        compiled: whether to check the losses and metrics that the model was compiled with.
    """
    fit = match_model(model, declared.inputs, declared.heads, declared.batch_size)
    problems = list(fit.problems)
    images = [kind for kind in declared.inputs.values() if isinstance(kind, Image)]
    size = images[0].shape[:2] if len(images) == 1 else None
    for name, one in rows.labels.items():
        problems += judge_labels(name, declared.heads[name], one, declared.shuffled, size)
    if compiled:
        problems += other_meaning(model, declared.inputs, declared.heads)
        known = head_losses(model)
        problems += losses_too_coarse(
            {} if known is None else known.losses, declared.heads, declared.weighted, declared.fine
        )
    if fit.structure is not None:
        problems += _compare_tensors(model, declared, rows, fit.structure, compiled)
    ok = not any(not problem.warning for problem in problems)
    return Fit(tuple(problems), fit.notes, fit.structure if ok else None)


def _compare_tensors(
    model: Any, declared: Declared, rows: Seen, structure: Structure, compiled: bool
) -> Iterator[Problem]:
    """Compare inputs, outputs, losses, metrics and labels, after every head was matched with an output."""
    known, seen = symbolic(model), rows.labels
    applied: dict[str, str | None] = dict.fromkeys(declared.heads)
    if known is not None:
        tensors = {name: at(known[0], path) for path, name in leaves(structure.inputs)}
        yield from judge_inputs(model, declared.inputs, tensors, declared.collapsing, rows.numbers)
    if structure.own_loss:
        return
    if compiled and declared.heads and lacks_loss(model) and not makes_own_loss(model):
        yield lossless()
    outputs: dict[str, Any] = {}
    if known is not None:
        outputs = {name: at(known[1], path) for path, name in leaves(structure.outputs)}
        applied = {name: activation(tensor) for name, tensor in outputs.items()}
    given: dict[str, Any] = {n: h.loss for n, h in declared.heads.items() if not takes_default_loss(h)}
    users = user_losses(model, structure) if compiled and declared.heads else None
    if users is not None:
        given, problems = users
        yield from problems
    metrics, problems = _metrics_given(model, declared, structure, users is not None)
    problems += unknown_names(given, metrics, heads=None if users is not None else declared.heads)
    yield from problems
    if problems:
        return
    given = {name: keras_loss(loss, declared.heads[name]) for name, loss in given.items()}
    losses = {name: as_loss(given[name]) if name in given else None for name in declared.heads}
    for name, head in declared.heads.items():
        yield from judge(name, head, applied[name], losses[name], seen.get(name))
        yield from half_precision(name, outputs.get(name))
    yield from unsuited_losses(declared.heads, losses)
    if not makes_own_loss(model):  # otherwise the losses of heads are not used
        yield from unscaled_heads(declared.heads, losses, seen, outputs, applied)
    yield from exchanged_heads(declared.heads, applied, seen)
    if compiled:
        yield from _check_metrics(metrics, declared, applied, given, by_hand=users is not None)
    if users is not None:
        yield from wrong_own_losses(given, declared.heads)
        yield from diluting_losses(given, declared.heads, declared.weighted)
        yield from unweighted_metrics(model, declared.weighted)


def _metrics_given(
    model: Any, declared: Declared, structure: Structure, by_hand: bool
) -> tuple[dict[str, list[Any]], list[Problem]]:
    """Return each head's metrics, its own or from ``model.compile``, and the problems in how they were given."""
    if by_hand:
        return user_metrics(model, structure)
    given = {name: head.metrics or [] for name, head in declared.heads.items()}
    return {n: list(some) if isinstance(some, (list, tuple)) else [some] for n, some in given.items()}, []


def _check_metrics(
    metrics: Mapping[str, list[Any]],
    declared: Declared,
    applied: Mapping[str, str | None],
    losses: Mapping[str, Any],
    by_hand: bool,
) -> Iterator[Problem]:
    """Find metrics that do not suit their head."""
    from polyhead.keras_bridge.metrics import resolve

    found = {}
    for name, head in declared.heads.items():
        logits = None if applied[name] is None else applied[name] == "linear"
        if name in losses and not applied[name]:
            logits = as_loss(losses[name]).from_logits
        # metrics given by name are made for logits here, but not by Keras
        from_logits = bool(logits) and not by_hand
        asked = [resolve(metric, head, from_logits) for metric in metrics[name]]
        yield from judge_metrics(name, head, asked, logits)
        if name in declared.weighted:
            yield from judge_reductions(name, head, asked, by_hand)
        found[name] = asked
    yield from judge_names(found, by_hand)
    if declared.weighted and not by_hand:
        yield from judge_signatures(found)
