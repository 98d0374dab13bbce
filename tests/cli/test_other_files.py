"""`polyhead inspect` on files that ``ph.read_table`` doesn't read: the suggested code is run."""

import h5py
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from polyhead.cli import app

ROWS = 40
rng = np.random.default_rng(0)
ARRAYS = {
    "X_train": rng.random((ROWS, 4, 4, 3), np.float32),
    "y_class": rng.integers(0, 3, ROWS),
    "y_value": rng.normal(size=ROWS),
}
TABLE = pd.DataFrame(
    {"size": rng.normal(size=ROWS), "kind": ["u", "v"] * (ROWS // 2), "price": rng.random(ROWS)}
)


def run(*args):
    return CliRunner().invoke(app, [*map(str, args)])


def feed_of(path):
    found = run("inspect", "--code", path)
    assert found.exit_code == 0, found.output
    names = {}
    exec(found.stdout, names)
    feed = names["feed"]
    batch = next(feed.batches())
    if hasattr(names["data"], "close"):
        names["data"].close()
    return feed, batch, found.stdout


def write_folder(path, arrays):
    path.mkdir()
    for name, values in arrays.items():
        np.save(path / f"{name}.npy", values)


def write_hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.npz", lambda path, arrays: np.savez(path, **arrays)),
        ("a.h5", write_hdf5),
        ("arrays", write_folder),
    ],
)
def test_arrays_in_files(tmp_path, name, write):
    write(tmp_path / name, ARRAYS)
    _, batch, _ = feed_of(tmp_path / name)
    assert np.array_equal(batch.inputs["X_train"], ARRAYS["X_train"][batch.ids])
    assert np.array_equal(batch.labels["y_class"].ravel(), ARRAYS["y_class"][batch.ids])
    assert np.allclose(batch.labels["y_value"].ravel(), ARRAYS["y_value"][batch.ids])


def test_the_arrays_for_training_are_taken_and_the_others_listed(tmp_path):
    x, y = ARRAYS["X_train"], ARRAYS["y_class"]
    np.savez(tmp_path / "a.npz", x_test=x[:9], y_test=y[:9], x_train=x[:8], y_train=y[:8], note="by hand")
    feed, _, code = feed_of(tmp_path / "a.npz")
    assert (list(feed.inputs), list(feed.heads), feed.num_samples) == (["x_train"], ["y_train"], 8)
    assert code.endswith("# left out: x_test, y_test: 9 rows, not 8\n# left out: note: no rows\n")
    packed = run("pack", tmp_path / "a.npz", tmp_path / "store")
    assert packed.exit_code == 1
    assert "expected arrays of one length, got x_test, y_test: 9 rows, not 8; note: no rows" in packed.output


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.csv", {"sep": ";"}),
        ("a.csv", {"sep": "\t"}),
        ("a.csv", {"sep": ";", "decimal": ","}),
        ("a.tsv", {"sep": "|"}),
        ("a.csv.gz", {"sep": ";"}),
        ("a.csv.gz", {}),
        ("a.jsonl", None),
        ("a.jsonl.gz", None),
    ],
)
def test_tables_in_files(tmp_path, name, write):
    path = tmp_path / name
    if write is None:
        TABLE.to_json(path, orient="records", lines=True)
    else:
        TABLE.to_csv(path, index=False, **write)
    feed, batch, _ = feed_of(path)
    assert (list(feed.inputs), list(feed.heads)) == (["size"], ["kind", "price"])
    assert np.allclose(batch.inputs["size"].ravel(), TABLE["size"].to_numpy()[batch.ids])


def test_groups_and_complex_numbers_in_hdf5_are_left_out(tmp_path):
    write_hdf5(tmp_path / "a.h5", {**ARRAYS, "g/x": np.zeros(3), "c": ARRAYS["y_value"] + 1j})
    feed, _, code = feed_of(tmp_path / "a.h5")
    assert list(feed.inputs) == ["X_train"]
    assert "# left out: c: complex128, which is neither numbers nor text; give two numbers for each" in code
    assert code.endswith("# left out: g: a group of HDF5\n")


def test_a_comma_in_a_header_of_other_separators(tmp_path):
    TABLE.rename(columns={"size": "size, cm"}).to_csv(tmp_path / "a.csv", sep=";", index=False)
    feed, _, _ = feed_of(tmp_path / "a.csv")
    assert list(feed.inputs) == ["size, cm"]


def test_texts_of_such_a_table_are_changed_in_the_code(tmp_path):
    TABLE.assign(tags=["red|new", "red"] * (ROWS // 2)).to_csv(tmp_path / "a.csv", sep=";", index=False)
    feed, _, _ = feed_of(tmp_path / "a.csv")
    assert feed.heads["tags"].classes == ("new", "red")


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        (
            "a.npy",
            lambda path: np.save(path, ARRAYS["y_value"]),
            "expected inputs and labels, got one array. Name its folder, {folder}, if the other arrays are in it too.",
        ),
        (
            "a.npz",
            lambda path: np.savez(path, x=np.zeros((4, 2)), y=np.zeros(3)),
            "expected at least two arrays of one length, got x (4, 2), y (3,). Read the arrays, and give them names: "
            '{{"image": images, "label": labels}}.',
        ),
        (
            "a.npz",
            lambda path: np.savez(path, x=np.array([[1], [1, 2]], object), y=np.zeros(2)),
            "expected a readable file, got ValueError: Object arrays cannot be loaded when allow_pickle=False. Save "
            "arrays of numbers or of text: rows of unequal length need a Parquet file.",
        ),
        (
            "a",
            lambda path: write_folder(path, {"x": np.zeros((2, 2)), "y": np.array([[1], [1, 2]], object)}),
            "/y.npy: expected a readable file, got ValueError: Array can't be memory-mapped: Python objects in dtype. "
            "Save arrays of numbers or of text: rows of unequal length need a Parquet file.",
        ),
        ("a.npz", lambda path: path.write_bytes(b"PK"), "expected a readable file, got "),
        ("a.h5", lambda path: path.write_bytes(b"no"), "expected a readable file, got OSError: "),
        ("a.jsonl", lambda path: path.write_text("{"), "expected a readable file, got ValueError: "),
        (
            "a.csv",
            lambda path: path.write_bytes("a;b\n1;ä\n".encode("cp1252")),
            "read_csv(path, encoding=...).",
        ),
    ],
)
def test_what_cannot_be_read_is_one_error(tmp_path, name, write, message):
    write(tmp_path / name)
    found = run("inspect", tmp_path / name)
    assert found.exit_code == 1
    assert f"file {tmp_path / name}" in found.output.partition(": expected ")[0]
    assert message.format(folder=tmp_path) in found.output
    assert found.output.count("\n") == 1


def test_arrays_without_rows(tmp_path):
    write_folder(tmp_path / "a", {"x": np.zeros((0, 2)), "y": np.zeros(0)})
    assert "expected at least one row, got an empty source.\n" in run("inspect", tmp_path / "a").output


def test_formats_that_need_a_line_of_code_are_told_to_be_read_by_a_function(tmp_path):
    for name, fix in (
        ("a.xlsx", "Pass the frame from pandas.read_excel(path)."),
        ("a.pkl", "Read it with pandas or polars and pass the frame."),
    ):
        (tmp_path / name).write_bytes(b"PK")
        fix += " Here name a function of a Python file that returns it, as file.py:name."
        assert run("inspect", tmp_path / name).output.endswith(f"{fix}\n")
