"""Models exported by Keras give each head under its name, or in its place, with the values of `predict`."""

import inspect

import keras
import numpy as np
import pytest

import polyhead as ph

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
HEADS = {"zeta": ph.Binary(), "alpha": ph.Regression(), "kind": ph.Categorical()}
DATA = {"x": X, "zeta": (X[:, 0] > 0) * 1, "alpha": X[:, 1], "kind": ["a", "b"] * 4}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of the backends, which tell what will change in them
]


@pytest.fixture(scope="module", params=["dict", "list"])
def trained(request):
    feed = ph.Feed(DATA, inputs="x", heads=HEADS, batch_size=4)
    x = keras.Input((4,), name="x")
    outputs = ph.outputs(x, feed)
    model = keras.Model(x, outputs if request.param == "dict" else list(outputs.values()))
    ph.compile(model, feed, optimizer="sgd")
    model.fit(feed, verbose=0)
    return model


def exported(model, path, format):
    if "format" not in inspect.signature(model.export).parameters:
        pytest.skip("this Keras exports one format alone")
    try:
        model.export(str(path), format=format, verbose=False)
    except (ValueError, ImportError) as error:
        pytest.skip(f"this Keras cannot export {format} on {BACKEND}: {error}")
    return str(path)


def require_equal(found, model):
    want = model.predict(X, verbose=0)
    if isinstance(want, dict):
        assert set(found) == set(want) == set(HEADS)
        pairs = [(found[name], want[name]) for name in want]
    else:
        pairs = list(zip(found, want, strict=True))
    for got, value in pairs:
        assert np.allclose(np.asarray(got), value, atol=1e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras makes no SavedModel of several outputs on PyTorch")
def test_saved_model(trained, tmp_path):
    tensorflow = pytest.importorskip("tensorflow")
    loaded = tensorflow.saved_model.load(exported(trained, tmp_path / "model", "tf_saved_model"))
    require_equal(loaded.serve(X), trained)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras makes LiteRT files on TensorFlow")
def test_litert(trained, tmp_path):
    import tensorflow as tf

    path = exported(trained, tmp_path / "model.tflite", "litert")
    run = tf.lite.Interpreter(path).get_signature_runner()
    found = run(x=X)
    if isinstance(trained.output, list):
        found = [found[name] for name in sorted(found, key=lambda name: int(name.split("_")[-1]))]
    require_equal(found, trained)


@pytest.mark.skipif(BACKEND != "torch", reason="a program of PyTorch")
def test_torch_program(trained, tmp_path):
    import torch

    program = torch.export.load(exported(trained, tmp_path / "model.pt2", "torch"))
    run = program.module()
    with torch.no_grad():  # Keras exports it for one row
        rows = [run(torch.from_numpy(X[i : i + 1])) for i in range(len(X))]
    require_equal(keras.tree.map_structure(lambda *parts: np.concatenate(parts), *rows), trained)
