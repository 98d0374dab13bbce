"""Epochs, batches and shards as a pure function of the seed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from polyhead.errors import ContractError, DataError, Problem, as_list, counted, is_integer, shown, similar
from polyhead.hashing import key
from polyhead.order.block_shuffle import in_blocks
from polyhead.order.permutation import permute

RUN = 1 << 13
"""The positions of a run: its rows are computed at a time, and cached."""


@lru_cache(maxsize=8)
def _rows_at(rows: int, seed: int, shard: tuple[int, int], run: int) -> np.ndarray:
    """The rows of a run of a shuffled shard, cached so that small batches share the overhead of one `permute` call."""
    rank, count = shard
    positions = np.arange(run * RUN * count + rank, min((run + 1) * RUN * count, rows), count, dtype=np.int64)
    ids = permute(positions, rows, seed)
    ids.flags.writeable = False
    return ids


@dataclass(frozen=True)
class Order:
    """The rows of each batch of each epoch.

    Args:
        rows: rows in the source, at least 1.
        shuffle: use a new order in each epoch; otherwise rows come in ascending order.
        blocks: ``(rows per block, blocks per window)`` for a block shuffle, see `block_shuffle.in_blocks`; None for
            a full shuffle.
        drop_remainder: drop the rows of an incomplete last batch (different rows in each epoch if shuffled).
        shard: ``(rank, count)``, the part of this process. Shards are disjoint, cover all rows, and have the same
            number of steps; batch ``t`` of all shards together is batch ``t`` of the whole order.
        first: the first row of an order without shuffle, which covers ``rows`` rows from there.

    Raises:
        DataError: if there are no rows, the batch size is below 1, the shard is invalid, or there are too few rows for
            the shards.

    >>> order = Order(rows=10, batch_size=4, shuffle=True, seed=7)
    >>> len(order)
    3
    >>> sorted(np.concatenate([order.ids(0, step) for step in range(3)]).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    rows: int
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    drop_remainder: bool = False
    shard: tuple[int, int] = (0, 1)
    blocks: tuple[int, int] | None = None
    first: int = 0

    def __post_init__(self) -> None:
        rank, count = self.shard
        if self.rows < 1:
            raise DataError(Problem("data", "at least one row", "an empty source"))
        if self.batch_size < 1:
            raise DataError(Problem("batch_size", "an integer of at least 1", repr(self.batch_size)))
        if not 0 <= rank < count:
            raise DataError(Problem("shard", "(rank, count) with 0 <= rank < count", repr(self.shard)))
        if len(self) == 0:
            rows = f"the rows{' of one shard' if count > 1 else ''}, as drop_remainder=True drops the rest"
            expected = f"at most {self.rows // count:,}, {rows}"
            raise DataError(Problem("batch_size", expected, f"{self.batch_size:,}"))
        if self.rows // count < len(self) and not self.drop_remainder:
            expected = f"rows for {len(self):,} steps in each of {count} shards"
            found = f"{counted(self.rows, 'row')} in batches of {self.batch_size}"
            fix = "Say drop_remainder=True, or take fewer shards."
            raise DataError(Problem("shard", expected, found, fix))

    def __len__(self) -> int:
        """Steps in an epoch, the same for every shard."""
        count = self.shard[1]
        if self.drop_remainder:
            return self.rows // (self.batch_size * count)
        largest = -(-self.rows // count)
        return -(-largest // self.batch_size)

    @property
    def rows_per_epoch(self) -> int:
        """The number of rows of this shard in one epoch."""
        rank, count = self.shard
        if self.drop_remainder:
            return len(self) * self.batch_size
        return (self.rows - rank + count - 1) // count

    def bounds(self, first: int, steps: int) -> list[int]:
        """The bounds of ``steps`` batches from ``first`` on among this shard's rows: ``steps + 1`` numbers."""
        last, rows = len(self), self.rows_per_epoch
        edges = list(range(first * self.batch_size, (first + steps) * self.batch_size + 1, self.batch_size))
        if edges[-1] >= rows:
            # a shard with one row less than the largest could run out one step early: it saves one row for that step
            short = last > 1 and rows == (last - 1) * self.batch_size
            for k in range(len(edges)):
                edges[k] = rows - 1 if short and first + k == last - 1 else min(edges[k], rows)
        return edges

    def block(self, epoch: int, first: int, steps: int) -> tuple[np.ndarray, list[int]]:
        """The rows of several consecutive batches: their ids, int64, and the bounds of the batches among them.

        >>> ids, bounds = Order(rows=10, batch_size=4).block(0, first=1, steps=2)
        >>> ids.tolist(), bounds
        ([4, 5, 6, 7, 8, 9], [0, 4, 6])
        """
        edges = self.bounds(first, steps)
        begin = edges[0]
        return self._rows(epoch, begin, edges[-1]), [edge - begin for edge in edges] if begin else edges

    def _rows(self, epoch: int, begin: int, end: int) -> np.ndarray:
        rank, count = self.shard
        if not self.shuffle:
            return np.arange(begin, end, dtype=np.int64) * count + (rank + self.first)
        if self.blocks is not None:
            positions = np.arange(begin, end, dtype=np.int64) * count + rank
            return in_blocks(positions, self.rows, *self.blocks, key(self.seed, epoch))
        seed, runs = key(self.seed, epoch), []
        for number in range(begin // RUN, -(-end // RUN)):
            run = _rows_at(self.rows, seed, self.shard, number)
            runs.append(run[max(begin - number * RUN, 0) : end - number * RUN])
        return np.concatenate(runs) if len(runs) != 1 else runs[0].copy()

    def ids(self, epoch: int, step: int) -> np.ndarray:
        """The rows of one batch, int64 ``(batch,)``; depends only on the arguments and the order's fields."""
        return self.block(epoch, step, 1)[0]


def checked_shard(shard: Any) -> tuple[int, int] | str:
    """Validate the ``shard=`` argument; return it as ``(rank, count)`` or ``"auto"``.

    Raises:
        ContractError: for anything else.

    >>> checked_shard([1, 2])
    (1, 2)
    """
    if isinstance(shard, str) and shard == "auto":
        return shard
    pair = as_list(shard) or []
    if len(pair) != 2 or not all(map(is_integer, pair)) or not 0 <= pair[0] < pair[1]:
        expected = '"auto" or (rank, count) with 0 <= rank < count'
        raise ContractError(Problem("Feed(shard=)", expected, shown(shard), similar(shard, ("auto",))))
    return int(pair[0]), int(pair[1])


def this_shard() -> tuple[int, int]:
    """The rank of this process and the number of processes, from torch or JAX if initialized; else ``(0, 1)``."""
    if torch := _torch_processes():
        return torch.get_rank(), torch.get_world_size()
    jax = sys.modules.get("jax")
    distributed = getattr(jax, "distributed", None)
    if jax is not None and getattr(distributed, "is_initialized", lambda: False)():
        return jax.process_index(), jax.process_count()
    return 0, 1


def evaluated_shard() -> tuple[int, int]:
    """The part of the rows that this process evaluates: on JAX its own, as a distribution sums over the processes.

    On PyTorch nothing does. There each process evaluates all rows, so that callbacks such as ``EarlyStopping`` decide
    alike in all processes; if one of them stopped alone, the others would wait for its gradients.
    """
    return (0, 1) if _torch_processes() else this_shard()


def _torch_processes() -> Any:
    """``torch.distributed``, if it is initialized; else None."""
    torch = sys.modules.get("torch.distributed")
    return torch if torch is not None and torch.is_available() and torch.is_initialized() else None
