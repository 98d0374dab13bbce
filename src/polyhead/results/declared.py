"""Finds the declaration for rows to predict or evaluate."""

from __future__ import annotations

from typing import Any

from polyhead.checks.compiled_declaration import declaration_of, loaded_bare
from polyhead.errors import ContractError, Problem, hints, shown
from polyhead.feed import Feed
from polyhead.kinds.declaration import Declaration


def declaration_for(method: str, model: Any, data: Any, declaration: Any, own: bool = False) -> Declaration:
    """Return the declaration that was given, or else the one that the model or the feed carries.

    Args:
        declaration: the user's argument; None for none.
        own: prefer the declaration of a feed to that of the model.

    Raises:
        ContractError: if no declaration is found.
    """
    if declaration is not None:
        if isinstance(declaration, Feed):
            return declaration.declaration
        if not isinstance(declaration, Declaration):
            expected = "a ph.Declaration, as feed.declaration"
            raise ContractError(Problem(f"{method}(declaration=)", expected, shown(declaration)))
        return declaration
    if own and isinstance(data, Feed):
        return data.declaration
    try:
        return declaration_of(model)
    except ContractError as error:
        if isinstance(data, Feed):
            return data.declaration
        problem = error.problems[0]
        fix = "Compile it with ph.compile(model, feed, ...), give a Feed as data, or declaration=feed.declaration."
        fix = hints(loaded_bare(model), fix)
        raise ContractError(Problem(f"{method}(model)", problem.expected, problem.found, fix)) from None
