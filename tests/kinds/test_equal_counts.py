"""Rows that all happen to hold as many boxes, points or words are lists as others are."""

import numpy as np
import pytest

import polyhead as ph

ROWS = 4
IMAGES = np.zeros((ROWS, 16, 16, 3), np.uint8)


def some_boxes(count):
    return np.array([[1.0 + i, 1, 9 + i, 9] for i in range(count)])


def batch_of(feed):
    return next(iter(feed.batches()))


COUNTS = [2, 1, 3, 2]

COLUMNS = {
    "box": (lambda n: some_boxes(n), ph.Boxes(3)),
    "name": (lambda n: ["cat", "dog", "cow"][:n], ph.Categorical(["cat", "dog", "cow"], each="box")),
    "points": (lambda n: np.arange(n * 4.0).reshape(n, 2, 2), ph.Keypoints(2, each="box")),
    "age": (lambda n: np.arange(float(n)), ph.Regression(each="box")),
    "vector": (lambda n: np.arange(n * 2.0).reshape(n, 2), ph.Regression(2, each="box")),
    "ids": (lambda n: np.arange(n) + 1, ph.MultiLabel([1, 2, 3])),
    "words": (lambda n: np.array(["a", "b", "c"][:n]), ph.MultiLabel(["a", "b", "c"])),
}


def data(counts, form):
    rows = {name: [form(make(n)) for n in counts] for name, (make, _) in COLUMNS.items()}
    return {"image": IMAGES, **rows}


FORMS = {
    "arrays": lambda rows: rows if isinstance(rows, np.ndarray) else np.array(rows),
    "lists": lambda rows: rows.tolist() if isinstance(rows, np.ndarray) else list(rows),
}
HEADS = {name: head for name, (_, head) in COLUMNS.items()}


@pytest.mark.parametrize("augment", [(), [ph.Flip(p=0.0)]], ids=["as they are", "in a scene"])
@pytest.mark.parametrize("form", FORMS)
def test_what_other_rows_have_changes_nothing(form, augment):
    inputs = {"image": ph.Image()}
    mixed = ph.Feed(
        data(COUNTS, FORMS[form]), inputs=inputs, heads=HEADS, batch_size=ROWS, augment=augment, workers=0
    )
    expected = batch_of(mixed)
    for count in (1, 2, 3):
        at = COUNTS.index(count)
        alike = data([count] * ROWS, FORMS[form])
        feeds = [mixed.on(alike, augment=augment)]
        feeds.append(ph.Feed(alike, inputs=inputs, heads=HEADS, batch_size=ROWS, augment=augment, workers=0))
        for feed in feeds:
            found = batch_of(feed)
            for name in HEADS:
                np.testing.assert_array_equal(found.labels[name][0], expected.labels[name][at], name)
                if found.weights is not None and found.weights[name] is not None:
                    np.testing.assert_array_equal(found.weights[name][0], expected.weights[name][at], name)


@pytest.mark.parametrize("form", FORMS)
def test_labels_are_learned_of_rows_of_one_count(form):
    words = [FORMS[form](np.array(row)) for row in (["a", "b"], ["c", "a"])]
    ids = [FORMS[form](np.array(row)) for row in ([3, 5], [5, 4])]
    for column, classes in ((words, ("a", "b", "c")), (ids, (3, 4, 5))):
        feed = ph.Feed(
            {"x": np.zeros(2), "y": column}, inputs="x", heads={"y": ph.MultiLabel()}, batch_size=2
        )
        assert feed.heads["y"].names == classes
        assert feed.peek()[1]["y"].sum(axis=1).tolist() == [2, 2]


def test_rows_of_zeros_and_ones_stay_one_place_for_each_label():
    rows = [np.array([0, 1, 1]), np.array([1, 0, 1])]
    feed = ph.Feed({"x": np.zeros(2), "y": rows}, inputs="x", heads={"y": ph.MultiLabel()}, batch_size=2)
    assert feed.peek()[1]["y"].tolist() == [[0, 1, 1], [1, 0, 1]]


def test_sources_of_one_count_each_stand_end_to_end():
    two = ph.read_table({"x": np.zeros(2), "box": [some_boxes(2)] * 2})
    three = ph.read_table({"x": np.zeros(2), "box": [some_boxes(3)] * 2})
    feed = ph.Feed(two.concat(three), inputs="x", heads={"box": ph.Boxes(4)}, batch_size=4)
    _, y, w = feed.peek()
    assert w["box"].sum(axis=1).tolist() == [2, 2, 3, 3]
    assert y["box"][3, 2].tolist() == [3, 1, 11, 9]


@pytest.mark.parametrize("form", FORMS)
def test_weights_of_each_box(form):
    column = {"box": [some_boxes(2)] * 2, "w": [FORMS[form](np.array([0.5, 2.0]))] * 2}
    heads = {"box": ph.Boxes(3, sample_weight="w")}
    feed = ph.Feed({"x": np.zeros(2), **column}, inputs="x", heads=heads, batch_size=2)
    assert feed.peek()[2]["box"].tolist() == [[0.5, 2, 0]] * 2


def test_an_array_of_one_box_a_row_has_room_for_more():
    column = np.tile([1.0, 1, 9, 9], (ROWS, 1))
    column[2] = np.nan
    batches = [
        batch_of(ph.Feed({"image": IMAGES, "box": box}, inputs="image", heads={"box": ph.Boxes(3)}))
        for box in (column, [row[None] for row in column])
    ]
    for found in batches:
        assert np.array_equal(found.labels["box"][0], [[1, 1, 9, 9], [0, 0, 0, 0], [0, 0, 0, 0]])
        assert np.array_equal(found.weights["box"], [[1, 0, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]])
        assert (found.labels["box"][2] == -1).all()  # nobody looked


def test_nested_lists_of_pandas_are_those_of_arrow():
    pa = pytest.importorskip("pyarrow", reason="it makes the nested lists")
    pytest.importorskip("pandas", reason="it holds them as arrays of arrays")
    mask = np.eye(16, dtype=int).tolist()
    columns = {
        "box": [[[1.0, 1, 5, 5]], [], None, [[1.0, 1, 5, 5], [0.0, 0, 2, 3]]],
        "name": [["a"], [], None, ["b", None]],
        "vector": [[[3.0, 4]], [], None, [[1.0, 2], [5.0, 6]]],
        "points": [[[[2.0, 2]]], [], None, [[[1.0, 1]], [[None, None]]]],
        "part": [[mask], [], None, [mask, mask]],
        "mask": [mask, mask, mask, None],
        "grid": [[[1.0, 2], [3, 4], [5, 6]]] * 3 + [[[1.0, None], [3, 4], [5, 6]]],
    }
    heads = {
        "box": ph.Boxes(2),
        "name": ph.Categorical(["a", "b"], each="box"),
        "vector": ph.Regression(2, each="box"),
        "points": ph.Keypoints(1, each="box"),
        "part": ph.Mask(each="box"),
        "mask": ph.Mask(size=(16, 16)),
        "grid": ph.Regression((3, 2)),
    }
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    frame = table.to_pandas()
    for size in (16, 32):
        sources = (columns, table, frame)
        inputs = {"image": ph.Image(size, size)}
        made = [ph.Feed({"image": IMAGES, **_columns(s)}, inputs=inputs, heads=heads) for s in sources]
        expected, *others = map(batch_of, made)
        for found in others:
            for name in heads:
                assert np.array_equal(found.labels[name], expected.labels[name])
                assert np.array_equal(found.weights[name], expected.weights[name])


def _columns(source):
    names = ("box", "name", "vector", "points", "part", "mask", "grid")
    return {name: source[name] for name in names}
