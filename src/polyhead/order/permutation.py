"""A bijection on [0, n), computed for any position, without an index array.

The rows are laid out as an ``a x b`` rectangle, a little larger than ``n``. A row's two coordinates are
shifted in turn, each by a hash of the other, taken round the rectangle: an unbalanced Feistel network over
mixed radices (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). Every step can be undone, so
the whole is a bijection; places that fall outside ``[0, n)`` walk on until they are inside.

The result is part of the library's promise: for one seed it is the same in every version. A golden test pins it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from polyhead.hashing import key
from polyhead.jit import Loop

ROUNDS = 6
SMALL = 1 << 16
SMALL_ROUNDS = 16  # a small rectangle mixes less in a round, and costs next to nothing

WORTH = 1 << 16
"""Rows of a source from which on it is worth the while to have the network compiled."""

MUCH = 1 << 18
"""Rows that were permuted in all, of however small a source, from which on it is too: many epochs of few rows."""

_done = [0]

_EXACT = 1 << 52  # below, a division of floats gives the whole quotient of integers
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
        int64 of the same shape; over all positions each row comes exactly once.

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
    rows = _through_network(np.asarray(positions, np.int64), a, b, keys)
    flat = rows.reshape(-1)
    outside = np.flatnonzero(flat >= n)
    while len(outside):
        flat[outside] = _through_network(flat[outside], a, b, keys)
        outside = outside[flat[outside] >= n]
    return rows


@lru_cache(maxsize=16)
def _round_keys(seed: int, rounds: int) -> tuple[int, ...]:
    return tuple(key(seed, r) for r in range(rounds))


def _through_network(rows: np.ndarray, a: int, b: int, keys: tuple[int, ...]) -> np.ndarray:
    """Rows of the rectangle to others: by the compiled network where there is much to do and it is ready."""
    _done[0] += rows.size
    network = NETWORK.ready if a * b >= WORTH or _done[0] >= MUCH else NETWORK.there
    if network is None or rows.ndim != 1 or a * b >= _EXACT:
        return _network(rows, a, b, keys)
    out = np.empty_like(rows)
    network(rows, out, a, b, *_halves(keys))
    return out


@lru_cache(maxsize=16)
def _halves(keys: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([k & 0xFFFFFFFF for k in keys], np.uint32),
        np.array([k >> 32 for k in keys], np.uint32),
    )


def _network(rows: np.ndarray, a: int, b: int, keys: tuple[int, ...]) -> np.ndarray:
    """Rows of the rectangle, int64, to others; both coordinates fit 32 bits, as ``b`` is at most 2**31."""
    high = rows // b
    left = high.astype(np.uint32)
    right = (rows - high * b).astype(np.uint32)
    narrow, other, wide = np.empty_like(left), np.empty_like(left), np.empty(rows.shape, np.uint64)
    for r, k in enumerate(keys):
        if r % 2 == 0:
            _add_hash(left, right, a, k, narrow, other, wide)
        else:
            _add_hash(right, left, b, k, narrow, other, wide)
    np.multiply(left, b, out=high, dtype=np.int64)
    high += right
    return high


def _add_hash(
    move: np.ndarray, by: np.ndarray, size: int, k: int, h: np.ndarray, t: np.ndarray, wide: np.ndarray
) -> None:
    """Move by a hash of ``by``, round ``[0, size)``, in place; the last three are room to work in."""
    np.add(by, np.uint32(k & 0xFFFFFFFF), out=h)
    h ^= np.right_shift(h, _16, out=t)
    h *= _FIRST
    h ^= np.right_shift(h, _15, out=t)
    h += np.uint32(k >> 32)
    h *= _SECOND
    h ^= np.right_shift(h, _16, out=t)
    np.copyto(wide, h)
    wide *= np.uint64(size)
    wide >>= _32
    np.copyto(h, wide, casting="unsafe")
    move += h
    # unsigned: below `size` the difference wraps to something huge, so the smaller of both is the remainder
    np.minimum(move, np.subtract(move, np.uint32(size), out=t), out=move)


def _compiled_network(
    rows: np.ndarray, out: np.ndarray, a: int, b: int, low: np.ndarray, high: np.ndarray
) -> None:
    """`_network`, chunk by chunk, so that all steps of a chunk stay in the cache and in wide registers."""
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
