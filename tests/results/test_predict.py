"""Predictions of every kind of head, in the words, units and pixels of the data."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixed_model import Fixed

import polyhead as ph
import programs

ROWS = 40
KINDS = ("cat", "dog", "emu")


def table(rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)).astype("float32")
    return {
        "x": x,
        "sold": rng.integers(0, 2, rows),
        "kind": rng.choice(KINDS, rows),
        "tags": [list(rng.choice(["new", "red"], rng.integers(0, 3), replace=False)) for _ in range(rows)],
        "price": 2 * x[:, 0],
        "vector": rng.normal(size=(rows, 3)),
    }


HEADS = {
    "sold": ph.Binary(),
    "kind": ph.Categorical(),
    "tags": ph.MultiLabel(),
    "price": ph.Regression(),
    "vector": ph.Embedding(3),
}


def linear_model(feed, logits=False):
    x = keras.Input((4,), name="x")
    if not logits:
        return keras.Model(x, ph.outputs(x, feed))
    units = {name: head.output_shape[-1] for name, head in feed.heads.items()}
    return keras.Model(x, {name: keras.layers.Dense(count, name=name)(x) for name, count in units.items()})


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(3)
    feed = ph.Feed(table(), inputs="x", heads=HEADS, batch_size=8)
    model = ph.compile(linear_model(feed), feed, optimizer=keras.optimizers.Adam(0.05))
    model.fit(feed, epochs=2, verbose=0)
    return model, feed


def test_each_kind_answers_in_the_words_of_the_data(trained):
    model, _ = trained
    new = {"x": table(21, seed=1)["x"]}
    raw = model.predict(new["x"], verbose=0)
    found = ph.predict(model, new, batch_size=8, probabilities=True)
    assert found.columns == (
        *("id", "sold", "sold_probability", "kind", "kind_probability", "kind_probabilities"),
        *("tags", "tags_probability", "tags_probabilities", "price", "vector"),
    )
    assert found["id"].tolist() == list(range(21))
    assert found["sold"].tolist() == (raw["sold"][:, 0] >= 0.5).tolist()
    assert np.allclose(found["sold_probability"], raw["sold"][:, 0], atol=1e-5)
    ids = raw["kind"].argmax(1)
    assert found["kind"].tolist() == [KINDS[k] for k in ids]
    assert np.allclose(found["kind_probability"], raw["kind"].max(1), atol=1e-5)
    assert found[20]["kind_probabilities"] == pytest.approx(
        dict(zip(KINDS, raw["kind"][20], strict=True)), abs=1e-5
    )
    tags = [[name for name, p in zip(("new", "red"), row, strict=True) if p >= 0.5] for row in raw["tags"]]
    assert [list(one) for one in found["tags"]] == tags
    assert np.allclose(found["price"], raw["price"][:, 0], atol=1e-3)
    assert np.allclose(found["vector"], raw["vector"], atol=1e-5)


def test_logits_become_probabilities():
    feed = ph.Feed(table(), inputs="x", heads=HEADS, batch_size=8)
    model = linear_model(feed, logits=True)
    raw = model.predict(table()["x"], verbose=0)
    for compiled in (False, True):
        if compiled:
            ph.compile(model, feed, optimizer="sgd")
        found = ph.predict(model, feed)
        assert np.allclose(found["sold_probability"], 1 / (1 + np.exp(-raw["sold"][:, 0])), atol=1e-5)
        odds = np.exp(raw["kind"])
        assert np.allclose(found["kind_probability"], odds.max(1) / odds.sum(1), atol=1e-5)


class Wrapped(keras.Model):
    """A model whose layers do not show what its outputs are."""

    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def call(self, x):
        return self.inside(x)


def of_logits(true, pred):
    return keras.losses.binary_crossentropy(true, pred, from_logits=True)


@pytest.mark.once
@pytest.mark.parametrize("how", ["as it is", "compiled", "subclassed"])
def test_with_a_hinge_or_own_loss_the_output_says_whether_it_is_a_probability(how):
    x = np.linspace(-2, 2, 8, dtype="float32")[:, None]
    heads = {
        "share": ph.Binary(loss="hinge", metrics=["accuracy"]),
        "score": ph.Binary(loss=keras.losses.SquaredHinge(), metrics=[]),
        "bounded": ph.Binary(loss="hinge", metrics=[]),
        "own": ph.Binary(loss=of_logits, metrics=[]),
        "kind": ph.Categorical(2, one_hot=True, loss="categorical_hinge", metrics=[]),
    }
    layers = {"share": (1, "sigmoid"), "score": (1, None), "bounded": (1, "tanh"), "own": (1, None)}
    layers["kind"] = 2, "softmax"
    tensor = keras.Input((1,), name="x")
    weights = keras.initializers.Constant([[0.5]])
    model = keras.Model(
        tensor,
        {
            name: keras.layers.Dense(n, activation=activation, kernel_initializer=weights, name=name)(tensor)
            for name, (n, activation) in layers.items()
        },
    )
    feed = ph.Feed({"x": x, **dict.fromkeys(heads, (x[:, 0] > 0) * 1)}, inputs="x", heads=heads)
    raw = model.predict(x, verbose=0)
    if how == "subclassed":
        model = Wrapped(model)
    if how != "as it is":
        ph.compile(model, feed, optimizer="sgd")
        assert model.evaluate(feed, verbose=0, return_dict=True)["share_accuracy"] == 1
    assert ph.evaluate(model, feed, intervals=None)["share"]["accuracy"].value == 1
    odds = {name: np.exp(raw[name][:, 0]) for name in ("score", "bounded", "own")}
    wanted = {"share": raw["share"][:, 0], "kind": raw["kind"].max(1)}
    wanted |= {name: one / (1 + one) for name, one in odds.items()}
    for rows in (slice(None), slice(5, 6)):  # also of a single row, whose scores are between 0 and 1
        found = ph.predict(model, {"x": x[rows]}, declaration=feed.declaration)
        for name, values in wanted.items():
            assert np.allclose(found[f"{name}_probability"], values[rows], atol=1e-5), name


@pytest.mark.once
def test_the_loss_of_a_file_of_an_earlier_version_says_that_a_row_is_logits():
    x = np.array([[0.3], [9.0], [-9.0]], "float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    feed = ph.Feed({"x": x, "y": [0, 1, 0]}, inputs="x", heads={"y": ph.Binary(loss=loss)})
    model = ph.compile(Wrapped(keras.layers.Dense(1, kernel_initializer="ones")), feed, optimizer="sgd")
    model._compile_loss.losses["y"].logits = None  # which is not in such a file
    expected = 1 / (1 + np.exp(-x[:, 0]))
    for rows in (slice(None), slice(1)):
        found = ph.predict(model, {"x": x[rows]}, declaration=feed.declaration)["y_probability"]
        assert np.allclose(found, expected[rows], atol=1e-5)


@pytest.mark.parametrize(
    "one",
    [
        lambda x: {"x": x[2]},
        lambda x: {"x": x[2].tolist()},
        lambda x: x[2],
        lambda x: x[2].tolist(),
        lambda x: [{"x": x[2]}],
    ],
)
def test_one_row_needs_no_batch(trained, one):
    model, feed = trained
    every = ph.predict(model, feed)
    found = ph.predict(model, one(table()["x"]))
    assert len(found) == 1
    assert found[0]["kind"] == every[2]["kind"]
    assert found[0]["price"] == pytest.approx(every[2]["price"], rel=1e-4)


def test_labels_are_neither_needed_nor_read(trained):
    model, _ = trained
    wrong = {**table(5), "kind": ["unicorn"] * 5, "sold": [7] * 5}
    wrong["kind_probabilities"] = range(5)  # a name that is free without probabilities=True
    found = ph.predict(model, wrong, keep=["kind", "price", "kind_probabilities"])
    assert found["kind_probabilities"].tolist() == [0, 1, 2, 3, 4]
    assert found["kind_data"].tolist() == ["unicorn"] * 5
    assert np.allclose(found["price_data"], table(5)["price"])


def test_selected_rows_keep_their_numbers(trained):
    model, feed = trained
    found = ph.predict(model, feed.on(feed.source.select([7, 3, 3])))
    every = ph.predict(model, feed)
    assert found["id"].tolist() == [7, 3, 3]
    assert np.allclose(found["price"], every["price"][[7, 3, 3]], atol=1e-4)


def test_a_shuffled_feed_is_predicted_in_the_order_of_its_rows(trained):
    model, feed = trained
    other = feed.on(table(), shuffle=True, drop_remainder=True, batch_size=16)
    assert np.allclose(ph.predict(model, other)["price"], ph.predict(model, feed)["price"], atol=1e-4)


def test_a_file_takes_the_rows_as_they_come(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("polyhead.results.outputs.CHUNK_BYTES", 8 * 4 * 10)
    model, feed = trained
    path = tmp_path / "out.parquet"
    found = ph.predict(model, feed, path=path)
    whole = ph.predict(model, feed)
    assert found.path == path
    assert len(found) == ROWS
    assert [row["kind"] for row in found] == whole["kind"].tolist()
    assert np.allclose(found["price"], whole["price"])
    assert found[-1]["id"] == ROWS - 1
    assert found[11]["kind"] == whole[11]["kind"]
    for some in (slice(5, 23), slice(30, 2, -7), slice(7, 7)):
        assert found[some]["id"].tolist() == whole[some]["id"].tolist()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.parquet"]


def test_an_error_on_the_way_leaves_no_file(trained, tmp_path):
    model, _ = trained
    with pytest.raises(ph.DataError, match="finite"):
        ph.predict(model, {"x": np.full((5, 4), np.nan)}, path=tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ph.DataError) as wrong:
        ph.predict(model, table(5), path=tmp_path / "no" / "out.parquet")
    place = tmp_path / "no" / "out.parquet"
    assert (
        str(wrong.value) == f"file {place}: expected a folder that exists, got none. Make the folder first."
    )


def test_tables_in_other_libraries(trained, tmp_path):
    model, feed = trained
    found = ph.predict(model, feed)
    frame = found.to_pandas()
    assert frame["kind"].tolist() == found["kind"].tolist()
    assert found.to_polars()["price"].to_list() == found["price"].tolist()
    assert found.to_arrow().num_rows == ROWS
    found.write_parquet(tmp_path / "a.parquet")
    assert ph.read_table(tmp_path / "a.parquet").read([3])["kind"][0] == found["kind"][3]


LOAD = """
import json, sys
import keras, numpy as np, polyhead as ph
model = keras.saving.load_model(sys.argv[1])
found = ph.predict(model, {"x": np.load(sys.argv[2])})
print("found", json.dumps({name: np.asarray(found[name]).tolist() for name in ("sold", "kind", "price")}))
"""


@pytest.mark.slow
@pytest.mark.once
def test_a_loaded_model_predicts_alike_in_a_new_process(trained, tmp_path):
    model, feed = trained
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", table()["x"])
    printed = programs.run(LOAD, tmp_path / "m.keras", tmp_path / "x.npy")
    got = json.loads(printed.strip().splitlines()[-1].removeprefix("found "))
    found = ph.predict(model, feed)
    assert got["sold"] == found["sold"].tolist()
    assert got["kind"] == found["kind"].tolist()
    assert got["price"] == pytest.approx(found["price"].tolist(), rel=1e-4)


def test_a_model_without_a_declaration_says_what_to_do():
    x = keras.Input((4,), name="x")
    plain = keras.Model(x, keras.layers.Dense(1, name="price")(x))
    with pytest.raises(ph.ContractError) as error:
        ph.predict(plain, table())
    assert str(error.value) == (
        "predict(model): expected a model that ph.compile compiled, got 'Functional', which is not compiled. "
        "If you loaded it with compile=False, leave that out. Compile it with ph.compile(model, feed, ...), give a "
        "Feed as data, or declaration=feed.declaration."
    )
    feed = ph.Feed(table(), inputs="x", heads={"price": ph.Regression()})
    want = plain.predict(table()["x"], verbose=0)[:, 0]
    assert np.allclose(ph.predict(plain, feed)["price"], want, atol=1e-4)
    assert np.allclose(ph.predict(plain, table(), declaration=feed.declaration)["price"], want, atol=1e-4)
    more = ph.Feed(table(), inputs="x", heads={"price": ph.Regression(), "sold": ph.Binary()})
    with pytest.raises(ph.ContractError) as error:
        ph.predict(plain, more)
    assert str(error.value) == (
        "head `sold`: expected a model with an output `sold` (1,), got outputs `price` (1,). The model has no more "
        "outputs: add one, or leave the head out of the declaration."
    )
    some = ph.Declaration(more.inputs, {"price": more.heads["price"]})
    assert np.allclose(ph.predict(plain, table(), declaration=some)["price"], want, atol=1e-4)


class OwnLoss(keras.Model):
    """A model whose outputs are not its heads."""

    def __init__(self):
        super().__init__()
        self.score = keras.layers.Dense(1)
        self.hidden = keras.layers.Dense(2)

    def call(self, x):
        return {"price": self.score(x), "latent": self.hidden(x)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean((y["price"] - y_pred["price"] - 0 * y_pred["latent"][:, :1]) ** 2)


def test_outputs_that_are_no_heads_keep_their_names():
    feed = ph.Feed(table(), inputs="x", heads={"price": ph.Regression(), "sold": ph.Binary()}, batch_size=8)
    model = OwnLoss()
    model.compile(optimizer="sgd")
    model.fit(feed, verbose=0)
    raw = model.predict(feed, verbose=0)
    found = ph.predict(model, feed)
    assert found.columns == ("id", "latent", "price")
    assert np.allclose(found["latent"], raw["latent"], atol=1e-5)
    assert np.allclose(found["price"], raw["price"][:, 0], atol=1e-3)


def test_given_leaves_out_what_does_not_count():
    data = {"x": np.array([[9.0], [-9]], "float32"), "there": [1, 0], "size": [1.0, 2.0], "kind": ["a", "b"]}
    heads = {
        "there": ph.Binary(),
        "size": ph.Regression(given="there"),
        "kind": ph.Categorical(given="there"),
    }
    feed = ph.Feed(data, inputs="x", heads=heads)
    x = keras.Input((1,), name="x")
    outputs = {
        "there": keras.layers.Activation("sigmoid", name="there")(x),
        "size": keras.layers.Dense(1, name="size")(x),
        "kind": keras.layers.Dense(2, "softmax", name="kind")(x),
    }
    found = ph.predict(keras.Model(x, outputs), feed)
    assert found["there"].tolist() == [True, False]
    assert found[0]["kind"] in ("a", "b")
    assert found[1]["kind"] is None
    assert np.isnan(found["size"]).tolist() == [False, True]


def picture_feed(folder, max_boxes):
    from PIL import Image

    paths = []
    for number, (width, height) in enumerate([(80, 40), (40, 40)]):
        paths.append(str(Path(folder) / f"{number}.png"))
        Image.new("RGB", (width, height)).save(paths[-1])
    boxes = [[[0, 0, 20, 20], [4, 4, 9, 9]]] * 2 if max_boxes > 1 else [[0, 0, 20, 20]] * 2
    data = {"image": paths, "box": boxes, "kind": [["cat", "dog"][:max_boxes]] * 2}
    heads = {
        "box": ph.Boxes(max_boxes, format="xywh", normalized=True, column_normalized=False, nms=0.5),
        "there": ph.Binary(each="box", column="box"),
        "kind": ph.Categorical(["cat", "dog"], each="box"),
    }
    return ph.Feed(data, inputs={"image": ph.Image(20, 20)}, heads=heads)


@pytest.mark.once
def test_boxes_without_scores_are_suppressed_too():
    boxes = np.array([[0.0, 0, 4, 4], [0, 0, 4, 3], [5, 5, 8, 8], [0, 0, 3, 4]])
    feed = ph.Feed(
        {"image": np.zeros((1, 8, 8, 3), np.uint8), "box": boxes[None]},
        inputs={"image": ph.Image()},
        heads={"box": ph.Boxes(4, nms=0.5)},
    )
    found = ph.predict(Fixed({"box": boxes}), feed)
    assert np.array_equal(found["box"][0], boxes[[0, 2]])


class Encoded(ph.Source):
    """Images as dicts, which name a file or hold its bytes."""

    def __init__(self, **entries):
        self.entries = [{key: value} for key, values in entries.items() for value in values]

    def __len__(self):
        return len(self.entries)

    def read(self, ids):
        return {"image": [self.entries[i] for i in ids]}


def test_rows_from_files_and_from_memory_keep_the_column_of_files(tmp_path):
    feed = picture_feed(tmp_path, 1)
    files = [str(tmp_path / f"{i}.png") for i in range(2)]
    arrays = np.zeros((3, 40, 80, 3), np.uint8)
    memory = ph.read_table({"image": arrays})
    ph.pack(
        ph.Feed({"image": files}, inputs={"image": ph.Image(40, 80, dtype="uint8")}, heads={}), tmp_path / "s"
    )
    packed = ph.open_store(tmp_path / "s")
    content = [Path(file).read_bytes() for file in files]
    model = Fixed({"box": [[0, 0, 0.5, 0.5]], "there": [[0.8]], "kind": [[0.9, 0.1]]})
    for rows, expected in {
        "a list": ({"image": [arrays[0], files[1], arrays[1]]}, [None, files[1], None]),
        "a store after arrays": (memory.concat(packed), [None] * 3 + files),
        "a store before arrays": (packed.concat(memory), [*files, *[None] * 3]),
        "a selection": (memory.concat(packed).select([2, 4, 0]), [None, files[1], None]),
        "a mixture": (memory.mix(packed, weights=(1, 1), length=4), [None, files[0], None, files[1]]),
        "other sources": (Encoded(bytes=content).concat(Encoded(path=files)), [None, None, *files]),
    }.values():
        assert ph.predict(model, feed.on(rows))["file"] == expected
    assert "file" not in ph.predict(model, feed.on(memory)).columns
    found = ph.predict(model, feed.on({"image": [files[0], arrays[0]]}))
    with pytest.raises(ph.DataError) as wrong:
        found.write_yolo(tmp_path / "labels")
    assert str(wrong.value) == (
        "write_yolo(), row 1: expected an image file, got an image in memory. Write the rows with files alone: "
        "predict(model, source.select(...))."
    )
    assert not (tmp_path / "labels").exists()


def test_boxes_come_in_pixels_of_the_original_sure_and_without_doubles(tmp_path):
    feed = picture_feed(tmp_path, 4)
    boxes = [[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.45], [0.5, 0.5, 1, 1], [0.1, 0.1, 0.2, 0.2]]
    kinds = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.5, 0.5]]
    model = Fixed({"box": boxes, "there": [[0.8], [0.9], [0.6], [0.3]], "kind": kinds})
    found = ph.predict(model, feed)
    assert found["file"].tolist() == [str(tmp_path / "0.png"), str(tmp_path / "1.png")]
    assert np.allclose(found["box"][0], [[0, 0, 40, 18], [40, 20, 40, 20]], atol=1e-3)
    assert np.allclose(found["box"][1], [[0, 0, 20, 18], [20, 20, 20, 20]], atol=1e-3)
    assert [list(row) for row in found["kind"]] == [["cat", "dog"]] * 2
    assert np.allclose(found["box_score"][0], [0.9, 0.6])
    assert np.allclose(found["kind_probability"][0], [0.8, 0.7])


def test_a_single_box_is_one_entry_a_row(tmp_path):
    feed = picture_feed(tmp_path, 1)
    outputs = {"box": [[0, 0, 0.5, 0.5]], "there": [[0.8]], "kind": [[0.1, 0.9]]}
    found = ph.predict(Fixed(outputs), feed)
    assert np.allclose(found["box"], [[0, 0, 40, 20], [0, 0, 20, 20]], atol=1e-3)
    assert found["kind"].tolist() == ["dog", "dog"]
    assert found["there"].tolist() == [True, True]
    outputs["there"] = [[0.2]]
    found = ph.predict(Fixed(outputs), feed)
    assert found["box"] == [None, None]
    assert found["kind"] == [None, None]


def test_images_by_themselves(tmp_path):
    feed = picture_feed(tmp_path, 1)
    model = Fixed({"box": [[0, 0, 0.5, 0.5]], "there": [[0.8]], "kind": [[0.1, 0.9]]})
    want = ph.predict(model, feed)["box"]
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    given = feed.declaration
    for data in (tmp_path, paths, [path.read_bytes() for path in paths], {"image": paths}):
        assert np.allclose(ph.predict(model, data, declaration=given)["box"], want)
    for one in (
        paths[0],
        str(paths[0]),
        paths[0].read_bytes(),
        {"image": paths[0]},
        np.zeros((40, 80, 3), np.uint8),
    ):
        found = ph.predict(model, one, declaration=given)
        assert len(found) == 1
        assert np.allclose(found["box"], want[:1])
    part = tmp_path / "parts" / "year=2024"
    part.mkdir(parents=True)
    pq.write_table(pa.table({"image": [*map(str, paths)]}), part / "a.parquet")
    assert np.allclose(ph.predict(model, part.parent, declaration=given)["box"], want)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ph.DataError) as error:
        ph.predict(model, tmp_path / "empty", declaration=given)
    assert str(error.value) == f"data, folder `{tmp_path / 'empty'}`: expected images in it, got none."


@pytest.mark.parametrize("column", ["image", "photo"])
@pytest.mark.parametrize("form", ["folder", "list", "array"])
def test_the_line_that_an_unreadable_image_names_runs(tmp_path, column, form):
    pytest.importorskip("cv2", reason="opencv is not installed")
    from PIL import Image

    paths = [str(tmp_path / f"{i}.png") for i in range(4)]
    for path in paths:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)).save(path)
    feed = ph.Feed({column: paths}, inputs={column: ph.Image(4, 4)}, heads={})
    declaration = ph.Declaration(feed.inputs, {"y": ph.Binary()})
    whole = Path(paths[2]).read_bytes()
    Path(paths[2]).write_bytes(whole[:100])
    data = {"folder": str(tmp_path), "list": paths, "array": np.array(paths)}[form]
    model = Fixed({"y": np.zeros(1)})
    with pytest.raises(ph.DataError) as error:
        ph.predict(model, data, declaration=declaration)
    *_, line = str(error.value).removesuffix(".").rpartition(": ")
    assert line == "data = ph.drop_unreadable(data)"
    names = {"ph": ph, "data": data}
    with pytest.warns(ph.PolyheadWarning, match="1 of 4 rows left out"):
        exec(line, names)
    found = ph.predict(model, names["data"], declaration=declaration)
    assert list(found["id"]) == [0, 1, 3]
    assert list(found["file"]) == [path for path in paths if path != paths[2]]


@pytest.mark.parametrize("channels", [1, 3])
def test_one_gray_image_is_an_array_of_two_axes(channels):
    feed = ph.Feed(
        {"image": np.zeros((2, 6, 6), np.uint8)}, inputs={"image": ph.Image(6, 6, channels)}, heads={}
    )
    declaration = ph.Declaration(feed.inputs, {"y": ph.Binary()})
    model = Fixed({"y": np.ones(1)})
    for one in (np.zeros((6, 6), np.uint8), np.zeros((6, 6, 1), np.uint8)):
        assert len(ph.predict(model, one, declaration=declaration)) == 1
    assert len(ph.predict(model, np.zeros((4, 6, 6), np.uint8), declaration=declaration)) == 4
    for flat in (np.zeros((5, 36), np.uint8), np.zeros((5, 36 * channels), np.uint8)):
        with pytest.raises(
            ph.DataError, match=r"got rows of shape \(\d+,\).*column.reshape\(-1, height, width"
        ):
            ph.predict(model, flat, declaration=declaration)


def test_an_image_with_channels_first_is_not_three_gray_ones():
    feed = ph.Feed({"image": np.zeros((2, 6, 6, 3), np.uint8)}, inputs={"image": ph.Image()}, heads={})
    declaration = ph.Declaration(feed.inputs, {"y": ph.Binary()})
    model, array = Fixed({"y": np.ones(1)}), np.zeros((3, 6, 6), np.uint8)
    for data in (array, {"image": array}):
        with pytest.raises(ph.DataError, match=r"got an array of shape \(3, 6, 6\): one with channels first"):
            ph.predict(model, data, declaration=declaration)
    assert len(ph.predict(model, array.transpose(1, 2, 0), declaration=declaration)) == 1
    assert len(ph.predict(model, array[..., None], declaration=declaration)) == 3


def test_ids_for_other_rows_than_there_are():
    feed = ph.Feed({"image": np.zeros((2, 6, 6), np.uint8)}, inputs={"image": ph.Image(6, 6, 1)}, heads={})
    data = {"image": np.zeros((3, 6, 6), np.uint8), "id": ["a", "b"], "note": ["of another length"]}
    with pytest.raises(ph.DataError) as error:
        ph.predict(
            Fixed({"y": np.ones(1)}), data, declaration=ph.Declaration(feed.inputs, {"y": ph.Binary()})
        )
    assert str(error.value) == (
        "data: expected columns of one length, got `image` 3, `id` 2. "
        "Every column needs one entry per row; None or NaN stands for a missing label."
    )


def test_masks_are_ids_in_the_size_of_the_original(tmp_path):
    from PIL import Image

    Image.new("RGB", (80, 40)).save(tmp_path / "a.png")
    mask = np.zeros((40, 80), np.uint8)
    data = {"image": [str(tmp_path / "a.png")], "mask": [mask], "both": [np.stack([mask] * 2, -1)]}
    heads = {"mask": ph.Mask(["sky", "sea", "land"]), "both": ph.Mask(2, multi=True)}
    feed = ph.Feed(data, inputs={"image": ph.Image(20, 20)}, heads=heads)
    ids = np.zeros((20, 20), int)
    ids[:, 10:], ids[10:, 10:] = 1, 2
    two = np.stack([ids == 1, ids > 0], -1)
    found = ph.predict(Fixed({"mask": np.eye(3)[ids], "both": two}), feed, path=tmp_path / "o.parquet")
    large = np.kron(ids, np.ones((2, 4), int))
    assert found["mask"][0].dtype == np.uint8
    assert np.array_equal(found["mask"][0], large)
    assert (found["both"][0] != np.stack([large == 1, large > 0], -1)).mean() < 0.01  # corners are rounded
    assert np.array_equal(found.to_pandas()["mask"][0], large)
    assert isinstance(found.to_arrow()["mask"][0].as_py(), bytes)


def test_an_unknown_column_names_those_that_are_there(trained):
    model, feed = trained
    with pytest.raises(ph.ContractError, match="Did you mean"):
        ph.predict(model, feed)["kinds"]


def test_several_inputs_are_given_by_name():
    data = {"a": [1.0, 2], "b": [3.0, 4], "y": [0.0, 1]}
    feed = ph.Feed(data, inputs=["a", "b"], heads={"y": ph.Regression()})
    inputs = {name: keras.Input((1,), name=name) for name in "ab"}
    y = keras.layers.Dense(1, name="y")(keras.layers.Concatenate()([*inputs.values()]))
    model = keras.Model(inputs, y)
    assert len(ph.predict(model, {"a": 1.0, "b": 2.0}, declaration=feed.declaration)) == 1
    rows = [{"a": 1.0, "b": 2.0, "note": "x"}, {"a": 3.0, "b": 4.0}]
    found = ph.predict(model, rows, declaration=feed.declaration, keep="note")
    assert found["note"] == ["x", None]
    with pytest.raises(ph.DataError) as error:
        ph.predict(model, [*rows, {"a": 5.0}], declaration=feed.declaration)
    assert str(error.value) == "column `b`, row 2: expected a value, got none."
    with pytest.raises(ph.DataError) as error:
        ph.predict(model, [1.0, 2.0], declaration=feed.declaration)
    assert str(error.value) == (
        'data: expected columns by name, got \'list\'. The model reads several columns. Give {"a": ..., "b": ...}, '
        "or a table with them."
    )
    with pytest.raises(ph.DataError, match=r"expected columns by name, got 'a\.jpg'"):
        ph.predict(model, "a.jpg", declaration=feed.declaration)
    with pytest.raises(
        ph.DataError, match="The model was trained with this name: rename the column of the data to `b`"
    ):
        ph.predict(model, {"a": 1.0}, declaration=feed.declaration)


def dense_model(**units):
    x = keras.Input((4,), name="x")
    return keras.Model(x, {name: keras.layers.Dense(n, name=name)(x) for name, n in units.items()})


def test_a_head_may_have_the_name_of_a_column_of_the_row():
    data = {"x": table(6)["x"], "id": [0, 1] * 3, "file": [1.0] * 6}
    feed = ph.Feed(data, inputs="x", heads={"id": ph.Binary(), "file": ph.Regression()})
    found = ph.predict(dense_model(id=1, file=1), feed)
    assert found.columns == ("row_id", "id", "id_probability", "file")
    assert found["row_id"].tolist() == list(range(6))


def test_a_head_may_have_the_name_of_a_column_of_another_head():
    data = {
        "x": table(6)["x"],
        "k": [0, 1] * 3,
        "k_probability": [1.0] * 6,
        "k_predicted_probability": [1.0] * 6,
    }
    heads = {"k": ph.Binary(), "k_probability": ph.Regression()}
    feed = ph.Feed(data, inputs="x", heads=heads)
    found = ph.predict(dense_model(k=1, k_probability=1), feed)
    assert found.columns == ("id", "k", "k_predicted_probability", "k_probability")
    feed = ph.Feed(data, inputs="x", heads={**heads, "k_predicted_probability": ph.Regression()})
    with pytest.raises(ph.ContractError) as error:
        ph.predict(dense_model(k=1, k_probability=1, k_predicted_probability=1), feed)
    assert str(error.value) == (
        "predict(): expected columns of different names, got two that are called `k_predicted_probability`. "
        "Rename one of the heads."
    )


def test_outputs_that_are_not_finite_are_an_error_with_their_row():
    feed = ph.Feed({"x": table(6)["x"], "k": ["a", "b"] * 3}, inputs="x", heads={"k": ph.Categorical()})
    model = dense_model(k=2)
    weights = model.get_weights()
    model.set_weights([np.full_like(weights[0], np.nan), weights[1]])
    with pytest.raises(ph.DataError) as error:
        ph.predict(model, feed)
    assert str(error.value) == (
        "predict(), head `k`, row 0: expected finite outputs, got nan. "
        "Look for a loss that became NaN in training, and for inputs without a finite number."
    )


def test_the_file_to_write_is_a_parquet_file_and_not_the_data(trained, tmp_path):
    model, _ = trained
    data = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": list(table(5)["x"])}), data)
    before = data.read_bytes()
    for path, said in (
        (data, f"predict(path=): expected another file than the data, got '{data}'."),
        (
            tmp_path / "out.csv",
            f"predict(path=): expected a name that ends in .parquet, got '{tmp_path / 'out.csv'}'. "
            "For other formats, write the result: predictions.write_csv(path).",
        ),
    ):
        with pytest.raises(ph.ContractError) as error:
            ph.predict(model, data, path=path)
        assert str(error.value) == said
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(ph.DataError, match="a file, or a name that is free, got a folder"):
        ph.predict(model, data, path=tmp_path / "folder.parquet")
    assert data.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder.parquet", "rows.parquet"]


def test_large_ids_with_gaps_are_not_rounded_in_pandas(trained):
    model, _ = trained
    ids, large = pd.array([2**60 + 1, None, 7], "Int64"), [2**64 - 1, None, 7]
    rows = {"x": table(3)["x"], "user": ids, "few": [1, None, 3], "large": large}
    found = ph.predict(model, rows, keep=["user", "few", "large"])
    frame = found.to_pandas()
    assert frame["user"].tolist() == [2**60 + 1, pd.NA, 7]
    assert found["large"] == large
    assert frame["large"].tolist() == [2**64 - 1, pd.NA, 7]
    assert frame["few"].dtype == float


def test_columns_of_mixed_types_are_named(trained):
    model, _ = trained
    for mixed in ([["a"], "b"], [Path("a"), Path("b")], [(1, "a"), (2, "b")], [2**70, 1]):
        with pytest.raises(ph.DataError, match="column `z`: expected values of one type, got") as error:
            ph.predict(model, {"x": table(2)["x"], "z": mixed}, keep="z")
        fix = "Give text, [str(one) for one in column], or leave it out of the data and of keep=."
        assert str(error.value).endswith(fix)


def takes_uuids():
    """Return whether Arrow recognizes UUIDs; older versions do not."""
    try:
        return bool(pa.array([uuid.UUID(int=1)]))
    except pa.ArrowInvalid:
        return False


def test_ids_are_of_the_type_of_the_data(trained):
    model, _ = trained
    hours = np.array(["2024-03-01T12", "2024-03-01T13"], "datetime64[h]")
    codes = [uuid.UUID(int=1), uuid.UUID(int=2)]
    for ids in (
        hours,
        np.array([2**63, 2**64 - 1], np.uint64),
        ["007", "08"],
        codes if takes_uuids() else [],
    ):
        if len(ids):
            found = ph.predict(model, {"x": table(2)["x"], "id": ids})
            assert list(found["id"]) == list(ids)
            assert list(found.to_pandas()["id"]) == list(pd.Series(ids))


def test_slices_and_rows_that_are_not_there(trained):
    model, feed = trained
    found = ph.predict(model, feed)
    assert found[2:4]["id"].tolist() == [2, 3]
    assert found[::-10]["id"].tolist() == [39, 29, 19, 9]
    with pytest.raises(IndexError, match="row 99 of 40 predictions"):
        found[99]
    with pytest.raises(ph.ContractError) as error:
        found[1.5]
    assert str(error.value) == (
        "predictions[...]: expected the name of a column, the number of a row, or a slice, got 1.5."
    )


def test_classes_that_differ_in_case_alone_come_back_from_the_model():
    data = {"x": table(12)["x"], "kind": ["Cat", "cat", "dog"] * 4}
    feed = ph.Feed(data, inputs="x", heads={"kind": ph.Categorical()})
    x = keras.Input((4,), name="x")
    model = keras.Model(x, ph.outputs(x, feed))
    with pytest.warns(ph.PolyheadWarning, match="differ"):
        ph.compile(model, feed, optimizer="sgd")
    assert ph.declaration_of(model).heads["kind"].names == ("Cat", "cat", "dog")
    assert set(ph.predict(model, {"x": table(3)["x"]})["kind"]) <= {"Cat", "cat", "dog"}


def test_as_many_rows_as_an_input_has_columns_are_many_rows():
    """Two rows of two columns are not one row of two numbers each."""
    rows = {"area": [75.0, 140.0], "rooms": [3.0, 5.0]}
    feed = ph.Feed(
        {**rows, "sold": [0, 1]},
        inputs={"house": ph.Array(column=["area", "rooms"])},
        heads={"sold": ph.Binary()},
    )
    x = keras.Input((2,), name="house")
    model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    both = ph.predict(model, rows).to_arrow()["sold_probability"].to_pylist()
    each = [
        ph.predict(model, {name: values[i] for name, values in rows.items()})
        .to_arrow()["sold_probability"][0]
        .as_py()
        for i in range(2)
    ]
    assert both == pytest.approx(each, abs=1e-6)
    assert len(ph.predict(model, [{"area": 75.0, "rooms": 3.0}])) == 1


@pytest.mark.parametrize("form", ["frame", "series", "one series", "source", "feed", "part"])
def test_rows_of_a_frame_keep_its_index(trained, form, tmp_path):
    pd = pytest.importorskip("pandas")
    model, _ = trained
    x = table()["x"]
    frame = pd.DataFrame({"x": list(x), "other": 1}, index=[f"r{i}" for i in range(ROWS)])
    frame = frame.sample(frac=0.6, random_state=1)  # as a part of a cross-validation
    rows, data = np.arange(len(frame)), frame
    if form == "series":
        data = {"x": frame["x"], "other": frame["other"].to_numpy()}
    elif form == "one series":
        data = frame["x"]
    elif form == "source":
        data = ph.read_table(frame).only(["x"])
    elif form == "feed":
        data = ph.Feed(frame, inputs="x", heads={}, batch_size=4, shuffle=True)
    elif form == "part":
        data = ph.read_table(frame).split((0.5, 0.5))[1].select(slice(None, None, -1))
        rows = data.ids_of(np.arange(len(data)))
    found = ph.predict(model, data).to_pandas()
    assert found.index.equals(frame.index[rows])
    joined = frame.join(found, how="inner")
    wanted = model.predict(np.stack(joined["x"].to_list()), verbose=0)["price"][:, 0]
    assert np.allclose(joined["price"], wanted, atol=1e-4)
    assert ph.predict(model, data)[3:1:-1].to_pandas().index.equals(frame.index[rows[3:1:-1]])
    written = ph.predict(model, data, path=tmp_path / "predictions.parquet")
    assert written.to_pandas().equals(found)


def test_rows_without_an_index_are_counted(trained):
    model, _ = trained
    rows = ph.read_table({"x": table()["x"]}).select([5, 2])
    assert ph.predict(model, rows).to_pandas().index.tolist() == [0, 1]
    pd = pytest.importorskip("pandas")
    assert ph.predict(model, pd.DataFrame({"x": []}, index=pd.Index([], dtype=str))).to_pandas().empty


def test_threads_may_predict_and_evaluate_one_model_at_once(trained):
    model, _ = trained
    data = table()
    wanted = ph.predict(model, data)["price"].tolist()
    error = ph.evaluate(model, data, intervals=None)["price"]["mae"].value
    begin = threading.Barrier(4)

    def request(number):
        begin.wait()
        if number == 0:
            return [ph.evaluate(model, data, intervals=None)["price"]["mae"].value]
        return [ph.predict(model, {"x": data["x"][row]})["price"][0] for row in range(number, 12, 3)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(request, range(4)))
    assert found[0] == pytest.approx([error], rel=1e-5)
    for number in (1, 2, 3):
        assert found[number] == pytest.approx(wanted[number:12:3], rel=1e-4)


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="elsewhere a model stays whole while it predicts"
)
def test_a_source_that_predicts_with_the_model_that_waits_for_it_is_an_error(trained):
    model, _ = trained
    x = table()["x"]

    class Own(ph.Source):
        def __len__(self):
            return len(x)

        def read(self, ids):
            more = ph.predict(model, {"x": x[ids]})["price"] if len(ids) > 1 else 0.0
            return {"x": x[ids] + np.reshape(more, (-1, 1))}

    with pytest.raises(ph.PolyheadError, match="one that is in use, and may wait for these rows"):
        ph.predict(model, Own())
    assert ph.predict(model, {"x": x})["price"].shape == (ROWS,)
