"""What is given to `examine` in place of batches is told apart from them, with what to give."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import polyhead as ph
from polyhead.errors import ContractError

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
Y = np.arange(6) % 2
FRAME = pd.DataFrame({"a": X[:, 0], "b": Y})
WANTED = "examine(obj): expected what fit takes: batches, or arrays as a tuple (x, y), got "


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        (
            FRAME,
            "a DataFrame of a, b. Say examine((frame[inputs].to_numpy(), frame[label].to_numpy())).",
        ),
        (
            pl.DataFrame({"a": [1.0], "b": [0]}),
            "a DataFrame of a, b. Say examine((frame[inputs].to_numpy(), frame[label].to_numpy())).",
        ),
        (
            [X, Y],
            "a list of 2 arrays. Say examine((x, y)) for arrays; a function yields batches of inputs alone: for x in "
            "batches: yield (x,).",
        ),
        ([X, [Y, Y]], "a list of x and nested labels. Say examine((x, (y0, y1)))."),
        ([X, {"a": Y, "b": Y}], "a list of x and nested labels. Say examine((x, (y0, y1)))."),
        (
            list(zip(X, Y, strict=True)),
            "a list of 6 single rows (x, y). Say examine((np.stack([x for x, y in rows]), np.array([y for x, y in "
            "rows]))).",
        ),
        (
            [(row, "cat") for row in X],
            "a list of 6 single rows (x, y). Say examine((np.stack([x for x, y in rows]), np.array([y for x, y in "
            "rows]))).",
        ),
        (
            {"x": X, "y": Y},
            'a dict of x, y. Say examine((data["x"], data["y"])), inputs first.',
        ),
        ((X, np.float32(2)), "a single number in place of an array. Give arrays with an entry for each row."),
        ({"train": iter, "val": iter}, "a dict of train, val. Give one of its values; arrays as a tuple."),
        (
            ph.read_table({"x": X}),
            "a Source. Give a feed of it: examine(ph.Feed(source, inputs=..., heads=...)).",
        ),
    ],
    ids=[
        "frame",
        "polars",
        "arrays in a list",
        "list in a list",
        "dict in a list",
        "rows",
        "rows of words",
        "dict",
        "number",
        "dict of functions",
        "source",
    ],
)
def test_what_is_no_batches_is_refused_with_what_to_give(obj, words):
    with pytest.raises(ContractError) as error:
        ph.examine(obj)
    assert str(error.value) == WANTED + words


@pytest.mark.parametrize(
    "obj",
    [
        (X, Y),
        (FRAME[["a"]], FRAME["b"]),
        (pl.DataFrame({"a": X[:, 0]}), pl.Series(Y)),
        ({"a": FRAME[["a"]]}, FRAME["b"], pd.Series(np.ones(6))),
    ],
    ids=["arrays", "pandas", "polars", "nested"],
)
def test_a_tuple_of_arrays_or_frames_is_read_as_the_rows_that_it_holds(obj):
    report = ph.examine(obj)
    assert report.ok
    assert (report.kind, report.rows, report.batches) == ("arrays", 6, 1)
    assert [p.code for p in report.problems] == []


def test_the_declaration_of_frames_runs():
    given = (FRAME[["a"]], FRAME["b"])
    names = {"arrays": given}
    exec(ph.examine(given).declaration, names)
    x, y = names["feed"].peek()
    assert (x["x"].shape, sorted(y["y"][:, 0].tolist())) == ((6, 1), [0, 0, 0, 1, 1, 1])


def test_a_list_of_batches_is_what_it_was():
    report = ph.examine([(X[:3], Y[:3, None]), (X[3:], Y[3:, None])])
    assert (report.kind, report.batches, report.rows) == ("list", 2, 6)
