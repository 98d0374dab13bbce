"""Identifies a feed in a saved state: its order, some of its rows and its declaration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from polyhead.errors import ContractError, Problem, is_integer, listed, place, shown, warn
from polyhead.kinds import Head, Input, Kind, columns_read
from polyhead.order import Order
from polyhead.pipeline.assembler import Assembler
from polyhead.sources.row_fingerprints import json_form, of_some_rows, other_columns
from polyhead.sources.source import Source


class Identity:
    """Identifies a feed in a saved state; the feed that continues from it has to have the same identity.

    Args:
        source: the rows as given.
        order: the order of training.
    """

    def __init__(self, assembler: Assembler, source: Source, order: Order) -> None:
        self._assembler, self._source, self._steps = assembler, source, len(order)
        self._data: dict[str, list[str]] | None = None
        self._order: dict[str, Any] = {
            "rows": order.rows,
            "batch_size": order.batch_size,
            "shuffle": order.shuffle if order.blocks is None else list(order.blocks),
            "seed": order.seed,
            "shard": list(order.shard),
            "drop_remainder": order.drop_remainder,
        }

    def as_state(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return {**self._order, **self._fingerprints(), "weighing": _weighing_digests(self._assembler.heads)}

    def _fingerprints(self) -> dict[str, Any]:
        inputs, heads = self._assembler.inputs, self._assembler.heads
        if self._data is None:
            self._data = of_some_rows(self._source, columns_read(inputs, heads))
        return {"data": self._data, "declaration": _declaration_digests(inputs, heads)}

    def require(self, state: Mapping[str, Any]) -> None:
        """Raise for a state of another feed or without a valid position; warn of heads that are weighted otherwise.

        Raises:
            ContractError: for a state of other rows, batches or order, or for anything else.
        """
        if not isinstance(state, Mapping):
            expected = "a dict that feed.state() returned"
            raise ContractError(Problem("feed.restore(state)", expected, shown(state)))
        problems = [
            Problem(
                f"state, `{name}`", repr(value), shown(state.get(name)), "It is the state of another feed."
            )
            for name, value in self._order.items()
            if state.get(name) != value
        ]
        problems += _other_fingerprints(state, self._fingerprints())
        for name, limit in (("epoch", None), ("step", self._steps)):
            value = state.get(name)
            if not is_integer(value) or value < 0 or (limit is not None and value >= limit):
                expected = "an integer of at least 0" + ("" if limit is None else f" and below {limit}")
                problems.append(Problem(f"state, `{name}`", expected, shown(value)))
        if problems:
            raise ContractError(*problems)
        for problem in _other_weights(state.get("weighing"), _weighing_digests(self._assembler.heads)):
            warn(problem)


def _other_fingerprints(state: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of a state with other values, inputs or heads, or without fingerprints."""
    for name, value in now.items():
        saved: Any = state.get(name)
        if name not in state or isinstance(saved, str):
            found = "those of an older version" if saved else "none"
            yield Problem(f"state, `{name}`", "fingerprints", found, "Take a new state: feed.state().")
        elif name == "declaration":
            for where, properties in _differing(saved, value):
                both = where in saved and where in value
                same = f"the {' and '.join(properties)} that it was taken with"
                expected = same if both else "what it was taken with"
                found = "others" if both else "a new one" if where in value else "none"
                fix = "To continue training with these, set feed.epoch = ..."
                yield Problem(f"state, {where}", expected, found, fix)
        elif None not in (saved, value) and (columns := other_columns(saved, value)):
            found = f"other values in {listed(columns, 5)}"
            fix = (
                "Continuing within an epoch needs the same rows in the same order. To train on others, make a new "
                "feed, or set feed.epoch = ..."
            )
            yield Problem(f"state, `{name}`", "the rows that it was taken with", found, fix)


def _other_weights(saved: Any, now: Mapping[str, Mapping[str, str]]) -> Iterator[Problem]:
    """Yield a warning for each head whose weighing arguments differ from those in a state; older states have none."""
    for name, arguments in _differing(saved, now):
        expected = f"{' and '.join(f'{argument}=' for argument in arguments)} as when the state was taken"
        fix = "Training continues at the same row. From there on, labels are weighted by the new declaration."
        yield Problem(place(head=name), expected, "another value", fix, "other-weights", warning=True)


def _differing(saved: Any, now: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield each name whose digests differ from those in a state, with the properties that differ."""
    for name in dict.fromkeys([*saved, *now]) if isinstance(saved, Mapping) else ():
        then, here = saved.get(name) or {}, now.get(name, {})
        properties = [key for key in dict.fromkeys([*then, *here]) if then.get(key) != here.get(key)]
        if properties:
            yield name, properties


# Digests, which are the same in every process --------------------------------------------------------------


def _declaration_digests(inputs: Mapping[str, Input], heads: Mapping[str, Head]) -> dict[str, dict[str, str]]:
    """Return digests of what defines each input and head, by place and property.

    >>> from polyhead.kinds import Binary
    >>> {place: list(digests) for place, digests in _declaration_digests({}, {"sold": Binary()}).items()}
    {'head `sold`': ['kind', 'columns', 'shape', 'dtype', 'classes']}
    """
    kinds: list[tuple[str, str, Kind]] = [(place(input=name), name, kind) for name, kind in inputs.items()]
    kinds += [(place(head=name), name, head) for name, head in heads.items()]
    return {
        where: {
            "kind": _digest(type(kind).__name__),
            "columns": _digest(kind.reads(name)),
            "shape": _digest(kind.shape),
            "dtype": _digest(kind.dtype),
            "classes": _digest(json_form(kind.names)),
        }
        for where, name, kind in kinds
    }


def _weighing_digests(heads: Mapping[str, Head]) -> dict[str, dict[str, str]]:
    """Return digests of the arguments of each head that weigh its labels.

    >>> from polyhead.kinds import Binary
    >>> list(_weighing_digests({"sold": Binary(class_weight={0: 1.0, 1: 5.0}), "late": Binary()})["sold"])
    ['class_weight']
    """
    digests: dict[str, dict[str, str]] = {}
    for name, head in heads.items():
        for argument in ("class_weight", "given", "missing"):
            if (value := getattr(head, argument)) is not None:
                digests.setdefault(name, {})[argument] = _digest(json_form(value))
    return digests


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=4).hexdigest()
