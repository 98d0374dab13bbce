"""What each of several boxes is like is judged box by box: labels that are there, each by its weight."""

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

import polyhead as ph
from echoes import echo

ROWS, PLACES = 60, 3
RNG = np.random.default_rng(1)
COUNT = RNG.integers(0, PLACES + 1, ROWS)
ASKED = np.arange(ROWS) % 5 > 0


def of_boxes(make, missing=0.2):
    """A label for each box of each row, some of them missing."""
    return [[None if RNG.random() < missing else make() for _ in range(count)] for count in COUNT]


DATA = {
    "some": ASKED,
    "box": [
        None if i == 3 else RNG.uniform([0, 0, 8, 8], 8 + np.zeros(4), (n, 4)) for i, n in enumerate(COUNT)
    ],
    "kind": of_boxes(lambda: "abc"[RNG.integers(3)]),
    "tame": of_boxes(lambda: bool(RNG.random() < 0.4)),
    "age": of_boxes(lambda: float(RNG.normal(50, 10))),
    "weight": of_boxes(lambda: float(RNG.integers(0, 4)), missing=0),
    "some_said": RNG.random((ROWS, 1)).astype("float32"),
    "box_said": np.zeros((ROWS, PLACES, 4), "float32"),
    "kind_said": RNG.dirichlet([1, 1, 1], (ROWS, PLACES)).astype("float32"),
    "tame_said": RNG.random((ROWS, PLACES, 1)).astype("float32"),
    "age_said": RNG.normal(size=(ROWS, PLACES, 1)).astype("float32"),
}
HEADS = {
    "some": ph.Binary(),
    "box": ph.Boxes(PLACES, given="some"),
    "kind": ph.Categorical(["a", "b", "c"], each="box", sample_weight="weight", class_weight="balanced"),
    "tame": ph.Binary(each="box"),
    "age": ph.Regression(each="box", sample_weight="weight", scale="standard"),
}


@pytest.fixture(scope="module")
def judged():
    inputs = {f"{name}_said": ph.Array() for name in HEADS}
    feed = ph.Feed(DATA, inputs=inputs, heads=HEADS, batch_size=20)
    ends = {name: keras.Input(kind.shape, name=name) for name, kind in feed.inputs.items()}
    model = echo(ends, {name: ends[f"{name}_said"] for name in HEADS})
    return feed, ph.evaluate(model, feed, resamples=20)


def places_of(name):
    """The rows and places that count for a head, and their labels and weights."""
    rows = [i for i in range(ROWS) if ASKED[i] and DATA["box"][i] is not None]
    at = [(i, j) for i in rows for j in range(COUNT[i]) if DATA[name][i][j] is not None]
    weights = [DATA["weight"][i][j] if HEADS[name].sample_weight else 1.0 for i, j in at]
    return at, [DATA[name][i][j] for i, j in at], weights


def test_classes_and_numbers_of_boxes_are_those_of_scikit_learn(judged):
    feed, found = judged
    at, labels, weights = places_of("kind")
    said = [int(DATA["kind_said"][place].argmax()) for place in at]
    true = ["abc".index(label) for label in labels]
    assert found["kind"]["accuracy"].value == pytest.approx(
        sk.accuracy_score(true, said, sample_weight=weights)
    )
    f1 = sk.f1_score(true, said, average="macro", sample_weight=weights)
    assert found["kind"]["f1_macro"].value == pytest.approx(f1)
    confusion = sk.confusion_matrix(true, said, sample_weight=weights)
    assert np.allclose(found["kind"].details["confusion"], confusion)
    assert found["kind"].rows == len({row for (row, _), weight in zip(at, weights, strict=True) if weight})
    at, labels, _ = places_of("tame")
    said = [DATA["tame_said"][place].item() for place in at]
    assert found["tame"]["roc_auc"].value == pytest.approx(sk.roc_auc_score(labels, said))
    assert found["tame"]["f1"].value == pytest.approx(sk.f1_score(labels, np.array(said) >= 0.5))
    at, labels, weights = places_of("age")
    said = feed.heads["age"].unscaled(np.array([[DATA["age_said"][place].item()] for place in at]))[:, 0]
    for name, measure in (("mae", sk.mean_absolute_error), ("r2", sk.r2_score)):
        expected = measure(labels, said, sample_weight=weights)
        assert found["age"][name].value == pytest.approx(expected, rel=1e-5)


def test_they_have_rows_of_their_own_in_the_table_and_on_the_page(judged, tmp_path):
    _, found = judged
    frame = found.to_pandas().set_index(["head", "metric"])
    page = found.save(tmp_path / "report.html", worst=0).read_text(encoding="utf-8")
    for head, metric in (("kind", "accuracy"), ("tame", "f1"), ("age", "mae")):
        value = found[head][metric]
        assert frame.loc[(head, metric), "value"] == value.value
        assert value.low <= value.value <= value.high
        assert f"<h2>{head}</h2>" in page
        assert value.between in page
    assert found.calibrate("kind") > 0
    assert 0 <= found.tune("tame") <= 1
