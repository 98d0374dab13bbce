"""``polyhead predict``."""

import shutil
from functools import partial

import keras
import numpy as np
import pytest

import polyhead as ph
from outcomes import command
from polyhead.cli.saved_model import require_output


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    x = np.random.default_rng(0).normal(size=(20, 2)).astype("float32")
    data = {"a": x[:, 0], "b": x[:, 1], "kind": ["cat", "dog"] * 10, "name": [f"n{i}" for i in range(20)]}
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(data), folder / "rows.parquet")
    feed = ph.Feed(data, inputs=["a", "b"], heads={"kind": ph.Categorical()})
    inputs = {name: keras.Input((1,), name=name) for name in "ab"}
    outputs = ph.outputs(keras.layers.Concatenate()([*inputs.values()]), feed)
    model = ph.compile(keras.Model(inputs, outputs), feed, optimizer="sgd")
    model.save(folder / "m.keras")
    return folder, ph.predict(model, feed)


run = partial(command, "predict")


def test_a_table_becomes_a_table(saved, tmp_path):
    folder, want = saved
    out = tmp_path / "out.parquet"
    done = run(folder / "m.keras", folder / "rows.parquet", "-o", out, "--keep", "name", "--probabilities")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{out}: 20 rows, id, name, kind, kind_probability, kind_probabilities\n"
    found = ph.read_table(out).read([4])
    assert (found["kind"][0], found["name"][0]) == (want["kind"][4], "n4")
    csv = tmp_path / "out.csv"
    assert run(folder / "m.keras", folder / "rows.parquet", "-o", csv).exit_code == 0
    assert csv.read_text().splitlines()[5].startswith(f"4,{want['kind'][4]},")


def test_predictions_are_written_next_to_the_images_and_stores_that_they_are_of(saved, tmp_path):
    rows = saved[0] / "rows.parquet"
    ph.pack(ph.read_table(rows), tmp_path / "store")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"an image")
    for folder in (tmp_path / "images", tmp_path / "store"):
        shutil.copy(rows, folder / "earlier.parquet")  # which is not read with them
        require_output(folder / "o.parquet", (".parquet",), [str(folder)])


def test_a_single_row_is_said_in_the_singular(saved, tmp_path):
    folder, _ = saved
    (tmp_path / "one.csv").write_text("a,b\n1,2\n")
    done = run(folder / "m.keras", tmp_path / "one.csv", "-o", tmp_path / "o.csv")
    assert done.stdout == f"{tmp_path / 'o.csv'}: 1 row, id, kind, kind_probability\n"


def test_all_that_is_wrong_with_the_arguments_is_said_at_once(saved, tmp_path):
    folder, _ = saved
    model, rows, out = folder / "m.keras", folder / "rows.parquet", tmp_path / "o.csv"
    (tmp_path / "mine.py").write_text("rows = {'a': [1.0], 'b': [2.0]}\nrenamed = {'a': [1.0], 'c': [2.0]}\n")
    parts = tmp_path / "parts"
    parts.mkdir()
    shutil.copy(rows, parts)
    plain = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    plain.save(tmp_path / "plain.keras")
    lost, broken = tmp_path / "no" / "o.txt", tmp_path / "broken.keras"
    broken.write_bytes(b"nothing")
    columns = "The columns are a, b, kind, name."
    for arguments, code, said in (
        ((model, tmp_path / "no.csv", "-o", out), 2, [f"{tmp_path / 'no.csv'}: no such file."]),
        ((model, "", "-o", out), 2, ["'': no such file."]),
        ((model, rows, "-o", rows), 2, [f"{rows}: this is the data: name another file to write."]),
        (
            (model, parts, "-o", parts / "o.parquet"),  # the next command would read it as rows
            2,
            [f"{parts / 'o.parquet'}: this is the data: name another file to write."],
        ),
        (
            (tmp_path / "no.keras", "no.csv", tmp_path / "no.py:rows", "-o", lost),
            2,
            [
                f"{lost}: name a file that ends in .parquet, .csv, .json.",
                f"{lost}: its folder does not exist.",
                f"{tmp_path / 'no.keras'}: no such file.",
                "no.csv: no such file.",
                f"{tmp_path / 'no.py'}: no such file.",
                "give image files, or a single table, folder or FILE.PY:NAME.",
            ],
        ),
        (
            (tmp_path / "plain.keras", rows, "-o", out, "--keep", "nam", "--keep", "x"),
            2,
            [
                f"{rows}: 2 problems:",
                f"  1. --keep nam: no such column in the data. Did you mean `name`? {columns}",
                f"  2. --keep x: no such column in the data. {columns}",
                f"{tmp_path / 'plain.keras'}: predict(model): expected a model that ph.compile co",
            ],
        ),
        (
            (broken, f"{tmp_path / 'mine.py'}:row", "-o", out),
            2,
            [
                f"{tmp_path / 'mine.py'}: it does not define `row`. Did you mean `rows`?",
                f"{broken}: Keras cannot load it: ",
            ],
        ),
        (
            (folder, tmp_path / "mine.py", "-o", out),
            2,
            [
                f"{folder}: expected a file, got a folder.",
                f"{tmp_path / 'mine.py'}: name an object of the file, as {tmp_path / 'mine.py'}:name.",
            ],
        ),
        (
            (rows, rows, "-o", out),
            2,
            [f"{rows}: expected a saved model, as a file that ends in .keras."],
        ),
        (
            (model, rows, "-o", tmp_path / "o.json"),
            2,
            [
                f"{model} {rows}: write_coco(): expected a head of boxes, got none. write_parquet(path) and write"
            ],
        ),
        (
            (model, f"{tmp_path / 'mine.py'}:renamed", "-o", out),
            1,
            [
                f"{model} {tmp_path / 'mine.py'}:renamed: input `b`: expected a column `b` among a, c, got no such "
                "column. The model was trained with this name: rename the column of the data to `b`.",
            ],
        ),
    ):
        done = run(*arguments)
        lines = done.stderr.splitlines()
        assert [
            line.removeprefix("polyhead: ")[: len(want)] for line, want in zip(lines, said, strict=True)
        ] == said
        assert (done.exit_code, done.stdout) == (code, "")


def test_the_columns_of_the_file_that_was_written_are_listed(tmp_path):
    images = np.zeros((2, 8, 8, 3), "uint8")
    feed = ph.Feed(
        {"image": images, "mask": images[..., 0]}, inputs={"image": ph.Image()}, heads={"mask": ph.Mask()}
    )
    x = keras.Input((8, 8, 3), name="image")
    ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd").save(tmp_path / "m.keras")
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nrows = {'image': np.zeros((2, 8, 8, 3), 'uint8')}\n"
    )
    for name, columns in (("o.csv", "id"), ("o.parquet", "id, mask")):
        done = run(tmp_path / "m.keras", f"{tmp_path / 'mine.py'}:rows", "-o", tmp_path / name)
        assert (done.exit_code, done.stdout) == (0, f"{tmp_path / name}: 2 rows, {columns}\n")


@pytest.mark.once
def test_a_class_that_keras_does_not_find_is_named_and_where_it_has_to_be(saved, tmp_path):
    class Mine(keras.Model):
        pass

    x = keras.Input((1,))
    Mine(x, keras.layers.Dense(1)(x)).save(tmp_path / "mine.keras")
    done = run(tmp_path / "mine.keras", saved[0] / "rows.parquet", "-o", tmp_path / "o.csv")
    assert "Keras cannot load it: Could not locate class 'Mine'." in done.stderr
    assert done.stderr.endswith("Then give the data as FILE.PY:NAME of a file that defines or imports it.\n")
    assert "config" not in done.stderr
