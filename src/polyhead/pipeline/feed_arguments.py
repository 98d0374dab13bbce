"""Validates the arguments of `Feed`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polyhead import kinds
from polyhead.errors import (
    ContractError,
    Problem,
    as_list,
    is_integer,
    is_size,
    other_choice,
    place,
    plain_scalar,
    require_choice,
    shown,
    similar,
)
from polyhead.kinds import Array, Head, Image, Input, columns_read, for_boxes
from polyhead.kinds.declaration import KnownHeads
from polyhead.kinds.kind import Kind
from polyhead.pipeline.kind_columns import absent_columns
from polyhead.sources.arrays import in_chunks
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source, names_in


def require_integers(batch_size: Any, seed: Any, workers: Any) -> None:
    """Raise if ``batch_size=``, ``seed=`` or ``workers=`` is not a valid integer."""
    wrong = []
    if not is_size(batch_size):
        wrong.append(Problem("Feed(batch_size=)", "an integer of at least 1", shown(batch_size)))
    if not is_integer(seed):
        wrong.append(Problem("Feed(seed=)", "an integer", shown(seed)))
    wrong += no_worker_count("Feed(workers=)", workers)
    if wrong:
        raise ContractError(*wrong)


def no_worker_count(where: str, workers: Any) -> list[Problem]:
    """Return the problem of an invalid number of threads, as a list; it is empty for a valid one or ``"auto"``."""
    if is_size(workers, 0):
        return []
    return other_choice(where, workers, ("auto",), '"auto" or an integer of at least 0')


def as_switch(name: str, value: Any) -> bool:
    """Return the value of an argument that must be True or False."""
    switch = plain_scalar(value)
    if not isinstance(switch, bool):
        raise ContractError(Problem(f"Feed({name}=)", "True or False", shown(value)))
    return switch


def shuffled_by(source: Source, shuffle: Any) -> tuple[Source, int | None]:
    """Return the source to read with ``shuffle=``, and the rows per chunk for ``"blocks"``, else None.

    Raises:
        ContractError: for any other value of ``shuffle``, or for a sequential source.
    """
    if not isinstance(plain_scalar(shuffle), bool):
        require_choice("Feed(shuffle=)", shuffle, ("blocks",), 'True, False or "blocks"')
    source, chunk_rows = in_chunks(source) if isinstance(shuffle, str) else (source, None)
    if shuffle and source.sequential:
        found = f"shuffle={shown(shuffle)}, for rows that can only be read in order"
        fix = "Shuffle in the generator itself, or give arrays, a table or a ph.Source."
        raise ContractError(Problem("Feed(shuffle=)", "False", found, fix))
    return source, chunk_rows


def require_changes(feed: Callable[..., Any], changes: Mapping[str, Any]) -> None:
    """Raise for arguments of ``feed.on`` that are no arguments of ``Feed``."""
    arguments = [name for name in inspect.signature(feed).parameters if name != "data"]
    expected = f"an argument of ph.Feed ({', '.join(arguments)})"
    problems = [
        Problem(f"feed.on({name}=)", expected, "none of that name", similar(name, arguments))
        for name in changes
        if name not in arguments
    ]
    if problems:
        raise ContractError(*problems)


@dataclass(frozen=True)
class Lacking:
    """The label columns that the data of a feed lacks; with any, the feed can only be used to predict."""

    columns: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def problems_in(self, where: str) -> tuple[Problem, ...]:
        """The problems to raise from a method that needs labels."""
        fix = "Rows without labels can only be predicted: give data with the column."
        return tuple(
            replace(p, place=f"{where}, {p.place}", fix=f"{_did_you_mean(p.fix)}{fix}") for p in self.problems
        )

    def __str__(self) -> str:
        columns = ", ".join(f"`{name}`" for name in self.columns)
        return f"no labels, as the data has no column {columns}: for predict only" if columns else ""


def lacking_columns(source: Source, heads: Mapping[str, Head]) -> Lacking:
    """Return the label columns that the source lacks; only `KnownHeads` may lack any, as others need their labels."""
    if not isinstance(heads, KnownHeads):
        return Lacking()
    try:
        for head in heads.values():
            _ = head.output_shape
    except AssertionError:
        return Lacking()
    box_heads, columns = for_boxes(heads), set(source.columns)
    absent = tuple(name for name in columns_read(box_heads) if name not in columns)
    return Lacking(absent, tuple(absent_columns(source, {}, box_heads)))


def _did_you_mean(fix: str) -> str:
    """The question in a fix whether another name was meant; empty if there is none."""
    return f"{fix.partition('?')[0]}? " if "?" in fix else ""


def columns_asked_for(inputs: Any, heads: Any) -> tuple[str, ...]:
    """The columns that a declaration reads; invalid parts of it are ignored."""
    if not isinstance(inputs, Mapping):
        inputs = {name: Array() for name in names_in(inputs, "Feed(inputs=)")}
    valid_inputs = {name: kind for name, kind in inputs.items() if isinstance(kind, Input)}
    named_heads = heads.items() if isinstance(heads, Mapping) else ()
    valid_heads = {name: head for name, head in named_heads if isinstance(head, Head)}
    return columns_read(valid_inputs, for_boxes(valid_heads))


def as_inputs(source: Source, inputs: Any) -> dict[str, Input]:
    """Convert inputs given as a name, a list of names or a dict to ``{name: kind}``."""
    if isinstance(inputs, Mapping):
        return dict(inputs)
    return {name: _guess(source, name) for name in names_in(inputs, "Feed(inputs=)")}


def _guess(source: Source, name: str) -> Input:
    """Return `Image` for uint8 columns ``(N, H, W, C)`` of 1, 3 or 4 channels, else `Array`."""
    if name not in source.columns:
        return Array()
    probe = first_rows(source, name)
    image = (
        isinstance(probe, np.ndarray)
        and probe.dtype == np.uint8
        and probe.ndim == 4
        and probe.shape[-1] in (1, 3, 4)
    )
    return Image() if image else Array()


def require_kinds(inputs: Mapping[str, Any], heads: Any) -> dict[str, Input]:
    """Return the inputs; raise one error for all values that are not input or head kinds."""
    problems: list[Problem] = []
    if not inputs:
        problems.append(Problem("inputs", "at least one input", "none"))
    if not isinstance(heads, Mapping):
        names = [heads] if isinstance(heads, str) else as_list(heads) or []
        fix = f'Say what each is, as heads={{"{names[0]}": ph.Categorical()}}.' if names else ""
        if names and isinstance(names[0], Head):
            fix = f'Name each after an output, as heads={{"...": ph.{names[0]}}}.'
        raise ContractError(Problem("heads", "a dict {name: head}", shown(type(heads).__name__), fix))
    for word, declared, base in (("input", inputs, Input), ("head", heads, Head)):
        for name, kind in declared.items():
            if not isinstance(name, str) or not name:
                fix = f'Say "{name}".' if is_integer(name) else ""
                problems.append(Problem(f"{word}s", "names as text", shown(name), fix))
            elif word == "head" and (name == "val" or (name[:4] == "val_" and name[4:] in heads)):
                whose = f"head `{name[4:]}`" if name[4:] else "all heads"
                found = f"`{name}_loss`, the loss of {whose} on validation data"
                column = getattr(kind, "column", None) or name
                fix = f'Name it otherwise: heads={{"...": ph.{type(kind).__name__}(column="{column}")}}.'
                problems.append(
                    Problem(place(head=name), "a name that differs from others in logs", found, fix)
                )
            elif not isinstance(kind, base):
                where = place(input=name) if word == "input" else place(head=name)
                example = "an input kind, as ph.Array()" if word == "input" else "a head kind, as ph.Binary()"
                problems.append(Problem(where, example, shown(kind), _kind_to_write(kind, base)))
    if problems:
        raise ContractError(*problems)
    return dict(inputs)


def _kind_to_write(value: Any, base: type[Kind]) -> str:
    """Suggest what to write instead of a value that is no kind; empty without a suggestion."""
    if isinstance(value, type):
        return f"Write {value.__name__}() with parentheses."
    if isinstance(value, Kind):
        return f"Move it to {'heads' if isinstance(value, Head) else 'inputs'}=."
    names = {name.lower(): name for name in kinds.__all__ if name != "Each"}  # users say each=
    named_kind = getattr(kinds, names.get(value.lower(), ""), None) if isinstance(value, str) else None
    if isinstance(named_kind, type) and issubclass(named_kind, base) and not inspect.isabstract(named_kind):
        return f"Say ph.{named_kind.__name__}()."
    columns = [value] if isinstance(value, str) else value
    named = (
        base is Input and isinstance(columns, list | tuple) and all(n and isinstance(n, str) for n in columns)
    )
    return f"Say ph.Array(column={value!r})." if named and columns else ""


def given_first(heads: Mapping[str, Head]) -> list[str]:
    """The names of the heads, ordered so that each comes after its ``given=``."""
    problems = []
    depth: dict[str, int] = {}
    for name, head in heads.items():
        chain = [name]
        while (given := heads[chain[-1]].given) is not None and given in heads and given not in chain:
            chain.append(given)
        depth[name] = len(chain)
        if head.given is None:
            continue
        binary = [n for n, h in heads.items() if h.is_binary and n != name]
        expected = "the name of a binary head" + (f" ({', '.join(binary)})" if binary else "")
        where = f"{place(head=name)}, given={head.given!r}"
        if head.given not in heads:
            declare = f"Declare it among the heads: {head.given!r}: ph.Binary()."
            fix = similar(head.given, binary) if binary else declare
            problems.append(Problem(where, expected, "no head of that name", fix))
        elif head.given == name:
            problems.append(Problem(where, expected, "the head itself"))
        elif not heads[head.given].is_binary:
            problems.append(Problem(where, expected, type(heads[head.given]).__name__))
        elif given == name:
            problems.append(Problem(where, "no circle of given=", " -> ".join([*chain, name])))
    if problems:
        raise ContractError(*problems)
    return sorted(heads, key=lambda name: depth[name])
