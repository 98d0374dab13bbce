"""Batches of a feed as they are drawn: in which order, in which structure, and where training stands."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from polyhead.engine import Assembler, Block, Blocks
from polyhead.errors import ContractError, Problem, shown
from polyhead.keras_bridge.adapter import Convert, Use
from polyhead.keras_bridge.structure import Structure, packer
from polyhead.order import Order
from polyhead.speed import Meter


class Drawing:
    """Draws the batches of an assembler.

    Args:
        assembler: makes them.
        batch_size: rows in a batch.
        shuffle: a new order in each epoch of training.
        seed: of that order.
        drop_remainder: leave out a last batch that would be smaller, but in prediction.
        shard: ``(rank, count)``, this process's part, but in prediction.
        mixed: the blocks in which rows are shuffled, and how many are mixed; None for one row at a time.
        workers: threads, or ``"auto"``.

    Attributes:
        orders: which rows come, for each method of Keras.
        epoch: of training, the one that comes next or is under way.

    Raises:
        ContractError: for arguments that mean nothing.
    """

    def __init__(
        self,
        assembler: Assembler,
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
        self._assembler, self._batch_size = assembler, batch_size
        self.orders: dict[Use, Order] = {
            "fit": Order(rows, batch_size, shuffle, seed, drop_remainder, shard, mixed),
            "evaluate": Order(rows, batch_size, shard=shard, drop_remainder=drop_remainder),
            "predict": Order(rows, batch_size),
        }
        self._blocks = Blocks(assembler, batch_size, workers)
        self._runs: weakref.WeakKeyDictionary[Any, _Going] = weakref.WeakKeyDictionary()
        self._position = self._start = (0, 0)
        self._identity: dict[str, Any] = {
            "rows": rows,
            "batch_size": batch_size,
            "shuffle": shuffle if mixed is None else list(mixed),
            "seed": seed,
            "shard": list(shard),
        }
        # once all of it was looked at, later epochs need not look again
        self._every_row = not drop_remainder and shard[1] == 1

    @property
    def order(self) -> Order:
        """That of training."""
        return self.orders["fit"]

    @property
    def epoch(self) -> int:
        return self._position[0]

    @property
    def workers(self) -> int:
        """Threads at most."""
        return self._blocks.workers

    def sizes(self, use: Use) -> tuple[int, ...]:
        """The numbers of rows that a batch can have; the last one comes last."""
        order = self.orders[use]
        edges = (order.bounds(step, 1) for step in (0, len(order) - 1))
        first, last = (int(end - begin) for begin, end in edges)
        return (first,) if first == last else (first, last)

    # Batches -----------------------------------------------------------------------------------------

    def blocks(self, epoch: int, first: int = 0, **options: Any) -> Iterator[Block]:
        """Blocks of training, none of which counts as used; options are those of `Blocks.of`."""
        return self._blocks.of(self.order, epoch, first, **options)

    def peek(self, structure: Structure, convert: Convert | None = None) -> Any:
        """The batch of training that comes next; nothing is consumed."""
        return self.item(self._first(), structure, convert)

    def item(self, step: int, structure: Structure, convert: Convert | None = None) -> Any:
        """One batch of the epoch under way; it does not count as used."""
        block = self._assembler.block(self.order, self.epoch, step, 1)
        return next(self.cut(iter([block]), structure, convert))

    def through(self, use: Use, structure: Structure, convert: Convert | None = None) -> Iterator[Any]:
        """Once through the rows as they are: for evaluation, or for prediction without labels."""
        labels = use == "evaluate"
        blocks = self._blocks.of(self.orders[use], 0, labels=labels, augment=False)
        return self.cut(blocks, structure, convert, labels)

    def train(
        self,
        structure: Structure,
        convert: Convert | None = None,
        run: Any = None,
        epochs: int | None = 1,
        meter: Meter | None = None,
    ) -> Iterator[Any]:
        """An epoch of training, from where the last one ended.

        Args:
            structure: of a batch.
            convert: makes tensors of a block's arrays.
            run: an object for each run of training, whose threads go on from epoch to epoch.
            epochs: how many are to come in the run, this one included; None for all of them one after the other.
            meter: measures the stages.
        """
        going = _Going() if run is None else self._runs.setdefault(run, _Going())
        return self._train(going, structure, convert, epochs, meter)

    def _train(
        self,
        going: _Going,
        structure: Structure,
        convert: Convert | None,
        epochs: int | None,
        meter: Meter | None,
    ) -> Iterator[Any]:
        last = len(self.order)
        while True:
            epoch, step = at = self.epoch, self._first()
            whole = step == 0 and self._every_row
            if going.at != at:
                going.blocks = self.blocks(epoch, step, epochs=epochs, meter=meter)
                going.until = None if epochs is None else epoch + epochs
            going.at = None
            for batch in self.cut(going.blocks, structure, convert):
                step += 1
                # the last batch ends the epoch as it is handed out: Keras need not come back for more
                self._position = (epoch, step) if step < last else (epoch + 1, 0)
                if step == last:
                    going.at = None if going.until == epoch + 1 else self._position
                    if whole:
                        self._blocks.check = False
                yield batch
                if step == last:
                    break  # here, and not when Keras asks for more: the blocks go on with the next epoch
            if epochs is not None:
                return

    def cut(
        self,
        blocks: Iterator[Block],
        structure: Structure,
        convert: Convert | None = None,
        labels: bool = True,
    ) -> Iterator[Any]:
        """The batches of blocks as views, in the structure; ``convert`` makes tensors of a block's arrays."""
        labels = labels and bool(self._assembler.heads)
        parts = [structure.inputs, structure.outputs, structure.outputs] if labels else [structure.inputs]
        parts = parts if self._assembler.weighted else parts[:2]
        packed = [packer(part) for part in parts]
        _, pack = packer(tuple(part for part in parts))
        for block in blocks:
            arrays = [
                group[name]
                for group, (names, _) in zip(
                    (block.inputs, block.labels, block.weights), packed, strict=False
                )
                if group is not None
                for name in names
            ]
            tensors = arrays if convert is None else [convert(array) for array in arrays]
            yield from map(pack, *block.views(tensors, self._batch_size))

    # Where training stands -----------------------------------------------------------------------------

    def begin(self, epoch: int) -> None:
        """Training goes on with this epoch, if it has not come as far."""
        if epoch > self.epoch:
            self._position = (epoch, 0)

    def state(self) -> dict[str, Any]:
        """Where training stands, and of which rows."""
        epoch, step = self._position
        return {"epoch": epoch, "step": step, **self._identity}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; the next epoch starts at its step.

        Raises:
            ContractError: for the state of other rows, batches or order.
        """
        problems = [
            Problem(
                f"state, `{name}`", repr(value), shown(state.get(name)), "It is the state of another feed."
            )
            for name, value in self._identity.items()
            if state.get(name) != value
        ]
        for name, limit in (("epoch", None), ("step", len(self.order))):
            value = state.get(name)
            if not isinstance(value, int) or value < 0 or (limit is not None and value >= limit):
                expected = "an integer of at least 0" + ("" if limit is None else f" and below {limit}")
                problems.append(Problem(f"state, `{name}`", expected, shown(value)))
        if problems:
            raise ContractError(*problems)
        self._position = self._start = (state["epoch"], state["step"])

    def _first(self) -> int:
        """The step with which the epoch that comes next begins."""
        return self._start[1] if self._start[0] == self.epoch else 0


class _Going:
    """The blocks of one run of training, which go on from epoch to epoch.

    Attributes:
        blocks: those that come next.
        at: the epoch and step with which they begin; None while they are drawn, and when they have ended.
        until: the epoch before which they end; None where they go on for ever.
    """

    blocks: Iterator[Block] = iter(())
    at: tuple[int, int] | None = None
    until: int | None = None
