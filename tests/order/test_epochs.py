"""Epochs, batches and shards."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhead.errors import DataError
from polyhead.order import Order


def epoch(order, number=0):
    return [order.ids(number, step) for step in range(len(order))]


@given(
    rows=st.integers(1, 300),
    batch=st.integers(1, 40),
    shards=st.integers(1, 6),
    shuffle=st.booleans(),
    drop=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_shards_are_disjoint_complete_and_equally_long(rows, batch, shards, shuffle, drop):
    def make(rank):
        return Order(rows, batch, shuffle, 3, drop, (rank, shards))

    try:
        orders = [make(rank) for rank in range(shards)]
    except DataError:
        if drop:
            assert rows < batch * shards
        else:
            assert rows < shards or batch == 1
        return
    assert len({len(order) for order in orders}) == 1
    parts = [np.concatenate(epoch(order, 2)) for order in orders]
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)
    sizes = [len(ids) for order in orders for ids in epoch(order, 2)]
    assert all(1 <= size <= batch for size in sizes)
    if drop:
        assert set(sizes) == {batch}
        assert rows - len(together) < batch * shards
    else:
        assert len(together) == rows
    assert [len(part) for part in parts] == [order.rows_per_epoch for order in orders]


def test_batch_t_of_all_shards_is_batch_t_of_the_whole_order():
    whole = Order(96, 24, True, 5)
    shards = [Order(96, 8, True, 5, shard=(rank, 3)) for rank in range(3)]
    for step in range(4):
        parts = np.concatenate([shard.ids(1, step) for shard in shards])
        assert sorted(parts.tolist()) == sorted(whole.ids(1, step).tolist())


def test_epochs_differ_and_seeds_differ_and_neither_moves():
    order = Order(50, 8, True, 1)
    first, second = np.concatenate(epoch(order, 0)), np.concatenate(epoch(order, 1))
    assert first.tolist() != second.tolist()
    assert first.tolist() != np.concatenate(epoch(Order(50, 8, True, 2), 0)).tolist()
    assert first.tolist() == np.concatenate(epoch(Order(50, 8, True, 1), 0)).tolist()
    assert first.tolist() == np.concatenate(epoch(Order(50, 13, True, 1), 0)).tolist()


def test_without_shuffle_every_epoch_is_in_row_order():
    order = Order(10, 4)
    assert [ids.tolist() for ids in epoch(order, 9)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@given(rows=st.integers(1, 200), batch=st.integers(1, 20), data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_block_is_its_batches_end_to_end(rows, batch, data):
    order = Order(rows, batch, True, 8)
    first = data.draw(st.integers(0, len(order) - 1))
    steps = data.draw(st.integers(1, len(order) - first))
    ids, bounds = order.block(4, first, steps)
    parts = [ids[a:b].tolist() for a, b in itertools.pairwise(bounds)]
    assert parts == [order.ids(4, first + i).tolist() for i in range(steps)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0, "batch_size": 4}, "data: expected at least one row, got an empty source."),
        ({"rows": 5, "batch_size": 0}, "batch_size: expected an integer of at least 1, got 0."),
        (
            {"rows": 5, "batch_size": 2, "shard": (2, 2)},
            "shard: expected (rank, count) with 0 <= rank < count, got (2, 2).",
        ),
        (
            {"rows": 5, "batch_size": 8, "drop_remainder": True},
            "batch_size: expected at most 5, the rows, as drop_remainder=True drops the rest, got 8.",
        ),
        (
            {"rows": 5, "batch_size": 8, "drop_remainder": True, "shard": (0, 2)},
            "batch_size: expected at most 2, the rows of one shard, as drop_remainder=True drops the rest, got 8.",
        ),
        (
            {"rows": 5, "batch_size": 1, "shard": (0, 3)},
            "shard: expected rows for 2 steps in each of 3 shards, got 5 rows in batches of 1. "
            "Say drop_remainder=True, or take fewer shards.",
        ),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(DataError) as error:
        Order(**arguments)
    assert str(error.value) == message
