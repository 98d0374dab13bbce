"""Hashes of integers: keys for the order of rows, and randomness as a pure function of (seed, epoch, sample id).

No generator, no state: each random number is a hash of its place. So a sample's augmentation is the same in any
batch, for any number of workers, on any machine, after any resume.

An augmentation draws from its own stream, named by its class (see `Augmentation.stream_name`) and the number of
augmentations of that class before it.
Adding, removing, moving or changing another kind of augmentation therefore does not change its draws. The first draw
of a stream decides whether the augmentation happens at all, so changing ``p`` does not change the other draws.

The numbers are guaranteed to be the same in every version; golden values in the tests pin them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

MASK = (1 << 64) - 1
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix64(value: int) -> int:
    """SplitMix64's finaliser: a well-mixed 64-bit hash of an integer.

    >>> mix64(1) != mix64(2)
    True
    """
    value = (value + _STEP) & MASK
    value = ((value ^ (value >> 30)) * _FIRST) & MASK
    value = ((value ^ (value >> 27)) * _SECOND) & MASK
    return value ^ (value >> 31)


@lru_cache(maxsize=256)
def key(*parts: int) -> int:
    """Combine several integers to one 64-bit key; their order matters.

    >>> key(1, 2) != key(2, 1)
    True
    """
    state = 0
    for part in parts:
        state = mix64(state ^ mix64(part & MASK))
    return state


def bits(seed: int, epoch: int, ids: Any, stream: int, draws: int) -> np.ndarray:
    """Draw 64 random bits for each sample and draw.

    Args:
        seed: any integer.
        epoch: the epoch, from 0 on.
        ids: the samples' ids, integers ``(B,)``.
        stream: the stream of the augmentation, see `stream`.
        draws: the number of draws per sample; the first ones do not depend on it.

    Returns:
        uint64 ``(B, draws)``.
    """
    start = np.asarray(ids, np.int64).astype(np.uint64) ^ np.uint64(key(seed, epoch, stream))
    return _drawn(start, draws)


def _drawn(start: np.ndarray, draws: int) -> np.ndarray:
    """The draws that follow from each start ``(B,)``, uint64 ``(B, draws)``."""
    steps = np.arange(1, draws + 1, dtype=np.uint64) * np.uint64(_STEP)
    return mixed(mixed(start.reshape(-1, 1)) + steps)


def uniform(seed: int, epoch: int, ids: Any, stream: int, draws: int) -> np.ndarray:
    """Uniform numbers in [0, 1), float64 ``(B, draws)``; the arguments are those of `bits`.

    >>> both = uniform(7, 0, [3, 4], stream("Rotate"), 2)
    >>> both.shape, bool((both[1:] == uniform(7, 0, [4], stream("Rotate"), 2)).all())
    ((2, 2), True)
    """
    return _in_unit(bits(seed, epoch, ids, stream, draws))


def uniform_in(epochs: Iterable[int], seed: int, stream: int, draws: int) -> np.ndarray:
    """The numbers of `uniform` for sample 0 in each of several epochs, float64 ``(E, draws)``.

    >>> ours = stream("evaluate")
    >>> bool((uniform_in([3, 4], 7, ours, 2)[1:] == uniform(7, 4, [0], ours, 2)).all())
    True
    """
    starts = np.array([key(seed, epoch, stream) for epoch in epochs], np.uint64)
    return _in_unit(_drawn(starts, draws))


def _in_unit(bits: np.ndarray) -> np.ndarray:
    """Convert random bits to float64 in [0, 1)."""
    return (bits >> np.uint64(11)) * 2.0**-53


def stream(name: str, before: int = 0) -> int:
    """The stream of the augmentation called ``name`` with ``before`` others of that name before it."""
    return zlib.crc32(name.encode()) | before << 32


def mixed(values: np.ndarray) -> np.ndarray:
    """`mix64` of many integers, uint64 of any shape."""
    values = values + np.uint64(_STEP)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(_FIRST)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(_SECOND)
    return values ^ (values >> np.uint64(31))
