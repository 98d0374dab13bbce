"""A declaration as a file: what comes back is what was saved, and damage is told."""

import datetime
import json
import random
import warnings
from dataclasses import dataclass, field
from decimal import Decimal

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyhead as ph
from polyhead.kinds.json_form import from_json, to_json
from polyhead.kinds.scales import SCALES, NamedScaling

names = st.text(min_size=1, max_size=8)
labels = st.one_of(
    names,
    st.integers(-(2**63), 2**63 - 1),
    st.dates(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.binary(),
)
weights = st.floats(0, 1e6, allow_nan=False)
sizes = st.tuples(st.integers(1, 512), st.integers(1, 512))


@st.composite
def commons(draw, **more):
    """Arguments that all heads take."""
    options = {
        "column": st.one_of(st.none(), names),
        "weight": weights,
        "given": st.one_of(st.none(), names),
        "missing": st.one_of(st.none(), st.just(float("nan")), st.integers(), names, st.just(float("inf"))),
        "sample_weight": st.one_of(st.none(), names),
        "loss": st.one_of(st.none(), st.just("mse")),
        **more,
    }
    return {name: draw(strategy) for name, strategy in options.items()}


@st.composite
def scales(draw, numbers):
    """A scale by name, fitted or not."""
    name = draw(st.sampled_from(SCALES))
    center = draw(st.lists(st.floats(-1e9, 1e9), min_size=numbers, max_size=numbers))
    width = draw(st.lists(st.floats(1e-9, 1e9), min_size=numbers, max_size=numbers))
    return draw(st.sampled_from([name, NamedScaling(name, tuple(center), tuple(width))]))


@st.composite
def kinds(draw):
    several = st.lists(labels, min_size=2, max_size=5, unique=True)
    classes = draw(st.one_of(st.integers(2, 9), several))
    common = draw(commons())
    known = list(range(classes)) if isinstance(classes, int) else classes
    weighed = draw(st.one_of(st.none(), st.just("balanced"), st.just(dict.fromkeys(known, 1.5))))
    makers = [
        lambda: ph.Binary(positive=draw(st.one_of(st.none(), names, st.integers())), **common),
        lambda: ph.Categorical(classes, one_hot=draw(st.booleans()), class_weight=weighed, **common),
        lambda: ph.MultiLabel(classes, class_weight=weighed, **common),
        lambda: ph.Regression(draw(st.integers(1, 4)), **common),
        lambda: ph.Regression(2, scale=draw(scales(2)), **common),
        lambda: ph.Map(3, scale=draw(scales(3)), size=draw(sizes), **common),
        lambda: ph.Array(2, scale=draw(scales(2)), column=common["column"]),
        lambda: ph.Embedding(draw(st.integers(2, 4)), **common),
        lambda: ph.Mask(draw(st.integers(1, 9)), size=draw(sizes), outside=0, **common),
        lambda: ph.Mask(2, values=(0, draw(st.integers(1, 255))), **{**common, "missing": None}),
        lambda: ph.Map(draw(st.integers(1, 4)), scale=draw(st.floats(1e-3, 1e3)), size=draw(sizes), **common),
        lambda: ph.Boxes(draw(st.integers(1, 9)), format=draw(st.sampled_from(["xyxy", "xywh"])), **common),
        lambda: ph.Keypoints(
            3, pairs=[(0, draw(st.integers(1, 2)))], normalized=draw(st.booleans()), **common
        ),
        lambda: ph.Array(draw(sizes), dtype="int32", column=common["column"]),
        lambda: ph.Image(
            *draw(sizes), range=(0, draw(st.integers(1, 65535))), photometric=draw(st.booleans())
        ),
    ]
    return draw(st.sampled_from(makers))()


@pytest.mark.once
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=kinds())
def test_a_kind_comes_back_as_it_was(kind):
    found = from_json(json.loads(json.dumps(to_json(kind, "it"), allow_nan=False)), "it")
    assert type(found) is type(kind)
    assert repr(found) == repr(kind)  # NaN does not equal itself
    if kind.__dict__.get("missing") == kind.__dict__.get("missing"):
        assert found == kind


def rows():
    """Rows with labels of many kinds."""
    return {
        "image": np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3),
        "seen": [1, 0, None, 1],
        "animal": ["dog", "cat", None, "dog"],
        "day": [datetime.date(2024, 1, 2), datetime.date(2023, 5, 6)] * 2,
        "span": [datetime.timedelta(hours=3), datetime.timedelta(microseconds=5)] * 2,
        "price": [Decimal("1.5"), Decimal("2.5")] * 2,
        "tags": [["a"], ["b", "a"], [], None],
        "box": [[[0, 0, 4, 4]], [], None, [[1, 1, 5, 6], [2, 2, 3, 3]]],
        "each": [["x"], [], None, ["y", "x"]],
        "mask": np.array([[[0, 255] * 4] * 8] * 4, np.uint8),
        "depth": np.linspace(0, 9, 4 * 64, dtype=np.float32).reshape(4, 8, 8),
        "points": np.arange(4 * 2 * 2.0).reshape(4, 2, 2) / 4,
        "age": [30.0, np.nan, 40.0, 50.0],
        "vector": np.eye(4, 5),
    }


def declared():
    return {
        "seen": ph.Binary(class_weight="balanced"),
        "animal": ph.Categorical(class_weight={"cat": 2.0}),
        "day": ph.Categorical(one_hot=True),
        "span": ph.Categorical(),
        "tags": ph.MultiLabel(),
        "box": ph.Boxes(2, format="xywh", given="seen"),
        "each": ph.Categorical(each="box"),
        "mask": ph.Mask(values=(0, 255), outside=0),
        "depth": ph.Map(scale=0.5),
        "points": ph.Keypoints(2, normalized=True, column_normalized=False, pairs=[(0, 1)]),
        "age": ph.Regression(loss=keras.losses.Huber(delta=0.5), metrics=["mae"]),
        "vector": ph.Embedding(5, weight=0.5),
        "worth": ph.Regression(column="age", scale="log"),
        "far": ph.Map(column="depth", scale="robust"),
    }


def feed(**more):
    return ph.Feed(rows(), inputs={"image": ph.Image(6, 6)}, heads=declared(), batch_size=4, **more)


@pytest.mark.once
@dataclass(frozen=True, repr=False)
class Ranked(ph.Regression):
    """A kind of the user's, which learns a number."""

    _top: float = field(default=0.0, init=False, repr=False, compare=False)

    def resolve(self, column):
        return super().resolve(column).fixed(_top=float(max(column.probe())))


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (Ranked(), [1.5, 0.5, 2.5]),
        (ph.Categorical(), [-1, 0, 1]),
        (ph.MultiLabel(), [[-1, 0], [1], []]),
        (ph.Categorical(), ["cat", "Cat", "dog"]),
        (ph.Categorical(), [True, None, False]),
        (ph.Binary(positive="yes"), ["yes", "no", "yes"]),
    ],
)
def test_what_was_learned_comes_back(kind, column):
    feed = ph.Feed({"x": np.zeros(3), "y": column}, inputs="x", heads={"y": kind})
    found = ph.Declaration.from_dict(json.loads(json.dumps(feed.declaration.to_dict())))
    assert vars(found.heads["y"]) == vars(feed.heads["y"])


def test_what_is_loaded_makes_the_same_batches(tmp_path):
    train = feed()
    train.declaration.save(tmp_path / "pets.json")
    loaded = ph.Declaration.load(tmp_path / "pets.json")
    assert loaded.heads["animal"].names == ("cat", "dog")
    assert loaded.heads["age"].loss(np.array([[0.0]]), np.array([[2.0]])) == 0.5 * 2 - 0.125
    other = loaded.feed(rows(), batch_size=4)
    for mine, theirs in zip(train.peek(), other.peek(), strict=True):
        for name, array in mine.items():
            assert np.array_equal(array, theirs[name]), name
    # of rows that hold less, what was learned stays
    fewer = {**rows(), "animal": ["dog"] * 4}
    assert loaded.feed(fewer, batch_size=4).peek()[1]["animal"].tolist() == [1] * 4


def test_losses_and_metrics_are_the_same_if_they_are_saved_as_the_same(tmp_path):
    def declared(gamma, loss=None):
        loss = loss or keras.losses.BinaryFocalCrossentropy(gamma=gamma)
        return ph.Declaration(
            {"x": ph.Array(2)}, {"y": ph.Binary(loss=loss, metrics=[keras.metrics.AUC(name="auc")])}
        )

    one = declared(3.0)
    one.save(tmp_path / "one.json")
    assert ph.Declaration.load(tmp_path / "one.json") == one == declared(3.0)
    assert one != declared(2.0)
    assert declared(3.0, lambda true, pred: pred) != one != 3


def test_rows_without_labels_are_predicted(tmp_path):
    feed().declaration.save(tmp_path / "pets.json")
    new = ph.Declaration.load(tmp_path / "pets.json").feed({"image": rows()["image"]}, batch_size=2)
    assert [x["image"].shape for (x,) in new] == [(2, 6, 6, 3)] * 2


def test_the_file_can_be_read_and_written_by_people(tmp_path):
    path = tmp_path / "pets.json"
    feed().declaration.save(path)
    found = json.loads(path.read_text())
    assert found["polyhead_declaration"] == 2
    assert found["heads"]["box"] == {"kind": "Boxes", "max_boxes": 2, "format": "xywh", "given": "seen"}
    found["heads"]["box"]["max_boxes"] = 3
    path.write_text(json.dumps(found))
    with pytest.raises(ph.DataError) as error:
        ph.Declaration.load(path)
    assert str(error.value) == (
        f"file {path}, declaration: expected the checksum it was saved with, got another one. "
        'If you changed it by hand, leave its entry "checksum" out.'
    )
    del found["checksum"]
    path.write_text(json.dumps(found))
    assert ph.Declaration.load(path).heads["box"].max_boxes == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: {**d, "polyhead_declaration": 3},
            "declaration: expected version 2 or older, got 3. A newer polyhead wrote it: install that one.",
        ),
        (lambda d: [d], 'declaration: expected a dict with "polyhead_declaration", got ['),
        (
            lambda d: {**d, "haeds": {}},
            "declaration: expected the entries polyhead_declaration, inputs, heads, checksum, got 'haeds'. "
            "Did you mean `heads`?",
        ),
        (lambda d: {**d, "heads": {}}, "declaration, heads: expected a dict of kinds by name, got {}"),
        (
            lambda d: {**d, "heads": {"box": {"kind": "Boxs"}}},
            "head `box`: expected a kind of head, got 'Boxs'. Did you mean `Boxes`?",
        ),
        (
            lambda d: {**d, "heads": {"box": {"kind": "Image"}}},
            "head `box`: expected a kind of head, got 'Image'.",
        ),
        (
            lambda d: {**d, "heads": {"box": {"kind": "own.heads.Angle"}}},
            "head `box`: expected a kind of head, got 'own.heads.Angle'. Import own.heads first.",
        ),
        (
            lambda d: {**d, "heads": {"box": {"kind": "Boxes", "max_box": 2}}},
            "Did you mean `max_boxes`?",
        ),
        (
            lambda d: {**d, "heads": {"box": {"kind": "Boxes", "max_boxes": "2"}}},
            "head `box`, Boxes(max_boxes): expected an integer of at least 1, got '2'.",
        ),
        (
            lambda d: {**d, "heads": {"box": {"kind": "Boxes", "missing": {"date": "x"}}}},
            "head `box`, missing=: expected a value of the form 'date', got 'x'.",
        ),
        (
            lambda d: {**d, "heads": {"box": {"kind": "Boxes", "loss": {"keras": {"class_name": "Own"}}}}},
            "head `box`, loss=: expected what Keras can load, got 'Own'.",
        ),
    ],
)
def test_what_is_no_declaration_is_told(tmp_path, change, words):
    found = {
        "polyhead_declaration": 1,
        "inputs": {"x": {"kind": "Array"}},
        "heads": {"box": {"kind": "Boxes"}},
    }
    path = tmp_path / "pets.json"
    path.write_text(json.dumps(change(found)))
    with pytest.raises(ph.DataError) as error:
        ph.Declaration.load(path)
    assert str(error.value).startswith(f"file {path}, ")
    assert words in str(error.value)


def test_a_file_that_is_not_there_or_no_json_is_told(tmp_path):
    path = tmp_path / "pets.json"
    with pytest.raises(ph.DataError, match="No such file or directory"):
        ph.Declaration.load(path)
    for text in (
        "",
        "{",
        "[" * 100_000,
        '{"heads": 1, "heads": 2}',
        '{"weight": NaN}',
        "\ufeff{}",
        "1" * 9999,
    ):
        path.write_text(text)
        with pytest.raises(ph.DataError, match="pets"):
            ph.Declaration.load(path)


def test_a_declaration_of_the_first_version_is_loaded(tmp_path):
    path = tmp_path / "old.json"
    heads = {"age": {"kind": "Regression"}, "depth": {"kind": "Map", "scale": 0.5}}
    path.write_text(
        json.dumps({"polyhead_declaration": 1, "inputs": {"x": {"kind": "Array"}}, "heads": heads})
    )
    assert ph.Declaration.load(path).heads == {"age": ph.Regression(), "depth": ph.Map(scale=0.5)}


def test_a_fitted_scale_is_written_in_plain_numbers():
    form = to_json(feed().heads["worth"], "it")
    logs = np.log([31.0, 41.0, 51.0])
    assert form["scale"]["scale"] == {
        "name": "log",
        "center": [pytest.approx(logs.mean())],
        "width": [pytest.approx(logs.std())],
    }


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"scale": {}}, "head `y`, scale=: expected a scale as Declaration.save writes it, got {}."),
        (
            {"scale": "log"},
            "head `y`, scale=: expected a value as Declaration.save writes it, got {'scale': 'log'}.",
        ),
        (
            {"scale": {"name": "lag", "center": [0], "width": [1]}},
            "head `y`, scale=, name: expected one of standard, minmax, robust, log, got 'lag'. "
            "Did you mean `log`?",
        ),
        (
            {"scale": {"name": "log", "center": [0], "width": [0]}},
            "head `y`, scale=, width: expected a list of finite numbers above 0, got [0].",
        ),
        (
            {"scale": {"name": "log", "center": [0, 1], "width": [1]}},
            "head `y`, scale=, width: expected 2 numbers, as center has, got 1.",
        ),
        (
            {"scale": {"name": "log", "center": [0, 1], "width": [1, 1]}},
            "head `y`, Regression(scale=): expected a scale of 1 number, as the shape says, got a scale of 2.",
        ),
        (
            {"scale": {"own": {"class_name": "Own"}, "low": [0], "high": [1]}},
            "head `y`, scale=: expected what Keras can load, got 'Own'. Import the module that registers it first, "
            "with @keras.saving.register_keras_serializable().",
        ),
        ("lag", "head `y`, Regression(scale=): expected"),
    ],
)
def test_a_damaged_scale_is_told(form, words):
    with pytest.raises(ph.ContractError) as error:
        from_json({"kind": "Regression", "scale": form}, "head `y`")
    assert str(error.value).startswith(words)


def test_a_path_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for path, words in (
        (tmp_path / "none" / "pets.json", "a folder that exists, got none. Make the folder first."),
        (folder, "a file, or a name that is free, got a folder."),
        (folder / ("a" * 300), "a file that can be written, got File name too long."),
    ):
        with pytest.raises(ph.DataError) as error:
            feed().declaration.save(path)
        assert str(error.value) == f"file {path}: expected {words}"
    assert list(tmp_path.rglob("*")) == [folder]


def test_a_function_that_keras_cannot_save_is_told():
    head = ph.Regression(loss=lambda true, pred: (true - pred) ** 2)
    declaration = ph.Declaration({"x": ph.Array()}, {"y": head})
    with warnings.catch_warnings(record=True) as of_keras, pytest.raises(ph.ContractError) as error:
        declaration.to_dict()
    assert not of_keras
    assert str(error.value).startswith(
        "head `y`, loss=: expected what Keras can save and load, got <function"
    )
    assert str(error.value).endswith(
        "Write it as a function with def, and decorate that with @keras.saving.register_keras_serializable()."
    )


def damaged(text, rng):
    """Some bytes of a text flipped, cut, doubled or put in the place of others."""
    data = bytearray(text)
    for _ in range(rng.randint(1, 3)):
        at, way = rng.randrange(len(data)), rng.randrange(5)
        if way == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            del data[at : at + rng.randint(1, 40)]
        elif way == 2:
            data[at:at] = data[at : at + rng.randint(1, 40)]
        elif way == 3:
            data[at : at + 1] = rng.choice(
                [b"{", b"}", b"[", b'"', b"null", b"-1", b"1e999", b"true", b"\\u0000"]
            )
        else:
            del data[at:]
        if not data:
            break
    return bytes(data)


def tampered(found, rng):
    """One value of a declaration replaced by a value of another kind, and no checksum to tell."""
    places = []

    def walk(one):
        for key in one if isinstance(one, dict) else range(len(one)):
            places.append((one, key))
            if isinstance(one[key], (dict, list)):
                walk(one[key])

    walk(found)
    one, key = rng.choice(places)
    values = [None, -1, 2.5, True, "x", [], {}, [[]], {"tuple": 1}, {"kind": "Binary"}, {"keras": {}}, 10**30]
    one[key] = rng.choice([*values, {"mapping": [[1]]}, {"float": "nan"}, {"set": [{"mapping": []}]}])
    return json.dumps(found).encode()


@pytest.mark.once
@pytest.mark.parametrize("count", [2000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.full])])
def test_damage_ends_in_an_error_or_in_what_was_saved(tmp_path, count):
    path, whole = tmp_path / "pets.json", feed().declaration
    whole.save(path)
    text, rng, refused = path.read_bytes(), random.Random(count), []
    for i in range(count):
        plain = {name: part for name, part in json.loads(text).items() if name != "checksum"}
        path.write_bytes(damaged(text, rng) if i % 2 else tampered(plain, rng))
        try:
            found = ph.Declaration.load(path)
        except ph.DataError as error:
            refused.append(str(error))
        else:
            repr(found)
            assert i % 2 == 0 or found.to_dict() == whole.to_dict()
    assert len(refused) > count / 2
    assert all(words.startswith(f"file {path}") for words in refused)
