"""Exported models have the values of `predict`, each head by name or in order, as the table of docs/saving.md says."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import polyhead as ph

BACKEND = keras.backend.backend()
PAGE = (Path(__file__).parents[2] / "docs" / "saving.md").read_text(encoding="utf-8")
ROWS = {
    name: dict(zip(("tensorflow", "jax", "torch"), (cell.strip() for cell in cells.split("|")), strict=False))
    for name, cells in re.findall(r'^\| `"(\w+)"` \|(.*)\|$', PAGE, re.MULTILINE)
}
ENDINGS = {"litert": ".tflite", "onnx": ".onnx", "openvino": ".xml", "torch": ".pt2"}
CONVERTERS = {
    ("onnx", "tensorflow"): ["onnxruntime", "tf2onnx"],
    ("onnx", "jax"): ["onnxruntime", "jax2onnx"],
    ("onnx", "torch"): ["onnxruntime", "onnx"],
    ("litert", "torch"): ["litert_torch"],
    ("tf_saved_model", "jax"): ["tensorflow"],
    **{("openvino", backend): ["openvino"] for backend in ("tensorflow", "jax", "torch")},
}
X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
HEADS = {"zeta": ph.Binary(), "alpha": ph.Regression(scale="standard"), "kind": ph.Categorical()}
DATA = {"x": X, "zeta": (X[:, 0] > 0) * 1, "alpha": X[:, 1] * 9, "kind": ["a", "b"] * 4}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of the backends, which tell what will change in them
]


@pytest.fixture(scope="module", params=["dict", "list"])
def loaded(request, tmp_path_factory):
    """A model as another program loads it."""
    feed = ph.Feed(DATA, inputs="x", heads=HEADS, batch_size=4)
    x = keras.Input((4,), name="x")
    outputs = ph.outputs(x, feed)
    model = keras.Model(x, outputs if request.param == "dict" else list(outputs.values()))
    ph.compile(model, feed, optimizer="sgd")
    path = tmp_path_factory.mktemp("model") / "m.keras"
    model.save(path)
    model = keras.saving.load_model(path)
    model(X[:1])  # Keras exports to ONNX only what was called
    return model


def run_saved_model(path):
    import tensorflow as tf

    model = tf.saved_model.load(path)
    return model.serve(X)


def run_litert(path):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        Interpreter = tf.lite.Interpreter
    run = Interpreter(path).get_signature_runner()
    found = run(**dict.fromkeys(run.get_input_details(), X))
    places = [name for name in sorted(found) if re.fullmatch(r"output_\d", name)]
    return [found[name] for name in places] or found


def run_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    found = session.run(None, {"x": X})
    return dict(zip(names, found, strict=True)) if set(names) == set(HEADS) else found


def run_openvino(path):
    import openvino

    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.compile_model(path, "CPU", exact)
    found, names = list(model(X).values()), [output.names & set(HEADS) for output in model.outputs]
    return dict(zip(map(min, names), found, strict=True)) if all(names) else found


def run_torch(path):
    import torch

    run = torch.export.load(path).module()
    with torch.no_grad():  # Keras exports it for one row
        rows = [run(torch.from_numpy(X[i : i + 1])) for i in range(len(X))]
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *rows)


RUNS = {
    "tf_saved_model": run_saved_model,
    "litert": run_litert,
    "onnx": run_onnx,
    "openvino": run_openvino,
    "torch": run_torch,
}


REFUSALS = {
    ("tf_saved_model", "torch"): (
        "UserError",
        "mismatch between the structure of `inputs` and `dynamic_shapes`",
    ),
    ("litert", "jax"): ("ValueError", "LiteRT export requires TensorFlow or PyTorch backend"),
    ("openvino", "jax"): ("OpConversionFailure", "No conversion rule"),
    ("openvino", "torch"): ("RuntimeError", "Encountering a dict at the output of the tracer"),
    ("torch", "tensorflow"): ("ValueError", "Torch export requires PyTorch backend"),
    ("torch", "jax"): ("ValueError", "Torch export requires PyTorch backend"),
}
"""The errors of cells with "no", and of a dict where a cell says "lists": the type and the words."""


def test_the_table_has_each_format_of_keras():
    refused = {
        (name, backend)
        for name, row in ROWS.items()
        for backend, cell in row.items()
        if cell not in ("by name", "in order")
    }
    assert refused == set(REFUSALS)
    assert set(ROWS) == set(RUNS)
    cells = {row[backend] for row in ROWS.values() for backend in ("tensorflow", "jax", "torch")}
    assert cells == {"by name", "in order", "lists, in order", "no"}


@pytest.mark.parametrize("format", RUNS)
def test_heads_of_an_exported_model(loaded, format, tmp_path):
    for package in CONVERTERS.get((format, BACKEND), ()):
        pytest.importorskip(package, reason=f"{package} is not installed", exc_type=ImportError)
    path = str(tmp_path / f"model{ENDINGS.get(format, '')}")
    cell, keyed = ROWS[format][BACKEND], isinstance(loaded.output, dict)
    if cell == "no" or (keyed and cell == "lists, in order"):
        kind, words = REFUSALS[format, BACKEND]
        with pytest.raises(Exception, match=words) as refused:
            loaded.export(path, format=format, verbose=False)
        assert type(refused.value).__name__ == kind
        return
    loaded.export(path, format=format, verbose=False)
    found, want = RUNS[format](path), loaded.predict(X, verbose=0)
    assert isinstance(found, dict) == (keyed and cell == "by name")
    if not isinstance(found, dict):
        assert loaded.output_names == (sorted(HEADS) if keyed else list(HEADS))
        found = dict(zip(loaded.output_names, found, strict=True))
    want = want if keyed else dict(zip(loaded.output_names, want, strict=True))
    for name in HEADS:
        assert np.allclose(np.asarray(found[name]), want[name], atol=1e-5), name
