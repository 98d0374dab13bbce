"""Makes batches of a source: reads, encodes and weighs rows."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import BadValue, DataError
from polyhead.foreign_errors import stop_iteration_error
from polyhead.kinds import Head, Input, columns_read
from polyhead.kinds.declaration import KnownHeads
from polyhead.kinds.missing import even_rows
from polyhead.kinds.sample_weights import weights_key
from polyhead.order import Order
from polyhead.pipeline.batch import Block
from polyhead.pipeline.buffer_pool import Pool
from polyhead.pipeline.faults import (
    MOST,
    Found,
    file_at,
    single_out_wrong_rows,
    without_stop_iteration,
)
from polyhead.pipeline.feed_arguments import given_first
from polyhead.pipeline.gather import Gather, MemoryColumn, can_gather, soon_in_memory
from polyhead.pipeline.kind_columns import BatchRows, as_one_column
from polyhead.pipeline.label_encoder import Encoded
from polyhead.pipeline.label_layers import Strays
from polyhead.pipeline.label_sources import transform_separately
from polyhead.pipeline.resolution import Resolution
from polyhead.pipeline.row_mixing import Mixers, RowArrays, split_augmentations
from polyhead.profiling import NO_LAPS, Laps, Meter
from polyhead.sources.scanning import mapped_column
from polyhead.sources.source import Source, checked_rows, row_of

BLOCK_BYTES = 1 << 20
BLOCK_BYTES_IN_MEMORY = 1 << 22
BLOCK_ROWS = 16384

SCANNED_BYTES = 1 << 28
"""The bytes up to which all ids of an input in a file are compared with the rows of its embedding."""


class Assembler:
    """Resolves a declaration against a source, and makes its batches; the arguments are those of `Resolution`.

    Attributes:
        heads: the head kinds, resolved: classes learned, balanced weights worked out.
        labels: the labels of each head.
        weight_shapes: for each head the shape of one row's weight.
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
        self._augment, self._seed = tuple(augment), seed
        self._uncached: Assembler | None = None  # makes batches of the same rows without a cache
        self._pool = Pool()
        resolution = Resolution(source, inputs, heads, augment, seed)
        self.inputs, self.heads, self.collapsing = resolution.inputs, resolution.heads, resolution.collapsing
        self.labels, self._box_labels = resolution.labels, resolution.box_labels
        self._scene = resolution.scene
        resolved = {name: labels.head for name, labels in self.labels.items()}
        self.weight_shapes = {name: head.weight_shape for name, head in resolved.items()}
        self._mixers: Mixers | None = None
        if resolution.mixers:
            self._mixers = Mixers(resolution.mixers, source, self.inputs, resolved, seed)
            self.weight_shapes = self._mixers.weight_shapes
            for labels in self.labels.values():
                labels.weighted = labels.weighted or labels.head.weighs_when_mixed
        self.weighted = any(labels.weighted for labels in self.labels.values())
        self._divide_columns()

    def _divide_columns(self) -> None:
        """Divide the columns into those in memory and those to read from the source."""
        source = self.source
        to_encode = {name: head for name, head in self.heads.items() if not self.labels[name].ready}
        columns = {c: _in_memory(source, c) for c in columns_read(self.inputs, to_encode)}
        self._memory_columns = {c: values for c, values in columns.items() if values is not None}
        gathered = self._gathered(source)
        inputs = {key: column for key, column in gathered.items() if not key[0]}
        self._gathers = {True: Gather(gathered, self._pool), False: Gather(inputs, self._pool)}
        self._mapped = {
            (self.heads[name].columns(name) if name else self.inputs[part].columns(part))[0]: column.array
            for (name, part), column in gathered.items()
            if column.mapped
        }
        self._memory_columns |= self._mapped  # so they need not be read from the source as well
        self._source = _only(source, [c for c in columns if c not in self._memory_columns])
        self._input_source = _only(
            source, [c for c in columns_read(self.inputs) if c not in self._memory_columns]
        )

    def _gathered(self, source: Source) -> dict[tuple[str, str], MemoryColumn]:
        """The columns gathered from memory: inputs as ``("", name)``, parts of labels as ``(name, part)``."""
        columns = {}
        for name, kind in self.inputs.items():
            in_scene = self._scene is not None and name in self._scene.images
            if in_scene or len(kind.columns(name)) > 1:
                continue
            values: Any = self._memory_columns.get(kind.columns(name)[0])
            values = even_rows(values) if kind.even else values
            column: Any = mapped_column(source, kind.columns(name)[0]) if values is None else values
            fits = can_gather(column) and len(column) == len(source)
            conversion = kind.conversion(column) if fits else None
            if conversion is not None:
                columns["", name] = MemoryColumn(column, conversion, kind.shape, mapped=values is None)
        return columns | {
            (name, part): column
            for name, labels in self.labels.items()
            for part, column in labels.gatherable().items()
        }

    def cached(self, folder: str | os.PathLike[str], shard: tuple[int, int]) -> Assembler:
        """An assembler of the same rows that decodes each image once and keeps it.

        Args:
            shard: this process's (index, count) of shards.

        Raises:
            ContractError: if no image is decoded or resized.
        """
        from polyhead.pipeline.cache import cached

        moves, _ = split_augmentations(self._augment)
        rows = cached(self.source, self.inputs, self.heads, moves, self._seed, folder, shard)
        assembler = Assembler(rows, self.inputs, KnownHeads(self.heads), self._augment, self._seed)
        assembler._uncached = self
        return assembler

    @property
    def in_memory(self) -> bool:
        """True if inputs are only gathered from memory, without any change to their pixels."""
        changed = self._scene is not None or self._mixers is not None
        return not changed and all(column in self._memory_columns for column in columns_read(self.inputs))

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, inputs and labels, as the model gets it."""
        return sum(kind.row_bytes for kind in (*self.inputs.values(), *self.heads.values()))

    def extremes(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows with the smallest and the largest number of an input, encoded; none if in a large file."""
        columns = self.inputs[name].columns(name)
        column = even_rows(self._memory_columns.get(columns[0])) if len(columns) == 1 else None
        none = np.zeros(0, np.int64), np.zeros((0, *(self.inputs[name].shape or ())))
        if not isinstance(column, np.ndarray) or column.dtype.kind not in "iuf" or not column.size:
            return none
        if columns[0] in self._mapped and column.nbytes > SCANNED_BYTES:
            return none
        ids = np.array([column.argmin(), column.argmax()]) // (column.size // len(column))
        if np.isnan(column[ids[0]]).any():  # np.nanargmin would copy the column
            low, high = (f.reduce(column, axis=tuple(range(1, column.ndim))) for f in (np.fmin, np.fmax))
            ids = none[0] if np.isnan(low).all() else np.array([np.nanargmin(low), np.nanargmax(high)])
        return ids, self.inputs[name].encode(column[ids], False)

    def steps_per_block(self, batch_size: int) -> int:
        """The number of batches to make in one call.

        Blocks gathered from memory are large, because a training step evicts their data from the processor's caches,
        and the batches of a block share the cost of loading it. Blocks with decoded images have about a megabyte, so
        that the first one is ready soon.
        """
        most = BLOCK_BYTES_IN_MEMORY if self.in_memory else BLOCK_BYTES
        rows = min(BLOCK_ROWS, most // max(1, self.row_bytes))
        return max(1, rows // batch_size)

    @without_stop_iteration
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
        """Make several consecutive batches.

        Args:
            epoch: the number of the epoch, from 0.
            first: the number of the first step, from 0.
            check: whether to look for values that are not finite or not valid; missing labels are always found.
            labels: False leaves labels and weights out.
            augment: False leaves augmentations out.
            meter: measures the time of each stage.

        Raises:
            DataError: for a wrong value, naming its row; and for a source, a kind or an augmentation that raises
                StopIteration, which would silently end the epoch.
        """
        laps = (None if meter is None else meter.laps()) or NO_LAPS
        ids, bounds = order.block(epoch, first, steps)

        def read(rows: np.ndarray) -> RowArrays:
            laps("order" if self._mixers is None else "mix")
            return self._unmixed(rows, epoch if augment else None, check, labels, laps)

        if self._mixers is None:
            arrays = read(ids)
        elif augment:
            arrays = self._mixers.mix(ids, epoch, read, self._pool.empty)
        else:
            arrays = self._mixers.unmixed(read(ids))
        laps("labels" if self._mixers is None else "mix")
        laps.done(len(ids))
        return Block(*arrays, ids, bounds, first)

    def _unmixed(
        self, ids: np.ndarray, epoch: int | None, check: bool, labels: bool, laps: Laps = NO_LAPS
    ) -> RowArrays:
        """Make rows that are not yet mixed, with the augmentations of ``epoch``; None for no augmentations."""
        rows = self._rows(ids, labels)
        laps("read")
        converted: dict[str, Any] = {}
        if self._scene is not None:
            converted = self._scene.transform(rows, ids, epoch, labels, laps)
            laps("warp")
        if labels:
            for box_labels in self._box_labels.values():
                converted |= box_labels.of(rows, ids)
        gathered: dict[str, dict[str, np.ndarray]] = {"": {}, **{name: {} for name in self.labels}}
        for (name, part), values in self._gathers[labels](ids, check, laps).items():
            gathered[name][part] = values
        inputs = {
            name: self._encode_input(name, kind, rows, ids, check, converted, gathered[""])
            for name, kind in self.inputs.items()
        }
        laps("inputs")
        encoded: dict[str, Encoded] = {}
        weights: dict[str, np.ndarray] | None = None
        if labels:
            for name in self.labels:
                encoded[name] = self._encode_labels(name, rows, converted, ids, check, gathered[name])
            if self.weighted:
                weights = {name: of_head.weights(encoded) for name, of_head in self.labels.items()}
        laps("labels")
        return RowArrays(inputs, {name: e.labels for name, e in encoded.items()}, weights)

    def try_rows(self, ids: np.ndarray, most: int = MOST, strays: Strays | None = None) -> Iterator[Found]:
        """Encode rows as a batch would hold them, yielding errors instead of raising them.

        Args:
            ids: the rows, int64 ``(B,)``.
            most: the number of wrong rows to single out.
            strays: gets the boxes and points outside of their image.

        Yields:
            The ids of some rows, the name of an input or head, and its result: an array for an input, ``(labels,
            which of them count)`` for a head, or the `DataError` that a batch of these rows would raise.
        """
        read: BatchRows | None = None
        if self.source.sequential:
            try:
                read = self._rows(ids)
            except DataError as error:
                yield ids, "", error
                return

        def attempt(positions: np.ndarray) -> list[tuple[str, Any]]:
            try:
                rows = self._rows(ids[positions]) if read is None else read.some(positions)
            except DataError as error:
                if len(positions) == 1 and self._uncached is not None:
                    return [(name, result) for _, name, result in self._uncached.try_rows(ids[positions])]
                return [("", error)]
            return list(self._try_parts(rows, ids[positions], strays))

        try:
            results = single_out_wrong_rows(attempt, np.arange(len(ids)), most)
        except (StopIteration, RuntimeError) as error:
            stop = stop_iteration_error(error)
            if stop is None:
                raise
            yield ids, "", stop
            return
        yield from ((ids[positions], name, result) for positions, name, result in results)

    def _rows(self, ids: np.ndarray, labels: bool = True) -> BatchRows:
        """Read the columns of some rows, with or without those of labels."""
        source = self._source if labels else self._input_source
        return BatchRows({} if source is None else checked_rows(source, ids), self._memory_columns, ids)

    def _try_parts(
        self, rows: BatchRows, ids: np.ndarray, strays: Strays | None = None
    ) -> Iterator[tuple[str, Any]]:
        converted: dict[str, Any] = {}
        lost: set[str] = set()
        if self._scene is not None:
            try:
                converted = self._scene.transform(rows, ids, None, strays=strays)
            except DataError as error:
                if len(ids) > 1:
                    yield "", error
                    return
                converted, wrong = transform_separately(self._scene, self.heads, rows, ids)
                yield from wrong
                lost = {*self._scene.images, *self._scene.heads} - converted.keys()
        for owner, box_labels in self._box_labels.items():
            try:
                converted |= box_labels.of(rows, ids)
            except DataError as error:
                yield owner, error
                lost.add(owner)
        for name, kind in self.inputs.items():
            if name in lost:
                continue
            try:
                yield name, self._encode_input(name, kind, rows, ids, True, converted, {})
            except DataError as error:
                yield name, error
        encoded: dict[str, Encoded] = {}
        for name in given_first(self.heads):
            labels = self.labels[name]
            if name in lost:
                continue
            try:
                encoded[name] = self._encode_labels(name, rows, converted, ids, True)
                if labels.given is None or labels.given.name in encoded:
                    yield name, (encoded[name].labels, labels.valid(encoded))
            except DataError as error:
                yield name, error

    def _encode_labels(
        self,
        name: str,
        rows: BatchRows,
        converted: Mapping[str, Any],
        ids: np.ndarray,
        check: bool,
        gathered: Mapping[str, np.ndarray] | None = None,
    ) -> Encoded:
        """Encode the labels of a head, with those and the weights that were transformed with the images."""
        head, transformed = self.heads[name], {}
        column = head.columns(name)[0]
        if name in converted:
            transformed[column] = converted[name]
        if weights_key(name) in converted:
            transformed[str(head.sample_weight)] = converted[weights_key(name)]

        def files() -> Any:
            return rows[column] if name in converted else ()

        read = ChainMap(transformed, rows) if transformed else rows
        return self.labels[name].encode(read, ids, check, gathered, files)

    def _encode_input(
        self,
        name: str,
        kind: Input,
        rows: dict[str, Any],
        ids: np.ndarray,
        check: bool,
        converted: Mapping[str, Any],
        gathered: Mapping[str, np.ndarray],
    ) -> np.ndarray:
        if name in gathered:
            return gathered[name]
        try:
            if name in converted:  # encoded row by row, into memory of the pool
                assert self._scene is not None
                return self._scene.encoders[name].encode(converted[name], check, self._pool.empty)
            return kind.encode(as_one_column({c: rows[c] for c in kind.columns(name)}), check)
        except BadValue as bad:
            row = row_of(self.source, bad.index, ids)
            file = file_at(rows[kind.columns(name)[0]], bad.index) if name in converted else None
            raise bad.located(input=name, row=row, file=file) from None


def _in_memory(source: Source, name: str) -> Any:
    """A whole column that is in memory, or a memory map so small that it soon will be; else None."""
    values: Any = source.column(name)
    mapped = mapped_column(source, name) if values is None else None
    return mapped if soon_in_memory(mapped) else values


def _only(source: Source, columns: list[str]) -> Source | None:
    return source.only(columns) if columns else None
