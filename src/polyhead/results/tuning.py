"""Fits thresholds and temperatures to labeled rows, and puts them into the declaration."""

from __future__ import annotations

import json
from typing import Any

from polyhead.checks.compiled_model import head_losses
from polyhead.errors import ContractError, Problem, place, require_choice, warn
from polyhead.kinds import Head
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.likelihood import COLDEST, HOTTEST, OBJECTIVES
from polyhead.results.joining import JoinedRows

_TUNABLE = {"threshold": "Binary and MultiLabel", "temperature": "Binary, Categorical and MultiLabel"}
"""The kinds of heads that have each setting."""


def tune(evaluation: Any, rows: Any, name: str, objective: str) -> float:
    """Find the threshold of a head, and put it into the declaration of the evaluation and of its model."""
    require_choice("tune(objective=)", objective, OBJECTIVES)
    head = evaluation[name]
    _require_tunable("tune", head, rows, name, "threshold")
    if objective != "accuracy" and not head.items_of_rows["label"].any():
        current = float(evaluation.declaration.heads[name].inner.threshold)
        fix = f"Evaluate rows that have some. The threshold stays {current:g}."
        expected = f"positive labels, which the objective {objective} needs"
        warn(Problem(f"tune(), {place(head=name)}", expected, "none", fix))
        return current
    threshold = float(head.judge.inner.best_threshold(head.items_of_rows, objective))
    _declare(evaluation, rows, name, threshold=threshold)
    return threshold


def calibrate(evaluation: Any, rows: Any, name: str) -> float:
    """Find the temperature of a head, and put it into the declaration of the evaluation and of its model."""
    head = evaluation[name]
    _require_tunable("calibrate", head, rows, name, "temperature")
    current = float(rows.heads[name].inner.temperature)
    factor = head.judge.best_temperature(rows.all_rows(name))
    if not COLDEST < factor < HOTTEST:
        why = "All labels are predicted correctly, or are of one class"
        why = "The outputs say little about the labels" if factor >= HOTTEST else why
        fix = f"{why}: evaluate more rows, which the model was not trained on. The temperature stays {current:g}."
        expected = "a lowest log loss between the ends of the range"
        found = f"a log loss that is lowest at {factor:g}"
        warn(Problem(f"calibrate(), {place(head=name)}", expected, found, fix))
        return current
    temperature = round(factor * current, 6)
    _declare(evaluation, rows, name, temperature=temperature)
    return temperature


def _require_tunable(method: str, head: Any, rows: Any, name: str, parameter: str) -> None:
    """Raise for a head without labels or without the parameter, and for an evaluation of several models."""
    where = f"{method}(), {place(head=name)}"
    if not head:
        raise ContractError(Problem(where, "rows with a label", "none"))
    if parameter not in rows.heads[name].inner.tunable:
        fix = f"Only {_TUNABLE[parameter]} heads have a {parameter}."
        raise ContractError(Problem(where, f"a head with a {parameter}", "one without", fix))
    if isinstance(rows, JoinedRows):
        fix = "Evaluate the final model on rows that it was not trained on."
        found = "several that were joined"
        raise ContractError(Problem(f"{method}()", "an evaluation of one model", found, fix))


def tuned_as(head: Head, other: Head | None) -> Head:
    """A copy of a head with the threshold and temperature of another head of its kind."""
    if other is None or type(head.inner) is not type(other.inner) or not head.inner.tunable:
        return head
    return head.fixed(**{name: getattr(other.inner, name) for name in head.inner.tunable})


def carried_heads(model: Any) -> dict[str, Head]:
    """The heads of the declaration that a model carries; empty if it carries none."""
    compiled = head_losses(model)
    heads: dict[str, Head] = {}
    for loss in {} if compiled is None else compiled.losses.values():
        if loss.declared:
            heads |= Declaration.from_dict(json.loads(loss.declared)).heads
    return heads


def _declare(evaluation: Any, rows: Any, name: str, **changes: float) -> None:
    declaration = evaluation.declaration
    heads = {**declaration.heads, name: declaration.heads[name].fixed(**changes)}
    evaluation.declaration = Declaration(declaration.inputs, heads)
    compiled = head_losses(rows.model)
    loss = None if compiled is None else compiled.losses.get(name)
    if loss is not None and loss.declared:
        carried = Declaration.from_dict(json.loads(loss.declared))
        head = carried.heads[name].fixed(**changes)
        loss.declared = json.dumps(Declaration(carried.inputs, {name: head}).to_dict())
