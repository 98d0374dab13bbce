"""Losses, metrics and optimizers that are given by name, and the arguments of ``model.compile``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from polyhead.errors import ContractError, Problem, place, shown, similar

BY_SHAPE = ("crossentropy", "ce", "accuracy", "acc")
"""Names for which Keras, and polyhead, take the loss or metric that suits the labels."""


def unknown_names(
    losses: Mapping[str, Any], metrics: Mapping[str, Any], optimizer: Any = None
) -> Iterator[Problem]:
    """Names that Keras does not know.

    Args:
        losses: for each head its loss, or a name of one.
        metrics: for each head its metrics, or names of them.
        optimizer: as it was given.
    """
    import keras

    for what, given, module in (("loss", losses, keras.losses), ("metric", metrics, keras.metrics)):
        for head, some in given.items():
            for one in some if isinstance(some, (list, tuple)) else [some]:
                if not (isinstance(one, str) and one.lower() in BY_SHAPE):
                    yield from _unknown_name(place(head=head), what, one, module)
    if isinstance(optimizer, str):
        yield from _unknown_name("compile(optimizer=)", "optimizer", optimizer, keras.optimizers)


def _unknown_name(where: str, what: str, given: Any, module: Any) -> Iterator[Problem]:
    named = isinstance(given, str)
    if given is None or callable(given) or (isinstance(given, Mapping) and "class_name" in given):
        return
    names = [name for name in dir(module) if not name.startswith("_")]
    # asking Keras makes an object, and the next of its class gets another name: only what is left is asked for
    if named and given in {*names, *map(snake_name, names)}:
        return
    try:
        module.get(given)
    except (TypeError, ValueError):
        known = {"loss": names, "metric": ["accuracy", *names]}.get(what, [name.lower() for name in names])
        thing = f"{'an' if what == 'optimizer' else 'a'} {what} of Keras"
        expected = f"the name of {thing}" if named else f"{thing}, its name, or a function"
        yield Problem(where, expected, shown(given), similar(given, known) if named else "")


def snake_name(name: str) -> str:
    """The name of a class as Keras has it in small letters.

    >>> snake_name("BinaryCrossentropy"), snake_name("AUC"), snake_name("OneHotIoU"), snake_name("KLDivergence")
    ('binary_crossentropy', 'auc', 'one_hot_io_u', 'kl_divergence')
    """
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def require_model(model: Any, where: str) -> None:
    """Raise for what is no model of Keras.

    Raises:
        ContractError: for anything else.
    """
    if not callable(model) or not hasattr(model, "compile"):
        fix = "Give it with brackets." if isinstance(model, type) else ""
        raise ContractError(Problem(where, "a Keras model", shown(model), fix))


def strange_arguments(model: Any, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Arguments that ``model.compile`` does not take."""
    parameters = inspect.signature(model.compile).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return
    known = [one.name for one in parameters]
    for name in given:
        if name not in known:
            found, near = "none of that name", similar(name, [*known, "normalize"])
            yield Problem(f"compile({name}=)", "an argument of model.compile", found, near)
