"""A shuffle for storage with slow random access: blocks of rows are shuffled, and rows are mixed within a window.

The blocks of neighboring rows are permuted. A window consists of several consecutive blocks of that order, and its rows
are permuted among themselves. So each block is needed only once per epoch, while its window lasts, and can stay in the
cache for that time. Like the full shuffle, it is a function of seed, epoch and position, without an index array.

Quality of the shuffle: two rows of a batch come from the same block with probability ``1 / window``. If all rows of a
block are alike, as in a file sorted by class, the standard deviation of a class's share in batches of B rows is about
``sqrt(1 + (B - 1) / window)`` times that of a full shuffle; if neighbors in the file are unrelated, there is no
difference.
"""

from __future__ import annotations

import numpy as np

from polyhead.hashing import key
from polyhead.order.permutation import permute

BLOCK_BYTES = 1 << 20
WINDOW_BYTES = 1 << 27
MAX_BLOCKS, MIN_BLOCKS = 64, 8
"""The most and the fewest blocks of a window."""


def plan(row_bytes: int, chunk_rows: int | None = None) -> tuple[int, int]:
    """Choose the number of rows in a block, and of blocks in a window.

    >>> plan(12288)
    (85, 64)
    >>> plan(100, chunk_rows=1_000_000)
    (1000000, 8)
    """
    rows = chunk_rows or min(4096, max(16, BLOCK_BYTES // max(1, row_bytes)))
    return rows, min(MAX_BLOCKS, max(MIN_BLOCKS, WINDOW_BYTES // max(1, rows * row_bytes)))


def in_blocks(positions: np.ndarray, rows: int, block: int, window: int, seed: int) -> np.ndarray:
    """The rows at positions of an epoch.

    Args:
        positions: int64 ``(n,)``, ascending, each in ``[0, rows)``.
        block: rows per block. Rows after the last whole block belong to the last window.
        window: blocks per window; the last window has up to twice as many.
        seed: a 64-bit key.

    Returns:
        int64 ``(n,)``; over all positions, each row occurs exactly once.

    >>> sorted(in_blocks(np.arange(23), 23, block=4, window=2, seed=1).tolist()) == list(range(23))
    True
    """
    count, span = rows // block, window * block
    last = max(0, count // window - 1)
    shuffled = np.empty(len(positions), np.int64)
    numbers = np.minimum(positions // span, last)
    for number in range(int(numbers[0]), int(numbers[-1]) + 1) if len(positions) else ():
        begin, end = np.searchsorted(numbers, [number, number + 1]).tolist()
        size = span if number < last else rows - last * span
        inside = permute(positions[begin:end] - number * span, size, key(seed, 1, number))
        block_in_window = inside // block
        order = number * window + block_in_window
        permuted = permute(np.minimum(order, max(0, count - 1)), count, key(seed, 2))
        # the rows after the last whole block stay there
        shuffled[begin:end] = np.where(order < count, permuted, count) * block + inside % block
    return shuffled
