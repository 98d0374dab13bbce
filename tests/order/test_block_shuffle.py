"""The order that reads a disk in blocks: a bijection, a function of seed and position, and how good a shuffle it is."""

import numpy as np
import pytest

import polyhead as ph
from polyhead.order import Order
from polyhead.order.block_shuffle import in_blocks, plan


@pytest.mark.parametrize(
    ("rows", "block", "window"),
    [(1, 4, 2), (3, 4, 2), (4, 4, 2), (23, 4, 2), (129, 16, 8), (1000, 16, 8), (5, 1, 1), (50_000, 85, 64)],
)
def test_each_row_once_and_by_its_position_alone(rows, block, window):
    whole = in_blocks(np.arange(rows), rows, block, window, 7)
    assert np.array_equal(np.sort(whole), np.arange(rows))
    some = np.arange(rows)[:: max(1, rows // 40)]
    assert np.array_equal(in_blocks(some, rows, block, window, 7), whole[some])
    assert in_blocks(np.arange(0), rows, block, window, 7).size == 0


def test_the_order_is_pinned():
    assert in_blocks(np.arange(12), 12, 2, 3, 1).tolist() == GOLDEN


GOLDEN = [0, 8, 7, 9, 1, 6, 4, 5, 10, 2, 3, 11]


def test_a_window_reads_few_blocks_and_each_block_once():
    rows, block, window = 64_000, 100, 16
    blocks = in_blocks(np.arange(rows), rows, block, window, 3) // block
    for start in range(0, rows, block * window):
        assert len(np.unique(blocks[start : start + block * window])) == window
    other = in_blocks(np.arange(rows), rows, block, window, 4) // block
    first, second = set(blocks[: block * window].tolist()), set(other[: block * window].tolist())
    assert first != second


def test_rows_sorted_by_class_are_mixed_as_well_as_it_says():
    rows, block, window, batch = 64_000, 100, 64, 32
    classes = np.arange(rows) * 2 // rows  # the worst case: all rows of a block are of one class
    shares = [
        classes[in_blocks(np.arange(rows), rows, block, window, seed)].reshape(-1, batch).mean(1)
        for seed in range(6)
    ]
    spread = np.std(shares) / np.sqrt(0.25 / batch)
    assert spread == pytest.approx(np.sqrt(1 + (batch - 1) / window), rel=0.1)


def test_epochs_shards_and_batches_as_with_every_order():
    order = Order(rows=1003, batch_size=10, shuffle=True, seed=5, blocks=(16, 8))
    epochs = [np.concatenate([order.ids(epoch, step) for step in range(len(order))]) for epoch in (0, 1)]
    assert all(np.array_equal(np.sort(ids), np.arange(1003)) for ids in epochs)
    assert not np.array_equal(*epochs)
    shards = [
        Order(rows=1003, batch_size=10, shuffle=True, seed=5, shard=(rank, 2), blocks=(16, 8))
        for rank in (0, 1)
    ]
    both = np.concatenate([one.block(0, 0, len(one))[0] for one in shards])
    assert np.array_equal(np.sort(both), np.arange(1003))


def test_how_large_blocks_and_windows_are():
    assert plan(12_288) == (85, 64)
    assert plan(4) == (4096, 64)
    assert plan(1 << 22) == (16, 8)
    assert plan(3072, chunk_rows=256) == (256, 64)


DATA = {"x": np.arange(5000.0), "y": np.arange(5000) % 3}


def feed(**more):
    heads = {"y": ph.Categorical(3)}
    return ph.Feed(DATA, inputs="x", heads=heads, batch_size=50, shuffle="blocks", seed=3, **more)


def test_a_feed_in_blocks_gives_every_row_and_resumes():
    one = feed(workers=2)
    batches = list(one.batches())
    assert np.array_equal(np.sort(np.concatenate([b.ids for b in batches])), np.arange(5000))
    assert "shuffled in blocks by seed 3" in repr(one)
    iterator = iter(one)
    for _ in range(7):
        next(iterator)
    again = feed().restore(one.state())
    np.testing.assert_array_equal(next(iter(again))[0]["x"], next(iterator)[0]["x"])


def test_the_state_of_another_order_is_refused():
    full = ph.Feed(DATA, inputs="x", heads={"y": ph.Categorical(3)}, batch_size=50, shuffle=True, seed=3)
    with pytest.raises(ph.ContractError, match=r"state, `shuffle`: expected \[4096, 64\], got True"):
        feed().restore(full.state())


def test_other_words_are_refused():
    with pytest.raises(ph.ContractError) as caught:
        ph.Feed(DATA, inputs="x", heads={"y": ph.Categorical(3)}, shuffle="block")
    words = "Feed(shuffle=): expected True, False or \"blocks\", got 'block'. Did you mean `blocks`?"
    assert str(caught.value) == words
