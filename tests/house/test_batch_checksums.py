"""The script that prints checksums of batches: batches are equal where only the way to them differs."""

from collections import defaultdict

import batch_checksums
import numpy as np
import pytest

import polyhead as ph


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    return dict(batch_checksums.lines(tmp_path_factory.mktemp("rows")))


def test_workers_do_not_change_a_batch(printed):
    totals = defaultdict(set)
    for what, total in printed.items():
        if "workers=" in what:
            totals[what.split(", workers=")[0]].add(total)
    assert len(totals) > 8
    assert {what: len(found) for what, found in totals.items()} == dict.fromkeys(totals, 1)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_table_gives_the_same_rows_from_each_format(printed, shuffle):
    totals = {printed[f"table.{name}, shuffle={shuffle}"] for name in ("parquet", "arrow", "csv")}
    assert len(totals) == 1


def test_a_cache_gives_what_the_files_gave(printed):
    for way in ("still", "moved"):
        first, second = printed[f"cache, {way}"].split()
        assert first == second == printed[f"read_coco, {way}"]


def test_a_store_gives_what_was_packed(printed):
    assert printed["store of source, shuffle=False"] == printed["store of feed, shuffle=False"]


def test_a_checksum_sees_one_label_the_order_and_the_type():
    rows = {"x": np.eye(9, 3, dtype="float32"), "y": np.arange(9) % 2}
    other = np.where(np.arange(9) == 5, 1 - rows["y"], rows["y"])

    def total(kind=None, **more):
        data, heads = {**rows, "y": more.pop("y", rows["y"])}, {"y": kind or ph.Binary()}
        made = ph.Feed(data, inputs={"x": ph.Array()}, heads=heads, batch_size=4, **more)
        return batch_checksums.checksum(made)

    found = [
        total(),
        total(y=other),
        total(shuffle=True),
        total(shuffle=True, seed=1),
        total(ph.Categorical(2)),
    ]
    assert len(set(found)) == 5
    assert total() == found[0]
