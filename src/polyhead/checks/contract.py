"""Compares a feed with a model and reports every mismatch at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from polyhead.checks.compiled_declaration import other_meaning, without_effect
from polyhead.checks.compiled_model import (
    head_losses,
    lacks_loss,
    lossless,
    unweighted_metrics,
    user_losses,
    user_metrics,
)
from polyhead.checks.input_rules import check_model_inputs
from polyhead.checks.logits import activation, logits_of
from polyhead.checks.loss_rules import check_head_losses, check_user_losses, losses_too_coarse
from polyhead.checks.metric_rules import check_metrics
from polyhead.checks.model_match import Fit, match_model
from polyhead.checks.model_tensors import symbolic
from polyhead.checks.output_rules import (
    Loss,
    as_loss,
    check_head,
    check_labels,
    exchanged_heads,
    half_precision,
)
from polyhead.checks.scale_rules import unscaled_heads, unsuited_losses
from polyhead.errors import Problem, Report, place
from polyhead.keras_bridge.identifiers import (
    as_metrics,
    keras_loss,
    takes_default_loss,
    unknown_loss,
    unknown_metric,
)
from polyhead.keras_bridge.structure import Structure, at, leaves, makes_own_loss
from polyhead.kinds import Head, Image, Input
from polyhead.pipeline.row_checks import InspectedRows


@dataclass(frozen=True)
class Declared:
    """The properties of a feed that are checked.

    Attributes:
        batch_size: the batch size with which to call a subclassed model symbolically.
        fine: the heads whose column of weights has one for each label of a row.
        shuffled: whether the first rows are representative.
        collapsing: warnings about integer inputs in which different values become equal in float32.
    """

    inputs: Mapping[str, Input]
    heads: Mapping[str, Head]
    batch_size: int
    weighted: frozenset[str] = frozenset()
    fine: frozenset[str] = frozenset()
    shuffled: bool = False
    collapsing: Mapping[str, Problem] = field(default_factory=dict)


def check(model: Any, declared: Declared, rows: InspectedRows, compiled: bool = True) -> Fit:
    """Compare a feed with a model.

    Args:
        model: a functional, sequential or subclassed Keras model; it is built if it is not yet.
        rows: what the rows contain.
        compiled: whether to check the losses and metrics that the model was compiled with. Otherwise
            `polyhead.compile` checks those of the heads, with outputs of the model, unless there is an error before.
    """
    fit = match_model(model, declared.inputs, declared.heads, declared.batch_size, trains=True)
    problems = list(fit.problems)
    images = [kind for kind in declared.inputs.values() if isinstance(kind, Image)]
    size = images[0].shape[:2] if len(images) == 1 else None
    for name, statistics in rows.labels.items():
        problems += check_labels(name, declared.heads[name], statistics, declared.shuffled, size)
    if compiled:
        others = list(other_meaning(model, declared.inputs, declared.heads))
        learned_anew = {problem.place for problem in others if problem.code == "other-classes"}
        # the layer has the right number of units, the feed other classes
        problems = [one for one in problems if one.code != "shape" or one.place not in learned_anew] + others
        problems += without_effect(model, declared.heads)
        if (known := head_losses(model)) is not None:
            problems += losses_too_coarse(known.losses, declared.heads, declared.weighted, declared.fine)
    has_errors = not Report((*problems, *rows.problems)).ok
    problems += _compare_tensors(model, declared, rows, fit.structure, compiled, has_errors)
    return Fit(tuple(problems), fit.notes, fit.structure)


def _compare_tensors(
    model: Any, declared: Declared, rows: InspectedRows, matched: Structure, compiled: bool, has_errors: bool
) -> list[Problem]:
    """Compare inputs, outputs, losses, metrics and labels; of heads that match no output, all but their outputs.

    Args:
        has_errors: whether an error was found already, so that `polyhead.compile` raises.
    """
    tensors, seen, heads = symbolic(model), rows.labels, declared.heads
    problems: list[Problem] = []
    outputs: dict[str, Any] = {}
    if tensors is not None:
        inputs = {name: at(tensors[0], path) for path, name in leaves(matched.inputs) if name is not None}
        problems += check_model_inputs(model, declared.inputs, inputs, declared.collapsing, rows.numbers)
    if matched.own_loss:
        return problems
    if compiled and heads and lacks_loss(model) and not makes_own_loss(model):
        problems.append(lossless())
    if tensors is not None:
        outputs = {name: at(tensors[1], path) for path, name in leaves(matched.outputs) if name is not None}
    applied = {name: activation(outputs[name]) if name in outputs else None for name in heads}
    users = user_losses(model, matched) if compiled and heads else None
    losses, metrics, unknown = _losses_and_metrics(model, declared, matched, users)
    problems += unknown
    doubtful = {problem.place for problem in unknown}
    facts: dict[str, Loss | None] = {
        name: as_loss(losses[name]) if name in losses else Loss() if place(head=name) in doubtful else None
        for name in heads
    }
    for name, head in heads.items():
        problems += check_head(name, head, applied[name], facts[name], seen.get(name))
        problems += half_precision(name, outputs.get(name))
    problems += unsuited_losses(heads, facts)
    if not makes_own_loss(model):  # otherwise the losses of heads are not used
        problems += unscaled_heads(heads, facts, seen, outputs, applied)
    problems += exchanged_heads(heads, applied, seen)
    if users is not None:
        problems += check_user_losses(losses, heads, declared.weighted)
        problems += unweighted_metrics(model, declared.weighted)
    if compiled or has_errors or not Report(tuple(problems)).ok:
        problems += _check_all_metrics(metrics, declared, applied, losses, by_hand=users is not None)
        if users is None and head_losses(model) is None:
            from polyhead.keras_bridge.losses import LabeledMean

            means = {name: LabeledMean(loss, heads[name].elementwise) for name, loss in losses.items()}
            problems += check_head_losses(means, heads, declared.weighted, declared.fine)
    return problems


def _losses_and_metrics(
    model: Any, declared: Declared, matched: Structure, users: tuple[dict[str, Any], list[Problem]] | None
) -> tuple[dict[str, Any], dict[str, list[Any]], list[Problem]]:
    """Return the losses and metrics of heads, their own or from ``model.compile``, and the problems in them.

    Args:
        users: the losses from ``model.compile``, with their problems; None if it did not get them.

    Returns:
        The losses that are given, the metrics of each head, and the problems. Losses and metrics that Keras does not
        know are left out.
    """
    heads = declared.heads
    if users is not None:
        losses, problems = users
        metrics, wrong = user_metrics(model, matched)
        problems = [*problems, *wrong]
    else:
        losses, problems = {n: h.loss for n, h in heads.items() if not takes_default_loss(h)}, []
        metrics = {name: as_metrics(head.metrics) for name, head in heads.items()}
    known_losses: dict[str, Any] = {}
    for name, loss in losses.items():
        unknown = list(unknown_loss(name, loss))
        problems += unknown
        if not unknown:
            known_losses[name] = keras_loss(loss, heads[name])
    known_metrics: dict[str, list[Any]] = {name: [] for name in heads}
    for name, head in heads.items():
        for metric in metrics.get(name, ()):
            unknown = list(unknown_metric(name, metric, head if users is None else None))
            problems += unknown
            known_metrics[name] += [] if unknown else [metric]
    return known_losses, known_metrics, problems


def _check_all_metrics(
    metrics: Mapping[str, list[Any]],
    declared: Declared,
    applied: Mapping[str, str | None],
    losses: Mapping[str, Any],
    by_hand: bool,
) -> Iterator[Problem]:
    """Find metrics that do not suit their head."""
    from polyhead.keras_bridge.metrics import resolve

    logits, resolved = {}, {}
    for name, head in declared.heads.items():
        logits[name] = logits_of(applied[name])
        if name in losses and logits[name] is None:
            logits[name] = as_loss(losses[name]).from_logits
        # metrics given by name are made for logits here, but not by Keras
        from_logits = bool(logits[name]) and not by_hand
        resolved[name] = [resolve(metric, head, from_logits) for metric in metrics[name]]
    return check_metrics(resolved, declared.heads, declared.weighted, logits, by_hand)
