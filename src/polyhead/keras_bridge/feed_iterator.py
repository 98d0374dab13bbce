"""Iterates over the batches of a feed, in the model's structure, and keeps the position of training."""

from __future__ import annotations

import copy
import itertools
import weakref
from collections.abc import Iterator, Mapping
from threading import get_ident
from typing import Any

import numpy as np

from polyhead.errors import ContractError, Problem, listed, shown, warn
from polyhead.keras_bridge import fit_epochs as keras_epochs
from polyhead.keras_bridge.devices import BATCH_SIZE, LAST_BATCH
from polyhead.keras_bridge.keras_call import Call, Convert, Use, require_one_thread
from polyhead.keras_bridge.structure import Structure, packer
from polyhead.order import Order
from polyhead.order.position import Pass, Position, unknown_count
from polyhead.pipeline import Assembler, Block, Blocks
from polyhead.pipeline.feed_arguments import (
    changed_words,
    declaration_digests,
    other_weights,
    weighing_digests,
)
from polyhead.profiling import Meter
from polyhead.sources.source import Source
from polyhead.store.fingerprint import of_some_rows, other_columns


class FeedIterator:
    """Iterates over the batches of an assembler.

    Args:
        source: the rows as given, whose fingerprint is part of a state.
        shuffle: whether each epoch of training has a new order.
        drop_remainder: whether to leave out a smaller last batch, except in prediction.
        shard: ``(rank, count)``, this process's part, except in prediction.
        mixed: ``(rows per block, blocks mixed)`` to shuffle rows in blocks; None to shuffle single rows.
        workers: the number of threads, or ``"auto"``.

    Attributes:
        orders: the order of the rows for each method of Keras.

    Raises:
        ContractError: for invalid arguments.
    """

    def __init__(
        self,
        assembler: Assembler,
        source: Source,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int,
        drop_remainder: bool,
        shard: tuple[int, int],
        mixed: tuple[int, int] | None,
        workers: int | str,
    ) -> None:
        rows = len(assembler.source)
        self._assembler, self._source, self._batch_size = assembler, source, batch_size
        self.orders: dict[Use, Order] = {
            "fit": Order(rows, batch_size, shuffle, seed, drop_remainder, shard, mixed),
            "evaluate": Order(rows, batch_size, shard=shard, drop_remainder=drop_remainder),
            "predict": Order(rows, batch_size),
        }
        self._blocks = Blocks(assembler, batch_size, workers)
        self._runs: weakref.WeakKeyDictionary[Any, _Run] = weakref.WeakKeyDictionary()
        self.position = Position(len(self.order))
        self._data: dict[str, list[str]] | None = None
        self._identity: dict[str, Any] = {
            "rows": rows,
            "batch_size": batch_size,
            "shuffle": shuffle if mixed is None else list(mixed),
            "seed": seed,
            "shard": list(shard),
            "drop_remainder": drop_remainder,
        }
        # after one full epoch every row has been checked, and later epochs skip the check
        self._every_row = not drop_remainder and shard[1] == 1

    def between(self, first: int, last: int) -> FeedIterator:
        """Return an iterator that predicts only the rows from ``first`` up to, but not including, ``last``."""
        part = copy.copy(self)
        part.orders = {**self.orders, "predict": Order(last - first, self._batch_size, first=first)}
        return part

    @property
    def order(self) -> Order:
        """The order of training."""
        return self.orders["fit"]

    @property
    def epoch(self) -> int:
        """The current or next epoch of training."""
        return self.position.epoch

    @property
    def workers(self) -> int:
        """The largest number of threads."""
        return self._blocks.workers

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
        self,
        structure: Structure,
        convert: Convert | None = None,
        run: Any = None,
        epochs: int | None = 1,
        meter: Meter | None = None,
    ) -> Iterator[Any]:
        """Iterate over an epoch of training, from where the last one ended.

        Args:
            convert: makes tensors of a block's arrays.
            run: the run of ``fit``, whose threads continue from epoch to epoch; None for the user's own loop.
            epochs: the number left in the run, including this one; None for endless epochs, one after the other.
            meter: measures the time of each stage.
        """
        going = _Run() if run is None else self._runs.setdefault(run, _Run())
        if going.probing:
            return iter([self.peek(structure, convert)])
        return self._train(going, structure, convert, epochs, meter, by_hand=run is None)

    def _train(
        self,
        going: _Run,
        structure: Structure,
        convert: Convert | None,
        epochs: int | None,
        meter: Meter | None,
        by_hand: bool,
    ) -> Iterator[Any]:
        position, last = self.position, len(self.order)
        going.one = one = position.begin(going.asked, by_hand=by_hand)
        one.trained = going.trained
        number = one.begun
        while True:
            epoch, step = divmod(number, last)
            whole = step == 0 and self._every_row
            if going.at != number:
                ahead = epochs if epochs is None or going.left is None else going.left
                going.blocks = self.blocks(epoch, step, epochs=ahead, meter=meter)
                going.until = None if ahead is None else epoch + ahead
            going.at = None
            for batch in self.cut(going.blocks, structure, convert):
                number, step = number + 1, step + 1
                # the last batch ends the epoch when it is yielded, as Keras may not ask for more
                position.draw(one)
                if step == last:
                    going.at = None if going.until == epoch + 1 else number
                    if whole:
                        self._blocks.check = False
                yield batch
                if step == last or (epochs is None and one.user_changes != position.user_changes):
                    break  # at once, not when Keras asks for more: the blocks continue with the next epoch
            if epochs is not None:
                one.look()  # a Keras version that draws ahead returns here only after it has asked for all batches
                return
            if one.user_changes != position.user_changes:  # the user has set the position
                going.one = one = position.begin()
                number = one.begun

    def cut(
        self,
        blocks: Iterator[Block],
        structure: Structure,
        convert: Convert | None = None,
        labels: bool = True,
    ) -> Iterator[Any]:
        """Yield the batches of blocks as views, in the structure; ``convert`` makes tensors of a block's arrays."""
        labels = labels and bool(self._assembler.heads)
        parts = [structure.inputs, structure.outputs, structure.outputs] if labels else [structure.inputs]
        parts = parts if self._assembler.weighted else parts[:2]
        names = [packer(part)[0] for part in parts]
        _, pack = packer(tuple(parts))
        for block in blocks:
            groups = (block.inputs, block.labels, block.weights)
            arrays = [
                group[name]
                for group, own in zip(groups, names, strict=False)
                if group is not None
                for name in own
            ]
            tensors = arrays if convert is None else [convert(array) for array in arrays]
            yield from map(pack, *block.views(tensors, self._batch_size))

    # Position of training ------------------------------------------------------------------------------

    def begin(self, call: Call) -> None:
        """Begin an epoch of ``fit``."""
        run, position = call.run, self.position
        going = self._runs.setdefault(run, _Run())
        going.probing = call.probing
        if going.probing:
            return
        skipped = 0
        if not going.begun:
            require_one_thread([(one, other.thread) for one, other in self._runs.items() if other.begun])
            position.finish_last_run()
            going.begun, going.endless, going.asked = True, call.steps, keras_epochs.counter_of_batches(run)
            skipped = self._place(call, going.endless or len(self.order))
        going.trained, going.left = keras_epochs.counter_of_steps(call.model), call.epochs
        if going.endless:
            keras_epochs.set_length(call, going.endless - skipped, endless=True)
            if going.one is not None and going.one.user_changes != position.user_changes:
                keras_epochs.discard_drawn(run)
            elif going.one is not None:
                going.one.base, going.one.trained = going.one.used, going.trained
        else:
            left = len(self.order) - position.start % len(self.order)
            keras_epochs.set_length(call, left, endless=False)

    def _place(self, call: Call, steps: int) -> int:
        """Set the position at the start of a run; return how many batches of its first epoch were trained on before.

        Args:
            call: the call of ``fit``.
            steps: the number of batches in an epoch of ``fit``.
        """
        position = self.position
        found = None if position.set_by_user else keras_epochs.backup(call, steps)
        if found is None:
            if position.fresh and call.initial_epoch:
                position.set_to(call.initial_epoch * steps)
            return 0
        position.set_to(found.epoch * steps + found.steps)
        if found.steps == steps or not found.sure:
            warn(_NO_WHOLE if found.sure else _NOT_SURE)
        return found.steps % steps

    def end(self, call: Call) -> None:
        """End an epoch of ``fit``."""
        going = self._runs.get(call.run)
        if going is not None and going.one is not None and not call.probing:
            self.position.end(going.one, last=not going.endless)

    def state(self) -> dict[str, Any]:
        """Return the position of training, and what identifies the rows, as JSON values."""
        known = {**self._identity, **self._digests(), "weighing": weighing_digests(self._assembler.heads)}
        return {"epoch": self.position.epoch, "step": self.position.step, **known}

    def _digests(self) -> dict[str, Any]:
        inputs, heads = self._assembler.inputs, self._assembler.heads
        if self._data is None:
            read = [c for name, kind in inputs.items() for c in kind.columns(name)]
            read += [c for name, head in heads.items() for c in head.reads(name)]
            self._data = of_some_rows(self._source, list(dict.fromkeys(read)))
        return {"data": self._data, "declaration": declaration_digests(inputs, heads)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; the next epoch starts at its step.

        Raises:
            ContractError: for a state of other rows, batches or order, or for anything else.
        """
        if not isinstance(state, Mapping):
            expected = "a dict that feed.state() returned"
            raise ContractError(Problem("feed.restore(state)", expected, shown(state)))
        problems = [
            Problem(f"state, `{name}`", repr(value), shown(state.get(name)), _OTHER)
            for name, value in self._identity.items()
            if state.get(name) != value
        ]
        problems += _other_fingerprints(state, self._digests())
        for name, limit in (("epoch", None), ("step", len(self.order))):
            value = state.get(name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < (limit or value + 1):
                expected = "an integer of at least 0" + ("" if limit is None else f" and below {limit}")
                problems.append(Problem(f"state, `{name}`", expected, shown(value)))
        if problems:
            raise ContractError(*problems)
        for problem in other_weights(state.get("weighing"), weighing_digests(self._assembler.heads)):
            warn(problem)
        self.position.set_epoch(state["epoch"], state["step"])


_OTHER = "It is the state of another feed."
_NO_WHOLE = Problem(
    "BackupAndRestore",
    "a backup within an epoch, or one from between two epochs",
    "one from after the last batch of an epoch, which Keras counts as not trained",
    "No row is repeated, but fit trains one epoch more than epochs= says: pass one less.",
    "backup-whole-epoch",
    warning=True,
)
_NOT_SURE = Problem(
    "BackupAndRestore",
    "an optimizer that has taken as many steps as the backup says",
    "one that has taken more, as in an epoch that was resumed before",
    "Some rows are repeated. Save feed.state() with the weights, and call feed.restore(state).",
    "backup-resumed",
    warning=True,
)


def _other_fingerprints(state: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of a state with other values, inputs or heads, or without fingerprints."""
    for name, value in now.items():
        known: Any = state.get(name)
        if name not in state or isinstance(known, str):
            found = "those of an older version" if known else "none"
            yield Problem(f"state, `{name}`", "fingerprints", found, "Take a new state: feed.state().")
        elif name == "declaration":
            for where, words in changed_words(known, value):
                both = where in known and where in value
                expected = (
                    f"the {' and '.join(words)} that it was taken with" if both else "what it was taken with"
                )
                found = "others" if both else "a new one" if where in value else "none"
                fix = "To continue training with these, set feed.epoch = ..."
                yield Problem(f"state, {where}", expected, found, fix)
        elif None not in (known, value) and (columns := other_columns(known, value)):
            found = f"other values in {listed(columns, 5)}"
            fix = (
                "Continuing within an epoch needs the same rows in the same order. To train on others, make a new "
                "feed, or set feed.epoch = ..."
            )
            yield Problem(f"state, `{name}`", "the rows that it was taken with", found, fix)


class _Run:
    """The state of one run of ``fit``, whose blocks continue from epoch to epoch.

    Attributes:
        blocks: the iterator over the next blocks.
        at: the batch with which they begin, counted over all epochs; None while they are used, and after their end.
        until: the epoch before which they end; None for no end.
        left: the number of epochs left, including the current one; None if unknown.
        probing: whether Keras only needs one batch, to build the model.
        endless: ``steps_per_epoch``, if batches continue from epoch to epoch.
        one: the current or the last pass over the rows.
        asked: counts the batches that Keras asked for in the run.
        trained: counts the batches trained on in the current epoch of ``fit``.
        thread: the thread of ``fit``.
    """

    blocks: Iterator[Block] = iter(())
    at: int | None = None
    until: int | None = None
    left: int | None = None
    begun = False
    probing = False
    endless: int | None = None
    one: Pass | None = None

    def __init__(self) -> None:
        self.asked = self.trained = unknown_count
        self.thread = get_ident()


class EpochInProgress(itertools.chain):
    """One epoch in progress.

    It is no generator, because Keras would accept one, and train every later epoch on its first two batches only.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "one epoch of a feed (fit takes the feed itself: model.fit(feed))"
