"""`polyhead profile`: a report alone on stdout, as text or JSON, and one line for what is wrong."""

import contextlib
import io
import json

import keras
import pytest

from outcomes import command

pytestmark = pytest.mark.usefixtures("clock")

PROGRAM = """
import numpy as np, polyhead as ph, polyhead.profiling
print("loading")
clock = polyhead.profiling.clock
class Slow(ph.Source):
    columns = ("x", "y")
    def __len__(self): return 64
    def only(self, columns): return self
    def read(self, ids):
        clock.sleep(0.02 * len(ids))
        return {"x": np.ones((len(ids), 40000), np.float32), "y": ids % 2}
feed = ph.Feed(Slow(), inputs="x", heads={"y": ph.Binary()}, batch_size=4, workers=0)
def made(): return feed
def model():
    return ph.compile(uncompiled(), feed, optimizer="sgd")
def uncompiled():
    import keras
    class Works(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None): clock.sleep(0.02)
    class Model(keras.Model):
        def fit(self, *args, **options): return super().fit(*args, callbacks=[Works()], **options)
    x = keras.Input((40000,), name="x")
    return Model(x, ph.outputs(x, feed.heads))
def other():
    import keras
    x = keras.Input((3,), name="x")
    return keras.Model(x, {"y": keras.layers.Dense(5, name="y")(x)})
number = 3
"""


def run(tmp_path, *args):
    """The command's exit code, and its two outputs apart."""
    (tmp_path / "mine.py").write_text(PROGRAM)
    words = [str(a).replace("mine.py", str(tmp_path / "mine.py")) for a in args]
    return command("profile", *words)


def test_a_feed(tmp_path):
    code, out, err = run(tmp_path, "mine.py:made", "--steps", 4)
    assert (code, err) == (0, "loading\n")
    assert out.startswith("16 rows in 4 batches: ")
    assert "Reading takes most of the feed's time, " in out.splitlines()[-1]
    assert "ph.pack(source, path), or read with more threads, Feed(workers=16)." in out.splitlines()[-1]


@pytest.mark.keras
@pytest.mark.parametrize("model", ["model", "uncompiled"])
def test_beside_a_model_as_json(tmp_path, model):
    code, out, err = run(tmp_path, "mine.py:feed", "--model", f"mine.py:{model}", "--steps", 4, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["steps"], found["rows"], found["bottleneck"]) == (4, 16, "read")
    assert found["waiting"] == pytest.approx(0.8)
    assert found["step"] == pytest.approx(0.1)
    assert found["alone"] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("mine.py:number",), "mine.py:number: expected a ph.Feed, got int."),
        (("mine.py:feed", "--model", "mine.py:number"), "mine.py:number: expected a Keras model, got int."),
        (("mine.py:nothing",), "it does not define `nothing`."),
    ],
)
def test_wrong_use(tmp_path, args, words):
    code, out, err = run(tmp_path, *args)
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.keras
def test_a_model_that_does_not_fit(tmp_path):
    code, _, err = run(tmp_path, "mine.py:feed", "--model", "mine.py:other")
    assert code == 2
    assert "input `x`: expected" in err


def test_a_saved_model(tmp_path):
    run(tmp_path, "mine.py:number")  # writes the file
    names = {"__name__": "mine"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(PROGRAM, names)
    x = keras.Input((40000,), name="x")
    model = keras.Model(x, names["ph"].outputs(x, names["feed"].heads))
    names["ph"].compile(model, names["feed"], optimizer="sgd").save(tmp_path / "m.keras")
    code, out, err = run(tmp_path, "mine.py:feed", "--model", tmp_path / "m.keras", "--steps", 2)
    assert (code, err) == (0, "loading\n"), err
    assert "waiting for data" in out
    names = [tmp_path / "no.py", tmp_path / "no.keras"]
    code, out, err = run(tmp_path, f"{names[0]}:feed", "--model", names[1])
    assert (code, out) == (2, "")
    assert [line.partition(" Did")[0] for line in err.splitlines()] == [
        f"polyhead: {name}: no such file." for name in names
    ]
