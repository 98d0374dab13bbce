"""Mixes the rows of a batch with other rows of the source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, place
from polyhead.hashing import stream
from polyhead.kinds import Head, Image, Input
from polyhead.kinds.mixed_labels import PATCH
from polyhead.sources.source import Source


class RowArrays(NamedTuple):
    """The inputs, labels and weights of rows, as in a `Block`."""

    inputs: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    weights: dict[str, np.ndarray] | None


Read = Callable[[np.ndarray], RowArrays]


def split_augmentations(augment: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Split augmentations into those of single rows and those that mix rows, which come last.

    Raises:
        ContractError: if one of single rows comes after one that mixes rows.
    """
    if not augment:
        return (), ()
    from polyhead.augment.mix import Mixer

    mixes = [isinstance(a, Mixer) for a in augment]
    count = mixes.index(True) if any(mixes) else len(mixes)
    late = [a for a, mixing in zip(augment[count:], mixes[count:], strict=True) if not mixing]
    if late:
        fix = f"Put {augment[count]!r} last: each row is augmented by itself, and then mixed."
        found = f"{late[0]!r} after {augment[count]!r}"
        expected = "augmentations that mix rows after all others"
        raise ContractError(Problem("Feed(augment=)", expected, found, fix))
    return tuple(augment[:count]), tuple(augment[count:])


def with_streams(mixers: Sequence[Any]) -> list[tuple[Any, int]]:
    """Pair each mixer with the number of its random stream."""
    names = [m.stream_name for m in mixers]
    return [(m, stream(m.stream_name, names[:i].count(m.stream_name))) for i, m in enumerate(mixers)]


class Mixers:
    """Mixes the rows of a feed.

    The components of several rows are read together, each once. Only part of the batch is mixed at a time, so memory
    never holds more components than a batch has rows. Each mixer mixes the results of the one before it.

    Attributes:
        weight_shapes: for each head the shape of one row's weight, after mixing.

    Raises:
        ContractError: for all inputs and heads that cannot be mixed.
    """

    def __init__(
        self,
        mixers: Sequence[Any],
        source: Source,
        inputs: Mapping[str, Input],
        heads: Mapping[str, Head],
        seed: int,
    ) -> None:
        self._seed, self._rows = seed, len(source)
        self._inputs, self._heads = inputs, heads
        self._mixers = with_streams(mixers)
        self.weight_shapes = {name: head.weight_shape for name, head in heads.items()}
        images = [kind for kind in inputs.values() if isinstance(kind, Image)]
        self._size = images[0].size if images else (1, 1)
        problems: list[Problem] = []
        for mixer in mixers:
            where = f"Feed(augment=), {mixer!r}"
            if source.sequential:
                fix = "Mix rows in the generator itself, or give arrays, a table or a ph.Source."
                problems.append(Problem(where, "rows that are read in any order", "rows in one order", fix))
            if mixer.way == PATCH and not images:
                fix = "Use ph.MixUp for numbers, or declare an input as ph.Image."
                problems.append(Problem(where, "an image among the inputs", "none", fix))
                continue
            problems += self._unmixable(mixer)
        if problems:
            raise ContractError(*problems)

    def _unmixable(self, mixer: Any) -> Iterator[Problem]:
        for name, kind in self._inputs.items():
            try:
                kind.require_mixable(mixer.way)
            except BadValue as bad:
                yield Problem(f"{place(input=name)}, augment={mixer!r}", bad.expected, bad.found, bad.fix)
        for name, head in self._heads.items():
            try:
                shape = head.mixable(mixer.way)
            except BadValue as bad:
                yield Problem(f"{place(head=name)}, augment={mixer!r}", bad.expected, bad.found, bad.fix)
                continue
            if shape != head.weight_shape:
                self.weight_shapes[name] = shape

    def mix(
        self, ids: np.ndarray, epoch: int, read: Read, empty: Callable[[tuple[int, ...], Any], Any]
    ) -> RowArrays:
        """Mix rows with others.

        Args:
            ids: the rows, int64 ``(B,)``.
            epoch: the number of the epoch, from 0.
            read: returns rows of the source by id, each augmented by itself.
            empty: allocates an array of a shape and a dtype.
        """
        count = int(np.prod([mixer.components for mixer, _ in self._mixers]))
        step = -(-len(ids) // count)
        if step == len(ids):
            return self._mix(ids, epoch, len(self._mixers), read)
        mixed: RowArrays | None = None
        for start in range(0, len(ids), step):
            part = self._mix(ids[start : start + step], epoch, len(self._mixers), read)
            if mixed is None:
                # mypy does not see which fields of a tuple may be None
                mixed = RowArrays(*(group and _room(group, len(ids), empty) for group in part))  # type: ignore[arg-type]
            for whole, group in zip(mixed, part, strict=True):
                for name, array in (group or {}).items():
                    whole[name][start : start + step] = array  # type: ignore[index]
        assert mixed is not None
        return mixed

    def unmixed(self, rows: RowArrays) -> RowArrays:
        """Return rows unmixed, with weights of the shape that mixed rows have."""
        if rows.weights is None:
            return rows
        weights = {n: np.broadcast_to(w, (len(w), *self.weight_shapes[n])) for n, w in rows.weights.items()}
        return rows._replace(weights=weights)

    def _mix(self, ids: np.ndarray, epoch: int, depth: int, read: Read) -> RowArrays:
        """Return the rows after the first ``depth`` mixers."""
        if depth == 0:
            return read(ids)
        mixer, stream = self._mixers[depth - 1]
        components, mixing = mixer.draw(self._seed, epoch, ids, stream, self._rows, self._size)
        distinct, inverse = np.unique(components, return_inverse=True)
        inverse = inverse.reshape(components.shape)
        rows = self._mix(distinct, epoch, depth - 1, read)
        inputs = {name: kind.mix(rows.inputs[name][inverse], mixing) for name, kind in self._inputs.items()}
        labels: dict[str, np.ndarray] = {}
        weights: dict[str, np.ndarray] | None = None if rows.weights is None else {}
        places: dict[str, np.ndarray | None] = {}
        for name in sorted(
            rows.labels, key=lambda name: self._heads[name].each is not None
        ):  # boxes come first
            head, old = self._heads[name], None if rows.weights is None else rows.weights[name][inverse]
            boxes = places.get(head.each or "")
            labels[name], weight, places[name] = head.mix(rows.labels[name][inverse], old, mixing, boxes)
            if weights is not None and weight is not None:
                weights[name] = weight
        return RowArrays(inputs, labels, weights)


def _room(
    group: dict[str, np.ndarray], rows: int, empty: Callable[[tuple[int, ...], Any], Any]
) -> dict[str, np.ndarray]:
    return {name: empty((rows, *array.shape[1:]), array.dtype) for name, array in group.items()}
