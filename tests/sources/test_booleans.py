"""Columns of booleans: the classes are False and True, whether some are missing or not."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import polyhead as ph
from polyhead.sources.arrays import Arrays

pytestmark = pytest.mark.once
FULL = [True, False, True, True]
GAPS = [True, None, False, True]
X = np.arange(4.0)


def table_file(path, values, name):
    file = path / f"{len(list(path.iterdir()))}.{name}"
    frame = pd.DataFrame({"x": X, "y": values})
    frame.to_csv(file, index=False) if name == "csv" else frame.to_parquet(file)
    return ph.read_table(file)


def packed(path, values):
    ph.pack({"x": X, "y": values}, path / str(None in values))
    return ph.open_store(path / str(None in values))


CONTAINERS = {
    "list": lambda values, path: {"x": X, "y": values},
    "rows": lambda values, path: [{"x": x, "y": y} for x, y in zip(X, values, strict=True)],
    "objects": lambda values, path: {"x": X, "y": np.array(values, object)},
    "objects with NaN": lambda values, path: {"x": X, "y": [np.nan if y is None else y for y in values]},
    "masked": lambda values, path: {
        "x": X,
        "y": np.ma.array([y is True for y in values], mask=[y is None for y in values]),
    },
    "pandas": lambda values, path: {"x": X, "y": pd.Series(values, dtype=object)},
    "pandas, nullable": lambda values, path: {"x": X, "y": pd.Series(values, dtype="boolean")},
    "polars": lambda values, path: pl.DataFrame({"x": X, "y": values}),
    "arrow": lambda values, path: pa.table({"x": X, "y": values}),
    "csv": lambda values, path: table_file(path, values, "csv"),
    "parquet": lambda values, path: table_file(path, values, "parquet"),
    "store": lambda values, path: packed(path, values),
    "generator": lambda values, path: ph.from_generator(
        lambda: iter([{"x": X[:2], "y": values[:2]}, {"x": X[2:], "y": values[2:]}]), length=4
    ),
}


@pytest.mark.parametrize("held", CONTAINERS)
def test_classes_are_false_and_true(held, tmp_path):
    for values in (FULL, GAPS):
        data = CONTAINERS[held](values, tmp_path)
        heads = {"kind": ph.Categorical(column="y"), "yes": ph.Binary(column="y")}
        feed = ph.Feed(data, inputs="x", heads=heads, batch_size=4)
        assert list(map(repr, feed.heads["kind"].names)) == ["False", "True"]
        (batch,) = feed.batches()
        assert batch.labels["kind"].tolist() == [int(y or 0) for y in values]
        assert batch.labels["yes"].ravel().tolist() == [int(y or 0) for y in values]
        weights = batch.weights or {}
        for name in heads:
            assert list(weights.get(name, np.ones(4))) == [y is not None for y in values]


@pytest.mark.parametrize("columns", [(FULL, GAPS), (GAPS, FULL), (GAPS, GAPS), (FULL, None), (None, GAPS)])
def test_they_are_also_in_joined_sources_and_their_stores(columns, tmp_path):
    one, two = (Arrays({"x": X} if y is None else {"x": X, "y": y}) for y in columns)
    rows = one.concat(two, join="outer")
    want = [v for y in columns for v in y or [None] * 4]
    ph.pack(rows, tmp_path / "store")
    for source in (rows, ph.open_store(tmp_path / "store")):
        assert source.read(range(8))["y"] == want
        feed = ph.Feed(source, inputs="x", heads={"y": ph.Categorical()}, batch_size=3)
        assert list(map(repr, feed.heads["y"].names)) == ["False", "True"]
        found = [v for batch in feed.batches() for v in batch.labels["y"].tolist()]
        assert found == [int(v or 0) for v in want]


@pytest.mark.parametrize("first", [FULL, GAPS])
def test_rows_with_and_without_gaps_are_appended_to_a_store(first, tmp_path):
    second = GAPS if first is FULL else FULL
    ph.pack({"y": first}, tmp_path / "store")
    ph.pack({"y": second}, tmp_path / "store", append=True)
    assert list(ph.open_store(tmp_path / "store").read(range(8))["y"]) == first + second


def test_beside_numbers_they_are_numbers():
    for one, two in ((GAPS, [0, 1, 2, 3]), ([0, 1, 2, 3], GAPS)):
        rows = Arrays({"x": X, "y": one}).concat(Arrays({"x": X, "y": two}))
        feed = ph.Feed(rows, inputs="x", heads={"y": ph.Categorical()}, batch_size=8)
        assert list(map(repr, feed.heads["y"].names)) == ["0", "1", "2", "3"]
        assert next(feed.batches()).labels["y"].tolist() == [int(v or 0) for v in one + two]


def test_an_input_of_booleans_stays_a_float_where_some_are_missing():
    feed = ph.Feed(
        {"x": [True, False, None, True], "y": X},
        inputs={"x": ph.Array(fill=0.5)},
        heads={"y": ph.Regression()},
        batch_size=2,
    )
    batches = [batch.inputs["x"] for batch in feed.batches()]
    assert {batch.dtype.name for batch in batches} == {"float32"}
    assert np.concatenate(batches).ravel().tolist() == [1, 0, 0.5, 1]


def test_lists_of_booleans_keep_one_weight_for_each():
    rows = [[True, None], [False, True]]
    for values in (rows, pa.array(rows), pa.array(rows, pa.list_(pa.bool_(), 2))):
        feed = ph.Feed({"x": X[:2], "y": values}, inputs="x", heads={"y": ph.MultiLabel()})
        _, labels, weights = feed.peek()
        assert (labels["y"].tolist(), weights["y"].tolist()) == ([[1, 0], [0, 1]], [[1, 0], [1, 1]])
