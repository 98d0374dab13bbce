"""Predictions of no rows are an empty table with the columns and types that rows have."""

import json
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest
from fixed_model import Fixed

import polyhead as ph

KINDS = ("cat", "dog", "emu")


def data_of(rows):
    rng = np.random.default_rng(0)
    return {
        "a": rng.normal(size=rows),
        "b": rng.normal(size=rows),
        "sold": np.arange(rows) % 2,
        "kind": np.array(KINDS)[np.arange(rows) % 3],
        "tags": [["new", "red"][: i % 3] for i in range(rows)],
        "price": np.exp(rng.normal(size=rows)),
        "vector": rng.normal(size=(rows, 3)),
        "name": [f"row {i}" for i in range(rows)],
    }


HEADS = {
    "sold": ph.Binary(),
    "kind": ph.Categorical(),
    "tags": ph.MultiLabel(given="sold"),
    "price": ph.Regression(scale="log"),
    "vector": ph.Embedding(3),
}


@pytest.fixture(scope="module")
def trained():
    feed = ph.Feed(data_of(12), inputs={"x": ph.Array(column=["a", "b"], scale="standard")}, heads=HEADS)
    x = keras.Input((2,), name="x")
    return ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")


def frame(rows):
    pandas = pytest.importorskip("pandas")
    found = {name: values for name, values in data_of(3).items() if name in ("a", "b", "name")}
    return pandas.DataFrame(found).iloc[:rows]


def schema(predictions):
    return {field.name: (field.type, field.metadata) for field in predictions.to_arrow().schema}


@pytest.mark.parametrize("probabilities", [False, True])
def test_an_empty_frame_has_the_columns_and_types_of_rows(trained, probabilities):
    expected = ph.predict(trained, frame(3), probabilities=probabilities)
    found = ph.predict(trained, frame(0), probabilities=probabilities)
    assert len(found) == 0
    assert found.columns == expected.columns
    assert schema(found) == schema(expected)
    assert list(found) == []
    assert found[:5].columns == expected.columns
    both = pa.concat_tables([found.to_arrow(), expected.to_arrow()])
    assert both.num_rows == 3
    types = found.to_pandas().dtypes.to_dict()
    assert types["price"] == expected.to_pandas().dtypes["price"]
    assert repr(found).startswith(f"Predictions(0 rows, {len(found.columns)} columns)")


def empty_data():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    return {
        "list": [],
        "tuple": (),
        "mapping": {"a": [], "b": []},
        "arrays": {"a": np.zeros(0), "b": np.zeros(0)},
        "frame of no rows": pandas.DataFrame([]),
        "polars": polars.DataFrame({"a": [], "b": []}),
        "polars of no rows": polars.DataFrame([]),
        "arrow": pa.table({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())}),
        "selection": ph.read_table(data_of(3)).select([]),
    }


def test_every_form_of_no_rows(trained):
    expected = schema(ph.predict(trained, frame(2)))
    for form, data in empty_data().items():
        found = ph.predict(trained, data)
        assert len(found) == 0, form
        assert schema(found) == expected, form


def test_files_of_no_rows(trained, tmp_path):
    frame(0).to_csv(tmp_path / "a.csv", index=False)
    frame(0).to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        found = ph.predict(trained, tmp_path / name, path=tmp_path / "out.parquet")
        assert len(found) == 0
        assert schema(ph.predict(trained, frame(2))).keys() == schema(found).keys()
    written = ph.predict(trained, frame(0))
    written.write_csv(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines() == [",".join(written.columns)]


def test_columns_to_keep(trained):
    found = ph.predict(trained, frame(0), keep="name")
    assert found.columns == ph.predict(trained, frame(2), keep="name").columns
    pa.concat_tables(
        [found.to_arrow(), ph.predict(trained, frame(2), keep="name").to_arrow()],
        promote_options="permissive",
    )
    assert ph.predict(trained, [], keep="name").columns == found.columns


def test_wrong_columns_are_an_error_without_rows_as_well(trained):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ph.DataError) as error:
        ph.predict(trained, pandas.DataFrame({"a": [], "bb": []}))
    assert str(error.value) == (
        "input `x`: expected a column `b` among a, bb, got no such column. Did you mean `bb`? "
        "The model was trained with this name: rename the column of the data to `b`."
    )


@pytest.mark.parametrize("data", [[], {"a": [], "b": [], "kind": []}])
def test_an_evaluation_of_no_rows_is_an_error(trained, data):
    with pytest.raises(ph.DataError) as error:
        ph.evaluate(trained, data)
    assert str(error.value) == (
        "evaluate(data): expected at least one row, got none. No metric can be measured without rows: leave such data "
        "out."
    )


IN_IMAGES = {
    "box": ph.Boxes(2),
    "there": ph.Binary(each="box", column="box"),
    "what": ph.Categorical(["cat", "dog"], each="box"),
    "eyes": ph.Keypoints(2),
    "mask": ph.Mask(["ground", "road"]),
    "layers": ph.Mask(["a", "b"], multi=True),
    "depth": ph.Map(),
}


@pytest.mark.parametrize("tta", [None, 2])
def test_heads_in_images(tmp_path, tta):
    pytest.importorskip("cv2")
    pillow = pytest.importorskip("PIL.Image")
    pillow.new("RGB", (40, 30)).save(tmp_path / "a.png")
    row = {
        "image": str(tmp_path / "a.png"),
        "box": [[1, 2, 9, 8]],
        "what": ["cat"],
        "eyes": [[1, 2], [3, 4]],
        "mask": np.zeros((30, 40), np.uint8),
        "layers": np.zeros((30, 40, 2), np.uint8),
        "depth": np.zeros((30, 40), np.float32),
    }
    feed = ph.Feed([row], inputs={"image": ph.Image(16, 24)}, heads=IN_IMAGES)
    model = Fixed({name: np.full(head.output_shape, 0.25) for name, head in feed.heads.items()})
    expected = ph.predict(model, feed, tta=tta)
    found = ph.predict(model, [], declaration=feed.declaration, tta=tta)
    assert len(found) == 0
    assert schema(found) == schema(expected)
    found.write_yolo(tmp_path / "out")
    found.write_masks(tmp_path / "out", head="mask")
    assert not list((tmp_path / "out").iterdir())
    found.write_coco(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == []


FORMS = {
    "paths": lambda paths: paths,
    "paths in an array": np.array,
    "bytes": lambda paths: [Path(path).read_bytes() for path in paths],
    "arrays": lambda paths: np.zeros((len(paths), 8, 8, 3), np.uint8),
    "arrays of another size": lambda paths: np.zeros((len(paths), 9, 9, 3), np.uint8),
    "Arrow, paths": lambda paths: pa.array(paths, pa.string()),
    "Arrow, bytes": lambda paths: pa.array([Path(path).read_bytes() for path in paths], pa.binary()),
}


@pytest.mark.parametrize("form", FORMS)
def test_images_have_files_if_rows_would(tmp_path, form):
    pytest.importorskip("cv2")
    pillow = pytest.importorskip("PIL.Image")
    paths = [str(tmp_path / f"{i}.png") for i in range(2)]
    for path in paths:
        pillow.new("RGB", (8, 8)).save(path)
    images = FORMS[form](paths)
    feed = ph.Feed(
        {"image": images, "eyes": np.ones((2, 2, 2))},
        inputs={"image": ph.Image(8, 8)},
        heads={"eyes": ph.Keypoints(2)},
    )
    declaration = feed.declaration
    declaration.save(tmp_path / "saved.json")
    files = "paths" in form
    columns = ("id", "file", "eyes") if files else ("id", "eyes")
    model = Fixed({"eyes": np.ones((2, 2))})
    for known in (declaration, ph.Declaration.load(tmp_path / "saved.json")):
        for data in (feed, {"image": images[:0]}, [], {"image": []}):
            found = ph.predict(model, data, declaration=known)
            assert found.columns == columns, data
    other = FORMS["arrays" if files else "paths in an array"](paths)[:0]  # its type is known
    found = ph.predict(model, {"image": other}, declaration=declaration)
    assert found.columns == (("id", "eyes") if files else ("id", "file", "eyes"))
