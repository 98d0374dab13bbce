"""Chance: pinned for all versions, uniform, and the same whatever else runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhead.hashing import bits, key, mix64, mixed, stream, uniform

GOLDEN = [
    17786678292262504964,
    3453671894255073913,
    14088223881244642493,
    9022607077730983807,
    17343846912103414750,
]


def test_numbers_are_the_same_in_every_version():
    found = [
        *bits(0, 0, [0], 0, 2)[0].tolist(),
        *bits(7, 3, [12, -1], stream("Rotate"), 1)[:, 0].tolist(),
        int(bits(-1, 2**40, [2**62], stream("Flip", 2), 5)[0, 4]),
    ]
    assert found == GOLDEN
    assert uniform(7, 3, [12], stream("Rotate"), 1)[0, 0] == (GOLDEN[2] >> 11) / 2**53


@given(
    seed=st.integers(-(2**70), 2**70),
    epoch=st.integers(0, 2**40),
    ids=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8),
    draws=st.integers(1, 6),
)
@settings(max_examples=50, deadline=None)
def test_a_sample_draws_the_same_in_any_batch(seed, epoch, ids, draws):
    together = uniform(seed, epoch, ids, 5, draws)
    assert together.shape == (len(ids), draws)
    assert ((together >= 0) & (together < 1)).all()
    for row, i in zip(together, ids, strict=True):
        assert np.array_equal(uniform(seed, epoch, [i], 5, draws + 1)[0, :draws], row)


@given(value=st.integers(0, 2**64 - 1))
def test_the_hash_of_an_array_is_that_of_its_numbers(value):
    assert int(mixed(np.array([value], np.uint64))[0]) == mix64(value)


def test_numbers_are_uniform_and_do_not_hang_together():
    drawn = uniform(1, 0, np.arange(50_000), stream("Scale"), 4)
    counts = np.stack([np.bincount((column * 50).astype(int), minlength=50) for column in drawn.T])
    chi = ((counts - 1000) ** 2 / 1000).sum(1)
    assert (chi < 49 + 6 * np.sqrt(2 * 49)).all()
    others = [
        uniform(1, 0, np.arange(50_000), stream("Scale", 1), 1),
        uniform(1, 0, np.arange(50_000), stream("Shift"), 1),
        uniform(1, 1, np.arange(50_000), stream("Scale"), 1),
        uniform(2, 0, np.arange(50_000), stream("Scale"), 1),
        uniform(1, 0, np.arange(1, 50_001), stream("Scale"), 1),
    ]
    correlation = np.corrcoef(np.hstack([drawn, *others]).T) - np.eye(9)
    assert abs(correlation).max() < 5 / np.sqrt(50_000)


@pytest.mark.parametrize("other", [(0, 1, 0), (1, 0, 0), (0, 0, 1)])
def test_seed_epoch_and_stream_each_count(other):
    assert key(0, 0, 0) != key(*other)
    assert stream("Flip") != stream("Flip", 1) != stream("Color", 1)
