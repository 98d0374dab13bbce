import numpy as np
import pytest

import polyhead as ph
from polyhead.sources.arrays import Arrays

BOXES = [
    np.array([[0, 0, 2, 2], [1, 1, 9, 5], [0, 0, 4, 8]], "float32"),
    np.zeros((0, 4)),
    None,
    [[3, 3, 5, 6]],
]
LABELS = [["cup", "cat", "dog"], [], None, ["cow"]]
POINTS = [np.arange(18.0).reshape(3, 2, 3), np.zeros((0, 2, 3)), None, np.ones((1, 2, 3))]


def rows(**more):
    columns = {"boxes": BOXES, "labels": LABELS, "keypoints": POINTS, "row": np.arange(4), **more}
    return Arrays(columns)


def read(source, *ids):
    return source.read(np.array(ids or range(len(source))))


def test_the_object_of_the_largest_box_and_what_goes_with_it():
    source = ph.largest(rows())
    assert source.columns == ("boxes", "labels", "keypoints", "row", "present")
    found = read(source)
    assert found["present"] == [True, False, None, True]
    assert found["labels"] == ["cat", None, None, "cow"]  # of two of one area the first
    assert [None if b is None else b.tolist() for b in found["boxes"]] == [
        [1, 1, 9, 5],
        None,
        None,
        [3, 3, 5, 6],
    ]
    np.testing.assert_array_equal(found["keypoints"][0], POINTS[0][1])
    assert found["row"].tolist() == [0, 1, 2, 3]
    assert read(source, 3, 0)["labels"] == ["cow", "cat"]


def test_columns_along():
    source = ph.largest(rows(), along=["labels"])
    assert len(read(source)["keypoints"][0]) == 3
    assert read(ph.largest(rows(), along="labels"))["labels"][0] == "cat"
    assert read(ph.largest(rows(), along=()))["labels"][0] == LABELS[0]
    other = Arrays({"around": BOXES, "name": LABELS})
    assert read(ph.largest(other, "around", along=["name"]))["name"] == ["cat", None, None, "cow"]


@pytest.mark.parametrize("names", ["labels", "present", "row", "present row", "labels boxes present"])
def test_some_columns_alone(names):
    source, names = ph.largest(rows()), names.split()
    found = read(source.only(names))
    assert set(found) == set(names)
    for name in names:
        np.testing.assert_equal(found[name], read(source)[name])
    assert source.column("labels") is None
    assert source.column("row").tolist() == [0, 1, 2, 3]


def test_boxes_without_numbers_come_last():
    boxes = [[[np.nan] * 4, [0, 0, 1, 1]], [[np.nan] * 4]]
    found = read(ph.largest(Arrays({"boxes": boxes})))
    assert found["boxes"][0].tolist() == [0, 0, 1, 1]
    assert np.isnan(found["boxes"][1]).all()


def test_heads_take_it():
    source = ph.largest(rows(image=np.zeros((4, 8, 8, 3), "uint8")))
    heads = {
        "present": ph.Binary(),
        "kind": ph.Categorical(column="labels", given="present"),
        "box": ph.Boxes(1, column="boxes", given="present"),
    }
    _, y, w = ph.Feed(source, inputs={"image": ph.Image(16, 16)}, heads=heads, batch_size=4).peek()
    assert y["present"][:, 0].tolist() == [1, 0, 0, 1]
    assert w["present"].ravel().tolist() == [1, 1, 0, 1]
    assert w["kind"].ravel().tolist() == [1, 0, 0, 1]
    assert y["box"][0, 0].tolist() == [2, 2, 16, 10]  # of 8 x 8 pixels, drawn twice as large
    parts = source.split((0.5, 0.5), stratify="present")
    assert sorted(len(part) for part in parts) == [2, 2]


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (
            lambda: ph.largest(rows(), "box"),
            "column `box`: expected a column of the data (boxes, labels, keypoints, row), got no such column. Did you "
            "mean `boxes`?",
        ),
        (
            lambda: ph.largest(rows(present=np.ones(4))),
            "largest(source): expected no column `present`, got one. Leave it out, with source.only([...]).",
        ),
        (
            lambda: read(ph.largest(rows(), along=["labels", "row"])),
            "column `row`, row 0: expected one entry for each of 3 boxes, got 0.",
        ),
        (
            lambda: read(ph.largest(rows(labels=[["cup"], [], None, ["cow"]])), 3, 0),
            "column `labels`, row 0: expected one entry for each of 3 boxes, got 1.",
        ),
        (
            lambda: read(ph.largest(Arrays({"boxes": np.zeros((2, 3, 5))}))),
            "column `boxes`, row 0: expected boxes (k, 4), got shape (3, 5).",
        ),
        (
            lambda: read(ph.largest(Arrays({"boxes": [[[0, 0, 1]], [["a", 0, 1, 1]]]})), 1),
            "column `boxes`, row 1: expected boxes (k, 4), got [['a', 0, 1, 1]].",
        ),
    ],
)
def test_what_cannot_be(work, words):
    with pytest.raises(ph.DataError) as caught:
        work()
    assert str(caught.value) == words
