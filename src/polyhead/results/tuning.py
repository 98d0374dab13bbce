"""Fits thresholds and temperatures to labeled rows, and puts them into the declaration."""

from __future__ import annotations

import json
from typing import Any

from polyhead.checks.compiled_model import head_losses
from polyhead.errors import ContractError, Problem, place, require_choice, warn
from polyhead.kinds import Head
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.likelihood import COLDEST, HOTTEST, OBJECTIVES

_TUNABLE = {"threshold": "Binary and MultiLabel", "temperature": "Binary, Categorical and MultiLabel"}
"""The kinds of heads that have each setting."""


def tune(evaluation: Any, rows: Any, name: str, objective: str) -> float:
    """Find the threshold of a head, and put it into the declaration of the evaluation and of its model."""
    require_choice("tune(objective=)", objective, OBJECTIVES)
    found = evaluation[name]
    _require_tunable("tune", name, found, "threshold")
    if objective != "accuracy" and not found.items_of_rows["label"].any():
        known = float(evaluation.declaration.heads[name].inner.threshold)
        fix = f"Evaluate rows that have some. The threshold stays {known:g}."
        expected = f"positive labels, which the objective {objective} needs"
        warn(Problem(f"tune(), {place(head=name)}", expected, "none", fix))
        return known
    threshold = float(found.judge.best_threshold(found.items_of_rows, objective))
    _declare(evaluation, rows, name, threshold=threshold)
    return threshold


def calibrate(evaluation: Any, rows: Any, name: str) -> float:
    """Find the temperature of a head, and put it into the declaration of the evaluation and of its model."""
    found = evaluation[name]
    _require_tunable("calibrate", name, found, "temperature")
    known = float(rows.heads[name].inner.temperature)
    factor = found.judge.best_temperature(rows.judged(name))
    if not COLDEST < factor < HOTTEST:
        why = "All labels are predicted correctly, or are of one class"
        why = "The outputs say little about the labels" if factor >= HOTTEST else why
        fix = (
            f"{why}: evaluate more rows, which the model was not trained on. The temperature stays {known:g}."
        )
        found = f"a log loss that is lowest at {factor:g}"
        where, expected = (
            f"calibrate(), {place(head=name)}",
            "a lowest log loss between the ends of the range",
        )
        warn(Problem(where, expected, found, fix))
        return known
    temperature = round(factor * known, 6)
    _declare(evaluation, rows, name, temperature=temperature)
    return temperature


def tuned_as(head: Head, other: Head | None) -> Head:
    """A copy of a head with the threshold and temperature of another head of its kind."""
    if other is None or type(head.inner) is not type(other.inner) or not head.inner.tunable:
        return head
    return head.fixed(**{name: getattr(other.inner, name) for name in head.inner.tunable})


def carried_heads(model: Any) -> dict[str, Head]:
    """The heads of the declaration that a model carries; empty if it carries none."""
    compiled = head_losses(model)
    found: dict[str, Head] = {}
    for loss in {} if compiled is None else compiled.losses.values():
        if loss.declared:
            found |= Declaration.from_dict(json.loads(loss.declared)).heads
    return found


def _require_tunable(method: str, name: str, found: Any, what: str) -> None:
    if not found:
        raise ContractError(Problem(f"{method}(), {place(head=name)}", "rows with a label", "none"))
    head = found.judge
    kind = getattr(head, "judge", head)
    if not hasattr(kind, f"best_{what}"):
        fix = f"Only {_TUNABLE[what]} heads have a {what}."
        expected = f"a head with a {what}"
        raise ContractError(Problem(f"{method}(), {place(head=name)}", expected, "one without", fix))


def _declare(evaluation: Any, rows: Any, name: str, **changes: float) -> None:
    known = evaluation.declaration
    heads = {**known.heads, name: known.heads[name].fixed(**changes)}
    evaluation.declaration = Declaration(known.inputs, heads)
    compiled = head_losses(rows.model)
    loss = None if compiled is None else compiled.losses.get(name)
    if loss is not None and loss.declared:
        own = Declaration.from_dict(json.loads(loss.declared))
        mine = {name: own.heads[name].fixed(**changes)}
        loss.declared = json.dumps(Declaration(own.inputs, mine).to_dict())
