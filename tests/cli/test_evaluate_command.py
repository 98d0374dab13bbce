"""``polyhead evaluate``."""

import csv
import json
from functools import partial

import keras
import pytest

import polyhead as ph
from outcomes import command

TRAIN = """
import keras
import numpy as np
import polyhead as ph

@keras.saving.register_keras_serializable("shop")
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x

x = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")
data = {"x": x, "kind": np.where(x[:, 0] > 0, "cat", "dog"), "price": x[:, 1] * 3}
heads = {"kind": ph.Categorical(), "price": ph.Regression()}
train = ph.Feed(data, inputs="x", heads=heads, batch_size=8)
test = train.on(data)
other = ph.Feed({**data, "kind": np.where(x[:, 0] > 0, "cow", "dog")}, inputs="x", heads=heads)
unlabeled = {"x": x}
bad = {**data, "kind": ["eel"] * 40}

def rows():
    return [{"x": x[i], "kind": data["kind"][i], "price": data["price"][i]} for i in range(40)]

if __name__ == "__main__":
    raise AssertionError
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / "train.py").write_text(TRAIN)
    names: dict = {"__name__": "train"}
    exec(TRAIN, names)
    feed, x = names["train"], keras.Input((2,), name="x")
    model = keras.Model(x, ph.outputs(names["Twice"]()(x), feed))
    ph.compile(model, feed, optimizer="sgd").save(folder / "m.keras")
    (folder / "broken.keras").write_bytes(b"nothing")
    return folder


run = partial(command, "evaluate")


def test_a_page_and_a_table(folder, tmp_path):
    page = tmp_path / "report.html"
    done = run(folder / "m.keras", f"{folder}/train.py:test", "-o", page, "--resamples", "50", "--worst", "1")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["head", "metric", "value", "95%", "interval", "rows"]
    assert lines[2].split()[:2] == ["kind", "accuracy"]
    assert page.read_text().count("<h2>Largest losses of") == 2


def test_numbers_for_other_programs(folder, tmp_path):
    names = (folder / "m.keras", f"{folder}/train.py:rows", "--intervals", "0")
    done = run(*names, "--json", "-o", tmp_path / "m.csv")
    found = json.loads(done.stdout)
    assert found["price"]["rows"] == 40
    assert found["price"]["metrics"]["mae"]["low"] is None
    with open(tmp_path / "m.csv", newline="") as file:
        rows = {(one["head"], one["metric"]): one for one in csv.DictReader(file)}
    mae = rows["price", "mae"]
    assert float(mae["value"]) == found["price"]["metrics"]["mae"]["value"]
    assert ("low" in mae, mae["rows"]) == (False, "40")
    assert run(*names, "-o", tmp_path / "m.json").exit_code == 0
    assert json.loads((tmp_path / "m.json").read_text()) == found


def test_what_is_wrong_is_said(folder, tmp_path):
    model, train = folder / "m.keras", folder / "train.py"
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    for arguments, code, said in (
        ((folder / "no.keras", f"{train}:test"), 2, f"{folder}/no.keras: no such file."),
        ((model, f"{train}:tset"), 2, f"{train}: it does not define `tset`. Did you mean `test`?"),
        ((model, tmp_path / "no.csv"), 2, f"{tmp_path}/no.csv: no such file."),
        (
            (model, tmp_path / "a.csv", "-o", tmp_path / "a.csv"),
            2,
            f"{tmp_path}/a.csv: this is the data: name ",
        ),
        (
            (model, f"{train}:test", "-o", "report.pdf"),
            2,
            "report.pdf: name a file that ends in .html, .csv, .json.",
        ),
        (
            (model, f"{train}:test", "--intervals", "95"),
            2,
            "--intervals 95: give a level between 0 and 1, such as 0.95.",
        ),
        (
            (model, f"{train}:unlabeled"),
            1,
            f"{model} {train}:unlabeled: 2 problems:",
        ),
        (
            (model, f"{train}:bad"),
            1,
            f"{model} {train}:bad: head `kind`, row 0: expected ",
        ),
        ((model, f"{train}:other"), 2, f"{model} {train}:other: "),
        ((folder / "broken.keras", f"{train}:test"), 1, f"{folder}/broken.keras: Keras cannot load it: "),
    ):
        done = run(*arguments)
        assert done.stderr.startswith(f"polyhead: {said}"), done.stderr
        assert (done.exit_code, done.stdout) == (code, "")
        assert "Traceback" not in done.stderr
