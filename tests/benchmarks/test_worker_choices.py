"""The table of choices of workers: all take turns, and where `auto` is slowest stands on top."""

from benchmarks.kind_rows import ROWS
from benchmarks.worker_choices import CHOICES, Chosen, measure, table


def test_all_choices_take_turns(tmp_path):
    row = ROWS["Binary()"]("Binary()", 40, 12)
    found = measure(row, "array", 8, tmp_path, turns=2, seconds=0)
    assert {choice: len(speeds) for choice, speeds in found.speeds.items()} == dict.fromkeys(CHOICES, 2)


def test_what_auto_slows_most_stands_on_top():
    slow = Chosen("slow", "array", 32, {"auto": [4.0, 9.0], 0: [10.0, 10.0], 1: [5.0, 5.0], 2: [1.0, 1.0]})
    right = Chosen(
        "right", "store", 2048, {"auto": [9.5, 9.5], 0: [4.0, 4.0], 1: [10.0, 10.0], 2: [1.0, 1.0]}
    )
    lines = table([right, slow]).splitlines()
    assert lines[0] == "`auto` is below 0.9 of the best in 1 of 2 rows."
    assert lines[-2:] == [
        "| slow | array | 32 | 0 | 0.65 | 1.00 | 0.50 | 0.10 |",
        "| right | store | 2,048 | 1 | 0.95 | 0.40 | 1.00 | 0.10 |",
    ]
