"""Reads the declaration of a compiled model, and compares a feed with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from inspect import signature
from typing import Any

from polyhead.checks.compiled_model import head_losses
from polyhead.checks.output_rules import as_loss
from polyhead.errors import ContractError, Problem, hints, place, shown
from polyhead.keras_bridge.identifiers import takes_default_loss
from polyhead.kinds import Head, Input
from polyhead.kinds.declaration import Declaration
from polyhead.kinds.kind import Kind
from polyhead.kinds.scales import Scaling


def loaded_bare(model: Any) -> str:
    """Return what to do about a model that is not compiled; empty for others."""
    compiled = getattr(model, "compiled", True)
    return "" if compiled else "If you loaded it with compile=False, leave that out."


def declaration_of(model: Any) -> Declaration:
    """Return the declaration with which `polyhead.compile` compiled a model.

    Args:
        model: the model, compiled in this process or before it was saved.

    Returns:
        The declaration of its inputs and heads; ``declaration_of(model).feed(rows)`` is a feed of other rows.

    Raises:
        ContractError: for a model without a declaration, or if the user's own classes of heads are not imported.

    >>> import keras, polyhead as ph
    >>> data = {"x": [[0.0, 1.0], [2.0, 3.0]], "animal": ["dog", "cat"]}
    >>> feed = ph.Feed(data, inputs="x", heads={"animal": ph.Categorical()})
    >>> x = keras.Input((2,), name="x")
    >>> model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    >>> ph.declaration_of(model).heads["animal"].names
    ('cat', 'dog')
    """
    losses = _declared_by_head(model)
    if not losses:
        loaded_hint = loaded_bare(model)
        fix = hints(loaded_hint, "Compile it with ph.compile(model, feed, optimizer=...) before it is saved.")
        expected = "a model that ph.compile compiled"
        found = shown(type(model).__name__) + (", which is not compiled" if loaded_hint else "")
        raise ContractError(Problem("declaration_of(model)", expected, found, fix))
    declarations = [
        declared if isinstance(declared, Declaration) else Declaration.from_dict(json.loads(declared))
        for declared in losses.values()
    ]
    heads = {name: head for declaration in declarations for name, head in declaration.heads.items()}
    return Declaration(declarations[0].inputs, heads)


def _declared_by_head(model: Any) -> dict[str, str | Declaration]:
    compiled = head_losses(model)
    losses = {} if compiled is None else compiled.losses
    ordered = sorted(losses.items(), key=lambda item: item[1].position)
    return {name: loss.declared for name, loss in ordered if loss.declared}


def other_meaning(model: Any, inputs: Mapping[str, Input], heads: Mapping[str, Head]) -> Iterator[Problem]:
    """Find inputs and heads whose numbers have another meaning than when the model was compiled."""
    if not _declared_by_head(model):
        return
    known = declaration_of(model)
    for name, head in heads.items():
        if name in known.heads:
            yield from _other_kind(place(head=name), known.heads[name], head)
            yield from _other_classes(place(head=name), known.heads[name].names, head.names)
    for name, kind in inputs.items():
        if name in known.inputs:
            yield from _other_kind(place(input=name), known.inputs[name], kind)


def _other_classes(where: str, known: tuple[Any, ...], found: tuple[Any, ...]) -> Iterator[Problem]:
    if known != found and known and found:
        expected = f"the classes that the model was compiled for, {shown(list(known))}"
        fix = "Ids would mean other classes: say train.on(rows), or give the heads of the other feed, train.heads."
        yield Problem(where, expected, shown(list(found)), fix, "other-classes")


def _other_kind(where: str, known: Kind, found: Kind) -> Iterator[Problem]:
    known_class, found_class = type(known.inner), type(found.inner)
    if known_class is not found_class:
        expected = f"the kind that the model was compiled for, {known_class.__name__}"
        fix = "Say train.on(rows), or ph.declaration_of(model).feed(rows)."
        yield Problem(where, expected, found_class.__name__, fix, "other-meaning")
        return
    found_meaning = found.meaning
    for name, value in known.meaning.items():
        if name in found_meaning and value != found_meaning[name]:
            expected = f"{name}={shown(value)}, as the model was compiled for"
            say = f"Say {name}={shown(value)}, as train.on(rows) does."
            fix = f"{say} If this column is not like that, convert it first."
            if isinstance(value, Scaling):
                fix = (
                    "It was fitted on other rows: say train.on(rows), or ph.declaration_of(model).feed(rows)."
                )
            yield Problem(where, expected, f"{name}={shown(found_meaning[name])}", fix, "other-meaning")


def without_effect(model: Any, heads: Mapping[str, Head]) -> Iterator[Problem]:
    """Find losses and weights of heads that a model was not compiled with: it goes on with those that it has.

    A loss or weight that is not set says nothing, as in a feed for a model that was loaded.
    """
    compiled = head_losses(model)
    for name, head in heads.items() if compiled is not None else ():
        if name not in compiled.losses:
            continue
        words = [f"weight={shown(weight)}" for weight in (compiled.weights[name], head.weight)]
        changes = [words] if head.weight not in (1, compiled.weights[name]) else []
        if not takes_default_loss(head):
            changes.append(
                [f"loss={_loss_in_words(loss)}" for loss in (compiled.losses[name].loss, head.loss)]
            )
        for known, found in changes:
            if known != found:
                expected = f"{known}, which the model was compiled with"
                fix = "The model keeps that: say ph.compile(model, feed, optimizer=model.optimizer)."
                yield Problem(place(head=name), expected, found, fix, "not-compiled", warning=True)


def _loss_in_words(given: Any) -> str:
    """Return the name of a loss, with the arguments of a Keras loss that are not its defaults."""
    import keras

    loss = keras.losses.get(given)
    arguments = getattr(loss, "_fn_kwargs", None) or {}
    usual = signature(loss.fn).parameters if arguments else {}
    named = ", ".join(
        f"{name}={shown(value)}" for name, value in arguments.items() if value != usual[name].default
    )
    kind = as_loss(loss).name or getattr(loss, "__name__", type(loss).__name__)
    return f"{kind}({named})" if named else kind
