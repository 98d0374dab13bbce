"""``polyhead predict``."""

import contextlib
import io
from typing import NamedTuple

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.cli import app


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    x = np.random.default_rng(0).normal(size=(20, 2)).astype("float32")
    data = {"a": x[:, 0], "b": x[:, 1], "kind": ["cat", "dog"] * 10, "name": [f"n{i}" for i in range(20)]}
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(data), folder / "rows.parquet")
    feed = ph.Feed(data, inputs=["a", "b"], heads={"kind": ph.Categorical()})
    inputs = {name: keras.Input((1,), name=name) for name in "ab"}
    outputs = ph.outputs(keras.layers.Concatenate()([*inputs.values()]), feed)
    model = ph.compile(keras.Model(inputs, outputs), feed, optimizer="sgd")
    model.save(folder / "m.keras")
    return folder, ph.predict(model, feed)


class Ended(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def run(*arguments):
    """The command's exit code, and its two outputs apart."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app(["predict", *map(str, arguments)], standalone_mode=False)
    return Ended(code or 0, out.getvalue(), err.getvalue())


def test_a_table_becomes_a_table(saved, tmp_path):
    folder, want = saved
    out = tmp_path / "out.parquet"
    done = run(folder / "m.keras", folder / "rows.parquet", "-o", out, "--keep", "name", "--probabilities")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{out}: 20 rows, id, name, kind, kind_probability, kind_probabilities\n"
    found = ph.read_table(out).read([4])
    assert (found["kind"][0], found["name"][0]) == (want["kind"][4], "n4")
    csv = tmp_path / "out.csv"
    assert run(folder / "m.keras", folder / "rows.parquet", "-o", csv).exit_code == 0
    assert csv.read_text().splitlines()[5].startswith(f"4,{want['kind'][4]},")


def test_what_is_wrong_is_one_line(saved, tmp_path):
    folder, _ = saved
    absent = folder / "no.keras"
    for arguments, said in (
        ((absent, folder / "rows.parquet", "-o", tmp_path / "o.csv"), f"{absent}: no such file."),
        (
            (folder / "m.keras", tmp_path / "no.csv", "-o", tmp_path / "o.csv"),
            f"{tmp_path / 'no.csv'}: no such file.",
        ),
        (
            (folder / "m.keras", folder / "rows.parquet", "-o", tmp_path / "o.txt"),
            f"{tmp_path / 'o.txt'}: name a file that ends in .parquet, .csv, .json.",
        ),
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert done.stderr == f"polyhead: {said}\n"
