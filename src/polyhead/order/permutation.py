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

WORTH = 1 << 16
"""The smallest source, in rows, for which compiling the network is worthwhile."""

MANY = 256
"""Tables of hashes are faster for at least ``SMALL / MANY`` rows in a call."""

_EXACT = 1 << 52  # below this, float division gives the exact integer quotient
_CHUNK = 512

_15, _16, _32 = np.uint32(15), np.uint32(16), np.uint64(32)
_FIRST, _SECOND = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)


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
    keys = _round_keys(seed, SMALL_ROUNDS if n < SMALL else ROUNDS)
    positions = np.asarray(positions, np.int64)
    begun = profiling.clock()
    through = _network_for(positions, a, b, *keys)
    rows = through(positions)
    flat = rows.reshape(-1)
    outside = np.flatnonzero(flat >= n)
    while len(outside):
        flat[outside] = through(flat[outside])
        outside = outside[flat[outside] >= n]
    if NETWORK.there is None:
        jit.spent(profiling.clock() - begun)
    return rows


@lru_cache(maxsize=16)
def _round_keys(seed: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper halves of ``key(seed, r)`` for each round ``r``, uint32."""
    keys = mixed(np.uint64(mix64(mix64(seed & MASK))) ^ mixed(np.arange(rounds, dtype=np.uint64)))
    return keys.astype(np.uint32), (keys >> _32).astype(np.uint32)


def _network_for(
    rows: np.ndarray, a: int, b: int, low: np.ndarray, high: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """The fastest available implementation of the network; for large sources the compiled one, once it is ready."""
    network = NETWORK.ready if a * b >= WORTH else NETWORK.there
    if network is not None and rows.ndim == 1 and a * b < _EXACT:

        def compiled(rows: np.ndarray) -> np.ndarray:
            out = np.empty_like(rows)
            network(rows, out, a, b, low, high)
            return out

        return compiled
    if a * b < SMALL <= MANY * rows.size:
        tables = _hash_tables(a, b, low[::2], high[::2]), _hash_tables(b, a, low[1::2], high[1::2])
        return partial(_by_tables, a=a, b=b, tables=tables)
    return partial(_network, a=a, b=b, low=low, high=high)


def _by_tables(rows: np.ndarray, a: int, b: int, tables: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """`_network` for a small rectangle, with hashes looked up in `_hash_tables`."""
    left, right, room = rows // b, np.empty_like(rows), np.empty_like(rows)
    np.subtract(rows, np.multiply(left, b, out=right), out=right)
    unsigned, rest = (left.view(np.uint64), right.view(np.uint64)), room.view(np.uint64)
    for r in range(sum(map(len, tables))):
        move, by, size = (left, right, a) if r % 2 == 0 else (right, left, b)
        np.take(tables[r % 2][r // 2], by, out=room, mode="clip")
        move += room
        # below `size` the difference wraps to a huge number, so the smaller of the two is the remainder
        np.subtract(move, size, out=room)
        np.minimum(unsigned[r % 2], rest, out=unsigned[r % 2])
    left *= b
    left += right
    return left


def _hash_tables(size: int, by: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """For each round and each coordinate below ``by``, the shift of the other coordinate modulo ``size``, int64."""
    h = np.arange(by, dtype=np.uint32) + low[:, None]
    h ^= h >> _16
    h *= _FIRST
    h ^= h >> _15
    h += high[:, None]
    h *= _SECOND
    h ^= h >> _16
    return (h.astype(np.int64) * size) >> 32


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
