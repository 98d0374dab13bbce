"""Predictions that go to a file take the memory of some rows, however many there are."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.keras_bridge.callbacks import RowCounter
from polyhead.results.outputs import Outputs

PREDICTS = """
import resource, sys
import keras, numpy as np, polyhead as ph
rows = int(sys.argv[1])
few = {"x": np.zeros((64, 4), "float32"), "vector": np.ones((64, 64))}
feed = ph.Feed(few, inputs="x", heads={"vector": ph.Embedding(64)})
x = keras.Input((4,), name="x")
model = keras.Model(x, ph.outputs(x, feed))
made = ph.compile(model, feed, optimizer="sgd")
ones = np.ones((rows, 4), "float32")
found = ph.predict(made, {"x": ones}, batch_size=4096, path=sys.argv[2])
assert sum(1 for row in found[rows - 3 :]) == 3 and len(found) == rows
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.full
def test_three_times_as_many_rows_take_no_more_memory(tmp_path):
    peaks = []
    for rows in (300_000, 900_000):
        command = [sys.executable, "-c", PREDICTS, str(rows), str(tmp_path / f"{rows}.parquet")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)
    # all outputs would be 154 MB more, and their table as much again
    assert peaks[1] - peaks[0] < 75


def test_progress_counts_each_row_once(monkeypatch):
    monkeypatch.setattr("polyhead.results.outputs.CHUNK_ROWS", 12)
    told = []
    data = {"x": np.zeros((22, 4), "float32"), "y": np.zeros(22)}
    feed = ph.Feed(data, inputs="x", heads={"y": ph.Regression()}, batch_size=4)
    x = keras.Input((4,), name="x")
    outputs = Outputs(keras.Model(x, ph.outputs(x, feed)), feed.inputs, feed.heads, 4)
    assert [len(ids) for ids, *_ in outputs.of_feed(feed, told.append)] == [12, 10]
    assert told == [4, 4, 4, 4, 4, 2]
    several = RowCounter(told.append, 4, 10)  # two batches a step
    told.clear()
    for last in (1, 3):
        several.on_predict_batch_end(last)
    assert told == [8, 2]
