"""A model of every kind of head, saved, and loaded where nothing else was done but to import polyhead."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from reference import SETTINGS, Problem, outputs

import polyhead as ph

LOAD = """
import json, sys
import keras, polyhead
from reference import SETTINGS, Problem

model = keras.saving.load_model(sys.argv[1])
problem = Problem(SETTINGS["all"], batch_size=8)
found = {"before": model.evaluate(problem.feed, verbose=0, return_dict=True)}
found["trained"] = model.fit(problem.feed, verbose=0).history
found["after"] = model.evaluate(problem.feed, verbose=0, return_dict=True)
print("found", json.dumps(found))
"""


def elsewhere(code, *arguments):
    """What a fresh process prints as its last line, after the word ``found``."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1].removeprefix("found "))


def every_kind():
    keras.utils.set_random_seed(5)
    problem = Problem(SETTINGS["all"], batch_size=8)
    x = keras.Input((4,), name="x")
    model = keras.Model(x, outputs(keras.layers.Dense(6, activation="tanh")(x)))
    ph.compile(model, problem.feed, optimizer=keras.optimizers.Adam(0.01))
    model.fit(problem.feed, verbose=0)
    return model, problem.feed


@pytest.mark.slow
def test_a_loaded_model_goes_on_with_the_numbers_of_the_one_that_was_never_saved(tmp_path):
    model, feed = every_kind()
    path = tmp_path / "model.keras"
    model.save(path)
    found = elsewhere(LOAD, path)
    wanted = {"before": model.evaluate(feed, verbose=0, return_dict=True)}
    wanted["trained"] = model.fit(feed, verbose=0).history
    wanted["after"] = model.evaluate(feed, verbose=0, return_dict=True)
    for part, logs in wanted.items():
        assert set(found[part]) == set(logs)
        for name, value in logs.items():
            assert found[part][name] == pytest.approx(value, rel=1e-4, abs=1e-5), (part, name)
    # another program, that has no feed, and imports the two the other way round
    names = elsewhere(
        "import json, sys, polyhead, keras\n"
        "print(json.dumps(sorted(keras.saving.load_model(sys.argv[1]).get_compile_config()['loss'])))",
        path,
    )
    assert names == sorted(feed.heads)
    # a loaded model computes the same steps by itself
    loaded, batch = keras.saving.load_model(path), feed.peek()
    model.load_weights(path)
    for one in (model, loaded):
        one.train_on_batch(*batch)
    for mine, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert other == pytest.approx(mine, rel=1e-4, abs=1e-6)


def kinds(names):
    ids = np.arange(90) % 3
    data = {"x": np.eye(3, dtype="float32")[ids], "kind": np.array(names)[ids]}
    return ph.Feed(data, inputs="x", heads={"kind": ph.Categorical()}, batch_size=30)


@pytest.mark.parametrize("wrap", [lambda y: y, lambda y: [y], lambda y: {"kind": y}])
def test_a_loaded_model_knows_its_classes(tmp_path, wrap):
    train = kinds(["apple", "pear", "plum"])
    x = keras.Input((3,), name="x")
    model = keras.Model(x, wrap(keras.layers.Dense(3, activation="softmax", name="kind")(x)))
    ph.compile(model, train, optimizer="sgd")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    other = kinds(["pear", "plum", "quince"])
    for use in (loaded.fit, loaded.evaluate):
        with pytest.raises(
            ph.ContractError, match=r"head `kind`: expected the classes that the model was compiled"
        ):
            use(other, verbose=0)
    assert [problem.code for problem in other.check(loaded).errors] == ["other-classes"]
    logs = loaded.evaluate(train, verbose=0, return_dict=True)
    assert logs == pytest.approx(model.evaluate(train, verbose=0, return_dict=True))
    assert set(logs) == {"loss", "kind_loss", "kind_accuracy"}


def test_a_model_that_keras_compiled_stays_keras_s(tmp_path):
    x = keras.Input((3,), name="x")
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax", name="kind")(x))
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert set(loaded.evaluate(kinds(["a", "b", "c"]), verbose=0, return_dict=True)) == {"loss"}
