"""Compares a feed with a model and reports every mismatch at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from polyhead.checks.activation import activation
from polyhead.checks.compiled_declaration import other_meaning
from polyhead.checks.compiled_model import (
    diluted,
    head_losses,
    plain_metrics,
    unweighable,
    user_losses,
    user_metrics,
)
from polyhead.checks.input_rules import judge_inputs
from polyhead.checks.metric_rules import judge_metrics, judge_names, judge_reductions
from polyhead.checks.model_match import Fit, makes_own_loss, match_model
from polyhead.checks.model_tensors import symbolic
from polyhead.checks.output_rules import (
    as_loss,
    exchanged_heads,
    half_precision,
    judge,
    judge_labels,
)
from polyhead.checks.scale_rules import unscaled, unsuited_losses
from polyhead.errors import Problem
from polyhead.keras_bridge.identifiers import keras_loss, takes_default_loss, unknown_names
from polyhead.keras_bridge.structure import Structure, at, leaves
from polyhead.kinds import Head, Image, Input
from polyhead.kinds.array_statistics import ArrayStatistics


@dataclass(frozen=True)
class Declared:
    """A feed as the checks see it.

    Attributes:
        inputs: resolved input kinds.
        heads: resolved head kinds.
        batch_size: used to call a subclassed model symbolically.
        weighted: the heads that have sample weights.
        fine: the heads whose column of weights has one for each label of a row.
        shuffled: whether its first rows stand for all.
        collapsing: the warnings of inputs of integers that differ, but not in float32.
    """

    inputs: Mapping[str, Input]
    heads: Mapping[str, Head]
    batch_size: int
    weighted: frozenset[str] = frozenset()
    fine: frozenset[str] = frozenset()
    shuffled: bool = False
    collapsing: Mapping[str, Problem] = field(default_factory=dict)


def check(model: Any, declared: Declared, seen: Mapping[str, ArrayStatistics], compiled: bool = True) -> Fit:
    """Compare a feed with a model.

    Args:
        model: a functional, sequential or subclassed Keras model; built here where it is not yet.
        declared: the feed.
        seen: statistics of each head's labels.
        compiled: also check the losses and metrics the model was compiled with.
    """
    fit = match_model(model, declared.inputs, declared.heads, declared.batch_size)
    problems = list(fit.problems)
    images = [kind for kind in declared.inputs.values() if isinstance(kind, Image)]
    size = images[0].shape[:2] if len(images) == 1 else None
    for name, one in seen.items():
        problems += judge_labels(name, declared.heads[name], one, declared.shuffled, size)
    if compiled:
        problems += other_meaning(model, declared.inputs, declared.heads)
        known = head_losses(model)
        problems += unweighable(
            {} if known is None else known.losses, declared.heads, declared.weighted, declared.fine
        )
    if fit.structure is not None:
        problems += _judged(model, declared, seen, fit.structure, compiled)
    ok = not any(not problem.warning for problem in problems)
    return Fit(tuple(problems), fit.notes, fit.structure if ok else None)


def _judged(
    model: Any, declared: Declared, seen: Mapping[str, ArrayStatistics], structure: Structure, compiled: bool
) -> Iterator[Problem]:
    """Compare outputs, losses, metrics and labels, once every head has its output."""
    known = symbolic(model)
    applied: dict[str, str | None] = dict.fromkeys(declared.heads)
    if known is not None:
        tensors = {name: at(known[0], path) for path, name in leaves(structure.inputs)}
        yield from judge_inputs(model, declared.inputs, tensors, declared.collapsing)
    if structure.own_loss:
        return
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
    problems += unknown_names(given, metrics)
    yield from problems
    if problems:
        return
    given = {name: keras_loss(loss, declared.heads[name]) for name, loss in given.items()}
    losses = {name: as_loss(given[name]) if name in given else None for name in declared.heads}
    for name, head in declared.heads.items():
        yield from judge(name, head, applied[name], losses[name], seen.get(name))
        yield from half_precision(name, outputs.get(name))
    yield from unsuited_losses(declared.heads, losses)
    if not makes_own_loss(model):  # else what the losses of the heads would be says nothing
        yield from unscaled(declared.heads, losses, seen, outputs, applied)
    yield from exchanged_heads(declared.heads, applied, seen)
    if compiled:
        yield from _check_metrics(metrics, declared, applied, given, by_hand=users is not None)
    if users is not None:
        yield from diluted(given, declared.heads, declared.weighted)
        yield from plain_metrics(model, declared.weighted)


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
        told = bool(logits) and not by_hand  # a metric by name is made to suit, which Keras does not do
        asked = [resolve(metric, head, told) for metric in metrics[name]]
        yield from judge_metrics(name, head, asked, logits)
        if name in declared.weighted:
            yield from judge_reductions(name, head, asked, by_hand)
        found[name] = asked
    yield from judge_names(found, by_hand)
