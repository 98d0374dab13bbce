"""`polyhead examine`: what it prints, where, and with which status it ends."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from outcomes import command

PROGRAM = """
import numpy as np

print("loading")
x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
y = (x[:, :1] > 0).astype("float32")


def right():
    rng = np.random.default_rng(1)
    while True:
        order = rng.permutation(60)
        for start in range(0, 60, 10):
            ids = order[start : start + 10]
            yield x[ids], y[ids]


def wrong():
    for x, y in right():
        yield x, np.where(x[:, :1] > 1, np.nan, y)


def network():
    import keras

    inputs = keras.Input((4,))
    outputs = [keras.layers.Dense(1, activation="sigmoid", name=name)(inputs) for name in ("a", "b")]
    return keras.Model(inputs, outputs)


def no_network():
    raise ValueError("no weights")


def folder(path):
    yield path


class Rows:
    def batches(self):
        yield from right()


rows = Rows()
arrays = (x, y)
number = 3
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


examine = partial(command, "examine")


def test_nothing_wrong_is_0(program):
    result = examine(f"{program}:right", "--steps-per-epoch", 6)
    assert result.exit_code == 0
    assert result.stdout.startswith("ok\n  a generator function: 50 batches read, 500 rows\n")
    assert "data = ph.from_generator(right, length=60, names=('x', 'y'))" in result.stdout
    assert "loading" not in result.stdout


def test_a_warning_is_0_and_1_where_it_is_strict(program):
    for args, code in (((), 0), (("--strict",), 1)):
        result = examine(f"{program}:right", *args)
        assert result.exit_code == code
        assert result.stdout.startswith("1 warning:\n  1. (perhaps) generator function: expected an end")


def test_a_mistake_is_1(program):
    result = examine(f"{program}:wrong", "--steps-per-epoch", 6, "--batches", 3)
    assert result.exit_code == 1
    assert "  1. target y, batch 0, row " in result.stdout
    assert ": expected finite numbers, got NaN (" in result.stdout
    assert "3 batches read" in result.stdout


@pytest.mark.keras
def test_a_model_or_a_function_that_makes_one(program):
    result = examine(f"{program}:arrays", "--model", f"{program}:network")
    assert result.exit_code == 1
    assert (
        "  1. y: expected an array for each of `a` (1,), `b` (1,), got one array of shape (B, 1)."
        in result.stdout
    )


@pytest.mark.keras
@pytest.mark.parametrize("file", ["program.py", "my program.py"])
@pytest.mark.parametrize("name", ["right", "arrays", "pair", "made", "rows.batches", "opened"])
def test_the_code_of_a_feed_runs_as_it_is_printed(tmp_path, monkeypatch, file, name):
    more = "pair = arrays\nopened = right()\n\n\ndef made():\n    return arrays\n"
    (tmp_path / file).write_text(PROGRAM + more)
    result = examine(f"{tmp_path / file}:{name}", "--steps-per-epoch", 6)
    code = result.stdout.partition("the same data as a feed:\n\n")[2]
    monkeypatch.syspath_prepend(tmp_path)
    names = {}
    exec(code, names)
    sys.modules.pop("program", None)
    assert names["feed"].num_samples == 60


@pytest.mark.keras
def test_a_method_of_an_object(program):
    result = examine(f"{program}:rows.batches", "--steps-per-epoch", 6)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "ok")
    assert "ph.from_generator(generator, length=60, names=('x', 'y'))" in result.stdout


def test_a_saved_model(program):
    names = {}
    exec(PROGRAM, names)
    names["network"]().save(program.with_name("m.keras"))
    result = examine(f"{program}:arrays", "--model", program.with_name("m.keras"))
    assert result.exit_code == 1
    assert "expected an array for each of `a` (1,), `b` (1,), got one array" in result.stdout
    program.with_name("bad.keras").write_bytes(b"nothing")
    result = examine(f"{program}:arrays", "--model", program.with_name("bad.keras"))
    assert result.stderr.splitlines()[-1].startswith(
        f"polyhead: {program.with_name('bad.keras')}: Keras cannot load"
    )


@pytest.mark.parametrize("name", ["right", "wrong"])
def test_json_is_all_that_is_printed(program, name):
    result = examine(f"{program}:{name}", "--steps-per-epoch", 6, "--json")
    found = json.loads(result.stdout)
    assert (found["ok"], result.exit_code) == ((True, 0) if name == "right" else (False, 1))
    assert [p["code"] for p in found["problems"]] == ([] if name == "right" else ["nan"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ["program.py"],
            "program.py: name an object of the file, as program.py:name. It defines x, y, right, wrong, network, "
            "no_network, folder, Rows, … (11 in all).",
        ),
        (["nothing.py:right"], "nothing.py: no such file."),
        (["program.py:rihgt"], "program.py: it does not define `rihgt`. Did you mean `right`?"),
        (
            ["program.py:right", "--model", "program.py:number"],
            "program.py:number: expected a Keras model, got int.",
        ),
        (
            ["program.py:right", "--model", "program.py:no_network"],
            "program.py:no_network: it raised ValueError: no weights (program.py, line 32)",
        ),
        (
            ["program.py:folder"],
            "program.py:folder: examine(folder): expected a function that needs no arguments, got one that needs "
            "path. Give lambda: folder(...), or functools.partial; in a shell, a name in the file for it.",
        ),
        (["program.py:rows.bathces"], "program.py: `rows` has no `bathces`. Did you mean `batches`?"),
        (
            ["program.py:Rows.batches"],
            "program.py:Rows.batches: examine(batches): expected a function that needs no arguments, got one that "
            "needs self. Give the method of an object: rows.batches.",
        ),
    ],
)
def test_wrong_use_is_2(program, monkeypatch, args, words):
    monkeypatch.chdir(program.parent)
    result = examine(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"polyhead: {words}"


def test_a_number_is_nothing_to_examine(program):
    result = examine(f"{program}:number")
    assert result.exit_code == 2
    assert "expected a generator, a function that makes one" in result.stderr


@pytest.mark.once
def test_it_runs_by_itself(program):
    found = subprocess.run(
        [sys.executable, "-m", "polyhead", "examine", f"{program}:arrays", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(found.stdout)["kind"] == "arrays"
    assert "loading" in found.stderr


def test_the_page_about_it_names_every_option():
    page = (Path(__file__).parents[2] / "docs" / "examine.md").read_text(encoding="utf-8")
    for option in ("--model", "--batches", "--steps-per-epoch", "--seconds", "--json", "--strict"):
        assert option in page
