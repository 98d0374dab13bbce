"""Makes batches of a source: read, encode, weigh."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polyhead.errors import BadValue, ContractError, DataError, Problem, place
from polyhead.kinds import Each, Head, Image, Input, for_boxes, is_each
from polyhead.kinds.sample_weights import weights_key
from polyhead.order import Order
from polyhead.pipeline.batch import Block
from polyhead.pipeline.buffer_pool import Pool
from polyhead.pipeline.declaration import given_first
from polyhead.pipeline.faults import MOST, Found, apart, file_at, no_stop, stopped
from polyhead.pipeline.gather import Gather, Whole, gathers
from polyhead.pipeline.image_pipeline import Scene
from polyhead.pipeline.kind_columns import Columns, Rows, absent, stacked, unresolved
from polyhead.pipeline.label_encoder import Encoded, Labels
from polyhead.pipeline.label_sources import Along, Laid, laid_alone, resolved
from polyhead.pipeline.row_mixing import Mixers, Parts, split
from polyhead.pipeline.unmoved_targets import require_images, require_moving, require_unit, sides
from polyhead.pipeline.weight_columns import along_boxes, prepare, require_still
from polyhead.profiling import Laps, Meter
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source, checked_rows, row_of

BLOCK_BYTES = 1 << 20
BLOCK_BYTES_IN_MEMORY = 1 << 24
BLOCK_ROWS = 16384


class Assembler:
    """Resolves a declaration against a source, and makes its batches.

    Args:
        source: where rows are.
        inputs: ``{name: input kind}``.
        heads: ``{name: head kind}``.
        augment: augmentations of images, and of what lies in them; behind them those that mix rows.
        seed: of the augmentations.

    Attributes:
        source: where rows are.
        inputs: the input kinds, resolved.
        heads: the head kinds, resolved: classes learnt, balanced weights worked out.
        weighted: whether batches have weights.
        weight_shapes: for each head the shape of one row's weight, where there are weights.

    Raises:
        DataError: a missing column, or a column that cannot be what is declared.
        ContractError: ``given`` names no binary head, heads wait for each other, or rows cannot be mixed as they are
            to be.
    """

    def __init__(
        self,
        source: Source,
        inputs: Mapping[str, Input],
        heads: Mapping[str, Head],
        augment: Sequence[Any] = (),
        seed: int = 0,
    ) -> None:
        self.source = source
        self._given: tuple[Any, ...] = tuple(augment), seed
        self._before: Assembler | None = None  # of the same rows without a cache
        heads = for_boxes(heads)
        problems = absent(source, inputs, heads)
        if problems:
            raise DataError(*problems)
        self._pool = Pool()
        self.inputs: dict[str, Input] = {}
        self.heads: dict[str, Head] = {}
        errors: list[Problem] = []
        for name, kind in inputs.items():
            try:
                column = Columns(source, kind.columns(name))
                self.inputs[name] = kind.told(column).resolve(column)
            except BadValue as bad:
                errors.extend(unresolved(source, kind, name, bad).problems)
            except DataError as error:
                errors.extend(error.problems)
        heads = _told(source, prepare(source, heads), errors)
        beside = along_boxes(source, heads)
        moves, mixers = split(augment)
        require_images(inputs, heads)
        self._scene = None if errors else _scene(source, self.inputs, heads, moves, seed)
        if not errors:
            require_unit(source, self.inputs, heads)
        labels: dict[str, Labels] = {}
        along: dict[str, Along] = {}
        for name in given_first(heads):
            head, rows = heads[name], source
            if errors and self._scene is None and _is_late(head, source, name):
                continue  # what it would be once it is laid into an image that is not right is not known
            if self._scene is not None and head.layer is not None:
                head, rows = self._scene.heads[name], Laid(self._scene, name)
            elif is_each(head) or weights_key(name) in beside:
                eaches: dict[str, Each] = {name: head} if is_each(head) else {}
                eaches |= (
                    {weights_key(name): beside[weights_key(name)]} if weights_key(name) in beside else {}
                )
                rows = along[name] = Along(source, name, eaches, head.reads(name))
            try:
                head = resolved(source, rows, head, name)
                if isinstance(rows, Laid) and head.class_weight == "balanced":
                    head = self._balanced(name, head, labels.get(head.given or ""))
                labels[name] = Labels(name, head, rows, labels.get(head.given or ""))
                self.heads[name] = labels[name].head
                if self._scene is not None and head.layer is not None:
                    self._scene.heads[name] = labels[name].head
                    self.heads[name] = labels[name].head.declared(heads[name])
            except DataError as error:
                errors.extend(error.problems)
            except ContractError as error:
                errors.extend(replace(p, place=f"{place(head=name)}, {p.place}") for p in error.problems)
        if self._scene is None:
            errors.extend(sides(source, self.inputs, self.heads))
        if errors:
            raise DataError(*dict.fromkeys(errors))  # a read that fails does so for several kinds
        self.heads = {name: self.heads[name] for name in heads}
        if self._scene is not None:
            require_moving(self._scene, self.inputs, self.heads, moves)
        self._labels = {name: labels[name] for name in heads}
        self.weight_shapes = {name: label.head.weight_shape for name, label in self._labels.items()}
        self._mixers: Mixers | None = None
        if mixers:
            placed = {name: label.head for name, label in self._labels.items()}
            self._mixers = Mixers(mixers, source, self.inputs, placed, seed)
            self.weight_shapes = self._mixers.weight_shapes
            for label in labels.values():
                label.weighted = label.weighted or label.head.weighs_when_mixed
        self._along = {name: one for name, one in along.items() if not labels[name].ready}
        self.weighted = any(label.weighted for label in labels.values())
        read = dict.fromkeys(c for n, k in self.inputs.items() for c in k.columns(n))
        in_labels = dict.fromkeys(c for n, k in self.heads.items() if not labels[n].ready for c in k.reads(n))
        columns = {c: source.column(c) for c in read | in_labels}
        self._whole = {c: values for c, values in columns.items() if values is not None}
        self._input_source = _only(source, [c for c in read if c not in self._whole])
        self._source = _only(source, [c for c in columns if c not in self._whole])
        self._gathers = {
            (labelled, check): Gather(self._columns(labelled, check, len(source)), self._pool)
            for labelled in (False, True)
            for check in (False, True)
        }
        # any byte is right: there is nothing to check
        wholes = self._columns(False, True, len(source))
        self._sound = {name for (_, name), whole in wholes.items() if whole.column.dtype == np.uint8}

    def _balanced(self, name: str, head: Head, given: Labels | None) -> Head:
        """A head with weights balanced by what somebody drew, not by what stands outside of the images."""
        if self._scene is None or not self._scene.uncovers:
            return head
        scene, drawn = self._scene.drawn(name)
        rows = Laid(scene, name)
        drawn = drawn.resolve(Columns(rows, drawn.columns(name)))
        return head.fixed(class_weight=Labels(name, drawn, rows, given).head.class_weight)

    def _columns(self, labelled: bool, check: bool, rows: int) -> dict[tuple[str, str], Whole]:
        """What is gathered from memory: inputs as ``("", name)``, of labels each part as ``(name, part)``."""
        found = {}
        for name, kind in self.inputs.items():
            column = self._whole.get(kind.columns(name)[0]) if len(kind.columns(name)) == 1 else None
            in_scene = self._scene is not None and name in self._scene.images
            if not in_scene and gathers(column) and len(column) == rows:
                way = kind.way(column)
                if way is not None:
                    found["", name] = Whole(column, way, kind.shape)
        if labelled:
            found |= {
                (name, part): whole
                for name, label in self._labels.items()
                for part, whole in label.whole(check).items()
            }
        return found

    def cached(self, folder: str | os.PathLike[str], shard: tuple[int, int]) -> Assembler:
        """The same, of rows whose images are decoded once.

        Args:
            folder: where they are kept.
            shard: this process's part.

        Raises:
            ContractError: where no image is decoded or resized.
        """
        from polyhead.pipeline.cache import cached

        augment, seed = self._given
        moves, _ = split(augment)
        rows = cached(self.source, self.inputs, self.heads, moves, seed, folder, shard)
        found = Assembler(rows, self.inputs, self.heads, augment, seed)
        found._before = self
        return found

    @property
    def in_memory(self) -> bool:
        """Whether inputs are gathered from memory, and nothing is done to their pixels."""
        read = [c for n, k in self.inputs.items() for c in k.columns(n)]
        done = self._scene is not None or self._mixers is not None
        return not done and all(column in self._whole for column in read)

    @property
    def labels(self) -> Mapping[str, Labels]:
        """The labels of each head."""
        return self._labels

    @property
    def row_bytes(self) -> int:
        """Bytes of one row as the model gets it."""
        kinds: list[Any] = [*self.inputs.values(), *self.heads.values()]
        return sum(int(np.prod(k.shape)) * np.dtype(k.dtype).itemsize for k in kinds)

    def steps_per_block(self, batch_size: int) -> int:
        """How many batches to make in one call.

        Rows that are only gathered are many: what runs between two steps of a training finds its caches used by
        others, and several batches share that. Rows that are decoded are about a megabyte, and soon there.
        """
        most = BLOCK_BYTES_IN_MEMORY if self.in_memory else BLOCK_BYTES
        rows = min(BLOCK_ROWS, most // max(1, self.row_bytes))
        return max(1, rows // batch_size)

    @no_stop
    def block(
        self,
        order: Order,
        epoch: int,
        first: int,
        steps: int,
        *,
        check: bool = True,
        labels: bool = True,
        augment: bool = True,
        meter: Meter | None = None,
    ) -> Block:
        """Several consecutive batches.

        Args:
            order: which rows.
            epoch: of which epoch.
            first: the first step.
            steps: how many batches.
            check: look for values that are not finite or not valid; labels that are missing are always found.
            labels: False leaves labels and weights out.
            augment: False leaves augmentations out.
            meter: measures the stages.

        Raises:
            DataError: for a value that is not right, with the row it stands in; for a source, a kind or an
                augmentation that raises StopIteration, which would end the epoch without a word.
        """
        laps = None if meter is None else meter.laps()
        ids, bounds = order.block(epoch, first, steps)

        def read(rows: np.ndarray) -> Parts:
            if laps is not None:
                laps("order" if self._mixers is None else "mix")
            return self._parts(rows, epoch if augment else None, check, labels, laps)

        if self._mixers is None:
            parts = read(ids)
        elif augment:
            parts = self._mixers.mixed(ids, epoch, read, self._pool.empty)
        else:
            parts = self._mixers.plain(read(ids))
        if laps is not None:
            laps("labels" if self._mixers is None else "mix")
            laps.done(len(ids))
        return Block(*parts, ids, bounds, first)

    def _parts(
        self, ids: np.ndarray, epoch: int | None, check: bool, labels: bool, laps: Laps | None = None
    ) -> Parts:
        """Rows, each by itself; ``epoch`` is that whose augmentations happen, None for none."""
        source = self._source if labels else self._input_source
        rows = Rows(checked_rows(source, source.coded(ids), len(ids)) if source is not None else {})
        rows.whole, rows.ids = self._whole, ids
        if laps is not None:
            laps("read")
        laid: dict[str, Any] = {}
        if self._scene is not None:
            laid = self._scene.place(rows, ids, epoch, labels, laps)
            if laps is not None:
                laps("warp")
        if labels:
            for one in self._along.values():
                laid |= one.of(rows, ids)
        gathered: dict[str, dict[str, np.ndarray]] = {"": {}, **{name: {} for name in self._labels}}
        for (name, part), values in self._gathers[labels, check](ids).items():
            gathered[name][part] = values
        inputs = {
            name: self._encode_input(name, kind, rows, ids, check, laid, gathered[""])
            for name, kind in self.inputs.items()
        }
        if laps is not None:
            laps("inputs")
        encoded: dict[str, np.ndarray] = {}
        weights: dict[str, np.ndarray] | None = None
        if labels:
            found = {
                name: self._encoded(name, rows, laid, ids, check, gathered[name]) for name in self._labels
            }
            encoded = {name: one.labels for name, one in found.items()}
            if self.weighted:
                weights = {name: label.weights(found) for name, label in self._labels.items()}
        if laps is not None:
            laps("labels")
        return Parts(inputs, encoded, weights)

    def tried(self, ids: np.ndarray, most: int = MOST) -> Iterator[Found]:
        """Rows as a batch would hold them, piece by piece and without ending at what is wrong.

        Args:
            ids: the rows, int64 ``(B,)``.
            most: so many rows in which something is wrong are told apart.

        Yields:
            Ids of rows, a name, and for an input its array, for a head ``(labels, which of them count)``; in their
            place the `DataError` that a batch of these rows would raise.
        """
        read: Rows | None = None
        if self.source.sequential:
            try:
                read = self._rows(ids)
            except DataError as error:
                yield ids, "", error
                return

        def attempt(places: np.ndarray) -> list[tuple[str, Any]]:
            try:
                rows = self._rows(ids[places]) if read is None else read.some(places)
            except DataError as error:
                if len(places) == 1 and self._before is not None:
                    return [(name, found) for _, name, found in self._before.tried(ids[places])]
                return [("", error)]
            return list(self._tried(rows, ids[places]))

        try:
            every = apart(attempt, np.arange(len(ids)), most)
        except (StopIteration, RuntimeError) as error:
            stop = stopped(error)
            if stop is None:
                raise
            yield ids, "", stop
            return
        yield from ((ids[places], name, found) for places, name, found in every)

    def _rows(self, ids: np.ndarray) -> Rows:
        """All columns of some rows."""
        source = self._source
        rows = Rows(checked_rows(source, source.coded(ids), len(ids)) if source is not None else {})
        rows.whole, rows.ids = self._whole, ids
        return rows

    def _tried(self, rows: Rows, ids: np.ndarray) -> Iterator[tuple[str, Any]]:
        laid: dict[str, Any] = {}
        lost: set[str] = set()
        if self._scene is not None:
            try:
                laid = self._scene.place(rows, ids, None)
            except DataError as error:
                if len(ids) > 1:
                    yield "", error
                    return
                laid, wrong = laid_alone(self._scene, self.heads, rows, ids)
                yield from wrong
                lost = {*self._scene.images, *self._scene.heads} - laid.keys()
        for owner, one in self._along.items():
            try:
                laid |= one.of(rows, ids)
            except DataError as error:
                yield owner, error
                lost.add(owner)
        for name, kind in self.inputs.items():
            if name in lost:
                continue
            try:
                yield name, self._encode_input(name, kind, rows, ids, True, laid, {})
            except DataError as error:
                yield name, error
        found: dict[str, Encoded] = {}
        for name in given_first(self.heads):
            label = self._labels[name]
            if name in lost:
                continue
            try:
                found[name] = self._encoded(name, rows, laid, ids, True)
                if label.given is None or label.given.name in found:
                    yield name, (found[name].labels, label.counting(found))
            except DataError as error:
                yield name, error

    def _encoded(
        self,
        name: str,
        rows: Rows,
        laid: Mapping[str, Any],
        ids: np.ndarray,
        check: bool,
        gathered: Mapping[str, np.ndarray] | None = None,
    ) -> Encoded:
        def files() -> Any:
            return rows[self.heads[name].columns(name)[0]] if name in laid else ()

        return self._labels[name].encode(self._with(name, rows, laid), ids, check, gathered, files)

    def _with(self, name: str, rows: Rows, laid: Mapping[str, Any]) -> Mapping[str, Any]:
        """Rows with the columns of a head, of labels and of weights, as they lie in the images."""
        head = self.heads[name]
        own = {head.columns(name)[0]: laid[name]} if name in laid else {}
        own |= {str(head.sample_weight): laid[weights_key(name)]} if weights_key(name) in laid else {}
        return ChainMap(own, rows) if own else rows

    def _encode_input(
        self,
        name: str,
        kind: Input,
        rows: dict[str, Any],
        ids: np.ndarray,
        check: bool,
        laid: Mapping[str, Any],
        gathered: Mapping[str, np.ndarray],
    ) -> np.ndarray:
        if name in gathered:
            values = gathered[name]
            if not check or name in self._sound:
                return values
        else:
            values = laid[name] if name in laid else stacked([rows[c] for c in kind.columns(name)])
        try:
            if name in laid:  # row by row, into memory of the pool
                assert self._scene is not None
                return self._scene.encoders[name].encode(values, check, self._pool.empty)
            return kind.encode(values, check)
        except BadValue as bad:
            row = row_of(self.source, bad.index, ids)
            file = file_at(rows[kind.columns(name)[0]], bad.index) if name in laid else None
            raise bad.located(input=name, row=row, file=file) from None


def _told(source: Source, heads: Mapping[str, Head], errors: list[Problem]) -> dict[str, Head]:
    """The heads with what the source knows of their columns; what contradicts itself is added to the errors."""
    found = dict(heads)
    for name, head in heads.items():
        try:
            found[name] = head.told(Columns(source, head.columns(name)))
        except DataError as error:
            errors.extend(replace(p, place=f"{place(head=name)}, {p.place}") for p in error.problems)
    return found


def _scene(
    source: Source,
    inputs: Mapping[str, Input],
    heads: Mapping[str, Head],
    augment: Sequence[Any],
    seed: int,
) -> Scene | None:
    """The scene of the images, where they or their masks are decoded or resized, or all is augmented."""
    images = {name: kind for name, kind in inputs.items() if isinstance(kind, Image)}
    laid = {name: head for name, head in heads.items() if head.layer is not None}
    late = any(kind.late for kind in images.values())
    late = late or (bool(images) and any(_is_late(head, source, name) for name, head in laid.items()))
    if not late and not augment:
        return None
    require_still(source, laid, late, augment)
    return Scene(source, images, {**laid, **along_boxes(source, laid)}, augment, seed)


def _is_late(head: Head, source: Source, name: str) -> bool:
    """Whether a head's column has to be decoded or resized."""
    return head.layer is not None and head.late(first_rows(source, head.columns(name)[0]))


def _only(source: Source, columns: list[str]) -> Source | None:
    return source.only(columns) if columns else None
