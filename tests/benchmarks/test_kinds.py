"""The table of kinds: every row yields what the generator by hand does, and what is slower stands on top."""

import pytest
from benchmarks.kind_rows import ROWS, SHORT
from benchmarks.kinds import ARMS, HOLDERS, Taken, held, measure, same, table

import polyhead as ph


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("name", ROWS)
def test_a_feed_yields_the_arrays_of_the_generator(name, holder, tmp_path):
    row = ROWS[name](name, 40, 12)
    columns, data = held(row, holder, tmp_path)
    feed = ph.Feed(data, inputs=row.inputs, heads=row.heads, batch_size=5, shuffle=True)
    assert len(same(feed, row, columns)) == 8


def test_other_arrays_are_noticed():
    row = ROWS["Mask(10)"]("Mask(10)", 40, 12)
    wrong = {**row.columns, "y": row.columns["y"][::-1]}
    feed = ph.Feed(wrong, inputs=row.inputs, heads=row.heads, batch_size=5)
    with pytest.raises(RuntimeError, match=r"Mask\(10\): the feed yields other arrays than the generator"):
        same(feed, row, row.columns)


def test_all_arms_take_turns(tmp_path):
    row = ROWS["Binary()"]("Binary()", 40, 12)
    found = measure(row, "array", 8, tmp_path, turns=2, seconds=0)
    assert found.batches == 5
    assert {arm: len(times) for arm, times in found.wall.items()} == dict.fromkeys(ARMS, 2)
    assert found.cpu.keys() == found.wall.keys()


def taken(name, feed, cpu=1.0):
    arms = {"feed": feed, "plain generator": 2.0, "bare copy": 1.0}
    wall = {arm: [value, value] for arm, value in arms.items()}
    return Taken(name, "array", 32, 10, "00c0ffee", wall, {**wall, "feed": [cpu, cpu]})


def test_rows_below_one_stand_on_top():
    lines = table([taken("a", 1.0), taken("b", 4.0), taken("c", 1.0, cpu=8.0), taken("d", 0.5)]).splitlines()
    assert lines[0] == "2 of 4 rows are below 1.0 in time or CPU, which stand on top."
    assert [line.split(" | ")[0] for line in lines[4:]] == ["| c", "| b", "| a", "| d"]
    assert lines[4] == "| c | array | 32 | 2.00 | **0.25** | 2.00 | 100000 | 00c0ffee |"
    assert lines[5] == "| b | array | 32 | **0.50** | 2.00 | 2.00 | 400000 | 00c0ffee |"
    assert table([taken("a", 1.0)]).startswith("0 of 1 rows are below 1.0 in time or CPU.\n")


def test_the_short_table_has_rows_of_the_long_one():
    assert set(SHORT) <= ROWS.keys()
