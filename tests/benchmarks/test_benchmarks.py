"""The arms of the benchmarks deliver the same data; how fast is not asked here."""

import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from benchmarks.__main__ import main
from benchmarks.arms import ARMS, NEEDS, available, lacking, rows_of, unpacked
from benchmarks.plots import bars
from benchmarks.race import Measured, measure
from benchmarks.report import best, table
from benchmarks.running import Arm, ArmFailed, Field
from benchmarks.workloads import MAKE, digest

from benchmarks import fit


@pytest.mark.parametrize("workload", ["table", "images"])
@pytest.mark.parametrize("arm", [name for name in available() if name != "Ray Data"])
@pytest.mark.filterwarnings("ignore")
def test_every_arm_delivers_the_same_rows(arm, workload):
    data = MAKE[workload](37)
    epochs = ARMS[arm](data, 8)
    batches = [list(epochs(epoch)) for epoch in range(2)]
    expected = digest([data.gather(np.arange(37))])
    assert [digest(map(unpacked, epoch)) for epoch in batches] == [expected, expected]
    assert [rows_of(batch) for batch in batches[0]] == [8, 8, 8, 8, 5]


def test_the_digest_sees_labels_of_another_row():
    data = MAKE["table"](16)
    x, (first, second) = data.gather(np.arange(16))
    assert digest([(x, (first, second))]) != digest([(x, (first, np.roll(second, 1)))])
    assert digest([(x, (first, second))]) == digest([(x[::-1], (first[::-1], second[::-1]))])


def test_the_digest_sees_another_dtype():
    data = MAKE["table"](4)
    x, (first, second) = data.gather(np.arange(4))
    assert digest([(x, (first, second))]) != digest([(x, (first.astype(np.int32), second))])


def run(speed):
    return {"rows_per_s": speed, "cpu_per_1000": 1 / speed, "first_batch": 0.5, "setup": 0.25}


def test_a_table_has_ratios_by_turn_and_says_who_is_not_in_it():
    proof = [{"rows": 3, "form": "float32 (1,)", "hash": "ab"}]
    runs = {"plain generator": [run(100), run(400)], "polyhead": [run(200), run(1200)]}
    found = Measured(
        title="table, batch 2",
        reference="plain generator",
        checks={name: {"proof": proof} for name in runs},
        runs=runs,
        first={name: run(50) for name in runs},
        peak={"plain generator": 40.0, "polyhead": 51.0},
        cold={"plain generator": [run(10)], "polyhead": 0.4},
        out={"Ray Data": "`ray` is not installed here"},
    )
    lines = table(found).splitlines()
    assert lines[2] == "Checked: 3 rows of float32 (1,), hash ab, the same in every arm."
    assert (
        lines[6]
        == "| plain generator | 250 (100–400) | 1.00 | 0.00625 | 1.00 | 50 | 750 | 40 | 10 (10–10) | 1.00 |"
    )
    assert (
        lines[7]
        == "| polyhead | 700 (200–1,200) | 2.50 | 0.00292 | 0.42 | 50 | 750 | 51 | 40% stayed in memory |  |"
    )
    assert lines[9] == "polyhead is 2.50 times as fast as the best peer, plain generator."
    assert lines[-1] == "- Ray Data: `ray` is not installed here."


def test_the_best_peer_is_the_fastest_by_its_median_and_no_limit():
    runs = {
        "bare copy": [run(9), run(9), run(9)],
        "polyhead, workers=0": [run(8), run(8), run(8)],
        "polyhead, workers=auto": [run(6), run(2), run(8)],
        "tf.data": [run(1), run(1), run(9)],
        "grain": [run(2), run(2), run(2)],
    }
    assert best(runs, list(runs)) == ["polyhead, workers=auto is 3.00 times as fast as the best peer, grain."]
    assert best(runs, ["tf.data", "bare copy"]) == best(runs, ["polyhead, workers=auto", "bare copy"]) == []


def test_waiting_is_what_goes_beyond_the_limit():
    runs = {"plain generator": [run(60)], "polyhead": [run(90)], fit.LIMIT: [run(100)]}
    proof = [{"rows": 3, "form": "float32 (1,)", "hash": "ab"}]
    checks = {name: {"proof": proof} for name in runs}
    first, peak = {name: run(50) for name in runs}, dict.fromkeys(runs, 1.0)
    lines = table(Measured("fit", "plain generator", checks, runs, first, peak, limit=fit.LIMIT)).splitlines()
    assert [line.split(" | ")[5] for line in lines[6:9]] == ["40%", "10%", "0%"]


def test_bars_are_svg():
    drawn = ElementTree.fromstring(bars("a < b", {"polyhead": [10, 20, 30], "other": [1, 2, 3]}, "rows/s"))
    rectangles = [float(r.get("width")) for r in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(rectangles) == 3  # the paper, and two bars
    assert rectangles[1] > rectangles[2] > 0


def test_an_arm_that_fails_says_why():
    arm = Arm("nobody", "table", 10)
    field = Field([arm])
    assert field.ask(do="check", batch_size=2) == {}
    assert field.out == {"nobody": "KeyError: 'nobody'"} or "KeyError" in field.out["nobody"]
    assert field.arms == []


def test_an_arm_that_does_not_answer_is_ended():
    arm = Arm("plain generator", "table", 10, patience=0.01)
    with pytest.raises(ArmFailed, match=r"no answer to 'check' within 0\.01 s"):
        arm.ask(do="check", batch_size=2)
    arm.close()


def test_polyhead_with_other_data_is_an_error_and_others_are_left_out(monkeypatch):
    class Fake:
        def __init__(self, name, proof):
            self.name, self.proof = name, proof

        def ask(self, **command):
            return {"proof": self.proof, "peak_mb": 1.0, **run(10)}

        def close(self):
            pass

    same, other = [{"rows": 1, "form": "", "hash": "a"}], [{"rows": 1, "form": "", "hash": "b"}]
    field = Field([Fake("plain generator", same), Fake("tf.data", other), Fake("grain", same)])
    found = measure("table", field, 2, 1, 0)
    assert list(found.runs) == ["plain generator", "grain"]
    assert found.out["tf.data"].startswith("delivers other data: [{'rows': 1, 'form': '', 'hash': 'b'}]")
    with pytest.raises(RuntimeError, match="table: polyhead delivers other data"):
        measure("table", Field([Fake("plain generator", same), Fake("polyhead", other)]), 2, 1, 0)


def test_what_an_arm_lacks_is_named():
    assert lacking("some Peer", {"some": "no_module_of_this_name"}) == "no_module_of_this_name"
    assert lacking("plain generator", NEEDS) is None


@pytest.mark.keras
@pytest.mark.once
@pytest.mark.parametrize("arm", [arm for arm in fit.ARMS if arm != fit.LIMIT])
def test_fit_is_given_the_same_rows_by_every_arm(arm):
    data = MAKE["images"](300)
    expected = digest([data.gather(np.arange(300))])
    assert fit.check(arm, 25)["proof"] == [expected, expected]


@pytest.mark.keras
@pytest.mark.once
@pytest.mark.parametrize("arm", fit.ARMS)
def test_every_arm_trains(arm):
    data = MAKE["images"](16)
    fed, options = fit.ARMS[arm](data, 8)
    history = fit.network(64).fit(fed, epochs=2, verbose=0, **options)
    assert len(history.history["loss"]) == 2
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.slow
def test_the_whole_is_one_command(tmp_path, monkeypatch, capfd):
    path = tmp_path / "RESULTS.md"
    words = ["--short", "--runs", "1", "--seconds", "0", "--rows", "24", "--batch", "8"]
    words += ["--workload", "table", "files", "packed", "--arms", "polyhead", "--write", str(path)]
    monkeypatch.setattr(sys, "argv", ["python -m benchmarks", *words])
    main()
    text = path.read_text()
    assert (
        text.count("| plain generator |") == 3
    )  # the short mode reads no bytes of files from packed formats
    assert text.count("![") == 3
    assert "- tf.data gather: not asked for." in text
    assert (tmp_path / "plots" / "table-batch-8.svg").read_text().startswith("<svg")
    assert "The whole took" in capfd.readouterr().out
