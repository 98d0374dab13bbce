"""A bijection on [0, n), computed for any position, without an index array.

The rows are arranged in an ``a x b`` rectangle, slightly larger than ``n``. A row's two coordinates are shifted
in turn, each by a hash of the other, modulo the side of the rectangle: an unbalanced Feistel network over mixed
radices (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). Every step is invertible, so the whole
is a bijection; results outside ``[0, n)`` are mapped again until they are inside (cycle walking).

The result for a seed is guaranteed to be the same in every version of the library. A golden test pins it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np

from polyhead import jit, profiling
from polyhead.hashing import MASK, mix64, mixed
from polyhead.jit import Loop

ROUNDS = 6
SMALL = 1 << 16
SMALL_ROUNDS = 16  # a small rectangle mixes less per round, and more rounds cost almost nothing

_EXACT = 1 << 52  # below this, float division gives the exact integer quotient
_CHUNK = 512

_15, _16, _32 = np.uint32(15), np.uint32(16), np.uint64(32)
_FIRST, _SECOND = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
_ROUND_HASHES = mixed(np.arange(SMALL_ROUNDS, dtype=np.uint64))


def permute(positions: np.ndarray, n: int, seed: int) -> np.ndarray:
    """The rows at ``positions`` of a shuffled ``[0, n)``.

    Args:
        positions: int64, any shape, each in ``[0, n)``.
        n: the number of rows, up to 2**62.
        seed: a 64-bit key.

    Returns:
        int64 of the same shape; over all positions, each row occurs exactly once.

    >>> sorted(permute(np.arange(5), 5, seed=3).tolist())
    [0, 1, 2, 3, 4]
    """
    if n < 2:
        return np.array(positions, np.int64)
    b = int(np.ceil(np.sqrt(n)))
    while b * b < n:  # the square root of a large n is rounded
        b += 1
    a = -(-n // b)
    positions = np.asarray(positions, np.int64)
    begun = profiling.clock()
    rows: np.ndarray
    if n < SMALL:
        rows = _small_order(n, a, b, seed).take(positions)
    else:
        network = _network_for(positions, a, b, *_round_keys(seed, ROUNDS))
        rows = network(positions)
        flat = rows.reshape(-1)
        outside = np.flatnonzero(flat >= n)
        while len(outside):
            flat[outside] = network(flat[outside])
            outside = outside[flat[outside] >= n]
    if NETWORK.compiled is None:
        jit.spent(profiling.clock() - begun)
    return rows


@lru_cache(maxsize=4)
def _small_order(n: int, a: int, b: int, seed: int) -> np.ndarray:
    """The rows at all positions of a small ``[0, n)``, at once: the overhead of NumPy calls exceeds the work."""
    keys = _round_keys(seed, SMALL_ROUNDS)
    if NETWORK.compiled is None:
        cells = _small_network(a, b, *keys)
    else:
        cells = np.empty(a * b, np.int64)
        NETWORK.compiled(np.arange(a * b, dtype=np.int64), cells, a, b, *keys)
    rows = cells[:n].copy()
    outside = np.flatnonzero(rows >= n)
    while len(outside):
        rows[outside] = cells[rows[outside]]
        outside = outside[rows[outside] >= n]
    return rows


@lru_cache(maxsize=16)
def _round_keys(seed: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper halves of ``key(seed, r)`` for each round ``r``, uint32."""
    keys = mixed(np.uint64(mix64(mix64(seed & MASK))) ^ _ROUND_HASHES[:rounds])
    return keys.astype(np.uint32), (keys >> _32).astype(np.uint32)


def _network_for(
    rows: np.ndarray, a: int, b: int, low: np.ndarray, high: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """The fastest available implementation of the network: the compiled one, once it is ready."""
    network = NETWORK.ready
    if network is not None and rows.ndim == 1 and a * b < _EXACT:

        def compiled(rows: np.ndarray) -> np.ndarray:
            out = np.empty_like(rows)
            network(rows, out, a, b, low, high)
            return out

        return compiled
    return partial(_network, a=a, b=b, low=low, high=high)


def _small_network(a: int, b: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """`_network` for all cells of a rectangle with sides of at most 256, int64 ``(a * b,)``.

    Coordinates are bytes, and each round looks up its hashes in a table of 256 bytes.
    """
    cells = np.empty((2, a, b), np.uint8)
    cells[0], cells[1] = np.arange(a, dtype=np.uint8)[:, None], np.arange(b, dtype=np.uint8)
    left, right = cells.reshape(2, -1)
    less = np.empty(left.shape, bool)
    wraps = less.view(np.uint8)
    for r, table in enumerate(_steps_back(a, b, low, high)):
        move, by, size = (left, right, a) if r % 2 == 0 else (right, left, b)
        back = np.frombuffer(by.tobytes().translate(table), np.uint8)
        np.less(move, back, out=less)
        move -= back
        move += np.multiply(wraps, np.uint8(size % 256), out=wraps)  # a byte wraps at 256, not at `size`
    return left.astype(np.int64) * b + right


def _steps_back(a: int, b: int, low: np.ndarray, high: np.ndarray) -> list[bytes]:
    """For each round a table of 256 bytes: how far each coordinate shifts the other one back, modulo its side."""
    sides = np.array([a, b] * (len(low) // 2), np.uint64)[:, None]
    h = np.arange(b, dtype=np.uint32) + low[:, None]  # `b` is the larger one
    h ^= h >> _16
    h *= _FIRST
    h ^= h >> _15
    h += high[:, None]
    h *= _SECOND
    h ^= h >> _16
    back = np.zeros((len(low), 256), np.uint8)
    back[:, :b] = sides - (h * sides >> _32)
    return [table.tobytes() for table in back]


def _network(rows: np.ndarray, a: int, b: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Map rows of the rectangle, int64, to others; coordinates fit in 32 bits, as ``b`` is at most 2**31."""
    quotient = rows // b
    left = quotient.astype(np.uint32)
    right = (rows - quotient * b).astype(np.uint32)
    narrow, other, wide = np.empty_like(left), np.empty_like(left), np.empty(rows.shape, np.uint64)
    for r in range(len(low)):
        move, by, size = (left, right, a) if r % 2 == 0 else (right, left, b)
        _add_hash(move, by, size, low[r], high[r], narrow, other, wide)
    np.multiply(left, b, out=quotient, dtype=np.int64)
    quotient += right
    return quotient


def _add_hash(
    move: np.ndarray,
    by: np.ndarray,
    size: int,
    low: np.uint32,
    high: np.uint32,
    h: np.ndarray,
    t: np.ndarray,
    wide: np.ndarray,
) -> None:
    """Shift ``move`` in place by a hash of ``by``, modulo ``size``; the last three arguments are scratch buffers."""
    np.add(by, low, out=h)
    h ^= np.right_shift(h, _16, out=t)
    h *= _FIRST
    h ^= np.right_shift(h, _15, out=t)
    h += high
    h *= _SECOND
    h ^= np.right_shift(h, _16, out=t)
    np.copyto(wide, h)
    wide *= np.uint64(size)
    wide >>= _32
    np.copyto(h, wide, casting="unsafe")
    move += h
    # unsigned: below `size` the difference wraps to a huge number, so the smaller of the two is the remainder
    np.minimum(move, np.subtract(move, np.uint32(size), out=t), out=move)


def _compiled_network(
    rows: np.ndarray, out: np.ndarray, a: int, b: int, low: np.ndarray, high: np.ndarray
) -> None:
    """`_network` to be compiled: runs chunk by chunk, so that a chunk stays in the cache and loops vectorize."""
    left, right = np.empty(_CHUNK, np.uint32), np.empty(_CHUNK, np.uint32)
    width = np.float64(b)
    for begin in range(0, len(rows), _CHUNK):
        count = min(_CHUNK, len(rows) - begin)
        for j in range(count):
            row = rows[begin + j]
            quotient = np.int64(np.float64(row) / width)
            left[j] = np.uint32(quotient)
            right[j] = np.uint32(row - quotient * b)
        for r in range(len(low)):
            move, by, size = (left, right, a) if r % 2 == 0 else (right, left, b)
            small, large = np.uint32(size), np.uint64(size)
            for j in range(count):
                h = np.uint32(by[j] + low[r])
                h = np.uint32(h ^ (h >> _16))
                h = np.uint32(h * _FIRST)
                h = np.uint32(h ^ (h >> _15))
                h = np.uint32(h + high[r])
                h = np.uint32(h * _SECOND)
                h = np.uint32(h ^ (h >> _16))
                moved = np.uint32(move[j] + np.uint32((np.uint64(h) * large) >> _32))
                move[j] = min(moved, np.uint32(moved - small))
        for j in range(count):
            out[begin + j] = np.int64(left[j]) * b + np.int64(right[j])


NETWORK = Loop(
    _compiled_network,
    np.zeros(1, np.int64),
    np.zeros(1, np.int64),
    2,
    2,
    np.zeros(ROUNDS, np.uint32),
    np.zeros(ROUNDS, np.uint32),
)
