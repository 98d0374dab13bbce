"""Iterates over the batches of a feed, in the model's structure, and keeps the position of training."""

from __future__ import annotations

import copy
import itertools
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import get_ident
from typing import Any

import numpy as np

from polyhead.errors import Problem, warn
from polyhead.keras_bridge import fit_epochs
from polyhead.keras_bridge.devices import BATCH_SIZE, LAST_BATCH
from polyhead.keras_bridge.keras_call import Call, Convert, Use, require_one_thread
from polyhead.keras_bridge.structure import Structure, packer
from polyhead.order import Order
from polyhead.order.position import Pass, Position, unknown_count
from polyhead.pipeline import Assembler, Block, Blocks
from polyhead.profiling import Meter


class FeedIterator:
    """Iterates over the batches of an assembler.

    Args:
        order: the order of training; evaluation and prediction go from the first row to the last.
        workers: the number of threads, or ``"auto"``.
        evaluated: ``(rank, count)``, the part of the rows that this process evaluates.

    Attributes:
        order: the order of training.
        orders: the order of the rows for each method of Keras. Prediction leaves out no rows, neither those of a
            smaller last batch nor those of other processes.
        position: the position of training.
        workers: the largest number of threads.
    """

    def __init__(
        self, assembler: Assembler, order: Order, workers: int | str, evaluated: tuple[int, int]
    ) -> None:
        self._assembler, self.order, self._batch_size = assembler, order, order.batch_size
        self.orders: dict[Use, Order] = {
            "fit": order,
            "evaluate": replace(order, shuffle=False, seed=0, blocks=None, shard=evaluated),
            "predict": Order(order.rows, order.batch_size),
        }
        self._blocks = Blocks(assembler, order.batch_size, workers)
        self.workers = self._blocks.workers
        self._runs: weakref.WeakKeyDictionary[Any, _Run] = weakref.WeakKeyDictionary()
        self.position = Position(len(order))
        # after one full epoch every row has been checked, and later epochs skip the check
        self._every_row = not order.drop_remainder and order.shard[1] == 1

    def between(self, first: int, last: int) -> FeedIterator:
        """Return an iterator that predicts only the rows from ``first`` up to, but not including, ``last``."""
        part = copy.copy(self)
        part.orders = {**self.orders, "predict": Order(last - first, self._batch_size, first=first)}
        return part

    def sizes(self, use: Use) -> dict[str, int]:
        """The numbers of rows that a batch can have, as `BATCH_SIZE` and, if it is smaller, `LAST_BATCH`."""
        order = self.orders[use]
        edges = (order.bounds(step, 1) for step in (0, len(order) - 1))
        first, last = (int(end - begin) for begin, end in edges)
        whole = {BATCH_SIZE: first} if first == self._batch_size else {}
        return whole if last == self._batch_size else {**whole, LAST_BATCH: last}

    # Batches -----------------------------------------------------------------------------------------

    def blocks(self, epoch: int, first: int = 0, **options: Any) -> Iterator[Block]:
        """Iterate over blocks of training without moving the position; options as for `Blocks.of`."""
        return self._blocks.of(self.order, epoch, first, **options)

    def peek(self, structure: Structure, convert: Convert | None = None) -> Any:
        """Return the next batch of training without consuming it."""
        epoch, step = divmod(self.position.start, len(self.order))
        block = self._assembler.block(self.order, epoch, step, 1)
        return next(self.cut(iter([block]), structure, convert))

    def through(self, use: Use, structure: Structure, convert: Convert | None = None) -> Iterator[Any]:
        """Iterate once over the rows, not augmented: with labels for evaluation, without them for prediction."""
        labels = use == "evaluate"
        blocks = self._blocks.of(self.orders[use], 0, labels=labels, augment=False)
        return self.cut(blocks, structure, convert, labels)

    def input_blocks(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the inputs of the rows to predict, several batches at a time."""
        for block in self._blocks.of(self.orders["predict"], 0, labels=False, augment=False):
            yield dict(block.inputs)

    def train(
        self, structure: Structure, convert: Convert | None, call: Call, meter: Meter | None = None
    ) -> Iterator[Any]:
        """Iterate over an epoch of training, or over endless ones, from where the last one ended.

        Args:
            convert: makes tensors of a block's arrays.
            call: the call of ``fit``, from `current_call`; without a run, it is the user's own loop.
            meter: measures the time of each stage.
        """
        run = self._run_of(call) or _Run()
        position, steps, endless = self.position, len(self.order), call.epochs is None
        run.current = current = position.begin(run.requested, run.trained)
        batch_number = current.begun
        while True:
            epoch, step = divmod(batch_number, steps)
            whole = step == 0 and self._every_row
            if run.blocks_begin != batch_number:
                run.blocks = self.blocks(epoch, step, epochs=call.epochs, meter=meter)
            run.blocks_begin = None
            for batch in self.cut(run.blocks, structure, convert):
                batch_number, step = batch_number + 1, step + 1
                position.draw(current)
                if step == steps:  # it ends the epoch when it is yielded, as Keras may not ask for more
                    run.blocks_begin = batch_number
                    if whole:
                        self._blocks.check = False
                yield batch
                if step == steps or (endless and position.moved_since(current)):
                    break  # at once, not when Keras asks for more: the blocks continue with the next epoch
            if not endless:
                current.look()  # a Keras version that draws ahead returns here only after it has asked for all
                return
            if position.moved_since(current):
                run.current = current = position.begin(unknown_count)
                batch_number = current.begun

    def cut(
        self,
        blocks: Iterator[Block],
        structure: Structure,
        convert: Convert | None = None,
        labels: bool = True,
    ) -> Iterator[Any]:
        """Yield the batches of blocks as views, in the structure; ``convert`` makes tensors of a block's arrays."""
        labels = labels and bool(self._assembler.heads)
        templates = [structure.inputs, structure.outputs, structure.outputs] if labels else [structure.inputs]
        templates = templates if self._assembler.weighted else templates[:2]
        names = [packer(template)[0] for template in templates]
        _, pack = packer(tuple(templates))
        for block in blocks:
            groups = (block.inputs, block.labels, block.weights)
            arrays = [
                group[name]
                for group, of_group in zip(groups, names, strict=False)
                if group is not None
                for name in of_group
            ]
            tensors = arrays if convert is None else [convert(array) for array in arrays]
            yield from map(pack, *block.views(tensors, self._batch_size))

    # Position of training ------------------------------------------------------------------------------

    def current_call(self, call: Call) -> Call:
        """Return the call of ``fit`` as it was when the current epoch began; TensorFlow keeps that of the first one."""
        run = self._run_of(call)
        return call if run is None else run.call

    def _run_of(self, call: Call) -> _Run | None:
        return None if call.run is None else self._runs.get(call.run)

    def begin_epoch(self, call: Call) -> None:
        """Begin an epoch of ``fit``, or building its model."""
        keras_run, position = call.run, self.position
        run = self._runs.setdefault(keras_run, _Run())
        run.call = call
        if call.probing:
            return
        trained_before = 0
        if run.requested is None:
            require_one_thread([(key, known.thread) for key, known in self._runs.items() if known.requested])
            position.finish_last_run()
            run.requested, run.steps = fit_epochs.counter_of_batches(keras_run), call.steps
            trained_before = self._start_run(call, call.steps or len(self.order))
        run.trained = fit_epochs.counter_of_steps(call.model)
        if run.steps:
            fit_epochs.set_length(call, run.steps - trained_before)
            if run.current is not None and position.moved_since(run.current):
                fit_epochs.discard_drawn(keras_run)
            elif run.current is not None:
                run.current.begin_epoch(run.trained)
        else:
            fit_epochs.set_length(call, len(self.order) - position.start % len(self.order))

    def _start_run(self, call: Call, steps: int) -> int:
        """Set the position at the start of a run; return how many batches of its first epoch were trained on before.

        Args:
            steps: the number of batches in an epoch of ``fit``.
        """
        position = self.position
        backup = None if position.set_by_user else fit_epochs.restored_backup(call, steps)
        if backup is None:
            if position.fresh and call.initial_epoch:
                position.set_to(call.initial_epoch * steps)
            return 0
        position.set_to(backup.epoch * steps + backup.steps)
        if backup.steps == steps or not backup.sure:
            warn(_WHOLE_EPOCH if backup.sure else _RESUMED_BEFORE)
        return backup.steps % steps

    def end_epoch(self, call: Call) -> None:
        """End an epoch of ``fit``; Keras also calls this before the first one."""
        run = self._run_of(call)
        if run is not None and run.current is not None and not call.probing:
            self.position.end(run.current, last=not run.steps)


_WHOLE_EPOCH = Problem(
    "BackupAndRestore",
    "a backup within an epoch, or one from between two epochs",
    "one from after the last batch of an epoch, which Keras counts as not trained",
    "No row is repeated, but fit trains one epoch more than epochs= says: pass one less.",
    "backup-whole-epoch",
    warning=True,
)
_RESUMED_BEFORE = Problem(
    "BackupAndRestore",
    "an optimizer that has taken as many steps as the backup says",
    "one that has taken more, as in an epoch that was resumed before",
    "Some rows are repeated. Save feed.state() with the weights, and call feed.restore(state).",
    "backup-resumed",
    warning=True,
)


class _Run:
    """The state of one run of ``fit``, or of one loop of the user's own.

    Attributes:
        call: the call of ``fit``, as of the beginning of the current epoch.
        steps: ``steps_per_epoch``, if batches continue from epoch to epoch.
        current: the current or the last pass over the rows.
        requested: counts the batches that Keras requested in the run; None before its first epoch.
        trained: counts the batches trained on in the current epoch of ``fit``.
        blocks: the iterator over the next blocks, which threads prepare ahead, from epoch to epoch.
        blocks_begin: the batch with which they begin, counted over all epochs; None while they are used.
        thread: the thread of ``fit``.
    """

    call = Call()
    steps: int | None = None
    current: Pass | None = None
    requested: Callable[[], int | None] | None = None
    blocks: Iterator[Block] = iter(())
    blocks_begin: int | None = None

    def __init__(self) -> None:
        self.trained: Callable[[], int | None] = unknown_count
        self.thread = get_ident()


class EpochInProgress(itertools.chain):
    """One epoch in progress.

    It is no generator, because Keras would accept one, and train every later epoch on its first two batches only.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "one epoch of a feed (fit takes the feed itself: model.fit(feed))"
