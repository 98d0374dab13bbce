"""Checks of the arguments of `Feed`, before anything is read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from polyhead.errors import (
    ContractError,
    Problem,
    is_integer,
    is_size,
    other_choice,
    plain,
    require_choice,
    shown,
    similar,
)
from polyhead.sources.arrays import in_chunks
from polyhead.sources.source import Source


def require_integers(batch_size: Any, seed: Any, workers: Any) -> None:
    """Raise for an argument that is no integer where one has to be."""
    wrong = []
    if not is_size(batch_size):
        wrong.append(Problem("Feed(batch_size=)", "an integer of at least 1", shown(batch_size)))
    if not is_integer(seed):
        wrong.append(Problem("Feed(seed=)", "an integer", shown(seed)))
    if not is_size(workers, 0):
        wrong += other_choice("Feed(workers=)", workers, ("auto",), '"auto" or an integer of at least 0')
    if wrong:
        raise ContractError(*wrong)


def as_switch(name: str, given: Any) -> bool:
    """An argument that is True or False."""
    found = plain(given)
    if not isinstance(found, bool):
        raise ContractError(Problem(f"Feed({name}=)", "True or False", shown(given)))
    return found


def shuffled_by(source: Source, shuffle: Any) -> tuple[Source, int | None]:
    """The source as ``shuffle=`` reads it, and the rows of its chunks if it is shuffled in blocks of them.

    Raises:
        ContractError: for another word, or for rows that come in one order.
    """
    if not isinstance(plain(shuffle), bool):
        require_choice("Feed(shuffle=)", shuffle, ("blocks",), 'True, False or "blocks"')
    source, chunk_rows = in_chunks(source) if isinstance(shuffle, str) else (source, None)
    if shuffle and source.sequential:
        found = "shuffle=True, for rows that come in one order"
        fix = "Shuffle where the generator is written, or give arrays, a table or a ph.Source."
        raise ContractError(Problem("Feed(shuffle=)", "False", found, fix))
    return source, chunk_rows


def require_changes(feed: Callable[..., Any], changes: Mapping[str, Any]) -> None:
    """Raise for changes in ``feed.on`` that are no arguments of ``Feed``."""
    known = [name for name in inspect.signature(feed).parameters if name != "data"]
    expected = f"an argument of ph.Feed ({', '.join(known)})"
    problems = [
        Problem(f"feed.on({name}=)", expected, "none of that name", similar(name, known))
        for name in changes
        if name not in known
    ]
    if problems:
        raise ContractError(*problems)
