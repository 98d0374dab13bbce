"""Datasets of other libraries: the refusal names a way, and the way works."""

import collections
import contextlib
import dataclasses
import io
import sqlite3
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import polyhead as ph
from polyhead.results.rows import as_rows

X = np.arange(24.0, dtype="float32").reshape(12, 2)
AGE = np.arange(12.0, dtype="float32")[:, None]


def refused(data):
    with pytest.raises(ph.DataError) as error:
        ph.Feed(data, inputs="x", heads={"age": ph.Regression()})
    return str(error.value)


def not_predicted(data):
    x = ph.Feed({"x": X, "age": AGE}, inputs="x", heads={"age": ph.Regression()}).inputs
    with pytest.raises(ph.DataError) as error:
        as_rows(data, x)
    return str(error.value)


def read(source):
    """All rows of a feed of a source."""
    feed = ph.Feed(source, inputs="x", heads={"age": ph.Regression()}, batch_size=5)
    batches = list(feed.batches())
    x = np.concatenate([batch.inputs["x"] for batch in batches])
    return x, np.concatenate([batch.labels["age"] for batch in batches])


def assert_all(source):
    x, age = read(source)
    assert np.array_equal(x, X)
    assert np.array_equal(age, AGE)


def test_a_structured_array():
    data = np.rec.fromarrays([X[:, 0], AGE[:, 0]], names="x,age")
    assert refused(data).endswith(
        "Give its fields as columns: {name: data[name] for name in data.dtype.names}."
    )


@pytest.mark.parametrize("form", ["pandas", "polars", "pyarrow", "batches"])
def test_a_list_of_tables(form):
    frame = pd.DataFrame({"x": list(X), "age": AGE[:, 0]})
    whole = frame if form == "pandas" else pa.table(frame) if form != "polars" else pl.from_pandas(frame)
    tables = whole.to_batches(5) if form == "batches" else [whole[:5], whole[5:]]
    code = refused(tables).split("Join the tables: ")[1].removesuffix(".")
    assert_all(eval(code, {"pandas": pd, "polars": pl, "pyarrow": pa, "tables": tables}))


def test_an_open_file_is_no_generator():
    assert refused(io.BytesIO(b"x,age")).endswith(
        "Give the path of the file, or its table: pandas.read_csv(file)."
    )


def test_what_arrow_reads_in_pieces(tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset", reason="it reads files of Arrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": X.tolist(), "age": AGE[:, 0]}), path)
    data, file = dataset.dataset(path), pq.ParquetFile(path)
    assert refused(data).endswith("Give its table: dataset.to_table(); or the path of its file.")
    assert_all(data.to_table())
    assert refused(file).endswith("Give the path of the file, or its table: file.read().")
    assert_all(file.read())
    reader = data.to_table().to_reader()
    assert refused(reader).endswith("Give its table: reader.read_all().")
    assert_all(reader.read_all())


@pytest.mark.filterwarnings("ignore")
def test_a_dataset_of_hugging_face():
    datasets = pytest.importorskip("datasets", reason="it reads a Hugging Face dataset")
    data = datasets.Dataset.from_dict({"x": X.tolist(), "age": AGE[:, 0].tolist()})
    assert refused(data) == (
        "data: expected a mapping of arrays, a Source, a table or a path, got 'Dataset'. Give its Arrow table: "
        'dataset.with_format("arrow")[:]; or its columns: {"x": dataset.with_format("numpy")["x"]}.'
    )
    assert_all(data.with_format("arrow")[:])
    shuffled = data.shuffle(seed=1)
    assert np.array_equal(read(shuffled.with_format("arrow")[:])[1][:, 0], shuffled["age"])
    as_numpy = data.with_format("numpy")
    assert_all({"x": as_numpy["x"], "age": as_numpy["age"]})
    both = datasets.DatasetDict({"train": data})
    assert 'datasets["train"].with_format("arrow")[:].' in refused(both)
    assert 'dataset.with_format("arrow")[:]' in not_predicted(data)
    stream = data.to_iterable_dataset()
    assert "where lambda: dataset.iter(32) is the function." in refused(stream)
    assert_all(ph.from_generator(lambda: stream.iter(32), length=12))


@pytest.mark.filterwarnings("ignore")
def test_torch_datasets_and_loaders():
    torch = pytest.importorskip("torch", reason="it reads a torch dataset")
    data = torch.utils.data

    class Ages(data.Dataset):
        def __len__(self):
            return 12

        def __getitem__(self, row):
            return torch.from_numpy(X[row]), {"age": torch.from_numpy(AGE[row])}

    class Stream(data.IterableDataset):
        def __iter__(self):
            return (Ages()[row] for row in range(12))

    assert refused(Ages()) == (
        "data: expected a mapping of arrays, a Source, a table or a path, got 'Ages'. Say ph.from_generator(lambda: "
        "DataLoader(dataset, 32), length=len(dataset), names=...), or give its arrays as columns: "
        '{"x": x, "y": y}.'
    )
    assert "length=len(dataset), names=...)" in not_predicted(Ages())
    assert "where lambda: DataLoader(dataset, 32) is the function." in not_predicted(Stream())
    loader = data.DataLoader(Ages(), 5)
    assert "where lambda: loader is the function and rows is len(loader.dataset)" in refused(loader)
    assert "where lambda: DataLoader(dataset, 32) is the function." in refused(Stream())
    for name, one in (("x", Ages()), ("age", Ages()), ("x", loader)):
        columns = {"x": X, "age": AGE, name: one}
        fix = refused(one).partition(f"got '{type(one).__name__}'. ")[2]
        assert refused(columns) == (
            f"column `{name}`: expected one entry per row: an array, a list, or anything with a length and batch "
            f"indexing, got '{type(one).__name__}', whose items are rows. {fix}"
        )
    assert_all({"x": X, "age": AGE, "other": Ages()})  # which nothing reads
    assert_all({"x": [row for row, _ in Ages()], "age": AGE})
    assert_all(ph.from_generator(lambda: loader, length=len(loader.dataset)))
    assert_all(
        ph.from_generator(lambda: data.DataLoader(Stream(), 32), length=12, names=("x", {"age": "age"}))
    )
    pairs = data.TensorDataset(torch.from_numpy(X), torch.from_numpy(AGE))
    assert_all(ph.from_generator(lambda: data.DataLoader(pairs, 4), length=len(pairs), names=("x", "age")))


@pytest.mark.filterwarnings("ignore")
def test_datasets_of_tensorflow():
    tf = pytest.importorskip("tensorflow", reason="it reads a tf.data dataset")
    dataset = tf.data.Dataset.from_tensor_slices((X, {"age": AGE})).batch(5)
    assert refused(dataset).endswith(
        "Say ph.from_generator(lambda: dataset.as_numpy_iterator(), length=rows, names=...), with the dataset in "
        "batches."
    )
    assert "dataset.as_numpy_iterator()" in not_predicted(dataset)
    assert_all(ph.from_generator(lambda: dataset.as_numpy_iterator(), length=12))
    single = tf.data.Dataset.from_tensor_slices({"x": X[:, 0], "age": AGE[:, 0]})
    with pytest.raises(
        ph.DataError, match=r"column `x`: expected an array .*, got a single value. Yield batches"
    ):
        ph.from_generator(lambda: single, length=12).read([0])


def test_a_pydataset():
    import keras

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return X[4 * i : 4 * i + 4], {"age": AGE[4 * i : 4 * i + 4]}

    dataset = Batches()
    assert refused(dataset).endswith(
        "Say ph.from_generator(lambda: (dataset[i] for i in range(len(dataset))), length=rows, names=...)."
    )
    assert_all(ph.from_generator(lambda: (dataset[i] for i in range(len(dataset))), length=12))


@pytest.mark.filterwarnings("ignore")
def test_a_grain_dataset():
    grain = pytest.importorskip("grain", reason="it reads a grain dataset")
    dataset = grain.MapDataset.source([{"x": X[i], "age": AGE[i]} for i in range(12)]).batch(5)
    assert "where lambda: iter(dataset) is the function, with the dataset in batches." in refused(dataset)
    assert_all(ph.from_generator(lambda: iter(dataset), length=12))


def batches():
    yield X, {"age": AGE}


class Rows:
    def __len__(self):
        return 12

    def __getitem__(self, row):
        return X[row], AGE[row]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (batches, "For a generator, use ph.from_generator(function, length=rows)."),
        (
            batches(),
            "A generator runs only once; give ph.from_generator(function, length=rows) the function that creates it.",
        ),
        (
            Rows(),
            "Write a ph.Source with __len__ and read(ids), or say ph.from_generator(function, length=rows).",
        ),
        (zip(X, AGE, strict=True), "For a generator, use ph.from_generator(function, length=rows)."),
        ((X, AGE), 'Give names: {"image": images, "label": labels}.'),
        (X, 'Give names: {"image": images, "label": labels}.'),
    ],
)
def test_what_is_of_no_library(data, words):
    assert refused(data).endswith(words)


def test_a_database():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        words = "Give the rows of a query as a table: pandas.read_sql(query, connection)."
        for data in (connection, connection.cursor(), connection.execute("select 1 as x")):
            assert refused(data).endswith(words)


@pytest.mark.once
def test_nothing_is_imported_to_see_what_data_is():
    program = (
        "import sys, numpy as np, polyhead as ph\n"
        "class Dataset: pass\n"
        "try: ph.Feed(Dataset(), inputs='x', heads={'y': ph.Binary()})\n"
        "except ph.DataError: print([m for m in ('torch', 'tensorflow', 'datasets', 'grain') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Entries of a mapping that nobody asked for ---------------------------------------------------------------


@pytest.mark.parametrize("kind", [dict, collections.OrderedDict, collections.UserDict])
def test_entries_that_nobody_asked_for_are_left_alone(kind):
    data = kind(
        x=X,
        age=AGE,
        frame=None,
        names=["a", "b"],
        DESCR="Ages",
        more=np.arange(12),
        single=3,
        nested={"a": X},
    )
    feed = ph.Feed(data, inputs="x", heads={"age": ph.Regression()}, batch_size=12)
    assert feed.source.columns == ("x", "age", "more")
    x, y = feed.peek()
    assert np.array_equal(x["x"], X)
    assert np.array_equal(y["age"], AGE)
    assert feed.on({"x": X[:2], "notes": "only predicted"}).num_samples == 2
    assert ph.read_table(data, columns=["age", "x"]).columns == ("age", "x")


def test_bunches_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets", reason="it reads a Bunch")
    iris = datasets.load_iris()
    feed = ph.Feed(iris, inputs="data", heads={"target": ph.Categorical(3)}, batch_size=150)
    x, y = feed.peek()
    assert np.array_equal(x["data"], iris.data.astype("float32"))
    assert np.array_equal(y["target"], iris.target)


def test_entries_that_are_asked_for_have_to_fit():
    heads = {"age": ph.Regression()}
    with pytest.raises(ph.DataError) as error:
        ph.Feed({"x": X, "age": AGE[:3], "notes": "text"}, inputs="x", heads=heads)
    assert str(error.value) == (
        "data: expected columns of one length, got `x` 12, `age` 3. Every column needs one entry per row; None or NaN "
        "stands for a missing label."
    )
    with pytest.raises(ph.DataError, match="column `age`: expected one entry per row"):
        ph.Feed({"x": X, "age": "text"}, inputs="x", heads=heads)
    weighed = {"age": ph.Regression(sample_weight="weight")}
    with pytest.raises(ph.DataError, match="got `x` 12, `age` 12, `weight` 2"):
        ph.Feed({"x": X, "age": AGE, "weight": [1, 2]}, inputs="x", heads=weighed)


@dataclasses.dataclass
class House:
    x: float
    age: float


Home = collections.namedtuple("Home", "x age")


def test_lists_of_rows():
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    found = database.execute("select 1.0 as x, 2.0 as age").fetchall()
    database.close()
    for rows, call, dicts in (
        (found, "dict(row)", [dict(row) for row in found]),
        ([Home(1.0, 2.0)], "row._asdict()", [row._asdict() for row in [Home(1.0, 2.0)]]),
        (
            [House(1.0, 2.0)],
            "dataclasses.asdict(row)",
            [dataclasses.asdict(row) for row in [House(1.0, 2.0)]],
        ),
    ):
        assert refused(rows).endswith(f"Give rows as dicts: [{call} for row in rows].")
        x, age = read(dicts)
        assert (x.tolist(), age.tolist()) == ([[1.0]], [[2.0]])
    assert refused([(1.0, 2.0)]).endswith("pandas.DataFrame(rows, columns=[...]).")


def test_a_group_of_zarr():
    zarr = pytest.importorskip("zarr")
    group = zarr.group()
    group["x"], group["age"] = X, AGE
    assert refused(group).endswith("Give its arrays as columns: dict(group.arrays()).")
    assert_all(dict(group.arrays()))


def test_the_index_of_a_frame_is_no_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": AGE[:, 0]}, index=pandas.Index(X[:, 0], name="x"))
    assert refused(frame).endswith("got no such column. It is the index: give frame.reset_index().")
    assert np.array_equal(read(frame.reset_index())[1], AGE)
