"""Weights that do nothing are told: one class to balance, and weights of 0 in every row."""

import warnings

import numpy as np
import pytest

import polyhead as ph

ROWS = 40
DATA = {
    "x": np.zeros((ROWS, 2), np.float32),
    "kind": ["cat"] * ROWS,
    "yes": np.ones(ROWS),
    "word": ["no"] * ROWS,
    "tags": [["red"]] * ROWS,
    "mask": np.zeros((ROWS, 4, 4), np.uint8),
    "both": np.arange(ROWS) % 2,
    "none": np.zeros(ROWS),
}


class Read(ph.Source):
    """The same rows, none of them in memory."""

    def __len__(self):
        return ROWS

    def read(self, ids):
        return {name: [values[i] for i in ids.tolist()] for name, values in DATA.items()}


def feed_of(head, data=DATA, **more):
    return ph.Feed(data, inputs="x", heads={"y": head}, **more)


def model_of(feed):
    import keras

    x = keras.Input((2,), name="x")
    return keras.Model(x, ph.outputs(x, feed))


def told(make):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = make()
    return [str(one.message) for one in caught if issubclass(one.category, ph.PolyheadWarning)], made


@pytest.mark.parametrize("data", [DATA, Read()], ids=["memory", "read"])
@pytest.mark.parametrize(
    ("head", "words"),
    [
        (ph.Categorical(["cat", "dog"], column="kind"), "'cat' in every row that has a label"),
        (ph.Binary(column="yes"), "1 in every row that has a label"),
        (ph.Binary(column="word", positive="yes"), "'other than yes' in every row that has a label"),
        (ph.MultiLabel(["red", "round"], column="tags"), "the same labels in every row"),
        (ph.Mask(column="mask"), "0 in every row that has a label"),
    ],
    ids=["categorical", "binary", "word", "several", "mask"],
)
def test_one_class_has_nothing_to_balance(data, head, words):
    if head.meaning.get("positive"):
        head = head.fixed(_met=True)  # as of another feed
    found, feed = told(lambda: feed_of(head.fixed(class_weight="balanced"), data))
    assert found == [
        f'head `y`, column `{head.column}`: expected labels of several classes, which class_weight="balanced" '
        f"balances, got {words}. All weights are 1. Leave class_weight out, or look for the rows of the other classes."
    ]
    assert set(feed.heads["y"].class_weight.values()) == {1.0}
    assert told(lambda: feed.on(data))[0] == []


def test_two_classes_are_balanced_without_a_word():
    assert told(lambda: feed_of(ph.Binary(column="both", class_weight="balanced")))[0] == []
    tags = {**DATA, "tags": [["red"], ["round", "red"]] * (ROWS // 2)}
    assert told(lambda: feed_of(ph.MultiLabel(column="tags", class_weight="balanced"), tags))[0] == []


NOTHING = (
    "head `y`, column `none`: expected a weight above 0 in some row, got 0 in 40 rows, all that were checked. "
    "None of its labels counts, in training or evaluation. Check how they were made, or leave sample_weight= out."
)


def test_weights_of_0_in_every_row_are_told():
    head = ph.Binary(column="both", sample_weight="none")
    found, feed = told(lambda: feed_of(head))
    assert found == [NOTHING]
    assert feed.peek()[2]["y"].max() == 0
    some = {**DATA, "none": np.arange(ROWS) == 7}
    assert told(lambda: feed_of(head, some))[0] == []
    missing = {**DATA, "both": [None] * ROWS}
    assert told(lambda: feed_of(head, missing))[0] == []


def test_those_of_rows_that_are_read_are_told_when_their_mean_is_worked_out():
    found, feed = told(lambda: feed_of(ph.Binary(column="both", sample_weight="none"), Read()))
    assert found == []
    assert told(lambda: feed._assembler.labels["y"].mean_weight()) == ([NOTHING], 0.0)
    assert told(lambda: feed._assembler.labels["y"].mean_weight()) == ([], 0.0)


@pytest.mark.few(1)
@pytest.mark.keras
@pytest.mark.parametrize("balanced", [True, False])
def test_one_class_is_told_once(balanced):
    head = ph.Binary(column="yes", class_weight="balanced" if balanced else None)
    found, feed = told(lambda: feed_of(head))
    assert len(found) == balanced
    assert [problem.code for problem in feed.check(model_of(feed)).problems] == ["constant"]
    found, model = told(lambda: ph.compile(model_of(feed), feed, optimizer="sgd"))
    assert found == [
        "head `y`: expected labels that differ, got 1 in all 40 labeled rows. There is nothing to learn from "
        "it: check its column."
    ] * (not balanced)
    assert told(lambda: model.fit(feed, verbose=0))[0] == []


@pytest.mark.keras
def test_weights_of_0_are_told_in_words_that_hold_for_evaluation():
    feed = told(lambda: feed_of(ph.Binary(column="both", sample_weight="none")))[1]
    model = ph.compile(model_of(feed), feed, optimizer="sgd")
    found, evaluation = told(lambda: ph.evaluate(model, feed))
    assert found == [NOTHING]
    assert "no labels" in str(evaluation)
