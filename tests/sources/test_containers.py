"""The same values in containers of many libraries, drawn at random: the same batches, whichever feed reads which."""

import datetime
import random

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import polyhead as ph

pytestmark = pytest.mark.once
NUMBERS = ["int8", "uint8", "int64", "uint64", "float16", "float32", "float64"]
WORDS = ["cat", "dog", "Ähre", "e\u0301", "日本", "1", "a b", "nan "]


def drawn(r, rows):
    """A column: its values, its type in Arrow and NumPy, and a head that reads it."""
    kind = r.choice(["number", "number", "flag", "word", "day", "tags", "flags", "vector"])
    dtype, gap = None, r.random() < 0.5
    if kind == "number":
        dtype = r.choice(NUMBERS)
        values, form = [r.randrange(4) for _ in range(rows)], pa.from_numpy_dtype(dtype)
        if dtype.startswith("float"):
            values = [float(value) for value in values]
        head = r.choice([ph.Categorical(), ph.Regression(scale="standard"), ph.Binary(positive=values[0])])
    elif kind == "flag":
        values, form, head, dtype = [r.random() < 0.5 for _ in range(rows)], pa.bool_(), ph.Binary(), "bool"
    elif kind == "word":
        some = r.sample(WORDS, 3)
        values, form = [r.choice(some) for _ in range(rows)], pa.string()
        head = r.choice([ph.Categorical(class_weight="balanced"), ph.Binary(positive=values[0])])
    elif kind == "day":
        days = [datetime.date(2020, 1, day) for day in (3, 1, 2)]
        values, form, head = [r.choice(days) for _ in range(rows)], pa.date32(), ph.Categorical()
    elif kind == "tags":
        some = r.choice([WORDS[:3], [4, 7, 9]])
        values = [r.sample(some, r.randrange(4)) for _ in range(rows)]
        form, head = pa.list_(pa.string() if some[0] == "cat" else pa.int64()), ph.MultiLabel(some)
    else:
        flags, dtype = kind == "flags", r.choice(["uint8", "float32"])
        values = [[r.randrange(2 if flags else 9) for _ in range(2)] for _ in range(rows)]
        values[:2] = [[1, 1], [0, 0]]  # each is a flag
        form = pa.list_(pa.from_numpy_dtype(dtype))
        head, gap = (ph.MultiLabel(2) if flags else ph.Regression(2)), gap and not flags
    if gap:
        values[rows // 2] = None
    return values, form, dtype, head


def of_objects(values):
    column = np.empty(len(values), object)
    column[:] = values
    return column


def in_numpy(values, form, dtype):
    if dtype is None or (None in values and not dtype.startswith("float")):
        return of_objects(values) if not pa.types.is_list(form) else values
    nothing = [np.nan] * 2 if pa.types.is_list(form) else np.nan
    return np.array([nothing if value is None else value for value in values], dtype)


def in_arrow(values, form, dtype):
    some = [value if dtype != "float16" or value is None else np.float16(value) for value in values]
    return pa.array(some, form)


def in_form(values, form, dtype, how, folder):
    """The column as a library holds it."""
    arrow, nested = in_arrow(values, form, dtype), pa.types.is_list(form)
    if how == "numpy":
        return in_numpy(values, form, dtype)
    if how == "pandas":
        return pd.Series(
            in_numpy(values, form, dtype) if not nested else values, index=range(len(values))[::-1]
        )
    if how == "pandas with Arrow":
        return pd.Series(pd.array(arrow, dtype=pd.ArrowDtype(form)))
    if how == "category" and not nested and dtype not in ("float16", "bool"):
        return pd.Series(in_numpy(values, form, dtype)).astype("category")
    if how == "polars" and dtype != "float16":
        return pl.Series(pl.from_arrow(arrow))
    if how == "chunks":
        return pa.chunked_array([arrow[:2], arrow[2:2], arrow[2:]])
    if how == "dictionary" and not nested and dtype not in ("float16", "bool"):
        return pa.chunked_array([part.dictionary_encode() for part in (arrow[:3], arrow[3:])])
    if how == "run ends" and not nested and dtype != "float16":
        return pc.run_end_encode(arrow)
    if how == "views" and nested:
        return pa.array(values, pa.list_view(form.value_type))
    if how == "views" and pa.types.is_date(form):
        return pa.array(values, pa.date64())
    if how == "fixed lists" and nested and dtype:
        return pa.array(values, pa.list_(form.value_type, 2))
    if how == "Parquet":
        pq.write_table(pa.table({"y": arrow}), folder / "y.parquet", row_group_size=3)
        return ph.read_table(folder / "y.parquet").read(np.arange(len(values)))["y"]
    return list(values)


FORMS = ["numpy", "pandas", "pandas with Arrow", "category", "polars", "chunks", "dictionary", "run ends"]
FORMS += ["views", "fixed lists", "Parquet"]


def batches(feed):
    """Labels and weights, of 1 where a feed needs none, and the names of the classes."""
    found = [(b.labels["y"], 1.0 if b.weights is None else b.weights["y"]) for b in feed.batches()]
    return [(y.dtype, y.tolist(), np.broadcast_to(w, len(y)).tolist()) for y, w in found]


@pytest.mark.parametrize("seed", range(24))
def test_batches_are_the_same_whatever_holds_the_values(seed, tmp_path):
    r = random.Random(seed)
    values, form, dtype, head = drawn(r, 7)
    x = np.arange(7.0)
    options = {"inputs": "x", "heads": {"y": head}, "batch_size": 3}
    plain = ph.Feed({"x": x, "y": values}, **options)
    want, few = batches(plain), r.choice([1, 2])
    later = batches(plain.on({"x": x[:few], "y": values[-few:]}))
    for how in FORMS:
        feed = ph.Feed({"x": x, "y": in_form(values, form, dtype, how, tmp_path)}, **options)
        assert batches(feed) == want, how
        assert getattr(feed.heads["y"], "names", ()) == getattr(plain.heads["y"], "names", ()), how
        assert batches(feed.on({"x": x[:few], "y": values[-few:]})) == later, how
        some = in_form(values[-few:], form, dtype, how, tmp_path)
        assert batches(plain.on({"x": x[:few], "y": some})) == later, how
