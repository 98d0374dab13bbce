"""Scripts of each kind are migrated: the feed in the place of their data gives the same rows."""

import json

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import polyhead as ph
from polyhead.cli import app
from polyhead.errors import DataError
from polyhead.migrating.comparing import compare_rows
from polyhead.migrating.migrate import migrate
from polyhead.migrating.script import parse_script, pipelines
from polyhead.migrating.slicing import slice_for

BACKEND = keras.backend.backend()
FRAME = """
import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

frame = pd.DataFrame({"file": [f"{i}.png" for i in range(6)], "kind": ["cat", "dog"] * 3})
frame["age"] = [1.5, 2, 3, 4, 5, 6]
images = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True, rotation_range=10)
train = images.flow_from_dataframe(
    frame, FOLDER, x_col="file", y_col=["kind", "age"], class_mode="multi_output", target_size=(8, 8), batch_size=4
)
print("building the model")
model = build()
model.fit(train, epochs=10)
"""
ROWS = """
import numpy as np
import keras

x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
yes = (x[:, :1] > 0).astype("float32")
price = 3 * x[:, 1:2]


class Rows(keras.utils.Sequence):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def __len__(self):
        return 60 // self.size

    def __getitem__(self, i):
        part = slice(i * self.size, (i + 1) * self.size)
        return x[part], (yes[part], price[part])


def endless(size):
    while True:
        for i in range(0, 60, size):
            part = slice(i, i + size)
            yield {"features": x[part]}, {"yes": yes[part], "price": price[part]}


if __name__ == "__main__":
    rows = Rows(10)
    raise SystemExit("this is no data")
    model.fit(endless(20), steps_per_epoch=3)


def train(size):
    return Rows(size)
"""


@pytest.fixture
def script(tmp_path):
    def write(text, name="train.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def pictures(tmp_path):
    pytest.importorskip("pandas")
    image = pytest.importorskip("PIL.Image")
    for kind, first in (("cat", 0), ("dog", 3)):
        (tmp_path / "kinds" / kind).mkdir(parents=True)
        for i in range(first, first + 3):
            made = image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8))
            made.save(tmp_path / f"{i}.png")
            made.save(tmp_path / "kinds" / kind / f"{i}.png")
    return str(tmp_path)


def test_flow_from_dataframe_with_several_outputs(script, pictures, capsys):
    (made,) = migrate(script(FRAME.replace("FOLDER", repr(pictures))))
    assert (made.kind, made.name, made.line) == ("flow_from_dataframe", "train", 8)
    assert 'ph.Image(8, 8, column="file")' in made.code
    assert '"kind": ph.Categorical(),' in made.code
    assert '"age": ph.Regression(),' in made.code
    assert "augment=[ph.Flip(), ph.Rotate(10)]," in made.code
    assert "batch_size=4,\n    shuffle=True," in made.code
    assert made.compared == (
        "rows: 6 compared",
        "input `image`: the same",
        "head `kind`: the same; words became ids",
        "head `age`: the same; the shape () became (1,)",
    )
    assert made.ran == "2, 5-10"
    assert "building the model" not in capsys.readouterr().out


def test_a_validation_flow_and_a_generator_around_flows(script, pictures):
    text = f"""
import pandas as pd
from keras.preprocessing.image import ImageDataGenerator

SIZE, BATCH = (8, 8), 2
frame = pd.DataFrame({{"file": [f"{{i}}.png" for i in range(6)], "kind": [0, 1, 2] * 2, "age": [1.5, 2, 3, 4, 5, 6]}})
images = ImageDataGenerator(rescale=1 / 255)
train = images.flow_from_dataframe(
    frame[:4], {pictures!r}, "file", ["kind", "age"], target_size=SIZE, class_mode="multi_output"
)
val = images.flow_from_dataframe(
    frame[4:], {pictures!r}, "file", ["kind", "age"], target_size=SIZE, class_mode="multi_output"
)


def wrapped(flow):
    while True:
        x, y = next(flow)
        yield x, {{"kind": y[0], "age": y[1]}}


model.fit(wrapped(train), validation_data=wrapped(val))
"""
    train, val, around, validation = migrate(script(text))
    for made in (train, val):
        assert 'ph.Image(8, 8, column="file")' in made.code
        assert made.compared[1:3] == ("input `image`: the same", "head `kind`: the same")
    assert val.changed[0] == "for the validation of the feed before, feed.on(data) is all that is needed"
    assert (around.code, around.by) == ("", "line 8, `train`")
    assert "replaced by the feed of line 8, `train`, from which it draws" in str(around)
    assert (validation.code, validation.by) == ("", "line 11, `val`")


def test_a_difference_is_shown(script, pictures):
    text = FRAME.replace("FOLDER", repr(pictures)).replace("rescale=1 / 255, ", "")
    (made,) = migrate(script(text))
    assert "input `image`: the same pixels, 0-255 before and 0-1 in the feed" in made.compared
    assert made.changed[0] == "pixels are 0-1; they were 0-255 without rescale"


@pytest.mark.parametrize(
    ("mode", "head", "words"),
    [
        ("categorical", "ph.Categorical(one_hot=True),", "head `kind`: the same"),
        ("sparse", "ph.Categorical(),", "head `kind`: the same"),
        ("binary", 'ph.Binary(positive="dog"),', "head `kind`: the same"),
    ],
)
def test_flow_from_dataframe_with_one_output(script, pictures, mode, head, words):
    text = FRAME.replace("FOLDER", repr(pictures)).replace('["kind", "age"]', '"kind"')
    (made,) = migrate(script(text.replace("multi_output", mode)))
    assert head in made.code
    assert any(line.startswith(words) for line in made.compared)


def test_flow_from_directory(script, pictures):
    text = f"""
from tensorflow.keras.preprocessing.image import ImageDataGenerator

images = ImageDataGenerator(rescale=1.0 / 255, zoom_range=0.2, preprocessing_function=print)
train = images.flow_from_directory({pictures + "/kinds"!r}, (8, 8), class_mode="binary")
masks = ImageDataGenerator().flow_from_directory({pictures + "/kinds"!r}, class_mode=None)
"""
    text = text.replace("preprocessing_function=print", "vertical_flip=True")
    made, masks = migrate(script(text))
    assert 'ph.Binary(positive="dog")' in made.code
    assert "augment=[ph.Flip(False, vertical=True), ph.Scale(0.2)]," in made.code
    assert made.compared[1:] == (
        "input `image`: the same",
        "head `label`: the same; the shape () became (1,)",
    )
    assert made.ran == "4-5"  # the import, which Keras 3 cannot run, is not needed
    assert masks.code == ""
    assert masks.why.startswith("class_mode=None has no labels. If it is zipped with the flow of the masks:")


def test_the_order_of_the_classes_is_kept(script, pictures):
    text = f"""
from tensorflow.keras.preprocessing.image import ImageDataGenerator

images = ImageDataGenerator(rescale=1.0 / 255)
two = images.flow_from_directory({pictures + "/kinds"!r}, (8, 8), classes=["dog", "cat"], class_mode="binary")
ids = images.flow_from_directory({pictures + "/kinds"!r}, (8, 8), classes=["dog", "cat"], class_mode="sparse")
"""
    for execute in (True, False):
        two, ids = migrate(script(text), execute=execute)
        assert 'ph.Binary(positive="cat")' in two.code
        assert 'ph.Categorical(["dog", "cat"])' in ids.code
    two, _ = migrate(script(text))
    assert two.compared == ("rows: 6 compared", "the same rows in another order")


def test_classes_that_are_named_for_a_frame_leave_out_the_others(script):
    text = FRAME.replace(
        'y_col=["kind", "age"], class_mode="multi_output"', 'y_col="kind", classes=["dog", "cow"]'
    )
    (made,) = migrate(script(text), execute=False)
    assert "data = data[data[\"kind\"].isin(['dog', 'cow'])]" in made.code
    assert '"kind": ph.Categorical(["dog", "cow"], one_hot=True)' in made.code


def test_names_that_a_class_reads_and_arguments_of_the_script(script):
    text = """
import argparse
import keras
import numpy as np

class Rows(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return x[i * 8 : i * 8 + 8], y[i * 8 : i * 8 + 8]

parser = argparse.ArgumentParser()
parser.add_argument("--rows", type=int, default=24)
options = parser.parse_args()
x = np.arange(options.rows * 2.0).reshape(-1, 2)
y = np.arange(options.rows) % 2
train = Rows()
"""
    (made,) = migrate(script(text))
    assert (made.why, made.ran) == ("", "2-4, 6-11, 13-18")
    assert made.compared[1:] == ("input `x`: the same", "head `y`: the same; the shape () became (1,)")


def test_flow_of_arrays(script):
    text = """
import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x, y = np.random.default_rng(0).random((6, 8, 8, 3)).astype("float32"), np.arange(6) % 3
model.fit(ImageDataGenerator().flow(x, y, batch_size=2))
"""
    (made,) = migrate(script(text))
    assert made.compared == ("rows: 6 compared", "input `image`: the same", "head `label`: the same")
    assert '"label": ph.Regression()' in migrate(script(text.replace("y, batch", "y / 7, batch")))[0].code
    assert made.ran == "2, 5, and of line 6 ImageDataGenerator().flow(x, y, batch_size=2)"


def test_sequences_and_generators(script):
    generator, rows, inside = migrate(script(ROWS))
    assert (rows.kind, rows.name) == ("PyDataset", "rows")
    assert "batches = [rows[i] for i in range(rows.num_batches)]" in rows.code
    assert rows.compared == (
        "rows: 60 compared",
        "input `x`: the same",
        "head `y0`: the same",
        "head `y1`: the same",
    )
    words = "the labels have no names in the script: name the heads like the outputs of the model"
    assert rows.changed[0] == words
    assert rows.changed[1].startswith(
        "each epoch has the rows of the one that was read: without new augmentations"
    )
    assert "data = ph.from_generator(lambda: endless(20), length=60," in generator.code
    assert generator.compared == (
        "rows: 60 compared",
        "input `features`: the same",
        "head `yes`: the same",
        "head `price`: the same",
    )
    assert inside.code == ""
    assert inside.why.startswith("it is made inside of train(), whose arguments are not known;")


@pytest.mark.once
def test_a_class_derived_from_a_sequence_of_the_script(script):
    (rows,) = migrate(
        script("""
import keras, numpy as np

class Base(keras.utils.PyDataset):
    def __len__(self):
        return 2
    def __getitem__(self, i):
        return np.full((3, 2), i), np.full((3, 1), i)

class Train(Base):
    pass

rows = Train()
"""),
        execute=False,
    )
    assert (rows.kind, rows.name, rows.line) == ("PyDataset", "rows", 13)


def test_a_generator_for_training_and_one_for_validation(script):
    train, val = migrate(
        script("""
import numpy as np

x = np.arange(60.0).reshape(30, 2)
price = x[:, :1] / 7

def batches(x, price, size):
    while True:
        for i in range(0, len(x), size):
            yield x[i : i + size], price[i : i + size]

again = lambda size: batches(x, price, size)
model.fit(batches(x[:20], price[:20], 5), steps_per_epoch=4, validation_data=batches(x[20:], price[20:], 2))
model.evaluate(batches(x[20:], price[20:], 2))
""")
    )
    assert "ph.from_generator(lambda: batches(x[:20], price[:20], 5), length=20, " in train.code
    assert "ph.from_generator(lambda: batches(x[20:], price[20:], 2), length=10, " in val.code
    assert (train.line, val.line) == (7, 13)
    for made, rows in ((train, 20), (val, 10)):
        assert made.compared == (f"rows: {rows} compared", "input `x`: the same", "head `y`: the same")


def test_mistakes_of_the_pipeline_are_told(script):
    (made,) = migrate(
        script("""
import numpy as np

x = np.zeros((20, 2), "float32")
price = np.where(np.arange(20) == 13, np.nan, 1.0)

def generator():
    for i in range(0, 20, 5):
        yield x[i : i + 5], price[i : i + 5]
""")
    )
    assert made.code
    assert any("batch 2, row 3: expected finite numbers, got NaN" in words for words in made.mistakes)
    assert made.compared[-1] == "head `y`: the same; the shape () became (1,); NaN became no label"


def test_nothing_runs_where_only_reading_is_asked_for(script):
    text = "raise SystemExit\n" + FRAME
    (made,) = migrate(script(text), execute=False)
    assert '"kind": ph.Categorical(),  # for words or class ids; ph.Regression() for numbers' in made.code
    assert (made.ran, made.compared) == ("", ())
    generator, rows, _ = migrate(script(ROWS), execute=False)
    why = "its lines were not run, and its code alone does not say what it yields"
    assert (generator.why, rows.why) == (why, why)


def test_training_is_never_run_for_its_data(script):
    (made,) = migrate(
        script("""
import keras

for epoch in range(3):
    model.fit(data)
    x = epoch

def generator(first):
    yield x, first

fitted = generator(x)
""")
    )
    assert made.code == ""
    assert made.why == (
        "its lines raised RuntimeError: line 5, model.fit() is one of them, so none was run; "
        "move it below the data, or call polyhead examine for the pipeline"
    )


def test_the_lines_of_a_slice():
    lines = [
        *("import os", "import numpy as np", "np.random.seed(0)", "files = []"),
        *("for i in range(3):", "    files.append(np.random.random())", "print(files)", "last = files[-1]"),
    ]
    tree = parse_script("\n".join(lines))
    assert slice_for(tree, tree.body[-1].value, 8).lines == "2-6"


def test_an_import_of_all_names_counts_where_a_name_comes_from_nowhere_else():
    rest = ["n = len(x)", "def make(k):", "    rows = k + n", "    return rows", "made = make(1)"]
    for first, wanted in ((["from data import *"], "1-5"), (["from data import *", "x = [1]"], "2-6")):
        tree = parse_script("\n".join([*first, *rest]))
        assert slice_for(tree, tree.body[-1].value, len(first) + 4).lines == wanted


def test_other_calls_of_these_names_are_no_pipelines():
    assert pipelines(parse_script("graph.flow(a, b)\ndata = ph.from_generator(rows, length=3)\n")) == []


@pytest.mark.skipif(BACKEND != "tensorflow", reason="needs TensorFlow, which is slow to load")
def test_time_series_and_from_generator(script):
    windows, stream = migrate(
        script("""
import keras
import numpy as np
import tensorflow as tf

series = np.arange(100, dtype="float32").reshape(50, 2)
data = keras.utils.timeseries_dataset_from_array(
    series, series[8:, 0], sequence_length=4, sampling_rate=2, sequence_stride=3, batch_size=8
)


def rows():
    for i in range(20):
        yield series[i], (i % 2, series[i, :1])


signature = (tf.TensorSpec((2,)), (tf.TensorSpec((), tf.int32), tf.TensorSpec((1,))))
stream = tf.data.Dataset.from_generator(rows, output_signature=signature)
stream = stream.shuffle(20).batch(8)
""")
    )
    assert windows.compared == (
        "rows: 14 compared",
        "input `window`: the same",
        "head `target`: the same; the shape () became (1,)",
    )
    assert "[: len(targets), ::2]" in windows.code
    assert (stream.kind, stream.ran) == ("from_generator", "3-4, 6, 12-14, 17-19")
    assert stream.compared == (
        "rows: 20 compared",
        "the same rows in another order",
    )


def test_windows_are_read_without_tensorflow(script):
    (made,) = migrate(
        script("""
import keras
import numpy as np

series = np.arange(50, dtype="float32")
data = keras.utils.timeseries_dataset_from_array(series[:-4], series[4:], 4, end_index=None)
"""),
        execute=False,
    )
    scope = {"series": np.arange(50, dtype="float32")}
    exec(made.code, scope)
    batch = next(iter(scope["feed"].batches()))
    assert batch.inputs["window"][2].tolist() == [2, 3, 4, 5]
    assert batch.labels["target"][2].tolist() == [6]
    assert scope["feed"].num_samples == 43  # as many windows as 46 values have


def test_the_command(script):
    path = script(ROWS)
    found = CliRunner().invoke(app, ["migrate", str(path), "--rows", "10"])
    assert found.exit_code == 1  # one of three was not migrated
    assert "line 31: PyDataset `rows`\n\nimport numpy as np\n" in found.stdout
    assert (
        "  ran of the script, and nothing else: lines 2-3, 5-7, 10-20, 31\n  rows: 10 compared\n"
        in found.stdout
    )
    assert "  not migrated: it is made inside of train()" in found.stdout
    read = json.loads(CliRunner().invoke(app, ["migrate", str(path), "--no-run", "--json"]).stdout)
    assert [one["line"] for one in read] == [23, 31, 37]


def test_what_cannot_be_read(script):
    with pytest.raises(DataError) as raised:
        migrate(script("def (:"))
    assert "train.py: expected a Python program, got SyntaxError: invalid syntax" in str(raised.value)
    nothing = CliRunner().invoke(app, ["migrate", str(script("print(1)"))])
    assert nothing.exit_code == 1
    assert "no data pipeline found. Looked for flow_from_dataframe," in nothing.stdout
    assert CliRunner().invoke(app, ["migrate", "gone.py"]).exit_code == 2


def test_of_a_generator_as_many_rows_are_compared_as_of_what_was_before():
    def batches():
        for start in range(0, 300, 50):
            x = np.arange(start, start + 50, dtype="float32")[:, None]
            yield x, x * 2

    feed = ph.Feed(
        ph.from_generator(batches, length=300),
        inputs={"x": ph.Array()},
        heads={"y": ph.Regression()},
        batch_size=50,
    )
    found = compare_rows(batches, feed, 210)
    assert found == ["rows: 210 compared", "input `x`: the same", "head `y`: the same"]


WEIGHTED = """
import numpy as np

x = np.arange(60.0).reshape(30, 2)


def batches():
    x_batch, size = np.empty((10, 2)), np.empty((10, 1))
    while True:
        for i in range(0, 30, 10):
            x_batch[:], size[:] = x[i : i + 10], x[i : i + 10, :1] / 60
            yield x_batch, (size > 0.4, size), WEIGHTS


model.fit(batches(), steps_per_epoch=3)
"""


@pytest.mark.parametrize(
    ("weights", "names", "head"),
    [
        ("None", "('x', ('y0', 'y1'))", "ph.Regression()"),
        (
            "(None, np.ones(10))",
            "('x', ('y0', 'y1'), (None, 'weight_y1'))",
            'ph.Regression(sample_weight="weight_y1")',
        ),
    ],
)
def test_weights_that_are_none_in_arrays_that_are_filled_again(script, weights, names, head):
    (made,) = migrate(script(WEIGHTED.replace("WEIGHTS", weights)))
    assert f"data = ph.from_generator(batches, length=30, names={names})" in made.code
    assert f'"y0": ph.Binary(),\n        "y1": {head},' in made.code
    assert made.compared == (
        "rows: 30 compared",
        "input `x`: the same",
        "head `y0`: the same",
        "head `y1`: the same",
    )


def test_rows_that_differ_each_time_are_not_compared(script):
    (made,) = migrate(
        script("""
import numpy as np

images = np.random.default_rng(0).random((20, 8, 8, 3))


def batches():
    for i in range(0, 20, 10):
        x = images[i : i + 10]
        mask = (x[..., :1] > 0.5) * 1.0
        if np.random.random() < 2:
            x = x + np.random.random(x.shape) / 9
        yield x / 2, mask


model.fit(batches())
""")
    )
    assert made.compared == (
        "not compared: the pipeline gives other rows each time, as random order or augmentation does",
    )


@pytest.mark.parametrize("argument", ["", "size"])
def test_a_generator_inside_a_function(script, argument):
    (made,) = migrate(
        script(f"""
import numpy as np


def main({argument}):
    def batches():
        while True:
            yield ROWS, ROWS[:, 0]

    model.fit(batches(), steps_per_epoch=3)


ROWS = np.arange(8.0).reshape(4, 2)
main({argument and 3})
""")
    )
    assert (made.line, made.name) == (6, "batches")
    if not argument:
        assert (made.ran, made.compared[-1]) == ("2, 6-8, 13", "head `y`: the same; the shape () became (1,)")
        return
    assert made.why == (
        "it is made inside of main(), whose arguments are not known; move it out of main() to the top of the script"
    )
