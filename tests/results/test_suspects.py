"""Planted wrong labels come first: for each kind of head, of models that are as good as trained ones."""

import copy

import keras
import numpy as np
import pytest

import polyhead as ph
from echoes import echo
from polyhead.kinds.judging import confident, outlying

ROWS, WRONG = 300, 15
RNG = np.random.default_rng(5)
CLASSES = ["cat", "dog", "eel"]


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def planted():
    """What models say of the true labels, the labels with some that are wrong, and which are."""
    wrong = {
        name: RNG.permutation(ROWS)[:WRONG]
        for name in ("kind", "sold", "tags", "price", "box", "mask", "eyes")
    }
    kind = RNG.integers(0, 3, ROWS)
    sold = RNG.random(ROWS) < 0.3
    tags = RNG.random((ROWS, 3)) < 0.4
    price = RNG.normal(size=(ROWS, 2)) * [1, 100]
    corner = RNG.uniform(0, 4, (ROWS, 2))
    box = np.concatenate([corner, corner + RNG.uniform(2, 4, (ROWS, 2))], 1)
    mask = (np.arange(8) < RNG.integers(2, 7, (ROWS, 1))).astype(int)[:, None].repeat(8, 1)
    eyes = np.stack([corner, corner + RNG.uniform(2, 4, (ROWS, 2))], 1)
    noise = RNG.normal(size=(ROWS, 3))
    said = {
        "kind": softmax(3 * np.eye(3)[kind] + noise),
        "sold": 1 / (1 + np.exp(-(5.0 * sold[:, None] - 2.5 + noise[:, :1]))),
        "tags": 1 / (1 + np.exp(-(5.0 * tags - 2.5 + noise))),
        "price": price + noise[:, :2] * [0.2, 20],
        "box": box[:, None] + RNG.normal(size=(ROWS, 1, 4)) * 0.2,
        "mask": np.clip(mask[..., None] + RNG.normal(size=(ROWS, 8, 8, 1)) * 0.3, 0.01, 0.99),
        "eyes": eyes + RNG.normal(size=eyes.shape) * 0.1,
    }
    rows = {name: np.isin(np.arange(ROWS), at) for name, at in wrong.items()}
    price[wrong["price"], 1] += 150
    box[wrong["box"]] += 2.5
    eyes[wrong["eyes"]] = eyes[wrong["eyes"]][:, ::-1]
    mask[wrong["mask"]] = 1 - mask[wrong["mask"]]
    tags[wrong["tags"], 1] ^= True
    labels = {
        "kind": [CLASSES[(k + 1) % 3 if bad else k] for k, bad in zip(kind, rows["kind"], strict=True)],
        "sold": sold ^ rows["sold"],
        "tags": [[CLASSES[k] for k in np.flatnonzero(row)] for row in tags],
        "width": price[:, 0],
        "depth": price[:, 1],
        "box": box,
        "mask": mask,
        "eyes": eyes,
    }
    return said, labels, wrong


HEADS = {
    "kind": ph.Categorical(CLASSES),
    "sold": ph.Binary(),
    "tags": ph.MultiLabel(CLASSES),
    "price": ph.Regression(2, column=["width", "depth"]),
    "box": ph.Boxes(1),
    "mask": ph.Mask(),
    "eyes": ph.Keypoints(2),
}


@pytest.fixture(scope="module")
def made():
    said, labels, wrong = planted()
    data = {"image": np.zeros((ROWS, 8, 8, 1), "float32"), **labels, "id": [f"n{i}" for i in range(ROWS)]}
    data |= {f"{name}_said": values.astype("float32") for name, values in said.items()}
    inputs = {"image": ph.Image(8, 8, 1), **{f"{name}_said": ph.Array() for name in said}}
    feed = ph.Feed(data, inputs=inputs, heads=HEADS, batch_size=100)
    ends = {name: keras.Input(kind.shape, name=name) for name, kind in feed.inputs.items()}
    return feed, echo(ends, {name: ends[f"{name}_said"] for name in HEADS}), wrong


@pytest.fixture(scope="module")
def evaluation(made):
    feed, model, _ = made
    return ph.evaluate(model, feed, intervals=None)


@pytest.mark.parametrize(
    ("head", "least"),
    [
        ("kind", 0.8),
        ("sold", 0.8),
        ("tags", 0.8),
        ("price", 0.9),
        ("box", 0.9),
        ("mask", 0.9),
        ("eyes", 0.9),
    ],
)
def test_planted_labels_come_first(made, evaluation, head, least):
    _, _, wrong = made
    first = evaluation.suspects(head).ids[:WRONG]
    precision = len(set(first) & set(wrong[head].tolist())) / WRONG
    assert precision >= least


def test_what_the_model_says_instead(made, evaluation):
    feed, _, _ = made
    labels = feed.source.read(np.arange(ROWS))
    for head in ("kind", "sold", "tags"):
        one = evaluation.suspects(head, 1)[0]
        label = labels[head][one.row]
        assert one.label == (label if isinstance(label, (list, str)) else bool(label))
        assert one.predicted != one.label
        assert one.names == {"id": f"n{one.row}"}
        assert 0.5 < one.disagreement <= 1
    (width,) = evaluation.suspects("price", 1)
    assert width.part == "depth"
    assert width.label == pytest.approx(labels["depth"][width.row], rel=1e-5)
    assert width.label - width.predicted == pytest.approx(150, abs=90)
    (box,) = evaluation.suspects("box", 1)
    assert (box.part, box.label) == (None, pytest.approx(labels["box"][box.row].tolist(), rel=1e-5))
    assert {one.label for one in evaluation.suspects("mask")[:5]} <= {0, 1}
    (eyes,) = evaluation.suspects("eyes", 1)
    assert eyes.label == pytest.approx(labels["eyes"][eyes.row][eyes.part].tolist(), rel=1e-5)


def test_as_a_table(evaluation):
    suspects = evaluation.suspects("kind", 3)
    frame = suspects.to_pandas()
    assert frame.columns.tolist() == ["row", "id", "label", "predicted", "disagreement"]
    assert frame["row"].tolist() == [one.row for one in suspects] == suspects.ids
    lines = str(suspects).splitlines()
    assert lines[0].split() == ["row", "id", "label", "predicted", "disagreement"]
    assert len(lines) == 5
    assert str(evaluation.suspects("price")).splitlines()[0].split()[2] == "part"


@pytest.mark.once
def test_suspects_have_the_index_of_the_frame():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(4)
    true = rng.normal(size=60)
    index = pd.Index(rng.permutation(60) + 100, dtype="int16", name="house")
    frame = pd.DataFrame({"said": true + rng.normal(0, 0.01, 60), "y": true}, index=index)
    frame.loc[[107, 131], "y"] += 5
    tensor = keras.Input((1,), name="said")
    model = keras.Model(tensor, {"y": keras.layers.Activation("linear", name="y")(tensor)})
    feed = ph.Feed(frame, inputs="said", heads={"y": ph.Regression()})
    folds = feed.source.split((0.5, 0.5), seed=1)
    parts = [ph.evaluate(model, feed.on(fold), intervals=None) for fold in folds]
    for found in (ph.evaluate(model, feed, intervals=None), parts[0].join(parts[1])):
        table = found.suspects("y", 2).to_pandas()
        assert sorted(table.index) == [107, 131]
        assert (table.index.name, table.index.dtype) == ("house", "int16")
        assert frame.loc[table.index, "y"].to_numpy() == pytest.approx(table["label"].to_numpy(), rel=1e-6)
        assert table.columns.tolist() == ["row", "label", "predicted", "disagreement"]
        assert str(found.suspects("y")).splitlines()[0].split()[:2] == ["row", "index"]


def test_a_page(evaluation, tmp_path):
    page = evaluation.suspects("kind").save(tmp_path / "suspects.html", n=2).read_text(encoding="utf-8")
    assert page.count('class="pair"') == 2
    assert "<h1>Suspect labels of kind</h1>" in page
    assert f"{evaluation.suspects('kind')[0].names['id']}, disagreement 0.9" in page


def test_arguments(evaluation):
    twice = copy.copy(evaluation)
    twice.ids = np.where(evaluation.ids == 1, 0, evaluation.ids)
    for call, message in (
        (lambda: evaluation.suspects("kind", 0), "suspects(n=): expected an integer of at least 1, got 0."),
        (
            lambda: evaluation.suspects("kind").save("page.pdf"),
            "save(path): expected the name of a file that ends in .html, got 'page.pdf'.",
        ),
        (lambda: evaluation.join(3), "join(*others): expected Evaluations, got 3."),
        (
            lambda: evaluation.join(evaluation),
            "join(*others): expected evaluations of different rows, got row 0 in two of them, and 299 more. Make the "
            "folds of one source, with source.split or source.select, so that each row keeps its number.",
        ),
        (
            lambda: twice.join(evaluation),
            "join(*others): expected evaluations of different rows, got row 0 twice in one of them, and 298 more. "
            "Evaluate each row once: source.select(np.unique(rows)).",
        ),
    ):
        with pytest.raises(ph.ContractError) as error:
            call()
        assert str(error.value) == message


def test_no_suspects():
    feed = ph.Feed({"x": np.arange(9.0), "y": np.arange(9.0)}, inputs="x", heads={"y": ph.Regression()})
    x = keras.Input((1,), name="x")
    model = keras.Model(x, {"y": keras.layers.Activation("linear", name="y")(x)})
    found = ph.evaluate(model, feed, intervals=None).suspects("y")
    assert (found.ids, str(found)) == ([], "No suspect labels of head `y`.")
    assert found.to_pandas().columns.tolist() == ["row", "label", "predicted", "disagreement"]


def test_boxes_that_nobody_labeled():
    """Half of the labels of two boxes are gone in some rows, and a class is wrong in others."""
    rows = 60
    corner = RNG.uniform(0, 3, (rows, 2, 2)) + [[[0, 0]], [[0, 5]]][0]
    boxes = np.concatenate([corner, corner + 2], -1)
    boxes[:, 1, [0, 2]] += 4
    what = RNG.integers(0, 2, (rows, 2))
    data = {
        "image": np.zeros((rows, 8, 8, 1), "float32"),
        "box": list(boxes),
        "what": [w.tolist() for w in what],
    }
    for row in (4, 20):
        data["box"][row], data["what"][row] = boxes[row, :1], data["what"][row][:1]
    data["what"][7] = [1 - data["what"][7][0], data["what"][7][1]]
    data |= {"a": (boxes + RNG.normal(size=boxes.shape) * 0.1).astype("float32")}
    data |= {"b": (what[..., None] == [0, 1]) * 0.8 + 0.1, "c": np.full((rows, 2, 1), 0.9, "float32")}
    heads = {
        "box": ph.Boxes(2),
        "there": ph.Binary(each="box", column="box"),
        "what": ph.Categorical(2, each="box"),
    }
    inputs = {"image": ph.Image(8, 8, 1), "a": ph.Array(), "b": ph.Array(), "c": ph.Array()}
    feed = ph.Feed(data, inputs=inputs, heads=heads, batch_size=rows)
    ends = {name: keras.Input(kind.shape, name=name) for name, kind in feed.inputs.items()}
    model = echo(ends, {"box": ends["a"], "what": ends["b"], "there": ends["c"]})
    found = ph.evaluate(model, feed, intervals=None)
    overlooked = [one for one in found.suspects("box") if one.label is None]
    assert {one.row for one in overlooked} == {4, 20}
    assert overlooked[0].predicted == pytest.approx(boxes[overlooked[0].row, 1].tolist(), abs=0.5)
    assert [(one.row, one.part) for one in found.suspects("what")] == [(7, 0)]
    assert {(one.row, one.part) for one in found.suspects("there")} == {(4, 1), (20, 1)}


def test_all_rows_by_folds():
    """Each fold is evaluated by a model that was trained on the others."""
    drawn = np.random.default_rng(1)
    x = drawn.normal(size=(240, 2)).astype("float32")
    wrong = drawn.permutation(240)[:12]
    label = (x[:, 0] > 0) ^ np.isin(np.arange(240), wrong)
    source = ph.read_table({"x": x, "y": label, "id": [f"n{i}" for i in range(240)]})
    folds = source.split((1 / 3, 1 / 3, 1 / 3), seed=0)
    found = []
    for k, fold in enumerate(folds):
        rest = [other for i, other in enumerate(folds) if i != k]
        feed = ph.Feed(
            rest[0].concat(*rest[1:]), inputs="x", heads={"y": ph.Binary()}, batch_size=80, shuffle=True
        )
        inputs = keras.Input((2,), name="x")
        model = keras.Model(inputs, ph.outputs(inputs, feed))
        ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.3))
        model.fit(feed, epochs=8, verbose=0)
        found.append(ph.evaluate(model, feed.on(fold), intervals=None))
    joined = found[0].join(*found[1:])
    assert sorted(joined.ids) == list(range(240))
    assert joined["y"].rows == 240
    right = sum(one["y"]["accuracy"].value * one["y"].rows for one in found)
    assert joined["y"]["accuracy"].value == pytest.approx(right / 240)
    suspects = joined.suspects("y")
    assert len(set(suspects.ids[:12]) & set(wrong.tolist())) >= 9
    assert all(one.names == {"id": f"n{one.row}"} for one in suspects)
    assert len(joined._rows.samples([0, 239, 100])) == 3
    with pytest.raises(ph.ContractError) as error:
        joined.tune("y")
    assert str(error.value) == (
        "tune(): expected an evaluation of one model, got several that were joined. Evaluate the final model on rows "
        "that it was not trained on."
    )


@pytest.mark.once
def test_numbers_of_a_logarithmic_scale_are_compared_in_logarithms():
    rng = np.random.default_rng(8)
    true, wrong = np.exp(rng.normal(8, 1.5, 200)), np.arange(0, 200, 40)
    said, price = true * np.exp(rng.normal(0, 0.1, 200)), true.copy()
    price[wrong] *= [20, 0.05, 30, 0.03, 0.1]
    heads = {"price": ph.Regression(scale="log")}
    feed = ph.Feed({"said": said, "price": price}, inputs="said", heads=heads)
    scaled = feed.heads["price"].scaling.transform(said[:, None])
    tensor = keras.Input((1,), name="said")
    model = keras.Model(tensor, {"price": keras.layers.Activation("linear", name="price")(tensor)})
    suspects = ph.evaluate(model, feed.on({"said": scaled, "price": price}), intervals=None).suspects("price")
    assert sorted(suspects.ids[:5]) == wrong.tolist()
    assert len(suspects) < 10
    assert [one.label for one in suspects] == pytest.approx(price[suspects.ids].tolist(), rel=1e-4)
    assert [one.predicted for one in suspects] == pytest.approx(said[suspects.ids].tolist(), rel=1e-4)


def test_what_stands_out():
    assert outlying(np.array([np.nan, np.nan])).tolist() == []
    assert outlying(np.array([0.0, 0, 0, 1, np.nan])).tolist() == [3]
    assert confident(*(np.zeros(0, int),) * 4).tolist() == []


def test_boxes_and_points_are_in_pixels_of_the_photographs(tmp_path):
    """Of files and of a store of them, whatever the model predicts, in the format of the column."""
    pytest.importorskip("cv2")
    from PIL import Image

    rng, rows, wrong = np.random.default_rng(2), 12, 5
    sizes = np.array([(60 + 5 * i, 90) for i in range(rows)])
    scale = 32 / sizes.max(1, keepdims=True)
    corner = rng.uniform(10, 20, (rows, 2))
    boxes = np.concatenate([corner, rng.uniform(20, 30, (rows, 2))], 1)
    points = np.stack([corner, corner + boxes[:, 2:]], 1)
    bars = (32 - sizes[:, ::-1] * scale) / 2  # beside the image, as fit="contain" leaves them
    said = points * scale[..., None] + bars[:, None] + rng.normal(0, 0.05, points.shape)
    boxes[wrong, 0] += 25
    points[wrong, 1] += 30
    for i, (height, width) in enumerate(sizes.tolist()):
        Image.new("RGB", (width, height)).save(tmp_path / f"{i}.png")
    data = {
        "image": [str(tmp_path / f"{i}.png") for i in range(rows)],
        "box": list(boxes),
        "eyes": points,
        "box_said": (said.reshape(rows, 1, 4) / 32).astype("float32"),
        "eyes_said": (said / 32).astype("float32"),
    }
    unit = {"normalized": True, "column_normalized": False}
    heads = {"box": ph.Boxes(1, format="xywh", **unit), "eyes": ph.Keypoints(2, **unit)}
    inputs = {"image": ph.Image(32, 32, fit="contain"), "box_said": ph.Array(), "eyes_said": ph.Array()}
    feed = ph.Feed(data, inputs=inputs, heads=heads, batch_size=4)
    ends = {name: keras.Input(kind.shape, name=name) for name, kind in feed.inputs.items()}
    model = echo(ends, {name: ends[f"{name}_said"] for name in heads})
    store = ph.pack(feed, tmp_path / "s")
    parts = [
        ph.evaluate(model, feed.on(store.select(some)), intervals=None) for some in (range(4), range(4, rows))
    ]
    for found in (ph.evaluate(model, feed, intervals=None), parts[0].join(parts[1])):
        (box,), (eyes,) = found.suspects("box", 1), found.suspects("eyes", 1)
        assert box.row == eyes.row == wrong
        assert box.names["file"] == eyes.names["file"] == data["image"][wrong]
        assert box.label == pytest.approx(boxes[wrong].tolist(), abs=1e-3)
        assert box.predicted == pytest.approx([*corner[wrong], *boxes[wrong, 2:]], abs=1)
        assert (eyes.part, eyes.label) == (1, pytest.approx(points[wrong, 1].tolist(), abs=1e-3))
        assert eyes.predicted == pytest.approx((corner + boxes[:, 2:])[wrong].tolist(), abs=1)
