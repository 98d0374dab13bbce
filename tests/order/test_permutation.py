"""The permutation: a bijection, pinned for all versions, and a fair shuffle."""

import hashlib
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhead.hashing import key, mix64
from polyhead.jit import Loop
from polyhead.order import permutation
from polyhead.order.permutation import NETWORK, permute

GOLDEN_12 = [11, 5, 0, 1, 3, 9, 6, 7, 8, 2, 10, 4]
GOLDEN_DIGEST = "40ef714802f4503e7e091833990e8545d5786d1b6ba95714819b8559fcdbfc76"
GOLDEN_KEYS = [16294208416658607535, 15671754871817308195, 1759269079544140422, 6755974106381971767]


@given(n=st.integers(1, 3000), seed=st.integers(0, 2**64 - 1))
@settings(max_examples=60, deadline=None)
def test_each_row_comes_exactly_once(n, seed):
    rows = permute(np.arange(n), n, seed)
    assert rows.dtype == np.int64
    assert np.array_equal(np.sort(rows), np.arange(n))


@given(n=st.integers(1, 10**12), seed=st.integers(0, 2**64 - 1), data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_position_alone_equals_the_position_among_others(n, seed, data):
    positions = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20)))
    together = permute(positions, n, seed)
    assert ((together >= 0) & (together < n)).all()
    assert [permute(positions[i : i + 1], n, seed)[0] for i in range(len(positions))] == together.tolist()


def test_the_order_is_the_same_in_every_version():
    assert permute(np.arange(12), 12, 0).tolist() == GOLDEN_12
    digest = hashlib.sha256()
    for n in (2, 30, 65_535, 65_536, 100_003):
        digest.update(permute(np.arange(n), n, key(n, 7)).astype("<i8").tobytes())
    digest.update(permute(np.arange(1000) * 10**9, 10**12, 42).astype("<i8").tobytes())
    assert digest.hexdigest() == GOLDEN_DIGEST


def test_keys_are_the_same_in_every_version():
    assert [mix64(0), key(1, 2), key(2, 1), key(-1)] == GOLDEN_KEYS


@pytest.mark.parametrize("n", [5, 12, 100])
def test_every_row_is_as_likely_at_every_position(n):
    shuffles = 4000
    seen = np.zeros((n, n))
    for seed in range(shuffles):
        seen[np.arange(n), permute(np.arange(n), n, key(seed))] += 1
    expected = shuffles / n
    chi = ((seen - expected) ** 2 / expected).sum()
    freedom = (n - 1) ** 2
    assert abs(chi - freedom) < 6 * np.sqrt(2 * freedom)


def test_neighbors_do_not_stay_neighbors():
    n = 200_000
    rows = permute(np.arange(n), n, 5)
    assert abs(np.corrcoef(rows[:-1], rows[1:])[0, 1]) < 0.01
    assert abs(np.corrcoef(rows, np.arange(n))[0, 1]) < 0.01


def test_a_billion_rows_need_no_index_array():
    import tracemalloc

    tracemalloc.start()
    rows = permute(np.arange(999_999_000, 1_000_000_000), 10**9, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(np.unique(rows)) == 1000
    assert peak < 1_000_000


SIZES = [2, 3, 30, 255, 4000, 16_384, 16_385, 40_000, 65_025, 65_026, 65_535]
LARGE = [65_536, 65_537, 100_003, 10**7 + 1, 10**9, 2**40 + 9, 2**51]


@pytest.mark.parametrize("n", SIZES + LARGE)
def test_each_way_to_compute_it_gives_the_same(n, monkeypatch):
    positions = np.concatenate([np.random.default_rng(0).integers(0, n, 3000), [0, 1, n - 2, n - 1]])
    found = []
    for loop in (NETWORK.wait(), None):
        monkeypatch.setattr(Loop, "ready", property(lambda _, loop=loop: loop))
        monkeypatch.setattr(Loop, "compiled", property(lambda _, loop=loop: loop))
        permutation._small_order.cache_clear()
        found.append(permute(positions, n, seed=5))
    assert np.array_equal(*found)
    if n < permutation.SMALL:
        b = int(np.ceil(np.sqrt(n)))
        low, high = permutation._round_keys(5, permutation.SMALL_ROUNDS)
        through = partial(permutation._network, a=-(-n // b), b=b, low=low, high=high)
        rows = through(positions)
        while (outside := rows >= n).any():
            rows[outside] = through(rows[outside])
        assert np.array_equal(rows, found[0])


def test_an_order_that_is_kept_is_no_ones_to_change():
    rows = permute(np.arange(100), 100, 1)
    rows[:] = 0
    assert sorted(permute(np.arange(100).reshape(4, 25), 100, 1).ravel().tolist()) == list(range(100))
