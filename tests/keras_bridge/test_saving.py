"""A model of every kind of head, saved, and loaded where nothing else was done but to import polyhead."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from reference import SETTINGS, Problem, outputs

import polyhead as ph
import programs

LOAD = """
import json, sys
import keras, polyhead
from reference import SETTINGS, Problem

model = keras.saving.load_model(sys.argv[1])
problem = Problem(SETTINGS["all"])
found = {"before": model.evaluate(problem.feed, verbose=0, return_dict=True)}
found["trained"] = model.fit(problem.feed, epochs=2, verbose=0).history
found["after"] = model.evaluate(problem.feed, verbose=0, return_dict=True)
found["losses"] = sorted(model.get_compile_config()["loss"])
print("found", json.dumps(found))
"""


def elsewhere(code, *arguments):
    """What a fresh process prints as its last line, after the word ``found``."""
    return json.loads(programs.run(code, *arguments).strip().splitlines()[-1].removeprefix("found "))


@pytest.fixture
def every_kind(tmp_path):
    """A model of every kind of head that was trained, its feed, and the file that it was saved to."""
    keras.utils.set_random_seed(5)
    problem = Problem(SETTINGS["all"])
    x = keras.Input((4,), name="x")
    model = keras.Model(x, outputs(keras.layers.Dense(6, activation="tanh")(x)))
    # an optimizer with a state of its own, and of few operations, as each of them is traced for 34 arrays
    ph.compile(model, problem.feed, optimizer=keras.optimizers.SGD(0.01, momentum=0.9))
    model.fit(problem.feed, epochs=2, verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    return model, problem.feed, path


@pytest.mark.slow
@pytest.mark.once
def test_a_loaded_model_goes_on_with_the_numbers_of_the_one_that_was_never_saved(every_kind):
    model, feed, path = every_kind
    found = elsewhere(LOAD, path)
    assert found.pop("losses") == sorted(feed.heads)
    wanted = {"before": model.evaluate(feed, verbose=0, return_dict=True)}
    wanted["trained"] = model.fit(feed, epochs=2, verbose=0).history
    wanted["after"] = model.evaluate(feed, verbose=0, return_dict=True)
    for part, logs in wanted.items():
        assert set(found[part]) == set(logs)
        for name, value in logs.items():
            assert found[part][name] == pytest.approx(value, rel=1e-4, abs=1e-5), (part, name)


@pytest.mark.slow
@pytest.mark.once("jax")  # the test above trains it in another process, on PyTorch
def test_a_loaded_model_computes_the_same_steps_by_itself(every_kind):
    model, feed, path = every_kind
    loaded = keras.saving.load_model(path)
    mine, other = (one.fit(feed, verbose=0).history for one in (model, loaded))
    assert {name: pytest.approx(values, rel=1e-4, abs=1e-5) for name, values in mine.items()} == other
    for one, two in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert two == pytest.approx(one, rel=1e-4, abs=1e-6)


@pytest.mark.once
def test_a_loaded_model_logs_the_loss_of_arrays_as_before(tmp_path):
    x, y = np.eye(4, dtype=np.float32), [1.0, 2.0, None, None]
    feed = ph.Feed({"x": x, "y": y}, inputs="x", heads={"y": ph.Regression()}, batch_size=2)
    inputs = keras.Input((4,), name="x")
    model = ph.compile(keras.Model([inputs], ph.outputs(inputs, feed)), feed, optimizer="sgd")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    before, after = (one.test_on_batch(*feed.peek(), return_dict=True) for one in (model, loaded))
    assert after == pytest.approx(before)


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


@pytest.mark.parametrize("jit", ["auto", None, False, True])
def test_the_default_of_jit_compile_stays_that_of_the_backend(tmp_path, jit):
    feed = kinds(["apple", "pear", "plum"])
    x = keras.Input((3,), name="x")
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax", name="kind")(x))
    ph.compile(model, feed, optimizer="sgd", **({} if jit is None else {"jit_compile": jit}))
    default = keras.Model(x, model.output)
    default.compile("sgd")
    wanted = default.jit_compile if jit in ("auto", None) else jit
    saved = "auto" if wanted == default.jit_compile else wanted
    for number in range(2):
        assert model.jit_compile == wanted
        assert model.get_compile_config()["jit_compile"] == saved
        model.save(tmp_path / f"{number}.keras")
        model = keras.saving.load_model(tmp_path / f"{number}.keras")
        ph.declaration_of(model)


CONTINUE = """
import json, sys
import keras, numpy as np, polyhead as ph

model = keras.saving.load_model(sys.argv[1])
feed = ph.Feed(dict(np.load(sys.argv[2])), inputs="x", heads={"y": ph.Regression()}, batch_size=4)
logs = model.fit(feed, epochs=3, verbose=0).history["loss"]
print("found", json.dumps([keras.backend.backend(), model.jit_compile, logs]))
"""


@pytest.mark.slow
@pytest.mark.once
def test_training_goes_on_on_another_backend(tmp_path):
    x = np.linspace(-1, 1, 16, dtype="float32").reshape(8, 2)
    np.savez(tmp_path / "data.npz", x=x, y=x[:, 0] * 3)
    feed = ph.Feed({"x": x, "y": x[:, 0] * 3}, inputs="x", heads={"y": ph.Regression()}, batch_size=4)
    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, ph.outputs(inputs, feed))
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1), initial_scale=8.0)
    ph.compile(model, feed, optimizer=optimizer)
    model.fit(feed, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    other = {"torch": "jax", "jax": "torch", "tensorflow": "jax"}[keras.backend.backend()]
    done = subprocess.run(  # a program of `programs` has the backend of this process
        [sys.executable, "-c", CONTINUE, str(tmp_path / "model.keras"), str(tmp_path / "data.npz")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": other},
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    backend, compiled, logs = json.loads(done.stdout.strip().splitlines()[-1].removeprefix("found "))
    assert (backend, compiled) == (other, other == "jax")
    assert logs == pytest.approx(model.fit(feed, epochs=3, verbose=0).history["loss"], rel=1e-4)


@pytest.mark.parametrize("then", ["mixed_float16", "float32"])
def test_a_model_of_float16_keeps_its_optimizer_under_any_policy(tmp_path, then):
    feed = kinds(["apple", "pear", "plum"])
    x = keras.Input((3,), name="x")
    try:
        keras.config.set_dtype_policy("mixed_float16")
        model = keras.Model(x, ph.outputs(x, feed))
        ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
        model.fit(feed, verbose=0)
        model.save(tmp_path / "model.keras")
        keras.config.set_dtype_policy(then)
        loaded = keras.saving.load_model(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    for one in (model, loaded):
        one.fit(feed, verbose=0)
        assert int(one.optimizer.inner_optimizer.iterations) == 2 * len(feed)
    for wanted, found in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert found == pytest.approx(wanted, rel=1e-4)


def test_a_model_that_keras_compiled_again_without_a_loss_keeps_those_of_its_heads(tmp_path):
    """As for another optimizer: Keras keeps the losses then, but replaces the total, and forgets to save them."""
    rows = {"x": np.eye(5, dtype="float32"), "yes": [1, 0, 1, 0, 1], "cost": [1.0, np.nan, 3.0, np.nan, 4.0]}
    heads = {"yes": ph.Binary(), "cost": ph.Regression(weight=0.5)}
    feed = ph.Feed(rows, inputs="x", heads=heads, batch_size=2)
    x = keras.Input((5,), name="x")
    model = keras.Model(x, ph.outputs(x, feed))
    ph.compile(model, feed, optimizer="sgd")
    start, wanted = model.get_weights(), []
    for again in (lambda: ph.compile(model, feed, optimizer="adam"), lambda: model.compile("adam")):
        again()
        model.set_weights(start)
        wanted.append(model.fit(feed, epochs=2, verbose=0).history)
    for name, values in wanted[0].items():
        assert wanted[1][name] == pytest.approx(values, rel=1e-5)
    before = model.evaluate(feed, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(feed, verbose=0, return_dict=True) == pytest.approx(before, rel=1e-5)
    assert list(ph.declaration_of(loaded).heads) == ["yes", "cost"]


def test_a_model_that_keras_compiled_stays_keras_s(tmp_path):
    x = keras.Input((3,), name="x")
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax", name="kind")(x))
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert set(loaded.evaluate(kinds(["a", "b", "c"]), verbose=0, return_dict=True)) == {"loss"}


@pytest.mark.parametrize(
    "loss",
    [keras.losses.Huber(delta=0.25), keras.losses.CosineSimilarity(axis=0), keras.losses.Tversky(0.2, 0.7)],
)
def test_a_loss_keeps_the_arguments_that_keras_forgets(loss):
    from polyhead.keras_bridge.losses import LabeledMean

    mine = LabeledMean(loss)
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(mine))
    true, pred = np.array([[0.0, 1.0], [1.0, 3.0]]), np.array([[2.0, 1.5], [0.5, 0.5]])
    assert float(loaded(true, pred)) == pytest.approx(float(mine(true, pred)))


SHAPES = """
import json, sys
import polyhead as ph  # before Keras, and without a feed
import keras
import numpy as np

def look(path):
    model = keras.saving.load_model(path)
    declared = ph.declaration_of(model)
    new = declared.feed({"image": np.zeros((3, 8, 8, 3), "uint8")}, batch_size=2)
    found = model.predict(new, verbose=0)
    return {
        "losses": len(model.get_compile_config()["loss"]),
        "names": {name: list(head.names) for name, head in declared.heads.items()},
        "shapes": [list(np.shape(one)) for one in keras.tree.flatten(found)],
        "image": repr(declared.inputs["image"]),
    }

print("found", json.dumps([look(path) for path in sys.argv[1:]]))
"""


def scenes(**heads):
    rows = {
        "image": np.zeros((6, 8, 8, 3), "uint8"),
        "seen": [0, 1, 1, 0, 1, None],
        "animal": ["dog", "cat", "emu", None, "cat", "dog"],
        "box": [[[0.0, 0, 4, 4]]] * 6,
    }
    declared = {"seen": ph.Binary(), "animal": ph.Categorical(), "box": ph.Boxes(1, given="seen"), **heads}
    return ph.Feed(rows, inputs={"image": ph.Image(8, 8)}, heads=declared, batch_size=3)


def trained(feed, wrap=dict):
    image = keras.Input((8, 8, 3), name="image")
    model = keras.Model(image, wrap(ph.outputs(keras.layers.Flatten()(image), feed)))
    ph.compile(model, feed, optimizer="sgd")
    return model


def test_a_model_carries_its_declaration_into_another_process(tmp_path):
    paths = tmp_path / "dict.keras", tmp_path / "list.keras"
    for path, wrap in zip(paths, (dict, lambda outputs: list(outputs.values())), strict=True):
        feed = scenes()
        model = trained(feed, wrap)
        model.fit(feed, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(path)])
        assert ph.declaration_of(model) == feed.declaration
    for found in elsewhere(SHAPES, *paths):
        assert found["losses"] == 3
        assert found["names"] == {"seen": [], "animal": ["cat", "dog", "emu"], "box": []}
        assert sorted(found["shapes"]) == [[3, 1], [3, 1, 4], [3, 3]]
        assert found["image"] == "Image(8, 8, 3)"


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        (
            {"box": ph.Boxes(1, given="seen", format="xywh")},
            "head `box`: expected format='xyxy', as the model was compiled for, got format='xywh'. "
            "Say format='xyxy', as train.on(rows) does. If this column is not like that, convert it first.",
        ),
        (
            {"box": ph.Boxes(1, given="seen", normalized=True, column_normalized=False)},
            "head `box`: expected normalized=False, as the model was compiled for, got normalized=True.",
        ),
        (
            {"animal": ph.Categorical(["emu", "dog", "cat"])},
            "head `animal`: expected the classes that the model was compiled for, ['cat', 'dog', 'emu'], "
            "got ['emu', 'dog', 'cat'].",
        ),
        (
            {"animal": ph.MultiLabel(["cat", "dog", "emu"], column="tags")},
            "head `animal`: expected the kind that the model was compiled for, Categorical, got MultiLabel.",
        ),
    ],
)
def test_a_loaded_model_refuses_what_means_something_else(tmp_path, heads, words):
    model = trained(scenes())
    model.save(tmp_path / "model.keras")
    rows = {
        **scenes().source.read(np.arange(6)),
        "tags": [["cat"], ["dog"], ["emu"], [], None, ["cat", "dog"]],
    }
    declared = {"seen": ph.Binary(), "animal": ph.Categorical(), "box": ph.Boxes(1, given="seen"), **heads}
    other = ph.Feed(rows, inputs={"image": ph.Image(8, 8)}, heads=declared, batch_size=3)
    for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
        assert words in str(other.check(one))
        for use in (one.fit, one.evaluate):
            with pytest.raises(ph.ContractError) as error:
                use(other, verbose=0)
            assert words in str(error.value)


@pytest.mark.parametrize(
    ("kind", "rows", "others", "words"),
    [
        (ph.Array(scale="standard"), [1.0, 2.0, 3.0], [5.0, 6.0, 9.0], "input `x`: expected scale="),
        (
            ph.Array(vocabulary="auto"),
            ["a", "b", "c"],
            ["b", "c", "d"],
            "input `x`: expected vocabulary=('a', 'b', 'c')",
        ),
    ],
)
def test_a_prediction_from_inputs_that_mean_something_else_is_refused(tmp_path, kind, rows, others, words):
    def feed(values):
        data = {"x": values, "y": np.zeros(3)}
        return ph.Feed(data, inputs={"x": kind}, heads={"y": ph.Regression()}, batch_size=3)

    train = feed(rows)
    x = keras.Input(train.inputs["x"].shape, name="x")
    model = keras.Model(x, {"y": keras.layers.Dense(1, name="y")(x)})
    ph.compile(model, train, optimizer="sgd").save(tmp_path / "model.keras")
    for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
        with pytest.raises(ph.ContractError) as error:
            one.predict(feed(others), verbose=0)
        assert words in str(error.value)
        assert one.predict(train.on({"x": others}), verbose=0)["y"].shape == (3, 1)


def test_a_model_without_a_declaration_is_told():
    x = keras.Input((3,))
    with pytest.raises(ph.ContractError) as error:
        ph.declaration_of(keras.Model(x, keras.layers.Dense(1)(x)))
    assert str(error.value) == (
        "declaration_of(model): expected a model that ph.compile compiled, got 'Functional', which is not compiled. "
        "If you loaded it with compile=False, leave that out. "
        "Compile it with ph.compile(model, feed, optimizer=...) before it is saved."
    )


def test_a_loss_that_cannot_be_saved_still_trains():
    feed = scenes(box=ph.Boxes(1, loss=lambda true, pred: keras.ops.mean((true - pred) ** 2, -1)))
    model = trained(feed)
    model.fit(feed, verbose=0)
    assert ph.declaration_of(model).heads["box"] == ph.Boxes(1)


@pytest.mark.once
def test_evaluate_returns_a_list_in_the_same_order_after_loading(tmp_path):
    heads = {"young": ph.Regression(), "age": ph.Regression()}  # not in alphabetical order
    data = {"x": np.eye(4) / 100, "young": [0.0, 0, 1, 1], "age": [1.0, 2, 1, 2]}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=4)
    x = keras.Input((4,), name="x")
    model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    found = model.evaluate(feed, verbose=0)
    assert found[1] < 1 < found[2]
    assert loaded.evaluate(feed, verbose=0) == pytest.approx(found)
