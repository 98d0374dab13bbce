"""Data that a script passes to `fit` is migrated, whatever makes it, and so are the weights of its labels."""

import ast

import keras
import pytest

from polyhead.migrating.fed_data import splits_anew, with_fed_data
from polyhead.migrating.migrate import migrate, report_of
from polyhead.migrating.script import parse_script, pipelines

BACKEND = keras.backend.backend()
HEAD = """
import numpy as np

x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
sold = (x[:, :1] > 0).astype("float32")
price = 3 * x[:, 1:2]
"""
SAME = ("rows: 60 compared", "input `x`: the same", "head `y0`: the same", "head `y1`: the same")


@pytest.fixture
def migrated(tmp_path):
    def of(text, **options):
        path = tmp_path / "train.py"
        path.write_text(HEAD + text)
        return migrate(path, **options)

    return of


@pytest.mark.once
def test_a_data_loader(migrated):
    pytest.importorskip("torch")
    (made,) = migrated("""
from torch.utils.data import DataLoader, Dataset


class Rows(Dataset):
    def __len__(self):
        return 60

    def __getitem__(self, i):
        return x[i], {"sold": sold[i], "price": price[i]}


train = DataLoader(Rows(), batch_size=20)
model.fit(train, epochs=2)
""")
    assert (made.kind, made.name) == ("DataLoader", "train")
    assert "batches = list(train)  # an epoch in memory" in made.code
    assert made.compared == (SAME[0], SAME[1], "head `sold`: the same", "head `price`: the same")


CLASSES = """
class Batches:
    def __init__(self, size):
        self.size, self.start = size, 0

    METHODS

    def part(self, start):
        rows = slice(start, start + self.size)
        return x[rows], (sold[rows], price[rows])


train = Batches(20)
model.fit(train, steps_per_epoch=3)
"""


@pytest.mark.once
@pytest.mark.parametrize(
    ("methods", "code", "fix"),
    [
        (
            """
    def __iter__(self):
        return self

    def __next__(self):
        self.start += self.size
        return self.part((self.start - self.size) % 60)""",
            "data = ph.from_generator(lambda: Batches(20), length=60, names=('x', ('y0', 'y1')))",
            "Wrap it in a generator function: for batch in it: yield batch.",
        ),
        (
            """
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return self.part(i * self.size)""",
            "batches = [train[i] for i in range(len(train))]  # an epoch in memory",
            "Derive its class from keras.utils.PyDataset, and call super().__init__() in its __init__.",
        ),
        (
            """
    def __iter__(self):
        return (self.part(start) for start in range(0, 60, self.size))""",
            "batches = list(train)  # an epoch in memory",
            "Wrap it in a generator function: for batch in it: yield batch.",
        ),
    ],
    ids=["next", "getitem", "iter"],
)
def test_classes_of_the_script(migrated, methods, code, fix):
    (made,) = migrated(CLASSES.replace("    METHODS\n", methods))
    assert code in made.code
    assert made.compared == SAME
    assert [words[-len(fix) :] for words in made.mistakes] == [fix]


@pytest.mark.once
@pytest.mark.parametrize(
    ("made", "anew"),
    [
        ("rows.shuffle(60).take(40)", True),
        ("mixed.skip(2).batch(4)", True),
        ("rows.shuffle(60, reshuffle_each_iteration=False).take(40)", False),
        ("rows.take(40).shuffle(40)", False),
    ],
)
def test_a_split_of_what_is_shuffled(made, anew):
    assert splits_anew(ast.parse("mixed = rows.shuffle(60).batch(8)"), made) == anew


@pytest.mark.skipif(BACKEND != "tensorflow", reason="needs TensorFlow, which is slow to load")
def test_datasets_of_tensorflow(migrated):
    first, other, derived = migrated("""
import tensorflow as tf

rows = tf.data.Dataset.from_tensor_slices((x, (sold, price)))
train = rows.shuffle(60).batch(16).prefetch(1)
model.fit(train, validation_data=rows.take(40).batch(20))


def single():
    for i in range(60):
        yield x[i], (sold[i], price[i])


signature = (tf.TensorSpec((4,)), (tf.TensorSpec((1,)), tf.TensorSpec((1,))))
made = tf.data.Dataset.from_generator(single, output_signature=signature)
ready = made.batch(20)
model.fit(ready)
""")
    assert (first.kind, first.name) == ("tf.data dataset", "train")
    assert first.compared == (SAME[0], "the same rows in another order")
    assert (other.name, other.compared[0]) == ("", "rows: 40 compared")
    assert "batches = list(rows.take(40).batch(20))" in other.code
    assert (derived.kind, derived.name, derived.compared) == ("from_generator", "ready", SAME)


def found(text):
    tree = parse_script(text)
    return [(one.kind, one.name, one.function) for one in with_fed_data(tree, pipelines(tree))]


def test_what_is_no_other_data():
    assert found("from sklearn.preprocessing import StandardScaler\nStandardScaler().fit(x)\n") == []
    assert found("scaler = StandardScaler()\nscaler.fit(x, y)\nmodel.fit(x, y)\nmodel.fit(x=x, y=y)\n") == []
    assert found("import sklearn as sk\ns = sk.PCA()\ns.fit(x)\nmodel.fit((x, y), epochs=3)\n") == []
    generator = "def rows():\n    yield 1\n\nboth = wrapped(rows())\nmodel.fit(both)\n"
    assert found(generator) == [("generator", "rows", "")]


def test_where_data_is_made():
    assert found("train = load()\nmodel.fit(train)\nmodel.fit(train)\n") == [("data of fit", "train", "")]
    text = "def main(data):\n    model.fit(data, validation_data=load())\n"
    assert found(text) == [("data of fit", "data", "main"), ("data of fit", "", "main")]
    assert found("model.fit_generator(load(), 10)\n") == [("data of fit", "", "")]


def test_what_a_function_makes():
    text = "def load():\n    return tf.data.Dataset.from_generator(rows, None)\n\ntrain = load()\nmodel.fit(train)\n"
    assert found(text) == [("from_generator", "train", "")]
    text = "def load(x):\n    images = ImageDataGenerator()\n    return images.flow(x, y)\n\nmodel.fit(load(1))\n"
    assert found(text) == [("flow", "", "load")]
    text = (
        "windows = timeseries_dataset_from_array(x, TARGETS, 3)\ntrain = windows.map(f)\nmodel.fit(train)\n"
    )
    assert found(text.replace("TARGETS", "y"))[0][1] == "windows"
    assert found(text.replace("TARGETS, 3", "sequence_length=3"))[0][1] == "train"


def test_arrays_of_another_library_are_left_out(migrated, tmp_path):
    assert migrated("scaler = type('S', (), {})()\nscaler.fit(x)\n") == []
    assert "DataLoader and other data that fit gets without labels" in report_of([], tmp_path)


WEIGHTED = """
rng = np.random.default_rng(1)
image, w = rng.random((60, 8, 8, 3)), rng.random((60, 8, 8))
mask = (image[..., :1] > 0.5) * 1.0


def batches():
    for start in range(0, 60, 20):
        i = slice(start, start + 20)
        yield BATCH


model.fit(batches())
"""


@pytest.mark.once
@pytest.mark.parametrize(
    ("batch", "code", "weights"),
    [
        (
            'image[i], {"mask": mask[i], "sold": sold[i]}, {"mask": w[i], "sold": w[i, 0, 0]}',
            'ph.Mask(size=(8, 8), sample_weight="weight_mask")',
            ("weights of head `mask`: the same", "weights of head `sold`: the same"),
        ),
        (
            'x[i], {"sold": sold[i], "price": price[i]}, w[i, 0, 0]',
            'ph.Binary(sample_weight="weight"),\n        "price": ph.Regression(sample_weight="weight")',
            ("weights of head `sold`: the same", "weights of head `price`: the same"),
        ),
        (
            'x[i], {"sold": sold[i], "price": x[i]}, {"sold": np.ones(20), "price": np.full((20, 4), 0.5)}',
            '"price": ph.Regression(4),',
            ("weights of head `price`: 60 rows differ, the most row 0: array([0.5, 0.5, 0.5, 0.5]) became",),
        ),
        (
            'x[i], {"sold": sold[i], "price": price[i]}, {"sold": np.ones(20), "price": np.ones(20)}',
            'ph.Regression(sample_weight="weight_price")',
            (),
        ),
    ],
    ids=["a pixel", "one array", "not a row", "ones"],
)
def test_weights_are_compared(migrated, batch, code, weights):
    (made,) = migrated(WEIGHTED.replace("BATCH", batch))
    assert code in made.code
    rest = made.compared[4:]
    assert len(rest) == len(weights)
    assert all(line.startswith(words) for line, words in zip(rest, weights, strict=True))


@pytest.mark.once
def test_weights_of_rows_in_another_order(migrated):
    (made,) = migrated("""
class Rows:
    def __len__(self):
        return 3

    def __iter__(self):
        for rows in np.array_split(np.random.permutation(60), 3):
            yield x[rows], sold[rows], 1 + np.arange(60)[rows]


train = Rows()
model.fit(train)
""")
    words = "the same rows in another order"
    assert made.compared == ("rows: 60 compared", words, "weights of head `y`: the same")
